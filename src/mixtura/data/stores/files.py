"""Rows in files of one kind: one, or several with the same columns, one after the other."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from mixtura.data.frames import Names, refuse_repeated_names
from mixtura.data.row_checks import columns_difference
from mixtura.data.stores.store import Piece, Store, common_dtype

__all__ = ["FileStore", "StoredFile", "files_in", "needed", "paths_of", "written_state"]

INSIDE = "::"  # between the path of a file and the name of an array in it


class StoredFile(ABC):
    """One file, as its metadata describe it.

    Attributes
    ----------
    path : str
        Of the file or the folder; what is inside it may be named after "::".
    names : tuple of str or None
    n_columns : int
    n_rows : int or None
        None where only reading it tells.
    dtype : dtype
        Of the numbers, where they are those of one array.
    """

    path: str
    names: Names | None = None
    n_columns: int
    n_rows: int | None = None
    dtype: np.dtype[Any]

    @property
    def place(self) -> str:
        """What messages call it."""
        return f"file {self.path!r}"

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:  # noqa: ARG002
        """Return float32 if all of these columns are of that type, else float64."""
        return common_dtype([self.dtype])

    @abstractmethod
    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        """Yield the rows in order, at most about `size` in a piece."""

    def state(self) -> Any:
        """Return something that changes when the file is written anew."""
        return written_state(Path(self.path.partition(INSIDE)[0]))


class FileStore(Store):
    """Rows in files of one kind, one after the other.

    Parameters
    ----------
    files : sequence of StoredFile
        With the same columns; one at least.

    Attributes
    ----------
    suffixes : tuple of str
        Of the names of such files.
    """

    suffixes: ClassVar[tuple[str, ...]]

    def __init__(self, files: Sequence[StoredFile]) -> None:
        first = files[0]
        self._files = list(files)
        for file in files:
            _check_columns(file, first)
        counts = [file.n_rows for file in files]
        known = [count for count in counts if count is not None]
        self.n_rows = sum(known) if len(known) == len(counts) else None
        self.n_columns, self.names = first.n_columns, first.names
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        self.name = f"{first.place}{more}"

    @classmethod
    def opened(cls, source: Any) -> FileStore | None:
        paths = paths_of(source)
        if paths is None or not all(cls._is_one(path) for path in paths):
            return None
        for path in paths:
            if not Path(path.partition(INSIDE)[0]).exists():
                raise FileNotFoundError(
                    f"source must be a file or a folder that exists; there is no {path!r}. "
                    f"Check the path: the working folder is {str(Path.cwd())!r}."
                )
        return cls([file for path in paths for file in cls._files_of(path)])

    @classmethod
    def _is_one(cls, path: str) -> bool:
        return path.partition(INSIDE)[0].lower().endswith(cls.suffixes)

    @classmethod
    @abstractmethod
    def _files_of(cls, path: str) -> list[StoredFile]:
        """Return the files that a path stands for: one, or all in a folder."""

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:
        return common_dtype(file.dtype_of(columns) for file in self._files)

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        for file in self._files:
            yield from file.pieces(columns, size)

    def paths(self) -> list[str]:
        return [file.path.partition(INSIDE)[0] for file in self._files]

    def state(self) -> Any:
        return [file.state() for file in self._files]


def paths_of(source: Any) -> list[str] | None:
    """Return one path or a list of paths as text; None for anything else."""
    paths = source if isinstance(source, list | tuple) else [source]
    if not paths or not all(isinstance(path, str | os.PathLike) for path in paths):
        return None
    return [os.fspath(path) for path in paths]


def files_in(folder: str, suffixes: tuple[str, ...]) -> list[str]:
    """Return the files in a folder and the folders in it, in the order of their paths.

    As everywhere with Parquet, names that begin with "_" or "." do not count.

    Raises
    ------
    ValueError
        Where there are none.
    """
    found = [
        path
        for path in sorted(Path(folder).rglob("*"))
        if path.name.lower().endswith(suffixes)
        and path.is_file()
        and not any(part[0] in "_." for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise ValueError(
            f"folder {folder!r} must hold files named {' or '.join(f'*{s}' for s in suffixes)}; "
            f"it has none. Check the path, or pass a list of files."
        )
    return list(map(os.fspath, found))


def needed(library: str, what: str) -> ModuleType:
    """Import what a kind of files needs, or raise an error that says how to install it."""
    import importlib

    root = library.partition(".")[0]
    try:
        importlib.import_module(root)
        return importlib.import_module(library)
    except ImportError as error:
        raise ImportError(
            f"{what} need {root}, which is not installed. Install it with: pip install {root}."
        ) from error


def _check_columns(file: StoredFile, first: StoredFile) -> None:
    """Refuse a file without columns, or with others than the first one has."""
    if file.n_columns == 0:
        raise ValueError(f"{file.place} must have at least one column; it has none. Leave it out.")
    if file.names is not None:
        refuse_repeated_names(file.names, file.place)
    if file.names is not None and first.names is not None and file.names != first.names:
        raise ValueError(
            f"all files must have the same columns, in the same order; {file.place} has others "
            f"than {first.place}: {columns_difference(file.names, first.names)}. Scan files with "
            f"the same columns."
        )
    if file.n_columns != first.n_columns:
        raise ValueError(
            f"all files must have {first.n_columns} columns, as {first.place} has; {file.place} "
            f"has {file.n_columns}. Scan files with the same columns."
        )


def written_state(path: Path) -> Any:
    """Return size and time of a file, or of all files in a folder; None where nothing is."""
    if not path.exists():
        return None
    if path.is_dir():
        return [written_state(each) for each in sorted(path.rglob("*")) if each.is_file()]
    stat = path.stat()
    return path.name, stat.st_size, stat.st_mtime_ns
