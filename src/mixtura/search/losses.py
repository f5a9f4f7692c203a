"""What is lost without a component: the less of two estimates.

Its rows may be left to the others as they are. Then a row of which it had the share r loses
``-log(1 - r)``, and the weights of the others grow. Or it may be merged with another one. Then
Runnalls' bound [1]_ says what is lost if no row was shared between the two. Where rows were shared,
their log-likelihood was higher by the entropy of the shares, which is lost as well.

.. [1] A. R. Runnalls, "Kullback-Leibler approach to Gaussian mixture reduction", IEEE Transactions
   on Aerospace and Electronic Systems 43, 989-999, 2007, equation (21).
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.search.shares import LEAST_SHARE, Shares
from mixtura.shapes import EPS, Floats
from mixtura.statistics import Statistics

__all__ = ["Merging", "losses_of_deletion", "losses_of_merging"]

PARTNERS = 3  # of each component, with which merging is looked at closely
NEIGHBOURS = 20  # of each component, of which the partners are chosen


class Merging(NamedTuple):
    """The components with which each one loses least when it is merged.

    Attributes
    ----------
    partner : ndarray of shape (n_components, n_partners), int
    loss : ndarray of shape (n_components, n_partners), nats
        Infinite where nothing can be said.
    """

    partner: NDArray[np.intp]
    loss: Floats


def losses_of_deletion(shares: Shares, weights: Floats) -> Floats:
    """Return what the rows lose without each component, nats, shape (n_components,)."""
    grown = -np.log1p(-np.minimum(weights, 1.0 - EPS))
    of_rows = shares.backend.engine.losses_of_rows(shares.resp, shares.weight)
    losses: Floats = of_rows - shares.weight.sum() * grown
    return losses


def losses_of_merging(
    statistics: Statistics, shares: Shares, scale: Floats, by: Algebra
) -> Merging:
    """Return what the rows lose where two components become one.

    Parameters
    ----------
    statistics : Statistics
        About the means.
    shares : Shares
    scale : ndarray of shape (n_features,)
        Units of the features.
    by : Algebra

    Notes
    -----
    O(k^2 d + k d^3), for the `NEIGHBOURS` of each component that are nearest by Ward's distance.
    """
    k, engine = len(statistics.resp_sum), cast(Any, by)
    one, other = _pairs(statistics, scale)
    losses = engine.runnalls(statistics, one, other)
    losses[~np.isfinite(losses)] = np.inf
    table = np.full((k, k), np.inf)
    table[one, other] = table[other, one] = losses
    partner = table.argsort(axis=1, kind="stable")[:, : min(PARTNERS, k - 1)]
    loss = table[np.arange(k)[:, None], partner]
    loss += engine.entropies(shares.resp, shares.weight, partner, LEAST_SHARE)
    return Merging(partner, loss)


def _pairs(statistics: Statistics, scale: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of components, each with those nearest to it; every pair of few components."""
    k = len(statistics.resp_sum)
    if k <= NEIGHBOURS + 1:
        return _all_pairs(k)
    near = np.argsort(ward(statistics, scale), axis=1, kind="stable")[:, :NEIGHBOURS]
    pairs = np.stack([np.repeat(np.arange(k), NEIGHBOURS), near.ravel()], axis=1)
    one, other = np.unique(np.sort(pairs, axis=1), axis=0).T
    return one, other


@cache
def _all_pairs(k: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    one, other = np.triu_indices(k, 1)
    return one, other


def ward(statistics: Statistics, scale: Floats) -> Floats:
    """Ward's distance of each two components; infinite from one to itself."""
    means, N = statistics.means() / scale, statistics.resp_sum
    squares = np.zeros((len(N), len(N)))
    for column in means.T:  # no array is larger than this
        squares += np.square(column[:, None] - column)
    both = N[:, None] + N
    distances = np.divide(N[:, None] * N, both, out=np.zeros_like(both), where=both > 0) * squares
    np.fill_diagonal(distances, np.inf)
    return distances
