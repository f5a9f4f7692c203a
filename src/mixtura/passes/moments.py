"""Mean and variance of each feature, and whether single precision is enough for the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mixtura.data import Block, RowSource
from mixtura.data.missing import refuse_unobserved
from mixtura.parameters import Seen
from mixtura.passes.backend import Backend
from mixtura.passes.rows import RowsPass
from mixtura.shapes import DIAG, Floats

__all__ = ["moments", "suits_single"]

LEAST_VARIANCE = 1e-290  # below, squares of small differences lose their digits
# For fewer features, exponentials and memory count for more than arithmetic; for fewer rows, time
# matters less than that the stopping rule sees small gains.
LEAST_SINGLE_FEATURES, LEAST_SINGLE_ROWS = 8, 10_000
# Of deviations s and weights w: where all lie within, no sum of w z^2, which is at most n w s^2,
# leaves a float's range, however far out a row may be.
SINGLE_RANGE = 1e9
FARTHEST = 1e3  # deviations of all rows, in those of the rows near the middle


def moments(source: RowSource, backend: Backend) -> tuple[Floats, Floats]:
    """Mean and variance of the numbers of each feature, shape (n_features,), in two passes.

    Raises
    ------
    ValueError
        For a variance that is too large for a float, or so small that its own error would show; for
        a column without any number.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        about = _about(source, backend)
        mean, _ = about(source.first_row())
        _, variance = about(mean)
    rows_have, column, it = "X must have", "column", "it"
    if source.form == "binned":
        rows_have, column, it = "edges must be of bins whose middles have", "feature", "its edges"
    if not np.isfinite(variance).all():
        or_drop = ", or drop rows whose values stand for missing ones" * (source.form != "binned")
        raise ValueError(
            f"{rows_have} variances below {np.finfo(np.float64).max:.1g}; {column} "
            f"{int(np.argmin(np.isfinite(variance)))} has not. Divide {it} by a large number"
            f"{or_drop}."
        )
    for a in map(int, np.flatnonzero(variance < LEAST_VARIANCE)):
        if not source.is_constant(a):
            raise ValueError(
                f"{rows_have} variances of {LEAST_VARIANCE:g} or more, or constant {column}s; "
                f"{column} {a} has {variance[a]:g}. Multiply {it} by a large number."
            )
    return mean, variance


def _about(source: RowSource, backend: Backend) -> Callable[[Floats], tuple[Floats, Floats]]:
    """What returns the mean of each feature, and the mean of the squares about a point."""
    if source.form == "incomplete":
        return partial(_observed_about, source)
    rows = RowsPass(source if source.form == "whole" else source.plain(), DIAG, backend)
    one, ones = np.zeros(1), np.ones((1, source.n_features))

    def about(point: Floats) -> tuple[Floats, Floats]:
        statistics = rows.accumulate(Seen(one, point[None], ones, ones, DIAG))
        return statistics.means()[0], statistics.resp_xx[0] / statistics.resp_sum[0]

    return about


def _observed_about(source: RowSource, point: Floats) -> tuple[Floats, Floats]:
    """Mean of what is observed of each feature, and mean of its squares about a point."""
    weight, first, second = source.total(_ObservedSums(point))
    refuse_unobserved(weight, source.feature_names)
    return point + first / weight, second / weight


@dataclass(frozen=True, eq=False)
class _ObservedSums:
    """A look at what is observed of each feature: weight, sum and sum of squares about a point."""

    point: Floats

    def __call__(self, block: Block) -> Floats:
        sums = np.zeros((3, len(self.point)))
        for X, _, weight in block.chunks():
            w = np.ones((len(X), 1)) if weight is None else weight[:, None]
            observed = ~np.isnan(X)
            z = np.where(observed, X - self.point, 0.0)
            weighted = w * z
            sums += [each.sum(axis=0) for each in (w * observed, weighted, weighted * z)]
        return sums


def suits_single(source: RowSource, variance: Floats, middle: Floats) -> bool:
    """Whether single precision loses nothing that the rows have, and saves time.

    Rows in single precision carry an error of 6e-8 of their size. Differences from a point amid
    them, and the densities of a tile, then need no more digits; sums over tiles do. Rows far away
    would need more: their products hide those of the others.

    Parameters
    ----------
    source : RowSource
    variance : ndarray of shape (n_features,)
        Of all rows.
    middle : ndarray of shape (n_features,)
        Of the numbers near the middle (see `mixtura.data.middle`).
    """
    if source.dtype != np.float32 or source.form != "whole":
        return False
    if source.n_samples < LEAST_SINGLE_ROWS or source.n_features < LEAST_SINGLE_FEATURES:
        return False
    if (variance > FARTHEST**2 * middle).any():
        return False
    sizes = np.concatenate([np.sqrt(variance), source.range_of_weights])
    return bool(np.all((sizes == 0.0) | ((sizes > 1.0 / SINGLE_RANGE) & (sizes < SINGLE_RANGE))))
