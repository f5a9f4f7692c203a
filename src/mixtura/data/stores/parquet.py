"""Rows in Parquet files, and in folders of them."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.data.frames import Names
from mixtura.data.stores.arrow import Batches, dtype_of_fields, numeric_table, readable
from mixtura.data.stores.files import FileStore, StoredFile, files_in, needed
from mixtura.data.stores.store import Piece

__all__ = ["ParquetFiles"]


class _ParquetFile(StoredFile):
    """A Parquet file, as its footer describes it."""

    def __init__(self, path: str) -> None:
        self.path = path
        with _opened(path) as file:
            metadata, self._schema = file.metadata, file.schema_arrow
        self.names: Names = tuple(self._schema.names)
        self.n_rows, self.n_columns = metadata.num_rows, len(self.names)
        self._groups = [
            metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)
        ]

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:
        return dtype_of_fields(self._schema, columns, self.place)

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        """Yield groups of rows: small ones joined, one larger than `size` cut into equal parts."""
        names = tuple(self.names[a] for a in columns)
        start = 0
        for groups, n in _joined(self._groups, size):
            if n <= size:
                yield Piece(partial(_read_groups, self.path, names, groups), self.place, start)
            else:
                part = _Part(self.path, names, groups)
                step = math.ceil(n / math.ceil(n / size))
                for begin in range(0, n, step):
                    read = partial(part.read, begin, min(step, n - begin))
                    yield Piece(read, self.place, start + begin)
            start += n


class ParquetFiles(FileStore):
    """Rows in Parquet files, one after the other."""

    suffixes = (".parquet", ".pq", ".parq")

    @classmethod
    def _is_one(cls, path: str) -> bool:
        return super()._is_one(path) or (Path(path).is_dir() and Path(path).suffix != ".zarr")

    @classmethod
    def _files_of(cls, path: str) -> list[StoredFile]:
        paths = files_in(path, cls.suffixes) if Path(path).is_dir() else [path]
        return [_ParquetFile(each) for each in paths]


class _Part:
    """A large group of rows, read part by part; the next part is read where the last one ended.

    A copy that was sent to another process begins at the first row again.
    """

    def __init__(self, path: str, names: Names, groups: list[int]) -> None:
        self._arguments = path, names, groups
        self._lock, self._at = threading.Lock(), 0
        self._batches: Batches | None = None

    def __reduce__(self) -> Any:
        return _Part, self._arguments

    def read(self, begin: int, n: int) -> Any:
        """Return some rows."""
        path, names, groups = self._arguments
        with self._lock:
            if self._batches is None or self._at != begin:
                file = _opened(path)
                read = sorted(set(names))
                schema = file.schema_arrow.empty_table().select(read).schema
                batches = file.iter_batches(max(1, n), groups, read)
                chosen = (batch.select(read) for batch in batches)
                self._batches = Batches(schema, readable(chosen, f"file {path!r}"))
                self._batches.skip(begin)
            table = self._batches.take(n)
            self._at = begin + n
        return numeric_table(table, names)


def _read_groups(path: str, names: Names, groups: list[int]) -> Any:
    with _opened(path) as file:
        whole = (file.read_row_groups(each, list(names)) for each in [groups])
        return numeric_table(next(readable(whole, f"file {path!r}")), names)


def _opened(path: str) -> Any:
    parquet = needed("pyarrow.parquet", "Parquet files")
    try:
        return parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # of Arrow, for what is no Parquet
        raise ValueError(
            f"file {path!r} must be a Parquet file; pyarrow cannot read it: {error} Write it anew."
        ) from error


def _joined(sizes: Sequence[int], size: int) -> Iterator[tuple[list[int], int]]:
    """Yield neighbours that have at most `size` rows together, or one that has more; and its rows.

    Groups without rows are left out.
    """
    groups: list[int] = []
    n = 0
    for group, more in enumerate(sizes):
        if groups and n + more > size:
            yield groups, n
            groups, n = [], 0
        if more:
            groups.append(group)
            n += more
    if groups:
        yield groups, n
