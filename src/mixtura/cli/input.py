"""Numbers from a file: CSV and other text, NPY or Parquet.

Each format is a class that knows the names of a file's columns and reads some of them. Columns are
chosen and values checked in the same way for all formats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura.cli.messages import InputError, note
from mixtura.cli.text import OR, Header, TextFile, advice, is_count, not_utf8, numbered
from mixtura.data.finite import rows_not_finite
from mixtura.data.frames import listed, repetitions
from mixtura.data.missing import Missing

__all__ = ["InputError", "Table", "choose_columns", "open_file", "read_columns", "read_table"]


class ColumnFile(Protocol):
    """A file of columns.

    Attributes
    ----------
    path : Path
    names : list of str
        Of all columns, made up where there are none.
    has_names : bool
        Whether the file has names.
    """

    path: Path
    names: list[str]
    has_names: bool

    def row_names(self) -> list[int]:
        """Return the positions of columns that only number or name the rows."""

    def read(
        self, positions: Sequence[int], *, weighted: bool, missing: Missing = "raise"
    ) -> NDArray[Any]:
        """Return some columns, the last of them weights if so said."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of numbers and their names.

    Parameters
    ----------
    names : tuple of n_features str
        Name of each column.
    rows : ndarray of shape (n_samples, n_features)
        Finite numbers, where the weight is not zero; NaN where one is missing and may be.
    sample_weight : ndarray of shape (n_samples,) or None
        How often each row was observed; None for once.
    has_names : bool
        Whether the file has names; otherwise they are made up.
    """

    names: tuple[str, ...]
    rows: NDArray[Any]
    sample_weight: NDArray[Any] | None
    has_names: bool = True


def read_table(
    path: Path,
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    header: Header = "auto",
    missing: Missing = "raise",
) -> Table:
    """Read columns of numbers from a file.

    Parameters
    ----------
    path : Path
        A file ending in .csv, .tsv, .txt, .npy or .parquet.
    columns : sequence of str or None
        Names, or numbers counted from 1; None takes all but `weight_column`.
    weight_column : str or None
        Column of weights; None for a table without.
    header : {"auto", "yes", "no"}
        Whether the first line of a text file has the names of the columns.
    missing : {"raise", "em"}
        Whether missing values are refused, or become NaN.

    Returns
    -------
    Table
        The columns in the order of `columns`. Rows of an NPY file stay on disk, mapped into
        memory.

    Raises
    ------
    InputError
        If the file cannot be read, is no table of finite numbers, or lacks a column.
    OSError
        If the file cannot be opened.
    """
    file = open_file(path, header)
    weight = [] if weight_column is None else choose_columns(file, [weight_column])
    return read_columns(file, choose_columns(file, columns, weight), weight, missing)


def open_file(path: Path, header: Header = "auto") -> ColumnFile:
    """Open a file whose columns can then be chosen; see `read_table`."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"{path}: expected a file ending in {', '.join(FORMATS)}; got {path.suffix or 'none'!r}"
        )
    with path.open("rb"):  # gives the clearest message for a file that is missing or is a folder
        pass
    with _decoding(path):
        kind = FORMATS[path.suffix.lower()]
        return TextFile(path, header) if kind is TextFile else kind(path)


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise not_utf8(path, error.reason) from error


def read_columns(
    file: ColumnFile,
    chosen: Sequence[int],
    weight: Sequence[int] = (),
    missing: Missing = "raise",
) -> Table:
    """Read and check columns by their positions; `weight` has that of the weights, or none."""
    path, positions = file.path, [*chosen, *weight]
    for c, times in Counter(positions).items():
        if times > 1:
            raise InputError(f"{path}: column {file.names[c]!r} is chosen twice; choose it once")
    names = tuple(file.names[c] or f"x{c + 1}" for c in chosen)
    if repeated := repetitions(names):
        raise InputError(
            f"{path}: each column must have a name of its own; got {repeated}; rename these "
            f"columns, or choose others with --columns"
        )
    with _decoding(path):
        values = file.read(positions, weighted=bool(weight), missing=missing)
    if len(values) == 0:
        raise InputError(f"{path}: the file has no rows of data")
    rows, sample_weight = values[:, : len(chosen)], values[:, -1] if weight else None
    _refuse_non_finite(path, names, rows, sample_weight, missing)
    return Table(names, rows, sample_weight, file.has_names)


def choose_columns(
    file: ColumnFile, wanted: Sequence[str] | None, weight: Sequence[int] = ()
) -> list[int]:
    """Return positions of columns given by name, by number from 1, or several with commas.

    None takes all but the weights and the numbers or names of the rows that pandas and R write.
    """
    if not file.names:
        raise InputError(f"{file.path}: the file has no columns")
    if wanted is None:
        usable = [c for c in range(len(file.names)) if c not in weight]
        left_out = [c for c in file.row_names() if c in usable]
        chosen = [c for c in usable if c not in left_out]
        if file.names[0] == "" and chosen[:1] == [0]:
            note(
                f"{file.path}: column 1 without a name is used as x1; to leave it out, pass "
                f"--columns {numbered(chosen[1:])}"
            )
        for c in left_out:
            named = f"({file.names[c]})" if file.names[c] else "without a name"
            note(
                f"{file.path}: column {c + 1} {named} is taken for numbers or names of the rows, "
                f"and left out; to use it, pass --columns {numbered(usable)}"
            )
    else:
        chosen = _positions(file, wanted)
    if not chosen:
        raise InputError(
            f"{file.path}: no column is left to fit; the columns are {listed(file.names)}"
        )
    return chosen


def _positions(file: ColumnFile, wanted: Sequence[str]) -> list[int]:
    names, positions, lacking = file.names, list[int](), list[str]()
    for item in wanted:
        if names.count(item) > 1:
            raise InputError(
                f"{file.path}: {item!r} names several columns; choose one by its number. The names "
                f"of several columns are {repetitions(names)}"
            )
        if item in names:
            positions.append(names.index(item))
        elif item.isdecimal() and 1 <= int(item) <= len(names):
            positions.append(int(item) - 1)
        elif "," in item:
            parts = (part.strip() for part in item.split(","))
            positions += _positions(file, [part for part in parts if part])
        else:
            lacking.append(item)
    if lacking:
        spaced = next((name for name in names if " " in name), "")
        hint = f"; put names with spaces into quotes, such as --columns '{spaced}'" * bool(spaced)
        raise InputError(
            f"{file.path}: no column{'s' * (len(lacking) > 1)} {listed(lacking)}; the columns are "
            f"{listed(names)}{hint}"
        )
    return positions


def _refuse_non_finite(
    path: Path,
    names: Sequence[str],
    rows: NDArray[Any],
    weight: NDArray[Any] | None,
    missing: Missing,
) -> None:
    bad = rows_not_finite(rows, missing)
    if weight is not None:
        bad &= weight != 0.0
    if not bad.any():
        return
    row = int(np.argmax(bad))
    refused = np.isinf(rows[bad]) if missing == "em" else ~np.isfinite(rows[bad])
    found = [name for name, any_ in zip(names, refused.any(axis=0), strict=True) if any_]
    a = int(np.argmax(refused[0]))
    is_missing = np.isnan(rows[row, a])
    what = "missing" if is_missing else f"{rows[row, a]}"
    more = f" (columns {listed(found)} have such values)" * (len(found) > 1)
    remedy = f"drop the row, fill it in, {OR}" if is_missing else "drop the row or fill it in"
    raise InputError(
        f"{path}: row {row + 1} of the data, column {names[a]!r}: the value is {what}{more}; "
        f"{remedy}"
    )


class NpyFile:
    """An array that `numpy.save` has written, mapped into memory."""

    has_names = False

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise InputError(
                f"{path}: not an array of numbers written by numpy.save, or a damaged one"
            ) from error
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
            kind = getattr(values, "dtype", "several arrays")
            raise InputError(f"{path}: expected an array of real numbers; got {kind}")
        if values.ndim not in (1, 2):
            raise InputError(
                f"{path}: expected an array with a row for each sample and a column for each "
                f"feature; got shape {values.shape}"
            )
        self._table = values[:, None] if values.ndim == 1 else values
        self.names = [f"x{c + 1}" for c in range(self._table.shape[1])]

    def row_names(self) -> list[int]:
        return []

    def read(
        self,
        positions: Sequence[int],
        *,
        weighted: bool,  # noqa: ARG002
        missing: Missing = "raise",  # noqa: ARG002
    ) -> NDArray[Any]:
        every = list(positions) == list(range(len(self.names)))
        return self._table if every else self._table[:, positions]


class ParquetFile:
    """A file of columns, each with a type."""

    has_names = True

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:
            raise InputError(
                f"{path}: reading Parquet needs pyarrow, which is not installed; "
                f"install it with: pip install pyarrow"
            ) from error
        try:
            self._file = parquet.ParquetFile(path)
        except pa.ArrowException as error:
            raise InputError(f"{path}: not a Parquet file ({error})") from error
        schema = self._file.schema_arrow
        self.names, self._kinds = list(schema.names), list(schema.types)
        self._is_numeric = [
            bool(pa.types.is_integer(kind) or pa.types.is_floating(kind)) for kind in self._kinds
        ]

    def row_names(self) -> list[int]:
        found = [c for c, name in enumerate(self.names) if name == "__index_level_0__"]
        if self.names[:1] == [""] and is_count(self._column(0).to_pylist()):
            found.insert(0, 0)
        return found

    def read(
        self,
        positions: Sequence[int],
        *,
        weighted: bool,  # noqa: ARG002
        missing: Missing = "raise",  # noqa: ARG002
    ) -> NDArray[Any]:
        bad = [
            f"{self.names[c]!r} holds {self._kinds[c]}"
            for c in positions
            if not self._is_numeric[c]
        ]
        if bad:
            numeric = [self.names[c] for c in positions if self._is_numeric[c]]
            raise InputError(
                f"{self.path}: column{'s' * (len(bad) > 1)} {', '.join(bad)}, not numbers"
                f"{advice(numeric)}"
            )
        # A missing value becomes NaN.
        return np.column_stack([self._column(c).to_numpy() for c in positions])

    def _column(self, position: int) -> Any:
        """Read one column, the right one of several with the same name."""
        name = self.names[position]
        table = self._file.read(columns=[name])
        same = [c for c, each in enumerate(table.column_names) if each == name]
        return table.column(same[self.names[:position].count(name)])


FORMATS: dict[str, Any] = {
    ".csv": TextFile,
    ".tsv": TextFile,
    ".txt": TextFile,
    ".npy": NpyFile,
    ".parquet": ParquetFile,
}
