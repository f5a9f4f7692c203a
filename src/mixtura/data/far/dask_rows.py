"""Rows in the partitions of a Dask array or DataFrame: looks go to where the partitions are.

For a fit each partition is computed once, checked and kept as a block where it was computed: by a
worker of the cluster, or in this process where there is no cluster. Parameters go there, and sums
of statistics come back. A block that is lost with its worker is computed again.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixtura.cached import cached_property
from mixtura.data.block import Block
from mixtura.data.elsewhere import RowsElsewhere, Visit
from mixtura.data.far.dask_graphs import (
    Groups,
    looked_at,
    n_threads_of_a_task,
    place_of_work,
    regrouped,
    summed,
)
from mixtura.data.far.dask_tables import DaskTable, delayed_weights, table_of
from mixtura.data.finite import finite_rows
from mixtura.data.frames import Names
from mixtura.data.index import row_index
from mixtura.data.looks import Counted
from mixtura.data.missing import Accepted
from mixtura.data.question import Question
from mixtura.data.row_checks import (
    check_rows_shape,
    check_weight_sum,
    check_weight_values,
    row_weights,
    rows_table,
)
from mixtura.data.source import Mask, RowSource
from mixtura.data.stored import Layout, check_weight_column, layout_of
from mixtura.data.values import contiguous
from mixtura.limits import limited_threads
from mixtura.shapes import Floats

__all__ = ["DaskRows", "PartitionReader"]

Result = TypeVar("Result")


@dataclass(frozen=True)
class PartitionReader:
    """Makes blocks of partitions; it can be pickled.

    Attributes
    ----------
    n_features : int
        The first columns of a partition.
    names : tuple of str or None
        Of all columns of a partition.
    dtype : dtype
        Of the numbers.
    has_weight : bool
        Whether one more column has the weights.
    missing : {"raise", "em", "any", "noisy"} or None
        See `mixtura.data.open_rows`.
    """

    n_features: int
    names: Names | None
    dtype: np.dtype[Any]
    has_weight: bool
    missing: Accepted | None = None

    def blocks(
        self, partition: Any, number: int, weight: Any = None, n_rows: float = math.nan
    ) -> list[Block]:
        """Return a group of one block, see `block`.

        Raises
        ------
        ValueError
            For another number of rows than the collection says, where it does, too.
        """
        block = self.block(partition, number, weight)
        if len(block.X) != n_rows and not math.isnan(n_rows):
            raise ValueError(
                f"partition {number} of X must have {n_rows:.0f} rows, as the chunks of the Dask "
                f"array say; got {len(block.X)}. Give map_blocks the chunks that it makes, or pass "
                f"X.compute_chunk_sizes()."
            )
        return [block]

    def block(self, partition: Any, number: int, weight: Any = None) -> Block:
        """Convert a partition, and check its values.

        Raises
        ------
        ValueError
            For other columns than the first partitions have, for numbers that are not finite and
            for weights that are negative or not one for each row, by their place.
        TypeError
            For what is not real numbers.
        """
        place, d = f"partition {number} of X", self.n_features
        table = rows_table(partition, place)
        check_rows_shape(
            table.shape, table.names, name=place, n_features=d + self.has_weight,
            feature_names=self.names,
        )  # fmt: skip
        if self.has_weight:
            weight, name = contiguous(table.numbers([d])[:, 0], place), f"the weight in {place}"
            check_weight_values(weight, name=name)
        elif weight is not None:
            name = f"partition {number} of sample_weight"
            _check_same_index(weight, partition, name, place)
            weight = row_weights(weight, table.shape[0], name=name, rows=place)
            check_weight_values(weight, name=name)
        X = table.numbers(range(d))
        X = X if X.dtype == self.dtype else X.astype(self.dtype)
        names = None if self.names is None else self.names[:d]
        missing = "em" if self.missing == "any" else self.missing
        X, _ = finite_rows(X, place, names, weight, missing)
        return Block(X, weight)


class DaskRows(RowsElsewhere):
    """Rows of a Dask array or DataFrame, a block for each partition.

    Parameters
    ----------
    table : DaskTable
    columns : sequence of str or int, optional
    weight : str or int, optional
        A column.
    """

    is_far = True
    name = "X"

    def __init__(
        self,
        table: DaskTable,
        columns: Sequence[str | int] | None = None,
        weight: str | int | None = None,
    ) -> None:
        layout: Layout = layout_of(table, columns, weight)
        self.dtype = table.dtype_of(layout.columns)
        table.dtype_of(layout.read)
        self._table = table.selected(layout.read)
        self.n_features, self.feature_names = len(layout.columns), layout.names
        self.is_weighted = weight is not None
        self._weights: list[Any] | None = None
        self._missing: Accepted | None = None
        self._is_kept = False
        self._groups: Groups | None = None

    @classmethod
    def opened(cls, X: Any) -> DaskRows | None:
        table = table_of(X)
        return None if table is None else cls(table)

    @classmethod
    def scanned(
        cls, source: Any, columns: Any, weight: Any, block_size: int | None
    ) -> DaskRows | None:
        table = table_of(source)
        if table is None:
            return None
        check_weight_column(weight)
        if block_size is not None:
            raise ValueError(
                f"block_size must be None for a collection of Dask, whose partitions are the "
                f"blocks; got {block_size}. Use source.rechunk or source.repartition."
            )
        return cls(table, columns, weight)

    @property
    def n_known(self) -> int | None:
        return self._table.n_rows

    def __repr__(self) -> str:
        n = "?" if self._table.n_rows is None else self._table.n_rows
        return (
            f"<{type(self).__name__}: {n} x {self.n_features} of {self.dtype} in "
            f"{self._table.n_partitions} partitions>"
        )

    def checked(self, missing: Accepted | None = None) -> DaskRows:
        """Return the same rows; values are checked where they are computed, once."""
        rows = copy.copy(self)
        rows.forget_totals()
        rows._missing, rows._is_kept, rows._groups = missing, True, None
        if missing == "any":  # an answer for each row is the same, whether or not some lack numbers
            rows.form = "incomplete"
        elif missing == "em":
            rows.look_for(missing)
        return rows

    @cached_property
    def counted(self) -> list[Counted]:
        counted = self._overview.counted
        if self.is_weighted:
            weights = np.array([each.weight_sum for each in counted])
            check_weight_sum(weights, name="weight" if self._weights is None else "sample_weight")
        return counted

    # ---- where the partitions are ----

    def map(self, look: Callable[[Block], Result]) -> Iterator[Result]:
        results: list[Result] = self._computed(looked_at, look)
        return iter(results)

    def total(self, look: Callable[[Block], Result]) -> Result:
        result: Result = self._computed(summed, look)
        return result

    def answers(self, question: Question) -> Any:
        """Return a Dask array, which computes what a look returns for each row when it is asked.

        Its chunks are the partitions of the rows.
        """
        answer = _Answer(question.look, self._reader, self._table.n_partitions)
        return self._table.answers(answer, question.columns, question.dtype)

    def blocks(self) -> Iterator[Block]:
        """Bring some blocks after the others to this process; no fit does this."""
        visits, start = self._visits_due(_itself), 0
        groups = self._held()
        for number, group in enumerate(groups.kept):
            part = groups.part(visits, number)
            for block in looked_at(replace(groups, kept=[group]), part, _itself):
                yield block._replace(start=start)
                start += len(block.X)

    @property
    def _reader(self) -> PartitionReader:
        return PartitionReader(
            self.n_features,
            self._table.names,
            self.dtype,
            self.is_weighted and self._weights is None,
            self._missing,
        )

    def _visits_due(self, look: Callable[[Block], Any]) -> list[Visit]:
        """The visits to all blocks."""
        return [visit for _, visit in self.with_visits(range(self._table.n_partitions), look)]

    def _held(self) -> Groups:
        """The blocks; they are computed once for rows that are kept."""
        if self._groups is not None:
            return self._groups
        from dask import delayed

        read = delayed(self._reader.blocks, pure=False)
        parts, n_rows = self._table.partitions(), self._table.rows_of_partitions
        weights = self._weights or [None] * len(parts)
        place = place_of_work()
        blocks = [read(parts[i], i, weights[i], n_rows[i]) for i in range(len(parts))]
        groups = Groups(place, place.kept(blocks))
        if self._is_kept:
            self._groups = groups
        return groups

    def _group(self) -> None:
        """Put small blocks together, once it is known how small they are."""
        if self._groups is None or self._groups.size is not None or "counted" not in vars(self):
            return
        row = self.n_features * self.dtype.itemsize + 8 * self.is_weighted
        self._groups = regrouped(self._groups, row * self.n_samples // len(self.counted))

    def _computed(self, compute: Callable[..., Any], look: Callable[[Block], Any]) -> Any:
        visits = self._visits_due(look)
        self._group()
        groups = self._held()
        try:
            return compute(groups, visits, look)
        except KeyboardInterrupt:
            self._groups = None
            groups.drop()
            raise

    # ---- the same rows in another way ----

    def with_weights(self, sample_weight: Any) -> DaskRows:
        rows = copy.copy(self)
        rows._weights = delayed_weights(sample_weight, self._table)
        rows.is_weighted = True
        return rows

    def plain(self) -> DaskRows:
        rows = copy.copy(self)
        rows.form = "whole"
        return rows

    def subset(self, mask: Mask) -> RowSource:  # noqa: ARG002
        return self._refused("a mask")

    def reweighted(self, weight: Floats) -> RowSource:  # noqa: ARG002
        return self._refused("weights")

    def _extended(self, form: str, extras: Mapping[str, NDArray[Any]]) -> RowSource:  # noqa: ARG002
        return self._refused(" and ".join(extras))

    def _refused(self, what: str) -> RowSource:
        raise TypeError(
            f"rows of Dask must do without {what} in an array of this process. Fit a sample of the "
            f"rows, and start from its model."
        )


def _check_same_index(weight: Any, partition: Any, name: str, place: str) -> None:
    """Refuse weights whose labels are those of other rows."""
    own, index = row_index(weight), row_index(partition)
    if own is not None and index is not None and not own.equals(index):
        raise ValueError(
            f"{name} must have the index of {place}; it has other labels, or others in number. "
            f"Make both from the same DataFrame."
        )


@dataclass(frozen=True, eq=False)
class _Answer:
    """What a look returns for each row of a partition that Dask hands in."""

    look: Callable[[Block], NDArray[Any]]
    reader: PartitionReader
    n_tasks: int

    def __call__(
        self,
        partition: Any,
        block_id: tuple[int, ...] | None = None,
        partition_info: Mapping[str, Any] | None = None,
    ) -> NDArray[Any]:
        number = 0
        if block_id is not None:
            number = block_id[0]
        elif partition_info is not None:
            number = partition_info["number"]
        with limited_threads(n_threads_of_a_task(self.n_tasks)):
            return self.look(self.reader.block(partition, number))


def _itself(block: Block) -> Block:
    return block
