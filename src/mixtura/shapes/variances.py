"""Diagonal and spherical covariances: variances, and nothing between features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.shapes.shape import TINY, Floats, Mask, Shape

__all__ = ["DIAG", "SPHERICAL"]


class _Variances(Shape):
    """What "diag" and "spherical" have in common: variances, and nothing between features."""

    is_diagonal = True

    def deviations(
        self,
        covariances: Floats,
        scale: Floats,
        by: Algebra,  # noqa: ARG002
    ) -> Floats:
        k, d = len(covariances), len(scale)
        variances = np.maximum(covariances.reshape(k, -1), 0.0)
        deviations = np.sqrt(variances) + np.zeros(d)
        order = np.argsort(-deviations / scale, axis=1, kind="stable")
        rows = np.zeros((k, d, d))
        np.put_along_axis(
            rows, order[:, :, None], np.take_along_axis(deviations, order, 1)[:, :, None], 2
        )
        return rows

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
        variances = np.empty((n_components, n_features))
        variances[...] = array[:, None]
        return variances

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


DIAG, SPHERICAL = _Diag(), _Spherical()
