"""Drawing rows from a mixture: moments, distribution, order, determinism."""

import math

import numpy as np
import pytest
from mixtures import MATRICES, MEANS, WEIGHTS, D, K, make
from scipy import stats

from mixtura.shapes import SHAPE_NAMES

each_type = pytest.mark.parametrize("covariance_type", SHAPE_NAMES)


@each_type
def test_sample_of_many_rows_has_the_moments_of_the_mixture(covariance_type: str) -> None:
    mixture, n = make(covariance_type), 200_000
    X, labels = mixture.sample(n, rng=5)
    assert X.shape == (n, D)
    assert X.dtype == np.float64
    assert labels.shape == (n,)
    assert labels.dtype == np.int64
    matrices = mixture.covariance_matrices()
    for j in range(K):
        own, weight = X[labels == j], WEIGHTS[j]
        six_sigma = 6.0 / math.sqrt(n * weight)
        assert len(own) / n == pytest.approx(weight, abs=6.0 * math.sqrt(weight / n))
        deviation = np.sqrt(matrices[j].diagonal())
        assert (abs(own.mean(axis=0) - MEANS[j]) < six_sigma * deviation).all()
        error = abs(np.cov(own.T) - matrices[j])
        assert (error < 1.5 * six_sigma * np.outer(deviation, deviation)).all()


def test_sample_of_each_component_is_gaussian() -> None:
    X, labels = make("full").sample(5000, rng=6)
    for j in range(K):
        whitened = np.linalg.solve(np.linalg.cholesky(MATRICES[j]), (X[labels == j] - MEANS[j]).T)
        assert stats.kstest(whitened.ravel(), "norm").pvalue > 1e-3


def test_sample_in_order_of_rows_shows_no_order_of_labels() -> None:
    _, labels = make().sample(10_000, rng=7)
    np.testing.assert_allclose(labels[:5000].mean(), labels[5000:].mean(), atol=0.1)
    assert 0.2 < np.mean(labels[1:] == labels[:-1]) < 0.5  # 0.38 where labels are independent


@each_type
def test_sample_with_the_same_seed_gives_the_same_bits(covariance_type: str) -> None:
    mixture = make(covariance_type)
    X, labels = mixture.sample(100, rng=3)
    for rng in (3, np.random.default_rng(3)):
        again, same_labels = mixture.sample(100, rng)
        np.testing.assert_array_equal(again, X)
        np.testing.assert_array_equal(same_labels, labels)
    assert (mixture.sample(100, rng=4)[0] != X).any()


def test_sample_of_fresh_entropy_differs_each_time() -> None:
    assert (make().sample(10)[0] != make().sample(10)[0]).any()


def test_sample_of_no_rows_is_empty() -> None:
    X, labels = make().sample(0, rng=0)
    assert X.shape == (0, D)
    assert labels.shape == (0,)


@pytest.mark.parametrize(
    ("n", "rng", "error", "message"),
    [
        (-1, 0, ValueError, "n must be an integer, 0 or more; got -1"),
        (2.0, 0, TypeError, "n must be an integer, 0 or more; got 2.0"),
        (2, "seed", TypeError, "rng must be None, an integer seed"),
        (2, -1, ValueError, "rng must be an integer, 0 or more; got -1"),
    ],
)
def test_sample_with_bad_arguments_is_refused(
    n: object, rng: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make().sample(n, rng)
