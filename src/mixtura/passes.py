"""Who makes the pass: objects that hold the rows and turn parameters into statistics."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura import kernels, reference
from mixtura.bounds import CarriedBounds, Carry
from mixtura.statistics import FactorShape, Floats, Statistics
from mixtura.update import Parameters

__all__ = ["CompiledPass", "Pass", "ReferencePass", "RowsPass", "moments"]


LEAST_VARIANCE = 1e-290  # below, squares of small differences lose their digits


class Pass(Protocol):
    """The only thing that touches rows. What it keeps between calls changes nothing but time."""

    def accumulate(self, parameters: Parameters) -> Statistics:
        """Return the statistics of all rows under a mixture, about its means."""


class RowsPass(Pass, Protocol):
    """A pass over rows that are at hand, so that a start may speak of them one by one."""

    def accumulate_resp(self, resp: Floats, centres: Floats) -> Statistics:
        """Return the statistics under responsibilities of shape (n_samples, n_components)."""

    def accumulate_labels(self, labels: NDArray[np.int64], centres: Floats) -> Statistics:
        """Return the statistics where row i belongs to component labels[i]."""


class CompiledPass:
    """The compiled kernels on an array.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64, any layout
    sample_weight : ndarray of shape (n_samples,) or None
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the factors and of the statistics.
    n_threads : int or None
    """

    def __init__(
        self,
        X: NDArray[Any],
        sample_weight: Floats | None,
        covariance_type: FactorShape,
        n_threads: int | None,
    ) -> None:
        self._rows = kernels.Rows(X, sample_weight)
        self._type: FactorShape = covariance_type
        self._n_threads = n_threads
        self._bounds = CarriedBounds(self._rows, self._run, covariance_type)

    def accumulate(self, parameters: Parameters) -> Statistics:
        return self._bounds.accumulate(parameters)

    def _run(
        self, parameters: Parameters, carry: Carry | None, labels: NDArray[np.int64] | None
    ) -> Statistics:
        weights, means, _, factors = parameters
        return self._rows.accumulate(
            weights, means, factors, self._type, self._n_threads, carry=carry, labels=labels
        )

    def accumulate_resp(self, resp: Floats, centres: Floats) -> Statistics:
        return self._rows.accumulate_resp(resp, centres, self._type, self._n_threads)

    def accumulate_labels(self, labels: NDArray[np.int64], centres: Floats) -> Statistics:
        return self._rows.accumulate_labels(labels, centres, self._type, self._n_threads)


class ReferencePass:
    """The same in plain NumPy: for understanding, and for being compared with.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
    sample_weight : ndarray of shape (n_samples,) or None
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the factors and of the statistics.
    """

    def __init__(
        self, X: NDArray[Any], sample_weight: Floats | None, covariance_type: FactorShape
    ) -> None:
        self._X = X
        self._sample_weight = sample_weight
        self._type: FactorShape = covariance_type

    def accumulate(self, parameters: Parameters) -> Statistics:
        weights, means, _, factors = parameters
        return reference.accumulate(
            self._X,
            weights,
            means,
            factors,
            covariance_type=self._type,
            sample_weight=self._sample_weight,
        )

    def accumulate_resp(self, resp: Floats, centres: Floats) -> Statistics:
        return reference.accumulate_resp(
            self._X,
            resp,
            centres,
            covariance_type=self._type,
            sample_weight=self._sample_weight,
        )

    def accumulate_labels(self, labels: NDArray[np.int64], centres: Floats) -> Statistics:
        return self.accumulate_resp(np.eye(len(centres))[labels], centres)


def moments(
    X: NDArray[Any], sample_weight: Floats | None, n_threads: int | None
) -> tuple[Floats, Floats]:
    """Mean and variance of each feature, shape (n_features,), in two passes.

    Raises
    ------
    ValueError
        For a variance that is too large for a float, or so small that its own error would show.
    """
    rows = kernels.Rows(X, sample_weight)
    first = 0 if sample_weight is None else int(np.argmax(sample_weight > 0.0))
    with np.errstate(over="ignore", invalid="ignore"):
        mean = rows.assign(X[first : first + 1].astype(np.float64), n_threads).means()
        statistics = rows.assign(mean, n_threads)
        variance = statistics.resp_xx[0] / statistics.resp_sum[0]
    if not np.isfinite(variance).all():
        raise ValueError(
            f"X must have variances below {np.finfo(np.float64).max:.1g}; column "
            f"{int(np.argmin(np.isfinite(variance)))} has not. Divide it by its largest value."
        )
    for a in np.flatnonzero(variance < LEAST_VARIANCE):
        column = X[:, a] if sample_weight is None else X[sample_weight > 0.0, a]
        if column.min() < column.max():
            raise ValueError(
                f"X must have variances of {LEAST_VARIANCE:g} or more, or constant columns; column "
                f"{a} has {variance[a]:g}. Multiply it by a large number."
            )
    return mean[0], variance
