"""What splitting a component gains: a few iterations with two on the rows of the one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mixtura.algebra import Algebra
from mixtura.data import ArrayRows
from mixtura.passes import RowsPass
from mixtura.schedules import Outcome
from mixtura.schedules.changes import halves, split
from mixtura.search.shares import LEAST_SHARE, Shares
from mixtura.shapes import TINY, Floats
from mixtura.statistics import Statistics
from mixtura.updates import Update

__all__ = ["Split", "best_splits", "cut"]

LOOKS = 1  # iterations from each cut: more rank moves no better
LEAST_ROWS = 4  # different ones
APART = 0.8  # deviations from the middle to the mean of either half
HALO = 1.7  # times the average scatter, for the outer of two parts with one mean


class Split(NamedTuple):
    """Two parts of a component.

    Attributes
    ----------
    gain : float, nats
        Of the log-likelihood of the component's rows.
    component : int
    halves : Statistics
        Of the parts.
    """

    gain: float
    component: int
    halves: Statistics


class Cutting(NamedTuple):
    """What an engine asks of how components are cut.

    Attributes
    ----------
    least_share : float
        Of a row; those of which a component has no more are not looked at.
    least_rows : int
        Different ones.
    apart, halo : float
    n_iter : int
        Iterations from each cut.
    """

    least_share: float = LEAST_SHARE
    least_rows: int = LEAST_ROWS
    apart: float = APART
    halo: float = HALO
    n_iter: int = 1 + LOOKS


def best_splits(
    outcome: Outcome,
    components: Sequence[int],
    shares: Shares,
    pair: Update,
    scale: Floats,
    by: Algebra,
) -> list[Split | None]:
    """Return how components are best split; None for one that cannot be.

    Parameters
    ----------
    outcome : Outcome
    components : sequence of int
    shares : Shares
        Of the rows in the components.
    pair : Update
        For two components.
    scale : ndarray of shape (n_features,)
        Units of the features.
    by : Algebra

    Notes
    -----
    For each it costs a few passes over the rows in which the component has a share. Where
    covariances are shared, each part has the shared one at first.
    """
    assert outcome.statistics is not None
    statistics = outcome.statistics.centred()
    able = [j for j in components if statistics.resp_sum[j] > 0.0]
    if not able:
        return [None] * len(components)
    if pair.m_step is not None and shares.form == "whole":
        best = shares.backend.engine.best_splits(
            shares.X, shares.resp, shares.weight, able, statistics, scale, pair.m_step,
            Cutting(), shares.backend.n_threads,
        )  # fmt: skip
    else:
        best = [_best_cut(shares, j, statistics, pair, scale, by) for j in able]
    found = {j: Split(each[0], j, each[1]) for j, each in zip(able, best, strict=True) if each}
    return [found.get(j) for j in components]


def _best_cut(
    shares: Shares,
    component: int,
    statistics: Statistics,
    pair: Update,
    scale: Floats,
    by: Algebra,
) -> tuple[float, Statistics] | None:
    """The gain of the best cut of one component, and the parts: what engines have as one call."""
    own = shares.rows_of(component)
    if not _has_different(own.X, LEAST_ROWS):
        return None
    is_shared = statistics.shape.is_shared
    deviations = _deviations(statistics, component, scale, by)
    steps, widths = _cuts(own, deviations, statistics.centres[component], by, shared=is_shared)
    ways = halves(statistics, component, steps, widths)
    rows = RowsPass(own, statistics.shape, shares.backend)
    whole = _end(rows, pair, ways.statistics(0), 1)
    if whole is None:
        return None
    ends = [_end(rows, pair, ways.statistics(way), 1 + LOOKS) for way in range(1, len(steps))]
    gains = [(end.log_likelihood - whole.log_likelihood, end) for end in ends if end is not None]
    return max(gains, key=lambda each: each[0], default=None)


def _end(rows: RowsPass, pair: Update, begin: Statistics, n_iter: int) -> Statistics | None:
    """Statistics after some iterations; None where a component has no parameters."""
    statistics, parameters = begin, None
    for _ in range(n_iter):
        parameters, failed = pair.update(statistics, parameters)
        if failed.any():
            return None
        statistics = rows.accumulate(pair.as_seen(parameters)[0])
    return statistics


def cut(
    statistics: Statistics, component: int, other: int, scale: Floats, by: Algebra
) -> Statistics:
    """Return the statistics with a component cut across its widest direction."""
    deviations = _deviations(statistics.centred(), component, scale, by)
    return split(statistics, component, other, APART * deviations[0])


def _deviations(statistics: Statistics, component: int, scale: Floats, by: Algebra) -> Floats:
    """Deviations of the rows of a component along their axes; of all rows where scatter is shared.

    They are not those of its covariance, which may be wider where families restrict it.
    """
    shape, N = statistics.shape, statistics.resp_sum
    scatter, weight = statistics.resp_xx, float(N.sum())
    if not shape.is_shared:
        scatter, weight = scatter[component : component + 1], float(N[component])
    own = shape.per_feature(scatter / weight, len(scale))
    deviations: Floats = shape.deviations(own, scale, by)[0]
    return deviations


def _cuts(
    own: ArrayRows, deviations: Floats, mean: Floats, by: Algebra, *, shared: bool
) -> tuple[Floats, Floats]:
    """Return steps and widths of `halves`, for each of some ways to cut a component.

    The first makes two equal halves: what the component reaches alone, if its volume, shape or
    orientation need not be those of others. Then two side by side, across two axes, and a core and
    its halo.
    """
    nothing = 0.0 * deviations[0]
    steps, widths = [nothing, APART * deviations[0]], [1.0, 1.0]
    if own.form == "whole" and (axis := _most_bimodal(own, deviations, mean, by)):
        steps.append(APART * deviations[axis])
        widths.append(1.0)
    if not shared:
        steps.append(nothing)
        widths.append(HALO)
    return np.array(steps), np.array(widths)


def _has_different(X: Floats, least: int) -> bool:
    """Whether so many of some rows are different; equal ones are one row of more weight."""
    column = X[:, 0]
    for _ in range(least - 1):  # mostly, one feature suffices
        column = column[column != column[0]] if len(column) else column
    return len(column) > 0 or len(np.unique(X, axis=0)) >= least


def _most_bimodal(own: ArrayRows, deviations: Floats, mean: Floats, by: Algebra) -> int:
    """The axis along which rows have the least kurtosis: two clusters side by side have little."""
    if len(mean) == 1:
        return 0
    lengths = np.square(deviations).sum(axis=1, keepdims=True)
    along = deviations / np.maximum(lengths, TINY)
    squares = np.square(by.multiply((own.X - mean)[None], along.T[None])[0])
    weight = own.sample_weight
    assert weight is not None
    second, fourth = (np.einsum("i,ia->a", weight, each) for each in (squares, squares * squares))
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = fourth / np.square(second)
    return int(np.argmin(np.where(np.isfinite(kurtosis), kurtosis, np.inf)))
