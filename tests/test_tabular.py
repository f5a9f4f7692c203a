"""Data as people have them: frames, tensors and arrays of every kind give the same numbers."""

import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clusters import clustered

from mixtura import GaussianMixture, bootstrap_lrt, fit_gmm, fit_kmeans, select_gmm
from mixtura.tabular import real_array
from mixtura.validation import check_rows

A = np.array([[0.0, 1.0, 7.0], [1.0, 0.5, 6.0], [4.0, 5.0, 5.0], [5.0, 4.5, 3.0]])
NAMES = ("a", "b", "c")
COLUMNS = dict(zip(NAMES, A.T, strict=True))


def pandas(what: str, *arguments: object, **options: object) -> object:
    return getattr(pytest.importorskip("pandas"), what)(*arguments, **options)


def polars(what: str, *arguments: object, **options: object) -> object:
    return getattr(pytest.importorskip("polars"), what)(*arguments, **options)


def pyarrow(what: str, *arguments: object, **options: object) -> object:
    return getattr(pytest.importorskip("pyarrow"), what)(*arguments, **options)


def xarray(*arguments: object, **options: object) -> object:
    return pytest.importorskip("xarray").DataArray(*arguments, **options)


def structured() -> np.ndarray:
    records = np.zeros(len(A), [("a", "f8"), ("b", "f8"), ("c", "f8")])
    for name, column in COLUMNS.items():
        records[name] = column
    return records


def arrow_in_pieces() -> object:
    return pyarrow("concat_tables", [pyarrow("table", {n: c[s] for n, c in COLUMNS.items()})
                                     for s in (slice(0, 1), slice(1, 4))])  # fmt: skip


class Streamed:
    """An object of another library, which only streams Arrow columns, and only once."""

    def __init__(self, table: object) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        table, self._table = self._table, None
        return table.__arrow_c_stream__(requested_schema)


class Tensor:
    """A tensor of another library: DLPack and nothing else."""

    def __init__(self, array: np.ndarray, device: int = 1) -> None:
        self._array, self._device = array, device

    def __dlpack__(self, **options: object) -> object:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self._device, 0)


class Arrayed:
    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return A


FRAMES: dict[str, Callable[[], object]] = {
    "pandas of one block": lambda: pandas("DataFrame", A, columns=NAMES),
    "pandas of columns": lambda: pandas("DataFrame", COLUMNS),
    "pandas of mixed types": lambda: pandas("DataFrame", COLUMNS).astype(
        {"a": "int64", "c": "float32"}
    ),
    "pandas nullable": lambda: pandas("DataFrame", COLUMNS).convert_dtypes(),
    "pandas of arrow": lambda: pandas("DataFrame", COLUMNS).astype("double[pyarrow]"),
    "polars": lambda: polars("DataFrame", COLUMNS),
    "polars of one array": lambda: polars("DataFrame", np.asfortranarray(A), schema=list(NAMES)),
    "pyarrow": lambda: pyarrow("table", COLUMNS),
    "pyarrow in pieces": arrow_in_pieces,
    "pyarrow batch": lambda: pyarrow("table", COLUMNS).to_batches()[0],
    "a stream of arrow": lambda: Streamed(pyarrow("table", COLUMNS)),
    "xarray with names": lambda: xarray(A, dims=("x", "y"), coords={"y": list(NAMES)}),
    "structured array": structured,
}
NAMELESS: dict[str, Callable[[], object]] = {
    "pandas without names": lambda: pandas("DataFrame", A),
    "xarray without names": lambda: xarray(A),
    "xarray with numbers": lambda: xarray(A, dims=("x", "y"), coords={"y": [1, 2, 3]}),
    "dlpack": lambda: Tensor(A),
    "torch": lambda: pytest.importorskip("torch").from_numpy(A.copy()),
    "torch transposed": lambda: pytest.importorskip("torch").from_numpy(A.T.copy()).T,
    "__array__": Arrayed,
    "list": lambda: A.tolist(),
}
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


@every_frame
def test_fit_of_a_frame_is_the_fit_of_its_array_with_names(make: Callable[[], object]) -> None:
    frame = make()
    fit = fit_gmm(frame, 2, covariance_type="diag", init=[0, 0, 1, 1])
    assert fit.model.feature_names == NAMES
    assert fit.model == fit_gmm(A, 2, covariance_type="diag", init=[0, 0, 1, 1]).model
    assert all(f"\n  {name} " in fit.summary() for name in NAMES)
    np.testing.assert_array_equal(fit.model.predict(make()), [0, 0, 1, 1])
    clusters = fit_kmeans(make(), 2, rng=0)
    assert clusters.feature_names == NAMES
    np.testing.assert_array_equal(clusters.predict(make()), clusters.labels)


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
    distances = np.diff([np.asarray(c).__array_interface__["data"][0] for c in columns])
    shared = [np.shares_memory(array, np.asarray(column)) for column in columns]
    assert all(shared) == (len(set(distances)) == 1)
    if name in ("pandas of one block", "polars of one array", "structured array"):
        assert all(shared)


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


def test_memory_map_is_fitted_where_it_is(tmp_path: Path) -> None:
    X = clustered()[0]
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.shares_memory(real_array(mapped, "X")[0], mapped)
    assert fit_gmm(mapped, 3, rng=0).model == fit_gmm(X, 3, rng=0).model


def test_names_stay_with_the_models_of_a_selection_and_of_a_test() -> None:
    X = clustered(40, 3, 2, seed=0)[0]
    frame = pandas("DataFrame", X, columns=NAMES)
    selection = select_gmm(frame, [1, 2], ["EII", "VVI"], n_init=1, rng=0)
    assert {fit.model.feature_names for fit in selection.fits.values()} == {NAMES}
    plain = select_gmm(X, [1, 2], ["EII", "VVI"], n_init=1, rng=0)
    assert all(plain.fits[which].model == fit.model for which, fit in selection.fits.items())
    test = bootstrap_lrt(frame, 1, n_bootstrap=1, n_init=1, rng=0)
    assert test.null.model.feature_names == test.alternative.model.feature_names == NAMES


MODEL = GaussianMixture([1.0], [[0.0, 0.0, 0.0]], np.eye(3), "tied", feature_names=NAMES)


@pytest.mark.parametrize(
    ("columns", "difference"),
    [
        (["a", "b", "z"], "it lacks 'c' and it has 'z' besides"),
        (["a", "b"], "it lacks 'c'"),
        (["a", "b", "c", "z"], "it has 'z' besides"),
        (["b", "a", "c"], "it has 'b', 'a', 'c'"),
    ],
)
def test_later_frame_with_other_columns_is_refused_with_the_difference(
    columns: list[str], difference: str
) -> None:
    frame = pandas("DataFrame", np.zeros((5, len(columns))), columns=columns)
    message = (
        f"X must have the columns 'a', 'b', 'c'; {difference}. Select these columns, in this order."
    )
    for method in (MODEL.log_prob, MODEL.component_log_prob, MODEL.predict, MODEL.responsibilities,
                   MODEL.log_likelihood, MODEL.bic):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            method(frame)
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_gmm(frame, 1, covariance_type="tied", init=MODEL)
    clusters = fit_kmeans(FRAMES["pandas of columns"](), 2, rng=0)
    with pytest.raises(ValueError, match=re.escape(message)):
        clusters.predict(frame)


def test_array_or_frame_without_names_is_taken_by_a_model_with_names() -> None:
    expected = MODEL.log_prob(A)
    np.testing.assert_array_equal(MODEL.log_prob(pandas("DataFrame", A)), expected)


BAD = {
    "text": (
        lambda: pandas("DataFrame", {"a": [1.0, 2.0], "s": ["x", "y"]}),
        TypeError,
        (
            "X must hold real numbers; got 'x' (str) in row 0, column 's'. "
            "Drop or fill in missing values, and select columns of numbers."
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
        TypeError,
        "X must hold real numbers; got None (NoneType) in row 1, column 'a'.",
    ),
    "no columns": (
        lambda: pandas("DataFrame", index=range(3)),
        ValueError,
        "X must have at least one column; got shape (0, 0). Select a feature.",
    ),
    "a series": (
        lambda: pandas("Series", [1.0, 2.0]),
        ValueError,
        (
            "X must have two dimensions, (n_samples, n_features); got shape (2,). "
            "Use X.to_frame() for one feature, X.reshape(1, -1) for one row."
        ),
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
        fit_gmm(make(), 1)


def test_gpu_array_of_cupy_or_cudf_is_refused() -> None:
    array = type("ndarray", (), {"__module__": "cupy", "__array__": lambda *_: A})()
    device = type("DeviceNDArray", (), {"__module__": "numba.cuda", "__cuda_array_interface__": {}})
    for each, of in ((array, "cupy ndarray"), (device(), "numba DeviceNDArray")):
        message = (
            f"X must be in the memory of the CPU; got a {of} on a GPU. Copy it there first, for "
            "example with X.cpu() in torch, X.get() in cupy or X.to_pandas() in cudf."
        )
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            fit_gmm(each, 1)


def test_stream_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TypeError, match=r"^X is a Streamed, .* pip install pyarrow\.$"):
        fit_gmm(Streamed(None), 1)


def test_frames_are_taken_as_weights_and_labels() -> None:
    fit = fit_gmm(
        A, 2, covariance_type="diag", init=pandas("Series", [0, 0, 1, 1]),
        sample_weight=polars("Series", [1, 2, 1, 2]),
    )  # fmt: skip
    same = fit_gmm(
        A, 2, covariance_type="diag", init=[0, 0, 1, 1], sample_weight=[1.0, 2.0, 1.0, 2.0]
    )
    assert fit.model == same.model


def test_import_and_fit_of_arrays_import_nothing_else() -> None:
    code = (
        "import sys, numpy, mixtura; mixtura.fit_gmm(numpy.ones((3, 1)).cumsum(0), 1);"
        "print([m for m in ('pandas', 'polars', 'pyarrow', 'xarray', 'torch', 'tqdm')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
