"""Spurious maxima: components whose likelihood grows without bound, and how to detect them.

Where many rows agree in a feature, or a few lie on one line, a component can sit on just these
with almost no variance across, and the narrower it gets the higher is its likelihood. The best of
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

from dataclasses import dataclass

import numpy as np

from mixtura.parameters import Parameters
from mixtura.shapes import Floats

__all__ = ["Guard"]

# On real data and the figures of mclust, ordinary components reach down to 1.8e-3 of the average
# variance, and those that sit on a handful of rows up to 4e-5 (python -m benchmarks.spurious).
LEAST_VARIANCE = 1e-4
LEAST_ROUNDING = 0.01  # all but one row in a thousand have one value


@dataclass(frozen=True, eq=False)
class Guard:
    """Detects spurious components.

    Attributes
    ----------
    rounding : ndarray of shape (n_features,)
        Variance that rounding leaves in each feature: see `RowSource.rounding`.
    """

    rounding: Floats

    def spurious(self, parameters: Parameters) -> list[int]:
        """Positions of the spurious components.

        Notes
        -----
        The smallest variance relative to a bound B is the reciprocal of the largest eigenvalue of
        ``U.T @ B @ U``. Cost O(k d^3), O(k d) for diagonals.
        """
        weights, _, covariances, factors, shape = parameters
        average = LEAST_VARIANCE * shape.average(covariances, weights)
        ratios = shape.largest_ratio(factors, average, LEAST_ROUNDING * self.rounding)
        if (ratios <= 1.0).all():
            return []
        return np.flatnonzero(np.broadcast_to(ratios > 1.0, weights.shape)).tolist()
