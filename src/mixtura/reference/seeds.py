"""Seeds of k-means++ [1]_, and potentials: what is left of the distances after one more of them.

With D_i the squared distance of row i to its nearest seed so far, a candidate c would leave
``sum_i w_i min(D_i, |x_i - c|^2)``.

.. [1] D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.sampling import inverted
from mixtura.reference.nearest import squared_distances
from mixtura.shapes import Floats

__all__ = ["TIE", "potentials", "seeds"]

# Trials are equal where rounding cannot tell them apart: relative to the sum of all distances. Two
# rows that are far from all others gain the same, each of them the other.
TIE = 1e-12


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


def seeds(
    X: NDArray[Any], sample_weight: Floats, first: float, quantiles: Floats
) -> NDArray[np.int64]:
    """Return the rows that greedy k-means++ chooses: see `mixtura.reference.Rows.seeds`."""
    (present,) = np.nonzero(sample_weight)
    X, weight = X[present], sample_weight[present]
    chosen = inverted(weight, np.array([first]))
    nearest = squared_distances(X, X[chosen])[:, 0]
    for shares in quantiles:
        chances = weight * nearest
        trials = inverted(chances if chances.any() else weight, shares)
        least = np.minimum(nearest[:, None], squared_distances(X, X[trials]))
        gains = weight @ (nearest[:, None] - least)
        best = np.argmax(gains >= gains.max() - TIE * chances.sum())
        nearest = least[:, best]
        chosen = np.append(chosen, trials[best])
    return present[chosen].astype(np.int64)
