"""Rows in .npy files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import REAL_KINDS
from mixtura.data.stores.files import FileStore, StoredFile
from mixtura.data.stores.store import Piece

__all__ = ["NpyFiles"]


class _NpyFile(StoredFile):
    """A .npy file, as its header describes it."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        # Of objects, cut short, of a size that cannot be, or a folder.
        except (ValueError, EOFError, OverflowError, IsADirectoryError) as error:
            raise ValueError(
                f"{self.place} must hold a table of real numbers; NumPy cannot read it: "
                f"{str(error).rstrip('. ')}. Save an array of two dimensions with numpy.save."
            ) from error
        if (
            not isinstance(array, np.memmap)
            or array.ndim != 2
            or array.dtype.kind not in REAL_KINDS
        ):
            raise ValueError(
                f"{self.place} must hold a table of real numbers, (n_samples, n_features); got "
                f"shape {np.shape(array)} of {getattr(array, 'dtype', type(array).__name__)}. "
                f"Save an array of two dimensions."
            )
        self.n_rows, self.n_columns = array.shape
        self.dtype, self._offset = array.dtype, array.offset
        self._by_rows = bool(array.flags.c_contiguous)

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        n = self.n_rows or 0
        for start in range(0, n, size):
            stop = min(start + size, n)
            yield Piece(partial(self._read, tuple(columns), start, stop), self.place, start)

    def _read(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Return some rows, in memory."""
        d = self.n_columns
        if self._by_rows:
            offset = self._offset + start * d * self.dtype.itemsize
            rows = np.fromfile(self.path, self.dtype, (stop - start) * d, offset=offset)
            rows = rows.reshape(-1, d)
        else:
            rows = np.load(self.path, mmap_mode="r", allow_pickle=False)[start:stop]
        if list(columns) == list(range(d)):
            return np.array(rows) if isinstance(rows, np.memmap) else rows
        return np.array(rows[:, list(columns)])


class NpyFiles(FileStore):
    """Rows in .npy files, one after the other."""

    suffixes = (".npy",)

    @classmethod
    def _files_of(cls, path: str) -> list[StoredFile]:
        return [_NpyFile(path)]
