"""Rows in .npy files: one, or several with the same columns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import REAL_KINDS
from mixtura.data.stores.store import Piece, Store

__all__ = ["NpyFiles"]


class _File(NamedTuple):
    """A .npy file, as its header describes it."""

    path: str
    dtype: np.dtype[Any]
    shape: tuple[int, int]
    offset: int
    by_rows: bool

    @classmethod
    def of(cls, path: str) -> _File:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if (
            not isinstance(array, np.memmap)
            or array.ndim != 2
            or array.dtype.kind not in REAL_KINDS
        ):
            raise ValueError(
                f"file {path!r} must hold a table of real numbers, (n_samples, n_features); got "
                f"shape {array.shape} of {array.dtype}. Save an array of two dimensions."
            )
        n, d = array.shape
        return cls(path, array.dtype, (n, d), array.offset, bool(array.flags.c_contiguous))

    def read(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Return some rows, in memory."""
        d = self.shape[1]
        if self.by_rows:
            offset = self.offset + start * d * self.dtype.itemsize
            rows = np.fromfile(self.path, self.dtype, (stop - start) * d, offset=offset)
            rows = rows.reshape(-1, d)
        else:
            rows = np.load(self.path, mmap_mode="r", allow_pickle=False)[start:stop]
        if list(columns) == list(range(d)):
            return np.array(rows) if isinstance(rows, np.memmap) else rows
        return np.array(rows[:, list(columns)])


class NpyFiles(Store):
    """Rows in .npy files, one after the other.

    Parameters
    ----------
    files : sequence of _File
        With equally many columns; one at least.
    """

    def __init__(self, files: Sequence[_File]) -> None:
        self._files = list(files)
        self.n_rows = sum(file.shape[0] for file in files)
        self.n_columns = files[0].shape[1]
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        self.name = f"file {files[0].path!r}{more}"

    @classmethod
    def opened(cls, source: Any) -> NpyFiles | None:
        paths = source if isinstance(source, list | tuple) else [source]
        if not paths or not all(isinstance(path, str | os.PathLike) for path in paths):
            return None
        if not all(Path(path).suffix == ".npy" for path in paths):
            return None
        files = [_File.of(os.fspath(path)) for path in paths]
        for file in files:
            if file.shape[1] != files[0].shape[1]:
                raise ValueError(
                    f"all files must have {files[0].shape[1]} columns, as {files[0].path!r} has; "
                    f"{file.path!r} has {file.shape[1]}. Scan files with the same columns."
                )
        return cls(files)

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:  # noqa: ARG002
        dtypes = {file.dtype.newbyteorder("=") for file in self._files}
        return np.dtype(np.float32 if dtypes == {np.dtype(np.float32)} else np.float64)

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        for file in self._files:
            n = file.shape[0]
            for start in range(0, n, size):
                read = partial(file.read, tuple(columns), start, min(start + size, n))
                yield Piece(read, f"file {file.path!r}", start)

    def paths(self) -> Sequence[str]:
        return [file.path for file in self._files]

    def state(self) -> Any:
        stats = [Path(file.path).stat() for file in self._files]
        return [(stat.st_size, stat.st_mtime_ns) for stat in stats]
