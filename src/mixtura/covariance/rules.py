"""Covariances of largest likelihood in closed form, as Celeux and Govaert [1]_ give them.

Each rule takes scatters about the component means, the components' positive weights and, for those
that iterate, the covariances before; `on_own_axes` looks only at the sizes of these. The first
four serve wherever the axes are known: their scatters are diagonals, (n_components, n_features), of
which those that share all or nothing are right for matrices too.

.. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
   781-793, 1995.
"""

from __future__ import annotations

import numpy as np

from mixtura.covariance.base import Rule
from mixtura.covariance.forms import spanned
from mixtura.statistics import Floats

__all__ = ["each_its_own", "equal", "equal_determinants", "equal_volumes", "on_own_axes", "pooled"]


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

    One without a determinant stays singular.
    """
    column = (-1,) + (1,) * (scatter.ndim - 1)
    shapes = scatter / np.where(roots > 0.0, roots, counts).reshape(column)
    covariances: Floats = shapes * np.where(roots > 0.0, roots.sum() / counts.sum(), 1.0).reshape(
        column
    )
    return covariances


def on_own_axes(rule: Rule) -> Rule:
    """Orientation varies, and shape does not: EEV, VEV, from the rule for EEI, VEI.

    Axes are the scatters' own, in the order of their variances.
    """

    def maximise(scatter: Floats, counts: Floats, previous: Floats | None = None) -> Floats:
        variances, axes = np.linalg.eigh(scatter)
        before = None if previous is None else np.einsum("jaa->ja", previous)
        return spanned(axes, rule(np.maximum(variances, 0.0), counts, before))

    return maximise
