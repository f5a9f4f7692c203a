"""Volumes of components that share their shape: VEI, VEE and VEV.

Let the covariances be ``volume_j C``, and s_j = -log volume_j. With W_j the scatter of a component
about its mean and n_j its weight, the best C for given volumes is ``M(s) / n``, where
``M(s) = sum_j exp(s_j) W_j``. What is left to be minimised,

    n log det M(s) - d sum_j n_j s_j,

is convex in s: Newton's method finds the one maximum of the likelihood that the iterations of
Celeux and Govaert [1]_ approach.

There is none where a component has too few directions for its weight, as one has that lies in a
plane: the smaller its volume, the larger the likelihood. It is left out, and the others are solved.

.. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
   781-793, 1995.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.shapes import TINY, Floats

__all__ = ["with_common_matrix", "with_common_variances"]

MOST_STEPS = 60
MOST_HALVINGS = 30
NEARLY = 1e-13  # Newton decrement, per row, below which the next step is the last
LONGEST_STEP = 5.0  # of a logarithm of a volume
# Of the logarithm of a volume, below what the component's share of the pooled scatter suggests.
# Beyond it, the volume is within the rounding error of the others.
MOST_SHRUNK = 28.0
LEAST_SCATTER = 1e-14  # of the pooled variance; below, it is rounding
LEAST_RATIO = 1e-12  # of the shape to the pooled scatter in a direction; below, it is rounding


def with_common_variances(
    scatter: Floats, counts: Floats, previous: Floats | None, by: Algebra
) -> Floats:
    """Return variances ``volume_j a`` of largest likelihood.

    Parameters
    ----------
    scatter : ndarray of shape (n_components, n_features)
        Diagonals of the scatters.
    counts : ndarray of shape (n_components,)
        Positive weights.
    previous : ndarray or None
        Covariances before, from which the search starts; they change the result by rounding only.
    by : Algebra

    Returns
    -------
    ndarray of shape (n_components, n_features)
        Zero for a component without scatter, NaN for one whose volume has no limit but zero.
    """
    before = None if previous is None else previous.sum(axis=1)
    scatter = np.maximum(scatter, 0.0)  # rounding may leave less than nothing
    return _scaled(scatter, scatter.sum(axis=1), counts, before, by)


def with_common_matrix(
    scatter: Floats, counts: Floats, previous: Floats | None, by: Algebra
) -> Floats:
    """Return covariances ``volume_j C`` of largest likelihood.

    Parameters
    ----------
    scatter : ndarray of shape (n_components, n_features, n_features)
    counts : ndarray of shape (n_components,)
        Positive weights.
    previous : ndarray or None
        Covariances before, from which the search starts; they change the result by rounding only.
    by : Algebra

    Returns
    -------
    ndarray of shape (n_components, n_features, n_features)
        Zero for a component without scatter, NaN for one whose volume has no limit but zero.
    """
    before = None if previous is None else np.einsum("jaa->j", previous)
    return _scaled(scatter, np.einsum("jaa->j", scatter), counts, before, by)


def _scaled(
    scatter: Floats, traces: Floats, counts: Floats, before: Floats | None, by: Algebra
) -> Floats:
    covariances = np.zeros(scatter.shape)
    left = traces > 0.0
    left[left] = _has_scatter(scatter[left], counts[left], by)
    if not left.all():
        before = None
    while left.any():
        of_left = scatter[left], counts[left]
        start = np.log(counts[left] / traces[left] if before is None else 1.0 / before)
        s, lost = _log_precisions(*of_left, start, by)
        if lost is None:
            pooled = np.einsum("j,j...->...", np.exp(s), of_left[0]) / of_left[1].sum()
            covariances[left] = np.multiply.outer(np.exp(-s), pooled)
            break
        lost = np.flatnonzero(left)[lost]
        left[lost], covariances[lost], before = False, np.nan, None
    return covariances


def _has_scatter(scatter: Floats, counts: Floats, by: Algebra) -> NDArray[np.bool_]:
    """Which components have scatter beyond rounding, beside the pooled one."""
    look = _among_diagonals if scatter.ndim == 2 else _among_matrices
    pooled = look(scatter, np.zeros(len(counts)), by) if len(counts) else NOWHERE
    if pooled is NOWHERE:
        return np.ones(len(counts), dtype=bool)
    return np.asarray(pooled.traces > LEAST_SCATTER * counts / counts.sum())


class _Point(NamedTuple):
    """The sum M(s), and its terms relative to it, ``P_j = exp(s_j) W_j inv(M)``."""

    total: Floats  # M
    log_det: float
    traces: Floats  # tr P_j
    products: Floats  # tr P_i P_j


NOWHERE = _Point(np.empty(0), np.inf, np.empty(0), np.empty(0))


def _log_precisions(
    scatter: Floats, counts: Floats, s: Floats, by: Algebra
) -> tuple[Floats, int | None]:
    """Minimise the convex function in the head of this file, starting from s.

    Returns
    -------
    s : ndarray of shape (n_components,)
        Where it is least.
    lost : int or None
        The component whose volume goes to zero fastest where there is no least value, or one where
        the shape has lost a direction.
    """
    look = _among_diagonals if scatter.ndim == 2 else _among_matrices
    k, d, shares = len(counts), scatter.shape[1], counts / counts.sum()
    pooled = look(scatter, np.zeros(k), by)
    s = s - s.max()  # only differences count
    here = look(scatter, s, by)
    if k == 1 or here is NOWHERE or pooled is NOWHERE:
        return s, None
    expected = np.log(shares / np.maximum(pooled.traces, TINY))
    for _ in range(MOST_STEPS):
        shrunk = s - expected
        shrunk -= np.median(shrunk)
        gradient = here.traces - d * shares
        # Shifting all s changes nothing; the constant 1 / k makes that direction regular.
        root, (failed,) = by.factorise((np.diag(here.traces) - here.products + 1.0 / k)[None])
        if failed or shrunk.max() > MOST_SHRUNK:
            return s, int(np.argmax(shrunk))
        along = np.einsum("ab,a->b", root[0], gradient)
        step: Floats = -np.einsum("ab,b->a", root[0], along)
        decrement = -(gradient * step).sum()
        if not decrement > NEARLY:
            s = s + step
            break
        step *= min(1.0, LONGEST_STEP / np.abs(step).max())
        there = look(scatter, s + step, by)
        for _ in range(MOST_HALVINGS):
            if here.log_det - there.log_det + d * (shares @ step) > 0.0:
                break
            step = 0.5 * step
            there = look(scatter, s + step, by)
        else:
            break
        s, here = s + step, there
    thinnest = _thinnest(here.total, pooled.total, by)
    return s, int(np.argmax(shrunk)) if thinnest < LEAST_RATIO else None


def _thinnest(total: Floats, pooled: Floats, by: Algebra) -> float:
    """Return the smallest ratio of one sum to another in any direction, relative to the largest."""
    if total.ndim == 1:
        ratios = total / pooled
    else:
        root = by.factorise(pooled[None])[0]
        turned = by.multiply(root.transpose(0, 2, 1), by.multiply(total[None], root))
        ratios = by.eigh(turned)[0][0]
    return float(ratios.min() / ratios.max())


def _among_diagonals(scatter: Floats, s: Floats, by: Algebra) -> _Point:
    terms = np.exp(s)[:, None] * scatter
    total = terms.sum(axis=0)
    if not (total.min() > 0.0 and total.max() < np.inf):
        return NOWHERE
    relative = terms / total
    log_det = float(np.log(total).sum())
    return _Point(total, log_det, relative.sum(axis=1), _products(relative, by))


def _among_matrices(scatter: Floats, s: Floats, by: Algebra) -> _Point:
    terms = np.exp(s)[:, None, None] * scatter
    total = terms.sum(axis=0)
    root, (failed,) = by.factorise(total[None])
    if failed:
        return NOWHERE
    relative = by.multiply(root.transpose(0, 2, 1), by.multiply(terms, root))
    log_det = -2.0 * float(np.log(np.einsum("jaa->ja", root)).sum())
    products = _products(relative.reshape(len(s), -1), by)
    return _Point(total, log_det, np.einsum("jaa->j", relative), products)


def _products(vectors: Floats, by: Algebra) -> Floats:
    """Inner products of all pairs."""
    products: Floats = by.multiply(vectors[None], vectors.T[None])[0]
    return products
