"""Read numbers from what users pass: arrays, frames of columns, tensors.

No other library is imported for any of it. An object is known by its own methods and protocols:
pandas frames, polars frames, pyarrow tables, anything that streams Arrow columns, DLPack,
``__array__``.

Numbers are used where they are. For a frame this needs columns at equal distances in memory with
nothing between them, as those of one block are (pandas, polars), or those of a memory-mapped Arrow
file. pandas, polars and pyarrow see only some of these cases, so addresses are compared here, for
all frames alike. Other columns have to be put side by side, which is the one copy that is made of a
frame.
"""

from __future__ import annotations

import copy
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "REAL_KINDS",
    "Names",
    "Table",
    "check_ordered",
    "column_names",
    "described",
    "is_missing",
    "listed",
    "real_array",
    "real_objects",
    "refuse_repeated_names",
    "repetitions",
]

Names = tuple[str, ...]

REAL_KINDS = "biuf"
HOST_DEVICES = (1, 3, 11)  # DLPack's numbers of the CPU, and of CUDA's and ROCm's pinned memory
MOST_LISTED = 12
HEADER, ARROW_ALIGNMENT = 16, 64  # bytes


def real_array(values: Any, name: str) -> tuple[NDArray[Any], Names | None]:
    """Real numbers as float32 where they are, else float64, and the names of a frame's columns.

    Parameters
    ----------
    values : object
        Whatever the user passed.
    name : str
        What messages call it.

    Returns
    -------
    array : ndarray
        In native byte order, aligned, of any strides.
    names : tuple of str or None
        None where columns have no names, or none but 0, 1, 2, ... or numbers that repeat.

    Raises
    ------
    TypeError
        For what is not real numbers, is sparse, or lies on a GPU.
    ValueError
        For masked values and ragged lists.
    """
    table = Table(values, name)
    return table.numbers(), table.names


class Table:
    """What a user passed, its columns known but not yet converted to numbers.

    Parameters
    ----------
    values : object
        Anything that `real_array` takes; some streams can be read only once.
    name : str
        What messages call it.

    Attributes
    ----------
    shape : tuple of int
    names : tuple of str or None
        Of the columns; None where they have none, or none but 0, 1, 2, ... or numbers that repeat.
    """

    def __init__(self, values: Any, name: str) -> None:
        _refuse_out_of_reach(values, name)
        self._name = name
        frame = _frame(values, name)
        if frame is None:
            self._array = _plain_array(values, name)
            if self._array.dtype == object:
                self._array = real_objects(self._array)
            if self._array.dtype.kind not in REAL_KINDS:
                raise TypeError(_description_of_unreal(self._array, name))
            self._columns: Sequence[Any] | None = None
            self.shape: tuple[int, ...] = self._array.shape
            self._labels = tuple(_labels_along_second_axis(values))
        else:
            labels, self._columns = frame
            self._labels = tuple(labels)
            self.shape = (len(self._columns[0]) if len(self._columns) else 0, len(self._columns))
        self.names = column_names(self._labels, name)

    def selected(self, chosen: Sequence[int]) -> Table:
        """Return the columns at some positions, not yet converted to numbers."""
        table = copy.copy(self)
        table.shape = (self.shape[0], len(chosen))
        if self._columns is None:
            table._array = self._array[:, _as_slice(chosen)]
        else:
            table._columns = [self._columns[a] for a in chosen]
        table._labels = tuple(self._labels[a] for a in chosen) if self._labels else ()
        table.names = None if self.names is None else tuple(self.names[a] for a in chosen)
        return table

    def owned(self) -> Table:
        """Return the same table in memory of its own, not yet converted to numbers."""
        table = copy.copy(self)
        if self._columns is None:
            table._array = self._array.copy(order="K")
            return table
        columns = [_column(column) for column in self._columns]
        if len({(column.dtype, column.shape) for column in columns}) == 1:
            table._columns = list(np.stack(columns))  # side by side, so that no other copy is made
        else:
            table._columns = [column.copy() for column in columns]
        return table

    def numbers(self, chosen: Sequence[int] | None = None) -> NDArray[Any]:
        """Return the numbers, see `real_array`, of all columns or of some positions."""
        if self._columns is None:
            array = self._array if chosen is None else self._array[:, _as_slice(chosen)]
        else:
            chosen = range(len(self._columns)) if chosen is None else chosen
            labelled = [(self._labels[a], self._columns[a]) for a in chosen]
            array = _side_by_side(labelled, self._name)
        dtype: Any = np.float32 if array.dtype.type is np.float32 else np.float64
        with np.errstate(over="ignore"):  # of long doubles: infinity, which is refused by name
            return np.require(array, dtype, "A")


def _as_slice(positions: Sequence[int]) -> slice | list[int]:
    """Positions as a slice where they ascend by equal steps, so that nothing has to be copied."""
    if len(positions) == 0:
        return slice(0, 0)
    step = positions[1] - positions[0] if len(positions) > 1 else 1
    end = positions[-1] + 1
    if step > 0 and list(positions) == list(range(positions[0], end, step)):
        return slice(positions[0], end, step)
    return list(positions)


def is_missing(value: Any) -> bool:
    """Whether it stands for an unknown value: None, NaN, NaT or pandas.NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # of pandas.NA, which is neither equal nor unequal; of arrays
        return type(value).__name__ == "NAType"


def described(value: object) -> str:
    """Return the value as a message shows it: short, and with its kind."""
    text = repr(value)
    shown = text if len(text) <= 40 and "\n" not in text else f"{text.split(chr(10))[0][:37]}..."
    return f"{shown} ({type(value).__name__})"


def listed(names: Sequence[Any]) -> str:
    """Return names between commas, as many as anybody reads."""
    shown = ", ".join(map(repr, names[:MOST_LISTED]))
    return shown + f" and {len(names) - MOST_LISTED} more" * (len(names) > MOST_LISTED)


def _refuse_out_of_reach(values: Any, name: str) -> None:
    """Sparse, masked, or in the memory of a GPU."""
    if any(callable(getattr(values, dense, None)) for dense in ("toarray", "todense")):
        raise TypeError(
            f"{name} must be a dense array; got a sparse {type(values).__name__}. "
            f"Use {name}.toarray()."
        )
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(
            f"{name} must not have masked values; got {int(np.sum(values.mask))} of them. "
            f"Drop their rows or fill them in."
        )
    library = type(values).__module__.partition(".")[0]
    device = values.__dlpack_device__()[0] if hasattr(values, "__dlpack_device__") else 1
    on_gpu = library in ("cudf", "cupy") or hasattr(values, "__cuda_array_interface__")
    if on_gpu or device not in HOST_DEVICES:
        raise TypeError(
            f"{name} must be in the memory of the CPU; got a {library} "
            f"{type(values).__name__} on a GPU. Copy it there first, for example with "
            f"{name}.cpu() in torch, {name}.get() in cupy or {name}.to_pandas() in cudf."
        )


def _frame(values: Any, name: str) -> tuple[Iterable[Any], Sequence[Any]] | None:
    """Labels and columns of a frame; None for anything else."""
    if isinstance(values, np.ndarray):
        fields = values.dtype.names
        return None if fields is None else (fields, [values[field] for field in fields])
    if hasattr(values, "iloc") and getattr(values, "ndim", None) == 2:  # pandas
        return values.columns, [values.iloc[:, a] for a in range(values.shape[1])]
    if hasattr(values, "get_columns"):  # polars
        return values.columns, values.get_columns()
    if hasattr(values, "column_names") and hasattr(values, "itercolumns"):  # pyarrow
        return values.column_names, values.columns
    if hasattr(values, "__arrow_c_stream__") and not hasattr(values, "__array__"):
        try:
            import pyarrow as pa
        except ImportError as error:
            raise TypeError(
                f"{name} is a {type(values).__name__}, which is read by way of pyarrow, which is "
                f"not installed. Install it with: pip install pyarrow."
            ) from error
        table = pa.table(values)
        return table.column_names, table.columns
    return None


def _plain_array(values: Any, name: str) -> NDArray[Any]:
    if hasattr(values, "__dlpack__") and not isinstance(values, np.ndarray):
        try:
            return np.from_dlpack(values)
        except (BufferError, RuntimeError) as error:
            raise TypeError(
                f"{name} is a {type(values).__name__} that NumPy cannot read through DLPack: "
                f"{error} Pass a detached one of float32 or float64."
            ) from error
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{name} must be an array of numbers, all its rows of one length; NumPy could not "
            f"make one: {error} Give every row the same number of values."
        ) from error


def _labels_along_second_axis(values: Any) -> Iterable[Any]:
    """What xarray calls the columns."""
    dims, coordinates = getattr(values, "dims", None), getattr(values, "coords", {})
    if isinstance(dims, tuple) and len(dims) == 2 and dims[1] in coordinates:
        labels: Iterable[Any] = coordinates[dims[1]].values
        return labels
    return ()


def column_names(labels: Sequence[Any], name: str) -> Names | None:
    """Labels as text; None where they only count the columns from 0.

    Labels without any text that repeat, as after joining frames without names, are no names.
    """
    if not any(isinstance(label, str) for label in labels):
        counting = all(isinstance(label, Real) and label == a for a, label in enumerate(labels))
        if counting or len(set(labels)) < len(labels):
            return None
    # pandas may keep None among text as NaN.
    is_nan = (isinstance(label, float) and math.isnan(label) for label in labels)
    names = tuple(str(None if nan else each) for nan, each in zip(is_nan, labels, strict=True))
    refuse_repeated_names(names, name)
    return names


def refuse_repeated_names(names: Iterable[str], name: str = "X") -> None:
    """Refuse columns of one name, all such names at once."""
    if repeated := repetitions(names):
        raise ValueError(
            f"{name} must have a name of its own for each column; got {repeated}. "
            f"Rename these columns."
        )


def check_ordered(names: object, expected: str) -> None:
    """Raise an error for names in no order, whose keys or items would be taken as they come."""
    if isinstance(names, Mapping | set | frozenset):
        raise TypeError(
            f"{expected}; got {described(names)}, which has no order that counts. Pass a list."
        )


def repetitions(names: Iterable[Any]) -> str:
    """Return each name that occurs several times, and how often; empty where none does."""
    times = {name: count for name, count in Counter(names).items() if count > 1}
    return ", ".join(
        f"{name!r} {'twice' if count == 2 else f'{count} times'}" for name, count in times.items()
    )


def _side_by_side(labelled_columns: Sequence[tuple[Any, Any]], name: str) -> NDArray[Any]:
    """Columns as one array: where they are, if they lie at equal distances, else a copy."""
    if len(labelled_columns) == 0:
        return np.empty((0, 0))
    columns = _real_columns(labelled_columns, name)
    first = columns[0].__array_interface__
    distances = np.diff([column.__array_interface__["data"][0] for column in columns])
    alike = all((c.dtype, c.strides) == (columns[0].dtype, columns[0].strides) for c in columns)
    distance = int(distances[0]) if len(distances) else 0
    if alike and (distances == distance).all() and _has_nothing_between(columns, distance):
        interface = first | {
            "shape": (len(columns[0]), len(columns)),
            "strides": (columns[0].strides[0], distance),
            "data": (first["data"][0], True),  # read-only
        }
        # The array keeps this object alive as its base, and so the memory of every column.
        return np.asarray(SimpleNamespace(columns=columns, __array_interface__=interface))
    together = np.empty((len(columns), len(columns[0])), dtype=np.result_type(*columns))
    for row, column in zip(together, columns, strict=True):
        row[:] = column
    return together.T


def _has_nothing_between(columns: Sequence[NDArray[Any]], distance: int) -> bool:
    """Whether no array of others can lie between columns at this distance in memory.

    NumPy takes an array for all memory from its first byte to its last. Where that holds the copy
    of the array too, it copies to a third place first, which may be no better, and so on for ever.
    """
    owners = [_owner(column) for column in columns]
    if all(owner is owners[0] for owner in owners):
        return True
    first = columns[0]
    between = abs(distance) - (len(first) - 1) * abs(first.strides[0]) - first.itemsize
    # Before memory of its own an array has a header of the allocator; Arrow's buffers begin at
    # multiples of 64 bytes, and nothing of NumPy's lies among them.
    return between <= (HEADER if owners[0].base is None else ARROW_ALIGNMENT)


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array that this one is a view of, at the root."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _real_columns(labelled_columns: Sequence[tuple[Any, Any]], name: str) -> list[NDArray[Any]]:
    """Columns as arrays of real numbers, NaN where one is missing."""
    columns = [_column(column) for _, column in labelled_columns]
    unreal = [
        (label, array)
        for (label, _), array in zip(labelled_columns, columns, strict=True)
        if array.dtype.kind not in REAL_KINDS or array.ndim != 1
    ]
    if not unreal:
        return columns
    got, remedy = _description_of_unreal_column(*unreal[0])
    if len(unreal) > 1:
        got += f", and columns {listed([label for label, _ in unreal])} hold no real numbers"
    raise TypeError(f"{name} must hold real numbers; got {got}. {remedy}")


def _column(column: Any) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(column)
    kind = getattr(getattr(column, "dtype", None), "kind", "O")
    if array.dtype == object and kind in REAL_KINDS:  # of pandas, with pandas.NA
        array = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return real_objects(array) if array.dtype == object else array


def real_objects(array: NDArray[Any]) -> NDArray[Any]:
    """Objects as real numbers, NaN where one is missing; the array itself where there are others.

    Columns of polars or pyarrow with nulls among booleans are such, too.
    """
    missing = np.array([is_missing(value) for value in array.flat], dtype=bool).reshape(array.shape)
    if array.ndim == 0 or not all(isinstance(value, Real) for value in array[~missing]):
        return array
    try:
        return np.where(missing, np.nan, array).astype(np.float64)
    except OverflowError:  # of an integer
        return array


def _description_of_unreal_column(label: object, array: NDArray[Any]) -> tuple[str, str]:
    """Return what a column holds, and what to do."""
    got, remedy = f"column {label!r} of dtype {array.dtype}", "Select columns of numbers."
    if array.ndim > 1:
        return f"column {label!r} with values of shape {array.shape[1:]}", remedy
    for row, value in enumerate(array.tolist() if array.dtype.kind in "OUS" else ()):
        if not isinstance(value, Real) and not is_missing(value):
            got = f"{described(value)} in row {row}, column {label!r}"
            if _becomes_float(value):
                remedy = "Convert such columns to float."
            break
    return got, remedy


def _becomes_float(value: Any) -> bool:
    """Whether something that is no number becomes one by itself: a decimal, or text of digits."""
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _description_of_unreal(array: NDArray[Any], name: str) -> str:
    """Return the message for an array that does not hold real numbers."""
    got = f"an array of dtype {array.dtype}"
    remedy = f"Convert it with {name}.astype(float)."
    if array.dtype.kind == "c":
        remedy = f"Use {name}.real, or its real and imaginary parts as two features."
    elif array.ndim == 0:
        value = array.item()
        got, remedy = described(value), "Pass an array."
        computed = [way for way in ("toPandas", "collect", "compute") if hasattr(value, way)]
        if computed:
            got = f"a {type(value).__name__}, which has not been computed"
            remedy = f"Pass {name}.{computed[0]}()."
        elif isinstance(value, str | os.PathLike) or callable(value):
            remedy = "Pass an array; rows in files, or from a function, are mixtura.scan(...)."
    elif array.dtype == object:
        for index, value in np.ndenumerate(array):
            if not isinstance(value, Real) and not is_missing(value):
                got = f"an object array in which element {index} is {described(value)}"
                if not _becomes_float(value):
                    remedy = "Pass numbers, and NaN for missing values."
                break
    return f"{name} must hold real numbers; got {got}. {remedy}"
