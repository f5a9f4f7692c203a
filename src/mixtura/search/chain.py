"""A chain: a few starts against each other, then moves on the best of them.

A chain knows where the chains before it have ended. A run that comes to one of these maxima need
not go there, and moves that were tried there are not tried again: the next ones are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mixtura.algebra import Algebra
from mixtura.parameters import Parameters
from mixtura.schedules import Outcome
from mixtura.search.contest import Contest, Verdict
from mixtura.search.memory import Memory
from mixtura.search.moves import Move, ranked_moves, widened
from mixtura.search.report import Record
from mixtura.search.swaps import swapped
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates import Update

__all__ = ["Chain"]

SWAPS = 3  # random ones of a chain
MOST_TRIES = 30  # of ranked moves in a row: a leader that EM is slow on gains by any of them
HOPELESS = 0.05  # nats per row and feature; moves that seem to lose more are not tried
FAILURES = 2  # of ranked moves in a row, after which the leader has no more to try


class Chain:
    """One climb, which never goes back.

    Parameters
    ----------
    contest : Contest
    starts : iterator of Parameters
    pair : Update or None
        For two components, which ranks moves; None for no moves.
    record : Record
    scale : ndarray of shape (n_features,)
        Units of the features.
    by : Algebra
    rng : Generator
        For swaps.
    memory : Memory, optional
        Of moves, shared by chains.

    Attributes
    ----------
    hits : int
        Starts that have led to the leader.
    """

    def __init__(
        self,
        contest: Contest,
        starts: Iterator[Parameters],
        pair: Update | None,
        record: Record,
        scale: Floats,
        by: Algebra,
        rng: np.random.Generator,
        memory: Memory | None = None,
    ) -> None:
        self.contest, self._starts, self._pair, self._record = contest, starts, pair, record
        self._scale, self._by, self._rng = scale, by, rng
        self._memory = Memory() if memory is None else memory
        self.hits = 0

    @property
    def leader(self) -> Outcome | None:
        """The best run so far."""
        return self.contest.leader

    @property
    def sound(self) -> list[Outcome]:
        """Leaders so far that have no suspects."""
        return [each for each in self.contest.leaders if not each.suspects]

    @property
    def n_agree(self) -> int:
        """Starts that have led to the leader; 0 where it has suspects."""
        return 0 if self.leader is None or self.leader.suspects else self.hits

    def start(self) -> Verdict | None:
        """Run from the next start; None where there is none."""
        start = next(self._starts, None)
        if start is None:
            return None
        self._record.n_starts += 1
        return self._run(start)

    def _run(self, start: Parameters, hit: int = 1) -> Verdict:
        """Run against the leader, and count what has led to it."""
        verdict = self.contest.run(start)
        if verdict == "leads":
            self.hits = hit
        elif verdict == "same":
            self.hits += hit
        return verdict

    def move(self, n_swaps: int = SWAPS, failures: int = FAILURES) -> None:
        """Try moves: ranked ones after each success, and some random ones."""
        if self._pair is None or not _may_move(self.leader):
            return
        begun = self.leader
        assert begun is not None
        self.contest.leader = self._memory.ends.get(begun, begun)
        self._move(n_swaps, failures)
        assert self.leader is not None
        self._memory.ends[begun] = self.leader

    def _move(self, n_swaps: int, failures: int) -> None:
        self._ranked(failures)
        source = self.contest.em.rows.source  # type: ignore[attr-defined]
        for swap in range(n_swaps):
            assert self.leader is not None
            changed = swapped(
                self.leader, source, self._scale, self._by, self._rng, splits=swap % 2 == 0
            )
            if self._try(changed) == "leads":
                self._ranked(failures)

    def _ranked(self, most_failures: int) -> None:
        """Try the most promising moves on the leader, and on what becomes the leader by them."""
        moves: Iterator[Move] = iter(())
        ranked: Outcome | None = None
        failures = 0
        for _ in range(MOST_TRIES):
            leader = self.leader
            assert leader is not None
            assert leader.statistics is not None
            if leader is not ranked:
                if leader.suspects and self._try(widened(leader)) == "leads":
                    continue
                ranked = leader
                moves = self._moves()
            move = next(moves, None)
            if move is None:
                return
            succeeds = self._try(move.applied(leader.statistics)) == "leads"
            failures = 0 if succeeds else failures + 1
            if failures == most_failures:
                return

    def _moves(self) -> Iterator[Move]:
        """Ranked moves on the leader, without those that were tried or are hopeless."""
        leader, untried = self.leader, self._memory.untried
        assert leader is not None
        assert self._pair is not None
        if leader not in untried:
            em = self.contest.em
            found = ranked_moves(leader, em, self._pair, self._scale, self._by, self._memory)
            rows: Any = em.rows
            # Whatever is in the place of suspects may be better; and scores are made of the shares
            # of soft EM.
            if not leader.suspects and rows.em == "soft":
                least = -HOPELESS * rows.source.weight_sum * rows.source.n_features
                found = [each for each in found if each.score > least]
            untried[leader] = iter(found)
        return untried[leader]

    def _try(self, changed: Statistics) -> Verdict:
        """Run from changed statistics, if parameters follow from them."""
        assert self.leader is not None
        self._record.n_moves += 1
        update = self.contest.em.update
        parameters, failed = update.update(changed, self.leader.parameters)
        return "failed" if failed.any() else self._run(parameters, hit=0)


def _may_move(leader: Outcome | None) -> bool:
    """Whether there are components to move, and none was lost."""
    if leader is None or any(event.action == "dropped" for event in leader.events):
        return False
    return bool(np.count_nonzero(leader.parameters.weights) > 1)
