"""fit_gmm: check the arguments, fit, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.covariance import CovarianceFamily, family_named
from mixtura.data.any_rows import AnyRows, Numbers
from mixtura.data.checks import (
    check_count,
    check_fixed,
    check_flag,
    check_number,
    check_option,
    contiguous,
)
from mixtura.data.labels import RowLabels
from mixtura.data.missing import Missing
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.call import Call
from mixtura.fitting.coarse import warn_of_coarse_columns
from mixtura.fitting.estimates import PriorOption, estimate_under
from mixtura.fitting.kmeans_fit import KMeansFit
from mixtura.fitting.pairs import warn_of_unobserved_pairs
from mixtura.fitting.progress import Verbose
from mixtura.fitting.reports import report
from mixtura.fitting.result import GMMFit
from mixtura.fitting.settings import EM_KINDS, EMKind, Settings
from mixtura.fitting.stages import Begin
from mixtura.mixture import GaussianMixture
from mixtura.passes.backend import BackendName
from mixtura.schedules import State
from mixtura.shapes import Floats
from mixtura.starts import HierarchicalTree, Start
from mixtura.updates import OnCollapse

__all__ = ["check_reg_covar", "fit_gmm"]

FixedParts = str | Sequence[str] | ArrayLike | Mapping[str, bool | ArrayLike] | None
Fitted = GMMFit | BayesianGMMFit | KMeansFit
Init = Start | Numbers | GaussianMixture | Fitted | HierarchicalTree | Callable[..., Any]


def fit_gmm(
    X: AnyRows,
    n_components: int,
    *,
    covariance_type: str = "full",
    columns: Sequence[str | int] | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    init: Init | Literal["labels"] = "mixed",
    n_init: int = 10,
    reg_covar: float | ArrayLike = 1e-6,
    prior: PriorOption = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
    accelerate: bool = True,
    em: EMKind = "soft",
    on_collapse: OnCollapse = "reseed",
    avoid_spurious: bool = True,
    fixed: FixedParts = None,
    missing: Missing = "raise",
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    backend: BackendName = "compiled",
    callback: Callable[[State], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
    verbose: Verbose = None,
) -> GMMFit:
    """Fit a Gaussian mixture by expectation-maximisation (EM).

    :doc:`/manual/fitting` says what the arguments do, and why.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), or RowSource
        The rows: an array, a data frame, a Dask or Spark collection, or what `mixtura.scan`
        returns.
    n_components : int
        Number of Gaussian components.
    covariance_type : str
        "full", "tied", "diag" or "spherical"; or one of fourteen families, from "EII" to "VVV" ("E"
        or "V" for one column): see :doc:`/manual/families`.
    columns : list of str or int, optional
        Columns of X to use, by name or position, in this order. None is all of them.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    labels : array_like of shape (n_samples,) or (n_samples, n_components), optional
        The component of each row, -1 where it is not known; or a table of plausibilities [4]_. None
        is no labels. See :doc:`/manual/labels`.
    groups : array_like of shape (n_components,), int, optional
        The class of each component, from 0, where `labels` are classes. None is one for each.
    noise_covariance : array_like of shape (n_samples,), (n_samples, m) or (n_samples, m, m)
        Known variances or covariances of the noise of each row, squared units of X. The mixture is
        that of the rows without noise [5]_. None is no noise. See :doc:`/manual/noise`.
    projection : array_like of shape (n_samples, m, n_features), optional
        With `noise_covariance`: row i of X is ``projection[i] @ v + noise`` of a row v of the
        mixture. None is the identity.
    init : str, array_like, GaussianMixture, GMMFit, KMeansFit, HierarchicalTree or callable
        Where EM starts: "mixed", "kmeans", "kmeans++", "random" or "hierarchical" for automatic
        starts; "labels" for what `labels` says; labels (n_samples,), responsibilities (n_samples,
        n_components) or means (n_components, n_features); a mixture, a fit or a tree; or a callable
        ``(X, n_components, rng)`` that returns one of these.
    n_init : int
        Number of automatic starts; a larger one searches harder. See :doc:`/manual/starts`.
    reg_covar : float or array_like of shape (n_features,)
        Ridge on the diagonal of each covariance. A number is relative to the variance of each
        feature; an array is absolute, in squared units. 0 is none.
    prior : ConjugatePrior, TracePrior, "default" or None
        Prior of the parameters: the fit is that of largest posterior density [6]_. "default" is
        ``ConjugatePrior()``. None is no prior. See :doc:`/manual/priors`.
    tol : float, nats per row
        Stop when the predicted remaining gain of the objective is at most this. 0 never stops
        early.
    max_iter : int
        Largest number of iterations.
    accelerate : bool
        Extrapolate where iterations are slow. ``tol=0`` has plain iterations only.
    em : {"soft", "hard", "annealed", "memoised"}
        EM [1]_; classification EM, which gives each row to one component [2]_; deterministic
        annealing [3]_; or an update after each block of the rows [7]_.
    on_collapse : {"reseed", "drop", "raise"}
        What to do with a component that loses all weight or whose covariance becomes singular:
        split the heaviest component instead, continue without it, or raise.
    avoid_spurious : bool
        Avoid components that sit on equal values or on few rows.
    fixed : str, sequence of str, array_like of shape (n_components,), bool, or dict, optional
        What stays as it is in `init`, a mixture: "weights", "means", "covariances" or several of
        them; a mask of components; or a dict of masks. None estimates everything.
    missing : {"raise", "em"}
        What NaN in `X` is: an error, or a number missing at random. See :doc:`/manual/missing`.
    rng : int, Generator or None
        Seed or generator for automatic starts; None draws a new seed.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.
    backend : {"compiled", "reference"}
        The compiled kernels, or plain NumPy for comparison.
    callback : callable, optional
        Called with a `State` after each iteration; a true result stops the fit.
    checkpoint : str or path-like, optional
        File that keeps the state of the fit: after a kill, the same call continues from it.
    checkpoint_every : float, seconds
        Shortest time between two savings of it.
    verbose : bool, "bar" or None
        True writes lines of progress, "bar" shows a tqdm bar, False shows nothing. None shows
        progress on a terminal after two seconds.

    Returns
    -------
    GMMFit
        From an automatic start, the heaviest component comes first. From another start, components
        keep its order.

    Raises
    ------
    ValueError, TypeError
        For values that cannot be used, before any work is done.
    OSError
        When `checkpoint` cannot be read, or not be written at the start.
    FitError
        When there are too few rows, or components collapse and `on_collapse` does not help.
    MemoryError
        For covariances that need more memory than the machine has, before any work.
    FitInterrupted
        On Ctrl-C, with the fit so far; a KeyboardInterrupt.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` ends the fit and `tol` is not 0.
    CheckpointWarning
        When `checkpoint` cannot be written during the fit.
    CoarseColumnsWarning, SingularScaleWarning, UnobservedPairsWarning
        When the rows say too little about some parameters: each warning names the columns.

    Notes
    -----
    One iteration costs about n k d (d + 1) multiply-adds for "full", and n k exponentials. Memory
    beyond the data is O(k d^2), whatever n is.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via
       the EM algorithm", Journal of the Royal Statistical Society B 39, 1-38, 1977.
    .. [2] G. Celeux, G. Govaert, "A classification EM algorithm for clustering and two stochastic
       versions", Computational Statistics & Data Analysis 14, 315-332, 1992.
    .. [3] N. Ueda, R. Nakano, "Deterministic annealing EM algorithm", Neural Networks 11, 271-282,
       1998.
    .. [4] E. Come, L. Oukhellou, T. Denoeux, P. Aknin, "Learning from partially supervised data
       using mixture models and belief functions", Pattern Recognition 42, 334-348, 2009.
    .. [5] J. Bovy, D. W. Hogg, S. T. Roweis, "Extreme deconvolution", Annals of Applied Statistics
       5, 1657-1677, 2011.
    .. [6] C. Fraley, A. E. Raftery, "Bayesian regularization for normal mixture estimation and
       model-based clustering", Journal of Classification 24, 155-181, 2007.
    .. [7] R. M. Neal, G. E. Hinton, "A view of the EM algorithm that justifies incremental, sparse,
       and other variants", Learning in Graphical Models, 355-368, 1998.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, reg_covar=0, rng=0)
    >>> round(fit.log_likelihood, 4), fit.converged
    (-1130.264, True)
    """
    estimate = estimate_under(prior)
    call = Call.checked(
        X, n_components, columns=columns, sample_weight=sample_weight, labels=labels,
        groups=groups, noise_covariance=noise_covariance, projection=projection, init=init,
        missing=missing, rng=rng, n_threads=n_threads, backend=backend, callback=callback,
        checkpoint=checkpoint, checkpoint_every=checkpoint_every, verbose=verbose,
        has_prior=estimate.is_regular,
    )  # fmt: skip
    family = family_named(covariance_type, call.source.n_features)
    settings = Settings(
        n_init=check_count("n_init", n_init),
        reg_covar=check_reg_covar(reg_covar, call.source.n_features),
        tol=check_number("tol", tol),
        max_iter=check_count("max_iter", max_iter),
        accelerate=check_flag("accelerate", accelerate),
        em=check_option("em", em, tuple(EM_KINDS)),
        on_collapse=check_option("on_collapse", on_collapse, ("reseed", "drop", "raise")),
        avoid_spurious=check_flag("avoid_spurious", avoid_spurious),
        fixed=check_fixed(fixed, call.n_components),
        estimate=estimate,
    )
    fit, survey = call.run(
        settings,
        covariance_type,
        report,
        accept=lambda begin: _check_start_of_fixed(begin, settings.fixed, family, call.known),
    )
    warn_of_unobserved_pairs(survey, [covariance_type], stacklevel=2)
    warn_of_coarse_columns(survey, settings.reg_covar, [fit], stacklevel=2)
    return fit


def _check_start_of_fixed(
    begin: Begin,
    fixed: NDArray[np.bool_] | None,
    family: CovarianceFamily,
    known: RowLabels | None,
) -> None:
    """Refuse a start that has no values for what is fixed, and values that leave no room."""
    if fixed is None:
        return
    if not isinstance(begin, GaussianMixture):
        got = repr(begin) if isinstance(begin, str) else type(begin).__name__
        raise ValueError(
            f"init must be a mixture where parameters are fixed: they stay as it has them; got "
            f"{got}. Pass a GaussianMixture with the fixed values and a start for the others."
        )
    own = family_named(begin.covariance_type, begin.n_features)
    if own is not family:
        raise ValueError(
            f"init must be a mixture of covariance_type {family.name!r} where parameters are "
            f"fixed; got {own.name!r}. Fit with its covariance_type."
        )
    weights, _, covariances = fixed
    total = begin.weights[weights].sum()
    if not weights.all() and not total < 1.0:
        raise ValueError(
            f"fixed weights must leave something for the other components; those of init sum to "
            f"{total}. Start from smaller ones, or fix all of them."
        )
    if known is not None:
        possible = np.isfinite(known.prior) & ~(weights & (begin.weights == 0.0))
        lost = ~possible.any(axis=1)[known.code]
        if lost.any():
            raise ValueError(
                f"fixed weights must not be 0 for all components that labels allow a row; row "
                f"{int(np.argmax(lost))} has no other. Free the weight, or set the label to -1."
            )
    if family.is_shared and covariances.any() and not covariances.all():
        raise ValueError(
            f"fixed covariances must be those of all components for covariance_type "
            f"{family.name!r}, whose components share a part of them; got "
            f"{np.count_nonzero(covariances)} of {len(covariances)}. Fix all or none, or use "
            f'"full", "diag" or "spherical".'
        )


def check_reg_covar(reg_covar: float | ArrayLike, n_features: int) -> float | Floats:
    """A share of each feature's variance, or absolute variances."""
    if np.ndim(reg_covar) == 0:
        return check_number("reg_covar", reg_covar)
    ridge = contiguous(reg_covar, "reg_covar")
    if ridge.shape != (n_features,):
        raise ValueError(
            f"reg_covar must be a number or have shape {(n_features,)}, one for each feature; "
            f"got shape {ridge.shape}. Pass a number to regularise relative to the variances."
        )
    sound = np.isfinite(ridge) & (ridge >= 0.0)
    if not sound.all():
        a = int(np.argmin(sound))
        raise ValueError(
            f"reg_covar must be finite and non-negative; feature {a} has {ridge[a]}. "
            f"Use 0 for none."
        )
    return ridge
