"""Bins of a fit as they are drawn: one feature after the other, open ones with an end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import described
from mixtura.fitting import BinnedFit
from mixtura.plot.rows import marginal
from mixtura.shapes import Floats

__all__ = ["DrawnBins", "check_binned", "drawn_bins"]

BEYOND = 0.01  # share of the mixture in an open bin that lies beyond the end that is drawn
TOUCHING = 1e-6  # of the width of a bin: less between two is no gap


class DrawnBins(NamedTuple):
    """Intervals of one feature, with a bar for each of them and for each gap.

    Attributes
    ----------
    edges : ndarray of shape (n_bars + 1,)
        Finite: an open bin ends where the mixture has almost nothing left.
    bar : ndarray of shape (n_bins,), int
        The bar that each bin of the fit is in.
    open_bars : tuple of int
        Bars of bins that have no end.
    """

    edges: Floats
    bar: NDArray[np.intp]
    open_bars: tuple[int, ...]


def check_binned(fit: object, other: str) -> BinnedFit:
    """Return the fit; raise an error for one that has no bins."""
    if not isinstance(fit, BinnedFit):
        raise TypeError(
            f"from_bins needs a fit of mixtura.fit_binned, which has its bins; got "
            f"{described(fit)}. Use {other}."
        )
    return fit


def drawn_bins(fit: BinnedFit, feature: int) -> DrawnBins:
    """Return the intervals of one feature in which rows were counted."""
    ends = np.column_stack([fit.lower[:, feature], fit.upper[:, feature]])
    intervals, place = np.unique(ends, axis=0, return_inverse=True)
    lower, upper = intervals.T.copy()
    width = upper - lower
    typical = np.median(width[np.isfinite(width)]) if np.isfinite(width).any() else 1.0
    alone = marginal(fit.model, [feature])
    below, above = np.isneginf(lower), np.isposinf(upper)
    lowest = alone.quantile(BEYOND * alone.cdf(upper[below]))
    highest = alone.quantile(BEYOND * alone.cdf(lower[above], upper=True), upper=True)
    # a bin that the mixture does not reach is as wide as others
    lower[below] = np.where(np.isfinite(lowest), lowest, upper[below] - typical)
    upper[above] = np.where(np.isfinite(highest), highest, lower[above] + typical)
    edges, bars = [lower[0]], []
    for left, right in zip(lower, upper, strict=True):
        if left - edges[-1] > TOUCHING * (right - left):
            edges.append(left)
        edges.append(right)
        bars.append(len(edges) - 2)
    of_interval = np.array(bars)
    open_bars = tuple(of_interval[below | above].tolist())
    return DrawnBins(np.array(edges), of_interval[place.ravel()], open_bars)
