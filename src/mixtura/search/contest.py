"""Runs of EM that are given up once they cannot catch up with the leader."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mixtura.exceptions import FitError
from mixtura.parameters import Parameters
from mixtura.schedules import EM, Outcome

STAGE = 4
OPTIMISM = 1.5
MOST_STEPS = 30.0
SAME = 1e-4
MOST_ITERATIONS = 200

Verdict = Literal["leads", "same", "below", "failed"]


@dataclass(eq=False)
class Contest:
    em: EM
    n_components: int
    leader: Outcome | None = None
    n_iter: int = 0
    log: list = field(default_factory=list)

    def rank(self, outcome: Outcome) -> tuple[int, int]:
        return -len(outcome.parameters.weights), len(outcome.suspects)

    def run(self, start: Parameters, least: float = 0.0, c: float = 10.0) -> Verdict:
        leader = self.leader
        try:
            outcome = self.em.run(start, STAGE)
            stage = STAGE
            while True:
                if leader is not None and self.rank(outcome) >= self.rank(leader):
                    h = outcome.history
                    step = h[-1] - h[-2] if len(h) > 1 else math.inf
                    gain = outcome.state.predicted_gain
                    if outcome.objective + c * max(step, 0.0) < leader.objective:
                        return self._end("below", outcome)
                if outcome.stop_reason == "converged" or len(outcome.history) >= MOST_ITERATIONS:
                    break
                outcome = self.em.run(outcome, len(outcome.history) + stage)
                stage = 4 if len(outcome.history) < 16 else 8
        except FitError:
            return "failed"
        if leader is None or (*self.rank(outcome), -outcome.objective) < (
            *self.rank(leader), -leader.objective - max(least, SAME)
        ):
            self.leader = outcome
            return self._end("leads", outcome)
        return self._end("same" if abs(outcome.objective - leader.objective) < SAME else "below", outcome)

    def _end(self, verdict, outcome):
        self.n_iter += len(outcome.history)
        return verdict
