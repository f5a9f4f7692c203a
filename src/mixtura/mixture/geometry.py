"""Covariances as matrices, and their volumes, shapes and orientations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixtura import kernels
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
    """
    return self._family.shape.matrices(self.covariances, self.n_components, self.n_features)


def volume(self: GaussianMixture) -> Floats:
    """Volume of each component: its covariance's determinant to the power 1 / n_features.

    Returns
    -------
    ndarray of shape (n_components,), squared units of the features
    """
    volume: Floats = np.exp(_log_variances(self).mean(axis=1))
    return volume


def shape(self: GaussianMixture) -> Floats:
    """Variances along the axes of `orientation`, divided by the volume.

    Returns
    -------
    ndarray of shape (n_components, n_features)
        The product of each row is one.
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
    return self._family.orientation(covariance_matrices(self), kernels)


def _log_variances(mixture: GaussianMixture) -> Floats:
    """Log of the variances along the axes, shape (n_components, n_features)."""
    axes = orientation(mixture)
    rotated = axes.transpose(0, 2, 1) @ covariance_matrices(mixture) @ axes
    log_variances: Floats = np.log(np.einsum("jaa->ja", rotated))
    return log_variances
