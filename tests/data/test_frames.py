"""Frames, tensors and arrays of every kind give the same numbers."""

import re
import sys
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from tables import (
    COLUMNS,
    FRAMES,
    NAMELESS,
    NAMES,
    A,
    Streamed,
    Tensor,
    pandas,
    polars,
    pyarrow,
    xarray,
)

from mixtura.data import open_rows
from mixtura.data.checks import check_rows
from mixtura.data.frames import Table, described, listed, real_array

every_frame = pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)


@every_frame
def test_frame_gives_its_numbers_and_names(make: Callable[[], object]) -> None:
    array, names = real_array(make(), "X")
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, A)
    assert names == NAMES


@pytest.mark.parametrize("make", NAMELESS.values(), ids=NAMELESS)
def test_array_without_names_gives_its_numbers(make: Callable[[], object]) -> None:
    array, names = real_array(make(), "X")
    np.testing.assert_array_equal(array, A)
    assert names is None


def test_float32_frame_stays_float32() -> None:
    frame = pandas("DataFrame", A, columns=NAMES).astype(np.float32)
    assert real_array(frame, "X")[0].dtype == np.float32


@pytest.mark.parametrize("name", ["pandas of one block", "pandas of columns", "polars",
                                  "polars of one array", "structured array"])  # fmt: skip
def test_columns_at_equal_distances_are_not_copied(name: str) -> None:
    frame = FRAMES[name]()
    columns = [frame.iloc[:, a] if hasattr(frame, "iloc") else frame[n]
               for a, n in enumerate(NAMES)]  # fmt: skip
    array = real_array(frame, "X")[0]
    shared = [np.shares_memory(array, np.asarray(column)) for column in columns]
    assert all(shared) == any(shared)
    if name in ("pandas of one block", "polars of one array", "structured array"):
        assert all(shared)


def far_apart() -> list[np.ndarray]:
    """Two columns that were allocated one by one, with others between them."""
    several = [np.arange(1000.0) + i for i in range(5)]
    several.sort(key=lambda column: column.ctypes.data)
    return [several[0], several[4]]


@pytest.mark.parametrize(
    "frame",
    [
        lambda: pandas("DataFrame", dict(zip("ab", far_apart(), strict=True)), copy=False),
        lambda: pandas("DataFrame", dict(zip("ab", far_apart()[::-1], strict=True)), copy=False),
        lambda: pyarrow("table", dict(zip("ab", far_apart(), strict=True))),
        lambda: polars("DataFrame", {"a": np.arange(9.0), "b": polars("Series", [0.5] * 9)}),
    ],
    ids=["pandas", "pandas backwards", "pyarrow", "polars"],
)
def test_columns_with_other_memory_between_them_are_copied(frame: Callable[[], object]) -> None:
    """NumPy's copy of an array never ends where the copy lies between the columns of the array."""
    values = frame()
    array = real_array(values, "X")[0]
    column_bytes = len(array) * array.itemsize
    assert abs(array.strides[1]) < column_bytes + 64
    columns = [values["a"], values["b"]]
    np.testing.assert_array_equal(array, np.column_stack([np.asarray(c) for c in columns]))


def test_memory_mapped_arrow_file_is_not_copied(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({name: np.arange(100_000.0) + i for i, name in enumerate("abcdef")})
    with pa.ipc.new_file(tmp_path / "t.arrow", table.schema) as file:
        file.write_table(table)
    tracemalloc.start()
    with pa.memory_map(str(tmp_path / "t.arrow")) as mapped:
        before = pa.total_allocated_bytes()
        array = check_rows(pa.ipc.open_file(mapped).read_all())
        assert pa.total_allocated_bytes() - before < 100_000
    assert tracemalloc.get_traced_memory()[1] < 500_000  # of 4.8 million
    tracemalloc.stop()
    np.testing.assert_array_equal(array[[0, -1]], [np.arange(6.0), np.arange(6.0) + 99_999])


def test_array_keeps_the_memory_of_a_frame_alive() -> None:
    expected = np.random.default_rng(0).normal(size=(50_000, 4))
    array = real_array(pandas("DataFrame", expected.copy(), columns=list("abcd")), "X")[0]
    [np.full(expected.shape, np.nan) for _ in range(10)]  # memory let go of would be used again
    np.testing.assert_array_equal(array, expected)


def test_memory_map_is_used_where_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", A)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.shares_memory(real_array(mapped, "X")[0], mapped)


@every_frame
@pytest.mark.parametrize("chosen", [[1], [2, 0], [0, 2], [1, 1], []])
def test_table_gives_the_columns_that_are_chosen(
    make: Callable[[], object], chosen: list[int]
) -> None:
    table = Table(make(), "X")
    assert (table.shape, table.names) == (A.shape, NAMES)
    if chosen:
        np.testing.assert_array_equal(table.numbers(chosen), A[:, chosen])


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("chosen", [[1], [0, 2], [1, 2], [0, 1, 2]])
def test_table_of_an_array_chooses_columns_at_equal_distances_without_a_copy(
    order: str, chosen: list[int]
) -> None:
    X = np.asarray(A, order=order)
    array = Table(X, "X").numbers(chosen)
    assert np.shares_memory(array, X)
    np.testing.assert_array_equal(array, A[:, chosen])


@pytest.mark.parametrize("chosen", [[2, 0], [1, 1], [0, 2, 1], []])
def test_table_of_an_array_copies_other_columns(chosen: list[int]) -> None:
    array = Table(A, "X").numbers(chosen)
    assert not np.shares_memory(array, A) or not chosen
    np.testing.assert_array_equal(array, A[:, chosen])


def test_table_converts_no_column_that_is_not_chosen() -> None:
    frame = pandas("DataFrame", {"s": ["x", "y"], "a": [1.0, 2.0]})
    np.testing.assert_array_equal(Table(frame, "X").numbers([1]), [[1.0], [2.0]])


FLAT = "X must have two dimensions, (n_samples, n_features); got shape (2,). Use {}."
BAD = {
    "text": (
        lambda: pandas("DataFrame", {"a": [1.0, 2.0], "s": ["x", "y"]}),
        TypeError,
        (
            "X must hold real numbers; got 'x' (str) in row 0, column 's'. "
            "Select columns of numbers."
        ),
    ),
    "text in polars": (
        lambda: polars("DataFrame", {"a": [1.0, 2.0], "s": ["x", "y"]}),
        TypeError,
        "X must hold real numbers; got 'x' (str) in row 0, column 's'.",
    ),
    "text in pyarrow": (
        lambda: pyarrow("table", {"a": [1.0, 2.0], "s": ["x", "y"]}),
        TypeError,
        "X must hold real numbers; got 'x' (str) in row 0, column 's'.",
    ),
    "text among numbers": (
        lambda: pandas("DataFrame", {"a": [1.0, 2.0], "s": [3.0, "y"]}),
        TypeError,
        "X must hold real numbers; got 'y' (str) in row 1, column 's'.",
    ),
    "dates": (
        lambda: pandas("DataFrame", {"when": np.array(["2026-01-01"], dtype="datetime64[s]")}),
        TypeError,
        (
            "X must hold real numbers; got column 'when' of dtype datetime64[s]. "
            "Select columns of numbers."
        ),
    ),
    "numbers as text": (
        lambda: pandas("DataFrame", {"a": ["1.5", "2"]}),
        TypeError,
        (
            "X must hold real numbers; got '1.5' (str) in row 0, column 'a'. "
            "Convert such columns to float."
        ),
    ),
    "decimals": (
        lambda: polars("DataFrame", {"a": [Decimal("1.5"), Decimal(2)]}),
        TypeError,
        (
            "X must hold real numbers; got Decimal('1.5') (Decimal) in row 0, column 'a'. "
            "Convert such columns to float."
        ),
    ),
    "decimals in a list": (
        lambda: [[Decimal("1.5")], [Decimal(2)]],
        TypeError,
        (
            "X must hold real numbers; got an object array in which element (0, 0) is "
            "Decimal('1.5') (Decimal). Convert it with X.astype(float)."
        ),
    ),
    "vectors in a column": (
        lambda: polars("DataFrame", {"a": np.ones((3, 2))}),
        TypeError,
        (
            "X must hold real numbers; got column 'a' with values of shape (2,). "
            "Select columns of numbers."
        ),
    ),
    "the name of a file": (
        lambda: "data.csv",
        TypeError,
        (
            "X must hold real numbers; got 'data.csv' (str). Pass an array; rows in files, or "
            "from a function, are mixtura.scan(...)."
        ),
    ),
    "missing in pandas": (
        lambda: pandas("DataFrame", {"a": [1.0, 2.0], "b": [3.0, None]}),
        ValueError,
        "X must be finite; row 1, column 'b' is nan. Drop the row or fill in the value.",
    ),
    "missing nullable integer": (
        lambda: pandas("DataFrame", {"a": pandas("array", [1, None], dtype="Int64")}),
        ValueError,
        "X must be finite; row 1, column 'a' is nan.",
    ),
    "missing nullable boolean": (
        lambda: pandas("DataFrame", {"a": pandas("array", [True, None], dtype="boolean")}),
        ValueError,
        "X must be finite; row 1, column 'a' is nan.",
    ),
    "missing in polars": (
        lambda: polars("DataFrame", {"a": [1, 2], "b": [None, 3]}),
        ValueError,
        "X must be finite; row 0, column 'b' is nan.",
    ),
    "missing in pyarrow": (
        lambda: pyarrow("table", {"a": [1.0, 2.0], "b": [3, None]}),
        ValueError,
        "X must be finite; row 1, column 'b' is nan.",
    ),
    "missing boolean in pyarrow": (
        lambda: pyarrow("table", {"a": [True, None]}),
        ValueError,
        "X must be finite; row 1, column 'a' is nan.",
    ),
    "no columns": (
        lambda: pandas("DataFrame", index=range(3)),
        ValueError,
        "X must have at least one column; got shape (0, 0). Select a feature.",
    ),
    "a series": (
        lambda: pandas("Series", [1.0, 2.0]),
        ValueError,
        FLAT.format("X.to_frame() for one feature, X.to_frame().T for one row"),
    ),
    "a series of polars": (
        lambda: polars("Series", [1.0, 2.0]),
        ValueError,
        FLAT.format("X.to_frame() for one feature, X.to_frame().transpose() for one row"),
    ),
    "an array of pyarrow": (
        lambda: pyarrow("array", [1.0, 2.0]),
        ValueError,
        FLAT.format(
            "X.to_numpy().reshape(-1, 1) for one feature, X.to_numpy().reshape(1, -1) for one row"
        ),
    ),
    "xarray of one dimension": (
        lambda: xarray(A[0, :2]),
        ValueError,
        FLAT.format(
            "X.to_numpy().reshape(-1, 1) for one feature, X.to_numpy().reshape(1, -1) for one row"
        ),
    ),
    "a list": (
        lambda: [1.0, 2.0],
        ValueError,
        FLAT.format("[[x] for x in X] for one feature, [X] for one row"),
    ),
    "a tensor of one dimension": (
        lambda: Tensor(A[0, :2]),
        ValueError,
        FLAT.format(
            "np.from_dlpack(X).reshape(-1, 1) for one feature, "
            "np.from_dlpack(X).reshape(1, -1) for one row"
        ),
    ),
    "a lazy frame": (
        lambda: polars("LazyFrame", COLUMNS),
        TypeError,
        (
            "X must hold real numbers; got a LazyFrame, which has not been computed. "
            "Pass X.collect()."
        ),
    ),
    "several columns of other types": (
        lambda: pandas("DataFrame", {"a": [1.0, 2.0], "s": ["x", "y"], "t": ["u", None]}),
        TypeError,
        (
            "X must hold real numbers; got 'x' (str) in row 0, column 's', and columns 's', 't' "
            "hold no real numbers. Select columns of numbers."
        ),
    ),
    "several columns with missing values": (
        lambda: pandas("DataFrame", {"a": [1.0, 2.0], "b": [0.0, np.nan], "c": [np.inf, 1.0]}),
        ValueError,
        (
            "X must be finite; row 0, column 'c' is inf, and columns 'b', 'c' have such values. "
            "Drop their rows or fill in the values."
        ),
    ),
    "names twice": (
        lambda: pandas("DataFrame", np.ones((3, 6)), columns=list("abacba")),
        ValueError,
        (
            "X must have a name of its own for each column; got 'a' 3 times, 'b' twice. "
            "Rename these columns."
        ),
    ),
    "names twice in pyarrow": (
        lambda: pyarrow("table", [[1.0], [2.0]], names=["a", "a"]),
        ValueError,
        "X must have a name of its own for each column; got 'a' twice.",
    ),
    "names twice in xarray": (
        lambda: xarray(A, dims=("x", "y"), coords={"y": ["a", "b", "a"]}),
        ValueError,
        "X must have a name of its own for each column; got 'a' twice.",
    ),
    "a number and its text as names": (
        lambda: pandas("DataFrame", np.ones((3, 2)), columns=[1, "1"]),
        ValueError,
        "X must have a name of its own for each column; got '1' twice.",
    ),
    "dlpack on a GPU": (
        lambda: Tensor(A, device=2),
        TypeError,
        "X must be in the memory of the CPU; got a",
    ),
    "tensor with a gradient": (
        lambda: pytest.importorskip("torch").ones(3, 2, requires_grad=True),
        TypeError,
        "X is a Tensor that NumPy cannot read through DLPack: ",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_named_by_column_and_row(
    make: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        open_rows(make())


def test_gpu_array_of_cupy_or_cudf_is_refused() -> None:
    array = type("ndarray", (), {"__module__": "cupy", "__array__": lambda *_: A})()
    device = type("DeviceNDArray", (), {"__module__": "numba.cuda", "__cuda_array_interface__": {}})
    for each, of in ((array, "cupy ndarray"), (device(), "numba DeviceNDArray")):
        message = (
            f"X must be in the memory of the CPU; got a {of} on a GPU. Copy it there first, for "
            "example with X.cpu() in torch, X.get() in cupy or X.to_pandas() in cudf."
        )
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            real_array(each, "X")


def test_stream_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TypeError, match=r"^X is a Streamed, .* pip install pyarrow\.$"):
        real_array(Streamed(None), "X")


def test_described_is_short_and_names_the_kind() -> None:
    assert described(3) == "3 (int)"
    assert described("x" * 50) == f"'{'x' * 36}... (str)"
    assert described(np.zeros((2, 1))) == "array([[0.],... (ndarray)"


def test_listed_shows_twelve_names_at_most() -> None:
    assert listed(NAMES) == "'a', 'b', 'c'"
    assert listed("abcdefghijklmn").endswith("'k', 'l' and 2 more")
