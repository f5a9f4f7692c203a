"""How far apart components are: distances against plain loops, entropy against its sum."""

import math

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES
from mixtures import make
from scipy.spatial.distance import mahalanobis
from scipy.special import entr

from mixtura import GaussianMixture, fit_gmm
from mixtura.mixture.separation import nearest_components


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_nearest_components_agree_with_plain_loops(covariance_type: str) -> None:
    mixture = make(covariance_type)
    matrices, k = mixture.covariance_matrices(), mixture.n_components
    distances, nearest = nearest_components(mixture.means, matrices)
    for j in range(k):
        apart = {
            i: mahalanobis(
                mixture.means[i], mixture.means[j], np.linalg.inv((matrices[i] + matrices[j]) / 2)
            )
            for i in range(k)
            if i != j
        }
        assert apart[nearest[j]] == pytest.approx(min(apart.values()), rel=1e-12)
        assert distances[j] == pytest.approx(min(apart.values()), rel=1e-12)


def test_distance_of_one_feature_is_that_of_ashman() -> None:
    distances, nearest = nearest_components(np.array([[1.0], [4.0]]), np.array([[[1.0]], [[9.0]]]))
    np.testing.assert_allclose(distances, math.sqrt(2) * 3 / math.sqrt(1 + 9), rtol=1e-15)
    np.testing.assert_array_equal(nearest, [1, 0])


def test_distances_do_not_depend_on_units() -> None:
    mixture, unit = make(), np.array([1e-150, 1e150])
    expected = nearest_components(mixture.means, mixture.covariance_matrices())[0]
    scaled = mixture.covariance_matrices() * np.outer(unit, unit)
    np.testing.assert_allclose(
        nearest_components(mixture.means * unit, scaled)[0], expected, rtol=1e-12
    )


@pytest.mark.parametrize("reg_covar", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_entropy_of_a_fit_is_that_of_its_responsibilities(
    covariance_type: str, weighted: bool, reg_covar: float
) -> None:
    X = clustered()[0]
    weight = np.linspace(0.0, 2.0, len(X)) if weighted else np.ones(len(X))
    fit = fit_gmm(
        X, 4, covariance_type=covariance_type, sample_weight=weight if weighted else None,
        reg_covar=reg_covar, tol=0.0, max_iter=7, rng=0,
    )  # fmt: skip
    expected = weight @ entr(fit.model.responsibilities(X)).sum(axis=1)
    assert fit.entropy == pytest.approx(expected, rel=1e-9)
    assert fit.entropy > 1.0
    assert fit.weight_sum == pytest.approx(weight.sum())


def test_entropy_of_clear_assignments_is_zero_and_of_equal_components_the_most() -> None:
    far = GaussianMixture([0.5, 0.5], [[0.0], [1e3]], [1.0, 1.0], "spherical")
    X = far.sample(100, rng=0)[0]
    clear = fit_gmm(X, 2, covariance_type="spherical", init=far)
    assert 0.0 <= clear.entropy < 1e-9
    same = GaussianMixture([0.5, 0.5], [[0.0], [0.0]], [1.0, 1.0], "spherical")
    # With a tolerance, components that are alike are parted in the end.
    vague = fit_gmm(X, 2, covariance_type="spherical", init=same, tol=0.0, max_iter=2)
    assert vague.entropy == pytest.approx(100 * math.log(2), rel=1e-9)
