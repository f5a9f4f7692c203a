"""Rows in one array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.finite import finite_rows
from mixtura.data.frames import Names
from mixtura.data.index import row_index
from mixtura.data.maps import file_of
from mixtura.data.missing import Accepted
from mixtura.data.question import Question
from mixtura.data.row_checks import rows_table
from mixtura.data.source import Block, Mask, Positions, RowSource
from mixtura.parameters import NOTHING
from mixtura.shapes import Floats

__all__ = ["ArrayRows"]


class ArrayRows(RowSource):
    """Rows in one array, which is used where it is.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64, of any strides
    sample_weight : ndarray of shape (n_samples,), float64 and C-contiguous, optional
    feature_names : tuple of str, optional
    form : str
    extras : mapping from str to ndarray of shape (n_samples, ...), optional
        What else is known of each row.
    """

    in_memory = True

    def __init__(
        self,
        X: NDArray[Any],
        sample_weight: Floats | None = None,
        feature_names: Names | None = None,
        *,
        form: str = "whole",
        extras: Mapping[str, NDArray[Any]] = NOTHING,
    ) -> None:
        self.X, self.sample_weight, self.form, self.extras = X, sample_weight, form, extras
        (self.n_samples, self.n_features), self.dtype = X.shape, X.dtype
        self.feature_names, self.is_weighted = feature_names, sample_weight is not None

    @classmethod
    def sample_of(
        cls, source: RowSource, size: int, rng: np.random.Generator, also: Positions = ()
    ) -> ArrayRows:
        """Return copies of the rows that `thinned` chooses, and of those `also`, as float64."""
        return cls.copied(source, *source.thinned(size, rng, also))

    @classmethod
    def copied(cls, source: RowSource, positions: Positions, weight: Floats) -> ArrayRows:
        """Return copies of the rows at some positions, as float64, with the weights given."""
        X, _, _, extras = source.gather(positions)
        rows = cls(X, weight, source.feature_names, form=source.form, extras=extras)
        middle = vars(source).get("middle")
        if middle is not None and source.in_memory and len(positions) == source.n_rows:
            own = source.weights()
            if np.array_equal(weight, np.ones(len(weight)) if own is None else own[positions]):
                vars(rows).update(middle=middle, n_rows=source.n_rows)  # of the same rows
                if own is None:
                    vars(rows)["weight_sum"] = source.weight_sum
        return rows

    @classmethod
    def opened(cls, X: Any) -> ArrayRows:
        table = rows_table(X)
        rows = cls(table.numbers(), None, table.names)
        index = row_index(X)
        rows.index = None if index is None else (index,)
        return rows

    @property
    def paths(self) -> Sequence[str]:
        path = file_of(self.X)
        return () if path is None else (path,)

    def blocks(self) -> Iterator[Block]:
        yield Block(self.X, self.sample_weight, 0, self.extras)

    def answers(self, question: Question) -> Any:
        (values,) = self.map(question.look)
        return values

    def checked(self, missing: Accepted | None = None) -> ArrayRows:
        form, missing = self._form_if(missing)
        X, replaced = finite_rows(self.X, "X", self.feature_names, self.sample_weight, missing)
        if replaced is None and form == self.form:
            return self
        rows = self._with(X=X, form=form)
        rows.not_finite = replaced
        return rows

    def shown(self) -> NDArray[Any]:
        """Return a view that nobody can write through."""
        view = self.X.view()
        view.flags.writeable = False
        return view

    def gather(self, positions: Positions) -> Block:
        X = np.asarray(self.X[positions], dtype=np.float64, order="C")
        extras = {name: array[positions] for name, array in self.extras.items()}
        return Block(X, None, 0, extras)

    def subset(self, mask: Mask) -> ArrayRows:
        weight = self.sample_weight
        return self._with(
            X=self.X[mask],
            sample_weight=None if weight is None else weight[mask],
            extras={name: array[mask] for name, array in self.extras.items()},
        )

    def reweighted(self, weight: Floats) -> ArrayRows:
        return self._with(sample_weight=weight)

    def plain(self) -> ArrayRows:
        return self._with(form="whole", extras=NOTHING)

    def _extended(self, form: str, extras: Mapping[str, NDArray[Any]]) -> ArrayRows:
        return self._with(form=form, extras={**self.extras, **extras})

    def _with(self, **changes: Any) -> ArrayRows:
        names = ("X", "sample_weight", "feature_names", "form", "extras")
        return ArrayRows(**{name: getattr(self, name) for name in names} | changes)
