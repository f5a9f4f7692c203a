"""Bins: intervals or rectangles, with the number of rows in each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mixtura.data.array import ArrayRows
from mixtura.data.fingerprint import array_fingerprint
from mixtura.data.frames import Names, described
from mixtura.data.row_checks import check_weight_sum
from mixtura.data.values import contiguous, refuse_negative, refuse_non_finite
from mixtura.shapes import Floats

__all__ = ["Bins"]

TOUCHING = 1e-9  # of the narrower bin: by how much rounding may let two overlap
WIDE = 10.0  # widths of an ordinary bin; the middle of a wider one would be far from all rows
IN_ORDER = "counts, edges = numpy.histogram(x); fit_binned(edges, counts, ...)"
IN_ORDER_OF_TWO = "counts, *edges = numpy.histogram2d(x, y); fit_binned(edges, counts, ...)"


class Bins(ArrayRows):
    """Bins as rows: a point in each, and the count as its weight.

    Parameters
    ----------
    edges : array_like of shape (n_bins + 1,) or (n_bins, 2), or sequence of array_like
        Edges of adjacent intervals, ascending; or lower and upper ends of intervals that do not
        overlap, also as a pandas.IntervalIndex; or, for counts of several features, edges for each
        of them. The outermost may be infinite.
    counts : array_like of shape (n_bins,), or one axis for each feature
        Non-negative, with a positive sum; they need not be integers.
    feature_names : tuple of str, optional

    Attributes
    ----------
    lower, upper : ndarray of shape (n_bins, n_features)
        Ends of each bin in each feature. Bins of several features are in C order of `counts`.
    counts : ndarray of shape (n_bins,)

    Raises
    ------
    ValueError
        For values and shapes that cannot be used.
    TypeError
        For what is not real numbers.
    """

    def __init__(self, edges: Any, counts: ArrayLike, feature_names: Names | None = None) -> None:
        table = contiguous(counts, "counts")
        intervals = _intervals(edges, table)
        table = table.flatten()
        _check_counts(table, "counts")
        shape = [len(each) for each in intervals]
        at = np.indices(shape).reshape(len(shape), -1)
        ends = [each[at[a]] for a, each in enumerate(intervals)]
        points = [_points(each)[at[a]] for a, each in enumerate(intervals)]
        self.lower: Floats = np.column_stack([each[:, 0] for each in ends])
        self.upper: Floats = np.column_stack([each[:, 1] for each in ends])
        self.counts = table
        super().__init__(
            np.column_stack(points),
            table,
            feature_names,
            form="binned",
            extras={"lower": self.lower, "upper": self.upper},
        )

    def rounding(self, scale: Floats) -> Floats:
        """Return zeros: bins say themselves how far rows are known, and E-steps use it."""
        return np.zeros(len(scale))

    def fingerprint(self) -> dict[str, str | None]:
        """Return those of the counts and of the bins."""
        ends = array_fingerprint(np.column_stack([self.lower, self.upper]))
        return {**super().fingerprint(), "edges": ends}


def _intervals(edges: Any, counts: Floats) -> list[Floats]:
    """Return lower and upper ends, shape (n_intervals, 2), for each feature."""
    if counts.ndim == 1:
        array = _edges(edges, "edges")
        n = len(counts)
        if array.shape not in ((n + 1,), (n, 2)):
            swapped = array.shape == (n - 1,)
            remedy = (
                f"They seem to be swapped: {IN_ORDER}."
                if swapped
                else "Give one edge more than there are counts, or two ends for each."
            )
            raise ValueError(
                f"edges must have shape {(n + 1,)}, or {(n, 2)} for lower and upper ends, with "
                f"counts of shape {(n,)}; got {array.shape}. {remedy}"
            )
        return [_checked(array, "edges")]
    d = counts.ndim
    expected = f"edges must be {d} arrays, one for each axis of counts of shape {counts.shape}"
    if d == 0 or not isinstance(edges, list | tuple) or len(edges) != d:
        raise ValueError(
            f"{expected}; got {described(edges)}. Pass counts with an axis for each feature: "
            f"{IN_ORDER_OF_TWO}."
        )
    intervals = []
    for a, each in enumerate(edges):
        name, n = f"edges[{a}]", counts.shape[a]
        array = _edges(each, name)
        if array.shape not in ((n + 1,), (n, 2)):
            raise ValueError(
                f"{name} must have shape {(n + 1,)}, or {(n, 2)} for lower and upper ends, for "
                f"counts of shape {counts.shape}; got {array.shape}. Give the edges of axis {a} of "
                f"counts: {IN_ORDER_OF_TWO}."
            )
        intervals.append(_checked(array, name))
    return intervals


def _edges(values: Any, name: str) -> Floats:
    if hasattr(values, "categories") and hasattr(values, "codes"):  # of pandas.cut, in any order
        values = values.categories.take(values.codes, allow_fill=True, fill_value=np.nan)
    if hasattr(values, "left") and hasattr(values, "right"):  # pandas.IntervalIndex
        values = np.column_stack([contiguous(end, name) for end in (values.left, values.right)])
    array = contiguous(values, name)
    if np.isnan(array).any():
        raise ValueError(f"{name} must not be NaN. Use -inf or inf for a bin that is open.")
    return array


def _checked(edges: Floats, name: str) -> Floats:
    """Return intervals that are no points, do not overlap and have a finite end each."""
    lower, upper = (edges[:-1], edges[1:]) if edges.ndim == 1 else edges.T
    if not (lower < upper).all():
        b = int(np.argmin(lower < upper))
        raise ValueError(
            f"{name} must ascend; bin {b} reaches from {lower[b]:g} to {upper[b]:g}. Sort the "
            f"edges, and leave out those that are repeated."
        )
    open_at_both = np.isinf(lower) & np.isinf(upper)
    if open_at_both.any():
        raise ValueError(
            f"{name} must leave each bin a finite end; bin {int(np.argmax(open_at_both))} has "
            f"none, so that every row is in it. Leave it out."
        )
    order = np.argsort(lower)
    with np.errstate(invalid="ignore"):
        overlap = upper[order[:-1]] - lower[order[1:]]
        width = np.minimum((upper - lower)[order[:-1]], (upper - lower)[order[1:]])
        wrong = overlap > TOUCHING * np.where(np.isfinite(width), width, 0.0)
    if wrong.any():
        first = int(np.argmax(wrong))
        b, c = order[first], order[first + 1]
        raise ValueError(
            f"{name} must be of bins that do not overlap; bin {b} reaches from {lower[b]:g} to "
            f"{upper[b]:g} and bin {c} from {lower[c]:g} to {upper[c]:g}. Count each row in one "
            f"bin."
        )
    return np.column_stack([lower, upper])


def _points(intervals: Floats) -> Floats:
    """Return the middle of each interval; of an open or very wide one, a point near the others."""
    lower, upper = intervals.T
    width = upper - lower
    typical = np.median(width[np.isfinite(width)]) if np.isfinite(width).any() else 1.0
    ordinary = width <= WIDE * typical
    points: Floats = np.empty(len(width))
    points[ordinary] = 0.5 * lower[ordinary] + 0.5 * upper[ordinary]
    amid = np.median(points[ordinary]) if ordinary.any() else 0.0
    near = np.clip(amid, lower + 0.5 * typical, upper - 0.5 * typical)
    return np.where(ordinary, points, near)


def _check_counts(counts: Floats, name: str) -> None:
    refuse_non_finite(counts, name, ("bin",), "Give a finite number.")
    refuse_negative(counts, name, ("bin",), "Give 0 for an empty bin.")
    if not counts.any():
        raise ValueError(f"{name} must have a positive sum; all are 0. Count some rows.")
    check_weight_sum(counts, name=name)
