"""How statistics become parameters: maximum likelihood, with a ridge on the covariances.

The ridge is exact. Adding ``ridge`` to the diagonal of each covariance is what EM does when every
row is spread out with that variance [1]_, and then the objective that rises with each iteration is

    sum_i w_i log sum_j weight_j N(x_i | mean_j, C_j) exp(-1/2 trace(inv(C_j) diag(ridge))),

the log-likelihood with a constant for each component. The pass therefore needs nothing but other
weights, and the loop can insist that the objective never falls.

.. [1] C. M. Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural
   Computation 7, 108-116, 1995, for the idea; the constant follows from the Gaussian integral.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.covariance import CovarianceFamily
from mixtura.statistics import Floats, Statistics

__all__ = ["MaximumLikelihood", "Parameters"]

Mask = NDArray[np.bool_]


class Parameters(NamedTuple):
    """A mixture as the loop handles it: plain arrays in the shapes of its family."""

    weights: Floats
    means: Floats
    covariances: Floats
    precisions_cholesky: Floats


class MaximumLikelihood:
    """The maximisation step of EM, for any covariance family.

    Parameters
    ----------
    family : CovarianceFamily
    ridge : ndarray of shape (n_features,), squared units of the features
        Added to the diagonal of every covariance; zeros for none.
    """

    def __init__(self, family: CovarianceFamily, ridge: Floats) -> None:
        self.family = family
        self.ridge = ridge if ridge.any() else None

    def update(
        self, statistics: Statistics, previous: Parameters | None = None
    ) -> tuple[Parameters, Mask]:
        """Return the parameters of largest expected objective, and which components have none.

        Parameters
        ----------
        statistics : Statistics
            Of the rows, about any centres.
        previous : Parameters, optional
            Those under which the statistics were taken: see `CovarianceFamily.update`.

        Returns
        -------
        parameters : Parameters
        failed : ndarray of shape (n_components,), bool
            True for a component without weight or whose covariance is not positive definite.
        """
        weights = statistics.resp_sum / statistics.resp_sum.sum()
        # An empty component is 0 / 0; one that was too far from all rows overflows.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            centred = statistics.centred()
            if self.ridge is not None:
                centred = centred.blurred(self.ridge)
            before = None if previous is None else previous.covariances
            covariances = self.family.update(centred, before)
        factors, singular = self.family.factorise(covariances)
        failed = singular | (statistics.resp_sum <= 0.0)
        return Parameters(weights, centred.centres, covariances, factors), failed

    def log_factors(self, parameters: Parameters) -> Floats | None:
        """Logarithm of the factor that the objective gives each component's weight, or None."""
        if self.ridge is None:
            return None
        trace = self.family.trace_with(parameters.precisions_cholesky, self.ridge)
        return np.zeros(parameters.weights.shape) - 0.5 * trace
