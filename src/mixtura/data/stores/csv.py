"""Rows in CSV files, whose first line names the columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.data.frames import Names, listed
from mixtura.data.stores.arrow import Batches, dtype_of_fields, pieces_of_stream, readable
from mixtura.data.stores.files import FileStore, StoredFile, needed
from mixtura.data.stores.store import Piece

__all__ = ["CsvFiles"]


REMEDY = (
    "Mend the line, write the file anew, choose other columns by columns=, or scan a function that "
    "calls pyarrow.csv.open_csv with other options."
)


class _CsvFile(StoredFile):
    """A CSV file, as its first lines describe it; all of its numbers are float64."""

    def __init__(self, path: str, separator: str) -> None:
        self.path, self._separator = path, separator
        reader = self._reader()
        self._schema = reader.schema
        reader.close()
        self.names: Names = tuple(self._schema.names)
        self.n_columns = len(self.names)
        self._refuse_other_formats()

    def dtype_of(self, columns: Sequence[int]) -> np.dtype[Any]:
        from pyarrow import types

        # Nothing is known of a column whose first values are all missing.
        known = [a for a in columns if not types.is_null(self._schema.field(a).type)]
        dtype_of_fields(self._schema, known, self.place)
        return np.dtype(np.float64)

    def pieces(self, columns: Sequence[int], size: int) -> Iterator[Piece]:
        names = tuple(self.names[a] for a in columns)
        reader = self._reader(names)
        try:
            batches = Batches(reader.schema, readable(reader, self.place, REMEDY, self._lines))
            yield from pieces_of_stream(batches, names, size, self.place)
        finally:
            reader.close()

    def _reader(self, names: Names | None = None) -> Any:
        csv = needed("pyarrow.csv", "CSV files")
        import pyarrow as pa

        convert = csv.ConvertOptions()
        if names is not None:
            # The first lines do not tell whether there are fractions below.
            convert.column_types = dict.fromkeys(names, pa.float64())
            convert.include_columns = sorted(set(names))
        try:
            return csv.open_csv(
                self.path,
                read_options=csv.ReadOptions(use_threads=False),
                parse_options=csv.ParseOptions(delimiter=self._separator),
                convert_options=convert,
            )
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{self.place} must hold {self._lines}; pyarrow cannot read it: "
                f"{str(error).rstrip('. ')}. {REMEDY}"
            ) from error

    def _refuse_other_formats(self) -> None:
        """Refuse a first line that is a row, and other separators.

        Raises
        ------
        ValueError
            With what to scan in place of the file.
        """
        names, expected = self.names, f"{self.place} must begin with a line of names"
        if all(map(_is_number, names)):
            raise ValueError(
                f"{expected}; got only numbers, {listed(names)}. Write names above them, or scan "
                f"lambda: pyarrow.csv.open_csv(path, "
                f"pyarrow.csv.ReadOptions(autogenerate_column_names=True))."
            )
        found = [mark for mark in ";\t |" if len(names) == 1 and mark in names[0]]
        if found:
            raise ValueError(
                f"{expected}, with {self._between} between them; got {names[0]!r}. Scan lambda: "
                f"pyarrow.csv.open_csv(path, "
                f"parse_options=pyarrow.csv.ParseOptions(delimiter={found[0]!r}))."
            )

    @property
    def _between(self) -> str:
        return "commas" if self._separator == "," else "tabs"

    @property
    def _lines(self) -> str:
        return f"lines of numbers, with {self._between} between them, below a line of names"


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


class CsvFiles(FileStore):
    """Rows in CSV files, one after the other."""

    suffixes = (".csv", ".csv.gz", ".tsv", ".tsv.gz")

    @classmethod
    def _files_of(cls, path: str) -> list[StoredFile]:
        separator = "\t" if ".tsv" in Path(path).suffixes else ","
        return [_CsvFile(path, separator)]
