"""Types of what users pass as rows, and of what methods return for each row."""

from __future__ import annotations

import os
from typing import Any, Generic, Literal, Protocol, Required, SupportsFloat, TypedDict, TypeVar

from numpy.typing import ArrayLike, NDArray

from mixtura.data.missing import Missing
from mixtura.data.source import RowSource

__all__ = [
    "AnyRows",
    "AskedInBlocks",
    "AskedInto",
    "AskedWhole",
    "FarRows",
    "InBlocks",
    "Into",
    "Numbers",
    "Output",
    "Whole",
    "Written",
]


Entry = TypeVar("Entry", covariant=True)


class _Array(Protocol):
    """An array or a data frame."""

    def __array__(self) -> NDArray[Any]: ...


class _Nested(Protocol[Entry]):
    """A list, or lists in a list. In a string one can look for strings alone, so it is none."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Entry | _Nested[Entry]: ...
    def __contains__(self, value: object, /) -> bool: ...


class _Dask(Protocol):
    """A Dask array or DataFrame."""

    def __dask_graph__(self) -> Any: ...


class _Spark(Protocol):
    """A Spark DataFrame."""

    def mapInArrow(self, func: Any, schema: Any) -> Any: ...


# ArrayLike without strings: a misspelt option is no array, and the name of a file is no rows.
Numbers = _Array | _Nested[SupportsFloat | _Array]
FarRows = _Dask | _Spark  # their answers are collections of the same kind
AnyRows = Numbers | RowSource | FarRows
Output = NDArray[Any] | str | os.PathLike[str] | None
Written = TypeVar("Written", bound=NDArray[Any] | str | os.PathLike[str])


class Whole(TypedDict, total=False):
    """Options of a method that returns the answers for all rows."""

    out: None
    blocks: Literal[False]


class Into(TypedDict, Generic[Written], total=False):
    """Options of one that writes them where the user says, and returns this."""

    out: Required[Written]
    blocks: Literal[False]


class InBlocks(TypedDict, total=False):
    """Options of one that yields them block by block."""

    out: None
    blocks: Required[Literal[True]]


class _Asked(TypedDict, total=False):
    missing: Missing | None
    noise_covariance: ArrayLike | None
    projection: ArrayLike | None
    n_threads: int | None


class AskedWhole(_Asked, Whole):
    """The same with the options of questions about rows."""


class AskedInto(_Asked, Into[Written]):
    """The same with the options of questions about rows."""


class AskedInBlocks(_Asked, InBlocks):
    """The same with the options of questions about rows."""
