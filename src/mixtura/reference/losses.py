"""What the rows lose where one component is taken away, or two become one: see `search.losses`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.reference import matrices
from mixtura.shapes import FULL, Floats
from mixtura.statistics import Statistics

__all__ = ["entropies", "losses_of_rows", "runnalls"]

TINY = float(np.finfo(np.float64).tiny)


def losses_of_rows(resp: Floats, weight: Floats) -> Floats:
    """Return what rows lose if each component's are left to the others as they are.

    Parameters
    ----------
    resp : ndarray of shape (n_samples, n_components)
    weight : ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_components,), nats
        ``-sum_i weight[i] log(1 - resp[i, j])``.
    """
    losses: Floats = -np.einsum("i,ij->j", weight, np.log(np.maximum(1.0 - resp, TINY)))
    return losses


def entropies(resp: Floats, weight: Floats, others: NDArray[np.intp], least_share: float) -> Floats:
    """Return the entropy of the shares of each component and some others in their rows.

    Parameters
    ----------
    resp : ndarray of shape (n_samples, n_components)
    weight : ndarray of shape (n_samples,)
    others : ndarray of shape (n_components, n_others), int
    least_share : float
        Rows are left out of which one component has all but this.

    Returns
    -------
    ndarray of shape (n_components, n_others), nats
        ``sum_i weight[i] (x(r + s) - x(r) - x(s))`` with shares r and s, and ``x(r) = r log r``;
        the same to the bit for two components in either order.
    """
    unsure = resp.max(axis=1) < 1.0 - least_share
    r, weight = resp[unsure], weight[unsure]
    own, found = _times_log(r), np.empty(others.shape)
    for c, mates in enumerate(others.T):
        entropy = _times_log(r + r[:, mates]) - (own + own[:, mates])
        found[:, c] = [(weight * column).sum() for column in entropy.T]
    return found


def runnalls(statistics: Statistics, one: NDArray[np.intp], other: NDArray[np.intp]) -> Floats:
    """Return Runnalls' bound for pairs of components, whether they share a covariance or not.

    Parameters
    ----------
    statistics : Statistics
        About the means.
    one, other : ndarray of shape (n_pairs,), int

    Returns
    -------
    ndarray of shape (n_pairs,), nats
        NaN or infinite where nothing can be said.
    """
    N, scatter = statistics.resp_sum, statistics.resp_xx
    d, is_shared = statistics.centres.shape[1], statistics.shape.is_shared
    shape = FULL if is_shared else statistics.shape  # of the scatter of one pair

    def log_dets(scatters: Floats, counts: Floats) -> Floats:
        column = counts.reshape((-1,) + (1,) * (scatters.ndim - 1))
        covariances = shape.per_feature(scatters / column, d)
        by: Any = matrices
        factors, failed = shape.factorise(np.ascontiguousarray(covariances), by)
        return np.where(failed, np.nan, -2.0 * shape.log_dets(factors, d))

    with np.errstate(all="ignore"):  # sums may leave a float's range
        joint = N[one] + N[other]
        apart = statistics.centres[one] - statistics.centres[other]
        between = shape.product((N[one] * N[other] / joint)[:, None] * apart, apart)
        if is_shared:
            counts = np.full(len(one) + 1, N.sum())
            each = log_dets(np.concatenate([scatter + between, scatter[None]]), counts)
            loss = 0.5 * N.sum() * (each[:-1] - each[-1])
        else:
            counts = np.concatenate([N, joint])
            of_pairs = scatter[one] + scatter[other] + between
            each = counts * log_dets(np.concatenate([scatter, of_pairs]), counts)
            loss = 0.5 * (each[len(N) :] - (each[one] + each[other]))
        losses: Floats = loss - (_times_log(joint) - (_times_log(N[one]) + _times_log(N[other])))
    return losses


def _times_log(x: Floats) -> Floats:
    """Return ``x log x``, 0 for 0."""
    product: Floats = x * np.log(np.maximum(x, TINY))
    return product
