"""Rows of a Spark DataFrame: packed once into cells of bytes, and looked at by Spark's workers.

A cell is a block. It holds consecutive rows of one partition, some 50,000. The packed rows are
cached by Spark, in memory and on disk; a pass moves bytes, and returns the sums of the tree that
lie within each partition (`mixtura.trees`). So results depend on the partitions of the DataFrame,
and not on how many executors or cores work on them; they are those of the same blocks in memory, to
the bit.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixtura.cached import cached_property
from mixtura.data.block import Block
from mixtura.data.elsewhere import RowsElsewhere
from mixtura.data.far.spark_cells import (
    CELLS,
    RESULTS,
    Answer,
    Cell,
    Look,
    Looker,
    Packer,
    decoded,
    rows_changed,
    versions,
)
from mixtura.data.far.spark_frames import Frame, collected, is_spark_frame, sent
from mixtura.data.frames import Names
from mixtura.data.looks import Counted
from mixtura.data.missing import Accepted
from mixtura.data.question import Question
from mixtura.data.row_checks import check_weight_sum
from mixtura.data.source import Mask, RowSource
from mixtura.data.stored import Layout, check_weight_column, layout_of
from mixtura.shapes import Floats
from mixtura.trees import joined

__all__ = ["SparkRows"]

CELL_ROWS = 50_000
Column = str | int
Result = TypeVar("Result")


class SparkRows(RowsElsewhere):
    """Rows of a Spark DataFrame.

    Nothing is read before it is needed. Then the rows are packed, once. The packed rows are cached
    until `close`, or until nothing refers to these rows any more; a with statement closes them.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
        Of a classic session or of Spark Connect.
    columns : sequence of str or int, optional
    weight : str or int, optional
    block_size : int, optional
        Rows of a cell; None for 50,000.
    """

    is_far = True
    knows_starts = True
    name = Frame.name

    def __init__(
        self,
        frame: Any,
        columns: Sequence[Column] | None = None,
        weight: Column | None = None,
        block_size: int | None = None,
    ) -> None:
        self._frame = Frame(frame)
        self._columns, self._weight = columns, weight
        self.is_weighted = weight is not None
        self._missing: Accepted | None = None
        self._cache = _Cache(self._frame, CELL_ROWS if block_size is None else block_size)

    @classmethod
    def opened(cls, X: Any) -> SparkRows | None:
        return cls(X) if is_spark_frame(X) else None

    @classmethod
    def scanned(
        cls, source: Any, columns: Any, weight: Any, block_size: int | None
    ) -> SparkRows | None:
        if not is_spark_frame(source):
            return None
        check_weight_column(weight)
        return cls(source, columns, weight, block_size)

    # ---- what is known without reading ----

    @cached_property
    def _layout(self) -> Layout:
        layout = layout_of(self._frame, self._columns, self._weight)
        self._frame.check_numbers(layout.read)
        return layout

    @property
    def n_features(self) -> int:  # type: ignore[override]
        return len(self._layout.columns)

    @property
    def feature_names(self) -> Names | None:  # type: ignore[override]
        return self._layout.names

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        single = self._frame.is_float(self._layout.columns)
        return np.dtype(np.float32 if single else np.float64)

    @property
    def n_known(self) -> int | None:
        return None  # questions to a model read nothing

    def __repr__(self) -> str:
        n = self.n_samples if self._cache.is_filled else "?"
        return f"<{type(self).__name__}: {n} x {self.n_features} of {self.dtype}>"

    def checked(self, missing: Accepted | None = None) -> SparkRows:
        """Return the same rows; values are checked whenever they are looked at."""
        rows = copy.copy(self)
        rows._missing = missing
        if missing == "any" or (missing == "em" and rows.n_missing):
            rows.form = "incomplete"  # "any" is for questions, which read nothing before answers
        return rows

    # ---- the packed rows ----

    def close(self) -> None:
        """Let Spark forget the packed rows. They are packed again when they are needed."""
        self._cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _cells(self) -> _Cells:
        self._frame.refuse_end_of_session()
        return self._cache.cells(self._layout, self.dtype)

    @property
    def n_samples(self) -> int:  # type: ignore[override]
        return int(self._cells.first_row[-1])

    @cached_property
    def counted(self) -> list[Counted]:
        counted = super().counted
        if self.is_weighted:
            check_weight_sum(np.array([each.weight_sum for each in counted]), name="weight")
        return counted

    @property
    def _looker(self) -> Looker:
        layout = self._layout
        n_features, dtype = len(layout.columns), self.dtype.str
        return Looker(n_features, dtype, layout.names, self._missing)

    @property
    def _nothing(self) -> Block:
        """A block without rows: all there is where no partition has any."""
        weight = np.empty(0) if self.is_weighted else None
        return Block(np.empty((0, self.n_features), self.dtype), weight)

    def blocks(self) -> Iterator[Block]:
        cells, looker, row = self._cells, self._looker, 0
        if not cells.n_cells:
            yield self._nothing
        for *known, X, weight in cells.frame.toLocalIterator():
            cell = Cell(*known)
            row = 0 if cell.cell == 0 else row
            start = int(cells.first_row[cell.partition]) + row
            yield looker.block(cell, X, weight, start=start, row=row)
            row += cell.n_rows

    def map(self, look: Callable[[Block], Result]) -> Iterator[Result]:
        if not self._cells.n_cells:
            yield look(self._nothing)
        for _, results in self._results(look, added=False):
            yield from results

    def total(self, look: Callable[[Block], Result]) -> Result:
        if not self._cells.n_cells:
            return look(self._nothing)
        sums: Iterator[tuple[int, Result]] = self._results(look, added=True)
        return joined(sums)

    def _results(self, look: Callable[[Block], Any], *, added: bool) -> Iterator[tuple[int, Any]]:
        """Look at all cells; yield how many parts each result stands for, and the result."""
        cells = self._cells
        task = Look(look, self._looker, added, cells.first_cell, cells.first_row, cells.weight_sum)
        rows = collected(cells.frame.mapInArrow(sent(task), RESULTS))
        rows.sort(key=lambda row: row.partition)  # those of a partition stay in order
        for row in rows:
            yield int(row.n_parts), decoded(row.kind, bytes(row.result))
        n_parts = sum(row.n_parts for row in rows)
        if n_parts != cells.n_cells:
            raise rows_changed(f"there were {cells.n_cells} cells of rows, and now {n_parts}")

    # ---- answers ----

    def answers(self, question: Question) -> Any:
        """Return the user's DataFrame with one column more; Spark computes it when it is needed."""
        from pyspark.sql.types import ArrayType, DoubleType, LongType, StructField, StructType

        frame, layout = self._frame.frame, self._layout
        if question.name in frame.columns:
            raise ValueError(
                f"{self.name} must not have a column {question.name!r}, which is to be added. "
                f"Rename it, or drop it."
            )
        kind = LongType() if np.dtype(question.dtype).kind == "i" else DoubleType()
        field = StructField(question.name, ArrayType(kind) if question.columns else kind)
        chosen = frame.selectExpr("*", *self._frame.cast(layout.columns, "mixtura "))
        answer = Answer(question.look, self._looker, question.name)
        return chosen.mapInArrow(sent(answer), StructType([*frame.schema.fields, field]))

    # ---- the same rows in another way ----

    def with_weights(self, sample_weight: Any) -> RowSource:  # noqa: ARG002
        return self._refused(
            "sample_weight", "Pass mixtura.scan(frame, columns=[...], weight=name) as the rows."
        )

    def refuse_array(self, name: str, remedy: str) -> None:
        self._refused(name, remedy)

    def plain(self) -> SparkRows:
        rows = copy.copy(self)
        rows.form = "whole"
        return rows

    def subset(self, mask: Mask) -> RowSource:  # noqa: ARG002
        return self._refused("a mask", "Filter the Spark DataFrame.")

    def reweighted(self, weight: Floats) -> RowSource:  # noqa: ARG002
        return self._refused("weights", "Make them a column of the Spark DataFrame.")

    def _extended(self, form: str, extras: Mapping[str, NDArray[Any]]) -> RowSource:  # noqa: ARG002
        return self._refused(", ".join(extras), "Fit rows in memory.")

    def _refused(self, name: str, remedy: str) -> NoReturn:
        raise TypeError(
            f"{name} must not be an array of all rows, where these are a Spark DataFrame; got one. "
            f"{remedy}"
        )


class _Cells:
    """Packed rows, and what is known of them.

    Attributes
    ----------
    frame : pyspark.sql.DataFrame
        With the columns `CELLS`.
    first_cell, first_row : ndarray of shape (n_partitions + 1,), int
        How many cells and rows there are before each partition.
    weight_sum : ndarray of shape (n_partitions,)
    """

    def __init__(self, frame: Any) -> None:
        self.frame = frame
        known = [Cell(*row) for row in collected(frame.select(*Cell._fields))]
        known.sort(key=lambda cell: (cell.partition, cell.cell))
        for cell in known:
            if cell.made_by != versions():
                raise RuntimeError(
                    f"Spark's workers must have what the driver has, {versions()}; got "
                    f"{cell.made_by}. Install the same versions for all of them. PYSPARK_PYTHON "
                    f"says which Python that is when the session starts."
                )
        n = max((cell.partition for cell in known), default=-1) + 1
        n_cells, n_rows = np.zeros((2, n), dtype=np.intp)
        self.weight_sum = np.zeros(n)
        for cell in known:
            n_cells[cell.partition] += 1
            n_rows[cell.partition] += cell.n_rows
            self.weight_sum[cell.partition] += cell.weight_sum
        self.first_cell, self.first_row = (
            np.concatenate([[0], np.cumsum(each)]) for each in (n_cells, n_rows)
        )

    @property
    def n_cells(self) -> int:
        return int(self.first_cell[-1])


class _Cache:
    """The packed rows of a DataFrame, made when they are asked for and kept by Spark."""

    def __init__(self, frame: Frame, cell_rows: int) -> None:
        self._frame, self._cell_rows = frame, cell_rows
        self._cells: _Cells | None = None
        self._end: Any = None

    @property
    def is_filled(self) -> bool:
        return self._cells is not None

    def cells(self, layout: Layout, dtype: np.dtype[Any]) -> _Cells:
        if self._cells is None:
            packer = Packer(len(layout.columns), dtype.str, self._cell_rows)
            numbers = self._frame.frame.selectExpr(*self._frame.cast(layout.read, "_"))
            packed = numbers.mapInArrow(sent(packer), CELLS).persist()
            self._end = weakref.finalize(self, _forget, packed)
            self._end.atexit = False  # Spark itself ends then
            try:
                self._cells = _Cells(packed)
            except BaseException:
                self._end()  # the error may keep these rows for long
                raise
        return self._cells

    def close(self) -> None:
        if self._end is not None:
            self._end()
        self._cells = None


def _forget(frame: Any) -> None:
    """Let Spark forget cached rows, if it still runs."""
    with suppress(Exception):
        frame.unpersist()
