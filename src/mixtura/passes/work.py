"""What a pass does with the rows of one block.

Each of these functions takes the block last, as a `Part`. With the other arguments bound by
`functools.partial` it can be pickled, so that it may go to where the rows are.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.data import Block
from mixtura.data.sampling import equal_rows
from mixtura.parameters import Seen
from mixtura.passes.bounds import CarriedBounds
from mixtura.passes.held import HeldRows
from mixtura.shapes import Floats, Shape
from mixtura.statistics import Statistics

__all__ = [
    "FarRow",
    "Marked",
    "Part",
    "accumulated",
    "assigned",
    "evaluated",
    "farthest",
    "given",
    "marked",
    "potentials",
]

MARK_BYTES = 16  # chance never makes two of them equal
Labels = NDArray[np.int64]


class Part(NamedTuple):
    """A block, the engine's rows, and the bounds carried over them where they stay in memory."""

    block: Block
    rows: Any
    bounds: CarriedBounds | HeldRows | None = None

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the part of an array of all rows that belongs to the block."""
        return array[self.block.start : self.block.start + len(self.block.X)]


class Marked(NamedTuple):
    """Statistics, and what tells whether a row has changed its component.

    Attributes
    ----------
    statistics : Statistics
    marks : tuple of bytes
        A digest of the components of each block's rows of positive weight, in order.
    """

    statistics: Statistics
    marks: tuple[bytes, ...]

    def __add__(self, other: Marked) -> Marked:  # type: ignore[override]
        """Return what two groups of rows have together."""
        return Marked(self.statistics + other.statistics, self.marks + other.marks)


class FarRow(NamedTuple):
    """A row that is far from its component.

    Attributes
    ----------
    log_prob : float, nats
    position : int
        Among all rows.
    component : int
    row : ndarray of shape (n_features,)
    """

    log_prob: float
    position: int
    component: int
    row: Floats


def accumulated(
    em: str, seen: Seen, n_threads: int | None, labels: Labels | None, part: Part
) -> Statistics:
    """Return the statistics of one E-step; `labels` of all rows, if given, gets those here."""
    here = None if labels is None else part.of(labels)
    if part.bounds is not None:
        return part.bounds.accumulate(part.rows, seen, n_threads, here)
    statistics: Statistics = part.rows.accumulate(em, seen, n_threads, labels=here)
    return statistics


def marked(em: str, seen: Seen, n_threads: int | None, part: Part) -> Marked:
    """Return the statistics of one E-step, and a digest of the components of the rows."""
    block = part.block
    labels = np.zeros(len(block.X), dtype=np.int64)
    alone = part._replace(block=block._replace(start=0))
    statistics = accumulated(em, seen, n_threads, labels, alone)
    if block.sample_weight is not None:
        labels = labels[block.sample_weight > 0.0]
    small = labels.astype(np.min_scalar_type(len(seen.means)))
    return Marked(statistics, (blake2b(small.tobytes(), digest_size=MARK_BYTES).digest(),))


def farthest(em: str, seen: Seen, n_threads: int | None, n_rows: int, part: Part) -> list[FarRow]:
    """Return the different rows that are farthest from their components, at most `n_rows`."""
    block = part.block
    log_prob, labels = np.empty(len(block.X)), np.zeros(len(block.X), dtype=np.int64)
    part.rows.evaluate(em, seen, n_threads, log_prob=log_prob, labels=labels)
    if block.sample_weight is not None:
        log_prob[block.sample_weight == 0.0] = 0.0
    found: list[FarRow] = []
    while len(found) < n_rows and log_prob.min(initial=0.0) < 0.0:
        i = int(np.argmin(log_prob))
        row = np.asarray(block.X[i], dtype=np.float64)
        found.append(FarRow(float(log_prob[i]), block.start + i, int(labels[i]), row))
        log_prob[equal_rows(block.X, block.X[i])] = 0.0
    return found


def given(
    shares: NDArray[Any], centres: Floats, shape: Shape, n_threads: int | None, part: Part
) -> Statistics:
    """Return the statistics under labels or responsibilities of all rows."""
    statistics: Statistics = part.rows.given(part.of(shares), centres, shape, n_threads)
    return statistics


def assigned(
    seen: Seen, centres: Floats, shape: Shape, n_threads: int | None, part: Part
) -> Statistics:
    """Return the statistics of rows that belong altogether to their most probable component."""
    # A row without weight, which the pass need not look at, keeps the label 0.
    labels = np.zeros(len(part.block.X), dtype=np.int64)
    part.rows.evaluate("hard", seen, n_threads, labels=labels)
    statistics: Statistics = part.rows.given(labels, centres, shape, n_threads)
    return statistics


def evaluated(
    em: str,
    seen: Seen,
    n_threads: int | None,
    outputs: Mapping[str, NDArray[Any]],
    part: Part,
) -> None:
    """Write what is wanted of the rows into arrays of all rows."""
    wanted = {name: part.of(array) for name, array in outputs.items()}
    part.rows.evaluate(em, seen, n_threads, **wanted)


def potentials(
    seeds: Floats, nearest: Floats, after: Floats | None, n_threads: int | None, part: Part
) -> Floats:
    """Take the first seed into `nearest` of all rows; return what each would leave."""
    columns = None if after is None else part.of(after)
    left: Floats = part.rows.potentials(seeds, part.of(nearest), n_threads, after=columns)
    return left
