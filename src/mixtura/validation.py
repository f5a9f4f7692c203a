"""Checks of what users pass in: one place for every door.

Each check returns what the rest of the code may rely on, or raises ValueError (for values) or
TypeError (for kinds) with a message that says what was expected, what came, and what to do. No
check modifies its input, and none copies the rows unless their type or byte order has to change.
Rows, columns, features and components are counted from 0, as in the arrays themselves.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.statistics import FACTOR_SHAPES, FactorShape, Floats, statistics_shape
from mixtura.tabular import Names, described, listed, real_array

__all__ = [
    "Rows",
    "check_centres",
    "check_components",
    "check_count",
    "check_n_threads",
    "check_named_rows",
    "check_number",
    "check_option",
    "check_output",
    "check_resp",
    "check_rng",
    "check_rows",
    "check_rows_sum_to_one",
    "check_sample_weight",
    "check_weights",
]

Rows = NDArray[np.float32] | NDArray[np.float64]
Option = TypeVar("Option", bound=str)

# The axes of each array, as its error messages name them.
ROW_AXES = ("row", "column")
FACTOR_AXES = {
    "full": ("component", "row", "column"),
    "tied": ("row", "column"),
    "diag": ("component", "feature"),
    "spherical": ("component",),
}
ELEMENTS_LOOKED_AT_AT_ONCE = 1 << 16  # bounds the temporaries of a search through many rows
LARGEST_WEIGHT_SUM = 1e100  # leaves room for weighted squares of the rows
SUM_TOLERANCE = 1e-6  # admits responsibilities computed or stored in float32


def check_rows(
    X: ArrayLike,
    *,
    name: str = "X",
    minimum: int = 0,
    n_features: int | None = None,
    feature_names: Names | None = None,
) -> Rows:
    """Rows as a float32 or float64 array (n_samples, n_features), of any strides."""
    return check_named_rows(
        X, name=name, minimum=minimum, n_features=n_features, feature_names=feature_names
    )[0]


def check_named_rows(
    X: ArrayLike,
    *,
    name: str = "X",
    minimum: int = 0,
    n_features: int | None = None,
    feature_names: Names | None = None,
    part: str = "component",
) -> tuple[Rows, Names | None]:
    """Rows, and the names of their columns, which must be `feature_names` where both are given.

    Each `part`, as the caller calls it, needs a row.
    """
    array, names = real_array(X, name)
    if array.ndim == 1:
        one_feature = "to_frame()" if hasattr(X, "to_frame") else "reshape(-1, 1)"
        raise ValueError(
            f"{name} must have two dimensions, (n_samples, n_features); got shape {array.shape}. "
            f"Use {name}.{one_feature} for one feature, {name}.reshape(1, -1) for one row."
        )
    if array.ndim != 2:
        raise ValueError(
            f"{name} must have two dimensions, (n_samples, n_features); got shape {array.shape}. "
            f"Arrange it with one row a sample."
        )
    if array.shape[1] == 0:
        raise ValueError(
            f"{name} must have at least one column; got shape {array.shape}. Select a feature."
        )
    if feature_names is not None and names is not None and names != feature_names:
        raise ValueError(
            f"{name} must have the columns {listed(feature_names)}; "
            f"{_difference(names, feature_names)}. Select these columns, in this order."
        )
    if n_features is not None and array.shape[1] != n_features:
        raise ValueError(
            f"{name} must have {n_features} columns; got shape {array.shape}. "
            f"Select the features that the mixture describes."
        )
    if len(array) < minimum:
        remedy = "Add rows" if minimum == 1 else f"Add rows or ask for fewer {part}s"
        raise ValueError(
            f"{name} must have at least {minimum} row{'s'[: minimum != 1]}; got {len(array)}. "
            f"{remedy}."
        )
    refuse_non_finite(array, name, ROW_AXES, "Drop the row or fill in the value.", names)
    return array, names


def _difference(names: Names, expected: Names) -> str:
    """Say how columns are not those expected."""
    lacking = [name for name in expected if name not in names]
    besides = [name for name in names if name not in expected]
    differences = [f"it lacks {listed(lacking)}"] * bool(lacking)
    differences += [f"it has {listed(besides)} besides"] * bool(besides)
    return " and ".join(differences) or f"it has {listed(names)}"


def check_centres(centres: ArrayLike, n_features: int, *, name: str = "centres") -> Floats:
    """Points of the components, float64 and C-contiguous (n_components, n_features).

    Always a copy: statistics keep their centres, whatever the caller does to his array later.
    """
    array = contiguous(centres, name).copy()
    if array.ndim != 2 or array.shape[1] != n_features or len(array) == 0:
        raise ValueError(
            f"{name} must have shape (n_components, {n_features}), a column for each column of X; "
            f"got {array.shape}. Give each component one row."
        )
    refuse_non_finite(array, name, ("component", "feature"), "Give a finite number.")
    return array


def check_components(
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    covariance_type: str,
    n_features: int,
) -> tuple[Floats, Floats]:
    """Means and precision factors, float64 and C-contiguous, the factors upper triangular."""
    shape_name: FactorShape = check_option("covariance_type", covariance_type, FACTOR_SHAPES)
    means = check_centres(means, n_features, name="means")
    factors = contiguous(precisions_cholesky, "precisions_cholesky")
    expected = statistics_shape(shape_name, len(means), n_features)
    if factors.shape != expected:
        raise ValueError(
            f"precisions_cholesky must have shape {expected} for covariance_type {shape_name!r} "
            f"and means of shape {means.shape}; got {factors.shape}. Pass the factors of this "
            f"covariance_type, one for each component."
        )
    axes = FACTOR_AXES[shape_name]
    refuse_non_finite(factors, "precisions_cholesky", axes, "Factorise a finite covariance.")
    if factors.ndim >= 2 and shape_name != "diag":
        below = np.argwhere(np.tril(factors, k=-1))
        if len(below):
            raise ValueError(
                f"precisions_cholesky must be upper triangular; {_place(below[0], axes)} is "
                f"{factors[tuple(below[0])]}. Pass U with inv(covariance) = U @ U.T, for example "
                f"the transpose of the lower Cholesky factor's inverse."
            )
        diagonals = np.einsum("...aa->...a", factors)
    else:
        diagonals = factors
    flat = np.argwhere(diagonals <= 0.0)
    if len(flat):
        index = (*flat[0], flat[0][-1]) if diagonals is not factors else tuple(flat[0])
        raise ValueError(
            f"precisions_cholesky must be positive on the diagonal; {_place(index, axes)} is "
            f"{factors[index]}. Factorise a positive definite covariance."
        )
    return means, factors


def check_weights(weights: ArrayLike, n_components: int) -> Floats:
    """Weights of the components, float64 and C-contiguous; they need not sum to one."""
    array = contiguous(weights, "weights")
    if array.shape != (n_components,):
        raise ValueError(
            f"weights must have shape ({n_components},), one for each component; "
            f"got {array.shape}. Give each row of means one weight."
        )
    refuse_non_finite(array, "weights", ("component",), "Give a finite number.")
    _refuse_negative(array, "weights", ("component",), "Set it to 0 for an empty component.")
    if not array.any():
        raise ValueError(
            "weights must not all be zero; got only zeros. Give some component a positive weight."
        )
    return array


def check_resp(resp: ArrayLike, shape: tuple[int, int], *, name: str = "resp") -> Floats:
    """Responsibilities (n_samples, n_components) as float64, of any strides."""
    array = real_array(resp, name)[0].astype(np.float64, copy=False)
    if array.shape != shape:
        raise ValueError(
            f"{name} must have shape {shape}, (n_samples, n_components); got {array.shape}. "
            f"Give each row one value for each component."
        )
    axes = ("row", "component")
    refuse_non_finite(array, name, axes, "Give a finite number.")
    _refuse_negative(array, name, axes, "Set it to 0 for no share.")
    return array


def check_rows_sum_to_one(resp: Floats, *, name: str = "resp") -> None:
    """Refuse responsibilities whose rows do not share out the whole row."""
    totals = resp.sum(axis=1)
    wrong = np.flatnonzero(np.abs(totals - 1.0) > SUM_TOLERANCE)
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"{name} must sum to one in every row; row {row} sums to {totals[row]}. "
            f"Divide each row by its sum."
        )


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
        array = contiguous(sample_weight, "sample_weight")
        _check_row_weights(array, n_samples)
    n_present = np.count_nonzero(array)
    if n_present < minimum_rows:
        raise ValueError(
            f"at least {minimum_rows} rows with positive weight are needed, one for each "
            f"{part}; got {n_present}. Add rows or ask for fewer {part}s."
        )
    return array


def _check_row_weights(array: Floats, n_samples: int) -> None:
    if array.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have shape ({n_samples},), one for each row of X; "
            f"got {array.shape}. Give each row one weight."
        )
    remedy = "Drop the row or set it to 0."
    refuse_non_finite(array, "sample_weight", ("row",), remedy)
    _refuse_negative(array, "sample_weight", ("row",), remedy)
    if n_samples and not array.any():
        raise ValueError(
            "sample_weight must not be zero for all rows; got only zeros. "
            "Give some row a positive weight."
        )
    with np.errstate(over="ignore"):
        total = array.sum()
    if n_samples and not 1.0 / LARGEST_WEIGHT_SUM <= total <= LARGEST_WEIGHT_SUM:
        raise ValueError(
            f"sample_weight must sum to between {1.0 / LARGEST_WEIGHT_SUM:g} and "
            f"{LARGEST_WEIGHT_SUM:g}; got {total:g}. Divide the weights by the largest."
        )


def check_output(out: Floats | None, shape: tuple[int, ...]) -> Floats:
    """Array to write into: the caller's, or a new one of float64 with arbitrary content."""
    if out is None:
        return np.empty(shape)
    expected = f"out must be a writeable, C-contiguous float64 array of shape {shape}"
    remedy = f"Pass np.empty({shape}), or None for a new array."
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{expected}; got {type(out).__name__}. {remedy}")
    if out.dtype != np.float64:
        raise TypeError(f"{expected}; got dtype {out.dtype.str!r}. {remedy}")
    if out.shape != shape:
        raise ValueError(f"{expected}; got shape {out.shape}. {remedy}")
    if not out.flags.writeable:
        raise ValueError(f"{expected}; got a read-only one. {remedy}")
    if not out.flags.carray:
        raise ValueError(f"{expected}; got strides {out.strides}. {remedy}")
    return out


def check_count(name: str, value: object, *, minimum: int = 1) -> int:
    """An integer, Python's or NumPy's, not below the minimum."""
    expected = f"{name} must be an integer, {minimum} or more"
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        raise TypeError(f"{expected}; got {described(value)}. Pass an int.")
    try:
        count = operator.index(value)
    except TypeError as error:  # an array of several numbers, or of floats, has the method too
        raise TypeError(f"{expected}; got {described(value)}. Pass an int.") from error
    if count < minimum:
        raise ValueError(f"{expected}; got {count}. Pass {minimum} or more.")
    return count


def check_number(name: str, value: object, *, minimum: float = 0.0) -> float:
    """A finite real number, not below the minimum."""
    expected = f"{name} must be a finite number, {minimum:g} or more"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{expected}; got {described(value)}. Pass a float.")
    number = float(value)
    if not (math.isfinite(number) and number >= minimum):
        raise ValueError(f"{expected}; got {number}. Pass {minimum:g} or more.")
    return number


def check_option(name: str, value: object, known: Sequence[Option]) -> Option:
    """One of the known words."""
    for option in known:
        if isinstance(value, str) and value == option:
            return option
    expected = f"{name} must be one of {', '.join(map(repr, known))}"
    if not isinstance(value, str):
        raise TypeError(f"{expected}; got {described(value)}. Pass one of these words.")
    lowered = {option.lower(): option for option in known}
    close = difflib.get_close_matches(value.lower(), lowered, n=1)
    remedy = f"Did you mean {lowered[close[0]]!r}?" if close else "Choose one of them."
    raise ValueError(f"{expected}; got {value!r}. {remedy}")


def check_n_threads(n_threads: int | None) -> int | None:
    """A number of threads, or None for as many as are useful."""
    return None if n_threads is None else check_count("n_threads", n_threads)


def check_rng(rng: object) -> np.random.Generator:
    """A generator of random numbers: the caller's, or a new one from a seed."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None or isinstance(rng, (np.random.SeedSequence, np.random.BitGenerator)):
        return np.random.default_rng(rng)
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        return np.random.default_rng(check_count("rng", rng, minimum=0))
    raise TypeError(
        f"rng must be None, an integer seed, a SeedSequence, a BitGenerator or a Generator; "
        f"got {described(rng)}. Use numpy.random.default_rng(seed)."
    )


def contiguous(values: ArrayLike, name: str) -> Floats:
    # An (k,) or (k, d, d) array is small beside the rows: a copy costs nothing that matters.
    return np.asarray(real_array(values, name)[0], dtype=np.float64, order="C")


def refuse_non_finite(
    array: Rows, name: str, axes: Sequence[str], remedy: str, columns: Names | None = None
) -> None:
    # The sum needs no temporary and one pass; it is finite for nearly all that is, and never for
    # the rest. Only where it is not are the values themselves looked at.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum()):
            return
    step = max(1, ELEMENTS_LOOKED_AT_AT_ONCE * len(array) // array.size)
    for start in range(0, len(array), step):
        found = np.argwhere(~np.isfinite(array[start : start + step]))
        if len(found):
            index = (start + found[0][0], *found[0][1:])
            place = _place(index, axes)
            if columns is not None:
                place = f"row {index[0]}, column {columns[index[1]]!r}"
            raise ValueError(f"{name} must be finite; {place} is {array[index]}. {remedy}")


def _refuse_negative(array: Floats, name: str, axes: Sequence[str], remedy: str) -> None:
    if array.min(initial=0.0) < 0.0:
        index = tuple(np.argwhere(array < 0.0)[0])
        raise ValueError(
            f"{name} must be non-negative; {_place(index, axes)} is {array[index]}. {remedy}"
        )


def _place(index: Sequence[int], axes: Sequence[str]) -> str:
    return ", ".join(f"{axis} {i}" for axis, i in zip(axes, index, strict=True))
