"""Rows of an array that is not in memory: anything with a shape that can be sliced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import REAL_KINDS
from mixtura.data.maps import file_of, first_byte, mapped
from mixtura.data.row_checks import rows_table
from mixtura.data.stores.files import INSIDE, needed, written_state
from mixtura.data.stores.store import Piece, Store, common_dtype

__all__ = ["SlicedArray", "check_table", "read_slice", "slices"]

# Their arrays and frames are in memory or belong to other kinds of rows.
OTHERS = {
    "cudf", "cupy", "dask", "dask_expr", "distributed", "jax", "jaxlib", "modin", "pandas",
    "polars", "pyarrow", "pyspark", "scipy", "sparse", "tensorflow", "torch",
}  # fmt: skip


MAKERS = {"h5py", "netCDF4", "zarr"}  # a slice of their arrays is a new array in memory


class SlicedArray(Store):
    """Rows of an array that gives some of its rows, in memory, as ``array[start:stop]``.

    Parameters
    ----------
    array : object
        With `shape` and slicing, such as a memory map, an h5py.Dataset, a zarr.Array or a
        variable of netCDF4.
    """

    def __init__(self, array: Any) -> None:
        self.name = f"the {type(array).__name__}"
        self._dtype = check_table(array, self.name)
        self._array = array
        self.n_rows, self.n_columns = map(int, array.shape)
        self.names = rows_table(array[:0], self.name).names  # of xarray

    @classmethod
    def opened(cls, source: Any) -> SlicedArray | None:
        _refuse_closed(source)
        if not isinstance(source, np.memmap) and (
            not all(hasattr(source, name) for name in ("shape", "__getitem__"))
            or isinstance(source, type | np.ndarray | np.generic)
            or hasattr(source, "__dlpack__")
            or _library_of(source) in OTHERS
        ):
            return None
        return cls(source)

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:  # noqa: ARG002
        return common_dtype([self._dtype])

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        _refuse_closed(self._array)
        read = _Array(self._array).read
        for start, stop in slices(self._array, size):
            yield Piece(partial(read, tuple(columns), start, stop), self.name, start)

    def paths(self) -> list[str]:
        path = file_of(self._array) if isinstance(self._array, np.memmap) else None
        return [] if path is None else [path]

    def state(self) -> Any:
        written = [written_state(Path(path)) for path in self.paths()]
        return written[0] if written else None


@dataclass(frozen=True, eq=False)
class _Array:
    """An array that is sent to another process as the place where its file has it.

    Attributes
    ----------
    itself : object
    """

    itself: Any

    def read(self, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        _refuse_closed(self.itself)
        return read_slice(self.itself, columns, start, stop)

    def __reduce__(self) -> Any:
        array = self.itself
        if isinstance(array, np.memmap) and array.filename is not None:
            path, begin = array.filename, first_byte(array)
            return _in_map, (path, array.dtype, array.shape, array.strides, begin)
        if _library_of(array) == "h5py":
            return _in_hdf5, (array.file.filename, array.name)
        return _Array, (array,)


def _library_of(array: Any) -> str:
    return type(array).__module__.partition(".")[0]


def _refuse_closed(array: Any) -> None:
    if _library_of(array) == "h5py" and not array:  # as h5py says that its file is closed
        raise ValueError(
            "source must be a dataset of an HDF5 file that is open; got one of a file that is "
            "closed. Open the file until the rows were used, or pass its path and the name of the "
            f"dataset, such as 'file.h5{INSIDE}name'."
        )


def _in_map(*place: Any) -> _Array:
    return _Array(mapped(*place))


def _in_hdf5(path: str, name: str) -> _Array:
    return _Array(needed("h5py", "HDF5 files").File(path, "r")[name])


def check_table(array: Any, place: str) -> np.dtype[Any]:
    """Return the type of an array; refuse one that is not a table of real numbers.

    Only its metadata are looked at, or none of its rows.
    """
    shape = array.shape or ()  # None, of a null dataset of HDF5
    dtype = np.dtype(array.dtype if hasattr(array, "dtype") else np.asarray(array[:0]).dtype)
    if len(shape) != 2 or dtype.kind not in REAL_KINDS:
        raise ValueError(
            f"{place} must be a table of real numbers, (n_samples, n_features); got shape "
            f"{tuple(shape)} of {dtype}. Choose an array of two dimensions."
        )
    return dtype


def slices(array: Any, size: int) -> Iterator[tuple[int, int]]:
    """Yield where slices start and stop; where chunks are smaller than a slice, it has whole ones.

    So no chunk is decoded twice.
    """
    chunk = (getattr(array, "chunks", None) or (1,))[0]
    if isinstance(chunk, int | np.integer) and 1 < chunk <= size:
        size -= size % int(chunk)
    n = int(array.shape[0])
    for start in range(0, n, size):
        yield start, min(start + size, n)


def read_slice(array: Any, columns: Sequence[int], start: int, stop: int) -> NDArray[Any]:
    """Return some rows of some columns, in memory; all columns between the outermost are read."""
    low, high = min(columns), max(columns) + 1
    rows = array[start:stop, low:high]
    chosen = [a - low for a in columns]
    if isinstance(rows, np.ma.MaskedArray):  # of netCDF4, for fill values
        rows = np.ma.filled(rows if rows.dtype.kind == "f" else rows.astype(float), np.nan)
    in_order = chosen == list(range(high - low))
    if _library_of(array) not in MAKERS:  # they may lie in a file, or in memory that is used again
        return np.array(rows if in_order else np.asarray(rows)[:, chosen])
    rows = np.asarray(rows)
    return rows if in_order else rows[:, chosen]
