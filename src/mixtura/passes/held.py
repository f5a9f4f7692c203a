"""Bounds of k-means, carried from pass to pass for each row.

A row is held by a center, and has a lower bound of its distance from all others. The bound is
lowered by as much as another center has moved. Where it stays above the distance from the center
that holds the row, no other center is looked at (the inequality is in ``_ext/nearest.h``). Labels
and sums are those of passes without bounds, to the last bit.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import Seen
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["HeldRows", "Hold"]

LEAST_CENTERS = 16  # below, bounds cost more than they save
WORTHWHILE = 0.65  # share of the products above which a pass goes without bounds
FIRST_UNSETTLED = 10.0  # what was seen with 64 features
FORGETTING = 0.7  # from pass to pass, so that bounds are tried again, but not by one good pass
LEAST_DRIFT = 1e-3  # of the spread; a shorter one says little about longer ones
LISTED_AT_ONCE = 16  # centers: as many as are scored at once

Labels = NDArray[np.int64]


class Hold(NamedTuple):
    """What one pass takes over from the pass before it.

    Attributes
    ----------
    held : ndarray of shape (n_samples,), int32
        The center of each row; read and renewed.
    apart : ndarray of shape (n_samples,), float32
        Lower bound of its distance from every other center; read and renewed.
    before : ndarray of shape (n_clusters, n_features), or None
        The centers of that pass; None where `held` and `apart` are only written.
    moved : ndarray of shape (n_moved,), int32, or None
        Centers that every row is compared with; None with `before`.
    """

    held: NDArray[np.int32]
    apart: NDArray[np.float32]
    before: Floats | None
    moved: NDArray[np.int32] | None


class HeldRows:
    """Makes the passes over one block of rows, and keeps bounds of each row between them.

    Parameters
    ----------
    em : str
        The E-step, "nearest".
    least_products : int
        Products of a row with all centers below which nothing is carried.

    Notes
    -----
    Memory: 8 bytes a row. The share of rows that bounds do not settle is about proportional to how
    far centers have moved that are not listed. The factor is learnt from passes, and the list is
    made as long as leaves the least work. Where more than `WORTHWHILE` of the work would be left,
    the pass goes without bounds.
    """

    def __init__(self, em: str, least_products: int = 0) -> None:
        self._em, self._least_products = em, least_products
        self._held: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self._apart: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._last: Floats | None = None
        self._spread = 1.0  # root mean square distance of the rows from their centers
        self._unsettled = FIRST_UNSETTLED  # share of the rows for each `_spread` of drift

    def are_idle(self, means: Floats) -> bool:
        """Whether iterations may be made in one call: no bounds are carried between them."""
        return len(means) < LEAST_CENTERS or means.size < self._least_products

    def accumulate(
        self, rows: Any, seen: Seen, n_threads: int | None, labels: Labels | None = None
    ) -> Statistics:
        """Make a pass over the rows, faster by what the last pass has found.

        Parameters
        ----------
        rows : Rows
            Of an engine.
        seen : Seen
        n_threads : int or None
        labels : ndarray of shape (n_samples,), int64, optional
            Gets the center of each row.

        Returns
        -------
        Statistics
        """
        centers = seen.means
        statistics: Statistics
        if self.are_idle(centers):
            statistics = rows.accumulate(self._em, seen, n_threads, labels=labels)
            return statistics
        if len(self._held) != rows.n_samples:
            self._held = np.empty(rows.n_samples, dtype=np.int32)
            self._apart = np.empty(rows.n_samples, dtype=np.float32)
        last, self._last = self._last, None  # of no use after a pass that is interrupted
        moved, drift = None, 0.0
        if last is not None and last.shape == centers.shape:
            with np.errstate(over="ignore"):
                moves = np.sqrt(np.square(centers - last).sum(axis=1))
            moved, drift = self._listed(moves)
        hold = Hold(self._held, self._apart, None if moved is None else last, moved)
        statistics = rows.accumulate(self._em, seen, n_threads, carry=hold, labels=labels)
        self._last = centers.copy()
        squared = -2.0 * statistics.log_likelihood / (statistics.weight_sum or 1.0)
        self._spread = math.sqrt(squared) if 0.0 < squared < math.inf else 1.0
        if moved is None:
            self._unsettled *= FORGETTING
        elif drift > LEAST_DRIFT * self._spread:
            seen_now = self._spread * rows.computed / drift
            self._unsettled = max(seen_now, FORGETTING * self._unsettled)
        return statistics

    def _listed(self, moves: Floats) -> tuple[NDArray[np.int32] | None, float]:
        """The centers to list, or None where bounds would save little; and how far others moved."""
        k = len(moves)
        farthest = np.argsort(-moves, kind="stable")
        lengths = np.arange(0, k // 2 + 1, LISTED_AT_ONCE)
        drifts = moves[farthest[lengths]]
        left = lengths / k + self._unsettled * drifts / self._spread
        least = int(left.argmin())
        if not left[least] < WORTHWHILE:
            return None, 0.0
        return np.sort(farthest[: lengths[least]]).astype(np.int32), float(drifts[least])
