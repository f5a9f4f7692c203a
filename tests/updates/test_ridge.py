"""The maximisation step: the textbook's formulas, and a ridge that is EM on blurred rows."""

import numpy as np
import pytest
from clusters import Rounding, clustered, maximised, objective
from helpers import COVARIANCE_TYPES
from loops import mixture_of

from mixtura import GaussianMixture, reference
from mixtura.algebra import Algebra
from mixtura.covariance import FAMILIES, CovarianceFamily
from mixtura.parameters import Parameters
from mixtura.passes.backend import BACKENDS
from mixtura.shapes import DIAG, Floats
from mixtura.statistics import Statistics
from mixtura.updates import Ridge

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def accumulated(covariance_type: str, d: int = 3) -> tuple[Floats, Floats, Statistics]:
    """Rows, responsibilities, and their statistics about centres that are not the means."""
    X = clustered(120, d, 2)[0]
    resp = np.random.default_rng(1).dirichlet(np.ones(3), size=len(X))
    centres = np.random.default_rng(2).normal(size=(3, d))
    return X, resp, reference.accumulate_resp(X, resp, centres, covariance_type=covariance_type)


def rule_of(covariance_type: str, ridge: Floats) -> Ridge:
    return Ridge(FAMILIES[covariance_type], ridge, reference)


@every_type
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("d", [1, 3])
def test_update_of_statistics_is_the_textbook_formulas(
    covariance_type: str, ridge: float, d: int
) -> None:
    X, resp, statistics = accumulated(covariance_type, d)
    variances = ridge * np.arange(1.0, d + 1.0)
    rule = rule_of(covariance_type, variances)
    parameters, failed = rule.update(statistics)
    expected = maximised(X, resp, covariance_type, ridge=variances)
    assert not failed.any()
    Rounding(X, expected).assert_same_mixture(mixture_of(parameters, covariance_type))
    np.testing.assert_allclose(
        parameters.precisions_cholesky, expected.precisions_cholesky, rtol=1e-9, atol=1e-12
    )


@every_type
def test_update_leaves_the_statistics_as_they_are(covariance_type: str) -> None:
    _, _, statistics = accumulated(covariance_type)
    before = [statistics.resp_x.copy(), statistics.resp_xx.copy(), statistics.centres.copy()]
    rule_of(covariance_type, np.ones(3)).update(statistics)
    after = [statistics.resp_x, statistics.resp_xx, statistics.centres]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@every_type
def test_update_with_a_ridge_is_the_update_of_rows_that_are_spread_out(
    covariance_type: str,
) -> None:
    """Each row twice for each feature, a little to either side, has the ridge as variance."""
    X, resp, statistics = accumulated(covariance_type)
    ridge = np.array([0.5, 0.1, 2.0])
    steps = np.sqrt(3 * ridge) * np.eye(3)
    spread = np.concatenate([X + step for step in (*steps, *-steps)])
    expected = maximised(spread, np.tile(resp, (6, 1)), covariance_type)
    parameters, _ = rule_of(covariance_type, ridge).update(statistics)
    Rounding(spread, expected).assert_same_mixture(mixture_of(parameters, covariance_type))


@every_type
def test_update_maximises_the_expected_objective(covariance_type: str) -> None:
    """Any small change of the parameters lowers it, with a ridge as without."""
    X, resp, statistics = accumulated(covariance_type)
    ridge = np.array([0.5, 0.1, 2.0])
    rule = rule_of(covariance_type, ridge)
    best = mixture_of(rule.update(statistics)[0], covariance_type)

    def expected_objective(mixture: GaussianMixture) -> float:
        trace = np.einsum("jaa->ja", np.linalg.inv(mixture.covariance_matrices())) @ ridge
        return float((resp * (mixture.component_log_prob(X) - 0.5 * trace)).sum())

    rng = np.random.default_rng(4)
    for _ in range(20):
        weights = best.weights * np.exp(1e-3 * rng.normal(size=3))
        means = best.means + 1e-3 * rng.normal(size=best.means.shape)
        noise = rng.normal(size=best.covariances.shape)
        if covariance_type in ("full", "tied"):
            noise = noise + noise.swapaxes(-1, -2)
        other = GaussianMixture(
            weights / weights.sum(), means, best.covariances + 1e-3 * noise, covariance_type
        )
        assert expected_objective(other) < expected_objective(best)


@every_type
@pytest.mark.parametrize("engine", BACKENDS)
def test_what_the_pass_sees_turns_the_log_likelihood_into_the_objective(
    engine: str, covariance_type: str
) -> None:
    X, _, statistics = accumulated(covariance_type)
    ridge = np.array([0.5, 0.1, 2.0])
    rule = rule_of(covariance_type, ridge)
    parameters, _ = rule.update(statistics)
    seen, offset = rule.as_seen(parameters)
    assert (offset, rule.penalty(parameters, 1.0)) == (0.0, 0.0)
    for name in Parameters._fields[1:]:
        assert getattr(seen, name) is getattr(parameters, name)
    penalised = BACKENDS[engine].Rows(X).accumulate("soft", seen, 1)
    expected = objective(X, mixture_of(parameters, covariance_type), ridge=ridge)
    assert penalised.log_likelihood / len(X) == pytest.approx(expected, rel=1e-12)
    # A ridge twice as large costs twice as much, and no other weight changes.
    twice = rule_of(covariance_type, 2.0 * ridge).as_seen(parameters)[0].log_weights
    own = np.log(parameters.weights)
    assert (seen.log_weights < own).all()
    np.testing.assert_allclose(twice - own, 2.0 * (seen.log_weights - own), rtol=1e-12)


@every_type
def test_pass_without_a_ridge_sees_the_mixture_itself(covariance_type: str) -> None:
    rule = rule_of(covariance_type, np.zeros(3))
    _, _, statistics = accumulated(covariance_type)
    parameters, _ = rule.update(statistics)
    seen, offset = rule.as_seen(parameters)
    np.testing.assert_array_equal(seen.log_weights, np.log(parameters.weights))
    assert seen[1:5] == parameters[1:]
    assert (offset, rule.penalty(parameters, 1.0)) == (0.0, 0.0)


@every_type
def test_update_for_some_of_the_components_is_the_same(covariance_type: str) -> None:
    """A ridge is that of the features: components may come and go."""
    X, resp, _ = accumulated(covariance_type)
    rule = rule_of(covariance_type, np.array([0.5, 0.1, 2.0]))
    two = resp[:, [0, 2]] / resp[:, [0, 2]].sum(axis=1, keepdims=True)
    statistics = reference.accumulate_resp(
        X, two, np.zeros((2, 3)), covariance_type=covariance_type
    )
    one, _ = rule.select(np.array([0, 2])).update(statistics)
    other, _ = rule.update(statistics)
    for a, b in zip(one.arrays(), other.arrays(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_family_is_handed_the_covariances_before_and_the_blurred_scatter() -> None:
    """So that a family that iterates may begin where it was."""
    handed = []

    def rule(scatter: Floats, counts: Floats, previous: Floats | None, _: Algebra, /) -> Floats:
        handed.append((scatter, counts, previous))
        return scatter / counts[:, None]

    _, _, statistics = accumulated("diag")
    ridge = np.array([0.5, 0.1, 2.0])
    update = Ridge(CovarianceFamily("VEI", DIAG, rule), ridge, reference)
    first, _ = update.update(statistics)
    update.update(statistics, first)
    (scatter, counts, none), (_, _, previous) = handed
    assert none is None
    assert previous is first.covariances
    unit = 2.0**7  # the power of two above the 120 rows: what weights are divided by
    np.testing.assert_array_equal(unit * counts, statistics.resp_sum)
    expected = statistics.centred().resp_xx + np.outer(statistics.resp_sum, ridge)
    np.testing.assert_allclose(unit * scatter, expected, rtol=1e-14)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_update_names_the_components_that_are_empty_or_singular(covariance_type: str) -> None:
    X = clustered(40, 2, 2)[0]
    resp = np.zeros((40, 4))
    resp[:15, 0] = resp[15:39, 2] = resp[39, 3] = 1.0  # nobody in 1, one row in 3
    statistics = reference.accumulate_resp(
        X, resp, np.zeros((4, 2)), covariance_type=covariance_type
    )
    centred = statistics.recentred(statistics.means())
    statistics = reference.accumulate_resp(
        X, resp, centred.centres, covariance_type=covariance_type
    )
    _, failed = rule_of(covariance_type, np.zeros(2)).update(statistics)
    assert failed.tolist() == [False, True, False, True]
    _, failed = rule_of(covariance_type, np.ones(2)).update(statistics)
    assert failed.tolist() == [False, True, False, False]


def test_update_of_a_tied_covariance_fails_as_a_whole_or_where_it_is_empty() -> None:
    X = clustered(40, 2, 2)[0]
    resp = np.eye(3)[[0] * 15 + [2] * 25]
    rule = rule_of("tied", np.zeros(2))
    statistics = reference.accumulate_resp(X, resp, np.zeros((3, 2)), covariance_type="tied")
    assert rule.update(statistics)[1].tolist() == [False, True, False]
    X[:, 1] = 2.0 * X[:, 0]
    statistics = reference.accumulate_resp(X, resp, np.zeros((3, 2)), covariance_type="tied")
    assert rule.update(statistics)[1].tolist() == [True, True, True]
