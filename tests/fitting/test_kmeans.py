"""k-means: Lloyd's algorithm against plain loops and scikit-learn, weights, ties, lost clusters."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clusters import clustered
from helpers import LAYOUTS, unchanged

import mixtura
from mixtura import ConvergenceWarning, KMeansFit, fit_kmeans, hierarchical, scan
from mixtura.shapes import Floats


def lloyd(X: Floats, centers: Floats, weight: Floats | None = None) -> tuple[Floats, np.ndarray]:
    """Centers and labels after Lloyd's iterations by plain loops, until nothing moves."""
    w = np.ones(len(X)) if weight is None else weight
    while True:
        distances = ((X[:, None] - centers) ** 2).sum(axis=2)
        labels = distances.argmin(axis=1)
        moved = np.array(
            [
                np.average(X[labels == c], axis=0, weights=w[labels == c])
                for c in range(len(centers))
            ]
        )
        if np.allclose(moved, centers, rtol=0, atol=1e-14):
            return centers, labels
        centers = moved


def inertia(X: Floats, centers: Floats, weight: Floats | None = None) -> float:
    nearest = ((X[:, None] - centers) ** 2).sum(axis=2).min(axis=1)
    return float(nearest.sum() if weight is None else nearest @ weight)


def assert_same_bits(one: KMeansFit, other: KMeansFit) -> None:
    np.testing.assert_array_equal(one.centers, other.centers)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert (one.inertia, one.n_iter, one.converged) == (
        other.inertia,
        other.n_iter,
        other.converged,
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d", "k"), [(30, 1, 2), (400, 2, 5), (1000, 9, 8), (300, 33, 3)])
def test_fit_from_given_centers_is_plain_lloyd(n: int, d: int, k: int, weighted: bool) -> None:
    X = clustered(n, d, k)[0]
    weight = np.random.default_rng(0).exponential(size=n) if weighted else None
    begin = X[:: n // k][:k]
    fit = fit_kmeans(X, k, init=begin, sample_weight=weight, tol=0)
    centers, labels = lloyd(X, begin, weight)
    assert fit.converged
    np.testing.assert_allclose(fit.centers, centers, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(fit.labels, labels)
    assert fit.labels.dtype == np.int64
    assert fit.inertia == pytest.approx(inertia(X, centers, weight), rel=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
def test_fit_from_given_centers_is_that_of_scikit_learn(weighted: bool) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    X = clustered(600, 4, 6, spread=2.0)[0]
    weight = np.random.default_rng(0).exponential(size=600) if weighted else None
    begin = X[::100]
    model = cluster.KMeans(6, init=begin, n_init=1, tol=0, max_iter=300, algorithm="lloyd")
    model.fit(X, sample_weight=weight)
    fit = fit_kmeans(X, 6, init=begin, sample_weight=weight, tol=0, max_iter=300)
    np.testing.assert_allclose(fit.centers, model.cluster_centers_, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(fit.labels, model.labels_)
    assert fit.inertia == pytest.approx(model.inertia_, rel=1e-12)


def test_fit_of_several_starts_is_as_good_as_that_of_scikit_learn() -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    X = clustered(600, 2, 12, spread=6.0)[0]
    theirs = cluster.KMeans(12, n_init=10, random_state=0).fit(X).inertia_
    assert fit_kmeans(X, 12, n_init=10, rng=0).inertia <= 1.01 * theirs


@pytest.mark.parametrize("init", ["kmeans++", "random"])
@pytest.mark.parametrize("seed", range(5))
def test_fit_of_weighted_rows_is_the_fit_of_repeated_rows(init: str, seed: int) -> None:
    X = clustered(100, 2, 4)[0]
    times = np.random.default_rng(seed).integers(0, 4, size=100)
    times[0] = 0
    repeated = np.repeat(X, times, axis=0)
    one = fit_kmeans(X, 4, sample_weight=times, init=init, rng=seed)
    other = fit_kmeans(repeated, 4, init=init, rng=seed)
    np.testing.assert_allclose(one.centers, other.centers, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(np.repeat(one.labels, times), other.labels)
    assert one.inertia == pytest.approx(other.inertia, rel=1e-12)
    assert one.n_iter == other.n_iter


@pytest.mark.parametrize("init", ["kmeans++", "random"])
def test_fit_with_rows_of_weight_zero_is_the_fit_without_them(init: str) -> None:
    X = clustered(200, 2, 4)[0]
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], size=200)
    X[weight == 0.0] *= 100.0
    present = weight > 0.0
    one = fit_kmeans(X, 4, sample_weight=weight, init=init, rng=0)
    other = fit_kmeans(X[present], 4, sample_weight=weight[present], init=init, rng=0)
    np.testing.assert_allclose(one.centers, other.centers, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(one.labels[present], other.labels)
    distances = ((X[:, None] - one.centers) ** 2).sum(axis=2)
    np.testing.assert_array_equal(one.labels, distances.argmin(axis=1))
    assert len(set(one.labels[~present])) > 1


def test_inertia_from_iteration_to_iteration_never_rises() -> None:
    X = clustered(500, 2, 7, spread=1.0)[0]
    begin = X[:7]
    inertias = [fit_kmeans(X, 7, init=begin, tol=0, max_iter=m).inertia for m in range(1, 30)]
    for before, after in itertools.pairwise(inertias):
        assert after <= before * (1 + 1e-15)
    assert inertias[-1] < inertias[0]


@pytest.mark.parametrize("weighted", [False, True])
def test_cluster_that_loses_its_rows_moves_to_the_farthest_row(weighted: bool) -> None:
    X = np.array([[0.0], [1.0], [2.0], [50.0], [60.0]])
    weight = np.array([1.0, 1.0, 1.0, 1.0, 0.0]) if weighted else None
    fit = fit_kmeans(X, 2, init=[[1.0], [1e6]], sample_weight=weight)
    expected = [[1.0], [50.0]] if weighted else [[1.0], [55.0]]
    np.testing.assert_allclose(fit.centers, expected)
    assert fit.labels.tolist() == [0, 0, 0, 1, 1]


def test_clusters_that_lose_their_rows_together_move_to_different_ones() -> None:
    X = np.array([[0.0], [1.0], [2.0], [60.0], [-80.0], [-80.0]])
    fit = fit_kmeans(X, 3, init=[[1.0], [1e6], [2e6]], max_iter=1, tol=0)
    assert fit.centers[1:].tolist() == [[-80.0], [60.0]]
    fit = fit_kmeans(X, 3, init=[[1.0], [1e6], [2e6]])
    assert fit.centers.tolist() == [[1.0], [-80.0], [60.0]]
    assert fit.inertia == 2.0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("max_iter", [1, 2, 5])
def test_clusters_that_lose_their_rows_take_those_that_they_take_in_scikit_learn(
    max_iter: int, weighted: bool
) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    X = clustered(200, 2, 4)[0]
    weight = np.random.default_rng(0).exponential(size=200) if weighted else None
    begin = np.vstack([X[:2], X[:2] + 1e3, X[:1] - 1e3])
    model = cluster.KMeans(5, init=begin, n_init=1, tol=0, max_iter=max_iter)
    model.fit(X, sample_weight=weight)
    fit = fit_kmeans(X, 5, init=begin, sample_weight=weight, tol=0, max_iter=max_iter)
    np.testing.assert_allclose(fit.centers, model.cluster_centers_, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(fit.labels, model.labels_)


def test_cluster_that_loses_its_rows_where_none_is_off_a_center_stays() -> None:
    X = np.array([[100.0], [0.0], [0.0], [0.0]])
    with pytest.warns(ConvergenceWarning, match="k-means found 1 of 2 clusters"):
        fit = fit_kmeans(X, 2, init=[[0.0], [50.0]], sample_weight=[0.0, 1.0, 1.0, 1.0])
    assert fit.centers.tolist() == [[0.0], [50.0]]
    assert fit.converged


def test_center_equally_near_is_the_first() -> None:
    X = np.array([[-1.0], [0.0], [1.0]])
    fit = fit_kmeans(X, 2, init=[[-1.0], [1.0]], max_iter=1, tol=0)
    assert fit.labels.tolist() == [0, 0, 1]
    with pytest.warns(ConvergenceWarning, match="k-means found 2 of 3 clusters"):
        same = fit_kmeans(np.repeat([[2.0], [9.0]], 3, axis=0), 3, init=[[2.0], [2.0], [9.0]])
    assert same.labels.tolist() == [0, 0, 0, 2, 2, 2]


def test_clusters_of_rows_without_weight_are_not_found() -> None:
    X, weight = np.array([[0.0], [0.0], [5.0], [5.0]]), [1.0, 1.0, 0.0, 0.0]
    with pytest.warns(ConvergenceWarning, match="k-means found 1 of 2 clusters"):
        fit_kmeans(X, 2, sample_weight=weight, init=[[0.0], [5.0]])
    assert fit_kmeans(X, 2, sample_weight=[1.0, 0.0, 1.0, 0.0], rng=0).inertia == 0.0


@pytest.mark.parametrize("init", ["kmeans++", "random"])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_fit_of_as_many_clusters_as_rows_has_no_inertia(init: str, n: int) -> None:
    X = clustered(7, 2, 2)[0][:n]
    fit = fit_kmeans(X, n, init=init, rng=0)
    assert f"{fit.inertia}" == "0.0"
    assert fit.converged
    assert sorted(fit.labels) == list(range(n))
    np.testing.assert_array_equal(fit.centers[fit.labels], X)


@pytest.mark.parametrize("init", ["kmeans++", "random"])
@pytest.mark.parametrize("n_distinct", [1, 2])
def test_fit_of_fewer_different_rows_than_clusters_is_exact(init: str, n_distinct: int) -> None:
    X = np.repeat([[0.0, 1.0], [3.0, 5.0]][:n_distinct], 10, axis=0)
    message = f"k-means found {n_distinct} of 4 clusters: no row is nearest to the other centers"
    with pytest.warns(ConvergenceWarning, match=message):
        fit = fit_kmeans(X, 4, init=init, rng=0)
    assert fit.converged
    assert fit.inertia == 0.0
    np.testing.assert_array_equal(fit.centers[fit.labels], X)


def test_fit_of_one_cluster_is_the_mean() -> None:
    X = clustered(200, 3)[0]
    fit = fit_kmeans(X, 1, rng=0)
    np.testing.assert_allclose(fit.centers, [X.mean(axis=0)], rtol=1e-13)
    assert fit.inertia == pytest.approx(len(X) * X.var(axis=0).sum(), rel=1e-13)


def test_fit_far_from_zero_is_as_good() -> None:
    X = clustered(400, 2, 5)[0]
    one, other = (fit_kmeans(rows, 5, init=rows[::80], tol=0) for rows in (X, X + 1e8))
    np.testing.assert_array_equal(one.labels, other.labels)
    assert other.inertia == pytest.approx(one.inertia, rel=1e-9)


def test_fit_in_other_units_is_the_same() -> None:
    X = clustered(400, 2, 5)[0]
    one, other = (fit_kmeans(rows, 5, rng=0) for rows in (X, X * 2.0**-40))
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.n_iter == other.n_iter
    assert other.inertia == one.inertia * 2.0**-80


def test_fit_of_more_starts_is_the_best_of_them() -> None:
    X = clustered(300, 2, 9, spread=5.0)[0]
    inertias = [fit_kmeans(X, 9, init="random", rng=0, n_init=n).inertia for n in range(1, 7)]
    assert inertias == sorted(inertias, reverse=True)
    assert inertias[-1] < inertias[0]


def test_fit_without_tolerance_continues_until_nothing_changes() -> None:
    X = clustered(500, 2, 7, spread=1.0)[0]
    rough, exact = (fit_kmeans(X, 7, init=X[:7], tol=tol) for tol in (1e-2, 0.0))
    assert rough.converged
    assert exact.converged
    assert rough.n_iter < exact.n_iter
    again = fit_kmeans(X, 7, init=exact.centers, tol=0.0)
    assert again.n_iter == 1
    np.testing.assert_allclose(again.centers, exact.centers, rtol=1e-15, atol=1e-15)
    np.testing.assert_array_equal(again.labels, exact.labels)


def test_fit_that_uses_up_max_iter_warns_where_it_was_called() -> None:
    X = clustered(500, 2, 7, spread=1.0)[0]
    message = r"k-means used up its 2 iterations .* tol=1e-09\. Raise max_iter, or tol\."
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        fit = fit_kmeans(X, 7, init=X[:7], max_iter=2, tol=1e-9)
    assert (fit.converged, fit.n_iter) == (False, 2)
    assert caught[0].filename == __file__
    assert not fit_kmeans(X, 7, init=X[:7], max_iter=2, tol=0.0).converged  # as asked for


@pytest.mark.parametrize("weighted", [False, True])
def test_states_that_a_callback_keeps_do_not_change_later(*, weighted: bool) -> None:
    frame = pd.DataFrame(clustered(500, 2, 7, spread=1.0)[0], columns=["a", "b"])
    rows = frame.to_numpy()
    weight = np.arange(500) % 3 if weighted else None
    kept: list[KMeansFit] = []
    fit = fit_kmeans(frame, 7, init=rows[:7], sample_weight=weight, callback=kept.append)
    assert len(kept) == fit.n_iter > 5
    present = slice(None) if weight is None else weight > 0
    for n_iter, state in enumerate(kept, start=1):
        alone = fit_kmeans(frame, 7, init=rows[:7], sample_weight=weight, max_iter=n_iter, tol=0)
        np.testing.assert_array_equal(state.centers, alone.centers)
        np.testing.assert_array_equal(state.labels[present], alone.labels[present])
        assert state.feature_names == ("a", "b")
    kept[-1].labels[:] = -1  # they are the caller's
    assert fit.labels.min() == 0


def test_callback_of_kmeans_that_returns_an_array_is_refused() -> None:
    with pytest.raises(TypeError, match=r"callback must return True .+ got ndarray, .+ Return one"):
        fit_kmeans(clustered()[0], 2, rng=0, callback=lambda _: np.ones(2))


def test_callback_sees_each_iteration_and_stops_the_run() -> None:
    X = clustered(500, 2, 7, spread=1.0)[0]
    seen: list[tuple[Floats, float, int]] = []

    def callback(fit: KMeansFit) -> bool:
        assert not fit.converged
        np.testing.assert_array_equal(fit.predict(X), fit.labels)
        seen.append((fit.centers, fit.inertia, fit.n_iter))
        return fit.n_iter == 4

    fit = fit_kmeans(X, 7, init=X[:7], callback=callback)
    assert (fit.n_iter, fit.converged) == (4, False)
    assert [n_iter for *_, n_iter in seen] == [1, 2, 3, 4]
    for m, (centers, inertia, _) in enumerate(seen, start=1):
        alone = fit_kmeans(X, 7, init=X[:7], max_iter=m, tol=0)
        np.testing.assert_array_equal(alone.centers, centers)
        assert alone.inertia == inertia
    with pytest.raises(TypeError, match="callback must be callable or None; got 3"):
        fit_kmeans(X, 7, callback=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("init", ["kmeans++", "random", "centers"])
def test_fit_with_any_number_of_threads_gives_the_same_bits(init: str) -> None:
    X = clustered(6000, 5, 6)[0]
    begin = X[::1000] if init == "centers" else init
    fits = [
        fit_kmeans(X, 6, init=begin, rng=0, n_threads=n_threads, max_iter=5, tol=0)
        for n_threads in (1, 2, 3, 7, None)
    ]
    for fit in fits[1:]:
        assert_same_bits(fit, fits[0])
    np.testing.assert_array_equal(fits[0].predict(X, n_threads=3), fits[0].labels)


@pytest.mark.parametrize("init", ["kmeans++", "random", "centers", "lost"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [5, 130])
def test_fit_of_either_backend_is_the_same(init: str, weighted: bool, k: int) -> None:
    """With 130 clusters of 32 features the compiled passes carry bounds."""
    X = np.random.default_rng(0).permutation(clustered(1000, 32, 5, spread=0.5)[0])
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], size=1000) if weighted else None
    begin = {"centers": X[:k], "lost": np.vstack([X[: k - 2], X[:2] + 1e3])}.get(init, init)
    one, other = (
        fit_kmeans(X, k, init=begin, sample_weight=weight, rng=0, tol=0.0, backend=backend)
        for backend in ("compiled", "reference")
    )
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_allclose(one.centers, other.centers, rtol=0, atol=1e-12)
    assert one.inertia == pytest.approx(other.inertia, rel=1e-12)
    assert (one.n_iter, one.converged) == (other.n_iter, other.converged)
    assert one.n_iter > 3


@pytest.mark.parametrize("init", ["kmeans++", "random"])
def test_fit_with_the_same_seed_gives_the_same_bits(init: str) -> None:
    X = clustered(300, 2, 5)[0]
    fits = [fit_kmeans(X, 5, init=init, rng=rng) for rng in (1, 1, np.random.default_rng(1))]
    assert_same_bits(fits[0], fits[1])
    assert_same_bits(fits[0], fits[2])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fit_of_any_layout_is_the_same_and_leaves_it(layout: str, dtype: type) -> None:
    X = np.round(64 * clustered(300, 2, 5)[0]) / 64
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], size=300)
    arranged, begin = LAYOUTS[layout](X.astype(dtype)), X[::60].copy()
    with unchanged(arranged, weight, begin):
        fit = fit_kmeans(arranged, 5, init=begin, sample_weight=weight)
        predicted = fit.predict(arranged)
    assert_same_bits(fit, fit_kmeans(X, 5, init=begin, sample_weight=weight))
    np.testing.assert_array_equal(predicted, fit.labels)


def test_predict_of_other_rows_names_what_is_wrong() -> None:
    fit = fit_kmeans([[0.0, 0.0], [1.0, 1.0]], 2, rng=0)
    assert fit.predict(np.zeros((0, 2))).shape == (0,)
    with pytest.raises(ValueError, match=r"X must have 2 columns; got shape \(1, 3\)\."):
        fit.predict([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="n_threads must be an integer, 1 or more; got 0"):
        fit.predict([[1.0, 2.0]], n_threads=0)


def test_fits_are_equal_only_to_themselves() -> None:
    X = clustered()[0]
    one, other = fit_kmeans(X, 2, rng=0), fit_kmeans(X, 2, rng=0)
    assert one == one
    assert one != other
    assert len({one, other}) == 2


def test_run_from_lists_a_fit_or_a_tree_starts_from_their_centers() -> None:
    X, _ = clustered(200, 2, 3)
    centers = X[[0, 80, 160]]
    expected = fit_kmeans(X, 3, init=centers)
    assert_same_clusters(fit_kmeans(X, 3, init=centers.tolist()), expected)
    brief = fit_kmeans(X, 3, init=centers, max_iter=1, tol=0.0)
    again = fit_kmeans(X, 3, init=brief)
    assert_same_clusters(again, fit_kmeans(X, 3, init=brief.centers))
    np.testing.assert_allclose(again.centers, expected.centers, rtol=1e-13)
    tree = hierarchical(X)
    means = np.array([X[tree.labels(3) == j].mean(axis=0) for j in range(3)])
    from_tree, from_means = fit_kmeans(X, 3, init=tree), fit_kmeans(X, 3, init=means)
    np.testing.assert_allclose(from_tree.centers, from_means.centers, rtol=1e-13)


def assert_same_clusters(one: KMeansFit, other: KMeansFit) -> None:
    np.testing.assert_array_equal(one.centers, other.centers)
    np.testing.assert_array_equal(one.labels, other.labels)


# What a fit says of its clusters


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("d", "k"), [(1, 1), (2, 3), (9, 4)])
def test_sizes_and_deviations_are_those_of_the_rows_of_each_cluster(
    d: int, k: int, weighted: bool, dtype: type
) -> None:
    X = (clustered(240, d, 3)[0] + 50).astype(dtype)
    weight = np.r_[0.0, np.random.default_rng(0).exponential(size=239)] if weighted else None
    fit = fit_kmeans(X, k, sample_weight=weight, rng=0, tol=0)
    w = np.ones(240) if weight is None else weight
    members = [fit.labels == c for c in range(k)]
    np.testing.assert_allclose(fit.sizes, [w[mine].sum() for mine in members], rtol=1e-12)
    for mine, center, deviation in zip(members, fit.centers, fit.deviations, strict=True):
        variance = np.average((X[mine].astype(float) - center) ** 2, axis=0, weights=w[mine])
        np.testing.assert_allclose(deviation, np.sqrt(variance), rtol=1e-5)
    assert fit.n_samples == (239 if weighted else 240)
    assert (fit.n_clusters, fit.n_features) == (k, d)


def test_deviations_of_one_row_and_of_equal_rows_are_zero() -> None:
    fit = fit_kmeans([[1e8], [3.0], [3.0]], 2, init=[[1e8], [3.0]])
    np.testing.assert_array_equal(fit.deviations, 0.0)
    np.testing.assert_array_equal(fit.sizes, [1.0, 2.0])


def test_facts_of_blocks_of_rows_are_those_of_all_rows() -> None:
    X = clustered()[0]
    one, other = (fit_kmeans(rows, 3, init=X[:3]) for rows in (X, scan([X[:7], X[7:]])))
    np.testing.assert_allclose(other.sizes, one.sizes)
    np.testing.assert_allclose(other.deviations, one.deviations, rtol=1e-9)


def test_history_has_the_inertia_after_each_iteration() -> None:
    X = clustered()[0]
    steps: list[float] = []
    fit = fit_kmeans(X, 5, rng=0, tol=0, callback=lambda step: steps.append(step.inertia))
    assert fit.history.tolist() == steps
    assert len(fit.history) == fit.n_iter
    assert fit.history[-1] == fit.inertia
    assert (np.diff(fit.history) <= 1e-12 * fit.inertia).all()


def test_summary_of_clusters_says_what_came_out() -> None:
    X = np.array([[0.0, 1.0], [2.0, 1.0], [10.0, 4.0], [10.0, 8.0]])
    fit = fit_kmeans(X, 2, init=X[[0, 2]], sample_weight=[1, 1, 30, 10])
    first, second, empty, *table = fit.summary(["length", "width"]).splitlines()
    assert first == "k-means: 2 clusters, 2 features, 4 rows of total weight 42"
    assert second == "inertia 122, converged after 1 iteration"
    assert empty == ""
    assert [" ".join(line.split()) for line in table] == [
        "cluster 0 cluster 1",
        "share 0.047619 0.95238",
        "size 2 40",
        "center",
        "length 1 10",
        "width 1 5",
        "standard deviation",
        "length 1 0",
        "width 0 1.7321",
    ]
    assert fit_kmeans(X, 1).summary().startswith("k-means: 1 cluster, 2 features, 4 rows\n")
    html = fit._repr_html_()
    assert "4 rows of total weight 42<br>inertia 122" in html
    assert "<th>cluster 1</th>" in html


def test_frame_of_clusters_has_a_row_for_each() -> None:
    frame = pd.DataFrame(clustered()[0], columns=["a", "b"])
    fit = fit_kmeans(frame, 3, rng=0)
    table = fit.to_pandas()
    assert table.index.name == "cluster"
    np.testing.assert_allclose(table["weight"], np.bincount(fit.labels) / len(frame))
    np.testing.assert_array_equal(table["mean"], fit.centers)
    np.testing.assert_array_equal(table["standard deviation"], fit.deviations)
    assert table["mean"].columns.tolist() == ["a", "b"]


def test_clusters_of_an_older_file_are_shown_without_what_it_lacks() -> None:
    old = mixtura.load(Path(__file__).parent.parent / "data" / "kmeans-v1.npz")
    assert old.sizes is None
    assert old.deviations is None
    assert old.n_samples is None
    assert old.history.shape == (0,)
    assert old.summary().splitlines()[:3] == [
        "k-means: 2 clusters, 2 features",
        "inertia 2.5, stopped after 7 iterations",
        "",
    ]
    assert "size" not in old.summary()
    assert old.to_pandas().columns.get_level_values(0).unique().tolist() == ["mean"]
