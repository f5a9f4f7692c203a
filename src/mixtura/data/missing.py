"""Missing numbers: NaN in the rows, where a function is asked to take them for that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import Names, listed
from mixtura.data.values import all_finite
from mixtura.shapes import Floats

__all__ = [
    "MISSING",
    "Accepted",
    "Missing",
    "lack_numbers",
    "nothing_observed",
    "refuse_unobserved",
]

Missing = Literal["raise", "em"]
MISSING: tuple[Missing, ...] = ("raise", "em")
Accepted = Missing | Literal["any", "noisy", "stream", "estimator"]  # what checks of rows are told


def lack_numbers(parts: Iterable[NDArray[Any]]) -> bool:
    """Whether numbers are missing in some rows."""
    return any(not all_finite(part) and bool(np.isnan(part).any()) for part in parts)


def nothing_observed(X: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows have only missing numbers."""
    nothing: NDArray[np.bool_] = np.isnan(X).all(axis=1)
    return nothing


def refuse_unobserved(weight: Floats, names: Names | None) -> None:
    """Refuse columns without any number, by their names.

    Parameters
    ----------
    weight : ndarray of shape (n_features,)
        Of the rows in which each is observed.
    names : tuple of str or None
        Of the columns.

    Raises
    ------
    ValueError
        Where one of the weights is zero.
    """
    never = np.flatnonzero(weight == 0.0).tolist()
    if never:
        several = len(never) > 1
        columns = listed(never if names is None else [names[a] for a in never])
        raise ValueError(
            f"X must have a number in each column, in a row of positive weight; column"
            f"{f's {columns} have' if several else f' {columns} has'} only missing ones. "
            f"Drop {'these columns' if several else 'this column'}."
        )
