"""Covariances as matrices, and their volumes, shapes and orientations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixtura.covariance.principal import variances_along
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["covariance_matrices", "orientation", "shape", "volume"]


def covariance_matrices(self: GaussianMixture) -> Floats:
    """Covariances as full matrices, for every covariance type.

    Returns
    -------
    ndarray of shape (n_components, n_features, n_features), squared units of the features
        A new array.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> GaussianMixture([1], [[0, 0]], [4], "spherical").covariance_matrices()
    array([[[4., 0.],
            [0., 4.]]])
    """
    return self._family.shape.matrices(self.covariances, self.n_components, self.n_features)


def volume(self: GaussianMixture) -> Floats:
    """Volume of each component: its covariance's determinant to the power 1 / n_features.

    Returns
    -------
    ndarray of shape (n_components,), squared units of the features
    """
    k, d = self.means.shape
    log_dets = self._family.shape.log_dets(self.precisions_cholesky, d)
    volume: Floats = np.exp(np.broadcast_to(-2.0 / d * log_dets, k))
    return volume


def shape(self: GaussianMixture) -> Floats:
    """Variances along the axes of `orientation`, divided by the volume.

    Returns
    -------
    ndarray of shape (n_components, n_features)
        The product of each row is one.

    Notes
    -----
    The relative error is about ``eps cond(R)`` for a correlation matrix R. Cost O(k d^3).
    """
    log_variances = _log_variances(self)
    shape: Floats = np.exp(log_variances - log_variances.mean(axis=1, keepdims=True))
    return shape


def orientation(self: GaussianMixture) -> Floats:
    """Principal axes of each component, as columns.

    Returns
    -------
    ndarray of shape (n_components, n_features, n_features)
        ``covariance_j = volume[j] * orientation[j] @ diag(shape[j]) @ orientation[j].T``. The
        features' own axes where orientation is the identity; the same for all components where
        they share it; else in the order of falling variance.
    """
    return self._family.orientation(_factors(self))


def _log_variances(mixture: GaussianMixture) -> Floats:
    """Log of the variances along the axes, shape (n_components, n_features)."""
    log_variances: Floats = np.log(variances_along(_factors(mixture), orientation(mixture)))
    return log_variances


def _factors(mixture: GaussianMixture) -> Floats:
    """Precision factors as matrices, shape (n_components, n_features, n_features)."""
    factors, k, d = mixture.precisions_cholesky, mixture.n_components, mixture.n_features
    return mixture._family.shape.matrices(factors, k, d)
