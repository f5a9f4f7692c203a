"""Deterministic annealing: begin with uncertain responsibilities, and make them sharper.

At inverse temperature b the responsibility of component j for a row is proportional to the power b
of its weighted density [1]_. Below one, rows belong more evenly to all components, and the
objective has fewer maxima. The inverse temperature rises to one by a fixed rule: it begins at
`FIRST` and is multiplied by `GROWTH` after each iteration. From one on, the inner schedule decides.

While b is below one, components move towards each other. The rule is short, so that they stay
apart: components that have come together would stay together.

The pass needs nothing new for it: see `Seen.tempered`.

.. [1] N. Ueda, R. Nakano, "Deterministic annealing EM algorithm", Neural Networks 11, 271-282,
   1998.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from mixtura.schedules.protocol import Follow, Look, LookFrom, Point, Schedule, Step, Steps

__all__ = ["Annealed", "AnnealedState"]

FIRST = 0.5
GROWTH = 1.1  # 0.5 grows to one in eight iterations


class AnnealedState(NamedTuple):
    """The inverse temperature of the next pass, and the inner state."""

    inverse_temperature: float
    inner: Any = None

    @property
    def predicted_gain(self) -> float:
        """The inner schedule's; inf before it has begun."""
        return math.inf if self.inner is None else float(self.inner.predicted_gain)

    def is_possible(self) -> bool:
        """Whether the schedule can have come to this state."""
        return 0.0 < self.inverse_temperature <= 1.0


class Annealed:
    """Raise the inverse temperature to one, then follow another schedule.

    While it rises, the objective is the free energy per row,
    ``1/b sum_i w_i log sum_j (weight_j density_ij)^b``. It never falls at one temperature; values
    at different temperatures cannot be compared.

    Parameters
    ----------
    inner : Schedule
        Decides once the inverse temperature is one.
    """

    def __init__(self, inner: Schedule) -> None:
        self._inner = inner

    def begin(self, start: Point) -> AnnealedState:  # noqa: ARG002
        return AnnealedState(FIRST)

    def disturbed(self, state: AnnealedState) -> AnnealedState:
        inner = None if state.inner is None else self._inner.disturbed(state.inner)
        return state._replace(inner=inner)

    def several(
        self, state: AnnealedState, most: int, follow: Follow, look_from: LookFrom
    ) -> Steps | None:
        if state.inner is None:
            return None
        made = self._inner.several(state.inner, most, follow, look_from)
        return made and made._replace(state=AnnealedState(1.0, made.state))

    def step(self, state: AnnealedState, point: Point, look: Look) -> Step:
        b = state.inverse_temperature
        if b == 1.0:
            inner = self._inner.begin(point) if state.inner is None else state.inner
            step = self._inner.step(inner, point, look)
            return Step(state._replace(inner=step.state), step.point, step.finished)
        return Step(AnnealedState(min(1.0, GROWTH * b)), point, finished=False)
