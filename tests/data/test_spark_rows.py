"""Rows of a Spark DataFrame: which columns they are, how they are packed, and what goes wrong."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import sparks
from sparks import blocks_of, frame_of, numbers, spark, tables

import mixtura
from mixtura.data import Block, looks, open_rows
from mixtura.data.far import spark_rows
from mixtura.data.far.spark_frames import collected, is_spark_frame, sent
from mixtura.exceptions import RowsChangedError
from mixtura.kernels.threads import choose_n_threads
from mixtura.statistics import total

__all__ = ["spark"]
pytestmark = sparks.marks
SIZE = 100


@pytest.fixture(scope="module")
def made() -> list[dict[str, Any]]:
    return tables([250, 30, 100])


@pytest.fixture(scope="module")
def frame(spark: Any, made: list[dict[str, Any]]) -> Any:
    return frame_of(spark, made).persist()


@pytest.fixture(scope="module")
def rows(frame: Any) -> Any:
    return mixtura.scan(frame, columns=["a", "b", "c"], weight="w", block_size=SIZE)


def n_cached(spark: Any) -> int:
    return int(spark.sparkContext._jsc.getPersistentRDDs().size())


def sums(block: Block) -> Any:
    return np.array([block.X.sum(), block.start, len(block.X)])


def threads(block: Block) -> int:  # noqa: ARG001
    return choose_n_threads(None)


def failing(block: Block) -> Any:
    raise ValueError(f"a block must not start at {block.start}")


# ---- without reading ----


def test_spark_is_not_imported_to_see_what_is_passed() -> None:
    code = "import sys, mixtura; mixtura.fit_gmm([[0.0], [1.0], [2.0]], 1); "
    code += "assert 'pyspark' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_scan_of_a_spark_frame_reads_nothing(spark: Any, frame: Any) -> None:
    tracker = spark.sparkContext.statusTracker()
    before = tracker.getJobIdsForGroup(None)
    rows = mixtura.scan(frame, columns=["c", 1], weight="w")
    assert repr(rows) == "<SparkRows: ? x 2 of float64>"
    assert rows.feature_names == ("c", "a")
    assert tracker.getJobIdsForGroup(None) == before


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["a", "x"], "the Spark DataFrame must have the column 'x'; it has 'id', 'a', 'b'"),
        ([9], "the Spark DataFrame must have the column 9, counted from 0; it has 5."),
        (["a", "a"], "columns must choose each column once"),
    ],
)
def test_columns_that_are_not_there_are_refused(frame: Any, columns: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        open_rows(mixtura.scan(frame, columns=columns))


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("'1'", "column 'x' of the Spark DataFrame must be real numbers; got string. Cast it to"),
        ("current_date()", "must be real numbers; got date. Cast it to double, or leave it out"),
        ("array(1.0D)", "got array<double>. Make a column of each element, with pyspark.ml"),
    ],
)
def test_columns_that_are_not_numbers_are_refused(spark: Any, sql: str, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        open_rows(spark.sql(f"SELECT 1.0 AS a, {sql} AS x"))


def test_vectors_are_refused_with_what_spark_can_do(spark: Any) -> None:
    from pyspark.ml.functions import array_to_vector

    vectors = spark.sql("SELECT array(1.0D) AS x").select(array_to_vector("x").alias("v"))
    with pytest.raises(TypeError, match=r"'v'.*got vector\. Make a column of each.*vector_to_arr"):
        open_rows(vectors)


def test_names_that_spark_takes_for_one_are_refused_where_they_are_used(spark: Any) -> None:
    frame = spark.sql("SELECT 1.0D AS a, 2.0D AS A, 3.0D AS b")
    with pytest.raises(
        ValueError,
        match=r"^columns of the Spark DataFrame must have names that differ in more than case; got "
        r"'a', 'A'\. Rename one, or set spark\.sql\.caseSensitive to true\.$",
    ):
        open_rows(frame)
    assert open_rows(mixtura.scan(frame, columns=["b"])).n_features == 1


def test_session_that_was_stopped_is_named(
    spark: Any, frame: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = mixtura.scan(frame, columns=["a"])
    monkeypatch.setattr(spark.sparkContext, "_jsc", None)
    with pytest.raises(
        RuntimeError,
        match=r"^the session of the Spark DataFrame must run; it was stopped\. Make the DataFrame "
        r"in a new one; with checkpoint= a fit continues\.$",
    ):
        rows.n_samples  # noqa: B018


def test_error_in_packing_leaves_nothing_in_the_cache(spark: Any) -> None:
    gc.collect()
    before = n_cached(spark)
    rows = mixtura.scan(spark.sql("SELECT double(raise_error('no')) AS a"))
    with pytest.raises(Exception, match="USER_RAISED_EXCEPTION"):
        rows.n_samples  # noqa: B018
    assert n_cached(spark) == before


def test_weights_that_are_no_column_are_refused(frame: Any) -> None:
    with pytest.raises(TypeError, match="weight must be the name or the position of a column"):
        mixtura.scan(frame, weight=[1.0])


# ---- packing ----


def test_blocks_are_cells_of_the_partitions(rows: Any, made: list[dict[str, Any]]) -> None:
    X, w = blocks_of(made, SIZE)
    start = 0
    for block, part, weight in zip(rows.blocks(), X, w, strict=True):
        np.testing.assert_array_equal(block.X, part)
        np.testing.assert_array_equal(block.sample_weight, weight)
        assert block.start == start
        start += len(part)
    assert rows.n_samples == start
    assert repr(rows) == "<SparkRows: 380 x 3 of float64>"


def test_looks_see_what_they_see_in_memory(rows: Any, made: list[dict[str, Any]]) -> None:
    X, w = blocks_of(made, SIZE)
    here = mixtura.scan(X, weight=w)
    assert list(rows.map(looks.counted)) == list(here.map(looks.counted))
    np.testing.assert_array_equal(rows.total(sums), total(here.map(sums)))
    some = [0, 99, 250, 379, 5]
    np.testing.assert_array_equal(rows.take(some), here.take(some))
    assert rows.range_of_weights == here.range_of_weights
    np.testing.assert_array_equal(rows.extremes.row, here.extremes.row)
    np.testing.assert_array_equal(rows.first_row(), here.first_row())


def test_numbers_of_other_types_become_float64(spark: Any) -> None:
    frame = spark.sql(
        "SELECT CAST(1.25 AS DECIMAL(9, 2)) AS `a.b`, 7 AS `c``d`, true AS e, CAST(NULL AS FLOAT) f"
    )
    (block,) = mixtura.scan(frame).checked("em").blocks()
    np.testing.assert_array_equal(block.X, [[1.25, 7.0, 1.0, np.nan]])
    assert block.X.dtype == np.float64


def test_float_columns_stay_float32(spark: Any) -> None:
    made = tables([20, 10], dtype="float32")
    rows = mixtura.scan(frame_of(spark, made).select("a", "b", "c"))
    assert rows.dtype == np.float32
    first, second = rows.blocks()
    np.testing.assert_array_equal(first.X, numbers(made[0]))
    assert second.X.dtype == np.float32
    assert second.sample_weight is None


def test_frames_without_rows_are_refused_like_arrays(spark: Any) -> None:
    frame = spark.sql("SELECT 1.0D AS a").where("a > 1")
    with pytest.raises(ValueError, match="X must have at least 2 rows; got 0"):
        open_rows(frame, minimum=2)
    rows = mixtura.scan(frame)
    assert [len(block.X) for block in rows.blocks()] == [0]
    assert rows.total(sums)[0] == 0.0


def test_empty_partitions_change_nothing(spark: Any) -> None:
    made = tables([40, 20])
    frame = frame_of(spark, made).select("a", "b", "c")
    wide = frame.union(frame.where("a > 1e9"))
    assert wide.rdd.getNumPartitions() == 4
    want, got = mixtura.scan(frame), mixtura.scan(wide)
    assert list(got.map(looks.counted)) == list(want.map(looks.counted))
    np.testing.assert_array_equal(got.total(sums), want.total(sums))


# ---- values ----


def test_values_that_are_not_finite_are_named_by_partition_row_and_column(spark: Any) -> None:
    made = tables([10, 20, 10])
    made[1]["b"][17] = np.inf
    rows = mixtura.scan(frame_of(spark, made), columns=["a", "b"], block_size=5)
    message = (
        "partition 1 of the Spark DataFrame must be finite; row 17, column 'b' is inf. Drop the "
        "row or fill in the value."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        rows.n_rows, rows.checked().counted


def test_negative_weights_are_named_by_partition_and_row(spark: Any) -> None:
    made = tables([10, 20])
    made[1]["w"][12] = -0.5
    rows = mixtura.scan(frame_of(spark, made), columns=["a"], weight="w", block_size=5)
    message = (
        "the weight in partition 1 of the Spark DataFrame, rows counted from 10, must be "
        "non-negative; row 2 is -0.5. Drop the row or set it to 0."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        rows.counted  # noqa: B018


def test_weights_that_are_all_zero_are_refused(frame: Any) -> None:
    rows = mixtura.scan(frame.selectExpr("a", "0 AS w"), weight="w")
    with pytest.raises(ValueError, match="weight must not be zero for all rows"):
        open_rows(rows, minimum=1)


def test_arrays_with_an_entry_for_each_row_are_refused(frame: Any) -> None:
    with pytest.raises(TypeError, match="sample_weight must not be an array of all rows, where"):
        mixtura.fit_gmm(frame.select("a"), 2, sample_weight=np.ones(380))
    with pytest.raises(TypeError, match="labels must not be an array of all rows, where these are"):
        mixtura.fit_gmm(frame.select("a"), 2, labels=np.zeros(380, dtype=int))


# ---- what goes wrong ----


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("partition != 2", "there were 5 cells of rows, and now 4. Spark lost the cached rows"),
        (
            "partition != 0 OR cell != 1",
            "partition 0 had 250 of WEIGHT in weight, and now 150 of",
        ),
    ],
)
def test_rows_that_have_changed_are_noticed(
    rows: Any, monkeypatch: pytest.MonkeyPatch, lost: str, message: str
) -> None:
    cells = rows._cells
    monkeypatch.setattr(cells, "frame", cells.frame.where(lost))
    message = message.replace("WEIGHT", f"{cells.weight_sum[0]:g}")
    with pytest.raises(RowsChangedError, match=re.escape(message)):
        rows.total(sums)


def test_weights_that_have_changed_are_noticed(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = rows._cells
    heavier = [name if name != "weight_sum" else "1 + weight_sum" for name in cells.frame.columns]
    monkeypatch.setattr(cells, "frame", cells.frame.selectExpr(*heavier))
    with pytest.raises(RowsChangedError, match=r"partition 0 had 250 of .* in weight, and now 250"):
        rows.total(sums)


def test_errors_of_workers_are_those_of_the_first_partition(rows: Any) -> None:
    with pytest.raises(ValueError, match="a block must not start at 0"):
        rows.total(failing)


def test_workers_without_mixtura_are_told_of(spark: Any) -> None:
    def lacking(batches: Any) -> Any:
        yield from batches
        raise ModuleNotFoundError("No module named 'mixtura'")

    frame = spark.range(1).mapInArrow(sent(lacking), "id long")
    message = (
        r"Spark's workers must have what the driver has, mixtura .*, Python 3\.\d+; got: No module "
        r"named 'mixtura'.* Install the same mixtura for the Python of all workers. PYSPARK_PYTHON"
    )
    with pytest.raises(RuntimeError, match=message):
        collected(frame)


def test_workers_of_another_version_are_told_of(
    frame: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_rows, "versions", lambda: "mixtura 0.0, Python 2.7")
    with pytest.raises(RuntimeError, match=r"must have what the driver has, mixtura 0.0, Python 2"):
        mixtura.scan(frame.select("a")).n_samples  # noqa: B018


def test_ctrl_c_ends_the_jobs(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    frame = spark.range(1)

    def interrupted() -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(frame, "collect", interrupted)
    monkeypatch.setattr(spark.sparkContext, "cancelJobsWithTag", ended.append)
    with pytest.raises(KeyboardInterrupt):
        collected(frame)
    (tag,) = ended
    assert tag.startswith("mixtura-")
    assert not spark.sparkContext.getJobTags()


# ---- what workers and the cache hold ----


def test_a_task_uses_one_thread(rows: Any) -> None:
    assert set(rows.map(threads)) == {1}


def test_packed_rows_are_kept_until_they_are_closed(spark: Any, frame: Any) -> None:
    gc.collect()
    before = n_cached(spark)
    with mixtura.scan(frame, columns=["a"]) as rows:
        assert rows.n_samples == 380
        assert n_cached(spark) == before + 1
        rows.checked().counted  # noqa: B018
        assert n_cached(spark) == before + 1
    assert n_cached(spark) == before
    assert rows.n_samples == 380
    assert n_cached(spark) == before + 1
    del rows
    gc.collect()
    assert n_cached(spark) == before


def test_spark_frames_are_known_from_others(frame: Any) -> None:
    assert is_spark_frame(frame)
    assert not is_spark_frame(frame.toPandas())
