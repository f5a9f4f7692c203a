"""Fits and questions make no array with an entry a row of rows that are not in memory."""

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mixtura import GaussianMixture, fit_gmm, fit_kmeans, scan, select_gmm
from mixtura.data import RowSource
from mixtura.data.elsewhere import RowsElsewhere

SIZE, N_BLOCKS, D = 10_000, 70, 3
N = SIZE * N_BLOCKS
FEW: dict[str, Any] = {"max_iter": 2, "tol": 0, "rng": 0, "n_threads": 1, "verbose": False}
MOST = 4 * N  # bytes: half of an array of labels, of weights or of densities
BLOCK = np.random.default_rng(0).standard_normal((SIZE, D)).astype(np.float32)
BLOCK[: SIZE // 2] += 5.0


def blocks() -> Iterator[NDArray[np.float32]]:
    for b in range(N_BLOCKS):
        yield np.roll(BLOCK, b, axis=0) + np.float32(b / N_BLOCKS)


def model() -> GaussianMixture:
    return GaussianMixture([0.5, 0.5], [[0.0] * D, [5.0] * D], [1.0, 1.0], "spherical")


ASKS: dict[str, Callable[[RowSource], object]] = {
    "fit_gmm": lambda rows: fit_gmm(rows, 2, n_init=1, **FEW),
    "fit_gmm from means": lambda rows: fit_gmm(rows, 2, init=model().means, **FEW),
    "fit_gmm from a tree": lambda rows: fit_gmm(rows, 2, init="hierarchical", n_init=1, **FEW),
    "fit_kmeans": lambda rows: fit_kmeans(rows, 3, **FEW),
    "fit_kmeans at random": lambda rows: fit_kmeans(rows, 3, init="random", **FEW),
    "fit_kmeans with an empty cluster": lambda rows: fit_kmeans(
        rows, 3, init=[[0.0] * D, [5.0] * D, [-90.0] * D], **FEW
    ),
    "select_gmm": lambda rows: select_gmm(rows, [1, 2], ["EII", "EEE"], n_init=1, **FEW),
    "select_gmm by icl": lambda rows: select_gmm(rows, 2, "EII", criterion="icl", n_init=1, **FEW),
    "select_gmm by cv": lambda rows: select_gmm(
        rows, 1, "EII", criterion="cv", n_init=1, n_folds=2, **FEW
    ),
    "select_gmm from trees": lambda rows: select_gmm(rows, 2, "EII", init="hierarchical", **FEW),
    **{
        name: lambda rows, name=name: getattr(model(), name)(rows, n_threads=1)
        for name in ("bic", "aic", "icl", "log_likelihood")
    },
}


def peak(ask: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        ask()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ASKS)
def test_memory_of_what_is_asked_does_not_grow_with_the_rows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("this has an entry a row")

    monkeypatch.setattr("mixtura.fitting.scouts.ROWS_OF_TREES", 2_000)
    for method in ("weights", "extra", "equal_rows"):
        monkeypatch.setattr(RowsElsewhere, method, refuse)
    assert peak(lambda: ASKS[name](scan(blocks))) < MOST


@pytest.mark.parametrize("name", ["predict", "log_prob", "responsibilities"])
def test_memory_of_answers_in_a_file_does_not_grow_with_the_rows(name: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.npy"
    assert peak(lambda: getattr(model(), name)(scan(blocks), out=path, n_threads=1)) < MOST
    assert len(np.load(path, mmap_mode="r")) == N


def test_memory_of_labels_of_clusters_in_a_file_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    fit = fit_kmeans(BLOCK, 2, rng=0)
    path = tmp_path / "labels.npy"
    assert peak(lambda: fit.predict(scan(blocks), out=path, n_threads=1)) < MOST


def test_limit_of_memory_is_below_an_array_with_an_entry_a_row() -> None:
    assert peak(lambda: model().log_prob(scan(blocks), n_threads=1)) > 1.9 * MOST
