"""Stores: rows that lie elsewhere, in files or wherever a function finds them."""

from __future__ import annotations

from typing import Any

from mixtura.data.stores.called import CalledRows
from mixtura.data.stores.containers import Hdf5Files, ZarrFolders
from mixtura.data.stores.csv import CsvFiles
from mixtura.data.stores.dataset import ArrowDataset
from mixtura.data.stores.files import FileStore, paths_of
from mixtura.data.stores.ipc import IpcFiles
from mixtura.data.stores.npy import NpyFiles
from mixtura.data.stores.parquet import ParquetFiles
from mixtura.data.stores.sliced import SlicedArray
from mixtura.data.stores.store import Piece, Store

__all__ = ["STORES", "Piece", "Store", "store_of"]

# The kinds of stores: each one is named here and nowhere else. The first that recognises what a
# user passes to `mixtura.scan` takes it.
STORES: tuple[type[Store], ...] = (
    NpyFiles,
    ParquetFiles,
    CsvFiles,
    IpcFiles,
    Hdf5Files,
    ZarrFolders,
    ArrowDataset,
    SlicedArray,
    CalledRows,
)


def store_of(source: Any) -> Store | None:
    """Return the store that `source` of `mixtura.scan` is; None if it is of no kind.

    Raises
    ------
    ValueError
        For paths of files of no known kind, or of several kinds.
    """
    stores = (kind.opened(source) for kind in STORES)
    store = next((store for store in stores if store is not None), None)
    paths = paths_of(source)
    if store is None and paths is not None:
        known = [each for kind in STORES if issubclass(kind, FileStore) for each in kind.suffixes]
        got = f"{paths[0]!r}" + f" and {len(paths) - 1} more" * (len(paths) > 1)
        remedy = "Check the path, or rename the files."
        if paths[0].endswith(".npz"):
            remedy = "Save its array of rows by itself, with numpy.save."
        raise ValueError(
            f"source must be files of one kind, whose names end in {', '.join(known)}, or a folder "
            f"of Parquet files that exists; got {got}. {remedy}"
        )
    return store
