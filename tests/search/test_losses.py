"""What is lost without a component, against densities by scipy.stats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES
from loops import ONE_THREAD
from scipy import stats
from scipy.special import logsumexp, softmax, xlogy
from searches import log_joint, outcome_from, overlapping

from mixtura.covariance import CELEUX_GOVAERT
from mixtura.search import losses
from mixtura.search.losses import Merging, losses_of_deletion, losses_of_merging, ward
from mixtura.search.shares import LEAST_SHARE, Shares
from mixtura.shapes import Floats

BY = ONE_THREAD.algebra
WEIGHT = np.random.default_rng(1).uniform(0.5, 2.0, size=120)


def merging_of(X: Floats, outcome: Any, em: Any) -> Merging:
    assert outcome.statistics is not None
    scale = X.std(axis=0)
    return losses_of_merging(outcome.statistics.centred(), Shares(outcome, em), scale, BY)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("sample_weight", [None, WEIGHT], ids=["rows", "weights"])
def test_loss_of_deletion_is_that_of_the_likelihood_of_all_others(
    covariance_type: str, sample_weight: Floats | None
) -> None:
    X, _ = overlapping()
    labels = np.random.default_rng(0).integers(3, size=len(X))
    outcome, em = outcome_from(X, labels, covariance_type, n_iter=5, sample_weight=sample_weight)
    weights = outcome.parameters.weights
    found = losses_of_deletion(Shares(outcome, em), weights)
    joint = log_joint(X, outcome)
    for j in range(3):
        others = logsumexp(np.delete(joint, j, axis=1), axis=1) - np.log(1.0 - weights[j])
        lost = logsumexp(joint, axis=1) - others
        expected = lost.sum() if sample_weight is None else lost @ sample_weight
        assert found[j] == pytest.approx(expected, rel=1e-9)


def test_loss_of_a_component_with_all_of_some_rows_is_finite() -> None:
    X, labels = overlapping()
    X[labels == 2] += 1e4
    outcome, em = outcome_from(X, labels)
    found = losses_of_deletion(Shares(outcome, em), outcome.parameters.weights)
    assert np.isfinite(found).all()
    assert found.argmax() == 2


def expected_loss(
    X: Floats, weight: Floats, resp: Floats, one: int, other: int, covariance_type: str
) -> float:
    """Log-likelihood of rows whose components are known, with two and with one in their place.

    The log-likelihood of rows whose components are not known is higher by the entropy of shares.
    """
    d, shares = X.shape[1], resp * weight[:, None]

    def complete(shares: Floats) -> float:
        totals = shares.sum(axis=0)
        matrices = [np.atleast_2d(np.cov(X.T, aweights=r, ddof=0)) for r in shares.T]
        if covariance_type == "tied":
            matrices = [np.average(matrices, axis=0, weights=totals)] * len(matrices)
        elif covariance_type == "diag":
            matrices = [np.diag(np.diag(matrix)) for matrix in matrices]
        elif covariance_type == "spherical":
            matrices = [np.trace(matrix) / d * np.eye(d) for matrix in matrices]
        value = 0.0
        for r, total, matrix in zip(shares.T, totals, matrices, strict=True):
            mean = np.average(X, axis=0, weights=r)
            density = stats.multivariate_normal(mean, matrix).logpdf(X)
            value += r @ (np.log(total / totals.sum()) + density)
        return value

    joined = np.delete(shares, other, axis=1)
    joined[:, one - (other < one)] += shares[:, other]
    unsure = resp.max(axis=1) < 1.0 - LEAST_SHARE
    r, s = resp[:, one], resp[:, other]
    entropy = xlogy(r + s, r + s) - xlogy(r, r) - xlogy(s, s)
    return complete(shares) - complete(joined) + float((weight * entropy)[unsure].sum())


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("d", [1, 2])
def test_loss_of_merging_is_that_of_known_components_and_the_entropy(
    covariance_type: str, k: int, d: int
) -> None:
    X, labels = overlapping(d=d, k=k)
    outcome, em = outcome_from(X, labels, covariance_type, n_iter=30, sample_weight=WEIGHT)
    found = merging_of(X, outcome, em)
    assert found.partner.shape == found.loss.shape == (k, k - 1)
    resp = softmax(log_joint(X, outcome), axis=1)
    for one in range(k):
        assert sorted(found.partner[one]) == [j for j in range(k) if j != one]
        for other, loss in zip(found.partner[one], found.loss[one], strict=True):
            expected = expected_loss(X, WEIGHT, resp, one, int(other), covariance_type)
            assert loss == pytest.approx(expected, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_losses_of_every_family_are_least_for_halves_of_one_cluster(name: str) -> None:
    X, _ = overlapping(d=2, k=2)
    cluster = np.arange(len(X)) % 2
    X[cluster == 1] += 30.0
    labels = np.where(cluster == 0, 0, 1 + (X[:, 1] > np.median(X[cluster == 1, 1])))
    outcome, em = outcome_from(X, labels, name, n_iter=3)
    found = merging_of(X, outcome, em)
    assert (found.partner[1, 0], found.partner[2, 0]) == (2, 1)
    deleted = losses_of_deletion(Shares(outcome, em), outcome.parameters.weights)
    for losses_of_each in (found.loss.min(axis=1), deleted):
        assert losses_of_each.argmax() == 0


def test_nothing_is_said_of_merging_what_leaves_the_range_of_floats() -> None:
    X, labels = overlapping()
    outcome, em = outcome_from(X, labels)
    statistics = outcome.statistics
    assert statistics is not None
    statistics.resp_xx[1] = 0.0
    statistics.resp_x[1] = 0.0
    found = losses_of_merging(statistics.centred(), Shares(outcome, em), X.std(axis=0), BY)
    assert np.isinf(found.loss[1]).all()
    assert np.isfinite(found.loss[[0, 2], 0]).all()


def test_distance_of_ward_is_the_scatter_that_merging_adds() -> None:
    X, labels = overlapping()
    outcome, _ = outcome_from(X, labels, n_iter=2)
    statistics, scale = outcome.statistics, np.array([0.5, 3.0])
    assert statistics is not None
    found = ward(statistics, scale)
    N, means = statistics.resp_sum, statistics.means() / scale
    for i in range(3):
        assert found[i, i] == np.inf
        for j in set(range(3)) - {i}:
            both = (N[i] * means[i] + N[j] * means[j]) / (N[i] + N[j])
            added = N[i] * np.square(means[i] - both) + N[j] * np.square(means[j] - both)
            assert found[i, j] == pytest.approx(added.sum())


def test_partners_of_many_components_are_among_the_nearest(monkeypatch: Any) -> None:
    """Each of a row of clusters is merged with a neighbour, looked at all or at the nearest."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 20)
    X = rng.normal(size=(160, 2)) + 6.0 * labels[:, None]
    outcome, em = outcome_from(X, labels, n_iter=1)
    expected = merging_of(X, outcome, em)
    monkeypatch.setattr(losses, "NEIGHBOURS", 4)
    found = merging_of(X, outcome, em)
    np.testing.assert_array_equal(found.partner[:, 0], expected.partner[:, 0])
    np.testing.assert_allclose(found.loss[:, 0], expected.loss[:, 0])
    assert (np.abs(found.partner[:, 0] - np.arange(8)) == 1).all()
