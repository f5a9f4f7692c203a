"""Parting: give components that are alike different places where iterations would stop.

Two components with one mean and one covariance share every row in the same way, so EM never
separates them. Two with almost the same mean and covariance, as after random responsibilities, are
near a saddle of the objective or on a plateau. EM leaves it so slowly that each gain is below any
tolerance, for thousands of iterations. No rule on gains can tell this from a maximum. The
components can: fits that had reached a maximum of one of eleven problems had none nearer to each
other than .7 deviations (`benchmarks/stopping.py`), but for families with equal variances.

So components that are alike are parted in the statistics, where the inner schedule would stop, and
where gains are below the tolerance and do not end. Parted statistics keep the weight, the mean and
the scatter of the group, so they are those of possible rows. On its way to a saddle a component may
have lost nearly all its weight to one that it is like. No place would help it as light as it is, so
in a group with such a one all get equal weights. A group can be parted in three ways:

- along the line between two of its means, in both directions, as the weights differ;
- along the widest direction of a covariance, in units of the features, in both directions;
- by the sizes of its scatters, where each component has its own.

From each some iterations are made. The best end is taken if its objective is higher by more than
`tol`. So the objective never falls, and components that the rows want to be alike stay so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import Parameters
from mixtura.schedules.plain import Plain
from mixtura.schedules.protocol import Follow, Look, LookFrom, Point, Rule, Step, Steps
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["Parting", "PartingState", "alike"]

ALIKE = 0.5  # deviations between means; relative difference of the variances in any direction
LEAST_SHARE = 1e-3  # of all weight; of a group, a lighter one has no say in how it is parted
EMPTY = 1e-8  # of all weight; a component with less is not parted from others
LOOKS = 10  # iterations from where components were parted
APART = 1.3  # deviations between the outermost means of many components; half for two
SOON = 8  # iterations, none of them accelerated, before small gains are those of a plateau
MOST_COUNT = 2**31 - 1  # of iterations
MOST_PARTINGS = 20  # in one fit
POWERS = 30  # of a covariance, to find its widest direction

Indices = NDArray[np.intp]


class PartingState(NamedTuple):
    """The inner state, and how long ago components were parted.

    Attributes
    ----------
    inner : object
        State of the inner schedule.
    since : int
        Iterations since the start, the last disturbance or the last parting.
    partings : int
        Partings so far, or `MOST_PARTINGS` where a component has failed after one.
    """

    inner: Any
    since: int = 0
    partings: int = 0

    @property
    def inverse_temperature(self) -> float:
        """The inner schedule's."""
        return float(self.inner.inverse_temperature)

    @property
    def predicted_gain(self) -> float:
        """The inner schedule's: what a parting gains is not predicted."""
        return float(self.inner.predicted_gain)

    def is_possible(self) -> bool:
        """Whether the schedule can have come to this state."""
        return self.inner is not None and self.since <= MOST_COUNT


class Parting:
    """Follow another schedule; where it would stop, part components that are alike.

    Parameters
    ----------
    inner : Plain
        Of ordinary iterations.
    tol : float, nats per row
        What the inner schedule may leave to gain; no parting that gains less is taken.
    rounding : float
        Relative error of an objective.
    scale : ndarray of shape (n_features,)
        Units of the features, in which directions are compared.
    """

    def __init__(self, inner: Plain, tol: float, rounding: float, scale: Floats) -> None:
        self._inner = inner
        self._tol, self._rounding, self._scale = tol, rounding, scale

    def begin(self, start: Point) -> PartingState:
        return PartingState(self._inner.begin(start))

    def disturbed(self, state: PartingState) -> PartingState:
        # What is parted, fails and is replaced would come to be alike again, without end.
        partings = MOST_PARTINGS if state.partings else 0
        return PartingState(self._inner.disturbed(state.inner), partings=partings)

    def several(
        self, state: PartingState, most: int, follow: Follow, look_from: LookFrom
    ) -> Steps | None:
        def until_slow(rule: Rule, inner: Any, n: int) -> Steps | None:
            return follow(rule._replace(since=state.since, small=self._tol), inner, n)

        made = self._inner.several(state.inner, most, until_slow, look_from)
        if made is None:
            return None
        after = PartingState(made.state, state.since + len(made.objectives), state.partings)
        if made.stop is not None:
            return made._replace(state=after)
        inner = Step(made.state, made.point, made.finished)
        step = self._decided(after, inner, look_from(made.point))
        *before, last = made.objectives
        last = step.point.objective
        return Steps(step.state, step.point, [*before, last], step.finished)

    def step(self, state: PartingState, point: Point, look: Look) -> Step:
        inner = self._inner.step(state.inner, point, look)
        after = PartingState(inner.state, state.since + 1, state.partings)
        return self._decided(after, inner, look)

    def _decided(self, after: PartingState, inner: Step, look: Look) -> Step:
        """Part components where the inner schedule stops or gains are small."""
        is_due = inner.finished or self._is_slow(after)
        better = None
        if is_due and after.partings < MOST_PARTINGS:
            better = self._parted(inner.point, look)
        if better is None:
            return Step(after, inner.point, inner.finished)
        parted = PartingState(self._inner.disturbed(after.inner), partings=after.partings + 1)
        return Step(parted, better, finished=False)

    def _is_slow(self, state: PartingState) -> bool:
        """Whether gains are below `tol`; asked after `SOON`, twice, four times ... iterations."""
        recent = state.inner.recent
        times, rest = divmod(state.since, SOON)
        if rest or times == 0 or times & (times - 1) or len(recent) < 2:
            return False
        return bool(recent[-1] - recent[-2] <= self._tol)

    def _parted(self, point: Point, look: Look) -> Point | None:
        """Where the best way to part a group of components leads, if that is higher."""
        rounding = 4.0 * self._rounding * max(1.0, abs(point.objective))
        needed = point.objective + self._tol + rounding
        for group in alike(point.parameters):
            with np.errstate(over="ignore", invalid="ignore"):
                ways = list(self._ways(point, group))
            ends = [_ahead(each, look, needed) for each in ways if _is_possible(each)]
            found = [end for end in ends if end is not None]
            if found:
                return max(found, key=lambda end: end.objective)
        return None

    def _ways(self, point: Point, group: Indices) -> Iterator[Statistics]:
        """Statistics in which a group of components is parted."""
        parameters, (heaviest, *_) = point.parameters, group
        d = parameters.means.shape[1]
        pooled = _pooled(point.statistics, group)
        covariance = parameters.shape.matrix(parameters.covariances, int(heaviest), d)
        factor = parameters.shape.select(parameters.precisions_cholesky, group[:1])
        widest = np.zeros(len(group)), self._widest(covariance)
        away = parameters.means[group] - parameters.means[group[0]]
        between: Floats = away[np.argmax(np.square(away / self._scale).sum(axis=1))]
        length = float(parameters.shape.whitened_lengths(factor, between[None])[0])
        lines = [widest]
        if length > 0.0:
            found = away @ (between / self._scale**2), between / length
            lines = [found] if d == 1 else [found, widest]
        for order, step in lines:
            for direction in (step, -step):
                yield _moved(pooled, group, order, direction)
        if not parameters.shape.is_shared:
            yield _spread(pooled, group)

    def _widest(self, covariance: Floats) -> Floats:
        """One deviation along the widest direction, by powers of the covariance in units."""
        scaled = covariance / np.multiply.outer(self._scale, self._scale)
        direction = scaled[np.argmax(np.diagonal(scaled))]
        for _ in range(POWERS):
            direction = np.einsum("ab,b->a", scaled, direction / np.abs(direction).max())
        direction = direction / math.sqrt(float(np.square(direction).sum()))
        variance = np.einsum("a,ab,b", direction, scaled, direction)
        step: Floats = math.sqrt(float(variance)) * direction * self._scale
        return step


def alike(parameters: Parameters) -> list[Indices]:
    """Groups of components that are like their first; the heaviest come first.

    The first of a group has `LEAST_SHARE` of all weight at least.

    Notes
    -----
    Cost O(k^2 d), and for each pair whose means agree O(d^3), or O(d) of diagonals.
    """
    weights, means, covariances, factors, shape = parameters
    order = np.argsort(-weights, kind="stable")
    free = [int(j) for j in order if weights[j] >= EMPTY]
    reach = ALIKE * np.sqrt(parameters.variances())
    # Mostly no two are near each other in the first feature, which is soon seen.
    first_means = means[:, 0].copy()
    pairs = np.abs(first_means[:, None] - first_means) <= reach[:, :1]
    if np.count_nonzero(pairs) == len(weights):  # each one with itself
        return []
    groups = []
    while len(free) > 1 and weights[free[0]] >= LEAST_SHARE:
        first, *others = free
        near = (np.abs(means[others] - means[first]) <= reach[first]).all(axis=1)
        candidates = np.array(others)[near]
        group = [first]
        of_first = shape.select(factors, np.array([first]))
        for j in map(int, candidates):
            length = shape.whitened_lengths(of_first, (means[j] - means[first])[None])[0]
            if length <= ALIKE and (
                shape.is_shared
                or shape.difference(factors, covariances, first, j, means.shape[1]) <= ALIKE
            ):
                group.append(j)
        free = [j for j in others if j not in group]
        if len(group) > 1:
            groups.append(np.array(group))
    return groups


def _pooled(statistics: Statistics, group: Indices) -> Statistics:
    """Statistics where a component of a group has the same share in all rows of the group.

    That is its share of the weight, or for all the same where one of them is light.
    """
    of_group = statistics.resp_sum[group]
    share = of_group / of_group.sum()
    centres = statistics.centres.copy()
    centres[group] = share @ statistics.means()[group]
    about = statistics.recentred(centres)
    if of_group.min() < LEAST_SHARE * statistics.resp_sum.sum():
        share = np.full(len(group), 1.0 / len(group))
    resp_sum, resp_x = about.resp_sum.copy(), about.resp_x.copy()
    resp_sum[group] = share * of_group.sum()
    resp_x[group] = 0.0
    scatter = about.resp_xx
    if not about.shape.is_shared:
        scatter = scatter.copy()
        scatter[group] = np.multiply.outer(share, scatter[group].sum(axis=0))
    return replace(about, resp_sum=resp_sum, resp_x=resp_x, resp_xx=scatter)


def _moved(statistics: Statistics, group: Indices, order: Floats, step: Floats) -> Statistics:
    """Give a group of pooled components means along a line; their common mean stays.

    The sum of all scatters about that mean stays as well, so what is between the means is taken
    from within the components.
    """
    resp_x = statistics.resp_x.copy()
    along = _places(statistics.resp_sum[group], order)
    resp_x[group] = np.multiply.outer(APART * statistics.resp_sum[group] * along, step)
    return replace(statistics, resp_x=resp_x)


def _spread(statistics: Statistics, group: Indices) -> Statistics:
    """Give a group of pooled components scatters of different size with the same sum."""
    along = _places(statistics.resp_sum[group], np.arange(len(group), dtype=float))
    scatter = statistics.resp_xx.copy()
    scatter[group] *= (1.0 + along).reshape((-1,) + (1,) * (scatter.ndim - 1))
    return replace(statistics, resp_xx=scatter)


def _places(resp_sum: Floats, order: Floats) -> Floats:
    """Places between -1 and 1 in a given order, whose mean, weighted, is zero."""
    by = np.argsort(order, kind="stable")
    share = resp_sum / resp_sum.sum()
    places = np.empty(len(order))
    places[by] = 2.0 * np.cumsum(share[by]) - share[by] - 1.0
    return places


def _is_possible(statistics: Statistics) -> bool:
    """Whether all sums are finite; a far row can have the square of a distance overflow."""
    return bool(np.isfinite(statistics.resp_x).all() and np.isfinite(statistics.resp_xx).all())


def _ahead(start: Statistics, look: Look, needed: float) -> Point | None:
    """Where iterations from parted components lead, if that is above what is needed.

    They are given up where their gains shrink and add up to less, by Aitken's extrapolation, than
    half of what is missing.
    """
    heights: list[float] = []
    for _ in range(LOOKS):
        there = look(start)
        if there is None or not math.isfinite(there.objective):
            return None
        if there.objective > needed:
            return there
        heights = [*heights[-2:], there.objective]
        if len(heights) == 3:
            before, gain = heights[1] - heights[0], heights[2] - heights[1]
            missing = needed - there.objective
            if gain < before and 2.0 * gain * gain < missing * (before - gain):
                return None
        start = there.statistics
    return None
