"""What users know of the components of rows: labels, allowed components, plausibilities."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from mixtura.data.checks import SUM_TOLERANCE, to_integers
from mixtura.data.frames import described, is_missing, real_array
from mixtura.data.index import check_index
from mixtura.data.source import RowSource
from mixtura.shapes import Floats

__all__ = ["RowLabels", "check_row_labels", "integer_labels", "matched", "restrictive"]

Labels = NDArray[np.int64]

INTEGERS = ("int", "uin")  # how names of integer types begin, in lower case
LARGEST_INTEGER = 2.0**53


@dataclass(frozen=True, eq=False)
class RowLabels:
    """What is known of the components of rows, as passes take it.

    Attributes
    ----------
    code : ndarray of shape (n_samples,), int64
        The row of `prior` that each row of the data has.
    prior : ndarray of shape (n_codes, n_components), nats
        Log of the plausibility of each component: 0 where it is allowed, -inf where it is not.
    """

    code: Labels
    prior: Floats

    @property
    def has_copies(self) -> bool:
        """Whether nothing known tells some component from another one."""
        pairs = combinations(self.prior.T, 2)
        return any(np.array_equal(one, other) for one, other in pairs)

    def marked(self, source: RowSource) -> RowSource:
        """Return the rows with their codes."""
        return source.with_extras(source.form, {"code": self.code})

    def known_rows(self, source: RowSource) -> int:
        """Count the rows of positive weight of which something is known."""
        weights = source.weights()
        known = restrictive(self.prior)[self.code]
        return int(np.count_nonzero(known if weights is None else known & (weights > 0.0)))


def restrictive(prior: Floats) -> NDArray[np.bool_]:
    """Which rows of a table of log-priors say something, shape (n_codes,)."""
    return np.asarray((prior != 0.0).any(axis=1))


def check_row_labels(
    labels: Any, groups: ArrayLike | None, source: RowSource, n_components: int
) -> RowLabels | None:
    """What is known of the components of some rows; None if that is nothing.

    Parameters
    ----------
    labels : array_like of shape (n_samples,) or (n_samples, n_components), or None
        As for `fit_gmm`.
    groups : array_like of shape (n_components,), int, or None
        The class of each component. Then labels are classes.
    source : RowSource
        The rows; what those of weight zero have is not looked at.
    n_components : int

    Raises
    ------
    ValueError
        For labels that no component has, and for rows that allow none: by their number.
    TypeError
        For labels that are not numbers.
    """
    if labels is None:
        if groups is not None:
            raise ValueError(
                "groups must be None without labels: it says which class a component belongs to; "
                "got groups alone. Pass labels, or leave it out."
            )
        return None
    source.refuse_array("labels", "Fit some of the rows with labels, and pass init=fit.model.")
    check_index(labels, source.index, "labels")
    of_component = _check_groups(groups, n_components)
    weights = source.weights()
    present = np.ones(source.n_samples, dtype=bool) if weights is None else weights > 0.0
    array = _as_array(labels)
    if array.ndim == 2:
        known = _of_table(array, of_component, present)
    else:
        known = _of_classes(array, of_component, present, has_groups=groups is not None)
    in_use = np.zeros(len(known.prior), dtype=bool)
    in_use[known.code[present]] = True
    used = (np.isfinite(known.prior) & in_use[:, None]).any(axis=0)
    if not used.all():
        raise ValueError(
            f"labels must leave some row to every component; no row of positive weight may belong "
            f"to component {int(np.argmin(used))}. Ask for fewer components, or set labels that "
            f"are not known to -1."
        )
    return known if known.prior.any() else None


def _as_array(labels: Any) -> NDArray[Any]:
    """Labels as an array, a table as float64."""
    array = integer_labels(labels)
    if array.ndim == 2:
        plain = array.astype(np.float64) if array.dtype.kind == "b" else labels
        return real_array(plain, "labels")[0].astype(np.float64)
    return array


def integer_labels(labels: Any) -> NDArray[Any]:
    """Labels as an array, of integers if all are: masked and missing ones become -1."""
    dtype: Any = getattr(labels, "dtype", None)
    if isinstance(labels, np.ma.MaskedArray) and labels.ndim == 1:
        known = labels.compressed()
        if labels.dtype.kind in "iu" or (np.ma.is_masked(labels) and _are_integers(known)):
            array: NDArray[np.int64] = np.full(len(labels), -1)
            array[~np.ma.getmaskarray(labels)] = known
            return array
    # Integers of polars and pyarrow: nulls would turn them into floats.
    if hasattr(labels, "is_null") and str(getattr(labels, "type", dtype)).lower()[:3] in INTEGERS:
        numbers = np.asarray(labels.fill_null(0)).astype(np.int64)
        return np.where(np.asarray(labels.is_null(), dtype=bool), -1, numbers)
    if hasattr(labels, "iloc") and hasattr(dtype, "na_value") and dtype.kind in "iu":
        return np.asarray(labels.to_numpy(dtype=np.int64, na_value=-1))
    try:  # pandas makes floats of categories that are integers, where some are missing
        kind = object if hasattr(dtype, "categories") else None
        plain: NDArray[Any] = np.asarray(labels, dtype=kind)
    except ValueError:  # a ragged list
        plain = np.asarray(labels, dtype=object)
    if plain.ndim == 1 and plain.dtype.kind == "O":
        values = [-1 if is_missing(value) else value for value in plain]
        if all(isinstance(value, Integral) and not isinstance(value, bool) for value in values):
            return np.array(values)
    return plain


def _are_integers(values: NDArray[Any]) -> bool:
    """Whether floats are numbers that integers can be."""
    return values.dtype.kind == "f" and bool(
        ((np.abs(values) < LARGEST_INTEGER) & (values == np.floor(values))).all()
    )


def _check_groups(groups: ArrayLike | None, n_components: int) -> Labels:
    """The class of each component; without groups, each is a class of its own."""
    if groups is None:
        return np.arange(n_components)
    array: NDArray[Any] = np.asarray(groups)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"groups must be integers, the class of each component; got {described(groups)}. "
            f"Number the classes from 0."
        )
    if array.shape != (n_components,):
        raise ValueError(
            f"groups must have shape {(n_components,)}, one class for each component; got "
            f"{array.shape}. Give each component one class."
        )
    if array.min() < 0:
        j = int(np.argmin(array))
        raise ValueError(
            f"groups must be 0 or more; component {j} has {array[j]}. Number the classes from 0."
        )
    return array.astype(np.int64)


def _of_classes(
    array: NDArray[Any], of_component: Labels, present: NDArray[np.bool_], *, has_groups: bool
) -> RowLabels:
    """Integer labels: a code for each class that some row has, and 0 for free rows."""
    n, k = len(present), len(of_component)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(
            f"labels must be integers, -1 for rows whose label is not known, or a table of shape "
            f"(n_samples, n_components); got an array of dtype {array.dtype}. {_remedy(array)}"
        )
    if array.shape != (n,):
        raise ValueError(
            f"labels must have shape {(n,)}, one for each row of X, or {(n, k)}, one number for "
            f"each row and component; got {array.shape}. Give each row one label, -1 where it is "
            f"not known."
        )
    what, last = ("class", int(of_component.max())) if has_groups else ("component", k - 1)
    outside = present & ((array < -1) | (array > last))
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(
            f"labels must lie between 0 and {last}, or be -1 for rows whose label is not known; "
            f"row {row} has {array[row]}, and there is no such {what}. "
            f"{'Give it a component in groups' if has_groups else 'Ask for more components'}, or "
            f"number the labels from 0."
        )
    known = present & (array >= 0)
    used = np.unique(array[known]).astype(np.int64)
    allowed = of_component == used[:, None]
    if not allowed.any(axis=1).all():
        label = used[int(np.argmin(allowed.any(axis=1)))]
        row = int(np.argmax(known & (array == label)))
        raise ValueError(
            f"labels must be classes that have a component; row {row} has {label}, which is not in "
            f"groups. Give the class a component there."
        )
    code = np.zeros(n, dtype=np.int64)
    code[known] = 1 + np.searchsorted(used, array[known].astype(np.int64))
    prior = np.zeros((1 + len(used), k))
    prior[1:][~allowed] = -np.inf
    return RowLabels(code, prior)


def _remedy(array: NDArray[Any]) -> str:
    """How labels of another type become integers."""
    if array.dtype.kind == "f" and np.isnan(array).any():
        known = array[~np.isnan(array)]
        if (known == np.floor(known)).all():
            return "Pass np.nan_to_num(np.asarray(labels), nan=-1).astype(int)."
    return to_integers(array)


def _of_table(array: Floats, of_component: Labels, present: NDArray[np.bool_]) -> RowLabels:
    """Plausibilities: each row has a code of its own."""
    n, n_classes = len(present), int(of_component.max()) + 1
    if array.shape != (n, n_classes):
        raise ValueError(
            f"labels must have shape {(n,)}, one for each row of X, or {(n, n_classes)}, one "
            f"number for each row and component (or class of groups); got {array.shape}. Give "
            f"each row one label, or one number for each."
        )
    array = np.where(present[:, None], array, 1.0)
    wrong = ~((array >= 0.0) & (array <= 1.0 + SUM_TOLERANCE))
    if wrong.any():
        row, j = np.argwhere(wrong)[0]
        raise ValueError(
            f"labels, as a table, must lie between 0 and 1; row {row}, component {j} is "
            f"{array[row, j]}. Set it to 1 for allowed, 0 for forbidden, or to a plausibility."
        )
    array = np.take(np.minimum(array, 1.0), of_component, axis=1)
    nothing = ~array.any(axis=1)
    if nothing.any():
        raise ValueError(
            f"labels, as a table, must allow each row some component; row "
            f"{int(np.argmax(nothing))} allows none. Set the row to 1 if nothing is known of it."
        )
    with np.errstate(divide="ignore"):
        return RowLabels(np.arange(n), np.log(array, out=array))


def matched(clusters: Labels, code: Labels, prior: Floats, weight: Floats | None = None) -> Labels:
    """Clusters, numbered as the components that they agree with best; none breaks a label.

    Parameters
    ----------
    clusters : ndarray of shape (n_samples,), int64
        Their numbers mean nothing.
    code : ndarray of shape (n_samples,), int64
    prior : ndarray of shape (n_codes, n_components), nats
        See `RowLabels`.
    weight : ndarray of shape (n_samples,), optional

    Returns
    -------
    ndarray of shape (n_samples,), int64
        A row whose component is forbidden moves to its most plausible one.
    """
    k = prior.shape[1]
    known = restrictive(prior)[code]
    own = np.exp(prior[code[known]]) * (1.0 if weight is None else weight[known, None])
    agreement = np.array([own[clusters[known] == c].sum(axis=0) for c in range(k)])
    number = linear_sum_assignment(agreement, maximize=True)[1]
    labels: Labels = number[clusters].astype(np.int64)
    forbidden = np.isneginf(prior[code, labels])
    labels[forbidden] = prior[code[forbidden]].argmax(axis=1)
    return labels
