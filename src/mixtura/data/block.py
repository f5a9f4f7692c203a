"""Some consecutive rows, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import NOTHING
from mixtura.shapes import Floats

__all__ = ["CHUNK", "Block", "itself"]

CHUNK = 1 << 15  # rows looked at together, so that no copy is large


class Block(NamedTuple):
    """Some consecutive rows.

    Attributes
    ----------
    X : ndarray of shape (m, n_features), float32 or float64, of any strides
    sample_weight : ndarray of shape (m,), float64 and C-contiguous, or None
    start : int
        The number of the first of them among all rows.
    extras : mapping from str to ndarray of shape (m, ...)
        What else is known of each row, by name, for E-steps that ask for it.
    """

    X: NDArray[Any]
    sample_weight: Floats | None
    start: int = 0
    extras: Mapping[str, NDArray[Any]] = NOTHING

    def part(self, rows: slice) -> Block:
        """Return some of the rows."""
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        extras = {name: array[rows] for name, array in self.extras.items()}
        return Block(self.X[rows], weight, self.start + (rows.start or 0), extras)

    def chunks(self) -> Iterator[tuple[NDArray[Any], NDArray[np.intp], Floats | None]]:
        """Yield rows of positive weight, some thousands at a time, their numbers and weights."""
        for begin in range(0, len(self.X), CHUNK):
            part = self.X[begin : begin + CHUNK]
            places, weight = begin + np.arange(len(part)), None
            if self.sample_weight is not None:
                weight = self.sample_weight[places]
                there = weight > 0.0
                part, places, weight = part[there], places[there], weight[there]
            if len(part):
                yield part, self.start + places, weight


def itself(block: Block) -> Block:
    """Return the block: the look that changes nothing."""
    return block
