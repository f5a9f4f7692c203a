"""Centre and scale of each feature, whatever a part of the rows may be.

A deviation of all rows says nothing about any of them once a few are far away: sentinels such as
-9999, wrong units, a recorder that failed. Numbers count as near the middle of their column when
their distance to its median is at most FAR times the typical one, the median of these distances
times 1.4826, which is the standard deviation where the column is normal [1]_. Mean and standard
deviation are those of the near numbers. So a column without far numbers has its ordinary ones, and
both follow the units. A fifth of the numbers may be anywhere: they change which of the others are
near, by no more than a few deviations.

Numbers that are equal to the median do not count for the typical distance, so that a column that
mostly has one value has the scale of its other values. Where a share p of the numbers is equal to
the median, the quantile (1 - p) / 2 of the other distances is taken in place of their median: far
numbers may be most of them.

.. [1] F. R. Hampel, "The influence curve and its role in robust estimation", Journal of the
   American Statistical Association 69, 383-393, 1974.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.shapes import EPS, Floats

__all__ = ["LOOKED_AT", "Middle", "middle_of"]

LOOKED_AT = 4000  # rows at most: a median of so many is within 2% of a standard deviation
FAR = 10.0  # in standard deviations of a normal distribution; clusters side by side are nearer
NORMAL = 1.4826
SAME = 16.0 * EPS  # differences that arithmetic leaves between equal numbers, of their size


class Middle(NamedTuple):
    """The middle of each feature: arrays of shape (n_features,).

    Attributes
    ----------
    low, high : ndarray
        From where to where a number is near the middle.
    centre : ndarray
        Mean of these numbers.
    deviation : ndarray
        Their standard deviation.
    """

    low: Floats
    high: Floats
    centre: Floats
    deviation: Floats

    @property
    def scale(self) -> Floats:
        """The standard deviation; one for a feature without spread."""
        return np.where(self.deviation > 0.0, self.deviation, 1.0)

    def near(self, rows: Floats) -> NDArray[np.bool_]:
        """Which numbers of rows are near the middle."""
        return (rows >= self.low) & (rows <= self.high)


def middle_of(rows: Floats, weight: Floats) -> Middle:
    """Return the middle of each feature.

    Parameters
    ----------
    rows : ndarray of shape (m, n_features)
        NaN where a number is missing; each feature has some.
    weight : ndarray of shape (m,) or (m, n_features)
        Positive; of each row, or of each number.

    Notes
    -----
    Cost O(m log m) for each feature.
    """
    observed = ~np.isnan(rows)
    weight = weight.reshape(len(rows), -1)
    kept = None if (weight == 1.0).all() else weight
    total = _weight_of(observed, kept)
    middle = _quantiles(rows, observed, kept, total, 0.5)
    if not observed.all():
        rows = np.where(observed, rows, middle)
    distances = np.abs(rows - middle)
    same = SAME * np.abs(middle)
    differing = observed & (distances > same)
    part = _weight_of(differing, kept)
    typical = NORMAL * _quantiles(distances, differing, kept, part, 0.5 * (part / total))
    reach = np.maximum(FAR * typical, same)
    low, high = middle - reach, middle + reach
    near = (rows >= low) & (rows <= high) & observed
    shares = (near if kept is None else kept * near) / _weight_of(near, kept)
    centre = (shares * rows).sum(axis=0)
    centre += (shares * (rows - centre)).sum(axis=0)  # of large numbers, the last digits
    unit = np.where(reach > 0.0, reach, 1.0)  # so that no square leaves a float's range
    offsets = np.where(near, (rows - centre) / unit, 0.0)
    deviation = unit * np.sqrt((shares * np.square(offsets)).sum(axis=0))
    return Middle(low, high, centre, deviation)


def _weight_of(chosen: NDArray[np.bool_], weight: Floats | None) -> Floats:
    """Weight of the chosen numbers of each column; None for one each."""
    total: Floats
    if weight is None and chosen.all():
        total = np.full(chosen.shape[1], float(len(chosen)))
    elif weight is None:  # a sum along memory is many times as fast
        total = np.ascontiguousarray(chosen.T).sum(axis=1).astype(np.float64)
    else:
        total = (weight * chosen).sum(axis=0)
    return total


def _quantiles(
    numbers: Floats,
    chosen: NDArray[np.bool_],
    weight: Floats | None,
    total: Floats,
    shares: Floats | float,
) -> Floats:
    """Quantile of the chosen numbers of each column; one of weight two is two equal numbers.

    `total` is their weight. Where each number counts once, a partition finds the quantiles without
    sorting.
    """
    reached = shares * total
    if weight is None and reached.all():
        lower, upper = np.ceil(reached).astype(np.intp) - 1, np.floor(reached).astype(np.intp)
        rest = numbers if chosen.all() else np.where(chosen, numbers, np.inf)
        kth = sorted({*lower.tolist(), *upper.tolist()})
        ordered = np.partition(rest.T, kth, axis=1)
        a = np.arange(len(ordered))
        below, above = ordered[a, lower], ordered[a, upper]
    else:
        order = np.argsort(numbers, axis=0)
        weights = chosen * (1.0 if weight is None else weight)
        cumulated = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0)
        reached = shares * cumulated[-1]
        places = [(cumulated < reached).sum(axis=0), (cumulated <= reached).sum(axis=0)]
        pair = np.take_along_axis(order, np.minimum(places, len(numbers) - 1), axis=0)
        below, above = np.take_along_axis(numbers, pair, axis=0)
    quantiles: Floats = 0.5 * below + 0.5 * above
    return quantiles
