"""Starts that the user gives: labels, responsibilities, mixtures, callables that return them."""

import numpy as np
import pytest
from clusters import Rounding, assert_same_fit_bits, clustered, maximised
from helpers import COVARIANCE_TYPES
from loops import em_on, mixture_of
from numpy.typing import NDArray

from mixtura import GaussianMixture, fit_gmm, scan
from mixtura.covariance import FAMILIES
from mixtura.data import ArrayRows, BlockedRows
from mixtura.shapes import Floats
from mixtura.starts import check_init, given_start

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def start_from(
    init: object, X: Floats, covariance_type: str, weight: Floats | None = None, ridge: float = 0.0
) -> GaussianMixture:
    """The mixture that a fit with this `init`, not a method, starts with."""
    checked = check_init(init, ArrayRows(X, weight), 3, FAMILIES[covariance_type])
    assert not isinstance(checked, str)
    em = em_on(X, covariance_type, sample_weight=weight, ridge=ridge, on_collapse="raise")
    outcome = given_start(checked, 3, em.rows, em.update, em.collapse, X[0])
    assert (outcome.events, outcome.history) == ([], [])
    return mixture_of(outcome.parameters, covariance_type)


@every_type
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_start_from_labels_is_each_cluster_by_itself(
    covariance_type: str, weighted: bool, offset: float
) -> None:
    X, labels = clustered()
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X)) if weighted else None
    expected = maximised(X, np.eye(3)[labels], covariance_type, weight)
    for each in (labels, labels.astype(np.uint8), labels.astype(np.uint64), labels.tolist()):
        start = start_from(each, X + offset, covariance_type, weight)
        np.testing.assert_allclose(start.weights, expected.weights, rtol=1e-14)
        np.testing.assert_allclose(
            start.means - offset, expected.means, atol=1e-13 + 1e-15 * offset
        )
        np.testing.assert_allclose(start.covariances, expected.covariances, rtol=1e-11, atol=1e-12)


@every_type
@pytest.mark.parametrize("weighted", [False, True])
def test_start_from_responsibilities_is_their_maximisation(
    covariance_type: str, weighted: bool
) -> None:
    X = clustered()[0]
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X)) if weighted else None
    resp = np.random.default_rng(1).dirichlet(np.ones(3), len(X))
    expected = maximised(X, resp, covariance_type, weight, 0.5)
    for each in (resp, np.asfortranarray(resp), resp.tolist()):
        start = start_from(each, X, covariance_type, weight, ridge=0.5)
        Rounding(X, expected).assert_same_mixture(start)


def test_start_of_clusters_far_apart_is_exact_in_each() -> None:
    """Sums about one point for all would lose what is small beside their distance."""
    X, labels = clustered()
    far = X + 1e8 * np.array([[-1.0], [0.0], [1.0]])[labels]
    expected = maximised(X, np.eye(3)[labels], "full")
    for init in (labels, np.eye(3)[labels]):
        covariances = start_from(init, far, "full").covariances
        np.testing.assert_allclose(covariances, expected.covariances, atol=1e-12)


def test_start_from_responsibilities_of_zero_and_one_is_that_from_labels() -> None:
    X, labels = clustered()
    expected = start_from(labels, X, "full")
    for resp in (np.eye(3)[labels], np.eye(3, dtype=int)[labels], np.eye(3, dtype=bool)[labels]):
        Rounding(X, expected).assert_same_mixture(start_from(resp, X, "full"))


@every_type
def test_start_from_a_mixture_is_that_mixture(covariance_type: str) -> None:
    X, labels = clustered()
    mixture = maximised(X, np.eye(3)[labels], covariance_type)
    assert start_from(mixture, X, covariance_type, ridge=0.5) == mixture


@pytest.mark.parametrize("kind", ["method", "labels", "resp", "mixture"])
def test_start_from_a_callable_is_what_it_returns(kind: str) -> None:
    X, labels = clustered()
    resp = np.random.default_rng(1).dirichlet(np.ones(3), len(X))
    init = {
        "method": "random",
        "labels": labels,
        "resp": resp,
        "mixture": maximised(X, resp, "full"),
    }[kind]
    calls = []

    def choose(rows: Floats, n_components: int, rng: np.random.Generator) -> object:
        assert np.shares_memory(rows, X)
        assert not rows.flags.writeable
        calls.append((rows.shape, n_components, type(rng)))
        return init

    fit = fit_gmm(X, 3, init=choose, rng=4)
    assert_same_fit_bits(fit, fit_gmm(X, 3, init=init, rng=4))
    assert calls == [(X.shape, 3, np.random.Generator)]
    assert X.flags.writeable


def test_callable_on_a_scan_receives_the_scan() -> None:
    X, labels = clustered()
    rows = scan([X[:50], X[50:]])
    received = []

    def choose(rows: BlockedRows, _: int, __: object) -> NDArray[np.int64]:
        received.append(rows)
        return labels

    fit = fit_gmm(rows, 3, init=choose)
    assert received == [rows]
    assert_same_fit_bits(fit, fit_gmm(rows, 3, init=labels))


def test_callable_receives_the_generator_of_the_fit() -> None:
    X, labels = clustered()
    drawn = []

    def choose(_: Floats, __: int, rng: np.random.Generator) -> object:
        drawn.append(rng.random())
        return labels

    for rng in (3, 3, np.random.default_rng(3)):
        fit_gmm(X, 3, init=choose, rng=rng)
    assert drawn == [np.random.default_rng(3).random()] * 3
