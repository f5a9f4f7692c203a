"""Fits of rows of a Spark DataFrame are those of the same blocks in memory, to the bit."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sparks
from sparks import blocks_of, frame_of, numbers, spark, tables

import mixtura
from mixtura.data.far import spark_rows

__all__ = ["spark"]
pytestmark = sparks.marks
ROOT = Path(__file__).parents[2]
SIZE = 100
FEATURES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def made() -> list[dict[str, Any]]:
    return tables([250, 30, 100])


@pytest.fixture(scope="module")
def frame(spark: Any, made: list[dict[str, Any]]) -> Any:
    return frame_of(spark, made).persist()


@pytest.fixture(scope="module")
def rows(frame: Any) -> Any:
    return mixtura.scan(frame, columns=FEATURES, weight="w", block_size=SIZE)


@pytest.fixture(scope="module")
def fit(rows: Any) -> mixtura.GMMFit:
    return mixtura.fit_gmm(rows, 2, rng=0, tol=0, max_iter=3)


def assert_same_bits(fit: mixtura.GMMFit, other: mixtura.GMMFit) -> None:
    for name in ("weights", "means", "covariances"):
        np.testing.assert_array_equal(getattr(fit.model, name), getattr(other.model, name))
    assert fit.log_likelihood == other.log_likelihood
    np.testing.assert_array_equal(fit.history, other.history)


def test_a_fit_is_that_of_the_same_blocks_in_memory(
    fit: mixtura.GMMFit, made: list[dict[str, Any]]
) -> None:
    X, w = blocks_of(made, SIZE)
    here = mixtura.fit_gmm(mixtura.scan(X, weight=w), 2, rng=0, tol=0, max_iter=3)
    assert_same_bits(fit, here)
    assert fit.model.feature_names == ("a", "b", "c")


def test_a_fit_with_missing_numbers_is_that_of_the_same_blocks(spark: Any) -> None:
    made = tables([90, 110], seed=1, dtype="float32")
    made[0]["a"][5], made[1]["c"][7:40] = np.nan, np.nan
    frame = frame_of(spark, made).selectExpr("nanvl(a, CAST(NULL AS FLOAT)) AS a", "b", "c")
    X, _ = blocks_of(made, 50)
    options: Any = {"missing": "em", "rng": 0, "tol": 0, "max_iter": 2}
    there = mixtura.fit_gmm(mixtura.scan(frame, block_size=50), 2, **options)
    here = mixtura.fit_gmm(mixtura.scan(X), 2, **options)
    assert_same_bits(there, here)
    with pytest.raises(ValueError, match=re.escape('or pass missing="em"')):
        mixtura.fit_gmm(frame, 2)
    imputed = np.stack(there.model.impute(frame).toPandas()["imputed"])
    np.testing.assert_allclose(imputed, there.model.impute(np.concatenate(X)), rtol=1e-6)


def test_a_fit_of_a_frame_leaves_nothing_in_the_cache(spark: Any, frame: Any) -> None:
    frame.count()  # it is cached itself
    gc.collect()
    before = spark.sparkContext._jsc.getPersistentRDDs().size()
    fit = mixtura.fit_gmm(frame.select("a", "b"), 1, reg_covar=0)
    X = np.concatenate([np.stack([t["a"], t["b"]], axis=1) for t in tables([250, 30, 100])])
    np.testing.assert_allclose(fit.model.means[0], X.mean(axis=0))
    assert spark.sparkContext._jsc.getPersistentRDDs().size() == before


def test_answers_are_columns_beside_those_of_the_user(
    fit: mixtura.GMMFit, rows: Any, frame: Any, made: list[dict[str, Any]]
) -> None:
    tracker = frame.sparkSession.sparkContext.statusTracker()
    jobs = tracker.getJobIdsForGroup(None)
    model = fit.model
    labels = model.predict(rows)
    log_prob = model.log_prob(frame.select("a", "b", "c"))
    resp = model.responsibilities(labels.select("a", "b", "c", "component").select("a", "b", "c"))
    of_components = model.component_log_prob(mixtura.scan(frame, columns=FEATURES))
    assert tracker.getJobIdsForGroup(None) == jobs
    assert labels.columns == ["id", "a", "b", "c", "w", "component"]

    X = np.concatenate([numbers(table) for table in made])
    table = labels.toPandas()
    np.testing.assert_array_equal(table["id"], np.arange(len(X)))
    np.testing.assert_array_equal(table["component"], model.predict(X))
    np.testing.assert_array_equal(log_prob.toPandas()["log_prob"], model.log_prob(X))
    got = np.stack(resp.toPandas()["responsibilities"])
    np.testing.assert_array_equal(got, model.responsibilities(X))
    got = np.stack(of_components.toPandas()["component_log_prob"])
    np.testing.assert_array_equal(got, model.component_log_prob(X))


def test_answers_do_not_replace_a_column(fit: mixtura.GMMFit, frame: Any) -> None:
    named = mixtura.scan(frame.selectExpr("*", "1 AS component"), columns=FEATURES)
    with pytest.raises(ValueError, match="must not have a column 'component', which is to be adde"):
        fit.model.predict(named)


def test_answers_for_other_columns_are_refused(fit: mixtura.GMMFit, frame: Any) -> None:
    with pytest.raises(ValueError, match="X must have"):
        fit.model.predict(frame.select("a", "b"))


def test_selection_chooses_as_it_does_in_memory(rows: Any, made: list[dict[str, Any]]) -> None:
    X, w = blocks_of(made, SIZE)
    options: Any = {"covariance_type": ["diag"], "rng": 0, "max_iter": 2, "tol": 0}
    there = mixtura.select_gmm(rows, [1, 2], **options)
    here = mixtura.select_gmm(mixtura.scan(X, weight=w), [1, 2], **options)
    np.testing.assert_array_equal(there.best.model.means, here.best.model.means)
    assert there.best.model.n_components == 2


def test_clusters_are_those_of_the_same_blocks_in_memory(
    rows: Any, made: list[dict[str, Any]]
) -> None:
    X, w = blocks_of(made, SIZE)
    there = mixtura.fit_kmeans(rows, 2, rng=0, n_init=1)
    here = mixtura.fit_kmeans(mixtura.scan(X, weight=w), 2, rng=0, n_init=1)
    np.testing.assert_allclose(there.centers, here.centers, rtol=1e-12)
    assert there.labels is None
    np.testing.assert_array_equal(there.predict(rows).toPandas()["cluster"], here.labels)


def test_ctrl_c_gives_the_fit_so_far(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    collected = spark_rows.collected

    def interrupted(frame: Any) -> Any:
        passes.append(1)
        if len(passes) > 4:
            raise KeyboardInterrupt
        return collected(frame)

    assert rows.n_samples == 380
    start = mixtura.GaussianMixture([0.5, 0.5], [[0.0] * 3, [4.0] * 3], [np.eye(3)] * 2)
    monkeypatch.setattr(spark_rows, "collected", interrupted)
    with pytest.raises(mixtura.FitInterrupted):
        mixtura.fit_gmm(rows, 2, init=start, tol=0)


def test_a_fit_is_right_where_the_one_of_spark_fails(spark: Any) -> None:
    """Fifty features, clusters far apart: densities are below the smallest float."""
    from pyspark.ml.clustering import GaussianMixture
    from pyspark.ml.functions import array_to_vector

    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 50)) + 40.0 * np.repeat([0, 1], 200)[:, None]
    rng.shuffle(X)
    names = [f"x{a}" for a in range(50)]
    frame = spark.createDataFrame(pd.DataFrame(X, columns=names)).persist()
    fit = mixtura.fit_gmm(frame, 2, rng=0)
    high = X[:, 0] > 20.0
    expected = np.sort([X[high].mean(), X[~high].mean()])
    np.testing.assert_allclose(np.sort(fit.model.means.mean(axis=1)), expected, atol=1e-9)
    assert np.isfinite(fit.log_likelihood)

    vectors = frame.selectExpr(f"array({', '.join(names)}) AS x").withColumn(
        "features", array_to_vector("x")
    )
    try:
        theirs = GaussianMixture(k=2, seed=0, maxIter=5).fit(vectors)
    except Exception as error:
        assert "singular" in str(error) or "converge" in str(error) or "NaN" in str(error)  # noqa: PT017
    else:
        means = np.sort([row.mean.toArray().mean() for row in theirs.gaussiansDF.collect()])
        assert not np.allclose(means, expected, atol=1.0)


def test_examples_of_the_page_run(frame: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from pyspark.ml.functions import array_to_vector

    text = (ROOT / "docs" / "manual" / "spark.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(examples) == text.count("```python") == 5
    features = frame.selectExpr("array(a, b) AS x").select(array_to_vector("x").alias("features"))
    names: dict[str, Any] = {"frame": frame, "vectors": features}
    for example in examples:
        exec(compile(example, "spark.md", "exec"), names)
    assert "component" in capsys.readouterr().out
    assert names["pairs"].n_features == 2
    assert names["pairs"].n_samples == 380


def test_one_core_and_spark_connect_give_the_same_bits(
    spark: Any, made: list[dict[str, Any]], tmp_path: Path
) -> None:
    pytest.importorskip("grpc")
    for number, table in enumerate(made):
        pd.DataFrame(table).to_parquet(tmp_path / f"{number}.parquet")
    frame = spark.read.parquet(*(str(tmp_path / f"{number}.parquet") for number in range(3)))
    rows = mixtura.scan(frame, columns=FEATURES, weight="w", block_size=SIZE)
    here = mixtura.fit_gmm(rows, 2, init=sparks.MEANS, tol=0, max_iter=2)
    there = subprocess.run(
        [sys.executable, ROOT / "tests" / "spark_connect.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert there.returncode == 0, there.stderr
    bits, count, column = there.stdout.split()[-3:]
    assert bits == here.model.means.tobytes().hex()
    assert (count, column) == ("380", "component")
