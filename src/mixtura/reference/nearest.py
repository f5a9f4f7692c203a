"""The E-step of k-means: each row belongs to its nearest center.

::

    s_ij    = -1/2 |x_i - center_j|^2
    label_i = argmax_j s_ij            the first of equals
    L_i     = max_j s_ij               log_prob
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.shapes import Floats

__all__ = ["scores", "share_out", "squared_distances"]


def squared_distances(X: NDArray[Any], points: Floats) -> Floats:
    """Return ``|x_i - point_j|^2``, shape (n_samples, n_points)."""
    X = X.astype(np.float64)
    with np.errstate(over="ignore"):
        return np.stack([np.square(X - point).sum(axis=1) for point in points], axis=1)


def scores(X: NDArray[Any], centers: Floats) -> Floats:
    """Return s_ij, shape (n_samples, n_clusters)."""
    return -0.5 * squared_distances(X, centers)


def share_out(
    scores: Floats, log_weights: Floats, prior: Floats | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return the label of each row, as shares and as labels, and log_prob; no weights count."""
    del log_weights, prior
    labels = scores.argmax(axis=1)
    return labels, labels, scores.max(axis=1)
