"""What decides the result of a fit, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.fitting.estimates import MAXIMUM_LIKELIHOOD, Estimate
from mixtura.schedules import Annealed, Parting, Plain, Schedule, Squarem
from mixtura.shapes import Floats
from mixtura.updates import OnCollapse

__all__ = ["EM_KINDS", "EMKind", "Settings"]

EMKind = Literal["soft", "hard", "annealed", "memoised"]


class Kind(NamedTuple):
    """The pass and the schedule that a value of `em` stands for.

    Attributes
    ----------
    step : str
        The E-step.
    extrapolates : bool
        Whether iterations may be accelerated.
    around : callable or None
        From the schedule of ordinary iterations to one that begins in another way.
    by_blocks : bool
        Whether each block of the rows is followed by an update.
    """

    step: str
    extrapolates: bool = True
    around: Callable[[Schedule], Schedule] | None = None
    by_blocks: bool = False


EM_KINDS: dict[EMKind, Kind] = {
    "soft": Kind("soft"),
    "hard": Kind("hard", extrapolates=False),
    "annealed": Kind("soft", around=Annealed),
    "memoised": Kind("soft", extrapolates=False, by_blocks=True),
}


@dataclass(frozen=True, eq=False)
class Settings:
    """What decides the result of a fit, checked; many fits may share it."""

    n_init: int = 10
    reg_covar: float | Floats = 1e-6
    tol: float = 1e-6
    max_iter: int = 1000
    accelerate: bool = True
    em: EMKind = "soft"
    on_collapse: OnCollapse = "reseed"
    avoid_spurious: bool = True
    fixed: NDArray[np.bool_] | None = None
    estimate: Estimate = MAXIMUM_LIKELIHOOD
    moves: bool = False  # whether components are merged and deleted where the update can judge that

    @property
    def kind(self) -> Kind:
        """What `em` stands for."""
        return EM_KINDS[self.em]

    def schedule(self, tol: float, rounding: float, scale: Floats) -> Schedule:
        """Return the schedule of ordinary iterations that may leave `tol` to gain."""
        extrapolates = self.accelerate and tol > 0.0 and self.kind.extrapolates
        inner = Squarem(tol, rounding, scale) if extrapolates else Plain(tol, rounding)
        return Parting(inner, tol, rounding, scale) if tol > 0.0 else inner
