"""Beginnings: parameters from which EM may start, of different kinds in turn."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES
from loops import ONE_THREAD, em_on, in_units
from numpy.typing import NDArray

from mixtura.data import ArrayRows
from mixtura.parameters import Parameters
from mixtura.passes import RowsPass
from mixtura.schedules import EM
from mixtura.shapes import SHAPES, SPHERICAL, Floats
from mixtura.starts import Beginnings
from mixtura.starts.seeding import kmeans_plusplus, random_rows

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


# The sample


def size_of_sample(method: Any, k: int, n: int, d: int) -> int:
    """How often rows are drawn: few of them twice."""
    source = ArrayRows(np.random.default_rng(0).normal(size=(n, d)))
    beginnings = Beginnings(method, k, ONE_THREAD)
    return int(beginnings.drawn(source, np.random.default_rng(0))[1].sum())


@pytest.mark.parametrize(("k", "d", "size"), [(1, 1, 18181), (5, 30, 3100), (64, 16, 21760)])
def test_sample_of_rows_is_large_for_the_parameters_and_cheap(k: int, d: int, size: int) -> None:
    assert size_of_sample("mixed", k, 2 * size + 1, d) == size


@pytest.mark.parametrize(("k", "d", "size"), [(1, 1, 18181), (5, 30, 3100), (64, 16, 21760)])
def test_all_rows_are_taken_where_the_sample_would_be_half_of_them(
    k: int, d: int, size: int
) -> None:
    assert size_of_sample("mixed", k, 2 * size, d) == 2 * size


def test_sample_for_trees_has_as_many_rows_as_they_have_leaves() -> None:
    assert size_of_sample("hierarchical", 3, 2100, 2) == 2000
    assert size_of_sample("hierarchical", 120, 2500, 2) == 2400


# The clusters from which runs start


class LabelsSeen(RowsPass):
    """A pass that keeps the labels it is given."""

    def __init__(self, sample: ArrayRows, covariance_type: str) -> None:
        super().__init__(sample, SHAPES[covariance_type], ONE_THREAD)
        self.labels: list[NDArray[np.int64]] = []

    def given(self, shares: NDArray[Any], centres: Floats) -> Any:
        self._keep(shares)
        return super().given(shares, centres)

    def guess(self, step: Any, labels: NDArray[np.int64], *options: Any) -> Any:
        self._keep(labels)
        return super().guess(step, labels, *options)

    def _keep(self, labels: NDArray[np.int64]) -> None:
        if not any(labels is earlier for earlier in self.labels):  # they may be used again
            self.labels.append(labels)


def seen_starts(
    X: Floats, method: Any, *, n_init: int = 10, k: int = 4, seed: int = 0,
    covariance_type: str = "full", ridge: float = 1e-6, weight: Floats | None = None,
) -> tuple[list[NDArray[np.int64]], list[Parameters]]:  # fmt: skip
    """The labels of the clusters of some starts, and the parameters made of them."""
    em = em_on(X, covariance_type, ridge=ridge)
    source = ArrayRows(X, weight)
    rows = LabelsSeen(source, covariance_type)
    em = EM(rows, em.update, em.schedule, em.collapse)
    beginnings = Beginnings(method, k, ONE_THREAD)
    starts = beginnings.parameters(em, source.middle, np.random.default_rng(seed), seeded=True)
    return rows.labels, list(islice(starts, n_init))


def space(X: Floats, metric: Any) -> RowsPass:
    Z = in_units(X, np.ones(len(X)), metric)
    return RowsPass(ArrayRows(Z, np.ones(len(X))), SPHERICAL, ONE_THREAD, em="nearest")


@pytest.mark.parametrize("n_init", [1, 2, 3])
def test_automatic_starts_take_turns_at_the_two_metrics(n_init: int) -> None:
    X = clustered()[0]
    rng = np.random.default_rng(0)
    found, starts = seen_starts(X, "kmeans++", n_init=n_init, k=3)
    assert len(found) == len(starts) == n_init
    metrics = ["scaled", "whitened", "scaled"][:n_init]
    for labels, metric in zip(found, metrics, strict=True):
        rows = space(X, metric)
        centres = kmeans_plusplus(rows, 3, rng)
        distances = np.square(rows.source.X[:, None] - centres).sum(axis=2)
        np.testing.assert_array_equal(labels, distances.argmin(axis=1))


def test_start_by_kmeans_gives_rows_to_the_means_that_lloyd_leads_to() -> None:
    X = clustered(200, 2, 4)[0]
    Z = in_units(X, np.ones(200), "scaled")
    (labels,) = seen_starts(X, "kmeans", n_init=1)[0]
    means = np.stack([Z[labels == j].mean(axis=0) for j in range(4)])
    distances = np.square(Z[:, None] - means).sum(axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1), labels)
    (begin,) = seen_starts(X, "kmeans++", n_init=1)[0]
    assert (begin != labels).any()


@pytest.mark.parametrize(("seed", "n_made"), [(1, 10), (4, 20), (6, 20)])
def test_start_by_kmeans_makes_twenty_iterations_while_they_pay(seed: int, n_made: int) -> None:
    """By plain loops: it stops at a relative gain of 1e-5, before anything is final."""
    X = clustered(1900, 2, 6, spread=1.0, seed=seed)[0]
    rows = space(X, "scaled")
    Z, rng = rows.source.X, np.random.default_rng(seed)
    centres, before = kmeans_plusplus(rows, 8, rng), np.inf
    n_iter = 0
    while True:
        squared = np.square(Z[:, None] - centres).sum(axis=2)
        labels, scatter = squared.argmin(axis=1), squared.min(axis=1).sum()
        if n_iter == 20 or before - scatter <= 1e-5 * scatter:
            break
        centres, before = np.stack([Z[labels == j].mean(axis=0) for j in range(8)]), scatter
        n_iter += 1
    assert n_iter == n_made
    (found,) = seen_starts(X, "kmeans", n_init=1, k=8, seed=seed)[0]
    np.testing.assert_array_equal(found, labels)
    moved = np.stack([Z[labels == j].mean(axis=0) for j in range(8)])
    assert (np.square(Z[:, None] - moved).sum(axis=2).argmin(axis=1) != labels).any()


def test_starts_on_one_feature_use_one_metric() -> None:
    X = np.random.default_rng(0).normal(size=(100, 1))
    rows, rng = space(X, "scaled"), np.random.default_rng(0)
    for labels in seen_starts(X, "random", n_init=2, k=3)[0]:
        centres = random_rows(rows.source, 3, rng)
        expected = np.abs(rows.source.X - centres.T).argmin(axis=1)
        np.testing.assert_array_equal(labels, expected)


def test_trees_of_three_coordinates_are_cut_for_three_starts() -> None:
    X = clustered(60, 2, 3)[0]
    assert len(seen_starts(X, "hierarchical", k=3)[0]) == 3
    assert len(seen_starts(X, "hierarchical", k=3, n_init=2)[0]) == 2


@every_type
def test_start_from_clusters_draws_their_covariances_towards_the_pooled_one(
    covariance_type: str,
) -> None:
    """By half an average component: its weight in rows that scatter as the pooled ones do."""
    X = clustered(200, 3, 4)[0]
    found, starts = seen_starts(X, "random", n_init=2, covariance_type=covariance_type, ridge=0.0)
    for labels, start in zip(found, starts, strict=True):
        sizes = np.bincount(labels, minlength=4)
        means = np.stack([X[labels == j].mean(axis=0) for j in range(4)])
        scatters = np.stack([n * np.cov(X[labels == j].T, ddof=0) for j, n in enumerate(sizes)])
        pooled, lent = scatters.sum(axis=0) / 200, 0.5 * 200 / 4
        covariances = (scatters + lent * pooled) / (sizes + lent)[:, None, None]
        expected = {
            "full": covariances,
            "tied": pooled,
            "diag": np.einsum("jaa->ja", covariances),
            "spherical": np.einsum("jaa->j", covariances) / 3,
        }[covariance_type]
        np.testing.assert_allclose(start.weights, sizes / 200)
        np.testing.assert_allclose(start.means, means, rtol=1e-12)
        np.testing.assert_allclose(start.covariances, expected, rtol=1e-12, atol=1e-13)


def test_start_of_clusters_without_rows_shares_those_of_the_heaviest() -> None:
    """Of four components there are two clusters, for there are two different rows."""
    X = np.array([[1.0], [1.0], [1.0], [9.0], [9.0]])
    (start,) = seen_starts(
        X, "kmeans++", n_init=1, covariance_type="spherical", ridge=0.04
    )[1]  # fmt: skip
    order = np.argsort(start.means[:, 0])
    np.testing.assert_allclose(start.weights[order], [0.3, 0.3, 0.2, 0.2])
    low, high = start.means[order[[0, 2]], 0], start.means[order[[1, 3]], 0]
    np.testing.assert_allclose(0.5 * (low + high), [1.0, 9.0])
    np.testing.assert_allclose(start.covariances, 0.04)
    np.testing.assert_allclose(high - low, 0.2)


def test_mixed_starts_take_turns_at_kinds_and_metrics() -> None:
    """Those by k-means stay what they are when rows are given to the nearest mean again."""
    X = clustered(300, 2, 4, spread=2.0)[0]
    found = seen_starts(X, "mixed")[0]
    assert len(found) == 10
    for i, labels in enumerate(found):
        settled = []
        for metric in ("scaled", "whitened"):
            Z = in_units(X, np.ones(len(X)), metric)
            means = np.stack([Z[labels == j].mean(axis=0) for j in range(4)])
            nearest = np.square(Z[:, None] - means).sum(axis=2).argmin(axis=1)
            settled.append((nearest != labels).mean() < 0.02)
        if i % 5 < 2:
            assert settled[i % 5]
    assert len({labels.tobytes() for labels in found}) > 5


def test_mixed_starts_of_one_feature_have_one_of_equal_groups() -> None:
    X = np.random.default_rng(0).exponential(size=(90, 1))
    labels = seen_starts(X, "mixed", n_init=2, k=3)[0][1]
    ranks = np.argsort(np.argsort(X[:, 0]))
    np.testing.assert_array_equal(labels, ranks // 30)


def test_equal_groups_are_of_equal_weight() -> None:
    X = np.arange(6.0)[:, None]
    weight = np.array([3.0, 1.0, 1.0, 1.0, 2.0, 1.0])
    labels = seen_starts(X, "mixed", n_init=2, k=3, weight=weight)[0][1]
    np.testing.assert_array_equal(labels, [0, 1, 1, 1, 2, 2])


def test_starts_do_not_end_but_for_trees() -> None:
    X = clustered(60, 2, 3)[0]
    assert len(seen_starts(X, "mixed", n_init=23, k=3)[1]) == 23
    assert len(seen_starts(X, "hierarchical", n_init=23, k=3)[1]) == 3
