"""Sources that are damaged, closed, or not what they seem: errors name them and say what to do."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
import written
import zarr
from pyarrow import dataset, feather, parquet

from mixtura import FitError, RowsChangedError, fit_gmm, scan
from mixtura.data import open_rows

X = np.random.default_rng(0).normal(size=(4000, 3))


def rows_of(source: Any) -> np.ndarray:
    return np.concatenate([block.X for block in open_rows(scan(source)).blocks()])


def header_with(shape: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        np.save(path, X)
        text = path.read_bytes()
        path.write_bytes(
            text.replace(b"(4000, 3), }".ljust(len(shape) + 3), f"{shape}, }}".encode())
        )
        return path

    return make


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def compressed(path: Path, end: int | None = None) -> Path:
    lines = "a,b,c\n" + "\n".join(",".join(map(str, row)) for row in X.tolist())
    path.write_bytes(gzip.compress(lines.encode())[:end])
    return path


def false_gzip(path: Path) -> Path:
    path.write_text("a,b\n1,2\n")
    return path


def stream(path: Path, end: int) -> Path:
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_stream(file, written.table_of(X).schema) as to,
    ):
        to.write_table(written.table_of(X), max_chunksize=1000)
    path.write_bytes(path.read_bytes()[:end])
    return path


def overwritten(path: Path) -> Path:
    """Put bytes without sense into the middle of what a file holds."""
    text = bytearray(path.read_bytes())
    text[200 : len(text) // 2] = b"\xff" * (len(text) // 2 - 200)
    path.write_bytes(text)
    return path


def damaged_feather(path: Path) -> Path:
    feather.write_feather(written.table_of(X), path, chunksize=500)
    return overwritten(path)


def damaged_parquet(path: Path) -> Path:
    parquet.write_table(written.table_of(X), path, compression="gzip", row_group_size=1000)
    return overwritten(path)


def null_dataset(path: Path) -> str:
    with h5py.File(path, "w") as file:
        file["null"] = h5py.Empty("f8")
    return f"{path}::null"


def named_array(path: Path) -> str:
    zarr.create_array(path, data=X)
    return f"{path}::x"


REAL = r"must hold a table of real numbers; NumPy cannot read it: .*\. Save an array "
LINES = r"must hold lines of numbers, .*; pyarrow cannot read it: .*[^.]\. Mend the line, write"
TO_THE_END = r"must hold rows to its end; pyarrow cannot read it: .*[^.]\. Write it anew\.$"
BAD: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "folder": ("x.npy", folder, REAL),
    "negative shape": ("x.npy", header_with("(-400, 3)"), REAL),
    "large shape": ("x.npy", header_with("(99999999999999999999, 3)"), REAL),
    "truncated csv.gz": ("x.csv.gz", lambda path: compressed(path, -5000), LINES),
    "csv.gz without end": ("x.csv.gz", lambda path: compressed(path, -9), LINES),
    "false csv.gz": ("x.csv.gz", false_gzip, LINES),
    "truncated stream": ("x.arrows", lambda path: stream(path, 60_000), TO_THE_END),
    "feather": ("x.feather", damaged_feather, TO_THE_END),
    "parquet": ("x.parquet", damaged_parquet, TO_THE_END),
    "null of HDF5": ("x.h5", null_dataset, r"must be a table of real numbers.* got shape \(\) of "),
    "name in an array": (
        "x.zarr",
        named_array,
        r"must be given without a name after '::'.*; got 'x'",
    ),
}


@pytest.mark.parametrize(("name", "make", "message"), BAD.values(), ids=BAD)
def test_damaged_file_is_refused_by_name(
    name: str, make: Callable[[Path], Any], message: str, tmp_path: Path
) -> None:
    source = make(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name}(::\w+)?' {message}"):
        rows_of(source)


def test_damaged_file_of_a_dataset_is_refused_by_name(tmp_path: Path) -> None:
    path = damaged_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=rf"^file '.*x.parquet' {TO_THE_END}"):
        rows_of(dataset.dataset(path))


@pytest.mark.parametrize("size", [None, 300])
def test_damaged_group_of_rows_is_refused_by_name(size: int | None, tmp_path: Path) -> None:
    path = damaged_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=rf"^file '.*x.parquet' {TO_THE_END}"):
        list(scan(path, block_size=size).blocks())


def test_dataset_of_a_closed_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["X"] = X
        rows, closed = scan(file["X"]), file["X"]
    message = (
        r"^source must be a dataset of an HDF5 file that is open; got .* closed\. Open the file"
    )
    with pytest.raises(ValueError, match=message):
        scan(closed)
    with pytest.raises(ValueError, match=message):
        list(rows.blocks())


def test_file_that_cannot_be_read_as_somebody_writes_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, X)
    reading = scan(path, block_size=100).blocks()
    next(reading)
    os.truncate(path, 50_011)
    with pytest.raises(RowsChangedError, match=r"x\.npy' must stay as it is") as raised:
        list(reading)
    assert isinstance(raised.value.__context__, ValueError)


CHANGED = {
    "nan": (np.nan, ValueError, r"x\.npy' must be finite; row 1234, column 1 is nan\."),
    "large": (1e300, RowsChangedError, r"x\.npy' must have the same rows each time .* other ones"),
}


@pytest.mark.parametrize(("value", "error", "message"), CHANGED.values(), ids=CHANGED)
@pytest.mark.parametrize("labels", [None, -np.ones(len(X), dtype=int)])
def test_numbers_that_change_where_nothing_shows_it_are_named_when_a_fit_fails(
    value: float, error: type[Exception], message: str, labels: Any, tmp_path: Path
) -> None:
    path = tmp_path / "x.npy"
    np.save(path, X)
    rows = scan(path, block_size=500)

    def change(*_: Any) -> None:
        status = path.stat()
        numbers = X.copy()
        numbers[1234, 1] = value
        np.save(path, numbers)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(error, match=message) as raised:
        fit_gmm(rows, 2, rng=0, tol=0, max_iter=30, callback=change, labels=labels)
    assert isinstance(raised.value.__context__, FitError)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "feather"])
def test_weight_that_is_no_number_is_refused_at_scan(suffix: str, tmp_path: Path) -> None:
    table = written.table_of(X).append_column("text", pa.array(["one"] * len(X)))
    path = tmp_path / f"x.{suffix}"
    {
        "parquet": parquet.write_table,
        "csv": pa.csv.write_csv,
        "feather": feather.write_feather,
    }[suffix](table, path)
    with pytest.raises(TypeError, match=r"must hold real numbers; column 'text' is of type string"):
        scan(path, weight="text")


SCANNED = scan([X])
NOT_SOURCES: dict[str, tuple[Any, str]] = {
    "bytes": (
        b"x.npy",
        r"got b'x\.npy' \(bytes\)\. Pass the path as text: os\.fsdecode\(source\)\.",
    ),
    "scanned": (
        SCANNED,
        r"got <BlockedRows: .*>, which scan has returned\. Pass them to the function",
    ),
    "scanner": (
        dataset.dataset(written.table_of(X)).scanner(),
        r"\(Scanner\)\. Pass the dataset itself, or the method: scan\(source\.to_batches\)\.",
    ),
    "number": (3, r"got 3 \(int\)\. Pass one of these, or a function"),
    "several": ({"X": X}, r"\(dict\)\. Pass one of the arrays in it\."),
}


@pytest.mark.parametrize(("source", "message"), NOT_SOURCES.values(), ids=NOT_SOURCES)
def test_what_cannot_be_scanned_is_refused_with_what_to_do(source: Any, message: str) -> None:
    with pytest.raises(TypeError, match=rf"^source must be .*{message}"):
        scan(source)


def test_method_of_a_scanner_can_be_scanned() -> None:
    scanner = dataset.dataset(written.table_of(X)).scanner()
    assert fit_gmm(scan(scanner.to_batches), 1).n_samples == len(X)


def test_several_arrays_in_one_file_are_refused_with_what_to_do(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", X=X)
    with pytest.raises(
        ValueError, match=r"got '.*x\.npz'\. Save its array of rows by itself, with "
    ):
        scan(tmp_path / "x.npz")


def test_columns_of_rows_that_were_scanned_are_refused_with_what_to_do() -> None:
    message = (
        r"^X must be rows that were not scanned where columns is given; got <BlockedRows: .*>\. "
        r"Choose the columns there: mixtura\.scan\(source, columns=\[1\]\)\.$"
    )
    with pytest.raises(TypeError, match=message):
        fit_gmm(SCANNED, 2, columns=[1])


def test_columns_that_are_a_slice_are_refused() -> None:
    with pytest.raises(TypeError, match=r"got slice\(.*\. Leave it out for all columns\.$"):
        scan([X], columns=slice(None))  # type: ignore[arg-type]
