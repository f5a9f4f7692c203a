"""Covariances of largest likelihood in closed form, as Celeux and Govaert [1]_ give them.

Each rule takes scatters about the component means, the components' positive weights, the
covariances before, from which rules that iterate begin, and the engine's algebra; `on_own_axes` and
`on_common_axes` use only the variances or the axes of the covariances before.

A component that has no covariance of largest likelihood, because its scatter is singular, gets one
that is singular too, or NaN. It does not affect the others.

`each_its_own`, `equal` and `equal_volumes` take diagonals, (n_components, n_features): the axes are
known. The first two are right for matrices and single variances too.

.. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
   781-793, 1995.
"""

from __future__ import annotations

import numpy as np

from mixtura.algebra import Algebra
from mixtura.covariance.axes import axes_of_one, common_axes, turned
from mixtura.covariance.family import Rule
from mixtura.shapes import EPS, TINY, Floats

__all__ = [
    "each_its_own",
    "equal",
    "equal_determinants",
    "equal_volumes",
    "on_common_axes",
    "on_own_axes",
    "pooled",
]


def each_its_own(scatter: Floats, counts: Floats, _previous: Floats | None, _by: Algebra) -> Floats:
    """Volume and shape vary: VII, VVI, VVV."""
    covariances: Floats = scatter / counts.reshape((-1,) + (1,) * (scatter.ndim - 1))
    return covariances


def pooled(scatter: Floats, counts: Floats, _previous: Floats | None, _by: Algebra) -> Floats:
    """One covariance from the scatter of all: EEE."""
    covariance: Floats = scatter / counts.sum()
    return covariance


def equal(scatter: Floats, counts: Floats, previous: Floats | None, by: Algebra) -> Floats:
    """Volume and shape are equal, and kept for each component: EII, EEI."""
    covariances: Floats = np.zeros(scatter.shape) + pooled(
        scatter.sum(axis=0), counts, previous, by
    )
    return covariances


def equal_volumes(
    scatter: Floats, counts: Floats, _previous: Floats | None, _by: Algebra
) -> Floats:
    """Volume is equal, shape varies: EVI."""
    positive = scatter.min(axis=1) > 0.0
    roots = np.exp(np.log(np.where(positive[:, None], scatter, 1.0)).mean(axis=1)) * positive
    return _of_equal_volume(scatter, roots, counts)


def equal_determinants(
    scatter: Floats, counts: Floats, _previous: Floats | None, by: Algebra
) -> Floats:
    """Volume is equal, shape and orientation vary: EVV."""
    factors, singular = by.factorise(scatter)
    diagonals = np.einsum("jaa->ja", factors)
    diagonals[singular] = 1.0
    roots = np.exp(-2.0 * np.log(diagonals).mean(axis=1)) * ~singular
    return _of_equal_volume(scatter, roots, counts)


def _of_equal_volume(scatter: Floats, roots: Floats, counts: Floats) -> Floats:
    """Scatters divided by the roots of their determinants, times the mean of these.

    A singular scatter, whose root is zero, stays singular.
    """
    column = (-1,) + (1,) * (scatter.ndim - 1)
    regular = roots > 0.0
    shapes = scatter / np.where(regular, roots, counts).reshape(column)
    volumes = np.where(regular, roots.sum() / max(counts[regular].sum(), TINY), 1.0)
    covariances: Floats = shapes * volumes.reshape(column)
    return covariances


def on_own_axes(rule: Rule) -> Rule:
    """Orientation varies, and shape does not: EEV, VEV, from the rule for EEI, VEI.

    The axes are those of each scatter, in the order of its variances.
    """

    def maximise(scatter: Floats, counts: Floats, previous: Floats | None, by: Algebra) -> Floats:
        variances, axes = by.eigh(scatter)
        before = None if previous is None else np.einsum("jaa->ja", previous)
        return _spanned(axes, rule(np.maximum(variances, 0.0), counts, before, by), by)

    return maximise


def on_common_axes(rule: Rule, *, equal_volumes: bool) -> Rule:
    """Orientation is equal, and shape varies: EVE, VVE, from the rule for EVI, VVI.

    The axes are those of largest likelihood for equal volumes, or for any.
    """

    def maximise(scatter: Floats, counts: Floats, previous: Floats | None, by: Algebra) -> Floats:
        before = None if previous is None else axes_of_one(previous, by)
        axes = common_axes(scatter, counts, by, equal_volumes=equal_volumes, previous=before)
        along = np.einsum("jaa->ja", turned(scatter, axes, by))
        return _spanned(axes[None], rule(along, counts, None, by), by)

    return maximise


def _spanned(axes: Floats, variances: Floats, by: Algebra) -> Floats:
    """Return matrices with these variances along these axes, exactly symmetric.

    NaN where the smallest variance is lost in the rounding of the largest.
    """
    lost = ~(variances.min(axis=1) > axes.shape[1] * EPS * variances.max(axis=1))
    variances = np.where(lost[:, None], np.nan, variances)
    matrices = by.multiply(axes * variances[:, None, :], axes.transpose(0, 2, 1))
    symmetric: Floats = 0.5 * (matrices + matrices.transpose(0, 2, 1))
    return symmetric
