"""Moves: try whether fewer components reach a higher objective than iterations alone do.

Iterations lead to a maximum nearby, which may have a component too many: two that share the rows of
one cluster, or one on a handful of rows between others. Where each component has a price, as in
variational Bayes, a maximum without it is often higher. Three moves change the statistics [1]_
[2]_:

- merge two components: one gets the sums of both, the other is left without rows;
- delete a component: its sums become zero, and the next passes share out its rows;
- reorder: where the places of components count, as for sticks, the heaviest comes first.

From the changed sums up to `LOOKS` iterations in a row are made, as parameters are not at their
best right after a move. A move is taken if the objective is then higher by more than what ordinary
iterations are still expected to gain. So the objective never falls. After a move the inner schedule
begins anew. The fit is finished when the inner schedule has finished and no move helps.

What is tried is bounded. A judge tells before any pass what a merge can gain at most: the gain
where no row was shared between the two. The merge also loses the entropy of shared rows, which
nobody knows without a pass; it is largest where each row was shared in proportion to the weights.
Merges are ranked by the ratio of both. When the inner schedule has finished, the `MERGES` first
that can gain anything are tried, and the `DELETIONS` lightest components; after every `PERIOD`
iterations only the first of all these; and after a move that helped, the next one at once. Of many
components only the `PAIRS` closest pairs are judged. A candidate is given up early when its last
iteration gained less than what is missing.

.. [1] N. Ueda, R. Nakano, Z. Ghahramani, G. E. Hinton, "SMEM algorithm for mixture models", Neural
   Computation 12, 2109-2128, 2000.
.. [2] M. C. Hughes, E. B. Sudderth, "Memoized online variational inference for Dirichlet process
   mixture models", Advances in Neural Information Processing Systems 26, 2013.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mixtura.schedules.changes import emptied, merged, reordered
from mixtura.schedules.protocol import Follow, Look, LookFrom, Point, Schedule, Step
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["Judge", "Moves", "MovesState"]

LOOKS = 3  # iterations from a candidate before it is compared for the last time
MERGES = 5
DELETIONS = 3
PERIOD = 20  # iterations between two tries before the inner schedule has finished
PAIRS = 300  # of all components up to 25
LEAST_SHARE = 1e-8  # of all weight; a component with less counts as empty

Indices = NDArray[np.intp]


@runtime_checkable
class Judge(Protocol):
    """Tells from statistics alone what moves are worth, with responsibilities as they are."""

    def gains_of_merging(self, statistics: Statistics, one: Indices, other: Indices) -> Floats:
        """Return the most that merging each pair of components can gain at once, nats.

        Parameters
        ----------
        statistics : Statistics
        one, other : ndarray of shape (n_pairs,), int
            Two components with rows in each pair; `one` gets the rows of both.
        """

    def gain_of_order(self, statistics: Statistics, order: Indices) -> float:
        """Return what is gained where components change places, nats.

        Parameters
        ----------
        statistics : Statistics
        order : ndarray of shape (n_components,), int
            Which component comes to each place.
        """


class MovesState(NamedTuple):
    """The inner state, and when moves are tried next.

    Attributes
    ----------
    inner : object
        State of the inner schedule.
    since : int
        Iterations since the start, the last disturbance or the last move.
    """

    inner: Any
    since: int = 0

    @property
    def inverse_temperature(self) -> float:
        """The inner schedule's."""
        return float(self.inner.inverse_temperature)

    @property
    def predicted_gain(self) -> float:
        """The inner schedule's: what moves gain is not predicted."""
        return float(self.inner.predicted_gain)

    def is_possible(self) -> bool:
        """Whether the schedule can have come to this state."""
        return self.inner is not None


class Moves:
    """Follow another schedule, try moves now and then, and begin anew after those that help.

    Parameters
    ----------
    inner : Schedule
        Of ordinary iterations.
    judge : Judge
        Ranks moves.
    tol : float, nats per row
        What the inner schedule may leave to gain; no move that gains less is taken.
    rounding : float
        Relative error of an objective.
    scale : ndarray of shape (n_features,)
        Units of the features, in which distances are compared.
    reorders : bool
        Whether components may change places.
    """

    def __init__(
        self,
        inner: Schedule,
        judge: Judge,
        tol: float,
        rounding: float,
        scale: Floats,
        *,
        reorders: bool = True,
    ) -> None:
        self._inner, self._judge = inner, judge
        self._tol, self._rounding, self._scale = tol, rounding, scale
        self._reorders = reorders

    def begin(self, start: Point) -> MovesState:
        return MovesState(self._inner.begin(start))

    def disturbed(self, state: MovesState) -> MovesState:
        return MovesState(self._inner.disturbed(state.inner))

    def several(self, state: MovesState, most: int, follow: Follow, look_from: LookFrom) -> None:
        """See every point."""

    def step(self, state: MovesState, point: Point, look: Look) -> Step:
        inner = self._inner.step(state.inner, point, look)
        after = MovesState(inner.state, state.since + 1)
        if not inner.finished and after.since % PERIOD:
            return Step(after, inner.point, finished=False)
        expected = max(self._tol, after.predicted_gain)
        better = self._moved(inner.point, look, expected, None if inner.finished else 1)
        if better is None:
            return Step(after, inner.point, inner.finished)
        point = better
        while (better := self._moved(point, look, expected, 1)) is not None:
            point = better
        return Step(self.disturbed(after), point, finished=False)

    def _moved(
        self, point: Point, look: Look, expected: float, n_candidates: int | None
    ) -> Point | None:
        """Where the first candidate leads that gains more than expected; None if there is none."""
        if not math.isfinite(expected):
            return None
        least = expected + 4.0 * self._rounding * max(1.0, abs(point.objective))
        candidates = self._candidates(point.statistics, least)
        for candidate in islice(candidates, n_candidates):
            there = _ahead(candidate, look, point.objective + least)
            if there is not None:
                return there
        return None

    def _candidates(self, statistics: Statistics, least: float) -> Iterator[Statistics]:
        """Changed statistics, the most promising first; each is made when it is asked for."""
        resp_sum = statistics.resp_sum
        order = np.argsort(-resp_sum, kind="stable")
        needed = least * statistics.weight_sum
        if self._reorders and self._judge.gain_of_order(statistics, order) > needed:
            yield reordered(statistics, order)
        by_weight = order[resp_sum[order] > LEAST_SHARE * resp_sum.sum()]
        if len(by_weight) < 2:
            return
        one, other = self._pairs(statistics, by_weight)
        gains = self._judge.gains_of_merging(statistics, one, other)
        ranks = gains / _most_entropy(resp_sum[one], resp_sum[other])
        for pair in np.argsort(-ranks, kind="stable")[:MERGES]:
            if gains[pair] > 0.0:
                yield merged(statistics, int(one[pair]), int(other[pair]))
        for component in by_weight[: -DELETIONS - 1 : -1]:
            yield emptied(statistics, int(component))

    def _pairs(self, statistics: Statistics, by_weight: Indices) -> tuple[Indices, Indices]:
        """Pairs of components, the heavier one first: at most `PAIRS`, of least Ward distance."""
        a, b = np.triu_indices(len(by_weight), 1)
        one, other = by_weight[a], by_weight[b]
        if len(one) > PAIRS:
            means, resp_sum = statistics.means() / self._scale, statistics.resp_sum
            shared = resp_sum[one] * resp_sum[other] / (resp_sum[one] + resp_sum[other])
            ward = shared * np.square(means[one] - means[other]).sum(axis=1)
            closest = np.argsort(ward, kind="stable")[:PAIRS]
            one, other = one[closest], other[closest]
        return one, other


def _ahead(candidate: Statistics, look: Look, needed: float) -> Point | None:
    """Where up to `LOOKS` iterations from a candidate lead, if that is above what is needed."""
    before = -math.inf
    for _ in range(LOOKS):
        there = look(candidate)
        if there is None or not math.isfinite(there.objective):
            return None
        missing = needed - there.objective
        if missing < 0.0:
            return there
        if there.objective - before < missing:
            return None
        candidate, before = there.statistics, there.objective
    return None


def _most_entropy(one: Floats, other: Floats) -> Floats:
    """The largest entropy of rows that pairs of components share, by their weights."""
    entropy: Floats = one * np.log1p(other / one) + other * np.log1p(one / other)
    return entropy
