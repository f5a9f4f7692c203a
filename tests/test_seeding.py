"""Choosing rows: by weight, never one of weight zero, a row of weight two as two rows."""

from collections.abc import Callable

import numpy as np
import pytest
from clusters import clustered

from mixtura import seeding
from mixtura.kernels import Rows
from mixtura.kmeans import _Lloyd
from mixtura.statistics import Floats

N = 60


def rows_and_times() -> tuple[Floats, np.ndarray]:
    """Rows, and how often each one is there: sometimes never, the first and the last too."""
    times = np.random.default_rng(7).integers(0, 4, size=N)
    times[[0, -1]] = 0
    return clustered(N, 2, 3)[0], times


CHOICES: dict[str, Callable[..., Floats]] = {
    "k-means++": seeding.kmeans_plusplus,
    "random": seeding.random_rows,
}
every_choice = pytest.mark.parametrize("choose", CHOICES.values(), ids=CHOICES)


def test_draw_rows_follows_the_weights() -> None:
    weight = np.array([0.0, 1.0, 0.0, 5.0, 2.0, 0.0])
    drawn = seeding.draw_rows(weight, 80_000, np.random.default_rng(0))
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


def test_thin_at_the_ends_avoids_weight_zero() -> None:
    X = np.arange(40.0)[:, None]
    weight = np.r_[np.zeros(10), np.ones(20), np.zeros(10)]
    for least_or_largest in (0, 1):
        for sample_weight, first, last in [(None, 0, 39), (weight, 10, 29)]:
            rng = Extremes(least_or_largest)
            rows, counts = seeding.thin(X, sample_weight, 8, rng)  # type: ignore[arg-type]
            assert counts.sum() == 8
            assert first <= rows.min() <= rows.max() <= last


@pytest.mark.parametrize("unit", [1e-300, 0.1, 1.0, 1e300])
def test_draw_rows_at_the_ends_avoids_weight_zero(unit: float) -> None:
    weight = unit * np.array([0.0, 0.0, 0.1, 0.7, 0.2, 0.0, 0.0])
    assert seeding.draw_rows(weight, 2, Extremes(0, 1)).tolist() == [2, 4]  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 500])
def test_draw_rows_of_weighted_rows_draws_as_of_repeated_ones(size: int) -> None:
    _, times = rows_and_times()
    repeated = np.repeat(np.arange(N), times)
    one = seeding.draw_rows(times.astype(float), size, np.random.default_rng(1))
    other = seeding.draw_rows(np.ones(len(repeated)), size, np.random.default_rng(1))
    np.testing.assert_array_equal(one, repeated[other])


@every_choice
@pytest.mark.parametrize("seed", range(10))
def test_choice_among_weighted_rows_is_that_among_repeated_ones(
    choose: Callable[..., Floats], seed: int
) -> None:
    X, times = rows_and_times()
    repeated = np.repeat(X, times, axis=0)
    one = choose(X, times.astype(float), 5, np.random.default_rng(seed))
    other = choose(repeated, np.ones(len(repeated)), 5, np.random.default_rng(seed))
    np.testing.assert_array_equal(one, other)


@every_choice
def test_choice_never_takes_a_row_of_weight_zero(choose: Callable[..., Floats]) -> None:
    X = np.arange(20.0)[:, None]
    weight = np.tile([1.0, 0.0], 10)
    weight[10:] = 0.0
    for seed in range(20):
        chosen = choose(X, weight, 5, np.random.default_rng(seed))
        assert sorted(chosen.ravel()) == [0.0, 2.0, 4.0, 6.0, 8.0]


@every_choice
def test_choice_among_fewer_different_rows_takes_each_of_them(
    choose: Callable[..., Floats],
) -> None:
    X = np.repeat([[0.0], [5.0], [6.0]], 4, axis=0)
    for seed in range(10):
        chosen = choose(X, np.ones(12), 5, np.random.default_rng(seed))
        assert chosen.shape == (5, 1)
        assert set(chosen.ravel()) == {0.0, 5.0, 6.0}


def test_random_rows_of_float32_are_those_rows_in_float64() -> None:
    X = clustered(N)[0].astype(np.float32)
    chosen = seeding.random_rows(X, np.ones(N), 3, np.random.default_rng(0))
    assert chosen.dtype == np.float64
    assert {tuple(row) for row in chosen} <= {tuple(map(float, row)) for row in X}


def test_kmeans_plusplus_on_far_clusters_chooses_one_of_each() -> None:
    cluster = np.repeat(np.arange(4.0), 50)
    X = np.random.default_rng(0).normal(size=(200, 2)) + 100.0 * cluster[:, None]
    for seed in range(20):
        chosen = seeding.kmeans_plusplus(X, np.ones(200), 4, np.random.default_rng(seed))
        assert sorted(np.round(chosen[:, 0] / 100.0)) == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("seed", range(5))
def test_kmeans_plusplus_takes_the_best_of_its_trials_each_time(seed: int) -> None:
    """By plain loops, for rows and for the rows of a pass."""
    X = clustered(N, 3, 4, seed=seed)[0]
    weight = np.random.default_rng(seed).exponential(size=N)
    k, rng = 6, np.random.default_rng(seed)
    chosen = [seeding.draw_rows(weight, 1, rng)[0]]
    for _ in range(1, k):
        nearest = np.min([((X - X[c]) ** 2).sum(axis=1) for c in chosen], axis=0)
        trials = seeding.draw_rows(weight * nearest, 2 + int(np.log(k)), rng)
        totals = [weight @ np.minimum(nearest, ((X - X[t]) ** 2).sum(axis=1)) for t in trials]
        chosen.append(trials[int(np.argmin(totals))])
    computed = seeding.kmeans_plusplus(X, weight, k, np.random.default_rng(seed))
    np.testing.assert_array_equal(computed, X[chosen])
    lloyd = _Lloyd(X, weight, None)
    computed = lloyd.seed(k, "kmeans++", np.random.default_rng(seed))
    np.testing.assert_array_equal(computed, X[chosen])


def test_equal_rows_are_those_of_the_same_numbers() -> None:
    X = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 2.0], [2.0, 2.0]])
    assert seeding.equal_rows(X, 0).tolist() == [True, False, True, False]
    assert seeding.equal_rows(np.asfortranarray(X), 3).tolist() == [False, False, False, True]


# Thinning


def test_thin_of_few_rows_is_all_of_them() -> None:
    X, times = rows_and_times()
    rows, weight = seeding.thin(X, None, N, np.random.default_rng(0))
    np.testing.assert_array_equal(rows, X)
    np.testing.assert_array_equal(weight, np.ones(N))
    rows, weight = seeding.thin(X, times.astype(float), N, np.random.default_rng(0))
    np.testing.assert_array_equal(rows, X[times > 0])
    np.testing.assert_array_equal(weight, times[times > 0])


def test_thin_counts_only_rows_that_are_there() -> None:
    """Rows of weight zero do not make a small data set a large one."""
    X, times = rows_and_times()
    present = times > 0
    assert present.sum() < N
    rows, weight = seeding.thin(X, times / 3.0, int(present.sum()), np.random.default_rng(0))
    np.testing.assert_array_equal(rows, X[present])
    np.testing.assert_array_equal(weight, times[present] / 3.0)


@pytest.mark.parametrize("seed", range(5))
def test_thin_of_weighted_rows_is_that_of_repeated_ones(seed: int) -> None:
    X, times = rows_and_times()
    repeated = np.repeat(X, times, axis=0)
    one = seeding.thin(X, times.astype(float), 20, np.random.default_rng(seed))
    for sample_weight in (None, np.ones(len(repeated))):
        other = seeding.thin(repeated, sample_weight, 20, np.random.default_rng(seed))
        counted: dict[tuple[float, ...], float] = {}
        for row, weight in zip(*other, strict=True):
            counted[tuple(row)] = counted.get(tuple(row), 0.0) + weight
        assert counted == {tuple(row): weight for row, weight in zip(*one, strict=True)}


def test_thin_of_many_rows_draws_one_from_each_equal_share() -> None:
    X = np.arange(1000.0)[:, None]
    rows, weight = seeding.thin(X, None, 100, np.random.default_rng(0))
    assert weight.sum() == 100
    np.testing.assert_array_equal(rows.ravel() // 10, np.arange(100))
    heavy = np.ones(1000)
    heavy[500] = 1000.0
    rows, weight = seeding.thin(X, heavy, 100, np.random.default_rng(0))
    assert weight.sum() == 100
    assert abs(weight[rows.ravel() == 500][0] - 50) <= 1


# Coordinates


@pytest.mark.parametrize("metric", ["scaled", "whitened"])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_standardised_rows_do_not_depend_on_units(metric: str, offset: float) -> None:
    X, times = rows_and_times()
    weight = times + 0.5
    expected = seeding.standardised(X, weight, metric)
    mean = np.average(expected, axis=0, weights=weight)
    covariance = np.cov(expected.T, aweights=weight, bias=True)
    np.testing.assert_allclose(mean, 0.0, atol=1e-14)
    np.testing.assert_allclose(np.diag(covariance), 1.0, rtol=1e-13)
    if metric == "whitened":
        np.testing.assert_allclose(covariance, np.eye(2), atol=1e-13)
    other = seeding.standardised((X + offset) * [1e-6, 2.0**10], weight, metric)
    np.testing.assert_allclose(np.abs(other), np.abs(expected), atol=1e-12 + 1e-15 * offset)


@pytest.mark.parametrize(("metric", "columns"), [("scaled", 3), ("whitened", 2)])
def test_standardised_rows_without_spread_in_a_direction_are_finite(
    metric: str, columns: int
) -> None:
    X = clustered(N)[0]
    Z = seeding.standardised(np.column_stack([X, np.full(N, 0.1)]), np.ones(N), metric)
    assert Z.shape == (N, columns)
    assert np.isfinite(Z).all()
    dependent = seeding.standardised(np.column_stack([X, X @ [1.0, 2.0]]), np.ones(N), metric)
    assert dependent.shape == (N, columns)


def test_lloyd_moves_centres_to_means_and_leaves_empty_ones() -> None:
    Z = np.array([[0.0], [1.0], [10.0], [12.0]])
    centres = np.array([[0.0], [11.5], [100.0]])
    weight = np.array([3.0, 1.0, 1.0, 1.0])
    moved = seeding.lloyd(Rows(Z, weight), centres, 5, 1)
    np.testing.assert_array_equal(moved, [[0.25], [11.0], [100.0]])
    np.testing.assert_array_equal(centres, [[0.0], [11.5], [100.0]])


def test_lloyd_goes_on_while_it_pays_and_no_longer_than_told() -> None:
    X = clustered(500, 2, 6, spread=2.0)[0]
    begin = seeding.random_rows(X, np.ones(500), 6, np.random.default_rng(0))
    rows = Rows(X, np.ones(500))

    def scatter(max_iter: int) -> float:
        return -rows.assign(seeding.lloyd(rows, begin, max_iter, 1), 1).log_likelihood

    falling = [scatter(max_iter) for max_iter in range(60)]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] > falling[5] > falling[20]
    assert falling[-1] == falling[-2] == pytest.approx(scatter(1000), rel=1e-12)
