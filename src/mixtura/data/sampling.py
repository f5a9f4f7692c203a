"""Choosing rows at random, by weight.

Random choices are made by inverting cumulated weights, so that a row of weight two is drawn as two
equal rows would be. Rows are chosen by their positions, so it does not matter where they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.shapes import Floats

__all__ = ["draw_rows", "equal_rows", "thin_rows"]

Indices = NDArray[np.intp]


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
    rows: Indices = np.searchsorted(cumulated, quantiles * cumulated[-1], side="right")
    if rows.max(initial=0) == len(weight):  # a quantile that was rounded up to one
        rows = np.minimum(rows, np.flatnonzero(weight)[-1])
    return rows


def thin_rows(
    n_samples: int, sample_weight: Floats | None, size: int, rng: np.random.Generator
) -> tuple[Indices, Floats]:
    """Rows that stand for all, with weights: all of them when there are at most `size`.

    Parameters
    ----------
    n_samples : int
    sample_weight : ndarray of shape (n_samples,) or None
    size : int
        Most rows.
    rng : Generator
        One draw from each of `size` equal shares of the total weight.

    Returns
    -------
    positions : ndarray of shape (m,)
        Ascending.
    weight : ndarray of shape (m,)
        Positive.
    """
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


def equal_rows(X: NDArray[Any], row: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows are equal to one, number by number, without an array of the size of X.

    A missing number is equal to a missing one.
    """
    equal = np.ones(len(X), dtype=bool)
    for a in range(X.shape[1]):
        equal &= np.isnan(X[:, a]) if np.isnan(row[a]) else X[:, a] == row[a]
    return equal
