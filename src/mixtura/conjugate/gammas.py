"""Differences of gamma functions and of determinants, with all digits where both are large.

The laws of a strong prior and of a posterior hardly differ, and what does differ is a small part of
their normalisers: it would be lost if these were computed and then subtracted.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln

from mixtura.shapes import Floats

__all__ = ["STRONG", "excess_of_trace", "log_gamma_ratio", "stirling_rest"]

STRONG = 1e3  # above, differences are computed as such; 1 / (1260 STRONG^5) is below 1e-18
NEAR = 0.5  # of the identity: farther away, a determinant minus one has no digits more than it


def log_gamma_ratio(x: Floats | float, a: Floats | float) -> Floats:
    """Return ``lgamma(x + a) - lgamma(x)``, nats.

    Parameters
    ----------
    x, a : float or ndarray
        Positive, and non-negative.

    Notes
    -----
    Where x is large, by Stirling's series, whose largest terms are subtracted before they are
    computed.
    """
    if (x if isinstance(x, float) else x.min()) < STRONG:
        direct: Floats = gammaln(x + a) - gammaln(x)
        return direct
    above = x + a
    ratio: Floats = (above - 0.5) * np.log1p(a / x) + a * (np.log(x) - 1.0)
    return ratio + (_stirling(above) - _stirling(x))


def stirling_rest(x: Floats | float, b: Floats | float) -> Floats:
    """Return ``lgamma(x - b) - x log(x) + x``, nats, for x above b."""
    x, b = np.asarray(x, dtype=np.float64), np.asarray(b, dtype=np.float64)
    below = x - b
    if below.min() < STRONG:
        direct: Floats = gammaln(below) - x * (np.log(x) - 1.0)
        return direct
    rest: Floats = x * np.log1p(-b / x) - (b + 0.5) * np.log(below) + b
    return rest + 0.5 * math.log(2.0 * math.pi) + _stirling(below)


def _stirling(x: Floats | float) -> Floats | float:
    """Return what is left of ``lgamma(x)`` without ``(x - 1/2) log(x) - x + log(2 pi) / 2``."""
    inverse = 1.0 / x
    left: Floats | float = inverse * (1.0 / 12.0 - inverse * inverse / 360.0)
    return left


def excess_of_trace(off: Floats) -> Floats | None:
    """Return ``trace(E) - log det(I + E)`` of symmetric matrices E that are small.

    Parameters
    ----------
    off : ndarray of shape (n, d, d), or (n, d) for diagonals

    Returns
    -------
    ndarray of shape (n,), or None
        None where one is not small, and nothing would be gained.

    Notes
    -----
    By Gaussian elimination of ``I + E``, from which the identity is left out. O(n d^3).
    """
    if not np.abs(off).sum(axis=-1).max() < NEAR:  # NaN too; so pivots stay above a half
        return None
    if off.ndim == 2:
        of_diagonals: Floats = (off - np.log1p(off)).sum(axis=-1)
        return of_diagonals
    left, d = off.copy(), off.shape[-1]
    excess = np.zeros(len(off))
    for a in range(d):
        pivot = left[:, a, a]  # less one
        excess += off[:, a, a] - np.log1p(pivot)
        row = left[:, a, a + 1 :]
        left[:, a + 1 :, a + 1 :] -= row[:, :, None] * (row / (1.0 + pivot)[:, None])[:, None, :]
    return excess
