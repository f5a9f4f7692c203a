"""Rows with missing values: an iteration beside one of the same rows without holes."""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import Any

import numpy as np

from benchmarks.agreement import CHECKED_ROWS, assert_agreement
from benchmarks.bench_footprint import peak_memory
from benchmarks.kernel_suite import N_THREADS
from benchmarks.problems import Floats, Problem, Shape, make_problem, sizes
from mixtura import Statistics, kernels, reference
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import SHAPES

# (n, d, k), and the share that is missing in random places, or "monotone": four patterns, of rows
# that lack the last quarter of the features, the last half, three quarters, or nothing.
CASES = sizes(
    [((100_000, 8, 8), 0.05), ((20_000, 30, 8), 0.1), ((20_000, 20, 8), "monotone")],
    [((1_000_000, 8, 8), 0.05), ((100_000, 30, 8), 0.1), ((100_000, 20, 8), "monotone")],
)
TYPES = ("full", "tied", "diag")
Case = tuple[Shape, float | str]


def holed(X: Floats, missing: float | str) -> Floats:
    """Return the rows with numbers missing, always the same ones."""
    rng = np.random.default_rng(0)
    n, d = X.shape
    if missing == "monotone":
        away = np.arange(d) >= d - (rng.integers(0, 4, size=n) * d // 4)[:, None]
    else:
        away = rng.random((n, d)) < missing
    return np.where(away, np.nan, X)


def seen_by(problem: Problem) -> Seen:
    start = problem.start
    shape = SHAPES[start.covariance_type]
    arrays = start.weights, start.means, start.covariances, start.precisions_cholesky
    return Parameters(*arrays, shape).seen()


def iterate(engine: Any, form: str, X: Floats, seen: Seen, n_threads: int | None) -> Statistics:
    statistics: Statistics = engine.FORMS[form](X).accumulate("soft", seen, n_threads)
    return statistics


@cache  # asv sets up anew before each call that it times
def check_agreement(case: Case, covariance_type: str) -> None:
    """Compare the compiled pass with the reference."""
    problem = make_problem(case[0], covariance_type).head(CHECKED_ROWS)
    X, seen = holed(problem.X, case[1]), seen_by(problem)
    computed, expected = (
        iterate(engine, "incomplete", X, seen, None) for engine in (kernels, reference)
    )
    assert_agreement(computed, expected, "float64")


class Iteration:
    """Compiled passes over the rows with and without holes; the NumPy reference on fewer rows."""

    params = (["incomplete", "whole", "reference"], TYPES, N_THREADS[:2], CASES)
    param_names = ("rows", "covariance_type", "n_threads", "(n, d, k), missing")

    def setup(self, rows: str, covariance_type: str, n_threads: int, case: Case) -> None:
        if rows == "reference" and n_threads > 1:
            raise NotImplementedError  # it does not know threads
        check_agreement(case, covariance_type)
        problem = make_problem(case[0], covariance_type)
        if rows == "reference":
            problem = problem.head(CHECKED_ROWS)
        X = problem.X if rows == "whole" else holed(problem.X, case[1])
        engine = reference if rows == "reference" else kernels
        self.seen = seen_by(problem)
        self.rows: Any = engine.FORMS["whole" if rows == "whole" else "incomplete"](X)

    def time_pass(self, _: str, __: str, n_threads: int, ___: Case) -> None:
        self.rows.accumulate("soft", self.seen, n_threads)


class Ratio:
    """A pass over the rows with holes as a multiple of one over the same rows without any."""

    params = (TYPES, N_THREADS[:2], CASES)
    param_names = ("covariance_type", "n_threads", "(n, d, k), missing")
    unit = "1"

    def setup(self, covariance_type: str, _: int, case: Case) -> None:
        check_agreement(case, covariance_type)

    def track_ratio(self, covariance_type: str, n_threads: int, case: Case) -> float:
        return round(measure(covariance_type, n_threads, case)["ratio"], 2)


class Memory:
    """How far the sorting of the rows and a pass raise the peak of the process, in MiB."""

    params = (CASES,)
    param_names = ("(n, d, k), missing",)
    unit = "MiB"

    def setup(self, case: Case) -> None:
        problem = make_problem(case[0], "full")
        self.X, self.seen = holed(problem.X, case[1]), seen_by(problem)

    def track_peak(self, _: Case) -> float:
        before = peak_memory()
        iterate(kernels, "incomplete", self.X, self.seen, None)
        return round(peak_memory() - before, 1)


def measure(covariance_type: str, n_threads: int, case: Case, repeats: int = 7) -> dict[str, float]:
    """Return the shortest of a few times of each pass, in ms, which take turns; and the ratio."""
    problem = make_problem(case[0], covariance_type)
    seen, fewer = seen_by(problem), problem.head(CHECKED_ROWS)
    X = holed(problem.X, case[1])
    passes = {
        "whole": kernels.FORMS["whole"](problem.X),
        "incomplete": kernels.FORMS["incomplete"](X),
    }
    times: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(repeats):
        for name, rows in passes.items():
            begin = time.perf_counter()
            rows.accumulate("soft", seen, n_threads)
            times[name].append(1e3 * (time.perf_counter() - begin))
    begin = time.perf_counter()
    reference.FORMS["incomplete"](X[:CHECKED_ROWS]).accumulate("soft", seen, None)
    per_row = 1e3 * (time.perf_counter() - begin) / len(fewer.X)
    found = {name: min(each) for name, each in times.items()}
    return found | {
        "reference": per_row * len(problem.X),
        "ratio": found["incomplete"] / found["whole"],
    }


def main() -> None:
    """Print the times of all cases as a table."""
    head = "rows", "missing", "type", "threads", "whole", "incomplete", "ratio", "NumPy loop"
    write(*head)
    write(*["---"] * len(head))
    for case in CASES:
        (n, d, k), missing = case
        for covariance_type in TYPES:
            check_agreement(case, covariance_type)
            for n_threads in N_THREADS[:2]:
                t = measure(covariance_type, n_threads, case)
                times = f"{t['whole']:.0f} ms", f"{t['incomplete']:.0f} ms", f"{t['ratio']:.2f}"
                alone = f"{t['reference'] / 1e3:.1f} s"
                write(f"{n} x {d}, k = {k}", missing, covariance_type, n_threads, *times, alone)


def write(*cells: object) -> None:
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
