"""Bounds carried from pass to pass: which components can matter to which rows.

With many components most of them are too far from most rows to matter. From pass to pass a lower
bound of the whitened distance between the rows of a tile and each component is carried, loosened by
as much as the parameters have moved (the inequality is in ``_ext/prune.h``). A component that the
bound shows to be too far is left out of the tile. Rows are ordered by their last component, so that
the rows of one tile have few components in common. Results change by rounding only.

Where few pairs of a row and a component matter, a finer kind of bound is kept instead: a mask of
the rows of a block that a component matters to, and a bound for the others (``_ext/masks.h``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.parameters import Seen
from mixtura.shapes import Floats, Shape
from mixtura.statistics import Statistics

__all__ = ["BoundsRecord", "CarriedBounds", "Carry", "Masks", "approach"]

LEAST_COMPONENTS = 48  # below, keeping bounds costs more than it saves
FIRST_RENEWAL, RENEWAL_FACTOR = 1, 3  # the rows are ordered again after pass 1, 4, 13, 40, ...
WORTHWHILE = 0.9  # share of (tile, component) pairs computed above which bounds are given up
ROWS_OF_A_MASK = 64
# Shares of the (row, component) pairs: below the first masks are begun, above the second given up.
FEW_PAIRS = {"full": (0.35, 0.5), "diag": (0.12, 0.22)}

Labels = NDArray[np.int64]


class Masks(NamedTuple):
    """Which rows components matter to: see ``_ext/masks.h``.

    Attributes
    ----------
    bits : ndarray of shape (n_blocks, n_components), uint64
        A bit for each row of a block.
    gaps : ndarray of shape (n_blocks, n_components), float32, nats
        Lower bounds for the other rows.
    best : ndarray of shape (n_samples,), nats
        The largest weighted log-density of the row at each place.
    constants : ndarray of shape (n_components,), nats
        Logarithms of the largest weighted densities of the components, in the pass before.
    is_known : bool
        Whether the first three are read; else they are only written.
    """

    bits: NDArray[np.uint64]
    gaps: NDArray[np.float32]
    best: Floats
    constants: Floats
    is_known: bool


class Carry(NamedTuple):
    """What one pass takes over from the passes before it.

    Attributes
    ----------
    order : ndarray of shape (n_samples,), int64
        The row at each place.
    reach : ndarray of shape (n_tiles, n_components), float32, or None
        Lower bounds of whitened distances; read and renewed. None where there are masks.
    shrink, shift : ndarray of shape (n_components,), or None
        ``distance_now >= shrink * distance_before - shift``; None where `reach` is only written.
    masks : Masks or None
    """

    order: Labels
    reach: NDArray[np.float32] | None
    shrink: Floats | None
    shift: Floats | None
    masks: Masks | None = None


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
    bits, gaps, best : ndarray or None
        As in `Masks`.
    is_sparse : bool
        Whether the next pass begins masks.
    """

    passes: int = 0
    renewal: int = FIRST_RENEWAL
    last: Seen | None = None
    order: Labels | None = None
    reach: NDArray[np.float32] | None = None
    labels: Labels | None = None
    bits: NDArray[np.uint64] | None = None
    gaps: NDArray[np.float32] | None = None
    best: Floats | None = None
    is_sparse: bool = False


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
        begins, ends = FEW_PAIRS.get(seen.shape.name, (0.0, 0.0))
        state = BoundsRecord(passes, before.renewal, seen)
        if renewing:
            renewal = RENEWAL_FACTOR * before.renewal + 1
            state = state._replace(renewal=renewal, labels=labels, is_sparse=rows.shared < begins)
        settled = passes > before.renewal // RENEWAL_FACTOR + 2
        if carry is not None and carry.masks is not None:
            bits, gaps, best, _, is_known = carry.masks
            if not (is_known and rows.computed > ends):
                state = state._replace(order=carry.order, bits=bits, gaps=gaps, best=best)
        elif carry is not None:
            tested = carry.shrink is not None
            if not (tested and settled and rows.computed > WORTHWHILE):
                state = state._replace(order=carry.order, reach=carry.reach)
        self._state = state
        return statistics

    def are_idle(self, means: Floats) -> bool:
        """Whether there are too few components for bounds: iterations may be made in one call."""
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
        last, order, reach, labels, bits, gaps, best = record[2:9]
        k = 1 if last is None else len(last.means)
        kept = shape.array_shape(k, d)
        expected: list[tuple[Any, type, tuple[int, ...]]] = [
            (order, np.int64, (n,)),
            (reach, np.float32, (rows.n_tiles(k, shape), k)),
            (labels, np.int64, (n,)),
            (bits, np.uint64, (_n_blocks(n), k)),
            (gaps, np.float32, (_n_blocks(n), k)),
            (best, np.float64, (n,)),
        ]
        if last is not None:
            arrays = zip(last[:4], ((k,), (k, d), kept, kept), strict=True)
            expected += [(array, np.float64, size) for array, size in arrays]
        sound = all(
            array is None or (array.dtype, array.shape) == (dtype, size)
            for array, dtype, size in expected
        )
        kinds = [reach is not None, bits is not None]
        whole = (bits is None) == (gaps is None) == (best is None)
        if not (sound and whole) or sum(kinds) != (order is not None):
            raise ValueError("the bounds that a pass carries are of other rows")
        if last is None and order is not None:
            raise ValueError("the bounds that a pass carries are of other rows")
        if order is not None:
            inside = order.min(initial=0) >= 0 and order.max(initial=-1) < n
            if not (inside and (np.bincount(order, minlength=n) == 1).all()):
                raise ValueError("the bounds that a pass carries are of other rows")
        self._state = record


def _n_blocks(n: int) -> int:
    """The number of blocks that masks cut rows into."""
    return -(-n // ROWS_OF_A_MASK)


def _carry(state: BoundsRecord, rows: Any, seen: Seen, by: Algebra) -> Carry | None:
    """What the next pass takes over; the rows in a new order where labels were collected for it."""
    k = len(seen.means)
    last, is_new = state.last, state.labels is not None
    if state.labels is not None:
        small = np.min_scalar_type(k)  # numbers of two bytes or less are sorted by radix
        order = np.argsort(state.labels.astype(small), kind="stable")
        if not state.is_sparse or last is None or len(last.means) != k:
            reach = np.empty((rows.n_tiles(k, seen.shape), k), dtype=np.float32)
            return Carry(order, reach, None, None)
        size = (_n_blocks(rows.n_samples), k)
        bits, gaps = np.empty(size, dtype=np.uint64), np.empty(size, dtype=np.float32)
        best = np.empty(rows.n_samples)
    elif state.order is None or last is None or len(last.means) != k:
        return None
    elif state.bits is None or state.gaps is None or state.best is None:
        return Carry(state.order, state.reach, *approach(last, seen, by))
    else:
        order, bits, gaps, best = state.order, state.bits, state.gaps, state.best
    masks = Masks(bits, gaps, best, _constants(last), not is_new)
    return Carry(order, None, *approach(last, seen, by), masks)


def _constants(seen: Seen) -> Floats:
    """Logarithms of the largest weighted densities of the components."""
    d = seen.means.shape[1]
    log_dets = seen.shape.log_dets(seen.precisions_cholesky, d)
    constants: Floats = seen.log_weights + log_dets - 0.5 * d * np.log(2.0 * np.pi)
    return constants


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
