"""Numbers from a file: CSV, NPY or Parquet.

Each format is a function that opens a file and returns the names of its columns, and a function
that reads some of them. Columns are chosen and values checked in the same way for all formats.
"""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["InputError", "Table", "read_table"]

DELIMITERS = ",;\t"
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "."}
SHOWN_NAMES = 12
VALUES_AT_ONCE = 1 << 20  # in the search for a missing value, which needs temporary arrays

Columns = Callable[[Sequence[int]], NDArray[Any]]


class InputError(Exception):
    """Something in the user's file or arguments is wrong; the message is one line."""


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of numbers and their names.

    Parameters
    ----------
    names : tuple of n_features str
        Name of each column.
    rows : ndarray of shape (n_samples, n_features)
        Finite numbers.
    sample_weight : ndarray of shape (n_samples,) or None
        How often each row was observed; None for once.
    """

    names: tuple[str, ...]
    rows: NDArray[Any]
    sample_weight: NDArray[Any] | None


def read_table(
    path: Path, columns: Sequence[str] | None = None, weight_column: str | None = None
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

    Returns
    -------
    Table
        The columns in the order of `columns`. Rows of an NPY file stay on disk, mapped into
        memory.

    Raises
    ------
    InputError
        If the file cannot be read as numbers, lacks a column or has a missing value.
    OSError
        If the file cannot be opened.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"{path}: expected a file ending in {', '.join(FORMATS)}; got {path.suffix or 'none'!r}"
        )
    with path.open("rb"):  # gives the clearest message for a file that is missing or is a folder
        pass
    try:
        return _choose(path, *FORMATS[path.suffix.lower()](path), columns, weight_column)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason})") from error


def _choose(
    path: Path,
    names: Sequence[str],
    read: Columns,
    columns: Sequence[str] | None,
    weight_column: str | None,
) -> Table:
    """Read and check the chosen columns."""
    weight = [] if weight_column is None else _positions(path, names, [weight_column])
    if columns is None:
        chosen = [c for c in range(len(names)) if c not in weight and not _is_index(c, names[c])]
    else:
        chosen = _positions(path, names, columns)
    if not names:
        raise InputError(f"{path}: the file has no columns")
    if not chosen:
        raise InputError(f"{path}: no column is left to fit; the columns are {_listed(names)}")
    positions = chosen + weight
    for c, times in Counter(positions).items():
        if times > 1:
            raise InputError(f"{path}: column {names[c]!r} is chosen twice; choose it once")
    values = read(positions)
    if len(values) == 0:
        raise InputError(f"{path}: the file has no rows of data")
    _refuse_non_finite(path, [names[c] for c in positions], values)
    return Table(
        names=tuple(names[c] or f"x{c + 1}" for c in chosen),
        rows=values[:, : len(chosen)],
        sample_weight=values[:, -1] if weight else None,
    )


def _is_index(position: int, name: str) -> bool:
    """Whether a column only numbers the rows, as those that pandas and R write."""
    return (position == 0 and name == "") or name == "__index_level_0__"


def _positions(path: Path, names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return positions of columns given by name, by number from 1, or several with commas."""
    positions = []
    for item in wanted:
        if names.count(item) > 1:
            raise InputError(f"{path}: {item!r} names several columns; choose one by its number")
        if item in names:
            positions.append(names.index(item))
        elif item.isdecimal() and 1 <= int(item) <= len(names):
            positions.append(int(item) - 1)
        elif "," in item:
            positions += _positions(path, names, [part.strip() for part in item.split(",") if part])
        else:
            raise InputError(f"{path}: no column {item!r}; the columns are {_listed(names)}")
    return positions


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES])
    return f"{shown} and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else shown


def _refuse_non_finite(path: Path, names: Sequence[str], values: NDArray[Any]) -> None:
    step = max(1, VALUES_AT_ONCE // len(names))
    for start in range(0, len(values), step):
        found = np.argwhere(~np.isfinite(values[start : start + step]))
        if len(found):
            row, column = found[0]
            value = values[start + row, column]
            what = "missing" if np.isnan(value) else f"{value}"
            raise InputError(
                f"{path}: row {start + row + 1} of the data, column {names[column]!r}: "
                f"the value is {what}; drop the row or fill it in"
            )


def _open_csv(path: Path) -> tuple[list[str], Columns]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        first_line = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=first_line.count)
    first = [
        cell.strip()
        for cell in next(csv.reader([first_line], delimiter=delimiter, skipinitialspace=True), [])
    ]
    if not first:
        raise InputError(f"{path}: the file is empty")
    has_names = not all(_is_number(cell) or _is_missing(cell) for cell in first)
    names = first if has_names else [f"x{c + 1}" for c in range(len(first))]

    def read(positions: Sequence[int]) -> NDArray[np.float64]:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
            try:
                if has_names:
                    next(row for row in rows if any(row))
                return _parse_rows(path, rows, names, positions)
            except csv.Error as error:
                raise InputError(f"{path}, line {rows.line_num}: {error}") from error

    return names, read


def _parse_rows(
    path: Path, rows: Any, names: Sequence[str], positions: Sequence[int]
) -> NDArray[np.float64]:
    """Convert the remaining lines of a csv.reader, without blank ones."""
    values = array("d")  # eight bytes for each value; a list of floats takes 32
    for row in rows:
        if not row:
            continue
        if len(row) != len(names):
            raise InputError(
                f"{path}, line {rows.line_num}: expected {len(names)} values, as in the first "
                f"line; got {len(row)}"
            )
        try:
            values.extend([float(row[c]) for c in positions])
        except ValueError as error:
            place = f"{path}, line {rows.line_num}"
            raise InputError(f"{place}, {_describe_bad_cell(names, row, positions)}") from error
    return np.frombuffer(values).reshape(-1, len(positions))


def _describe_bad_cell(names: Sequence[str], row: Sequence[str], positions: Sequence[int]) -> str:
    """Return which cell of a row is not a number, and what to do."""
    c = next(c for c in positions if not _is_number(row[c]))
    if _is_missing(row[c]):
        return f"column {names[c]!r}: the value is missing; drop the row or fill it in"
    numeric = [names[c] for c in positions if _is_number(row[c])]
    return f"column {names[c]!r}: {row[c]!r} is not a number{_advice(numeric)}"


def _advice(numeric: Sequence[str]) -> str:
    return f"; choose columns of numbers, such as --columns {','.join(numeric)}" * bool(numeric)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def _open_npy(path: Path) -> tuple[list[str], Columns]:
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
            f"{path}: expected an array with a row for each sample and a column for each feature; "
            f"got shape {values.shape}"
        )
    table = values[:, None] if values.ndim == 1 else values
    names = [f"x{c + 1}" for c in range(table.shape[1])]

    def read(positions: Sequence[int]) -> NDArray[Any]:
        return table if list(positions) == list(range(len(names))) else table[:, positions]

    return names, read


def _open_parquet(path: Path) -> tuple[list[str], Columns]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            f"{path}: reading Parquet needs pyarrow, which is not installed; "
            f"install it with: pip install pyarrow"
        ) from error
    try:
        file = parquet.ParquetFile(path)
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a Parquet file ({error})") from error

    names, kinds = file.schema_arrow.names, file.schema_arrow.types

    def is_numeric(c: int) -> bool:
        return bool(pa.types.is_integer(kinds[c]) or pa.types.is_floating(kinds[c]))

    def read(positions: Sequence[int]) -> NDArray[Any]:
        numeric = [names[c] for c in positions if is_numeric(c)]
        for c in positions:
            if not is_numeric(c):
                raise InputError(
                    f"{path}: column {names[c]!r} holds {kinds[c]}, not numbers{_advice(numeric)}"
                )
        # A missing value becomes NaN.
        columns = [file.read(columns=[names[c]]).column(0).to_numpy() for c in positions]
        return np.column_stack(columns)

    return names, read


FORMATS = {
    ".csv": _open_csv,
    ".tsv": _open_csv,
    ".txt": _open_csv,
    ".npy": _open_npy,
    ".parquet": _open_parquet,
}
