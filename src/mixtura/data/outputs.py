"""Answers with an entry a row, where they shall not become one new array.

A question to a model is a look: from a block of rows to an array with an entry for each of them.
Its answers go into an array that the caller has, into a file, or one after the other to the caller.
Then no more than a block of them is in memory, and rows that stay where they are are read once,
also where only reading tells how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import described
from mixtura.data.maps import file_of
from mixtura.data.question import Question
from mixtura.data.source import RowSource
from mixtura.data.stores.files import needed
from mixtura.data.values import check_flag
from mixtura.files import replacement_of

__all__ = ["answered", "check_output"]

ROWS = 1 << 16  # of an array in memory that are worked on together: whole tiles of a pass
HEADER_BYTES = 128  # of a .npy file: enough for any number of rows
PARQUET = "files that end in .parquet"  # what messages call them
NPY_VERSION = b"\x93NUMPY\x01\x00"


def check_output(out: Any, blocks: Any) -> None:
    """Refuse what no answers can be written into.

    Raises
    ------
    ValueError
        For both `out` and `blocks`, for a file of no known kind, and for a folder.
    TypeError
        For what is neither an array nor a path.
    FileNotFoundError
        For a file in a folder that does not exist.
    ImportError
        For a .parquet file where pyarrow is not installed.
    """
    if check_flag("blocks", blocks) and out is not None:
        raise ValueError(
            f"out must be None with blocks=True, which returns the answers one block after the "
            f"other; got {described(out)}. Leave out one of them."
        )
    if out is None or isinstance(out, np.ndarray):
        return
    if not isinstance(out, str | os.PathLike):
        raise TypeError(
            f"out must be an array, the name of a file or None; got {described(out)}. Pass a NumPy "
            f'array, or a name such as "answers.npy".'
        )
    suffix = Path(out).suffix
    if suffix not in WRITERS:
        raise ValueError(
            f"out must be a file that ends in {' or '.join(WRITERS)}; got {os.fspath(out)!r}. "
            f"Choose one of these formats."
        )
    if suffix == ".parquet":
        needed("pyarrow.parquet", PARQUET)
    target = Path(os.path.realpath(out))
    if target.is_dir():
        raise ValueError(
            f"out must be the name of a file; got {os.fspath(out)!r}, a folder. Name another one."
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"out must be in a folder that exists; got {os.fspath(out)!r}, and there is no "
            f"{str(target.parent)!r}. Make the folder, or check the path."
        )


def answered(source: RowSource, question: Question, out: Any = None, blocks: bool = False) -> Any:
    """Return the answers for all rows, or write them.

    Parameters
    ----------
    source : RowSource
        Checked.
    question : Question
    out : ndarray, str, path-like or None
        Where to write the answers, see `check_output`.
    blocks : bool

    Returns
    -------
    ndarray of shape (n_samples, *columns), `out`, or iterator of ndarray
        An iterator has an array for each block, of rows in memory for at most 65,536 of them;
        closing it ends the reading. Rows far away may have their own answer where `out` is None
        and `blocks` is False.

    Raises
    ------
    ValueError
        For an array that cannot hold the answers, and for an array or a file that holds the rows.
    OSError
        For a file that cannot be written; an older one stays as it was.
    """
    if blocks:
        return _one_by_one(source, question)
    if out is None:
        return source.answers(question)
    if isinstance(out, np.ndarray):
        _check_array(out, question, source.n_samples if source.is_counted else None)
        _refuse_memory_of_rows(out, source)
        _fill(out, _parts(source, question))
        return out
    own = os.path.realpath(out)
    if any(os.path.realpath(path) == own for path in source.paths):
        raise ValueError(
            f"out must be another file than those that hold the rows; got {os.fspath(out)!r}, one "
            f"of them. Name another one."
        )
    with replacement_of(out) as file:
        WRITERS[Path(out).suffix](file, question, _parts(source, question))
    return out


def _parts(source: RowSource, question: Question) -> Iterator[NDArray[Any]]:
    """Return the answers for one block after the other, of which large arrays make several."""
    if not source.in_memory:
        return source.map(question.look)
    return (
        question.look(block.part(slice(start, start + ROWS)))
        for block in source.blocks()
        for start in range(0, max(1, len(block.X)), ROWS)
    )


def _one_by_one(source: RowSource, question: Question) -> Iterator[NDArray[Any]]:
    """Yield the answers for each block; nothing is read before the first is asked for."""
    yield from _parts(source, question)


def _check_array(out: NDArray[Any], question: Question, n_samples: int | None) -> None:
    wanted = ("n_samples" if n_samples is None else n_samples, *question.columns)
    dtype = np.dtype(question.dtype)
    fits = out.ndim == len(wanted) and out.shape[1:] == question.columns
    if not fits or n_samples not in (None, len(out)) or out.dtype != dtype:
        raise ValueError(
            f"out must have shape ({', '.join(map(str, wanted))}{',' * (len(wanted) == 1)}) and "
            f"type {dtype}; got shape {out.shape} of {out.dtype}. Make it by np.empty, or "
            f"np.lib.format.open_memmap for a file."
        )
    if not out.flags.writeable:
        raise ValueError(
            "out must be an array that can be written; got one that is read-only. Open a memory "
            'map with mode="r+", or copy the array.'
        )


def _refuse_memory_of_rows(out: NDArray[Any], source: RowSource) -> None:
    """Refuse an array whose answers would be written over the rows."""
    path = file_of(out)
    mapped = path is not None and any(_is_same_file(path, other) for other in source.paths)
    if mapped or source.lies_in(out):
        got = f"a memory map of {path!r}, which has the rows" if mapped else "one that overlaps"
        raise ValueError(
            f"out must not lie where the rows do: these would be lost; got {got}. Make another "
            f"array by np.empty, or np.lib.format.open_memmap for another file."
        )


def _is_same_file(one: str, other: str) -> bool:
    return Path(one).exists() and Path(other).exists() and Path(one).samefile(other)


def _fill(out: NDArray[Any], parts: Iterator[NDArray[Any]]) -> None:
    end = 0
    for part in parts:
        start, end = end, end + len(part)
        if end > len(out):
            raise _other_length(out, f"at least {end}")
        out[start:end] = part
    if end < len(out):
        raise _other_length(out, str(end))


def _other_length(out: NDArray[Any], n_found: str) -> ValueError:
    return ValueError(
        f"out must have an entry for each row; got {len(out)} for {n_found} rows. Make it as long "
        f"as there are rows, or pass the name of a file."
    )


# ---- files ----


def _write_npy(file: BinaryIO, question: Question, parts: Iterator[NDArray[Any]]) -> None:
    """Write answers block by block; the number of rows goes into the header in the end."""
    dtype, n_samples = np.dtype(question.dtype), 0
    file.write(_npy_header(dtype, (0, *question.columns)))
    for part in parts:
        file.write(np.ascontiguousarray(part, dtype).data)
        n_samples += len(part)
    file.seek(0)
    file.write(_npy_header(dtype, (n_samples, *question.columns)))


def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """The first bytes of a .npy file, always as many (see `numpy.lib.format`)."""
    text = repr({"descr": dtype.str, "fortran_order": False, "shape": shape}).encode()
    size = HEADER_BYTES - len(NPY_VERSION) - 2
    return NPY_VERSION + size.to_bytes(2, "little") + text.ljust(size - 1) + b"\n"


def _write_parquet(file: BinaryIO, question: Question, parts: Iterator[NDArray[Any]]) -> None:
    """Write a column for each name; each block is a row group."""
    parquet = needed("pyarrow.parquet", PARQUET)
    import pyarrow as pa

    kind = pa.from_numpy_dtype(np.dtype(question.dtype))
    schema = pa.schema([pa.field(name, kind, nullable=False) for name in question.names])
    with parquet.ParquetWriter(file, schema) as writer:
        for part in parts:
            table = part.reshape(len(part), len(question.names))
            columns = [pa.array(np.ascontiguousarray(column), kind) for column in table.T]
            writer.write_batch(pa.record_batch(columns, schema=schema))


# How answers are written into a file, by the end of its name.
WRITERS: dict[str, Callable[[BinaryIO, Question, Iterator[NDArray[Any]]], None]] = {
    ".npy": _write_npy,
    ".parquet": _write_parquet,
}
