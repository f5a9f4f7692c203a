"""Where among the rows that a mixture explains worst one more component would help most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.shapes import Floats

__all__ = ["DenseGroup", "densest"]

LEAST_VARIANCE = 1e-6  # of a group, in units of the features: equal rows have none
AT_ONE_TIME = 1 << 14  # distances


class DenseGroup(NamedTuple):
    """Some rows that lie close together.

    Attributes
    ----------
    rows : ndarray of shape (m,), int
        Which they are, the one in their middle first.
    gain : float, nats
        How much their log-likelihood would grow if a round component of their weight, about the
        first of them, were there for them alone.
    """

    rows: NDArray[np.intp]
    gain: float


def densest(
    X: Floats,
    weight: Floats,
    log_prob: Floats,
    scale: Floats,
    weight_sum: float,
    *,
    size: int,
    n_groups: int = 5,
) -> list[DenseGroup]:
    """Return groups of neighbours that are denser than a mixture has it, the best first.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of low density, whole.
    weight : ndarray of shape (n_samples,)
        Positive.
    log_prob : ndarray of shape (n_samples,), nats
        Their log-densities under the mixture, finite.
    scale : ndarray of shape (n_features,)
        Units in which distances are measured: deviations within the components.
    weight_sum : float
        Weight of all rows, those of low density and the others.
    size : int
        Rows of each group, 2 (n_features + 1) for instance. A group that is larger than the
        clusters sought has other rows in it.
    n_groups : int
        Most groups.

    Returns
    -------
    list of DenseGroup
        No row is in two groups. Those without gain are left out.

    Notes
    -----
    Each row and its nearest neighbours are a group; there may be several in one cluster. Of rows
    with heavy tails, some groups at the edge of the bulk may come before a small cluster far away.
    Time O(n_samples^2 n_features); memory O(n_samples size), and some ten thousand distances.
    """
    m, d = X.shape
    if m < size:
        return []
    near, squares = _nearest(X / scale, size)
    weights = weight[near].sum(axis=1)
    variances = (weight[near] * squares).sum(axis=1) / (d * weights)
    height = np.log(weights / weight_sum) - np.log(scale).sum()
    height -= 0.5 * d * np.log(2.0 * np.pi * np.e * np.maximum(variances, LEAST_VARIANCE))
    gains = weights * height - (weight * log_prob)[near].sum(axis=1)
    groups: list[DenseGroup] = []
    taken = np.zeros(m, dtype=bool)
    for i in np.argsort(-gains, kind="stable"):
        if len(groups) == n_groups or gains[i] <= 0.0:
            break
        if not taken[near[i]].any():
            groups.append(DenseGroup(near[i], float(gains[i])))
            taken[near[i]] = True
    return groups


def _nearest(Z: Floats, size: int) -> tuple[NDArray[np.intp], Floats]:
    """Return each row and its nearest others, and their squared distances, shape (m, size)."""
    m = len(Z)
    near, squares = np.empty((m, size), dtype=np.intp), np.empty((m, size))
    step = max(1, AT_ONE_TIME // m)
    for begin in range(0, m, step):
        some = slice(begin, begin + step)
        distances = np.zeros((len(Z[some]), m))
        for column in Z.T:  # without cancellation
            distances += np.square(column[some, None] - column)
        distances[np.arange(len(distances)), np.arange(m)[some]] = -1.0  # itself comes first
        order = np.argpartition(distances, size - 1, axis=1)[:, :size]
        found = np.take_along_axis(distances, order, axis=1)
        ascending = np.lexsort((order, found))
        near[some] = np.take_along_axis(order, ascending, axis=1)
        squares[some] = np.maximum(0.0, np.take_along_axis(found, ascending, axis=1))
    return near, squares
