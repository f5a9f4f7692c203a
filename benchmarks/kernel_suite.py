"""The two benchmarks that every kernel has: over shapes beside the reference, and over threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from types import ModuleType
from typing import Any

import mixtura
from benchmarks.agreement import CHECKED_ROWS, assert_agreement
from benchmarks.problems import COVARIANCE_TYPES, LARGE, Problem, Shape, make_problem, sizes

BACKENDS = {"compiled": mixtura.kernels, "reference": mixtura.reference}
SHAPES = sizes(
    [(20_000, 2, 3), (5_000, 16, 16)],
    [(1_000_000, 2, 3), (500_000, 8, 16), (100_000, 32, 64), (20_000, 128, 16)],
)
N_THREADS = [t for t in (1, 2, 4, 8, 16, 32) if t <= mixtura.build_config()["n_threads"]]


class Kernel(ABC):
    """A function that `mixtura.kernels` and `mixtura.reference` both have."""

    @staticmethod
    @abstractmethod
    def call(module: ModuleType, problem: Problem, n_threads: int | None) -> Any:
        """Call the function of that module on a problem."""


class KernelByShape(Kernel):
    """Compiled beside reference."""

    params = (list(BACKENDS), COVARIANCE_TYPES, SHAPES)
    param_names = ("backend", "covariance_type", "(n, d, k)")

    def setup(self, backend: str, covariance_type: str, shape: Shape) -> None:
        if LARGE and backend == "reference":
            raise NotImplementedError  # minutes each, for a figure that the modest sizes give
        check_agreement(type(self), shape, covariance_type, "float64", None)
        self.problem = make_problem(shape, covariance_type)

    def time_kernel(self, backend: str, *_: object) -> None:
        self.call(BACKENDS[backend], self.problem, None)


class KernelByThreads(Kernel):
    """Compiled, full covariances, over the number of threads and the type of the data."""

    params = (["float64", "float32"], N_THREADS, SHAPES[-1:])
    param_names = ("dtype", "n_threads", "(n, d, k)")

    def setup(self, dtype: str, n_threads: int, shape: Shape) -> None:
        check_agreement(type(self), shape, "full", dtype, n_threads)
        self.problem = make_problem(shape, "full", dtype)

    def time_kernel(self, _: str, n_threads: int, *__: object) -> None:
        self.call(mixtura.kernels, self.problem, n_threads)


@cache  # asv sets up anew before each call that it times
def check_agreement(
    kernel: type[Kernel], shape: Shape, covariance_type: str, dtype: str, n_threads: int | None
) -> None:
    """Compare the compiled function with the reference."""
    problem = make_problem(shape, covariance_type, dtype).head(CHECKED_ROWS)
    compiled, reference = (kernel.call(module, problem, n_threads) for module in BACKENDS.values())
    assert_agreement(compiled, reference, dtype)
