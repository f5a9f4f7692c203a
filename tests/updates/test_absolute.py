"""The M-step that scikit-learn makes: its formulas, and what it does with empty components."""

import numpy as np
import pytest
from clusters import clustered, maximised
from helpers import COVARIANCE_TYPES, EPS
from loops import mixture_of, parameters_of
from sklearn.mixture import GaussianMixture as ScikitLearn

from mixtura import reference
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.data import ArrayRows
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import EM, LowerBound
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates import AbsoluteRidge, Collapse, Ridge

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
RIDGES = [0.0, 1e-6, 0.3]


def rule_of(
    covariance_type: str, ridge: float, d: int, *, mends_empty: bool = True
) -> AbsoluteRidge:
    ridges = np.full(d, ridge)
    family = FAMILIES[covariance_type]
    return AbsoluteRidge(family, ridges, reference, mends_empty=mends_empty)


def accumulated(
    covariance_type: str, d: int, *, empty: bool = False
) -> tuple[Floats, Floats, Statistics]:
    """Rows, responsibilities, and their statistics about centres that are not the means."""
    X = clustered(120, d, 2)[0]
    resp = np.random.default_rng(1).dirichlet(np.ones(3), size=len(X))
    if empty:
        resp = np.insert(resp, 1, 0.0, axis=1)
    centres = np.random.default_rng(2).normal(size=(resp.shape[1], d))
    return X, resp, reference.accumulate_resp(X, resp, centres, covariance_type=covariance_type)


def defined(
    X: Floats, resp: Floats, covariance_type: str, ridge: float
) -> tuple[Floats, Floats, Floats]:
    """Weights, means and covariances, component by component, as scikit-learn documents them."""
    counts = resp.sum(axis=0) + 10 * EPS
    means = resp.T @ X / counts[:, None]
    d = X.shape[1]
    matrices = np.array(
        [
            (share[:, None] * (X - mean)).T @ (X - mean)
            for share, mean in zip(resp.T, means, strict=True)
        ]
    )
    if covariance_type == "tied":
        return counts / counts.sum(), means, matrices.sum(axis=0) / counts.sum() + ridge * np.eye(d)
    matrices = matrices / counts[:, None, None] + ridge * np.eye(d)
    variances = np.einsum("jaa->ja", matrices)
    covariances = {"full": matrices, "diag": variances, "spherical": variances.mean(axis=1)}
    return counts / counts.sum(), means, covariances[covariance_type]


@every_type
@pytest.mark.parametrize("ridge", RIDGES)
@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("empty", [False, True])
def test_update_is_that_of_the_definition(
    covariance_type: str, ridge: float, d: int, empty: bool
) -> None:
    X, resp, statistics = accumulated(covariance_type, d, empty=empty)
    parameters, failed = rule_of(covariance_type, ridge, d).update(statistics)
    expected = defined(X, resp, covariance_type, ridge)
    for name, one, other in zip(
        ("weights", "means", "covariances"), parameters, expected, strict=False
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14, err_msg=name)
    assert failed.tolist() == ([False, True, False, False] if empty else [False] * 3)
    if empty:
        np.testing.assert_allclose(parameters.means[1], 0.0, atol=1e-14)


@every_type
@pytest.mark.parametrize("ridge", RIDGES)
def test_update_of_iterations_is_that_of_scikit_learn(covariance_type: str, ridge: float) -> None:
    X, labels = clustered(300, 3, 3)
    settings = {"covariance_type": covariance_type, "reg_covar": ridge, "tol": 0.0, "max_iter": 6}
    start = rule_of(covariance_type, ridge, 3).update(
        reference.accumulate_resp(
            X, np.eye(3)[labels], np.zeros((3, 3)), covariance_type=covariance_type
        )
    )[0]
    precisions = start.shape.precisions(start.precisions_cholesky)
    theirs = ScikitLearn(
        3,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=precisions,
        **settings,
    )
    with pytest.warns(match="did not converge"):
        theirs.fit(X)
    rows = RowsPass(ArrayRows(X), start.shape, Backend(n_threads=1))
    rule = rule_of(covariance_type, ridge, 3)
    em = EM(rows, rule, LowerBound(0.0), Collapse("raise", X.std(axis=0), reference))
    ours = em.run(start, 6)
    np.testing.assert_allclose(ours.parameters.weights, theirs.weights_, rtol=1e-9)
    np.testing.assert_allclose(ours.parameters.means, theirs.means_, rtol=1e-9)
    np.testing.assert_allclose(
        ours.parameters.covariances, theirs.covariances_, rtol=1e-9, atol=1e-12
    )
    # The objective is the log-likelihood, whatever the ridge.
    model = mixture_of(ours.parameters, covariance_type)
    assert ours.objective == pytest.approx(model.log_likelihood(X) / len(X), rel=1e-12)


@every_type
def test_pass_sees_the_mixture_itself_and_nothing_is_penalised(covariance_type: str) -> None:
    _, _, statistics = accumulated(covariance_type, 3)
    rule = rule_of(covariance_type, 0.3, 3)
    parameters, _ = rule.update(statistics)
    seen, offset = rule.as_seen(parameters)
    np.testing.assert_array_equal(seen.log_weights, np.log(parameters.weights))
    assert seen[1:5] == parameters[1:]
    assert (offset, rule.penalty(parameters, 1.0)) == (0.0, 0.0)


@every_type
def test_update_leaves_the_statistics_as_they_are(covariance_type: str) -> None:
    _, _, statistics = accumulated(covariance_type, 3)
    before = [statistics.resp_x.copy(), statistics.resp_xx.copy(), statistics.centres.copy()]
    rule_of(covariance_type, 1.0, 3).update(statistics)
    after = [statistics.resp_x, statistics.resp_xx, statistics.centres]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_component_without_weight_fails_only_where_it_is_to_be_mended(covariance_type: str) -> None:
    _, _, statistics = accumulated(covariance_type, 2, empty=True)
    for ridge, mends_empty, expected in [
        (0.3, True, True),
        (0.3, False, False),  # its covariance is the ridge
        (0.0, False, True),  # its covariance is singular
    ]:
        rule = rule_of(covariance_type, ridge, 2, mends_empty=mends_empty)
        parameters, failed = rule.update(statistics)
        assert failed.tolist() == [False, expected, False, False]
        assert parameters.covariance(1).tolist() == (ridge * np.eye(2)).tolist()


def test_ridge_of_each_feature_is_added_to_its_variance() -> None:
    ridge = np.array([0.5, 0.1, 2.0])
    _, _, statistics = accumulated("diag", 3)
    with_ridge, without = (
        AbsoluteRidge(FAMILIES["diag"], each, reference, mends_empty=True).update(statistics)[0]
        for each in (ridge, np.zeros(3))
    )
    np.testing.assert_allclose(with_ridge.covariances - without.covariances, [ridge] * 3, rtol=1e-9)
    np.testing.assert_array_equal(with_ridge.means, without.means)


@pytest.mark.parametrize("covariance_type", CELEUX_GOVAERT)
def test_update_for_any_family_is_that_of_a_ridge_but_for_the_padding(covariance_type: str) -> None:
    shape = FAMILIES[covariance_type].shape.name
    _, _, statistics = accumulated(shape, 3)
    ridge = np.full(3, 0.2)
    one = AbsoluteRidge(FAMILIES[covariance_type], ridge, reference, mends_empty=True)
    other = Ridge(FAMILIES[covariance_type], ridge, reference)
    for a, b in zip(
        one.update(statistics)[0].arrays(), other.update(statistics)[0].arrays(), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def test_objective_with_a_large_ridge_may_fall_and_the_fit_continues() -> None:
    """The ridge is not in scikit-learn's objective: that is why there are two of them."""
    X, labels = clustered(200, 2, 3, spread=1.0)
    start = parameters_of(maximised(X, np.eye(3)[labels], "full"))
    rows = RowsPass(ArrayRows(X), start.shape, Backend(n_threads=1))
    em = EM(
        rows, rule_of("full", 0.5, 2), LowerBound(0.0), Collapse("raise", X.std(axis=0), reference)
    )
    outcome = em.run(start, 10)
    assert len(outcome.history) == 10
    assert np.diff(outcome.history).min() < -1e-3
