"""Rows must be finite where they count: a row of weight zero may hold anything."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import Names, listed
from mixtura.data.missing import Accepted
from mixtura.data.values import ELEMENTS_LOOKED_AT_AT_ONCE, all_finite
from mixtura.shapes import Floats

__all__ = ["OFFERS", "finite_rows", "rows_not_finite"]

Mask = NDArray[np.bool_]
OFFERS: dict[Accepted | None, str] = {
    "raise": 'pass missing="em"',
    "stream": 'make the stream with StepwiseGMM(k, missing="em")',
    "estimator": 'make the estimator with missing="em"',
}


def finite_rows(
    array: NDArray[Any],
    name: str,
    names: Names | None,
    weight: Floats | None = None,
    missing: Accepted | None = None,
    first: int = 0,
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
    missing : {"raise", "em", "noisy", "stream", "estimator"}, optional
        With "em", NaN is a missing number and stays; with "raise", messages offer this, with
        "stream" and "estimator" where it is set, and with "noisy" a projection.
    first : int
        What messages call the first row.

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
    bad = rows_not_finite(array, missing)
    _refuse(array, bad if weight is None else bad & (weight > 0.0), name, names, missing, first)
    if not bad.any():  # only the sum was out of range
        return array, None
    rows = np.array(array)
    rows[bad] = 0.0 if bad.all() else array[np.argmin(bad)]
    return rows, bad


def rows_not_finite(array: NDArray[Any], missing: Accepted | None = None) -> Mask:
    """Which rows hold a number that is not finite, without an array of the size of all.

    With ``missing="em"``, missing numbers do not count.
    """
    bad = np.zeros(len(array), dtype=bool)
    step = max(1, ELEMENTS_LOOKED_AT_AT_ONCE // array.shape[1])
    for start in range(0, len(array), step):
        bad[start : start + step] = _refused(array[start : start + step], missing).any(axis=1)
    return bad


def _refused(array: NDArray[Any], missing: Accepted | None) -> Mask:
    """Which numbers are refused where they count."""
    refused: Mask = np.isinf(array) if missing == "em" else ~np.isfinite(array)
    return refused


def _refuse(
    array: NDArray[Any],
    bad: Mask,
    name: str,
    names: Names | None,
    missing: Accepted | None,
    first_row: int,
) -> None:
    if not bad.any():
        return
    labels: list[Any] = list(range(array.shape[1]) if names is None else names)
    row = int(np.argmax(bad))
    first = int(np.argmax(_refused(array[row], missing)))
    found = [label for a, label in enumerate(labels) if _refused(array[bad, a], missing).any()]
    value, more, rows, values = array[row, first], "", "the row", "the value"
    if len(found) > 1:
        more = f", and columns {listed(found)} have such values"
        rows, values = "their rows", "the values"
    remedy = f"Drop {rows} or fill in {values}."
    if missing == "em":
        remedy = f"Drop {rows}, or set {values} to NaN if missing."
    elif missing in OFFERS and np.isnan(value):
        remedy = f"Drop {rows}, fill in {values}, or {OFFERS[missing]}."
    elif missing == "noisy" and np.isnan(value):
        remedy = (
            f"Drop {rows}, or leave {values} out of X by projection=, the rows of the identity "
            f"that were observed."
        )
    raise ValueError(
        f"{name} must be finite{' or missing' * (missing == 'em')}; row {first_row + row}, column "
        f"{labels[first]!r} is {value}{more}. {remedy}"
    )
