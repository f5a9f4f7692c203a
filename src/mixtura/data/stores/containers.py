"""Rows in HDF5 files, and in arrays of Zarr: tables that a path names."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from numpy.typing import NDArray

from mixtura.data.frames import REAL_KINDS, listed
from mixtura.data.stores.files import INSIDE, FileStore, StoredFile, needed
from mixtura.data.stores.sliced import check_table, read_slice, slices
from mixtura.data.stores.store import Piece

__all__ = ["Hdf5Files", "ZarrFolders"]


class _Container(StoredFile):
    """An array in a file of arrays, which is named after "::" if there are several tables."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._outer, _, self._inner = path.partition(INSIDE)
        with self._root() as root:
            if not self._inner and not hasattr(root, "shape"):
                self._inner = self._only_table(root)
            array = self._array(root)
            self.dtype = check_table(array, self.place)
            self.n_rows, self.n_columns = map(int, array.shape)

    @abstractmethod
    def _root(self) -> AbstractContextManager[Any]:
        """Open the file for reading; the value is a group or an array."""

    @abstractmethod
    def _tables(self, root: Any) -> list[str]:
        """Names of all arrays in it that are tables of real numbers."""

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        with self._root() as root:
            places = list(slices(self._array(root), size))
        for start, stop in places:
            yield Piece(partial(self._read, tuple(columns), start, stop), self.place, start)

    def _read(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        with self._root() as root:
            return read_slice(self._array(root), columns, start, stop)

    def _array(self, root: Any) -> Any:
        if not self._inner:
            return root
        if hasattr(root, "shape"):
            raise ValueError(
                f"{self._outer!r} must be given without a name after {INSIDE!r}, as it is an array "
                f"itself; got {self._inner!r}. Pass {self._outer!r}."
            )
        try:
            array = root[self._inner]
        except (KeyError, TypeError) as error:
            raise self._unknown(root, f"there is no {self._inner!r}") from error
        if not hasattr(array, "shape"):
            raise self._unknown(root, f"{self._inner!r} is a group")
        return array

    def _only_table(self, root: Any) -> str:
        tables = self._tables(root)
        if len(tables) != 1:
            raise self._unknown(root, "no table was named")
        return tables[0]

    def _unknown(self, root: Any, got: str) -> ValueError:
        tables = self._tables(root) if hasattr(root, "keys") else []
        example = f"{self._outer}{INSIDE}{tables[0] if tables else 'name'}"
        has = listed(tables) if tables else "no tables of real numbers"
        return ValueError(
            f"file {self._outer!r} must be given with the name of a table in it; {got}, and it has "
            f"{has}. Pass {example!r}."
        )


class _Hdf5File(_Container):
    def _root(self) -> AbstractContextManager[Any]:
        h5py = needed("h5py", "HDF5 files")
        try:
            file: AbstractContextManager[Any] = h5py.File(self._outer, "r")
        except OSError as error:
            raise ValueError(
                f"file {self._outer!r} must be an HDF5 file that nobody writes to; h5py cannot "
                f"read it: {error} Close it, or write it anew."
            ) from error
        return file

    def _tables(self, root: Any) -> list[str]:
        found: list[str] = []
        root.visititems(lambda name, each: found.append(name) if _is_table(each) else None)
        return found


class _ZarrFolder(_Container):
    def _root(self) -> AbstractContextManager[Any]:
        zarr = needed("zarr", "Zarr arrays")
        try:
            return nullcontext(zarr.open(self._outer, mode="r"))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"folder {self._outer!r} must hold a Zarr array or group; zarr cannot read it: "
                f"{error} Write it anew."
            ) from error

    def _tables(self, root: Any) -> list[str]:
        return sorted(_tables_below(root, ""))


class Hdf5Files(FileStore):
    """Rows in HDF5 files, one after the other."""

    suffixes = (".h5", ".hdf5", ".he5", ".h5ad")

    @classmethod
    def _files_of(cls, path: str) -> list[StoredFile]:
        return [_Hdf5File(path)]


class ZarrFolders(FileStore):
    """Rows in Zarr arrays, one after the other."""

    suffixes = (".zarr",)

    @classmethod
    def _files_of(cls, path: str) -> list[StoredFile]:
        return [_ZarrFolder(path)]


def _is_table(array: Any) -> bool:
    shape, dtype = getattr(array, "shape", None), getattr(array, "dtype", None)
    return shape is not None and len(shape) == 2 and getattr(dtype, "kind", "O") in REAL_KINDS


def _tables_below(group: Any, prefix: str) -> Iterator[str]:
    for name in group:
        each = group[name]
        if _is_table(each):
            yield prefix + name
        elif hasattr(each, "keys"):
            yield from _tables_below(each, f"{prefix}{name}/")
