"""The covariance families: how statistics become covariances, and covariances factors for the pass.

A family is one object. It knows the shape of its covariances, how many of their numbers are free,
how they follow from statistics, how they are factored, and nothing of rows. Everything else in the
package works through these methods and knows no family by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg.lapack import dpotrf, dtrtri

from mixtura.statistics import FactorShape, Floats, Statistics, statistics_shape
from mixtura.validation import FACTOR_AXES, contiguous, refuse_non_finite

__all__ = ["FAMILIES", "CovarianceFamily"]

Mask = NDArray[np.bool_]

# The largest sum of variance inflation factors (see `_factorise`) of a covariance that is regular
# to working precision. Of thousands of matrices that are singular but for rounding (too few rows,
# a column that others determine; 2 to 256 features), the lowest sum was 1 / (5.5 eps).
MOST_INFLATION = 1.0 / (8.0 * float(np.finfo(np.float64).eps))
SYMMETRY_TOLERANCE = 1e-8  # in units of standard deviations: a computed inverse is no better


class CovarianceFamily(ABC):
    """One way to tie covariances together.

    Attributes
    ----------
    name : str
        What users call it: `covariance_type`.
    factor_shape : {"full", "tied", "diag", "spherical"}
        Shape of its precision factors and of the statistics it needs.
    """

    name: str
    factor_shape: FactorShape

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Shape of the array of covariances."""
        return statistics_shape(self.factor_shape, n_components, n_features)

    @abstractmethod
    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free numbers in the covariances."""

    @abstractmethod
    def update(self, statistics: Statistics) -> Floats:
        """Covariances of largest expected likelihood, from statistics about the component means.

        Every component has positive weight. The result need not be positive definite: `factorise`
        tells.
        """

    @abstractmethod
    def factorise(self, covariances: Floats) -> tuple[Floats, Mask]:
        """Precision factors, and for which components there are none.

        Parameters
        ----------
        covariances : ndarray of the family's shape, squared units of the features

        Returns
        -------
        precisions_cholesky : ndarray
            U, upper triangular with a positive diagonal: ``inv(covariance) = U @ U.T``; for "diag"
            and "spherical" the reciprocal standard deviations.
        failed : ndarray of shape (n_components,) or (1,) for "tied", bool
            True where the covariance is not positive definite to working precision; the factor
            there means nothing.
        """

    @abstractmethod
    def trace_with(self, precisions_cholesky: Floats, variances: Floats) -> Floats:
        """Trace of ``inv(covariance_j) @ diag(variances)``, shape (n_components,) or (1,)."""

    @abstractmethod
    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        """The same covariances as full matrices, shape (n_components, n_features, n_features)."""

    @abstractmethod
    def select(self, covariances: Floats, components: NDArray[np.intp]) -> Floats:
        """Covariances of a list of components, in which one may stand more than once."""

    def matrix(self, covariances: Floats, component: int, n_features: int) -> Floats:
        """One component's covariance as a full matrix, shape (n_features, n_features)."""
        chosen = self.select(covariances, np.array([component]))
        matrix: Floats = self.matrices(chosen, 1, n_features)[0]
        return matrix

    def check(
        self, covariances: ArrayLike, n_components: int, n_features: int
    ) -> tuple[Floats, Floats]:
        """Covariances as a user gives them, exactly symmetric, and their precision factors.

        Raises
        ------
        ValueError
            For another shape, values that are not finite, or a covariance that is not symmetric
            and positive definite.
        TypeError
            For values that are not real numbers.
        """
        array = contiguous(covariances, "covariances")
        expected = self.shape(n_components, n_features)
        if array.shape != expected:
            raise ValueError(
                f"covariances must have shape {expected} for covariance_type {self.name!r}, "
                f"{n_components} components and {n_features} features; got {array.shape}. Pass "
                f"covariances of this covariance_type."
            )
        axes = FACTOR_AXES[self.factor_shape]
        refuse_non_finite(array, "covariances", axes, "Give a finite number.")
        if self.factor_shape in ("full", "tied"):
            array = _symmetric(array)
        factors, failed = self.factorise(array)
        if failed.any():
            j = int(np.argmax(failed))
            smallest = np.linalg.eigvalsh(self.matrix(array, j, n_features))[0]
            raise ValueError(
                f"covariances must be positive definite to working precision; the smallest "
                f"eigenvalue of {_owner(j, len(failed), n_components)} is {smallest:g}. Add to its "
                f"diagonal, or drop features that others determine."
            )
        return array, factors


def _owner(component: int, n_covariances: int, n_components: int) -> str:
    if n_covariances < n_components:
        return "the covariance that all components share"
    return f"component {component}"


def _symmetric(matrices: Floats) -> Floats:
    """The symmetric part of matrices that are symmetric to rounding."""
    transposed = matrices.swapaxes(-1, -2)
    unequal = matrices != transposed
    if not unequal.any():
        return matrices
    deviations = np.sqrt(np.abs(np.einsum("...aa->...a", matrices)))
    unit = deviations[..., :, None] * deviations[..., None, :]
    wrong = np.argwhere(np.abs(matrices - transposed) > SYMMETRY_TOLERANCE * unit)
    if len(wrong):
        *component, a, b = map(int, wrong[0])
        of = f"of component {component[0]} " if component else ""
        raise ValueError(
            f"covariances must be symmetric; row {a}, column {b} {of}is "
            f"{matrices[tuple(wrong[0])]} and row {b}, column {a} is "
            f"{transposed[tuple(wrong[0])]}. Use (covariance + covariance.T) / 2."
        )
    return np.where(unequal, 0.5 * matrices + 0.5 * transposed, matrices)


def _factorise(covariances: Floats) -> tuple[Floats, Mask]:
    """U of each of several symmetric matrices (k, d, d), and for which there is none.

    The variance inflation factor of feature a, ``covariance[a, a] inv(covariance)[a, a]``, is
    ``1 / (1 - R^2)`` of its regression on the others. The sum of all, the trace of the inverse
    correlation matrix, tells how near to singular the matrix is, whatever the units.
    """
    factors = np.zeros(covariances.shape)
    failed = np.zeros(len(covariances), dtype=bool)
    for j, covariance in enumerate(covariances):
        lower, failed[j] = dpotrf(covariance, lower=1, clean=1)
        if not failed[j]:
            factors[j] = dtrtri(lower, lower=1)[0].T
    with np.errstate(over="ignore", invalid="ignore"):
        deviations = np.sqrt(np.einsum("jaa->ja", covariances))
        inflation = np.square(factors * deviations[:, :, None]).sum(axis=(1, 2))
    return factors, failed | ~(inflation < MOST_INFLATION)  # NaN is no proof


def _reciprocal_deviations(variances: Floats) -> tuple[Floats, Mask]:
    """Precision factors of variances, and where there are none."""
    usable = (variances >= np.finfo(np.float64).tiny) & (variances < np.inf)
    return 1.0 / np.sqrt(np.where(usable, variances, 1.0)), ~usable


class Full(CovarianceFamily):
    """One unrestricted covariance matrix for each component (VVV)."""

    name = "full"
    factor_shape: FactorShape = "full"

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2

    def update(self, statistics: Statistics) -> Floats:
        covariances: Floats = statistics.resp_xx / statistics.resp_sum[:, None, None]
        return covariances

    def factorise(self, covariances: Floats) -> tuple[Floats, Mask]:
        return _factorise(covariances)

    def trace_with(self, precisions_cholesky: Floats, variances: Floats) -> Floats:
        trace: Floats = np.einsum(
            "jab,a->j", np.square(precisions_cholesky), variances, optimize=False
        )
        return trace

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:  # noqa: ARG002
        return covariances.copy()

    def select(self, covariances: Floats, components: NDArray[np.intp]) -> Floats:
        return covariances[components]


class Tied(CovarianceFamily):
    """One covariance matrix that all components share (EEE)."""

    name = "tied"
    factor_shape: FactorShape = "tied"

    def n_parameters(self, n_components: int, n_features: int) -> int:  # noqa: ARG002
        return n_features * (n_features + 1) // 2

    def update(self, statistics: Statistics) -> Floats:
        covariance: Floats = statistics.resp_xx / statistics.resp_sum.sum()
        return covariance

    def factorise(self, covariances: Floats) -> tuple[Floats, Mask]:
        factors, failed = _factorise(covariances[None])
        return factors[0], failed

    def trace_with(self, precisions_cholesky: Floats, variances: Floats) -> Floats:
        return np.array([(np.square(precisions_cholesky).T @ variances).sum()])

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        return np.broadcast_to(covariances, (n_components, n_features, n_features)).copy()

    def select(self, covariances: Floats, components: NDArray[np.intp]) -> Floats:  # noqa: ARG002
        return covariances


class Diag(CovarianceFamily):
    """A variance for each feature of each component (VVI)."""

    name = "diag"
    factor_shape: FactorShape = "diag"

    def n_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features

    def update(self, statistics: Statistics) -> Floats:
        covariances: Floats = statistics.resp_xx / statistics.resp_sum[:, None]
        return covariances

    def factorise(self, covariances: Floats) -> tuple[Floats, Mask]:
        factors, failed = _reciprocal_deviations(covariances)
        return factors, np.any(failed, axis=1)

    def trace_with(self, precisions_cholesky: Floats, variances: Floats) -> Floats:
        trace: Floats = np.square(precisions_cholesky) @ variances
        return trace

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:  # noqa: ARG002
        return covariances[:, :, None] * np.eye(n_features)

    def select(self, covariances: Floats, components: NDArray[np.intp]) -> Floats:
        return covariances[components]


class Spherical(CovarianceFamily):
    """One variance for each component, the same for every feature (VII)."""

    name = "spherical"
    factor_shape: FactorShape = "spherical"

    def n_parameters(self, n_components: int, n_features: int) -> int:  # noqa: ARG002
        return n_components

    def update(self, statistics: Statistics) -> Floats:
        n_features = statistics.centres.shape[1]
        covariances: Floats = statistics.resp_xx / (statistics.resp_sum * n_features)
        return covariances

    def factorise(self, covariances: Floats) -> tuple[Floats, Mask]:
        return _reciprocal_deviations(covariances)

    def trace_with(self, precisions_cholesky: Floats, variances: Floats) -> Floats:
        trace: Floats = np.square(precisions_cholesky) * variances.sum()
        return trace

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:  # noqa: ARG002
        return covariances[:, None, None] * np.eye(n_features)

    def select(self, covariances: Floats, components: NDArray[np.intp]) -> Floats:
        return covariances[components]


FAMILIES: dict[str, CovarianceFamily] = {
    family.name: family for family in (Full(), Tied(), Diag(), Spherical())
}
