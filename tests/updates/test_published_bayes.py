"""scikit-learn's rules of variational Bayes against its published figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from variational import CASES, Case

from mixtura import kernels, reference
from mixtura.conjugate import PriorLaws
from mixtura.data import open_rows
from mixtura.parameters import Parameters
from mixtura.passes import Backend, RowsPass
from mixtura.statistics import Statistics
from mixtura.updates import PublishedBayes, PublishedPrior, Variational

ENGINES = {"reference": reference, "compiled": kernels}


def prior_of(case: Case) -> PublishedPrior:
    return PublishedPrior(**vars(case.as_prior()))


def rows_of(case: Case, backend: str) -> RowsPass:
    return RowsPass(open_rows(case.X), case.as_prior().shape, Backend(backend, 1))


def update_of(case: Case, backend: str, ridge: float = 0.0) -> PublishedBayes:
    n, d = case.X.shape
    return PublishedBayes(prior_of(case), float(n), ENGINES[backend], np.full(d, ridge))


def statistics_of(case: Case, rows: RowsPass) -> Statistics:
    """Of the rows under the published labels."""
    centres = np.zeros((case.n_components, case.X.shape[1]))
    return rows.given(case.labels, rows.given(case.labels, centres).means())


def started(case: Case, backend: str, ridge: float = 0.0) -> Parameters:
    statistics = statistics_of(case, rows_of(case, backend))
    return update_of(case, backend, ridge).update(statistics)[0]


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_lower_bound_after_each_listed_iteration_is_that_of_scikit_learn(
    name: str, backend: str
) -> None:
    case = CASES[name]
    update, rows = update_of(case, backend), rows_of(case, backend)
    parameters = started(case, backend)
    listed = {
        int(m): np.ravel(b)[0] for m, b in case.sklearn["lower_bound_after_iterations"].items()
    }
    for m in range(1, max(listed) + 1):
        statistics = rows.accumulate(update.as_seen(parameters)[0])
        entropy = update.entropy(parameters, statistics)
        parameters, failed = update.update(statistics, parameters)
        assert not failed.any()
        if m in listed:
            bound = update.lower_bound(entropy, parameters)
            assert bound == pytest.approx(listed[m], rel=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_limit_of_iterations_is_that_of_scikit_learn(name: str) -> None:
    case = CASES[name]
    update, rows = update_of(case, "compiled"), rows_of(case, "compiled")
    parameters = started(case, "compiled")
    for _ in range(case.sklearn["iterations"] + 100):
        statistics = rows.accumulate(update.as_seen(parameters)[0])
        entropy = update.entropy(parameters, statistics)
        parameters, _ = update.update(statistics, parameters)
    bound = update.lower_bound(entropy, parameters)
    assert bound == pytest.approx(np.ravel(case.sklearn["lower_bound"])[0], rel=1e-10)
    laws = update.laws(parameters)
    ours = {
        "weight_concentration": laws.concentration,
        "weights": update.prior.weights.means(laws.concentration),
    }
    for field in ("mean_precision", "means", "degrees_of_freedom", "covariances"):
        ours[field] = getattr(laws, field)
    for field, values in ours.items():
        expected = np.ravel(case.sklearn[field])
        np.testing.assert_allclose(np.ravel(values), expected, rtol=1e-6, atol=1e-9, err_msg=field)


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("name", [name for name in CASES if "k1" not in name])
def test_entropy_is_that_of_the_responsibilities(name: str, backend: str) -> None:
    case = CASES[name]
    update, rows = update_of(case, backend), rows_of(case, backend)
    parameters = started(case, backend)
    seen, _ = update.as_seen(parameters)
    resp = np.empty((len(case.X), case.n_components))
    rows.evaluate(seen, resp=resp)
    expected = stats.entropy(resp, axis=1).sum()
    assert update.entropy(parameters, rows.accumulate(seen)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_rules_are_the_exact_ones_for_full_covariances_only(name: str) -> None:
    case = CASES[name]
    statistics = statistics_of(case, rows_of(case, "compiled"))
    exact = Variational(case.as_prior(), float(len(case.X)), kernels)
    ours = update_of(case, "compiled")
    one, other = exact.update(statistics)[0], ours.update(statistics)[0]
    same = all(np.allclose(a, b, rtol=1e-12) for a, b in zip(one[:4], other[:4], strict=True))
    constants = exact.as_seen(one)[0].log_weights, ours.as_seen(other)[0].log_weights
    same = same and np.allclose(*constants, rtol=1e-12)
    # With one component all share one covariance.
    alone = case.covariance_type == "tied" and case.n_components == 1
    assert same == (case.covariance_type == "full" or alone)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_ridge_is_a_variance_of_the_rows_alone(covariance_type: str) -> None:
    """Not of the prior scatter, nor of what the prior mean adds."""
    case = CASES[f"iris_k4_{covariance_type}_dirichlet_distribution"]
    statistics = statistics_of(case, rows_of(case, "compiled"))
    plain, blurred = (
        update_of(case, "compiled", ridge).update(statistics)[0] for ridge in (0.0, 0.5)
    )
    laws = update_of(case, "compiled").laws(plain)
    k, d = plain.means.shape
    variances = plain.shape.variances
    gained = variances(blurred.covariances, k, d) - variances(plain.covariances, k, d)
    rows = laws.degrees_of_freedom - case.prior["degrees_of_freedom"]
    expected = 0.5 * rows / laws.degrees_of_freedom
    np.testing.assert_allclose(gained, np.broadcast_to(expected[:, None], (k, d)), rtol=1e-9)


def test_prior_of_the_rules_has_the_attributes_of_a_prior() -> None:
    case = next(iter(CASES.values()))
    assert isinstance(prior_of(case), PriorLaws)
    assert vars(prior_of(case)).keys() == vars(case.as_prior()).keys()


def test_memory_of_the_last_laws_is_not_taken_for_that_of_others() -> None:
    case = CASES["faithful_k3_full_dirichlet_process"]
    update = update_of(case, "compiled")
    one = started(case, "compiled")
    other = one._replace(weights=one.weights[::-1])
    counted = [update.laws(each).mean_precision.copy() for each in (one, other, one)]
    np.testing.assert_array_equal(counted[0], counted[2])
    np.testing.assert_array_equal(counted[0], counted[1][::-1])
    half = update.of_weight(0.5 * update.weight_sum)
    gained = update.laws(one).mean_precision - case.prior["mean_precision"]
    np.testing.assert_allclose(
        half.laws(one).mean_precision - case.prior["mean_precision"], 0.5 * gained, rtol=1e-12
    )
