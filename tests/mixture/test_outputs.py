"""Answers for each row go where the user wants them, with the bits that they have in memory."""

import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import clustered
from numpy.typing import NDArray

from mixtura import GaussianMixture, GMMFit, fit_gmm, scan
from mixtura.data import RowSource

X = clustered()[0]
N, D = X.shape
SIZE = 50
NAMES = {
    "predict": ["component"],
    "log_prob": ["log_prob"],
    "responsibilities": ["resp_0", "resp_1"],
    "component_log_prob": ["log_prob_0", "log_prob_1"],
    "impute": [f"feature {a}" for a in range(D)],
}
METHODS = list(NAMES)


def fit() -> GMMFit:
    return fit_gmm(X, 2, init=np.arange(N) % 2, max_iter=2, tol=0)


class Called:
    """A function that makes blocks, and counts how often and how far it is read."""

    def __init__(self, n: int = N, fails_at: int | None = None) -> None:
        self.n, self.fails_at = n, fails_at
        self.reads: list[int] = []

    def __call__(self) -> Iterator[NDArray[np.float64]]:
        self.reads.append(0)
        for start in range(0, self.n, SIZE):
            if self.fails_at == start:
                raise OSError(5, "the disk is broken")
            self.reads[-1] += 1
            yield X[start : min(start + SIZE, self.n)]

    @property
    def n_full(self) -> int:
        """How often all blocks were read."""
        return sum(each == -(-self.n // SIZE) for each in self.reads)


def in_blocks() -> RowSource:
    return scan([X[start : start + SIZE] for start in range(0, N, SIZE)])


def answer(name: str) -> Callable[..., Any]:
    return getattr(fit().model, name)  # type: ignore[no-any-return]


def read(path: Path) -> tuple[list[str] | None, NDArray[Any]]:
    if path.suffix == ".npy":
        return None, np.load(path)
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(path)
    return table.column_names, np.column_stack([column.to_numpy() for column in table.columns])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("rows", [lambda: X, in_blocks, lambda: scan(Called())])
def test_answers_in_arrays_of_the_user_have_the_bits_of_new_ones(
    name: str, rows: Callable[[], Any]
) -> None:
    expected = answer(name)(in_blocks())
    out = np.zeros_like(expected)
    assert answer(name)(rows(), out=out) is out
    np.testing.assert_array_equal(out, expected)
    new = answer(name)(rows())
    np.testing.assert_array_equal(new, expected)
    assert new.dtype == expected.dtype


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("ending", [".npy", ".parquet"])
def test_answers_in_files_have_the_bits_of_arrays(name: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"answers{ending}"
    assert answer(name)(scan(Called()), out=path) == path
    names, found = read(path)
    expected = answer(name)(in_blocks())
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    assert found.dtype == expected.dtype
    assert names is None or names == NAMES[name]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", METHODS)
def test_iterator_has_the_answers_of_one_block_after_the_other(name: str) -> None:
    parts = list(answer(name)(scan(Called()), blocks=True))
    assert [len(part) for part in parts] == [SIZE] * (N // SIZE) + [N % SIZE] * (N % SIZE > 0)
    np.testing.assert_array_equal(np.concatenate(parts), answer(name)(in_blocks()))


@pytest.mark.parametrize("options", [{}, {"out": "answers.npy"}, {"blocks": True}])
def test_rows_that_only_reading_counts_are_read_once(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    called = Called()
    found = fit().predict(scan(called), **options)
    for _ in found if options == {"blocks": True} else ():
        pass
    assert called.n_full == 1


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("missing", [False, True])
def test_large_arrays_in_memory_are_answered_in_parts(
    name: str, missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixtura.data.outputs.ROWS", 64)
    options = {"missing": "em"} if missing and name != "impute" else {}
    rows = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X) if missing else X
    parts = list(answer(name)(rows, blocks=True, **options))
    assert [len(part) for part in parts] == [64] * (N // 64) + [N % 64] * (N % 64 > 0)
    # Rows are sorted by what they lack, block by block: then rounding differs.
    rtol = 1e-12 if missing else 0.0
    expected = answer(name)(rows, **options)
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=rtol, atol=rtol)


def test_iterator_that_is_closed_early_ends_the_reading() -> None:
    called, before = Called(), threading.active_count()
    parts = fit().log_prob(scan(called), blocks=True)
    assert next(parts).shape == (SIZE,)
    parts.close()
    assert called.n_full == 0
    assert threading.active_count() == before
    assert list(parts) == []


def test_iterator_that_nobody_uses_reads_nothing_but_the_columns() -> None:
    called = Called()
    fit().log_prob(scan(called), blocks=True)
    assert called.reads == [1]


def test_iterator_keeps_no_answers() -> None:
    alive = [weakref.ref(part) for part in fit().log_prob(scan(Called()), blocks=True)]
    assert sum(each() is not None for each in alive) <= 1


def test_rows_of_a_mixture_without_columns_to_name_are_written_under_the_names_of_x(
    tmp_path: Path,
) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=[f"x{a}" for a in range(D)])
    answer("impute")(frame, out=tmp_path / "whole.parquet")
    assert read(tmp_path / "whole.parquet")[0] == list(frame.columns)


def test_draws_of_missing_numbers_in_blocks_are_those_of_one_array(tmp_path: Path) -> None:
    holed = np.where(np.random.default_rng(0).random(X.shape) < 0.3, np.nan, X)
    expected = fit().impute(holed, rng=5)
    parts = [holed[start : start + SIZE] for start in range(0, N, SIZE)]
    fit().impute(scan(lambda: iter(parts)), rng=5, out=tmp_path / "whole.npy")
    np.testing.assert_allclose(np.load(tmp_path / "whole.npy"), expected, rtol=1e-9)


def far(path: Path, executor: Any) -> RowSource:
    np.save(path, X)
    return scan(path, block_size=SIZE, executor=executor)


@pytest.mark.parametrize("name", METHODS)
def test_answers_of_other_processes_are_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    rows = far(tmp_path / "x.npy", map)
    expected = answer(name)(in_blocks())
    np.testing.assert_array_equal(answer(name)(rows), expected)
    np.testing.assert_array_equal(np.concatenate(list(answer(name)(rows, blocks=True))), expected)
    answer(name)(rows, out=tmp_path / "answers.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "answers.npy"), expected)


def test_looks_at_answers_can_be_sent_to_a_process(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1) as pool:
        rows = far(tmp_path / "x.npy", pool)
        fit().predict(rows, out=tmp_path / "labels.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), fit().predict(in_blocks()))


def test_draws_for_rows_far_away_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rng must be None for rows that other processes work on"):
        fit().impute(far(tmp_path / "x.npy", map), rng=0)


def test_memory_map_is_filled_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "resp.npy"
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(N, 2))
    fit().responsibilities(scan(Called()), out=out)
    out.flush()
    np.testing.assert_array_equal(np.load(path), fit().responsibilities(in_blocks()))


def test_no_rows_give_an_empty_answer_of_the_right_shape(tmp_path: Path) -> None:
    none = scan(lambda: iter([X[:0]]))
    model = fit().model
    assert model.responsibilities(none).shape == (0, 2)
    assert list(map(len, model.predict(none, blocks=True))) == [0]
    model.responsibilities(none, out=tmp_path / "none.npy")
    assert np.load(tmp_path / "none.npy").shape == (0, 2)
    model.responsibilities(none, out=tmp_path / "none.parquet")
    assert read(tmp_path / "none.parquet")[0] == NAMES["responsibilities"]


def test_call_that_fails_leaves_an_older_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "labels.npy"
    path.write_bytes(b"older")
    for ending in (".npy", ".parquet"):
        with pytest.raises(OSError, match="the disk is broken"):
            fit().predict(scan(Called(fails_at=2 * SIZE)), out=path.with_suffix(ending))
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_error_of_reading_names_what_was_read_not_the_output(tmp_path: Path) -> None:
    def make() -> Iterator[NDArray[np.float64]]:
        yield X
        np.load(tmp_path / "absent.npy")

    with pytest.raises(FileNotFoundError, match=r"absent\.npy"):
        fit().predict(scan(make), out=tmp_path / "labels.npy")


def test_output_into_a_folder_that_does_not_exist_is_refused_before_reading(tmp_path: Path) -> None:
    called = Called()
    with pytest.raises(
        FileNotFoundError,
        match=r"^out must be in a folder that exists; got '.*nowhere/labels\.npy'",
    ):
        fit().predict(scan(called), out=tmp_path / "nowhere" / "labels.npy")
    assert called.n_full == 0


def test_folder_is_not_an_output(tmp_path: Path) -> None:
    (tmp_path / "labels.npy").mkdir()
    with pytest.raises(
        ValueError, match=r"^out must be the name of a file; got '.*', a folder\. Na"
    ):
        fit().predict(X, out=tmp_path / "labels.npy")


BAD: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("predict", {"out": np.empty(N)}, ValueError, rf"out must have shape \({N},\) and type int64"),
    ("log_prob", {"out": np.empty(N - 1)}, ValueError, rf"out must have shape \({N},\)"),
    ("responsibilities", {"out": np.empty((N, 3))}, ValueError, rf"out must have shape \({N}, 2\)"),
    ("log_prob", {"out": [0.0] * N}, TypeError, "out must be an array, the name of a file or None"),
    ("log_prob", {"out": "a.csv"}, ValueError, r"ends in \.npy or \.parquet; got 'a\.csv'"),
    ("log_prob", {"out": "a.npy", "blocks": True}, ValueError, "out must be None with blocks=True"),
    ("log_prob", {"blocks": "yes"}, TypeError, "blocks must be True or False"),
]


@pytest.mark.parametrize(("name", "options", "error", "message"), BAD)
def test_output_that_cannot_be_used_is_refused(
    name: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        answer(name)(X, **options)


def test_file_that_holds_the_rows_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    np.save(path, X)
    for name in (path, tmp_path / ".." / tmp_path.name / "rows.npy"):
        with pytest.raises(ValueError, match=r"out must be another file than those that hold"):
            fit().predict(scan(path), out=name)
    np.testing.assert_array_equal(np.load(path), X)


def view_of(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(array)[:]


@pytest.mark.parametrize("view", [np.asanyarray, view_of], ids=["map", "view"])
@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
@pytest.mark.parametrize("rows", [scan, "map", "scanned map", "array of a map"])
def test_memory_map_of_the_file_that_holds_the_rows_is_not_written(
    view: Any, link: str | None, rows: Any, tmp_path: Path
) -> None:
    path = other = tmp_path / "rows.npy"
    np.save(path, X)
    if link is not None:
        other = tmp_path / "link.npy"
        getattr(other, link)(path)
    source: Any = scan(path)
    if rows != scan:
        source = np.load(path, mmap_mode="r")
        source = {"map": source, "scanned map": scan(source)}.get(rows, np.asarray(source))
    out = view(np.load(other, mmap_mode="r+"))
    with pytest.raises(
        ValueError, match=r"^out must not lie where the rows do: .* a memory map of "
    ):
        fit().model.impute(source, out=out)
    np.testing.assert_array_equal(np.load(path), X)
    fit().model.impute(
        source, out=np.lib.format.open_memmap(tmp_path / "o.npy", "w+", shape=X.shape)
    )


def test_array_that_has_a_byte_of_the_rows_is_not_written() -> None:
    rows = np.column_stack([X, np.zeros(N)])
    for source in (rows[:, :D], scan([rows[:100, :D], rows[100:, :D]])):
        with pytest.raises(
            ValueError, match=r"^out must not lie where .* got one that overlaps\. "
        ):
            fit().log_prob(source, out=rows[:, 1])
        np.testing.assert_array_equal(rows[:, :D], X)
        fit().log_prob(source, out=rows[:, D])  # beside them
        np.testing.assert_array_equal(rows[:, D], fit().log_prob(X))


def test_array_that_is_read_only_is_refused() -> None:
    out = np.empty(N)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out must be an array that can be written"):
        fit().log_prob(X, out=out)


@pytest.mark.parametrize("length", [N - 1, N + 1])
def test_array_of_another_length_than_rows_that_reading_counts_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=rf"out must have an entry for each row; got {length} for"):
        fit().log_prob(scan(Called()), out=np.empty(length))


def test_rows_with_other_columns_are_refused_by_their_shape() -> None:
    with pytest.raises(ValueError, match=rf"must have {D} columns?; got shape \({N}, {D + 1}\)"):
        fit().log_prob(scan(lambda: iter([np.column_stack([X, X[:, 0]])])))


def test_file_in_parquet_without_pyarrow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"need pyarrow, which is not installed"):
        fit().predict(X, out="labels.parquet")


def test_many_blocks_are_written_without_being_kept(tmp_path: Path) -> None:
    import tracemalloc

    model = GaussianMixture([0.5, 0.5], [[0.0], [3.0]], [[1.0], [1.0]], "diag")
    block = np.zeros((10_000, 1))
    rows = scan(lambda: itertools.repeat(block, 200))  # 32 MB of responsibilities
    tracemalloc.start()
    try:
        model.responsibilities(rows, out=tmp_path / "resp.npy", n_threads=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.load(tmp_path / "resp.npy", mmap_mode="r").shape == (2_000_000, 2)
    assert peak < 4e6
