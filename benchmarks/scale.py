"""What an iteration costs on many cores: the constants of docs/manual/scale.md, and what follows.

Run ``python -m benchmarks.scale``. It measures, on one thread, the time of a row in a pass, and the
time of a task, of a sum and of an update; then it prints what the formulas of docs/manual/scale.md
make of these for many rows and many cores. Nothing in the last table is measured.
"""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import mixtura
from benchmarks.files import machine
from benchmarks.problems import make_problem
from mixtura.data import open_rows
from mixtura.data.looks import counted

SIZES = [
    ("full", 4, 5), ("full", 10, 10), ("full", 32, 64), ("diag", 32, 64), ("full", 100, 20),
]  # fmt: skip
BLOCK = 1 << 21  # numbers
TASKS = 400
REPEATS = 5
ROUNDS = 8  # tasks of a worker in a pass, at least
LARGEST_GROUP = 64


def numbers_of_statistics(covariance_type: str, d: int, k: int) -> int:
    """Numbers in the statistics of one task."""
    scatter = {"full": k * d * d, "tied": d * d, "diag": k * d, "spherical": k}[covariance_type]
    return scatter + 2 * k * d + k + 2


def multiply_adds(covariance_type: str, d: int, k: int) -> int:
    """Multiply-adds for a row: its densities and its part of the sums."""
    return k * d * (d + 2) if covariance_type == "full" else 4 * k * d


def least(work: Callable[[], Any]) -> float:
    """Least CPU seconds of several calls."""
    times = []
    for _ in range(REPEATS):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def seconds_of(covariance_type: str, d: int, k: int) -> tuple[float, float, float, int]:
    """Seconds of CPU for a row, for a sum of two statistics and for an update; and bytes."""
    problem = make_problem((max(20_000, BLOCK // d // 8), d, k), covariance_type, "float32")

    def fit(n: int, iterations: int) -> float:
        def work() -> None:
            mixtura.fit_gmm(
                problem.X[:n], k, init=problem.start, covariance_type=covariance_type, tol=0,
                max_iter=iterations, reg_covar=1e-3, n_threads=1, on_collapse="drop",
            )  # fmt: skip

        return least(work)

    n, few = len(problem.X), 4 * k
    row = (fit(n, 5) - fit(n, 1)) / 4 / n
    update = max(0.0, (fit(few, 41) - fit(few, 1)) / 40 - few * row)
    start = problem.start
    statistics = mixtura.kernels.accumulate(
        problem.X[:1000], start.weights, start.means, start.precisions_cholesky,
        covariance_type=covariance_type,
    )  # fmt: skip
    data = pickle.dumps(statistics)

    def add() -> None:
        for _ in range(50):
            statistics + pickle.loads(data)

    return row, least(add) / 50, update, len(statistics.to_bytes())


def seconds_of_a_task(executor: Executor, path: Path) -> float:
    """Seconds between two results of an executor, for tasks that have next to no work."""
    rows = open_rows(mixtura.scan(path, block_size=10, executor=executor))
    list(rows.map(counted))
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        list(rows.map(counted))
        times.append(time.perf_counter() - begun)
    return min(times) / TASKS


def on_paper(
    n: float, cores: int, row: float, add: float, task: float, update: float, bandwidth: float
) -> tuple[float, float, float, float]:
    """Seconds of an iteration for rows of 16 bytes: arithmetic, reading, reduction, update."""
    blocks = max(1.0, n * 4 / BLOCK)
    group = 1
    while group < LARGEST_GROUP and blocks >= 2 * group * ROUNDS * cores:
        group *= 2
    return n * row / cores, n * 16 / bandwidth, blocks / group * (task + add), update


def main() -> None:
    """Measure, and print tables in Markdown."""
    print(f"{machine()}\n")
    print("| type | d | k | row, ns | multiply-adds per ns | bytes | sum, µs | update, µs |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    measured = {}
    for size in SIZES:
        row, add, update, size_of = measured[size] = seconds_of(*size)
        rate = multiply_adds(*size) / (1e9 * row)
        cells = [*size, f"{1e9 * row:.1f}", f"{rate:.1f}", size_of]
        print("|", " | ".join(map(str, [*cells, f"{1e6 * add:.0f}", f"{1e6 * update:.0f}"])), "|")
    print("\n| executor | task, µs |\n| --- | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, np.ones((10 * TASKS, 4), dtype=np.float32))
        with ThreadPoolExecutor(1) as threads:
            print(f"| ThreadPoolExecutor(1) | {1e6 * seconds_of_a_task(threads, path):.0f} |")
        with ProcessPoolExecutor(2) as processes:
            task = seconds_of_a_task(processes, path)
        print(f"| ProcessPoolExecutor(2) | {1e6 * task:.0f} |")
    print("\nSeconds of an iteration, d = 4, k = 5, full, float32; tasks as with two processes:\n")
    print("| rows | cores | GB/s of all disks | arithmetic | reading | reduction | update |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    row, add, update, _ = measured[SIZES[0]]
    for n, cores, speed in [(1e8, 2, 2), (1e9, 2, 2), (1e10, 100, 20), (1e11, 1000, 200)]:
        parts = on_paper(n, cores, row, add, task, update, 1e9 * speed)
        print(f"| {n:.0e} | {cores} | {speed} |", " | ".join(f"{part:.3g}" for part in parts), "|")


if __name__ == "__main__":
    main()
