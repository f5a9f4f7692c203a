"""Iterations that the engine makes several at a time: the same as one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from clusters import clustered
from loops import Watched, em_on, start_of

import mixtura
from mixtura import kernels, reference
from mixtura.covariance import FAMILIES
from mixtura.parameters import Parameters
from mixtura.passes import Backend
from mixtura.schedules import EM, Outcome, Parting, Plain, Schedule, Squarem
from mixtura.shapes import EPS, Floats
from mixtura.updates import Ridge

COMPILED = [
    name
    for name, family in FAMILIES.items()
    if len(name) > 1 and kernels.m_step(family.rule_name or family.letters, family.shape, None)
]
SCHEDULES = ("plain", "squarem", "parting")


def schedule_named(name: str, X: Floats, tol: float = 1e-8) -> Schedule:
    scale = X.std(axis=0)
    if name == "plain":
        return Plain(tol)
    squarem = Squarem(tol, EPS, scale)
    return squarem if name == "squarem" else Parting(squarem, tol, EPS, scale)


def overlapping(seed: int = 3) -> tuple[Floats, Parameters, EM]:
    X, labels = clustered(spread=1.5, seed=seed)
    em = em_on(X, "full", ridge=1e-6)
    return X, start_of(em, labels), em


def one_by_one(em: EM) -> EM:
    """The same loop on a pass that makes single passes only."""
    return replace(em, rows=Watched(em.rows))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("covariance_type", COMPILED)
def test_iterations_in_one_call_are_those_made_one_by_one(
    covariance_type: str, schedule: str
) -> None:
    X, labels = clustered(spread=1.5, seed=3)
    em = em_on(X, covariance_type, schedule_named(schedule, X), ridge=1e-4)
    start = start_of(em, labels)
    single = one_by_one(em)
    together, alone = em.run(start, 300), single.run(start, 300)
    assert isinstance(single.rows, Watched)
    assert len(single.rows.seen) > 10
    assert together.stop_reason == alone.stop_reason
    assert len(together.history) == len(alone.history)
    np.testing.assert_allclose(together.history, alone.history, rtol=1e-9)
    for one, other in zip(together.parameters.arrays(), alone.parameters.arrays(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("every", [1, 3, 50])
def test_iterations_in_one_call_do_not_depend_on_their_number(schedule: str, every: int) -> None:
    X, start, em = overlapping()
    em = replace(em, schedule=schedule_named(schedule, X))
    asked: list[int] = []
    whole = em.run(start, 200)
    watched = em.run(
        start, 200, callback=lambda at: asked.append(at.iteration), ahead=lambda _: every
    )
    assert watched.history == whole.history
    assert asked[-1] == len(whole.history)
    assert np.diff(asked, prepend=0).max() <= every
    parts: Outcome | Parameters = start
    for most in (1, 2, 7, 12, 31, len(whole.history)):
        parts = em.run(parts, most)
        assert parts.history == whole.history[:most]
    assert isinstance(parts, Outcome)
    for one, other in zip(parts.parameters.arrays(), whole.parameters.arrays(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_iterations_in_one_call_have_equal_bits_for_any_number_of_threads(n_threads: int) -> None:
    X, labels = clustered(spread=1.5, seed=3)
    X = np.tile(X, (40, 1)) + np.arange(40 * len(X))[:, None] * 1e-6
    ends = []
    for threads in (1, n_threads):
        em = em_on(X, "full", backend=Backend(n_threads=threads))
        ends.append(em.run(start_of(em, np.tile(labels, 40)), 20))
    assert ends[0].history == ends[1].history


def test_iterations_in_one_call_count_weights_as_repeated_rows() -> None:
    X, labels = clustered(spread=1.5, seed=3)
    weight = np.arange(len(X)) % 3 + 0.0
    em = em_on(X, "diag", sample_weight=weight)
    repeated = em_on(np.repeat(X, weight.astype(int), axis=0), "diag")
    start = start_of(em, labels)
    np.testing.assert_allclose(
        em.run(start, 30).history, repeated.run(start, 30).history, rtol=1e-12
    )


def test_plain_iterations_without_tolerance_are_as_many_as_asked_for() -> None:
    _, start, em = overlapping()
    outcome = em.run(start, 123)
    assert (len(outcome.history), outcome.stop_reason) == (123, "max_iter")
    assert outcome.statistics is not None
    seen, _ = em.update.as_seen(outcome.parameters)
    again = em.rows.accumulate(seen)
    assert again.log_likelihood == outcome.statistics.log_likelihood
    np.testing.assert_array_equal(again.resp_xx, outcome.statistics.resp_xx)


def test_component_that_collapses_between_iterations_of_one_call_is_replaced() -> None:
    X, labels = clustered(seed=3)
    em = em_on(X, "full")
    start = start_of(em, labels)
    lonely = np.array(X[0])
    means, covariances = start.means.copy(), start.covariances.copy()
    means[0], covariances[0] = lonely, 1e-12 * np.eye(X.shape[1])
    factors = reference.factorise(covariances)[0]
    start = start._replace(means=means, covariances=covariances, precisions_cholesky=factors)
    together, alone = em.run(start, 30), one_by_one(em).run(start, 30)
    assert [event.action for event in together.events][:1] == ["reseeded"]
    assert together.events == alone.events
    np.testing.assert_allclose(together.history, alone.history, rtol=1e-9)


# ---- the M-step ----


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("covariance_type", COMPILED)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_compiled_m_step_is_that_of_the_reference(
    covariance_type: str, ridge: float, scale: float
) -> None:
    X, labels = clustered(spread=1.5, seed=3)
    X = X * scale
    em = em_on(X, covariance_type, ridge=ridge * scale**2)
    rows: Any = em.rows
    # About centres that are not the means.
    statistics = rows.given(labels, np.full((labels.max() + 1, X.shape[1]), 0.1 * scale))
    family = FAMILIES[covariance_type]
    by_reference = Ridge(family, np.full(X.shape[1], ridge * scale**2), reference)
    assert by_reference.m_step is None
    assert em.update.m_step is not None
    expected, failed = by_reference.update(statistics)
    found = em.update.m_step.maximise(statistics, None)
    assert not failed.any()
    for one, other in zip(found.arrays(), expected.arrays(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12 * np.abs(other).max())
    np.testing.assert_allclose(
        em.update.as_seen(found)[0].log_weights,
        by_reference.as_seen(expected)[0].log_weights,
        rtol=1e-9,
    )


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical", "tied", "EEI", "EII"])
def test_compiled_m_step_leaves_failures_to_the_update(covariance_type: str) -> None:
    X, labels = clustered(seed=3)
    em = em_on(X, covariance_type)
    rows: Any = em.rows
    step = em.update.m_step
    assert step is not None
    statistics = rows.given(labels, np.zeros((labels.max() + 1, X.shape[1])))
    assert step.maximise(statistics, None) is not None
    empty = statistics.resp_sum.copy()
    empty[1] = 0.0
    assert step.maximise(replace(statistics, resp_sum=empty), None) is None
    assert em.update.update(replace(statistics, resp_sum=empty))[1][1]
    nothing = replace(statistics, resp_x=0.0 * statistics.resp_x, resp_xx=0.0 * statistics.resp_xx)
    assert step.maximise(nothing, None) is None
    assert em.update.update(nothing)[1].all()
    assert step.maximise(replace(nothing, resp_xx=nothing.resp_xx + np.nan), None) is None


def test_m_step_takes_any_layout_of_statistics() -> None:
    X, labels = clustered(seed=3)
    em = em_on(X, "full")
    rows: Any = em.rows
    statistics = rows.given(labels, np.zeros((labels.max() + 1, X.shape[1])))
    assert em.update.m_step is not None
    expected = em.update.m_step.maximise(statistics, None)
    turned = replace(
        statistics,
        centres=np.asfortranarray(statistics.centres),
        resp_x=np.repeat(statistics.resp_x, 2, axis=1)[:, ::2],
        resp_sum=np.repeat(statistics.resp_sum, 2)[::2],
        resp_xx=np.asfortranarray(statistics.resp_xx),
    )
    found = em.update.m_step.maximise(turned, None)
    for one, other in zip(found.arrays(), expected.arrays(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_components_at_a_saddle_are_parted_after_as_many_iterations_as_one_by_one() -> None:
    X = mixtura.datasets.load_acidity().data
    resp = np.random.default_rng(1).dirichlet([1.0, 1.0], len(X))
    options: dict[str, Any] = {"covariance_type": "E", "init": resp}
    together = mixtura.fit_gmm(X, 2, **options)
    alone = mixtura.fit_gmm(X, 2, callback=lambda _: False, **options)
    assert together.history.tobytes() == alone.history.tobytes()
    assert together.log_likelihood == pytest.approx(-185.95, abs=0.01)
