"""Rows in bins: the reference against definitions by SciPy, and against whole rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mixtures import random_parameters as mixture
from scipy import stats

from mixtura.parameters import Parameters
from mixtura.reference import FORMS, Rows
from mixtura.shapes import SHAPES, Floats

BinnedRows = FORMS["binned"]
INF = math.inf
every_shape = pytest.mark.parametrize("name", list(SHAPES))


def bins(n: int, d: int, seed: int, width: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """Points, lower and upper ends; some are open."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    lower = X - width * rng.uniform(0.1, 1.0, size=(n, d))
    upper = X + width * rng.uniform(0.1, 1.0, size=(n, d))
    return X, lower, upper


def moments(
    parameters: Parameters, j: int, lower: Floats, upper: Floats
) -> tuple[float, Floats, Floats]:
    """Probability, mean and second moment about the mean, by sums over a fine grid."""
    d, mean = len(lower), parameters.means[j]
    points, weights = np.polynomial.legendre.leggauss(60)
    deviations = np.sqrt(np.diag(parameters.covariance(j)))
    low = np.maximum(lower, mean - 10 * deviations)
    high = np.minimum(upper, mean + 10 * deviations)
    axes = [low[a] + (high[a] - low[a]) * (1 + points) / 2 for a in range(d)]
    at = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, d)
    w = np.ones(1)
    for a in range(d):
        w = np.multiply.outer(w, weights * (high[a] - low[a]) / 2).ravel()
    p = w * stats.multivariate_normal(mean, parameters.covariance(j)).pdf(at)
    z = at - mean
    total = p.sum()
    return total, p @ z / total, np.einsum("i,ia,ib->ab", p, z, z) / total


@every_shape
@pytest.mark.parametrize("em", ["soft", "hard"])
@pytest.mark.parametrize("d", [1, 2])
def test_statistics_are_expectations_over_bins(name: str, em: str, d: int) -> None:
    n, k = 9, 2
    parameters = mixture(name, k, d, 4)
    X, lower, upper = bins(n, d, 3)
    lower[0, 0], upper[1, 0] = -INF, INF
    weight = np.random.default_rng(5).uniform(0.5, 2.0, n)
    weight[4] = 0.0
    found = BinnedRows(X, weight, lower=lower, upper=upper).accumulate(em, parameters.seen(), None)
    expected = [[moments(parameters, j, lower[b], upper[b]) for j in range(k)] for b in range(n)]
    probability = np.array([[each[0] for each in row] for row in expected])
    joint = probability * parameters.weights
    resp = joint / joint.sum(axis=1, keepdims=True)
    log_prob = np.log(joint.sum(axis=1))
    if em == "hard":
        resp, log_prob = np.eye(k)[joint.argmax(axis=1)], np.log(joint.max(axis=1))
    shares = weight[:, None] * resp
    mean = np.array([[each[1] for each in row] for row in expected])
    second = np.array([[each[2] for each in row] for row in expected])
    shape = parameters.shape
    np.testing.assert_allclose(found.resp_sum, shares.sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.resp_x, np.einsum("bj,bja->ja", shares, mean), rtol=1e-8,
                               atol=1e-10)  # fmt: skip
    scatter = shape.coarsened(np.einsum("bj,bjac->jac", shares, second))
    np.testing.assert_allclose(found.resp_xx, scatter, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.log_likelihood, weight @ log_prob, rtol=1e-10)
    np.testing.assert_allclose(found.weight_sum, weight.sum(), rtol=1e-15)
    entropy = -(shares * np.log(resp, where=resp > 0, out=np.zeros_like(resp))).sum()
    np.testing.assert_allclose(found.extras["entropy"], entropy, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", ["diag", "spherical"])
def test_bins_of_three_features_are_products_where_covariances_are_diagonal(name: str) -> None:
    parameters = mixture(name, 2, 3, 1)
    X, lower, upper = bins(12, 3, 2)
    density = np.empty((12, 2))
    BinnedRows(X, lower=lower, upper=upper).evaluate(
        "soft", parameters.seen(), None, log_density=density
    )
    deviations = np.sqrt(parameters.variances())
    for j in range(2):
        normal = stats.norm(parameters.means[j], deviations[j])
        expected = np.log(normal.cdf(upper) - normal.cdf(lower)).sum(axis=1)
        np.testing.assert_allclose(density[:, j], expected, rtol=1e-9)


@every_shape
@pytest.mark.parametrize("d", [1, 2])
def test_narrow_bins_have_the_statistics_of_whole_rows_to_the_square_of_their_width(
    name: str, d: int
) -> None:
    parameters = mixture(name, 2, d, 6)
    X = np.random.default_rng(7).normal(size=(40, d))
    weight = np.arange(40.0)
    whole = Rows(X, weight).accumulate("soft", parameters.seen(), None)
    off = []
    for width in (1e-2, 1e-3):
        found = BinnedRows(X, weight, lower=X - width / 2, upper=X + width / 2).accumulate(
            "soft", parameters.seen(), None
        )
        off.append(
            [
                np.abs(found.resp_sum - whole.resp_sum).max(),
                np.abs(found.resp_x - whole.resp_x).max(),
                np.abs(found.resp_xx - whole.resp_xx).max(),
                abs(found.log_likelihood - d * weight.sum() * math.log(width)
                    - whole.log_likelihood),
            ]
        )  # fmt: skip
    assert (np.array(off[0]) < 20.0 * weight.sum() * 1e-4).all()
    np.testing.assert_allclose(np.array(off[0]) / off[1], 100.0, rtol=0.02)


@every_shape
def test_bins_far_from_an_offset_origin_lose_nothing(name: str) -> None:
    parameters = mixture(name, 2, 2, 8)
    X, lower, upper = bins(10, 2, 9)
    near = BinnedRows(X, lower=lower, upper=upper).accumulate("soft", parameters.seen(), None)
    offset = 2.0**20
    moved = parameters._replace(means=parameters.means + offset)
    far = BinnedRows(X + offset, lower=lower + offset, upper=upper + offset).accumulate(
        "soft", moved.seen(), None
    )
    np.testing.assert_allclose(far.resp_xx, near.resp_xx, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(far.log_likelihood, near.log_likelihood, rtol=1e-9)


def test_bins_out_of_reach_of_all_components_get_their_weights() -> None:
    parameters = mixture("full", 2, 1, 1)
    lower, upper = np.array([[1e170], [0.0]]), np.array([[1e171], [1.0]])
    rows, resp, log_prob = (
        BinnedRows(lower, lower=lower, upper=upper),
        np.empty((2, 2)),
        np.empty(2),
    )
    rows.evaluate("soft", parameters.seen(), None, resp=resp, log_prob=log_prob)
    assert np.isfinite(resp).all()
    found = rows.accumulate("soft", parameters.seen(), None)
    assert np.isfinite(found.resp_x).all()
    assert log_prob[0] < -1e290


def test_labels_are_of_the_most_probable_component() -> None:
    parameters = mixture("full", 2, 1, 12)
    X, lower, upper = bins(30, 1, 3)
    rows, labels, resp = (
        BinnedRows(X, lower=lower, upper=upper),
        np.empty(30, int),
        np.empty((30, 2)),
    )
    rows.evaluate("soft", parameters.seen(), None, resp=resp)
    rows.accumulate("hard", parameters.seen(), None, labels=labels)
    np.testing.assert_array_equal(labels, resp.argmax(axis=1))
    assert len(set(labels.tolist())) == 2


def test_complete_writes_the_expected_row_of_each_bin() -> None:
    parameters = mixture("full", 2, 2, 10)
    X, lower, upper = bins(8, 2, 11)
    rows, out, resp = BinnedRows(X, lower=lower, upper=upper), np.empty((8, 2)), np.empty((8, 2))
    rows.complete(parameters.seen(), None, out=out)
    rows.evaluate("soft", parameters.seen(), None, resp=resp)
    assert ((out > lower) & (out < upper)).all()
    expected = sum(
        resp[:, j, None]
        * [parameters.means[j] + moments(parameters, j, lower[b], upper[b])[1] for b in range(8)]
        for j in range(2)
    )
    np.testing.assert_allclose(out, expected, rtol=1e-9)
