"""The rows of a source under other weights, which are computed for each block where it is.

An array of all weights would have an entry a row; a function of one block, which can be pickled,
has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixtura.data.block import Block
from mixtura.data.missing import Accepted, nothing_observed
from mixtura.data.question import Question
from mixtura.data.source import RowSource
from mixtura.shapes import Floats

__all__ = ["Fold", "Reweighed", "Weigh", "Without", "observed_only", "weights_of"]

Result = TypeVar("Result")
Weigh = Callable[[Block], Floats]


class Reweighed(RowSource):
    """The rows of a source under other weights.

    Parameters
    ----------
    source : RowSource
        Checked.
    weigh : callable
        From a block of m rows to their weights, shape (m,); it can be pickled.
    """

    is_weighted = True

    def __init__(self, source: RowSource, weigh: Weigh) -> None:
        self._source, self._weigh = source, weigh
        self.n_samples, self.n_features = source.n_samples, source.n_features
        self.dtype, self.feature_names, self.form = source.dtype, source.feature_names, source.form
        self.in_memory, self.is_far = source.in_memory, source.is_far
        self.index, self.not_finite = source.index, source.not_finite
        self.missing = source.missing

    def blocks(self) -> Iterator[Block]:
        for block in self._source.blocks():
            yield block._replace(sample_weight=self._weigh(block))

    def checked(self, missing: Accepted | None = None) -> Reweighed:  # noqa: ARG002
        """Return the rows: they are those of a source that was checked."""
        return self

    def map(self, look: Callable[[Block], Result]) -> Iterator[Result]:
        return self._source.map(_Weighed(self._weigh, look))

    def total(self, look: Callable[[Block], Result]) -> Result:
        result: Result = self._source.total(_Weighed(self._weigh, look))
        return result

    def answers(self, question: Question) -> Any:
        return self._source.answers(replace(question, look=_Weighed(self._weigh, question.look)))


@dataclass(frozen=True, eq=False)
class _Weighed:
    """A look at blocks under other weights."""

    weigh: Weigh
    look: Callable[[Block], Any]

    def __call__(self, block: Block) -> Any:
        return self.look(block._replace(sample_weight=self.weigh(block)))


# ---- weights of one block ----


def weights_of(block: Block) -> Floats:
    """Return a copy of the weights of a block; one for each row where it has none."""
    weight = block.sample_weight
    return np.ones(len(block.X)) if weight is None else weight.copy()


@dataclass(frozen=True, eq=False)
class Without:
    """Weights of rows of which some do not count.

    Attributes
    ----------
    positions : ndarray of shape (m,), int
        Of these, ascending, among all rows.
    """

    positions: NDArray[np.intp]

    def __call__(self, block: Block) -> Floats:
        """Return the weights of one block."""
        weights = weights_of(block)
        ends = [block.start, block.start + len(weights)]
        first, end = np.searchsorted(self.positions, ends)
        weights[self.positions[first:end] - block.start] = 0.0
        return weights


@dataclass(frozen=True, eq=False)
class Fold:
    """Weights of one part of the rows, or of all others.

    The parts are drawn anew for each block, so that no array has an entry a row; together they are
    of equal size, where rows have no weights.

    Attributes
    ----------
    seed : int
    n_folds : int
    fold : int
        The number of the part.
    held : bool
        Whether the rows of this part count, or the others.
    """

    seed: int
    n_folds: int
    fold: int
    held: bool

    def __call__(self, block: Block) -> Floats:
        """Return the weights of one block."""
        weight = block.sample_weight
        present = None if weight is None else np.flatnonzero(weight)
        n = len(block.X) if present is None else len(present)
        folds = ((block.start + np.arange(n)) % self.n_folds).astype(np.uint32)
        np.random.default_rng([self.seed, block.start]).shuffle(folds)
        counts = (folds == self.fold) == self.held
        if weight is None or present is None:
            ones: Floats = counts.astype(np.float64)
            return ones
        weight = weight.copy()
        weight[present[~counts]] = 0.0
        return weight


def observed_only(block: Block) -> Floats:
    """Return the weights of a block, 0 for rows with nothing observed."""
    weights = weights_of(block)
    weights[nothing_observed(block.X)] = 0.0
    return weights
