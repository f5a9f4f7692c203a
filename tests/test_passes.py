"""The passes: the compiled one and the reference are one thing, and moments are exact."""

import numpy as np
import pytest
from helpers import (
    COVARIANCE_TYPES,
    Bounds,
    assert_same_statistics,
    random_mixture,
    random_rows,
    statistics_bounds,
)

from mixtura.passes import CompiledPass, ReferencePass, moments
from mixtura.statistics import Floats
from mixtura.update import Parameters

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
weighted_or_not = pytest.mark.parametrize("weighted", [False, True])


def weights_of(n: int, weighted: bool) -> Floats | None:
    return np.random.default_rng(3).choice([0.0, 1.0, 2.5], size=n) if weighted else None


@every_type
@weighted_or_not
@pytest.mark.parametrize("d", [1, 3, 9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_passes_of_either_kind_return_the_same_statistics(
    covariance_type: str, weighted: bool, d: int, dtype: type
) -> None:
    rng = np.random.default_rng(d)
    mixture = random_mixture(rng, covariance_type, 3, d)
    X = random_rows(rng, mixture, 700).astype(dtype)
    weight = weights_of(len(X), weighted)
    compiled = CompiledPass(X, weight, covariance_type, 2)
    plain = ReferencePass(X, weight, covariance_type)

    parameters = Parameters(mixture.weights, mixture.means, np.empty(0), mixture.factors)
    bounds = Bounds(X.astype(float), mixture).statistics(weight)
    assert_same_statistics(compiled.accumulate(parameters), plain.accumulate(parameters), bounds)

    resp = rng.dirichlet(np.ones(3), size=len(X))
    bounds = statistics_bounds(X, resp, mixture.means, covariance_type, weight)
    for each in (resp, np.asfortranarray(resp), resp[::-1][::-1]):
        assert_same_statistics(
            compiled.accumulate_resp(each, mixture.means),
            plain.accumulate_resp(resp, mixture.means),
            bounds,
        )

    labels = rng.integers(3, size=len(X))
    bounds = statistics_bounds(X, np.eye(3)[labels], mixture.means, covariance_type, weight)
    expected = plain.accumulate_resp(np.eye(3)[labels], mixture.means)
    for each in (compiled, plain):
        computed = each.accumulate_labels(labels, mixture.means)
        assert_same_statistics(computed, expected, bounds)


@every_type
def test_pass_made_again_returns_the_same_statistics(covariance_type: str) -> None:
    """What a pass keeps between calls changes nothing beyond rounding, whatever came between."""
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, covariance_type, 4, 6)
    X = random_rows(rng, mixture, 3000)
    parameters = Parameters(mixture.weights, mixture.means, np.empty(0), mixture.factors)
    rows = CompiledPass(X, None, covariance_type, None)
    first = rows.accumulate(parameters)
    smaller = Parameters(parameters.weights[:2], parameters.means[:2], np.empty(0), mixture.factors)
    if covariance_type != "tied":
        smaller = smaller._replace(precisions_cholesky=mixture.factors[:2])
    rows.accumulate(smaller)
    bounds = Bounds(X, mixture).statistics()
    for _ in range(3):
        assert_same_statistics(rows.accumulate(parameters), first, bounds)


@weighted_or_not
@pytest.mark.parametrize("offset", [0.0, 1e8, -1e12])
def test_moments_of_rows_wherever_they_lie_are_exact(weighted: bool, offset: float) -> None:
    X = np.round(2**8 * np.random.default_rng(0).normal(size=(500, 3))) / 2**8 * [1.0, 4.0, 16.0]
    weight = weights_of(len(X), weighted)
    if weight is not None:
        X[weight == 0.0] = 1e300
        weight[0] = 0.0
        X[0] = -1e300
    there = slice(None) if weight is None else weight > 0.0
    shares = None if weight is None else weight[there]
    expected_mean = np.average(X[there], axis=0, weights=shares)
    expected = np.average((X[there] - expected_mean) ** 2, axis=0, weights=shares)
    mean, variance = moments(X + offset, weight, None)
    lost = 1e-15 * abs(offset)  # a mean can be told no better there
    np.testing.assert_allclose(mean - offset, expected_mean, rtol=0, atol=1e-13 + lost)
    np.testing.assert_allclose(variance, expected, rtol=1e-13, atol=lost**2)


def test_moments_of_a_constant_feature_are_zero_exactly() -> None:
    X = np.column_stack([np.full(1000, 0.1), np.arange(1000.0)])
    mean, variance = moments(X, None, None)
    assert mean[0] == 0.1
    assert variance[0] == 0.0


def test_moments_of_rows_that_are_constant_but_for_absent_ones_are_zero() -> None:
    X, weight = np.full((5, 1), 0.1), np.array([0.0, 1.0, 2.0, 0.0, 1.0])
    X[[0, 3]] = 1e-200
    mean, variance = moments(X, weight, None)
    assert (mean[0], variance[0]) == (0.1, 0.0)


@pytest.mark.parametrize("value", [1e160, 1e308])
def test_moments_too_large_for_a_float_are_refused(value: float) -> None:
    X = np.array([[0.0, 1.0], [1.0, value], [1.0, -value]])
    with pytest.raises(ValueError, match=r"X must have variances below 2e\+308; column 1 has not"):
        moments(X, None, None)
