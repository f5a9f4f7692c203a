"""The soft E-step, of EM: components share each row by their posterior probabilities.

With l_ij the log-density, equation (2) of `mixtura.reference.density`::

    (3)  L_i   = log sum_j weight_j exp l_ij                                 log_prob
    (4)  r_ij  = weight_j exp(l_ij - L_i)                                    the responsibility
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.reference.density import joint_log_density
from mixtura.shapes import Floats

__all__ = ["share_out"]


def share_out(
    scores: Floats, log_weights: Floats, prior: Floats | None = None
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Return responsibilities, most probable components and log_prob, equations (3) and (4)."""
    joint, lost = joint_log_density(scores, log_weights, prior)
    largest = joint.max(axis=1, keepdims=True)
    resp = np.exp(joint - largest)
    total = resp.sum(axis=1, keepdims=True)
    log_prob = np.where(lost, -np.inf, (largest + np.log(total))[:, 0])
    return resp / total, joint.argmax(axis=1), log_prob
