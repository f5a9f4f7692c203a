"""What models of the same rows lend to each other's fits."""

import numpy as np
import pytest

from mixtura import GaussianMixture, fit_gmm
from mixtura.data import ArrayRows
from mixtura.fitting.cells import Ends, Size
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import FULL, Floats
from mixtura.statistics import Statistics

X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0, 0.0], [9.0, 9.0]], 30, axis=0)
SCALE = np.ones(2)


def end_at(means: Floats) -> Statistics:
    mixture = GaussianMixture(
        np.full(len(means), 1 / len(means)), means, np.tile(np.eye(2), (len(means), 1, 1))
    )
    rows = RowsPass(ArrayRows(X), FULL, Backend(n_threads=1))
    return rows.accumulate(mixture._parameters().seen())


@pytest.fixture
def two() -> Floats:
    return np.array([[0.0, 0.0], [9.0, 9.0]])


def test_ends_that_are_alike_in_any_order_count_once(two: Floats) -> None:
    ends = Ends(SCALE, {"EII": end_at(two)})
    ends.add("VII", end_at(two[::-1]))
    ends.add("EEE", end_at(two + 0.01))
    assert len(ends) == 1


def test_ends_with_other_means_are_new(two: Floats) -> None:
    first, other = end_at(two), end_at(np.array([[0.0, 1.0], [0.0, -1.0]]))
    ends = Ends(SCALE, {"EII": first})
    ends.add("VII", other)
    assert len(ends) == 2
    assert ends.of_others("EII") == [other]
    assert ends.of_others("EEE", 1) == [other]
    assert ends.of_others("VII") == [first]


def test_starts_that_are_no_statistics_all_count(two: Floats) -> None:
    labels = np.repeat([0, 1], 30)
    ends = Ends(SCALE, {0: labels, 1: labels})
    ends.add("EII", end_at(two))
    assert len(ends) == 3


def test_size_lends_each_end_to_a_model_once(two: Floats) -> None:
    first, other = end_at(two), end_at(np.array([[0.0, 1.0], [0.0, -1.0]]))
    size = Size(2, Ends(SCALE, {"EII": first}), None, 7)
    assert size.new_ends("VII") == [first]
    assert size.new_ends("VII") == []
    size.ends.add("VVV", other)
    assert size.new_ends("VII") == [other]
    assert size.new_ends("EII") == [other]
    assert size.new_ends("VVV") == [first]


def test_size_knows_which_fits_with_other_components_are_new() -> None:
    one, other = (fit_gmm(X, 1, covariance_type="EII", rng=seed) for seed in (0, 1))
    size = Size(2, Ends(SCALE, {}), None, 7)
    assert size.is_new(one, "EII")
    assert not size.is_new(one, "EII")
    assert size.is_new(one, "VII")
    assert size.is_new(other, "EII")
