"""What goes wrong with a fit, by name, and where warnings say that it does."""

from __future__ import annotations

import sys
from typing import Any

__all__ = [
    "CheckpointWarning",
    "CoarseColumnsWarning",
    "ConvergenceWarning",
    "EmptyFeatureWarning",
    "FitError",
    "FitInterrupted",
    "IgnoredClassesWarning",
    "RowsChangedError",
    "SelectionInterrupted",
    "SingularScaleWarning",
    "UnobservedPairsWarning",
    "WeightsWarning",
    "levels_inside",
]


def levels_inside() -> int:
    """Return the stacklevel, for the function that asks, of the nearest line of the user's."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("mixtura."):
        level, frame = level + 1, frame.f_back
    return level


class FitError(RuntimeError):
    """A fit that cannot continue: the message names component, iteration, cause and remedy."""


class RowsChangedError(RuntimeError):
    """Rows that are read several times are not those that were read before."""


class FitInterrupted(KeyboardInterrupt):
    """Ctrl-C during a fit; nothing that was done is lost.

    Attributes
    ----------
    fit : GMMFit, KMeansFit or None
        The fit as it stood at the end of the last finished iteration, not converged; None when no
        iteration was finished.
    """

    def __init__(self, fit: Any) -> None:
        done = "before its first iteration was done" if fit is None else "`fit` holds what was done"
        super().__init__(f"the fit was interrupted; {done}")
        self.fit = fit


class SelectionInterrupted(KeyboardInterrupt):
    """Ctrl-C during a selection; nothing that was done is lost.

    Attributes
    ----------
    selection : GMMSelection
        What was fitted; the other entries of its table are NaN, with the reason "interrupted".
    """

    def __init__(self, selection: Any) -> None:
        super().__init__("the selection was interrupted; `selection` holds what was done")
        self.selection = selection


class CoarseColumnsWarning(UserWarning):
    """A fit has spread the rows over cells in columns of so few values that it matters."""


class ConvergenceWarning(UserWarning):
    """A fit used up `max_iter` before its predicted remaining gain fell to `tol`.

    Or k-means ended with fewer clusters than it was asked for.
    """


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written, as on a full disk; the fit continues without."""


class EmptyFeatureWarning(UserWarning):
    """A feature without any observed value is left out by an imputer."""


class IgnoredClassesWarning(UserWarning):
    """Classes of some rows are ignored, as unknown ones are not marked by -1."""


class SingularScaleWarning(UserWarning):
    """The default scale of a prior is singular but for the ridge: too few rows have set it."""


class UnobservedPairsWarning(UserWarning):
    """Features are never observed together, so that nothing determines their covariance."""


class WeightsWarning(UserWarning):
    """Weights sum to far less than the number of rows, where a criterion counts them as rows.

    Or counts of bins look like shares or densities.
    """
