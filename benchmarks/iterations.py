"""One EM iteration of mixtura beside scikit-learn and oneDAL: the same rows, the same start.

    python -m benchmarks.iterations [--peers-python PYTHON] [--only shapes] [--patience 1]

The time of an iteration is the slope between a short fit and a long one, so that checks of the
input and what is set up once cancel. The libraries take turns. The log-likelihoods after the long
fit must agree; that of oneDAL is computed here, from the parameters that it ends with. Every
library uses the threads that it takes by default, and figures are of the time that goes by.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import mixtura
from benchmarks import peers, tables
from benchmarks.libraries import PEER, fit, prepare
from benchmarks.problems import Problem, Shape, make_problem
from benchmarks.report import machine, write
from benchmarks.turns import slopes, timed, wall_time

Case = tuple[str, Shape]
CASES: dict[str, list[Case]] = {
    "iterations": [
        ("full", (5_000, 4, 3)),
        ("full", (1_000_000, 1, 3)),
        ("full", (1_000_000, 2, 3)),
        ("full", (500_000, 8, 16)),
        ("full", (200_000, 16, 32)),
        ("full", (100_000, 32, 64)),
        ("full", (50_000, 64, 32)),
        ("full", (20_000, 128, 16)),
    ],
    "shapes": [
        ("full", (400_000, 10, 12)),
        ("full", (150_000, 14, 24)),
        ("full", (150_000, 20, 24)),
        ("full", (100_000, 28, 24)),
        ("diag", (400_000, 10, 12)),
        ("diag", (150_000, 40, 24)),
        ("tied", (400_000, 10, 12)),
        ("spherical", (400_000, 10, 12)),
    ],
}
SHORT, LONG, LONGER = 2, 5, 12  # iterations; more of them where one takes microseconds
FEW_ROWS = 10_000
ROUNDS = 2  # at least
AGREEMENT = {PEER: 1e-9, "oneDAL": 1e-9}  # relative, of log-likelihoods


def figures(cases: Sequence[Case], pythons: list[str], patience: float = 1.0) -> list[Any]:
    """Measure every case."""
    return [measured(*case, pythons, patience) for case in cases]


def measured(
    covariance_type: str, shape: Shape, pythons: list[str], patience: float
) -> dict[str, Any]:
    """Seconds of an iteration by each library that is there, and how far their ends differ."""
    problem = make_problem(shape, covariance_type)
    long = LONGER if shape[0] < FEW_ROWS else LONG
    ends: dict[str, float] = {}
    runs: dict[str, Callable[[int], float]] = {
        "mixtura": in_process("compiled", problem, long, ends)
    }
    with ExitStack() as stack:
        if find_spec("sklearn"):
            prepare(PEER)
            runs[PEER] = in_process(PEER, problem, long, ends)
        start, onedal = problem.start, None
        if covariance_type in ("full", "diag"):
            arrays = {name: getattr(start, name) for name in ("weights", "means", "covariances")}
            try:
                onedal = peers.Peer("onedal-em", pythons, clock="wall", X=problem.X, **arrays)
                stack.enter_context(onedal)
                runs["oneDAL"] = onedal.run
            except peers.Missing:
                pass
        seconds = slopes(runs, (SHORT, long), patience, ROUNDS)
        if onedal is not None:
            onedal.run(long)
            ends["oneDAL"] = log_likelihood(problem, onedal.end())
    n, d, k = shape
    differences = {name: abs(end / ends["compiled"] - 1.0) for name, end in ends.items()}
    for name, most in AGREEMENT.items():
        assert differences.get(name, 0.0) <= most, (
            f"{covariance_type}, (n, d, k) = {shape}: libraries must reach the same log-likelihood "
            f"in {long} iterations; got {ends}. Find out which is wrong before quoting times."
        )
    return {
        "covariance_type": covariance_type, "n": n, "d": d, "k": k, "seconds": seconds,
        "difference": max(differences.values()),
    }  # fmt: skip


def in_process(
    library: str, problem: Problem, long: int, ends: dict[str, float]
) -> Callable[[int], float]:
    """What runs a library here, and keeps its log-likelihood after the long fit."""

    def work(n_iter: int) -> None:
        end = fit(library, problem, n_iter)
        if n_iter == long:
            ends[library] = end

    return lambda n_iter: timed(work, n_iter, clock=wall_time)


def log_likelihood(problem: Problem, parameters: dict[str, Any]) -> float:
    """Log-likelihood of the rows, nats."""
    weights = parameters.pop("weights")
    model = mixtura.GaussianMixture(
        weights / weights.sum(), **parameters, covariance_type=problem.start.covariance_type
    )
    return float(model.log_prob(problem.X).sum())


def main() -> None:
    """Measure every case, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--patience", type=float, default=1.0, help="least seconds for a library")
    peers.add_option(parser)
    options = parser.parse_args()
    pythons = peers.interpreters(options.peers_python)
    for name, cases in CASES.items():
        if options.only in (None, name):
            write(tables.iterations(figures(cases, pythons, options.patience)))
            write()
    write(machine())


if __name__ == "__main__":
    main()
