"""fit_binned: a mixture fitted to counts in bins, and how well it fits them."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from mixtura import files
from mixtura.covariance import CovarianceFamily, family_named
from mixtura.data import ArrayRows, Bins
from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import check_count, check_number
from mixtura.exceptions import FitInterrupted, WeightsWarning, levels_inside
from mixtura.files import Contents, numbers
from mixtura.fitting.gmm import Init, fit_gmm
from mixtura.fitting.progress import Verbose
from mixtura.fitting.result import GMMFit
from mixtura.mixture import GaussianMixture
from mixtura.mixture.checks import check_feature_names
from mixtura.mixture.table import counted, title
from mixtura.passes import Backend, RowsPass
from mixtura.passes.backend import BackendName
from mixtura.schedules import State
from mixtura.shapes import Floats
from mixtura.updates import OnCollapse

__all__ = ["BinnedFit", "ChiSquared", "fit_binned"]

ROUNDED_PERCENTAGES = 0.5  # by how much their sum may differ from 100
LEAST_EXPECTED = 5.0  # rows in a cell; for fewer, the sum is not distributed as chi-squared


class ChiSquared(NamedTuple):
    """Pearson's test of a fit.

    Attributes
    ----------
    statistic : float
        Sum over cells of (observed - expected)^2 / expected.
    degrees_of_freedom : int
        Cells, less one, less free parameters; no less than 0.
    p_value : float
        Probability of a larger sum if the mixture is true; NaN without degrees of freedom.
    n_cells : int
        Cells that were compared: bins, some of them together.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float
    n_cells: int


@files.saved_as("BinnedFit")
@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class BinnedFit(GMMFit):
    """A mixture fitted to counts in bins, and how it was found.

    It has the methods and attributes of `GaussianMixture`, too, for single rows.

    Attributes
    ----------
    model : GaussianMixture
        The mixture, of single rows.
    log_likelihood : float, nats
        Sum over bins of count times log probability of the bin under `model`.
    history : ndarray of shape (n_iter,), nats per row, read-only
        The objective after each iteration.
    n_iter : int
        Iterations done.
    converged : bool
        Whether the predicted remaining gain was at most `tol`.
    stop_reason : {"converged", "max_iter", "callback", "interrupted"}
        Why the iterations ended.
    events : tuple of Event
        Components that collapsed, and what was done.
    n_samples : int
        Bins that are not empty.
    weight_sum : float
        Sum of the counts.
    entropy : float, nats
        Of the assignments of rows to components, given their bins.
    n_labelled : int
        0: bins have no labels.
    has_noise : bool
        False.
    n_missing : int
        0.
    log_prior : float, nats
        0: there is no prior.
    search : SearchReport or None
        What the search for the start has found. None where the user gave the start.
    lower : ndarray of shape (n_bins, n_features), read-only
        Lower end of each bin; bins of several features are in C order of the counts.
    upper : ndarray of shape (n_bins, n_features), read-only
        Upper end of each bin.
    counts : ndarray of shape (n_bins,), read-only
        Rows in each bin.

    Examples
    --------
    >>> import mixtura
    >>> fit = mixtura.fit_binned([0, 1, 2, 3, 4, 5], [9, 20, 31, 19, 11], 1)
    >>> fit.means.round(2), fit.expected.round()
    (array([[2.53]]), array([ 7., 21., 31., 22.,  7.]))
    """

    lower: Floats
    upper: Floats
    counts: Floats

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lower", "upper", "counts"):
            array = np.array(getattr(self, name))
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def _of(cls, fit: GMMFit, bins: Bins) -> Self:
        """Return the fit of bins as users get it."""
        values = {each.name: getattr(fit, each.name) for each in fields(GMMFit)}
        if math.isnan(fit.log_likelihood):  # interrupted: bins are few, so that it costs nothing
            log_prob, filled = _log_prob(fit.model, bins.lower, bins.upper), bins.counts > 0.0
            values["log_likelihood"] = float((bins.counts * log_prob)[filled].sum())
        return cls(**values, lower=bins.lower, upper=bins.upper, counts=bins.counts)

    @property
    def expected(self) -> Floats:
        """Expected count of each bin, shape (n_bins,): its probability times the sum of counts."""
        return self.weight_sum * self._probabilities()

    @property
    def outside(self) -> float:
        """Probability of the mixture outside all bins: in gaps, and in tails that are not open."""
        return max(0.0, 1.0 - math.fsum(self._probabilities()))

    def chi_squared(self, least_expected: float = LEAST_EXPECTED) -> ChiSquared:
        """Compare the counts with what the mixture expects, as Pearson did.

        Parameters
        ----------
        least_expected : float
            Bins that expect fewer rows are put together with those that follow. 0 keeps all bins.

        Returns
        -------
        ChiSquared
            The statistic [1]_, its degrees of freedom and the p-value, which is a little too small
            [2]_.

        Raises
        ------
        ValueError, TypeError
            For what is not a number, and for a negative one.

        Notes
        -----
        Mass of the mixture outside the bins counts as a cell without rows; if it is small it joins
        the last cell. See :doc:`/manual/bins`.

        References
        ----------
        .. [1] K. Pearson, "On the criterion that a given system of deviations from the probable in
           the case of a correlated system of variables is such that it can be reasonably supposed
           to have arisen from random sampling", Philosophical Magazine 50, 157-175, 1900.
        .. [2] H. Chernoff, E. L. Lehmann, "The use of maximum likelihood estimates in chi-squared
           tests for goodness of fit", The Annals of Mathematical Statistics 25, 579-586, 1954.

        Examples
        --------
        >>> import mixtura
        >>> crabs = mixtura.datasets.load_naples_crabs()
        >>> fit = mixtura.fit_binned(crabs.edges, crabs.sample_weight, 2, rng=0)
        >>> round(fit.chi_squared().p_value, 2)
        0.5
        """
        least = check_number("least_expected", least_expected)
        outside = self.weight_sum * self.outside
        cells: list[list[float]] = []
        begun = [0.0, 0.0]
        for observed, expected in zip(self.counts, self.expected, strict=True):
            begun = [begun[0] + observed, begun[1] + expected]
            if begun[1] >= least:
                cells.append(begun)
                begun = [0.0, 0.0]
        if outside >= max(least, 1.0):
            cells.append([0.0, outside])
            outside = 0.0
        rest = [begun[0], begun[1] + outside]
        if not cells:
            cells.append([0.0, 0.0])
        cells[-1] = [cells[-1][0] + rest[0], cells[-1][1] + rest[1]]
        observed, expected = np.array(cells).T
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.square(observed - expected) / expected
        statistic = float(terms[(observed > 0.0) | (expected > 0.0)].sum())
        freedom = max(0, len(cells) - 1 - self.n_parameters)
        p_value = float(chdtrc(freedom, statistic)) if freedom else math.nan
        return ChiSquared(statistic, freedom, p_value, len(cells))

    def aic(  # type: ignore[misc]
        self, X: AnyRows | None = None, sample_weight: ArrayLike | None = None, **options: Any
    ) -> float:
        """Akaike's criterion of the bins, or of single rows; lower is better.

        Of the bins it is ``-2 log_likelihood + 2 n_parameters``; NaN where `log_likelihood` is.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), optional
            Single rows, as for `GaussianMixture.aic`. None is the bins of the fit.
        sample_weight : array_like of shape (n_samples,), optional
            Weights of single rows.
        **options : object
            For single rows: what else `GaussianMixture.aic` takes.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            For weights or options without rows.

        Examples
        --------
        >>> import mixtura
        >>> fit = mixtura.fit_binned([0, 1, 2, 3, 4, 5], [9, 20, 31, 19, 11], 1)
        >>> round(fit.aic(), 2), round(fit.aic([[1.5], [2.5]]), 2)
        (284.44, 8.96)
        """
        if X is not None:
            return self.model.aic(X, sample_weight, **options)
        _refuse_without_rows(sample_weight, options)
        return 2.0 * self.n_parameters - 2.0 * self.log_likelihood

    def bic(  # type: ignore[misc]
        self, X: AnyRows | None = None, sample_weight: ArrayLike | None = None, **options: Any
    ) -> float:
        """Schwarz's criterion of the bins, or of single rows; lower is better.

        Of the bins it is ``-2 log_likelihood + n_parameters log n``, with n the sum of the counts;
        NaN where `log_likelihood` is. It is comparable among fits to the same bins.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), optional
            Single rows, as for `GaussianMixture.bic`. None is the bins of the fit.
        sample_weight : array_like of shape (n_samples,), optional
            Weights of single rows.
        **options : object
            For single rows: what else `GaussianMixture.bic` takes.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            For weights or options without rows.

        Examples
        --------
        >>> import mixtura
        >>> fit = mixtura.fit_binned([0, 1, 2, 3, 4, 5], [9, 20, 31, 19, 11], 1)
        >>> round(fit.bic(), 2), round(fit.bic([[1.5], [2.5]]), 2)
        (289.44, 6.35)
        """
        if X is not None:
            return self.model.bic(X, sample_weight, **options)
        _refuse_without_rows(sample_weight, options)
        return self.n_parameters * math.log(self.weight_sum) - 2.0 * self.log_likelihood

    def _probabilities(self) -> Floats:
        """Probability of each bin, shape (n_bins,)."""
        return np.exp(_log_prob(self.model, self.lower, self.upper))

    def _headlines(self) -> list[str]:
        lines = super()._headlines()
        n_bins = len(self.counts)
        lines[0] = f"{title(self.model)}, {self.weight_sum:.10g} rows in {counted(n_bins, 'bin')}"
        test = self.chi_squared()
        chi_squared = (
            f"chi-squared {test.statistic:.5g} of {counted(test.n_cells, 'cell')} on "
            f"{counted(test.degrees_of_freedom, 'degree')} of freedom"
        )
        if test.degrees_of_freedom:
            chi_squared += f", p = {test.p_value:.3g}"
        lines[2:2] = [
            chi_squared,
            f"outside the bins {self.outside:.3g} of the mixture",
        ]
        return lines

    def _contents(self) -> Contents:
        facts, arrays = super()._contents()
        own = {name: getattr(self, name) for name in ("lower", "upper", "counts")}
        return Contents(facts, arrays | own)

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        fit = GMMFit._from_contents(contents)
        d = fit.model.n_features
        lower, upper = (
            numbers(contents.arrays, name, (-1, d), finite=False) for name in ("lower", "upper")
        )
        counts = numbers(contents.arrays, "counts", (len(lower),))
        if lower.shape != upper.shape or not (lower < upper).all() or counts.min(initial=0.0) < 0:
            raise ValueError("its bins do not ascend, or their counts are negative")
        values = {each.name: getattr(fit, each.name) for each in fields(GMMFit)}
        return cls(**values, lower=lower, upper=upper, counts=counts)


def fit_binned(
    edges: ArrayLike | Sequence[ArrayLike],
    counts: ArrayLike,
    n_components: int,
    *,
    covariance_type: str = "full",
    feature_names: Sequence[str] | None = None,
    init: Init = "mixed",
    n_init: int = 10,
    reg_covar: float | ArrayLike = 1e-6,
    tol: float = 1e-6,
    max_iter: int = 1000,
    accelerate: bool = True,
    on_collapse: OnCollapse = "reseed",
    avoid_spurious: bool = True,
    rng: int | np.random.Generator | None = None,
    backend: BackendName = "compiled",
    callback: Callable[[State], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
    verbose: Verbose = None,
) -> BinnedFit:
    """Fit a Gaussian mixture to counts in bins, by EM.

    It maximises ``sum_b counts[b] log P_b`` [1]_ [2]_, with P_b the probability of bin b under the
    mixture. :doc:`/manual/bins` says which bins may be passed.

    Parameters
    ----------
    edges : array_like of shape (n_bins + 1,) or (n_bins, 2), or sequence of array_like
        Edges of the bins, as `numpy.histogram` returns them; or both ends of each bin, which may
        leave gaps. For two features, the edges of each, as `numpy.histogram2d` returns them. The
        outermost may be infinite.
    counts : array_like of shape (n_bins,), or (n_bins_x, n_bins_y) for two features
        Rows in each bin; non-negative, not necessarily integers.
    n_components : int
        Number of Gaussian components.
    covariance_type : str
        As for `fit_gmm`. More than two features need diagonal covariances.
    feature_names : sequence of str, optional
        A name for each feature.
    init : str, array_like, GaussianMixture, GMMFit or callable
        Where EM starts, as for `fit_gmm`; labels and responsibilities are those of the bins.
    n_init : int
        Number of automatic starts; a larger one searches harder.
    reg_covar : float or array_like of shape (n_features,)
        Ridge on the diagonal of each covariance. A number is relative to the variance of the
        middles of the bins; an array is absolute, in squared units. 0 is none.
    tol : float, nats per row
        Stop when the predicted remaining gain of the objective is at most this. 0 never stops
        early.
    max_iter, accelerate, on_collapse, avoid_spurious : optional
        As for `fit_gmm`. Rounding is never suspected, as bins say what was rounded.
    rng : int, Generator or None
        Seed or generator for automatic starts; None draws a new seed.
    backend : {"compiled", "reference"}
        For automatic starts; both evaluate bins in NumPy.
    callback, checkpoint, checkpoint_every, verbose : optional
        As for `fit_gmm`.

    Returns
    -------
    BinnedFit
        Its `model` is an ordinary mixture, of single rows.

    Raises
    ------
    ValueError
        For bins or counts that cannot be used, or fewer bins than the parameters need.
    TypeError, OSError, FitError, FitInterrupted
        As `fit_gmm`.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` ends the fit and `tol` is not 0.
    WeightsWarning
        When counts look like shares, percentages or densities.

    Notes
    -----
    One iteration evaluates 6 to 48 points for each bin and component; of two features with
    correlations, 36 to a few thousand. Probabilities are accurate to about 1e-13.

    References
    ----------
    .. [1] G. J. McLachlan, P. N. Jones, "Fitting mixture models to grouped and truncated data via
       the EM algorithm", Biometrics 44, 571-578, 1988.
    .. [2] A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via
       the EM algorithm", Journal of the Royal Statistical Society B 39, 1-38, 1977.

    Examples
    --------
    >>> import mixtura
    >>> crabs = mixtura.datasets.load_naples_crabs()
    >>> fit = mixtura.fit_binned(crabs.edges, crabs.sample_weight, 2, reg_covar=0, tol=1e-9, rng=0)
    >>> round(fit.log_likelihood, 4), round(fit.chi_squared().p_value, 2)
    (-2953.8818, 0.49)
    """
    bins = Bins(edges, counts)
    d = bins.n_features
    if feature_names is not None:
        bins.feature_names = tuple(check_feature_names(feature_names, d))
    n_components = check_count("n_components", n_components)
    family = family_named(covariance_type, d)
    n_parameters = _check_enough_bins(bins, n_components, family, covariance_type)
    _warn_of_shares(bins, n_parameters)
    try:
        fit = fit_gmm(
            bins, n_components, covariance_type=covariance_type, init=init, n_init=n_init,
            reg_covar=reg_covar, tol=tol, max_iter=max_iter, accelerate=accelerate,
            on_collapse=on_collapse, avoid_spurious=avoid_spurious, rng=rng, backend=backend,
            callback=callback, checkpoint=checkpoint, checkpoint_every=checkpoint_every,
            verbose=verbose,
        )  # fmt: skip
    except FitInterrupted as interrupted:
        done = interrupted.fit
        raise FitInterrupted(None if done is None else BinnedFit._of(done, bins)) from None
    return BinnedFit._of(fit, bins)


def _refuse_without_rows(sample_weight: Any, options: dict[str, Any]) -> None:
    """Refuse what says something of single rows where there are none."""
    given = [*options] if sample_weight is None else ["sample_weight", *options]
    if given:
        raise ValueError(
            f"{given[0]} must come with X; got no rows. Pass single rows, or leave it out for the "
            f"bins of the fit."
        )


def _log_prob(model: GaussianMixture, lower: Floats, upper: Floats) -> Floats:
    """Log-probability of each bin under a mixture, shape (n_bins,)."""
    bins = ArrayRows(np.zeros(lower.shape), form="binned", extras={"lower": lower, "upper": upper})
    parameters, log_prob = model._parameters(), np.empty(len(lower))
    rows = RowsPass(bins, parameters.shape, Backend("reference"))
    rows.evaluate(parameters.seen(), log_prob=log_prob)
    return log_prob


def _check_enough_bins(
    bins: Bins, n_components: int, family: CovarianceFamily, covariance_type: str
) -> int:
    """Refuse bins that cannot determine the parameters, and those that have no E-step.

    Return the number of parameters.
    """
    k, d = n_components, bins.n_features
    if d > 2 and not family.shape.is_diagonal:
        raise ValueError(
            f"counts must have one or two axes for covariance_type {covariance_type!r}; got {d}. "
            f'Use covariance_type="diag", or fit two features at a time.'
        )
    n_parameters = family.n_parameters(k, d) + k * d + k - 1
    if len(bins.counts) <= n_parameters:
        raise ValueError(
            f"counts must have at least {n_parameters + 1} bins for the {n_parameters} free "
            f"parameters of {counted(k, 'component')}; got {len(bins.counts)}. Use narrower bins "
            f"or fewer components."
        )
    needed, filled = family.least_rows(k, d), int(np.count_nonzero(bins.counts))
    if filled < needed:
        raise ValueError(
            f"counts must be positive in at least {needed} bins for {counted(k, 'component')} and "
            f"covariance_type {covariance_type!r}; got {filled}. Use narrower bins or fewer "
            f"components."
        )
    return n_parameters


def _warn_of_shares(bins: Bins, n_parameters: int) -> None:
    """Warn of counts that are none: the likelihood would count as many rows as they sum to."""
    counts, total = bins.counts, bins.weight_sum
    if (counts == np.rint(counts)).all():
        return
    volume = (bins.upper - bins.lower).prod(axis=1)
    closed = np.isfinite(volume)
    integral = float(counts[closed] @ volume[closed])
    if (
        total < 2.0 * n_parameters
        or counts.max() < 1.0
        or abs(total - 100.0) <= ROUNDED_PERCENTAGES
        or math.isclose(integral, 1.0, rel_tol=1e-6)
    ):
        warnings.warn(
            f"counts must be numbers of rows; they sum to {total:.6g} and are not integers, as "
            f"shares, percentages or densities are. Log-likelihood, chi-squared and criteria are "
            f"then those of so few rows. Multiply counts by the number of rows over their sum, "
            f"densities by the widths of the bins first.",
            WeightsWarning,
            stacklevel=levels_inside(),
        )
