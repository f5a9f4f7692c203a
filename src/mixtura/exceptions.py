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
    """A fit that cannot continue: the message names component, iteration, cause and remedy.

    Examples
    --------
    >>> import mixtura
    >>> mixtura.fit_gmm([[0.0], [1.0], [9.0]], 2, reg_covar=0)
    Traceback (most recent call last):
    mixtura.exceptions.FitError: covariance_type 'full' cannot be estimated: ...
    """


class RowsChangedError(RuntimeError):
    """Rows that are read several times are not those that were read before.

    Examples
    --------
    >>> import numpy as np, mixtura
    >>> rng = np.random.default_rng(0)
    >>> rows = mixtura.scan(lambda: iter([rng.normal(size=(50, 2))]))  # others in each pass
    >>> mixtura.fit_gmm(rows, 1)
    Traceback (most recent call last):
    mixtura.exceptions.RowsChangedError: the blocks of <lambda> must have the same rows, ...
    """


class FitInterrupted(KeyboardInterrupt):
    """Ctrl-C during a fit; nothing that was done is lost.

    Attributes
    ----------
    fit : GMMFit, KMeansFit or None
        The fit at the end of the last finished iteration, not converged; None when no iteration was
        finished.

    Examples
    --------
    >>> import mixtura
    >>> def interrupt(state):  # as Ctrl-C does
    ...     raise KeyboardInterrupt
    >>> X = mixtura.datasets.load_faithful().data
    >>> try:
    ...     mixtura.fit_gmm(X, 2, callback=interrupt, rng=0)
    ... except mixtura.FitInterrupted as interrupted:
    ...     print(interrupted.fit.stop_reason, interrupted.fit.n_iter)
    interrupted 1
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

    Examples
    --------
    >>> import mixtura
    >>> def interrupt(model, X, sample_weight):  # as Ctrl-C does
    ...     raise KeyboardInterrupt
    >>> X = mixtura.datasets.load_acidity().data
    >>> try:
    ...     mixtura.select_gmm(X, 1, criterion=interrupt)
    ... except mixtura.SelectionInterrupted as interrupted:
    ...     print(interrupted.selection.table)
    [[nan nan]]
    """

    def __init__(self, selection: Any) -> None:
        super().__init__("the selection was interrupted; `selection` holds what was done")
        self.selection = selection


class CoarseColumnsWarning(UserWarning):
    """A fit has spread the rows over cells in columns of so few values that it matters.

    Drop such columns, or fit the rows of each value by themselves: see :doc:`/manual/collapse`.

    Examples
    --------
    >>> import warnings, numpy as np, mixtura
    >>> X = np.repeat([[0.0, 1.0], [1.0, 2.0], [1.0, 3.0]], 20, axis=0)
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     fit = mixtura.fit_gmm(X, 2, rng=0)
    >>> print(caught[0].message)
    column 0 has so few values that each row was spread over a cell between two of them: ...
    """


class ConvergenceWarning(UserWarning):
    """A fit used up `max_iter` before its predicted remaining gain fell to `tol`.

    Or k-means ended with fewer clusters than it was asked for.

    Examples
    --------
    >>> import warnings, mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     fit = mixtura.fit_gmm(X, 2, max_iter=1, rng=0)
    >>> print(caught[0].message)
    the fit used up its 1 iteration before the predicted remaining gain fell to tol=1e-06. ...
    """


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written, as on a full disk; the fit continues without.

    Examples
    --------
    >>> import shutil, tempfile, warnings, mixtura
    >>> folder = tempfile.mkdtemp()
    >>> def lose_folder(state):
    ...     shutil.rmtree(folder, ignore_errors=True)
    >>> X = mixtura.datasets.load_faithful().data
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     fit = mixtura.fit_gmm(
    ...         X, 2, rng=0, callback=lose_folder, checkpoint=f"{folder}/fit", checkpoint_every=0
    ...     )
    >>> caught[0].category.__name__, fit.converged
    ('CheckpointWarning', True)
    """


class EmptyFeatureWarning(UserWarning):
    """A feature without any observed value is left out by an imputer.

    Examples
    --------
    >>> import warnings
    >>> from mixtura.sklearn import MixtureImputer
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     filled = MixtureImputer().fit_transform([[0.0, float("nan")], [1.0, float("nan")]])
    >>> print(caught[0].message)
    features [1] had no value in fit, and are left out. Drop them, or use keep_empty_features=True.
    """


class IgnoredClassesWarning(UserWarning):
    """Classes of some rows are ignored, as unknown ones are not marked by -1.

    Examples
    --------
    >>> import warnings
    >>> from mixtura.sklearn import GaussianMixture
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     model = GaussianMixture().fit([[0.0], [1.0], [9.0]], [0.0, None, 1.0])
    >>> print(caught[0].message)
    y must be -1 where the class of a row is not known; it is ignored, as row 1 is None ...
    """


class SingularScaleWarning(UserWarning):
    """The default scale of a prior is singular but for the ridge: too few rows have set it.

    Pass a `scale` of your own: see :doc:`/manual/priors`.

    Examples
    --------
    >>> import warnings, mixtura
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     fit = mixtura.fit_gmm([[0.0, 1.0], [1.0, 3.0]], 1, prior="default")
    >>> print(caught[0].message)
    scale must be given where rows are no more than features: ...
    """


class UnobservedPairsWarning(UserWarning):
    """Features are never observed together, so that nothing determines their covariance.

    Examples
    --------
    >>> import warnings, mixtura
    >>> X = mixtura.datasets.load_faithful().data.copy()
    >>> X[::2, 0] = X[1::2, 1] = float("nan")
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     fit = mixtura.fit_gmm(X, 1, missing="em", rng=0)
    >>> print(caught[0].message)
    features 0 and 1 are never observed together: ...
    """


class WeightsWarning(UserWarning):
    """Weights sum to far less than the number of rows, where a criterion counts them as rows.

    Or counts of bins look like shares or densities. See :doc:`/manual/selection`.

    Examples
    --------
    >>> import warnings, mixtura
    >>> mixture = mixtura.GaussianMixture([1], [[0]], [1], "spherical")
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     bic = mixture.bic([[0.0], [1.0]], sample_weight=[0.2, 0.3])
    >>> print(caught[0].message)
    the weights of the 2 rows sum to 0.5, and bic, aic, icl and elbo count weights as rows: ...
    """
