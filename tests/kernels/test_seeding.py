"""All seeds of k-means++ in one call: those of the reference, whatever the rows are like."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from helpers import LAYOUTS
from numpy.typing import NDArray

from mixtura import reference
from mixtura.shapes import Floats

ALIGNED = [name for name in LAYOUTS if name not in {"other-byte-order", "unaligned"}]


def quantiles_of(n_seeds: int, n_trials: int, seed: int = 0) -> tuple[float, Floats]:
    rng = np.random.default_rng([n_seeds, n_trials, seed])
    return rng.random(), rng.random((n_seeds - 1, n_trials))


def expect_those_of_the_reference(
    module: ModuleType,
    X: NDArray[np.floating],
    weight: Floats | None = None,
    n_seeds: int = 12,
    n_trials: int = 4,
) -> None:
    first, quantiles = quantiles_of(n_seeds, n_trials)
    expected = reference.Rows(X, weight).seeds(first, quantiles, None)
    rows = module.Rows(X, weight)
    for n_threads in (1, 2, 3, 7):
        np.testing.assert_array_equal(rows.seeds(first, quantiles, n_threads), expected)


@pytest.mark.parametrize(
    ("n", "d", "n_seeds", "n_trials"),
    [
        (1, 1, 3, 2), (63, 1, 5, 3), (64, 2, 5, 4), (65, 3, 20, 5), (130, 7, 9, 6),
        (1000, 8, 40, 7), (300, 16, 30, 8), (257, 17, 10, 9), (500, 33, 12, 16), (129, 70, 8, 1),
        (5000, 5, 3, 17), (2500, 33, 20, 7),
    ],
)  # fmt: skip
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_seeds_are_those_of_the_reference(
    module: ModuleType, n: int, d: int, n_seeds: int, n_trials: int, weighted: bool, dtype: str
) -> None:
    rng = np.random.default_rng([n, d])
    X = rng.normal(size=(n, d)).astype(dtype)
    weight = rng.exponential(size=n) * (rng.random(n) > 0.3) if weighted else None
    if weight is not None:
        weight[n // 2] = 1.0
    expect_those_of_the_reference(module, X, weight, n_seeds, n_trials)


@pytest.mark.parametrize("layout", ALIGNED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_seeds_do_not_depend_on_the_layout(module: ModuleType, layout: str, dtype: str) -> None:
    X = np.random.default_rng(1).normal(size=(200, 5)).astype(dtype)
    first, quantiles = quantiles_of(10, 4)
    np.testing.assert_array_equal(
        module.Rows(LAYOUTS[layout](X)).seeds(first, quantiles, 1),
        module.Rows(X).seeds(first, quantiles, 1),
    )


def clusters(rng: np.random.Generator) -> Floats:
    return rng.normal(size=(600, 20)) + 8.0 * rng.normal(size=(10, 20))[rng.integers(10, size=600)]


def far_from_zero(rng: np.random.Generator) -> Floats:
    return clusters(rng) + 1e8


def heavy_tails(rng: np.random.Generator) -> Floats:
    return rng.standard_cauchy(size=(600, 6)) ** 3


def a_wide_feature(rng: np.random.Generator) -> Floats:
    return rng.normal(size=(600, 6)) * [1e9, 1.0, 1.0, 1.0, 1e-3, 0.0]


def a_row_far_away(rng: np.random.Generator) -> Floats:
    X = rng.normal(size=(600, 6))
    X[17] = 1e200
    X[18] = 1e8
    return X


def distances_that_overflow(rng: np.random.Generator) -> Floats:
    return 1e200 * rng.normal(size=(600, 3))


def tiny(rng: np.random.Generator) -> Floats:
    return 1e-150 * rng.normal(size=(600, 3))


def whole_numbers(rng: np.random.Generator) -> Floats:
    """Distances are exact, and many of them equal."""
    return rng.integers(-2, 3, size=(600, 3)).astype(np.float64)


def few_different(rng: np.random.Generator) -> Floats:
    return rng.normal(size=(5, 4))[rng.integers(5, size=600)]


def almost_all_equal(rng: np.random.Generator) -> Floats:
    X = np.ones((600, 4))
    X[::50] += rng.normal(size=(12, 4))
    return X


def finely_spaced(rng: np.random.Generator) -> Floats:
    """Differences far below the unit to which rows are rounded."""
    return rng.integers(3, size=(600, 1)) + 1e-4 * rng.normal(size=(600, 1))


KINDS = [
    clusters, far_from_zero, heavy_tails, a_wide_feature, a_row_far_away, distances_that_overflow,
    tiny, whole_numbers, few_different, almost_all_equal, finely_spaced,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_seeds", [4, 60])
def test_seeds_of_any_rows_are_those_of_the_reference(
    module: ModuleType, kind: Callable[[np.random.Generator], Floats], n_seeds: int
) -> None:
    X = kind(np.random.default_rng(3))
    with np.errstate(over="ignore", invalid="ignore"):
        expect_those_of_the_reference(module, X, n_seeds=n_seeds)
        expect_those_of_the_reference(module, X, np.ones(len(X)), n_seeds=n_seeds)


def test_rows_of_weight_zero_are_absent_whatever_they_hold(module: ModuleType) -> None:
    rng = np.random.default_rng(5)
    X, weight = rng.normal(size=(300, 4)), np.ones(300)
    weight[::3] = 0.0
    X[::3] = 1e300
    X[3] = np.nan
    first, quantiles = quantiles_of(30, 5)
    chosen = module.Rows(X, weight).seeds(first, quantiles, 1)
    among = np.flatnonzero(weight)
    np.testing.assert_array_equal(chosen, among[module.Rows(X[among]).seeds(first, quantiles, 1)])
    np.testing.assert_array_equal(chosen, reference.Rows(X, weight).seeds(first, quantiles, 1))


def test_rows_of_weight_two_are_two_rows(module: ModuleType) -> None:
    rng = np.random.default_rng(6)
    X, times = rng.normal(size=(300, 4)), rng.integers(1, 4, size=300)
    first, quantiles = quantiles_of(30, 5)
    repeated = np.repeat(X, times, axis=0)
    np.testing.assert_array_equal(
        X[module.Rows(X, times.astype(float)).seeds(first, quantiles, 1)],
        repeated[module.Rows(repeated).seeds(first, quantiles, 1)],
    )


@pytest.mark.parametrize("quantile", [0.0, 1.0])
def test_quantiles_at_the_ends_are_rows_with_a_chance(module: ModuleType, quantile: float) -> None:
    """One is what a quantile may be rounded up to, once it is multiplied."""
    X, weight = np.arange(200.0)[:, None], np.ones(200)
    weight[[0, 1, 198, 199]] = 0.0
    quantiles = np.full((3, 2), quantile)
    chosen = module.Rows(X, weight).seeds(quantile, quantiles, 1)
    expected = [2, 3, 4, 5] if quantile == 0.0 else [197, 196, 195, 194]
    np.testing.assert_array_equal(chosen, expected)
    np.testing.assert_array_equal(chosen, reference.Rows(X, weight).seeds(quantile, quantiles, 1))


@pytest.mark.parametrize("scale", [1.0, 0.1, 1e-3, 7.0])
def test_trials_that_are_equal_but_for_rounding_are_taken_in_order(
    module: ModuleType, scale: float
) -> None:
    """Two rows far from all others gain the same; here both are trials, in either order."""
    X = np.random.default_rng(8).normal(size=(400, 3))
    X[[50, 350]] = [[1e3, 1.0, 0.3], [1e3, -2.0, 0.7]]
    for quantiles, expected in (([[0.25, 0.75]], 50), ([[0.75, 0.25]], 350)):
        _, chosen = module.Rows(scale * X).seeds(0.0, np.array(quantiles), 1)
        assert chosen == expected
        assert reference.Rows(scale * X).seeds(0.0, np.array(quantiles), 1)[1] == expected
