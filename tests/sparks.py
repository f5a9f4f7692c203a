"""A Spark session on two cores of this machine, for the tests that need one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

needs_java = pytest.mark.skipif(
    shutil.which("java") is None, reason="Spark needs Java, which is not on the PATH"
)
# of Spark's own, in its Python code
quiet = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
marks = [needs_java, quiet]

MEANS = [[0.0] * 3, [4.0] * 3]  # near those of `tables`

OPTIONS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # a table of pandas is a partition, also where Spark could put several together
    "spark.default.parallelism": "1",
    "spark.sql.execution.arrow.localRelationThreshold": "0",
    # each file is a partition, however many cores there are
    "spark.sql.files.maxPartitionBytes": "4MB",
    "spark.sql.files.minPartitionNum": "100",
}


# Spark's option of this name is one of spark-submit.
os.environ["PYSPARK_PYTHON"] = sys.executable
# Looks of tests are functions of their modules, which workers import.
FOLDERS = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, FOLDERS))


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A session that this process shares; it ends with the process."""
    pyspark = pytest.importorskip("pyspark.sql")
    builder = pyspark.SparkSession.builder.master("local[2]")
    for name, value in OPTIONS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


def frame_of(session: Any, parts: list[dict[str, Any]]) -> Any:
    """A Spark DataFrame with one partition for each table, whose rows stay in order."""
    frames = [session.createDataFrame(pd.DataFrame(part)) for part in parts]
    return reduce(type(frames[0]).union, frames)


def tables(n_rows: list[int], seed: int = 0, dtype: str = "float64") -> list[dict[str, Any]]:
    """Two clusters of rows with three features, weights, and names."""
    rng = np.random.default_rng(seed)
    made, start = [], 0
    for n in n_rows:
        X = rng.normal(size=(n, 3)) + 4.0 * rng.integers(2, size=(n, 1))
        X = X.astype(dtype)
        weight = rng.integers(0, 5, size=n) / 4.0
        ids = np.arange(start, start + n)
        made.append({"id": ids, "a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "w": weight})
        start += n
    return made


def numbers(table: dict[str, Any], columns: str = "abc") -> Any:
    """The features of a table, as an array."""
    return np.stack([table[name] for name in columns], axis=1)


def blocks_of(made: list[dict[str, Any]], size: int) -> tuple[list[Any], list[Any]]:
    """Features and weights as the cells of each partition hold them."""
    X, w = [], []
    for table in made:
        for start in range(0, len(table["w"]), size):
            X.append(numbers(table)[start : start + size])
            w.append(table["w"][start : start + size])
    return X, w
