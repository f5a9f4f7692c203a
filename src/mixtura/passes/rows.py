"""The pass over a row source: one E-step on every block, and the sum of what the blocks return."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura.data import Block, RowSource
from mixtura.parameters import Seen
from mixtura.passes.backend import Backend
from mixtura.passes.bounds import BoundsRecord, CarriedBounds
from mixtura.shapes import Floats, Shape
from mixtura.statistics import Statistics

__all__ = ["Pass", "RowsPass"]

Labels = NDArray[np.int64]
EPS = float(np.finfo(np.float64).eps)


class Pass(Protocol):
    """What the loop asks of a pass. What a pass keeps between calls changes its speed only."""

    def accumulate(self, seen: Seen) -> Statistics:
        """Return the statistics of all rows under a mixture, about its means."""


class _Part(NamedTuple):
    """A block, the engine's rows, and the bounds carried over them."""

    block: Block
    rows: Any
    bounds: CarriedBounds


class RowsPass:
    """A pass over a row source.

    Parameters
    ----------
    source : RowSource
    shape : Shape
        Of the factors and of the statistics.
    backend : Backend
    em : {"soft", "hard", "nearest"}
        The E-step.
    centre : ndarray of shape (n_features,), optional
        A point near the rows, about which products are formed.
    single : bool
        Work on tiles in single precision; this needs `centre` (see `suits_single`).
    least_products : int
        Products of a row with all means below which no bounds are carried.

    Attributes
    ----------
    extras : tuple of str
        Names of the further sums that the E-step returns.
    """

    def __init__(
        self,
        source: RowSource,
        shape: Shape,
        backend: Backend,
        *,
        em: str = "soft",
        centre: Floats | None = None,
        single: bool = False,
        least_products: int = 0,
    ) -> None:
        self.source, self.shape, self.backend, self.em = source, shape, backend, em
        self._centre, self._single, self._least_products = centre, single, least_products
        self.extras: tuple[str, ...] = backend.form(source.form).extras
        self._bounds: list[CarriedBounds] = []
        self._kept = list(self._read()) if source.in_memory else None

    def _parts(self) -> Iterable[_Part]:
        """The blocks, as the engine works on them."""
        return self._read() if self._kept is None else self._kept

    def _read(self) -> Iterator[_Part]:
        for number, block in enumerate(self.source.blocks()):
            if number == len(self._bounds):
                carried = CarriedBounds(self.em, self.backend.algebra, self._least_products)
                self._bounds.append(carried)
            rows = self.backend.rows(self.source.form, block, self._centre, single=self._single)
            yield _Part(block, rows, self._bounds[number])

    @property
    def rounding(self) -> float:
        """Relative error that rounding makes in a mean log-likelihood."""
        # Errors of blocks are independent, those of doubles are no less than one rounding.
        parts = [rows.rounding for block, rows, _ in self._parts() if len(block.X)]
        return max(EPS, sum(part**-2.0 for part in parts) ** -0.5) if parts else EPS

    def accumulate(self, seen: Seen, labels: Labels | None = None) -> Statistics:
        """Return the statistics under a mixture; `labels`, if given, gets each row's component."""
        n_threads = self.backend.n_threads
        return _total(
            bounds.accumulate(rows, seen, n_threads, _part(labels, block))
            for block, rows, bounds in self._parts()
        )

    def given(self, shares: NDArray[Any], centres: Floats) -> Statistics:
        """Return the statistics under given labels (n,) or responsibilities (n, k)."""
        return _total(
            rows.given(_part(shares, block), centres, self.shape, self.backend.n_threads)
            for block, rows, _ in self._parts()
        )

    def evaluate(self, seen: Seen, **outputs: NDArray[Any]) -> None:
        """Write labels, log_prob or resp of every row into the arrays given, without sums."""
        for block, rows, _ in self._parts():
            wanted = {name: _part(array, block) for name, array in outputs.items()}
            rows.evaluate(self.em, seen, self.backend.n_threads, **wanted)

    def potentials(self, seeds: Floats, nearest: Floats) -> Floats:
        """Take the first seed; return the sum of `nearest` if each seed were taken next.

        Parameters
        ----------
        seeds : ndarray of shape (n_seeds, n_features)
            The seed just chosen, and candidates to be the next.
        nearest : ndarray of shape (n_samples,)
            Squared distance of each row to the seeds before; updated with the first of `seeds`.

        Returns
        -------
        ndarray of shape (n_seeds,)
        """
        n_threads = self.backend.n_threads
        potentials: Floats = reduce(
            add,
            (
                rows.potentials(seeds, _part(nearest, block), n_threads)
                for block, rows, _ in self._parts()
            ),
        )
        return potentials

    def record(self) -> list[BoundsRecord]:
        """Return what later passes depend on, to the last bit, besides the rows: one a block."""
        return [bounds.record() for bounds in self._bounds]

    def restore(self, records: Sequence[BoundsRecord]) -> None:
        """Continue as the pass over the same rows that made these records.

        Raises
        ------
        ValueError
            For records that do not fit the rows.
        """
        n_blocks = 0
        for n_blocks, (_, rows, bounds) in enumerate(self._parts(), start=1):
            if n_blocks <= len(records):
                bounds.restore(records[n_blocks - 1], rows, self.shape)
        if n_blocks != len(records):
            raise ValueError(f"there are bounds of {len(records)} blocks for {n_blocks}")


def _part(array: Any, block: Block) -> Any:
    """The part of an array of all rows that belongs to one block."""
    return None if array is None else array[block.start : block.start + len(block.X)]


def _total(parts: Iterator[Statistics]) -> Statistics:
    """The sum of the parts, in their order."""
    return reduce(add, parts)
