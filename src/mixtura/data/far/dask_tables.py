"""Arrays and DataFrames of Dask as tables: their columns are known, their rows not yet computed.

Dask is not imported before an object of it is met: objects are known by the names of their modules.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from mixtura.data.frames import REAL_KINDS, Names, column_names, described, listed

__all__ = ["DaskTable", "delayed_weights", "table_of"]


class DaskTable(ABC):
    """A collection of two dimensions, whose rows are in partitions.

    Attributes
    ----------
    name : str
        What messages call it.
    names : tuple of str or None
        Of the columns.
    n_columns : int
    rows_of_partitions : sequence of int or nan
        NaN where only computing one tells.
    """

    name = "X"
    names: Names | None = None
    n_columns: int
    rows_of_partitions: Sequence[float]

    @property
    def n_partitions(self) -> int:
        """How many there are."""
        return len(self.rows_of_partitions)

    @property
    def n_rows(self) -> int | None:
        """Number of rows; None where only computing it tells."""
        n = sum(self.rows_of_partitions)
        return None if math.isnan(n) else int(n)

    @abstractmethod
    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:
        """Return float32 if all of these columns are of that type, else float64.

        Raises
        ------
        TypeError
            For columns that are not real numbers.
        """

    @abstractmethod
    def selected(self, columns: Sequence[int]) -> DaskTable:
        """Return some of the columns, in the order that is asked for."""

    @abstractmethod
    def partitions(self) -> list[Any]:
        """Return a delayed array or frame for each partition."""

    @abstractmethod
    def answers(
        self, answer: Callable[..., Any], columns: tuple[int, ...], dtype: DTypeLike
    ) -> Any:
        """Return a Dask array of what a function returns for each row of each partition.

        The function is called with a partition and, as `block_id` or in `partition_info`, with its
        number.
        """


class _ArrayTable(DaskTable):
    """An array, whose chunks side by side are one partition."""

    def __init__(self, array: Any) -> None:
        if array.ndim != 2:
            remedy = "Use X[:, None] for one feature, X[None, :] for one row."
            raise ValueError(
                f"X must have two dimensions, (n_samples, n_features); got a Dask array of shape "
                f"{array.shape}. {remedy if array.ndim == 1 else 'Arrange it one row a sample.'}"
            )
        if math.isnan(array.shape[1]):
            raise ValueError(
                "X must have a known number of columns; got a Dask array of shape "
                f"{array.shape}. Pass X.compute_chunk_sizes()."
            )
        # Chunks of columns come together; those of rows stay as they are.
        self._array = array if len(array.chunks[1]) == 1 else array.rechunk({1: -1})
        self.n_columns, self.rows_of_partitions = int(array.shape[1]), array.chunks[0]

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:  # noqa: ARG002
        dtype = self._array.dtype
        if dtype.kind not in REAL_KINDS:
            remedy = "Convert it with X.astype(float)."
            if dtype.kind == "c":
                remedy = "Use X.real, or its real and imaginary parts as two features."
            raise TypeError(
                f"X must hold real numbers; got a Dask array of dtype {dtype}. {remedy}"
            )
        return _float(dtype == np.float32)

    def selected(self, columns: Sequence[int]) -> DaskTable:
        if list(columns) == list(range(self.n_columns)):
            return self
        return _ArrayTable(self._array[:, list(columns)])

    def partitions(self) -> list[Any]:
        return list(self._array.to_delayed()[:, 0])

    def answers(
        self, answer: Callable[..., Any], columns: tuple[int, ...], dtype: DTypeLike
    ) -> Any:
        import dask.array as da

        return da.map_blocks(
            answer,
            self._array,
            chunks=(self._array.chunks[0], *((n,) for n in columns)),
            drop_axis=None if columns else 1,
            dtype=dtype,
            meta=np.empty((0,) * (1 + len(columns)), dtype),
        )


class _FrameTable(DaskTable):
    """A DataFrame."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names = column_names(list(frame.columns), "X")
        self.n_columns = len(frame.columns)
        self.rows_of_partitions = (math.nan,) * int(frame.npartitions)

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:
        dtypes, labels = list(self._frame.dtypes), list(self._frame.columns)
        unreal = [a for a in columns if getattr(dtypes[a], "kind", "O") not in REAL_KINDS]
        if unreal:
            first, more = unreal[0], ""
            if len(unreal) > 1:
                more = f", and columns {listed([labels[a] for a in unreal])} hold no real numbers"
            raise TypeError(
                f"X must hold real numbers; got column {labels[first]!r} of dtype "
                f"{dtypes[first]}{more}. Select columns of numbers."
            )
        return _float(all(dtypes[a] == np.float32 for a in columns))

    def selected(self, columns: Sequence[int]) -> DaskTable:
        if list(columns) == list(range(self.n_columns)):
            return self
        return _FrameTable(self._frame.iloc[:, list(columns)])

    def partitions(self) -> list[Any]:
        return list(self._frame.to_delayed())

    def answers(
        self, answer: Callable[..., Any], columns: tuple[int, ...], dtype: DTypeLike
    ) -> Any:
        meta = np.empty((0, *columns), dtype)
        return self._frame.map_partitions(answer, meta=meta, enforce_metadata=False)


def table_of(values: Any) -> DaskTable | None:
    """Return the table that a collection of Dask is; None for anything else.

    Raises
    ------
    TypeError
        For a Series, which is one column, and for bags and delayed objects.
    ValueError
        For an array of other than two dimensions.
    """
    if not _is_dask(values):
        return None
    kind = type(values)  # a delayed object itself has every attribute
    if hasattr(kind, "chunks"):
        return _ArrayTable(values)
    if hasattr(kind, "map_partitions") and hasattr(kind, "iloc") and values.ndim == 2:
        return _FrameTable(values)
    is_series = hasattr(kind, "to_frame")
    remedy = "Use X.to_frame() for one feature." if is_series else "Pass X.compute()."
    raise TypeError(
        f"X must be a Dask array or DataFrame, which says what its columns are; got a Dask "
        f"{type(values).__name__}. {remedy}"
    )


def delayed_weights(sample_weight: Any, table: DaskTable) -> list[Any]:
    """Return the delayed weights of each partition, from a Dask array or Series.

    Parameters
    ----------
    sample_weight : object
        What a user passed.
    table : DaskTable
        The rows.

    Raises
    ------
    TypeError
        For weights that are not on the cluster.
    ValueError
        For weights in other partitions than the rows.
    """
    if not _is_dask(sample_weight) or not hasattr(type(sample_weight), "to_delayed"):
        raise TypeError(
            f"sample_weight must be a Dask array or Series with the partitions of X, where X is a "
            f"collection of Dask; got {described(sample_weight)}. Put the weights into a column, "
            f'mixtura.scan(X, weight="name"), or pass dask.array.from_array(sample_weight, '
            f"chunks=X.chunks[0])."
        )
    if sample_weight.ndim != 1:
        raise ValueError(
            f"sample_weight must have one dimension, a number for each row of X; got "
            f"{sample_weight.ndim}. Pass one column of it."
        )
    partitions = list(np.ravel(np.array(sample_weight.to_delayed(), dtype=object)))
    own = getattr(sample_weight, "chunks", ((math.nan,) * len(partitions),))[0]
    differ = len(partitions) != table.n_partitions or any(
        not (math.isnan(n) or math.isnan(m)) and n != m
        for n, m in zip(own, table.rows_of_partitions, strict=False)
    )
    if differ:
        raise ValueError(
            f"sample_weight must have the partitions of X, {table.n_partitions} with as many rows "
            f"each; got {len(partitions)} of {listed(own)} rows. Use sample_weight.rechunk, or "
            f"make both from the same collection."
        )
    return partitions


def _is_dask(values: Any) -> bool:
    return type(values).__module__.partition(".")[0] == "dask"


def _float(is_single: bool) -> np.dtype[Any]:
    return np.dtype(np.float32 if is_single else np.float64)
