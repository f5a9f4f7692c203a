"""The prior of a mixture, and what it becomes with the statistics of rows.

Normal-Wishart laws [1]_: given its precision P_j, the mean of a component is normal about `mean`
with precision ``mean_precision P_j``; the laws of P_j are in `precisions.py`, those of weights in
`weights.py`. With N_j, xbar_j and W_j the weight, mean and scatter of the rows of a component::

    mean_precision_j = mean_precision + N_j
    mean_j           = (mean_precision mean + N_j xbar_j) / mean_precision_j
    scale_j          = S + W_j + mean_precision N_j / mean_precision_j d d^T,  d = xbar_j - mean

and the degrees of freedom grow by N_j ("tied": by all weight; "spherical": by d N_j).

.. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 10.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.cached import cached_property
from mixtura.conjugate.gammas import STRONG, excess_of_trace
from mixtura.conjugate.precisions import PrecisionLaw, precision_law
from mixtura.conjugate.weights import WeightLaw
from mixtura.parameters import Parameters
from mixtura.shapes import Floats, Shape
from mixtura.statistics import Statistics
from mixtura.text import short_repr

__all__ = ["LARGEST", "LEAST", "Laws", "PriorLaws", "column"]

# Of a prior's numbers: between these, bounds are exact to far less than a nat.
LEAST, LARGEST = 1e-300, 1e16


class Laws(NamedTuple):
    """The laws of all parameters of a mixture.

    Attributes
    ----------
    concentration : ndarray of shape (n_components,) or (2, n_components)
        Of the Dirichlet law of the weights, or of the Beta law of each stick.
    mean_precision : ndarray of shape (n_components,)
        Of each mean, in units of its component's precision.
    means : ndarray of shape (n_components, n_features)
    degrees_of_freedom : ndarray of shape (n_components,), or (1,) for "tied"
    covariances : ndarray of `shape`
        The scale divided by the degrees of freedom: the inverse of the expected precision.
    precisions_cholesky : ndarray of `shape`
        Their precision factors.
    shape : Shape
    """

    concentration: Floats
    mean_precision: Floats
    means: Floats
    degrees_of_freedom: Floats
    covariances: Floats
    precisions_cholesky: Floats
    shape: Shape

    @property
    def scale(self) -> Floats:
        """The scale of each law of precisions, as an array of `shape`."""
        return self.covariances * column(self.degrees_of_freedom, self.shape, self.covariances)


@dataclass(frozen=True, eq=False)
class PriorLaws:
    """What is believed of a mixture before any row; of all components the same.

    Attributes
    ----------
    weights : WeightLaw
    concentration : float
        Of the weights, positive.
    mean_precision : float
        Of the means, in units of the component's precision: the weight of rows that the prior
        mean counts for.
    mean : ndarray of shape (n_features,)
        Expected mean.
    degrees_of_freedom : float
        Of the law of precisions: the weight of rows that the prior scatter counts for.
    covariance : ndarray of shape (n_features, n_features), (n_features,) or ()
        Prior scatter, the scale S of the law of precisions: for "full" and "tied", "diag", or
        "spherical".
    shape : Shape
    """

    weights: WeightLaw
    concentration: float
    mean_precision: float
    mean: Floats
    degrees_of_freedom: float
    covariance: Floats
    shape: Shape

    __repr__ = short_repr

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            np.array_equal(getattr(self, each.name), getattr(other, each.name))
            for each in fields(self)
        )

    def __hash__(self) -> int:
        return hash((self.weights, self.shape.name, self.concentration, *self.mean.tolist()))

    @property
    def precisions(self) -> PrecisionLaw:
        """The kind of law of the precisions."""
        return precision_law(self.shape)

    def posterior(self, statistics: Statistics, by: Algebra) -> tuple[Laws, NDArray[np.bool_]]:
        """Return the laws after rows.

        Parameters
        ----------
        statistics : Statistics
            Of the rows, about any centres.
        by : Algebra

        Returns
        -------
        laws : Laws
        failed : ndarray of shape (n_components,), bool
            True where the scale is not positive definite to working precision.
        """
        resp_sum, (k, d) = statistics.resp_sum, statistics.centres.shape
        with np.errstate(over="ignore", invalid="ignore"):
            centred = statistics.centred()
            mean_precision = self.mean_precision + resp_sum
            from_prior = centred.centres - self.mean
            share = resp_sum / mean_precision
            means = self.mean + share[:, None] * from_prior
            pulled = (self.mean_precision * share)[:, None] * from_prior
            scatter = centred.resp_xx + self.shape.product(pulled, from_prior)
            scale = self.covariance + self._counted(scatter, k)
            dof = self.degrees_of_freedom + self.precisions.gained(resp_sum, d)
            covariances = scale / column(dof, self.shape, scale)
            factors, failed = self.shape.factorise(covariances, by)
        concentration = self.weights.posterior(self.concentration, resp_sum)
        laws = Laws(concentration, mean_precision, means, dof, covariances, factors, self.shape)
        return laws, failed if len(failed) == k else np.broadcast_to(failed, k)

    def laws_of(self, parameters: Parameters, weight_sum: float) -> Laws:
        """Return the laws that the loop carries as parameters, whose weights are shares of rows."""
        resp_sum, d = weight_sum * parameters.weights, parameters.means.shape[1]
        return Laws(
            self.weights.posterior(self.concentration, resp_sum),
            self.mean_precision + resp_sum,
            parameters.means,
            self.degrees_of_freedom + self.precisions.gained(resp_sum, d),
            parameters.covariances,
            parameters.precisions_cholesky,
            self.shape,
        )

    def log_constants(self, laws: Laws) -> Floats:
        """Return the constants with which a pass makes the variational E-step [1]_.

        They take the place of log-weights beside the densities of `means` and `covariances`.

        Returns
        -------
        ndarray of shape (n_components,), nats
            The sum of three parts, (10.46) and (10.64) to (10.66) in [1]_: the expected logarithm
            of the weight; half of the difference between the expected log det of the precision and
            the log det of the expected precision; and ``-d / (2 mean_precision)``, for the
            uncertainty of the mean.
        """
        d, dof = laws.means.shape[1], laws.degrees_of_freedom
        size = self.precisions.size(d)
        excess = self.precisions.digammas(dof, d) + size * np.log(2.0 / dof)
        logs = self.weights.expected_logs(laws.concentration)
        constants: Floats = logs + 0.5 * (d / size) * excess - 0.5 * d / laws.mean_precision
        return constants

    def divergence(self, laws: Laws, by: Algebra) -> float:
        """Return the Kullback-Leibler divergence of the laws from this prior, nats.

        Parameters
        ----------
        laws : Laws
        by : Algebra

        Notes
        -----
        (10.74) to (10.77) minus (10.70) to (10.73) in [1]_, without what depends on rows. O(k d^3).
        """
        return (
            self.weights.divergence(laws.concentration, self.concentration)
            + self._divergence_of_means(laws)
            + self._divergence_of_precisions(laws, by)
        )

    def normaliser_gains(self, gained: Floats, log_dets: Floats) -> Floats:
        """Return by how much log normalisers of laws of precisions exceed the prior's, nats.

        Parameters
        ----------
        gained : ndarray of shape (n_laws,)
            Degrees of freedom that each law has more than the prior.
        log_dets : ndarray of shape (n_laws,)
            log det of its scale.
        """
        d, law = len(self.mean), self.precisions
        grown = log_dets - self._log_det
        of_scales = 0.5 * gained * (law.size(d) * math.log(2.0) - log_dets)
        gains: Floats = law.log_gamma_gains(self.degrees_of_freedom, gained, d) + of_scales
        return gains - 0.5 * self.degrees_of_freedom * grown

    @cached_property
    def _log_det(self) -> float:
        """That of the prior scatter."""
        return _log_det(self.covariance)

    def _divergence_of_means(self, laws: Laws) -> float:
        d, ratio = laws.means.shape[1], self.mean_precision / laws.mean_precision
        apart = self.shape.whitened_lengths(laws.precisions_cholesky, laws.means - self.mean)
        each = d * (ratio - 1.0 - np.log(ratio)) + self.mean_precision * np.square(apart)
        return 0.5 * float(each.sum())

    def _divergence_of_precisions(self, laws: Laws, by: Algebra) -> float:
        (k, d), dof, law = laws.means.shape, laws.degrees_of_freedom, self.precisions
        size, before = law.size(d), self.degrees_of_freedom
        gained, digammas = dof - before, law.digammas(dof, d)
        if before >= STRONG:
            # With covariances C and those of the prior C_0, and E = U^T C_0 U - I, what follows
            # below is the same without differences of large numbers.
            one = self.covariance / before
            off = self.shape.whitened_less_one(laws.precisions_cholesky, one, by)
            excess = excess_of_trace(off)
            if excess is not None:
                each = 0.5 * gained * (digammas - size) + 0.5 * before * excess
                each += 0.5 * before * size * np.log1p(gained / before)
                return float((each - law.log_gamma_gains(before, gained, d)).sum())
        log_dets = self.log_scale_dets(laws)
        expected_logs = digammas + size * math.log(2.0) - log_dets
        each = 0.5 * gained * expected_logs - self.normaliser_gains(gained, log_dets)
        traces = self.shape.distances(laws.precisions_cholesky, self._whole_scale(k), by)
        return float((each - 0.5 * size * dof).sum() + 0.5 * traces)

    def log_scale_dets(self, laws: Laws) -> Floats:
        """Return log det of the scale of each law of precisions, one for each, nats."""
        size = self.precisions.size(len(self.mean))
        log_dets = self.log_dets(laws.precisions_cholesky, self.shape)
        of_scale: Floats = size * np.log(laws.degrees_of_freedom) + log_dets
        return of_scale

    def log_dets(self, factors: Floats, shape: Shape) -> Floats:
        """Return log det of scales that have these precision factors, one for each law, nats."""
        d = len(self.mean)
        of_scale: Floats = -2.0 * (self.precisions.size(d) / d) * shape.log_dets(factors, d)
        return of_scale

    def _counted(self, scatter: Floats, n_components: int) -> Floats:  # noqa: ARG002
        """What the scatter of the rows adds to that of the prior."""
        return scatter

    def _whole_scale(self, n_components: int) -> Floats:
        """The prior scatter as an array of `shape`."""
        return self.shape.repeated(self.covariance, n_components, len(self.mean))


def _log_det(scatter: Floats) -> float:
    """Return log det of a positive definite matrix, or of a diagonal.

    By Gaussian elimination, because LAPACK's may have other bits with other numbers of threads.
    """
    if scatter.ndim < 2:
        return float(np.log(scatter).sum())
    scale = np.sqrt(np.diag(scatter))
    left, pivots = scatter / scale / scale[:, None], []
    for a in range(len(left)):
        row = left[a, a + 1 :]
        pivots.append(left[a, a])
        left[a + 1 :, a + 1 :] -= np.outer(row, row / left[a, a])
    return float(np.log(pivots).sum() + 2.0 * np.log(scale).sum())


def column(values: Floats, shape: Shape, array: Floats) -> Floats:
    """Numbers of each component, to be multiplied with an array of a shape."""
    if shape.is_shared:
        return np.asarray(values[0])
    column: Floats = values.reshape((-1,) + (1,) * (array.ndim - 1))
    return column
