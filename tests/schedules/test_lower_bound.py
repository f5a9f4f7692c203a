"""scikit-learn's stopping rule: when the lower bound hardly changes from iteration to iteration."""

import math
from dataclasses import replace

import numpy as np
import pytest
from clusters import clustered, objective
from loops import at, em_on, mixture_of, never, start_of

from mixtura.schedules import LowerBound, Plain


def iterations_of_scikit_learn(
    objectives: list[float], tol: float, before: float = -math.inf
) -> tuple[int, bool]:
    """Iterations, and whether they converged: the loop of its `fit_predict`.

    `objectives` holds the lower bounds that the E-step of each iteration would compute.
    """
    lower_bound = before
    for n_iter, found in enumerate(objectives, start=1):
        previous, lower_bound = lower_bound, found
        if abs(lower_bound - previous) < tol:
            return n_iter, True
    return len(objectives), False


def iterations(objectives: list[float], tol: float, before: float) -> tuple[int, bool]:
    """The same of the schedule, which is given the objectives of an iteration's end."""
    schedule = LowerBound(tol, before)
    state = schedule.begin(at(objectives[0]))
    ends = [*objectives[1:], 123.0]  # nothing is known of the last iteration's end but later
    for n_iter, found in enumerate(ends, start=1):
        point = at(found)
        state, after, finished = schedule.step(state, point, never)
        assert after is point
        assert state.inverse_temperature == 1.0
        assert state.predicted_gain == math.inf
        if finished:
            return n_iter, True
    return len(ends), False


@pytest.mark.parametrize("tol", [0.0, 1e-9, 1e-3, 0.1, 10.0])
@pytest.mark.parametrize("rate", [0.3, 0.9])
@pytest.mark.parametrize("before", [-math.inf, -4.0, -3.0, -2.99999])
def test_iterations_until_the_stop_are_those_of_scikit_learn(
    tol: float, rate: float, before: float
) -> None:
    objectives = [-2.0 - rate**i for i in range(60)]
    expected = iterations_of_scikit_learn(objectives, tol, before)
    assert iterations(objectives, tol, before) == expected


def test_iterations_until_the_stop_of_any_sequence_are_those_of_scikit_learn() -> None:
    """Also where it falls, which the ridge of scikit-learn may bring about, or is not finite."""
    rng = np.random.default_rng(0)
    ends = set()
    for _ in range(200):
        objectives = (-3.0 + 0.01 * rng.normal(size=20).cumsum()).tolist()
        if rng.random() < 0.2:
            objectives[0] = -math.inf
        tol = float(10.0 ** rng.uniform(-5, -1.5))
        before = float(rng.choice([-math.inf, objectives[0] - 0.01, -3.0]))
        expected = iterations_of_scikit_learn(objectives, tol, before)
        assert iterations(objectives, tol, before) == expected
        ends.add(expected[0])
    assert len(ends) > 10


def test_bounds_of_a_fit_are_the_objectives_with_which_iterations_begin() -> None:
    X, labels = clustered(spread=2.0)
    em = em_on(X, "full", LowerBound(1e-4, before=-7.0))
    start = start_of(em, labels)
    outcome = em.run(start, 100)
    assert outcome.stop_reason == "converged"
    before, first, *others = outcome.state.bounds
    assert before == -7.0
    assert first == pytest.approx(objective(X, mixture_of(start, "full")), rel=1e-12)
    *later, end = outcome.history
    assert others == later
    *_, early, late = outcome.state.bounds
    assert abs(late - early) < 1e-4
    assert abs(end - late) < abs(late - early)
    assert outcome.state.change == late - early


def test_bounds_after_a_disturbance_are_kept() -> None:
    schedule = LowerBound(1e-3)
    state = schedule.begin(at(-1.0))
    assert schedule.disturbed(state) is state


def test_fit_by_the_lower_bound_is_that_of_plain_iterations_until_it_stops() -> None:
    X, labels = clustered(spread=2.0)
    em = em_on(X, "diag", LowerBound(1e-4))
    start = start_of(em, labels)
    outcome = em.run(start, 100)
    plain = replace(em, schedule=Plain(0.0)).run(start, len(outcome.history))
    assert outcome.history == plain.history
