"""Moves on the leader: a component is taken from where it is needed least to where one is missing.

Another component is split, or a group of rows that the leader explains badly gets one of its own.
What that gains and what taking away loses are estimated one by one, under the leader. Their
difference ranks moves; where a move leads is seen by iterating from the changed statistics [1]_
[2]_. So a move is the same for every family of covariances.

.. [1] N. Ueda, R. Nakano, Z. Ghahramani, G. E. Hinton, "SMEM algorithm for mixture models", Neural
   Computation 12, 2109-2128, 2000.
.. [2] Z. Zhang, C. Chen, J. Sun, K. L. Chan, "EM algorithms for Gaussian mixtures with
   split-and-merge operation", Pattern Recognition 36, 1973-1983, 2003.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.schedules import EM, Outcome
from mixtura.schedules.changes import emptied, merged, placed, replaced
from mixtura.search.groups import Group, unlikely_groups
from mixtura.search.losses import losses_of_deletion, losses_of_merging
from mixtura.search.memory import Memory
from mixtura.search.shares import Shares
from mixtura.search.splits import Split, best_splits
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates import Update

__all__ = ["Move", "ranked_moves", "spared", "widened", "without"]

KEPT = 20  # moves


class Move(NamedTuple):
    """Take away a component, and put it where one is missing.

    Attributes
    ----------
    score : float, nats
        What is gained and lost, before the other components adapt.
    target : Split or Group
        The component that is split, or the rows that get one of their own.
    freed : int
        The component that is taken away.
    into : int or None
        What it is merged with; None where its rows are left to all others.
    """

    score: float
    target: Split | Group
    freed: int
    into: int | None

    def applied(self, statistics: Statistics) -> Statistics:
        """Return the statistics as if the move had been made."""
        left, target = without(statistics, self.freed, self.into), self.target
        if isinstance(target, Group):
            return placed(left, self.freed, target.row, target.weight, 1.0)
        return replaced(left, (target.component, self.freed), target.halves)


def without(statistics: Statistics, freed: int, into: int | None) -> Statistics:
    """Return the statistics without a component, which may be merged with another."""
    if into is None or statistics.resp_sum[[freed, into]].sum() == 0.0:
        return emptied(statistics, freed)
    return merged(statistics, into, freed)


def spared(statistics: Statistics) -> NDArray[np.bool_]:
    """Whether the others have rows without each component, shape (n_components,)."""
    others: NDArray[np.bool_] = statistics.resp_sum.sum() - statistics.resp_sum > 0.0
    return others


def widened(outcome: Outcome) -> Statistics:
    """Return the statistics with pooled scatter in place of that of suspects."""
    assert outcome.statistics is not None
    statistics = outcome.statistics.centred()
    for j in outcome.suspects:
        weight = float(statistics.resp_sum[j])
        statistics = placed(statistics, j, statistics.centres[j], weight, 1.0)
    return statistics


def ranked_moves(
    outcome: Outcome,
    em: EM,
    pair: Update,
    scale: Floats,
    by: Algebra,
    memory: Memory | None = None,
) -> list[Move]:
    """Return the most promising moves, the best first.

    Parameters
    ----------
    outcome : Outcome
        Of `em`; with two components or more.
    em : EM
    pair : Update
        For two components.
    scale : ndarray of shape (n_features,)
        Units of the features.
    by : Algebra
    memory : Memory, optional
        Of splits of the same components.

    Notes
    -----
    The cost is that of a few passes. Merging two components is one move, whichever of them is
    taken away, but rows that labels give to one of them must keep that one.
    """
    assert outcome.statistics is not None
    shares, weights = Shares(outcome, em), outcome.parameters.weights
    deleted = losses_of_deletion(shares, weights)
    merging = losses_of_merging(outcome.statistics.centred(), shares, scale, by)
    memory = Memory() if memory is None else memory
    splits = memory.splits(
        outcome.parameters, lambda some: best_splits(outcome, some, shares, pair, scale, by)
    )
    found = [each for each in splits if each is not None]
    targets: list[Split | Group] = [*found, *unlikely_groups(outcome, em)]
    if not targets:
        return []
    # What each component loses when it is taken away: without another (-1), or merged with one.
    losses = np.column_stack([deleted, merging.loss + shares.lost_labels(merging.partner)])
    into = np.column_stack([np.full(len(weights), -1), merging.partner])
    losses[~spared(outcome.statistics)] = np.inf
    scores, chosen = _scores(targets, losses, into)
    moves: dict[tuple[int, frozenset[int]], Move] = {}
    for index in np.argsort(-scores, axis=None, kind="stable").tolist():
        place, freed = divmod(index, len(weights))
        score, other = float(scores[place, freed]), int(chosen[place, freed])
        if len(moves) == KEPT or score == -np.inf:
            break
        move = Move(score, targets[place], freed, None if other < 0 else other)
        moves.setdefault((place, frozenset((freed, other))), move)
    return list(moves.values())


def _scores(
    targets: list[Split | Group], losses: Floats, into: NDArray[np.intp]
) -> tuple[Floats, NDArray[np.intp]]:
    """Score each target with each component taken away, and what that is merged with or -1.

    Both have shape (n_targets, n_components). Nothing is merged with the component that is split,
    which itself is not taken away.
    """
    components = np.arange(len(losses))
    first = losses.argmin(axis=1)
    best, mate = losses[components, first], into[components, first]
    rest = losses.copy()
    rest[components, first] = np.inf
    second = rest.argmin(axis=1)
    second_best, second_mate = rest[components, second], into[components, second]
    gains = np.array([each.gain for each in targets])[:, None]
    split = np.array([each.component if isinstance(each, Split) else -2 for each in targets])
    taken = mate == split[:, None]
    scores = gains - np.where(taken, second_best, best)
    scores[components == split[:, None]] = -np.inf
    return scores, np.where(taken, second_mate, mate)
