"""Columns of Arrow in files: types, missing values, row groups, and lines of text."""

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet
import pytest
import written

from mixtura.data import RowSource, open_rows, scan

X = np.random.default_rng(0).normal(size=(250, 3))


def rows_of(source: RowSource) -> np.ndarray:
    return np.concatenate([block.X for block in source.blocks()])


def cut(source: RowSource) -> list[int]:
    return [len(block.X) for block in source.blocks()]


# ---- Parquet ----


@pytest.mark.parametrize(
    ("group", "block_size", "expected"),
    [
        (10, 100, [100, 100, 50]),  # small groups are joined
        (30, 100, [90, 90, 70]),
        (100, 100, [100, 100, 50]),
        (250, 100, [84, 84, 82]),  # a large one is cut into equal parts
        (150, 100, [75, 75, 100]),
        (250, 1000, [250]),
    ],
)
def test_row_groups_are_joined_and_cut_by_their_sizes_alone(
    group: int, block_size: int, expected: list[int], tmp_path: Path
) -> None:
    rows = scan(written.parquet(tmp_path / "x", X, group), block_size=block_size)
    assert cut(rows) == expected
    assert rows.n_samples == 250
    np.testing.assert_array_equal(rows_of(rows), X)


def test_parts_of_a_row_group_may_be_read_in_any_order(tmp_path: Path) -> None:
    rows = scan(written.parquet(tmp_path / "x", X, 250), block_size=50)
    pieces = list(rows._pieces())
    for number in (3, 4, 0, 1, 3):
        block = rows._reader.block(pieces[number])
        np.testing.assert_array_equal(block.X, X[50 * number : 50 * number + 50])


def test_folder_is_its_parquet_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "_temporary").mkdir()
    for name, part in [("b/x", X[100:200]), ("a", X[:100]), ("c", X[200:]), ("_temporary/x", X)]:
        written.parquet(tmp_path / name, part)
    (tmp_path / "_SUCCESS").touch()
    np.testing.assert_array_equal(rows_of(scan(tmp_path)), X)


def test_folder_without_parquet_files_is_refused(tmp_path: Path) -> None:
    message = f"folder {str(tmp_path)!r} must hold files named *.parquet or *.pq or *.parq; it has "
    with pytest.raises(ValueError, match=f"^{re.escape(message)}none"):
        scan(tmp_path)


def test_file_without_rows_has_columns(tmp_path: Path) -> None:
    rows = open_rows(scan(written.parquet(tmp_path / "x", X[:0])))
    assert (rows.n_samples, rows.n_features, cut(rows)) == (0, 3, [0])
    with pytest.raises(ValueError, match=r"^X must have at least 2 rows; got 0\. "):
        open_rows(scan(tmp_path / "x.parquet"), minimum=2)


def test_column_with_a_dot_in_its_name_is_chosen_alone(tmp_path: Path) -> None:
    table = pa.table({"a": X[:, 0], "a.b": X[:, 1], "a.c": X[:, 2]})
    pa.parquet.write_table(table, tmp_path / "x.parquet")
    for size in (1000, 100):
        rows = scan(tmp_path / "x.parquet", ["a.c", "a"], block_size=size)
        np.testing.assert_array_equal(rows_of(rows), X[:, [2, 0]])


# ---- types ----

COLUMNS = {
    "half": pa.array(np.array([1.5, 2.5], dtype=np.float16)),
    "single": pa.array([1.5, None], pa.float32()),
    "double": pa.array([1.5, None]),
    "whole": pa.array([3, None], pa.int64()),
    "byte": pa.array([3, 200], pa.uint8()),
    "truth": pa.array([True, None]),
    "text": pa.array(["a", "b"]),
    "category": pa.array(["a", "b"]).dictionary_encode(),
    "day": pa.array([1, 2], pa.date32()),
    "moment": pa.array([1, 2], pa.timestamp("ns")),
    "money": pa.array([1, 2]).cast(pa.decimal128(21, 1)),
    "list": pa.array([[1.0], [2.0]]),
    "nothing": pa.nulls(2),
}
REAL = ["half", "single", "double", "whole", "byte", "truth"]


def in_parquet(folder: Path, table: pa.Table) -> Any:
    pa.parquet.write_table(table, folder / "x.parquet")
    return folder / "x.parquet"


def in_feather(folder: Path, table: pa.Table) -> Any:
    pa.feather.write_feather(table, folder / "x.feather")
    return folder / "x.feather"


def in_a_dataset(_: Path, table: pa.Table) -> Any:
    return pa.dataset.dataset(table)


each_way = pytest.mark.parametrize("write", [in_parquet, in_feather, in_a_dataset])


@each_way
def test_columns_of_numbers_are_taken_with_nan_for_null(write: Any, tmp_path: Path) -> None:
    source = write(tmp_path, pa.table(COLUMNS))
    rows = open_rows(scan(source, REAL), missing="em")
    expected = [[1.5, 1.5, 1.5, 3, 3, 1], [2.5, np.nan, np.nan, np.nan, 200, np.nan]]
    np.testing.assert_array_equal(rows_of(rows), expected)
    assert (rows.dtype, rows.n_missing, rows.form) == (np.float64, 4, "incomplete")
    single = open_rows(scan(source, ["single"]), missing="em")
    assert single.dtype == np.float32
    np.testing.assert_array_equal(rows_of(single), [[1.5], [np.nan]])
    weighted = open_rows(scan(source, ["single"], weight="byte"), missing="em")
    assert weighted.dtype == np.float32
    assert weighted.weights().tolist() == [3.0, 200.0]


@each_way
@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in REAL])
def test_columns_of_anything_else_are_refused_by_name(
    write: Any, name: str, tmp_path: Path
) -> None:
    table = pa.table(COLUMNS).select(["double", name])
    source = write(tmp_path, table)
    message = rf"must hold real numbers; column '{name}' is of type .*\. Choose columns of numbers "
    with pytest.raises(TypeError, match=message):
        scan(source)
    with pytest.raises(TypeError, match=message):
        scan(write(tmp_path, table.append_column("more", COLUMNS["text"])), [name, "more"])
    assert scan(source, ["double"]).n_features == 1


@each_way
def test_columns_of_one_name_are_refused(write: Any, tmp_path: Path) -> None:
    table = pa.table([X[:, 0], X[:, 1]], names=["a", "a"])
    with pytest.raises(ValueError, match=r"must have a name of its own for each column; got 'a' t"):
        scan(write(tmp_path, table))


def test_labels_of_rows_that_pandas_wrote_are_no_features(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}, index=[7, 3])
    frame.to_parquet(tmp_path / "x.parquet")
    assert scan(tmp_path / "x.parquet").feature_names == ("a", "b")
    chosen = scan(tmp_path / "x.parquet", ["__index_level_0__", "b"])
    np.testing.assert_array_equal(rows_of(chosen), [[7.0, 3.0], [3.0, 4.0]])


def test_files_of_two_types_are_double_together(tmp_path: Path) -> None:
    paths = [written.parquet(tmp_path / "x", X.astype(np.float32)),
             written.parquet(tmp_path / "y", X)]  # fmt: skip
    rows = scan(paths)
    assert {block.X.dtype for block in rows.blocks()} == {rows.dtype} == {np.dtype(np.float64)}


def test_feather_of_version_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.feather").write_bytes(b"FEA1" + bytes(100))
    with pytest.raises(ValueError, match=r"x\.feather' must be a file or a stream of Arrow's IPC "):
        scan(tmp_path / "x.feather")


# ---- datasets ----


def test_dataset_of_folders_has_their_names_as_columns(tmp_path: Path) -> None:
    table = written.table_of(X).append_column("day", pa.array(np.repeat([1, 2], [100, 150])))
    pa.dataset.write_dataset(
        table, tmp_path, format="parquet", partitioning=["day"], partitioning_flavor="hive"
    )
    rows = scan(pa.dataset.dataset(tmp_path, partitioning="hive"), ["b", "day"])
    np.testing.assert_array_equal(
        rows_of(rows), np.column_stack([X[:, 1], np.repeat([1, 2], [100, 150])])
    )


def test_dataset_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^source must be a dataset with files; got one without"):
        scan(pa.dataset.dataset(tmp_path))


def test_filtered_dataset_is_the_rows_that_are_kept(tmp_path: Path) -> None:
    kept = written.dataset(tmp_path / "x", X).filter(pa.dataset.field("b") > 0.0)
    rows = open_rows(scan(kept, ["a", "c"], block_size=50))
    np.testing.assert_array_equal(rows_of(rows), X[X[:, 1] > 0.0][:, [0, 2]])


# ---- CSV ----


def csv_of(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_csv_is_numbers_below_names(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "x.csv", "a,name,b\n1,x,2.5\n-3,y,\n4,z,NA\n")
    rows = open_rows(scan(path, ["b", "a"]), missing="em")
    np.testing.assert_array_equal(rows_of(rows), [[2.5, 1.0], [np.nan, -3.0], [np.nan, 4.0]])
    assert (rows.dtype, rows.feature_names) == (np.float64, ("b", "a"))
    assert repr(scan(path, ["a"])) == f"<StoredRows of file {str(path)!r}: ? rows>"


def test_csv_with_tabs_or_compressed_is_read(tmp_path: Path) -> None:
    tabs = csv_of(tmp_path / "x.tsv", "a\tb\n1\t2\n")
    with gzip.open(tmp_path / "x.csv.gz", "wt") as file:
        file.write("a,b\n1,2\n")
    for path in (tabs, tmp_path / "x.csv.gz"):
        np.testing.assert_array_equal(rows_of(scan(path)), [[1.0, 2.0]])


def test_csv_without_lines_below_its_names_has_no_rows(tmp_path: Path) -> None:
    none = csv_of(tmp_path / "none.csv", "a,b\n")
    assert open_rows(scan(none)).n_samples == 0
    some = csv_of(tmp_path / "some.csv", "a,b\n1,2\n")
    np.testing.assert_array_equal(rows_of(scan([none, some, none])), [[1.0, 2.0]])


def test_csv_column_that_is_not_a_number_is_refused_by_name(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "x.csv", "a,name\n1,x\n")
    with pytest.raises(
        TypeError, match=r"x\.csv' must hold real numbers; column 'name' is of type string\. "
    ):
        scan(path)


def test_csv_fractions_below_whole_numbers_and_values_below_none_are_read(tmp_path: Path) -> None:
    n = 200_000  # more lines than those that are looked at first
    path = csv_of(tmp_path / "x.csv", "a,b\n" + "12345,\n" * n + "1.5,2\n")
    rows = scan(path)
    assert rows.dtype == np.float64
    *_, last = rows.blocks()
    np.testing.assert_array_equal(last.X[-1], [1.5, 2.0])
    assert rows.n_samples == n + 1


def test_csv_with_text_far_below_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = csv_of(tmp_path / "x.csv", "a,b\n" + "12345,1\n" * 200_000 + "oh,2\n")
    rows = scan(path)
    with pytest.raises(
        ValueError, match=r"x\.csv' must hold lines of numbers, with commas .* 'oh'"
    ):
        rows_of(rows)
    assert len(rows_of(scan(path, ["b"]))) == 200_001
