"""Rows in several arrays or frames in memory, as if they were one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.finite import finite_rows
from mixtura.data.frames import Names, Table, described, listed, repetitions
from mixtura.data.index import check_index, row_index
from mixtura.data.missing import Accepted
from mixtura.data.row_checks import (
    check_weight_sum,
    check_weight_values,
    columns_difference,
    row_weights,
    rows_table,
)
from mixtura.data.source import Block, Mask, RowSource
from mixtura.data.values import check_count, contiguous
from mixtura.shapes import Floats

__all__ = ["BlockedRows", "read_block"]

Column = str | int


class BlockedRows(RowSource):
    """Rows in several arrays, which are used where they are.

    Parameters
    ----------
    blocks : iterable of Block, or of its first fields
        One at least, of 0 rows or more; where they start is not looked at. Blocks of float32 and of
        float64 may be mixed: each stays what it is, and as a whole they count as float64.
    feature_names : tuple of str, optional
    weight_name : str
        What messages call the weights of block {b}.
    form : str
    name : str
        What messages call block {b}.
    """

    in_memory = True

    def __init__(
        self,
        blocks: Iterable[Block | tuple[NDArray[Any], Floats | None]],
        feature_names: Names | None = None,
        weight_name: str = "weight[{b}]",
        form: str = "whole",
        name: str = "source[{b}]",
    ) -> None:
        self._blocks: list[Block] = []
        self.n_samples = 0
        for block in blocks:
            self._blocks.append(Block(*block)._replace(start=self.n_samples))
            self.n_samples += len(block[0])
        self.form, self._name = form, name
        self.n_features = self._blocks[0].X.shape[1]
        self.dtype = np.result_type(*(block.X.dtype for block in self._blocks))
        self.feature_names, self._weight_name = feature_names, weight_name
        self.is_weighted = self._blocks[0].sample_weight is not None

    @classmethod
    def scanned(
        cls,
        source: Any,
        columns: Any,
        weight: Any,
        block_size: int | None,  # noqa: ARG003
    ) -> BlockedRows | None:
        single = _is_table(source)
        if not (single or isinstance(source, list | tuple)):
            return None
        source = [source] if single else source
        if not source:
            raise ValueError(
                "source must hold one block of rows or more; got an empty list. "
                "Pass a list of arrays or frames."
            )
        per_block = isinstance(weight, list | tuple) and not single
        if per_block and len(weight) != len(source):
            raise ValueError(
                f"weight must have one array for each of the {len(source)} blocks; got "
                f"{len(weight)}. Pass sample_weight to the function for one array of all weights."
            )
        if not per_block and not (weight is None or isinstance(weight, str | int | np.integer)):
            raise TypeError(
                f"weight must be the name or the position of a column, or a list of one array for "
                f"each block; got {described(weight)}. Pass sample_weight to the function for one "
                f"array of all weights."
            )
        block_name = "X" if single else "source[{b}]"
        of_column = "weight[{b}]" if per_block else f"column {weight!r} of {block_name}"
        names: Names | None = None
        blocks: list[Block] = []
        for b, values in enumerate(source):
            name = block_name.replace("{b}", str(b))
            X, w, own_names = read_block(values, name, columns, None if per_block else weight)
            if per_block:
                index = row_index(values)
                check_index(weight[b], None if index is None else [index], f"weight[{b}]", name)
                w = row_weights(weight[b], len(X), name=f"weight[{b}]", rows=name)
            _check_columns(X, own_names, name, blocks[0].X if blocks else X, names)
            names = names or own_names
            blocks.append(Block(X, w))
        rows = cls(blocks, names, of_column, name=block_name)
        index = tuple(map(row_index, source))
        rows.index = index if all(part is not None for part in index) else None
        return rows

    def blocks(self) -> Iterator[Block]:
        yield from self._blocks

    def checked(self, missing: Accepted | None = None) -> BlockedRows:
        for b, block in enumerate(self._blocks):
            if block.sample_weight is not None:
                name = self._weight_name.replace("{b}", str(b))
                check_weight_values(block.sample_weight, name=name)
        form, missing = self._form_if(missing)
        blocks, masks = [], []
        for b, block in enumerate(self._blocks):
            X, weight = block.X, block.sample_weight
            name = self._name.replace("{b}", str(b))
            X, replaced = finite_rows(X, name, self.feature_names, weight, missing)
            blocks.append(block._replace(X=X))
            masks.append(replaced)
        weights = self.weights()
        if weights is not None:
            check_weight_sum(weights, name="weight")
        if all(mask is None for mask in masks):
            return self if form == self.form else self._of(blocks, form)
        rows = self._of(blocks, form)
        rows.not_finite = np.concatenate(
            [np.zeros(len(X), dtype=bool) if mask is None else mask
             for (X, *_), mask in zip(blocks, masks, strict=True)]
        )  # fmt: skip
        return rows

    def subset(self, mask: Mask) -> BlockedRows:
        return self._of(super().subset(mask).blocks())

    def reweighted(self, weight: Floats) -> BlockedRows:
        return self._of(super().reweighted(weight).blocks())

    def plain(self) -> BlockedRows:
        return self._of(super().plain().blocks(), "whole")

    def _extended(self, form: str, extras: Mapping[str, NDArray[Any]]) -> BlockedRows:
        return self._of(super()._extended(form, extras).blocks(), form)

    def _of(self, blocks: Iterable[Block], form: str | None = None) -> BlockedRows:
        form = self.form if form is None else form
        return BlockedRows(blocks, self.feature_names, self._weight_name, form, self._name)


def _is_table(source: Any) -> bool:
    """Whether it is one array or frame in memory, and not several."""
    shape = () if isinstance(source, RowSource) else getattr(source, "shape", ())
    return isinstance(shape, tuple) and len(shape) == 2


def read_block(
    values: Any, name: str, columns: Sequence[Column] | None, weight_column: Column | None
) -> tuple[NDArray[Any], Floats | None, Names | None]:
    """Numbers of the chosen columns, weights from another column, and names of the columns.

    Their values are not checked. Without `columns` these are all but that of the weights.
    """
    table = rows_table(values, name)
    _refuse_lacking(table, [*(columns or ()), weight_column], name)
    weight, place = None, None
    if weight_column is not None:
        place = _position(table, weight_column, name)
        weight = contiguous(table.numbers([place])[:, 0], name)
    if columns is None:
        chosen = [a for a in range(table.shape[1]) if a != place]
    else:
        chosen = [_position(table, column, name) for column in columns]
        repeated = repetitions([columns[chosen.index(a)] for a in chosen])
        if repeated:
            raise ValueError(
                f"columns must choose each column once; got {repeated}. Leave out the repetitions."
            )
    names = None if table.names is None else tuple(table.names[a] for a in chosen)
    return table.numbers(chosen), weight, names


def _refuse_lacking(table: Table, columns: Sequence[Column | None], name: str) -> None:
    """Refuse names that a table does not have, all at once."""
    lacking = [c for c in columns if isinstance(c, str) and c not in (table.names or (c,))]
    if lacking:
        raise ValueError(
            f"{name} must have the column{'s'[: len(lacking) > 1]} {listed(lacking)}; it has "
            f"{listed(table.names or ())}. Choose among these."
        )


def _position(table: Table, column: Column, name: str) -> int:
    """Position of a column that is given by its name or position."""
    if isinstance(column, str):
        if table.names is None:
            raise ValueError(
                f"{name} must have names of columns to choose {column!r}; it has none. "
                f"Choose columns by position, counted from 0."
            )
        return table.names.index(column)
    position = check_count("a column, given by position,", column, minimum=0)
    if position >= table.shape[1]:
        raise ValueError(
            f"{name} must have the column {position}, counted from 0; got shape {table.shape}. "
            f"Choose a column that every block has."
        )
    return position


def _check_columns(
    X: NDArray[Any], names: Names | None, name: str, first: NDArray[Any], expected: Names | None
) -> None:
    """Refuse a block with other columns than the first ones had."""
    if X.shape[1] == 0:
        raise ValueError(
            f"{name} must have at least one column; got shape {X.shape}. Select a feature."
        )
    if expected is not None and names is not None and names != expected:
        raise ValueError(
            f"{name} must have the columns {listed(expected)}, as blocks before it have; "
            f"{columns_difference(names, expected)}. Choose by name what all blocks have."
        )
    if X.shape[1] != first.shape[1]:
        width = first.shape[1]
        raise ValueError(
            f"{name} must have {width} column{'s'[: width != 1]}, as source[0] has; got shape "
            f"{X.shape}. Give every block the same columns."
        )
