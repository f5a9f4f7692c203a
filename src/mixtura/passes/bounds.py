"""Bounds carried from pass to pass: which components can matter to which rows.

With many components most of them are too far from most rows to matter. From pass to pass a lower
bound of the whitened distance between the rows of a tile and each component is carried, loosened by
as much as the parameters have moved (the inequality is in ``_ext/prune.h``). A component that the
bound shows to be too far is left out of the tile. Rows are ordered by their last component, so that
the rows of one tile have few components in common. Results change by rounding only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.parameters import Seen
from mixtura.shapes import Floats, Shape
from mixtura.statistics import Statistics

__all__ = ["BoundsRecord", "CarriedBounds", "Carry", "approach"]

LEAST_COMPONENTS = 48  # below, keeping bounds costs more than it saves
FIRST_RENEWAL, RENEWAL_FACTOR = 1, 3  # the rows are ordered again after pass 1, 4, 13, 40, ...
WORTHWHILE = 0.9  # share of (tile, component) pairs computed above which bounds are given up

Labels = NDArray[np.int64]


class Carry(NamedTuple):
    """What one pass takes over from the passes before it.

    Attributes
    ----------
    order : ndarray of shape (n_samples,), int64
        The row at each place.
    reach : ndarray of shape (n_tiles, n_components), float32
        Lower bounds of whitened distances; read and renewed.
    shrink, shift : ndarray of shape (n_components,), or None
        ``distance_now >= shrink * distance_before - shift``; None where `reach` is only written.
    """

    order: Labels
    reach: NDArray[np.float32]
    shrink: Floats | None
    shift: Floats | None


class BoundsRecord(NamedTuple):
    """The state of `CarriedBounds`, for checkpoints.

    Attributes
    ----------
    passes : int
        Passes made with many components.
    renewal : int
        The pass after which the rows are ordered again.
    last : Seen or None
        What the last pass evaluated.
    order, reach : ndarray or None
        As in `Carry`.
    labels : ndarray of shape (n_samples,), int64, or None
        Components of the rows, by which the next pass orders them.
    """

    passes: int = 0
    renewal: int = FIRST_RENEWAL
    last: Seen | None = None
    order: Labels | None = None
    reach: NDArray[np.float32] | None = None
    labels: Labels | None = None


class CarriedBounds:
    """Makes the passes over one block of rows, and decides what to carry from one to the next.

    Parameters
    ----------
    em : str
        The E-step.
    algebra : Algebra
    least_products : int
        Products of a row with all means below which nothing is carried.
    """

    def __init__(self, em: str, algebra: Algebra, least_products: int = 0) -> None:
        self._em, self._algebra, self._least_products = em, algebra, least_products
        self._state = BoundsRecord()

    def accumulate(
        self, rows: Any, seen: Seen, n_threads: int | None, labels: Labels | None = None
    ) -> Statistics:
        """Make a pass over the rows, faster by what earlier passes have found.

        Parameters
        ----------
        rows : Rows
            Of an engine.
        seen : Seen
        n_threads : int or None
        labels : ndarray of shape (n_samples,), int64, optional
            Gets the component of each row.

        Returns
        -------
        Statistics
        """
        means = seen.means
        statistics: Statistics
        if (
            self.are_idle(means) or "prior" in seen.extras
        ):  # which may make any component the best of a row
            statistics = rows.accumulate(self._em, seen, n_threads, labels=labels)
            return statistics
        before = self._state
        carry = _carry(before, rows, seen, self._algebra)
        passes = before.passes + 1
        # A pass that is interrupted leaves bounds of two kinds behind: they are not used again.
        self._state = BoundsRecord(passes, before.renewal, before.last)
        renewing = passes == before.renewal
        if renewing and labels is None:
            labels = np.empty(rows.n_samples, dtype=np.int64)
        statistics = rows.accumulate(self._em, seen, n_threads, carry=carry, labels=labels)
        settled = passes > before.renewal // RENEWAL_FACTOR + 2
        tested = carry is not None and carry.shrink is not None
        if carry is None or (tested and settled and rows.computed > WORTHWHILE):
            order, reach = None, None
        else:
            order, reach = carry.order, carry.reach
        renewal = RENEWAL_FACTOR * before.renewal + 1 if renewing else before.renewal
        self._state = BoundsRecord(
            passes, renewal, seen, order, reach, labels if renewing else None
        )
        return statistics

    def are_idle(self, means: Floats) -> bool:
        """Whether there are too few components for bounds."""
        return len(means) < LEAST_COMPONENTS or means.size < self._least_products

    def record(self) -> BoundsRecord:
        """Return what later passes depend on."""
        return self._state

    def restore(self, record: BoundsRecord, rows: Any, shape: Shape) -> None:
        """Continue as if this object had made the passes that `record` is of.

        Raises
        ------
        ValueError
            For a record that does not fit the rows.
        """
        n, d = rows.n_samples, rows.n_features
        last, order, reach, labels = record[2:]
        k = 1 if last is None else len(last.means)
        kept = shape.array_shape(k, d)
        expected: list[tuple[Any, type, tuple[int, ...]]] = [
            (order, np.int64, (n,)),
            (reach, np.float32, (rows.n_tiles(k, shape), k)),
            (labels, np.int64, (n,)),
        ]
        if last is not None:
            arrays = zip(last[:4], ((k,), (k, d), kept, kept), strict=True)
            expected += [(array, np.float64, size) for array, size in arrays]
        sound = all(
            array is None or (array.dtype, array.shape) == (dtype, size)
            for array, dtype, size in expected
        )
        if not sound or (order is None) != (reach is None) or (last is None and order is not None):
            raise ValueError("the bounds that a pass carries are of other rows")
        if order is not None:
            inside = order.min(initial=0) >= 0 and order.max(initial=-1) < n
            if not (inside and (np.bincount(order, minlength=n) == 1).all()):
                raise ValueError("the bounds that a pass carries are of other rows")
        self._state = record


def _carry(state: BoundsRecord, rows: Any, seen: Seen, by: Algebra) -> Carry | None:
    """What the next pass takes over; the rows in a new order where labels were collected for it."""
    k = len(seen.means)
    if state.labels is not None:
        small = np.min_scalar_type(k)  # numbers of two bytes or less are sorted by radix
        order = np.argsort(state.labels.astype(small), kind="stable")
        reach = np.empty((rows.n_tiles(k, seen.shape), k), dtype=np.float32)
        return Carry(order, reach, None, None)
    if state.order is None or state.reach is None or state.last is None:
        return None
    if len(state.last.means) != k:
        return None
    return Carry(state.order, state.reach, *approach(state.last, seen, by))


def approach(before: Seen, after: Seen, by: Algebra) -> tuple[Floats, Floats]:
    """How much nearer rows can have come to each component.

    Parameters
    ----------
    before, after : Seen
    by : Algebra

    Returns
    -------
    shrink, shift : ndarray of shape (n_components,)
        See `Carry`.
    """
    shape = after.shape
    shift = shape.whitened_lengths(after.precisions_cholesky, before.means - after.means)
    shrink = shape.least_stretch(
        before.covariances, before.precisions_cholesky, after.precisions_cholesky, by
    )
    return np.broadcast_to(shrink, shift.shape).copy(), shift
