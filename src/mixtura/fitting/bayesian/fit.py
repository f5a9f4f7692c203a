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

    Components that the rows do not need lose their rows. So `n_components` is the most that there
    may be. :doc:`/manual/bayesian_prior` says what the prior does.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), or RowSource
        The rows, as for `fit_gmm`.
    n_components : int
        Number of components, those that end without rows included.
    covariance_type : str
        "full", "tied", "diag" or "spherical", or the same as "VVV", "EEE", "VVI" or "VII".
    weight_prior : {"dirichlet", "stick-breaking"}
        The law of the weights: Dirichlet [1]_, or a truncated Dirichlet process [2]_.
    concentration : float, optional
        Of the law of the weights; the smaller, the fewer components keep rows. None is
        ``1 / n_components``.
    mean : array_like of shape (n_features,), optional
        Expected mean of each component. None is the mean of the rows.
    mean_precision : float, optional
        Number of rows that `mean` counts for. None is 0.01.
    degrees_of_freedom : float, optional
        Number of rows that `covariance` counts for: above ``n_features - 1`` for "full" and "tied",
        above 0 for "diag" and "spherical". None is 3 more than this limit.
    covariance : array_like, optional
        Prior scatter, in squared units of the features: (n_features, n_features) for "full" and
        "tied", (n_features,) for "diag", a number for "spherical". None is the variance of each
        feature divided by ``10**(2 / n_features)``.
    columns, sample_weight, labels, groups : optional
        As for `fit_gmm`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. Credible intervals are then too narrow: see
        :doc:`/manual/posterior`.
    init : str, array_like, GaussianMixture, KMeansFit, HierarchicalTree or callable
        Where the fit starts, as for `fit_gmm`.
    n_init : int
        Number of automatic starts; that of the largest bound counts.
    tol : float, nats per row
        Stop when the predicted remaining gain of the bound is at most this. 0 never stops early.
    max_iter : int
        Largest number of iterations.
    accelerate : bool
        Extrapolate where iterations are slow.
    em : {"soft", "memoised"}
        An update after each pass over all rows, or after each block of them [3]_.
    moves : bool
        Try to merge and to delete components, and keep what raises the bound: iterations alone
        rarely remove any. With ``tol=0`` or ``em="memoised"`` there are no moves.
    missing : {"raise", "em"}
        What NaN in `X` is: an error, or a number missing at random. Credible intervals are then too
        narrow.
    rng, n_threads, backend, callback, checkpoint, checkpoint_every, verbose : optional
        As for `fit_gmm`.

    Returns
    -------
    BayesianGMMFit
        Components are in the order that `fit_gmm` gives them.

    Raises
    ------
    ValueError, TypeError
        For values that cannot be used, before any work is done.
    OSError, MemoryError, FitInterrupted
        As `fit_gmm`.

    Warns
    -----
    ConvergenceWarning, CheckpointWarning, UnobservedPairsWarning
        As `fit_gmm`.

    Notes
    -----
    An iteration costs what one of `fit_gmm` does, and O(k d^3) for the laws. At least
    `n_components` rows are needed; one is enough if `init` is a mixture or a fit.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning",
       2006, section 10.2.
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
