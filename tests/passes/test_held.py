"""Bounds of k-means: when they are used, what they save, and that they change nothing."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from helpers import assert_same_bits
from loops import ONE_THREAD
from numpy.typing import NDArray

import mixtura
from mixtura import Statistics, fit_kmeans
from mixtura.data import ArrayRows
from mixtura.kernels import Rows
from mixtura.parameters import Seen
from mixtura.passes import RowsPass
from mixtura.passes.held import HeldRows, Hold
from mixtura.shapes import SPHERICAL, Floats
from mixtura.starts.seeding import lloyd

NEVER = 10**9  # products of a row with all centers below which no bounds are carried


def many_clusters(apart: float, *, n: int = 3000, k: int = 60, d: int = 6) -> Floats:
    rng = np.random.default_rng(5)
    means = rng.normal(scale=apart / np.sqrt(2 * d), size=(k, d))
    return means[rng.integers(k, size=n)] + rng.normal(size=(n, d))


def kmeans_pass(X: NDArray[Any], least_products: int) -> RowsPass:
    return RowsPass(
        ArrayRows(X), SPHERICAL, ONE_THREAD, em="nearest", least_products=least_products
    )


class Watched:
    """An engine's rows that keep what each pass was given and how much it has computed."""

    interrupt = False

    def __init__(self, X: Floats) -> None:
        self._rows, self.holds, self.shares = Rows(X), [], []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def accumulate(self, *arguments: Any, carry: Hold | None = None, **options: Any) -> Statistics:
        if self.interrupt and carry is not None:
            carry.apart[::2] = 1e30  # as if half of it were of other centers
            raise KeyboardInterrupt
        statistics = self._rows.accumulate(*arguments, carry=carry, **options)
        self.holds.append(carry)
        self.shares.append(self._rows.computed)
        return statistics


def seen_of(centers: Floats) -> Seen:
    return Seen.of_centers(centers, SPHERICAL)


@pytest.mark.parametrize("apart", [0.5, 4.0, 12.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kmeans_with_bounds_has_the_bits_of_kmeans_without(apart: float, dtype: str) -> None:
    X = many_clusters(apart).astype(dtype)
    start = X[:60].astype(np.float64)
    runs = [islice(lloyd(kmeans_pass(X, least), start), 20) for least in (0, NEVER)]
    for carried, plain in zip(*runs, strict=True):
        np.testing.assert_array_equal(carried.labels, plain.labels)
        assert_same_bits(carried.statistics, plain.statistics)


def test_fit_of_kmeans_with_many_products_has_the_bits_of_the_one_without_bounds() -> None:
    X = many_clusters(12.0, n=2000, k=64, d=64)
    start = X[:64].copy()
    fit = mixtura.fit_kmeans(X, 64, init=start, tol=0.0)
    plain = list(islice(lloyd(kmeans_pass(X, NEVER), start), fit.n_iter + 1))
    np.testing.assert_array_equal(fit.labels, plain[-1].labels)
    np.testing.assert_array_equal(fit.centers, plain[-1].centers)
    assert fit.n_iter > 3


def test_few_centers_carry_no_bounds() -> None:
    X = many_clusters(12.0)
    rows = Watched(X)
    for held, k in ((HeldRows("nearest"), 8), (HeldRows("nearest", 10**4), 60)):
        for _ in range(3):
            held.accumulate(rows, seen_of(X[:k]), 1)
    assert rows.holds == [None] * 6


def test_bounds_save_much_of_later_passes_over_clusters_and_list_what_moves() -> None:
    X = many_clusters(25.0)
    rows, held = Watched(X), HeldRows("nearest")
    centers = mixtura.fit_kmeans(X, 60, rng=0).centers
    rng = np.random.default_rng(0)
    far = np.array([7, 50])
    for _ in range(4):
        centers = centers + 1e-2 * rng.normal(size=centers.shape)
        centers[far] += 8.0 * rng.normal(size=(2, 6))
        held.accumulate(rows, seen_of(centers), 1)
    assert rows.holds[0].before is None
    assert set(far) <= set(rows.holds[1].moved)
    assert len(rows.holds[1].moved) < 30
    assert max(rows.shares[1:]) < 0.2


def test_bounds_are_left_out_while_all_centers_move_far_and_tried_again() -> None:
    X = many_clusters(25.0)
    rows, held = Watched(X), HeldRows("nearest")
    rng = np.random.default_rng(0)
    centers = mixtura.fit_kmeans(X, 60, rng=0).centers
    for size in (3.0, 3.0, 3.0, 1e-3, 1e-3):
        centers = centers + size * rng.normal(size=centers.shape)
        held.accumulate(rows, seen_of(centers), 1)
    assert [hold.before is None for hold in rows.holds] == [True, True, True, False, False]


def test_bounds_that_have_not_helped_are_tried_again_when_centers_move_less() -> None:
    X = many_clusters(0.1)
    rows, held = Watched(X), HeldRows("nearest")
    rng = np.random.default_rng(0)
    centers = X[:60]
    sizes = [*np.full(12, 0.3), *np.full(3, 1e-6)]
    for size in sizes:
        centers = centers + size * rng.normal(size=centers.shape)
        held.accumulate(rows, seen_of(centers), 1)
    used = [hold.before is not None for hold in rows.holds]
    assert not all(used[1:12])
    assert all(used[-2:])


def test_pass_that_is_interrupted_leaves_no_bounds_of_rows_behind() -> None:
    X = many_clusters(25.0)
    rows, held = Watched(X), HeldRows("nearest")
    expected = [held.accumulate(rows, seen_of(X[:60]), 1) for _ in range(3)][-1]
    rows.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        held.accumulate(rows, seen_of(X[:60]), 1)
    rows.interrupt = False
    assert_same_bits(held.accumulate(rows, seen_of(X[:60]), 1), expected)
    assert rows.holds[-1].before is None


def test_other_number_of_centers_leaves_the_bounds_behind() -> None:
    X = many_clusters(25.0)
    rows, held = Watched(X), HeldRows("nearest")
    for k in (60, 59, 59):
        held.accumulate(rows, seen_of(X[:k]), 1)
    assert [hold.before is None for hold in rows.holds] == [True, True, False]


def test_pass_of_kmeans_survives_a_row_and_centers_whose_squares_overflow() -> None:
    X = many_clusters(25.0)
    X[5] = 1.2e154
    rows = kmeans_pass(X, 0)
    labels = np.empty(len(X), dtype=np.int64)
    ordinary = np.delete(np.arange(len(X)), 5)
    for last in (X[65], np.full(6, 1e200), X[65], X[65]):
        centers = np.concatenate([X[6:65], last[None]])
        with np.errstate(over="ignore"):
            squared = np.square(X[ordinary, None] - centers).sum(axis=2)
        rows.accumulate(seen_of(centers), labels)
        np.testing.assert_array_equal(labels[ordinary], squared.argmin(axis=1))


def test_rows_without_weight_have_no_part_in_bounds() -> None:
    X = many_clusters(25.0)
    weight = np.arange(len(X)) % 2.0
    X[weight == 0.0] = np.random.default_rng(0).normal(size=(len(X) // 2, 6)) * 1e6
    rows = RowsPass(ArrayRows(X, weight), SPHERICAL, ONE_THREAD, em="nearest")
    present = kmeans_pass(X[weight > 0.0], 0)
    for _ in range(4):
        one, other = (each.accumulate(seen_of(X[1:121:2].copy())) for each in (rows, present))
        np.testing.assert_allclose(one.resp_xx, other.resp_xx, rtol=1e-12)
        np.testing.assert_array_equal(one.resp_sum, other.resp_sum)


@pytest.mark.parametrize("exponent", [300, 140, -140, -148])
def test_bounds_hold_in_any_unit(exponent: int) -> None:
    """They are kept as floats, whose range is smaller than that of doubles."""
    X = np.random.default_rng(0).normal(size=(1500, 64))
    unit = 2.0**exponent
    one, other = (fit_kmeans(X * a, 64, init=X[:64] * a, tol=0.0) for a in (1.0, unit))
    np.testing.assert_array_equal(other.labels, one.labels)
    assert other.n_iter == one.n_iter
    assert other.inertia / unit / unit == pytest.approx(one.inertia, rel=1e-12)
