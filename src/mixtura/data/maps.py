"""Memory maps: which file the numbers of an array lie in, and where in it."""

from __future__ import annotations

import mmap
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["file_of", "first_byte", "mapped", "share_memory"]

MOST_WORK = 10_000  # to find out whether numbers of two arrays lie in the same bytes


def file_of(array: NDArray[Any]) -> str | None:
    """Return the path of the file that an array is mapped from, or a part of it; None if none is.

    A view of a memory map may be another kind of array.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.filename is not None:
            return os.fspath(base.filename)
        base = base.base
    return None


def first_byte(array: np.memmap[Any, Any]) -> int:
    """Return where in its file a memory map has its first number, also where it is a part."""
    whole = np.frombuffer(array._mmap, np.uint8)  # type: ignore[attr-defined]
    first = int(array.__array_interface__["data"][0] - whole.__array_interface__["data"][0])
    return int(array.offset - array.offset % mmap.ALLOCATIONGRANULARITY) + first


def mapped(
    path: str, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...], first: int
) -> NDArray[Any]:
    """Return an array in a file, to be read, whose first number begins at the byte `first`."""
    in_file = np.memmap(path, np.uint8, "r")
    array: NDArray[Any] = np.ndarray(shape, dtype, in_file, first, strides)
    return array.view(np.memmap)


def share_memory(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays have a byte in common; also where that takes too long to find out."""
    try:
        return np.shares_memory(one, other, max_work=MOST_WORK)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True
