"""Variational Bayes by the rules of scikit-learn's BayesianGaussianMixture, for the same numbers.

Its model is that of `Variational`: weights, means and precisions have the laws of
`mixtura.conjugate`. But only for "full" are its rules coordinate ascent on the evidence lower
bound of this model. With nu and S the degrees of freedom and scatter of the prior, N_j the weight
of the rows of a component, W~_j their scatter (with what the prior mean adds), and n = sum N_j::

                   degrees of freedom              scale
               exact        here           exact             here
    full       nu + N_j     nu + N_j       S + W~_j          S + W~_j
    tied       nu + n       nu + n / k     S + sum_j W~_j    S + sum_j W~_j / k
    diag       nu + N_j     nu + N_j       S + diag W~_j     S + diag W~_j
    spherical  nu + d N_j   nu + N_j       S + tr W~_j       S + tr W~_j / d

and for every shape the expected log det of a precision is that of a Wishart law of d x d matrices,

    sum_{i<d} digamma((nu_j - i) / 2) + d log 2 - log det scale_j,

where "diag" and "spherical" have d laws of single precisions, d digamma(nu_j / 2), or one. So with
more than one feature "diag" is not exact either. A ridge is added to the variance of the rows of
each component: N_j ridge to W~_j.

Its lower bound is a total, without the terms that stay the same. After an M-step it adds up

    - sum_ij r_ij log r_ij
    + log normaliser of the law of the weights + sum_j log normaliser of the law of precision j
    - d/2 sum_j log mean_precision_j,

with the responsibilities r_ij that the M-step was made from, and the laws that it returned. For
"full" without a ridge this is the evidence lower bound plus a constant. For the others it is no
bound: the simplification assumes laws that are optimal given the responsibilities.

No pass returns the sum of r log r, but it is the log-likelihood of what the pass sees minus the
expected log-density of rows and components together, which follows from the statistics. With
c_j the constant, U_j the precision factor and S_j the scatter about the mean of what is seen::

    - sum_ij r_ij log r_ij = log-likelihood
        - sum_j N_j (c_j + log det U_j - d/2 log 2 pi) + 1/2 sum_j trace(U_j^T S_j U_j)

Where numbers are missing, the entropy of these given the observed ones is in it, as it should be.
"""

from __future__ import annotations

import math

import numpy as np

from mixtura.algebra import Algebra
from mixtura.conjugate import Laws, PrecisionLaw, PriorLaws
from mixtura.conjugate.precisions import Wishart, log_normalisers
from mixtura.parameters import Parameters
from mixtura.shapes import DIAG, FULL, SPHERICAL, TIED, Floats, Shape
from mixtura.statistics import Statistics
from mixtura.updates.protocol import Mask
from mixtura.updates.variational import Variational

__all__ = ["PublishedBayes", "PublishedPrior"]


class _MeanWishart(Wishart):
    """The law of one matrix for all components, which counts the rows of an average one."""

    def gained(self, resp_sum: Floats, n_features: int) -> Floats:  # noqa: ARG002
        average: Floats = resp_sum.mean(keepdims=True)
        return average


LAWS: dict[Shape, PrecisionLaw] = {
    FULL: Wishart(),
    TIED: _MeanWishart(),
    DIAG: Wishart(),
    SPHERICAL: Wishart(),
}


class PublishedPrior(PriorLaws):
    """A prior whose posterior follows scikit-learn's rules."""

    @property
    def precisions(self) -> PrecisionLaw:
        """The kind of law that the precisions are given."""
        return LAWS[self.shape]

    def log_normalisers(self, laws: Laws) -> float:
        """Return the sum of the logarithms of the normalisers of all laws, nats.

        Parameters
        ----------
        laws : Laws

        Returns
        -------
        float
            Without terms that are the same for all posteriors of this prior.
        """
        (k, d), dof = laws.means.shape, laws.degrees_of_freedom
        of_precisions = log_normalisers(self.precisions, dof, self.log_scale_dets(laws), d)
        of_means = -0.5 * d * np.log(laws.mean_precision).sum()
        of_weights = self.weights.log_normaliser(laws.concentration)
        return float(of_weights + of_means + k / len(dof) * of_precisions.sum())

    def _counted(self, scatter: Floats, n_components: int) -> Floats:
        average = self.shape.per_feature(scatter, len(self.mean))
        return average / n_components if self.shape.is_shared else average


class PublishedBayes(Variational):
    """The update of scikit-learn's BayesianGaussianMixture.

    Parameters
    ----------
    prior : PublishedPrior
    weight_sum : float
        Of all rows.
    algebra : Algebra
    ridge : ndarray of shape (n_features,), squared units of the features
        Added to the variances of the rows of each component; zeros for none.

    Notes
    -----
    The objective of the loop is the log-likelihood of what the pass sees. It says nothing by
    itself. The lower bound of an iteration is `entropy` before its M-step plus
    `PublishedPrior.log_normalisers` after it.
    """

    prior: PublishedPrior

    def __init__(
        self, prior: PublishedPrior, weight_sum: float, algebra: Algebra, ridge: Floats
    ) -> None:
        super().__init__(prior, weight_sum, algebra)
        self._ridge = ridge

    def update(
        self, statistics: Statistics, previous: Parameters | None = None
    ) -> tuple[Parameters, Mask]:
        return super().update(statistics.blurred(self._ridge), previous)

    def penalty(self, parameters: Parameters, weight_sum: float) -> float:  # noqa: ARG002
        return 0.0

    def entropy(self, parameters: Parameters, statistics: Statistics) -> float:
        """Return the entropy of the responsibilities, nats.

        Parameters
        ----------
        parameters : Parameters
        statistics : Statistics
            That a pass has returned under them.
        """
        seen, _ = self.as_seen(parameters)
        d, resp_sum = seen.means.shape[1], statistics.resp_sum
        each = seen.log_weights + seen.shape.log_dets(seen.precisions_cholesky, d)
        each -= 0.5 * d * math.log(2.0 * math.pi)
        about = statistics.recentred(seen.means)
        distances = seen.shape.distances(seen.precisions_cholesky, about.resp_xx, self._algebra)
        return float(statistics.log_likelihood - resp_sum @ each + 0.5 * distances)

    def lower_bound(self, entropy: float, parameters: Parameters) -> float:
        """Return the lower bound of an iteration, nats.

        Parameters
        ----------
        entropy : float, nats
            Of the responsibilities that the M-step was made from.
        parameters : Parameters
            That it returned.
        """
        return entropy + self.prior.log_normalisers(self.laws(parameters))
