"""Rows that stay where they are, in files or elsewhere: they are read in pieces for each pass."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from mixtura.cached import cached_property
from mixtura.data.ahead import read_ahead
from mixtura.data.block import Block, itself
from mixtura.data.elsewhere import RowsElsewhere
from mixtura.data.finite import finite_rows
from mixtura.data.frames import Names, Table, described, listed, repetitions
from mixtura.data.missing import Accepted
from mixtura.data.row_checks import (
    check_rows_shape,
    check_weight_values,
    rows_table,
)
from mixtura.data.stores import Piece, Store, store_of
from mixtura.data.values import check_count, contiguous
from mixtura.exceptions import RowsChangedError

__all__ = ["Layout", "Reader", "StoredRows", "check_weight_column", "layout_of"]

BLOCK_NUMBERS = 1 << 21  # in a block: so many that the Python around a pass takes no time
LEAST_BLOCK = 1024  # rows
INDEX_IN_FILES = re.compile(r"__index_level_\d+__")  # names that pandas gives to columns
Column = str | int


class HasColumns(Protocol):
    """What has columns of which some are asked for, such as a store."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def names(self) -> Names | None:
        """Names of the columns."""

    @property
    def n_columns(self) -> int:
        """How many there are."""


@dataclass(frozen=True)
class Layout:
    """Which columns of a store are the features, and which has the weights.

    Attributes
    ----------
    columns : tuple of int
    weight : int or None
    names : tuple of str or None
        Of the features.
    weight_name : str
        What messages call the column of the weights.
    """

    columns: tuple[int, ...]
    weight: int | None
    names: Names | None
    weight_name: str = ""

    @property
    def read(self) -> tuple[int, ...]:
        """All columns to read: the weights come last, unless they are a feature, too."""
        if self.weight is None or self.weight in self.columns:
            return self.columns
        return (*self.columns, self.weight)


@dataclass(frozen=True)
class Reader:
    """Makes blocks of pieces; it can be pickled.

    Attributes
    ----------
    layout : Layout
    dtype : dtype
        Of the numbers.
    missing : {"raise", "em", "any", "noisy"} or None
        See `mixtura.data.open_rows`.
    known : bool
        Whether the same numbers have been checked before: this takes as long as reading them.
    """

    layout: Layout
    dtype: np.dtype[Any]
    missing: Accepted | None = None
    known: bool = False

    def block(self, piece: Piece, start: int = 0) -> Block:
        """Read a piece, and check its values.

        Raises
        ------
        ValueError
            For numbers that are not finite and for weights that are negative, by their place.
        """
        place, layout = piece.place, self.layout
        read = piece.read()
        table = read if isinstance(read, Table) else rows_table(read, place)
        check_rows_shape(table.shape, None, name=place, n_features=len(layout.read))
        weight = None
        if layout.weight is not None:
            at = layout.read.index(layout.weight)
            weight = contiguous(table.numbers([at])[:, 0], place)
            of = f"the weight in column {layout.weight_name} of {place}"
            check_weight_values(weight, name=of, first=piece.first)
        X = table.numbers(range(len(layout.columns)))
        if X.dtype != self.dtype:
            if self.dtype == np.float32:
                raise TypeError(
                    f"{place} must be float32, as all rows before it and their metadata are; got "
                    f"{X.dtype}. Give all rows one type."
                )
            X = X.astype(self.dtype)
        if self.known:
            return Block(X, weight, start)
        missing = "em" if self.missing == "any" else self.missing
        X, _ = finite_rows(X, place, layout.names, weight, missing, piece.first)
        return Block(X, weight, start)


class StoredRows(RowsElsewhere):
    """Rows of a store, read block by block for each pass; the next one while the last is worked on.

    Parameters
    ----------
    store : Store
    columns : sequence of str or int, optional
    weight : str or int, optional
    block_size : int, optional
        Rows of a block; None for some megabytes.
    """

    def __init__(
        self,
        store: Store,
        columns: Sequence[Column] | None = None,
        weight: Column | None = None,
        block_size: int | None = None,
    ) -> None:
        self._store, self._columns, self._weight = store, columns, weight
        self._size = block_size
        self.is_weighted = weight is not None
        # Until `checked` says what NaN is, it is not refused: rows may have to be counted before.
        self._missing: Accepted | None = "any"
        self._state = store.state()
        if store.is_described:
            self._refuse_columns_without_numbers()

    @classmethod
    def scanned(
        cls, source: Any, columns: Any, weight: Any, block_size: int | None
    ) -> StoredRows | None:
        store = store_of(source)
        if store is None:
            return None
        check_weight_column(weight)
        return cls(store, columns, weight, block_size)

    @cached_property
    def _layout(self) -> Layout:
        return layout_of(self._store, self._columns, self._weight)

    @property
    def n_features(self) -> int:  # type: ignore[override]
        return len(self._layout.columns)

    def _refuse_columns_without_numbers(self) -> None:
        """Refuse features and weights that are no numbers, as far as metadata tell."""
        self._store.dtype_of(self._layout.read)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        return self._store.dtype_of(self._layout.columns)

    @property
    def feature_names(self) -> Names | None:  # type: ignore[override]
        return self._layout.names

    @property
    def paths(self) -> Sequence[str]:
        return self._store.paths()

    @property
    def n_known(self) -> int | None:
        return self._store.n_rows

    @property
    def block_size(self) -> int:
        """Rows of a block, at most about."""
        if self._size is not None:
            return self._size
        return max(LEAST_BLOCK, BLOCK_NUMBERS // len(self._layout.read))

    @property
    def name(self) -> str:
        return self._store.name

    def __repr__(self) -> str:
        n = "?" if self._store.n_rows is None else self._store.n_rows
        return f"<{type(self).__name__} of {self._store.name}: {n} rows>"

    def checked(self, missing: Accepted | None = None) -> StoredRows:
        """Return the same rows; values are checked whenever they are read."""
        rows = copy.copy(self)
        rows._missing = missing
        if missing not in ("em", "any") and "_overview" in vars(rows) and rows.n_missing:
            rows.forget_totals()  # the next reading refuses what the last one did not
        rows.look_for(missing)
        return rows

    # ---- reading ----

    def blocks(self) -> Iterator[Block]:
        self._refuse_changes()
        start = 0
        # Nothing here keeps a piece: it may hold its rows.
        read = self._reader.block
        blocks = read_ahead(partial(read, piece) for piece in self._pieces())
        try:
            for block, visit in self.with_visits(blocks, itself):
                block = visit(block._replace(start=start))
                start += len(block.X)
                yield block
                del block  # see `held` of the stores
        except (OSError, ValueError):
            self._refuse_changes()  # which explain it
            raise
        self._refuse_changes()

    @property
    def _reader(self) -> Reader:
        # What a row of weight zero holds is replaced anew each time; other numbers stay, or are
        # refused, in the first reading. A store that shows that it changed is refused later.
        known = self._state is not None and not self.is_weighted and "_overview" in vars(self)
        return Reader(self._layout, self.dtype, self._missing, known)

    def _pieces(self) -> Iterator[Piece]:
        """Yield the pieces of the store; one without rows if it has none."""
        columns, piece = self._layout.read, None
        for piece in self._store.pieces(columns, self.block_size):
            yield piece
        if piece is None:
            yield Piece(partial(np.empty, (0, len(columns)), self.dtype), self.name, 0)

    def _refuse_changes(self) -> None:
        if self._state is not None and self._store.state() != self._state:
            raise RowsChangedError(
                f"{self._store.name} must stay as it is while it is used; it has another size or "
                f"time than before. Call scan again when nothing writes to it."
            )


def check_weight_column(weight: Any) -> None:
    """Refuse weights in another form than a column of the rows."""
    if not (weight is None or isinstance(weight, str | int | np.integer)):
        raise TypeError(
            f"weight must be the name or the position of a column; got {described(weight)}. "
            f"Pass sample_weight to the function for one array of all weights."
        )


def layout_of(store: HasColumns, columns: Sequence[Column] | None, weight: Column | None) -> Layout:
    """Return the columns that are asked for, by their positions.

    Without `columns` these are all but that of the weights, and but those in which pandas keeps the
    labels of rows in files.
    """
    place = None if weight is None else _position(store, weight)
    if columns is None:
        labels = {a for a, name in enumerate(store.names or ()) if INDEX_IN_FILES.fullmatch(name)}
        chosen = [a for a in range(store.n_columns) if a != place and a not in labels]
    else:
        chosen = [_position(store, column) for column in columns]
        repeated = repetitions([columns[chosen.index(a)] for a in chosen])
        if repeated:
            raise ValueError(
                f"columns must choose each column once; got {repeated}. Leave out the repetitions."
            )
    names = None if store.names is None else tuple(store.names[a] for a in chosen)
    called = place if place is None or store.names is None else store.names[place]
    return Layout(tuple(chosen), place, names, repr(called))


def _position(store: HasColumns, column: Column) -> int:
    """Position of a column of a store that is given by its name or position."""
    if isinstance(column, str):
        if store.names is None or column not in store.names:
            raise ValueError(
                f"{store.name} must have the column {column!r}; it has "
                f"{'no names' if store.names is None else listed(store.names)}. Choose among "
                f"these, or by position, counted from 0."
            )
        return store.names.index(column)
    position = check_count("a column, given by position,", column, minimum=0)
    if position >= store.n_columns:
        raise ValueError(
            f"{store.name} must have the column {position}, counted from 0; it has "
            f"{store.n_columns}. Choose one of these."
        )
    return position
