"""Spurious maxima: components whose likelihood grows without bound, and how to detect them.

Where many rows agree in a feature, or a few lie on one line, a component can sit on just these
with almost no variance across, and the narrower it gets the higher is its likelihood. The best of
several starts would be the worst model. A component counts as spurious where in some direction its
variance is less than

    LEAST_VARIANCE of the average variance within components, as in Hathaway [1]_, where no
        component counts as wider than the middle of the rows (see `mixtura.data.middle`), or
    LEAST_ROUNDING of the variance that rounding to the data's own grid leaves: that of a uniform
    distribution over one cell, as in Sheppard's corrections [2]_.

All of several components count as spurious where even that average is below the variance of
rounding. Components of equal variance end there when each sits on one value.

Neither depends on units, on the number of rows or on their weights: rows repeated are rows
weighted, so a component may not be excused by how many equal rows it holds.

A component may be wide enough and still follow a handful of rows: a plane through d + 1 of them, as
narrow as the first bound allows. It has few rows where they are less than

    ENOUGH times the rows below which its own part of the covariances is singular [3]_.

Rows are counted by weight, as if repeated, but a weight below one does not make them fewer. So
this alone depends on the units of weights, as the number of rows does in BIC.

.. [1] R. J. Hathaway, "A constrained formulation of maximum-likelihood estimation for normal
   mixture distributions", The Annals of Statistics 13, 795-800, 1985, equation (2.1).
.. [2] D. F. Heitjan, "Inference from grouped continuous data: a review", Statistical Science 4,
   164-179, 1989, section 2.
.. [3] G. McLachlan, D. Peel, "Finite Mixture Models", Wiley, 2000, section 3.10, for the idea.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mixtura.algebra import Algebra
from mixtura.data import RowSource
from mixtura.parameters import Parameters
from mixtura.shapes import Floats

__all__ = ["Guard", "too_narrow"]

# On real data and the figures of mclust, ordinary components reach down to 1.8e-3 of the average
# variance, and those that sit on a handful of rows up to 4e-5 (python -m benchmarks.spurious).
LEAST_VARIANCE = 1e-4
LEAST_ROUNDING = 0.01  # all but one row in a thousand have one value
LEAST_AVERAGE = 0.99  # of the variance of rounding, to which smoothed components come down
ENOUGH = 2.0  # times the least rows
ALMOST = 0.01  # rows: shares are rounded


@dataclass(frozen=True, eq=False)
class Guard:
    """Detects spurious components.

    Attributes
    ----------
    rounding : ndarray of shape (n_features,)
        Variance that rounding leaves in each feature: see `RowSource.rounding`.
    unit : ndarray of shape (n_features,)
        Variance of each feature near its middle.
    algebra : Algebra
    n_rows : float
        Number of rows, or their total weight where that is more.
    least_rows : int
        Of a component: see `CovarianceFamily.least_rows_of_one`. 0 asks for none.
    """

    rounding: Floats
    unit: Floats
    algebra: Algebra
    n_rows: float = 0.0
    least_rows: int = 0

    def among(self, source: RowSource) -> Guard:
        """Return the guard of a fit to other rows, such as a sample."""
        return replace(self, n_rows=max(float(source.n_rows), source.weight_sum))

    def few(self, parameters: Parameters) -> list[int]:
        """Positions of several components that have few rows."""
        weights: list[float] = parameters.weights.tolist()
        if len(weights) == 1:
            return []
        least = ENOUGH * self.least_rows - ALMOST
        return [j for j, weight in enumerate(weights) if weight * self.n_rows < least]

    def spurious(self, parameters: Parameters) -> list[int]:
        """Positions of the spurious components.

        Notes
        -----
        Cost O(k d^3), O(k d) for diagonals.
        """
        weights, _, covariances, _, shape = parameters
        average = shape.average(shape.limited(covariances, self.unit), weights)
        nothing, rounding = 0.0 * average, LEAST_AVERAGE * self.rounding
        common = shape.joined([average])
        if len(weights) > 1 and shape.is_narrower(common, nothing, rounding, self.algebra).any():
            return list(range(len(weights)))
        return too_narrow(
            parameters, LEAST_VARIANCE * average, LEAST_ROUNDING * self.rounding, self.algebra
        )

    def price(self, parameters: Parameters, components: list[int]) -> float:
        """What components gain at most by being narrower than the average, nats per row of all.

        A mixture that is lower by more is worse than this one with average covariances in them;
        infinite where no average is wider.
        """
        weights, _, covariances, factors, shape = parameters
        if shape.is_shared or len(components) == len(weights):
            return math.inf
        average = shape.average(shape.limited(covariances, self.unit), weights)
        common, failed = shape.factorise(shape.joined([average]), self.algebra)
        if failed.any():
            return math.inf
        d = parameters.means.shape[1]
        gains = shape.log_dets(factors, d) - shape.log_dets(common, d)
        return float(weights[components] @ np.maximum(gains[components], 0.0))


def too_narrow(
    parameters: Parameters, average: Floats, variances: Floats, by: Algebra
) -> list[int]:
    """Positions of components whose variance in some direction is below a bound.

    The bound is ``average + diag(variances)``, the average as `Shape.average` returns it.
    """
    shape = parameters.shape
    narrower = shape.is_narrower(parameters.covariances, average, variances, by)
    if not np.count_nonzero(narrower):
        return []
    return np.flatnonzero(np.broadcast_to(narrower, parameters.weights.shape)).tolist()
