"""`Rows`, reference and compiled: the interface through which fits reach the rows."""

from types import ModuleType

import numpy as np
import pytest
from helpers import (
    BACKENDS,
    COVARIANCE_TYPES,
    EPS,
    Bounds,
    Mixture,
    assert_same_bits,
    assert_same_statistics,
    random_mixture,
    random_rows,
    unchanged,
)

from mixtura.parameters import Seen
from mixtura.shapes import DIAG, FULL, SHAPES, SPHERICAL

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def backend(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


def as_seen(mixture: Mixture) -> Seen:
    shape = SHAPES[mixture.covariance_type]
    return Seen.of_factors(mixture.weights, mixture.means, mixture.factors, shape)


def example(covariance_type: str, n: int = 60) -> tuple[np.ndarray, Mixture]:
    rng = np.random.default_rng(n)
    mixture = random_mixture(rng, covariance_type, 3, 2, spread=1.0)
    return random_rows(rng, mixture, n), mixture


@each_type
def test_soft_labels_are_the_most_probable_components(
    backend: ModuleType, covariance_type: str
) -> None:
    X, mixture = example(covariance_type)
    labels, again = np.full((2, 60), -1)
    rows, seen = backend.Rows(X), as_seen(mixture)
    rows.accumulate("soft", seen, None, labels=labels)
    rows.evaluate("soft", seen, None, labels=again)
    resp, _ = backend.responsibilities(X, **mixture.parameters)
    np.testing.assert_array_equal(labels, resp.argmax(axis=1))
    np.testing.assert_array_equal(again, labels)


@each_type
def test_evaluate_gives_what_the_functions_give(backend: ModuleType, covariance_type: str) -> None:
    X, mixture = example(covariance_type)
    density, resp, log_prob = np.empty((60, 3)), np.empty((60, 3)), np.empty(60)
    rows, seen = backend.Rows(X), as_seen(mixture)
    rows.evaluate("soft", seen, None, log_density=density)
    rows.evaluate("soft", seen, None, resp=resp, log_prob=log_prob)
    expected = backend.responsibilities(X, **mixture.parameters)
    np.testing.assert_array_equal(density, backend.log_density(X, **mixture.components))
    np.testing.assert_array_equal(resp, expected[0])
    np.testing.assert_array_equal(log_prob, expected[1])


@each_type
@pytest.mark.parametrize("em", ["soft", "hard"])
def test_accumulate_gives_what_the_function_gives(
    backend: ModuleType, covariance_type: str, em: str
) -> None:
    X, mixture = example(covariance_type)
    weight = np.random.default_rng(0).exponential(size=60)
    seen = as_seen(mixture)
    with unchanged(X, weight, *seen[:4]):
        statistics = backend.Rows(X, weight).accumulate(em, seen, 1)
    expected = backend.accumulate(X, **mixture.parameters, em=em, sample_weight=weight)
    assert_same_bits(statistics, expected)
    assert statistics.centres is seen.means
    assert statistics.shape is seen.shape


@each_type
def test_log_weights_may_have_any_sum(backend: ModuleType, covariance_type: str) -> None:
    X, mixture = example(covariance_type)
    seen = as_seen(mixture)
    rows = backend.Rows(X)
    one = rows.accumulate("soft", seen, None)
    other = rows.accumulate("soft", seen._replace(log_weights=seen.log_weights + 1000.0), None)
    assert other.log_likelihood == pytest.approx(one.log_likelihood + 60 * 1000.0, rel=1e-13)
    np.testing.assert_allclose(other.resp_xx, one.resp_xx, rtol=1e-10)


def test_given_tells_labels_from_responsibilities(backend: ModuleType) -> None:
    X = np.array([[1.0], [2.0], [4.0]])
    rows, centres = backend.Rows(X), np.zeros((2, 1))
    by_label = rows.given(np.array([0, 1, 1]), centres, DIAG, None)
    by_resp = rows.given(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), centres, DIAG, None)
    assert_same_bits(by_label, by_resp)
    np.testing.assert_array_equal(by_label.resp_x, [[1.0], [6.0]])
    assert by_label.centres is centres


def test_size_of_rows_and_rounding_are_known(backend: ModuleType) -> None:
    rows = backend.Rows(np.zeros((5, 3)))
    assert (rows.n_samples, rows.n_features) == (5, 3)
    assert rows.rounding == EPS
    assert rows.n_tiles(2, FULL) >= 1


@each_type
def test_centre_and_single_change_no_more_than_rounding(
    backend: ModuleType, covariance_type: str
) -> None:
    X, mixture = example(covariance_type, 500)
    X = X.astype(np.float32)
    seen = as_seen(mixture)
    centre = X.astype(float).mean(axis=0)
    plain = backend.Rows(X).accumulate("soft", seen, None)
    single = backend.Rows(X, None, centre, single=True).accumulate("soft", seen, None)
    np.testing.assert_allclose(single.resp_sum, plain.resp_sum, rtol=1e-4)
    np.testing.assert_allclose(single.log_likelihood, plain.log_likelihood, rtol=1e-5)
    centred = backend.Rows(X, None, centre).accumulate("soft", seen, None)
    assert_same_statistics(centred, plain, Bounds(X, mixture).statistics())


def test_covariances_of_what_a_pass_sees_are_not_needed_without_bounds(
    backend: ModuleType,
) -> None:
    X, mixture = example("spherical")
    seen = as_seen(mixture)
    assert np.isnan(seen.covariances).all()
    assert np.isfinite(backend.Rows(X).accumulate("soft", seen, None).resp_xx).all()
    centers = Seen.of_centers(mixture.means, SPHERICAL)
    assert np.isfinite(backend.Rows(X).accumulate("nearest", centers, None).resp_xx).all()
