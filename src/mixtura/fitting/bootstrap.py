"""bootstrap_lrt: a test of k components against k + 1."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mixtura.covariance import family_named
from mixtura.data import ArrayRows, RowSource, open_rows, with_noise
from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import (
    check_count,
    check_n_threads,
    check_number,
    check_option,
    check_rng,
)
from mixtura.data.missing import MISSING, Missing
from mixtura.data.noise import accepted
from mixtura.data.rounding import on_grid
from mixtura.exceptions import ConvergenceWarning, FitError
from mixtura.fitting.coarse import warn_of_coarse_columns
from mixtura.fitting.gmm import check_reg_covar
from mixtura.fitting.init import returned_begin
from mixtura.fitting.progress import Counter, Verbose, check_verbose
from mixtura.fitting.reports import report
from mixtura.fitting.result import GMMFit
from mixtura.fitting.settings import Settings
from mixtura.fitting.simulated import seen_like
from mixtura.fitting.stages import Begin, Fitting
from mixtura.fitting.survey import Survey
from mixtura.kernels.threads import choose_n_threads
from mixtura.mixture import GaussianMixture
from mixtura.mixture.table import counted
from mixtura.parameters import Parameters
from mixtura.passes import Backend
from mixtura.schedules import Outcome
from mixtura.shapes import Floats
from mixtura.starts import INIT_METHODS
from mixtura.text import short_repr
from mixtura.updates.collapse import split_heaviest

__all__ = ["BootstrapLRT", "bootstrap_lrt"]

FitPair = Callable[..., tuple[GMMFit, GMMFit]]
MOST_LOOKED_AT = 1000  # rows, to find one near the middle
BRIEF_ITERATIONS = 5  # from each split component, before the best is run to convergence


@dataclass(frozen=True, eq=False)
class BootstrapLRT:
    """A likelihood-ratio test of k components against k + 1.

    Attributes
    ----------
    statistic : float
        Twice the gain in log-likelihood by the additional component; not below zero.
    p_value : float
        Share of samples, the observed one among them, whose statistic is as large or larger.
    null_distribution : ndarray of shape (n_samples,)
        The statistic of each sample that could be fitted.
    null : GMMFit
        The fit with k components.
    alternative : GMMFit
        The fit with k + 1 components.
    n_failed : int
        Samples that could not be fitted.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_acidity().data
    >>> test = mixtura.bootstrap_lrt(X, 1, covariance_type="E", n_bootstrap=9, rng=0)
    >>> test.p_value, test.alternative.n_components
    (0.1, 2)
    """

    statistic: float
    p_value: float
    null_distribution: Floats
    null: GMMFit
    alternative: GMMFit
    n_failed: int

    __repr__ = short_repr

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<p>{'<br>'.join(map(escape, self.summary().splitlines()))}</p>"

    def summary(self) -> str:
        """The test in two lines.

        Returns
        -------
        str

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_acidity().data
        >>> test = mixtura.bootstrap_lrt(X, 1, covariance_type="E", n_bootstrap=9, rng=0)
        >>> print(test.summary())
        Likelihood-ratio test, 1 against 2 components, E covariances
        statistic 79.672, p-value 0.1000 from 9 samples (95% of them below ...)
        """
        k = self.null.model.n_components
        quantile = float(np.quantile(self.null_distribution, 0.95))
        return (
            f"Likelihood-ratio test, {k} against {k + 1} components, "
            f"{self.null.model.covariance_type} covariances\n"
            f"statistic {self.statistic:.3f}, p-value {self.p_value:.4f} from "
            f"{len(self.null_distribution)} samples (95% of them below {quantile:.3f})"
        )


def bootstrap_lrt(
    X: AnyRows,
    n_components: int,
    *,
    covariance_type: str = "full",
    n_bootstrap: int = 199,
    init: str | Callable[..., Any] = "mixed",
    n_init: int = 5,
    reg_covar: float | ArrayLike = 1e-6,
    tol: float = 1e-6,
    max_iter: int = 1000,
    missing: Missing = "raise",
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    verbose: Verbose = None,
) -> BootstrapLRT:
    """Test a mixture of k components against one of k + 1, by the parametric bootstrap.

    Samples are drawn from the fitted mixture of k components, and both mixtures are fitted to each
    [1]_. :doc:`/manual/bootstrap` says how.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, in memory; each counts once.
    n_components : int
        Components under the null hypothesis; the alternative has one more.
    covariance_type : str
        As for `fit_gmm`, the same for both.
    n_bootstrap : int
        Samples from the null hypothesis. The p-value is at least ``1 / (n_bootstrap + 1)``.
    init : str or callable
        Where fits start, as for `fit_gmm`, by name; a callable is called for every fit.
    n_init : int
        Number of automatic starts of each fit; a larger one searches harder.
    reg_covar, tol, max_iter : optional
        Of each fit, as for `fit_gmm`.
    missing : {"raise", "em"}
        What NaN in `X` is: an error, or a number missing at random, which samples lack too.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`; samples have such noise too.
    rng : int, Generator or None
        Seed or generator for starts and samples; None draws a new seed.
    n_threads : int or None
        Samples that are fitted at the same time; None for as many as are useful. The result is the
        same to the bit.
    verbose : bool, "bar" or None
        How progress is shown, as for `fit_gmm`.

    Returns
    -------
    BootstrapLRT
        The statistic, its p-value, and both fits.

    Raises
    ------
    ValueError, TypeError
        For values that cannot be used.
    FitError
        When the rows cannot be fitted, or none of the samples.

    Warns
    -----
    ConvergenceWarning, CoarseColumnsWarning
        As `fit_gmm`, for the two fits to the rows.

    References
    ----------
    .. [1] G. J. McLachlan, "On bootstrapping the likelihood ratio test statistic for the number of
       components in a normal mixture", Applied Statistics 36, 318-324, 1987.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_acidity().data
    >>> test = mixtura.bootstrap_lrt(X, 1, covariance_type="E", n_bootstrap=19, rng=0)
    >>> round(test.statistic, 3), test.p_value
    (79.672, 0.05)
    """
    n_components = check_count("n_components", n_components)
    missing = check_option("missing", missing, MISSING)
    taken = accepted(missing, noise_covariance)
    source = open_rows(X, minimum=n_components + 1, missing=taken)
    source = with_noise(source, noise_covariance, projection)
    if source.is_weighted:
        raise ValueError(
            "X must have rows that count once each; got rows with weights. Scan it without weight."
        )
    if not source.in_memory:
        raise ValueError(
            "X must be in memory, as samples of as many rows are drawn and fitted there; got rows "
            "that stay where they are. Pass some of them, such as X.take(range(0, 100_000, 10))."
        )
    family_named(covariance_type, source.n_features)
    n_bootstrap = check_count("n_bootstrap", n_bootstrap)
    if not callable(init):
        init = check_option("init", init, INIT_METHODS)
    settings = Settings(
        n_init=check_count("n_init", n_init),
        reg_covar=check_reg_covar(reg_covar, source.n_features),
        tol=check_number("tol", tol),
        max_iter=check_count("max_iter", max_iter),
    )
    verbose = check_verbose(verbose)
    n_threads = choose_n_threads(check_n_threads(n_threads))
    fit_pair = partial(_fit_pair, n_components, covariance_type, init, settings)
    observed, *streams = check_rng(rng).spawn(n_bootstrap + 1)
    survey = Survey(source, Backend(n_threads=1))
    some = ArrayRows.sample_of(source, MOST_LOOKED_AT, np.random.default_rng(0)).X
    distances = np.abs(some - survey.centre)
    nearest = np.where(np.isnan(some), np.inf, distances).argmin(axis=0)
    origin = some[nearest, np.arange(source.n_features)]  # a number of the grid, of few digits
    origin = np.where(np.isnan(origin), source.first_row(), origin)
    to_grid = partial(on_grid, origin=origin, variance=survey.rounding)
    with Counter(n_bootstrap + 1, "sample", verbose) as count:
        null, alternative = fit_pair(source, observed)
        count("the rows")
        sample = partial(_statistic_of_sample, null.model, source, to_grid, fit_pair)
        drawn = _in_threads(sample, streams, n_threads, count)
    for fit in (null, alternative):
        if not fit.converged and tol > 0.0:
            warnings.warn(
                f"the fit of {counted(fit.model.n_components, 'component')} used up its "
                f"{counted(max_iter, 'iteration')} before the predicted remaining gain fell to "
                f"tol={tol:g}. Raise max_iter, or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
    warn_of_coarse_columns(survey, settings.reg_covar, (null, alternative), stacklevel=2)
    found = drawn[np.isfinite(drawn)]
    if not len(found):
        raise FitError(
            f"none of the {n_bootstrap} samples could be fitted with {n_components} and "
            f"{n_components + 1} components. Use reg_covar > 0 or another covariance_type."
        )
    statistic = _ratio(null, alternative)
    p_value = float((1 + np.count_nonzero(found >= statistic)) / (1 + len(found)))
    return BootstrapLRT(statistic, p_value, found, null, alternative, n_bootstrap - len(found))


def _in_threads(
    sample: Callable[[np.random.Generator], float],
    streams: list[np.random.Generator],
    n_threads: int,
    count: Counter,
) -> Floats:
    """The statistics of all samples, in their order."""
    drawn = np.empty(len(streams))
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            for i, statistic in enumerate(pool.map(sample, streams)):
                drawn[i] = statistic
                count(f"statistic {statistic:.3f}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return drawn


def _fit_pair(
    n_components: int,
    covariance_type: str,
    init: Any,
    settings: Settings,
    source: RowSource,
    rng: np.random.Generator,
    generating: GaussianMixture | None = None,
) -> tuple[GMMFit, GMMFit]:
    """The fits with k and k + 1 components: the best from several starts.

    The one of k also starts from the mixture that the rows were drawn from, and the one of k + 1
    from that of k with one component split.
    """
    survey = Survey(source, Backend(n_threads=1))

    def fit(k: int, others: Sequence[Parameters]) -> GMMFit:
        fitting = Fitting(survey, settings, covariance_type, k)
        begin = returned_begin(init, source, k, rng) if callable(init) else init
        found = [report(fitting, _run(fitting, begin, rng), isinstance(begin, str))]
        if len(others) > 1:
            brief = Fitting(survey, shortly, covariance_type, k)
            others = _ahead(_possible(brief, others, rng))
        outcomes = _possible(fitting, others, rng)
        found += [report(fitting, outcome, True) for outcome in outcomes]
        whole = [each for each in found if each.model.n_components == k]
        if not whole:
            raise FitError(f"no fit of the rows keeps {counted(k, 'component')}.")
        return max(whole, key=_rank)

    shortly = replace(settings, max_iter=BRIEF_ITERATIONS, tol=0.0)
    null = fit(n_components, [] if generating is None else [generating._parameters()])
    parameters = null.model._parameters()
    splits = [_split(parameters, j, survey) for j in range(len(parameters.weights))]
    return null, fit(n_components + 1, splits)


def _run(fitting: Fitting, begin: Begin, rng: np.random.Generator) -> Outcome:
    outcome = fitting.run(begin, rng)
    if outcome.stop_reason == "interrupted":
        raise KeyboardInterrupt
    return outcome


def _possible(
    fitting: Fitting, begins: Sequence[Parameters], rng: np.random.Generator
) -> list[Outcome]:
    """Where fits from some mixtures end; those that fail are left out."""
    outcomes = []
    for begin in begins:
        with suppress(FitError, np.linalg.LinAlgError):
            outcomes.append(_run(fitting, begin, rng))
    return outcomes


def _ahead(brief: Sequence[Outcome]) -> list[Parameters]:
    """Where the best of some brief runs ended; nothing where there are none."""
    ranked = sorted(brief, key=lambda outcome: (len(outcome.suspects), -outcome.objective))
    return [outcome.parameters for outcome in ranked[:1]]


def _split(parameters: Parameters, component: int, survey: Survey) -> Parameters:
    """The mixture with one component split in two along its widest direction."""
    k = len(parameters.weights)
    twice = parameters.select(np.append(np.arange(k), component))
    only, algebra = np.array([component]), survey.backend.algebra
    split = split_heaviest(twice, k, only, survey.scale, algebra)
    return split._replace(weights=split.weights / split.weights.sum())


def _rank(fit: GMMFit) -> tuple[int, float]:
    """The fewest spurious components first, then the highest likelihood."""
    return -len(fit._suspects), fit.log_likelihood


def _ratio(null: GMMFit, alternative: GMMFit) -> float:
    return max(0.0, 2.0 * (alternative.log_likelihood - null.log_likelihood))


def _statistic_of_sample(
    model: GaussianMixture,
    source: RowSource,
    to_grid: Callable[[Floats], Floats],
    fit_pair: FitPair,
    rng: np.random.Generator,
) -> float:
    """The statistic of one sample from the null hypothesis; NaN where it cannot be fitted."""
    rows = seen_like(source, model.sample(source.n_samples, rng)[0], to_grid, rng)
    try:
        return _ratio(*fit_pair(rows, rng, model))
    except (FitError, np.linalg.LinAlgError):
        return np.nan
