"""Groups of rows that the leader explains badly, whatever rows weigh and how often they come."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES
from numpy.typing import NDArray
from searches import search_em

from mixtura.data import ArrayRows
from mixtura.schedules import Outcome
from mixtura.search.groups import Group, _different, unlikely_groups
from mixtura.search.splits import _has_different
from mixtura.shapes import Floats

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def with_a_small_cluster(seed: int = 0) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Rows of two clusters and a few far away, a start, and how often each row is repeated."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(240, 2))
    X[:120, 0] += 10.0
    X[-12:, 1] += 30.0
    X[::7] = np.round(X[::7])  # some are equal before they are repeated
    labels = (np.arange(240) < 120).astype(np.int64)
    return X, labels, rng.integers(1, 4, size=240)


def groups_of(
    X: Floats, labels: NDArray[np.int64], covariance_type: str, weight: Floats | None = None
) -> tuple[list[Group], Outcome]:
    em = search_em(ArrayRows(X, weight), covariance_type)
    resp = np.eye(2)[labels]
    statistics = em.rows.given(resp, np.zeros((2, 2)))  # type: ignore[attr-defined]
    outcome = em.run(em.update.update(statistics)[0], 3)
    return unlikely_groups(outcome, em), outcome


def assert_same_groups(found: list[Group], expected: list[Group], unit: float = 1.0) -> None:
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.row, other.row)
        assert one.weight == pytest.approx(unit * other.weight)
        assert one.gain == pytest.approx(unit * other.gain)


@every_type
def test_groups_of_weighted_rows_are_those_of_repeated_rows(covariance_type: str) -> None:
    X, labels, times = with_a_small_cluster()
    weighted, _ = groups_of(X, labels, covariance_type, times.astype(np.float64))
    again = (np.repeat(each, times, axis=0) for each in (X, labels))
    repeated, _ = groups_of(*again, covariance_type)
    assert_same_groups(weighted, repeated)


@every_type
@pytest.mark.parametrize("unit", [0.001, 3.0, 1000.0])
def test_groups_are_the_same_in_any_unit_of_weight(covariance_type: str, unit: float) -> None:
    X, labels, times = with_a_small_cluster()
    weight = times.astype(np.float64)
    one, _ = groups_of(X, labels, covariance_type, weight)
    other, _ = groups_of(X, labels, covariance_type, unit * weight)
    assert_same_groups(other, one, unit)


def test_groups_are_made_of_different_rows() -> None:
    X, labels, _ = with_a_small_cluster()
    X[100:120] = [25.0, 25.0]  # no group by itself: all rows of it are equal
    groups, _ = groups_of(X, labels, "full")
    assert groups[0].row[1] > 20.0
    assert groups[0].row.tolist() != [25.0, 25.0]


def test_equal_rows_become_one_of_their_weight_where_the_first_was() -> None:
    X = np.array([[3.0, 1.0], [1.0, 2.0], [3.0, 1.0], [0.0, 0.0], [1.0, 2.0]])
    weight, log_prob = (
        np.array([1.0, 2.0, 4.0, 8.0, 16.0]),
        np.array([-3.0, -2.0, -3.0, -1.0, -2.0]),
    )
    rows, weights, densities = _different(X, weight, log_prob)
    assert rows.tolist() == [[3.0, 1.0], [1.0, 2.0], [0.0, 0.0]]
    assert weights.tolist() == [5.0, 18.0, 8.0]
    assert densities.tolist() == [-3.0, -2.0, -1.0]


def test_different_rows_are_counted_in_all_features() -> None:
    X = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [0.0, 1.0]])
    assert _has_different(X, 3)
    assert not _has_different(X, 4)
    assert not _has_different(X[:0], 1)
    assert _has_different(X.T, 2)
