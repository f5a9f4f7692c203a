"""What splitting a component gains: a few iterations with two on the rows of the one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.data import ArrayRows
from mixtura.exceptions import FitError
from mixtura.passes import RowsPass
from mixtura.schedules import EM, Outcome, Plain
from mixtura.schedules.changes import Halves, halves, split
from mixtura.search.shares import Shares
from mixtura.shapes import TINY, Floats
from mixtura.statistics import Statistics
from mixtura.updates import Collapse, Update

__all__ = ["Split", "best_split", "best_splits", "cut"]

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


# The log-likelihood where each of some ways to cut a component leads, NaN where it leads nowhere,
# and the statistics there.
_Ends = tuple[Floats, Callable[[int], Statistics]]


def best_split(
    outcome: Outcome,
    component: int,
    shares: Shares,
    pair: Update,
    scale: Floats,
    by: Algebra,
) -> Split | None:
    """Return how one component is best split: see `best_splits`."""
    (found,) = best_splits(outcome, [component], shares, pair, scale, by)
    return found


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
    found: dict[int, Split | None] = {}
    if able:
        deviations = _deviations(statistics, np.array(able), scale, by)
    for j, own in zip(able, deviations if able else (), strict=True):
        rows = shares.rows_of(j)
        if not _has_different(rows.X, LEAST_ROWS):
            continue
        steps, widths = _cuts(
            rows, own, statistics.centres[j], by, shared=statistics.shape.is_shared
        )
        ways = halves(statistics, j, steps, widths)
        over = RowsPass(rows, statistics.shape, shares.backend)
        log_likelihood, reached = _ends(over, ways, pair, scale, by)
        before, *after = log_likelihood.tolist()
        gains = [
            (end - before, -way)
            for way, end in enumerate(after, start=1)
            if end - before == end - before
        ]
        if gains:
            gain, way = max(gains)
            found[j] = Split(gain, j, reached(-way))
    return [found.get(j) for j in components]


def _ends(rows: RowsPass, ways: Halves, pair: Update, scale: Floats, by: Algebra) -> _Ends:
    """Where the ways lead; the first one is only looked at, and all are NaN if it fails."""
    looks = [1] + [1 + LOOKS] * (len(ways.centres) - 1)
    found = rows.trials(pair.m_step, ways, looks)
    return _by_loops(rows, ways, pair, scale, by) if found is None else found


def _by_loops(rows: RowsPass, ways: Halves, pair: Update, scale: Floats, by: Algebra) -> _Ends:
    """The same for updates and rows of which no engine makes iterations in one call."""
    log_likelihood = np.full(len(ways.centres), np.nan)
    reached: dict[int, Statistics] = {}
    em = EM(rows, pair, Plain(0.0), Collapse("drop", scale, by))
    for way in range(len(log_likelihood)):
        start, failed = pair.update(ways.statistics(way))
        if failed.any() and way == 0:
            break
        if failed.any():
            continue
        if way == 0:
            reached[way] = rows.accumulate(pair.as_seen(start)[0])
        else:
            try:
                end = em.run(start, LOOKS)
            except FitError:
                continue
            if end.stop_reason == "interrupted":
                raise KeyboardInterrupt
            if len(end.parameters.weights) < 2 or end.statistics is None:
                continue
            reached[way] = end.statistics
        log_likelihood[way] = reached[way].log_likelihood
    return log_likelihood, reached.__getitem__


def cut(
    statistics: Statistics, component: int, other: int, scale: Floats, by: Algebra
) -> Statistics:
    """Return the statistics with a component cut across its widest direction."""
    (deviations,) = _deviations(statistics.centred(), np.array([component]), scale, by)
    return split(statistics, component, other, APART * deviations[0])


def _deviations(
    statistics: Statistics, components: NDArray[np.intp], scale: Floats, by: Algebra
) -> Floats:
    """Deviations of the rows of components along their axes; of all rows where scatter is shared.

    They are not those of their covariances, which may be wider where families restrict them.
    """
    shape, N = statistics.shape, statistics.resp_sum
    scatter, weight = statistics.resp_xx, N.sum()
    if not shape.is_shared:
        scatter = scatter[components]
        weight = N[components].reshape((-1,) + (1,) * (scatter.ndim - 1))
    own = shape.per_feature(scatter / weight, len(scale))
    deviations = shape.deviations(own, scale, by)
    return np.broadcast_to(deviations, (len(components), *deviations.shape[1:]))


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
