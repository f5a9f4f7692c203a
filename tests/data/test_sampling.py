"""Choosing rows: by weight, never one of weight zero, a row of weight two as two rows."""

import numpy as np
import pytest

from mixtura.data import ArrayRows, BlockedRows, RowSource
from mixtura.data.sampling import draw_rows, equal_rows
from mixtura.shapes import Floats

N = 60


def rows_and_times() -> tuple[Floats, np.ndarray]:
    """Rows, and how often each one is there: sometimes never, the first and the last too."""
    times = np.random.default_rng(7).integers(0, 4, size=N)
    times[[0, -1]] = 0
    return np.random.default_rng(0).normal(size=(N, 2)), times


def thin(
    X: Floats, sample_weight: Floats | None, size: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Rows and weights of a sample."""
    rows = ArrayRows.sample_of(ArrayRows(X, sample_weight), size, rng)
    return rows.X, rows.sample_weight


def test_draw_rows_follows_the_weights() -> None:
    weight = np.array([0.0, 1.0, 0.0, 5.0, 2.0, 0.0])
    drawn = draw_rows(weight, 80_000, np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=6)
    assert (counts[weight == 0.0] == 0).all()
    expected = 10_000 * weight
    assert (np.abs(counts - expected) <= 5 * np.sqrt(expected)).all()


class Extremes:
    """A generator whose draws are the least or the largest there can be, or both in turn."""

    def __init__(self, *least_or_largest: int) -> None:
        self.draws = np.array([0.0, 1.0 - 2.0**-53])[list(least_or_largest)]

    def random(self, size: int) -> Floats:
        return np.resize(self.draws, size)


@pytest.mark.parametrize("unit", [1e-300, 0.1, 1.0, 1e300])
def test_draw_rows_at_the_ends_avoids_weight_zero(unit: float) -> None:
    weight = unit * np.array([0.0, 0.0, 0.1, 0.7, 0.2, 0.0, 0.0])
    assert draw_rows(weight, 2, Extremes(0, 1)).tolist() == [2, 4]  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 500])
def test_draw_rows_of_weighted_rows_draws_as_of_repeated_ones(size: int) -> None:
    _, times = rows_and_times()
    repeated = np.repeat(np.arange(N), times)
    one = draw_rows(times.astype(float), size, np.random.default_rng(1))
    other = draw_rows(np.ones(len(repeated)), size, np.random.default_rng(1))
    np.testing.assert_array_equal(one, repeated[other])


def test_thin_at_the_ends_avoids_weight_zero() -> None:
    X = np.arange(40.0)[:, None]
    weight = np.r_[np.zeros(10), np.ones(20), np.zeros(10)]
    for least_or_largest in (0, 1):
        for sample_weight, first, last in [(None, 0, 39), (weight, 10, 29)]:
            rng = Extremes(least_or_largest)
            rows, counts = thin(X, sample_weight, 8, rng)  # type: ignore[arg-type]
            assert counts.sum() == 8
            assert first <= rows.min() <= rows.max() <= last


def test_thin_of_few_rows_is_all_of_them() -> None:
    X, times = rows_and_times()
    rows, weight = thin(X, None, N, np.random.default_rng(0))
    np.testing.assert_array_equal(rows, X)
    np.testing.assert_array_equal(weight, np.ones(N))
    rows, weight = thin(X, times.astype(float), N, np.random.default_rng(0))
    np.testing.assert_array_equal(rows, X[times > 0])
    np.testing.assert_array_equal(weight, times[times > 0])


def test_thin_counts_only_rows_that_are_there() -> None:
    """Rows of weight zero do not make a small data set a large one."""
    X, times = rows_and_times()
    present = times > 0
    assert present.sum() < N
    rows, weight = thin(X, times / 3.0, int(present.sum()), np.random.default_rng(0))
    np.testing.assert_array_equal(rows, X[present])
    np.testing.assert_array_equal(weight, times[present] / 3.0)


@pytest.mark.parametrize("seed", range(5))
def test_thin_of_weighted_rows_is_that_of_repeated_ones(seed: int) -> None:
    X, times = rows_and_times()
    repeated = np.repeat(X, times, axis=0)
    one = thin(X, times.astype(float), 20, np.random.default_rng(seed))
    for sample_weight in (None, np.ones(len(repeated))):
        other = thin(repeated, sample_weight, 20, np.random.default_rng(seed))
        counted: dict[tuple[float, ...], float] = {}
        for row, weight in zip(*other, strict=True):
            counted[tuple(row)] = counted.get(tuple(row), 0.0) + weight
        assert counted == {tuple(row): weight for row, weight in zip(*one, strict=True)}


def test_thin_of_many_rows_draws_one_from_each_equal_share() -> None:
    X = np.arange(1000.0)[:, None]
    rows, weight = thin(X, None, 100, np.random.default_rng(0))
    assert weight.sum() == 100
    np.testing.assert_array_equal(rows.ravel() // 10, np.arange(100))
    heavy = np.ones(1000)
    heavy[500] = 1000.0
    rows, weight = thin(X, heavy, 100, np.random.default_rng(0))
    assert weight.sum() == 100
    assert abs(weight[rows.ravel() == 500][0] - 50) <= 1


def test_drawn_gives_positions_in_ascending_order() -> None:
    weight = np.random.default_rng(0).exponential(size=1000)
    for sample_weight in (None, weight):
        rows = ArrayRows(np.zeros((1000, 1)), sample_weight)
        positions, counts = rows.drawn(100, np.random.default_rng(0))
        assert (np.diff(positions) > 0).all()
        assert (counts.sum(), counts.min()) == (100, 1)


def test_equal_rows_are_those_of_the_same_numbers() -> None:
    X = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 2.0], [2.0, 2.0]])
    assert equal_rows(X, X[0]).tolist() == [True, False, True, False]
    assert equal_rows(np.asfortranarray(X), X[3]).tolist() == [False, False, False, True]


# ---- samples with rows of one's own choice ----


def cut(rows: ArrayRows) -> RowSource:
    """The same rows in blocks."""
    weight = rows.sample_weight
    parts = np.split(rows.X, [10, 10, 45])
    weights = [None] * 4 if weight is None else np.split(weight, [10, 10, 45])
    return BlockedRows(zip(parts, weights, strict=True))


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_asked_for_stand_for_themselves_and_the_others_for_all_others(
    blocks: bool, weighted: bool
) -> None:
    X, times = rows_and_times()
    whole = ArrayRows(X, times.astype(float) if weighted else None)
    weight = times.astype(float) if weighted else np.ones(N)
    source = cut(whole) if blocks else whole
    size, also = 15, [58, 4, 3, 31, 4]
    drawn, _ = source.thinned(size, np.random.default_rng(5))
    assert set(drawn) & set(also)
    assert set(also) - set(drawn)
    positions, shares = source.thinned(size, np.random.default_rng(5), also)
    assert positions.tolist() == sorted({*drawn, *also})
    unit = size / weight.sum()
    asked = np.isin(positions, also)
    np.testing.assert_allclose(shares[asked], unit * weight[positions[asked]], rtol=1e-13)
    assert shares.sum() == pytest.approx(size, rel=1e-13)
    sample = ArrayRows.sample_of(source, size, np.random.default_rng(5), also)
    np.testing.assert_array_equal(sample.X, X[positions])
    np.testing.assert_allclose(sample.sample_weight, shares, rtol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
def test_means_over_samples_with_rows_asked_for_are_not_biased(weighted: bool) -> None:
    X, times = rows_and_times()
    weight = times.astype(float) if weighted else np.ones(N)
    X[[4, 17, 31]] = 40.0
    source = ArrayRows(X, weight if weighted else None)
    means = []
    for seed in range(2000):
        rows = ArrayRows.sample_of(source, 15, np.random.default_rng(seed), [4, 17, 31])
        means.append(np.average(rows.X, axis=0, weights=rows.sample_weight))
    error = np.std(means, axis=0) / np.sqrt(len(means))
    difference = np.mean(means, axis=0) - np.average(X, axis=0, weights=weight)
    assert (np.abs(difference) < 4.0 * error + 0.005).all()
    assert (np.std(means, axis=0) < 0.5).all()  # rows at 40 are in each sample, counted alike


def test_rows_added_to_an_earlier_sample_are_those_of_one_draw() -> None:
    source = ArrayRows(np.random.default_rng(0).normal(size=(N, 2)))
    earlier = source.thinned(15, np.random.default_rng(5))
    positions, weight = source.with_rows(*earlier, [3, 9])
    again = source.thinned(15, np.random.default_rng(5), [3, 9])
    np.testing.assert_array_equal(positions, again[0])
    np.testing.assert_allclose(weight, again[1], rtol=1e-13)
    assert source.with_rows(*earlier, ()) == earlier


def test_sample_whose_rows_were_all_asked_for_has_their_own_weights() -> None:
    X, times = rows_and_times()
    source = ArrayRows(X, times.astype(float))
    present = np.flatnonzero(times)
    positions, weight = source.thinned(N, np.random.default_rng(0), [4, 5])
    np.testing.assert_array_equal(positions, present)
    np.testing.assert_array_equal(weight, times[present])
    positions, weight = source.thinned(5, np.random.default_rng(0), present)
    np.testing.assert_array_equal(positions, present)
    np.testing.assert_allclose(weight, 5.0 * times[present] / times.sum(), rtol=1e-13)


@pytest.mark.parametrize("form", ["whole", "incomplete", "noisy"])
def test_sample_has_what_else_is_known_of_the_rows_asked_for(form: str) -> None:
    X, _ = rows_and_times()
    if form == "incomplete":
        X[::3, 0] = np.nan
    known = {"code": np.arange(N)}
    if form == "noisy":
        known |= {"noise": np.arange(2.0 * N).reshape(N, 2)}
    for source in (ArrayRows(X), cut(ArrayRows(X))):
        sample = ArrayRows.sample_of(
            source.with_extras(form, known), 15, np.random.default_rng(0), [3, 9, 59]
        )
        assert sample.form == form
        positions = sample.extras["code"]
        assert {3, 9, 59} <= set(positions)
        np.testing.assert_array_equal(sample.X, X[positions])
        for name, array in known.items():
            np.testing.assert_array_equal(sample.extras[name], array[positions], name)
