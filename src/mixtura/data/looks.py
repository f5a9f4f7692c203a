"""What is looked at in rows, block by block, and put together for all of them.

A look is a function of one block that returns something small. It can be pickled, so that it may go
to where the rows are: see `RowSource.map`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.data.block import Block
from mixtura.data.fingerprint import array_fingerprint, digest_of
from mixtura.shapes import Floats

__all__ = [
    "Counted",
    "Digests",
    "Extremes",
    "Observed",
    "RowByRow",
    "combined_extremes",
    "count_missing",
    "counted",
    "digests",
    "extremes",
    "first_numbers",
    "present",
    "total_of",
]


class RowByRow:
    """A kind of looks that return the same for a row wherever it is: they need no `Block.start`."""


MARKED = 16  # rows of a block that later readings are compared by


class Counted(NamedTuple):
    """How many rows there are, and how much they count.

    Attributes
    ----------
    n_samples : int
    n_rows : int
        Rows of positive weight.
    weight_sum : float
    least, largest : float
        Positive weight of a row; 1 where rows have no weights.
    mark : int
        A digest of some rows of positive weight, which tells blocks of other rows apart.
    """

    n_samples: int
    n_rows: int
    weight_sum: float
    least: float
    largest: float
    mark: int = 0


def counted(block: Block) -> Counted:
    """Return what is counted in one block."""
    n, weight, mark = len(block.X), block.sample_weight, _mark(block)
    if weight is None:
        return Counted(n, n, float(n), 1.0, 1.0, mark)
    n_rows = int(np.count_nonzero(weight))
    least = weight.min(initial=np.inf, where=weight > 0.0)
    largest = weight.max(initial=0.0)
    return Counted(n, n_rows, float(weight.sum()), float(least), float(largest), mark)


def _mark(block: Block) -> int:
    """Return a digest of some rows, evenly spaced; a row of weight zero may be anything."""
    last, apart = len(block.X) - 1, max(1, min(MARKED, len(block.X)) - 1)
    rows = np.array([i * last // apart for i in range(min(MARKED, last + 1))], dtype=np.intp)
    if block.sample_weight is not None:
        rows = rows[block.sample_weight[rows] > 0.0]
    return zlib.crc32(np.ascontiguousarray(block.X[rows]).tobytes())


def total_of(blocks: Iterable[Counted]) -> Counted:
    """Return what is counted in all blocks."""
    n_samples, n_rows, weights, least, largest, _ = zip(*blocks, strict=True)
    return Counted(sum(n_samples), sum(n_rows), float(np.sum(weights)), min(least), max(largest))


def count_missing(block: Block) -> int:
    """Return how many numbers are missing in rows of positive weight."""
    return sum(int(np.count_nonzero(np.isnan(part))) for part, *_ in block.chunks())


def first_numbers(block: Block) -> Floats:
    """Return the first observed number of each feature, in rows of positive weight; else NaN."""
    weight = block.sample_weight
    first: Floats = np.full(block.X.shape[1], np.nan)
    if len(block.X) and (weight is None or weight[0] > 0.0):
        first = block.X[0].astype(np.float64)
        if not np.isnan(first).any():
            return first
    for part, *_ in block.chunks():
        for a in np.flatnonzero(np.isnan(first)):
            column = part[:, a] if np.isnan(part[0, a]) else part[:1, a]
            first[a] = column[np.argmin(np.isnan(column))]
        if not np.isnan(first).any():
            break
    return first


class Extremes(NamedTuple):
    """The smallest and the largest number of each feature, and the rows that have them.

    Attributes
    ----------
    number : ndarray of shape (2, n_features)
        Infinite where no number is observed.
    row : ndarray of shape (2, n_features), int
        -1 where there is none.
    """

    number: Floats
    row: NDArray[np.intp]


def extremes(block: Block) -> Extremes:
    """Return the extremes of one block; of equal ones, the first."""
    d = block.X.shape[1]
    number, row = _no_extremes(d)
    for part, places, _ in block.chunks():
        holes = np.isnan(part)
        incomplete = holes.any()
        for side, unseen in enumerate((np.inf, -np.inf)):
            seen = np.where(holes, unseen, part) if incomplete else part
            place = seen.argmax(axis=0) if side else seen.argmin(axis=0)
            found = seen[place, np.arange(d)]
            beyond = found > number[side] if side else found < number[side]
            number[side, beyond], row[side, beyond] = found[beyond], places[place[beyond]]
    return Extremes(number, row)


def combined_extremes(blocks: Iterable[Extremes], n_features: int) -> Extremes:
    """Return the extremes of all blocks; of equal ones, the first."""
    number, row = _no_extremes(n_features)
    for each in blocks:
        beyond = np.stack([each.number[0] < number[0], each.number[1] > number[1]])
        number[beyond], row[beyond] = each.number[beyond], each.row[beyond]
    return Extremes(number, row)


def _no_extremes(n_features: int) -> Extremes:
    number = np.repeat([[np.inf], [-np.inf]], n_features, axis=1)
    return Extremes(number, np.full((2, n_features), -1, dtype=np.intp))


class Digests(NamedTuple):
    """Short texts that tell the rows of blocks apart.

    Attributes
    ----------
    numbers : str
    weight : str or None
    extras : mapping from str to str
        Of what else is known of the rows; labels, which a fit names itself, are left out.
    """

    numbers: str
    weight: str | None
    extras: Mapping[str, str]


def digests(block: Block) -> Digests:
    """Return the digests of one block."""
    weight = block.sample_weight
    return Digests(
        digest_of([block.X]),
        None if weight is None else array_fingerprint(weight),
        {
            name: f"{array.dtype} of shape {['n', *array.shape[1:]]}, {digest_of([array])}"
            for name, array in block.extras.items()
            if name != "code"
        },
    )


@dataclass(frozen=True, eq=False)
class Observed:
    """A look at the rows in which one feature is observed: others have no weight."""

    feature: int
    look: Callable[[Block], Any]

    def __call__(self, block: Block) -> Any:
        """Return what the look returns."""
        observed = ~np.isnan(block.X[:, self.feature])
        weight = observed.astype(np.float64)
        if block.sample_weight is not None:
            weight *= block.sample_weight
        return self.look(block._replace(sample_weight=weight))


def present(block: Block) -> tuple[NDArray[np.intp], Floats]:
    """Return the positions and the weights of the rows of positive weight."""
    assert block.sample_weight is not None
    here = np.flatnonzero(block.sample_weight)
    return block.start + here, block.sample_weight[here]
