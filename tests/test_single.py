"""Passes in single precision: as good as float32 rows are, for every type, shape and weight."""

import helpers
import numpy as np
import pytest
from helpers import (
    COVARIANCE_TYPES,
    Bounds,
    assert_same_bits,
    assert_same_statistics,
    random_mixture,
    random_rows,
    statistics_bounds,
)
from test_kernels import usable_instruction_sets

from mixtura import fit_gmm, fit_kmeans, kernels, reference
from mixtura.kernels import Rows
from mixtura.passes import moments, suits_single

EPS = float(np.finfo(np.float32).eps)
OFFSET = 1e3  # rows in single precision lose three digits to it, whoever sums them

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


@pytest.fixture
def _single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds for numbers that carry float32's rounding unit."""
    monkeypatch.setattr(helpers, "EPS", EPS)


@pytest.mark.usefixtures("_single_precision")
@pytest.mark.parametrize(
    ("n", "d", "k", "weighted", "offset"),
    [
        (1, 1, 1, False, 0.0),
        (63, 3, 2, True, 0.0),
        (300, 8, 5, False, OFFSET),
        (257, 12, 3, True, 0.0),
        (300, 13, 4, False, 0.0),
        (1000, 16, 40, True, OFFSET),
        (129, 33, 2, False, 0.0),
        (200, 57, 3, True, 0.0),
    ],
)
@each_type
def test_statistics_in_single_precision_agree_with_the_reference(
    monkeypatch: pytest.MonkeyPatch,
    covariance_type: str,
    n: int,
    d: int,
    k: int,
    weighted: bool,
    offset: float,
) -> None:
    rng = np.random.default_rng([n, d, k])
    mixture = random_mixture(rng, covariance_type, k, d).shifted(offset)
    X = random_rows(rng, mixture, n).astype(np.float32)
    weight = rng.choice([0.0, 1.0, 2.5], size=n, p=[0.2, 0.4, 0.4]) if weighted else None
    if weighted:
        X[weight == 0.0] = np.float32(3e38)
    resp = rng.dirichlet(np.ones(k), size=n)
    expected = (
        reference.accumulate(X.astype(float), **mixture.parameters, sample_weight=weight),
        reference.accumulate_resp(
            X.astype(float),
            resp,
            mixture.means,
            covariance_type=covariance_type,
            sample_weight=weight,
        ),
    )
    of_mixture = Bounds(X.astype(float), mixture).statistics(weight)
    of_resp = statistics_bounds(X, resp, mixture.means, covariance_type, weight)
    for module in usable_instruction_sets().values():
        monkeypatch.setattr(kernels, "_compiled", module)
        rows = Rows(X, weight, mixture.means.mean(axis=0), single=True)
        arguments = mixture.weights, mixture.means, mixture.factors, covariance_type
        computed = rows.accumulate(*arguments, 1)
        assert_same_statistics(computed, expected[0], of_mixture)
        assert_same_bits(computed, rows.accumulate(*arguments, 3))
        computed = rows.accumulate_resp(resp, mixture.means, covariance_type, 1)
        assert_same_statistics(computed, expected[1], of_resp)


@each_type
def test_fit_of_float32_rows_reaches_what_float64_does(covariance_type: str) -> None:
    rng = np.random.default_rng(1)
    mixture = random_mixture(rng, covariance_type, 4, 10)
    X = random_rows(rng, mixture, 12_000).astype(np.float32)
    labels = np.argmin(((X[:, None] - mixture.means) ** 2).sum(axis=2), axis=1)
    settings = {"covariance_type": covariance_type, "init": labels, "tol": 0, "max_iter": 30}
    single = fit_gmm(X, 4, **settings)
    double = fit_gmm(X.astype(np.float64), 4, **settings)
    assert not np.array_equal(single.model.means, double.model.means)  # it was another road
    assert single.log_likelihood == pytest.approx(double.log_likelihood, rel=10 * EPS)
    np.testing.assert_allclose(single.history, double.history, rtol=10 * EPS)
    again = fit_gmm(X, 4, **settings, n_threads=3)
    np.testing.assert_array_equal(again.model.covariances, single.model.covariances)


def test_fit_with_many_components_in_single_precision_agrees_with_double() -> None:
    # More than enough of them for bounds to be carried.
    rng = np.random.default_rng(2)
    mixture = random_mixture(rng, "full", 60, 8)
    X = random_rows(rng, mixture.scaled(3.0), 12_000).astype(np.float32)
    labels = np.argmin(((X[:, None] - X[:60]) ** 2).sum(axis=2), axis=1)
    settings = {"init": labels, "tol": 0, "max_iter": 10}
    single = fit_gmm(X, 60, **settings)
    double = fit_gmm(X.astype(np.float64), 60, **settings)
    np.testing.assert_allclose(single.history, double.history, rtol=1e-5)


def test_kmeans_of_float32_rows_finds_what_float64_does() -> None:
    rng = np.random.default_rng(3)
    X = (rng.normal(size=(12_000, 16)) + 4.0 * rng.integers(3, size=(12_000, 1))).astype(np.float32)
    single = fit_kmeans(X, 3, init=X[:3])
    double = fit_kmeans(X.astype(np.float64), 3, init=X[:3])
    np.testing.assert_allclose(single.centers, double.centers, atol=1e-4)
    assert single.inertia == pytest.approx(double.inertia, rel=10 * EPS)
    np.testing.assert_array_equal(single.labels, double.labels)


@pytest.mark.parametrize(
    ("scale", "weight", "dtype", "n", "d", "expected"),
    [
        (1.0, None, np.float32, 10_000, 8, True),
        (1.0, None, np.float32, 9_999, 8, False),
        (1.0, None, np.float32, 10_000, 7, False),
        (1.0, None, np.float64, 10_000, 8, False),
        (1e15, None, np.float32, 10_000, 8, False),
        (1e-15, None, np.float32, 10_000, 8, False),
        (1.0, 1e20, np.float32, 10_000, 8, False),
        (1.0, 1e6, np.float32, 10_000, 8, True),
    ],
)
def test_single_precision_suits_float32_rows_of_ordinary_size(
    scale: float, weight: float | None, dtype: type, n: int, d: int, expected: bool
) -> None:
    X = (scale * np.random.default_rng(0).normal(size=(n, d))).astype(dtype)
    X[:, 0] = 3.0  # a constant column does no harm
    sample_weight = None if weight is None else np.full(n, weight)
    assert suits_single(X, sample_weight, moments(X, sample_weight, 1)[1]) is expected


@pytest.mark.parametrize("scale", [1.1e-9, 9e8, 3e11])
def test_float32_rows_far_out_and_of_extreme_weight_overflow_nothing(scale: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10_000, 16))
    X[:3] *= 100.0
    X = (X * scale).astype(np.float32)
    weight = np.full(len(X), scale)
    single = fit_kmeans(X, 2, init=X[[0, 5]], sample_weight=weight, max_iter=20)
    double = fit_kmeans(X.astype(float), 2, init=X[[0, 5]], sample_weight=weight, max_iter=20)
    assert single.inertia == pytest.approx(double.inertia, rel=1e-5)


@pytest.mark.parametrize("d", [12, 13])
@each_type
def test_statistics_about_a_point_amid_the_rows_agree_with_the_reference(
    covariance_type: str, d: int
) -> None:
    rng = np.random.default_rng(d)
    mixture = random_mixture(rng, covariance_type, 3, d).shifted(100.0)
    X = random_rows(rng, mixture, 150)
    arguments = mixture.weights, mixture.means, mixture.factors, covariance_type
    statistics = Rows(X, None, mixture.means.mean(axis=0)).accumulate(*arguments, 1)
    expected = reference.accumulate(X, **mixture.parameters)
    np.testing.assert_allclose(statistics.resp_x, expected.resp_x, atol=1e-8)
    np.testing.assert_allclose(statistics.resp_xx, expected.resp_xx, rtol=1e-8, atol=1e-8)


def test_float32_rows_converge_and_of_extreme_size_in_double_precision() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_000, 8)) + 5.0 * rng.integers(2, size=(10_000, 1))
    plain = fit_gmm(X.astype(np.float32), 2, rng=0)
    huge = fit_gmm((X * 2.0**80).astype(np.float32), 2, rng=0)
    assert plain.converged
    assert huge.converged
    shift = X.size * 80 * np.log(2.0)
    assert huge.log_likelihood + shift == pytest.approx(plain.log_likelihood, rel=1e-5)
