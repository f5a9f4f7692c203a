"""`responsibilities`: the posterior of every component for every row."""

from types import ModuleType

from benchmarks.kernel_suite import KernelByShape, KernelByThreads
from benchmarks.problems import Floats, Problem


def responsibilities(
    module: ModuleType, problem: Problem, n_threads: int | None
) -> tuple[Floats, Floats]:
    posterior: tuple[Floats, Floats] = module.responsibilities(
        problem.X, problem.start.weights, **problem.components, n_threads=n_threads
    )
    return posterior


class ByShape(KernelByShape):
    call = staticmethod(responsibilities)


class ByThreads(KernelByThreads):
    call = staticmethod(responsibilities)
