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
        The means are `means`. The covariances are `scale` divided by more than the degrees of
        freedom: a mode of precisions, or of standard deviations, would be another one.

    Raises
    ------
    ValueError
        Where no weight has a mode: each Dirichlet concentration is one or less, or no stick has
        rows.

    Notes
    -----
    Means and covariances: the density of a covariance C and the mean has the power
    ``-(nu + d + 2)/2`` of det C for "full", so C is ``scale / (nu + d + 2)``. Likewise it is
    ``scale / (nu + d + 1 + n_components)`` for "tied", ``scale / (nu + 3)`` for "diag" and
    ``scale / (nu + 2 + d)`` for "spherical". It exists for any degrees of freedom.

    Weights: ``concentration - 1``, divided by their sum. The density grows without bound as a
    weight with a concentration below one goes to zero: that weight is zero, and the others are
    their mode given that. For sticks the density is that of the shares, each of what the sticks
    before leave.
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
