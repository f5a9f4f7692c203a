"""Variational Bayes against published bounds and parameters, and its own promises."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from variational import CASES, Case

from mixtura import kernels, reference
from mixtura.conjugate import Laws
from mixtura.data import open_rows
from mixtura.parameters import Parameters
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import EM, Outcome, Plain
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates import Collapse, Variational

ENGINES = {"reference": reference, "compiled": kernels}


def rows_of(case: Case, backend: str) -> RowsPass:
    shape = case.as_prior().shape
    return RowsPass(open_rows(case.X), shape, Backend(backend, 1))


def update_of(case: Case, backend: str) -> Variational:
    return Variational(case.as_prior(), float(len(case.X)), ENGINES[backend])


def started(case: Case, backend: str) -> Parameters:
    rows = rows_of(case, backend)
    centres = np.zeros((case.n_components, case.X.shape[1]))
    rough = rows.given(case.labels, centres)
    return update_of(case, backend).update(rows.given(case.labels, rough.means()))[0]


def iterated(case: Case, backend: str, n_iter: int) -> Outcome:
    """The start, and what plain iterations make of it."""
    collapse = Collapse("raise", np.ones(case.X.shape[1]), ENGINES[backend])
    em = EM(rows_of(case, backend), update_of(case, backend), Plain(0.0), collapse)
    return em.run(started(case, backend), n_iter)


def expected_log_joint(case: Case, laws: Laws) -> Floats:
    """Expected log p(x_i, z_i = j | parameters) by SciPy's density, shape (n, k)."""
    prior = case.as_prior()
    constants = prior.log_constants(laws)
    matrices = prior.shape.matrices(laws.covariances, *laws.means.shape)
    densities = [
        stats.multivariate_normal(mean, matrix).logpdf(case.X)
        for mean, matrix in zip(laws.means, matrices, strict=True)
    ]
    return np.column_stack(densities) + constants


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_bound_after_each_listed_iteration_is_the_published_one(name: str, backend: str) -> None:
    case = CASES[name]
    update, rows = update_of(case, backend), rows_of(case, backend)
    parameters = started(case, backend)
    resp = np.eye(case.n_components)[case.labels]
    listed = {int(m): bound for m, bound in case.exact["elbo_after_iterations"].items()}
    for m in range(max(listed) + 1):
        joint = expected_log_joint(case, update.laws(parameters))
        entropy = stats.entropy(resp, axis=1).sum()
        divergence = len(case.X) * update.penalty(parameters, 1.0)
        if m in listed:
            bound = (resp * joint).sum() + entropy - divergence
            assert bound == pytest.approx(listed[m], rel=1e-10)
        resp = np.exp(joint - joint.max(axis=1, keepdims=True))
        resp /= resp.sum(axis=1, keepdims=True)
        statistics = rows.accumulate(update.as_seen(parameters)[0])
        parameters, failed = update.update(statistics, parameters)
        assert not failed.any()


@pytest.mark.parametrize("name", CASES)
def test_limit_of_iterations_is_the_published_one(name: str) -> None:
    case = CASES[name]
    outcome = iterated(case, "compiled", case.exact["iterations"] + 50)
    history = np.array(outcome.history)
    assert history[-1] * len(case.X) == pytest.approx(case.exact["elbo"], rel=1e-10)
    assert (np.diff(history) >= -1e-13 * np.abs(history[1:])).all()
    laws = update_of(case, "compiled").laws(outcome.parameters)
    ours = {"weight_concentration": laws.concentration, "scale": laws.scale}
    for field in ("mean_precision", "means", "degrees_of_freedom", "covariances"):
        ours[field] = getattr(laws, field)
    for field, values in ours.items():
        expected = np.ravel(case.exact[field])
        np.testing.assert_allclose(np.ravel(values), expected, rtol=1e-6, atol=1e-9, err_msg=field)


def test_bound_of_a_component_without_rows_is_no_failure() -> None:
    case = CASES["faithful_k3_full_dirichlet_distribution"]
    update = update_of(case, "compiled")
    rows = rows_of(case, "compiled")
    labels: NDArray[np.int64] = np.minimum(case.labels, 1)
    statistics = rows.given(labels, np.zeros((3, 2)))
    parameters, failed = update.update(statistics)
    assert not failed.any()
    assert parameters.means[2].tolist() == case.prior["mean"]
    assert np.isfinite(update.penalty(parameters, 1.0))


@pytest.mark.parametrize("name", [name for name in CASES if "iris" in name])
def test_statistics_of_a_share_of_the_rows_stand_for_all(name: str) -> None:
    case = CASES[name]
    update, rows = update_of(case, "compiled"), rows_of(case, "compiled")
    statistics = rows.accumulate(update.as_seen(started(case, "compiled"))[0])
    whole, _ = update.update(statistics)
    part, _ = update.update(statistics.scaled(0.25))
    for one, other in zip(whole.arrays(), part.arrays(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert isinstance(statistics, Statistics)
