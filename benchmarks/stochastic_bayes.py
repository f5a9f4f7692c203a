"""Few passes over many rows, by streams and fits: docs/explanation/stepwise_evidence.md.

    python -m benchmarks.stochastic_bayes [--rows 1000000] [--start 10000] [--blocks]

Three algorithms begin with the mixture that a stream has after its start, on its first rows, which
are 1% of all: ordinary iterations, memoised ones, and a stream whose rows are read again and again.
Gaps are in nats per row: the evidence lower bound at the limit of accelerated iterations (or the
largest one found, where it is not the largest) less that after 1, 2 and 3 passes. Seconds are of
CPU, of one thread: of the start, and of three passes with all checks and the last look at the rows.
With --blocks, the table has memoised iterations with other numbers of blocks instead.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np

import mixtura
from benchmarks.stepwise_rules import rows
from mixtura.data import interleaved

SIZES = [(k, d) for k in (5, 10, 20) for d in (2, 10)]
SPREADS = {"separated": 6.0, "overlapping": 2.0}
PASSES = 3
BLOCKS = (4, 8, 16, 32, 64, 128)


def gap_line(name: str, best: float, bounds: list[float], seconds: float) -> None:
    gaps = "".join(f"{best - bound:>10.5f}" for bound in bounds)
    print(f"    {name:<14}{gaps}{seconds:>10.2f}", flush=True)


def timed(work: Callable[[], list[float]]) -> tuple[list[float], float]:
    """What is returned, and CPU seconds."""
    start = time.process_time()
    found = work()
    return found, time.process_time() - start


def problems(n: int) -> Iterator[tuple[str, np.ndarray, int]]:
    for k, d in SIZES:
        for name, spread in SPREADS.items():
            yield f"{name}, k = {k}, d = {d}", rows(0, k, d, spread, n), k


class Problem:
    """Rows, a start, and the prior that all algorithms have."""

    def __init__(self, X: np.ndarray, k: int, first: int) -> None:
        self.X, self.k, self.first = X, k, first
        self.stream = mixtura.StepwiseGMM(
            k, rng=0, n_threads=1, n_start=first, bayesian={"weight_sum": float(len(X))}
        )
        start = time.process_time()
        self.stream.update(X[:first])
        self.seconds = time.process_time() - start
        prior = self.stream.posterior.prior
        self.prior = {
            "mean": prior.mean, "covariance": prior.covariance, "init": self.stream.model,
            "n_threads": 1,
        }  # fmt: skip

    def fit(self, **options: object) -> mixtura.BayesianGMMFit:
        return mixtura.fit_bayesian_gmm(self.X, self.k, **self.prior, **options)

    def few(self, em: str) -> list[float]:
        """The bound after each of few passes."""
        return self.fit(em=em, tol=0, max_iter=PASSES).history.tolist()

    def streamed(self, size: int) -> tuple[list[float], float]:
        """The bound after each reading, and CPU seconds for the readings alone."""
        bounds, seconds = [], 0.0
        for reading in range(PASSES):
            start = time.process_time()
            for first in range(self.first if reading == 0 else 0, len(self.X), size):
                self.stream.update(self.X[first : first + size])
            seconds += time.process_time() - start
            bounds.append(self.stream.posterior.elbo(self.X) / len(self.X))
        return bounds, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--start", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--blocks", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore", mixtura.ConvergenceWarning)
    print(f"{'':<18}" + "".join(f"{f'pass {i + 1}':>10}" for i in range(PASSES)), "   seconds")
    for name, X, k in problems(options.rows):
        problem = Problem(X, k, options.start)
        found: dict[str, tuple[list[float], float]] = {}
        if options.blocks:
            for interleaved.MOST_BLOCKS in BLOCKS:
                blocks = f"{interleaved.MOST_BLOCKS} blocks"
                found[blocks] = timed(lambda problem=problem: problem.few("memoised"))
        else:
            for em in ("soft", "memoised"):
                found[em] = timed(lambda em=em, problem=problem: problem.few(em))
            found["stream"] = problem.streamed(options.batch)
        limit = problem.fit(max_iter=500, moves=False)
        best = max(limit.elbo / len(X), *(bounds[-1] for bounds, _ in found.values()))
        print(f"{name}: start {problem.seconds:.2f} s, limit after {limit.n_iter} iterations")
        for algorithm, (bounds, seconds) in found.items():
            gap_line(algorithm, best, bounds, seconds)


if __name__ == "__main__":
    main()
