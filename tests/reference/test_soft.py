"""The soft E-step, reference and compiled, against definitions that share no code with it."""

import math
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import scipy.stats
from definitions import covariances, exact, naive_statistics
from helpers import (
    BACKENDS,
    COVARIANCE_TYPES,
    EPS,
    Bounds,
    Mixture,
    assert_within,
    random_mixture,
    random_rows,
)

from mixtura.shapes import SHAPES, Floats

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def backend(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.mark.parametrize("d", [1, 2, 5])
@each_type
def test_log_density_of_random_rows_matches_scipy(
    backend: ModuleType, covariance_type: str, d: int
) -> None:
    rng = np.random.default_rng(d)
    mixture = random_mixture(rng, covariance_type, 3, d)
    X = random_rows(rng, mixture, 50)
    expected = np.column_stack(
        [
            scipy.stats.multivariate_normal(mean, covariance).logpdf(X)
            for mean, covariance in zip(mixture.means, covariances(mixture), strict=True)
        ]
    )
    computed = backend.log_density(X, **mixture.components)
    np.testing.assert_allclose(computed, expected, rtol=1e-10)


def test_log_density_in_one_dimension_matches_the_normal_law(backend: ModuleType) -> None:
    X = np.linspace(-30.0, 30.0, 61)[:, None]
    computed = backend.log_density(X, [[1.0]], [0.25], covariance_type="spherical")
    expected = scipy.stats.norm(1.0, 4.0).logpdf(X)
    np.testing.assert_allclose(computed, expected, rtol=1e-14)


@each_type
def test_responsibilities_of_random_rows_follow_bayes(
    backend: ModuleType, covariance_type: str
) -> None:
    rng = np.random.default_rng(7)
    mixture = random_mixture(rng, covariance_type, 4, 3, spread=1.0)
    X = random_rows(rng, mixture, 60)
    joint = np.column_stack(
        [
            weight * scipy.stats.multivariate_normal(mean, covariance).pdf(X)
            for weight, mean, covariance in zip(
                mixture.weights, mixture.means, covariances(mixture), strict=True
            )
        ]
    )
    resp, log_prob = backend.responsibilities(X, **mixture.parameters)
    np.testing.assert_allclose(resp, joint / joint.sum(axis=1, keepdims=True), rtol=1e-10)
    np.testing.assert_allclose(log_prob, np.log(joint.sum(axis=1)), rtol=1e-10)


def hard_points(name: str, covariance_type: str) -> tuple[Floats, Mixture]:
    """Rows and a mixture where a formula used as it stands would lose its digits, or everything."""
    rng = np.random.default_rng(11)
    mixture = random_mixture(rng, covariance_type, 3, 3)
    X = random_rows(rng, mixture, 4)
    if name == "every exponential underflows":
        X = X * np.array([[40.0], [1e3], [1e5], [1e7]])
    elif name == "squares near overflow":
        X = X * np.array([[1e100], [1e140], [1e150], [1e152]])
    elif name == "offset 1e8":
        mixture = mixture.shifted(1e8)
        X = X + 1e8
    elif name == "tiny unit":
        mixture, X = mixture.scaled(1e-140), X * 1e-140
    elif name == "huge unit":
        mixture, X = mixture.scaled(1e140), X * 1e140
    elif name == "nearly singular":
        stretch = {"spherical": 1e6, "diag": np.array([1e-6, 1.0, 1e6])}
        steep = np.array([[1e6, -1e6, 1e6], [0.0, 1e3, -1e6], [0.0, 0.0, 1e-6]])
        factors = mixture.factors * stretch.get(covariance_type, steep)
        mixture = replace(mixture, factors=factors)
    elif name == "weights from 1e-300 to 1":
        mixture = replace(mixture, weights=np.array([1e-300, 1.0, 1e-10]))
    return X, mixture


HARD_POINTS = [
    "ordinary",
    "every exponential underflows",
    "squares near overflow",
    "offset 1e8",
    "tiny unit",
    "huge unit",
    "nearly singular",
    "weights from 1e-300 to 1",
]


@pytest.mark.parametrize("name", HARD_POINTS)
@each_type
def test_density_and_responsibilities_at_hard_points_match_sixty_digits(
    backend: ModuleType, covariance_type: str, name: str
) -> None:
    X, mixture = hard_points(name, covariance_type)
    bounds = Bounds(X, mixture)
    density, resp, log_prob = exact(X, mixture)
    computed = backend.log_density(X, **mixture.components)
    assert_within(computed, density, bounds.log_density, "log_density")
    computed_resp, computed_log_prob = backend.responsibilities(X, **mixture.parameters)
    assert_within(computed_resp, resp, bounds.resp, "resp")
    assert_within(computed_log_prob, log_prob, bounds.log_prob, "log_prob")
    np.testing.assert_allclose(computed_resp.sum(axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize("name", ["ordinary", "offset 1e8", "every exponential underflows"])
@each_type
def test_log_density_at_hard_points_is_right_to_twelve_digits(
    backend: ModuleType, covariance_type: str, name: str
) -> None:
    X, mixture = hard_points(name, covariance_type)
    expected, _, _ = exact(X, mixture)
    computed = backend.log_density(X, **mixture.components)
    np.testing.assert_allclose(computed, expected, rtol=1e-12)


FAR_ROWS = {
    "distance overflows": ([[1e200, 0.0]], np.eye(2)),
    "infinity minus infinity": ([[1e200, 1e200]], [[1e200, -1e200], [0.0, 1e200]]),
    "difference overflows": ([[-1.7e308, 1.7e308]], np.eye(2)),
}


@pytest.mark.parametrize(("X", "factor"), FAR_ROWS.values(), ids=FAR_ROWS)
def test_row_at_zero_density_everywhere_has_the_weights_as_responsibilities(
    backend: ModuleType, X: object, factor: object
) -> None:
    means = np.array([[1.0, 2.0], [1e307, -1e307]])
    mixture = Mixture(np.array([0.5, 1.5]), means, np.array(factor), "tied")
    np.testing.assert_array_equal(backend.log_density(X, **mixture.components), -np.inf)
    resp, log_prob = backend.responsibilities(X, **mixture.parameters)
    np.testing.assert_allclose(resp, [[0.25, 0.75]], rtol=4 * EPS)
    np.testing.assert_array_equal(log_prob, [-np.inf])


@each_type
def test_accumulate_with_a_row_at_zero_density_shares_it_by_weight(
    backend: ModuleType, covariance_type: str
) -> None:
    unit = 1e-100  # in which the row is out of reach, and yet its square is finite
    mixture = random_mixture(np.random.default_rng(1), covariance_type, 2, 3).scaled(unit)
    mixture = replace(mixture, weights=np.array([1.0, 3.0]))
    X = np.full((1, 3), 1e60)
    statistics = backend.accumulate(X, **mixture.parameters, sample_weight=[2.0])
    expected = naive_statistics(
        X, np.array([[0.25, 0.75]]), mixture.means, covariance_type, np.array([2.0])
    )
    assert statistics.log_likelihood == -np.inf
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(statistics, name), value, rtol=1e-14, err_msg=name)


@each_type
def test_row_at_zero_density_for_one_component_belongs_to_the_others(
    backend: ModuleType, covariance_type: str
) -> None:
    mixture = random_mixture(np.random.default_rng(2), covariance_type, 3, 2)
    X = random_rows(np.random.default_rng(3), mixture, 9)
    near = replace(
        mixture,
        weights=mixture.weights[:2],
        means=mixture.means[:2].copy(),
        factors=mixture.factors if covariance_type == "tied" else mixture.factors[:2].copy(),
    )
    mixture.means[2] = 1e200
    resp, log_prob = backend.responsibilities(X, **mixture.parameters)
    expected_resp, expected_log_prob = backend.responsibilities(X, **near.parameters)
    np.testing.assert_allclose(resp[:, :2], expected_resp, rtol=1e-12)
    np.testing.assert_array_equal(resp[:, 2], 0.0)
    np.testing.assert_allclose(log_prob, expected_log_prob, rtol=1e-13)
    assert np.isfinite(backend.accumulate(X, **mixture.parameters).resp_xx).all()


@each_type
def test_component_of_weight_zero_gets_nothing(backend: ModuleType, covariance_type: str) -> None:
    rng = np.random.default_rng(4)
    mixture = random_mixture(rng, covariance_type, 3, 2, spread=0.5)
    X = random_rows(rng, mixture, 20)
    with_empty = replace(mixture, weights=mixture.weights * [1.0, 0.0, 1.0])
    resp, log_prob = backend.responsibilities(X, **with_empty.parameters)
    np.testing.assert_array_equal(resp[:, 1], 0.0)
    density = backend.log_density(X, **mixture.components)
    expected = np.log(np.exp(density[:, [0, 2]]) @ mixture.weights[[0, 2]])
    np.testing.assert_allclose(log_prob, expected, rtol=1e-12)
    statistics = backend.accumulate(X, **with_empty.parameters)
    assert statistics.resp_sum[1] == 0.0
    np.testing.assert_array_equal(statistics.means()[1], mixture.means[1])


@each_type
def test_weights_that_do_not_sum_to_one_shift_the_log_prob(
    backend: ModuleType, covariance_type: str
) -> None:
    rng = np.random.default_rng(5)
    mixture = random_mixture(rng, covariance_type, 3, 2)
    X = random_rows(rng, mixture, 20)
    sevenfold = replace(mixture, weights=7.0 * mixture.weights)
    resp, log_prob = backend.responsibilities(X, **mixture.parameters)
    shifted_resp, shifted_log_prob = backend.responsibilities(X, **sevenfold.parameters)
    np.testing.assert_allclose(shifted_resp, resp, rtol=1e-13)
    np.testing.assert_allclose(shifted_log_prob, log_prob + math.log(7.0), rtol=1e-13)


@pytest.mark.parametrize("d", [1, 3])
@each_type
def test_accumulate_of_random_rows_matches_exact_responsibilities(
    backend: ModuleType, covariance_type: str, d: int
) -> None:
    rng = np.random.default_rng(d)
    mixture = random_mixture(rng, covariance_type, 3, d, spread=1.0)
    X, sample_weight = random_rows(rng, mixture, 40), rng.exponential(size=40)
    computed = backend.accumulate(X, **mixture.parameters, sample_weight=sample_weight)
    _, resp, log_prob = exact(X, mixture)
    expected = naive_statistics(X, resp, mixture.means, covariance_type, sample_weight)
    expected["log_likelihood"] = math.fsum(sample_weight * log_prob)
    bounds = Bounds(X, mixture).statistics(sample_weight)
    for name, value in expected.items():
        assert_within(getattr(computed, name), value, bounds[name], name)
    np.testing.assert_array_equal(computed.centres, mixture.means)


@pytest.mark.parametrize(("n", "k", "d"), [(0, 1, 1), (0, 3, 2), (1, 1, 1), (1, 3, 2)])
@each_type
def test_results_of_no_or_one_row_have_their_shapes(
    backend: ModuleType, covariance_type: str, n: int, k: int, d: int
) -> None:
    mixture = random_mixture(np.random.default_rng(6), covariance_type, k, d)
    X = np.zeros((n, d))
    assert backend.log_density(X, **mixture.components).shape == (n, k)
    resp, log_prob = backend.responsibilities(X, **mixture.parameters)
    assert (resp.shape, log_prob.shape) == ((n, k), (n,))
    for statistics in (
        backend.accumulate(X, **mixture.parameters),
        backend.accumulate_resp(X, resp, mixture.means, covariance_type=covariance_type),
    ):
        assert statistics.resp_sum.shape == (k,)
        assert statistics.resp_x.shape == (k, d)
        assert statistics.resp_xx.shape == SHAPES[covariance_type].array_shape(k, d)
        assert (type(statistics.log_likelihood), statistics.weight_sum) == (float, n)
        assert n > 0 or not any(map(np.any, (statistics.resp_sum, statistics.resp_xx)))


def test_log_density_with_out_writes_and_returns_it(backend: ModuleType) -> None:
    mixture = random_mixture(np.random.default_rng(8), "full", 3, 2)
    X = random_rows(np.random.default_rng(9), mixture, 10)
    out = np.full((10, 3), np.nan)
    assert backend.log_density(X, **mixture.components, out=out) is out
    np.testing.assert_array_equal(out, backend.log_density(X, **mixture.components))


@pytest.mark.parametrize(
    "rows", [[[0, 1], [2, 3]], ((0.0, 1.0), (2.0, 3.0)), np.arange(4).reshape(2, 2)]
)
@each_type
def test_lists_and_integers_give_the_results_of_their_floats(
    backend: ModuleType, covariance_type: str, rows: object
) -> None:
    mixture = random_mixture(np.random.default_rng(10), covariance_type, 2, 2)
    lists = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in mixture.parameters.items()
    }
    computed = backend.responsibilities(rows, **lists)
    expected = backend.responsibilities(np.array([[0.0, 1.0], [2.0, 3.0]]), **mixture.parameters)
    np.testing.assert_array_equal(computed[0], expected[0])
    np.testing.assert_array_equal(computed[1], expected[1])
