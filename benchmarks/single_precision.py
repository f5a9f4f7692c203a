"""An iteration over float32 rows beside one over the same rows in float64, on one thread.

    python -m benchmarks.single_precision

Figures are CPU time, the slope between a short and a long fit. The difference is that of the
log-likelihoods after the long one, relative.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks import tables
from benchmarks.libraries import fit
from benchmarks.problems import Problem, Shape, make_problem
from benchmarks.report import machine, write
from benchmarks.turns import compute_time, slopes, timed

CASES: list[tuple[str, Shape]] = [
    ("full", (500_000, 8, 16)),
    ("full", (300_000, 12, 16)),
    ("full", (100_000, 16, 32)),
    ("full", (50_000, 32, 32)),
    ("full", (20_000, 64, 32)),
    ("full", (20_000, 128, 16)),
    ("diag", (100_000, 16, 32)),
    ("diag", (50_000, 40, 32)),
]
AGREEMENT = 1e-6
PATIENCE = 0.3  # seconds
SHORT, LONG = 2, 6  # iterations
DTYPES = ("float64", "float32")


def figures() -> list[dict[str, Any]]:
    """Measure every case."""
    found = []
    for covariance_type, shape in CASES:
        problems = {name: make_problem(shape, covariance_type, name) for name in DTYPES}
        ends = [fit("compiled", problem, LONG, 1) for problem in problems.values()]
        difference = abs(ends[1] / ends[0] - 1.0)
        assert difference <= AGREEMENT, ends
        runs = {name: partial(run, problem) for name, problem in problems.items()}
        n, d, k = shape
        found.append(
            {
                "covariance_type": covariance_type, "n": n, "d": d, "k": k,
                "seconds": slopes(runs, (SHORT, LONG), PATIENCE), "difference": difference,
            }
        )  # fmt: skip
    return found


def run(problem: Problem, n_iter: int) -> float:
    """CPU seconds of a fit."""
    return timed(fit, "compiled", problem, n_iter, 1, clock=compute_time)


if __name__ == "__main__":
    write(tables.single_precision(figures()))
    write(machine())
