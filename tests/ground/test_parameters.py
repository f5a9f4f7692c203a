"""Parameters of a mixture, and what a pass sees of them."""

import math

import numpy as np
import pytest
from definitions import covariances as matrices_of
from helpers import COVARIANCE_TYPES, Mixture, random_mixture, random_rows
from scipy import special

from mixtura import reference
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import SHAPES, SPHERICAL, TIED

K, D = 4, 3
each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def example(covariance_type: str) -> tuple[Mixture, Parameters]:
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, covariance_type, K, D, spread=1.0)
    shape = SHAPES[covariance_type]
    covariances = shape.from_matrices(matrices_of(mixture))
    return mixture, Parameters(mixture.weights, mixture.means, covariances, mixture.factors, shape)


@each_type
def test_selected_components_have_weights_that_sum_to_one(covariance_type: str) -> None:
    mixture, parameters = example(covariance_type)
    chosen = np.array([3, 1, 3])
    selected = parameters.select(chosen)
    weights = mixture.weights[chosen]
    np.testing.assert_allclose(selected.weights, weights / weights.sum(), rtol=1e-15)
    np.testing.assert_array_equal(selected.means, mixture.means[chosen])
    assert selected.shape is parameters.shape
    expected = matrices_of(mixture)
    for place, j in enumerate(chosen):
        np.testing.assert_allclose(selected.covariance(place), expected[j], rtol=1e-12, atol=1e-14)
        U = selected.shape.matrix(selected.precisions_cholesky, place, D)
        np.testing.assert_array_equal(U, mixture.full_factors()[j])


@each_type
def test_read_only_views_share_memory_and_cannot_be_written(covariance_type: str) -> None:
    _, parameters = example(covariance_type)
    views = parameters.read_only()
    for view, array in zip(views.arrays(), parameters.arrays(), strict=True):
        assert np.shares_memory(view, array)
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 0.0
        array[...] = array  # the parameters themselves stay writeable
    assert views.shape is parameters.shape


@each_type
def test_seen_by_a_pass_has_the_logarithms_of_the_weights(covariance_type: str) -> None:
    _, parameters = example(covariance_type)
    parameters.weights[1] = 0.0
    seen = parameters.seen()
    assert seen.log_weights[1] == -np.inf
    np.testing.assert_allclose(np.exp(seen.log_weights), parameters.weights, rtol=1e-14)
    assert seen.means is parameters.means
    assert seen.covariances is parameters.covariances
    assert seen.precisions_cholesky is parameters.precisions_cholesky
    assert (seen.shape, dict(seen.extras)) == (parameters.shape, {})


def test_seen_centers_are_unit_spheres_of_equal_weight() -> None:
    centers = np.random.default_rng(0).normal(size=(5, 2))
    seen = Seen.of_centers(centers, SPHERICAL)
    assert seen.means is centers
    np.testing.assert_array_equal(seen.log_weights, np.zeros(5))
    np.testing.assert_array_equal(seen.covariances, np.ones(5))
    np.testing.assert_array_equal(seen.precisions_cholesky, np.ones(5))


@each_type
@pytest.mark.parametrize("b", [0.05, 0.5, 1.0, 3.0])
def test_tempered_components_are_powers_of_the_weighted_densities(
    covariance_type: str, b: float
) -> None:
    mixture, parameters = example(covariance_type)
    X = random_rows(np.random.default_rng(1), mixture, 40)
    joint = np.log(mixture.weights) + reference.log_density(X, **mixture.components)
    seen, offset = parameters.seen().tempered(b)
    resp, log_prob = np.empty((40, K)), np.empty(40)
    reference.Rows(X).evaluate("soft", seen, None, resp=resp, log_prob=log_prob)
    np.testing.assert_allclose(resp, special.softmax(b * joint, axis=1), rtol=1e-10)
    expected = special.logsumexp(b * joint, axis=1)
    np.testing.assert_allclose(log_prob + offset, expected, rtol=1e-11, atol=1e-11)
    U, shape = seen.precisions_cholesky, seen.shape
    product = shape.matrices(shape.precisions(U), K, D) @ shape.matrices(seen.covariances, K, D)
    np.testing.assert_allclose(product, [np.eye(D)] * K, atol=1e-11)


def test_tempered_empty_component_stays_empty() -> None:
    _, parameters = example("tied")
    parameters.weights[2] = 0.0
    seen, offset = parameters.seen().tempered(0.3)
    assert seen.log_weights[2] == -np.inf
    assert seen.shape is TIED
    assert math.isfinite(offset)


@each_type
def test_of_factors_is_the_same_but_for_the_covariances(covariance_type: str) -> None:
    _, parameters = example(covariance_type)
    weights, means, _, factors, shape = parameters
    one, other = Seen.of_factors(weights, means, factors, shape), parameters.seen()
    np.testing.assert_array_equal(one.log_weights, other.log_weights)
    assert one.means is means
    assert one.precisions_cholesky is factors
    assert one.covariances.shape == factors.shape
    assert np.isnan(one.covariances).all()
