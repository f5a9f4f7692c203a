"""Groups of rows that lie close together where a mixture has low densities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.shapes import Floats

__all__ = ["densest"]

AT_ONE_TIME = 1 << 14  # distances


def densest(
    Z: Floats,
    weight: Floats,
    log_prob: Floats,
    unit: float,
    least_variance: float,
    size: int,
    n_groups: int,
) -> tuple[NDArray[np.int64], Floats]:
    """Return the groups of neighbours that gain most by a component of their own.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Rows in units of the features.
    weight : ndarray of shape (n_samples,)
        Positive.
    log_prob : ndarray of shape (n_samples,), nats
    unit : float
        Log of the weight of all rows and of the units of the features.
    least_variance : float
        Of a group.
    size : int
        Rows of a group, n_samples at most.
    n_groups : int
        Most groups.

    Returns
    -------
    rows : ndarray of shape (n, size), int64
        Of each group, its middle first, then by distance. No row is in two groups.
    gains : ndarray of shape (n,), nats
        Positive, the largest first.
    """
    m, d = Z.shape
    near, squares = _nearest(Z, size)
    weights = weight[near].sum(axis=1)
    variances = (weight[near] * squares).sum(axis=1) / (d * weights)
    height = np.log(weights) - unit
    height -= 0.5 * d * np.log(2.0 * np.pi * np.e * np.maximum(variances, least_variance))
    gains = weights * height - (weight * log_prob)[near].sum(axis=1)
    groups: list[int] = []
    taken = np.zeros(m, dtype=bool)
    for i in np.argsort(-gains, kind="stable").tolist():
        if len(groups) == n_groups or not gains[i] > 0.0:
            break
        if not taken[near[i]].any():
            groups.append(i)
            taken[near[i]] = True
    return near[groups], gains[groups]


def _nearest(Z: Floats, size: int) -> tuple[NDArray[np.int64], Floats]:
    """Return each row and its nearest others, and their squared distances, shape (m, size)."""
    m = len(Z)
    near, squares = np.empty((m, size), dtype=np.int64), np.empty((m, size))
    step = max(1, AT_ONE_TIME // m)
    for begin in range(0, m, step):
        some = slice(begin, begin + step)
        distances = np.zeros((len(Z[some]), m))
        for column in Z.T:  # without cancellation
            distances += np.square(column[some, None] - column)
        distances[np.arange(len(distances)), np.arange(m)[some]] = -1.0  # itself comes first
        near[some] = np.argsort(distances, axis=1, kind="stable")[:, :size]
        squares[some] = np.maximum(0.0, np.take_along_axis(distances, near[some], axis=1))
    return near, squares
