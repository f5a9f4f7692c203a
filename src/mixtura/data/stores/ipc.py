"""Rows in files of Arrow's own formats: Feather, IPC files and IPC streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.data.frames import Names
from mixtura.data.stores.arrow import Batches, dtype_of_fields, pieces_of_stream, readable
from mixtura.data.stores.files import FileStore, StoredFile, needed
from mixtura.data.stores.store import Piece

__all__ = ["IpcFiles"]

MAGIC = b"ARROW1"  # with which a file begins that is not a stream


class _IpcFile(StoredFile):
    """A file of record batches, as its schema describes it."""

    def __init__(self, path: str) -> None:
        self.path = path
        needed("pyarrow.ipc", "Arrow files")
        with self._source() as source:
            self._schema = self._reader(source).schema
        self.names: Names = tuple(self._schema.names)
        self.n_columns = len(self.names)

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:
        return dtype_of_fields(self._schema, columns, self.place)

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        names = tuple(self.names[a] for a in columns)
        with self._source() as source:
            reader = self._reader(source, columns)
            batches: Iterator[Any] = iter(())
            if hasattr(reader, "get_batch"):
                batches = map(reader.get_batch, range(reader.num_record_batches))
            else:
                batches = iter(reader)
            batches = readable(batches, self.place)
            yield from pieces_of_stream(Batches(reader.schema, batches), names, size, self.place)

    def _source(self) -> Any:
        import pyarrow as pa

        return pa.OSFile(self.path)

    def _reader(self, source: Any, columns: Sequence[int] | None = None) -> Any:
        import pyarrow as pa

        with Path(self.path).open("rb") as file:
            is_stream = file.read(len(MAGIC)) != MAGIC
        chosen = None if columns is None else sorted(set(columns))
        options = pa.ipc.IpcReadOptions(included_fields=chosen)
        try:
            open_one = pa.ipc.open_stream if is_stream else pa.ipc.open_file
            return open_one(source, options=options)
        except (OSError, ValueError) as error:  # of Arrow, for what is none of its files
            raise ValueError(
                f"{self.place} must be a file or a stream of Arrow's IPC format; pyarrow cannot "
                f"read it: {error} Write it anew, for example with pyarrow.feather."
            ) from error


class IpcFiles(FileStore):
    """Rows in files of Arrow's own formats, one after the other."""

    suffixes = (".arrow", ".feather", ".ipc", ".arrows")

    @classmethod
    def _files_of(cls, path: str) -> list[StoredFile]:
        return [_IpcFile(path)]
