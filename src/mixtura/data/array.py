"""Rows in one array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import Names
from mixtura.data.row_checks import refuse_non_finite_rows, rows_table
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
        return cls(table.numbers(), None, table.names)

    def blocks(self) -> Iterator[Block]:
        yield Block(self.X, self.sample_weight, 0)

    def check_values(self) -> None:
        refuse_non_finite_rows(self.X, "X", self.feature_names)

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
