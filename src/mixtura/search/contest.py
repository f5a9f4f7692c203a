"""Runs of EM against the best one so far, given up once they are too far behind.

A run is looked at after every few iterations. It is given up where it lacks more of the leader's
objective than `PATIENCE` times its last step, where its parameters have become the leader's, and
where it is not ahead after many iterations.

Predictions of what is left to gain are poor during the first iterations: over 2600 runs this rule
found half as many better maxima again in the same number of iterations as Aitken's extrapolation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from mixtura.exceptions import FitError
from mixtura.parameters import Parameters
from mixtura.schedules import EM, Outcome, State
from mixtura.search.report import SAME, Record
from mixtura.shapes import Floats

__all__ = ["SAME", "Contest", "SearchInterrupted", "Verdict", "rank"]

Verdict = Literal["leads", "same", "behind", "failed"]

PATIENCE = 10.0  # steps of the size of the last one
EVERY = 4  # iterations from look to look
LATEST = 32  # iterations, after which a run must be ahead: nine of ten better ends are by then
SLOWER = 4  # times as many where numbers are missing, because EM is slower
MOST_ITERATIONS = 200  # of one run
NEAR = 0.02  # nats per unit of weight; further apart, parameters are not compared
ALIKE = 0.1  # largest difference of means, in units of the features, and of weights


class SearchInterrupted(KeyboardInterrupt):
    """Ctrl-C during the search; `outcome` is the best of its runs, without its statistics.

    Those are of the sample, so they say nothing of all rows.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("the search was interrupted")
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
        Called with each new leader.
    share : float
        Of all rows, that are looked at and count in full: differences that count for nothing are
        smaller by this, so that a few rows that stand for themselves are not lost among the others.

    Attributes
    ----------
    leader : Outcome or None
        The best run so far.
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
    ) -> None:
        self.em = em
        self.leader: Outcome | None = None
        self.failure = FitError("the fit cannot start: there is no start.")
        self._scale, self._record = scale, record
        self._report, self._on_lead = report, on_lead
        self._least_components = least_components
        source = em.rows.source  # type: ignore[attr-defined]
        self._same = SAME * share
        self._every = EVERY * (SLOWER if source.form == "incomplete" else 1)

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
        watch = None
        if leader is not None and rank(leader) == (-len(start.weights), 0):
            watch = _Watch(leader, self._scale, self._every)
        try:
            outcome = self.em.run(
                start, MOST_ITERATIONS, callback=watch, every=self._every, judges=False
            )
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
        if outcome.stop_reason != "callback":  # what is given up need not be judged
            self.em.judge(outcome)
        verdict = self._verdict(outcome, watch)
        if verdict == "leads":
            self.leader = outcome
            if self._on_lead is not None:
                self._on_lead(outcome)
        self._record.note(outcome, verdict, leader, given_up=outcome.stop_reason == "callback")
        return verdict

    def _verdict(self, outcome: Outcome, watch: _Watch | None) -> Verdict:
        if self.leader is None:
            return "leads"
        if watch is not None and watch.verdict is not None:
            return watch.verdict
        own, best = rank(outcome), rank(self.leader)
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


class _Watch:
    """Looks at a run now and then, and stops it where it cannot become the leader."""

    def __init__(self, leader: Outcome, scale: Floats, every: int) -> None:
        self._leader, self._scale, self._every = leader, scale, every
        self.verdict: Verdict | None = None

    def __call__(self, state: State) -> bool:
        if state.iteration % self._every:
            return False
        behind = self._leader.objective - state.objective
        if behind > PATIENCE * max(state.gain, 0.0):
            self.verdict = "behind"
        elif abs(behind) < NEAR and state.iteration > self._every and self._is_alike(state):
            self.verdict = "same"
        elif behind > 0.0 and state.iteration >= LATEST * self._every // EVERY:
            self.verdict = "behind"
        return self.verdict is not None

    def _is_alike(self, state: State) -> bool:
        """Whether each component of the leader has one that is nearly the same."""
        one, other = self._leader.parameters, state.parameters
        apart = np.abs(one.means[:, None] - other.means) / self._scale
        differences = np.maximum(apart.max(axis=2), np.abs(one.weights[:, None] - other.weights))
        return bool(differences.min(axis=1).max() < ALIKE)


def rank(outcome: Outcome) -> tuple[int, int]:
    """Lower is better, whatever the objective: components lost, and suspects."""
    return -len(outcome.parameters.weights), len(outcome.suspects)
