"""Rows with missing values: the reference against scipy.stats and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from mixtures import random_parameters as mixture
from scipy import stats

from mixtura.parameters import Parameters, Seen
from mixtura.reference import FORMS, Rows
from mixtura.shapes import SHAPES, Floats

IncompleteRows = FORMS["incomplete"]
every_shape = pytest.mark.parametrize("name", list(SHAPES))


def holed(n: int, d: int, seed: int, share: float = 0.4) -> Floats:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    X[rng.random((n, d)) < share] = np.nan
    X[0] = np.nan
    return X


def marginal_log_density(X: Floats, parameters: Parameters) -> Floats:
    """Of each row and component, by SciPy."""
    k = len(parameters.means)
    out = np.zeros((len(X), k))
    for i, row in enumerate(X):
        o = np.flatnonzero(~np.isnan(row))
        for j in range(k if len(o) else 0):
            covariance = parameters.covariance(j)[np.ix_(o, o)]
            out[i, j] = stats.multivariate_normal(parameters.means[j, o], covariance).logpdf(row[o])
    return out


@every_shape
def test_densities_are_of_the_observed_numbers(name: str) -> None:
    X, parameters = holed(30, 4, 1), mixture(name, 3, 4, 2)
    expected = marginal_log_density(X, parameters)
    density, log_prob = np.empty((30, 3)), np.empty(30)
    IncompleteRows(X).evaluate(
        "soft", parameters.seen(), None, log_density=density, log_prob=log_prob
    )
    np.testing.assert_allclose(density, expected, rtol=1e-10, atol=1e-12)
    joint = np.exp(expected) @ parameters.weights
    np.testing.assert_allclose(log_prob, np.log(joint), rtol=1e-10, atol=1e-12)


@every_shape
@pytest.mark.parametrize("em", ["soft", "hard"])
def test_statistics_are_expectations_of_complete_rows(name: str, em: str) -> None:
    """Means of many draws of the missing numbers; each draw is a complete row."""
    X, parameters = holed(12, 3, 3), mixture(name, 2, 3, 4)
    weight = np.random.default_rng(5).uniform(0.5, 2.0, 12)
    found = IncompleteRows(X, weight).accumulate(em, parameters.seen(), None)
    density = marginal_log_density(X, parameters) + np.log(parameters.weights)
    resp = np.exp(density - density.max(axis=1, keepdims=True))
    resp /= resp.sum(axis=1, keepdims=True)
    if em == "hard":
        resp = np.eye(2)[density.argmax(axis=1)]
    resp_x, resp_xx = np.zeros((2, 3)), np.zeros((2, 3, 3))
    for i, row in enumerate(X):
        o, m = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
        for j in range(2):
            covariance, z = parameters.covariance(j), np.zeros(3)
            z[o] = row[o] - parameters.means[j, o]
            inverse = np.linalg.inv(covariance[np.ix_(o, o)])
            z[m] = covariance[np.ix_(m, o)] @ inverse @ z[o]
            second = np.outer(z, z)
            second[np.ix_(m, m)] += (
                covariance[np.ix_(m, m)]
                - covariance[np.ix_(m, o)] @ inverse @ covariance[np.ix_(o, m)]
            )
            resp_x[j] += weight[i] * resp[i, j] * z
            resp_xx[j] += weight[i] * resp[i, j] * second
    shape = parameters.shape
    np.testing.assert_allclose(found.resp_sum, weight @ resp, rtol=1e-10)
    np.testing.assert_allclose(found.resp_x, resp_x, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.resp_xx, shape.coarsened(resp_xx), rtol=1e-9, atol=1e-11)
    entropy = -(weight[:, None] * resp * np.log(resp, where=resp > 0, out=np.zeros_like(resp)))
    np.testing.assert_allclose(found.extras["entropy"], entropy.sum(), rtol=1e-9, atol=1e-12)


@every_shape
def test_complete_rows_have_the_statistics_of_whole_ones(name: str) -> None:
    X, seen = np.random.default_rng(6).normal(size=(20, 3)), mixture(name, 2, 3, 7).seen()
    weight = np.arange(20.0)
    for em in ("soft", "hard"):
        one, other = (rows(X, weight).accumulate(em, seen, None) for rows in (IncompleteRows, Rows))
        np.testing.assert_allclose(one.resp_xx, other.resp_xx, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(one.resp_x, other.resp_x, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=1e-12)


def test_nearest_measures_the_observed_features_alone() -> None:
    X = np.array([[1.0, np.nan], [np.nan, 5.0], [4.0, 4.0], [np.nan, np.nan]])
    seen = Seen.of_centers(np.array([[0.0, 0.0], [5.0, 5.0]]), SHAPES["spherical"])
    labels, rows = np.empty(4, dtype=np.int64), IncompleteRows(X)
    found = rows.accumulate("nearest", seen, None, labels=labels)
    assert labels.tolist() == [0, 1, 1, 0]
    np.testing.assert_allclose(found.log_likelihood, -0.5 * (1.0 + 0.0 + 2.0 + 0.0))
    np.testing.assert_allclose(found.extras["observed"], [[1.0, 0.0], [1.0, 2.0]])
    np.testing.assert_allclose(found.resp_x, [[1.0, 0.0], [-1.0, -1.0]])


def test_complete_writes_what_is_expected_of_missing_numbers() -> None:
    X, parameters = holed(25, 3, 8), mixture("full", 2, 3, 9)
    out, resp = np.empty(X.shape), np.empty((25, 2))
    rows = IncompleteRows(X)
    rows.complete(parameters.seen(), None, out=out)
    rows.evaluate("soft", parameters.seen(), None, resp=resp)
    there = ~np.isnan(X)
    np.testing.assert_array_equal(out[there], X[there])
    np.testing.assert_allclose(out[0], resp[0] @ parameters.means)
    i = int(np.flatnonzero(there.sum(axis=1) == 1)[0])
    o = int(np.argmax(there[i]))
    expected = sum(
        resp[i, j]
        * (
            parameters.means[j]
            + parameters.covariances[j][:, o]
            / parameters.covariances[j][o, o]
            * (X[i, o] - parameters.means[j, o])
        )
        for j in range(2)
    )
    np.testing.assert_allclose(out[i], expected, rtol=1e-10)
