"""Log-densities of rows under mixtures of Student-t distributions, some rows at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura import kernels
from mixtura.conjugate import log_gamma_ratio, precision_law
from mixtura.data import Block
from mixtura.data.looks import RowByRow
from mixtura.shapes import Floats, Shape

if TYPE_CHECKING:
    from mixtura.posterior.student import StudentMixture

__all__ = ["LogProb", "student_log_density"]

ELEMENTS_AT_ONCE = 1 << 16  # numbers of rows in memory while densities are computed
FAR = 1e200  # squared standard deviations: above, they may overflow


class _Components(NamedTuple):
    """The arrays that densities of some of the features need."""

    means: Floats
    factors: Floats
    shape: Shape


@dataclass(frozen=True, eq=False)
class LogProb(RowByRow):
    """A look at the log-density of each row."""

    mixture: StudentMixture

    def __call__(self, block: Block) -> Floats:
        found = np.empty(len(block.X))
        step = 1 + ELEMENTS_AT_ONCE // self.mixture.n_features
        for start in range(0, len(found), step):
            rows = slice(start, start + step)
            X = np.asarray(block.X[rows], dtype=np.float64)
            if np.isnan(X).any():
                found[rows] = self._incomplete(X)
            else:
                found[rows] = self._complete(X, np.arange(X.shape[1]))
        return found

    def _incomplete(self, X: Floats) -> Floats:
        """Log-densities of what is observed: rows of one pattern after the other."""
        patterns, which = np.unique(~np.isnan(X), axis=0, return_inverse=True)
        found = np.empty(len(X))
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(which.ravel() == number)
            found[rows] = self._complete(X[rows][:, pattern], np.flatnonzero(pattern))
        return found

    def _complete(self, X: Floats, features: NDArray[np.intp]) -> Floats:
        """Log-densities of some features, all observed."""
        if not len(features):
            return np.zeros(len(X))
        mixture = self.mixture
        means, factors, shape = _of_features(mixture, features)
        found = np.full(len(X), -np.inf)
        for j in np.flatnonzero(mixture.weights):
            one = shape.select(factors, np.array([j]))
            density = student_log_density(X - means[j], one, mixture.degrees_of_freedom[j], shape)
            np.logaddexp(found, math.log(mixture.weights[j]) + density, out=found)
        return found


def _of_features(mixture: StudentMixture, features: NDArray[np.intp]) -> _Components:
    """Means and factors of some features: a t-distribution's part is one of the same freedom."""
    shape = mixture._shape
    if len(features) == mixture.n_features:
        return _Components(mixture.means, mixture.precisions_cholesky, shape)
    factors, _ = shape.factorise(shape.of_features(mixture.scales, features), kernels)
    return _Components(mixture.means[:, features], factors, shape)


def student_log_density(z: Floats, factor: Floats, dof: float, shape: Shape) -> Floats:
    """Log-density of rows about the centre of one Student-t distribution.

    Parameters
    ----------
    z : ndarray of shape (m, n_features)
        The rows, less the centre.
    factor : ndarray of `shape`
        Of one component, or the shared one.
    dof : float
        Degrees of freedom.
    shape : Shape

    Returns
    -------
    ndarray of shape (m,), nats

    Notes
    -----
    With u the whitened row, t of M dimensions has ::

        lgamma((nu + M)/2) - lgamma(nu/2) - M/2 log(nu pi) + log det U
        - (nu + M)/2 log(1 + |u|^2 / nu)

    It is one distribution of all features, or one of each and their product. Far away, where |u|^2
    would overflow, the density is that of a power.
    """
    d = z.shape[1]
    size, number = (1, d) if precision_law(shape).has_own_scales else (d, 1)
    constant = float(log_gamma_ratio(0.5 * dof, 0.5 * size)) - 0.5 * size * math.log(dof * math.pi)
    log_det = float(shape.log_dets(factor, d)[0])
    powers = _log1p_squares(z, factor, dof, shape).sum(axis=1)
    density: Floats = number * constant + log_det - 0.5 * (dof + size) * powers
    return density


def _log1p_squares(z: Floats, factor: Floats, dof: float, shape: Shape) -> Floats:
    """``log(1 + |u|^2 / nu)`` of rows, shape (m, 1), or of each feature alone, (m, n_features)."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = _whitened_squares(z, factor, shape) / dof
        logs: Floats = np.log1p(squares)
    far = ~(squares < FAR).all(axis=1)
    if far.any():  # once more, in units in which nothing overflows
        unit = np.abs(z[far]).max(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            relative = np.log(_whitened_squares(z[far] / unit, factor, shape) / dof)
        logs[far] = np.logaddexp(0.0, relative + 2.0 * np.log(unit))
    return logs


def _whitened_squares(z: Floats, factor: Floats, shape: Shape) -> Floats:
    """Squares of ``U^T z`` of each feature alone, or their sum; without threads of BLAS."""
    if shape.is_diagonal:
        u = shape.whiten(z, factor, 0)
    else:
        u = kernels.multiply(z[None], factor.reshape(1, *factor.shape[-2:]))[0]
    if precision_law(shape).has_own_scales:
        return np.square(u)
    squares: Floats = np.einsum("ia,ia->i", u, u)[:, None]
    return squares
