"""What goes wrong with a fit, by name."""

from __future__ import annotations

from typing import Any

__all__ = [
    "CheckpointWarning",
    "CoarseColumnsWarning",
    "ConvergenceWarning",
    "EmptyFeatureWarning",
    "FitError",
    "FitInterrupted",
    "SelectionInterrupted",
    "UnobservedPairsWarning",
    "WeightsWarning",
]


class FitError(RuntimeError):
    """A fit that cannot continue: the message names component, iteration, cause and remedy."""


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


class UnobservedPairsWarning(UserWarning):
    """Features are never observed together, so that nothing determines their covariance."""


class WeightsWarning(UserWarning):
    """Weights sum to far less than the number of rows, where a criterion counts them as rows."""
