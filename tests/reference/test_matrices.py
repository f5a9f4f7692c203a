"""Precision factors of covariance matrices, reference and compiled, against their definition."""

from types import ModuleType

import mpmath
import numpy as np
import pytest
from helpers import BACKENDS, EPS
from scipy.linalg import hilbert, invhilbert

from mixtura.shapes import Floats


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def backend(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


def covariances(d: int, k: int = 3) -> Floats:
    """Ordinary ones, in units far apart."""
    rng = np.random.default_rng(d)
    roots = rng.normal(size=(k, d, 2 * d)) * 10.0 ** rng.uniform(-60, 60, size=d)[:, None]
    return roots @ roots.transpose(0, 2, 1)


@pytest.mark.parametrize("d", [1, 2, 3, 8, 9, 33])
def test_factors_are_triangular_and_whiten_their_covariances(backend: ModuleType, d: int) -> None:
    given = covariances(d)
    factors, failed = backend.factorise(given)
    assert factors.shape == given.shape
    assert failed.tolist() == [False] * 3
    np.testing.assert_array_equal(factors, np.triu(factors))
    assert (np.einsum("jaa->ja", factors) > 0.0).all()
    whitened = factors.transpose(0, 2, 1) @ given @ factors
    np.testing.assert_allclose(whitened, np.broadcast_to(np.eye(d), given.shape), atol=1e-11 * d)


def test_factors_match_sixty_digits(backend: ModuleType) -> None:
    given = covariances(4, 2)
    factors, _ = backend.factorise(given)
    for covariance, U in zip(given, factors, strict=True):
        with mpmath.workdps(300):
            lower = mpmath.cholesky(mpmath.matrix(covariance.tolist()))
            expected = np.array((lower**-1).T.tolist(), dtype=float)
        np.testing.assert_allclose(U, np.triu(expected), rtol=1e-12)


@pytest.mark.parametrize("size", [4, 8, 10])
def test_factors_of_ill_conditioned_matrix_are_as_good_as_its_condition(
    backend: ModuleType, size: int
) -> None:
    factors, failed = backend.factorise(hilbert(size)[None])
    assert not failed.any()
    exact = invhilbert(size)
    error = np.linalg.norm(factors[0] @ factors[0].T - exact) / np.linalg.norm(exact)
    assert error <= size * EPS * np.linalg.cond(hilbert(size))


@pytest.mark.parametrize("d", [1, 2, 9, 40])
def test_matrices_that_are_not_regular_fail_and_leave_the_others_alone(
    backend: ModuleType, d: int
) -> None:
    sound = covariances(d, 1)
    zero, infinite, unknown = np.zeros((d, d)), np.full((d, d), np.inf), sound[0].copy()
    unknown[-1, -1] = np.nan
    determined = sound[0].copy()  # the last feature is the first, but for rounding
    determined[-1], determined[:, -1] = determined[0], determined[:, 0]
    determined[-1, -1] = determined[0, 0] * (1.0 + EPS)
    wrong = [-sound[0], zero, infinite, unknown, *([determined] if d > 1 else [])]
    factors, failed = backend.factorise(np.array([*wrong, sound[0]]))
    np.testing.assert_array_equal(failed, [*[True] * len(wrong), False])
    np.testing.assert_array_equal(factors[-1], backend.factorise(sound)[0][0])


@pytest.mark.parametrize("excess", [0.5, 2.0])
def test_limit_of_the_inflation_is_an_eighth_of_the_rounding_unit(
    backend: ModuleType, excess: float
) -> None:
    # Of two features with correlation r the variance inflation factors add up to 2 / (1 - r^2).
    r = np.sqrt(1.0 - 2.0 * 8.0 * EPS / excess)
    _, failed = backend.factorise(np.array([[[1.0, r], [r, 1.0]]]))
    assert failed.tolist() == [excess > 1.0]


def test_factorise_of_features_in_other_units_gives_scaled_factors(backend: ModuleType) -> None:
    rng = np.random.default_rng(2)
    roots = rng.normal(size=(4, 5, 5))
    given = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(5)
    units = 2.0 ** np.array([-300, 400, 0, -20, 60])
    factors, _ = backend.factorise(given)
    scaled, failed = backend.factorise(given * units[:, None] * units)
    assert not failed.any()
    np.testing.assert_array_equal(scaled, factors / units[:, None])


SINGULAR = {
    "zero": np.zeros((3, 3)),
    "rank one": np.ones((3, 3)),
    "a feature twice": np.array([[2.0, 1.0, 2.0], [1.0, 3.0, 1.0], [2.0, 1.0, 2.0]]),
    "a constant feature": np.diag([1.0, 0.0, 1.0]),
    "equal but for rounding": np.array([[1, 1 - EPS, 0], [1 - EPS, 1, 0], [0, 0, 1.0]]),
    "indefinite": np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    "negative": -np.eye(3),
    "nan": np.full((3, 3), np.nan),
    "nan beside the diagonal": np.array([[1, np.nan, 0], [np.nan, 1, 0], [0, 0, 1.0]]),
    "infinite": np.diag([1.0, np.inf, 1.0]),
}


@pytest.mark.parametrize("matrix", SINGULAR.values(), ids=SINGULAR)
def test_factorise_of_singular_matrix_marks_it_alone(backend: ModuleType, matrix: Floats) -> None:
    factors, failed = backend.factorise(np.stack([np.eye(3), matrix, 4.0 * np.eye(3)]))
    assert failed.tolist() == [False, True, False]
    np.testing.assert_array_equal(factors[0], np.eye(3))
    np.testing.assert_array_equal(factors[2], 0.5 * np.eye(3))


@pytest.mark.parametrize("d", [2, 3, 8, 32, 100])
def test_factorise_of_scatter_of_too_few_rows_fails_whatever_the_rounding(
    backend: ModuleType, d: int
) -> None:
    rng = np.random.default_rng(d)
    rows = rng.normal(size=(100, d, d)) * 10.0 ** rng.uniform(-4.0, 4.0, size=d)
    rows -= rows.mean(axis=1, keepdims=True)
    scatter = rows.transpose(0, 2, 1) @ rows
    _, failed = backend.factorise(0.5 * (scatter + scatter.transpose(0, 2, 1)))
    assert failed.all()


@pytest.mark.parametrize("d", [2, 3, 8, 32, 100])
def test_factorise_of_dependent_feature_fails_whatever_the_rounding(
    backend: ModuleType, d: int
) -> None:
    rng = np.random.default_rng(d)
    for _ in range(50):
        X = rng.normal(size=(5 * d, d)) * 10.0 ** rng.uniform(-4.0, 4.0, size=d)
        X[:, -1] = X[:, :-1] @ rng.normal(size=d - 1)
        covariance = np.cov(X.T, bias=True)
        assert backend.factorise(covariance[None])[1].all()


def test_factorise_of_strong_but_honest_correlation_succeeds(backend: ModuleType) -> None:
    for correlation in (0.999999, -1.0 + 1e-12):
        covariance = np.array([[[1.0, correlation], [correlation, 1.0]]])
        assert not backend.factorise(covariance)[1].any()
