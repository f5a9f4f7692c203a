"""Runs against the best one so far: which lead, which are given up, and Ctrl-C."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from loops import start_of
from numpy.typing import NDArray
from searches import misplaced, search_em

from mixtura import FitError
from mixtura.data import ArrayRows
from mixtura.parameters import Parameters
from mixtura.schedules import EM, Outcome
from mixtura.search.contest import MOST_ITERATIONS, Contest, SearchInterrupted, flaws
from mixtura.search.report import Record
from mixtura.shapes import Floats

ROWS, WRONG = misplaced()
RIGHT = np.repeat(np.arange(3), 50)


def contest_on(X: Floats, **options: Any) -> tuple[Contest, Record]:
    record = Record()
    return Contest(search_em(ArrayRows(X)), X.std(axis=0), record, **options), record


def start(contest: Contest, labels: NDArray[np.int64]) -> Parameters:
    return start_of(contest.em, labels)


def test_first_run_leads_and_a_better_one_takes_its_place() -> None:
    contest, record = contest_on(ROWS)
    assert contest.leader is None
    assert contest.run(start(contest, WRONG)) == "leads"
    first = contest.leader
    assert first is not None
    assert contest.run(start(contest, RIGHT)) == "leads"
    assert contest.leader is not first
    assert contest.leader is not None
    assert contest.leader.objective > first.objective + 0.1
    assert record.n_given_up == 0
    assert [each.times for each in record.report(150).maxima] == [1, 1]


def test_run_that_is_far_behind_is_given_up_and_does_not_lead() -> None:
    contest, record = contest_on(ROWS)
    contest.run(start(contest, RIGHT))
    leader = contest.leader
    assert contest.run(start(contest, WRONG)) == "behind"
    assert contest.leader is leader
    assert record.n_given_up == 1
    assert [each.times for each in record.report(150).maxima] == [1]


def test_run_that_comes_to_the_leader_counts_as_the_same() -> None:
    """In whatever order its components are, and before it has converged."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    X[:200] += 2.5
    labels = np.repeat([0, 1], 200)
    contest, record = contest_on(X)
    contest.run(start(contest, labels))
    noisy = np.where(rng.uniform(size=400) < 0.1, labels, 1 - labels)
    assert contest.run(start(contest, noisy)) == "same"
    (maximum,) = record.report(400).maxima
    assert maximum.times == 2


def test_run_is_not_given_up_where_it_has_fewer_suspects() -> None:
    """Narrow components have a high objective and must not lead because of it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    X[:3] = 3.0 + np.array([[0.0, 0.0], [1.0, 1.0001], [2.0, 2.0003]])
    contest, _ = contest_on(X)
    few = np.zeros(100, dtype=np.int64)
    few[:3] = 1
    assert contest.run(start(contest, few)) == "leads"
    suspect = contest.leader
    assert suspect is not None
    assert suspect.suspects
    assert contest.run(start(contest, (X[:, 0] > 0.0).astype(np.int64))) == "leads"
    assert contest.leader is not None
    assert not contest.leader.suspects
    assert contest.leader.objective < suspect.objective
    assert contest.run(start(contest, few)) == "behind"


def test_flaws_are_lost_components_first_and_suspects_second() -> None:
    def outcome(k: int, spurious: list[int], few: list[int]) -> Outcome:
        parameters: Any = type("P", (), {"weights": np.ones(k) / k})()
        return Outcome(parameters, spurious=spurious, few=few)

    order = [(3, [], []), (3, [1], [1]), (3, [], [0, 2]), (3, [1], [0, 2]), (2, [], [])]
    found = [flaws(outcome(*facts)) for facts in order]
    assert found == sorted(found)
    assert len(set(found)) == len(found)


class Scripted:
    """An algorithm whose runs end as the script says; errors are raised."""

    def __init__(self, *script: Outcome | BaseException) -> None:
        self.rows = search_em(ArrayRows(ROWS)).rows
        self._script = list(script)
        self.lengths: list[int] = []
        self.judged: list[Outcome] = []

    def run(self, start: Any, max_iter: int, **_: Any) -> Outcome:  # noqa: ARG002
        self.lengths.append(max_iter)
        step = self._script.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    def judge(self, outcome: Outcome) -> None:
        self.judged.append(outcome)


def ended(objective: float, k: int = 2, **facts: Any) -> Outcome:
    em = search_em(ArrayRows(ROWS))
    parameters = start_of(em, np.arange(150) % k)
    facts = {"stop_reason": "converged", **facts}
    return Outcome(parameters, objective, [objective], **facts)


def scripted(*script: Outcome | BaseException, **options: Any) -> Contest:
    em: Any = Scripted(*script)
    return Contest(em, np.ones(2), Record(), **options)


ANY: Any = ended(0.0).parameters


def test_run_that_fails_says_why_and_others_go_on() -> None:
    error = FitError("this one fails")
    contest = scripted(error, ended(1.0))
    assert contest.run(ANY) == "failed"
    assert contest.failure is error
    assert contest.leader is None
    assert contest.run(ANY) == "leads"


def test_contest_without_a_run_says_that_there_is_no_start() -> None:
    with pytest.raises(FitError, match="there is no start"):
        raise scripted().failure


@pytest.mark.parametrize(
    ("objective", "verdict"),
    [(1.0, "same"), (1.00009, "same"), (1.0002, "leads"), (0.99991, "same"), (0.9998, "behind")],
)
def test_objectives_that_differ_by_less_than_a_ten_thousandth_are_the_same(
    objective: float, verdict: str
) -> None:
    contest = scripted(ended(1.0), ended(objective))
    contest.run(ANY)
    assert contest.run(ANY) == verdict


def test_smaller_differences_count_where_few_of_all_rows_are_looked_at() -> None:
    contest = scripted(ended(1.0), ended(1.00009), share=0.1)
    assert [contest.run(ANY) for _ in range(2)] == ["leads", "leads"]


def test_run_that_loses_a_component_leads_only_until_none_is_lost() -> None:
    contest = scripted(ended(5.0, 1), ended(1.0, 2), ended(9.0, 1))
    assert [contest.run(ANY) for _ in range(3)] == ["leads", "leads", "behind"]


def test_run_that_loses_a_component_fails_where_labels_number_them() -> None:
    contest = scripted(ended(5.0, 1), ended(1.0, 2), least_components=2)
    assert contest.run(ANY) == "failed"
    assert "a component was lost at every start" in str(contest.failure)
    assert contest.run(ANY) == "leads"


def test_runs_are_bounded_and_reported() -> None:
    reported: list[Outcome] = []
    outcome = ended(1.0)
    contest = scripted(outcome, FitError("no"), report=reported.append)
    contest.run(ANY)
    contest.run(ANY)
    assert reported == [outcome]
    assert contest.em.lengths == [MOST_ITERATIONS] * 2  # type: ignore[attr-defined]


def test_interrupted_run_raises_with_the_best_of_all() -> None:
    best, half = ended(2.0), ended(9.0, stop_reason="interrupted")
    contest = scripted(best, half)
    contest.run(ANY)
    with pytest.raises(SearchInterrupted) as caught:
        contest.run(ANY)
    assert caught.value.outcome.parameters is best.parameters
    assert caught.value.outcome.stop_reason == "interrupted"
    assert caught.value.outcome.statistics is None
    assert best.stop_reason == "converged"
    assert isinstance(caught.value, KeyboardInterrupt)


def test_first_run_that_is_interrupted_is_the_best_if_it_has_iterated() -> None:
    half = ended(1.0, stop_reason="interrupted")
    with pytest.raises(SearchInterrupted) as caught:
        scripted(half).run(ANY)
    assert caught.value.outcome.parameters is half.parameters
    half.history = []
    with pytest.raises(KeyboardInterrupt) as plain:
        scripted(half).run(ANY)
    assert not isinstance(plain.value, SearchInterrupted)


def test_contest_looks_less_often_where_numbers_are_missing() -> None:
    """There EM is slower, so that a step says less of what is left."""
    X = ROWS.copy()
    em = search_em(ArrayRows(X))
    whole = Contest(em, np.ones(2), Record())

    class Incomplete:
        source: Any = type("S", (), {"form": "incomplete", "n_rows": 1, "weight_sum": 1.0})()

    em = EM(Incomplete(), em.update, em.schedule, em.collapse)  # type: ignore[arg-type]
    assert Contest(em, np.ones(2), Record())._slower > whole._slower


def test_run_that_comes_to_a_known_maximum_is_given_up_and_ends_there() -> None:
    """Whatever leads: the known one does so if it is better, and is not looked at again."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    X[:200] += 2.5
    labels = np.repeat([0, 1], 200)
    before, _ = contest_on(X)
    before.run(start(before, labels))
    known = before.leader
    assert known is not None
    noisy = np.where(rng.uniform(size=400) < 0.1, labels, 1 - labels)
    led: list[Outcome] = []
    contest, record = contest_on(X, known=[known], on_lead=led.append)
    assert contest.run(start(contest, noisy)) == "leads"
    assert contest.leader is known
    assert led == []
    assert contest.run(start(contest, noisy)) == "same"
    assert record.n_given_up == 2
    (maximum,) = record.report(400).maxima
    assert maximum.times == 2


def test_known_maximum_takes_the_place_of_a_leader_with_suspects() -> None:
    before, _ = contest_on(ROWS)
    before.run(start(before, WRONG))
    known = before.leader
    assert known is not None
    contest, _ = contest_on(ROWS, known=[known])
    contest.run(start(contest, RIGHT))
    assert contest.leader is not None
    contest.leader.few = [0]
    assert contest.run(start(contest, WRONG)) == "leads"
    assert contest.leader is known
