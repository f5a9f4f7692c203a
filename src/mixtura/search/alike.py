"""Whether two mixtures are nearly the same, in whatever order their components are."""

from __future__ import annotations

import numpy as np

from mixtura.parameters import Parameters
from mixtura.shapes import Floats

__all__ = ["are_alike"]

ALIKE = 0.1  # largest difference of means, in units of the features, and of weights


def are_alike(one: Parameters, other: Parameters, scale: Floats) -> bool:
    """Return whether each component of either has one in the other that is nearly the same.

    Parameters
    ----------
    one, other : Parameters
    scale : ndarray of shape (n_features,)
        Units of the features.
    """
    apart = np.abs((one.means / scale)[:, None] - other.means / scale).max(axis=2)
    differences = np.maximum(apart, np.abs(one.weights[:, None] - other.weights))
    return bool(max(differences.min(axis=0).max(), differences.min(axis=1).max()) < ALIKE)
