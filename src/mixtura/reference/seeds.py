"""Potentials: what is left of the distances of k-means++ [1]_ after one more seed.

With D_i the squared distance of row i to its nearest seed so far, a candidate c would leave
``sum_i w_i min(D_i, |x_i - c|^2)``.

.. [1] D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.reference.nearest import squared_distances
from mixtura.shapes import Floats

__all__ = ["potentials"]


def potentials(
    X: NDArray[Any],
    sample_weight: Floats,
    seeds: Floats,
    nearest: Floats,
    after: Floats | None = None,
) -> Floats:
    """Take the first seed into `nearest`; return what each of the seeds would leave.

    With `after`, no seed is taken, and its columns become what each would make of `nearest`.
    """
    distances = squared_distances(X, seeds)
    if after is None:
        np.minimum(nearest, distances[:, 0], out=nearest)
    least = np.minimum(nearest[:, None], distances)
    if after is not None:
        after[...] = least
    present = sample_weight > 0.0
    left: Floats = sample_weight[present] @ least[present]
    return left
