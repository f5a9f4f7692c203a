"""Passes with carried bounds against passes without: other components are left out, nothing else.

How bounds follow from parameters that move is tested in passes/test_bounds.py.
"""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import (
    COVARIANCE_TYPES,
    Bounds,
    Mixture,
    assert_same_bits,
    assert_same_statistics,
    random_mixture,
    random_rows,
    statistics_bounds,
    usable_instruction_sets,
)
from numpy.typing import NDArray

from mixtura.parameters import Seen
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

K = 60
E_STEPS = [*(("soft", t) for t in COVARIANCE_TYPES), *(("hard", t) for t in COVARIANCE_TYPES)]
each_step = pytest.mark.parametrize(("em", "covariance_type"), E_STEPS)


class Carry(NamedTuple):
    """Bounds, as the engine reads and renews them."""

    order: NDArray[np.int64]
    reach: NDArray[np.float32]
    shrink: Floats | None = None
    shift: Floats | None = None
    masks: None = None


def two_passes(
    rows: Any, em: str, seen: Seen, n_threads: int = 1
) -> tuple[Statistics, Statistics, NDArray[np.int64]]:
    """Statistics of two passes, the second with bounds from the first, and its labels."""
    order = np.random.default_rng(0).permutation(rows.n_samples)
    labels = np.empty(rows.n_samples, dtype=np.int64)
    rows.accumulate(em, seen, n_threads, labels=labels)
    order = order[np.argsort(labels[order], kind="stable")]
    reach = np.full((rows.n_tiles(K, seen.shape), K), np.nan, dtype=np.float32)
    first = rows.accumulate(em, seen, n_threads, carry=Carry(order, reach))
    assert (reach >= 0.0).all()
    carry = Carry(order, reach, np.ones(K), np.zeros(K))
    labels[:] = -1
    second = rows.accumulate(em, seen, n_threads, carry=carry, labels=labels)
    return first, second, labels


def clusters(covariance_type: str, d: int, spread: float = 30.0) -> tuple[Floats, Mixture]:
    """Rows of clusters far apart."""
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, covariance_type, K, d, spread=spread)
    return random_rows(rng, mixture, 3000), mixture


@each_step
@pytest.mark.parametrize("d", [2, 13])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("spread", "unit"), [(30.0, 1.0), (4.0, 1e20)])
def test_pass_with_bounds_equals_the_pass_without(
    em: str, covariance_type: str, d: int, weighted: bool, spread: float, unit: float
) -> None:
    X, mixture = clusters(covariance_type, d, spread)
    X, mixture = X * unit, mixture.scaled(unit)
    weight = np.random.default_rng(1).integers(0, 3, len(X)).astype(float) if weighted else None
    present = np.ones(len(X), dtype=bool) if weight is None else weight > 0.0
    X[~present] = 1e300
    seen = mixture.seen()
    right, rounding = np.empty(len(X), dtype=np.int64), None
    for module in usable_instruction_sets().values():
        rows, plain = module.Rows(X, weight), module.Rows(X, weight)
        expected = plain.accumulate(em, seen, 1, labels=right)
        assert plain.computed == 1.0
        first, second, labels = two_passes(rows, em, seen)
        assert rows.computed < 0.9 or spread < 30.0
        np.testing.assert_array_equal(labels[present], right[present])
        rounding = rounding or allowed(
            em, np.where(present[:, None], X, 0.0), mixture, weight, right
        )
        for statistics in (first, second):
            assert_same_statistics(statistics, expected, rounding)
            np.testing.assert_allclose(
                statistics.log_likelihood, expected.log_likelihood, rtol=1e-12
            )
        assert_same_bits(two_passes(module.Rows(X, weight), em, seen, 3)[1], second)


def allowed(
    em: str, X: Floats, mixture: Mixture, weight: Floats | None, labels: NDArray[np.int64]
) -> dict[str, Floats]:
    """How far statistics after the same shares of the rows may be apart."""
    if em == "soft":
        return Bounds(X, mixture).statistics(weight)
    resp = np.eye(K)[labels]
    bounds = statistics_bounds(X, resp, mixture.means, mixture.covariance_type, weight)
    del bounds["log_likelihood"]
    return bounds


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("single", [False, True])
def test_hard_with_bounds_gives_ties_to_the_first(
    module: ModuleType, covariance_type: str, single: bool
) -> None:
    # Components come in pairs that are equal in all but their numbers.
    X, mixture = clusters(covariance_type, 8)
    mixture.means[1::2] = mixture.means[::2]
    mixture.weights[1::2] = mixture.weights[::2]
    if covariance_type != "tied":
        mixture.factors[1::2] = mixture.factors[::2]
    if single:
        X = X.astype(np.float32)
    rows = module.Rows(X, None, mixture.means.mean(axis=0), single=single)
    _, statistics, labels = two_passes(rows, "hard", mixture.seen())
    assert rows.computed < 0.9
    assert not (labels % 2).any()
    assert not statistics.resp_sum[1::2].any()


@pytest.mark.parametrize("em", ["soft", "hard"])
def test_row_at_zero_density_with_bounds_goes_by_the_weights(module: ModuleType, em: str) -> None:
    X, mixture = clusters("full", 3)
    unit = 1e-100  # in which a row can be out of reach with a square that is finite
    mixture, X = mixture.scaled(unit), X * unit
    X[17] = 1e60
    seen = mixture.seen()
    _, statistics, labels = two_passes(module.Rows(X), em, seen)
    expected = module.Rows(X).accumulate(em, seen, 1)
    assert labels[17] == np.argmax(mixture.weights)
    assert statistics.log_likelihood == -np.inf
    np.testing.assert_allclose(statistics.resp_sum, expected.resp_sum, rtol=1e-12)


@each_step
def test_bounds_in_single_precision_change_only_rounding(
    module: ModuleType, em: str, covariance_type: str
) -> None:
    X, mixture = clusters(covariance_type, 9, 20.0)
    X = X.astype(np.float32)
    seen, centre = mixture.seen(), mixture.means.mean(axis=0)
    rows = module.Rows(X, None, centre, single=True)
    first, second, _ = two_passes(rows, em, seen)
    assert rows.computed < 0.9
    expected = module.Rows(X, None, centre, single=True).accumulate(em, seen, 1)
    for statistics in (first, second):
        np.testing.assert_allclose(statistics.resp_sum, expected.resp_sum, rtol=1e-5)
        np.testing.assert_allclose(statistics.log_likelihood, expected.log_likelihood, rtol=1e-6)
    assert_same_bits(two_passes(module.Rows(X, None, centre, single=True), em, seen, 2)[1], second)
