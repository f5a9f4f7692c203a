"""`accumulate`: the whole pass of EM, and how near it comes to the machine's matrix product."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

import mixtura
from benchmarks.agreement import assert_agreement
from benchmarks.kernel_suite import KernelByShape, KernelByThreads
from benchmarks.problems import Problem, sizes
from benchmarks.turns import compute_time, in_turns, timed, wall_time
from mixtura import Statistics

LARGE_WORK = 1_000_000_000


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
        self.problem = undecided(d, self.n_components)

    def track_share(self, _: int) -> float:
        rates = multiply_adds(self.problem)
        return round(100 * rates["rate"] / rates["dgemm"], 1)


def undecided(d: int, k: int, work: int = sizes(100_000_000, LARGE_WORK)) -> Problem:
    """Rows that belong to all components alike, for so many multiply-adds in half a pass."""
    n = work // (k * d * d)
    X = np.random.default_rng(d).normal(size=(n, d))
    covariances = np.tile(np.eye(d), (k, 1, 1))
    problem = Problem(X, mixtura.GaussianMixture(np.full(k, 1 / k), np.zeros((k, d)), covariances))
    alone = accumulate(mixtura.reference, problem, None)
    assert_agreement(accumulate(mixtura.kernels, problem, None), alone, "float64")
    return problem


def multiply_adds(problem: Problem, clock: Callable[[], float] = wall_time) -> dict[str, float]:
    """Multiply-adds a second, of the triangles of a pass and of DGEMM."""
    side = 1_500
    square = np.random.default_rng(0).normal(size=(side, side))
    n, d = problem.X.shape
    works = {
        "rate": partial(timed, accumulate, mixtura.kernels, problem, None, clock=clock),
        "dgemm": partial(timed, np.matmul, square, square, clock=clock),
    }
    least = in_turns(works, 0.5, 5)
    triangles = n * problem.start.n_components * d * (d + 1)
    return {"rate": triangles / least["rate"], "dgemm": side**3 / least["dgemm"]}


def figures() -> list[dict[str, Any]]:
    """Compare the pass with DGEMM, by CPU time: set one thread for both."""
    k = ShareOfDgemm.n_components
    return [
        {"d": d, "k": k} | multiply_adds(undecided(d, k, LARGE_WORK), compute_time)
        for d in (16, *ShareOfDgemm.params)
    ]
