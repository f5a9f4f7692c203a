"""Components that are identical: EM cannot separate them, and the fit says so."""

from typing import Any

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES
from loops import parameters_of

from mixtura import Event, GaussianMixture, fit_gmm
from mixtura.covariance import FAMILIES
from mixtura.updates import identical

X = clustered(300, 3, 3)[0]


def mixture(means: Any, covariance_type: str = "full", weights: Any = None) -> GaussianMixture:
    k = len(means)
    matrices = np.tile(np.diag([4.0, 4.0, 4.0]), (k, 1, 1))
    covariances = FAMILIES[covariance_type].shape.from_matrices(matrices)
    weights = np.full(k, 1.0 / k) if weights is None else weights
    return GaussianMixture(weights, means, covariances, covariance_type)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("em", ["soft", "annealed"])
def test_fit_from_identical_components_says_which_stay_so(covariance_type: str, em: Any) -> None:
    begin = mixture(np.tile(X.mean(axis=0), (3, 1)), covariance_type, [0.5, 0.2, 0.3])
    fit = fit_gmm(X, 3, covariance_type=covariance_type, init=begin, em=em, tol=0.0, max_iter=20)
    assert fit.events == tuple(Event(fit.n_iter, j, "identical", "kept") for j in (1, 2))
    assert str(fit.events[0]).endswith("component 1 identical, kept")
    assert "component 2 identical, kept" in fit.summary()
    parted = fit_gmm(X, 3, covariance_type=covariance_type, init=begin, em=em)
    assert not [event for event in parted.events if event.cause == "identical"]
    assert parted.log_likelihood > fit.log_likelihood + 1.0


def test_fit_from_identical_components_by_hard_assignments_replaces_them() -> None:
    begin = mixture(np.tile(X.mean(axis=0), (3, 1)))
    fit = fit_gmm(X, 3, init=begin, em="hard")
    assert {event.action for event in fit.events} == {"reseeded"}
    assert len(np.unique(fit.model.means, axis=0)) == 3


@pytest.mark.parametrize("em", ["soft", "annealed"])
def test_two_identical_components_of_five_are_named(em: Any) -> None:
    fit = fit_gmm(X, 5, init=mixture(X[[0, 10, 200, 10, 299]]), em=em, tol=0.0, max_iter=30)
    named = [event.component for event in fit.events if event.cause == "identical"]
    assert named == [3]


@pytest.mark.parametrize("init", ["labels", "resp"])
def test_responsibilities_alike_for_all_components_are_named(init: str) -> None:
    start = {"labels": np.arange(len(X)) % 3, "resp": np.full((len(X), 3), 1 / 3)}[init]
    fit = fit_gmm(X, 3, init=start, tol=0.0, max_iter=20)
    named = [event.component for event in fit.events if event.cause == "identical"]
    assert named == ([1, 2] if init == "resp" else [])


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_components_that_differ_a_little_are_not_identical(covariance_type: str) -> None:
    def found(step: float, times: float = 1.0, weights: Any = None) -> list[int]:
        one = parameters_of(mixture(np.zeros((3, 3)), covariance_type, weights))
        means = one.means + step * np.array([[0.0], [0.0], [1.0]])
        if one.shape.is_shared:
            return identical(one._replace(means=means))
        factors = one.precisions_cholesky.copy()
        factors[2] /= np.sqrt(times)
        covariances = one.covariances.copy()
        covariances[2] *= times
        return identical(one._replace(means=means, covariances=covariances,
                                      precisions_cholesky=factors))  # fmt: skip

    assert found(0.0) == [1, 2]
    assert found(1e-8, 1 + 1e-9) == [1, 2]
    assert found(1e-4) == [1]
    assert found(-1e-4) == [1]
    assert found(0.0, 1.001) == ([1, 2] if covariance_type == "tied" else [1])
    assert found(0.0, weights=[0.5, 0.0, 0.5]) == [2]
    assert found(0.0, weights=[0.0, 0.5, 0.5]) == [2]
    assert found(0.0, weights=[0.0, 0.0, 1.0]) == []


def test_components_that_differ_in_a_narrow_direction_alone_are_not_identical() -> None:
    narrow = np.eye(3) + 0.999999 * (np.ones((3, 3)) - np.eye(3))
    other = narrow + 1e-7 * np.diag([1.0, -1.0, 0.0])
    model = GaussianMixture([0.5, 0.5], np.zeros((2, 3)), [narrow, other], "full")
    assert identical(parameters_of(model)) == []
