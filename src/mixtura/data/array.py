"""Rows in one array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.finite import finite_rows
from mixtura.data.frames import Names
from mixtura.data.index import row_index
from mixtura.data.row_checks import rows_table
from mixtura.data.source import Block, Mask, Positions, RowSource
from mixtura.shapes import Floats

__all__ = ["ArrayRows"]


class ArrayRows(RowSource):
    """Rows in one array, which is used where it is.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64, of any strides
    sample_weight : ndarray of shape (n_samples,), float64 and C-contiguous, optional
    feature_names : tuple of str, optional
    """

    in_memory = True

    def __init__(
        self,
        X: NDArray[Any],
        sample_weight: Floats | None = None,
        feature_names: Names | None = None,
    ) -> None:
        self.X, self.sample_weight = X, sample_weight
        (self.n_samples, self.n_features), self.dtype = X.shape, X.dtype
        self.feature_names, self.is_weighted = feature_names, sample_weight is not None

    @classmethod
    def opened(cls, X: Any) -> ArrayRows:
        table = rows_table(X)
        rows = cls(table.numbers(), None, table.names)
        index = row_index(X)
        rows.index = None if index is None else (index,)
        return rows

    def blocks(self) -> Iterator[Block]:
        yield Block(self.X, self.sample_weight, 0)

    def checked(self) -> ArrayRows:
        X, replaced = finite_rows(self.X, "X", self.feature_names, self.sample_weight)
        if replaced is None:
            return self
        rows = ArrayRows(X, self.sample_weight, self.feature_names)
        rows.not_finite = replaced
        return rows

    def shown(self) -> NDArray[Any]:
        """Return a view that nobody can write through."""
        view = self.X.view()
        view.flags.writeable = False
        return view

    def take(self, positions: Positions) -> Floats:
        return np.asarray(self.X[positions], dtype=np.float64, order="C")

    def subset(self, mask: Mask) -> ArrayRows:
        weight = self.sample_weight
        return ArrayRows(self.X[mask], None if weight is None else weight[mask], self.feature_names)

    def reweighted(self, weight: Floats) -> ArrayRows:
        return ArrayRows(self.X, weight, self.feature_names)
