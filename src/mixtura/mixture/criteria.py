"""How well a mixture describes rows: its log-likelihood, and criteria to choose among mixtures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mixtura.data import open_rows
from mixtura.data.checks import check_n_threads
from mixtura.mixture.densities import AnyRows, evaluate
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["aic", "bic", "icl", "log_likelihood"]

ELEMENTS_AT_ONCE = 1 << 20  # of responsibilities in memory while a criterion is computed


class _Totals(NamedTuple):
    """Weighted sums over rows: of one, of log_prob, of the log of the largest responsibility."""

    weight: float
    log_likelihood: float
    log_assigned: float


def log_likelihood(
    self: GaussianMixture,
    X: AnyRows,
    sample_weight: ArrayLike | None = None,
    *,
    n_threads: int | None = None,
) -> float:
    """Total of ``sample_weight * log_prob`` over the rows.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    float, nats
    """
    return _totals(self, X, sample_weight, n_threads, minimum=0).log_likelihood


def aic(
    self: GaussianMixture,
    X: AnyRows,
    sample_weight: ArrayLike | None = None,
    *,
    n_threads: int | None = None,
) -> float:
    """Akaike's criterion ``-2 log_likelihood + 2 n_parameters`` [1]_; lower is better.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, at least one.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    float

    References
    ----------
    .. [1] H. Akaike, "A new look at the statistical model identification", IEEE Transactions on
       Automatic Control 19, 716-723, 1974.
    """
    totals = _totals(self, X, sample_weight, n_threads)
    return -2.0 * totals.log_likelihood + 2.0 * self.n_parameters


def bic(
    self: GaussianMixture,
    X: AnyRows,
    sample_weight: ArrayLike | None = None,
    *,
    n_threads: int | None = None,
) -> float:
    """Schwarz's criterion, with n the sum of weights; lower is better.

    ``-2 log_likelihood + n_parameters log n`` [1]_.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, at least one.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    float

    References
    ----------
    .. [1] G. Schwarz, "Estimating the dimension of a model", The Annals of Statistics 6,
       461-464, 1978.
    """
    totals = _totals(self, X, sample_weight, n_threads)
    return -2.0 * totals.log_likelihood + self.n_parameters * math.log(totals.weight)


def icl(
    self: GaussianMixture,
    X: AnyRows,
    sample_weight: ArrayLike | None = None,
    *,
    n_threads: int | None = None,
) -> float:
    """Integrated completed likelihood; lower is better.

    ``bic - 2 sum_i sample_weight[i] log max_j resp[i, j]``: BIC, and a penalty for rows that do
    not clearly belong to one component. It is the BIC of the likelihood of rows and labels
    together, each row assigned to its most probable component [1]_.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, at least one.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    float

    Notes
    -----
    Needs 8 MiB of memory besides the rows and their weights, because responsibilities are computed
    for some rows at a time.

    References
    ----------
    .. [1] C. Biernacki, G. Celeux, G. Govaert, "Assessing a mixture model for clustering with
       the integrated completed likelihood", IEEE Transactions on Pattern Analysis and Machine
       Intelligence 22, 719-725, 2000.
    """
    totals = _totals(self, X, sample_weight, n_threads, assigned=True)
    completed = totals.log_likelihood + totals.log_assigned
    return -2.0 * completed + self.n_parameters * math.log(totals.weight)


def _totals(
    mixture: GaussianMixture,
    X: AnyRows,
    sample_weight: ArrayLike | None,
    n_threads: int | None,
    *,
    minimum: int = 1,
    assigned: bool = False,
) -> _Totals:
    """Sum over the rows, some at a time: no (n_samples, n_components) array is made."""
    n_threads, k = check_n_threads(n_threads), mixture.n_components
    rows = open_rows(
        X, sample_weight, minimum=minimum,
        n_features=mixture.n_features, feature_names=mixture.feature_names,
    )  # fmt: skip
    log_likelihood = log_assigned = 0.0
    step = 1 + ELEMENTS_AT_ONCE // k
    for block in rows.blocks():
        for start in range(0, len(block.X), step):
            chunk = block.X[start : start + step]
            weight = block.sample_weight
            weight = None if weight is None else weight[start : start + step]
            log_prob = np.empty(len(chunk))
            resp = np.empty((len(chunk), k)) if assigned else None
            evaluate(mixture, chunk, n_threads, log_prob=log_prob, resp=resp)
            log_likelihood += _weighted_sum(log_prob, weight)
            if resp is not None:
                log_assigned += _weighted_sum(np.log(resp.max(axis=1)), weight)
    return _Totals(rows.weight_sum, log_likelihood, log_assigned)


def _weighted_sum(values: Floats, weight: Floats | None) -> float:
    """Sum over rows of positive weight: elsewhere a log-probability may be -inf."""
    if weight is None:
        return float(values.sum())
    present = weight > 0.0
    return float((weight[present] * values[present]).sum())
