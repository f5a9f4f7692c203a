"""Parts may be added in several places: the sums of the tree are the same ones."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtura.statistics import total
from mixtura.trees import joined, subtotals


@dataclasses.dataclass
class Named:
    """Something that can be added, and says how it was."""

    name: str

    def __add__(self, other: Named) -> Named:
        return Named(f"({self.name} + {other.name})")


@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any))
def test_subtotals_made_in_several_places_join_to_the_same_sum(counts: list[int]) -> None:
    parts = [Named(str(number)) for number in range(sum(counts))]
    sums: list[tuple[int, Named]] = []
    first = 0
    for count in counts:
        sums += subtotals(parts[first : first + count], first)
        first += count
    assert joined(sums).name == total(parts).name
    assert sum(size for size, _ in sums) == len(parts)


@pytest.mark.parametrize(
    ("first", "sizes"),
    [(0, [64, 32, 4]), (1, [1, 2, 4, 8, 16, 32, 32, 4, 1]), (64, [64, 32, 4]), (28, [4, 32, 64])],
)
def test_subtotals_are_the_largest_sums_of_the_tree_within(first: int, sizes: list[int]) -> None:
    parts = [Named(str(number)) for number in range(100)]
    assert [size for size, _ in subtotals(parts, first)] == sizes


def test_subtotals_of_nothing_are_none() -> None:
    assert subtotals([], 5) == []
