"""An accelerated schedule: plain iterations point the way, and after every second one EM leaps.

Where components overlap EM creeps: each iteration goes a small part of the way that is left.
Two iterations in a row tell the direction and how fast it changes, and SQUAREM [1]_ goes on from
there. What is extrapolated are the statistics, whatever parameters follow from them: weighted sums
about common centres are linear in the rows, so they keep their total weight, and whether
any rows could have them is easily told. A leap that ends lower than where it began, or
nowhere, is not taken.

.. [1] R. Varadhan, C. Roland, "Simple and globally convergent methods for accelerating the
   convergence of any EM algorithm", Scand. J. Stat. 35, 335-353, 2008: scheme S3, equation (9).
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import numpy as np

from mixtura.statistics import Floats, Statistics
from mixtura.stopping import EPS, StoppingRule

__all__ = ["Leaps", "Squarem"]

TINY = float(np.finfo(np.float64).tiny)
PATIENCE = 10  # plain iterations before the first leap: most fits need none
FIRST_LENGTH = 4.0  # of the longest leap, in iterations
STRETCH = 4.0  # of the longest leap when one of that length is taken; its shrinking when refused
LEAST_LENGTH = 1.5  # of the longest leap


@dataclass
class Leaps:
    """Where a schedule of leaps is: all that the next one depends on."""

    plain: int = 0  # iterations seen
    seen: list[Statistics] = field(default_factory=list)  # since the last leap
    longest: float = FIRST_LENGTH
    length: float = 0.0  # of the last leap
    slowest: float = 0.0  # largest |r| / |v|
    gain: float = 0.0  # of the last plain iteration
    predicted_gain: float = math.inf


class Squarem(StoppingRule):
    """When to leap, where to, and when to stop.

    With the statistics s0, s1, s2 after three iterations, r = s1 - s0 and v = (s2 - s1) - r, a leap
    of length a leads to ``s0 + 2 a r + a^2 v``, which is s2 for a = 1. The length is |r| / |v|: as
    many iterations as a direction takes that shrinks at that rate. A bound on it grows and
    shrinks with success.

    Leaps spoil Aitken's extrapolation. After the first of them, what is left to gain is taken to be
    the gain of the last plain iteration times the largest |r| / |v| so far.

    Parameters
    ----------
    tol : float
        In units of the objective.
    rounding : float
        Relative error of an objective; a smaller gain is none.
    scale : ndarray of shape (n_features,)
        Standard deviations of the features, the units in which statistics are compared.
    leaps : Leaps
        Where to go on; kept up to date.
    """

    def __init__(self, tol: float, rounding: float, scale: Floats, leaps: Leaps) -> None:
        self._scale, self._leaps = scale, Leaps()
        super().__init__(tol, rounding)
        self._leaps = leaps

    def forget(self) -> None:
        super().forget()
        vars(self._leaps).update(vars(Leaps()))

    def replay(self, history: Sequence[float], disturbed: Container[int]) -> None:
        leaps, self._leaps = self._leaps, Leaps()
        super().replay(history, disturbed)
        self._leaps, self.predicted_gain = leaps, leaps.predicted_gain

    def reached(self, objective: float) -> bool:
        reached = super().reached(objective)
        self._leaps.predicted_gain = self.predicted_gain
        return reached

    def leap(self, statistics: Statistics, objective: float) -> Statistics | None:
        leaps = self._leaps
        if self._last:
            leaps.gain = objective - self._last[-1]
        leaps.plain += 1
        if leaps.plain <= PATIENCE:
            return None
        leaps.seen.append(statistics)
        if len(leaps.seen) < 3:
            return None
        s0, s1, s2 = (self._flat(s.recentred(statistics.centres)) for s in leaps.seen)
        leaps.seen = [statistics]
        r, v = s1 - s0, s2 - 2.0 * s1 + s0
        slowness = math.sqrt(float(r @ r) / max(float(v @ v), TINY))
        leaps.slowest = max(leaps.slowest, slowness)
        leaps.length = a = min(slowness, leaps.longest)
        if a <= 1.0:
            return None
        ahead = self._unflat(s0 + 2.0 * a * r + a * a * v, statistics)
        if self._possible(ahead):
            return ahead
        self.refused()
        return None

    def landed(self, statistics: Statistics) -> None:
        leaps = self._leaps
        leaps.seen = [statistics]
        if leaps.length == leaps.longest:
            leaps.longest *= STRETCH

    def refused(self) -> None:
        self._leaps.longest = max(self._leaps.length / STRETCH, LEAST_LENGTH)

    def _predict(self) -> float:
        leaps, aitken = self._leaps, super()._predict()
        if leaps.slowest == 0.0 or aitken == 0.0:
            return aitken
        return leaps.gain * leaps.slowest if leaps.gain > 0.0 else np.inf

    def _possible(self, statistics: Statistics) -> bool:
        """Whether rows could have these sums, with some scatter in every direction."""
        if not (statistics.resp_sum > 0.0).all():
            return False
        scatter = statistics.centred().resp_xx / self._units(statistics)[1]
        if statistics.covariance_type in ("diag", "spherical"):
            return bool((scatter > 0.0).all())
        variances = np.linalg.eigvalsh(scatter)
        return bool((variances[..., 0] > EPS * variances[..., -1]).all())

    def _units(self, statistics: Statistics) -> tuple[Floats | float, Floats | float]:
        """What the features' units make of `resp_x` and `resp_xx`."""
        squared = np.square(self._scale)
        if statistics.covariance_type == "diag":
            return self._scale, squared
        if statistics.covariance_type == "spherical":
            return self._scale, squared.sum()
        return self._scale, np.outer(self._scale, self._scale)

    def _flat(self, statistics: Statistics) -> Floats:
        """All sums as one vector without units."""
        of_x, of_xx = self._units(statistics)
        parts = statistics.resp_sum, statistics.resp_x / of_x, statistics.resp_xx / of_xx
        return np.concatenate([part.ravel() for part in parts])

    def _unflat(self, vector: Floats, like: Statistics) -> Statistics:
        """The statistics that a vector stands for, about the centres of `like`."""
        of_x, of_xx = self._units(like)
        k = len(like.resp_sum)
        x, xx = np.split(vector[k:], [like.resp_x.size])
        return Statistics(
            like.covariance_type,
            like.centres,
            vector[:k],
            x.reshape(like.resp_x.shape) * of_x,
            xx.reshape(like.resp_xx.shape) * of_xx,
            0.0,
            like.weight_sum,
        )
