"""A prior, written as what it adds to the statistics of rows.

For conjugate priors, the parameters of largest expected objective follow from statistics by the
same rules as without a prior [1]_. With N_j, xbar_j and W_j the weight, mean and scatter of the
rows of a component::

    weight_j  ~ N_j + concentration_j - 1
    mean_j    = (N_j xbar_j + kappa_j m_j) / (N_j + kappa_j)
    scatter_j = W_j + S_j + kappa_j N_j / (N_j + kappa_j) (xbar_j - m_j) (xbar_j - m_j)^T
    count_j   = N_j + c_j

A covariance family then estimates covariances from `scatter_j` and `count_j` by its own rule, as
the objective in them is ``-1/2 sum_j count_j log det C_j + tr(inv(C_j) scatter_j)`` for whatever
parts the covariances have in common. Where all components have one covariance, its prior counts
once: each of k components gets a k-th of it.

.. [1] C. Fraley, A. E. Raftery, "Bayesian regularization for normal mixture estimation and
   model-based clustering", Journal of Classification 24, 155-181, 2007, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from mixtura.algebra import Algebra
from mixtura.conjugate.gammas import STRONG, excess_of_trace, stirling_rest
from mixtura.parameters import Parameters
from mixtura.shapes import Floats, Shape
from mixtura.statistics import Statistics
from mixtura.updates.protocol import Mask

__all__ = ["PseudoRows"]


@dataclass(frozen=True, eq=False)
class PseudoRows:
    """What a prior adds to the statistics of each component.

    Attributes
    ----------
    concentration : ndarray of shape (n_components,) or None
        Of the Dirichlet law of the weights, at least 1; None for no prior.
    shrinkage : ndarray of shape (n_components,)
        Weight of the rows that the prior mean counts for; zeros for no prior.
    means : ndarray of shape (n_components, n_features)
    counts : ndarray of shape (n_components,)
        What the laws of covariances add to the weights of components where these are estimated.
    scatter : ndarray of `shape`
    shape : Shape
    is_common : bool
        Whether all components have one covariance, so that counts and scatters of all are those of
        one prior.
    log_constants : ndarray of shape (n_components,), nats
        Of the laws of covariances; 0 where these are improper.
    modes : ndarray of `shape`, or None
        Of strong laws of covariances, where each is largest; None for others.
    log_peaks : ndarray of shape (n_components,), nats, or None
        The logarithm of the density there, which `log_constants` would lose in large differences.
    """

    concentration: Floats | None
    shrinkage: Floats
    means: Floats
    counts: Floats
    scatter: Floats
    shape: Shape
    is_common: bool
    log_constants: Floats
    modes: Floats | None = None
    log_peaks: Floats | None = None

    @property
    def counts_with_means(self) -> Floats:
        """What the laws of covariances and means add to weights: of each mean, one."""
        counts: Floats = self.counts + (self.shrinkage > 0.0)
        return counts

    def added_to(self, centred: Statistics) -> tuple[Statistics, Mask]:
        """Return the statistics from which covariances follow, about the new means.

        Parameters
        ----------
        centred : Statistics
            Of rows, about the means of the components.

        Returns
        -------
        statistics : Statistics
        lost : ndarray of shape (n_components,), bool
            True where the mean is unknown: there are no rows, and the prior has no mean.
        """
        own, kappa = centred.resp_sum, self.shrinkage
        total = own + kappa
        lost = ~(total > 0.0)
        share = kappa / np.where(lost, 1.0, total)
        apart = centred.centres - self.means
        with_prior = replace(
            centred,
            centres=centred.centres - share[:, None] * apart,
            resp_sum=own + self.counts_with_means,
            resp_xx=centred.resp_xx
            + (self.scatter + self.shape.product((share * own)[:, None] * apart, apart)),
        )
        return with_prior, lost

    def weights(self, resp_sum: Floats) -> Floats:
        """Return the weights of largest expected objective."""
        counts = resp_sum if self.concentration is None else resp_sum + (self.concentration - 1.0)
        weights: Floats = counts / counts.sum()
        return weights

    def log_pdf(self, parameters: Parameters, by: Algebra) -> float:
        """Return the logarithm of the prior density, nats.

        Parameters
        ----------
        parameters : Parameters
        by : Algebra
        """
        weights, means, _, factors, shape = parameters
        (k, d), kappa = means.shape, self.shrinkage
        apart = np.sqrt(kappa)[:, None] * (means - self.means)
        of_means = 0.5 * d * np.log(kappa[kappa > 0.0] / (2.0 * np.pi)).sum()
        of_means -= 0.5 * np.square(shape.whitened_lengths(factors, apart)).sum()
        log_dets = np.broadcast_to(shape.log_dets(factors, d), k)  # of U_j, half of the precisions
        of_means += log_dets[kappa > 0.0].sum()
        of_covariances = self._log_pdf_near_modes(factors, d, by)
        if of_covariances is None:
            of_covariances = (self.counts * log_dets + self.log_constants).sum()
            of_covariances -= 0.5 * shape.distances(factors, self.scatter, by)
        return float(self._log_pdf_of_weights(weights) + of_means + of_covariances)

    def _log_pdf_near_modes(self, factors: Floats, d: int, by: Algebra) -> float | None:
        """That of covariances near the modes of strong laws; None for others."""
        if self.modes is None or self.log_peaks is None:
            return None
        off = self.shape.whitened_less_one(factors, self.modes, by)
        excess = excess_of_trace(off)
        if excess is None:
            return None
        each = d / off.shape[-1] * excess  # of "spherical", one number stands for d features
        return float((self.log_peaks - 0.5 * self.counts * each).sum())

    def given_means(self, means: Floats, fixed: Mask) -> PseudoRows:
        """Return what is added to the scatters about means of which some are known.

        Such a mean is then that of the prior, to which rows about it have no distance.

        Parameters
        ----------
        means : ndarray of shape (n_components, n_features)
        fixed : ndarray of shape (n_components,), bool
            Where they are known.
        """
        known = np.where(fixed[:, None], means, self.means)
        apart = known - self.means
        scatter = self.scatter + self.shape.product(self.shrinkage[:, None] * apart, apart)
        return replace(self, means=known, scatter=scatter, modes=None, log_peaks=None)

    def select(self, components: NDArray[np.intp]) -> PseudoRows:
        """Return the prior of some of the components."""
        k, left = len(self.counts), len(components)
        if left == k:
            return self
        more = k / left if self.is_common else 1.0  # of what one prior gives to each component
        scatter = self.shape.select(self.scatter, components)
        return PseudoRows(
            None if self.concentration is None else self.concentration[components],
            self.shrinkage[components],
            self.means[components],
            more * self.counts[components],
            scatter if self.shape.is_shared else more * scatter,
            self.shape,
            self.is_common,
            more * self.log_constants[components],
            None if self.modes is None else self.shape.select(self.modes, components),
            None if self.log_peaks is None else more * self.log_peaks[components],
        )

    def _log_pdf_of_weights(self, weights: Floats) -> float:
        if self.concentration is None:
            return 0.0
        a, counts = self.concentration, self.concentration - 1.0
        if counts.min() >= STRONG:  # as for covariances, by the distance from the mode
            off = weights * (counts.sum() / counts) - 1.0
            if np.abs(off).max() < 0.5:
                peak = stirling_rest(counts.sum(), -len(a)) - stirling_rest(counts, -1.0).sum()
                return float(peak - (counts * (off - np.log1p(off))).sum())
        constant = gammaln(a.sum()) - gammaln(a).sum()
        return float(constant + xlogy(a - 1.0, weights).sum())
