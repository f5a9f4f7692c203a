"""Checks of what users pass in: the one place for every public function.

Each check returns what the rest of the code may rely on, or raises ValueError (for values) or
TypeError (for kinds). Its message says what was expected, what was given, and what to do. No check
modifies its input. None copies the rows unless their type or byte order has to change. Rows,
columns, features and components are counted from 0, as in the arrays themselves.

Here are the checks of parameters, responsibilities and outputs. Those of rows and of single values
are written in files of their own, and can be imported from here as well.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.frames import described, is_missing, real_array
from mixtura.data.row_checks import RowArray, check_rows, check_sample_weight
from mixtura.data.values import (
    check_count,
    check_flag,
    check_level,
    check_n_threads,
    check_number,
    check_option,
    check_rng,
    contiguous,
    place_of,
    refuse_negative,
    refuse_non_finite,
    rounding_unit,
)
from mixtura.shapes import SHAPE_NAMES, SHAPES, Floats

__all__ = [
    "LEAST_BLUR",
    "MODELS",
    "UNKNOWN",
    "RowArray",
    "TreeModel",
    "check_agglomerate",
    "check_centres",
    "check_components",
    "check_count",
    "check_fixed",
    "check_flag",
    "check_labels",
    "check_level",
    "check_n_threads",
    "check_number",
    "check_option",
    "check_output",
    "check_resp",
    "check_rng",
    "check_rows",
    "check_rows_sum_to_one",
    "check_sample_weight",
    "check_weights",
    "check_writeable",
    "contiguous",
    "is_unknown",
    "refuse_non_finite",
    "rounding_unit",
    "to_integers",
    "without_rounding",
]

Part = Literal["weights", "means", "covariances"]
TreeModel = Literal["VVV", "EEE", "VII", "EII"]
MODELS: tuple[TreeModel, ...] = get_args(TreeModel)

SUM_TOLERANCE = 1e-6  # admits responsibilities computed or stored in float32
EXACT_SUM = 1e-8  # of weights: what Generator.choice accepts
ROUNDINGS = 16.0  # of each weight; scikit-learn adds ten to the total of a component
PARTS: tuple[Part, ...] = get_args(Part)  # of a mixture, in this order

UNKNOWN = ("", "-1", "nan", "None", "<NA>")  # what stands among names for none of them
MOST_NUMBERED = 6  # names that a message numbers

LEAST_BLUR = 1e-12  # squared; above what rounding does to determinants of rows of unit spread


def check_centres(
    centres: ArrayLike, n_features: int, *, name: str = "centres", part: str = "component"
) -> Floats:
    """Points of the components, float64 and C-contiguous (n_components, n_features).

    Always a copy: statistics keep their centres, whatever the caller does to his array later.
    """
    array = contiguous(centres, name).copy()
    if array.ndim != 2 or array.shape[1] != n_features or len(array) == 0:
        raise ValueError(
            f"{name} must have shape (n_{part}s, {n_features}), a column for each column of X; "
            f"got {array.shape}. Give each {part} one row."
        )
    refuse_non_finite(array, name, (part, "feature"), "Give a finite number.")
    return array


def check_components(
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    covariance_type: str,
    n_features: int,
) -> tuple[Floats, Floats]:
    """Means and precision factors, float64 and C-contiguous, the factors upper triangular.

    What rounding left below the diagonal, relative to the largest number of its row, becomes zero
    in a copy. As that of an inverse, it is as large as the root of the dtype's rounding unit.
    """
    shape = SHAPES[check_option("covariance_type", covariance_type, SHAPE_NAMES)]
    means = check_centres(means, n_features, name="means")
    factors = contiguous(precisions_cholesky, "precisions_cholesky")
    expected = shape.array_shape(len(means), n_features)
    if factors.shape != expected:
        raise ValueError(
            f"precisions_cholesky must have shape {expected} for covariance_type {shape.name!r} "
            f"and means of shape {means.shape}; got {factors.shape}. Pass the factors of this "
            f"covariance_type, one for each component."
        )
    refuse_non_finite(factors, "precisions_cholesky", shape.axes, "Factorise a finite covariance.")
    lower = shape.below_diagonal(factors)
    if lower.any():
        allowed = np.sqrt(rounding_unit(precisions_cholesky, "precisions_cholesky"))
        below = np.argwhere(np.abs(lower) > allowed * np.abs(factors).max(axis=-1, keepdims=True))
        factors = factors if len(below) else factors - lower
    else:
        below = np.empty((0, factors.ndim), dtype=np.intp)
    if len(below):
        raise ValueError(
            f"precisions_cholesky must be upper triangular; {place_of(below[0], shape.axes)} is "
            f"{factors[tuple(below[0])]}. Pass U with inv(covariance) = U @ U.T, for example "
            f"the transpose of the lower Cholesky factor's inverse."
        )
    diagonal = shape.diagonal(factors)
    flat = np.argwhere(diagonal <= 0.0)
    if len(flat):
        on_diagonal = (flat[0][-1],) * (factors.ndim - diagonal.ndim)
        index = (*flat[0], *on_diagonal)
        raise ValueError(
            f"precisions_cholesky must be positive on the diagonal; "
            f"{place_of(index, shape.axes)} is {factors[index]}. "
            f"Factorise a positive definite covariance."
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
    refuse_negative(array, "weights", ("component",), "Set it to 0 for an empty component.")
    if not array.any():
        raise ValueError(
            "weights must not all be zero; got only zeros. Give some component a positive weight."
        )
    return array


def without_rounding(weights: ArrayLike, n_components: int) -> Floats:
    """Weights that miss a sum of one by the rounding of their dtype, divided by their sum.

    Others are returned as they are.
    """
    array = check_weights(weights, n_components)
    total = array.sum()
    off = abs(total - 1.0)
    if EXACT_SUM < off <= ROUNDINGS * n_components * rounding_unit(weights, "weights"):
        array = array / total
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
    refuse_negative(array, name, axes, "Set it to 0 for no share.")
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


def check_labels(
    labels: ArrayLike,
    n_samples: int,
    n_components: int,
    *,
    name: str = "labels",
    some_without: bool = False,
) -> NDArray[np.int64]:
    """The component of each row, int64 and C-contiguous (n_samples,); -1 if rows may have none."""
    array: NDArray[Any] = np.asarray(labels)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(
            f"{name} must be integers; got an array of dtype {array.dtype}. {to_integers(array)}"
        )
    if array.shape != (n_samples,):
        raise ValueError(
            f"{name} must have shape ({n_samples},), one for each row of X; got {array.shape}. "
            f"Give each row one label."
        )
    outside = (array < (-1 if some_without else 0)) | (array >= n_components)
    if outside.any():
        row = int(np.argmax(outside))
        none = ", or be -1 for none" if some_without else ""
        raise ValueError(
            f"{name} must lie between 0 and {n_components - 1}{none}; row {row} has {array[row]}. "
            f"Number the components from 0."
        )
    return np.ascontiguousarray(array, dtype=np.int64)


def to_integers(labels: NDArray[Any], name: str = "labels") -> str:
    """How labels of another type become integers, -1 where they are not known."""
    if labels.dtype.kind == "b" or (
        labels.dtype.kind == "f" and bool((labels == np.floor(labels)).all())
    ):
        return f"Pass np.asarray({name}).astype(int)."
    values = labels.tolist() if labels.ndim == 1 else []
    plain = all(isinstance(value, Hashable) for value in values)
    if not plain or not any(map(is_unknown, values)):
        return f"Pass np.unique({name}, return_inverse=True)[1], which numbers them from 0."
    known = {value for value in values if not is_unknown(value)}
    numbers = dict(zip(sorted(known, key=str), range(MOST_NUMBERED + 1), strict=False))
    if len(numbers) > MOST_NUMBERED:
        return (
            f"Pass [numbers.get(each, -1) for each in {name}], where numbers is a dict with the "
            f"number of each name, from 0."
        )
    return f"Pass [{numbers}.get(each, -1) for each in {name}]; -1 is for those not known."


def is_unknown(value: Any) -> bool:
    """Whether a label seems to stand for none: missing, -1, or such a text."""
    if isinstance(value, str | Real):
        return value in UNKNOWN or value == -1 or value != value
    return is_missing(value)


def check_fixed(fixed: object, n_components: int) -> NDArray[np.bool_] | None:
    """Which parameters stay as they are: a row for each of PARTS; None where none do."""
    masks = dict.fromkeys(PARTS, np.zeros(n_components, dtype=bool))
    if isinstance(fixed, str):
        fixed = (fixed,)
    if isinstance(fixed, tuple | list) and all(isinstance(part, str) for part in fixed):
        fixed = dict.fromkeys(fixed, True)
    if fixed is None:
        return None
    if isinstance(fixed, Mapping):
        for part, mask in fixed.items():
            known = check_option("fixed", part, PARTS)
            if isinstance(mask, bool | np.bool_):
                mask = np.full(n_components, mask)
            masks[known] = _check_mask(mask, n_components, f"fixed[{known!r}]", ", True or False")
    else:
        names = f", or name {', '.join(map(repr, PARTS))}"
        masks = dict.fromkeys(PARTS, _check_mask(fixed, n_components, "fixed", names))
    found = np.array(list(masks.values()))
    return found if found.any() else None


def _check_mask(mask: Any, n_components: int, name: str, besides: str) -> NDArray[np.bool_]:
    array: NDArray[Any] = np.asarray(mask)
    if array.dtype != bool:
        raise TypeError(
            f"{name} must be a boolean mask of components{besides}; "
            f"got {described(mask)}. Pass an array of True and False, one for each component."
        )
    if array.shape != (n_components,):
        raise ValueError(
            f"{name} must have shape ({n_components},), True or False for each component; "
            f"got {array.shape}. Give each component one value."
        )
    return array


def check_output(out: Floats | None, shape: tuple[int, ...], **inputs: NDArray[Any]) -> Floats:
    """Array to write into: the caller's, or a new one of float64 with arbitrary content."""
    if out is None:
        return np.empty(shape)
    remedy = f"Pass np.empty({shape}), or None for a new array."
    return check_writeable("out", out, shape, remedy, **inputs)


def check_writeable(
    name: str, out: Floats, shape: tuple[int, ...], remedy: str, **inputs: NDArray[Any]
) -> Floats:
    """The caller's array to write into, while the inputs are read."""
    expected = f"{name} must be a writeable, C-contiguous float64 array of shape {shape}"
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
    for other, array in inputs.items():
        if np.shares_memory(out, array):
            raise ValueError(
                f"{name} must not share memory with {other}, which is read while it is written; "
                f"got an overlap. {remedy}"
            )
    return out


def check_agglomerate(
    X: ArrayLike, model: str, blur: float, sample_weight: ArrayLike | None
) -> tuple[Floats, TreeModel, float, Floats]:
    """The arguments of `agglomerate`, the rows as float64 and C-contiguous."""
    known: TreeModel = check_option("model", model, MODELS)
    blur = check_number("blur", blur, minimum=LEAST_BLUR)
    rows = check_rows(X, minimum=1)
    weight = check_sample_weight(sample_weight, len(rows))
    if not weight.all():
        raise ValueError(
            f"sample_weight must be positive; row {int(np.argmin(weight))} is 0.0. Drop the row."
        )
    return np.ascontiguousarray(rows, dtype=np.float64), known, blur, weight
