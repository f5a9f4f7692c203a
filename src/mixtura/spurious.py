"""Spurious maxima: components whose likelihood grows without bound, and how to tell them.

Where many rows agree in a feature, or a few lie on one line, a component can sit on just these
with next to no variance across, and the narrower it gets the higher is its likelihood. The best of
several starts would be the worst model. A component counts as spurious where in some direction its
variance is less than

    LEAST_VARIANCE of the average variance within components, as in Hathaway [1]_, or
    LEAST_ROUNDING of the variance that rounding to the data's own grid leaves: that of a uniform
    distribution over one cell, as in Sheppard's corrections [2]_.

Neither depends on units, on the number of rows or on their weights: rows repeated are rows
weighted, so a component may not be excused by how many equal rows it holds.

.. [1] R. J. Hathaway, "A constrained formulation of maximum-likelihood estimation for normal
   mixture distributions", The Annals of Statistics 13, 795-800, 1985, equation (2.1).
.. [2] D. F. Heitjan, "Inference from grouped continuous data: a review", Statistical Science 4,
   164-179, 1989, section 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.statistics import FactorShape, Floats
from mixtura.update import Parameters

__all__ = ["Guard", "rounding_variance"]

EPS = float(np.finfo(np.float64).eps)
# On real data and the figures of mclust, ordinary components reach down to 1.8e-3 of the average
# variance, and those that sit on a handful of rows up to 4e-5 (python -m benchmarks.spurious).
LEAST_VARIANCE = 1e-4
LEAST_ROUNDING = 0.01  # all but one row in a thousand have one value
MOST_ROWS = 4000  # that are looked at for the grid
SAME = 16.0 * EPS  # of the largest value: differences that arithmetic leaves between equal numbers
HUGE = 1e300


class Guard:
    """Tells spurious components.

    Parameters
    ----------
    rounding : ndarray of shape (n_features,)
        See `rounding_variance`.
    factor_shape : {"full", "tied", "diag", "spherical"}
        Of the family.
    """

    def __init__(self, rounding: Floats, factor_shape: FactorShape) -> None:
        self.rounding = rounding
        self._shape = factor_shape

    def spurious(self, parameters: Parameters) -> list[int]:
        """Positions of the spurious components.

        Notes
        -----
        The smallest variance relative to a bound B is the reciprocal of the largest eigenvalue of
        ``U.T @ B @ U``. Cost O(k d^3), O(k d) for "diag" and "spherical".
        """
        weights, _, covariances, factors = parameters
        within = covariances
        if self._shape != "tied":
            within = np.tensordot(weights, covariances, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            if self._shape in ("full", "tied"):
                bound = LEAST_VARIANCE * within + LEAST_ROUNDING * np.diag(self.rounding)
                spread = bound @ factors
                largest = (factors * spread).sum(axis=(-2, -1))  # the trace is no less
                if not (largest <= 1.0).all():
                    relative = np.swapaxes(factors, -1, -2) @ spread
                    relative = np.nan_to_num(relative, nan=HUGE, posinf=HUGE, neginf=-HUGE)
                    largest = np.linalg.eigvalsh(relative)[..., -1]
            else:
                bound = LEAST_VARIANCE * within + LEAST_ROUNDING * self.rounding
                largest = (np.square(factors.reshape(len(weights), -1)) * bound).max(axis=1)
        if (largest <= 1.0).all():
            return []
        return np.flatnonzero(np.broadcast_to(largest > 1.0, weights.shape)).tolist()


def rounding_variance(X: NDArray[Any], sample_weight: Floats | None, scale: Floats) -> Floats:
    """Variance that rounding leaves in each feature: the square of its smallest step over twelve.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None
    scale : ndarray of shape (n_features,)
        Standard deviations of the features.

    Returns
    -------
    ndarray of shape (n_features,)
        0 for a constant feature, at most the feature's own variance.

    Notes
    -----
    Of many rows, evenly spaced ones are looked at: the step of rounded numbers shows in any few of
    them, and that of continuous ones is too small to matter.
    """
    some: slice | NDArray[np.intp] = slice(None, None, 1 + len(X) // MOST_ROWS)
    if sample_weight is not None:
        present = np.flatnonzero(sample_weight)
        some = present[:: 1 + len(present) // MOST_ROWS]
    rows = X[some].astype(np.float64) / scale
    rows.sort(axis=0)
    steps = np.diff(rows, axis=0)
    steps[steps <= SAME * np.abs(rows).max(axis=0)] = np.inf
    smallest = steps.min(axis=0, initial=np.inf)
    share = np.minimum(np.square(np.where(smallest < np.inf, smallest, 0.0)) / 12.0, 1.0)
    variance: Floats = share * np.square(scale)
    return variance
