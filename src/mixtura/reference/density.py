"""Log-densities of rows under Gaussian components.

With U_j the precision factor of component j (upper triangular, ``inv(covariance_j) = U_j U_j^T``)::

    (1)  y_ij  = U_j^T (x_i - mean_j)
    (2)  l_ij  = sum_a log U_j[a, a] - d/2 log 2 pi - 1/2 |y_ij|^2
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import Seen
from mixtura.shapes import Floats

__all__ = ["joint_log_density", "log_density"]


def log_density(X: NDArray[Any], seen: Seen) -> Floats:
    """Return the log-densities (n_samples, n_components), equation (2)."""
    _, means, _, factors, shape, _ = seen
    X = X.astype(np.float64)
    n_samples, d = X.shape
    density = np.empty((n_samples, len(means)))
    log_dets = np.broadcast_to(shape.log_dets(factors, d), len(means))
    with np.errstate(over="ignore", invalid="ignore"):
        for j, mean in enumerate(means):
            y = shape.whiten(X - mean, factors, j)
            distance = np.square(y).sum(axis=1)
            distance[np.isnan(distance)] = np.inf  # inf - inf inside y: far away all the same
            density[:, j] = log_dets[j] - 0.5 * (d * math.log(2 * math.pi) + distance)
    return density


def joint_log_density(
    scores: Floats, log_weights: Floats, prior: Floats | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return ``log weight_j + l_ij``, and which rows have zero density under every component.

    Such a row gets the log-weights alone. With log-priors (n_samples, n_components), these are
    added; where the weights of all components that a row's prior allows are zero too, it gets the
    prior alone.
    """
    joint = scores + log_weights
    if prior is not None:
        joint += prior
    lost = np.asarray(np.isneginf(joint).all(axis=1))
    joint[lost] = log_weights if prior is None else log_weights + prior[lost]
    if prior is not None:
        alone = np.isneginf(joint).all(axis=1)
        joint[alone] = prior[alone]
    return joint, lost
