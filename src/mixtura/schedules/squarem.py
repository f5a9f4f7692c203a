"""An accelerated schedule: after every second iteration, the statistics are extrapolated.

Where components overlap EM is slow: each iteration goes a small part of the way that is left. Two
iterations in a row tell the direction and how fast it changes, and SQUAREM [1]_ extrapolates from
there. It extrapolates statistics, whatever parameters follow from them: weighted sums about common
centres are linear in the rows, so they keep their total weight. An extrapolation that ends lower
than where it began, or from which no parameters follow, is not used.

.. [1] R. Varadhan, C. Roland, "Simple and globally convergent methods for accelerating the
   convergence of any EM algorithm", Scand. J. Stat. 35, 335-353, 2008: scheme S3, equation (9).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mixtura.schedules.plain import Plain
from mixtura.schedules.protocol import Follow, Look, LookFrom, Point, Rule, Step, Steps
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["Squarem", "SquaremState"]

TINY = float(np.finfo(np.float64).tiny)
PATIENCE = 8  # plain iterations before the first extrapolation
N_STATISTICS = 3  # in a row, that an extrapolation needs
LARGE_GAIN = 3e-4  # nats per row; while iterations gain more, none is left out
FIRST_LENGTH = 4.0  # of the longest step, in iterations
STRETCH = 4.0  # the longest step grows by this when one of that length is taken, else shrinks
CONFIRM = 2  # plain iterations after extrapolations, before the end
MOST_COUNT = 2**31 - 1  # of iterations
LEAST_LENGTH = 1.5  # of the longest step


class SquaremState(NamedTuple):
    """What the next extrapolation step depends on.

    Attributes
    ----------
    recent : tuple of float
        The last objectives, at most three.
    predicted_gain : float
    plain : int
        Iterations since the start or the last disturbance.
    seen : tuple of Statistics
        Those since the last extrapolation, at most two.
    longest : float
        Length of the longest step that may be tried, in iterations.
    slowest : float
        Largest |r| / |v| so far (see `Squarem`); 0 before the first.
    gain : float
        Of the last plain iteration.
    confirming : int
        One more than the plain iterations since an end was predicted; 0 while none is.
    """

    recent: tuple[float, ...] = ()
    predicted_gain: float = math.inf
    plain: int = 0
    seen: tuple[Statistics, ...] = ()
    longest: float = FIRST_LENGTH
    slowest: float = 0.0
    gain: float = 0.0
    confirming: int = 0

    @property
    def inverse_temperature(self) -> float:
        """Densities as they are."""
        return 1.0

    def is_possible(self) -> bool:
        """Whether the schedule can have come to this state."""
        counts = max(self.plain, self.confirming) <= MOST_COUNT
        return counts and len(self.recent) <= 3 and len(self.seen) <= 2 and self.longest > 0.0


class Squarem(Plain):
    """When to extrapolate, how far, and when to stop.

    With the statistics s0, s1, s2 after three iterations, r = s1 - s0 and v = (s2 - s1) - r, an
    extrapolation step of length a leads to ``s0 + 2 a r + a^2 v``, which is s2 for a = 1. The
    length is |r| / |v|: as many iterations as a direction takes that shrinks at that rate. A bound
    on it grows and shrinks with success.

    While iterations gain much, there is no such step: where components still change places, it may
    lead to another maximum, and that is lower more often than higher.

    The steps spoil Aitken's extrapolation. After the first of them, what is left to gain is taken
    to be the gain of the last plain iteration times the largest |r| / |v| so far. Once that is
    within `tol`, `CONFIRM` plain iterations follow. Their gains show a plateau, on which gains
    grow: the fit ends if Aitken's extrapolation of them is within `tol`, too, else the steps
    continue.

    Parameters
    ----------
    tol : float
        In units of the objective.
    rounding : float
        Relative error of an objective; a smaller gain counts as none.
    scale : ndarray of shape (n_features,)
        Units of the features, the units in which statistics are compared.
    """

    def __init__(self, tol: float, rounding: float, scale: Floats) -> None:
        super().__init__(tol, rounding)
        self._scale = scale

    def begin(self, start: Point) -> SquaremState:  # noqa: ARG002
        return SquaremState()

    def disturbed(self, state: SquaremState) -> SquaremState:  # noqa: ARG002
        return SquaremState()

    def several(
        self,
        state: SquaremState,
        most: int,
        follow: Follow,
        look_from: LookFrom,  # noqa: ARG002
    ) -> Steps | None:
        rule = Rule(self.tol, self.rounding, extrapolates=True, scale=self._scale)
        return follow(rule, state, most)

    def step(self, state: SquaremState, point: Point, look: Look) -> Step:  # type: ignore[override]
        gain = point.objective - state.recent[-1] if state.recent else state.gain
        after = state._replace(plain=state.plain + 1, gain=gain)
        if not state.confirming:
            after, point = self._extrapolate(after, point, look)
        recent = (*after.recent[-2:], point.objective)
        after = after._replace(recent=recent, predicted_gain=self._predict(after, recent))
        if state.slowest == 0.0 or after.predicted_gain == 0.0:
            return Step(after, point, self.is_over(state, after))
        if state.confirming:
            return self._confirm(state, after, point)
        if after.predicted_gain <= self.tol:
            after = after._replace(confirming=1, seen=())
        return Step(after, point, finished=False)

    def _confirm(self, before: SquaremState, after: SquaremState, point: Point) -> Step:
        """Decide after a plain iteration that follows a predicted end."""
        n = before.confirming
        if n >= 2:
            aitken = self.aitken(after.recent)
            if max(aitken, after.predicted_gain) > self.tol:
                return Step(after._replace(confirming=0), point, finished=False)
            if n == CONFIRM:
                return Step(after, point, finished=True)
        return Step(after._replace(confirming=n + 1), point, finished=False)

    def _predict(self, state: SquaremState, recent: tuple[float, ...]) -> float:
        aitken = self.aitken(recent)
        if state.slowest == 0.0 or aitken == 0.0:
            return aitken
        return state.gain * state.slowest if state.gain > 0.0 else math.inf

    def _extrapolate(
        self, state: SquaremState, point: Point, look: Look
    ) -> tuple[SquaremState, Point]:
        """Where a step ends if that is no lower, else the point given; and the state after it."""
        if state.plain <= PATIENCE or state.gain > LARGE_GAIN:
            return state._replace(seen=()), point
        seen = (*state.seen, point.statistics)
        if len(seen) < N_STATISTICS:
            return state._replace(seen=seen), point
        state = state._replace(seen=(point.statistics,))
        x0, x1, x2 = (self._vector(each.recentred(point.statistics.centres)) for each in seen)
        r, v = x1 - x0, x2 - 2.0 * x1 + x0
        slowness = _length(r, v)
        length = min(slowness, state.longest)
        state = state._replace(slowest=max(state.slowest, slowness))
        if length <= 1.0:
            return state, point
        with np.errstate(over="ignore", invalid="ignore"):
            ahead = self._statistics(x0 + length * (2.0 * r + length * v), point.statistics)
            if ahead.extras:
                ahead = replace(ahead, extras=_extrapolated(seen, length))
        possible = (ahead.resp_sum > 0.0).all() and np.isfinite(ahead.resp_xx).all()
        there = look(ahead) if possible else None
        if there is None or not there.objective >= point.objective:
            return state._replace(longest=max(length / STRETCH, LEAST_LENGTH)), point
        longest = STRETCH * state.longest if length == state.longest else state.longest
        return state._replace(seen=(there.statistics,), longest=longest), there

    def _vector(self, statistics: Statistics) -> Floats:
        """All sums as one vector without units."""
        of_xx = statistics.shape.units(self._scale)
        parts = statistics.resp_sum, statistics.resp_x / self._scale, statistics.resp_xx / of_xx
        return np.concatenate([part.ravel() for part in parts])

    def _statistics(self, vector: Floats, like: Statistics) -> Statistics:
        """The statistics of which this is the vector, about the centres of others."""
        k, size = len(like.resp_sum), like.resp_x.size
        x, xx = vector[k : k + size], vector[k + size :]
        return replace(
            like,
            resp_sum=vector[:k],
            resp_x=x.reshape(like.resp_x.shape) * self._scale,
            resp_xx=xx.reshape(like.resp_xx.shape) * like.shape.units(self._scale),
        )


def _length(r: Floats, v: Floats) -> float:
    """|r| / |v|."""
    unit = max(float(np.abs(r).max()), TINY)  # so that no square leaves a float's range
    # Python's floats: where v is zero, the quotient is inf without a warning.
    square = float(np.square(r / unit).sum()) / max(float(np.square(v / unit).sum()), TINY)
    return math.sqrt(square)


def _extrapolated(seen: tuple[Statistics, ...], length: float) -> dict[str, Any]:
    """The further sums of three statistics, extrapolated like the others."""
    s0, s1, s2 = (each.extras for each in seen)
    return {
        name: s0[name]
        + length * (2.0 * (s1[name] - s0[name]) + length * (s2[name] - 2.0 * s1[name] + s0[name]))
        for name in s2
    }
