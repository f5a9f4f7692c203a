"""k-means of rows that are not in memory: the bits of the same blocks in memory, but no labels."""

import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import clustered
from numpy.typing import NDArray

from mixtura import FitInterrupted, KMeansFit, fit_gmm, fit_kmeans, hierarchical, load, scan
from mixtura.data import RowSource

SIZE = 70
Rows = NDArray[np.floating[Any]]


def many(n: int = 500, dtype: type = np.float64) -> Rows:
    """Clusters with 5 features, so many rows that some block has none of a cluster."""
    rng = np.random.default_rng(4)
    centers = 4.0 * rng.standard_normal((6, 5))
    return (centers[rng.integers(6, size=n)] + rng.standard_normal((n, 5))).astype(dtype)


def cut(X: Rows) -> list[Rows]:
    return [X[start : start + SIZE] for start in range(0, len(X), SIZE)]


def far(X: Rows, path: Path, executor: Any = map, weight: int | None = None) -> RowSource:
    np.save(path / "rows.npy", X)
    return scan(path / "rows.npy", weight=weight, block_size=SIZE, executor=executor)


def assert_same(one: KMeansFit, other: KMeansFit) -> None:
    """All but labels is equal to the bit."""
    assert one.labels is None
    for name in ("centers", "history", "sizes", "deviations"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    for name in ("inertia", "n_iter", "converged", "n_samples", "missing", "feature_names"):
        assert getattr(one, name) == getattr(other, name), name


PLACES: dict[str, Callable[[Rows, Path], RowSource]] = {
    "callable": lambda X, path: scan(lambda: iter(cut(X))),  # noqa: ARG005
    "far": far,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("init", ["kmeans++", "random"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("tol", [0.0, 1e-4])
def test_fit_of_rows_elsewhere_has_the_bits_of_blocks_in_memory(
    place: str, init: Any, dtype: type, tol: float, tmp_path: Path
) -> None:
    X, options = many(dtype=dtype), {"init": init, "tol": tol, "n_init": 2, "rng": 3}
    expected = fit_kmeans(scan(cut(X)), 7, **options)
    found = fit_kmeans(PLACES[place](X, tmp_path), 7, **options)
    assert_same(found, expected)
    np.testing.assert_array_equal(found.predict(X), expected.labels)


@pytest.mark.parametrize("place", PLACES)
def test_fit_with_missing_numbers_elsewhere_has_the_bits_of_blocks_in_memory(
    place: str, tmp_path: Path
) -> None:
    X = many()
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    X[[3, 200]] = np.nan
    expected = fit_kmeans(scan(cut(X)), 4, missing="em", init=np.nan_to_num(X[:4]), tol=0.0)
    found = fit_kmeans(
        PLACES[place](X, tmp_path), 4, missing="em", init=np.nan_to_num(X[:4]), tol=0.0
    )
    assert_same(found, expected)
    assert expected.labels is not None
    assert found.predict(PLACES[place](X, tmp_path)).tolist() == expected.labels.tolist()
    assert expected.labels[3] == -1


@pytest.mark.parametrize("place", ["callable", "far"])
def test_fit_with_a_column_of_weights_has_the_bits_of_blocks_in_memory(
    place: str, tmp_path: Path
) -> None:
    X = np.column_stack([many(), np.random.default_rng(1).integers(0, 3, 500) / 3.0])
    rows = far(X, tmp_path, weight=5) if place == "far" else scan(lambda: iter(cut(X)), weight=5)
    expected = fit_kmeans(scan(cut(X), weight=5), 6, rng=0)
    assert_same(fit_kmeans(rows, 6, rng=0), expected)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("n_far", [1, 3])
def test_empty_clusters_get_the_farthest_rows_of_all_blocks(
    place: str, n_far: int, tmp_path: Path
) -> None:
    X = many()
    X[[90, 91, 400]] += 50.0
    init = np.vstack([X[:2], np.full((n_far, 5), -1e3) * np.arange(1, n_far + 1)[:, None]])
    expected = fit_kmeans(scan(cut(X)), len(init), init=init, tol=0.0)
    assert_same(fit_kmeans(PLACES[place](X, tmp_path), len(init), init=init, tol=0.0), expected)
    assert expected.sizes is not None
    assert expected.sizes.all()
    whole = fit_kmeans(X, len(init), init=init, tol=0.0)
    np.testing.assert_allclose(expected.centers, whole.centers, rtol=1e-12)


def test_equal_rows_refill_one_cluster_only() -> None:
    X = np.repeat([[0.0], [0.1], [9.0]], 40, axis=0)
    init = [[0.0], [50.0], [60.0], [70.0]]
    with pytest.warns(match="found 3 of 4 clusters"):
        found = fit_kmeans(scan(lambda: iter(np.array_split(X, 7))), 4, init=init)
    assert found.sizes is not None
    assert sorted(found.sizes) == [0.0, 40.0, 40.0, 40.0]


def test_fit_in_other_processes_has_the_bits_of_blocks_in_memory(tmp_path: Path) -> None:
    X = many()
    with ProcessPoolExecutor(2) as pool:
        found = fit_kmeans(far(X, tmp_path, pool), 8, rng=0, tol=0.0)
    assert_same(found, fit_kmeans(scan(cut(X)), 8, rng=0, tol=0.0))


def fitted() -> KMeansFit:
    X = many()
    return fit_kmeans(scan(lambda: iter(cut(X))), 3, rng=0)


def test_fit_without_labels_is_saved_and_pickled(tmp_path: Path) -> None:
    fit = fitted()
    fit.save(tmp_path / "fit.npz")
    for again in (load(tmp_path / "fit.npz"), pickle.loads(pickle.dumps(fit))):
        assert_same(again, fit)
        assert again.summary() == fit.summary()


def test_fit_without_labels_starts_a_mixture_from_its_centers() -> None:
    X, fit = many(), fitted()
    one, other = (fit_gmm(X, 3, init=init, max_iter=2, tol=0) for init in (fit, fit.centers))
    np.testing.assert_array_equal(one.means, other.means)
    assert fit_kmeans(X, 3, init=fit).n_iter <= 2


def test_fit_without_labels_does_not_start_a_mixture_of_other_rows_or_sizes() -> None:
    with pytest.raises(ValueError, match=r"with 2 clusters and 5 features.* got 3 clusters and 5 "):
        fit_gmm(many(), 2, init=fitted())
    known = np.where(np.arange(500) < 6, np.arange(500) % 3, -1)
    with pytest.raises(ValueError, match="without labels, and labels of some rows"):
        fit_gmm(many(), 3, init=fitted(), labels=known)


def test_callback_gets_fits_without_labels_and_may_stop() -> None:
    seen: list[KMeansFit] = []

    def stop(fit: KMeansFit) -> bool:
        seen.append(fit)
        return len(seen) == 2

    X = many()
    found = fit_kmeans(scan(lambda: iter(cut(X))), 6, init=X[:6], tol=0.0, callback=stop)
    assert [each.labels for each in seen] == [None, None]
    assert found.n_iter == 2
    assert not found.converged


def test_interrupted_fit_without_labels_has_its_clusters_in_order() -> None:
    def interrupt(_: KMeansFit) -> None:
        raise KeyboardInterrupt

    with pytest.raises(FitInterrupted) as caught:
        fit_kmeans(scan(lambda: iter(cut(many()))), 6, rng=0, callback=interrupt)
    sizes = caught.value.fit.sizes
    assert sizes.tolist() == sorted(sizes, reverse=True)


def test_labels_are_written_to_a_file(tmp_path: Path) -> None:
    X, fit = many(), fitted()
    rows = scan(lambda: iter(cut(X)))
    fit.predict(rows, out=tmp_path / "labels.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), fit.predict(X))
    assert np.concatenate(list(fit.predict(rows, blocks=True))).tolist() == fit.predict(X).tolist()
    parquet = pytest.importorskip("pyarrow.parquet")
    fit.predict(rows, out=tmp_path / "labels.parquet")
    table = parquet.read_table(tmp_path / "labels.parquet")
    assert table.column("cluster").to_pylist() == fit.predict(X).tolist()


def test_picture_of_a_fit_without_labels_and_sizes_is_drawn_from_sizes() -> None:
    pytest.importorskip("matplotlib")
    from mixtura.plot.model import Clusters

    np.testing.assert_allclose(Clusters(fitted()).weights.sum(), 1.0)


def test_rows_far_away_refuse_weights_with_an_entry_a_row(tmp_path: Path) -> None:
    X = many()
    rows = far(X, tmp_path)
    tree = replace(hierarchical(X[:50]), leaf=np.zeros(len(X), dtype=np.int64))
    with pytest.raises(ValueError, match=r"sample_weight must not be an array with an entry a row"):
        fit_kmeans(rows, 2, sample_weight=np.ones(len(X)))
    with pytest.raises(ValueError, match=r"init must not be an array with an entry a row"):
        fit_kmeans(rows, 2, init=tree)


def test_tree_of_stored_rows_starts_their_clusters() -> None:
    X = clustered()[0]
    tree = hierarchical(X, rng=0)
    stored = scan(lambda: iter(cut(X)))
    expected = fit_kmeans(scan(cut(X)), 2, init=tree)
    assert_same(fit_kmeans(stored, 2, init=tree), expected)
