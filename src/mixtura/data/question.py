"""A question that has an answer for each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.block import Block

__all__ = ["Question"]


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of each row.

    Attributes
    ----------
    look : callable
        From a block of m rows to an array of shape (m, *columns). A `looks.RowByRow`
        can be asked of rows far away before anybody has counted them.
    names : tuple of str
        Of the columns in a file that has names; one where `columns` is ().
    columns : tuple of int
    dtype : dtype
        Of the answers.
    name : str
        What they are together: a column of a kind of rows that has columns for answers.
    """

    look: Callable[[Block], NDArray[Any]]
    names: tuple[str, ...]
    columns: tuple[int, ...] = ()
    dtype: Any = np.float64
    name: str = "value"
