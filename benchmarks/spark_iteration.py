"""Seconds for an iteration of EM on a Spark DataFrame: Spark's own mixture, and ours.

    python benchmarks/spark_iteration.py [n_rows]

On two cores of this machine, with ten columns and ten components. "nothing" is a look that computes
nothing at the packed rows, which is the overhead of ours; "bare" is a mapInArrow over ten cached
columns that only reads them. Each figure is the least of several; the last column says how many
times faster than Spark's own mixture it is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from pyspark.ml.clustering import GaussianMixture
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession

import mixtura
from mixtura.data import Block

D, K, REPEATS = 10, 10, 5


def least(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds of the fastest of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def nothing(block: Block) -> np.ndarray:  # noqa: ARG001
    """A look that computes nothing."""
    return np.zeros(1)


def reading(batches: Iterable[Any]) -> Iterator[Any]:
    """Read all columns, and return how many rows there are."""
    import pyarrow as pa

    n = 0
    for batch in batches:
        table = np.stack([column.to_numpy() for column in batch.columns])
        n += table.shape[1]
    yield pa.RecordBatch.from_pydict({"n": [n]})


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "4g")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    names = [f"x{a}" for a in range(D)]
    columns = [
        f"randn({a}) + 3 * pmod(id * {2 * a + 1}, {K}) AS {name}" for a, name in enumerate(names)
    ]
    frame = session.range(0, n, 1, 4).selectExpr(*columns).persist()
    frame.count()

    def passes_of_spark(max_iter: int) -> float:
        vectors = frame.selectExpr(f"array({', '.join(names)}) AS x").select(
            array_to_vector("x").alias("features")
        )
        model = GaussianMixture(k=K, seed=0, maxIter=max_iter, tol=0.0)
        return least(lambda: model.fit(vectors), 1)

    passes_of_spark(1)  # warms up the virtual machine
    spark = (passes_of_spark(7) - passes_of_spark(2)) / 5
    bare = least(lambda: frame.mapInArrow(reading, "n long").collect())

    def report(name: str, seconds: float) -> None:
        print(f"{name:30} {seconds:8.3f} s {spark / seconds:8.1f}x", flush=True)

    report("Spark's own GaussianMixture", spark)
    report("bare mapInArrow", bare)
    for kind, cast in (("float64", "double"), ("float32", "float")):
        typed = frame.selectExpr(*(f"CAST({name} AS {cast}) AS {name}" for name in names))
        with mixtura.scan(typed) as rows:
            report(f"packing, {kind}, once", least(lambda rows=rows: rows.n_samples, 1))
            report(f"nothing, {kind}", least(lambda rows=rows: rows.total(nothing)))
            model = mixtura.fit_gmm(rows, K, rng=0, max_iter=1, tol=0, n_init=1).model

            def fit(max_iter: int, rows: Any = rows, model: Any = model) -> Any:
                return mixtura.fit_gmm(rows, K, init=model, max_iter=max_iter, tol=0)

            few, many = least(lambda: fit(2), 2), least(lambda: fit(12), 2)
            report(f"mixtura, {kind}", (many - few) / 10)
    session.stop()


if __name__ == "__main__":
    main()
