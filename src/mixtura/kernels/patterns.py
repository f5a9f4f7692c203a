"""The order in which compiled passes read incomplete rows: by which numbers are missing.

Rows that lack the same features and are many are a run: their pass knows the observed features
alone. All other rows are mixed: each is solved for what it lacks. See ``_ext/incomplete.h``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Order", "sort_by_pattern"]

PIECE = 2**20  # numbers looked at together, so that no second (n_samples, n_features) array exists


class Order(NamedTuple):
    """Rows in the order in which a pass reads them.

    Attributes
    ----------
    rows : ndarray of shape (n_samples,), int64
        The row at each place: first the mixed ones, those that lack most before the others.
    runs : ndarray of shape (n_runs,), int64
        The places where runs begin. The mixed rows are those before the first one.
    most_missing : int
        Most features that a mixed row lacks.
    """

    rows: NDArray[np.int64]
    runs: NDArray[np.int64]
    most_missing: int


def sort_by_pattern(X: NDArray[Any]) -> Order:
    """Find rows that lack the same features.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
        NaN where a number is missing.

    Returns
    -------
    Order

    Notes
    -----
    Costs a sort of the rows that lack something, and a bit for each number.
    """
    n, d = X.shape
    words = _missing_bits(X)
    lacks = words.any(axis=1)
    complete, others = np.flatnonzero(~lacks), np.flatnonzero(lacks)
    words = words[others]
    by_pattern = np.lexsort(words.T)
    words, others = words[by_pattern], others[by_pattern]
    new = np.ones(len(others), dtype=bool)
    new[1:] = (words[1:] != words[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    counts = np.diff(starts, append=len(others))
    missing = np.unpackbits(words[starts].view(np.uint8), axis=1).sum(axis=1, dtype=np.int64)
    is_run = (missing == d) | (counts >= least_run(d, missing))
    # Mixed rows come first: they take longest, and the threads end together.
    first = np.lexsort((-missing, is_run))
    order = np.repeat(starts[first] - np.cumsum(counts[first]) + counts[first], counts[first])
    order += np.arange(len(others))
    ends = np.cumsum(counts[first])
    runs = (ends - counts[first])[np.count_nonzero(~is_run) :]
    if len(complete):
        runs = np.append(runs, n - len(complete))
    return Order(
        np.concatenate([others[order], complete]).astype(np.int64),
        runs.astype(np.int64),
        int(missing[~is_run].max(initial=0)),
    )


def least_run(n_features: int, missing: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many rows of a pattern are worth a pass of their own.

    The start of a run takes time as the squared number of observed features or more, a mixed row
    as the number of missing ones. The factor was measured with 8 to 30 features.
    """
    observed = n_features - missing
    most: NDArray[np.int64] = 16 * observed**2 // (n_features * missing)
    return most


def _missing_bits(X: NDArray[Any]) -> NDArray[np.uint64]:
    """One bit a number, those of a row in words of 64: shape (n_samples, n_words)."""
    n, d = X.shape
    bits = np.zeros((n, 8 * ((d + 63) // 64)), dtype=np.uint8)
    piece = max(1, PIECE // max(1, d))
    for start in range(0, n, piece):
        packed = np.packbits(np.isnan(X[start : start + piece]), axis=1)
        bits[start : start + piece, : packed.shape[1]] = packed
    return bits.view(np.uint64)
