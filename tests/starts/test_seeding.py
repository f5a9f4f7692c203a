"""Centres among the rows: by weight, never one of weight zero, a row of weight two as two rows."""

from collections.abc import Callable
from itertools import islice, pairwise

import numpy as np
import pytest
from clusters import clustered
from loops import in_units
from numpy.typing import NDArray

from mixtura import fit_kmeans
from mixtura.data import ArrayRows, BlockedRows, draw_rows
from mixtura.parameters import Seen
from mixtura.passes import Backend, RowsPass
from mixtura.passes.backend import BACKENDS
from mixtura.shapes import SPHERICAL, Floats
from mixtura.starts import seeding
from mixtura.starts.seeding import Clusters

N = 60
Choose = Callable[[RowsPass, int, np.random.Generator], Floats]


def rows_and_times() -> tuple[Floats, np.ndarray]:
    """Rows, and how often each one is there: sometimes never, the first and the last too."""
    times = np.random.default_rng(7).integers(0, 4, size=N)
    times[[0, -1]] = 0
    return clustered(N, 2, 3)[0], times


def rows_of(
    X: NDArray[np.floating], weight: Floats | None = None, backend: str = "compiled"
) -> RowsPass:
    source = ArrayRows(X, weight)
    return RowsPass(source, SPHERICAL, Backend(backend, 1), em="nearest")  # type: ignore[arg-type]


def random_rows(rows: RowsPass, n_clusters: int, rng: np.random.Generator) -> Floats:
    return seeding.random_rows(rows.source, n_clusters, rng)


CHOICES: dict[str, Choose] = {"k-means++": seeding.kmeans_plusplus, "random": random_rows}
every_choice = pytest.mark.parametrize("choose", CHOICES.values(), ids=CHOICES)
every_backend = pytest.mark.parametrize("backend", BACKENDS)


@every_choice
@every_backend
@pytest.mark.parametrize("seed", range(10))
def test_choice_among_weighted_rows_is_that_among_repeated_ones(
    choose: Choose, seed: int, backend: str
) -> None:
    X, times = rows_and_times()
    repeated = np.repeat(X, times, axis=0)
    one, other, unweighted = (
        choose(rows_of(rows, weight, backend), 5, np.random.default_rng(seed))
        for rows, weight in [
            (X, times.astype(float)),
            (repeated, np.ones(len(repeated))),
            (repeated, None),
        ]
    )
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, unweighted)


@every_choice
@pytest.mark.parametrize("seed", range(5))
def test_choice_among_rows_in_blocks_is_that_among_all(choose: Choose, seed: int) -> None:
    X, times = rows_and_times()
    weight = times.astype(float)
    cuts = [slice(0, 1), slice(1, 1), slice(1, 40), slice(40, N)]
    source = BlockedRows([(X[cut], weight[cut]) for cut in cuts])
    rows = RowsPass(source, SPHERICAL, Backend(n_threads=1), em="nearest")
    one = choose(rows, 5, np.random.default_rng(seed))
    other = choose(rows_of(X, weight), 5, np.random.default_rng(seed))
    np.testing.assert_array_equal(one, other)


@every_choice
def test_choice_never_takes_a_row_of_weight_zero(choose: Choose) -> None:
    X = np.arange(20.0)[:, None]
    weight = np.tile([1.0, 0.0], 10)
    weight[10:] = 0.0
    for seed in range(20):
        chosen = choose(rows_of(X, weight), 5, np.random.default_rng(seed))
        assert sorted(chosen.ravel()) == [0.0, 2.0, 4.0, 6.0, 8.0]


@every_choice
def test_choice_among_fewer_different_rows_takes_each_of_them(choose: Choose) -> None:
    X = np.repeat([[0.0], [5.0], [6.0]], 4, axis=0)
    for seed in range(10):
        chosen = choose(rows_of(X, np.ones(12)), 5, np.random.default_rng(seed))
        assert chosen.shape == (5, 1)
        assert set(chosen.ravel()) == {0.0, 5.0, 6.0}


def test_random_rows_of_float32_are_those_rows_in_float64() -> None:
    X = clustered(N)[0].astype(np.float32)
    chosen = random_rows(rows_of(X), 3, np.random.default_rng(0))
    assert chosen.dtype == np.float64
    assert {tuple(row) for row in chosen} <= {tuple(map(float, row)) for row in X}


def test_kmeans_plusplus_on_far_clusters_chooses_one_of_each() -> None:
    cluster = np.repeat(np.arange(4.0), 50)
    X = np.random.default_rng(0).normal(size=(200, 2)) + 100.0 * cluster[:, None]
    for seed in range(20):
        chosen = seeding.kmeans_plusplus(rows_of(X), 4, np.random.default_rng(seed))
        assert sorted(np.round(chosen[:, 0] / 100.0)) == [0.0, 1.0, 2.0, 3.0]


@every_backend
@pytest.mark.parametrize("seed", range(5))
def test_kmeans_plusplus_takes_the_best_of_its_trials_each_time(seed: int, backend: str) -> None:
    """By plain loops, for the rows of a pass and for those of a fit."""
    X = clustered(N, 3, 4, seed=seed)[0]
    weight = np.random.default_rng(seed).exponential(size=N)
    k, rng = 6, np.random.default_rng(seed)

    def expected(rng: np.random.Generator) -> Floats:
        chosen = [draw_rows(weight, 1, rng)[0]]
        for _ in range(1, k):
            nearest = np.min([((X - X[c]) ** 2).sum(axis=1) for c in chosen], axis=0)
            trials = draw_rows(weight * nearest, 2 + int(np.log(k)), rng)
            totals = [weight @ np.minimum(nearest, ((X - X[t]) ** 2).sum(axis=1)) for t in trials]
            chosen.append(trials[int(np.argmin(totals))])
        return X[chosen]

    computed = seeding.kmeans_plusplus(rows_of(X, weight, backend), k, rng)
    np.testing.assert_array_equal(computed, expected(np.random.default_rng(seed)))
    (stream,) = np.random.default_rng(seed).spawn(1)
    settings = {"sample_weight": weight, "max_iter": 1, "tol": 0.0, "backend": backend}
    fit = fit_kmeans(X, k, rng=seed, **settings)
    same = fit_kmeans(X, k, init=expected(stream), **settings)
    np.testing.assert_array_equal(np.sort(fit.centers, axis=0), np.sort(same.centers, axis=0))


# Coordinates


@pytest.mark.parametrize("metric", ["scaled", "whitened"])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_standardised_rows_do_not_depend_on_units(metric: str, offset: float) -> None:
    X, times = rows_and_times()
    weight = times + 0.5
    expected = in_units(X, weight, metric)
    mean = np.average(expected, axis=0, weights=weight)
    covariance = np.cov(expected.T, aweights=weight, bias=True)
    np.testing.assert_allclose(mean, 0.0, atol=1e-14)
    np.testing.assert_allclose(np.diag(covariance), 1.0, rtol=1e-13)
    if metric == "whitened":
        np.testing.assert_allclose(covariance, np.eye(2), atol=1e-13)
    other = in_units((X + offset) * [1e-6, 2.0**10], weight, metric)
    np.testing.assert_allclose(np.abs(other), np.abs(expected), atol=1e-12 + 1e-15 * offset)


@pytest.mark.parametrize(("metric", "columns"), [("scaled", 3), ("whitened", 2)])
def test_standardised_rows_without_spread_in_a_direction_are_finite(
    metric: str, columns: int
) -> None:
    X = clustered(N)[0]
    Z = in_units(np.column_stack([X, np.full(N, 0.1)]), np.ones(N), metric)
    assert Z.shape == (N, columns)
    assert np.isfinite(Z).all()
    dependent = in_units(np.column_stack([X, X @ [1.0, 2.0]]), np.ones(N), metric)
    assert dependent.shape == (N, columns)


# Lloyd's iterations


def test_lloyd_moves_centers_to_means_and_leaves_empty_ones() -> None:
    Z = np.array([[0.0], [1.0], [10.0], [12.0]])
    centers = np.array([[0.0], [11.5], [100.0]])
    weight = np.array([3.0, 1.0, 1.0, 1.0])
    *_, last = islice(seeding.lloyd(rows_of(Z, weight), centers), 5)
    np.testing.assert_array_equal(last.centers, [[0.25], [11.0], [100.0]])
    np.testing.assert_array_equal(last.labels, [0, 0, 1, 1])
    np.testing.assert_array_equal(centers, [[0.0], [11.5], [100.0]])


def test_lloyd_yields_the_clusters_about_its_centers_each_time() -> None:
    X = clustered(500, 2, 6, spread=2.0)[0]
    rows, begin = rows_of(X, np.ones(500)), X[:6]
    before = begin
    falling = []
    for i, clusters in enumerate(islice(seeding.lloyd(rows, begin), 60)):
        distances = np.square(X[:, None] - clusters.centers).sum(axis=2)
        np.testing.assert_array_equal(clusters.labels, distances.argmin(axis=1))
        scatter = distances.min(axis=1).sum()
        assert clusters.statistics.log_likelihood == pytest.approx(-0.5 * scatter, rel=1e-12)
        np.testing.assert_array_equal(clusters.centers, before)
        before = clusters.statistics.means()
        assert not clusters.refilled
        falling.append(-clusters.statistics.log_likelihood)
        if i == 1:
            second = clusters.labels
    np.testing.assert_array_equal(clusters.labels, second)  # an array of two in turn
    assert all(after <= before * (1.0 + 1e-14) for before, after in pairwise(falling))
    assert falling[0] > falling[5] > falling[20]
    assert falling[-1] == pytest.approx(falling[-2], rel=1e-14)


def test_lloyd_asks_for_other_centers_where_clusters_are_empty() -> None:
    Z = np.array([[0.0], [1.0], [10.0], [12.0]])
    asked: list[Clusters] = []

    def refill(clusters: Clusters) -> Floats:
        asked.append(clusters)
        return np.array([[0.5], [10.0], [12.0]])

    begin = np.array([[0.0], [11.5], [100.0]])
    first, second, third = islice(seeding.lloyd(rows_of(Z), begin, refill), 3)
    (clusters,) = asked
    assert clusters is first
    assert first.statistics.resp_sum.tolist() == [2.0, 2.0, 0.0]
    assert [each.refilled for each in (first, second, third)] == [False, True, False]
    np.testing.assert_array_equal(second.centers, [[0.5], [10.0], [12.0]])
    np.testing.assert_array_equal(third.labels, [0, 0, 1, 2])


def test_lloyd_with_many_centers_is_that_of_dense_passes() -> None:
    """With bounds that are carried from pass to pass."""
    X = clustered(1000, 3, 20, spread=8.0)[0]
    begin = X[:960:12].copy()
    for clusters in islice(seeding.lloyd(rows_of(X), begin), 12):
        dense = rows_of(X).accumulate(Seen.of_centers(clusters.centers, SPHERICAL))
        np.testing.assert_allclose(clusters.statistics.resp_sum, dense.resp_sum)
        np.testing.assert_allclose(clusters.statistics.means(), dense.means(), rtol=1e-12)
