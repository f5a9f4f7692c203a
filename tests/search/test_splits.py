"""What a split gains, and the halves that it starts from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES
from loops import ONE_THREAD
from scipy import stats
from scipy.special import logsumexp
from searches import outcome_from, pair_update

from mixtura.covariance import CELEUX_GOVAERT
from mixtura.schedules import EM, Outcome
from mixtura.search.shares import Shares
from mixtura.search.splits import Split, best_splits, cut
from mixtura.shapes import Floats

BY = ONE_THREAD.algebra


def bimodal(
    n: int = 200, d: int = 2, gap: float = 12.0, *, across: int = 0
) -> tuple[Floats, np.ndarray]:
    """A cluster of its own, and one of two modes; labels say nothing of the modes."""
    rng = np.random.default_rng(2)
    labels = np.arange(n) % 2
    X = rng.normal(size=(n, d))
    X[labels == 1] += 200.0
    X[labels == 1, across] += gap * (np.arange(n // 2) % 2)
    return X, labels


def split_of(
    outcome: Outcome, em: EM, component: int, X: Floats, covariance_type: str = "full"
) -> Split | None:
    pair = pair_update(covariance_type, X.shape[1])
    (best,) = best_splits(outcome, [component], Shares(outcome, em), pair, X.std(axis=0), BY)
    return best


@pytest.mark.parametrize("name", [name for name in CELEUX_GOVAERT if name[1:] != "II"])
def test_split_of_two_modes_gains_and_finds_both(name: str) -> None:
    X, labels = bimodal()
    outcome, em = outcome_from(X, labels, name, n_iter=2)
    split = split_of(outcome, em, 1, X, name)
    assert split is not None
    assert split.gain > 30.0
    means = split.halves.means()
    np.testing.assert_allclose(sorted(means[:, 0]), [200.0, 212.0], atol=1.0)
    np.testing.assert_allclose(split.halves.resp_sum, 50.0, atol=1.0)


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_split_of_two_modes_gains_whatever_the_family_knows_of_directions(name: str) -> None:
    X, labels = bimodal()
    outcome, em = outcome_from(X, labels, name, n_iter=2)
    split = split_of(outcome, em, 1, X, name)
    assert split is not None
    assert split.gain > 0.0


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_gain_of_a_split_is_that_of_two_components_by_plain_iterations(
    covariance_type: str, weight: float
) -> None:
    X, labels = bimodal(gap=8.0)
    sample_weight = np.full(len(X), weight)
    outcome, em = outcome_from(X, labels, covariance_type, sample_weight=sample_weight)
    split = split_of(outcome, em, 1, X, covariance_type)
    assert split is not None
    own = X[labels == 1]
    matrix = np.cov(own.T, ddof=0)
    matrix = matrix if covariance_type == "full" else np.diag(np.diag(matrix))
    before = stats.multivariate_normal(own.mean(axis=0), matrix).logpdf(own).sum()
    joint = []
    statistics = split.halves.centred()  # those of the components after the last update
    shape = statistics.shape
    for j in range(2):
        share = statistics.resp_sum[j]
        scatter = shape.per_feature(statistics.resp_xx, 2)
        of_one = shape.matrix(scatter, j, 2) / share
        density = stats.multivariate_normal(statistics.means()[j], of_one).logpdf(own)
        joint.append(np.log(share / statistics.resp_sum.sum()) + density)
    after = logsumexp(joint, axis=0).sum()  # one update later, which gains a part
    assert split.gain > 0.0
    assert weight * (after - before) >= split.gain - 1e-6
    assert weight * (after - before) <= 1.5 * split.gain


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_split_of_a_normal_cluster_gains_hardly_anything(covariance_type: str) -> None:
    X = np.random.default_rng(0).normal(size=(400, 2))
    labels = np.arange(400) % 2
    X[labels == 1] += 50.0
    outcome, em = outcome_from(X, labels, covariance_type)
    split = split_of(outcome, em, 0, X, covariance_type)
    assert split is None or split.gain < 15.0


def test_split_finds_a_core_and_its_halo() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2)) * np.repeat([0.2, 6.0, 1.0], 200)[:, None]
    X[400:] += 100.0
    labels = np.repeat([0, 0, 1], 200)
    outcome, em = outcome_from(X, labels)
    split = split_of(outcome, em, 0, X)
    assert split is not None
    assert split.gain > 200.0
    core, halo = np.sort(np.linalg.det(split.halves.centred().resp_xx))
    assert core < 1e-3 * halo


def test_component_of_hardly_any_rows_is_not_split() -> None:
    X, labels = bimodal()
    X[:3], labels = X[:3] + 900.0, labels.copy()
    labels[:3] = 1
    labels[3:] = 0
    outcome, em = outcome_from(X, labels, "spherical", n_iter=2)
    assert split_of(outcome, em, 1, X, "spherical") is None
    assert split_of(outcome, em, 0, X, "spherical") is not None


def test_component_whose_parts_cannot_be_estimated_is_not_split() -> None:
    X, labels = bimodal()
    outcome, em = outcome_from(X, labels)

    class Failing:
        m_step = None

        def update(self, statistics: Any, previous: Any = None) -> Any:
            parameters, failed = em.update.update(statistics, previous)
            return parameters, np.ones_like(failed)

    pair: Any = Failing()
    shares = Shares(outcome, em)
    assert best_splits(outcome, [1], shares, pair, X.std(axis=0), BY) == [None]


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_cut_goes_across_the_widest_direction(covariance_type: str) -> None:
    X, labels = bimodal(across=1)
    labels = labels.copy()
    labels[:4] = 2
    outcome, _ = outcome_from(X, labels, covariance_type, n_iter=1)
    assert outcome.statistics is not None
    halves = cut(outcome.statistics, 1, 2, np.ones(2), BY)
    means = halves.means()
    middle = outcome.statistics.means()[1]
    np.testing.assert_allclose(means[1] + means[2], 2.0 * middle)
    apart = means[2] - means[1]
    if covariance_type in ("full", "diag"):  # a direction of its own
        assert abs(apart[1]) > 5.0
        assert abs(apart[0]) < 1.0
    estimated, _ = pair_update(covariance_type, 2).update(outcome.statistics)
    variance = estimated.shape.matrix(estimated.covariances, 1, 2)
    assert apart @ np.linalg.solve(variance, apart) == pytest.approx((2 * 0.8) ** 2)
