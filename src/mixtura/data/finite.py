"""Rows must be finite where they count: a row of weight zero may hold anything."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import Names, listed
from mixtura.data.values import ELEMENTS_LOOKED_AT_AT_ONCE, all_finite
from mixtura.shapes import Floats

__all__ = ["finite_rows", "rows_not_finite"]

Mask = NDArray[np.bool_]


def finite_rows(
    array: NDArray[Any], name: str, names: Names | None, weight: Floats | None = None
) -> tuple[NDArray[Any], Mask | None]:
    """Rows that are finite, and which of them were not.

    Parameters
    ----------
    array : ndarray of shape (n_samples, n_features)
    name : str
        What messages call it.
    names : tuple of str or None
        Of the columns.
    weight : ndarray of shape (n_samples,) or None
        Of the rows, non-negative; None where each row counts.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features)
        The array itself if it is finite; else a copy in which other rows stand in place of those
        that are not.
    replaced : ndarray of shape (n_samples,), bool, or None
        Those rows; None where there are none.

    Raises
    ------
    ValueError
        For a row that counts and is not finite: its first number and all such columns are named.
    """
    if all_finite(array):
        return array, None
    bad = rows_not_finite(array)
    _refuse(array, bad if weight is None else bad & (weight > 0.0), name, names)
    if not bad.any():  # only the sum was out of range
        return array, None
    rows = np.array(array)
    rows[bad] = 0.0 if bad.all() else array[np.argmin(bad)]
    return rows, bad


def rows_not_finite(array: NDArray[Any]) -> Mask:
    """Which rows hold a number that is not finite, without an array of the size of all."""
    bad = np.zeros(len(array), dtype=bool)
    step = max(1, ELEMENTS_LOOKED_AT_AT_ONCE // array.shape[1])
    for start in range(0, len(array), step):
        bad[start : start + step] = ~np.isfinite(array[start : start + step]).all(axis=1)
    return bad


def _refuse(array: NDArray[Any], bad: Mask, name: str, names: Names | None) -> None:
    if not bad.any():
        return
    labels: list[Any] = list(range(array.shape[1]) if names is None else names)
    row = int(np.argmax(bad))
    first = int(np.argmin(np.isfinite(array[row])))
    found = [label for a, label in enumerate(labels) if not np.isfinite(array[bad, a]).all()]
    more, remedy = "", "Drop the row or fill in the value."
    if len(found) > 1:
        more = f", and columns {listed(found)} have such values"
        remedy = "Drop their rows or fill in the values."
    value = array[row, first]
    raise ValueError(
        f"{name} must be finite; row {row}, column {labels[first]!r} is {value}{more}. {remedy}"
    )
