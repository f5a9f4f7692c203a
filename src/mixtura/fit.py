"""fit_gmm: check, seed, iterate, report."""

from __future__ import annotations

import copy
import math
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.checkpoint import Checkpoint
from mixtura.covariance import family_named
from mixtura.em import Event, OnCollapse, Outcome, State, expectation_maximisation
from mixtura.exceptions import ConvergenceWarning, FitError, FitInterrupted
from mixtura.mixture import GaussianMixture
from mixtura.passes import CompiledPass, ReferencePass, RowsPass, moments, suits_single
from mixtura.progress import Progress, Verbose, new_progress
from mixtura.result import GMMFit
from mixtura.separation import assignment_entropy
from mixtura.spurious import Guard, rounding_variance
from mixtura.starts import Start, StartInterrupted, automatic_start, check_init, given_start
from mixtura.statistics import FactorShape, Floats
from mixtura.table import counted
from mixtura.tabular import Names
from mixtura.update import MaximumLikelihood
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
ROUNDING = 1e-9  # nats per unit of weight: ends that differ by less are the same


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
        already done to the rows. Convert to float64 to have it otherwise.
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
    options other than those that it was begun with, but for `max_iter`, `n_threads` and `verbose`.
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
    n_rows = len(X) if weight is None else int(np.count_nonzero(weight))
    ridge = _check_reg_covar(reg_covar, X.shape[1])
    checked = partial(
        check_init, shape=X.shape, sample_weight=weight, n_components=n_components, family=family,
    )  # fmt: skip
    begin = None if callable(init) else checked(init)
    follower: Checkpoint | None = None
    if checkpoint is not None:
        problem = {
            "X": X, "sample_weight": weight, "n_components": n_components,
            "init": init if begin is None else begin,
            "n_init": n_init, "covariance_type": family.name, "reg_covar": ridge, "tol": tol,
            "on_collapse": on_collapse, "avoid_spurious": avoid_spurious, "backend": backend,
            "rng": None if rng is None else generator,
        }  # fmt: skip
        follower = Checkpoint(checkpoint, checkpoint_every, problem)
        if rng is None:
            generator = check_rng(follower.seed)
    resumed = follower is not None and follower.outcome is not None
    if begin is None:
        assert callable(init)
        rows_to_see = X.view()
        rows_to_see.flags.writeable = False
        begin = checked(_not_callable(init(rows_to_see, n_components, generator)))
    weight_sum = float(len(X)) if weight is None else float(weight.sum())

    progress = new_progress(verbose)
    try:
        centre, variance = moments(X, weight, n_threads)
        single = centre if suits_single(X, weight, variance) else None
        make_pass = partial(_make_pass, family.factor_shape, n_threads, backend, single)
        rows = make_pass(X, weight)
        unit = np.where(variance > 0.0, variance, 1.0)  # of a feature without spread: one
        scale = np.sqrt(unit)
        absolute = _absolute(ridge, unit, weight_sum)
        rule = MaximumLikelihood(family, absolute)
        _check_enough_rows(rule, covariance_type, n_rows, n_components, X.shape[1])
        guard: Guard | None = None
        if avoid_spurious:
            guard = Guard(rounding_variance(X, weight, scale), family.factor_shape)
        seek = partial(
            automatic_start, X, weight, n_components, n_init=n_init, make_pass=make_pass,
            scale=scale, n_threads=n_threads, accelerate=accelerate, guard=guard,
            tell=None if progress is None else progress.start_run,
        )  # fmt: skip
        same_again = copy.deepcopy(generator)
        if follower is not None and resumed:
            begun = follower.restore(rows, family)
        elif isinstance(begin, str):
            begun = Outcome(seek(method=begin, rule=rule, rng=generator))
        else:
            begun = given_start(begin, rows, rule, centre, n_components, on_collapse, scale)
        run = partial(
            expectation_maximisation, rows, tol=tol, max_iter=max_iter, on_collapse=on_collapse,
            scale=scale, accelerate=accelerate, guard=guard,
        )  # fmt: skip
        followed = partial(
            run,
            callback=_both(progress, callback),
            follow=None if follower is None else partial(follower.follow, rows),
        )
        smoother = _smoother(rule, guard) if isinstance(begin, str) else None
        if smoother is not None and any(event.action == "smoothed" for event in begun.events):
            rule, smoother = smoother, None
        outcome = followed(rule, begun)
        if isinstance(begin, str) and smoother is not None and _ended_on_ties(outcome):
            rule, smoothed = smoother, _spurious_events(outcome, "smoothed")
            start = seek(method=begin, rule=rule, rng=same_again)
            outcome = followed(rule, Outcome(start, events=smoothed))
        if family.detour is not None and isinstance(begin, np.ndarray):
            detour = MaximumLikelihood(family.detour, absolute)
            begin_again = partial(
                given_start, begin, rows, rule, centre, n_components, on_collapse, scale
            )
            outcome = _better(outcome, rule, detour, begin_again, run)
        outcome.events += _spurious_events(outcome, "kept")
    except StartInterrupted as interrupted:
        outcome = interrupted.outcome
    except KeyboardInterrupt:
        raise FitInterrupted(None) from None
    finally:
        if progress is not None:
            progress.close()
    weights = len(X) if weight is None else weight
    fit = _report(outcome, rows, rule, covariance_type, feature_names, weights, tol, progress)
    if follower is not None:
        follower.remove()
    return fit


def _not_callable(init: Any) -> Any:
    """What a callable `init` has returned, if it is not one again."""
    if not callable(init):
        return init
    raise TypeError(
        f"init must return labels, responsibilities, a GaussianMixture or the name of a method; "
        f"it returned {init!r}, which is callable again. Return what that returns."
    )


def _smoother(rule: MaximumLikelihood, guard: Guard | None) -> MaximumLikelihood | None:
    """The rule for rows spread over their cells of the data's grid, if that makes a difference."""
    if guard is None or rule.ridge is None:
        return None
    ridge = np.maximum(rule.ridge, guard.rounding)
    return MaximumLikelihood(rule.family, ridge) if (ridge > rule.ridge).any() else None


def _ended_on_ties(outcome: Outcome) -> bool:
    return bool(outcome.spurious) and outcome.stop_reason in ("converged", "max_iter")


def _spurious_events(outcome: Outcome, action: Literal["smoothed", "kept"]) -> list[Event]:
    return [Event(len(outcome.history), j, "spurious", action) for j in outcome.spurious]


def _better(
    outcome: Outcome,
    rule: MaximumLikelihood,
    detour: MaximumLikelihood,
    begin: Callable[[], Outcome],
    run: Callable[..., Outcome],
) -> Outcome:
    """The outcome, or that of the family's detour where it ends higher."""
    if outcome.stop_reason != "converged":
        return outcome
    try:
        other = run(detour, begin())
        if other.stop_reason != "interrupted":
            other = run(rule, Outcome(other.parameters, events=other.events))
    except FitError:
        return outcome
    if other.stop_reason == "interrupted":
        return replace(outcome, stop_reason="interrupted")
    return other if other.objective > outcome.objective + ROUNDING else outcome


def _both(
    progress: Progress | None, callback: Callable[[State], object] | None
) -> Callable[[State], object] | None:
    """Progress first, then the user's callback, whose word counts."""
    if progress is None:
        return callback

    def tell(state: State) -> object:
        progress(state)
        return callback is not None and callback(state)

    return tell


def _make_pass(
    factor_shape: FactorShape,
    n_threads: int | None,
    backend: str,
    single: Floats | None,
    X: NDArray[Any],
    weight: Floats | None,
) -> RowsPass:
    if backend == "reference":
        return ReferencePass(X, weight, factor_shape)
    return CompiledPass(X, weight, factor_shape, n_threads, single)


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


def _absolute(ridge: float | Floats, unit: Floats, weight_sum: float) -> Floats:
    """The ridge in squared units of the features; refuse one that leaves no room for scatter."""
    with np.errstate(over="ignore"):
        absolute = ridge * unit if isinstance(ridge, float) else ridge
        room = np.isfinite(4.0 * absolute * max(1.0, weight_sum))
    if not room.all():
        a = int(np.argmin(room))
        raise ValueError(
            f"reg_covar must leave covariances that are far below {np.finfo(np.float64).max:.1g}; "
            f"that of feature {a} would be {absolute[a]:g}. Pass a smaller number."
        )
    return absolute


def absolute_ridge(
    reg_covar: float | ArrayLike, X: Rows, weight: Floats | None, n_threads: int | None
) -> Floats:
    """`reg_covar`, checked, in squared units of the features."""
    ridge = _check_reg_covar(reg_covar, X.shape[1])
    if not isinstance(ridge, float):
        return ridge
    variance = moments(X, weight, n_threads)[1]
    return ridge * np.where(variance > 0.0, variance, 1.0)


def _check_enough_rows(
    rule: MaximumLikelihood, covariance_type: str, n_rows: int, n_components: int, n_features: int
) -> None:
    """Refuse what maximum likelihood cannot estimate from so few rows."""
    needed = rule.family.least_rows(n_components, n_features)
    if rule.ridge is None and n_rows < needed:
        raise FitError(
            f"covariance_type {covariance_type!r} cannot be estimated: "
            f"{counted(n_components, 'component')} of {counted(n_features, 'feature')} need at "
            f"least {needed} rows; got {n_rows}. Use reg_covar > 0, "
            f"fewer components or a covariance_type with fewer parameters."
        )


def _report(
    outcome: Outcome,
    rows: RowsPass,
    rule: MaximumLikelihood,
    covariance_type: str,
    feature_names: Names | None,
    weight: int | Floats,
    tol: float,
    progress: Progress | None,
) -> GMMFit:
    """What the user gets; with a ridge, one more pass finds the log-likelihood itself."""
    parameters = outcome.parameters
    if not outcome.history:
        raise FitInterrupted(None)
    weight_sum = float(np.sum(weight))
    log_likelihood, statistics = math.nan, outcome.statistics
    if rule.ridge is None:
        log_likelihood = outcome.objective * weight_sum
    elif outcome.stop_reason != "interrupted":
        try:
            statistics = rows.accumulate(parameters)
            log_likelihood = statistics.log_likelihood
        except KeyboardInterrupt:
            outcome.stop_reason = "interrupted"
    entropy = math.nan
    if statistics is not None and outcome.stop_reason != "interrupted":
        entropy = assignment_entropy(statistics, parameters.weights, parameters.precisions_cholesky)
    fit = GMMFit(
        GaussianMixture._from_fit(covariance_type, *parameters, feature_names),
        log_likelihood,
        np.array(outcome.history),
        len(outcome.history),
        outcome.stop_reason == "converged",
        outcome.stop_reason,
        tuple(outcome.events),
        weight if isinstance(weight, int) else int(np.count_nonzero(weight)),
        weight_sum,
        entropy,
    )
    if progress is not None:
        progress.write(f"{fit.stop_reason} after {counted(fit.n_iter, 'iteration')}")
    if fit.stop_reason == "interrupted":
        raise FitInterrupted(fit)
    if outcome.stop_reason == "max_iter" and tol > 0.0:
        warnings.warn(
            f"the fit used up its {counted(fit.n_iter, 'iteration')} before the predicted "
            f"remaining gain fell to tol={tol:g}. Raise max_iter, or tol.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return fit
