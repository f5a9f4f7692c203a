"""Rows of Dask, computed by its threads: what they are, what they refuse, and sums of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tables import pandas

import mixtura
from mixtura.data import KINDS, Block, open_rows, scan
from mixtura.data.far.dask_rows import DaskRows
from mixtura.exceptions import RowsChangedError
from mixtura.limits import thread_limit
from mixtura.statistics import total

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)) + 6.0 * (np.arange(60)[:, None] % 2)
W = RNG.uniform(0.5, 2.0, size=60)
SIZES = (20, 0, 15, 25)
PARTS = np.split(X, np.cumsum(SIZES)[:-1])
WEIGHTS = np.split(W, np.cumsum(SIZES)[:-1])
MODEL = mixtura.fit_gmm(X, 2, rng=0).model


def array(columns: Any = (3,)) -> Any:
    return da.from_array(X, chunks=(SIZES, columns))


def frame(**more: Any) -> Any:
    table = pandas("DataFrame", X, columns=["a", "b", "c"]).assign(**more)
    return dd.from_pandas(table, npartitions=4)


def from_parts(parts: list[Any]) -> Any:
    """Return an array whose partitions are these, of unknown lengths."""
    width = np.shape(parts[0])[1]
    delayed = [dask.delayed(np.asarray)(part) for part in parts]
    chunks = [da.from_delayed(each, (np.nan, width), dtype=np.float64) for each in delayed]
    return da.concatenate(chunks, axis=0, allow_unknown_chunksizes=True)


def frame_from_parts(parts: list[Any], meta: Any) -> Any:
    return dd.from_delayed(
        [dask.delayed(_itself)(part) for part in parts], meta=meta, verify_meta=False
    )


def never(kind: str = "array") -> Any:
    """Return rows that fail when they are computed."""
    if kind == "frame":
        return frame().map_partitions(_fail, meta=frame()._meta)
    return array().map_blocks(_fail, dtype=np.float64)


def _fail(*_: Any, **__: Any) -> Any:
    raise AssertionError("the rows were computed")


def _itself(value: Any) -> Any:
    return value


# ---- what they are ----


def test_dask_rows_come_before_kinds_that_would_compute_them() -> None:
    assert KINDS[0] is DaskRows


@pytest.mark.parametrize("columns", [(3,), (1, 2), (1, 1, 1)])
def test_array_with_chunks_of_columns_has_a_block_for_each_chunk_of_rows(columns: Any) -> None:
    blocks = list(open_rows(array(columns)).blocks())
    assert [len(block.X) for block in blocks] == list(SIZES)
    np.testing.assert_array_equal(np.concatenate([block.X for block in blocks]), X)
    assert [block.start for block in blocks] == [0, 20, 20, 35]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float32", "float32"), ("float64", "float64"), ("float16", "float64"), ("int8", "float64")],
)
def test_dtype_of_an_array_is_single_only_for_float32(dtype: str, expected: str) -> None:
    rows = open_rows(array().astype(dtype))
    assert rows.dtype == expected
    assert {block.X.dtype for block in rows.blocks()} == {np.dtype(expected)}


def test_frame_has_names_and_numbers_of_its_columns() -> None:
    rows = open_rows(frame(n=pandas("Series", range(60), dtype="Int64")))
    assert rows.feature_names == ("a", "b", "c", "n")
    assert rows.dtype == np.float64
    expected = np.column_stack([X, np.arange(60.0)])
    np.testing.assert_array_equal(np.concatenate([b.X for b in rows.blocks()]), expected)


def test_scan_chooses_columns_and_weights_by_name() -> None:
    rows = scan(frame(w=W, text="t"), columns=["c", "a"], weight="w")
    assert rows.feature_names == ("c", "a")
    np.testing.assert_array_equal(rows.weights(), W)
    np.testing.assert_array_equal(rows.take([3, 50]), X[[3, 50]][:, [2, 0]])


def test_scan_chooses_columns_of_an_array_by_position() -> None:
    rows = scan(da.from_array(np.column_stack([W, X]), chunks=(SIZES, 4)), [3, 1], 0)
    np.testing.assert_array_equal(rows.weights(), W)
    np.testing.assert_array_equal(rows.take([7]), X[[7]][:, [2, 0]])


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_opening_rows_computes_nothing(kind: str) -> None:
    rows = open_rows(never(kind))
    assert "DaskRows: " in repr(rows)
    assert rows.n_features == 3
    assert rows._repr_html_().startswith("<p>")


def test_each_partition_is_computed_once_for_a_fit() -> None:
    computed: list[int] = []

    def note(part: Any, block_id: Any = None) -> Any:
        computed.append(block_id[0])
        return part

    rows = array().map_blocks(note, dtype=np.float64, meta=np.empty((0, 0)))
    mixtura.fit_gmm(rows, 2, rng=0)
    assert sorted(computed) == [0, 1, 2, 3]


# ---- what they refuse ----


def test_array_of_one_dimension_is_refused_without_computing_it() -> None:
    with pytest.raises(ValueError, match=r"two dimensions.*shape \(60,\)\. Use X\[:, None\]"):
        mixtura.fit_gmm(never()[:, 0], 2)


def test_array_of_unknown_width_is_refused() -> None:
    wide = da.from_delayed(dask.delayed(X), (60, np.nan), dtype=np.float64)
    with pytest.raises(ValueError, match=r"known number of columns.*compute_chunk_sizes"):
        open_rows(wide)


def test_series_is_refused() -> None:
    with pytest.raises(TypeError, match=r"got a Dask Series\. Use X\.to_frame\(\)"):
        open_rows(frame()["a"])


def test_bag_or_delayed_object_is_refused() -> None:
    with pytest.raises(TypeError, match=r"got a Dask Delayed\w*\. Pass X\.compute\(\)"):
        open_rows(dask.delayed(X))


def test_complex_array_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Dask array of dtype complex128\. Use X\.real"):
        open_rows(array().astype(complex))


def test_text_categories_and_times_are_refused_by_column_without_computing_them() -> None:
    one = frame(kind=pandas("Categorical", list("uv") * 30))
    with pytest.raises(TypeError, match=r"got column 'kind' of dtype category\. Select columns"):
        open_rows(one)
    more = frame(text="t", when=pandas("Timestamp", "2020-01-01"))
    with pytest.raises(TypeError, match=r"column 'text' of dtype str.*columns 'text', 'when' hold"):
        open_rows(more)
    with pytest.raises(TypeError, match="column 'text' of dtype str"):
        scan(more, columns=["a"], weight="text")
    assert scan(more, columns=["a"]).n_features == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"columns": ["a", "z"]}, ValueError, r"X must have the column 'z'; it has 'a', 'b', 'c'"),
        ({"columns": ["a", "a"]}, ValueError, "choose each column once"),
        ({"weight": [W]}, TypeError, "weight must be the name or the position of a column"),
        ({"block_size": 10}, ValueError, r"block_size must be None.*got 10\. Use source\.rechunk"),
    ],
)
def test_scan_with_a_bad_argument_says_so(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        scan(never("frame"), **arguments)


def test_partition_with_other_columns_is_refused_by_its_number() -> None:
    parts = [pandas("DataFrame", part, columns=["a", "b", "c"]) for part in PARTS]
    meta = parts[0].iloc[:0]
    parts[2] = parts[2].rename(columns={"b": "z"})
    with pytest.raises(ValueError, match=r"partition 2 of X must have.*lacks 'b' and it has 'z'"):
        mixtura.fit_gmm(frame_from_parts(parts, meta), 2)
    with pytest.raises(ValueError, match=r"partition 1 of X must have 3 columns; got shape"):
        mixtura.fit_gmm(from_parts([X[:20], X[20:, :2]]), 2)


def test_text_in_one_partition_is_refused_by_its_number_and_column() -> None:
    parts = [pandas("DataFrame", part, columns=["a", "b", "c"]) for part in PARTS]
    meta = parts[0].iloc[:0]
    parts[3] = parts[3].assign(b="x")
    with pytest.raises(TypeError, match=r"partition 3 of X must hold.*'x'.*row 0, column 'b'"):
        mixtura.fit_gmm(frame_from_parts(parts, meta), 2)


def test_nan_is_refused_by_partition_row_and_column() -> None:
    holed = X.copy()
    holed[22, 1] = np.nan
    with pytest.raises(ValueError, match=r'partition 2 of X.*row 2, column 1 is nan.*missing="em"'):
        mixtura.fit_gmm(da.from_array(holed, chunks=(SIZES, 3)), 2)


def test_negative_weight_is_refused_by_partition_and_row() -> None:
    weights = W.copy()
    weights[21] = -0.5
    rows = scan(da.from_array(np.column_stack([X, weights]), chunks=(SIZES, 4)), weight=3)
    with pytest.raises(ValueError, match=r"weight in partition 2 of X must be.*row 1 is -0\.5"):
        mixtura.fit_gmm(rows, 2)


def test_weights_of_zero_everywhere_are_refused() -> None:
    with pytest.raises(ValueError, match="weight must not be zero for all rows"):
        mixtura.fit_gmm(scan(frame(w=0.0), weight="w"), 2)


def test_row_of_weight_zero_may_hold_anything() -> None:
    holed, weights = X.copy(), W.copy()
    holed[22], weights[22] = np.nan, 0.0
    rows = scan(da.from_array(np.column_stack([holed, weights]), chunks=(SIZES, 4)), weight=3)
    fit = mixtura.fit_gmm(rows, 2, rng=0)
    assert fit.n_samples == 59


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 70 rows; got 60"):
        mixtura.fit_gmm(frame(), 70)


@pytest.mark.parametrize("ask", [lambda X: mixtura.fit_gmm(X, 2), MODEL.log_likelihood])
def test_chunks_with_other_rows_than_they_say_are_refused_by_partition(ask: Any) -> None:
    shorter = array().map_blocks(lambda part: part[:20], dtype=np.float64, meta=np.empty((0, 0)))
    with pytest.raises(
        ValueError,
        match=r"^partition 3 of X must have 25 rows, as the chunks of the Dask array say; got 20\. "
        r"Give map_blocks the chunks that it makes, or pass X\.compute_chunk_sizes\(\)\.$",
    ):
        ask(shorter)


def test_partition_that_changes_between_passes_is_refused_by_its_number() -> None:
    calls: list[int] = []

    def shrinking(part: Any, block_id: Any = None) -> Any:
        calls.append(block_id[0])
        return part[: len(part) - (calls.count(2) > 1 and block_id[0] == 2)]

    lengths = ((np.nan,) * 4, (3,))
    rows = scan(array().map_blocks(shrinking, chunks=lengths, meta=np.empty((0, 0))))
    assert rows.n_samples == 60
    with pytest.raises(RowsChangedError, match="block 2 had 15 of 15 in weight, and now 14 of 14"):
        rows.total(_first_number)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": np.zeros(60, int)}, "labels must not be an array with an entry a row"),
        ({"init": np.zeros(60, int)}, r"init must not be an array.*Pass means, or"),
        ({"init": np.ones((60, 2)) / 2}, "init must not be an array with an entry a row"),
        ({"init": mixtura.fit_kmeans(X, 2, rng=0)}, r"init must not be.*init=fit\.centers"),
        ({"init": mixtura.hierarchical(X)}, "init must not be an array with an entry a row"),
        ({"noise_covariance": np.ones(60)}, "noise_covariance must not be an array"),
        ({"sample_weight": W}, r"sample_weight must be a Dask array.*scan\(X, weight=\"name\"\)"),
    ],
)
def test_arrays_of_all_rows_are_refused_before_any_work(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        mixtura.fit_gmm(never(), 2, **arguments)


def test_changing_rows_by_arrays_is_refused() -> None:
    rows = open_rows(never())
    for change in (
        lambda: rows.subset(np.ones(60, bool)),
        lambda: rows.reweighted(W),
        lambda: rows.with_extras("whole", {"code": W}),
    ):
        with pytest.raises(TypeError, match="rows of Dask must do without"):
            change()


# ---- weights that are Dask's ----


def _series() -> Any:
    return frame(w=W)["w"]


@pytest.mark.parametrize(
    ("rows", "weight"),
    [
        (array, lambda: da.from_array(W, chunks=(SIZES,))),
        (lambda: from_parts(PARTS), lambda: da.from_array(W, chunks=(SIZES,))),
        (frame, _series),
    ],
)
def test_sample_weight_of_dask_is_that_of_the_rows(
    rows: Callable[[], Any], weight: Callable[[], Any]
) -> None:
    opened = open_rows(rows(), weight())
    np.testing.assert_array_equal(opened.weights(), W)
    assert opened.weight_sum == pytest.approx(W.sum())


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (da.from_array(W, chunks=30), r"partitions of X, 4 with as many rows.*got 2 of 30, 30"),
        (da.from_array(W, chunks=((20, 5, 10, 25),)), "as many rows"),
        (da.from_array(W[:, None], chunks=(SIZES, 1)), r"one dimension.*got 2"),
    ],
)
def test_sample_weight_in_other_partitions_is_refused(weight: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_rows(never(), weight)


def test_sample_weight_of_other_lengths_or_labels_is_refused_by_partition() -> None:
    weights = da.from_array(W, chunks=((20, 5, 10, 25),))
    with pytest.raises(ValueError, match=r"partition [12] of sample_weight.*one for each row"):
        mixtura.fit_gmm(from_parts(PARTS), 2, sample_weight=weights)
    with pytest.raises(ValueError, match=r"partition \d of sample_weight must have the index"):
        mixtura.fit_gmm(frame(), 2, sample_weight=_series().map_partitions(_reversed))


def _reversed(part: Any) -> Any:
    return part[::-1]


def test_sample_weight_beside_a_column_of_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="sample_weight must be None for rows that have weights"):
        mixtura.fit_gmm(scan(frame(w=W), weight="w"), 2, sample_weight=_series())


# ---- sums ----


def _first_number(block: Block) -> float:
    return float(block.X[0, 0]) if len(block.X) else 0.0


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 40])
@pytest.mark.parametrize("group_bytes", [0, 3 * 8 * 4, 1 << 20])
def test_sum_has_the_bits_of_the_tree_of_pairs(
    n: int, group_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mixtura.data.far import dask_graphs

    monkeypatch.setattr(dask_graphs, "GROUP_BYTES", group_bytes)
    monkeypatch.setattr(dask_graphs, "ROUNDS", 1)
    values = np.random.default_rng(n).normal(size=(n, 3)) * 10.0 ** (np.arange(n)[:, None] % 5)
    rows = open_rows(da.from_array(values, chunks=(1, 3)))
    first = values[:, 0].tolist()
    assert rows.total(_first_number) == total(first)
    assert list(rows.map(_first_number)) == first
    assert [block.start for block in rows.blocks()] == list(range(n))


def test_small_partitions_are_grouped_once_they_are_counted() -> None:
    rows = open_rows(da.from_array(np.tile(X, (40, 1)), chunks=(10, 3)))
    assert isinstance(rows, DaskRows)
    rows.total(_first_number)
    groups = rows._held()
    assert groups.size is not None
    assert groups.size > 1
    assert len(groups.kept) == -(-240 // groups.size)


def test_threads_of_a_task_are_its_share() -> None:
    from dask.system import CPU_COUNT

    rows = open_rows(array())
    assert set(rows.map(_limit)) == {max(1, CPU_COUNT // 4)}
    assert set(open_rows(da.from_array(X, chunks=(60, 3))).map(_limit)) == {CPU_COUNT}


def _limit(block: Block) -> int | None:  # noqa: ARG001
    return thread_limit()


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_configured_scheduler_is_used_with_equal_bits(scheduler: str) -> None:
    with dask.config.set(scheduler=scheduler):
        fit = mixtura.fit_gmm(array(), 2, rng=0)
    expected = mixtura.fit_gmm(scan(PARTS), 2, rng=0)
    np.testing.assert_array_equal(fit.model.means, expected.model.means)
    assert fit.log_likelihood == expected.log_likelihood


# ---- answers ----


@pytest.mark.parametrize(
    "method", ["predict", "log_prob", "responsibilities", "component_log_prob"]
)
def test_answers_are_dask_arrays_in_the_chunks_of_the_rows(method: str) -> None:
    expected = getattr(MODEL, method)(X)
    answer = getattr(MODEL, method)(array())
    assert answer.chunks[0] == SIZES
    assert answer.shape == expected.shape
    assert answer.dtype == expected.dtype
    np.testing.assert_array_equal(answer.compute(), expected)
    answer = getattr(MODEL, method)(from_parts(PARTS))
    assert np.isnan(answer.shape[0])
    np.testing.assert_array_equal(answer.compute(), expected)


@pytest.mark.parametrize("kind", ["array", "frame"])
@pytest.mark.parametrize("missing", ["raise", "em"])
def test_answers_are_computed_when_they_are_asked_for(kind: str, missing: Any) -> None:
    model = mixtura.fit_gmm(frame().compute() if kind == "frame" else X, 2, rng=0).model
    answer = model.predict(never(kind), missing=missing)
    with pytest.raises(AssertionError, match="the rows were computed"):
        answer.compute()


def test_answers_to_a_frame_become_a_column_of_it() -> None:
    table = frame()
    model = mixtura.fit_gmm(table, 2, rng=0).model
    labelled = table.assign(component=model.predict(table)).compute()
    np.testing.assert_array_equal(labelled["component"], model.predict(table.compute()))
    assert labelled["component"].dtype == np.int64
    resp = model.responsibilities(table)
    assert resp.shape[1] == 2
    np.testing.assert_array_equal(resp.compute(), model.responsibilities(table.compute()))


def test_answer_of_one_partition_is_that_of_its_rows() -> None:
    answer = MODEL.log_prob(array())
    np.testing.assert_array_equal(answer.blocks[3].compute(), MODEL.log_prob(PARTS[3]))
    np.testing.assert_array_equal(answer[25:].compute(), MODEL.log_prob(X)[25:])


def test_answers_to_weighted_rows_compute_nothing_before_they_are_asked_for() -> None:
    weighted = frame(w=W)
    rows = scan(weighted, columns=["a", "b", "c"], weight="w")
    model = mixtura.fit_gmm(rows, 2, rng=0).model
    np.testing.assert_array_equal(model.predict(rows).compute(), model.predict(frame().compute()))
    failing = scan(weighted.map_partitions(_fail, meta=weighted._meta), weight="w")
    assert isinstance(model.log_prob(failing), da.Array)


def test_answers_name_what_is_not_finite_by_partition() -> None:
    holed = X.copy()
    holed[40, 2] = np.inf
    for rows in (
        da.from_array(holed, chunks=(SIZES, 3)),
        dd.from_pandas(pandas("DataFrame", holed), npartitions=4),
    ):
        answer = MODEL.predict(rows)
        with pytest.raises(ValueError, match=r"partition [23] of X must be finite; row .*column 2"):
            answer.compute()


def test_answers_to_incomplete_rows_are_those_of_memory() -> None:
    holed = X.copy()
    holed[::7, 1] = np.nan
    expected = MODEL.log_prob(holed, missing="em")
    answer = MODEL.log_prob(da.from_array(holed, chunks=(SIZES, 3)), missing="em")
    np.testing.assert_array_equal(answer.compute(), expected)


def test_answers_refuse_other_columns_without_computing_them() -> None:
    with pytest.raises(ValueError, match="3 columns"):
        MODEL.predict(never()[:, :2])


def test_criteria_are_those_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DaskRows, "blocks", _fail)  # no rows come to this process
    for name in ("log_likelihood", "bic", "aic", "icl"):
        value = getattr(MODEL, name)(array())
        assert value == pytest.approx(getattr(MODEL, name)(X), rel=1e-14)
    weighted = MODEL.log_likelihood(array(), da.from_array(W, chunks=(SIZES,)))
    assert weighted == pytest.approx(MODEL.log_likelihood(X, W), rel=1e-14)


def test_answers_go_to_a_file_or_to_the_caller_block_by_block(tmp_path: Path) -> None:
    expected = MODEL.predict(X)
    path = tmp_path / "labels.npy"
    assert MODEL.predict(from_parts(PARTS), out=path) == path
    np.testing.assert_array_equal(np.load(path), expected)
    blocks = list(MODEL.predict(array(), blocks=True))
    assert [len(block) for block in blocks] == list(SIZES)
    np.testing.assert_array_equal(np.concatenate(blocks), expected)


def test_imputed_rows_are_a_dask_array() -> None:
    holed = X.copy()
    holed[::7, 1] = np.nan
    imputed = MODEL.impute(da.from_array(holed, chunks=(SIZES, 3)))
    np.testing.assert_array_equal(imputed.compute(), MODEL.impute(holed))


# ---- k-means ----


@pytest.mark.parametrize("missing", ["raise", "em"])
def test_kmeans_has_the_bits_of_blocks_in_memory(
    missing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = X.copy()
    if missing == "em":
        values[::7, 1] = np.nan
        values[11] = np.nan
    rows = da.from_array(values, chunks=(SIZES, 3))
    monkeypatch.setattr(DaskRows, "blocks", _fail)
    found = mixtura.fit_kmeans(rows, 2, rng=0, missing=missing)
    blocks = scan(np.split(values, np.cumsum(SIZES)[:-1]))
    expected = mixtura.fit_kmeans(blocks, 2, rng=0, missing=missing)
    np.testing.assert_array_equal(found.centers, expected.centers)
    assert found.inertia == expected.inertia
    labels = found.predict(rows)
    assert isinstance(labels, da.Array)
    np.testing.assert_array_equal(labels.compute(), expected.predict(values))


def test_fit_of_incomplete_rows_starts_from_means_as_that_of_an_array() -> None:
    holed = X.copy()
    holed[::7, 1] = np.nan
    rows = da.from_array(holed, chunks=(SIZES, 3))
    fit, other = (mixtura.fit_gmm(each, 2, init=X[:2], missing="em") for each in (rows, holed))
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-6)
