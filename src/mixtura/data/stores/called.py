"""Rows that a function of the user's makes: it returns an iterator of blocks, each time anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from mixtura.cached import cached_property
from mixtura.data.frames import Names, Table, described
from mixtura.data.row_checks import check_rows_shape, rows_table
from mixtura.data.stores.store import Piece, Store, held

__all__ = ["CalledRows"]


class CalledRows(Store):
    """Rows in the blocks that a callable yields.

    Parameters
    ----------
    make : callable
        Without arguments; returns an iterable of arrays or tables with the same columns.
    """

    is_described = False

    def __init__(self, make: Callable[[], Iterable[Any]]) -> None:
        self._make = make
        self.name = f"the blocks of {getattr(make, '__name__', type(make).__name__)}"
        self._first: Table | None = None  # until its types are known

    @classmethod
    def opened(cls, source: Any) -> CalledRows | None:
        return cls(source) if callable(source) and not isinstance(source, type) else None

    def _blocks(self) -> Iterator[Any]:
        blocks = self._make()
        if hasattr(blocks, "shape") or not isinstance(blocks, Iterable):
            raise TypeError(
                f"the function must return an iterator of blocks of rows; got "
                f"{described(blocks)}. Yield blocks, or return a list of them."
            )
        return iter(blocks)

    @cached_property
    def _described(self) -> tuple[Names | None, int]:
        """Names and number of the columns; the first block is made when somebody asks for them."""
        self._first = first = self._make_first()
        return first.names, first.shape[1]

    def _make_first(self) -> Table:
        for block in self._blocks():
            return rows_table(block, "the first block")
        raise ValueError(
            "the function must return one block of rows or more; got an iterator without any. "
            "Yield arrays or frames."
        )

    @property
    def names(self) -> Names | None:  # type: ignore[override]
        return self._described[0]

    @property
    def n_columns(self) -> int:  # type: ignore[override]
        return self._described[1]

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:
        first = self._first or self._make_first()
        self._first = None  # it may be large
        dtype: np.dtype[Any] = first.numbers(list(columns)).dtype
        return dtype

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:  # noqa: ARG002
        names, n_columns = self.names, self.n_columns
        numbers = count()  # enumerate would keep the last block while the next is made
        for block in self._blocks():
            name = f"block {next(numbers)}"
            table = rows_table(block, name)
            check_rows_shape(
                table.shape, table.names, name=name, n_features=n_columns, feature_names=names
            )
            # The function goes on while the block is worked on, and may fill its memory anew.
            piece = Piece(held(table.selected(columns).owned()), name, 0)
            del block, table
            yield piece
