"""The four shapes in which covariances are kept, factored and handed to the pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtri

from mixtura.covariance.axes import axes_of_one, common_axes
from mixtura.covariance.base import CovarianceFamily, Mask, Rule
from mixtura.instruction_set import compiled_kernels
from mixtura.statistics import FactorShape, Floats, Statistics

__all__ = ["Diag", "Full", "FullWithCommonAxes", "Spherical", "Tied", "spanned"]

EPS = float(np.finfo(np.float64).eps)

# The largest sum of variance inflation factors (see `_factorise`) of a covariance that is regular
# to working precision. Of thousands of matrices that are singular but for rounding (too few rows,
# a column that others determine; 2 to 256 features), the lowest sum was 1 / (5.5 eps).
MOST_INFLATION = 1.0 / (8.0 * EPS)
LEAST_LAPACK = 200  # features; fewer are factored sooner by loops of our own, and on one thread


def _factorise(covariances: Floats) -> tuple[Floats, Mask]:
    """U of each of several symmetric matrices (k, d, d), and for which there is none.

    The variance inflation factor of feature a, ``covariance[a, a] inv(covariance)[a, a]``, is
    ``1 / (1 - R^2)`` of its regression on the others. The sum of all, the trace of the inverse
    correlation matrix, tells how near to singular the matrix is, whatever the units.
    """
    factors = np.zeros(covariances.shape)
    sound = np.zeros(len(covariances), dtype=bool)
    if covariances.shape[1] < LEAST_LAPACK:
        in_order = np.ascontiguousarray(covariances)
        compiled_kernels.factorise(in_order, factors, sound, MOST_INFLATION)
        return factors, ~sound
    for j, covariance in enumerate(covariances):
        lower, info = dpotrf(covariance, lower=1, clean=1)
        if info == 0:
            factors[j], sound[j] = dtrtri(lower, lower=1)[0].T, True
    with np.errstate(over="ignore", invalid="ignore"):
        deviations = np.sqrt(np.einsum("jaa->ja", covariances))
        inflation = np.square(factors * deviations[:, :, None]).sum(axis=(1, 2))
    return factors, ~(sound & (inflation < MOST_INFLATION))  # NaN is no proof


def _reciprocal_deviations(variances: Floats) -> tuple[Floats, Mask]:
    """Precision factors of variances, and where there are none."""
    usable = (variances >= np.finfo(np.float64).tiny) & (variances < np.inf)
    return 1.0 / np.sqrt(np.where(usable, variances, 1.0)), ~usable


def spanned(axes: Floats, variances: Floats) -> Floats:
    """Matrices with these variances along these axes, exactly symmetric.

    NaN where the smallest variance is lost in the rounding of the largest.
    """
    lost = ~(variances.min(axis=1) > len(axes[-1]) * EPS * variances.max(axis=1))
    variances = np.where(lost[:, None], np.nan, variances)
    matrices = axes * variances[:, None, :] @ axes.swapaxes(-1, -2)
    symmetric: Floats = 0.5 * (matrices + matrices.transpose(0, 2, 1))
    return symmetric


class Full(CovarianceFamily):
    """A covariance matrix for each component."""

    factor_shape: FactorShape = "full"

    def factorise(self, covariances: Floats) -> tuple[Floats, Mask]:
        return _factorise(covariances)

    def trace_with(self, precisions_cholesky: Floats, variances: Floats) -> Floats:
        trace: Floats = np.einsum(
            "jab,a->j", np.square(precisions_cholesky), variances, optimize=False
        )
        return trace

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:  # noqa: ARG002
        return covariances.copy()

    def from_matrices(self, matrices: Floats) -> Floats:
        return matrices

    def select(self, covariances: Floats, components: NDArray[np.intp]) -> Floats:
        return covariances[components]


class FullWithCommonAxes(Full):
    """A covariance matrix for each component, all with the same principal axes.

    Its rule is for the variances along the axes; these are sought for equal volumes or for any.
    """

    def __init__(self, letters: str, rule: Rule, *, equal_volumes: bool) -> None:
        super().__init__(letters, rule)
        self._equal_volumes = equal_volumes

    def _maximise(self, scatter: Floats, counts: Floats, previous: Floats | None) -> Floats:
        axes = common_axes(
            scatter,
            counts,
            equal_volumes=self._equal_volumes,
            previous=None if previous is None else axes_of_one(previous),
        )
        along = np.einsum("jaa->ja", axes.T @ scatter @ axes)
        return spanned(axes, self._rule(along, counts, None))


class Tied(CovarianceFamily):
    """One covariance matrix that all components share."""

    factor_shape: FactorShape = "tied"

    def update(self, statistics: Statistics, previous: Floats | None = None) -> Floats:
        return self._rule(statistics.resp_xx, statistics.resp_sum, previous)

    def factorise(self, covariances: Floats) -> tuple[Floats, Mask]:
        factors, failed = _factorise(covariances[None])
        return factors[0], failed

    def trace_with(self, precisions_cholesky: Floats, variances: Floats) -> Floats:
        return np.array([(np.square(precisions_cholesky).T @ variances).sum()])

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        return np.broadcast_to(covariances, (n_components, n_features, n_features)).copy()

    def from_matrices(self, matrices: Floats) -> Floats:
        kept: Floats = matrices[0]
        return kept

    def select(self, covariances: Floats, components: NDArray[np.intp]) -> Floats:  # noqa: ARG002
        return covariances


class Diag(CovarianceFamily):
    """A variance for each feature of each component."""

    factor_shape: FactorShape = "diag"

    def factorise(self, covariances: Floats) -> tuple[Floats, Mask]:
        factors, failed = _reciprocal_deviations(covariances)
        return factors, np.any(failed, axis=1)

    def trace_with(self, precisions_cholesky: Floats, variances: Floats) -> Floats:
        trace: Floats = np.square(precisions_cholesky) @ variances
        return trace

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:  # noqa: ARG002
        return covariances[:, :, None] * np.eye(n_features)

    def from_matrices(self, matrices: Floats) -> Floats:
        variances: Floats = np.einsum("jaa->ja", matrices)
        return variances

    def select(self, covariances: Floats, components: NDArray[np.intp]) -> Floats:
        return covariances[components]


class Spherical(CovarianceFamily):
    """One variance for each component, the same for every feature."""

    factor_shape: FactorShape = "spherical"

    def _scatter(self, statistics: Statistics) -> Floats:
        per_feature: Floats = statistics.resp_xx / statistics.centres.shape[1]
        return per_feature

    def factorise(self, covariances: Floats) -> tuple[Floats, Mask]:
        return _reciprocal_deviations(covariances)

    def trace_with(self, precisions_cholesky: Floats, variances: Floats) -> Floats:
        trace: Floats = np.square(precisions_cholesky) * variances.sum()
        return trace

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:  # noqa: ARG002
        return covariances[:, None, None] * np.eye(n_features)

    def from_matrices(self, matrices: Floats) -> Floats:
        kept: Floats = matrices[:, 0, 0]
        return kept

    def select(self, covariances: Floats, components: NDArray[np.intp]) -> Floats:
        return covariances[components]
