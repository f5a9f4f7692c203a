"""Runs of EM against the best one so far, given up once nothing is to be had from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from mixtura.exceptions import FitError
from mixtura.parameters import Parameters
from mixtura.schedules import EM, Outcome
from mixtura.search.report import SAME, Record, SearchReport
from mixtura.search.watch import Watch
from mixtura.shapes import Floats

__all__ = ["SAME", "Contest", "SearchInterrupted", "Verdict", "flaws"]

Verdict = Literal["leads", "same", "behind", "failed"]

MOST_ITERATIONS = 200  # of one run
SLOWER = 4  # times as many iterations where numbers are missing


class SearchInterrupted(KeyboardInterrupt):
    """Ctrl-C during the search.

    Attributes
    ----------
    outcome : Outcome
        The best of its runs, without its statistics: those of a sample say nothing of all rows.
    search : SearchReport or None
        What was found until then.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("the search was interrupted")
        self.search: SearchReport | None = None
        self.outcome = replace(outcome, stop_reason="interrupted", statistics=None)


class Contest:
    """Runs on one set of rows, and the leader among them.

    Parameters
    ----------
    em : EM
        The algorithm. It must replace components that collapse. A run that ends with fewer of the
        suspects that its guard finds is better, unless it is lower by more than they can gain.
    scale : ndarray of shape (n_features,)
        Units of the features, in which means are compared.
    record : Record
        Counts runs and the maxima that they find.
    least_components : int
        A run that loses more fails.
    report : callable, optional
        Called with the outcome of each run.
    on_lead : callable, optional
        Called with each new leader that is not known.
    share : float
        Of all rows, that are looked at and count in full: differences that count for nothing are
        smaller by this, so that a few rows that stand for themselves are not lost among the others.
    known : sequence of Outcome
        Maxima found before, without flaws. A run that comes to one of them is given up, and ends
        there.

    Attributes
    ----------
    leader : Outcome or None
        The best run so far.
    leaders : list of Outcome
        It, and those before it.
    failure : FitError
        Why the last run failed that did.
    """

    def __init__(
        self,
        em: EM,
        scale: Floats,
        record: Record,
        least_components: int = 1,
        report: Callable[[Outcome], object] | None = None,
        on_lead: Callable[[Outcome], object] | None = None,
        share: float = 1.0,
        known: Sequence[Outcome] = (),
    ) -> None:
        self.em = em
        self.leader: Outcome | None = None
        self.leaders: list[Outcome] = []
        self.failure = FitError("the fit cannot start: there is no start.")
        self._scale, self._record = scale, record
        self._report, self._on_lead = report, on_lead
        self._least_components = least_components
        source = em.rows.source  # type: ignore[attr-defined]
        self._same = SAME * share
        self._slower = SLOWER if source.form == "incomplete" else 1
        self._known = known

    def run(self, start: Parameters) -> Verdict:
        """Run from a start; the outcome leads if it is better than all before.

        Raises
        ------
        SearchInterrupted
            On Ctrl-C after the first run.
        KeyboardInterrupt
            On Ctrl-C before.
        """
        leader = self.leader
        watch = self._watch(len(start.weights))
        try:
            outcome = self.em.run(start, MOST_ITERATIONS, watch=watch, judges=False)
        except FitError as error:
            self.failure = error
            return "failed"
        if self._report is not None:
            self._report(outcome)
        if outcome.stop_reason == "interrupted":
            if leader is None and not outcome.history:
                raise KeyboardInterrupt
            raise SearchInterrupted(outcome if leader is None else leader)
        if len(outcome.parameters.weights) < self._least_components:
            self.failure = FitError(
                "the fit cannot start: a component was lost at every start, and labels give "
                "the others their numbers. Use fewer components, reg_covar > 0, or an init."
            )
            return "failed"
        stop = outcome.stop
        if stop is not None:  # what is given up need not be judged
            end = None if stop.end is None else watch.known[stop.end]
            verdict = "behind" if end is None else self._verdict(end)
        else:
            self.em.judge(outcome)
            end, verdict = outcome, self._verdict(outcome)
        if verdict == "leads":
            assert end is not None
            if end.statistics is not None:  # as all moves need them
                end.statistics = end.statistics.centred()
            self.leader = end
            self.leaders.append(end)
            if self._on_lead is not None and outcome is end:
                self._on_lead(end)
        elif verdict == "same":
            end = leader
        self._record.note(end, given_up=stop is not None)
        return verdict

    def _watch(self, n_components: int) -> Watch:
        """Who looks at a run; a leader with flaws can be outdone by lower ones."""
        leader, known = self.leader, list(self._known)
        if leader is not None and flaws(leader) != (-n_components, 0):
            leader = None
        if leader is not None and not any(each is leader for each in known):
            known.insert(0, leader)
        known = [each for each in known if len(each.parameters.weights) == n_components]
        return Watch(leader, known, self._scale, self._slower)

    def _verdict(self, outcome: Outcome) -> Verdict:
        if self.leader is None:
            return "leads"
        if outcome is self.leader:
            return "same"
        own, best = flaws(outcome), flaws(self.leader)
        gain = outcome.objective - self.leader.objective
        if own[0] == best[0] and own < best and gain < -self._price():
            return "behind"
        if own < best or (own == best and gain > self._same):
            return "leads"
        return "same" if own == best and gain > -self._same else "behind"

    def _price(self) -> float:
        """How much lower than the leader a run with fewer suspects may be."""
        assert self.leader is not None
        if self.em.guard is None or self.leader.few:
            return math.inf
        return self.em.guard.price(self.leader.parameters, self.leader.spurious)


def flaws(outcome: Outcome) -> tuple[int, int]:
    """Components lost, and suspects: fewer are better, whatever the objective."""
    return -len(outcome.parameters.weights), len(outcome.suspects)
