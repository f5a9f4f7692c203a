"""Rows that stay where they are: the numbers, names and pieces of every kind of store."""

import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import written
from written import FILES, KINDS, NAMES, WITHOUT_NAMES, Sliced

from mixtura.data import open_rows, scan

X = np.random.default_rng(0).normal(size=(250, 3)).round(6)
each_kind = pytest.mark.parametrize("kind", KINDS)
each_file = pytest.mark.parametrize("kind", FILES)


def rows_of(source: Any) -> np.ndarray:
    return np.concatenate([block.X for block in source.blocks()])


@each_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_hold_the_numbers_of_the_store_in_its_type(
    kind: str, dtype: Any, tmp_path: Path
) -> None:
    numbers = X.astype(dtype)
    rows = open_rows(scan(KINDS[kind](tmp_path / "x", numbers), block_size=100), minimum=250)
    blocks = list(rows.blocks())
    assert [len(block.X) for block in blocks] == [100, 100, 50]
    assert [block.start for block in blocks] == [0, 100, 200]
    expected = np.float64 if kind == "csv" else dtype
    assert {block.X.dtype for block in blocks} == {rows.dtype} == {np.dtype(expected)}
    np.testing.assert_array_equal(rows_of(rows), numbers)
    assert (rows.n_samples, rows.n_features) == (250, 3)
    assert rows.feature_names == (None if kind in WITHOUT_NAMES else ("a", "b", "c"))
    assert not rows.in_memory


@each_kind
@pytest.mark.parametrize(
    ("columns", "weight", "expected"),
    [(None, 1, [0, 2]), ([2, 0], None, [2, 0]), ([2, 1], 1, [2, 1]), ([1], 0, [1])],
)
def test_columns_and_weights_are_chosen_by_position(
    kind: str, columns: Any, weight: int | None, expected: list[int], tmp_path: Path
) -> None:
    positive = np.abs(X)
    source = KINDS[kind](tmp_path / "x", positive)
    rows = open_rows(scan(source, columns, weight, block_size=100))
    np.testing.assert_array_equal(rows_of(rows), positive[:, expected])
    assert rows.is_weighted == (weight is not None)
    if weight is not None:
        np.testing.assert_array_equal(rows.weights(), positive[:, weight])
    if kind not in WITHOUT_NAMES:
        names = None if columns is None else [NAMES[a] for a in columns]
        by_name = scan(source, names, None if weight is None else NAMES[weight], block_size=100)
        np.testing.assert_array_equal(rows_of(by_name), positive[:, expected])
        assert by_name.feature_names == rows.feature_names == tuple(NAMES[a] for a in expected)


@each_file
def test_list_of_files_is_one_data_set(kind: str, tmp_path: Path) -> None:
    parts = {"x": X[:120], "none": X[:0], "y": X[120:]}
    if kind not in ("npy", "npy_by_columns", "parquet", "feather", "stream"):
        del parts["none"]  # these are written with chunks, or types that rows have to show
    paths = [FILES[kind](tmp_path / name, part) for name, part in parts.items()]
    rows = open_rows(scan(paths, block_size=100), minimum=250)
    assert [len(block.X) for block in rows.blocks() if len(block.X)] in (
        [100, 20, 100, 30], [60, 60, 65, 65], [100, 20, 65, 65], [60, 60, 100, 30],
    )  # fmt: skip
    np.testing.assert_array_equal(rows_of(rows), X)
    np.testing.assert_array_equal(rows.take([249, 0, 130]), X[[249, 0, 130]])


@each_kind
def test_rows_are_read_in_any_other_process(kind: str, tmp_path: Path) -> None:
    rows = scan(KINDS[kind](tmp_path / "x", X), block_size=60)
    pieces = [pickle.loads(pickle.dumps((rows._reader, piece))) for piece in rows._pieces()]
    blocks = [reader.block(piece).X for reader, piece in reversed(pieces)]
    np.testing.assert_array_equal(np.concatenate(blocks[::-1]), X)


@each_file
def test_pieces_of_a_file_are_sent_without_their_rows(kind: str, tmp_path: Path) -> None:
    rows = scan(FILES[kind](tmp_path / "x", np.resize(X, (5000, 3))), block_size=5000)
    if rows._store.n_rows is not None:
        assert all(len(pickle.dumps(piece)) < 2000 for piece in rows._pieces())


# ---- what cannot be used ----


@pytest.mark.parametrize("path", ["x.npy", "x.parquet", "x.csv", "x.arrow", "x.h5", "x.zarr"])
def test_path_without_a_file_is_refused(path: str, tmp_path: Path) -> None:
    message = f"source must be a file or a folder that exists; there is no {str(tmp_path / path)!r}"
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}"):
        scan(tmp_path / path)


def test_files_of_no_known_kind_or_of_several_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("1 2\n")
    paths = [written.npy(tmp_path / "x", X), written.csv(tmp_path / "x", X)]
    for source, got in [(tmp_path / "x.txt", ""), (paths, " and 1 more"), (tmp_path / "no", "")]:
        with pytest.raises(
            ValueError,
            match=rf"^source must be files of one kind, whose names end in \.npy, .*\.zarr, or a "
            rf"folder of Parquet files that exists; got '[^']*'{got}\. Check the path",
        ):
            scan(source)


@each_file
def test_file_of_another_kind_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = str(FILES[kind](tmp_path / "x", X)).partition("::")[0]
    other = tmp_path / f"other{Path(path).suffix}"
    other.write_bytes(b"\x00no numbers\xff" * 40)
    if kind == "csv":
        other.write_text("a,b\n1,2\n3\n")
    with pytest.raises((ValueError, NotADirectoryError), match=r"other\.") as raised:
        scan(other)
    assert "must" in str(raised.value)


@each_file
def test_file_without_any_bytes_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = str(FILES[kind](tmp_path / "x", X)).partition("::")[0]
    other = tmp_path / f"other{Path(path).suffix}"
    other.touch()
    with pytest.raises(ValueError, match=r"other\.") as raised:
        scan(other)
    assert "must" in str(raised.value)


@each_file
def test_file_with_other_columns_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    paths = [FILES[kind](tmp_path / "x", X), FILES[kind](tmp_path / "y", X[:, :2])]
    named = r"^all files must have the same columns, .*y\..* than .*x\..*: it lacks 'c'\. "
    if kind in WITHOUT_NAMES:
        named = r"^all files must have 3 columns, as .*x\..* has; .*y\..* has 2\. Scan files "
    with pytest.raises(ValueError, match=named):
        scan(paths)


@each_kind
def test_columns_that_are_not_there_are_refused(kind: str, tmp_path: Path) -> None:
    source = KINDS[kind](tmp_path / "x", X)
    with pytest.raises(ValueError, match=r"must have the column 3, counted from 0; it has 3\. "):
        scan(source, [0, 3]).dtype  # noqa: B018
    with pytest.raises(ValueError, match=r"must have the column 'z'; it has (no names|'a', 'b', )"):
        scan(source, weight="z").dtype  # noqa: B018
    with pytest.raises(ValueError, match=r"^columns must choose each column once; got 0 twice\. "):
        scan(source, [0, 0]).dtype  # noqa: B018
    with pytest.raises(TypeError, match=r"^weight must be the name or the position of a column; "):
        scan(source, weight=[np.ones(250)])


IN_MEMORY = {
    "an array": lambda: X,
    "pandas": lambda: pd.DataFrame(X),
    "polars": lambda: pl.DataFrame(X),
    "pyarrow": lambda: written.table_of(X),
}


@pytest.mark.parametrize("make", IN_MEMORY.values(), ids=IN_MEMORY)
def test_one_array_or_frame_in_memory_is_used_where_it_is(make: Callable[[], object]) -> None:
    rows = open_rows(scan(make(), columns=[1]))
    assert rows.in_memory
    np.testing.assert_array_equal(rows.take(range(len(X))), X[:, [1]])


def generator() -> Iterator[np.ndarray]:
    yield X


ONCE = {
    "generator": generator,
    "iterator": lambda: iter([X]),
    "reader of batches": lambda: written.table_of(X).to_reader(),
}


@pytest.mark.parametrize("make", ONCE.values(), ids=ONCE)
def test_what_can_be_read_only_once_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(
        TypeError,
        match=r"^source must be a list of arrays or frames, which can be read several times; got .*"
        r"which can be read only once\. Pass list\(source\), or a function that returns a new one "
        r"each time\.$",
    ):
        scan(make())


# ---- what is read when ----


def test_scan_of_an_array_reads_no_row() -> None:
    source = Sliced(X)
    rows = scan(source, block_size=100)
    assert (rows.n_samples, rows.dtype, rows.n_features) == (250, np.float64, 3)
    assert source.n_read == 0
    next(rows.blocks())
    assert source.n_read > 0


def test_scan_of_a_function_does_not_call_it() -> None:
    def make() -> Any:
        raise AssertionError

    assert repr(scan(make)) == "<StoredRows of the blocks of make: ? rows>"


@each_file
def test_scan_of_a_file_reads_only_metadata(kind: str, tmp_path: Path) -> None:
    many = np.resize(X, (200_000 if kind == "csv" else 250, 3))  # its first MiB is looked at
    path = Path(str(FILES[kind](tmp_path / "x", many)).partition("::")[0])
    for file in (
        [path] if path.is_file() else [p for p in path.rglob("*") if p.parent.parent.name == "c"]
    ):
        with file.open("r+b") as opened:
            opened.seek(file.stat().st_size // 2)
            opened.write(b"\xff" * 1000)  # in the middle are rows
    rows = scan(path, block_size=10_000)
    assert (rows.n_features, rows.dtype) == (3, np.float64)
    with pytest.raises((ValueError, OSError, RuntimeError)):
        open_rows(rows).extremes  # noqa: B018


def test_missing_library_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    path = written.npy(tmp_path / "x", X).rename(tmp_path / "x.h5")
    with pytest.raises(
        ImportError,
        match=r"^HDF5 files need h5py, which is not installed\. Install it with: pip "
        r"install h5py\.$",
    ):
        scan(path)


def test_batches_of_another_library_are_taken(tmp_path: Path) -> None:
    assert isinstance(written.function_of_batches(tmp_path, X)(), pa.RecordBatchReader)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.5,-2\n3,4\n", r"a line of names; got only numbers, '1\.5', '-2'\. Write names above"),
        ("a;b\n1,5;2\n", r"numbers, with commas between them, below .* or scan a function that"),
        ("a;b\n1;2\n", r"names, with commas between them; got 'a;b'\. Scan lambda: .*';'\)\)\.$"),
        ("a b\n1 2\n", r"names, with commas between them; got 'a b'"),
        ("a\tb\n1\t2\n", r"names, with commas between them; got 'a\\tb'\. Scan .*'\\t'\)\)\.$"),
    ],
)
def test_csv_files_of_other_formats_are_refused_with_what_to_scan(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        scan(path)
