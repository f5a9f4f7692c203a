"""What Spark's workers do with rows: put them into cells, look at cells, answer for each row.

A cell is a row of a Spark DataFrame that holds many rows as bytes: reading it costs a copy, where
rows of numbers would be converted one column at a time. Each task here is a function from record
batches to record batches, for `DataFrame.mapInArrow`; it is pickled, with what it holds, and sent
to the workers.
"""

from __future__ import annotations

import pickle
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura._build_config import VERSION
from mixtura.data.block import Block
from mixtura.data.finite import finite_rows
from mixtura.data.frames import Names
from mixtura.data.missing import Accepted
from mixtura.data.row_checks import check_weight_values
from mixtura.data.values import all_finite
from mixtura.exceptions import RowsChangedError
from mixtura.limits import limited_threads
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.trees import subtotals

__all__ = [
    "CELLS",
    "RESULTS",
    "Answer",
    "Cell",
    "Look",
    "Looker",
    "Packer",
    "decoded",
    "rows_changed",
    "versions",
]

CELLS = (
    "partition long, cell long, n_rows long, weight_sum double, usable boolean, made_by string, "
    "X binary, weight binary"
)
RESULTS = "partition long, n_parts long, kind long, result binary"
PICKLED, STATISTICS, ERROR = range(3)  # kinds of results
OURS = (ValueError, TypeError, RowsChangedError)  # errors that trying again would not mend


def versions() -> str:
    """Return what must be the same in all processes, as a message shows it."""
    python = ".".join(platform.python_version_tuple()[:2])
    return f"mixtura {VERSION}, Python {python}"


class Cell(NamedTuple):
    """What is known of a cell without its rows.

    Attributes
    ----------
    partition : int
    cell : int
        Its number in the partition.
    n_rows : int
    weight_sum : float
    usable : bool
        Whether all of it is finite, and no weight negative: then nothing needs to be checked.
    made_by : str
        See `versions`.
    """

    partition: int
    cell: int
    n_rows: int
    weight_sum: float
    usable: bool
    made_by: str


_Contents = tuple[Cell, Any, Any]  # and the bytes of its rows and weights


# ---- packing ----


@dataclass(frozen=True, eq=False)
class Packer:
    """Puts the rows of a partition into cells.

    Attributes
    ----------
    n_features : int
    dtype : str
        Of the cells.
    cell_rows : int
        Rows of a cell; the last one of a partition may have fewer.
    """

    n_features: int
    dtype: str
    cell_rows: int

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield the cells; columns of a batch are the features, then the weights, if any."""
        import pyarrow as pa

        partition = _partition()
        waiting: list[NDArray[Any]] = []
        cell = n_waiting = 0
        for batch in batches:
            table = _numbers(batch.columns, batch.num_rows)
            while n_waiting + table.shape[1] >= self.cell_rows:
                cut = self.cell_rows - n_waiting
                yield self._packed(pa, [*waiting, table[:, :cut]], partition, cell)
                table, waiting, n_waiting = table[:, cut:], [], 0
                cell += 1
            waiting.append(table)
            n_waiting += table.shape[1]
        if n_waiting:
            yield self._packed(pa, waiting, partition, cell)

    def _packed(self, pa: Any, parts: list[NDArray[Any]], partition: int, cell: int) -> Any:
        table = np.concatenate(parts, axis=1)
        X, weight = table[: self.n_features].T.astype(self.dtype, order="C"), None
        n = len(X)
        usable, weight_sum = all_finite(X), float(n)
        if len(table) > self.n_features:
            weight = table[-1]
            usable = usable and bool((weight >= 0.0).all()) and all_finite(weight)
            weight_sum = float(weight.sum())
        values = [
            partition, cell, n, weight_sum, usable, versions(),
            X.tobytes(), None if weight is None else weight.tobytes(),
        ]  # fmt: skip
        types = [pa.int64()] * 3 + [pa.float64(), pa.bool_(), pa.string()]
        return _record(pa, CELLS, values, [*types, pa.binary(), pa.binary()])


def _numbers(columns: Sequence[Any], n_rows: int) -> NDArray[Any]:
    """Columns of a record batch as float64, NaN where nothing is, shape (n_columns, n_rows)."""
    table = np.empty((len(columns), n_rows))
    for a, column in enumerate(columns):
        table[a] = column.to_numpy(zero_copy_only=False)
    return table


# ---- looking ----


@dataclass(frozen=True, eq=False)
class Looker:
    """Makes blocks of cells, with the checks that are due.

    Attributes
    ----------
    n_features : int
    dtype : str
    names : tuple of str or None
        Of the features.
    missing : {"raise", "em", "any", "noisy"} or None
        See `mixtura.data.open_rows`.
    """

    n_features: int
    dtype: str
    names: Names | None
    missing: Accepted | None

    def block(self, cell: Cell, X: Any, weight: Any, *, start: int, row: int) -> Block:
        """Return the block that a cell holds.

        Parameters
        ----------
        cell : Cell
        X, weight : bytes-like
            `weight` is None where each row counts once.
        start : int
            The number of its first row among all.
        row : int
            The number of its first row in the partition.
        """
        rows = np.frombuffer(X, self.dtype).reshape(cell.n_rows, self.n_features)
        weights: Floats | None = None
        if weight is not None:
            weights = np.frombuffer(weight, np.float64)
        if not cell.usable:
            place = f"partition {cell.partition} of the Spark DataFrame"
            if weights is not None:
                since = f", rows counted from {row}," if row else ""
                check_weight_values(weights, name=f"the weight in {place}{since}")
            missing = "em" if self.missing == "any" else self.missing
            rows, _ = finite_rows(rows, place, self.names, weights, missing, row)
        return Block(rows, weights, start)


@dataclass(frozen=True, eq=False)
class Look:
    """A look at all cells of a partition.

    Attributes
    ----------
    look : callable
        A function of a block.
    looker : Looker
    added : bool
        Return sums, as `subtotals` makes them; else what the look returns for each cell.
    first_cell, first_row : ndarray of shape (n_partitions + 1,), int
        How many cells and rows there are before each partition.
    weight_sum : ndarray of shape (n_partitions,)
    """

    look: Callable[[Block], Any]
    looker: Looker
    added: bool
    first_cell: NDArray[np.intp]
    first_row: NDArray[np.intp]
    weight_sum: Floats

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield the results of one partition, or what is wrong with it."""
        import pyarrow as pa

        cells = _cells(batches)
        first = next(cells, None)
        if first is None:
            return
        partition = first[0].partition
        try:
            with limited_threads(1):  # other tasks have the other CPUs
                results = self._results(partition, chain([first], cells))
        except OURS as error:
            results = [(0, ERROR, pickle.dumps(error))]
        types = [pa.int64()] * 3 + [pa.binary()]
        for result in results:
            yield _record(pa, RESULTS, [partition, *result], types)

    def _results(self, partition: int, cells: Iterable[_Contents]) -> list[tuple[int, int, bytes]]:
        parts = map(self.look, self._blocks(partition, cells))
        if self.added:
            sums = subtotals(parts, int(self.first_cell[partition]))
            return [(size, *_encoded(part)) for size, part in sums]
        each = list(parts)
        return [(len(each), PICKLED, pickle.dumps(each))]

    def _blocks(self, partition: int, cells: Iterable[_Contents]) -> Iterator[Block]:
        """Yield the blocks of a partition.

        Raises
        ------
        RowsChangedError
            Where it has other rows than before: no result leaves it then.
        """
        row, weight = 0, 0.0
        for cell, X, weights in cells:
            end = row + cell.n_rows
            if end > self._n_rows(partition):
                raise self._changed(partition, end, weight + cell.weight_sum)
            start = int(self.first_row[partition]) + row
            yield self.looker.block(cell, X, weights, start=start, row=row)
            row, weight = end, weight + cell.weight_sum
        if row != self._n_rows(partition) or weight != self.weight_sum[partition]:
            raise self._changed(partition, row, weight)

    def _n_rows(self, partition: int) -> int:
        if partition >= len(self.weight_sum):
            return 0
        return int(self.first_row[partition + 1] - self.first_row[partition])

    def _changed(self, partition: int, row: int, weight: float) -> RowsChangedError:
        n_rows = self._n_rows(partition)
        had = f"{n_rows} of {self.weight_sum[partition]:g}" if n_rows else "none"
        now = f"{row} of {weight:g}"
        return rows_changed(f"partition {partition} had {had} in weight, and now {now}")


def rows_changed(how: str) -> RowsChangedError:
    """Return the error for cells that are not those that were packed."""
    return RowsChangedError(
        f"a Spark DataFrame must have the same rows, in the same partitions, as long as it is "
        f"used; {how}. Spark lost the cached rows and computed others: write the DataFrame to a "
        f"table, and use that."
    )


def _cells(batches: Iterable[Any]) -> Iterator[_Contents]:
    """Yield what is known of each cell, and the bytes of its rows and weights, where they are."""
    for batch in batches:
        columns = batch.columns
        known = zip(*(column.to_pylist() for column in columns[:6]), strict=True)
        for place, values in enumerate(known):
            weight = columns[7][place]
            yield Cell(*values), columns[6][place].as_buffer(), weight.as_buffer()


def _encoded(part: Any) -> tuple[int, bytes]:
    if isinstance(part, Statistics):
        return STATISTICS, part.to_bytes()
    return PICKLED, pickle.dumps(part)


def decoded(kind: int, result: bytes) -> Any:
    """Return what a task returned; raise the error that it met."""
    if kind == STATISTICS:
        return Statistics.from_bytes(result)
    value = pickle.loads(result)
    if kind == ERROR:
        raise value
    return value


# ---- an answer for each row ----


@dataclass(frozen=True, eq=False)
class Answer:
    """Adds to each row what a look returns for it.

    Attributes
    ----------
    look : callable
    looker : Looker
    name : str
        Of the column that is added.
    """

    look: Callable[[Block], NDArray[Any]]
    looker: Looker
    name: str

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield batches of the same rows: the last columns, which are numbers, replaced by one."""
        import pyarrow as pa

        looker, start = self.looker, 0
        partition = _partition()
        for batch in batches:
            n_kept = batch.num_columns - looker.n_features
            kept = batch.columns[:n_kept]
            table = _numbers(batch.columns[n_kept:], batch.num_rows)
            X = table.T.astype(looker.dtype, order="C")
            cell = Cell(partition, 0, batch.num_rows, 0.0, all_finite(X), "")
            with limited_threads(1):
                values = self.look(looker.block(cell, X, None, start=start, row=start))
            start += batch.num_rows
            if values.dtype == np.float32:
                values = values.astype(np.float64)  # as the column says
            if values.ndim == 2:
                ends = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
                answer = pa.ListArray.from_arrays(ends, pa.array(values.ravel()))
            else:
                answer = pa.array(values)
            names = [*batch.schema.names[:n_kept], self.name]
            yield pa.RecordBatch.from_arrays([*kept, answer], names)


def _partition() -> int:
    """Return the number of the partition that this task works on."""
    from pyspark import TaskContext

    context = TaskContext.get()
    assert context is not None
    return int(context.partitionId())


def _record(pa: Any, schema: str, values: list[Any], types: list[Any]) -> Any:
    """One row as a record batch."""
    names = [column.split()[0] for column in schema.split(", ")]
    arrays = [
        pa.array([value], type)
        for value, type in zip(values, types, strict=True)  # noqa: A001
    ]
    return pa.RecordBatch.from_arrays(arrays, names)
