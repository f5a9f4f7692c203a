"""Volumes of components that share their shape: VEI, VEE and VEV.

Let the covariances be ``volume_j C``, and s_j = -log volume_j. With W_j the scatter of a component
about its mean and n_j its weight, the best C for given volumes is ``M(s) / n``, where
``M(s) = sum_j exp(s_j) W_j``. What is left to be minimised,

    n log det M(s) - d sum_j n_j s_j,

is convex in s: Newton's method finds the one maximum of the likelihood that the iterations of
Celeux and Govaert [1]_ approach.

.. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
   781-793, 1995.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf, dtrtri

from mixtura.shapes import Floats

__all__ = ["with_common_matrix", "with_common_variances"]

MOST_STEPS = 60
MOST_HALVINGS = 30
NEARLY = 1e-13  # Newton decrement, per unit of weight, below which the next step is the last


def with_common_variances(
    scatter: Floats, counts: Floats, previous: Floats | None = None
) -> Floats:
    """Return variances ``volume_j a`` of largest likelihood.

    Parameters
    ----------
    scatter : ndarray of shape (n_components, n_features)
        Diagonals of the scatters.
    counts : ndarray of shape (n_components,)
        Positive weights.
    previous : ndarray, optional
        Covariances before, from which the search starts; they change the result by rounding only.

    Returns
    -------
    ndarray of shape (n_components, n_features)
        Zero for a component without scatter.
    """
    before = None if previous is None else previous.sum(axis=1)
    return _scaled(scatter, scatter.sum(axis=1), counts, before)


def with_common_matrix(scatter: Floats, counts: Floats, previous: Floats | None = None) -> Floats:
    """Return covariances ``volume_j C`` of largest likelihood.

    Parameters
    ----------
    scatter : ndarray of shape (n_components, n_features, n_features)
    counts : ndarray of shape (n_components,)
        Positive weights.
    previous : ndarray, optional
        Covariances before, from which the search starts; they change the result by rounding only.

    Returns
    -------
    ndarray of shape (n_components, n_features, n_features)
        Zero for a component without scatter.
    """
    before = None if previous is None else np.einsum("jaa->j", previous)
    return _scaled(scatter, np.einsum("jaa->j", scatter), counts, before)


def _scaled(scatter: Floats, traces: Floats, counts: Floats, before: Floats | None) -> Floats:
    spread = traces > 0.0
    if not spread.all():
        covariances = np.zeros(scatter.shape)
        if spread.any():
            covariances[spread] = _scaled(scatter[spread], traces[spread], counts[spread], None)
        return covariances
    s = _log_precisions(scatter, counts, np.log(counts / traces if before is None else 1 / before))
    pooled = np.einsum("j,j...->...", np.exp(s), scatter) / counts.sum()
    scaled: Floats = np.multiply.outer(np.exp(-s), pooled)
    return scaled


class _Point(NamedTuple):
    """The sum M(s), and its terms relative to it, ``P_j = exp(s_j) W_j inv(M)``."""

    log_det: float
    traces: Floats  # tr P_j
    products: Floats  # tr P_i P_j


NOWHERE = _Point(np.inf, np.empty(0), np.empty(0))


def _log_precisions(scatter: Floats, counts: Floats, s: Floats) -> Floats:
    """Return where the convex function in the head of this file is least; start from s."""
    look = _among_diagonals if scatter.ndim == 2 else _among_matrices
    k, d, shares = len(counts), scatter.shape[1], counts / counts.sum()
    s = s - s.max()  # only differences count
    here = look(scatter, s)
    for _ in range(MOST_STEPS):
        if here is NOWHERE or k == 1:
            break
        gradient = here.traces - d * shares
        # Shifting all s changes nothing; the constant 1 / k makes that direction regular.
        hessian = np.diag(here.traces) - here.products + 1.0 / k
        step: Floats
        _, step, failed = dposv(hessian, -gradient)
        if failed:
            break
        decrement = -gradient @ step
        if not decrement > NEARLY:
            return s + step
        there = look(scatter, s + step)
        for _ in range(MOST_HALVINGS):
            if here.log_det - there.log_det + d * (shares @ step) > 0.0:
                break
            step = 0.5 * step
            there = look(scatter, s + step)
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
