"""The mixture of largest posterior density."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixtura.conjugate.laws import column
from mixtura.mixture import GaussianMixture
from mixtura.parameters import Parameters

if TYPE_CHECKING:
    from mixtura.posterior.posterior import GMMPosterior

__all__ = ["mode"]


def mode(self: GMMPosterior) -> GaussianMixture:
    """Mixture of largest posterior density of weights, means and covariances together.

    Returns
    -------
    GaussianMixture
        Its means are `means`, its covariances are smaller than those of `model`, and weights with a
        concentration below one are zero. See :doc:`/manual/posterior`.

    Raises
    ------
    ValueError
        Where no weight has a mode: each Dirichlet concentration is one or less, or no stick has
        rows.

    Notes
    -----
    With nu the degrees of freedom, covariances are ``scale`` over ``nu + d + 2`` for "full",
    ``nu + d + 1 + n_components`` for "tied", ``nu + 3`` for "diag" and ``nu + 2 + d`` for
    "spherical". Weights are ``concentration - 1``, divided by their sum.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> posterior = mixtura.fit_bayesian_gmm(X, 2, rng=0).posterior
    >>> posterior.mode().weights.round(3), posterior.model.weights.round(3)
    (array([0.645, 0.355]), array([0.644, 0.356]))
    """
    (k, d), law = self.means.shape, self.prior.precisions
    weights = self.prior.weights.mode(self.weight_concentration)
    # The change from precisions to covariances has the power least + 2, and the density of each
    # mean has the power of a row.
    dof = self.degrees_of_freedom
    power = dof + law.least(d) + 2.0 + law.gained(np.ones(k), d)
    shrunk = column(dof / power, self.prior.shape, self.covariances)
    parameters = Parameters(
        weights,
        self.means,
        self.covariances * shrunk,
        self.precisions_cholesky / np.sqrt(shrunk),
        self.prior.shape,
    )
    return GaussianMixture._of(self.covariance_type, parameters, self.feature_names, self.missing)
