"""Starts with one component more or fewer: what is split, what is joined, and that EM goes on."""

from __future__ import annotations

import numpy as np
import pytest
from loops import ONE_THREAD
from searches import outcome_from

from mixtura.covariance import CELEUX_GOVAERT
from mixtura.search import with_one_fewer, with_one_more
from mixtura.search.sizes import MOST_LOSSES
from mixtura.shapes import Floats

BY = ONE_THREAD.algebra


def three_clusters() -> tuple[Floats, np.ndarray]:
    """Clusters about 0, 12 and 100 in the first feature."""
    labels = np.repeat([0, 1, 2], 60)
    X = np.random.default_rng(3).normal(size=(180, 2))
    X[:, 0] += np.array([0.0, 12.0, 100.0])[labels]
    return X, labels


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_one_more_cuts_each_component_across_its_widest_direction(name: str) -> None:
    X, labels = three_clusters()
    outcome, _ = outcome_from(X, labels // 2, name, n_iter=3)
    assert outcome.statistics is not None
    found = with_one_more(outcome.statistics, np.ones(2), BY)
    assert len(found) == 2
    best = found[0]
    assert best.resp_sum.sum() == pytest.approx(180.0)
    if not best.shape.is_shared:  # else the scatter is not of the rows of one component
        np.testing.assert_allclose(np.sort(best.means()[:, 0]), [0.0, 12.0, 100.0], atol=3.0)
    # The split component keeps its place, and the last one is new.
    np.testing.assert_allclose(best.means()[1], outcome.statistics.means()[1])
    np.testing.assert_allclose(
        best.means()[[0, 2]].mean(axis=0), outcome.statistics.means()[0], atol=1e-9
    )
    assert np.abs(best.means()[0] - best.means()[2]).max() > 0.5
    parameters, failed = outcome_from(X, labels, name, n_iter=1)[1].update.update(best)
    assert not failed.any()
    assert len(parameters.weights) == 3


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_one_fewer_joins_the_two_that_are_nearest(name: str) -> None:
    X, labels = three_clusters()
    outcome, em = outcome_from(X, labels, name, n_iter=3)
    found = with_one_fewer(outcome, em, X.std(axis=0), BY)
    assert 1 <= len(found) <= MOST_LOSSES
    best = found[0]
    assert len(best.resp_sum) == 2
    assert best.resp_sum.sum() == pytest.approx(180.0)
    np.testing.assert_allclose(best.means()[:, 0], [6.0, 100.0], atol=1.0)
    distinct = {tuple(np.round(one.means().ravel(), 6)) for one in found}
    assert len(distinct) == len(found)


def test_one_fewer_of_two_is_one() -> None:
    X, labels = three_clusters()
    outcome, em = outcome_from(X, labels // 2, "full", n_iter=2)
    for one in with_one_fewer(outcome, em, X.std(axis=0), BY):
        assert one.means().shape == (1, 2)


def test_statistics_of_the_outcome_stay_as_they_are() -> None:
    X, labels = three_clusters()
    outcome, em = outcome_from(X, labels, "full", n_iter=2)
    assert outcome.statistics is not None
    before = outcome.statistics.resp_xx.copy(), outcome.statistics.resp_sum.copy()
    with_one_fewer(outcome, em, X.std(axis=0), BY)
    with_one_more(outcome.statistics, X.std(axis=0), BY)
    np.testing.assert_array_equal(outcome.statistics.resp_xx, before[0])
    np.testing.assert_array_equal(outcome.statistics.resp_sum, before[1])
