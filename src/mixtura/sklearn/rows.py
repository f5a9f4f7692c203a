"""Rows and their weights after scikit-learn's own checks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from mixtura.data import KINDS, RowSource
from mixtura.data.finite import OFFERS, finite_rows
from mixtura.data.frames import described, real_objects, refuse_repeated_names
from mixtura.data.index import check_index, row_index
from mixtura.data.missing import Accepted, Missing
from mixtura.data.row_checks import check_sample_weight
from mixtura.shapes import Floats

__all__ = ["WeightedRows", "rows_of", "weighted_rows_of"]


class WeightedRows(NamedTuple):
    """Rows that can be used, their weights, and rows of weight zero that others stand for."""

    X: NDArray[Any]
    sample_weight: Floats | None
    not_finite: NDArray[np.bool_] | None

    def marked(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Write -1 into the labels of rows that are not finite."""
        if self.not_finite is not None:
            labels[self.not_finite] = -1
        return labels


def rows_of(
    estimator: BaseEstimator, X: Any, *, missing: Missing | None = None, **checks: Any
) -> NDArray[Any]:
    """X as the passes take it, after scikit-learn's own checks; it is copied if it must be.

    With ``missing="em"`` it may have NaN; None is for estimators without such a parameter.
    """
    _refuse_rows_elsewhere(estimator, X)
    checks.setdefault("ensure_all_finite", "allow-nan" if missing == "em" else True)
    X = _without_objects(X)
    refuse_repeated_names(name for name in getattr(X, "columns", ()) if isinstance(name, str))
    try:
        X = validate_data(estimator, X, dtype=(np.float64, np.float32), **checks)
    except ValueError as error:  # of NaN, scikit-learn says to use other estimators
        nan = "Input X contains NaN."
        if missing != "raise" or not str(error).startswith(nan):
            raise
        remedy = f"Drop the rows, fill in the values, or {OFFERS['estimator']}."
        raise ValueError(f"{nan} {remedy}") from None
    return np.require(X, requirements="A")


def _refuse_rows_elsewhere(estimator: BaseEstimator, X: object) -> None:
    """Refuse rows of `mixtura.scan`, of Dask and of Spark.

    What scikit-learn promises of an estimator is about arrays, and these could fill the memory.
    """
    got = "rows of mixtura.scan" if isinstance(X, RowSource) else ""
    if any(kind.opened(X) is not None for kind in KINDS if kind.is_far):
        got = described(X)
    if got:
        raise TypeError(
            f"X must be one array or frame for {type(estimator).__name__}; got {got}. Use "
            f"mixtura.fit_gmm or mixtura.fit_kmeans, whose results answer such rows, too."
        )


def _without_objects(X: Any) -> Any:
    """Rows without objects that are real numbers or missing: scikit-learn stumbles at pandas.NA."""
    if isinstance(X, np.ndarray):
        return real_objects(X) if X.dtype == object else X
    if not hasattr(X, "isetitem"):
        return X
    objects = [a for a, dtype in enumerate(X.dtypes) if str(dtype) == "object"]
    if objects:
        X = X.copy(deep=False)
        for a in objects:
            X.isetitem(a, real_objects(X.iloc[:, a].to_numpy()))
    return X


def weighted_rows_of(
    estimator: BaseEstimator,
    X: Any,
    sample_weight: ArrayLike | None,
    *,
    missing: Missing | None = None,
    **checks: Any,
) -> WeightedRows:
    """Rows and their weights; without weights these are the rows of `rows_of`, and None."""
    if sample_weight is None:
        return WeightedRows(rows_of(estimator, X, missing=missing, **checks), None, None)
    _refuse_rows_elsewhere(estimator, X)
    index = row_index(X)
    check_index(sample_weight, None if index is None else (index,), "sample_weight")
    X = rows_of(estimator, X, ensure_all_finite=False, **checks)
    weight = check_sample_weight(sample_weight, len(X))
    accepted: Accepted | None = "estimator" if missing == "raise" else missing
    X, not_finite = finite_rows(X, "X", None, weight, accepted)
    return WeightedRows(X, weight, not_finite)
