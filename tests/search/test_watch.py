"""What becomes of a run while it goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clusters import clustered
from loops import Watched, em_on, start_of

from mixtura.parameters import Parameters
from mixtura.schedules import Outcome, Parting, Squarem, Stop
from mixtura.search.alike import are_alike
from mixtura.search.watch import FIRST, LATEST, PATIENCE, SETTLED, Watch
from mixtura.shapes import EPS, FULL

SCALE = np.array([1.0, 10.0])


def pair(apart: float = 4.0, share: float = 0.5, *, turned: bool = False) -> Parameters:
    means = np.array([[0.0, 0.0], [apart, 10.0 * apart]])
    weights, eyes = np.array([share, 1.0 - share]), np.tile(np.eye(2), (2, 1, 1))
    order = [1, 0] if turned else [0, 1]
    return Parameters(weights[order], means[order], eyes, eyes, FULL)


def leader(objective: float = 1.0) -> Outcome:
    return Outcome(pair(), objective)


def looked(
    watch: Watch,
    iteration: int,
    objective: float,
    parameters: Parameters | None = None,
    gain: float = 0.0,
) -> Stop | None:
    at = pair(9.0) if parameters is None else parameters
    return watch.look(iteration, objective, gain, at)


@pytest.mark.parametrize(("step", "gives_up"), [(0.09, True), (0.11, False), (-0.1, True)])
@pytest.mark.parametrize("iteration", [FIRST, 4])
def test_run_is_given_up_where_it_lacks_more_than_ten_of_its_last_steps(
    iteration: int, step: float, gives_up: bool
) -> None:
    watch = Watch(leader(), [], SCALE)
    assert looked(watch, iteration, 0.0, gain=step) == (Stop(None) if gives_up else None)
    assert PATIENCE == 10.0


@pytest.mark.parametrize("slower", [1, 4])
def test_run_is_looked_at_only_now_and_then(slower: int) -> None:
    watch = Watch(leader(), [], SCALE, slower)
    looks = [i for i in range(1, 16 * slower + 1) if looked(watch, i, 0.0) is not None]
    assert looks == [slower * each for each in (2, 4, 8, 12, 16)]


@pytest.mark.parametrize(("iteration", "gives_up"), [(LATEST - 4, False), (LATEST, True)])
def test_run_that_is_behind_after_many_iterations_is_given_up(
    iteration: int, gives_up: bool
) -> None:
    """Even where its steps would soon bring it to the leader."""
    watch = Watch(leader(), [], SCALE)
    assert looked(watch, iteration, 0.9, gain=0.1) == (Stop(None) if gives_up else None)


def test_run_is_never_given_up_where_nothing_leads_and_nothing_is_known() -> None:
    watch = Watch(None, [], SCALE)
    assert all(looked(watch, iteration, -5.0) is None for iteration in range(1, 200))


@pytest.mark.parametrize("leads", [True, False])
def test_run_that_comes_to_a_known_maximum_ends_there(leads: bool) -> None:
    other, best = Outcome(pair(9.0), 1.0), leader()
    watch = Watch(best if leads else None, [other, best], SCALE)
    near = pair(4.05, 0.45, turned=True)
    assert looked(watch, SETTLED - 1, 1.005, near) is None
    assert looked(watch, SETTLED, 1.005, near) == Stop(1)


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
    assert looked(watch, iteration, objective, parameters, gain=1.0) is None


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("slower", [1, 2])
def test_engine_gives_runs_up_as_the_watch_does(covariance_type: str, slower: int) -> None:
    """Runs from many starts against the best of all, the others known or not."""
    X, _ = clustered(spread=1.5, seed=3)
    scale = X.std(axis=0)
    schedule = Parting(Squarem(1e-6, EPS, scale), 1e-6, EPS, scale)
    em = em_on(X, covariance_type, schedule, ridge=1e-4)
    single = replace(em, rows=Watched(em.rows))
    starts = [
        start_of(em, np.random.default_rng(seed).integers(3, size=len(X))) for seed in range(12)
    ]
    ends = sorted((em.run(each, 300) for each in starts[:4]), key=lambda end: -end.objective)
    best = ends[0].parameters
    starts.append(best._replace(means=best.means + 0.05 * scale))  # soon there
    moved = best._replace(means=best.means + 0.2 * scale)
    decoy, stops = Outcome(moved, ends[0].objective), []
    for leads in (ends[0], None):
        for known in (ends, [decoy, *ends], []):
            for start in starts:
                watch = Watch(leads, known, scale, slower)
                one, other = em.run(start, 200, watch=watch), single.run(start, 200, watch=watch)
                assert one.stop == other.stop
                assert one.stop_reason == other.stop_reason
                assert len(one.history) == len(other.history)
                stops.append(one.stop)
    assert {None, Stop(None), Stop(0), Stop(1)} <= {*stops}


def test_mixtures_are_alike_only_where_each_has_all_components_of_the_other() -> None:
    eyes = np.tile(np.eye(2), (3, 1, 1))
    means = np.array([[0.0, 0.0], [0.0, 0.0], [4.0, 40.0]])
    three = Parameters(np.array([0.5, 0.5, 0.5]), means, eyes, eyes, FULL)
    more = three._replace(means=means + np.array([[0.0], [9.0], [0.0]]))
    assert are_alike(three, pair(), SCALE)
    assert not are_alike(more, pair(), SCALE)
    assert not are_alike(pair(), more, SCALE)
