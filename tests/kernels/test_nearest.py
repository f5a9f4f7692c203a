"""Nearest means and the potentials of seeds, against plain differences."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from helpers import LAYOUTS, assert_same_bits
from numpy.typing import NDArray

from mixtura import kernels, reference
from mixtura.parameters import Seen
from mixtura.shapes import SPHERICAL, Floats

each_shape = pytest.mark.parametrize(
    ("n", "d", "k"),
    [(1, 1, 1), (65, 2, 3), (300, 7, 5), (257, 13, 4), (1000, 16, 50), (129, 33, 6), (40, 70, 9)],
)


def squared_distances(X: NDArray[np.floating], centers: Floats) -> Floats:
    return np.square(X[:, None].astype(np.float64) - centers).sum(axis=2)


def ties(n: int, d: int, k: int) -> tuple[Floats, Floats]:
    """Integers: distances are exact, and often equal; two centers are the same."""
    rng = np.random.default_rng([n, d, k])
    centers = rng.integers(-2, 3, size=(k, d)).astype(np.float64)
    centers[-1] = centers[0]
    return rng.integers(-3, 4, size=(n, d)).astype(np.float64), centers


def far_apart(n: int, d: int, k: int) -> tuple[Floats, Floats]:
    """An offset, and one row and one center far from all others."""
    rng = np.random.default_rng([n, d, k])
    X, centers = rng.normal(size=(n, d)) + 1e6, rng.normal(size=(k, d)) + 1e6
    X[-1], centers[-1] = 1e12, 2e12
    return X, centers


@each_shape
@pytest.mark.parametrize("data", [ties, far_apart])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("layout", ["c-order", "fortran-order"])
def test_nearest_finds_the_nearest_and_the_first_of_equal_ones(
    module: ModuleType,
    n: int,
    d: int,
    k: int,
    data: Callable[[int, int, int], tuple[Floats, Floats]],
    weighted: bool,
    layout: str,
) -> None:
    X, centers = data(n, d, k)
    weight = np.random.default_rng(n).exponential(size=n) if weighted else np.ones(n)
    expected = np.argmin(squared_distances(X, centers), axis=1)
    labels, half = np.empty(n, dtype=np.int64), np.empty(n)
    seen = Seen.of_centers(centers, SPHERICAL)
    rows = module.Rows(LAYOUTS[layout](X), weight)
    statistics = rows.accumulate("nearest", seen, 1, labels=labels)
    np.testing.assert_array_equal(labels, expected)
    labels[:] = -1
    rows.evaluate("nearest", seen, 1, labels=labels, log_prob=half)
    np.testing.assert_array_equal(labels, expected)
    nearest = squared_distances(X, centers)[np.arange(n), expected]
    np.testing.assert_allclose(-2.0 * half, nearest, rtol=1e-13)
    given = weight[:, None] * (expected[:, None] == np.arange(k))
    np.testing.assert_allclose(statistics.resp_sum, given.sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(statistics.resp_xx, given.T @ nearest, rtol=1e-12)
    assert statistics.log_likelihood == pytest.approx(-0.5 * weight @ nearest, rel=1e-12)
    offsets = np.stack([given[:, j] @ (X - centers[j]) for j in range(k)])
    bound = 1e-13 * np.stack([given[:, j] @ np.abs(X - centers[j]) for j in range(k)])
    assert (np.abs(statistics.resp_x - offsets) <= bound).all()
    assert_same_bits(statistics, rows.accumulate("nearest", seen, 3))


def test_nearest_of_weightless_nonsense_leaves_it_out(module: ModuleType) -> None:
    X, centers = far_apart(100, 16, 4)
    weight = np.ones(100)
    weight[::3] = 0.0
    X[::3] = 1e300
    seen = Seen.of_centers(centers, SPHERICAL)
    statistics = module.Rows(X, weight).accumulate("nearest", seen, 1)
    present = module.Rows(X[weight > 0.0]).accumulate("nearest", seen, 1)
    np.testing.assert_allclose(statistics.resp_xx, present.resp_xx, rtol=1e-12)
    np.testing.assert_array_equal(statistics.resp_sum, present.resp_sum)


@pytest.mark.parametrize("layout", ["c-order", "fortran-order"])
def test_nearest_of_a_weightless_row_is_the_first_center(layout: str) -> None:
    X, centers = far_apart(100, 16, 4)
    X, centers = (X + 1e3).copy(order="C" if layout == "c-order" else "F"), centers + 1e3
    weight = np.ones(100)
    weight[::3] = 0.0
    labels, log_prob = np.empty(100, dtype=np.int64), np.empty(100)
    rows = kernels.Rows(X, weight, np.full(16, 900.0))
    seen = Seen.of_centers(centers, SPHERICAL)
    rows.evaluate("nearest", seen, 1, labels=labels, log_prob=log_prob)
    assert not labels[::3].any()
    assert not log_prob[::3].any()


@each_shape
def test_potentials_are_weighted_sums_of_the_least_squared_distances(
    module: ModuleType, n: int, d: int, k: int
) -> None:
    rng = np.random.default_rng([n, d, k])
    X, weight = rng.normal(size=(n, d)) + 1e3, rng.exponential(size=n)
    seeds = X[rng.integers(n, size=k)]
    before = rng.exponential(size=n) * d
    nearest = before.copy()
    potentials = module.Rows(X, weight).potentials(seeds, nearest, 1)
    distances = squared_distances(X, seeds)
    expected = np.minimum(before, distances[:, 0])
    np.testing.assert_allclose(nearest, expected, rtol=1e-12)
    assert (nearest[(seeds[0] == X).all(axis=1)] == 0.0).all()
    sums = weight @ np.minimum(expected[:, None], distances)
    np.testing.assert_allclose(potentials, sums, rtol=1e-12)
    again = before.copy()
    np.testing.assert_array_equal(module.Rows(X, weight).potentials(seeds, again, 3), potentials)


@each_shape
@pytest.mark.parametrize("weighted", [False, True])
def test_potentials_with_what_comes_after_are_those_of_each_seed(
    module: ModuleType, n: int, d: int, k: int, weighted: bool
) -> None:
    rng = np.random.default_rng([n, d, k])
    X = rng.normal(size=(n, d)) + 1e3
    weight = rng.integers(0, 3, size=n).astype(float) if weighted else np.ones(n)
    seeds, before = X[rng.integers(n, size=k)], rng.exponential(size=n) * d
    nearest, after = before.copy(), np.empty((k, n + 2)).T
    rows = module.Rows(X, weight)
    left = rows.potentials(seeds, nearest, 1, after=after[1:-1])
    np.testing.assert_array_equal(nearest, before)
    present = weight > 0.0
    for j in range(k):
        one = before.copy()
        np.testing.assert_array_equal(left[j], rows.potentials(seeds[j : j + 1], one, 3)[0])
        np.testing.assert_array_equal(after[1:-1, j][present], one[present])
    expected = reference.Rows(X, weight)
    columns = np.empty((n, k))
    same = expected.potentials(seeds, nearest, 1, after=columns)
    np.testing.assert_allclose(left, same, rtol=1e-12)
    np.testing.assert_allclose(after[1:-1][present], columns[present], rtol=1e-12)


def test_assign_labels_rows_of_weight_zero_too() -> None:
    X, centers = ties(200, 3, 5)
    weight = np.arange(200) % 3.0
    labels, statistics = kernels.assign(X, centers, sample_weight=weight)
    np.testing.assert_array_equal(labels, np.argmin(squared_distances(X, centers), axis=1))
    assert statistics.weight_sum == weight.sum()
