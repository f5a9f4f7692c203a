"""The four shapes in which covariances, precision factors and scatters are kept.

A shape is an object that knows its own arrays. Everything else asks it, so no other module needs to
know which of the four it works with.

====================  ==========================  ============================================
shape                 array                       what it keeps
====================  ==========================  ============================================
``FULL``              (k, d, d)                   a matrix for each component
``TIED``              (d, d)                      one matrix for all components
``DIAG``              (k, d)                      a diagonal for each component
``SPHERICAL``         (k,)                        one number for each component
====================  ==========================  ============================================

A precision factor U is upper triangular with ``inv(covariance) = U @ U.T``. For diagonals it is the
reciprocal standard deviations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra

__all__ = [
    "DIAG",
    "FULL",
    "MOST_INFLATION",
    "SHAPES",
    "SHAPE_NAMES",
    "SPHERICAL",
    "TIED",
    "Floats",
    "Shape",
    "ShapeName",
]

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

    def __reduce__(self) -> tuple[object, ...]:
        return _shape_named, (self.name,)

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
        return np.broadcast_to(self.diagonal(array), (n_components, n_features)).copy()

    @abstractmethod
    def widest(self, covariances: Floats, component: int, scale: Floats, by: Algebra) -> Floats:
        """Return one standard deviation of a component along its widest direction.

        Which one is the widest depends on the scale of the features; the result, of shape
        (n_features,), is in the features' own units.
        """

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


class _Matrices(Shape):
    """What "full" and "tied" have in common: matrices, stacked or single."""

    def single_from_variances(self, variances: Floats) -> Floats:
        return np.diag(variances)

    def scatter(self, weighted: Floats, z: Floats) -> Floats:
        return weighted.T @ z

    def units(self, scale: Floats) -> Floats:
        return np.outer(scale, scale)

    def limited(self, covariances: Floats, variances: Floats) -> Floats:
        scale = np.sqrt(np.minimum(1.0, variances / self.diagonal(covariances)))
        limited: Floats = covariances * scale[..., :, None] * scale[..., None, :]
        return limited

    def widest(self, covariances: Floats, component: int, scale: Floats, by: Algebra) -> Floats:
        covariance = self.matrix(covariances, component, len(scale))
        units, size = scale / scale.min(), covariance.max()  # so that nothing overflows
        (variances,), (axes,) = by.eigh((covariance / size / units / units[:, None])[None])
        deviation: Floats = np.sqrt(variances[-1]) * np.sqrt(size) * axes[:, -1] * units
        return deviation

    def difference(
        self, factors: Floats, covariances: Floats, one: int, other: int, n_features: int
    ) -> float:
        factor = self.matrix(factors, one, n_features)
        covariance = self.matrix(covariances, other, n_features)
        turned = np.einsum("ba,bc->ac", factor, covariance)  # without threads of BLAS
        relative = np.einsum("ac,cd->ad", turned, factor)
        return float(np.linalg.norm(relative - np.eye(n_features)))

    def widened(self, array: Floats, share: float) -> Floats:
        widened = array.copy()
        np.einsum("...aa->...a", widened)[...] *= 1.0 + share
        return widened

    def from_precisions(self, precisions: Floats) -> tuple[Floats, Floats]:
        if not np.allclose(precisions, precisions.swapaxes(-1, -2)):
            raise np.linalg.LinAlgError("not symmetric")
        backwards = (..., slice(None, None, -1), slice(None, None, -1))
        factors = np.linalg.cholesky(precisions[backwards])[backwards]
        covariances = np.asarray(np.linalg.inv(precisions), dtype=np.float64)
        return covariances, np.ascontiguousarray(factors)

    def of_features(self, array: Floats, features: NDArray[np.intp]) -> Floats:
        chosen: Floats = array[..., features[:, None], features]
        return chosen

    def precisions(self, factors: Floats) -> Floats:
        return factors @ factors.swapaxes(-1, -2)

    def inverses(self, factors: Floats) -> Floats:
        inverse = np.linalg.inv(factors)
        exact: Floats = inverse.swapaxes(-1, -2) @ inverse
        return 0.5 * (exact + exact.swapaxes(-1, -2))

    def conditional_factors(self, factors: Floats, features: NDArray[np.intp]) -> Floats:
        # The rows of U of these features are R Q: their precision U_m U_m^T is R R^T. NumPy has the
        # decomposition of the transposed rows, from the last to the first.
        turned = factors[..., features[::-1], :].swapaxes(-1, -2)
        lower: Floats = np.asarray(np.linalg.qr(turned, mode="r")).swapaxes(-1, -2)
        upper = lower[..., ::-1, ::-1]
        return np.ascontiguousarray(upper * np.sign(self.diagonal(upper))[..., None, :])

    def below_diagonal(self, factors: Floats) -> Floats:
        return np.tril(factors, k=-1)

    def diagonal(self, factors: Floats) -> Floats:
        diagonal: Floats = np.einsum("...aa->...a", factors)
        return diagonal

    def mismatch(self, covariances: Floats, factors: Floats) -> tuple[Floats, Floats]:
        with np.errstate(all="ignore"):
            deviations = np.sqrt(np.einsum("...aa->...a", covariances))[..., None]
            correlations = covariances / deviations / deviations.swapaxes(-1, -2)
            scaled = factors * deviations
            whitened = scaled.swapaxes(-1, -2) @ correlations @ scaled
            off = np.abs(whitened - np.eye(factors.shape[-1])).max(axis=(-2, -1))
            return np.atleast_1d(off), np.atleast_1d(np.square(scaled).sum(axis=(-2, -1)))

    def log_dets(self, factors: Floats, n_features: int) -> Floats:  # noqa: ARG002
        log_dets: Floats = np.log(self.diagonal(factors)).sum(axis=-1)
        return np.atleast_1d(log_dets)

    def whitened_lengths(self, factors: Floats, differences: Floats) -> Floats:
        whitened = np.einsum("...ab,...a->...b", factors, differences)
        lengths: Floats = np.sqrt(np.square(whitened).sum(axis=1))
        return lengths

    def distances(self, factors: Floats, scatter: Floats, by: Algebra) -> float:
        d = factors.shape[-1]
        factors = factors.reshape(-1, d, d)
        return float((by.multiply(scatter.reshape(-1, d, d), factors) * factors).sum())

    def whitened_less_one(self, factors: Floats, covariances: Floats, by: Algebra) -> Floats:
        d = factors.shape[-1]
        factors = factors.reshape(-1, d, d)
        transposed = np.ascontiguousarray(factors.swapaxes(-1, -2))
        products = by.multiply(covariances.reshape(-1, d, d), factors)
        off = by.multiply(transposed, products) - np.eye(d)
        symmetric: Floats = 0.5 * (off + off.swapaxes(-1, -2))
        return symmetric

    def least_stretch(
        self, covariances: Floats, factors: Floats, later: Floats, by: Algebra
    ) -> Floats:
        # With A = W' W^-1 the least singular value obeys sigma^2 >= 1 - |B|, B = A^T A - I, and the
        # spectral norm |B| is at most the fourth root of the sum of the squared entries of B^2:
        # three products of small matrices instead of a decomposition. What rounding can have done
        # to A, which grows with the condition of the covariances, is added to |B|.
        d = factors.shape[-1]
        covariances, factors, later = (m.reshape(-1, d, d) for m in (covariances, factors, later))
        whitening = later.transpose(0, 2, 1)
        A = by.multiply(whitening, by.multiply(covariances, factors))
        B = by.multiply(A.transpose(0, 2, 1), A) - np.eye(d)
        rounding = by.multiply(np.abs(whitening), by.multiply(np.abs(covariances), np.abs(factors)))
        norm = np.square(by.multiply(B, B)).sum(axis=(1, 2)) ** 0.25
        norm += d * EPS * np.sqrt(np.square(rounding).sum(axis=(1, 2)))
        stretch: Floats = np.sqrt(np.maximum(1.0 - norm, 0.0))
        return stretch

    def is_narrower(
        self, covariances: Floats, average: Floats, variances: Floats, by: Algebra
    ) -> Mask:
        with np.errstate(over="ignore", invalid="ignore"):
            above = covariances - (average + np.diag(variances))
        return by.factorise(above.reshape(-1, *above.shape[-2:]))[1]


class _Full(_Matrices):
    name = "full"
    axes = ("component", "row", "column")

    def array_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return n_components, n_features, n_features

    def matrices(self, array: Floats, n_components: int, n_features: int) -> Floats:  # noqa: ARG002
        return array.copy()

    def from_matrices(self, matrices: Floats) -> Floats:
        return matrices

    def product(self, left: Floats, right: Floats) -> Floats:
        product = left[:, :, None] * right[:, None, :]
        symmetric: Floats = 0.5 * (product + product.transpose(0, 2, 1))
        return symmetric

    def blurred(self, scatter: Floats, resp_sum: Floats, variance: Floats) -> Floats:
        blurred = scatter.copy()
        np.einsum("jaa->ja", blurred)[...] += resp_sum[:, None] * variance
        return blurred

    def coarsened(self, scatter: Floats) -> Floats:
        return scatter

    def factorise(self, covariances: Floats, by: Algebra) -> tuple[Floats, Mask]:
        return by.factorise(covariances)

    def trace_with(self, factors: Floats, variances: Floats) -> Floats:
        trace: Floats = np.einsum("jab,a->j", np.square(factors), variances)
        return trace

    def whiten(self, z: Floats, factors: Floats, component: int) -> Floats:
        whitened: Floats = z @ factors[component]
        return whitened


class _Tied(_Matrices):
    name = "tied"
    axes = ("row", "column")
    is_shared = True

    def array_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:  # noqa: ARG002
        return n_features, n_features

    def matrices(self, array: Floats, n_components: int, n_features: int) -> Floats:
        return np.broadcast_to(array, (n_components, n_features, n_features)).copy()

    def from_matrices(self, matrices: Floats) -> Floats:
        kept: Floats = matrices[0]
        return kept

    def select(self, array: Floats, components: NDArray[np.intp]) -> Floats:  # noqa: ARG002
        return array

    def average(self, array: Floats, weights: Floats) -> Floats:  # noqa: ARG002
        return array

    def joined(self, scatters: list[Floats]) -> Floats:
        joined: Floats = np.sum(scatters, axis=0)
        return joined

    def product(self, left: Floats, right: Floats) -> Floats:
        product = np.einsum("ja,jb->ab", left, right)
        symmetric: Floats = 0.5 * (product + product.T)
        return symmetric

    def blurred(self, scatter: Floats, resp_sum: Floats, variance: Floats) -> Floats:
        blurred = scatter.copy()
        np.einsum("aa->a", blurred)[...] += resp_sum.sum() * variance
        return blurred

    def coarsened(self, scatter: Floats) -> Floats:
        coarse: Floats = np.einsum("jab->ab", scatter)
        return coarse

    def merged(self, scatter: Floats, into: int, other: int) -> Floats:  # noqa: ARG002
        return scatter

    def emptied(self, scatter: Floats, component: int, share: float) -> Floats:  # noqa: ARG002
        return (1.0 - share) * scatter

    def shrunk_to_pooled(self, scatter: Floats, resp_sum: Floats, share: float) -> Floats:  # noqa: ARG002
        return scatter

    def factorise(self, covariances: Floats, by: Algebra) -> tuple[Floats, Mask]:
        factors, failed = by.factorise(covariances[None])
        return factors[0], failed

    def trace_with(self, factors: Floats, variances: Floats) -> Floats:
        return np.array([np.einsum("ab,a->", np.square(factors), variances)])

    def whiten(self, z: Floats, factors: Floats, component: int) -> Floats:  # noqa: ARG002
        return z @ factors


class _Variances(Shape):
    """What "diag" and "spherical" have in common: variances, and nothing between features."""

    is_diagonal = True

    def widest(
        self,
        covariances: Floats,
        component: int,
        scale: Floats,
        by: Algebra,  # noqa: ARG002
    ) -> Floats:
        deviations = np.broadcast_to(np.sqrt(covariances[component]), len(scale))
        widest = np.argmax(deviations / scale)
        return np.where(np.arange(len(scale)) == widest, deviations, 0.0)

    def difference(
        self, factors: Floats, covariances: Floats, one: int, other: int, n_features: int
    ) -> float:
        relative = np.square(factors[one]) * covariances[other] - 1.0
        return float(np.linalg.norm(np.broadcast_to(relative, n_features)))

    def from_precisions(self, precisions: Floats) -> tuple[Floats, Floats]:
        if not precisions.min() > 0.0:
            raise np.linalg.LinAlgError("not positive")
        return 1.0 / precisions, np.sqrt(precisions)

    def precisions(self, factors: Floats) -> Floats:
        return np.square(factors)

    def inverses(self, factors: Floats) -> Floats:
        return 1.0 / np.square(factors)

    def conditional_factors(self, factors: Floats, features: NDArray[np.intp]) -> Floats:
        return self.of_features(factors, features)  # the others say nothing of them

    def distances(self, factors: Floats, scatter: Floats, by: Algebra) -> float:  # noqa: ARG002
        return float((np.square(factors) * scatter).sum())

    def whitened_less_one(
        self,
        factors: Floats,
        covariances: Floats,
        by: Algebra,  # noqa: ARG002
    ) -> Floats:
        off: Floats = (np.square(factors) * covariances - 1.0).reshape(len(factors), -1)
        return off

    def below_diagonal(self, factors: Floats) -> Floats:
        return np.zeros(factors.shape)

    def diagonal(self, factors: Floats) -> Floats:
        return factors

    def factorise(self, covariances: Floats, by: Algebra) -> tuple[Floats, Mask]:  # noqa: ARG002
        usable = (covariances >= TINY) & (covariances < np.inf)
        factors = 1.0 / np.sqrt(np.where(usable, covariances, 1.0))
        return factors, np.asarray(~usable.reshape(len(usable), -1).all(axis=1))

    def mismatch(self, covariances: Floats, factors: Floats) -> tuple[Floats, Floats]:
        with np.errstate(all="ignore"):
            off = np.abs(covariances * factors * factors - 1.0)
        return off.reshape(len(factors), -1).max(axis=1), np.ones(len(factors))

    def whiten(self, z: Floats, factors: Floats, component: int) -> Floats:
        whitened: Floats = z * factors[component]
        return whitened

    def whitened_lengths(self, factors: Floats, differences: Floats) -> Floats:
        whitened = differences * factors.reshape(len(factors), -1)
        lengths: Floats = np.sqrt(np.square(whitened).sum(axis=1))
        return lengths

    def least_stretch(
        self,
        covariances: Floats,  # noqa: ARG002
        factors: Floats,
        later: Floats,
        by: Algebra,  # noqa: ARG002
    ) -> Floats:
        stretch: Floats = (later / factors).reshape(len(factors), -1).min(axis=1)
        return stretch

    def is_narrower(
        self,
        covariances: Floats,
        average: Floats,
        variances: Floats,
        by: Algebra,  # noqa: ARG002
    ) -> Mask:
        k = len(covariances)
        bound = np.reshape(average, (-1, covariances.size // k)) + variances
        return np.asarray((covariances.reshape(k, -1) < bound).any(axis=1))


class _Diag(_Variances):
    name = "diag"
    axes = ("component", "feature")

    def array_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return n_components, n_features

    def matrices(self, array: Floats, n_components: int, n_features: int) -> Floats:  # noqa: ARG002
        matrices = np.zeros((len(array), n_features, n_features))
        np.einsum("jaa->ja", matrices)[...] = array
        return matrices

    def from_matrices(self, matrices: Floats) -> Floats:
        variances: Floats = np.einsum("jaa->ja", matrices)
        return variances

    def single_from_variances(self, variances: Floats) -> Floats:
        return variances.copy()

    def of_features(self, array: Floats, features: NDArray[np.intp]) -> Floats:
        return array[:, features]

    def limited(self, covariances: Floats, variances: Floats) -> Floats:
        return np.minimum(covariances, variances)

    def scatter(self, weighted: Floats, z: Floats) -> Floats:
        scatter: Floats = (weighted * z).sum(axis=0)
        return scatter

    def product(self, left: Floats, right: Floats) -> Floats:
        return left * right

    def blurred(self, scatter: Floats, resp_sum: Floats, variance: Floats) -> Floats:
        return scatter + resp_sum[:, None] * variance

    def coarsened(self, scatter: Floats) -> Floats:
        coarse: Floats = np.einsum("jaa->ja", scatter)
        return coarse

    def units(self, scale: Floats) -> Floats:
        return np.square(scale)

    def log_dets(self, factors: Floats, n_features: int) -> Floats:  # noqa: ARG002
        log_dets: Floats = np.log(factors).sum(axis=1)
        return log_dets

    def trace_with(self, factors: Floats, variances: Floats) -> Floats:
        trace: Floats = np.einsum("ja,a->j", np.square(factors), variances)
        return trace


class _Spherical(_Variances):
    name = "spherical"
    axes = ("component",)

    def variances(self, array: Floats, n_components: int, n_features: int) -> Floats:
        return np.broadcast_to(array[:, None], (n_components, n_features)).copy()

    def array_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:  # noqa: ARG002
        return (n_components,)

    def matrices(self, array: Floats, n_components: int, n_features: int) -> Floats:  # noqa: ARG002
        matrices = np.zeros((len(array), n_features, n_features))
        np.einsum("jaa->ja", matrices)[...] = array[:, None]
        return matrices

    def from_matrices(self, matrices: Floats) -> Floats:
        kept: Floats = matrices[:, 0, 0]
        return kept

    def single_from_variances(self, variances: Floats) -> Floats:
        return np.asarray(variances.mean())

    def of_features(self, array: Floats, features: NDArray[np.intp]) -> Floats:  # noqa: ARG002
        return array

    def limited(self, covariances: Floats, variances: Floats) -> Floats:
        limited: Floats = np.minimum(covariances, variances.mean())
        return limited

    def scatter(self, weighted: Floats, z: Floats) -> Floats:
        return np.asarray((weighted * z).sum(axis=0).sum())

    def product(self, left: Floats, right: Floats) -> Floats:
        product: Floats = (left * right).sum(axis=1)
        return product

    def blurred(self, scatter: Floats, resp_sum: Floats, variance: Floats) -> Floats:
        blurred: Floats = scatter + resp_sum * variance.sum()
        return blurred

    def coarsened(self, scatter: Floats) -> Floats:
        coarse: Floats = np.einsum("jaa->j", scatter)
        return coarse

    def per_feature(self, scatter: Floats, n_features: int) -> Floats:
        per_feature: Floats = scatter / n_features
        return per_feature

    def units(self, scale: Floats) -> float:
        return float(np.square(scale).sum())

    def log_dets(self, factors: Floats, n_features: int) -> Floats:
        log_dets: Floats = n_features * np.log(factors)
        return log_dets

    def trace_with(self, factors: Floats, variances: Floats) -> Floats:
        trace: Floats = np.square(factors) * variances.sum()
        return trace


FULL, TIED, DIAG, SPHERICAL = _Full(), _Tied(), _Diag(), _Spherical()
SHAPES: dict[str, Shape] = {shape.name: shape for shape in (FULL, TIED, DIAG, SPHERICAL)}
SHAPE_NAMES: tuple[ShapeName, ...] = (FULL.name, TIED.name, DIAG.name, SPHERICAL.name)


def _shape_named(name: str) -> Shape:
    """Return a shape after pickling: there is one object of each."""
    return SHAPES[name]
