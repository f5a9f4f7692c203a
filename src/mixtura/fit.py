"""fit_gmm: check, go through the stages of a fit, report."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mixtura.checkpoint import Checkpoint
from mixtura.covariance import family_named
from mixtura.em import OnCollapse, Outcome, State
from mixtura.exceptions import ConvergenceWarning, FitInterrupted
from mixtura.mixture import GaussianMixture
from mixtura.passes import moments
from mixtura.progress import Progress, Verbose, new_progress
from mixtura.result import GMMFit
from mixtura.separation import assignment_entropy
from mixtura.stages import Fitting, Problem
from mixtura.starts import Start, StartInterrupted, check_init
from mixtura.statistics import Floats
from mixtura.table import counted
from mixtura.tabular import Names
from mixtura.validation import (
    Rows,
    check_count,
    check_n_threads,
    check_named_rows,
    check_number,
    check_option,
    check_rng,
    check_sample_weight,
    contiguous,
)

__all__ = ["fit_gmm"]

Init = Start | ArrayLike | GaussianMixture | Callable[..., Any]


def fit_gmm(
    X: ArrayLike,
    n_components: int,
    *,
    covariance_type: str = "full",
    sample_weight: ArrayLike | None = None,
    init: Init = "kmeans",
    n_init: int = 10,
    reg_covar: float | ArrayLike = 1e-6,
    tol: float = 1e-6,
    max_iter: int = 1000,
    accelerate: bool = True,
    on_collapse: OnCollapse = "reseed",
    avoid_spurious: bool = True,
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    backend: Literal["compiled", "reference"] = "compiled",
    callback: Callable[[State], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
    verbose: Verbose = False,
) -> GMMFit:
    """Fit a Gaussian mixture by expectation-maximisation.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, finite: an array, a frame (pandas, polars, pyarrow), xarray, a tensor in the
        memory of the CPU. float32 and float64 of any strides are used where they are; other types
        and byte orders are converted. Columns that do not lie at equal distances in memory are
        copied once. The names of a frame's columns become the model's `feature_names`.
        Of float32 rows (10,000 or more, 8 features or more) tiles are worked on in single
        precision, in about half the time: the log-likelihood is then right to what rounding has
        already done to rows of the size of their spread. Convert to float64 to have it otherwise,
        as for clusters narrower than 1e-4 of the spread of all rows.
    n_components : int
        Number of Gaussian components.
    covariance_type : str
        How covariances are restricted: "full", "tied", "diag" or "spherical", or what is equal,
        varies or is the identity among components, in the letters of Celeux and Govaert: "EII",
        "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV" or
        "VVV"; "E" or "V" for one column. See `GaussianMixture`.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    init : str, array_like, GaussianMixture or callable
        "kmeans" (default), "kmeans++", "random" or "hierarchical" for automatic starts (see Notes);
        integer labels (n_samples,); responsibilities (n_samples, n_components); a mixture, from
        which EM starts exactly; or a callable ``(X, n_components, rng)`` that returns any of these.
    n_init : int
        Automatic starts that are tried briefly; the best goes on to convergence. Of hierarchical
        trees there are at most three, each in other coordinates.
    reg_covar : float or array_like of shape (n_features,)
        Ridge on the diagonal of each covariance. A number is relative to the variance of each
        feature, so that a fit does not depend on units; an array is absolute, in squared units.
        0 is none.
    tol : float, nats per unit of weight
        Stop when the predicted remaining gain of the objective is no more; the limit is then no
        more than about three times as far. 0 never stops early.
    max_iter : int
        Most iterations.
    accelerate : bool
        Leap ahead where iterations creep (see `mixtura.accelerate`). The objective never falls
        either way. Where `tol` is 0 there are no leaps: `max_iter` is then the number of plain
        iterations.
    on_collapse : {"reseed", "drop", "raise"}
        What to do with a component that loses all weight or whose covariance becomes singular:
        split the heaviest component instead (ten times; then it is dropped), go on without it,
        or raise.
    avoid_spurious : bool
        Keep components that sit on ties or on a handful of rows from winning by their boundless
        likelihood (see Notes); False lets the likelihood decide alone.
    rng : int, Generator or None
        Source of random numbers for automatic starts; None for fresh entropy.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.
    backend : {"compiled", "reference"}
        The compiled kernels, or plain NumPy for comparison.
    callback : callable, optional
        Called with a `State` after each iteration; a true result stops the fit.
    checkpoint : str or path-like, optional
        File that follows the fit: the same call goes on from there after the process was killed,
        and ends with the same bits (see Notes).
    checkpoint_every : float, seconds
        Least time between two savings of it.
    verbose : bool or "bar"
        Tell of starts, iterations and long passes on standard error, at most twice a second; "bar"
        for a tqdm bar in a notebook or a terminal.

    Returns
    -------
    GMMFit

    Raises
    ------
    ValueError
        For values that cannot be used, before any work is done.
    TypeError
        For arguments of the wrong kind.
    FitError
        When there are too few rows for the covariances and `reg_covar` is 0; when components
        collapse, under labels or responsibilities in `init` or later, and `on_collapse` does not
        help.
    FitInterrupted
        On Ctrl-C, with the fit so far; a KeyboardInterrupt. During the starts, `fit` is the best of
        the brief runs, and its history that of their sample.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` ends the fit and `tol` is not 0.

    Notes
    -----
    One iteration costs about n k d (d + 1) multiply-adds for "full" and n k exponentials; memory
    beyond the data is O(k d^2) for each of a few dozen partial sums, whatever n. A fit of "VVE"
    from labels or responsibilities, once converged, is tried again by way of axes for components of
    equal volume, and the better end is kept.

    Automatic starts look at a sample of rows: 20 for each component and feature, or more where a
    pass over more costs little (18,000 of one feature and one component, 3800 of two and four). Up
    to there, a row of weight two and two equal rows begin alike. Hierarchical trees
    (see `mixtura.hierarchical`) are made of no more than 2000, of fewer with more than 19 features.

    A `checkpoint` is begun before the start and holds the seed, so that with ``rng=None``, too, a
    fit that was killed during its start begins again alike; a Generator has to be in the state that
    it was in. Later it holds all that the next iteration depends on: O(k d^2) numbers and, with 48
    components or more, about n (8 + k / 16) bytes that passes carry forward. It refuses rows or
    options other than those that it was begun with, but for `max_iter`, `n_threads`, `callback`
    and `verbose`.
    It is removed when the fit ends, not when it is interrupted. Between versions of mixtura and
    instruction sets, results agree to rounding.

    A component is spurious where in some direction its variance is less than 1e-4 of the average
    variance within components [1]_, or than a hundredth of what rounding to the grid of the data
    leaves [2]_: a square of the smallest step in a feature, over twelve. Of automatic starts, those
    that lead to fewer spurious components are preferred. If there are some in the end all the same,
    and `reg_covar` is not 0, the fit is begun again with each row spread over its cell of the grid:
    with that variance as ridge, where it is larger. A fit without spurious components is as it
    would be, and so is one from a start of your own; `events` names what was found.

    References
    ----------
    .. [1] R. J. Hathaway, "A constrained formulation of maximum-likelihood estimation for normal
       mixture distributions", The Annals of Statistics 13, 795-800, 1985.
    .. [2] D. F. Heitjan, "Inference from grouped continuous data: a review", Statistical Science 4,
       164-179, 1989.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, reg_covar=0, rng=0)
    >>> round(fit.log_likelihood, 4), fit.converged
    (-1130.264, True)
    """
    n_components = check_count("n_components", n_components)
    n_init = check_count("n_init", n_init)
    max_iter = check_count("max_iter", max_iter)
    tol = check_number("tol", tol)
    on_collapse = check_option("on_collapse", on_collapse, ("reseed", "drop", "raise"))
    backend = check_option("backend", backend, ("compiled", "reference"))
    n_threads = check_n_threads(n_threads)
    generator = check_rng(rng)
    if isinstance(verbose, str):
        check_option("verbose", verbose, ("bar",))
    checkpoint_every = check_number("checkpoint_every", checkpoint_every)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None; got {callback!r}. Pass a function.")
    given_names = init.feature_names if isinstance(init, GaussianMixture) else None
    X, feature_names = check_named_rows(X, minimum=n_components, feature_names=given_names)
    family = family_named(covariance_type, X.shape[1])
    weight: Floats | None = None
    if sample_weight is not None:
        weight = check_sample_weight(sample_weight, len(X), minimum_rows=n_components)
    ridge = _check_reg_covar(reg_covar, X.shape[1])
    checked = partial(
        check_init, shape=X.shape, sample_weight=weight, n_components=n_components, family=family,
    )  # fmt: skip
    begin = None if callable(init) else checked(init)
    problem = Problem(
        X, weight, n_components, init if begin is None else begin, n_init, covariance_type, ridge,
        tol, on_collapse, avoid_spurious, accelerate, backend, None if rng is None else generator,
    )  # fmt: skip
    follower: Checkpoint | None = None
    if checkpoint is not None:
        decisive = vars(problem) | {"covariance_type": family.name}
        follower = Checkpoint(checkpoint, checkpoint_every, decisive)
        if rng is None:
            generator = check_rng(follower.seed)
    if begin is None:
        begin = checked(_returned(init, X, n_components, generator))

    progress = new_progress(verbose)
    try:
        fitting = Fitting(
            problem, begin, generator, max_iter=max_iter,
            n_threads=n_threads, progress=progress, callback=callback, checkpoint=follower,
        )  # fmt: skip
        outcome = fitting.run()
    except StartInterrupted as interrupted:
        outcome = interrupted.outcome
    except KeyboardInterrupt:
        raise FitInterrupted(None) from None
    finally:
        if progress is not None:
            progress.close()
    fit = _report(outcome, fitting, feature_names, progress)
    if follower is not None:
        follower.remove()
    return fit


def _returned(init: Any, X: Rows, n_components: int, rng: np.random.Generator) -> Any:
    """What a callable `init` returns, if it is not callable again."""
    rows_to_see = X.view()
    rows_to_see.flags.writeable = False
    returned = init(rows_to_see, n_components, rng)
    if not callable(returned):
        return returned
    raise TypeError(
        f"init must return labels, responsibilities, a GaussianMixture or the name of a method; "
        f"it returned {returned!r}, which is callable again. Return what that returns."
    )


def _check_reg_covar(reg_covar: float | ArrayLike, n_features: int) -> float | Floats:
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


def absolute_ridge(
    reg_covar: float | ArrayLike, X: Rows, weight: Floats | None, n_threads: int | None
) -> Floats:
    """`reg_covar`, checked, in squared units of the features."""
    ridge = _check_reg_covar(reg_covar, X.shape[1])
    if not isinstance(ridge, float):
        return ridge
    variance = moments(X, weight, n_threads)[1]
    return ridge * np.where(variance > 0.0, variance, 1.0)


def _report(
    outcome: Outcome, fitting: Fitting, feature_names: Names | None, progress: Progress | None
) -> GMMFit:
    """What the user gets."""
    if not outcome.history:
        raise FitInterrupted(None)
    problem = fitting.problem
    log_likelihood, entropy = _measured(outcome, fitting)
    fit = GMMFit(
        GaussianMixture._from_fit(problem.covariance_type, *outcome.parameters, feature_names),
        log_likelihood,
        np.array(outcome.history),
        len(outcome.history),
        outcome.stop_reason == "converged",
        outcome.stop_reason,
        tuple(outcome.events),
        problem.n_rows,
        problem.weight_sum,
        entropy,
    )
    if progress is not None:
        progress.write(f"{fit.stop_reason} after {counted(fit.n_iter, 'iteration')}")
    if fit.stop_reason == "interrupted":
        raise FitInterrupted(fit)
    if fit.stop_reason == "max_iter" and problem.tol > 0.0:
        warnings.warn(
            f"the fit used up its {counted(fit.n_iter, 'iteration')} before the predicted "
            f"remaining gain fell to tol={problem.tol:g}. Raise max_iter, or tol.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return fit


def _measured(outcome: Outcome, fitting: Fitting) -> tuple[float, float]:
    """Log-likelihood and entropy; with a ridge, one more pass finds the log-likelihood itself."""
    parameters, statistics = outcome.parameters, outcome.statistics
    log_likelihood = math.nan
    if fitting.rule.ridge is None:
        log_likelihood = outcome.objective * fitting.problem.weight_sum
    elif outcome.stop_reason != "interrupted":
        try:
            statistics = fitting.rows.accumulate(parameters)
            log_likelihood = statistics.log_likelihood
        except KeyboardInterrupt:
            outcome.stop_reason = "interrupted"
    if statistics is None or outcome.stop_reason == "interrupted":
        return log_likelihood, math.nan
    return log_likelihood, assignment_entropy(
        statistics, parameters.weights, parameters.precisions_cholesky
    )
