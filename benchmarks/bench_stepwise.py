"""Stepwise EM: an update beside the pass that it contains, and the Python around it.

    python -m benchmarks.bench_stepwise

prints a table of CPU time, of one thread.
"""

from __future__ import annotations

from statistics import median
from time import process_time

import mixtura
from benchmarks.agreement import assert_agreement
from benchmarks.problems import make_problem, sizes

N_FEATURES, N_COMPONENTS = 8, 8
START = 4000  # rows
BATCHES = [1, 100, 1000, 10_000]
REPEATS = sizes(30, 300)


class Update:
    """One update of a stream that has started."""

    params = (["compiled", "reference"], BATCHES)
    param_names = ("backend", "rows of a batch")

    def setup(self, backend: str, n_samples: int) -> None:
        problem = make_problem((START + max(BATCHES), N_FEATURES, N_COMPONENTS))
        self.batch = problem.X[START : START + n_samples]
        streams = [
            mixtura.StepwiseGMM(N_COMPONENTS, init=problem.start, n_threads=1, backend=each)
            for each in (backend, "reference")
        ]
        for stream in streams:
            stream.update(problem.X[:START]).update(self.batch)
        assert_agreement(streams[0].means, streams[1].means, "float64")
        self.stream = streams[0]

    def time_update(self, *_: object) -> None:
        self.stream.update(self.batch)


class Iteration:
    """One iteration of EM on the same rows, for comparison."""

    params = (["compiled", "reference"], BATCHES)
    param_names = ("backend", "rows")

    def setup(self, backend: str, n_samples: int) -> None:
        problem = make_problem((START + max(BATCHES), N_FEATURES, N_COMPONENTS))
        self.X, self.model = problem.X[START : START + n_samples], problem.start
        self.engine = getattr(mixtura, "kernels" if backend == "compiled" else "reference")

    def time_pass(self, *_: object) -> None:
        model = self.model
        self.engine.accumulate(
            self.X, model.weights, model.means, model.precisions_cholesky,
            covariance_type="full", n_threads=1,
        )  # fmt: skip


def milliseconds(work: object) -> float:
    """Median CPU time of a call."""
    found = []
    for _ in range(REPEATS):
        begin = process_time()
        work()  # type: ignore[operator]
        found.append(1e3 * (process_time() - begin))
    return median(found)


def main() -> None:
    print(f"{'backend':>10}{'rows':>8}{'update, ms':>12}{'its pass, ms':>14}")
    for backend in ("compiled", "reference"):
        for n_samples in BATCHES:
            update, alone = Update(), Iteration()
            update.setup(backend, n_samples)
            alone.setup(backend, n_samples)
            times = milliseconds(update.time_update), milliseconds(alone.time_pass)
            print(f"{backend:>10}{n_samples:>8}{times[0]:>12.3f}{times[1]:>14.3f}", flush=True)


if __name__ == "__main__":
    main()
