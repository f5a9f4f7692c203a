"""Passes with masks against passes without: pairs that do not matter are left out, nothing else."""

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import (
    Bounds,
    Mixture,
    assert_same_bits,
    assert_same_statistics,
    random_mixture,
    random_rows,
    usable_instruction_sets,
)
from numpy.typing import NDArray

from mixtura import reference
from mixtura.parameters import Seen
from mixtura.passes.bounds import Carry, Masks, approach
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

K = 60
MARGIN = 23.0 + math.log(K)
each_type = pytest.mark.parametrize("covariance_type", ["full", "diag"])


def problem(covariance_type: str, d: int, spread: float, n: int = 1500) -> tuple[Floats, Mixture]:
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, covariance_type, K, d, spread=spread)
    return random_rows(rng, mixture, n), mixture


def constants_of(seen: Seen) -> Floats:
    d = seen.means.shape[1]
    log_dets = seen.shape.log_dets(seen.precisions_cholesky, d)
    return np.asarray(seen.log_weights + log_dets - 0.5 * d * math.log(2.0 * math.pi))


class Carried:
    """Passes over rows that carry masks from one to the next."""

    def __init__(self, rows: Any, order: NDArray[np.int64], n_threads: int = 1) -> None:
        n = len(order)
        self.rows, self.order, self.n_threads = rows, order, n_threads
        size = (-(-n // 64), K)
        self.bits = np.full(size, 0x5555555555555555, dtype=np.uint64)
        self.gaps = np.full(size, np.nan, dtype=np.float32)
        self.best = np.full(n, np.nan)
        self.last: Seen | None = None

    def accumulate(self, seen: Seen, labels: NDArray[np.int64] | None = None) -> Statistics:
        last = self.last or seen
        masks = Masks(self.bits, self.gaps, self.best, constants_of(last), self.last is not None)
        carry = Carry(self.order, None, *approach(last, seen, reference), masks)
        self.last = seen
        statistics: Statistics = self.rows.accumulate(
            "soft", seen, self.n_threads, carry=carry, labels=labels
        )
        return statistics

    def inside(self) -> NDArray[np.bool_]:
        """Whether each row is in the mask of each component, (n_samples, n_components)."""
        shifts = np.arange(64, dtype=np.uint64)[None, :, None]
        inside = (self.bits[:, None, :] >> shifts & np.uint64(1)).astype(bool)
        of_rows = np.empty((len(self.order), K), dtype=bool)
        of_rows[self.order] = inside.reshape(-1, K)[: len(self.order)]
        return of_rows

    def bounds(self) -> Floats:
        """The lower bound of each row's gap to each component that has no bit of it."""
        of_rows = np.empty((len(self.order), K))
        of_rows[self.order] = np.repeat(self.gaps, 64, axis=0)[: len(self.order)]
        return of_rows


def moved(mixture: Mixture, size: float, seed: int) -> Seen:
    """The mixture a little further on."""
    rng = np.random.default_rng(seed)
    seen = mixture.seen()
    k, d = seen.means.shape
    factors = seen.precisions_cholesky
    factors = factors * np.exp(size * rng.normal(size=(k, *[1] * (factors.ndim - 1))))
    covariances = seen.shape.inverses(factors)
    return seen._replace(
        log_weights=seen.log_weights + size * rng.normal(size=k),
        means=seen.means + size * rng.normal(size=(k, d)) / math.sqrt(d),
        precisions_cholesky=factors,
        covariances=covariances,
    )


def ordered(X: Floats, mixture: Mixture) -> NDArray[np.int64]:
    labels = reference.responsibilities(X, **mixture.parameters)[0].argmax(axis=1)
    return np.argsort(labels, kind="stable")


def joint(X: Floats, seen: Seen) -> Floats:
    """Weighted log-densities from their definition."""
    precisions = seen.shape.precisions(seen.precisions_cholesky)
    inverses = seen.shape.matrices(precisions, *seen.means.shape)
    z = X[:, None, :] - seen.means
    return constants_of(seen) - 0.5 * np.einsum("ija,jab,ijb->ij", z, inverses, z)


@each_type
@pytest.mark.parametrize(("d", "n"), [(13, 1500), (16, 65), (39, 700), (24, 1), (64, 63)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("spread", [1.2, 12.0])
def test_pass_with_masks_equals_the_pass_without(
    covariance_type: str, d: int, n: int, weighted: bool, spread: float
) -> None:
    X, mixture = problem(covariance_type, d, spread, n)
    weight = np.random.default_rng(1).integers(0, 3, n).astype(float) if weighted else None
    if weight is not None:
        X[weight == 0.0] = 1e300
    present = np.ones(n, dtype=bool) if weight is None else weight > 0.0
    order = ordered(np.where(present[:, None], X, 0.0), mixture)
    seen = moved(mixture, 0.0, 0)
    rounding = Bounds(np.where(present[:, None], X, 0.0), mixture).statistics(weight)
    right, labels = np.zeros((2, n), dtype=np.int64)
    for module in usable_instruction_sets().values():
        rows = module.Rows(X, weight)
        expected = module.Rows(X, weight).accumulate("soft", seen, 1, labels=right)
        carried = Carried(rows, order)
        first = carried.accumulate(seen)
        assert rows.computed == 1.0
        second, third = carried.accumulate(seen), carried.accumulate(seen, labels)
        assert rows.computed < 0.8 or spread < 12.0 or n < 64
        np.testing.assert_array_equal(labels[present], right[present])
        for statistics in (first, second, third):
            assert_same_statistics(statistics, expected, rounding)
        threaded = Carried(module.Rows(X, weight), order, n_threads=3)
        for one in (first, second):
            assert_same_bits(threaded.accumulate(seen), one)


@each_type
@pytest.mark.parametrize("size", [0.003, 0.03, 0.3])
@pytest.mark.parametrize("float32", [False, True])
def test_masks_hold_what_matters_and_bounds_hold_while_components_move(
    module: ModuleType, covariance_type: str, size: float, float32: bool
) -> None:
    X, mixture = problem(covariance_type, 14, 2.5)
    X = np.asfortranarray(X.astype(np.float32)).astype(np.float64) if float32 else X
    given = X.astype(np.float32) if float32 else np.asfortranarray(X)
    rows = module.Rows(given)
    carried, plain = Carried(rows, ordered(X, mixture)), module.Rows(given)
    computed = []
    for step in range(8):
        seen = moved(mixture, size, step)
        statistics = carried.accumulate(seen)
        computed.append(rows.computed)
        expected = plain.accumulate("soft", seen, 1)
        scores = joint(X, seen)
        gaps = scores.max(axis=1, keepdims=True) - scores
        inside = carried.inside()
        assert inside[gaps < MARGIN - 1e-6].all()
        assert (gaps > carried.bounds() - 1e-6)[~inside].all()
        assert not inside[gaps > MARGIN + 8.0 + 1e-6].any()
        np.testing.assert_allclose(carried.best, scores.max(axis=1)[carried.order], rtol=1e-10)
        assert math.isclose(rows.shared, (gaps < MARGIN).mean(), rel_tol=1e-6)
        for name in ("resp_sum", "resp_x", "resp_xx", "log_likelihood"):
            one, other = getattr(statistics, name), getattr(expected, name)
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10, err_msg=name)
    assert computed[0] == 1.0
    assert max(computed[1:]) < 0.9 or size > 0.01
    # Small moves leave most bounds standing.
    assert min(computed[1:]) < 1.5 * rows.shared or size > 0.01


@each_type
def test_rows_at_zero_density_with_masks_go_by_the_weights(
    module: ModuleType, covariance_type: str
) -> None:
    X, mixture = problem(covariance_type, 13, 12.0)
    order = ordered(X, mixture)
    X[[17, 700]] = 1e160  # squares overflow
    seen = moved(mixture, 0.0, 0)
    carried = Carried(module.Rows(X), order)
    expected = module.Rows(X).accumulate("soft", seen, 1)
    labels = np.empty(len(X), dtype=np.int64)
    for _ in range(3):
        statistics = carried.accumulate(seen, labels)
        assert statistics.log_likelihood == -np.inf
        np.testing.assert_allclose(statistics.resp_sum, expected.resp_sum, rtol=1e-12)
        assert (labels[[17, 700]] == np.argmax(mixture.weights)).all()
    assert np.isnan(carried.best).sum() == 2  # the blocks that have these rows


def test_masks_after_a_move_of_unknown_size_are_drawn_anew(module: ModuleType) -> None:
    X, mixture = problem("full", 13, 12.0)
    before, after = mixture.seen(), mixture.seen()  # without covariances
    after = after._replace(means=after.means[::-1].copy())
    carried = Carried(module.Rows(X), ordered(X, mixture))
    expected = module.Rows(X).accumulate("soft", after, 1)
    for seen in (before, after):
        statistics = carried.accumulate(seen)
    np.testing.assert_allclose(statistics.resp_sum, expected.resp_sum, rtol=1e-10)


@each_type
def test_component_without_weight_has_no_part_with_masks(
    module: ModuleType, covariance_type: str
) -> None:
    X, mixture = problem(covariance_type, 13, 3.0)
    seen = moved(mixture, 0.0, 0)
    seen.log_weights[7] = -np.inf
    carried = Carried(module.Rows(X), ordered(X, mixture))
    expected = module.Rows(X).accumulate("soft", seen, 1)
    for _ in range(3):
        statistics = carried.accumulate(seen)
        assert statistics.resp_sum[7] == 0.0
        np.testing.assert_allclose(statistics.resp_sum, expected.resp_sum, rtol=1e-10)


@pytest.mark.parametrize("spread", [1.0, 2.0, 3.0])
def test_margin_changes_the_log_likelihood_by_less_than_a_trillionth(
    module: ModuleType, spread: float
) -> None:
    X, mixture = problem("full", 16, spread)
    log_prob = np.empty(len(X))
    rows = module.Rows(X)
    statistics = rows.accumulate("soft", mixture.seen(), 1)
    rows.evaluate("soft", mixture.seen(), 1, log_prob=log_prob)  # of all pairs
    assert rows.shared < 0.9
    assert math.isclose(statistics.log_likelihood, math.fsum(log_prob), rel_tol=1e-12)


@pytest.mark.parametrize(("k", "margin"), [(2, 45.0), (47, 45.0), (48, 23.0 + math.log(48))])
def test_component_beyond_the_margin_has_no_share(
    module: ModuleType, k: int, margin: float
) -> None:
    """The worst case: every other component is just as far as makes no difference."""
    for beyond in (-1e-9, 1e-9):
        means = np.full((k, 1), math.sqrt(2.0 * (margin + beyond)))
        means[0] = 0.0
        seen = Mixture(np.full(k, 1.0 / k), means, np.ones(k), "spherical").seen()
        statistics = module.Rows(np.zeros((1, 1))).accumulate("soft", seen, 1)
        lost = 1.0 if beyond > 0.0 else 0.0
        share = math.exp(-margin) / (1.0 + (k - 1) * math.exp(-margin))
        np.testing.assert_allclose(statistics.resp_sum[1:], (1.0 - lost) * share, rtol=1e-8)
        assert (k - 1) * share < 1.03e-10
