"""The second half of every pass: sums over rows whose shares are known.

With r_ij the share of component j in row i times the row's weight, and ``z_ij = x_i - centre_j``::

    resp_sum_j = sum_i r_ij      resp_x_j = sum_i r_ij z_ij      resp_xx_j = sum_i r_ij z_ij z_ij^T
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.shapes import Floats, Shape
from mixtura.statistics import Statistics

__all__ = ["add_up", "as_resp", "entropy_of"]


def as_resp(shares: NDArray[Any], n_components: int) -> Floats:
    """Return responsibilities (n_samples, n_components), where labels may be given instead."""
    return np.eye(n_components)[shares] if shares.ndim == 1 else shares


def entropy_of(weighted: Floats, weight: Floats) -> Floats:
    """Return ``-sum_ij w_i r_ij log r_ij`` of ``w_i r_ij`` and positive weights, as an array."""
    resp = weighted / weight[:, None]
    log_resp = np.log(resp, where=resp > 0.0, out=np.zeros(resp.shape))
    return np.asarray(0.0 - (weighted * log_resp).sum())


def add_up(
    X: NDArray[Any],
    sample_weight: Floats,
    shares: NDArray[Any],
    centres: Floats,
    shape: Shape,
    log_prob: Floats | None = None,
) -> Statistics:
    """Return the statistics of rows under labels or responsibilities; see `Statistics`."""
    present = sample_weight > 0.0
    X, weight = X[present].astype(np.float64), sample_weight[present]
    weighted = as_resp(shares[present], len(centres)) * weight[:, None]
    resp_x = np.empty(centres.shape)
    scatters = []
    with np.errstate(over="ignore", invalid="ignore"):  # squares past 1e308 are inf, as compiled
        for j, centre in enumerate(centres):
            z = X - centre
            weighted_z = weighted[:, j, None] * z
            resp_x[j] = weighted_z.sum(axis=0)
            scatters.append(shape.scatter(weighted_z, z))
        resp_xx = shape.joined(scatters)
    log_likelihood = 0.0 if log_prob is None else float(weight @ log_prob[present])
    return Statistics(
        shape.name,
        centres,
        weighted.sum(axis=0),
        resp_x,
        resp_xx,
        log_likelihood,
        float(weight.sum()),
    )
