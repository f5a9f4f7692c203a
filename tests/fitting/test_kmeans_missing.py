"""k-means of rows with missing values: distances and means of what is observed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clusters import clustered
from holes import with_holes
from numpy.typing import NDArray

import mixtura
from mixtura import ConvergenceWarning, KMeansFit, datasets, fit_gmm, fit_kmeans, scan
from mixtura.shapes import Floats

X = with_holes(clustered(200, 3, 4, spread=4.0)[0], 0.3)
WEIGHT = np.random.default_rng(1).choice([0.0, 1.0, 2.0], len(X))
NOTHING = np.isnan(X).all(axis=1)


def distances(X: Floats, centers: Floats) -> Floats:
    """Squared, in the observed features."""
    return np.stack([np.nansum(np.square(X - center), axis=1) for center in centers], axis=1)


def means(X: Floats, weight: Floats, labels: NDArray[np.int64], before: Floats) -> Floats:
    """Of what is observed in each cluster; where nothing is, as before."""
    centers = before.copy()
    for j in range(len(before)):
        for a in range(X.shape[1]):
            there = (labels == j) & ~np.isnan(X[:, a]) & (weight > 0.0)
            if there.any():
                centers[j, a] = np.average(X[there, a], weights=weight[there])
    return centers


def test_fit_remembers_what_missing_numbers_are(tmp_path: Path) -> None:
    seen: list[KMeansFit] = []
    fit = fit_kmeans(X, 3, missing="em", rng=0, callback=seen.append)
    assert {fit.missing, *(each.missing for each in seen)} == {"em"}
    fit.save(tmp_path / "fit.npz")
    for each in (fit, mixtura.load(tmp_path / "fit.npz")):
        assert each.missing == "em"
        np.testing.assert_array_equal(each.predict(X), fit.labels)
        with pytest.raises(ValueError, match='or pass missing="em"'):
            each.predict(X, missing="raise")
    whole = np.nan_to_num(X)
    assert fit_kmeans(whole, 3, missing="em", rng=0).missing == "em"
    other = fit_kmeans(whole, 3, rng=0)
    assert other.missing == "raise"
    with pytest.raises(ValueError, match='or pass missing="em"'):
        other.predict(X)
    np.testing.assert_array_equal(other.predict(X, missing="em") < 0, NOTHING)


def test_older_files_of_clusters_know_of_no_missing_numbers(tmp_path: Path) -> None:
    assert mixtura.load(Path(__file__).parents[1] / "data" / "kmeans-v1.npz").missing == "raise"
    replace(fit_kmeans(X, 3, missing="em", rng=0), missing="both").save(tmp_path / "fit.npz")
    with pytest.raises(ValueError, match="missing must be one of 'raise', 'em'; got 'both'"):
        mixtura.load(tmp_path / "fit.npz")


@pytest.mark.parametrize("backend", ["compiled", "reference"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("init", ["kmeans++", "random"])
def test_fit_ends_where_plain_loops_change_nothing(init: str, weighted: bool, backend: str) -> None:
    weight = WEIGHT if weighted else np.ones(len(X))
    fit = fit_kmeans(
        X, 4, init=init, sample_weight=WEIGHT if weighted else None, missing="em", tol=0.0, rng=0,
        backend=backend,
    )  # fmt: skip
    labels = distances(X, fit.centers).argmin(axis=1)
    np.testing.assert_array_equal(fit.labels, np.where(NOTHING, -1, labels))
    np.testing.assert_array_equal(fit.predict(X, missing="em"), fit.labels)
    expected = means(X, weight, fit.labels, fit.centers)
    np.testing.assert_allclose(fit.centers, expected, rtol=1e-12)
    weight = np.where(NOTHING, 0.0, weight)
    inertia = weight @ distances(X, fit.centers).min(axis=1)
    assert fit.inertia == pytest.approx(inertia, rel=1e-12)
    assert fit.n_samples == np.count_nonzero(weight)
    np.testing.assert_allclose(fit.sizes, np.bincount(labels, weight, 4))
    for j in range(4):
        for a in range(3):
            there = (fit.labels == j) & ~np.isnan(X[:, a]) & (weight > 0.0)
            variance = np.cov(X[there, a], aweights=weight[there], ddof=0)
            assert fit.deviations[j, a] == pytest.approx(np.sqrt(variance), rel=1e-10)


def test_inertia_is_that_of_every_step_and_never_rises() -> None:
    centers = X[[0, 1, 2, 3]].copy()
    centers[np.isnan(centers)] = 0.0
    fits: list[KMeansFit] = []
    fit_kmeans(X, 4, init=centers, missing="em", tol=0.0, callback=fits.append)
    assert len(fits) > 3
    assert (np.diff(fits[-1].history) <= 0.0).all()
    observed = ~NOTHING
    for fit in fits:
        labels = distances(X, centers).argmin(axis=1)
        centers = means(X[observed], np.ones(observed.sum()), labels[observed], centers)
        np.testing.assert_allclose(fit.centers, centers, rtol=1e-12)
        inertia = distances(X[observed], centers).min(axis=1).sum()
        assert fit.inertia == pytest.approx(inertia, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_complete_rows_give_the_same_clusters_to_the_bit(weighted: bool) -> None:
    complete, weight = clustered(300, 3, 4)[0], None
    if weighted:
        weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], size=300)
    for rows in (complete, scan(np.array_split(complete, 3))):
        one, other = (
            fit_kmeans(rows, 4, sample_weight=weight, missing=m, rng=0, n_init=2)
            for m in ("raise", "em")
        )
        for name in ("centers", "labels", "history", "sizes", "deviations"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_blocks_and_weights_are_as_one_array_and_repeated_rows() -> None:
    centers = fit_kmeans(X, 4, missing="em", rng=0).centers
    options = {"init": centers + 0.5, "missing": "em", "tol": 0.0}
    one = fit_kmeans(X, 4, **options)
    blocks = fit_kmeans(scan([X[:50], X[50:]]), 4, **options)
    np.testing.assert_allclose(blocks.centers, one.centers, rtol=1e-12)
    weighted = fit_kmeans(X, 4, sample_weight=WEIGHT, **options)
    repeated = fit_kmeans(np.repeat(X, WEIGHT.astype(int), axis=0), 4, **options)
    np.testing.assert_allclose(weighted.centers, repeated.centers, rtol=1e-12)
    assert weighted.inertia == pytest.approx(repeated.inertia, rel=1e-12)


def test_empty_cluster_gets_the_farthest_row_and_keeps_what_that_does_not_say() -> None:
    rows = np.array([[0.0, 0.0], [1.0, 1.0], [9.0, np.nan], [0.0, 1.0], [np.nan, np.nan]])
    centers = np.array([[1.0, 0.5], [100.0, 100.0]])
    fit = fit_kmeans(rows, 2, init=centers, missing="em", tol=0.0)
    np.testing.assert_allclose(fit.centers, [[1.0 / 3.0, 2.0 / 3.0], [9.0, 0.5]])
    assert fit.labels.tolist() == [0, 0, 1, 0, -1]
    with pytest.warns(ConvergenceWarning, match="k-means found"):
        fit = fit_kmeans([[1.0, np.nan], [np.nan, 2.0], [1.0, 2.0]], 2, missing="em", rng=0)
    assert fit.inertia == 0.0


def test_clusters_are_found_where_values_are_missing_and_start_a_mixture() -> None:
    iris = datasets.load_iris()
    rows = with_holes(iris.data, 0.2)
    whole = fit_kmeans(iris.data, 3, rng=0, n_init=5)
    fit = fit_kmeans(rows, 3, missing="em", rng=0, n_init=5)
    agreeing = np.mean(fit.labels == whole.labels)
    assert agreeing > 0.8
    mixture = fit_gmm(rows, 3, init=fit, missing="em")
    assert mixture.converged


def test_columns_of_a_frame_are_those_of_the_fit_and_rows_of_weight_zero_may_be_anything() -> None:
    junk = np.vstack([X, [[np.inf, 0.0, np.nan]], [[np.nan, 1.0, 2.0]]])
    weight = np.append(np.ones(len(X)), [0.0, 0.0])
    centers = fit_kmeans(X, 4, missing="em", rng=0).centers
    one = fit_kmeans(X, 4, init=centers, missing="em")
    other = fit_kmeans(junk[[*range(len(X)), -1]], 4, init=centers, missing="em",
                       sample_weight=weight[:-1])  # fmt: skip
    np.testing.assert_allclose(other.centers, one.centers, rtol=1e-12)
    assert other.labels[-1] == distances(junk[-1:], other.centers).argmin()


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 1.0, 0.0]])
def test_rows_with_nothing_observed_do_not_count_as_rows_for_clusters(
    weight: list[float] | None,
) -> None:
    nan = np.nan
    rows = np.array([[nan, nan], [1.0, 2.0], [nan, nan], [nan if weight is None else 5.0, nan]])
    expected = (
        "at least 2 rows with something observed and positive weight are needed, one for each "
        "cluster; got 1. Add rows or ask for fewer clusters."
    )
    for X in (rows, scan([rows[:2], rows[2:]])) if weight is None else (rows,):
        with pytest.raises(ValueError, match=expected):
            fit_kmeans(X, 2, sample_weight=weight, missing="em", rng=0)
    assert fit_kmeans(rows, 1, sample_weight=weight, missing="em", rng=0).n_samples == 1
