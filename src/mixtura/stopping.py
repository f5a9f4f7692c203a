"""When iterations stop: by what is left to gain, not by what the last step brought."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np

from mixtura.statistics import Statistics

__all__ = ["StoppingRule"]

EPS = float(np.finfo(np.float64).eps)


class StoppingRule:
    """Stop when the objective's predicted limit is no more than `tol` away.

    EM converges linearly: with gains g1, g2 of the last two iterations and their ratio c = g2 / g1,
    what is left is g2 c / (1 - c) (Aitken's extrapolation [1]_). One large step makes any next one
    look like the end, and from a start near the limit the first steps shrink faster than all that
    follow. So two predictions in a row have to be within `tol`, and the first must have foreseen
    at least half of what was gained since and is predicted still.

    Parameters
    ----------
    tol : float
        In units of the objective. 0 never stops.
    rounding : float
        Relative error of an objective; a smaller gain is none.

    References
    ----------
    .. [1] D. Boehning et al., "The distribution of the likelihood ratio for mixtures of densities
       from the one-parameter exponential family", Ann. Inst. Stat. Math. 46, 373-388, 1994.
    """

    def __init__(self, tol: float, rounding: float = EPS) -> None:
        self.tol, self.rounding = tol, rounding
        self.forget()

    def forget(self) -> None:
        """Begin anew, after something else than an iteration has changed the parameters."""
        self._last: list[float] = []
        self.predicted_gain = np.inf

    def replay(self, history: Sequence[float], disturbed: Container[int]) -> None:
        """Come to where a rule is that has seen all of a history, disturbed at these iterations."""
        for iteration, objective in enumerate(history, start=1):
            if iteration in disturbed:
                self.forget()
            self.reached(objective)

    def reached(self, objective: float) -> bool:
        """Take the objective after one more iteration; is it time to stop?"""
        foreseen = self.predicted_gain
        self._last = [*self._last[-2:], objective]
        self.predicted_gain = self._predict()
        if self.predicted_gain == 0.0:
            return self.tol > 0.0
        if max(foreseen, self.predicted_gain) > self.tol:
            return False
        return self._last[-1] - self._last[-2] + self.predicted_gain <= 2.0 * foreseen

    def _predict(self) -> float:
        if len(self._last) < 2:
            return np.inf
        if not np.isfinite(self._last).all():
            return np.inf
        gain = self._last[-1] - self._last[-2]
        if abs(gain) <= 4.0 * self.rounding * max(1.0, abs(self._last[-1])):
            return 0.0  # below the rounding error of the objective itself
        if len(self._last) < 3:
            return np.inf
        before = self._last[-2] - self._last[-3]
        return gain * gain / (before - gain) if 0.0 < gain < before else np.inf

    def leap(self, statistics: Statistics, objective: float) -> Statistics | None:  # noqa: ARG002
        """Statistics to look ahead from after an iteration that led here; None for none."""
        return None

    def landed(self, statistics: Statistics) -> None:
        """A leap was taken, and these statistics were found at its end."""

    def refused(self) -> None:
        """A leap led lower, or nowhere."""
