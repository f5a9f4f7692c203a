"""Numbers from lines of text: which character separates them, whether names stand above, and which.

Commas, semicolons, tabs and runs of spaces are tried on the first lines. The separator that gives
most lines the same number of values, and most values that are numbers, is the file's. Decimal
commas are read where they cannot be anything else. See `names_above` for the line of names.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.cli.messages import InputError, note
from mixtura.data.frames import listed
from mixtura.data.missing import Missing
from mixtura.mixture.table import counted

__all__ = ["OR", "Header", "TextFile", "advice", "is_count", "not_utf8", "numbered"]

Header = Literal["auto", "yes", "no"]
Row = list[str]

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", " ": "spaces"}
LINES_LOOKED_AT = 1000
OR = "or pass --missing em"
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "."}
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
OF_NO_NUMBER = re.compile(r"[^0-9eE+.\s-]")  # float() reads 0_1, nan, inf and digits of all scripts
WITH_COMMA = re.compile(r"\s*[+-]?\d*,\d+(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
CUT_IN_TWO = re.compile(r"\s*([+-]0,.*|[^,]*,0\d.*|.*e.*)", re.ASCII | re.IGNORECASE)
PERHAPS_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*", re.ASCII)
DECIMALS = "; if commas stand for decimal points or thousands, write 1234.5"
COMMENT = "; the first line begins with #: if it is a comment and not names, remove it"
TITLE = "; if lines above the names or the data are a title or a note, remove them"
SHOWN = 60  # characters of a line in a message


class TextFile:
    """A text file whose columns are known and not yet read.

    Parameters
    ----------
    path : Path
    header : {"auto", "yes", "no"}
        Whether the first line has the names of the columns. With "auto" the file tells, and a note
        on the error stream says what was found.

    Attributes
    ----------
    names : list of str
        Of all columns; "x1", "x2" and so on where there are none.
    has_names : bool

    Raises
    ------
    InputError
        For an empty file, one that cannot be split into columns, and with "auto" one in which the
        first line may be names or data.
    """

    def __init__(self, path: Path, header: Header = "auto") -> None:
        self.path = path
        with path.open(encoding="utf-8-sig", newline="") as lines:
            sample = list(islice(lines, LINES_LOOKED_AT + 1))
        if any("\0" in line for line in sample):
            raise not_utf8(path, "zero bytes, as in UTF-16")
        self._hint = COMMENT if sample and sample[0].startswith("#") else ""
        if sample:  # NumPy's savetxt writes this above names
            sample[0] = sample[0].removeprefix("# ")
        layout = _layout(path, sample)
        self._layout, first = layout, layout.rows[0]
        self.has_names = header == "yes"
        if header == "auto":
            self.has_names = self._found_names()
        self.names = [f"x{c + 1}" for c in range(layout.width)]
        if not self.has_names and layout.separator == "," and _are_perhaps_decimals(layout.rows):
            raise InputError(
                f"{path}: {counted(layout.width // 2, 'column')} of decimal commas or "
                f"{layout.width} columns of integers; write 1.5 for 1,5, or give "
                f"the columns names and pass --header yes"
            )
        if self.has_names:
            # R numbers the rows of a file with spaces, and gives these numbers no name.
            short = layout.separator == " " and len(first) == layout.width - 1
            self.names = [""] * short + [cell.strip() for cell in first]
            if len(self.names) == layout.width - 1 and self._is_empty(layout.width - 1):
                raise InputError(
                    f"{path}: the first line has {len(first)} names, and the lines below have as "
                    f"many values and end with one of the {SEPARATORS[layout.separator]} between "
                    f"them; remove it, or add one to the first line and pass --columns "
                    f"{numbered(range(len(first)))}"
                )
            if len(self.names) != layout.width:
                raise InputError(
                    f"{path}: expected {layout.width} names in the first line, as most lines have "
                    f"so many values; got {len(first)} between {SEPARATORS[layout.separator]}"
                    f"{self._hint or DECIMALS * (layout.separator == ',') + TITLE}"
                )

    def _found_names(self) -> bool:
        first = self._layout.rows[0]
        line = ", ".join(cell.strip() for cell in first)
        line = line if len(line) <= SHOWN else f"{line[:SHOWN]}..."
        found = names_above(self._layout.rows, self._layout.width, self._layout.decimal)
        if found is None:
            raise InputError(
                f"{self.path}: the first line ({line}) may be names of columns or data; "
                f"pass --header yes or --header no{self._hint}"
            )
        if found:
            note(f"{self.path}: the first line is taken for names of columns ({line})")
        else:
            note(
                f"{self.path}: no names of columns; the first line ({line}) is taken for data. "
                f"If it has names, pass --header yes"
            )
        return found

    def row_names(self) -> list[int]:
        """Return the first position where a column without a name numbers or names the rows."""
        if self.names[0] != "":
            return []
        width, decimal = self._layout.width, self._layout.decimal
        cells = [row[0] for row in self._layout.rows[1:] if len(row) == width]
        # Empty cells are neither: they end up as missing values.
        all_text = not any(_missing(cell) or _is_number(cell, decimal) for cell in cells)
        return [0] * (all_text or is_count(cells))

    def read(
        self, positions: Sequence[int], *, weighted: bool, missing: Missing = "raise"
    ) -> NDArray[np.float64]:
        """Return some columns, the last of them weights if so said.

        Where the weight is zero, missing values become NaN. Elsewhere they are refused, unless
        `missing` is "em".
        """
        with self.path.open(encoding="utf-8-sig", newline="") as lines:
            rows = _reader(lines, self._layout.separator)
            try:
                if self.has_names:
                    next(row for row in rows if not _is_blank(row, self._layout.width))
                return self._parse(rows, positions, weighted, missing)
            except csv.Error as error:
                raise InputError(
                    f"{self.path}, line {rows.line_num}: {error}; is a quotation mark missing?"
                ) from error

    def _parse(
        self, rows: Any, positions: Sequence[int], weighted: bool, missing: Missing
    ) -> NDArray[np.float64]:
        """Convert the remaining lines of a csv.reader, without blank ones."""
        values = array("d")  # eight bytes for each value; a list of floats takes 32
        separator, width, decimal = self._layout.separator, self._layout.width, self._layout.decimal
        blank, between = 0, list[int]()
        for row in rows:
            if _is_blank(row, width):
                blank = blank or rows.line_num
                continue
            if blank:
                between.append(blank)
                blank = 0
            if len(row) != width:
                hint = DECIMALS if separator == "," and len(row) > width else ""
                raise InputError(
                    f"{self.path}, line {rows.line_num}: expected {width} values, as in most "
                    f"lines; got {len(row)} between {SEPARATORS[separator]}{self._hint or hint}"
                )
            cells = [row[c] for c in positions]
            try:
                values.extend(_numbers(cells, decimal))
            except ValueError as error:
                absent = weighted and _is_number(cells[-1], decimal) and _is_zero(cells[-1])
                taken = missing == "em" and not (weighted and _missing(cells[-1]))
                if not (absent or taken) or any(self._is_bad(cell) for cell in cells):
                    raise self._refusal(rows.line_num, row, positions, weighted, missing) from error
                cells = ["0" if _missing(cell) else cell for cell in cells]
                holes = [_missing(row[c]) for c in positions]
                values.extend(np.where(holes, np.nan, _numbers(cells, decimal)))
        if between and width == 1 and missing == "em":
            note(
                f"{self.path}: blank lines, as line {between[0]}, are no rows; in a file of one "
                f'column, write NA or "" for a missing value'
            )
        return np.frombuffer(values).reshape(-1, len(positions))

    def _is_bad(self, cell: str) -> bool:
        return not (_missing(cell) or _is_number(cell, self._layout.decimal))

    def _advice(self, row: Row, positions: Sequence[int], weighted: bool, missing: Missing) -> str:
        """Return which columns to choose: those with numbers, and nothing else, in first lines."""
        width, decimal = self._layout.width, self._layout.decimal
        rows = [row, *(row for row in self._layout.rows[self.has_names :] if len(row) == width)]
        good, holed = list[str](), list[str]()
        for c in positions[: len(positions) - weighted]:
            given = [each[c] for each in rows if not _missing(each[c])]
            if given and all(_is_number(cell, decimal) for cell in given):
                good.append(self.names[c] or f"x{c + 1}")
                if len(given) < len(rows):
                    holed.append(good[-1])
        if not holed or missing == "em":
            return advice(good)
        of = f"column{'s' * (len(holed) > 1)} {listed(holed)}"
        return f"{advice(good)}; values of {of} are missing: fill them in, {OR}"

    def _refusal(
        self, line: int, row: Row, positions: Sequence[int], weighted: bool, missing: Missing
    ) -> InputError:
        """Return which cells of a row are not numbers, and what to do."""
        place = f"{self.path}, line {line}"
        if not self._hint and self._looks_like_names(row):
            remedy = "remove the lines above it" if self.has_names else "pass --header yes"
            return InputError(f"{place}: this line looks like names of columns; {remedy}")
        named = [(self.names[c] or f"x{c + 1}", row[c]) for c in positions]
        bad = [(name, cell) for name, cell in named if self._is_bad(cell)]
        if not bad:
            empty = [name for name, cell in named if _missing(cell)]
            if len(empty) == 1:
                what = f"column {empty[0]!r}: the value is missing; drop the row, fill it in, {OR}"
            else:
                what = f"columns {listed(empty)}: values are missing; drop or fill in the row, {OR}"
            return InputError(f"{place}, {what}{self._hint_of_empty(positions, weighted)}")
        name, cell = bad[0]
        if cell.strip().lower().lstrip("+-") in ("inf", "infinity"):
            what = f"{cell!r} is not finite; drop the row or fill it in"
        else:
            others = [name for name, _ in bad]
            more = f"; columns {listed(others)} hold none" * (len(bad) > 1)
            hint = DECIMALS if "," in cell else self._advice(row, positions, weighted, missing)
            what = f"{cell!r} is not a number{more}{hint}"
        return InputError(f"{place}, column {name!r}: {what}{self._hint}")

    def _looks_like_names(self, row: Row) -> bool:
        """Whether a row is the first that is taken for data, and names of columns of numbers."""
        first, *below = self._layout.rows[self.has_names :]
        layout = self._layout
        return (
            row == first
            and any(_is_number(cell, layout.decimal) for other in below for cell in other)
            and bool(names_above([first, *below], layout.width, layout.decimal))
        )

    def _hint_of_empty(self, positions: Sequence[int], weighted: bool) -> str:
        """Return what to choose where some columns have no values at all, by a comma too many."""
        width = self._layout.width
        empty = [c for c in positions if self._is_empty(c)]
        others = [c for c in positions[: len(positions) - weighted] if c not in empty]
        if not empty or not others:
            return ""
        return (
            f"; column{'s' * (len(empty) > 1)} {numbered(empty)} of {width} "
            f"{'have' if len(empty) > 1 else 'has'} no values: do lines end with a separator? "
            f"Choose the others with --columns {numbered(others)}"
        )

    def _is_empty(self, position: int) -> bool:
        """Whether a column has no values in the first lines of data."""
        below = self._layout.rows[self.has_names :]
        return not any(row[position].strip() for row in below if len(row) == self._layout.width)


def numbered(positions: Sequence[int]) -> str:
    """Return positions as --columns takes them, counted from 1."""
    return ",".join(str(c + 1) for c in positions)


def is_count(values: Sequence[Any]) -> bool:
    """Whether values count 0, 1, 2, ... or 1, 2, 3, ..."""
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError):
        return False
    return any(found == [float(i + start) for i in range(len(found))] for start in (0, 1))


def not_utf8(path: Path, reason: str) -> InputError:
    """Return the error for a text file in another encoding, with how to convert it."""
    with path.open("rb") as file:
        start = file.read(4)
    is_wide = start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start
    encoding = "UTF-16" if is_wide else "ISO-8859-1"
    return InputError(
        f"{path}: not a text file in UTF-8 ({reason}); save it as UTF-8, or convert it, for "
        f"example with: iconv -f {encoding} -t UTF-8 {path.name} > utf8.csv"
    )


def advice(numeric: Sequence[str]) -> str:
    """Return what to choose instead of columns that are not numbers."""
    chosen = ",".join(numeric)
    chosen = f"'{chosen}'" if " " in chosen else chosen
    return f"; choose columns of numbers, such as --columns {chosen}" * bool(numeric)


def names_above(rows: Sequence[Row], width: int, decimal: str = ".") -> bool | None:
    """Whether the first of some rows has names of columns; None where it may have or not.

    A row of numbers only is data. Otherwise look at the columns that hold numbers below: with text
    above all of them, or if there are none, the row has names. With a number above one of them it
    may be names or data, and so it may be where its first cell is blank, as above pandas' index.
    """
    first, below = rows[0], [row for row in rows[1:] if len(row) == width]
    is_text = [not (_missing(cell) or _is_number(cell, decimal)) for cell in first]
    if not any(is_text):
        return None if below and first[0] == "" and len(first) > 1 else False
    if len(first) != width:
        return True
    numeric = [c for c in range(width) if _holds_numbers([row[c] for row in below], decimal)]
    above = [is_text[c] for c in numeric if first[c] != ""]
    return True if not numeric or (above and all(above)) else None


def _holds_numbers(cells: Sequence[str], decimal: str) -> bool:
    """Whether most cells that are not missing are numbers."""
    given = [cell for cell in cells if not _missing(cell)]
    return 2 * sum(_is_number(cell, decimal) for cell in given) > len(given)


@dataclass(frozen=True)
class _Layout:
    """How a file is split: the separator, values in most rows, decimal mark, and its first rows."""

    separator: str
    width: int
    decimal: str
    rows: list[Row]


def _layout(path: Path, sample: list[str]) -> _Layout:
    """Find how a file is split, by its first lines."""
    complaint = ""
    best: tuple[float, _Layout] | None = None
    for separator in SEPARATORS:
        reader = _reader(sample, separator)
        try:
            rows = [row for row in reader if row]
        except csv.Error as error:
            complaint = f"line {reader.line_num}: {error}"
            continue
        if len(rows) > 1 and len(sample) > LINES_LOOKED_AT:
            rows.pop()  # it may continue in later lines
        lengths = [len(row) for row in rows if len(row) > 1 or any(row)]
        if not lengths:
            raise InputError(f"{path}: the file is empty")
        width = Counter(lengths).most_common(1)[0][0]
        rows = [row for row in rows if not _is_blank(row, width)]
        decimal = _decimal_mark(cell for row in rows for cell in row)
        of_width = [row for row in rows[len(rows) > 1 :] if len(row) == width]
        cells = [cell for row in of_width for cell in row]
        good = sum(
            _missing(cell) or _is_number(cell, ".") or _is_number(cell, ",") for cell in cells
        )
        agreeing = sum(len(row) == width for row in rows) / len(rows)
        score = (width > 1) * agreeing * (1 + good / max(1, len(cells)))
        if best is None or score > best[0]:
            best = score, _Layout(separator, width, decimal, rows)
    if best is None:
        raise InputError(f"{path}, {complaint}; is a quotation mark missing?")
    return best[1]


def _are_perhaps_decimals(rows: Sequence[Row]) -> bool:
    """Whether pairs of integers look like numbers cut in two: -0,5 or 1,05 or 2,5e-3."""
    if any(len(row) % 2 for row in rows):
        return False
    pairs = [",".join(row[c : c + 2]) for row in rows for c in range(0, len(row), 2)]
    return all(WITH_COMMA.fullmatch(pair) for pair in pairs) and any(
        CUT_IN_TWO.fullmatch(pair) for pair in pairs
    )


def _decimal_mark(cells: Iterable[str]) -> str:
    """A comma where numbers have one that is no separator of thousands, and none has a point."""
    seen = False
    for cell in cells:
        if "." in cell and NUMBER.fullmatch(cell):
            return "."
        seen = seen or bool(
            "," in cell and WITH_COMMA.fullmatch(cell) and not PERHAPS_THOUSANDS.fullmatch(cell)
        )
    return "," if seen else "."


def _reader(lines: Iterable[str], separator: str) -> Any:
    if separator == " ":  # tabs too, and none at the ends
        lines = (line.replace("\t", " ").strip() for line in lines)
    else:  # a line of spaces is blank
        lines = (line if line.strip(" \r\n") else "" for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def _numbers(cells: Sequence[str], decimal: str) -> list[float]:
    """Return the cells as numbers; ValueError if one is none."""
    if decimal == ",":
        if any("." in cell for cell in cells):
            raise ValueError("a decimal point among decimal commas")
        cells = [cell.replace(",", ".") for cell in cells]
    if OF_NO_NUMBER.search("".join(cells)):
        raise ValueError("a character that no number has")
    return list(map(float, cells))


def _is_number(cell: str, decimal: str) -> bool:
    try:
        _numbers([cell], decimal)
    except ValueError:
        return False
    return True


def _missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def _is_zero(cell: str) -> bool:
    """Whether a number is zero."""
    return not any(digit in cell.lower().partition("e")[0] for digit in "123456789")


def _is_blank(row: Row, width: int) -> bool:
    """Whether a line is no row; in a file of one column, "" is a row with an empty cell."""
    return not row or (row == [""] and width > 1)
