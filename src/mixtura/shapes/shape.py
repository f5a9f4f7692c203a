"""What every shape of covariance arrays can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra

__all__ = ["EPS", "MOST_INFLATION", "TINY", "Floats", "Mask", "Shape", "ShapeName"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
ShapeName = Literal["full", "tied", "diag", "spherical"]

EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)

# The largest sum of variance inflation factors of a matrix that counts as positive definite to
# working precision (see `mixtura.reference.factorise`). Of thousands of matrices that are singular
# but for rounding (too few rows, a column that others determine; 2 to 256 features), the lowest sum
# was 1 / (5.5 eps).
MOST_INFLATION = 1.0 / (8.0 * EPS)


class Shape(ABC):
    """How one kind of covariance array is laid out.

    Attributes
    ----------
    name : {"full", "tied", "diag", "spherical"}
    axes : tuple of str
        What the axes of an array are called in messages.
    is_diagonal : bool
        Whether only diagonals are kept.
    is_shared : bool
        Whether all components share one array.
    """

    name: ClassVar[ShapeName]
    axes: ClassVar[tuple[str, ...]]
    is_diagonal: ClassVar[bool] = False
    is_shared: ClassVar[bool] = False

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.name.upper()  # there is one object of each, which its module calls so

    # ---- arrays ----

    @abstractmethod
    def array_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Shape of an array of this kind."""

    def single_shape(self, n_features: int) -> tuple[int, ...]:
        """Shape of what one component has, without the axis of components."""
        return self.array_shape(1, n_features)[not self.is_shared :]

    def single(self, array: Floats) -> Floats:
        """Return the array of one component without the axis of components."""
        return array if self.is_shared else np.asarray(array[0])

    @abstractmethod
    def single_from_variances(self, variances: Floats) -> Floats:
        """Return what one component has, from a variance of each feature."""

    def repeated(self, single: Floats, n_components: int, n_features: int) -> Floats:
        """Return the array of components that all have the same."""
        return np.broadcast_to(single, self.array_shape(n_components, n_features)).copy()

    @abstractmethod
    def matrices(self, array: Floats, n_components: int, n_features: int) -> Floats:
        """Return the array written out as (n_components, n_features, n_features)."""

    @abstractmethod
    def from_matrices(self, matrices: Floats) -> Floats:
        """Return what this shape keeps of full matrices that it can hold."""

    def select(self, array: Floats, components: NDArray[np.intp]) -> Floats:
        """Return the array of a list of components, in which one may stand more than once."""
        return array[components]

    @abstractmethod
    def of_features(self, array: Floats, features: NDArray[np.intp]) -> Floats:
        """Return the covariances of some features, in this order."""

    def matrix(self, array: Floats, component: int, n_features: int) -> Floats:
        """Return one component's matrix, shape (n_features, n_features)."""
        chosen = self.select(array, np.array([component]))
        matrix: Floats = self.matrices(chosen, 1, n_features)[0]
        return matrix

    def variances(self, array: Floats, n_components: int, n_features: int) -> Floats:
        """Return the diagonal of each component's matrix, shape (n_components, n_features)."""
        variances = np.empty((n_components, n_features))
        variances[...] = self.diagonal(array)
        return variances

    @abstractmethod
    def deviations(self, covariances: Floats, scale: Floats, by: Algebra) -> Floats:
        """Return one standard deviation of each component along each axis, the widest first.

        Which one is the widest depends on the scale of the features; the result, of shape
        (n_components, n_features, n_features) or (1, n_features, n_features) where they share a
        covariance, is in the features' own units. Axes are rows.
        """

    def widest(self, covariances: Floats, component: int, scale: Floats, by: Algebra) -> Floats:
        """Return one standard deviation along the widest axis, shape (n_features,)."""
        own = self.select(covariances, np.array([component]))
        widest: Floats = self.deviations(own, scale, by)[0, 0]
        return widest

    @abstractmethod
    def difference(
        self, factors: Floats, covariances: Floats, one: int, other: int, n_features: int
    ) -> float:
        """Return the norm of ``U_one^T covariance_other U_one - I``."""

    def average(self, array: Floats, weights: Floats) -> Floats:
        """Return the weighted sum over components."""
        average: Floats = np.einsum("j,j...->...", weights, array)
        return average

    @abstractmethod
    def limited(self, covariances: Floats, variances: Floats) -> Floats:
        """Return covariances whose variances are at most these; correlations stay."""

    def widened(self, array: Floats, share: float) -> Floats:  # noqa: ARG002
        """Return covariances or scatters with this share more of variance in each feature.

        It makes matrices regular whose correlations are singular but for rounding.
        """
        return array

    # ---- scatters: sums of weighted outer products ----

    @abstractmethod
    def scatter(self, weighted: Floats, z: Floats) -> Floats:
        """Return the sum over rows of ``weighted[i] z[i]^T``, as kept of one component."""

    def joined(self, scatters: list[Floats]) -> Floats:
        """Return the scatters of all components as one array."""
        return np.array(scatters)

    @abstractmethod
    def product(self, left: Floats, right: Floats) -> Floats:
        """Return the symmetric part of ``left[j] right[j]^T`` for vectors of each component."""

    @abstractmethod
    def blurred(self, scatter: Floats, resp_sum: Floats, variance: Floats) -> Floats:
        """Return the scatter of rows that each have this variance of their own."""

    @abstractmethod
    def coarsened(self, scatter: Floats) -> Floats:
        """Return what this shape keeps of a "full" scatter."""

    def merged(self, scatter: Floats, into: int, other: int) -> Floats:
        """Return the scatters with one component's added to another's, where it leaves zeros."""
        merged = scatter.copy()
        merged[into] += scatter[other]
        merged[other] = 0.0
        return merged

    def emptied(self, scatter: Floats, component: int, share: float) -> Floats:  # noqa: ARG002
        """Return the scatters without that of a component, which has this share of the rows."""
        emptied = scatter.copy()
        emptied[component] = 0.0
        return emptied

    def halved(self, scatter: Floats, component: int, other: int, width: float) -> Floats:
        """Return the scatters where a component has given half of its own to another.

        The other gets `width` times the half.
        """
        halved = scatter.copy()
        halved[other] = 0.5 * width * scatter[component]
        halved[component] = 0.5 * (2.0 - width) * scatter[component]
        return halved

    def halves(
        self,
        scatter: Floats,
        component: int,
        share: float,  # noqa: ARG002
        weight: float,
        steps: Floats,
        widths: Floats,
    ) -> Floats:
        """Return the scatters of the two halves of a component, for each of some ways to cut it.

        Parameters
        ----------
        scatter : ndarray of this shape
            About the means.
        component : int
            It has this `share` of all rows, and this `weight`.
        share, weight : float
        steps : ndarray of shape (n_ways, n_features)
            From its mean to those of the halves.
        widths : ndarray of shape (n_ways,)
            What the second half has of the average of both.

        Returns
        -------
        ndarray of shape (n_ways, 2, ...), or (n_ways, n_features, n_features) of a shared scatter
        """
        left = scatter[component] - self.product(weight * steps, steps)
        width = widths.reshape((-1,) + (1,) * (left.ndim - 1))
        return np.stack([0.5 * (2.0 - width) * left, 0.5 * width * left], axis=1)

    def replaced(self, scatter: Floats, components: list[int], own: Floats) -> Floats:
        """Return the scatters with those of some components replaced."""
        replaced = scatter.copy()
        replaced[components] = own
        return replaced

    def lent(self, scatter: Floats, component: int, share: float) -> Floats:
        """Return the scatters where a component has a share of those of all others."""
        lent = scatter.copy()
        lent[component] = share * (scatter.sum(axis=0) - scatter[component])
        return lent

    def per_feature(self, scatter: Floats, n_features: int) -> Floats:  # noqa: ARG002
        """Return a scatter as covariances times weights: a trace becomes the mean variance."""
        return scatter

    def shrunk_to_pooled(self, scatter: Floats, resp_sum: Floats, share: float) -> Floats:
        """Return scatters drawn towards the pooled one.

        Each component borrows rows with the pooled scatter: `share` times the average weight of a
        component. The weights themselves stay as they are.
        """
        column = resp_sum.reshape((-1,) + (1,) * (scatter.ndim - 1))
        pooled = scatter.sum(axis=0) / column.sum()
        lent = share * column.sum() / len(resp_sum)
        shrunk: Floats = (scatter + lent * pooled) * (column / (column + lent))
        return shrunk

    @abstractmethod
    def units(self, scale: Floats) -> Floats | float:
        """Return the unit of each number of a scatter, for features of this scale."""

    # ---- precision factors ----

    @abstractmethod
    def factorise(self, covariances: Floats, by: Algebra) -> tuple[Floats, Mask]:
        """Return precision factors, and which covariances have none.

        Parameters
        ----------
        covariances : ndarray of this shape
        by : Algebra

        Returns
        -------
        precisions_cholesky : ndarray of this shape
        failed : ndarray of shape (n_components,) or (1,) where they share one, bool
            True where a covariance is not positive definite to working precision; its factor is
            meaningless.
        """

    @abstractmethod
    def from_precisions(self, precisions: Floats) -> tuple[Floats, Floats]:
        """Return covariances and precision factors of inverse covariances.

        Raises
        ------
        numpy.linalg.LinAlgError
            If one is not symmetric and positive definite.
        """

    @abstractmethod
    def precisions(self, factors: Floats) -> Floats:
        """Return the inverse covariances, in this shape."""

    @abstractmethod
    def inverses(self, factors: Floats) -> Floats:
        """Return the covariances that have these precision factors."""

    @abstractmethod
    def conditional_factors(self, factors: Floats, features: NDArray[np.intp]) -> Floats:
        """Return the precision factors of some features, in this order, given all others."""

    @abstractmethod
    def below_diagonal(self, factors: Floats) -> Floats:
        """Return the factors with only those numbers that have to be zero, in their places."""

    @abstractmethod
    def diagonal(self, factors: Floats) -> Floats:
        """Return the numbers of the factors that have to be positive."""

    @abstractmethod
    def mismatch(self, covariances: Floats, factors: Floats) -> tuple[Floats, Floats]:
        """Return how far ``U^T covariance U`` is from the identity, and what rounding makes of it.

        Returns
        -------
        off : ndarray of shape (n_components,) or (1,)
            Largest absolute deviation; NaN where a variance is not positive.
        inflation : ndarray of shape (n_components,) or (1,)
            Sum of variance inflation factors, by which rounding is multiplied in it.
        """

    @abstractmethod
    def log_dets(self, factors: Floats, n_features: int) -> Floats:
        """Return log det U of each component, shape (n_components,) or (1,)."""

    @abstractmethod
    def trace_with(self, factors: Floats, variances: Floats) -> Floats:
        """Return the trace of ``inv(covariance_j) @ diag(variances)``, (n_components,) or (1,)."""

    @abstractmethod
    def distances(self, factors: Floats, scatter: Floats, by: Algebra) -> float:
        """Return the sum of traces of ``inv(covariance_j) @ scatter_j``."""

    @abstractmethod
    def whitened_less_one(self, factors: Floats, covariances: Floats, by: Algebra) -> Floats:
        """Return ``U_j^T covariance_j U_j - I``, exactly symmetric.

        Parameters
        ----------
        factors : ndarray of this shape
        covariances : ndarray of this shape, or of one component
        by : Algebra

        Returns
        -------
        ndarray of shape (n, n_features, n_features), or (n, n_numbers) of diagonals
            With n the number of components, or 1 where they share a covariance.
        """

    @abstractmethod
    def whiten(self, z: Floats, factors: Floats, component: int) -> Floats:
        """Return ``U^T z`` for rows z, under the factor of one component."""

    @abstractmethod
    def whitened_lengths(self, factors: Floats, differences: Floats) -> Floats:
        """Return ``|U_j^T differences[j]|``, shape (n_components,)."""

    @abstractmethod
    def least_stretch(
        self, covariances: Floats, factors: Floats, later: Floats, by: Algebra
    ) -> Floats:
        """Return lower bounds of the singular values of ``U'^T inv(U^T)``, (n_components,) or (1,).

        They tell by how much a whitened distance can shrink when factors U become U'.
        """

    @abstractmethod
    def is_narrower(
        self, covariances: Floats, average: Floats, variances: Floats, by: Algebra
    ) -> Mask:
        """Whether a component's variance in some direction is below ``average + diag(variances)``.

        Parameters
        ----------
        covariances : ndarray of this shape
            Positive definite.
        average : ndarray
            As `average` returns it, or one for each component.
        variances : ndarray of shape (n_features,)
        by : Algebra

        Returns
        -------
        ndarray of shape (n_components,) or (1,), bool
        """
