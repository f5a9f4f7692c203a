"""The order in which compiled passes read incomplete rows: by which numbers are missing.

Rows that lack the same features and are many are a run: their pass knows the observed features
alone. All other rows are mixed: each is solved for what it lacks. See ``_ext/incomplete.h``.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    Costs a sort of the rows that lack something. Memory beyond the result, which has 8 bytes a row:
    one byte a row, and for each row that lacks something 8 bytes, or, if its pattern is rare, some
    dozens.
    """
    n, d = X.shape
    lacks, words = _missing_bits(X)
    m = len(words)
    by_pattern = np.lexsort(words.T)
    words = words[by_pattern]
    new = np.ones(m, dtype=bool)
    new[1:] = (words[1:] != words[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    counts = np.diff(starts, append=m)
    missing = _n_missing(words[starts])
    del words, new
    is_run = (missing == d) | (counts >= least_run(d, missing))
    # Mixed rows come first: they take longest, and the threads end together.
    first = np.lexsort((-missing, is_run))
    ends = np.cumsum(counts[first])
    begins = ends - counts[first]
    offsets = starts[first] - begins
    runs = begins[np.count_nonzero(~is_run) :]
    if m < n:
        runs = np.append(runs, m)
    # The result is also where the rows that lack something stand in between.
    rows = np.empty(n, dtype=np.int64)
    _write_places(lacks, rows[:m])
    _write_places(np.logical_not(lacks, out=lacks), rows[m:])
    for part in _pieces(m, PIECE // 8):
        by_pattern[part] = rows[by_pattern[part]]
    for part in _pieces(m, PIECE // 8):
        places = np.arange(part.start, part.stop)
        rows[part] = by_pattern[places + offsets[np.searchsorted(ends, places, side="right")]]
    return Order(rows, runs.astype(np.int64), int(missing[~is_run].max(initial=0)))


def least_run(n_features: int, missing: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many rows of a pattern are worth a pass of their own.

    The start of a run takes time as the squared number of observed features or more, a mixed row
    as the number of missing ones. The factor was measured with 8 to 30 features.
    """
    observed = n_features - missing
    most: NDArray[np.int64] = 16 * observed**2 // (n_features * missing)
    return most


def _missing_bits(X: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Which rows lack something, and a bit for each number of these, shape (n_lacking, n_words)."""
    n, d = X.shape
    n_bytes = (d + 7) // 8
    word = np.dtype(f"u{min(8, 1 << max(0, n_bytes - 1).bit_length())}")
    lacks, kept = np.empty(n, dtype=bool), []
    for part in _pieces(n, max(1, PIECE // max(1, d))):
        missing = np.isnan(X[part])
        lacks[part] = missing.any(axis=1)
        missing = missing[lacks[part]]
        bits = np.zeros((len(missing), -(-n_bytes // word.itemsize) * word.itemsize), np.uint8)
        bits[:, :n_bytes] = np.packbits(missing, axis=1)
        kept.append(bits.view(word))
    return lacks, np.concatenate(kept) if kept else np.empty((0, 1), word)


def _n_missing(words: NDArray[Any]) -> NDArray[np.int64]:
    """Bits of each row that are set."""
    counts = np.empty(len(words), dtype=np.int64)
    for part in _pieces(len(words), max(1, PIECE // (8 * words.itemsize * words.shape[1]))):
        counts[part] = np.unpackbits(words[part].view(np.uint8), axis=1).sum(axis=1)
    return counts


def _write_places(mask: NDArray[np.bool_], out: NDArray[np.int64]) -> None:
    """Write where a mask is true."""
    end = 0
    for part in _pieces(len(mask), PIECE // 8):
        found = part.start + np.flatnonzero(mask[part])
        out[end : end + len(found)] = found
        end += len(found)


def _pieces(n: int, size: int) -> Iterator[slice]:
    """Parts of n, one after another."""
    return (slice(start, min(n, start + size)) for start in range(0, n, size))
