"""What chains remember of moves: splits of components that have not changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura.parameters import Parameters
from mixtura.schedules import Outcome
from mixtura.search.memory import MOST_LEADERS, Memory
from mixtura.search.splits import Split
from mixtura.shapes import DIAG


def mixture(*means: float, weights: float = 0.25, variances: float = 4.0) -> Parameters:
    k = len(means)
    columns = np.column_stack([means, np.zeros(k)])
    covariances = np.full((k, 2), variances)
    return Parameters(np.full(k, weights), columns, covariances, covariances, DIAG)


def looked_at(memory: Memory, parameters: Parameters) -> tuple[list[int], list[Split | None]]:
    """Components that are split anew, and the splits of all."""
    anew: list[int] = []
    statistics: Any = None

    def find(components: list[int]) -> list[Split | None]:
        anew.extend(components)
        return [Split(float(parameters.means[j, 0]), j, statistics) for j in components]

    return anew, memory.splits(parameters, find)


def test_components_that_are_as_before_are_split_as_before_in_whatever_place() -> None:
    memory = Memory()
    assert looked_at(memory, mixture(0.0, 10.0, 20.0))[0] == [0, 1, 2]
    anew, splits = looked_at(memory, mixture(20.1, 5.0, 0.1))
    assert anew == [1]
    assert [each.component for each in splits if each] == [0, 1, 2]
    assert [each.gain for each in splits if each] == [20.0, 5.0, 0.0]


@pytest.mark.parametrize(
    "other",
    [
        mixture(0.3, 10.0),
        mixture(0.0, 10.0, weights=0.3),
        mixture(0.0, 10.0, variances=4.6),
        mixture(0.0, 10.0)._replace(means=np.array([[0.0, 0.3], [10.0, 0.0]])),
    ],
)
def test_components_that_have_changed_are_split_anew(other: Parameters) -> None:
    memory = Memory()
    looked_at(memory, mixture(0.0, 10.0))
    assert 0 in looked_at(memory, other)[0]


def test_what_cannot_be_split_is_not_tried_again() -> None:
    memory = Memory()
    assert memory.splits(mixture(0.0), lambda some: [None] * len(some)) == [None]
    assert looked_at(memory, mixture(0.0)) == ([], [None])


def test_components_without_weight_or_variance_are_no_error() -> None:
    memory = Memory()
    for _ in range(2):
        anew, _splits = looked_at(memory, mixture(0.0, 1.0, weights=0.0, variances=0.0))
    assert anew == []


def test_few_leaders_are_remembered() -> None:
    memory = Memory()
    for place in range(MOST_LEADERS + 1):
        looked_at(memory, mixture(100.0 * place))
    assert looked_at(memory, mixture(100.0))[0] == []
    assert looked_at(memory, mixture(0.0))[0] == [0]


def test_moves_are_kept_of_some_leaders() -> None:
    one, other = Outcome(mixture(0.0)), Outcome(mixture(1.0))
    memory = Memory({one: iter([1]), other: iter([2])}, {one: other, other: one})
    memory.keep([other, Outcome(mixture(1.0))])
    assert list(memory.untried) == [other]
    assert memory.ends == {other: one}
