"""Starts: where the centres of clusters may lie, before anything else is known.

Centres are sought on a sample of rows, in coordinates that do not depend on the units of the
features: each divided by its standard deviation, or whitened, which also undoes their correlation.
Random choices are made by inverting cumulated weights, so that a row of weight two is drawn as two
equal rows would be.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.kernels import Rows
from mixtura.statistics import Floats

__all__ = [
    "Metric",
    "draw_rows",
    "equal_rows",
    "kmeans_plusplus",
    "lloyd",
    "random_rows",
    "standardised",
    "thin",
    "thin_rows",
]

Indices = NDArray[np.intp]
Metric = Literal["scaled", "whitened"]

LEAST_GAIN = 1e-5  # relative, of an iteration of Lloyd's algorithm


def draw_rows(weight: Floats, size: int, rng: np.random.Generator) -> Indices:
    """Draw rows with probability proportional to weight, with replacement, in random order.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,)
        Non-negative, not all zero.
    size : int
    rng : Generator

    Returns
    -------
    ndarray of shape (size,)
        A row of weight zero is never drawn.
    """
    return _invert(weight, rng.random(size))


def _invert(weight: Floats, quantiles: Floats) -> Indices:
    cumulated = np.cumsum(weight)
    rows = np.searchsorted(cumulated, quantiles * cumulated[-1], side="right")
    last = int(np.flatnonzero(weight)[-1])  # a quantile may round up to one
    drawn: Indices = np.minimum(rows, last)
    return drawn


def thin_rows(
    n_samples: int, sample_weight: Floats | None, size: int, rng: np.random.Generator
) -> tuple[Indices, Floats]:
    """Positions of rows that stand for all, ascending, and their weights: see `thin`."""
    if sample_weight is None and n_samples <= size:
        return np.arange(n_samples), np.ones(n_samples)
    if sample_weight is not None and np.count_nonzero(sample_weight) <= size:
        present = np.flatnonzero(sample_weight)
        return present, sample_weight[present]
    quantiles = (np.arange(size) + rng.random(size)) / size
    if sample_weight is None:
        drawn = np.minimum((quantiles * n_samples).astype(np.intp), n_samples - 1)
    else:
        drawn = _invert(sample_weight, quantiles)
    rows, counts = np.unique(drawn, return_counts=True)
    return rows, counts.astype(np.float64)


def thin(
    X: NDArray[Any], sample_weight: Floats | None, size: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Rows that stand for all, with weights: all of them when there are at most `size`.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None
    size : int
        Most rows.
    rng : Generator
        One draw from each of `size` equal shares of the total weight.

    Returns
    -------
    rows : ndarray of shape (m, n_features), float64
    weight : ndarray of shape (m,)
        Positive.
    """
    rows, weight = thin_rows(len(X), sample_weight, size, rng)
    return X[rows].astype(np.float64), weight


def standardised(X: Floats, weight: Floats, metric: Metric) -> Floats:
    """Rows in units of their own spread: scaled by feature, or whitened.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,)
    metric : {"scaled", "whitened"}

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        Centred; in directions without spread, zero.
    """
    share = weight / weight.sum()
    Z: Floats = X - share @ X
    Z -= share @ Z
    deviations = np.sqrt(share @ np.square(Z))
    Z /= np.where(deviations > 0.0, deviations, 1.0)
    if metric == "scaled":
        return Z
    variances, directions = np.linalg.eigh((Z * share[:, None]).T @ Z)
    spread = variances > 1e-12 * variances[-1]
    whitened: Floats = Z @ (directions[:, spread] / np.sqrt(variances[spread]))
    return whitened


def random_rows(
    X: NDArray[Any], weight: Floats, n_clusters: int, rng: np.random.Generator
) -> Floats:
    """Rows drawn with probability proportional to weight, no two equal while others are left."""
    left = weight.copy()
    chosen: list[int] = []
    while len(chosen) < n_clusters and left.any():
        chosen.append(int(draw_rows(left, 1, rng)[0]))
        left[equal_rows(X, chosen[-1])] = 0.0
    rows: Floats = X[np.resize(chosen, n_clusters)].astype(np.float64)
    return rows


def equal_rows(X: NDArray[Any], row: int) -> NDArray[np.bool_]:
    """Which rows are the same as one, number by number, without an array of the size of X."""
    equal = np.ones(len(X), dtype=bool)
    for a in range(X.shape[1]):
        equal &= X[:, a] == X[row, a]
    return equal


def kmeans_plusplus(Z: Floats, weight: Floats, n_clusters: int, rng: np.random.Generator) -> Floats:
    """Choose centres among the rows, each far from those before: greedy k-means++.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Centred near zero.
    weight : ndarray of shape (n_samples,)
        Positive.
    n_clusters : int
    rng : Generator

    Returns
    -------
    ndarray of shape (n_clusters, n_features)

    Notes
    -----
    Each centre is the best of 2 + log(n_clusters) rows drawn with probability proportional to
    weight times squared distance to the nearest centre so far. Cost O(n k d log k).

    References
    ----------
    .. [1] D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    n_trials = 2 + int(math.log(n_clusters))
    squares = np.einsum("ia,ia->i", Z, Z)
    chosen = [int(draw_rows(weight, 1, rng)[0])]
    nearest_squared = _squared_distances(Z, squares, chosen)[0]
    for _ in range(1, n_clusters):
        potential = weight * nearest_squared
        trials = draw_rows(potential if potential.any() else weight, n_trials, rng)
        candidates = np.minimum(_squared_distances(Z, squares, trials), nearest_squared)
        best = int(np.argmin(candidates @ weight))
        chosen.append(int(trials[best]))
        nearest_squared = candidates[best]
    return Z[chosen]


def _squared_distances(Z: Floats, squares: Floats, chosen: Indices | list[int]) -> Floats:
    """(n_chosen, n_samples); rows are centred, so that the product form loses little."""
    distances: Floats = Z[chosen] @ Z.T
    distances *= -2.0
    distances += squares
    distances += squares[chosen][:, None]
    distances *= distances > 1e-14 * squares  # a row that is the centre, but for rounding
    return distances


def lloyd(rows: Rows, centres: Floats, max_iter: int, n_threads: int | None) -> Floats:
    """Move centres to the means of the rows nearest to them, while it pays; an empty one stays.

    Parameters
    ----------
    rows : Rows
    centres : ndarray of shape (n_clusters, n_features)
    max_iter : int
    n_threads : int or None

    Returns
    -------
    ndarray of shape (n_clusters, n_features)
    """
    before = -math.inf
    for _ in range(max_iter):
        statistics = rows.assign(centres, n_threads)
        if statistics.log_likelihood - before <= LEAST_GAIN * abs(statistics.log_likelihood):
            break
        before = statistics.log_likelihood
        centres = statistics.means()
    return centres
