"""Stores: rows that lie elsewhere, in files or wherever a function finds them."""

from __future__ import annotations

from typing import Any

from mixtura.data.stores.called import CalledRows
from mixtura.data.stores.npy import NpyFiles
from mixtura.data.stores.store import Piece, Store

__all__ = ["STORES", "Piece", "Store", "store_of"]

# The kinds of stores: each one is named here and nowhere else. The first that recognises what a
# user passes to `mixtura.scan` takes it.
STORES: tuple[type[Store], ...] = (NpyFiles, CalledRows)


def store_of(source: Any) -> Store | None:
    """Return the store that `source` of `mixtura.scan` is; None if it is of no kind."""
    stores = (kind.opened(source) for kind in STORES)
    return next((store for store in stores if store is not None), None)
