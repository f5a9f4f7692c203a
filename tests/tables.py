"""The same numbers in frames, tensors and arrays of every kind, for the tests of rows and fits."""

from collections.abc import Callable

import numpy as np
import pytest

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
    "xarray with numbers": lambda: xarray(A, dims=("x", "y"), coords={"y": [0, 1, 2]}),
    "dlpack": lambda: Tensor(A),
    "torch": lambda: pytest.importorskip("torch").from_numpy(A.copy()),
    "torch transposed": lambda: pytest.importorskip("torch").from_numpy(A.T.copy()).T,
    "__array__": Arrayed,
    "list": lambda: A.tolist(),
}
