"""Starts that the user gives: labels, responsibilities, mixtures, callables that return them."""

import numpy as np
import pandas as pd
import pytest
from clusters import Rounding, assert_same_fit_bits, clustered, maximised
from helpers import COVARIANCE_TYPES
from loops import em_on, mixture_of
from numpy.typing import NDArray

import mixtura
from mixtura import GaussianMixture, fit_gmm, fit_kmeans, hierarchical, scan, select_gmm
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.data import ArrayRows, BlockedRows
from mixtura.shapes import Floats
from mixtura.starts import check_init, given_start

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def start_from(
    init: object, X: Floats, covariance_type: str, weight: Floats | None = None, ridge: float = 0.0
) -> GaussianMixture:
    """The mixture that a fit with this `init`, not a method, starts with."""
    checked = check_init(init, ArrayRows(X, weight), 3)
    assert not isinstance(checked, str)
    em = em_on(X, covariance_type, sample_weight=weight, ridge=ridge, on_collapse="raise")
    family = FAMILIES[covariance_type]
    outcome = given_start(checked, 3, em.rows, family, em.update, em.collapse, X[0])
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


# Other kinds


def test_start_from_a_fit_is_its_model() -> None:
    X, labels = clustered()
    fit = fit_gmm(X, 3, init=labels, max_iter=3, tol=0.0)
    assert_same_fit_bits(fit_gmm(X, 3, init=fit), fit_gmm(X, 3, init=fit.model))


def test_start_from_a_fit_refuses_a_frame_with_other_columns() -> None:
    X, labels = clustered()
    fit = fit_gmm(pd.DataFrame(X, columns=["a", "b"]), 3, init=labels)
    with pytest.raises(ValueError, match="X must have the columns 'a', 'b'"):
        fit_gmm(pd.DataFrame(X, columns=["a", "c"]), 3, init=fit)
    with pytest.raises(ValueError, match="X must have the columns 'a', 'b'"):
        select_gmm(pd.DataFrame(X, columns=["a", "c"]), 3, ["VII"], init=fit.model)


@every_type
def test_start_from_a_fit_of_kmeans_or_a_tree_is_that_from_its_labels(covariance_type: str) -> None:
    X = clustered()[0]
    kmeans, tree = fit_kmeans(X, 3, rng=0), hierarchical(X)
    for init, labels in ((kmeans, kmeans.labels), (tree, tree.labels(3))):
        one, other = (
            fit_gmm(X, 3, covariance_type=covariance_type, init=each) for each in (init, labels)
        )
        assert_same_fit_bits(one, other)


@pytest.mark.parametrize("weighted", [False, True])
def test_start_from_boolean_labels_is_that_from_zero_and_one(weighted: bool) -> None:
    X, labels = clustered()
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X)) if weighted else None
    above = labels > 0
    expected = fit_gmm(X, 2, init=above.astype(int), sample_weight=weight)
    for init in (above, above.tolist(), pd.Series(above)):
        assert_same_fit_bits(fit_gmm(X, 2, init=init, sample_weight=weight), expected)


@every_type
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_of_label_minus_one_take_no_part_in_the_start(
    covariance_type: str, weighted: bool
) -> None:
    X, labels = clustered()
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X)) if weighted else None
    some = np.where(np.arange(len(X)) % 3 == 0, -1, labels)
    kept = some >= 0
    expected = maximised(
        X[kept], np.eye(3)[labels[kept]], covariance_type, None if weight is None else weight[kept]
    )
    start = start_from(some, X, covariance_type, weight)
    np.testing.assert_allclose(start.weights, expected.weights, rtol=1e-14)
    np.testing.assert_allclose(start.means, expected.means, atol=1e-13)
    np.testing.assert_allclose(start.covariances, expected.covariances, rtol=1e-11, atol=1e-12)
    blocks = scan([X[:50], X[50:]], weight=None if weight is None else [weight[:50], weight[50:]])
    fits = [
        fit_gmm(rows, 3, covariance_type=covariance_type, init=some, sample_weight=w, tol=1e-10)
        for rows, w in ((X, weight), (blocks, None))
    ]
    np.testing.assert_allclose(fits[0].model.means, fits[1].model.means, rtol=1e-6)
    assert fits[0].weight_sum == len(X) if weight is None else weight.sum()


def test_start_from_means_gives_each_row_to_the_nearest_in_units_of_deviations() -> None:
    X, labels = clustered()
    units = np.array([1e-6, 1e6])
    means = np.array([X[labels == j].mean(axis=0) for j in range(3)])
    nearest = (np.square((X[:, None] - means) / X.std(axis=0)).sum(axis=2)).argmin(axis=1)
    for covariance_type in COVARIANCE_TYPES:
        for init in (means, means.tolist(), means.astype(np.float32).astype(float)):
            one, other = (
                fit_gmm(X, 3, covariance_type=covariance_type, init=start)
                for start in (init, nearest)
            )
            assert_same_fit_bits(one, other)
    scaled = fit_gmm(X * units, 3, init=means * units)
    np.testing.assert_allclose(
        scaled.model.means, fit_gmm(X, 3, init=nearest).model.means * units, rtol=1e-6
    )
    blocks = scan([X[:50], X[50:]])
    np.testing.assert_allclose(
        fit_gmm(blocks, 3, init=means).log_likelihood,
        fit_gmm(X, 3, init=nearest).log_likelihood,
        rtol=1e-9,
    )


def test_start_from_means_leaves_out_rows_without_weight() -> None:
    X, labels = clustered()
    means = np.array([X[labels == j].mean(axis=0) for j in range(3)])
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X))
    present = weight > 0.0
    one = fit_gmm(X, 3, init=means, sample_weight=weight)
    other = fit_gmm(X[present], 3, init=means, sample_weight=weight[present])
    np.testing.assert_allclose(one.model.means, other.model.means, rtol=1e-9)


def test_start_from_means_of_integers_or_of_one_feature_is_not_taken_for_labels() -> None:
    X = mixtura.datasets.load_faithful().data
    fit = fit_gmm(X, 2, init=[[2, 50], [4, 80]])
    assert fit.log_likelihood == pytest.approx(-1130.264, abs=1e-3)
    assert fit.model.means[0, 0] < fit.model.means[1, 0]
    one = fit_gmm(X[:, 1:], 2, init=[[50], [80]])
    assert one.model.means[0, 0] < one.model.means[1, 0]
    assert fit_gmm(X, 1, init=[[3, 70]]).model.n_components == 1


def test_mean_that_is_nearest_to_no_row_is_recovered_at_the_start() -> None:
    X = clustered()[0]
    fit = fit_gmm(X, 3, init=[*X[:2], 1e6 + X[0]])
    assert [(e.iteration, e.component, e.cause, e.action) for e in fit.events[:1]] == [
        (0, 2, "empty", "reseeded")
    ]


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
@pytest.mark.parametrize("given", ["full", "tied", "diag", "spherical", "VEE", "EVI"])
def test_start_from_a_mixture_of_another_type_follows_by_the_rule_of_the_family(
    name: str, given: str
) -> None:
    X, labels = clustered()
    mixture = fit_gmm(X, 3, covariance_type=given, init=labels, max_iter=2, tol=0.0).model
    start = start_from(mixture, X, name)
    np.testing.assert_array_equal(start.weights, mixture.weights)
    np.testing.assert_array_equal(start.means, mixture.means)
    assert start.covariance_type == name
    matrices, weights = mixture.covariance_matrices(), mixture.weights
    diagonals = np.einsum("jaa->ja", matrices)
    expected = {
        "VVV": matrices,
        "EEE": np.tensordot(weights, matrices, 1),
        "VVI": diagonals,
        "EEI": np.tile(weights @ diagonals, (3, 1)),
        "VII": diagonals.mean(axis=1),
        "EII": np.full(3, weights @ diagonals.mean(axis=1)),
    }
    if FAMILIES[name] is FAMILIES[given]:
        np.testing.assert_array_equal(start.covariances, mixture.covariances)
    elif name in expected:
        np.testing.assert_allclose(start.covariances, expected[name], rtol=1e-14, atol=1e-15)
    elif FAMILIES[name].contains(FAMILIES[given]):
        np.testing.assert_allclose(start.covariance_matrices(), matrices, rtol=1e-6, atol=1e-9)
    fit_gmm(X, 3, covariance_type=name, init=mixture, max_iter=3, tol=0.0)


def test_start_from_a_mixture_of_another_type_may_have_a_component_without_weight() -> None:
    X = clustered()[0]
    mixture = GaussianMixture([0.5, 0.5, 0.0], X[[0, 100, 200]], [1.0, 2.0, 3.0], "spherical")
    start = start_from(mixture, X, "full")
    np.testing.assert_allclose(start.covariances, mixture.covariance_matrices(), rtol=1e-14)
    np.testing.assert_array_equal(start.weights, mixture.weights)


def test_start_from_a_mixture_of_another_type_uses_no_kernel_with_the_reference() -> None:
    X, labels = clustered()
    mixture = fit_gmm(X, 3, covariance_type="spherical", init=labels).model
    one, other = (fit_gmm(X, 3, init=mixture, backend=b) for b in ("compiled", "reference"))
    np.testing.assert_allclose(one.model.means, other.model.means, rtol=1e-9)
