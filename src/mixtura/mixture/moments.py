"""Mean and covariance of a whole mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["covariance", "mean"]


def mean(self: GaussianMixture) -> Floats:
    """Mean of a row of the mixture: that of the components' means, by their weights.

    Returns
    -------
    ndarray of shape (n_features,), units of the features

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.25, 0.75], [[0], [4]], [1, 4], "spherical")
    >>> mixture.mean(), mixture.covariance()
    (array([3.]), array([[6.25]]))
    """
    mean: Floats = self.weights @ self.means / self.weights.sum()
    return mean


def covariance(self: GaussianMixture) -> Floats:
    """Covariance of a row of the mixture: within components plus between their means.

    Returns
    -------
    ndarray of shape (n_features, n_features), squared units of the features
        Exactly symmetric, for every covariance type.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> GaussianMixture([0.5, 0.5], [[0], [4]], [1, 1], "spherical").covariance()
    array([[5.]])
    """
    weights = self.weights / self.weights.sum()
    z = self.means - mean(self)
    within = np.einsum("j,jab->ab", weights, self.covariance_matrices())
    between = np.einsum("ja,jb->ab", weights[:, None] * z, z)
    total: Floats = within + 0.5 * (between + between.T)
    return total
