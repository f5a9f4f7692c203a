"""What every store of rows can be asked: rows that lie elsewhere, in pieces that can be read again.

A store knows from metadata alone what its columns are. A kind of store is a class in a file of its
own, named in `mixtura.data.stores.STORES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mixtura.data.frames import Names

__all__ = ["Piece", "Store", "common_dtype", "held"]


class Piece(NamedTuple):
    """Some consecutive rows that can be read by themselves.

    Attributes
    ----------
    read : callable
        Returns an array or a table of these rows, with the columns that were asked for, in order.
        It can be pickled where the store's rows can be read in another process.
    place : str
        What messages call the place where the rows lie, such as ``file 'a.npy'``.
    first : int
        The number of the first of them there.
    """

    read: Callable[[], Any]
    place: str
    first: int


def held(rows: Any) -> Callable[[], Any]:
    """Return what `Piece.read` is for rows that are in memory already: it gives them away, once.

    At one time there are to be few blocks in memory. So nothing may keep one that somebody else has
    or has had, a local variable of a generator neither: it lives on until the next block is there.
    Hence `del`, here and in what loops over blocks.
    """
    return [rows].pop


class Store(ABC):
    """Rows that lie elsewhere.

    Attributes
    ----------
    name : str
        What messages call all of it.
    names : tuple of str or None
        Of the columns.
    n_columns : int
    n_rows : int or None
        None where only reading them all tells.
    is_described : bool
        Whether metadata tell the columns; else the first rows have to be made to know them.
    """

    name: str
    names: Names | None = None
    n_columns: int
    n_rows: int | None = None
    is_described: bool = True

    @classmethod
    @abstractmethod
    def opened(cls, source: Any) -> Store | None:
        """Return the store that `source` of `mixtura.scan` is; None if it is not of this kind.

        Only metadata are read.
        """

    @abstractmethod
    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:
        """Return float32 if all of these columns are of that type, else float64."""

    @abstractmethod
    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        """Yield all rows in order, at most about `size` in a piece, cut alike each time."""

    def paths(self) -> Sequence[str]:
        """Return the names of the files that hold the rows, which no answers may replace."""
        return ()

    def state(self) -> Any:
        """Return something that changes when the rows are written anew; None where nothing does."""
        return None


def common_dtype(dtypes: Iterable[np.dtype[Any]]) -> np.dtype[Any]:
    """Return float32 if all are, in any order of bytes, else float64."""
    single = all(dtype.newbyteorder("=") == np.float32 for dtype in dtypes)
    return np.dtype(np.float32 if single else np.float64)
