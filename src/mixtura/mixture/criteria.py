"""How well a mixture describes rows: its log-likelihood, and criteria to choose among mixtures."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mixtura.data import Block, RowSource
from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import check_n_threads
from mixtura.data.looks import RowByRow
from mixtura.data.missing import Missing
from mixtura.exceptions import WeightsWarning, levels_inside
from mixtura.mixture.densities import Components, evaluate, opened
from mixtura.mixture.table import counted
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = [
    "aic",
    "bic",
    "completed_bic",
    "icl",
    "log_likelihood",
    "some_at_a_time",
    "totals",
    "warn_of_small_weights",
    "weighted_sum",
]

LEAST_WEIGHT = 0.5  # of a row of positive weight, in the mean: below, criteria hardly count rows
ELEMENTS_AT_ONCE = 1 << 20  # of responsibilities in memory while rows are summed up


class _Totals(NamedTuple):
    """Weighted sums over rows: of log_prob, of the log of the largest responsibility."""

    log_likelihood: float
    log_assigned: float


def log_likelihood(
    self: GaussianMixture,
    X: AnyRows,
    sample_weight: ArrayLike | None = None,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> float:
    """Total of ``sample_weight * log_prob`` over the rows.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the mixture's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. None is no noise.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    float, nats

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.5, 0.5], [[0], [4]], [1, 1], "spherical")
    >>> round(mixture.log_likelihood([[0.0], [2.0]], sample_weight=[2, 1]), 3)
    -6.142
    """
    n_threads = check_n_threads(n_threads)
    rows = opened(
        self,
        X,
        sample_weight,
        missing=missing,
        noise_covariance=noise_covariance,
        projection=projection,
    )
    return totals(self, rows, n_threads).log_likelihood


def aic(
    self: GaussianMixture,
    X: AnyRows,
    sample_weight: ArrayLike | None = None,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> float:
    """Akaike's criterion ``-2 log_likelihood + 2 n_parameters``; lower is better.

    It estimates ``-2 log_likelihood`` of as many new rows [1]_.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, at least one.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the mixture's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. None is no noise.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    float

    Warns
    -----
    WeightsWarning
        When the weights sum to less than half the number of rows of positive weight.

    References
    ----------
    .. [1] H. Akaike, "A new look at the statistical model identification", IEEE Transactions on
       Automatic Control 19, 716-723, 1974.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> round(mixtura.fit_gmm(X, 2, rng=0).model.aic(X), 2)
    2282.53
    """
    n_threads = check_n_threads(n_threads)
    rows = opened(
        self,
        X,
        sample_weight,
        missing=missing,
        noise_covariance=noise_covariance,
        projection=projection,
        minimum=1,
    )
    warn_of_small_weights(rows)
    return -2.0 * totals(self, rows, n_threads).log_likelihood + 2.0 * self.n_parameters


def bic(
    self: GaussianMixture,
    X: AnyRows,
    sample_weight: ArrayLike | None = None,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> float:
    """Schwarz's criterion ``-2 log_likelihood + n_parameters log n``; lower is better.

    n is the sum of weights [1]_.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, at least one.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the mixture's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. None is no noise.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    float

    Warns
    -----
    WeightsWarning
        When the weights sum to less than half the number of rows of positive weight.

    References
    ----------
    .. [1] G. Schwarz, "Estimating the dimension of a model", The Annals of Statistics 6,
       461-464, 1978.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> round(mixtura.fit_gmm(X, 2, rng=0).model.bic(X), 2)
    2322.19
    """
    n_threads = check_n_threads(n_threads)
    rows = opened(
        self,
        X,
        sample_weight,
        missing=missing,
        noise_covariance=noise_covariance,
        projection=projection,
        minimum=1,
    )
    warn_of_small_weights(rows)
    log_likelihood = totals(self, rows, n_threads).log_likelihood
    return -2.0 * log_likelihood + self.n_parameters * math.log(rows.weight_sum)


def icl(
    self: GaussianMixture,
    X: AnyRows,
    sample_weight: ArrayLike | None = None,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> float:
    """Integrated completed likelihood; lower is better.

    ``bic - 2 sum_i sample_weight[i] log max_j resp[i, j]``: BIC, and a penalty for rows that do not
    clearly belong to one component [1]_.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, at least one.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the mixture's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. None is no noise.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    float

    Warns
    -----
    WeightsWarning
        When the weights sum to less than half the number of rows of positive weight.

    Notes
    -----
    Needs 8 MiB of memory besides the rows and their weights.

    References
    ----------
    .. [1] C. Biernacki, G. Celeux, G. Govaert, "Assessing a mixture model for clustering with
       the integrated completed likelihood", IEEE Transactions on Pattern Analysis and Machine
       Intelligence 22, 719-725, 2000.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> round(mixtura.fit_gmm(X, 2, rng=0).model.icl(X), 2)
    2322.7
    """
    n_threads = check_n_threads(n_threads)
    rows = opened(
        self,
        X,
        sample_weight,
        missing=missing,
        noise_covariance=noise_covariance,
        projection=projection,
        minimum=1,
    )
    warn_of_small_weights(rows)
    return completed_bic(self, rows, n_threads)


def completed_bic(mixture: GaussianMixture, rows: RowSource, n_threads: int | None) -> float:
    """`icl` of rows that are already checked."""
    sums = totals(mixture, rows, n_threads, assigned=True)
    completed = sums.log_likelihood + sums.log_assigned
    return -2.0 * completed + mixture.n_parameters * math.log(rows.weight_sum)


def warn_of_small_weights(rows: RowSource) -> None:
    """Warn if the weights of the rows sum to so little that criteria do not count the rows."""
    total, n = rows.weight_sum, rows.n_rows
    if total < LEAST_WEIGHT * n:
        warnings.warn(
            f"the weights of the {counted(n, 'row')} sum to {total:.6g}, and bic, aic, icl and "
            f"elbo count weights as rows: their penalties do not fit so small a log-likelihood. If "
            f"each row is one observation, multiply the weights by n / sum, {n / total:.6g}.",
            WeightsWarning,
            stacklevel=levels_inside(),
        )


def totals(
    mixture: Components,
    rows: RowSource,
    n_threads: int | None,
    *,
    assigned: bool = False,
) -> _Totals:
    """Sum over the rows, some at a time: no (n_samples, n_components) array is made."""
    if rows.is_counted and not rows.n_samples:
        return _Totals(0.0, 0.0)
    return _Totals(*map(float, rows.total(_Summed(mixture, rows.form, n_threads, assigned))))


@dataclass(frozen=True, eq=False)
class _Summed(RowByRow):
    """A look at the sums of `_Totals`, shape (2,)."""

    mixture: Components
    form: str
    n_threads: int | None
    assigned: bool

    def __call__(self, block: Block) -> Floats:
        k = self.mixture.n_components
        sums = np.zeros(2)
        for chunk in some_at_a_time(block, k):
            log_prob = np.empty(len(chunk.X))
            resp = np.empty((len(chunk.X), k)) if self.assigned else None
            evaluate(self.mixture, self.form, chunk, self.n_threads, log_prob=log_prob, resp=resp)
            sums[0] += weighted_sum(log_prob, chunk.sample_weight)
            if resp is not None:
                sums[1] += weighted_sum(np.log(resp.max(axis=1)), chunk.sample_weight)
        return sums


def some_at_a_time(block: Block, n_components: int) -> Iterator[Block]:
    """Yield the rows of a block, so few that their responsibilities take 8 MiB."""
    step = 1 + ELEMENTS_AT_ONCE // n_components
    for start in range(0, len(block.X), step):
        yield block.part(slice(start, start + step))


def weighted_sum(values: Floats, weight: Floats | None) -> float:
    """Sum over rows of positive weight: elsewhere a log-probability may be -inf."""
    if weight is None:
        return float(values.sum())
    present = weight > 0.0
    return float((weight[present] * values[present]).sum())
