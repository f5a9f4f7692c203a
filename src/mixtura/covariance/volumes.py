"""Volumes of components that share their shape: VEI, VEE and VEV.

Let the covariances be ``volume_j C``, and s_j = -log volume_j. With W_j the scatter of a component
about its mean and n_j its weight, the best C for given volumes is ``M(s) / n``, where
``M(s) = sum_j exp(s_j) W_j``. What is left to be minimised,

    n log det M(s) - d sum_j n_j s_j,

is convex in s: Newton's method ends at the one maximum of the likelihood that the iterations of
Celeux and Govaert [1]_ approach.

.. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
   781-793, 1995.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri

from mixtura.statistics import Floats

__all__ = ["with_common_matrix", "with_common_variances"]

MOST_STEPS = 60
MOST_HALVINGS = 30
NEGLIGIBLE = 1e-20  # Newton decrement per unit of weight: far below the rounding of likelihoods
NEARLY = 1e-8  # decrement below which a step need not be watched


def with_common_variances(scatter: Floats, counts: Floats) -> Floats:
    """Variances ``volume_j a`` of largest likelihood.

    Parameters
    ----------
    scatter : ndarray of shape (n_components, n_features)
        Diagonals of the scatters.
    counts : ndarray of shape (n_components,)
        Positive weights.

    Returns
    -------
    ndarray of shape (n_components, n_features)
        Zero for a component without scatter.
    """
    return _scaled(scatter, scatter.sum(axis=1), counts)


def with_common_matrix(scatter: Floats, counts: Floats) -> Floats:
    """Covariances ``volume_j C`` of largest likelihood.

    Parameters
    ----------
    scatter : ndarray of shape (n_components, n_features, n_features)
    counts : ndarray of shape (n_components,)
        Positive weights.

    Returns
    -------
    ndarray of shape (n_components, n_features, n_features)
        Zero for a component without scatter.
    """
    return _scaled(scatter, np.einsum("jaa->j", scatter), counts)


def _scaled(scatter: Floats, traces: Floats, counts: Floats) -> Floats:
    covariances = np.zeros(scatter.shape)
    spread = traces > 0.0
    if spread.any():
        s = _log_precisions(scatter[spread], traces[spread], counts[spread])
        pooled = np.tensordot(np.exp(s), scatter[spread], 1) / counts[spread].sum()
        covariances[spread] = np.multiply.outer(np.exp(-s), pooled)
    return covariances


class _Point(NamedTuple):
    """The sum M(s), and how each term ``P_j = exp(s_j) W_j inv(M)`` looks beside it."""

    log_det: float
    traces: Floats  # tr P_j
    products: Floats  # tr P_i P_j


NOWHERE = _Point(np.inf, np.empty(0), np.empty(0))


def _log_precisions(scatter: Floats, traces: Floats, counts: Floats) -> Floats:
    """Minimise the convex function in the head of this file, s up to a constant."""
    look = _among_diagonals if scatter.ndim == 2 else _among_matrices
    k, d, n = len(counts), scatter.shape[1], counts.sum()
    s: Floats = np.log(counts / traces)
    here = look(scatter, s)
    if k == 1 or here is NOWHERE:
        return s
    for _ in range(MOST_STEPS):
        gradient = n * here.traces - d * counts
        # Shifting all s changes nothing; the constant 1 / k makes that direction regular.
        hessian = n * (np.diag(here.traces) - here.products + 1.0 / k)
        step = np.linalg.solve(hessian, -gradient)
        decrement = -(gradient @ step) / n
        if not decrement > NEGLIGIBLE:
            break
        there = look(scatter, s + step)
        for _ in range(MOST_HALVINGS):
            gain = here.log_det - there.log_det + d * (counts @ step) / n
            if decrement < NEARLY or gain > 0.0:
                break
            step = 0.5 * step
            there = look(scatter, s + step)
        if there is NOWHERE:
            break
        s, here = s + step, there
    return s


def _among_diagonals(scatter: Floats, s: Floats) -> _Point:
    terms = np.exp(s)[:, None] * scatter
    total = terms.sum(axis=0)
    if not (total.min() > 0.0 and total.max() < np.inf):
        return NOWHERE
    relative = terms / total
    return _Point(float(np.log(total).sum()), relative.sum(axis=1), relative @ relative.T)


def _among_matrices(scatter: Floats, s: Floats) -> _Point:
    terms = np.exp(s)[:, None, None] * scatter
    lower, failed = dpotrf(terms.sum(axis=0), lower=1, clean=1)
    if failed:
        return NOWHERE
    inverse = dtrtri(lower, lower=1)[0]
    relative = inverse @ terms @ inverse.T
    flat = relative.reshape(len(s), -1)
    log_det = 2.0 * float(np.log(lower.diagonal()).sum())
    return _Point(log_det, np.einsum("jaa->j", relative), flat @ flat.T)
