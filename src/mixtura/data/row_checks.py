"""Checks of rows and of their weights, whatever kind of rows it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.finite import finite_rows
from mixtura.data.frames import REAL_KINDS, Names, Table, listed
from mixtura.data.values import contiguous, refuse_negative, refuse_non_finite
from mixtura.shapes import Floats

__all__ = [
    "RowArray",
    "check_column_names",
    "check_n_rows",
    "check_rows",
    "check_rows_shape",
    "check_sample_weight",
    "check_weight_sum",
    "check_weight_values",
    "columns_difference",
    "row_weights",
    "rows_table",
]

RowArray = NDArray[np.float32] | NDArray[np.float64]

LARGEST_WEIGHT_SUM = 1e100  # leaves room for weighted squares of the rows


def check_rows(
    X: ArrayLike,
    *,
    name: str = "X",
    minimum: int = 0,
    n_features: int | None = None,
    feature_names: Names | None = None,
) -> RowArray:
    """Rows as a float32 or float64 array (n_samples, n_features), of any strides."""
    table = rows_table(X, name)
    array = table.numbers()
    check_rows_shape(
        array.shape, table.names, name=name, minimum=minimum, n_features=n_features,
        feature_names=feature_names,
    )  # fmt: skip
    finite_rows(array, name, table.names)
    return array


def rows_table(X: object, name: str = "X") -> Table:
    """Rows that are not yet converted to numbers: a table of two dimensions."""
    table = Table(_with_nan(X), name)
    expected = f"{name} must have two dimensions, (n_samples, n_features); got shape {table.shape}."
    if len(table.shape) == 1:
        one_feature, one_row = (way.replace("X", name) for way in _ways_to_two_dimensions(X))
        raise ValueError(f"{expected} Use {one_feature} for one feature, {one_row} for one row.")
    if len(table.shape) != 2:
        raise ValueError(f"{expected} Arrange it with one row a sample.")
    return table


def _with_nan(X: object) -> object:
    """Rows with NaN in place of masked numbers."""
    if not isinstance(X, np.ma.MaskedArray):
        return X
    if X.dtype.names is not None:
        columns = {name: _with_nan(X[name]) for name in X.dtype.names}
        if all(isinstance(each, np.ma.MaskedArray) for each in columns.values()):
            return X
        records = np.zeros(
            X.shape, [(name, np.asarray(each).dtype) for name, each in columns.items()]
        )
        for name, each in columns.items():
            records[name] = each
        return records
    if X.dtype.kind not in REAL_KINDS or not np.ma.is_masked(X):
        return X
    numbers: np.ma.MaskedArray[Any, Any] = np.ma.asarray(X, None if X.dtype.kind == "f" else float)
    return numbers.filled(np.nan)


def _ways_to_two_dimensions(X: object) -> tuple[str, str]:
    """How a series, a list or an array becomes rows of one feature, and one row."""
    if isinstance(X, list | tuple):
        return "[[x] for x in X]", "[X]"
    if hasattr(X, "to_frame"):  # of pandas, else of polars
        return "X.to_frame()", f"X.to_frame().{'T' if hasattr(X, 'iloc') else 'transpose()'}"
    array = "X"
    if not hasattr(X, "reshape"):
        array = "X.to_numpy()" if hasattr(X, "to_numpy") else "np.from_dlpack(X)"
        array = array if hasattr(X, "to_numpy") or hasattr(X, "__dlpack__") else "np.asarray(X)"
    return f"{array}.reshape(-1, 1)", f"{array}.reshape(1, -1)"


def check_rows_shape(
    shape: tuple[int, ...],
    names: Names | None,
    *,
    name: str = "X",
    minimum: int = 0,
    n_features: int | None = None,
    feature_names: Names | None = None,
    part: str = "component",
) -> None:
    """Check the number of rows, and the number and the names of the columns."""
    n_samples, n_columns = shape
    if n_columns == 0:
        raise ValueError(
            f"{name} must have at least one column; got shape {shape}. Select a feature."
        )
    check_column_names(names, feature_names, name)
    if n_features is not None and n_columns != n_features:
        named = f", {listed(feature_names)}" if feature_names is not None else ""
        raise ValueError(
            f"{name} must have {n_features} column{'s'[: n_features != 1]}{named}; got shape "
            f"{shape}. Select the features that the mixture describes."
        )
    if n_samples < minimum:
        remedy = "Add rows" if minimum == 1 else f"Add rows or ask for fewer {part}s"
        raise ValueError(
            f"{name} must have at least {minimum} row{'s'[: minimum != 1]}; got {n_samples}. "
            f"{remedy}."
        )


def check_column_names(names: Names | None, expected: Names | None, name: str) -> None:
    """Refuse columns of other names, or in another order, where both have names."""
    if names is not None and expected is not None and names != expected:
        raise ValueError(
            f"{name} must have the columns {listed(expected)}; "
            f"{columns_difference(names, expected)}. Select these columns, in this order."
        )


def columns_difference(names: Names, expected: Names) -> str:
    """Say how columns are not those expected."""
    lacking = [name for name in expected if name not in names]
    besides = [name for name in names if name not in expected]
    differences = [f"it lacks {listed(lacking)}"] * bool(lacking)
    differences += [f"it has {listed(besides)} besides"] * bool(besides)
    return " and ".join(differences) or f"it has them in another order, {listed(names)}"


def check_sample_weight(
    sample_weight: ArrayLike | None,
    n_samples: int,
    *,
    minimum_rows: int = 0,
    part: str = "component",
) -> Floats:
    """Weights of the rows, float64 and C-contiguous (n_samples,); None is one for each row."""
    if sample_weight is None:
        array = np.ones(n_samples)
    else:
        array = row_weights(sample_weight, n_samples)
        check_weight_values(array)
        check_weight_sum(array)
    check_n_rows(int(np.count_nonzero(array)), minimum_rows, part)
    return array


def row_weights(
    weights: ArrayLike, n_samples: int, *, name: str = "sample_weight", rows: str = "X"
) -> Floats:
    """Weights of rows, one for each, as float64 and C-contiguous; their values are not checked."""
    array = contiguous(weights, name)
    if array.shape != (n_samples,):
        raise ValueError(
            f"{name} must have shape ({n_samples},), one for each row of {rows}; "
            f"got {array.shape}. Give each row one weight."
        )
    return array


def check_weight_values(weights: Floats, *, name: str = "sample_weight", first: int = 0) -> None:
    """Refuse weights of rows that are negative or not finite; messages count from `first`."""
    remedy = "Drop the row or set it to 0."
    refuse_non_finite(weights, name, ("row",), remedy, first)
    refuse_negative(weights, name, ("row",), remedy, first)


def check_weight_sum(weights: Floats, *, name: str = "sample_weight") -> None:
    """Refuse weights of all rows that are all zero, or whose sum is out of reach."""
    if len(weights) and not weights.any():
        raise ValueError(
            f"{name} must not be zero for all rows; got only zeros. "
            f"Give some row a positive weight."
        )
    with np.errstate(over="ignore"):
        total = weights.sum()
    if len(weights) and not 1.0 / LARGEST_WEIGHT_SUM <= total <= LARGEST_WEIGHT_SUM:
        them = "counts" if name == "counts" else "weights"
        raise ValueError(
            f"{name} must sum to between {1.0 / LARGEST_WEIGHT_SUM:g} and "
            f"{LARGEST_WEIGHT_SUM:g}; got {total:g}. Divide the {them} by the largest."
        )


def check_n_rows(
    n_rows: int, minimum: int, part: str = "component", *, of: str = "with positive weight"
) -> None:
    """Refuse too few rows of a kind: each part, as the caller calls it, needs one."""
    if n_rows < minimum:
        needed = f"row {of} is" if minimum == 1 else f"rows {of} are"
        raise ValueError(
            f"at least {minimum} {needed} needed, one for each {part}; got {n_rows}. "
            f"Add rows or ask for fewer {part}s."
        )
