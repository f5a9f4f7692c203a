"""Bounds carried from pass to pass: they hold, they pay, and they change nothing but time."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES, assert_same_bits
from loops import ONE_THREAD, em_on, parameters_of, start_of

import mixtura
from mixtura import GaussianMixture, Statistics, reference
from mixtura.data import ArrayRows, BlockedRows
from mixtura.kernels import Rows
from mixtura.parameters import Parameters, Seen
from mixtura.passes import Backend, RowsPass
from mixtura.passes.bounds import BoundsRecord, CarriedBounds, approach
from mixtura.shapes import SHAPES, Floats

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
NEVER = 10**9  # products of a row with all means below which no bounds are carried


def whitened_distances(X: Floats, model: GaussianMixture) -> Floats:
    """|y| of every row and component, (n_samples, n_components), from its definition."""
    inverses = np.linalg.inv(model.covariance_matrices())
    z = X[:, None, :] - model.means
    return np.sqrt(np.einsum("ija,jab,ijb->ij", z, inverses, z))


def many_clusters(apart: float, *, n: int = 3000, k: int = 60, d: int = 6) -> Floats:
    rng = np.random.default_rng(5)
    means = rng.normal(scale=apart / np.sqrt(2 * d), size=(k, d))
    factors = np.eye(d) + 0.2 * rng.normal(size=(k, d, d))
    labels = rng.integers(k, size=n)
    return means[labels] + np.einsum("iab,ib->ia", factors[labels], rng.normal(size=(n, d)))


def scattered_mixture(X: Floats, k: int, covariance_type: str, seed: int = 0) -> GaussianMixture:
    """Components at rows, so that EM still has a way to go."""
    rng = np.random.default_rng(seed)
    means = X[rng.choice(len(X), size=k, replace=False)]
    shape = SHAPES[covariance_type].array_shape(k, X.shape[1])
    covariances = np.full(shape, 2.0)
    if covariance_type in ("full", "tied"):
        covariances = np.broadcast_to(2.0 * np.eye(X.shape[1]), shape)
    return GaussianMixture(np.full(k, 1 / k), means, covariances, covariance_type)


def seen_of(model: GaussianMixture) -> Seen:
    return parameters_of(model).seen()


def stretch(before: GaussianMixture, after: GaussianMixture) -> tuple[Floats, Floats]:
    """Least singular value of ``U'^T inv(U^T)`` of each component, and how far it is from I.

    The second is the spectral norm of ``A^T A - I`` for that matrix A.
    """
    k, d = before.means.shape
    U, later = (
        SHAPES[model.covariance_type].matrices(model.precisions_cholesky, k, d)
        for model in (before, after)
    )
    A = later.transpose(0, 2, 1) @ np.linalg.inv(U.transpose(0, 2, 1))
    values = np.linalg.svd(A, compute_uv=False)
    return values[:, -1], np.abs(np.square(values) - 1.0).max(axis=1)


@pytest.mark.parametrize("step", [1e-6, 1e-2, 0.3])
@pytest.mark.parametrize("condition", [1.0, 1e4])
@each_type
def test_approach_after_any_step_bounds_the_new_distances(
    covariance_type: str, condition: float, step: float
) -> None:
    rng = np.random.default_rng(3)
    k, d = 5, 4
    scale = np.geomspace(1.0, condition, d)
    X = rng.normal(size=(400, d)) * scale * 3.0
    factors = np.eye(d) + 0.3 * rng.normal(size=(k, d, d))
    fits = []
    for size in (0.0, step):
        noise = np.random.default_rng(4)
        moved = factors + size * noise.normal(size=(k, d, d))
        matrices = (moved @ moved.transpose(0, 2, 1)) * np.outer(scale, scale)
        covariances = {
            "full": matrices,
            "tied": matrices[0],
            "diag": np.einsum("kaa->ka", matrices),
            "spherical": np.einsum("kaa->k", matrices),
        }[covariance_type]
        means = np.random.default_rng(9).normal(size=(k, d)) * scale
        means = means + size * noise.normal(size=(k, d)) * scale
        fits.append(GaussianMixture(np.full(k, 1 / k), means, covariances, covariance_type))
    before, after = fits
    X = np.concatenate([X, before.means, after.means])  # where the bound is tight
    shrink, shift = approach(seen_of(before), seen_of(after), reference)
    bound = shrink * whitened_distances(X, before) - shift
    assert (whitened_distances(X, after) >= bound - 1e-6).all()
    # It is tight: exact for diagonals, else by little more than matrices have turned.
    least, turned = stretch(before, after)
    assert (shrink <= least * (1.0 + 1e-12)).all()
    if covariance_type in ("diag", "spherical"):
        np.testing.assert_allclose(shrink, least, rtol=1e-12)
    else:
        expected = np.sqrt(np.maximum(1.0 - math.sqrt(2.0) * turned - 1e-12, 0.0))
        assert (shrink >= expected).all()
    assert (shrink > 0.9).all() or step > 1e-3


@each_type
def test_approach_without_a_step_keeps_the_distances(covariance_type: str) -> None:
    same = seen_of(scattered_mixture(many_clusters(5.0), 7, covariance_type))
    shrink, shift = approach(same, same, reference)
    np.testing.assert_allclose(shrink, 1.0, atol=1e-6)
    np.testing.assert_array_equal(shift, 0.0)


def dense(rows: RowsPass) -> RowsPass:
    """The same pass without bounds."""
    return RowsPass(rows.source, rows.shape, rows.backend, em=rows.em, least_products=NEVER)


@pytest.mark.parametrize("apart", [0.5, 6.0, 25.0])
@pytest.mark.parametrize("em", ["soft", "hard"])
@each_type
def test_fit_with_carried_bounds_equals_the_fit_without(
    covariance_type: str, em: str, apart: float
) -> None:
    X = many_clusters(apart)
    sample_weight = np.random.default_rng(1).integers(0, 3, size=len(X)).astype(float)
    X[sample_weight == 0.0] = 1e300
    ridge = 1e-6 * np.average(many_clusters(apart) ** 2, axis=0, weights=sample_weight)
    carried = em_on(X, covariance_type, em=em, sample_weight=sample_weight, ridge=ridge)
    start = parameters_of(scattered_mixture(many_clusters(apart), 60, covariance_type))
    one = carried.run(start, 16)
    other = replace(carried, rows=dense(carried.rows)).run(start, 16)
    np.testing.assert_allclose(one.history, other.history, rtol=1e-12)
    np.testing.assert_allclose(one.parameters.means, other.parameters.means, rtol=1e-8, atol=1e-8)
    assert one.events == other.events
    (with_bounds,), (without,) = carried.rows.record(), dense(carried.rows).record()
    assert with_bounds.passes > 16 - 8 * len(one.events)
    assert without == BoundsRecord()


@pytest.mark.parametrize("apart", [0.5, 6.0, 25.0])
@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_fit_with_masks_equals_the_fit_without(covariance_type: str, apart: float) -> None:
    X = many_clusters(apart, d=14)
    sample_weight = np.random.default_rng(1).integers(0, 3, size=len(X)).astype(float)
    X[sample_weight == 0.0] = 1e300
    carried = em_on(X, covariance_type, sample_weight=sample_weight, ridge=np.full(14, 0.1))
    start = parameters_of(scattered_mixture(many_clusters(apart, d=14), 60, covariance_type))
    one = carried.run(start, 16)
    other = replace(carried, rows=dense(carried.rows)).run(start, 16)
    np.testing.assert_allclose(one.history, other.history, rtol=1e-12)
    assert (np.diff(one.history) >= -1e-12 * np.abs(one.history[1:])).all()
    np.testing.assert_allclose(one.parameters.means, other.parameters.means, rtol=1e-8, atol=1e-8)
    assert one.events == other.events
    assert carried.rows.record()[0].bits is not None or apart < 25.0


MOVES = {
    "means": lambda p: p._replace(means=p.means[::-1].copy()),
    "covariances": lambda p: p._replace(
        covariances=1e4 * p.covariances, precisions_cholesky=0.01 * p.precisions_cholesky
    ),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("em", ["soft", "hard"])
@each_type
def test_pass_after_the_components_have_moved_far_equals_the_one_without_bounds(
    covariance_type: str, em: str, move: str
) -> None:
    """Bounds that knew nothing of the move would leave out the components that now matter."""
    X = many_clusters(60.0, n=12_000)
    labels = mixtura.fit_kmeans(X, 60, rng=0).labels
    start = start_of(em_on(X, covariance_type), labels)
    before, after = start.seen(), MOVES[move](start).seen()
    carried = RowsPass(ArrayRows(X), before.shape, ONE_THREAD, em=em)
    for _ in range(3):
        carried.accumulate(before)
    found = np.empty((2, len(X)), dtype=np.int64)
    statistics = carried.accumulate(after, found[0])
    expected = dense(carried).accumulate(after, found[1])
    np.testing.assert_array_equal(found[0], found[1])
    for name in ("resp_sum", "resp_x", "resp_xx", "log_likelihood"):
        one, other = getattr(statistics, name), getattr(expected, name)
        atol = 1e-10 * (1.0 + np.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=atol, err_msg=name)


@pytest.mark.parametrize(("em", "d"), [("soft", 6), ("hard", 6), ("soft", 14)])
def test_fit_with_carried_bounds_has_equal_bits_for_any_number_of_threads(em: str, d: int) -> None:
    X = many_clusters(10.0, d=d)
    init = scattered_mixture(X, 60, "full")
    fits = [
        mixtura.fit_gmm(X, 60, init=init, tol=0.0, max_iter=8, n_threads=n, em=em)
        for n in (1, 2, 3, 7)
    ]
    for fit in fits[1:]:
        assert fit.model == fits[0].model
        np.testing.assert_array_equal(fit.history, fits[0].history)


class Counted:
    """An engine's rows that keep what share of the components each pass has computed."""

    def __init__(self, X: Floats) -> None:
        self._rows, self.shares = Rows(X), []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def accumulate(self, *arguments: Any, **options: Any) -> Statistics:
        statistics = self._rows.accumulate(*arguments, **options)
        self.shares.append(self._rows.computed)
        return statistics


@pytest.mark.parametrize(("apart", "most"), [(25.0, 0.4), (0.5, 1.0)])
@pytest.mark.parametrize("em", ["soft", "hard"])
def test_passes_over_separate_components_compute_few_of_them(
    em: str, apart: float, most: float
) -> None:
    X = many_clusters(apart, n=6000)
    rows, carried = Counted(X), CarriedBounds(em, reference)
    model = mixtura.fit_gmm(X, 60, init=scattered_mixture(X, 60, "full"), max_iter=30, tol=0).model
    for _ in range(8):
        carried.accumulate(rows, seen_of(model), 1)
    shares = rows.shares
    assert shares[:2] == [1.0, 1.0]
    assert max(shares[2:4]) <= most
    assert (min(shares) == 1.0) == (most == 1.0)


@pytest.mark.parametrize("em", ["soft", "hard"])
def test_component_that_is_dropped_leaves_the_bounds_behind(em: str) -> None:
    X = many_clusters(10.0)
    init = scattered_mixture(X, 60, "full")
    means = init.means.copy()
    means[7] = 1e6
    fit = mixtura.fit_gmm(
        X, 60, init=GaussianMixture(init.weights, means, init.covariances), on_collapse="drop",
        tol=0.0, max_iter=8, em=em,
    )  # fmt: skip
    assert [e.action for e in fit.events][:1] == ["dropped"]
    assert np.isclose(fit.log_likelihood, fit.model.log_likelihood(X), rtol=1e-12)
    assert fit.model.n_components < 60


class Interrupting(Counted):
    """An engine's rows that are interrupted once they have spoiled half of the bounds."""

    interrupt = False

    def accumulate(self, *arguments: Any, carry: Any = None, **options: Any) -> Statistics:
        if self.interrupt and carry is not None:
            carry.reach[:, ::2] = 1e30  # as if half of it were of other parameters
            raise KeyboardInterrupt
        return super().accumulate(*arguments, carry=carry, **options)


def test_pass_that_is_interrupted_leaves_no_bounds_behind() -> None:
    X = many_clusters(25.0)
    rows, carried = Interrupting(X), CarriedBounds("soft", reference)
    seen = seen_of(scattered_mixture(X, 60, "full"))
    expected = [carried.accumulate(rows, seen, 1) for _ in range(3)][-1]
    assert carried.record().reach is not None
    rows.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        carried.accumulate(rows, seen, 1)
    assert carried.record().reach is None
    rows.interrupt = False
    again = carried.accumulate(rows, seen, 1)
    np.testing.assert_allclose(again.resp_sum, expected.resp_sum, rtol=1e-12)


@pytest.mark.parametrize("em", ["soft", "hard"])
@each_type
def test_carried_pass_with_rows_out_of_every_reach_shares_them_by_weight(
    covariance_type: str, em: str
) -> None:
    X = many_clusters(25.0)
    X[[5, 700]] = 1e160  # squares overflow: of density zero under every component
    seen = seen_of(scattered_mixture(X[6:600], 60, covariance_type))
    carried, plain = (
        RowsPass(ArrayRows(X), seen.shape, backend, em=em)
        for backend in (ONE_THREAD, Backend("reference"))
    )
    for _ in range(4):
        statistics, expected = carried.accumulate(seen), plain.accumulate(seen)
        np.testing.assert_allclose(statistics.resp_sum, expected.resp_sum, rtol=1e-9)
        assert statistics.log_likelihood == expected.log_likelihood == -np.inf


# The state, as a value


def steps(model: GaussianMixture, n: int) -> list[Seen]:
    """What a fit would see, each time a little further."""
    rng = np.random.default_rng(8)
    start: Parameters = parameters_of(model)
    moves = 0.05 * rng.normal(size=(n, *model.means.shape)) / np.arange(1, n + 1)[:, None, None]
    return [start._replace(means=model.means + move).seen() for move in moves]


class Unkept(BlockedRows):
    """Blocks that a pass has to ask for every time."""

    in_memory = False


def cut(X: Floats) -> list[tuple[Floats, None]]:
    return [(part, None) for part in np.split(X, [700, 700, 1900])]


SOURCES = {
    "array": ArrayRows, "blocks": lambda X: BlockedRows(cut(X)), "unkept": lambda X: Unkept(cut(X))
}  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("em", "d"), [("soft", 6), ("soft", 14), ("hard", 6)])
@pytest.mark.parametrize("before", range(1, 7))
def test_pass_that_is_restored_continues_to_the_same_bits(
    source: str, em: str, d: int, before: int
) -> None:
    X = many_clusters(25.0 if d > 12 else 10.0, d=d)
    sights = steps(scattered_mixture(X, 60, "full"), 10)
    whole, first, second, fresh = (
        RowsPass(SOURCES[source](X), SHAPES["full"], ONE_THREAD, em=em) for _ in range(4)
    )
    expected = [whole.accumulate(seen) for seen in sights]
    if source == "array":  # masks where there are many features, then bounds of another kind
        assert (whole.record()[0].bits is not None) == (d > 12)
    for seen in sights[:before]:
        first.accumulate(seen)
    second.restore(first.record())
    for one, seen in zip(expected[before:], sights[before:], strict=True):
        assert_same_bits(second.accumulate(seen), one)
    # The bits do depend on what is carried; nothing is where rows do not stay in memory.
    later = [fresh.accumulate(seen) for seen in sights[before:]]
    equal = [
        np.array_equal(one.resp_x, other.resp_x)
        for one, other in zip(expected[before:], later, strict=True)
    ]
    assert all(equal) == (source == "unkept")


def test_record_of_masks_that_does_not_fit_is_refused() -> None:
    X = many_clusters(25.0, d=14)
    rows = RowsPass(ArrayRows(X), SHAPES["full"], ONE_THREAD)
    for seen in steps(scattered_mixture(X, 60, "full"), 3):
        rows.accumulate(seen)
    (record,) = rows.record()
    assert record.bits is not None
    assert record.gaps is not None
    assert record.best is not None
    broken = [
        record._replace(bits=None),
        record._replace(gaps=None),
        record._replace(best=None),
        record._replace(order=None),
        record._replace(reach=record.gaps),
        record._replace(bits=record.bits[1:]),
        record._replace(bits=record.bits.astype(np.int64)),
        record._replace(gaps=record.gaps[:, 1:]),
        record._replace(best=record.best[1:]),
    ]
    for each in broken:
        with pytest.raises(ValueError, match="bounds that a pass carries are of other rows"):
            rows.restore([each])
    rows.restore([record])


def test_masks_begin_where_few_pairs_matter_and_end_where_many_do() -> None:
    separate, close = many_clusters(25.0, d=14), many_clusters(0.5, d=14)
    rows, carried = Counted(separate), CarriedBounds("soft", reference)
    model = mixtura.fit_gmm(separate, 60, init=scattered_mixture(separate, 60, "full")).model
    kinds = []
    for _ in range(3):
        carried.accumulate(rows, seen_of(model), 1)
        kinds.append(carried.record().bits is not None)
    assert kinds == [False, True, True]
    assert rows.shares[2] < 0.1
    wide = parameters_of(model)
    wide = wide._replace(
        covariances=1e4 * wide.covariances, precisions_cholesky=0.01 * wide.precisions_cholesky
    )
    carried.accumulate(rows, wide.seen(), 1)
    assert carried.record().bits is None
    rows, carried = Counted(close), CarriedBounds("soft", reference)
    model = scattered_mixture(close, 60, "full")
    for _ in range(6):
        carried.accumulate(rows, seen_of(model), 1)
        assert carried.record().bits is None


def test_record_of_bounds_that_does_not_fit_is_refused() -> None:
    X = many_clusters(10.0)
    model = scattered_mixture(X, 60, "full")
    rows = RowsPass(ArrayRows(X), SHAPES["full"], ONE_THREAD)
    for seen in steps(model, 3):
        rows.accumulate(seen)
    (record,) = rows.record()
    assert record.order is not None
    broken = [
        record._replace(order=record.order[:-1]),
        record._replace(order=np.zeros_like(record.order)),
        record._replace(order=record.order + 1),
        record._replace(order=record.order - 1),
        record._replace(order=record.order.astype(np.int32)),
        record._replace(order=None),
        record._replace(reach=None),
        record._replace(reach=record.reach[:, 1:]),
        record._replace(reach=record.reach.astype(np.float64)),
        record._replace(labels=np.zeros(7, dtype=np.int64)),
        record._replace(last=None),
        record._replace(last=record.last._replace(means=record.last.means[:, 1:])),
        record._replace(last=record.last._replace(covariances=record.last.covariances[1:])),
    ]
    for each in broken:
        with pytest.raises(ValueError, match="bounds that a pass carries are of other rows"):
            rows.restore([each])
    for records in ([], [record, record]):
        message = f"there are bounds of {len(records)} blocks for 1"
        with pytest.raises(ValueError, match=message):
            rows.restore(records)
    rows.restore([record])
    rows.restore([BoundsRecord()])
