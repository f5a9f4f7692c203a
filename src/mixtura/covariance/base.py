"""What a covariance family is: one object that the rest of the package asks, and never names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.covariance.axes import axes_of_one, common_axes
from mixtura.statistics import FactorShape, Floats, Statistics, statistics_shape
from mixtura.validation import FACTOR_AXES, contiguous, refuse_non_finite

__all__ = ["CovarianceFamily", "Mask", "Rule"]

Mask = NDArray[np.bool_]

FREEDOM = "IEV"  # each letter allows what those before it allow
SYMMETRY_TOLERANCE = 1e-8  # in units of standard deviations: a computed inverse is no better
FAMILY_TOLERANCE = 1e-6  # in units of a component's largest variance


class Rule(Protocol):
    """The covariances of largest likelihood, from scatters and weights; it may use those before."""

    def __call__(self, scatter: Floats, counts: Floats, previous: Floats | None, /) -> Floats: ...


class CovarianceFamily(ABC):
    """One way to tie covariances together.

    Parameters
    ----------
    letters : str
        What is equal (E), varies (V) or is the identity (I) among components: volume, shape and
        orientation of ``covariance_j = volume_j D_j diag(shape_j) D_j^T`` [1]_.
    rule : callable
        From scatters about the means, in the family's shape, and positive weights to covariances of
        largest expected likelihood.
    name : str, optional
        What users call it, where that is not its letters.

    Attributes
    ----------
    name, letters : str
    factor_shape : {"full", "tied", "diag", "spherical"}
        Shape of its covariances, of their precision factors and of the statistics it needs.
    detour : CovarianceFamily or None
        The same covariances by an update that is not quite the best, from whose end EM is worth
        another try.

    References
    ----------
    .. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
       781-793, 1995.
    """

    factor_shape: FactorShape
    detour: CovarianceFamily | None = None

    def __init__(self, letters: str, rule: Rule, name: str | None = None) -> None:
        self.letters = letters
        self.name = name or letters
        self._rule = rule

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Shape of the array of covariances."""
        return statistics_shape(self.factor_shape, n_components, n_features)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free numbers in the covariances."""
        k, d = n_components, n_features
        times = {"I": 0, "E": 1, "V": k}
        volume, shape, orientation = tuple(self.letters)
        return times[volume] + times[shape] * (d - 1) + times[orientation] * (d * (d - 1) // 2)

    def contains(self, other: CovarianceFamily) -> bool:
        """Whether every model of the other family is one of this family too."""
        pairs = zip(other.letters, self.letters, strict=True)
        return all(FREEDOM.index(a) <= FREEDOM.index(b) for a, b in pairs)

    def least_rows(self, n_components: int, n_features: int) -> int:
        """Rows without which some covariance is singular, however they are shared out."""
        k, d = n_components, n_features
        volume, shape, orientation = tuple(self.letters)
        of_each_volume = 2 * k if volume == "V" else k + 1
        if d == 1 or shape == "I":
            return of_each_volume
        if shape == "V":
            return k * (2 if orientation == "I" else d + 1)
        if orientation == "I":
            return of_each_volume
        return 2 * k + d - 1 if self.letters == "VEV" else max(of_each_volume, k + d)

    def update(self, statistics: Statistics, previous: Floats | None = None) -> Floats:
        """Covariances of largest expected likelihood, from statistics about the component means.

        Parameters
        ----------
        statistics : Statistics
        previous : ndarray, optional
            Covariances under which the statistics were taken. Where the expected likelihood has
            several maxima, the result is not below these; where it has one, it is found sooner.

        Returns
        -------
        ndarray of the family's shape, squared units of the features
            NaN for a component without weight. The result need not be positive definite:
            `factorise` tells.
        """
        scatter, counts = self._scatter(statistics), statistics.resp_sum
        if counts.min() > 0.0 and np.isfinite(scatter.sum()):
            return self._maximise(scatter, counts, previous)
        present = (counts > 0.0) & np.isfinite(scatter).all(axis=tuple(range(1, scatter.ndim)))
        covariances = np.full(scatter.shape, np.nan)
        if present.any():
            before = None if previous is None else previous[present]
            covariances[present] = self._maximise(scatter[present], counts[present], before)
        return covariances

    def _scatter(self, statistics: Statistics) -> Floats:
        return statistics.resp_xx

    def _maximise(self, scatter: Floats, counts: Floats, previous: Floats | None) -> Floats:
        return self._rule(scatter, counts, previous)

    def orientation(self, matrices: Floats) -> Floats:
        """Principal axes of covariances of this family.

        Parameters
        ----------
        matrices : ndarray of shape (n_components, n_features, n_features)

        Returns
        -------
        ndarray of shape (n_components, n_features, n_features)
            Columns are axes: the features themselves (I), in the order of falling variance where
            components have axes of their own (V), and in one order for all where they share them
            (E). The largest entry of each is positive.
        """
        if self.letters[2] == "I":
            axes = np.eye(matrices.shape[1])
        elif self.letters[2] == "V":
            axes = np.linalg.eigh(matrices)[1][:, :, ::-1]
        else:
            axes = common_axes(
                matrices,
                np.ones(len(matrices)),
                equal_volumes=False,
                previous=axes_of_one(matrices),
            )
        axes = np.broadcast_to(axes, matrices.shape)
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
        oriented: Floats = axes * np.sign(largest)
        return oriented

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
    def from_matrices(self, matrices: Floats) -> Floats:
        """Covariances of the family that were written as full matrices."""

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
        self._refuse_other_families(array)
        return array, factors

    def _refuse_other_families(self, covariances: Floats) -> None:
        """A covariance belongs to the family if it is its own best approximation."""
        if self.factor_shape == "tied":
            return
        best = self._maximise(covariances, np.ones(len(covariances)), covariances)
        inner = tuple(range(1, covariances.ndim))
        off = np.abs(best - covariances).max(axis=inner)
        wrong = off > FAMILY_TOLERANCE * np.abs(covariances).max(axis=inner)
        if wrong.any():
            raise ValueError(
                f"covariances must be of covariance_type {self.name!r}; that of component "
                f"{int(np.argmax(wrong))} does not have its volume, shape or orientation in common "
                f"with the others as this type demands. Use a type with fewer restrictions."
            )


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
