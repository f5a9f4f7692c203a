"""Volume, shape and orientation: against mpmath, in mixed units, in other units."""

import mpmath
import numpy as np
import pytest
from helpers import EPS

from mixtura import GaussianMixture
from mixtura.shapes import Floats

mpmath.mp.dps = 60


def correlations(rng: np.random.Generator, d: int) -> Floats:
    roots = rng.normal(size=(d, d))
    matrix = roots @ roots.T / d + 0.2 * np.eye(d)
    deviations = np.sqrt(np.diag(matrix))
    return matrix / np.outer(deviations, deviations)


def in_mixed_units(k: int, d: int, seed: int) -> tuple[Floats, Floats]:
    """Covariances of features whose units differ by up to 1e12, and the conditions without."""
    rng = np.random.default_rng(seed)
    units = 10.0 ** rng.permutation(np.linspace(-6.0, 6.0, d))
    matrices = np.array([correlations(rng, d) for _ in range(k)])
    scaled = matrices * rng.uniform(0.5, 2.0, size=(k, 1, 1)) * np.outer(units, units)
    return 0.5 * (scaled + scaled.transpose(0, 2, 1)), np.linalg.cond(matrices)


def mixture_of(matrices: Floats, covariance_type: str = "full") -> GaussianMixture:
    k, d, _ = np.shape(matrices)
    return GaussianMixture(np.full(k, 1.0 / k), np.zeros((k, d)), matrices, covariance_type)


@pytest.mark.parametrize("d", [1, 2, 3, 6, 12])
@pytest.mark.parametrize("seed", range(3))
def test_volume_shape_and_orientation_in_mixed_units_equal_mpmath(d: int, seed: int) -> None:
    matrices, conditions = in_mixed_units(2, d, seed)
    model = mixture_of(matrices)
    variances = model.volume[:, None] * model.shape
    for j, matrix in enumerate(matrices):
        allowed = 20 * d * EPS * conditions[j]
        exact, vectors = mpmath.eigsy(mpmath.matrix(matrix.tolist()))
        order = sorted(range(d), key=lambda i: -exact[i])
        volume = mpmath.det(mpmath.matrix(matrix.tolist())) ** (mpmath.mpf(1) / d)
        assert abs(model.volume[j] / volume - 1) < allowed
        for a, i in enumerate(order):
            assert abs(variances[j, a] / exact[i] - 1) < allowed
            assert abs(model.shape[j, a] * volume / exact[i] - 1) < allowed
            axis = model.orientation[j][:, a]
            overlap = sum(mpmath.mpf(axis[b]) * vectors[b, i] for b in range(d))
            assert abs(abs(overlap) - 1) < 1e-12


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEE", "EVI"])
def test_volume_in_other_units_is_the_same_but_for_their_product(covariance_type: str) -> None:
    rng = np.random.default_rng(0)
    base = correlations(rng, 4)
    covariances = {
        "full": [base, 2.0 * correlations(rng, 4)],
        "tied": base,
        "diag": [[1.0, 2.0, 3.0, 4.0], [4.0, 1.0, 1.0, 0.1]],
        "spherical": [1.0, 3.0],
        "VEE": [base, 3.0 * base],
        "EVI": [[1.0, 2.0, 0.5, 1.0], [4.0, 1.0, 0.25, 1.0]],
    }[covariance_type]
    units = 2.0 ** np.array([-20, 20, 3, 0]) if covariance_type != "spherical" else np.full(4, 8.0)
    outer = {2: np.square(units), 3: np.outer(units, units), 1: 64.0}
    outer = np.outer(units, units) if covariance_type == "tied" else outer[np.ndim(covariances)]
    arguments = ([0.5, 0.5], np.zeros((2, 4)))
    model = GaussianMixture(*arguments, covariances, covariance_type)
    other = GaussianMixture(*arguments, np.multiply(covariances, outer), covariance_type)
    product = np.prod(units) ** 0.5
    np.testing.assert_allclose(other.volume, model.volume * product, rtol=1e-14)
    for each in (model, other):
        np.testing.assert_allclose(each.shape.prod(axis=1), 1.0, rtol=1e-13)
        axes = each.orientation
        spanned = axes * (each.volume[:, None] * each.shape)[:, None, :] @ axes.swapaxes(1, 2)
        matrices = each.covariance_matrices()
        deviations = np.sqrt(np.einsum("jaa->ja", matrices))
        unit = deviations[:, :, None] * deviations[:, None, :]
        np.testing.assert_allclose(spanned / unit, matrices / unit, atol=1e-13)
        np.testing.assert_allclose(axes.swapaxes(1, 2) @ axes, [np.eye(4)] * 2, atol=1e-14)


@pytest.mark.parametrize("covariance_type", ["VVE", "EVE"])
def test_common_orientation_in_mixed_units_gives_back_the_covariances(covariance_type: str) -> None:
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    variances = np.array([[1.0, 1e-4, 1e4], [1e3, 1e-1, 1e-2]])
    matrices = axes * variances[:, None, :] @ axes.T
    model = mixture_of(0.5 * (matrices + matrices.transpose(0, 2, 1)), covariance_type)
    found = np.sort(model.volume[:, None] * model.shape, axis=1)
    np.testing.assert_allclose(found, np.sort(variances, axis=1), rtol=1e-7)  # cond 1e8
    np.testing.assert_array_equal(model.orientation[0], model.orientation[1])


def test_geometry_of_a_covariance_that_is_barely_regular_is_finite() -> None:
    """Whatever the doors accept has axes."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        axes = np.linalg.qr(rng.normal(size=(4, 4)))[0]
        matrix = axes * [1.0, 1.0, 1e-14, 10.0 ** rng.uniform(-15.5, -14.5)] @ axes.T
        try:
            model = mixture_of(0.5 * (matrix + matrix.T)[None])
        except ValueError:
            continue
        assert np.isfinite(model.volume).all()
        assert (model.shape > 0.0).all()
        np.testing.assert_allclose(
            model.orientation[0].T @ model.orientation[0], np.eye(4), atol=1e-13
        )
