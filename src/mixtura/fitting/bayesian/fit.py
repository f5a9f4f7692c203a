"""fit_bayesian_gmm: check the arguments, fit by variational Bayes, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from mixtura.conjugate import WeightPrior
from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import check_count, check_flag, check_number, check_option
from mixtura.data.missing import Missing
from mixtura.fitting.bayesian.arguments import check_prior, conjugate_family
from mixtura.fitting.bayesian.report import report_posterior
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.call import Call
from mixtura.fitting.gmm import Init
from mixtura.fitting.pairs import warn_of_unobserved_pairs
from mixtura.fitting.progress import Verbose
from mixtura.fitting.settings import Settings
from mixtura.passes.backend import BackendName
from mixtura.schedules import State

__all__ = ["fit_bayesian_gmm"]


def fit_bayesian_gmm(
    X: AnyRows,
    n_components: int,
    *,
    covariance_type: str = "full",
    weight_prior: WeightPrior = "dirichlet",
    concentration: float | None = None,
    mean: ArrayLike | None = None,
    mean_precision: float | None = None,
    degrees_of_freedom: float | None = None,
    covariance: ArrayLike | None = None,
    columns: Sequence[str | int] | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    init: Init | Literal["labels"] = "mixed",
    n_init: int = 10,
    tol: float = 1e-6,
    max_iter: int = 1000,
    accelerate: bool = True,
    em: Literal["soft", "memoised"] = "soft",
    moves: bool = True,
    missing: Missing = "raise",
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    backend: BackendName = "compiled",
    callback: Callable[[State], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
    verbose: Verbose = None,
) -> BayesianGMMFit:
    """Find the posterior of a Gaussian mixture by variational Bayes.

    Components that the rows do not need lose their rows, so `n_components` is the most that there
    may be. :doc:`/manual/bayesian` tells what the prior does and how its defaults were chosen.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), or RowSource
        The rows, as for `fit_gmm`.
    n_components : int
        Number of components, those that end without rows included.
    covariance_type : str
        "full", "tied", "diag" or "spherical", or what is the same: "VVV", "EEE", "VVI" or "VII";
        "V" or "E" for one column.
    weight_prior : {"dirichlet", "stick-breaking"}
        The law of the weights: a symmetric Dirichlet law; or a truncated Dirichlet process, whose
        component j takes a share of what those before it leave.
    concentration : float, optional
        Of the Dirichlet law for each component, or of the Beta(1, concentration) law of shares. The
        smaller it is, the fewer components keep rows. None is ``1 / n_components``.
    mean : array_like of shape (n_features,), optional
        Expected mean of each component. None is the mean of the rows.
    mean_precision : float, optional
        Number of rows that `mean` counts for, in units of a component's precision. None is 0.01.
    degrees_of_freedom : float, optional
        Of the law of precisions: the number of rows that `covariance` counts for. Above
        ``n_features - 1`` for "full" and "tied", above 0 for "diag" and "spherical". None is 3 more
        than this limit.
    covariance : array_like, optional
        Prior scatter, in squared units of the features; with the default `degrees_of_freedom`, the
        expected covariance of a component. Of shape (n_features, n_features) for "full" and "tied",
        (n_features,) for "diag", a number for "spherical". None is the variance of each feature, or
        for "spherical" their mean, divided by ``10**(2 / n_features)``, whatever `n_components` is.
    columns : list of str or int, optional
        As for `fit_gmm`.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    labels, groups : array_like, optional
        What is known of the component of each row, as for `fit_gmm`.
    noise_covariance, projection : array_like, optional
        Of the noise of each row, as for `fit_gmm`. A noisy row counts as a whole one, so credible
        intervals are too narrow: see :doc:`/manual/posterior`.
    init : str, array_like, GaussianMixture, KMeansFit, HierarchicalTree or callable
        As for `fit_gmm`. A fit, a stream or a posterior stands for the mixture that is its `model`.
    n_init : int
        Automatic starts that are tried; that of the largest bound is run to convergence.
    tol : float, nats per row
        Stop when the predicted remaining gain of the bound is no more than this. 0 never stops
        early.
    max_iter : int
        Most iterations.
    accelerate : bool
        Extrapolate where iterations are slow, as in `fit_gmm`.
    em : {"soft", "memoised"}
        "soft" has an update after each pass over all rows. "memoised" has one after each block of
        them, as for `fit_gmm` [3]_.
    moves : bool
        Try at times to merge two components and to delete one, and keep what raises the bound. So
        components that the rows do not need lose their rows, which iterations alone hardly ever
        achieve. With ``tol=0`` or ``em="memoised"`` there are no moves, and spare components stay;
        after "memoised", fit once more with ``init=fit``.
    missing : {"raise", "em"}
        What NaN in `X` is, as for `fit_gmm`: an error, or with "em" a number that is missing at
        random. Then the bound is on the evidence of the observed numbers. A row counts as a whole
        one, whatever is missing, so credible intervals are too narrow: :doc:`/manual/posterior`.
    rng : int, Generator or None
        Source of random numbers for automatic starts; None for fresh entropy.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.
    backend : {"compiled", "reference"}
        The compiled kernels, or plain NumPy for comparison.
    callback : callable, optional
        Called with a `State` after each iteration; a true result stops the fit. Its parameters are
        expected means, inverses of expected precisions and the shares of the rows as weights.
    checkpoint : str or path-like, optional
        File that keeps the state of the fit, as for `fit_gmm`.
    checkpoint_every : float, seconds
        Least time between two savings of it.
    verbose : bool, "bar" or None
        As for `fit_gmm`.

    Returns
    -------
    BayesianGMMFit
        From an automatic start, the heaviest component comes first. From any other start,
        components keep its order, and with `labels` theirs.

    Raises
    ------
    ValueError
        For values that cannot be used, before any work is done; for a column without any number;
        for a `mean` more than a million standard deviations from the rows.
    TypeError
        For arguments of the wrong kind; for a lambda, a local function or a callable object as
        `init` together with `checkpoint`.
    OSError
        When `checkpoint` cannot be read, or not be written at the start.
    MemoryError
        For full or tied covariances that need more memory than the machine has, before any work.
    FitInterrupted
        On Ctrl-C, with the fit so far; a KeyboardInterrupt.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` ends the fit and `tol` is not 0.
    CheckpointWarning
        When `checkpoint` cannot be written during the fit, as on a full disk; once a fit.
    UnobservedPairsWarning
        When two features are never observed together and a family has their covariance.

    Notes
    -----
    An iteration costs what one of `fit_gmm` does, and O(k d^3) for the laws. Any number of rows
    will do that is no smaller than `n_components`, and from a mixture or a fit as `init` one row;
    there is no ridge, as the prior keeps covariances from collapsing.

    The prior: the precision of a component, the inverse of its covariance, has a Wishart law with
    `degrees_of_freedom` and the scale ``inv(covariance)``; for "diag" and "spherical" each variance
    has an inverse gamma law with the shape ``degrees_of_freedom / 2`` and the scale
    ``covariance / 2``. Given the precision, the mean is normal about `mean` with `mean_precision`
    times the precision [1]_. Sticks are those of [2]_. The last one has a share of its own, too, so
    that sticks keep some probability for no component.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 10.2.
    .. [2] D. M. Blei, M. I. Jordan, "Variational inference for Dirichlet process mixtures",
       Bayesian Analysis 1, 121-144, 2006.
    .. [3] M. C. Hughes, E. B. Sudderth, "Memoized online variational inference for Dirichlet
       process mixture models", NIPS 2013.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_bayesian_gmm(X, 6, rng=0)
    >>> fit.n_effective, fit.model.means[:2].round(1).tolist()
    (2, [[4.3, 80.0], [2.0, 54.5]])
    """
    call = Call.checked(
        X, n_components, columns=columns, sample_weight=sample_weight, labels=labels,
        groups=groups, noise_covariance=noise_covariance, projection=projection, init=init,
        missing=missing, rng=rng, n_threads=n_threads, backend=backend, callback=callback,
        checkpoint=checkpoint, checkpoint_every=checkpoint_every, verbose=verbose, has_prior=True,
    )  # fmt: skip
    d = call.source.n_features
    family = conjugate_family(covariance_type, d)
    estimate = check_prior(
        family, d, call.backend.algebra, weight_prior=weight_prior, concentration=concentration,
        mean=mean, mean_precision=mean_precision, degrees_of_freedom=degrees_of_freedom,
        covariance=covariance,
    )  # fmt: skip
    settings = Settings(
        n_init=check_count("n_init", n_init),
        reg_covar=0.0,
        tol=check_number("tol", tol),
        max_iter=check_count("max_iter", max_iter),
        accelerate=check_flag("accelerate", accelerate),
        em=check_option("em", em, ("soft", "memoised")),
        avoid_spurious=False,
        moves=check_flag("moves", moves),
        estimate=estimate,
    )
    fit, survey = call.run(settings, covariance_type, report_posterior)
    warn_of_unobserved_pairs(survey, [covariance_type], stacklevel=2)
    return fit
