"""Fits of rows in files: equal, to the bit, to fits of the same blocks in memory."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import written
from clusters import assert_same_fit_bits, clustered
from kills import fit_with_kills, kill
from written import KINDS

from mixtura import (
    FitInterrupted,
    RowsChangedError,
    State,
    files,
    fit_gmm,
    fit_kmeans,
    scan,
    select_gmm,
)

N, SIZE = 500, 200
ROWS, LABELS = clustered(N, 3, 3, seed=3)
WEIGHT = np.random.default_rng(0).integers(0, 4, N).astype(float)
HOLES = np.where(np.random.default_rng(1).random(ROWS.shape) < 0.1, np.nan, ROWS)
NOISE = np.random.default_rng(2).random((N, 3))
SOME = ["npy", "parquet", "csv", "function_of_arrays"]  # with and without a known number of rows
each_kind = pytest.mark.parametrize("kind", KINDS)
some_kinds = pytest.mark.parametrize("kind", SOME)
each_type = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def in_blocks(kind: str, X: np.ndarray) -> list[np.ndarray]:
    """The blocks that a store of a kind is read in, in memory."""
    if kind == "csv":
        X = X.astype(np.float64)
    size = 100 if kind.startswith("function") else SIZE  # a function's blocks are as they are
    return [X[start:stop] for start, stop in pairwise([*range(0, N, size), N])]


def as_scanned(kind: str, X: np.ndarray, folder: Path, **options: Any) -> Any:
    return scan(KINDS[kind](folder / "x", X), block_size=SIZE, **options)


@each_kind
@each_type
@pytest.mark.parametrize("weighted", [False, True])
def test_fit_of_a_file_is_that_of_its_blocks_in_memory(
    kind: str, dtype: Any, weighted: bool, tmp_path: Path
) -> None:
    X = ROWS.astype(dtype)
    parts = in_blocks(kind, X)
    if weighted:
        weights = np.split(WEIGHT, np.cumsum([len(part) for part in parts])[:-1])
        blocks = scan(parts, weight=weights)
        rows = as_scanned(kind, np.column_stack([X, WEIGHT.astype(dtype)]), tmp_path, weight=3)
    else:
        blocks, rows = scan(parts), as_scanned(kind, X, tmp_path)
    expected, fit = (fit_gmm(each, 2, rng=0, tol=0.01) for each in (blocks, rows))
    assert_same_fit_bits(expected, fit)


@pytest.mark.parametrize(
    ("options", "before", "each"),
    [({}, 6, 1), ({"init": ROWS[:3]}, 7, 1), ({"missing": "em"}, 6, 1)],
    ids=["automatic", "given", "missing"],
)
def test_rows_are_read_a_few_times_before_the_first_iteration_and_once_in_each(
    options: dict[str, Any], before: int, each: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = as_scanned("npy", ROWS, tmp_path)
    pieces, readings, seen = type(rows._store).pieces, [], []

    def counted(*arguments: Any) -> Any:
        readings.append(0)
        return pieces(*arguments)

    monkeypatch.setattr(type(rows._store), "pieces", counted)
    fit_gmm(
        rows, 3, rng=0, accelerate=False, callback=lambda _: seen.append(len(readings)), **options
    )
    assert seen[0] == before + each
    assert set(np.diff(seen)) == {each}


@some_kinds
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_fit_of_a_file_has_the_same_bits_for_any_number_of_threads(
    kind: str, n_threads: int, tmp_path: Path
) -> None:
    expected = fit_gmm(scan(in_blocks(kind, ROWS)), 3, rng=0, n_threads=1)
    fit = fit_gmm(as_scanned(kind, ROWS, tmp_path), 3, rng=0, n_threads=n_threads)
    assert_same_fit_bits(expected, fit)


@each_kind
@each_type
def test_fit_with_missing_numbers_is_that_of_the_blocks_in_memory(
    kind: str, dtype: Any, tmp_path: Path
) -> None:
    X = HOLES.astype(dtype)
    fit, expected = (
        fit_gmm(each, 2, missing="em", rng=0, tol=0.1, init=ROWS[:2])
        for each in (as_scanned(kind, X, tmp_path), scan(in_blocks(kind, X)))
    )
    assert_same_fit_bits(expected, fit)
    assert fit.n_missing == np.count_nonzero(np.isnan(X))


OPTIONS: list[dict[str, Any]] = [
    {"sample_weight": WEIGHT},
    {"labels": np.where(np.arange(N) % 10 == 0, LABELS, -1)},
    {"noise_covariance": NOISE},
    {"em": "hard"},
    {"em": "annealed"},
    {"init": "hierarchical"},
    {"init": LABELS},
    {"covariance_type": "VEV"},
]


@some_kinds
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options)))
def test_fit_with_more_known_of_each_row_is_that_of_the_blocks_in_memory(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    options = {"rng": 0, "tol": 0.1} | options
    fit = fit_gmm(as_scanned(kind, ROWS, tmp_path), 3, **options)
    assert_same_fit_bits(fit_gmm(scan(in_blocks(kind, ROWS)), 3, **options), fit)


@pytest.mark.parametrize("kind", ["npy", "csv"])
def test_clusters_and_selection_of_a_file_are_those_of_its_blocks(
    kind: str, tmp_path: Path
) -> None:
    rows, blocks = as_scanned(kind, ROWS, tmp_path), scan(in_blocks(kind, ROWS))
    one, other = fit_kmeans(rows, 3, rng=0), fit_kmeans(blocks, 3, rng=0)
    np.testing.assert_array_equal(one.centers, other.centers)
    assert one.inertia == other.inertia
    selected, expected = (
        select_gmm(each, [2], ["full", "diag"], n_init=1, rng=0, tol=0.1) for each in (rows, blocks)
    )
    assert_same_fit_bits(expected.best, selected.best)
    model = expected.best.model
    for ask in (model.predict, model.log_prob, model.responsibilities):
        np.testing.assert_array_equal(ask(rows), ask(blocks))


def test_fit_without_reading_ahead_has_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = as_scanned("parquet", ROWS, tmp_path)
    expected = fit_gmm(rows, 3, rng=0)
    monkeypatch.setattr("mixtura.data.stored.read_ahead", lambda readers: (r() for r in readers))
    assert_same_fit_bits(expected, fit_gmm(rows, 3, rng=0))


@pytest.mark.parametrize("kind", ["npy", "parquet", "hdf5", "dataset", "function_of_arrays"])
def test_fits_in_two_threads_share_a_scan(kind: str, tmp_path: Path) -> None:
    rows = as_scanned(kind, ROWS, tmp_path)
    expected = fit_gmm(scan(in_blocks(kind, ROWS)), 3, rng=0)
    with ThreadPoolExecutor(4) as pool:
        for fit in pool.map(lambda _: fit_gmm(rows, 3, rng=0, n_threads=1), range(8)):
            assert_same_fit_bits(expected, fit)


# ---- what ends a fit ----


def readers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "mixtura-read-ahead"]


def at(iteration: int, act: Callable[[], None]) -> Callable[[State], None]:
    """Return a callback that does something after an iteration."""

    def callback(state: State) -> None:
        if state.iteration == iteration:
            act()

    return callback


@pytest.mark.parametrize("kind", ["npy", "parquet", "csv", "feather", "hdf5", "zarr_folder"])
def test_file_that_is_written_during_a_fit_is_refused(kind: str, tmp_path: Path) -> None:
    source = KINDS[kind](tmp_path / "x", ROWS)

    def write() -> None:
        if kind == "zarr_folder":
            written.zarr.open_array(str(source), mode="r+")[:10] = 0.0
        else:
            KINDS[kind](tmp_path / "x", 2.0 * ROWS[:-7])

    rows = scan(source, block_size=SIZE)
    with pytest.raises(
        RowsChangedError, match=r"must stay as it is while it is used; .* Call scan again when "
    ):
        fit_gmm(rows, 3, rng=0, callback=at(2, write))
    assert not readers()


@pytest.mark.parametrize("other", [2.0 * ROWS, ROWS[:-1]])
def test_function_that_returns_other_rows_during_a_fit_is_refused(other: np.ndarray) -> None:
    parts = [ROWS]
    with pytest.raises(RowsChangedError, match="block 0 had 500 of 500 in weight, and now "):
        fit_gmm(scan(lambda: list(parts)), 3, rng=0, callback=at(2, lambda: parts.append(other)
                or parts.pop(0)))  # fmt: skip


class Interrupting:
    """Rows of a function that presses Ctrl-C in a later reading."""

    def __init__(self, call: int) -> None:
        self._left = call

    def __call__(self) -> Iterator[np.ndarray]:
        self._left -= 1
        for start in range(0, N, 100):
            if self._left == 0 and start == 300:
                signal.raise_signal(signal.SIGINT)
            yield ROWS[start : start + 100]


@pytest.mark.thread_unsafe(reason="signals come to the main thread")
@pytest.mark.parametrize("call", [13, 14])
def test_ctrl_c_during_a_fit_of_a_file_leaves_no_thread(call: int) -> None:
    with pytest.raises(FitInterrupted) as interrupted:
        fit_gmm(scan(Interrupting(call)), 3, rng=0, tol=0, max_iter=100)
    assert interrupted.value.fit is not None
    assert interrupted.value.fit.n_iter >= 1
    assert not readers()
    interrupted.value.__traceback__ = None


def test_errors_of_a_callback_leave_no_thread(tmp_path: Path) -> None:
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        fit_gmm(as_scanned("npy", ROWS, tmp_path), 3, rng=0, callback=at(2, fail))
    assert not readers()


# ---- checkpoints ----


@pytest.mark.parametrize("kind", ["npy", "parquet", "csv", "hdf5", "function_of_arrays"])
def test_fit_of_a_file_is_continued_to_the_bit(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "fsync", lambda _: None)
    rows = as_scanned(kind, ROWS, tmp_path)
    expected = fit_gmm(rows, 3, rng=0, accelerate=False)
    fit = fit_with_kills(tmp_path / "fit", [1, 2], rows, 3, rng=0, accelerate=False)
    assert_same_fit_bits(expected, fit)


@pytest.mark.parametrize("kind", ["npy", "parquet", "csv", "hdf5", "function_of_arrays"])
def test_checkpoint_of_another_file_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "fsync", lambda _: None)
    kill(tmp_path / "fit", 2, as_scanned(kind, ROWS, tmp_path), 3, rng=0)
    other = ROWS.copy()
    other[333, 1] += 2.0**-16
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match=r"must be the checkpoint of this fit; .*\bX\b"):
        fit_gmm(as_scanned(kind, other, tmp_path / "other"), 3, rng=0, checkpoint=tmp_path / "fit")
