"""How runs are counted: which ended at one maximum, and in which order maxima are reported."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.schedules import Outcome
from mixtura.search.report import Maximum, Record


def outcome(objective: float, k: int = 3, spurious: tuple[int, ...] = ()) -> Outcome:
    parameters: Any = type("P", (), {"weights": np.ones(k) / k})()
    return Outcome(parameters, objective, spurious=list(spurious))


def test_record_counts_runs_that_end_at_one_maximum() -> None:
    record = Record(n_starts=5, n_moves=2)
    best = outcome(-1.0)
    for end in (outcome(-2.0), best, outcome(-1.00005), outcome(-2.00005)):
        record.note(end, given_up=False)
    record.note(best, given_up=True)  # on its way
    record.note(None, given_up=True)  # to nowhere known
    report = record.report(77)
    assert report.maxima == (Maximum(-1.0, 3, 3), Maximum(-2.0, 2, 3))
    assert (report.n_starts, report.n_moves, report.n_given_up, report.n_rows) == (5, 2, 2, 77)


def test_maxima_with_lost_or_spurious_components_come_last() -> None:
    record = Record()
    for each in (outcome(5.0, 2), outcome(4.0, 3, (1,)), outcome(1.0), outcome(2.0)):
        record.note(each, given_up=False)
    assert [each.objective for each in record.report(1).maxima] == [2.0, 1.0, 4.0, 5.0]


def test_maxima_of_equal_height_are_two_where_one_has_a_suspect() -> None:
    record = Record()
    for each in (outcome(1.0), outcome(1.0, 3, (1,))):
        record.note(each, given_up=False)
    maxima = record.report(1).maxima
    assert [(each.times, each.n_suspects) for each in maxima] == [(1, 0), (1, 1)]
