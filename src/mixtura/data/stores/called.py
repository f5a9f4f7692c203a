"""Rows that a function of the user's makes: it returns an iterator of blocks, each time anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from mixtura.data.frames import Names
from mixtura.data.row_checks import check_rows_shape, rows_table
from mixtura.data.stores.store import Piece, Store

__all__ = ["CalledRows"]


class CalledRows(Store):
    """Rows in the blocks that a callable yields.

    Parameters
    ----------
    make : callable
        Without arguments; returns an iterable of arrays or tables with the same columns.
    """

    def __init__(self, make: Callable[[], Iterable[Any]]) -> None:
        self._make = make
        self.name = "the first block"

    @classmethod
    def opened(cls, source: Any) -> CalledRows | None:
        return cls(source) if callable(source) and not isinstance(source, type) else None

    @cached_property
    def _first(self) -> Any:
        """The first block, as a table; it is looked at when somebody asks for the columns."""
        for block in self._make():
            return rows_table(block, self.name)
        raise ValueError(
            "source must return one block of rows or more; got an iterator without any. "
            "Yield arrays or frames."
        )

    @property
    def names(self) -> Names | None:  # type: ignore[override]
        names: Names | None = self._first.names
        return names

    @property
    def n_columns(self) -> int:  # type: ignore[override]
        return int(self._first.shape[1])

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self._first.numbers(list(columns)).dtype
        return dtype

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:  # noqa: ARG002
        for b, block in enumerate(self._make()):
            name = f"block {b}"
            table = rows_table(block, name)
            check_rows_shape(
                table.shape, table.names, name=name, n_features=self.n_columns,
                feature_names=self.names,
            )  # fmt: skip
            yield Piece(partial(table.numbers, list(columns)), name, 0)
