"""Identical components: EM never separates them, because every row is shared out alike.

Where two components have one mean and one covariance, the responsibilities of each row for them are
in the ratio of their weights, and so are all sums over rows: the next means and covariances are
equal again. The mixture is one of fewer components.
"""

from __future__ import annotations

import numpy as np

from mixtura.parameters import Parameters

__all__ = ["identical"]

SAME = 1e-6  # deviations between means; relative difference of the variances in any direction


def identical(parameters: Parameters) -> list[int]:
    """Positions of the components that are identical to an earlier one; those of weight zero not.

    Notes
    -----
    Cost O(k^2 d), or O(k log k) where all means differ in the first feature. Each pair whose means
    agree costs O(d^3), or O(d) of diagonals.
    """
    means, present = parameters.means, parameters.weights > 0.0
    found: list[int] = []
    reach = SAME * np.sqrt(parameters.variances())
    if (np.diff(np.sort(means[:, 0])) > reach[:, 0].max()).all():
        return found  # no two are near
    for j in map(int, np.flatnonzero(present)):
        near = (np.abs(means[:j] - means[j]) <= reach[j]).all(axis=1) & present[:j]
        if any(_agree(parameters, j, i) for i in map(int, np.flatnonzero(near))):
            found.append(j)
    return found


def _agree(parameters: Parameters, one: int, other: int) -> bool:
    """Whether two components agree, in units of the first."""
    _, means, covariances, factors, shape = parameters
    of_one = shape.select(factors, np.array([one]))
    difference = (means[one] - means[other])[None]
    far = (shape.whitened_lengths(of_one, difference) > SAME).any()
    if far or shape.is_shared:
        return not far
    return shape.difference(factors, covariances, one, other, means.shape[1]) <= SAME
