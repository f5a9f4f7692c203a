"""A climb from given starts: which are run, what wins, and when moves are tried."""

from typing import Any

import numpy as np
import pytest

from mixtura import FitError, GaussianMixture, datasets
from mixtura.data import ArrayRows
from mixtura.fitting.settings import Settings
from mixtura.fitting.stages import Fitting
from mixtura.fitting.survey import Survey
from mixtura.parameters import Parameters
from mixtura.passes import Backend
from mixtura.search.climb import MOST_RIVALS, MOST_STARTS
from mixtura.search.contest import Contest
from mixtura.shapes import Floats


@pytest.fixture
def fitting() -> Fitting:
    X = datasets.load_faithful().data
    return Fitting(Survey(ArrayRows(X), Backend(n_threads=1)), Settings(), "full", 2)


def start_at(means: Floats) -> Parameters:
    matrices = np.tile(np.diag([0.1, 40.0]), (2, 1, 1))
    return GaussianMixture([0.5, 0.5], means, matrices)._parameters()


GOOD = start_at(np.array([[2.0, 55.0], [4.3, 80.0]]))
POOR = start_at(np.array([[3.5, 70.0], [3.5, 70.0]]))  # which iterations alone never separate


def climbed(fitting: Fitting, begins: list[Any], **options: Any) -> Parameters:
    rng = np.random.default_rng(0)
    return fitting.climb(begins, None, rng, **{"moved": False, **options})


@pytest.mark.parametrize("begins", [[GOOD, POOR], [POOR, GOOD]], ids=["first", "last"])
def test_climb_returns_the_best_end_in_any_order(fitting: Fitting, begins: list[Any]) -> None:
    found = climbed(fitting, begins)
    order = np.argsort(found.means[:, 0])
    np.testing.assert_allclose(found.means[order], [[2.04, 54.5], [4.29, 80.0]], atol=0.1)


def test_first_start_that_was_moved_and_stays_best_is_returned_itself(fitting: Fitting) -> None:
    best = climbed(fitting, [GOOD])
    assert climbed(fitting, [best, POOR], moved=True) is best


def far_clusters() -> Fitting:
    """Three clusters about -20, 0 and 20."""
    X = np.random.default_rng(0).normal(size=(300, 1))
    X[:100] -= 20.0
    X[100:200] += 20.0
    return Fitting(Survey(ArrayRows(X), Backend(n_threads=1)), Settings(), "full", 3)


def three_at(*means: float) -> Parameters:
    variances = np.ones((3, 1, 1))
    return GaussianMixture(np.full(3, 1 / 3), np.array(means)[:, None], variances)._parameters()


def test_first_start_that_was_moved_and_is_beaten_is_not_returned() -> None:
    fitting = far_clusters()
    stuck = climbed(fitting, [three_at(-20.5, -19.5, 10.0)])
    found = climbed(fitting, [stuck, three_at(-19.0, 1.0, 19.0)], moved=True)
    np.testing.assert_allclose(np.sort(found.means.ravel()), [-20.0, 0.0, 20.0], atol=0.5)


def test_moves_on_a_sample_leave_a_poor_start() -> None:
    fitting, poor = far_clusters(), three_at(-20.5, -19.5, 10.0)
    rng = np.random.default_rng(0)
    stuck = climbed(fitting, [poor])
    assert np.sort(stuck.means.ravel())[1] < -15.0
    found = fitting.climb([poor], fitting.survey.source, rng, moved=False)
    np.testing.assert_allclose(np.sort(found.means.ravel()), [-20.0, 0.0, 20.0], atol=0.5)


def test_only_the_highest_starts_are_run(fitting: Fitting, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Parameters] = []
    run = Contest.run

    def counted(self: Contest, start: Parameters) -> Any:
        runs.append(start)
        return run(self, start)

    monkeypatch.setattr(Contest, "run", counted)
    climbed(fitting, [POOR, POOR, POOR, POOR, POOR, GOOD])
    assert len(runs) == MOST_STARTS
    assert runs[0] is GOOD


def test_starts_that_all_lose_a_component_are_an_error(fitting: Fitting) -> None:
    one = GOOD.select(np.array([0]))
    with pytest.raises(FitError, match="a component was lost at every start"):
        climbed(fitting, [one])


def test_no_moves_are_tried_on_a_start_that_was_moved() -> None:
    fitting = far_clusters()
    stuck = climbed(fitting, [three_at(-20.5, -19.5, 10.0)])
    rng = np.random.default_rng(0)
    assert fitting.climb([stuck], fitting.survey.source, rng, moved=True) is stuck


def test_more_rivals_are_run_against_a_start_that_was_moved(
    fitting: Fitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Parameters] = []
    run = Contest.run

    def counted(self: Contest, start: Parameters) -> Any:
        runs.append(start)
        return run(self, start)

    monkeypatch.setattr(Contest, "run", counted)
    climbed(fitting, [POOR, *[GOOD] * (MOST_RIVALS + 2)], moved=True)
    assert len(runs) == MOST_RIVALS


def test_rivals_that_are_the_leader_or_far_below_are_not_run(
    fitting: Fitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    best, far = climbed(fitting, [GOOD]), start_at(np.array([[2.0, 55.0], [90.0, 80.0]]))

    def refused(*_: object) -> Any:
        raise AssertionError("it was run")

    monkeypatch.setattr(Contest, "run", refused)
    assert climbed(fitting, [best, best, far], moved=True) is best
    with pytest.raises(AssertionError, match="it was run"):
        climbed(fitting, [POOR, GOOD], moved=True)


def test_start_that_has_ended_elsewhere_is_run_on_the_rows_at_hand(
    fitting: Fitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Parameters] = []
    run = Contest.run

    def counted(self: Contest, start: Parameters) -> Any:
        runs.append(start)
        return run(self, start)

    monkeypatch.setattr(Contest, "run", counted)
    rng, some = np.random.default_rng(0), fitting.survey.source.subset(slice(0, 200))
    found = fitting.climb([GOOD, POOR], some, rng, moved=True)
    assert runs[0] is GOOD
    assert found is GOOD
