"""What changes of statistics are worth, against evidence lower bounds over all rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from mixtura import reference
from mixtura.conjugate import WEIGHT_LAWS, PriorLaws, gain_of_order, gains_of_merging
from mixtura.shapes import DIAG, FULL, SHAPE_NAMES, SHAPES, SPHERICAL, TIED
from mixtura.statistics import Statistics

K, D = 4, 2
SCATTER = np.array([[2.0, 0.4], [0.4, 1.5]])
SCALES = {FULL: SCATTER, TIED: SCATTER, DIAG: np.diag(SCATTER), SPHERICAL: np.array(1.7)}
X = np.random.default_rng(0).normal(size=(60, D)) * [1.0, 3.0] + 0.5
LABELS = np.array([0] * 7 + [1] * 30 + [2] * 3 + [3] * 20)

every_shape = pytest.mark.parametrize("shape", SHAPE_NAMES)
every_law = pytest.mark.parametrize("weights", WEIGHT_LAWS)


def prior_of(shape: str, weights: str) -> PriorLaws:
    scale, mean = SCALES[SHAPES[shape]], np.array([0.3, -1.0])
    return PriorLaws(WEIGHT_LAWS[weights], 0.7, 0.4, mean, 3.5, scale, SHAPES[shape])


def statistics_of(labels: NDArray[np.int64], shape: str) -> Statistics:
    centres = np.random.default_rng(1).normal(size=(K, D))
    return reference.accumulate_resp(X, np.eye(K)[labels], centres, covariance_type=shape)


def bound(prior: PriorLaws, labels: NDArray[np.int64]) -> float:
    """The evidence lower bound of certain responsibilities, whose entropy is zero."""
    laws, _ = prior.posterior(statistics_of(labels, prior.shape.name), reference)
    matrices = prior.shape.matrices(laws.covariances, K, D)
    joint = [
        stats.multivariate_normal(laws.means[j], matrices[j]).logpdf(x)
        + prior.log_constants(laws)[j]
        for x, j in zip(X, labels, strict=True)
    ]
    return float(np.sum(joint)) - prior.divergence(laws, reference)


@every_shape
@every_law
def test_gain_of_merging_a_pair_is_that_of_the_bound(shape: str, weights: str) -> None:
    prior = prior_of(shape, weights)
    one, other = np.triu_indices(K, 1)
    one, other = np.append(one, 3), np.append(other, 0)  # the later place may get the rows
    found = gains_of_merging(prior, statistics_of(LABELS, shape), one, other, reference)
    expected = [
        bound(prior, np.where(b == LABELS, a, LABELS)) - bound(prior, LABELS)
        for a, b in zip(one, other, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert min(found) < max(found)


@every_shape
@every_law
def test_gain_of_another_order_is_that_of_the_bound(shape: str, weights: str) -> None:
    prior, order = prior_of(shape, weights), np.array([1, 3, 0, 2])
    found = gain_of_order(prior, statistics_of(LABELS, shape), order)
    there = np.argsort(order)[LABELS]
    assert found == pytest.approx(bound(prior, there) - bound(prior, LABELS), abs=1e-9)
    if prior.weights.name == "dirichlet":
        assert found == pytest.approx(0.0, abs=1e-12)
    else:
        assert found > 1.0


@every_law
def test_sums_that_leave_the_range_of_a_float_have_no_gain(weights: str) -> None:
    statistics = statistics_of(LABELS, "full")
    prior = prior_of("full", weights)
    far = replace(statistics, centres=1e160 * statistics.centres)
    gains = gains_of_merging(prior, far, np.array([0]), np.array([1]), reference)
    assert not gains[0] > 0.0
