"""scikit-learn's rule: stop when the lower bound of the log-likelihood hardly changes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from mixtura.schedules.protocol import Look, Point, Step

__all__ = ["LowerBound", "LowerBoundState"]


class LowerBoundState(NamedTuple):
    """The lower bound before the first iteration, that of each iteration, and that of the next."""

    bounds: tuple[float, ...]
    predicted_gain: float = math.inf

    @property
    def inverse_temperature(self) -> float:
        """Densities as they are."""
        return 1.0

    @property
    def change(self) -> float:
        """From the last iteration but one to the last; inf where there was none before."""
        return self.bounds[-2] - self.bounds[-3]


class LowerBound:
    """Stop when the lower bound changes by less than `tol`.

    The lower bound of an iteration is the objective of the parameters with which it *begins*.

    Parameters
    ----------
    tol : float
        In units of the objective.
    before : float
        The lower bound of the iteration before the first; -inf if there was none.
    """

    def __init__(self, tol: float, before: float = -math.inf) -> None:
        self.tol, self.before = tol, before

    def begin(self, start: Point) -> LowerBoundState:
        return LowerBoundState((self.before, start.objective))

    def disturbed(self, state: Any) -> Any:
        return state

    def step(self, state: LowerBoundState, point: Point, look: Look) -> Step:  # noqa: ARG002
        after = LowerBoundState((*state.bounds, point.objective))
        return Step(after, point, abs(after.change) < self.tol)
