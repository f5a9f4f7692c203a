"""Who makes the pass: objects that hold the rows and turn parameters into statistics."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura import kernels, reference
from mixtura.bounds import CarriedBounds, Carry
from mixtura.statistics import FactorShape, Floats, Statistics
from mixtura.update import Parameters

__all__ = ["CompiledPass", "Pass", "ReferencePass", "RowsPass", "moments", "suits_single"]


LEAST_VARIANCE = 1e-290  # below, squares of small differences lose their digits
# For fewer features, exponentials and memory count for more than arithmetic; for fewer rows, time
# matters less than that the stopping rule sees small gains.
LEAST_SINGLE_FEATURES, LEAST_SINGLE_ROWS = 8, 10_000
# Of deviations s and weights w: where all lie within, no sum of w z^2, which is at most n w s^2,
# leaves a float's range, however far out a row may be.
SINGLE_RANGE = 1e9


class Pass(Protocol):
    """The only thing that touches rows. What it keeps between calls changes nothing but time.

    Attributes
    ----------
    rounding : float
        What rounding does to a mean log-likelihood, relative to it.
    """

    rounding: float

    def accumulate(self, parameters: Parameters) -> Statistics:
        """Return the statistics of all rows under a mixture, about its means."""


class RowsPass(Pass, Protocol):
    """A pass over rows that are at hand, so that a start may speak of them one by one."""

    def accumulate_resp(self, resp: Floats, centres: Floats) -> Statistics:
        """Return the statistics under responsibilities of shape (n_samples, n_components)."""

    def accumulate_labels(self, labels: NDArray[np.int64], centres: Floats) -> Statistics:
        """Return the statistics where row i belongs to component labels[i]."""

    @property
    def n_features(self) -> int:
        """Number of columns of the rows."""

    def state(self) -> dict[str, Any]:
        """Return what later passes depend on, to the last bit, besides the rows themselves."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as a pass over the same rows would that was in this state."""


class CompiledPass:
    """The compiled kernels on an array.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64, any layout
    sample_weight : ndarray of shape (n_samples,) or None
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the factors and of the statistics.
    n_threads : int or None
    centre : ndarray of shape (n_features,), optional
        With it, tiles are worked on in single precision: see `suits_single`.
    """

    def __init__(
        self,
        X: NDArray[Any],
        sample_weight: Floats | None,
        covariance_type: FactorShape,
        n_threads: int | None,
        centre: Floats | None = None,
    ) -> None:
        self._rows = kernels.Rows(X, sample_weight, centre, single=centre is not None)
        self.rounding = self._rows.rounding
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

    @property
    def n_features(self) -> int:
        return int(self._rows.n_features)

    def state(self) -> dict[str, Any]:
        return self._bounds.state()

    def restore(self, state: dict[str, Any]) -> None:
        self._bounds.restore(state)


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
        self.rounding = kernels.EPS
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

    @property
    def n_features(self) -> int:
        return int(self._X.shape[1])

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing is carried from pass to pass."""


def suits_single(X: NDArray[Any], sample_weight: Floats | None, variance: Floats) -> bool:
    """Whether single precision loses nothing that rows about their mean have, and gains time.

    Rows in single precision carry an error of 6e-8 of their size. Differences from a point amid
    them, and the densities of a tile, then need no more digits; sums over tiles do.
    """
    n, d = X.shape
    if X.dtype != np.float32 or n < LEAST_SINGLE_ROWS or d < LEAST_SINGLE_FEATURES:
        return False
    sizes = [np.sqrt(variance)] if sample_weight is None else [np.sqrt(variance), sample_weight]
    return all(np.all((s == 0.0) | ((s > 1.0 / SINGLE_RANGE) & (s < SINGLE_RANGE))) for s in sizes)


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
        one, ones = np.ones(1), np.ones((1, X.shape[1]))
        rough = X[first : first + 1].astype(np.float64)
        mean = rows.accumulate(one, rough, ones, "diag", n_threads).means()
        statistics = rows.accumulate(one, mean, ones, "diag", n_threads)
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
