"""The search for the parameters from which all rows are iterated.

It looks at a sample of rows that is large beside the number of parameters but not beside a large
data set. `n_init` starts are tried. Each `STARTS` of them make a chain (`mixtura.search.chain`): runs
against each other, then moves on the best. Chains know nothing of each other, each has random
numbers of its own, and within a chain only what is better is kept. So what is found with one
`n_init` is found with every larger one, too.

Where the first starts, which are of different kinds, all lead to one maximum, the search is over.
How many must agree grows with `n_init`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mixtura.data import ArrayRows, RowSource
from mixtura.parameters import Parameters
from mixtura.schedules import EM, Outcome
from mixtura.search.chain import Chain
from mixtura.search.contest import SAME, Contest, SearchInterrupted, rank
from mixtura.search.report import Record, SearchReport
from mixtura.shapes import Floats
from mixtura.starts import Beginnings
from mixtura.starts.labels import labelled_rows
from mixtura.updates import Update

__all__ = ["Found", "MaximumSearch", "SearchInterrupted"]

STARTS = 5  # of a chain
AGREE = 3  # starts that must lead to one maximum to end the search, at least
SHARE_AGREES = 4  # one in so many of the starts, else


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
        sample = self._sample(source, rng)
        record, em = Record(), self.make_em(sample)
        best, failure = self._climbed(em, source, record, int(rng.integers(1 << 62)))
        if best is None:
            raise failure
        return Found(best.parameters, record.report(sample.n_samples))

    def _sample(self, source: RowSource, rng: np.random.Generator) -> ArrayRows:
        size, prior = self.beginnings.sample_size(source.n_features), self.beginnings.prior
        known = () if prior is None else labelled_rows(source, prior, size)
        return ArrayRows.sample_of(source, size, rng, known)

    def _climbed(
        self, em: EM, source: RowSource, record: Record, seed: int
    ) -> tuple[Outcome | None, Exception]:
        """The best of all chains, and why there is none."""
        best: Outcome | None = None
        chain: Chain | None = None
        agree = max(AGREE, self.n_init // SHARE_AGREES)
        try:
            for i in range(self.n_init):
                number, place = divmod(i, STARTS)
                if chain is None or place == 0:
                    best = _better(best, chain)
                    chain = self._chain(em, source, record, (seed, number))
                verdict = chain.start()
                if i == 0 or verdict in ("same", "leads"):
                    agree -= verdict is not None and (i == 0 or verdict == "same")
                else:
                    agree = self.n_init
                if place == STARTS - 1:
                    chain.move()
                if not agree:
                    break
        except SearchInterrupted as interrupted:
            raise SearchInterrupted(_better(best, chain) or interrupted.outcome) from None
        assert chain is not None
        return _better(best, chain), chain.contest.failure

    def _chain(self, em: EM, source: RowSource, record: Record, seed: tuple[int, int]) -> Chain:
        of_starts, of_swaps = (np.random.default_rng((*seed, i)) for i in range(2))
        labelled = self.beginnings.prior is not None
        least = self.beginnings.n_components if labelled else 1
        contest = Contest(em, self.scale, record, least, self.report)
        starts = self.beginnings.parameters(em, source.middle, of_starts, seeded=seed[1] == 0)
        by = self.beginnings.backend.algebra
        return Chain(contest, starts, self.pair, record, self.scale, by, of_swaps)


def _better(best: Outcome | None, chain: Chain | None) -> Outcome | None:
    """The best so far, or the leader of a chain that is clearly better."""
    leader = None if chain is None else chain.leader
    if best is None or leader is None:
        return leader if best is None else best
    gain = leader.objective - best.objective
    own, other = rank(leader), rank(best)
    return leader if own < other or (own == other and gain > SAME) else best
