"""Plain iterations, which stop by what is left to gain, not by what the last step gained."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import numpy as np

from mixtura.schedules.protocol import Follow, Look, LookFrom, Point, Rule, Step, Steps

__all__ = ["Plain", "PlainState", "predicted_gains"]

EPS = float(np.finfo(np.float64).eps)
CAUTION = 20.0  # rises as large as the last one by which the predicted limit may still change


class PlainState(NamedTuple):
    """The last objectives, at most three, and the gain that they predict."""

    recent: tuple[float, ...] = ()
    predicted_gain: float = np.inf

    @property
    def inverse_temperature(self) -> float:
        """Densities as they are."""
        return 1.0

    def is_possible(self) -> bool:
        """Whether the schedule can have come to this state."""
        return len(self.recent) <= 3


class Plain:
    """Stop when the objective's predicted limit is no more than `tol` away.

    EM converges linearly: with gains g1, g2 of the last two iterations and their ratio c = g2 / g1,
    what is left is g2 c / (1 - c) (Aitken's extrapolation [1]_). After one large step any small one
    looks like the end, and near the limit the first steps shrink faster than the later ones. So two
    predictions in a row have to be within `tol`, and the first must have predicted at least half of
    what was gained since and is still predicted. Where fast directions fade, the predicted limit
    rises from iteration to iteration: `CAUTION` times its last rise is added to what is left.

    Parameters
    ----------
    tol : float
        In units of the objective. 0 never stops.
    rounding : float
        Relative error of an objective; a smaller gain counts as none.

    References
    ----------
    .. [1] D. Boehning et al., "The distribution of the likelihood ratio for mixtures of densities
       from the one-parameter exponential family", Ann. Inst. Stat. Math. 46, 373-388, 1994.
    """

    def __init__(self, tol: float, rounding: float = EPS) -> None:
        self.tol: float = tol
        self.rounding: float = rounding

    def begin(self, start: Point) -> Any:  # noqa: ARG002
        return PlainState()

    def disturbed(self, state: Any) -> Any:  # noqa: ARG002
        return PlainState()

    def several(
        self,
        state: Any,
        most: int,
        follow: Follow,
        look_from: LookFrom,  # noqa: ARG002
    ) -> Steps | None:
        return follow(Rule(self.tol, self.rounding), state, most)

    def step(self, state: PlainState, point: Point, look: Look) -> Step:  # noqa: ARG002
        after = self.after(state, point.objective)
        return Step(after, point, self.is_over(state, after))

    def after(self, state: PlainState, objective: float) -> PlainState:
        """Return the state after one more objective."""
        recent = (*state.recent[-2:], objective)
        return PlainState(recent, self.aitken(recent))

    def aitken(self, recent: Sequence[float]) -> float:
        """What is left to gain after these objectives; inf where nothing can be said."""
        if len(recent) < 2 or not all(map(math.isfinite, recent)):
            return np.inf
        gain = recent[-1] - recent[-2]
        rounding = 4.0 * self.rounding * max(1.0, abs(recent[-1]))
        # An iteration never lowers the objective: what falls is the rounding error of the objective
        # itself, and gains have become smaller than that.
        if -max(rounding, self.tol) <= gain <= rounding:
            return 0.0
        if len(recent) < 3:
            return np.inf
        before = recent[-2] - recent[-3]
        return gain * gain / (before - gain) if 0.0 < gain < before else np.inf

    def is_over(self, before: Any, after: Any) -> bool:
        """Whether two predictions in a row are within `tol`, and the first has come true."""
        if after.predicted_gain == 0.0:
            return self.tol > 0.0
        if max(before.predicted_gain, after.predicted_gain) > self.tol:
            return False
        gain = after.recent[-1] - after.recent[-2]
        rise = gain + after.predicted_gain - before.predicted_gain
        return bool(
            rise <= before.predicted_gain and after.predicted_gain + CAUTION * rise <= self.tol
        )


def predicted_gains(
    history: Sequence[float], disturbed: Container[int] = (), rounding: float = EPS
) -> list[float]:
    """Predict, after each iteration of a history, what is left to gain.

    Parameters
    ----------
    history : sequence of float
        The objective after each iteration.
    disturbed : container of int
        Iterations, counted from 1, in which something else changed the parameters.
    rounding : float
        Relative error of an objective.

    Returns
    -------
    list of float
    """
    rule, state = Plain(0.0, rounding), PlainState()
    gains = []
    for iteration, objective in enumerate(history, start=1):
        if iteration in disturbed:
            state = PlainState()
        state = rule.after(state, objective)
        gains.append(state.predicted_gain)
    return gains
