"""Bins as users pass them: what is accepted, and what each refusal says."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura.data import Bins

INF = np.inf
EDGES, COUNTS = np.array([0.0, 1.0, 2.0, 4.0]), np.array([3.0, 0.0, 5.0])


def test_bins_are_rows_at_their_middles_with_counts_as_weights() -> None:
    bins = Bins(EDGES, COUNTS)
    (block,) = bins.blocks()
    np.testing.assert_array_equal(block.X, [[0.5], [1.5], [3.0]])
    np.testing.assert_array_equal(block.sample_weight, COUNTS)
    np.testing.assert_array_equal(block.extras["lower"], EDGES[:-1, None])
    np.testing.assert_array_equal(block.extras["upper"], EDGES[1:, None])
    assert (bins.form, bins.n_rows, bins.weight_sum) == ("binned", 2, 8.0)
    assert bins.rounding(np.ones(1)).tolist() == [0.0]


def test_open_bins_stand_beside_their_finite_end() -> None:
    bins = Bins([-INF, 1.0, 3.0, INF], [1, 2, 3])
    np.testing.assert_array_equal(bins.X[:, 0], [0.0, 2.0, 4.0])
    np.testing.assert_array_equal(Bins([[-INF, 0.0], [0.0, INF]], [1, 2]).X[:, 0], [-0.5, 0.5])


def test_bins_that_are_very_wide_stand_beside_the_others() -> None:
    bins = Bins([-1e9, 0.0, 1.0, 2.0, 3.0, 1e9], np.ones(5))
    np.testing.assert_array_equal(bins.X[:, 0], [-0.5, 0.5, 1.5, 2.5, 3.5])


@pytest.mark.parametrize(
    "edges",
    [
        [[0.0, 1.0], [1.0, 2.0], [2.0, 4.0]],
        np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 4.0]], dtype=np.float32, order="F"),
        EDGES.tolist(),
        EDGES.astype(int),
        np.repeat(EDGES, 2)[::2],
    ],
    ids=["pairs", "float32", "list", "int", "strided"],
)
def test_edges_of_any_kind_make_the_same_bins(edges: object) -> None:
    bins = Bins(edges, COUNTS.astype(int).tolist())
    np.testing.assert_array_equal(bins.lower[:, 0], EDGES[:-1])
    np.testing.assert_array_equal(bins.upper[:, 0], EDGES[1:])


def test_bins_may_leave_gaps_and_come_in_any_order() -> None:
    bins = Bins([[2.0, 3.0], [0.0, 1.0], [5.0, INF]], COUNTS)
    np.testing.assert_array_equal(bins.lower[:, 0], [2.0, 0.0, 5.0])


def test_bins_that_overlap_by_rounding_are_side_by_side() -> None:
    middles = 0.1 * np.arange(1, 9)
    assert ((middles + 0.05)[:-1] > (middles - 0.05)[1:]).any()
    Bins(np.column_stack([middles - 0.05, middles + 0.05]), np.ones(8))


def test_bins_of_two_features_are_in_the_order_of_their_counts() -> None:
    x, y = [0.0, 1.0, 2.0], [10.0, 20.0, 40.0, INF]
    counts = np.arange(6.0).reshape(2, 3)
    for each in (counts, np.asfortranarray(counts)):
        bins = Bins((x, y), each)
        np.testing.assert_array_equal(bins.counts, np.arange(6.0))
        np.testing.assert_array_equal(bins.lower[:, 0], [0, 0, 0, 1, 1, 1])
        np.testing.assert_array_equal(bins.upper[:, 1], [20, 40, INF] * 2)
    whole = Bins([x, np.array([[10.0, 20.0], [20.0, 40.0], [40.0, INF]])], counts)
    np.testing.assert_array_equal(whole.upper, bins.upper)


def test_bins_copy_what_they_are_given() -> None:
    edges, counts = EDGES.copy(), COUNTS.copy()
    bins = Bins(edges, counts)
    before = bins.fingerprint()
    edges[1], counts[0] = 0.2, 7.0
    assert bins.fingerprint() == before
    np.testing.assert_array_equal(bins.lower[:, 0], EDGES[:-1])


def test_fingerprint_tells_bins_of_the_same_middles_apart() -> None:
    one, other = Bins([0.0, 2.0, 4.0, 6.0], COUNTS), Bins([0.5, 1.5, 4.5, 5.5], COUNTS)
    np.testing.assert_array_equal(one.X, other.X)
    assert one.fingerprint() != other.fingerprint()


@pytest.mark.parametrize("ordered", [False, True])
def test_intervals_of_pandas_are_bins(ordered: bool) -> None:
    pd = pytest.importorskip("pandas")
    x = np.random.default_rng(0).normal(size=100)
    counts = pd.Series(pd.cut(x, [-4.0, -1.0, 0.5, 4.0])).value_counts(sort=ordered)
    bins = Bins(counts.index, counts)
    expected, edges = np.histogram(x, [-4.0, -1.0, 0.5, 4.0])
    order = np.argsort(bins.lower[:, 0])
    np.testing.assert_array_equal(bins.counts[order], expected)
    np.testing.assert_array_equal(bins.lower[order, 0], edges[:-1])
    np.testing.assert_array_equal(bins.upper[order, 0], edges[1:])
    same = Bins(pd.IntervalIndex(counts.index), counts.to_numpy())
    np.testing.assert_array_equal(same.lower, bins.lower)
    outside = pd.Series(pd.cut(x, [-1.0, 0.0, 1.0])).value_counts(dropna=False)
    with pytest.raises(ValueError, match="edges must not be NaN"):
        Bins(outside.index, outside)


@pytest.mark.parametrize(
    ("edges", "counts", "message"),
    [
        (
            COUNTS, EDGES,
            (
                r"edges must have shape \(5,\), or \(4, 2\) for lower and upper ends, with counts "
                r"of "
                r"shape \(4,\); got \(3,\). They seem to be swapped: counts, edges = "
                r"numpy.histogram\(x\); fit_binned\(edges, counts, ...\)."
            ),
        ),
        (
            EDGES, [1, 2],
            r"got \(4,\). Give one edge more than there are counts, or two ends for each.",
        ),
        ([0.0, 2.0, None], [1, 2], "edges must not be NaN. Use -inf or inf for a bin that is open"),
        ([0.0, np.nan, 1.0], [1, 2], "edges must not be NaN. Use -inf or inf for a bin that is"),
        (
            [0.0, 2.0, 2.0, 3.0], COUNTS,
            "edges must ascend; bin 1 reaches from 2 to 2. Sort the edges, and leave out those",
        ),
        ([3.0, 2.0, 1.0, 0.0], COUNTS, "edges must ascend; bin 0 reaches from 3 to 2"),
        ([-INF, -INF, 1.0], [1, 2], "edges must ascend; bin 0 reaches from -inf to -inf"),
        (
            [[-INF, INF], [0.0, 1.0]], [1, 2],
            (
                "edges must leave each bin a finite end; bin 0 has none, so that every row is in "
                "it. "
                "Leave it out."
            ),
        ),
        (
            [[0.0, 2.0], [3.0, 4.0], [1.0, 3.0]], COUNTS,
            (
                "edges must be of bins that do not overlap; bin 0 reaches from 0 to 2 and bin 2 "
                "from "
                "1 to 3. Count each row in one bin."
            ),
        ),
        ([[-INF, 2.0], [1.0, INF]], [1, 2], "bin 0 reaches from -inf to 2 and bin 1 from 1 to inf"),
        ([[0.0, INF], [1.0, 2.0]], [1, 2], "bin 0 reaches from 0 to inf and bin 1 from 1 to 2"),
        (EDGES, [1, np.nan, 2], "counts must be finite; bin 1 is nan. Give a finite number."),
        (EDGES, [1, -1, 2], "counts must be non-negative; bin 1 is -1.0. Give 0 for an empty bin."),
        (EDGES, [0, 0, 0], "counts must have a positive sum; all are 0. Count some rows."),
        (EDGES, [1e300, 0, 0], "counts must sum to between"),
        (
            EDGES, np.ones((3, 3)),
            (
                r"edges must be 2 arrays, one for each axis of counts of shape \(3, 3\); got .* "
                r"Pass "
                r"counts with an axis for each feature: counts, \*edges = numpy.histogram2d\(x, "
                r"y\); "
                r"fit_binned\(edges, counts, ...\)."
            ),
        ),
        (EDGES, 3.0, r"edges must be 0 arrays, one for each axis of counts of shape \(\)"),
        (
            (EDGES, EDGES), np.ones((3, 2)),
            (
                r"edges\[1\] must have shape \(3,\), or \(2, 2\) for lower and upper ends, for "
                r"counts "
                r"of shape \(3, 2\); got \(4,\). Give the edges of axis 1 of counts: counts, "
                r"\*edges"
            ),
        ),
        ((EDGES, [2.0, 1.0]), np.ones((3, 1)), r"edges\[1\] must ascend; bin 0"),
    ],
)  # fmt: skip
def test_bins_that_cannot_be_used_are_refused(edges: object, counts: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bins(edges, counts)


@pytest.mark.parametrize(("edges", "counts"), [("abcd", COUNTS), (EDGES, ["a", "b", "c"])])
def test_bins_that_are_no_numbers_are_refused(edges: object, counts: object) -> None:
    with pytest.raises(TypeError, match="must hold real numbers"):
        Bins(edges, counts)
