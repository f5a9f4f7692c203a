"""`accumulate`: the whole pass of EM, and how near it comes to the machine's matrix product."""

import time
from collections.abc import Callable
from types import ModuleType

import numpy as np

import mixtura
from benchmarks.agreement import assert_agreement
from benchmarks.kernel_suite import KernelByShape, KernelByThreads
from benchmarks.problems import Problem, sizes
from mixtura import Statistics


def accumulate(module: ModuleType, problem: Problem, n_threads: int | None) -> Statistics:
    statistics: Statistics = module.accumulate(
        problem.X, problem.start.weights, **problem.components, n_threads=n_threads
    )
    return statistics


class ByShape(KernelByShape):
    call = staticmethod(accumulate)


class ByThreads(KernelByThreads):
    call = staticmethod(accumulate)


class ShareOfDgemm:
    """Multiply-adds a second of a pass in which no row can be left out, as a share of DGEMM's.

    Of the pass only the two triangles count: n k d (d + 1).
    """

    params = (32, 64, 128)
    param_names = ("d",)
    unit = "%"
    n_components = 16

    def setup(self, d: int) -> None:
        n, k = sizes(100_000_000, 1_000_000_000) // (self.n_components * d * d), self.n_components
        X = np.random.default_rng(d).normal(size=(n, d))
        covariances = np.tile(np.eye(d), (k, 1, 1))
        # Components that are all the same answer equally for every row.
        start = mixtura.GaussianMixture(np.full(k, 1 / k), np.zeros((k, d)), covariances)
        self.problem = Problem(X, start)
        alone = accumulate(mixtura.reference, self.problem, None)
        assert_agreement(accumulate(mixtura.kernels, self.problem, None), alone, "float64")

    def track_share(self, d: int) -> float:
        side = 1_500
        square = np.random.default_rng(0).normal(size=(side, side))
        dgemm = side**3 / shortest(lambda: square @ square)
        triangles = len(self.problem.X) * self.n_components * d * (d + 1)
        ours = triangles / shortest(lambda: accumulate(mixtura.kernels, self.problem, None))
        return round(100 * ours / dgemm, 1)


def shortest(call: Callable[[], object], repeats: int = 5) -> float:
    """Return the least of a few times, in seconds."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)
