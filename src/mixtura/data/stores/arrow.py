"""Columns of Arrow, which files of several kinds are read into: types, and pieces of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from mixtura.data.frames import Names, listed
from mixtura.data.stores.store import Piece, common_dtype, held

__all__ = ["Batches", "dtype_of_fields", "numeric_table", "pieces_of_stream", "readable"]

STEP = 1 << 16  # rows that are skipped together


def dtype_of_fields(schema: Any, columns: Sequence[int], place: str) -> np.dtype[Any]:
    """Return float32 if all of some columns are of that type, else float64.

    Raises
    ------
    TypeError
        For columns that do not hold real numbers, by their names.
    """
    from pyarrow import types

    fields = [schema.field(a) for a in columns]
    unreal = [field for field in fields if not _is_real(field.type)]
    if unreal:
        more = ""
        if len(unreal) > 1:
            more = f", and columns {listed([field.name for field in unreal])} hold no real numbers"
        raise TypeError(
            f"{place} must hold real numbers; column {unreal[0].name!r} is of type "
            f"{unreal[0].type}{more}. Choose columns of numbers by columns=, or convert these."
        )
    return common_dtype(
        np.dtype(np.float32 if types.is_float32(field.type) else np.float64) for field in fields
    )


def _is_real(dtype: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(dtype) or types.is_floating(dtype) or types.is_boolean(dtype))


def numeric_table(table: Any, names: Names) -> Any:
    """Return some columns of a table, in this order; those of booleans with nulls as numbers."""
    import pyarrow as pa

    table = table.select(list(names))
    for a, field in enumerate(table.schema):
        if pa.types.is_boolean(field.type) and table.column(a).null_count:
            numbers = table.column(a).cast(pa.uint8()).cast(pa.float64())
            table = table.set_column(a, field.name, numbers)
    return table


def readable(
    batches: Iterable[Any],
    place: str,
    remedy: str = "Write it anew.",
    what: str = "rows to its end",
) -> Iterator[Any]:
    """Yield the batches of a file; errors that come on the way name it.

    Raises
    ------
    ValueError
        For a file that is cut short, or damaged.
    """
    try:
        yield from batches
    except (OSError, ValueError) as error:  # of Arrow, without the name of the file
        raise ValueError(
            f"{place} must hold {what}; pyarrow cannot read it: {str(error).rstrip('. ')}. {remedy}"
        ) from error


class Batches:
    """Rows of a stream of record batches, taken in order, as many as are asked for.

    Parameters
    ----------
    schema : pyarrow.Schema
    batches : iterable of pyarrow.RecordBatch
    """

    def __init__(self, schema: Any, batches: Iterable[Any]) -> None:
        self._schema, self._batches = schema, iter(batches)
        self._held: list[Any] = []

    def take(self, n: int) -> Any:
        """Return the next rows as a table: n of them, fewer at the end."""
        import pyarrow as pa

        parts: list[Any] = []
        lacking = n
        while lacking:
            batch = self._held.pop() if self._held else next(self._batches, None)
            if batch is None:
                break
            if batch.num_rows > lacking:
                self._held.append(batch.slice(lacking))
                batch = batch.slice(0, lacking)
            parts.append(batch)
            lacking -= batch.num_rows
        return pa.Table.from_batches(parts, self._schema)

    def skip(self, n: int) -> None:
        """Leave out the next rows."""
        while n > 0:
            n -= min(n, STEP) if self.take(min(n, STEP)).num_rows else n

    def tables(self, n: int) -> Iterator[Any]:
        """Yield all rows that are left, n at a time, without keeping a table."""
        while True:
            table = self.take(n)
            if table.num_rows == 0:
                return
            give = held(table)
            del table
            yield give()


def pieces_of_stream(batches: Batches, names: Names, size: int, place: str) -> Iterator[Piece]:
    """Yield pieces that hold their rows already; these are given away when they are read."""
    first = 0
    for table in map(partial(numeric_table, names=names), batches.tables(size)):
        n, piece = table.num_rows, Piece(held(table), place, first)
        del table
        yield piece
        first += n
