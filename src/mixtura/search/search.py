"""The search for the parameters from which all rows are iterated.

It looks at a sample of rows that is large beside the number of parameters but not beside a large
data set. `n_init` starts are tried. Each `STARTS` of them make a chain (`mixtura.search.chain`):
runs against each other, then moves on the best. A chain knows what those before it have found, each
has random numbers of its own, and within a chain only what is better is kept. Nothing depends on
how many starts are still to come. So what is found with one `n_init` is found with every larger
one, too.

The search is over once several starts, which are of different kinds, have led to the best maximum,
and moves to nothing better. How many must agree grows with `n_init`.

Where the rows looked at are a sample, the objective of all rows decides between leaders. A sample
misses small clusters far away. So a pass over all rows finds those that the best mixture explains
worst. With them in the sample, each standing for itself alone, moves are tried, as long as all rows
gain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mixtura.data import ArrayRows, RowSource
from mixtura.data.source import Positions
from mixtura.parameters import Parameters
from mixtura.passes import RowsPass
from mixtura.schedules import EM, Outcome
from mixtura.search.all_rows import AllRows
from mixtura.search.chain import Chain
from mixtura.search.contest import SAME, Contest, SearchInterrupted, flaws
from mixtura.search.memory import Memory
from mixtura.search.report import Record, SearchReport
from mixtura.shapes import Floats
from mixtura.starts import Beginnings
from mixtura.updates import Update

__all__ = ["Found", "MaximumSearch", "SearchInterrupted"]

STARTS = 5  # of a chain
AGREE = 4  # starts that must lead to one maximum to end the search, at least
SHARE_AGREES = 4  # one in so many of the starts, else
MOST_AGREE = 50
MOST_KNOWN = 8  # maxima of earlier chains
UNLIKELY_ROWS = 1000  # of lowest density that are added to a sample, at least
UNLIKELY_PER_FEATURE = 20
ROUNDS = 5  # of looking for components that the sample missed, at most
FAILURES = 6  # of moves in one of them

Drawn = tuple[Positions, Floats]  # a sample: positions and weights


class Found(NamedTuple):
    """What a search has found.

    Attributes
    ----------
    parameters : Parameters
        The best.
    report : SearchReport
    """

    parameters: Parameters
    report: SearchReport


@dataclass(frozen=True, eq=False)
class MaximumSearch:
    """A search for the highest maximum of one mixture.

    Attributes
    ----------
    beginnings : Beginnings
        Where runs start.
    n_init : int
        Starts; the effort.
    make_em : callable
        From a row source to the EM algorithm that runs on it. It must replace components that
        collapse.
    pair : Update or None
        The update for two components, which ranks moves; None for no moves.
    scale : ndarray of shape (n_features,)
        Units of the features.
    report : callable, optional
        Called with the outcome of each run.
    """

    beginnings: Beginnings
    n_init: int
    make_em: Callable[[RowSource], EM]
    pair: Update | None
    scale: Floats
    report: Callable[[Outcome], object] | None = None

    def best(self, source: RowSource, rng: np.random.Generator) -> Found:
        """Return the best parameters found.

        Raises
        ------
        FitError
            When every start fails.
        SearchInterrupted
            On Ctrl-C after the first run.
        """
        drawn = self.beginnings.drawn(source, rng)
        sample = ArrayRows.copied(source, *drawn)
        record, em = Record(), self.make_em(sample)
        has_all = source.n_rows == sample.n_samples or self.beginnings.n_components == 1
        of_all = None if has_all else AllRows(self.make_em(source))
        try:
            best, failure = self._climbed(em, source, record, int(rng.integers(1 << 62)), of_all)
            if best is None:
                raise failure
            if of_all is not None:
                best = self._looked_over(best, em, source, drawn, of_all, record, rng)
        except SearchInterrupted as interrupted:
            interrupted.search = record.report(sample.n_samples)
            raise
        return Found(best.parameters, record.report(sample.n_samples))

    def _looked_over(
        self,
        best: Outcome,
        em: EM,
        source: RowSource,
        drawn: Drawn,
        of_all: AllRows,
        record: Record,
        rng: np.random.Generator,
    ) -> Outcome:
        """What all rows say of the best of the sample; where it changes, the record has it."""
        before = of_all.best
        try:
            best = self._with_unlikely_rows(source, drawn, of_all, record, rng)
            if best is not before:
                seen = Outcome(best.parameters, em.objective(best), events=best.events)
                em.judge(seen)
                record.note(seen, given_up=False)
        except KeyboardInterrupt:
            raise SearchInterrupted(best) from None
        return best

    def _with_unlikely_rows(
        self,
        source: RowSource,
        drawn: Drawn,
        of_all: AllRows,
        record: Record,
        rng: np.random.Generator,
    ) -> Outcome:
        """Look for components that the sample missed, among rows that have low densities."""
        rows, update, before = of_all.em.rows, of_all.em.update, None
        assert isinstance(rows, RowsPass)
        n_rows = max(UNLIKELY_ROWS, UNLIKELY_PER_FEATURE * source.n_features)
        same = SAME
        for _ in range(ROUNDS):
            best = of_all.best
            assert best is not None
            lost = len(best.parameters.weights) < self.beginnings.n_components
            if lost or (before is not None and not _gains(best, before, same)):
                break
            before = best
            unlikely = rows.least_likely(update.as_plain(best.parameters), n_rows)
            drawn = source.with_rows(*drawn, unlikely.positions)
            positions, weight = drawn
            # In rows of all, as the guard counts them.
            weight = weight * (max(float(source.n_rows), source.weight_sum) / weight.sum())
            em = self.make_em(ArrayRows.copied(source, positions, weight))
            share = len(positions) / source.n_rows
            same = SAME * share
            of_these = Record()  # their objectives are not those of the sample
            starts = iter([best.parameters])
            chain = self._chain(em, starts, of_these, rng, of_all, share=share)
            chain.start()
            chain.move(n_swaps=0, failures=FAILURES)
            record.n_moves += of_these.n_moves
            record.n_given_up += of_these.n_given_up
        assert of_all.best is not None
        return of_all.best

    def _climbed(
        self, em: EM, source: RowSource, record: Record, seed: int, of_all: AllRows | None
    ) -> tuple[Outcome | None, Exception]:
        """The best of all chains, and why there is none."""
        best = _Best()
        chain = self._begun(em, source, record, (seed, 0), of_all, best)
        enough = min(max(AGREE, self.n_init // SHARE_AGREES), MOST_AGREE)
        try:
            for i in range(self.n_init):
                number, place = divmod(i, STARTS)
                if number > 0 and place == 0:
                    best.take(chain)
                    if best.n_agree >= enough:
                        break
                    chain = self._begun(em, source, record, (seed, number), of_all, best)
                exhausted = chain.start() is None
                if exhausted or place == STARTS - 1:
                    chain.move()
                if exhausted or (number > 0 and best.n_with(chain) >= enough):
                    break
        except KeyboardInterrupt as interrupt:
            best.take(chain)
            found = best.outcome or getattr(interrupt, "outcome", None)
            if found is None:
                raise
            raise SearchInterrupted(found) from None
        best.take(chain)
        return best.outcome, chain.contest.failure

    def _begun(
        self,
        em: EM,
        source: RowSource,
        record: Record,
        seed: tuple[int, int],
        of_all: AllRows | None,
        best: _Best,
    ) -> Chain:
        """A chain of the search, with random numbers of its own."""
        of_starts, of_swaps = (np.random.default_rng((*seed, i)) for i in range(2))
        starts = self.beginnings.parameters(em, source.middle, of_starts, seeded=seed[1] == 0)
        return self._chain(em, starts, record, of_swaps, of_all, best)

    def _chain(
        self,
        em: EM,
        starts: Iterator[Parameters],
        record: Record,
        rng: np.random.Generator,
        of_all: AllRows | None,
        best: _Best | None = None,
        share: float = 1.0,
    ) -> Chain:
        labelled = self.beginnings.prior is not None
        least = self.beginnings.n_components if labelled else 1
        compare = None if of_all is None else of_all.compare
        best = _Best() if best is None else best
        known = tuple(best.known)
        contest = Contest(em, self.scale, record, least, self.report, compare, share, known)
        by = self.beginnings.backend.algebra
        return Chain(contest, starts, self.pair, record, self.scale, by, rng, best.memory)


def _gains(one: Outcome, other: Outcome, same: float = SAME) -> bool:
    """Whether an outcome is clearly better than another."""
    own, before = flaws(one), flaws(other)
    return own < before or (own == before and one.objective - other.objective > same)


@dataclass(eq=False)
class _Best:
    """The best leader of some chains, and how many starts have led there.

    Attributes
    ----------
    known : list of Outcome
        Different leaders without suspects, the best first, at most `MOST_KNOWN`.
    memory : Memory
        Of moves.
    """

    outcome: Outcome | None = None
    n_agree: int = 0
    known: list[Outcome] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)

    def take(self, chain: Chain) -> None:
        """Take the leader of a chain that has ended, if it is better."""
        leader, best = chain.leader, self.outcome
        if leader is None:
            return
        if best is None or _gains(leader, best):
            self.outcome, self.n_agree = leader, chain.n_agree
        elif not _gains(best, leader):
            self.n_agree += chain.n_agree
        different = dict.fromkeys([*self.known, *chain.sound])
        self.known = sorted(different, key=lambda each: -each.objective)[:MOST_KNOWN]
        self.memory.keep(self.known)

    def n_with(self, chain: Chain) -> int:
        """Starts that have led to the best maximum, with those of a chain that has not ended."""
        return self.n_agree + (chain.n_agree if chain.leader is self.outcome else 0)
