"""Missing numbers: NaN in the rows, where a function is asked to take them for that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import Names, listed
from mixtura.data.values import all_finite

__all__ = ["MISSING", "Missing", "lack_numbers"]

Missing = Literal["raise", "em"]
MISSING: tuple[Missing, ...] = ("raise", "em")


def lack_numbers(parts: Iterable[NDArray[Any]], names: Names | None) -> bool:
    """Whether numbers are missing in rows that count.

    Parameters
    ----------
    parts : iterable of ndarray of shape (m, n_features)
        These rows.
    names : tuple of str or None
        Of the columns.

    Raises
    ------
    ValueError
        For a column without any number, by its name.
    """
    n_rows, observed = 0, np.zeros(0, dtype=np.intp)
    for part in parts:
        present = len(part) if all_finite(part) else np.count_nonzero(~np.isnan(part), axis=0)
        observed = (observed if n_rows else np.zeros(part.shape[1], dtype=np.intp)) + present
        n_rows += len(part)
    never = np.flatnonzero(observed == 0).tolist()
    if never:
        several = len(never) > 1
        columns = listed(never if names is None else [names[a] for a in never])
        raise ValueError(
            f"X must have a number in each column, in a row of positive weight; column"
            f"{f's {columns} have' if several else f' {columns} has'} only missing ones. "
            f"Drop {'these columns' if several else 'this column'}."
        )
    return bool((observed < n_rows).any())
