"""Moves on the leader: a component is taken away where it is needed least, another one is split.

What a split gains and what taking away loses are estimated one by one, under the leader. Their
difference ranks moves; where a move leads is seen by iterating from the changed statistics [1]_
[2]_. So a move is the same for every family of covariances.

.. [1] N. Ueda, R. Nakano, Z. Ghahramani, G. E. Hinton, "SMEM algorithm for mixture models", Neural
   Computation 12, 2109-2128, 2000.
.. [2] Z. Zhang, C. Chen, J. Sun, K. L. Chan, "EM algorithms for Gaussian mixtures with
   split-and-merge operation", Pattern Recognition 36, 1973-1983, 2003.
"""

from __future__ import annotations

from typing import NamedTuple

from mixtura.algebra import Algebra
from mixtura.schedules import EM, Outcome
from mixtura.schedules.changes import emptied, merged, replaced
from mixtura.search.losses import losses_of_deletion, losses_of_merging
from mixtura.search.shares import Shares
from mixtura.search.splits import best_split
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates import Update

__all__ = ["Move", "ranked_moves", "without"]

KEPT = 20  # moves


class Move(NamedTuple):
    """Split one component, and take away another.

    Attributes
    ----------
    score : float, nats
        What is gained and lost, before the other components adapt.
    component : int
        That is split.
    halves : Statistics
        Of its two parts.
    freed : int
        The component that is taken away.
    into : int or None
        What it is merged with; None where its rows are left to all others.
    """

    score: float
    component: int
    halves: Statistics
    freed: int
    into: int | None

    def applied(self, statistics: Statistics) -> Statistics:
        """Return the statistics as if the move had been made."""
        left = without(statistics, self.freed, self.into)
        return replaced(left, (self.component, self.freed), self.halves)


def without(statistics: Statistics, freed: int, into: int | None) -> Statistics:
    """Return the statistics without a component, which may be merged with another."""
    if into is None:
        return emptied(statistics, freed)
    return merged(statistics, into, freed)


def ranked_moves(outcome: Outcome, em: EM, pair: Update, scale: Floats, by: Algebra) -> list[Move]:
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

    Notes
    -----
    The cost is that of about five passes. Merging two components is one move, whichever of them is
    taken away.
    """
    assert outcome.statistics is not None
    shares, weights = Shares(outcome, em), outcome.parameters.weights
    deleted = losses_of_deletion(shares, weights)
    merging = losses_of_merging(outcome.statistics.centred(), shares, scale, by)
    moves: dict[tuple[int, frozenset[int | None]], Move] = {}
    for component in range(len(weights)):
        best = best_split(outcome, component, shares, pair, scale, by)
        if best is None:
            continue
        for freed in range(len(weights)):
            if freed == component:
                continue
            loss, into = float(deleted[freed]), None
            for partner, of_pair in zip(merging.partner[freed], merging.loss[freed], strict=True):
                if partner != component and of_pair < loss:
                    loss, into = float(of_pair), int(partner)
            key = component, frozenset((freed, into))
            moves.setdefault(key, Move(best.gain - loss, component, best.halves, freed, into))
    return sorted(moves.values(), key=lambda move: -move.score)[:KEPT]
