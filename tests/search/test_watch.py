"""What becomes of a run while it goes on."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura.parameters import Parameters
from mixtura.schedules import Outcome, State
from mixtura.search.alike import are_alike
from mixtura.search.watch import FIRST, LATEST, PATIENCE, SETTLED, Watch
from mixtura.shapes import FULL

SCALE = np.array([1.0, 10.0])


def pair(apart: float = 4.0, share: float = 0.5, *, turned: bool = False) -> Parameters:
    means = np.array([[0.0, 0.0], [apart, 10.0 * apart]])
    weights, eyes = np.array([share, 1.0 - share]), np.tile(np.eye(2), (2, 1, 1))
    order = [1, 0] if turned else [0, 1]
    return Parameters(weights[order], means[order], eyes, eyes, FULL)


def leader(objective: float = 1.0) -> Outcome:
    return Outcome(pair(), objective)


def state(
    iteration: int, objective: float, parameters: Parameters | None = None, gain: float = 0.0
) -> State:
    at = pair(9.0) if parameters is None else parameters
    return State(iteration, objective, 0.0, at, gain=gain)


@pytest.mark.parametrize(("step", "gives_up"), [(0.09, True), (0.11, False), (-0.1, True)])
@pytest.mark.parametrize("iteration", [FIRST, 4])
def test_run_is_given_up_where_it_lacks_more_than_ten_of_its_last_steps(
    iteration: int, step: float, gives_up: bool
) -> None:
    watch = Watch(leader(), [], SCALE)
    assert not watch(state(iteration - 1, -step))
    assert watch(state(iteration, 0.0, gain=step)) == gives_up
    assert watch.end is None
    assert PATIENCE == 10.0


def test_run_is_looked_at_only_now_and_then() -> None:
    looks = []
    for iteration in range(1, 17):
        watch = Watch(leader(), [], SCALE)
        watch(state(iteration - 1, 0.0))
        looks.append(watch(state(iteration, 0.0)))
    assert [1 + i for i in np.flatnonzero(looks)] == [2, 4, 8, 12, 16]


def test_run_is_looked_at_less_often_where_iterations_are_slower() -> None:
    looks = []
    for iteration in range(1, 33):
        watch = Watch(leader(), [], SCALE, 4)
        watch(state(iteration - 1, 0.0))
        looks.append(watch(state(iteration, 0.0)))
    assert [1 + i for i in np.flatnonzero(looks)] == [8, 16, 32]


@pytest.mark.parametrize(("iteration", "gives_up"), [(LATEST - 4, False), (LATEST, True)])
def test_run_that_is_behind_after_many_iterations_is_given_up(
    iteration: int, gives_up: bool
) -> None:
    """Even where its steps would soon bring it to the leader."""
    watch = Watch(leader(), [], SCALE)
    assert not watch(state(iteration - 1, 0.8))
    assert watch(state(iteration, 0.9, gain=0.1)) == gives_up


@pytest.mark.parametrize("slower", [1, 4])
def test_iterations_between_looks_may_be_made_together(slower: int) -> None:
    watch = Watch(leader(), [], SCALE, slower)
    looks = [0]
    while looks[-1] < 16 * slower:
        looks.append(looks[-1] + watch.ahead(looks[-1]))
    assert looks == [0, *(slower * each for each in (2, 4, 8, 12, 16))]
    assert watch.ahead(5 * slower + 1) == 3 * slower - 1


def test_run_is_never_given_up_where_nothing_leads_and_nothing_is_known() -> None:
    watch = Watch(None, [], SCALE)
    assert not any(watch(state(iteration, -5.0)) for iteration in range(1, 200))


@pytest.mark.parametrize("leads", [True, False])
def test_run_that_comes_to_a_known_maximum_ends_there(leads: bool) -> None:
    other, best = Outcome(pair(9.0), 1.0), leader()
    watch = Watch(best if leads else None, [other, best], SCALE)
    near = pair(4.05, 0.45, turned=True)
    assert not watch(state(SETTLED - 1, 1.005, near))
    assert watch(state(SETTLED, 1.005, near))
    assert watch.end is best


@pytest.mark.parametrize(
    ("iteration", "objective", "parameters"),
    [
        (SETTLED // 2, 1.005, pair(4.05)),
        (SETTLED, 1.03, pair(4.05)),
        (SETTLED, 1.005, pair(4.2)),
        (SETTLED, 1.005, pair(4.0, 0.65)),
    ],
)
def test_run_that_is_not_near_a_known_maximum_goes_on(
    iteration: int, objective: float, parameters: Parameters
) -> None:
    watch = Watch(leader(), [leader()], SCALE)
    watch(state(iteration - 1, objective - 1.0, parameters))
    assert not watch(state(iteration, objective, parameters, gain=1.0))
    assert watch.end is None


def test_mixtures_are_alike_only_where_each_has_all_components_of_the_other() -> None:
    eyes = np.tile(np.eye(2), (3, 1, 1))
    means = np.array([[0.0, 0.0], [0.0, 0.0], [4.0, 40.0]])
    three = Parameters(np.array([0.5, 0.5, 0.5]), means, eyes, eyes, FULL)
    more = three._replace(means=means + np.array([[0.0], [9.0], [0.0]]))
    assert are_alike(three, pair(), SCALE)
    assert not are_alike(more, pair(), SCALE)
    assert not are_alike(pair(), more, SCALE)
