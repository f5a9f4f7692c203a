"""What a second thread saves: in passes, in a selection, and of two Python threads.

    python -m benchmarks.two_threads

Figures are of the time that goes by; work on one and on two threads takes turns. Results have the
same bits, and the script ends with an error if they do not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import mixtura
from benchmarks import tables
from benchmarks.libraries import fit
from benchmarks.problems import make_problem
from benchmarks.report import machine, write
from benchmarks.small_fits import column
from benchmarks.turns import in_turns, timed, wall_time

PATIENCE, ROUNDS = 1.0, 2  # seconds for each, and turns at least
N_COLUMNS = 200


def iterations(shape: tuple[int, int, int]) -> Callable[[int], float]:
    problem = make_problem(shape)
    return lambda n_threads: fit("compiled", problem, 5, n_threads)


def kmeans(n_threads: int) -> float:
    X = make_problem((200_000, 64, 256), "spherical").X
    return mixtura.fit_kmeans(X, 256, init=X[:256], max_iter=5, tol=0, n_threads=n_threads).inertia


def default_fit(n_threads: int) -> float:
    X = make_problem((100_000, 8, 8)).X
    return mixtura.fit_gmm(X, 8, rng=0, n_threads=n_threads).log_likelihood


def selection(n_threads: int) -> float:
    X = mixtura.datasets.load_faithful().data
    best: float = mixtura.select_gmm(X, rng=0, n_threads=n_threads).best.log_likelihood
    return best


def python_threads(n_threads: int) -> float:
    """Fit columns, each on one thread of the kernels."""
    columns = [column(seed) for seed in range(N_COLUMNS)]

    def one(X: Any) -> float:
        return mixtura.fit_gmm(X, 2, rng=0, n_threads=1).log_likelihood

    with ThreadPoolExecutor(n_threads) as pool:
        return float(np.sum(list(pool.map(one, columns))))


def works() -> dict[str, Callable[[int], float]]:
    return {
        "5 iterations, (n, d, k) = (500,000, 8, 16)": iterations((500_000, 8, 16)),
        "5 iterations, (n, d, k) = (50,000, 32, 32)": iterations((50_000, 32, 32)),
        "5 iterations of k-means, (n, d, k) = (200,000, 64, 256)": kmeans,
        "a default fit, (n, d, k) = (100,000, 8, 8)": default_fit,
        "`select_gmm` of Old Faithful": selection,
        f"two Python threads, {N_COLUMNS} columns": python_threads,
    }


def figures() -> list[dict[str, Any]]:
    """Measure every kind of work."""
    found = []
    for name, work in works().items():
        results: dict[int, float] = {}

        def one(n_threads: int, work: Any = work, results: Any = results) -> float:
            def call() -> None:
                results[n_threads] = work(n_threads)

            return timed(call, clock=wall_time)

        with warnings.catch_warnings(action="ignore"):
            least = in_turns({n: lambda n=n, one=one: one(n) for n in (1, 2)}, PATIENCE, ROUNDS)
        assert results[1] == results[2], (name, results)
        found.append({"work": name, "one": least[1], "two": least[2]})
    return found


if __name__ == "__main__":
    write(tables.two_threads(figures()))
    write(machine())
