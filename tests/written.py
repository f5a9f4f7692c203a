"""The same rows, written in each kind of file that `mixtura.scan` reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet
import zarr
from numpy.typing import NDArray

Rows = NDArray[Any]
NAMES = "abcdefgh"


def table_of(X: Rows) -> pa.Table:
    """Return the rows as a table with the columns a, b, c, ..."""
    return pa.table(dict(zip(NAMES, X.T, strict=False)))


def npy(path: Path, X: Rows) -> Path:
    np.save(path.with_suffix(".npy"), X)
    return path.with_suffix(".npy")


def npy_by_columns(path: Path, X: Rows) -> Path:
    return npy(path, np.asfortranarray(X))


def parquet(path: Path, X: Rows, group: int = 100) -> Path:
    pyarrow.parquet.write_table(table_of(X), path.with_suffix(".parquet"), row_group_size=group)
    return path.with_suffix(".parquet")


def csv(path: Path, X: Rows) -> Path:
    # Of single precision, Arrow would write digits that are enough for single precision only.
    pyarrow.csv.write_csv(table_of(X.astype(np.float64)), path.with_suffix(".csv"))
    return path.with_suffix(".csv")


def feather(path: Path, X: Rows) -> Path:
    pyarrow.feather.write_feather(table_of(X), path.with_suffix(".feather"), chunksize=77)
    return path.with_suffix(".feather")


def stream(path: Path, X: Rows) -> Path:
    table = table_of(X)
    path = path.with_suffix(".arrows")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=77)
    return path


def hdf5(path: Path, X: Rows) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("group/X", data=X, chunks=(50, X.shape[1]), compression="gzip")
        file["other"] = np.zeros(3)
    return path.with_suffix(".h5")


def zarr_folder(path: Path, X: Rows) -> Path:
    zarr.create_array(str(path.with_suffix(".zarr")), data=X, chunks=(50, X.shape[1]))
    return path.with_suffix(".zarr")


def group_in_zarr(path: Path, X: Rows) -> str:
    group = zarr.open_group(str(path.with_suffix(".zarr")), mode="w")
    group.create_array("inner/X", data=X, chunks=(50, X.shape[1]))
    return f"{path.with_suffix('.zarr')}::inner/X"


def opened_hdf5(path: Path, X: Rows) -> Any:
    return h5py.File(hdf5(path, X))["group/X"]


def opened_zarr(path: Path, X: Rows) -> Any:
    return zarr.open_array(str(zarr_folder(path, X)), mode="r")


def memory_map(path: Path, X: Rows) -> Any:
    return np.load(npy(path, X), mmap_mode="r")


class Sliced:
    """An array of somebody's own: it has a shape and can be sliced."""

    def __init__(self, X: Rows) -> None:
        self._X, self.shape, self.n_read = X, X.shape, 0

    def __getitem__(self, key: Any) -> Rows:
        rows = self._X[key]
        self.n_read += len(rows)
        return rows


def sliced(_: Path, X: Rows) -> Any:
    return Sliced(X)


def dataset(path: Path, X: Rows) -> Any:
    return pyarrow.dataset.dataset(parquet(path, X))


def dataset_of_feather(path: Path, X: Rows) -> Any:
    return pyarrow.dataset.dataset(feather(path, X), format="feather")


def filtered_dataset(path: Path, X: Rows) -> Any:
    return dataset(path, X).filter(pyarrow.dataset.field("a") != 1e300)


def function_of_arrays(_: Path, X: Rows) -> Callable[[], Any]:
    return lambda: (X[start : start + 100] for start in range(0, len(X), 100))


def function_of_batches(_: Path, X: Rows) -> Callable[[], Any]:
    table = table_of(X).combine_chunks()
    return lambda: pa.RecordBatchReader.from_batches(table.schema, table.to_batches(100))


FILES = {
    each.__name__: each
    for each in (npy, npy_by_columns, parquet, csv, feather, stream, hdf5, zarr_folder,
                 group_in_zarr)
}  # fmt: skip
OTHERS = {
    each.__name__: each
    for each in (opened_hdf5, opened_zarr, memory_map, sliced, dataset, dataset_of_feather,
                 filtered_dataset, function_of_arrays, function_of_batches)
}  # fmt: skip
KINDS = FILES | OTHERS
WITHOUT_NAMES = {
    "npy", "npy_by_columns", "hdf5", "zarr_folder", "group_in_zarr", "opened_hdf5", "opened_zarr",
    "memory_map", "sliced", "function_of_arrays",
}  # fmt: skip
