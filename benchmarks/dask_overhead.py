"""What Dask costs in an iteration beside the arithmetic, for 8 and 64 small partitions.

Run ``python -m benchmarks.dask_overhead``. Rows are so few that arithmetic takes a millisecond; the
same blocks in memory are timed and subtracted. CPU time is that of all processes: the client, which
runs the scheduler of a LocalCluster in a thread, and two workers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import mixtura

N, D, K = 64_000, 4, 3
ITERATIONS = 30


def main() -> None:
    import dask.array as da
    from distributed import Client, LocalCluster

    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D)) + 4.0 * rng.integers(0, K, size=(N, 1))
    model = mixtura.fit_gmm(X, K, rng=0).model
    print("| partitions | where | wall time, ms | CPU time, ms |\n| --- | --- | --- | --- |")
    for n_partitions in (8, 64):
        size = N // n_partitions
        blocks = mixtura.scan([X[first : first + size] for first in range(0, N, size)])
        rows = da.from_array(X, chunks=(size, D))
        memory = per_iteration(blocks, model, time.process_time)
        threads = per_iteration(rows, model, time.process_time)
        report(n_partitions, "threads", threads, memory)
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
            Client(cluster) as client,
        ):

            def cpu(client: Any = client) -> float:
                return time.process_time() + sum(client.run(time.process_time).values())

            report(n_partitions, "2 workers", per_iteration(rows, model, cpu), memory)


def per_iteration(rows: Any, model: Any, cpu: Callable[[], float]) -> tuple[float, float]:
    """Wall and CPU time of an iteration, in milliseconds: of many, less those of one."""
    times = []
    for n_iter in (1, 1 + ITERATIONS):
        mixtura.fit_gmm(rows, model.n_components, init=model, max_iter=1, tol=0)
        began, used = time.perf_counter(), cpu()
        mixtura.fit_gmm(rows, model.n_components, init=model, max_iter=n_iter, tol=0)
        times.append((time.perf_counter() - began, cpu() - used))
    wall, used = (1e3 * (more - one) / ITERATIONS for one, more in zip(*times, strict=True))
    return wall, used


def report(
    n_partitions: int, where: str, found: tuple[float, float], memory: tuple[float, float]
) -> None:
    wall, used = (a - b for a, b in zip(found, memory, strict=True))
    print(f"| {n_partitions} | {where} | {wall:.1f} | {used:.1f} |")


if __name__ == "__main__":
    main()
