"""The E-step of k-means: each row belongs to its nearest center.

::

    label_i = argmin_j |x_i - center_j|^2            the first of equals
    L_i     = -1/2 min_j |x_i - center_j|^2          log_prob
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import Seen
from mixtura.shapes import Floats

__all__ = ["share_out", "squared_distances"]


def squared_distances(X: NDArray[Any], points: Floats) -> Floats:
    """Return ``|x_i - point_j|^2``, shape (n_samples, n_points)."""
    X = X.astype(np.float64)
    with np.errstate(over="ignore"):
        return np.stack([np.square(X - point).sum(axis=1) for point in points], axis=1)


def share_out(X: NDArray[Any], seen: Seen) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return the label of each row, as shares and as labels, and log_prob."""
    distances = squared_distances(X, seen.means)
    labels = distances.argmin(axis=1)
    return labels, labels, -0.5 * distances.min(axis=1)
