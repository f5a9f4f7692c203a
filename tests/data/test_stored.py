"""Rows that are read for each pass: their checks by place, and what changes while they are read."""

import os
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import written
from written import FILES, KINDS, NAMES, WITHOUT_NAMES

from mixtura import RowsChangedError
from mixtura.data import RowSource, open_rows, scan

X = np.random.default_rng(0).normal(size=(250, 3)).round(6)
each_kind = pytest.mark.parametrize("kind", KINDS)


def rows_of(source: RowSource) -> np.ndarray:
    return np.concatenate([block.X for block in source.blocks()])


def with_value(value: float, row: int = 120, column: int = 1) -> np.ndarray:
    numbers = np.abs(X) + 1.0
    numbers[row, column] = value
    return numbers


def place(kind: str) -> str:
    """What messages call row 120 of a store: in a function's blocks, rows are counted by block."""
    if kind.startswith("function"):
        return r"block 1{more}.*; row 20"
    return r".*{more}.*; row 120"


# ---- values, by their place ----


@each_kind
@pytest.mark.parametrize(("missing", "remedy"), [
    (None, r"Drop the row or fill in the value\."),
    ("raise", r"Drop the row, fill in the value, or pass missing=\"em\"\."),
])  # fmt: skip
def test_missing_number_is_refused_by_file_row_and_column(
    kind: str, missing: Any, remedy: str, tmp_path: Path
) -> None:
    rows = scan(KINDS[kind](tmp_path / "x", with_value(np.nan)), [1, 2], block_size=100)
    name = "0" if kind in WITHOUT_NAMES else "'b'"
    message = place(kind).format(more=" must be finite")
    with pytest.raises(ValueError, match=rf"^{message}, column {name} is nan\. {remedy}$"):
        rows_of(open_rows(rows, missing=missing))


@each_kind
def test_missing_number_is_taken_where_it_may_be(kind: str, tmp_path: Path) -> None:
    numbers = with_value(np.nan)
    rows = open_rows(
        scan(KINDS[kind](tmp_path / "x", numbers), block_size=100), missing="em", minimum=250
    )
    assert (rows.form, rows.n_missing) == ("incomplete", 1)
    np.testing.assert_array_equal(rows_of(rows), numbers)


@pytest.mark.parametrize("kind", ["csv", "feather", "dataset", "function_of_arrays"])
def test_rows_are_counted_before_anybody_says_what_nan_is(kind: str, tmp_path: Path) -> None:
    rows = scan(KINDS[kind](tmp_path / "x", with_value(np.nan)), block_size=100)
    assert rows.n_samples == 250
    weighted = open_rows(rows, np.ones(250), missing="em")
    assert (weighted.n_samples, weighted.n_missing) == (250, 1)
    with pytest.raises(ValueError, match=r"must be finite; row .* is nan\. "):
        rows_of(open_rows(rows))


@each_kind
def test_infinite_number_is_refused_even_where_others_may_be_missing(
    kind: str, tmp_path: Path
) -> None:
    source = KINDS[kind](tmp_path / "x", with_value(-np.inf))
    message = place(kind).format(more=" must be finite or missing")
    with pytest.raises(ValueError, match=rf"^{message}, column .* is -inf\. Drop the row, or set "):
        rows_of(open_rows(scan(source, block_size=100), missing="em"))


@each_kind
@pytest.mark.parametrize(("value", "rule"), [(-0.5, "non-negative"), (np.nan, "finite")])
def test_weight_that_cannot_be_used_is_refused_by_file_and_row(
    kind: str, value: float, rule: str, tmp_path: Path
) -> None:
    source = KINDS[kind](tmp_path / "x", with_value(value))
    message = place(kind).format(more=f" must be {rule}")
    column = "1" if kind in WITHOUT_NAMES else "'b'"
    with pytest.raises(
        ValueError, match=rf"^the weight in column {column} of {message} is {value}\. Drop the row "
    ):
        open_rows(scan(source, weight=1, block_size=100), minimum=2)


@each_kind
def test_row_of_weight_zero_may_hold_anything(kind: str, tmp_path: Path) -> None:
    for value in (np.nan, np.inf):
        numbers = with_value(value)
        numbers[120, 0] = 0.0
        rows = open_rows(scan(KINDS[kind](tmp_path / f"x{value}", numbers), weight=0,
                              block_size=100), minimum=249)  # fmt: skip
        assert np.isfinite(rows_of(rows)).all()
        assert (rows.n_samples, rows.n_rows) == (250, 249)


def test_weights_that_are_all_zero_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^weight must not be zero for all rows; got only zeros"):
        open_rows(scan(written.npy(tmp_path / "x", 0.0 * X), weight=0))


@pytest.mark.parametrize("kind", ["npy", "csv", "function_of_arrays"])
def test_weights_of_a_column_and_of_an_argument_are_refused_together(
    kind: str, tmp_path: Path
) -> None:
    rows = scan(KINDS[kind](tmp_path / "x", np.abs(X)), weight=0)
    with pytest.raises(ValueError, match=r"^sample_weight must be None for rows that have weights"):
        open_rows(rows, np.ones(250))
    weights = np.arange(250.0)
    reweighted = open_rows(scan(KINDS[kind](tmp_path / "y", X)), weights)
    np.testing.assert_array_equal(reweighted.weights(), weights)


# ---- functions ----

TABLES = {
    "arrays": np.asarray,
    "lists": np.ndarray.tolist,
    "pandas": lambda part: pd.DataFrame(part, columns=list("abc")),
    "polars": lambda part: pl.DataFrame(part, schema=list("abc")),
    "pyarrow": written.table_of,
    "batches": lambda part: pa.RecordBatch.from_pydict(dict(zip(NAMES, part.T, strict=False))),
    "float32": np.float32,
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_function_may_return_blocks_of_any_kind(make: Callable[[Any], Any]) -> None:
    # A list without rows has no columns.
    cuts = [0, 0, 100, 100, 250] if make is not np.ndarray.tolist else [0, 100, 250]
    parts = [X[start:stop] for start, stop in pairwise(cuts)]
    for source in (lambda: [make(part) for part in parts], lambda: map(make, parts)):
        rows = open_rows(scan(source, [2, 0], weight=None), minimum=250)
        np.testing.assert_array_equal(rows_of(rows), X[:, [2, 0]].astype(rows.dtype))
        assert rows.dtype == (np.float32 if make is np.float32 else np.float64)
        assert [len(block.X) for block in rows.blocks()] == np.diff(cuts).tolist()


def columns_of(part: np.ndarray) -> pd.DataFrame:
    """A frame whose columns lie in an array."""
    frame = pd.DataFrame(part, columns=list("abc"), copy=False)
    assert np.shares_memory(frame["a"].to_numpy(), part)
    return frame


@pytest.mark.parametrize("make", [np.asarray, columns_of], ids=["array", "frame"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("weight", [None, 2])
def test_function_may_use_the_memory_of_a_block_again(
    make: Callable[[Any], Any], dtype: Any, weight: int | None
) -> None:
    numbers = np.abs(1000.0 * X).astype(dtype)

    def reusing() -> Iterator[Any]:
        memory = np.empty((50, 3), dtype)
        for start in range(0, 250, 50):
            memory[:] = numbers[start : start + 50]
            yield make(memory)
            memory[:] = -1

    rows = open_rows(scan(reusing, [0, 1], weight), minimum=250 if weight is None else 0)
    np.testing.assert_array_equal(rows_of(rows), numbers[:, :2])
    if weight is not None:
        np.testing.assert_array_equal(rows.weights(), numbers[:, 2])


def test_weight_beside_float32_columns_leaves_them_float32() -> None:
    frame = pd.DataFrame({"a": np.float32([1, 2]), "w": [1.0, 0.1]})
    rows = open_rows(scan(lambda: [frame], weight="w"))
    (block,) = rows.blocks()
    assert block.X.dtype == rows.dtype == np.float32
    assert block.sample_weight.tolist() == [1.0, 0.1]


BAD_BLOCKS = {
    "no blocks": (
        lambda: iter([]),
        ValueError,
        r"^the function must return one block of rows or more; got an iterator without any\. ",
    ),
    "an array": (
        lambda: X,
        TypeError,
        r"^the function must return an iterator of blocks of rows; got .*ndarray.*\. Yield ",
    ),
    "nothing": (
        lambda: None,
        TypeError,
        r"^the function must return an iterator of blocks of rows; got None \(NoneType\)\. ",
    ),
    "one row": (lambda: [X[0]], ValueError, r"^the first block must have two dimensions, "),
    "text": (lambda: [X, [["a", "b", "c"]]], TypeError, r"^block 1 must hold real numbers; got "),
    "fewer columns": (lambda: [X, X[:, :2]], ValueError, r"^block 1 must have 3 columns; got sha"),
    "other names": (
        lambda: [written.table_of(X), written.table_of(X).rename_columns(["a", "c", "b"])],
        ValueError,
        r"^block 1 must have the columns 'a', 'b', 'c'; it has them in another order",
    ),
    "another type": (
        lambda: [X.astype(np.float32), X],
        TypeError,
        r"^block 1 must be float32, as .*; got float64\. Give all rows one type\.$",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), BAD_BLOCKS.values(), ids=BAD_BLOCKS)
def test_function_with_blocks_that_cannot_be_used_is_refused(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rows_of(open_rows(scan(make)))


def test_errors_of_the_function_reach_the_caller() -> None:
    def make() -> Iterator[np.ndarray]:
        yield X
        raise KeyError("of the user's")

    with pytest.raises(KeyError, match="of the user's"):
        rows_of(open_rows(scan(make)))


# ---- changes ----


def changed(make: Callable[[int], list[np.ndarray]], **options: Any) -> RowSource:
    """Rows of a function that returns something else each time, counted once."""
    calls: list[int] = []

    def blocks() -> list[np.ndarray]:
        calls.append(0)
        return make(len(calls))

    rows = open_rows(scan(blocks, **options))
    assert rows.n_samples
    return rows


CHANGES = {
    "more rows": (lambda call: [X[: 100 + call]], r"block 0 had 102 of 102 in weight, and now 103"),
    "other numbers": (lambda call: [X, X + call], r"block 1 had 250 of 250 in weight, and now as "),
    "more blocks": (lambda call: [X] * call, r"block 2 had none in weight, and now some"),
    "fewer blocks": (lambda call: [X] * (5 - call), r"block 2 had 250 of 250 in weight, and now n"),
}


@pytest.mark.parametrize(("make", "message"), CHANGES.values(), ids=CHANGES)
def test_function_that_returns_other_rows_is_refused(
    make: Callable[[int], list[np.ndarray]], message: str
) -> None:
    rows = changed(make)
    with pytest.raises(
        RowsChangedError,
        match=rf"^the blocks of blocks must have the same rows, in the same blocks, each time they "
        rf"are read; {message}",
    ):
        rows_of(rows)


def test_function_that_returns_other_weights_is_refused() -> None:
    rows = changed(lambda call: [np.column_stack([X, np.full(250, call)])], weight=3)
    with pytest.raises(RowsChangedError, match=r"block 0 had 250 of 500 in weight, and now 250 of"):
        rows_of(rows)


def test_function_that_returns_one_iterator_again_is_refused() -> None:
    once = iter([X, X, X])
    rows = open_rows(scan(lambda: once))
    assert rows.n_samples == 500  # the first one told the columns
    with pytest.raises(RowsChangedError, match="block 0 had 250 of 250 in weight, and now 0"):
        rows_of(rows)


@pytest.mark.parametrize("kind", [*FILES, "memory_map", "dataset", "dataset_of_feather"])
def test_file_that_is_written_anew_is_refused(kind: str, tmp_path: Path) -> None:
    source = KINDS[kind](tmp_path / "x", X)
    rows = open_rows(scan(source, block_size=100))
    assert len(rows_of(rows)) == 250
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        stat = path.stat()
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    with pytest.raises(
        RowsChangedError,
        match=r" must stay as it is while it is used; it has another size or time than before\. ",
    ):
        rows_of(rows)
    assert len(rows_of(open_rows(scan(KINDS[kind](tmp_path / "y", X))))) == 250


def test_file_that_was_written_anew_since_scan_is_refused(tmp_path: Path) -> None:
    rows = scan(written.npy(tmp_path / "x", X))
    written.npy(tmp_path / "x", X[:100])
    with pytest.raises(RowsChangedError, match=r"Call scan again when nothing writes to it\.$"):
        rows_of(open_rows(rows))


def test_file_that_is_written_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = written.npy(tmp_path / "x", X)
    blocks = open_rows(scan(path, block_size=100)).blocks()
    next(blocks)
    np.save(path, 2 * X[:240])
    with pytest.raises((RowsChangedError, ValueError), match=re.escape(str(path))):
        list(blocks)


def test_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = written.npy(tmp_path / "x", X)
    rows = open_rows(scan(path))
    path.unlink()
    with pytest.raises(RowsChangedError, match=r"x\.npy' must stay as it is while it is used; "):
        rows_of(rows)
