"""scikit-learn's rule: stop when the lower bound hardly changes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

from mixtura.schedules.protocol import Follow, Look, LookFrom, Point, Step

__all__ = ["AtBeginning", "Bound", "LowerBound", "LowerBoundState"]


class Bound(Protocol):
    """What the lower bound of an iteration is made of."""

    def opened(self, point: Point) -> float:
        """Return what it takes from the point at which the iteration begins."""

    def closed(self, opened: float, point: Point) -> float:
        """Return the lower bound of the iteration that has led to a point."""


class AtBeginning:
    """The objective of the parameters with which an iteration begins: the rule for EM."""

    def opened(self, point: Point) -> float:
        return point.objective

    def closed(self, opened: float, point: Point) -> float:  # noqa: ARG002
        return opened


class LowerBoundState(NamedTuple):
    """The lower bound before the first iteration and those after it; what the next begins with."""

    bounds: tuple[float, ...]
    opened: float
    predicted_gain: float = math.inf

    @property
    def inverse_temperature(self) -> float:
        """Densities as they are."""
        return 1.0

    @property
    def change(self) -> float:
        """From the last iteration but one to the last; inf where there was none before."""
        return self.bounds[-1] - self.bounds[-2]


class LowerBound:
    """Stop when the lower bound changes by less than `tol`.

    Parameters
    ----------
    tol : float
        In units of the lower bound.
    before : float
        The lower bound of the iteration before the first; -inf if there was none.
    bound : Bound, optional
        What the lower bound of an iteration is; by default, the objective of the parameters with
        which it *begins*.
    """

    def __init__(self, tol: float, before: float = -math.inf, bound: Bound | None = None) -> None:
        self.tol: float = tol
        self.before: float = before
        self.bound: Bound = AtBeginning() if bound is None else bound

    def begin(self, start: Point) -> LowerBoundState:
        return LowerBoundState((self.before,), self.bound.opened(start))

    def disturbed(self, state: Any) -> Any:
        return state

    def several(self, state: Any, most: int, follow: Follow, look_from: LookFrom) -> None:
        """See every point."""

    def step(self, state: LowerBoundState, point: Point, look: Look) -> Step:  # noqa: ARG002
        bound = self.bound.closed(state.opened, point)
        after = LowerBoundState((*state.bounds, bound), self.bound.opened(point))
        return Step(after, point, abs(after.change) < self.tol)
