"""The hard E-step, of classification EM: each row belongs to its most probable component.

With l_ij the log-density (equation (2) of `mixtura.reference.density`)::

    label_i = argmax_j (log weight_j + l_ij)       the first of equals
    L_i     = max_j    (log weight_j + l_ij)       log_prob

The sum of L_i is the classification log-likelihood [1]_. A row that has zero density under every
component belongs to the heaviest.

.. [1] G. Celeux, G. Govaert, "A classification EM algorithm for clustering and two stochastic
   versions", Computational Statistics & Data Analysis 14, 315-332, 1992.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.reference.density import joint_log_density
from mixtura.shapes import Floats

__all__ = ["share_out"]


def share_out(
    scores: Floats, log_weights: Floats, prior: Floats | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return the label of each row, as shares and as labels, and log_prob."""
    joint, lost = joint_log_density(scores, log_weights, prior)
    labels = joint.argmax(axis=1)
    return labels, labels, np.where(lost, -np.inf, joint.max(axis=1))
