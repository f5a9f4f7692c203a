"""Centre and scale of the numbers near the middle, against their definition."""

import numpy as np
import pytest
from helpers import EPS

from mixtura.data import ArrayRows, middle_of, scan
from mixtura.data.middle import FAR, LOOKED_AT, NORMAL
from mixtura.shapes import Floats

N = 500


def normal(seed: int = 0, n: int = N, d: int = 3) -> Floats:
    return np.random.default_rng(seed).normal(size=(n, d)) * [1.0, 1e-3, 1e5][:d] + 2.0


def ones(X: Floats) -> Floats:
    return np.ones(len(X))


def test_scale_of_rows_without_far_numbers_is_the_ordinary_one() -> None:
    X = normal()
    _, _, centre, deviation = middle_of(X, ones(X))
    np.testing.assert_allclose((centre - X.mean(axis=0)) / X.std(axis=0), 0.0, atol=1e-11)
    np.testing.assert_allclose(deviation, X.std(axis=0), rtol=16 * EPS)


@pytest.mark.parametrize("far", [-9999.0, 1e8, 1e30, 1e300])
@pytest.mark.parametrize("share", [0.002, 0.2, 0.4])
def test_scale_does_not_depend_on_where_far_numbers_are(far: float, share: float) -> None:
    X = normal(d=1)
    moved = X.copy()
    moved[: int(share * N)] = far
    _, _, centre, deviation = middle_of(moved, ones(X))
    left = X[int(share * N) :]
    np.testing.assert_allclose(centre, left.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(deviation, left.std(axis=0), rtol=1e-13)


def test_near_numbers_are_within_ten_typical_distances_of_the_median() -> None:
    X = np.random.default_rng(1).standard_cauchy(size=(501, 1))
    distances = np.abs(X - np.median(X))
    typical = np.median(distances[distances > 0.0])
    expected = distances <= FAR * NORMAL * typical
    assert 0 < expected.sum() < len(X)
    np.testing.assert_array_equal(middle_of(X, ones(X)).near(X), expected)


@pytest.mark.parametrize("power", [-300, -7, 40, 300])
def test_scale_follows_powers_of_two_to_the_bit(power: int) -> None:
    X = np.random.default_rng(1).standard_cauchy(size=(400, 2))
    one, other = (middle_of(rows, ones(X)) for rows in (X, np.ldexp(X, power)))
    for before, after in zip(one, other, strict=True):
        np.testing.assert_array_equal(np.ldexp(before, power), after)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (np.r_[np.zeros(900), np.linspace(4.0, 6.0, 100)], np.nan),  # mostly one value
        (np.r_[np.zeros(999), 1.0], np.sqrt(0.001 * 0.999)),  # two values
        (np.full(10, 0.1), 0.0),
        (np.r_[np.zeros(500), np.ones(500)], 0.5),
    ],
)
def test_scale_of_columns_that_mostly_have_one_value(column: Floats, expected: float) -> None:
    deviation = middle_of(column[:, None], ones(column)).deviation
    expected = column.std() if np.isnan(expected) else expected
    np.testing.assert_allclose(deviation, expected, rtol=1e-12, atol=1e-17)


def test_scale_of_a_column_mostly_zero_is_not_that_of_its_outliers() -> None:
    column = np.r_[np.zeros(900), np.linspace(4.0, 6.0, 80), np.full(20, 1e9)]
    deviation = middle_of(column[:, None], ones(column)).deviation
    np.testing.assert_allclose(deviation, column[:980].std(), rtol=1e-12)


def test_weights_count_as_repeated_rows() -> None:
    rng = np.random.default_rng(2)
    X, weight = rng.standard_cauchy(size=(60, 2)), rng.integers(1, 5, size=60)
    repeated = np.repeat(X, weight, axis=0)
    one, other = middle_of(X, weight.astype(float)), middle_of(repeated, ones(repeated))
    for found, expected in zip(one, other, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("digits", [0, 1, 9])
@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("n", [1, 2, 3, 50, 301])
def test_rows_that_count_once_have_the_middle_of_rows_that_count_twice(
    n: int, missing: float, digits: int
) -> None:
    """To the bit, though none of the first are sorted that need not be."""
    X = np.round(normal(n=n), digits)
    X[1:][np.random.default_rng(0).random((n - 1, 3)) < missing] = np.nan
    X[::9, 0] *= 1e5
    for once, twice in zip(middle_of(X, ones(X)), middle_of(X, 2.0 * ones(X)), strict=True):
        np.testing.assert_array_equal(once, twice)


def test_copy_of_all_rows_has_their_middle_and_other_rows_their_own() -> None:
    weight = np.random.default_rng(0).integers(1, 3, size=N) + 0.0
    every, some = np.arange(N), np.arange(0, N, 2)
    for source, own in (
        (ArrayRows(normal()), np.ones(N)),
        (ArrayRows(normal(), weight), weight),
    ):
        middle = source.middle
        same = ArrayRows.copied(source, every, own)
        assert same.middle is middle
        assert (same.n_rows, same.weight_sum) == (N, own.sum())
        for other in (
            ArrayRows.copied(source, every, 1.0 + np.arange(N)),
            ArrayRows.copied(source, some, own[some]),
        ):
            for found, expected in zip(
                other.middle, middle_of(other.X, other.sample_weight), strict=True
            ):
                np.testing.assert_array_equal(found, expected)


def test_source_looks_at_all_rows_or_at_a_sample_that_is_the_same_each_time() -> None:
    X = normal(n=3 * LOOKED_AT)
    rows = ArrayRows(X)
    deviation = rows.middle.deviation
    np.testing.assert_array_equal(ArrayRows(X).middle.deviation, deviation)
    np.testing.assert_allclose(deviation, X.std(axis=0), rtol=0.1)
    cut = scan([X[:100], X[100:]])
    np.testing.assert_array_equal(cut.middle, rows.middle)
    few = ArrayRows(X[:50])
    np.testing.assert_array_equal(few.middle, middle_of(X[:50], np.ones(50)))


@pytest.mark.parametrize("cuts", [[], [20_000, 20_001]])
def test_sample_of_many_rows_has_those_with_a_number_far_away(cuts: list[int]) -> None:
    X = np.random.default_rng(0).normal(size=(50_000, 2))
    weight = np.ones(len(X))
    X[123, 0], X[40_456, 1], X[789, 1] = 1e8, -1e8, 1e9
    weight[789] = 0.0  # absent
    rows = scan(np.split(X, cuts)) if cuts else ArrayRows(X)
    rows = rows.reweighted(weight)
    positions, shares = rows.thinned(500, np.random.default_rng(0))
    far = np.isin(positions, [123, 40_456])
    assert far.sum() == 2
    assert 789 not in positions
    np.testing.assert_allclose(shares[far], 500 / 49_999, rtol=1e-12)
    assert (np.diff(positions) > 0).all()
