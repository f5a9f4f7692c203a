"""Memoised iterations: an update after each block, and an objective that is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from clusters import clustered
from holes import with_holes
from numpy.typing import NDArray
from scipy import stats
from variational import CASES, Case

from mixtura import kernels, reference
from mixtura.data import ArrayRows, open_rows
from mixtura.data.blocks import BlockedRows
from mixtura.data.interleaved import MOST_BLOCKS, interleaved
from mixtura.parameters import Parameters
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import EM, Memoised, Outcome, Plain
from mixtura.schedules.memoised import expected_log_joint
from mixtura.shapes import SHAPES, Floats
from mixtura.updates import Collapse, Variational

ENGINES = {"reference": reference, "compiled": kernels}
N_BLOCKS = 5
ELSEWHERE = ["iris_k4_full_dirichlet_process"]  # which ends at a higher bound
every_case = pytest.mark.parametrize("name", CASES)


def update_of(case: Case, backend: str = "compiled") -> Variational:
    return Variational(case.as_prior(), float(len(case.X)), ENGINES[backend])


def started(case: Case) -> Parameters:
    rows = RowsPass(open_rows(case.X), case.as_prior().shape, Backend("compiled", 1))
    centres = np.zeros((case.n_components, case.X.shape[1]))
    centres = rows.given(case.labels, centres).means()
    return update_of(case).update(rows.given(case.labels, centres))[0]


def cut(X: NDArray[Any]) -> list[NDArray[Any]]:
    return [X[b::N_BLOCKS] for b in range(N_BLOCKS)]


def memoised(case: Case, tol: float = 0.0, backend: str = "compiled") -> Memoised:
    engine = Backend(backend, 1)  # type: ignore[arg-type]
    source = BlockedRows([(X, None) for X in cut(case.X)])
    rows = RowsPass(source, case.as_prior().shape, engine)
    collapse = Collapse("raise", np.ones(case.X.shape[1]), engine.algebra)
    return Memoised(rows, update_of(case, backend), Plain(tol), collapse, engine.algebra)


def iterated(case: Case, n_iter: int, tol: float = 0.0, backend: str = "compiled") -> Outcome:
    return memoised(case, tol, backend).run(started(case), n_iter)


def log_joint(case: Case, X: Floats, parameters: Parameters) -> Floats:
    """Expected log p(x_i, z_i = j | parameters) by SciPy's density, shape (n, k)."""
    update = update_of(case)
    constants = update.prior.log_constants(update.laws(parameters))
    matrices = parameters.shape.matrices(parameters.covariances, *parameters.means.shape)
    densities = [
        stats.multivariate_normal(mean, matrix).logpdf(X)
        for mean, matrix in zip(parameters.means, matrices, strict=True)
    ]
    return np.column_stack(densities) + constants


@every_case
@pytest.mark.parametrize("backend", ENGINES)
def test_bound_is_that_of_the_responsibilities_of_each_block_by_definition(
    name: str, backend: str
) -> None:
    case, parameters = CASES[name], started(CASES[name])
    update, blocks = update_of(case), cut(case.X)
    shares: list[Floats | None] = [None] * N_BLOCKS
    history = []
    for _ in range(3):
        for b, X in enumerate(blocks):
            joint = log_joint(case, X, parameters)
            shares[b] = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
            seen = [(X, r) for X, r in zip(blocks, shares, strict=True) if r is not None]
            resp = np.concatenate([r for _, r in seen])
            rows = ArrayRows(np.concatenate([X for X, _ in seen]))
            whole = RowsPass(rows, parameters.shape, Backend("reference"))
            parameters, _ = update.update(whole.given(resp, parameters.means))
        joint = log_joint(case, np.concatenate(blocks), parameters)
        bound = (resp * joint).sum() + stats.entropy(resp, axis=1).sum()
        history.append(bound / len(case.X) - update.penalty(parameters, 1.0))
    outcome = iterated(case, 3, backend=backend)
    np.testing.assert_allclose(outcome.history, history, rtol=1e-10)
    np.testing.assert_allclose(outcome.parameters.means, parameters.means, rtol=1e-7, atol=1e-9)


@every_case
def test_bound_never_falls_and_its_limit_is_that_of_ordinary_iterations(name: str) -> None:
    case = CASES[name]
    outcome = iterated(case, 3000, tol=1e-10)
    history = np.array(outcome.history)
    assert outcome.stop_reason == "converged"
    assert (np.diff(history) >= -1e-12 * np.abs(history[1:])).all()
    rows = RowsPass(open_rows(case.X), case.as_prior().shape, Backend("compiled", 1))
    em = EM(rows, update_of(case), Plain(1e-10), memoised(case).collapse)
    after = em.run(Outcome(outcome.parameters), 3000)
    assert abs(after.objective - outcome.objective) < 1e-7


@pytest.mark.parametrize("name", [name for name in CASES if name not in ELSEWHERE])
def test_limit_from_labels_is_the_published_one_in_fewer_iterations(name: str) -> None:
    case = CASES[name]
    outcome = iterated(case, 1000, tol=1e-11)
    assert outcome.objective * len(case.X) == pytest.approx(case.exact["elbo"], rel=1e-10)
    assert len(outcome.history) < 0.6 * case.exact["iterations"]


@every_case
def test_objective_is_measured_in_the_end_and_no_lower_than_the_history(name: str) -> None:
    case = CASES[name]
    outcome, update = iterated(case, 4), update_of(case)
    joint = log_joint(case, case.X, outcome.parameters)
    bound = np.logaddexp.reduce(joint, axis=1).mean() - update.penalty(outcome.parameters, 1.0)
    assert outcome.objective == pytest.approx(bound, rel=1e-11)
    assert outcome.objective >= outcome.history[-1] - 1e-12
    assert outcome.statistics is not None
    assert outcome.statistics.weight_sum == len(case.X)


def test_one_block_is_ordinary_iterations() -> None:
    case = CASES["faithful_k3_full_dirichlet_process"]
    rows = RowsPass(open_rows(case.X), case.as_prior().shape, Backend("compiled", 1))
    collapse = Collapse("raise", np.ones(2), kernels)
    update = update_of(case)
    one = Memoised(rows, update, Plain(0.0), collapse, kernels).run(started(case), 12)
    em = EM(rows, update, Plain(0.0), collapse).run(started(case), 12)
    np.testing.assert_allclose(one.parameters.means, em.parameters.means, rtol=1e-12)
    # Each free energy lies between two bounds of ordinary iterations.
    assert (np.array(one.history[1:]) >= np.array(em.history[:-1]) - 1e-12).all()
    assert (np.array(one.history) <= np.array(em.history) + 1e-12).all()


def test_iterations_go_on_from_an_outcome_without_a_fall() -> None:
    case = CASES["faithful_k3_full_dirichlet_process"]
    loop = memoised(case)
    outcome = loop.run(started(case), 5)
    before = outcome.history[-1]
    after = loop.run(outcome, 8)
    assert len(after.history) == 8
    assert after.history[5] >= before
    assert (np.diff(after.history) >= -1e-12).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_expected_log_joint_of_missing_numbers_has_their_conditional_laws(shape: str) -> None:
    """The difference from the log-likelihood is the entropy, the same under all parameters."""
    X = with_holes(clustered(300, 3, 2, seed=0)[0], 0.3)
    rng = np.random.default_rng(0)
    kind = SHAPES[shape]  # type: ignore[index]
    rows = RowsPass(open_rows(X, missing="em"), kind, Backend("reference"))
    found = []
    for _ in range(2):
        covariances = kind.from_matrices(np.array([np.diag(rng.random(3) + 0.5)] * 2))
        factors, _ = kind.factorise(covariances, reference)
        weights = np.array([0.4, 0.6])
        means = rng.normal(size=(2, 3))
        found.append(Parameters(weights, means, covariances, factors, kind).seen())
    one, other = found
    statistics = rows.accumulate(one)
    entropy = statistics.log_likelihood - expected_log_joint(statistics, one, reference)
    bound = expected_log_joint(statistics, other, reference) + entropy
    assert bound < rows.accumulate(other).log_likelihood


def test_blocks_of_an_array_are_views_of_every_so_many_rows() -> None:
    X, weight = np.arange(200_000.0).reshape(-1, 2), np.arange(100_000.0)
    cut = interleaved(ArrayRows(X, weight), 1000)
    blocks = list(cut.blocks())
    assert len(blocks) == MOST_BLOCKS
    for b, block in enumerate(blocks):
        assert np.shares_memory(block.X, X)
        np.testing.assert_array_equal(block.X, X[b::MOST_BLOCKS])
        np.testing.assert_array_equal(block.sample_weight, weight[b::MOST_BLOCKS])
    assert len(list(interleaved(ArrayRows(X), 40_000).blocks())) == 2
    for same in (ArrayRows(X[:1999]), cut):
        assert interleaved(same, 1000) is same
