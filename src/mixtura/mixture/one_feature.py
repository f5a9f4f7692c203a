"""Questions to mixtures of one feature: cdf, quantiles, and where the assignment changes.

Sums over components are formed one component at a time, so that memory grows with the number of
points alone. Tails are summed by their logarithms, and each from its own end: nothing is lost as
the difference from one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from mixtura.data.checks import contiguous
from mixtura.shapes import EPS, Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["boundaries", "cdf", "quantile"]

MOST_STEPS = 200  # halvings of a bracket need fewer, unless it is wider than 1e40 deviations
SAME = 8 * EPS  # of a crossing or the smallest deviation; crossings no further apart are one


def cdf(self: GaussianMixture, x: ArrayLike, *, upper: bool = False) -> Floats:
    """Probability of a value below x (or above it), for mixtures of one feature.

    Parameters
    ----------
    x : array_like of any shape
        Points; they may be infinite.
    upper : bool
        True is the probability above x, which is accurate also where it is very small.

    Returns
    -------
    ndarray of the shape of `x`
        Accurate relative to itself, down to 1e-300 and less.

    Raises
    ------
    ValueError
        For a mixture of more features, or points that are not numbers.
    TypeError
        For points that are not real numbers.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.5, 0.5], [[-2], [2]], [1, 1], "spherical")
    >>> mixture.cdf([0.0, 2.0])
    array([0.5       , 0.74998416])
    """
    weights, means, deviations = _components(self, "cdf")
    points = contiguous(x, "x")
    if np.isnan(points).any():
        raise ValueError("x must not be NaN. Drop the points, or fill in their values.")
    total = np.zeros(points.shape)
    sign = -1.0 if upper else 1.0
    for weight, mean, deviation in zip(weights, means, deviations, strict=True):
        total += weight * ndtr(sign * (points - mean) / deviation)
    return total[()]


def quantile(self: GaussianMixture, p: ArrayLike, *, upper: bool = False) -> Floats:
    """Point below which (or above which) a value lies with probability p, for one feature.

    Parameters
    ----------
    p : array_like of any shape
        Probabilities from 0 to 1; at these two, the quantile is infinite.
    upper : bool
        True is the point above which a value lies with probability p, for very small p.

    Returns
    -------
    ndarray of the shape of `p`
        Accurate to a few units in the last place, as far as p determines it.

    Raises
    ------
    ValueError
        For a mixture of more features, or numbers that are not probabilities.
    TypeError
        For numbers that are not real.

    Notes
    -----
    Newton's method on the logarithm of the nearer tail, inside a bracket: the quantiles of the
    single components lie on both sides.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.5, 0.5], [[-2], [2]], [1, 1], "spherical")
    >>> mixture.quantile([0.25, 0.5])
    array([-2.00007936,  0.        ])
    """
    weights, means, deviations = _components(self, "quantile")
    given = contiguous(p, "p")
    wrong = ~((given >= 0.0) & (given <= 1.0))
    if wrong.any():
        raise ValueError(
            f"p must be probabilities from 0 to 1; got {given[wrong][0]}. Divide percentages by "
            f"100."
        )
    lower = (given <= 0.5) != upper
    # Each quantile is looked for in the tail that holds less, mirrored where that is the upper one.
    sign = np.where(lower, 1.0, -1.0).ravel()
    tail = np.where(given <= 0.5, given, 1.0 - given).ravel()
    inside = tail > 0.0
    found = np.full(tail.shape, -np.inf)
    found[inside] = _solved(tail[inside], sign[inside], weights, means, deviations)
    quantiles: Floats = (sign * found).reshape(given.shape)[()]
    return quantiles


def _solved(
    tail: Floats, sign: Floats, weights: Floats, means: Floats, deviations: Floats
) -> Floats:
    """Return y at which the mixture of ``sign * x`` has this probability below."""
    low, high = np.full(tail.shape, np.inf), np.full(tail.shape, -np.inf)
    for mean, deviation in zip(means, deviations, strict=True):
        end = sign * mean + deviation * ndtri(tail)
        low, high = np.minimum(low, end), np.maximum(high, end)
    y, log_tail = 0.5 * low + 0.5 * high, np.log(tail)
    left = np.arange(len(y))
    for _ in range(MOST_STEPS):
        here = y[left]
        log_below, log_density = _logs_at(here, sign[left], weights, means, deviations)
        gap = log_below - log_tail[left]
        low[left] = np.where(gap <= 0.0, here, low[left])
        high[left] = np.where(gap >= 0.0, here, high[left])
        with np.errstate(all="ignore"):
            step = here - gap * np.exp(log_below - log_density)
        good = (step > low[left]) & (step < high[left])
        there = np.where(good, step, 0.5 * low[left] + 0.5 * high[left])
        there = np.where(gap == 0.0, here, there)
        y[left] = there
        close = np.abs(there - here) <= EPS * np.maximum(np.abs(there), deviations.min())
        left = left[~close]
        if not len(left):
            break
    solved: Floats = y
    return solved


def _logs_at(
    y: Floats, sign: Floats, weights: Floats, means: Floats, deviations: Floats
) -> tuple[Floats, Floats]:
    """Log of the probability below y, and log of the density times the root of two pi."""
    log_below, log_density = np.full(y.shape, -np.inf), np.full(y.shape, -np.inf)
    for weight, mean, deviation in zip(weights, means, deviations, strict=True):
        z = (y - sign * mean) / deviation
        log_below = np.logaddexp(log_below, np.log(weight) + log_ndtr(z))
        log_of_one = np.log(weight / deviation) - 0.5 * z * z
        log_density = np.logaddexp(log_density, log_of_one)
    return log_below, log_density - 0.5 * np.log(2.0 * np.pi)


def boundaries(self: GaussianMixture) -> tuple[Floats, NDArray[np.int64]]:
    """Thresholds at which the most probable component changes, for mixtures of one feature.

    Returns
    -------
    thresholds : ndarray of shape (n_boundaries,)
        Ascending; between none and ``2 n_components - 2`` of them.
    components : ndarray of shape (n_boundaries + 1,), int64
        ``components[i]`` is what `predict` returns left of ``thresholds[i]``, and
        ``components[i + 1]`` right of it.

    Raises
    ------
    ValueError
        For a mixture of more features.

    Notes
    -----
    Each threshold is the root of a quadratic. Cost O(n_components^2).

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.5, 0.5], [[0], [4]], [1, 1], "spherical")
    >>> mixture.boundaries()
    (array([2.]), array([0, 1]))
    """
    weights, means, deviations = _components(self, "boundaries")
    numbers = np.flatnonzero(self.weights)
    origin, unit = means[0], max(np.ptp(means), deviations.max())
    m, v = (means - origin) / unit, np.square(deviations / unit)
    now = int(np.lexsort((-weights, m, -v))[0])
    thresholds, components = [], [now]
    position = -np.inf
    while True:
        crossings = m[now] + _overtakes(np.log(weights / weights[now]), m - m[now], v, v[now])
        crossings[~(crossings > position)] = np.inf
        first = crossings.min()
        if first == np.inf:
            break
        rounding = SAME * max(abs(first), np.sqrt(v.min()))
        together = np.flatnonzero(crossings <= first + rounding)
        slopes = (m[together] - first) / v[together]
        now = int(together[np.lexsort((-v[together], -slopes))[0]])
        position = crossings[now]
        thresholds.append(origin + position * unit)
        components.append(now)
    return np.array(thresholds), numbers[components].astype(np.int64)


def _overtakes(log_ratio: Floats, shift: Floats, v: Floats, v_now: float) -> Floats:
    """Where parabolas cross the present one from below, relative to its mean; inf where nowhere.

    With u from the present mean, ratio r of the variances, and L the log of the ratio of the
    heights, 2 v times the difference of the parabolas is ``(r - 1) u^2 + 2 shift u + C`` with
    ``C = 2 v L - shift^2``. It rises at one root only, ``(root - shift) / (r - 1)``, where the
    quarter of the discriminant, root^2, is ``r (shift^2 - 2 (v - v_now) L)``.
    """
    excess = (v - v_now) / v_now
    heights = log_ratio - 0.5 * np.log(v / v_now)
    constant = 2.0 * v * heights - np.square(shift)
    square = (v / v_now) * (np.square(shift) - 2.0 * (v - v_now) * heights)
    root = np.sqrt(np.maximum(square, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.where(shift >= 0.0, -constant / (shift + root), (root - shift) / excess)
    never = (square <= 0.0) | ((shift < 0.0) & (excess == 0.0))
    return np.where(never, np.inf, crossing)


def _components(mixture: GaussianMixture, question: str) -> tuple[Floats, Floats, Floats]:
    """Weights, means and standard deviations of the components that have a weight."""
    if mixture.n_features != 1:
        raise ValueError(
            f"{question} is for mixtures of one feature; this one has {mixture.n_features}. Fit "
            f"a mixture to one feature alone, or make one of its means and variances."
        )
    present = np.flatnonzero(mixture.weights)
    weights = mixture.weights[present]
    variances = mixture.covariance_matrices()[present, 0, 0]
    return weights / weights.sum(), mixture.means[present, 0], np.sqrt(variances)
