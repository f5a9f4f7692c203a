"""The grid that numbers were rounded to, estimated from a sample of the rows.

Rounding spreads each number over one cell of its grid: a uniform distribution, whose variance is
the square of the step over twelve (Sheppard's corrections [1]_).

.. [1] D. F. Heitjan, "Inference from grouped continuous data: a review", Statistical Science 4,
   164-179, 1989, section 2.
"""

from __future__ import annotations

import numpy as np

from mixtura.data.middle import Middle
from mixtura.shapes import Floats

__all__ = ["MOST_ROWS", "on_grid", "rounding_variance"]

MOST_ROWS = 4000  # of the sample
EPS = float(np.finfo(np.float64).eps)
SAME = 16.0 * EPS  # of the largest value: differences that arithmetic leaves between equal numbers


def rounding_variance(rows: Floats, scale: Floats, middle: Middle) -> Floats:
    """Variance that rounding leaves in each feature: the square of its smallest step over twelve.

    Parameters
    ----------
    rows : ndarray of shape (m, n_features)
        Some of the rows. The step of rounded numbers shows in any few of them; that of continuous
        numbers is too small to matter. Numbers far from the middle are left out.
    scale : ndarray of shape (n_features,)
        Units of the features.
    middle : Middle
        Of the features.

    Returns
    -------
    ndarray of shape (n_features,)
        0 for a constant feature, at most the square of its unit.
    """
    near = middle.near(rows)
    scaled = (rows if near.all() else np.where(near, rows, np.nan)) / scale
    columns = np.ascontiguousarray(scaled.T)  # along memory, each step is many times as fast
    columns.sort(axis=1)  # NaN at the end
    steps = np.diff(columns, axis=1)
    # False for NaN. Numbers far away have larger rounding errors than those that matter.
    distinct = steps > SAME * np.fmax.reduce(np.abs(columns), axis=1)[:, None]
    smallest = np.where(distinct, steps, np.inf).min(axis=1, initial=np.inf)
    share = np.minimum(np.square(np.where(smallest < np.inf, smallest, 0.0)) / 12.0, 1.0)
    variance: Floats = share * np.square(scale)
    return variance


def on_grid(rows: Floats, origin: Floats, variance: Floats) -> Floats:
    """Return rows rounded to the grid of other rows.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    origin : ndarray of shape (n_features,)
        One of the others.
    variance : ndarray of shape (n_features,)
        That rounding leaves in them; a feature where it is 0 stays as it is.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
    """
    step = np.sqrt(12.0 * np.where(variance > 0.0, variance, 1.0))
    rounded: Floats = np.where(
        variance > 0.0, origin + step * np.rint((rows - origin) / step), rows
    )
    return rounded
