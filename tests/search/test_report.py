"""What a search reports: maxima, how often each was found, and what files keep of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura.schedules import Outcome
from mixtura.search.report import Maximum, Record, SearchReport


def outcome(objective: float, k: int = 3, spurious: tuple[int, ...] = ()) -> Outcome:
    parameters: Any = type("P", (), {"weights": np.ones(k) / k})()
    return Outcome(parameters, objective, spurious=list(spurious))


def test_record_counts_runs_that_end_at_one_maximum() -> None:
    record = Record(n_starts=5, n_moves=2)
    best = outcome(-1.0)
    record.note(outcome(-2.0), "leads", None, given_up=False)
    record.note(best, "leads", outcome(-2.0), given_up=False)
    record.note(outcome(-1.00005), "same", best, given_up=False)
    record.note(outcome(-1.01), "same", best, given_up=True)  # on its way
    record.note(outcome(-3.0), "behind", best, given_up=True)  # to nowhere known
    record.note(outcome(-2.00005), "behind", best, given_up=False)
    report = record.report(77)
    assert report.maxima == (Maximum(-1.0, 3), Maximum(-2.0, 2))
    assert (report.n_starts, report.n_moves, report.n_given_up, report.n_rows) == (5, 2, 2, 77)


def test_maxima_with_lost_or_spurious_components_come_last() -> None:
    record = Record()
    for each in (outcome(5.0, 2), outcome(4.0, 3, (1,)), outcome(1.0), outcome(2.0)):
        record.note(each, "leads", None, given_up=False)
    assert [each.objective for each in record.report(1).maxima] == [2.0, 1.0, 4.0, 5.0]


def test_maxima_of_equal_height_are_two_where_one_has_a_suspect() -> None:
    record = Record()
    for each in (outcome(1.0), outcome(1.0, 3, (1,))):
        record.note(each, "leads", None, given_up=False)
    assert [each.times for each in record.report(1).maxima] == [1, 1]


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            SearchReport((Maximum(-1.5, 3),), 3, 0, 1, 10),
            "search: 3 starts found 1 maximum, 3 times (-1.500000 nats per row)",
        ),
        (
            SearchReport(tuple(Maximum(-float(i), 1) for i in range(1, 6)), 1, 4, 0, 10),
            (
                "search: 1 start and 4 moves found 5 maxima, the best 1 time "
                "(-1.000000, -2.000000, -3.000000 nats per row)"
            ),
        ),
    ],
)
def test_report_is_one_line_of_text(report: SearchReport, expected: str) -> None:
    assert str(report) == expected


def test_facts_of_a_report_make_it_again() -> None:
    report = SearchReport((Maximum(-1.5, 3), Maximum(-2.0, 1)), 5, 4, 2, 100)
    facts = report.to_facts()
    assert facts["maxima"] == [[-1.5, 3], [-2.0, 1]]
    again = SearchReport.from_facts(facts)
    assert again == report
    assert isinstance(again.maxima[0], Maximum)


GOOD = SearchReport((Maximum(-1.5, 3),), 5, 4, 2, 100).to_facts()


@pytest.mark.parametrize(
    "facts",
    [
        None,
        [],
        {},
        {**GOOD, "more": 1},
        {name: value for name, value in GOOD.items() if name != "n_rows"},
        {**GOOD, "n_rows": -1},
        {**GOOD, "n_starts": True},
        {**GOOD, "n_moves": 1.0},
        {**GOOD, "maxima": None},
        {**GOOD, "maxima": [None]},
        {**GOOD, "maxima": [[-1.5]]},
        {**GOOD, "maxima": [[-1.5, 0]]},
        {**GOOD, "maxima": [[1, 1]]},
        {**GOOD, "maxima": [[-1.5, "3"]]},
    ],
)
def test_facts_of_no_search_are_refused(facts: object) -> None:
    with pytest.raises(ValueError, match="its search is"):
        SearchReport.from_facts(facts)
