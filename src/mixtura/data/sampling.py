"""Choosing rows at random, by weight.

Random choices are made by inverting cumulated weights, so that a row of weight two is drawn as two
equal rows would be. Rows are chosen by their positions, so it does not matter where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.block import Block
from mixtura.shapes import Floats

__all__ = [
    "Both",
    "Drawn",
    "EverySo",
    "Gathered",
    "Weights",
    "draw_rows",
    "equal_rows",
    "inverted",
    "stratified",
]

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
    return inverted(weight, rng.random(size))


def inverted(weight: Floats, quantiles: Floats) -> Indices:
    """Return the rows at some quantiles of the cumulated weights; none of weight zero."""
    cumulated = np.cumsum(weight)
    rows: Indices = np.searchsorted(cumulated, quantiles * cumulated[-1], side="right")
    if rows.max(initial=0) == len(weight):  # a quantile that was rounded up to one
        rows = np.minimum(rows, np.flatnonzero(weight)[-1])
    return rows


def stratified(size: int, rng: np.random.Generator) -> Floats:
    """Draw one quantile from each of `size` equal shares, ascending."""
    return (np.arange(size) + rng.random(size)) / size


@dataclass(frozen=True, eq=False)
class Gathered:
    """A look at the rows at some positions, and at what else is known of them.

    Attributes
    ----------
    positions : ndarray of shape (m,), int
        Ascending, among all rows.
    """

    positions: Indices

    def __call__(self, block: Block) -> Block:
        """Return copies of those rows of one block, as float64; they start at their place here."""
        ends = [block.start, block.start + len(block.X)]
        first, end = np.searchsorted(self.positions, ends)
        here = self.positions[first:end] - block.start
        extras = {name: array[here] for name, array in block.extras.items()}
        return Block(np.asarray(block.X[here], dtype=np.float64), None, int(first), extras)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A look at the rows at some quantiles of the cumulated weights of all blocks.

    Attributes
    ----------
    quantiles : ndarray of shape (m,)
        Ascending.
    starts : ndarray of shape (n_blocks,), int
        The number of the first row of each block that has weight.
    weights : ndarray of shape (n_blocks,)
        Of these blocks.
    """

    quantiles: Floats
    starts: Indices
    weights: Floats

    def __call__(self, block: Block) -> Indices:
        """Return the rows of one block that are drawn, among all rows, with repetitions."""
        (found,) = np.nonzero(self.starts == block.start)
        if not len(found) or not len(block.X):
            return np.empty(0, dtype=np.intp)
        assert block.sample_weight is not None
        ends = np.cumsum(self.weights)
        sought = self.quantiles * ends[-1]
        owner = np.minimum(np.searchsorted(ends, sought, side="right"), len(ends) - 1)
        before = 0.0 if found[0] == 0 else ends[found[0] - 1]
        inside = (sought[owner == found[0]] - before) / self.weights[found[0]]
        return block.start + inverted(block.sample_weight, np.maximum(inside, 0.0))


@dataclass(frozen=True, eq=False)
class Weights:
    """A look at the weights of the rows at some positions, ascending, among all rows."""

    positions: Indices

    def __call__(self, block: Block) -> Floats:
        """Return the weights of those of one block."""
        assert block.sample_weight is not None
        ends = [block.start, block.start + len(block.X)]
        first, end = np.searchsorted(self.positions, ends)
        return block.sample_weight[self.positions[first:end] - block.start]


@dataclass(frozen=True, eq=False)
class Both:
    """A look that is two looks.

    Attributes
    ----------
    one, other : callable
        Looks at a block.
    """

    one: Callable[[Block], Any]
    other: Callable[[Block], Any]

    def __call__(self, block: Block) -> tuple[Any, Any]:
        """Return what both return."""
        return self.one(block), self.other(block)


@dataclass(frozen=True, eq=False)
class EverySo:
    """A look at evenly spaced rows of positive weight.

    Attributes
    ----------
    step : int
    starts : ndarray of shape (n_blocks,), int
        The number of the first row of each block.
    before : ndarray of shape (n_blocks,), int
        Rows of positive weight in the blocks before.
    """

    step: int
    starts: Indices
    before: Indices

    def __call__(self, block: Block) -> Floats:
        """Return copies of those rows of one block, as float64."""
        n_before = self.before[np.searchsorted(self.starts, block.start)]
        weight = block.sample_weight
        rows = np.arange(len(block.X)) if weight is None else np.flatnonzero(weight)
        chosen = rows[-n_before % self.step :: self.step]
        return np.asarray(block.X[chosen], dtype=np.float64)


def equal_rows(X: NDArray[Any], row: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows are equal to one, number by number, without an array of the size of X.

    A missing number is equal to a missing one.
    """
    equal = np.ones(len(X), dtype=bool)
    for a in range(X.shape[1]):
        equal &= np.isnan(X[:, a]) if np.isnan(row[a]) else X[:, a] == row[a]
    return equal
