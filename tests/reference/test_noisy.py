"""Rows with noise of their own: the reference against SciPy and plain loops."""

from __future__ import annotations

import noisy
import numpy as np
import pytest
from mixtures import random_parameters

from mixtura.parameters import Seen
from mixtura.reference import FORMS, Rows
from mixtura.shapes import FULL, SHAPES

NoisyRows = FORMS["noisy"]
every_shape = pytest.mark.parametrize("name", list(SHAPES))
every_kind = pytest.mark.parametrize("kind", noisy.KINDS)


@every_kind
@every_shape
def test_densities_are_those_of_rows_with_noise(name: str, kind: str) -> None:
    rows, parameters = noisy.rows(kind, 12, 3, 1), random_parameters(name, 2, 3, 2)
    expected = noisy.by_loops(rows, parameters).log_density
    density, log_prob = np.empty((12, 2)), np.empty(12)
    found = NoisyRows(rows.X, **rows.known)
    found.evaluate("soft", parameters.seen(), None, log_density=density, log_prob=log_prob)
    np.testing.assert_allclose(density, expected, rtol=1e-9)
    np.testing.assert_allclose(log_prob, np.log(np.exp(expected) @ parameters.weights), rtol=1e-9)


@every_kind
@every_shape
@pytest.mark.parametrize("em", ["soft", "hard"])
def test_statistics_are_expectations_of_true_rows(name: str, kind: str, em: str) -> None:
    rows, parameters = noisy.rows(kind, 12, 3, 3), random_parameters(name, 2, 3, 4)
    weight = np.random.default_rng(5).uniform(0.5, 2.0, 12)
    found = NoisyRows(rows.X, weight, **rows.known).accumulate(em, parameters.seen(), None)
    expected = noisy.by_loops(rows, parameters)
    joint = expected.log_density + np.log(parameters.weights)
    resp = np.exp(joint - joint.max(axis=1, keepdims=True))
    resp /= resp.sum(axis=1, keepdims=True)
    if em == "hard":
        resp = np.eye(2)[joint.argmax(axis=1)]
    r, z = weight[:, None] * resp, expected.mean - parameters.means
    scatter = np.einsum("ij,ija,ijb->jab", r, z, z)
    scatter += np.einsum("ij,ijab->jab", r, expected.covariance)
    np.testing.assert_allclose(found.resp_sum, r.sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.resp_x, np.einsum("ij,ija->ja", r, z), rtol=1e-8, atol=1e-10)
    kept = parameters.shape.coarsened(scatter)
    np.testing.assert_allclose(found.resp_xx, kept, rtol=1e-8, atol=1e-10)
    entropy = -(r * np.log(resp, where=resp > 0, out=np.zeros_like(resp))).sum()
    np.testing.assert_allclose(found.extras["entropy"], entropy, rtol=1e-8, atol=1e-12)


@every_shape
def test_rows_without_noise_have_the_statistics_of_whole_ones(name: str) -> None:
    X, seen = np.random.default_rng(6).normal(size=(20, 3)), random_parameters(name, 2, 3, 7).seen()
    weight = np.arange(20.0)
    for em in ("soft", "hard"):
        one = NoisyRows(X, weight, noise=np.zeros(20)).accumulate(em, seen, None)
        other = Rows(X, weight).accumulate(em, seen, None)
        np.testing.assert_allclose(one.resp_xx, other.resp_xx, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(one.resp_x, other.resp_x, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=1e-12)


def test_expected_rows_and_covariances_are_those_over_the_mixture() -> None:
    rows, parameters = noisy.rows("projected", 9, 3, 8), random_parameters("full", 2, 3, 9)
    one = noisy.by_loops(rows, parameters)
    joint = np.exp(one.log_density) * parameters.weights
    resp = joint / joint.sum(axis=1, keepdims=True)
    mean = np.einsum("ij,ija->ia", resp, one.mean)
    second = one.covariance + one.mean[..., :, None] * one.mean[..., None, :]
    covariance = np.einsum("ij,ijab->iab", resp, second) - mean[:, :, None] * mean[:, None, :]
    found, spread = np.empty((9, 3)), np.empty((9, 3, 3))
    engine = NoisyRows(rows.X, **rows.known)
    engine.complete(parameters.seen(), None, out=found)
    engine.covariances(parameters.seen(), out=spread)
    np.testing.assert_allclose(found, mean, rtol=1e-9)
    np.testing.assert_allclose(spread, covariance, rtol=1e-8, atol=1e-10)


def test_a_row_whose_sum_is_singular_has_zero_density_there() -> None:
    """Component 1 has no variance in feature 1, and row 0 no noise there."""
    covariances = np.array([np.eye(2), np.diag([1.0, 0.0])])
    seen = Seen(np.log([0.5, 0.5]), np.zeros((2, 2)), covariances, np.ones((2, 2, 2)), FULL)
    engine = NoisyRows(np.ones((2, 2)), noise=np.array([[1.0, 0.0], [0.0, 2.0]]))
    density = np.empty((2, 2))
    engine.evaluate("soft", seen, None, log_density=density)
    assert density[0, 1] == -np.inf
    assert np.isfinite(density[[0, 1, 1], [0, 0, 1]]).all()
    statistics = engine.accumulate("soft", seen, None)
    assert np.isfinite(statistics.resp_xx).all()
    assert statistics.resp_xx[1, 1, 1] == 0.0


@every_shape
def test_annealing_raises_densities_with_noise_to_a_power(name: str) -> None:
    rows, parameters = noisy.rows("matrices", 12, 3, 10), random_parameters(name, 2, 3, 11)
    seen, offset = parameters.seen().tempered(0.3)
    statistics = NoisyRows(rows.X, **rows.known).accumulate("soft", seen, None)
    density = noisy.by_loops(rows, parameters).log_density + np.log(parameters.weights)
    total = np.log(np.exp(0.3 * density).sum(axis=1)).sum()
    assert statistics.log_likelihood + 12 * offset == pytest.approx(total, rel=1e-10)
    shares = np.exp(0.3 * density)
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(statistics.resp_sum, shares.sum(axis=0), rtol=1e-10)
