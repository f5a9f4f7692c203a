"""`log_density`: every row under every component."""

from types import ModuleType

from benchmarks.kernel_suite import KernelByShape, KernelByThreads
from benchmarks.problems import Floats, Problem


def log_density(module: ModuleType, problem: Problem, n_threads: int | None) -> Floats:
    density: Floats = module.log_density(problem.X, **problem.components, n_threads=n_threads)
    return density


class ByShape(KernelByShape):
    call = staticmethod(log_density)


class ByThreads(KernelByThreads):
    call = staticmethod(log_density)
