"""Covariances of largest likelihood in closed form, as Celeux and Govaert [1]_ give them.

Each rule takes scatters about the component means, the components' positive weights and, for rules
that iterate, the covariances before; `on_own_axes` and `on_common_axes` use only the variances or
the axes of these.

`each_its_own`, `equal` and `equal_volumes` take diagonals, (n_components, n_features): the axes are
known. The first two are right for matrices and single variances too.

.. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
   781-793, 1995.
"""

from __future__ import annotations

import numpy as np

from mixtura.covariance.axes import axes_of_one, common_axes
from mixtura.covariance.family import Rule
from mixtura.shapes import EPS, Floats

__all__ = [
    "each_its_own",
    "equal",
    "equal_determinants",
    "equal_volumes",
    "on_common_axes",
    "on_own_axes",
    "pooled",
]


def each_its_own(scatter: Floats, counts: Floats, _previous: Floats | None = None) -> Floats:
    """Volume and shape vary: VII, VVI, VVV."""
    covariances: Floats = scatter / counts.reshape((-1,) + (1,) * (scatter.ndim - 1))
    return covariances


def pooled(scatter: Floats, counts: Floats, _previous: Floats | None = None) -> Floats:
    """One covariance from the scatter of all: EEE."""
    covariance: Floats = scatter / counts.sum()
    return covariance


def equal(scatter: Floats, counts: Floats, _previous: Floats | None = None) -> Floats:
    """Volume and shape are equal, and kept for each component: EII, EEI."""
    covariances: Floats = np.zeros(scatter.shape) + pooled(scatter.sum(axis=0), counts)
    return covariances


def equal_volumes(scatter: Floats, counts: Floats, _previous: Floats | None = None) -> Floats:
    """Volume is equal, shape varies: EVI."""
    positive = scatter.min(axis=1) > 0.0
    roots = np.exp(np.log(np.where(positive[:, None], scatter, 1.0)).mean(axis=1)) * positive
    return _of_equal_volume(scatter, roots, counts)


def equal_determinants(scatter: Floats, counts: Floats, _previous: Floats | None = None) -> Floats:
    """Volume is equal, shape and orientation vary: EVV."""
    signs, logs = np.linalg.slogdet(scatter)
    roots = np.exp(np.where(signs > 0.0, logs, -np.inf) / scatter.shape[1])
    return _of_equal_volume(scatter, roots, counts)


def _of_equal_volume(scatter: Floats, roots: Floats, counts: Floats) -> Floats:
    """Scatters divided by the roots of their determinants, times the mean of these.

    A singular scatter stays singular.
    """
    column = (-1,) + (1,) * (scatter.ndim - 1)
    shapes = scatter / np.where(roots > 0.0, roots, counts).reshape(column)
    volumes = np.where(roots > 0.0, roots.sum() / counts.sum(), 1.0)
    covariances: Floats = shapes * volumes.reshape(column)
    return covariances


def on_own_axes(rule: Rule) -> Rule:
    """Orientation varies, and shape does not: EEV, VEV, from the rule for EEI, VEI.

    The axes are those of each scatter, in the order of its variances.
    """

    def maximise(scatter: Floats, counts: Floats, previous: Floats | None = None) -> Floats:
        variances, axes = np.linalg.eigh(scatter)
        before = None if previous is None else np.einsum("jaa->ja", previous)
        return _spanned(axes, rule(np.maximum(variances, 0.0), counts, before))

    return maximise


def on_common_axes(rule: Rule, *, equal_volumes: bool) -> Rule:
    """Orientation is equal, and shape varies: EVE, VVE, from the rule for EVI, VVI.

    The axes are those of largest likelihood for equal volumes, or for any.
    """

    def maximise(scatter: Floats, counts: Floats, previous: Floats | None = None) -> Floats:
        before = None if previous is None else axes_of_one(previous)
        axes = common_axes(scatter, counts, equal_volumes=equal_volumes, previous=before)
        along = np.einsum("jaa->ja", axes.T @ scatter @ axes)
        return _spanned(axes, rule(along, counts, None))

    return maximise


def _spanned(axes: Floats, variances: Floats) -> Floats:
    """Return matrices with these variances along these axes, exactly symmetric.

    NaN where the smallest variance is lost in the rounding of the largest.
    """
    lost = ~(variances.min(axis=1) > len(axes[-1]) * EPS * variances.max(axis=1))
    variances = np.where(lost[:, None], np.nan, variances)
    matrices = axes * variances[:, None, :] @ axes.swapaxes(-1, -2)
    symmetric: Floats = 0.5 * (matrices + matrices.transpose(0, 2, 1))
    return symmetric
