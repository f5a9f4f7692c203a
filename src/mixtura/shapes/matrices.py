"""Full and tied covariances: matrices, stacked or single."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.shapes.shape import EPS, Floats, Mask, Shape

__all__ = ["FULL", "TIED"]


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

    def deviations(self, covariances: Floats, scale: Floats, by: Algebra) -> Floats:
        d = len(scale)
        matrices, units = covariances.reshape(-1, d, d), scale / scale.min()
        size = np.abs(matrices).max(axis=(1, 2))  # so that nothing overflows
        size[size == 0.0] = 1.0
        variances, axes = by.eigh(matrices / size[:, None, None] / units / units[:, None])
        lengths = np.sqrt(np.maximum(variances, 0.0)) * np.sqrt(size)[:, None]
        deviations = lengths[:, None] * axes * units[:, None]
        widest_first: Floats = deviations[:, :, ::-1].swapaxes(1, 2)
        return widest_first

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
        symmetric: Floats = product + product.transpose(0, 2, 1)
        symmetric *= 0.5
        return symmetric

    def blurred(self, scatter: Floats, resp_sum: Floats, variance: Floats) -> Floats:
        blurred, d = scatter.copy(), len(variance)
        diagonals = blurred.reshape(-1, d * d)[:, :: d + 1]
        diagonals += resp_sum[:, None] * variance
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
        diagonal = blurred.reshape(-1)[:: len(variance) + 1]
        diagonal += resp_sum.sum() * variance
        return blurred

    def coarsened(self, scatter: Floats) -> Floats:
        coarse: Floats = np.einsum("jab->ab", scatter)
        return coarse

    def merged(self, scatter: Floats, into: int, other: int) -> Floats:  # noqa: ARG002
        return scatter

    def emptied(self, scatter: Floats, component: int, share: float) -> Floats:  # noqa: ARG002
        return (1.0 - share) * scatter

    def halved(self, scatter: Floats, component: int, other: int, width: float) -> Floats:  # noqa: ARG002
        return scatter

    def halves(
        self,
        scatter: Floats,
        component: int,  # noqa: ARG002
        share: float,
        weight: float,
        steps: Floats,
        widths: Floats,  # noqa: ARG002
    ) -> Floats:
        return share * scatter - FULL.product(weight * steps, steps)

    def replaced(self, scatter: Floats, components: list[int], own: Floats) -> Floats:  # noqa: ARG002
        return scatter

    def lent(self, scatter: Floats, component: int, share: float) -> Floats:  # noqa: ARG002
        return (1.0 + share) * scatter

    def shrunk_to_pooled(self, scatter: Floats, resp_sum: Floats, share: float) -> Floats:  # noqa: ARG002
        return scatter

    def factorise(self, covariances: Floats, by: Algebra) -> tuple[Floats, Mask]:
        factors, failed = by.factorise(covariances[None])
        return factors[0], failed

    def trace_with(self, factors: Floats, variances: Floats) -> Floats:
        return np.array([np.einsum("ab,a->", np.square(factors), variances)])

    def whiten(self, z: Floats, factors: Floats, component: int) -> Floats:  # noqa: ARG002
        return z @ factors


FULL, TIED = _Full(), _Tied()
