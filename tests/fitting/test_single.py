"""Fits of float32 rows, whose passes are in single precision, against fits in double precision."""

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES, random_mixture, random_rows

from mixtura import fit_gmm, fit_kmeans
from mixtura.data import open_rows
from mixtura.passes import Backend, moments, suits_single

EPS = float(np.finfo(np.float32).eps)

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


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
    source = open_rows(X, sample_weight)
    variance = moments(source, Backend())[1]
    assert suits_single(source, variance, variance) is expected


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


def test_float32_rows_converge_and_of_extreme_size_in_double_precision() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_000, 8)) + 5.0 * rng.integers(2, size=(10_000, 1))
    plain = fit_gmm(X.astype(np.float32), 2, rng=0)
    huge = fit_gmm((X * 2.0**80).astype(np.float32), 2, rng=0)
    assert plain.converged
    assert huge.converged
    shift = X.size * 80 * np.log(2.0)
    assert huge.log_likelihood + shift == pytest.approx(plain.log_likelihood, rel=1e-5)
