"""`accumulate_resp`: statistics under given responsibilities, as for a start."""

from types import ModuleType

from benchmarks.kernel_suite import KernelByShape, KernelByThreads
from benchmarks.problems import Problem
from mixtura import Statistics


def accumulate_resp(module: ModuleType, problem: Problem, n_threads: int | None) -> Statistics:
    statistics: Statistics = module.accumulate_resp(
        problem.X,
        problem.resp,
        problem.start.means,
        covariance_type=problem.start.covariance_type,
        n_threads=n_threads,
    )
    return statistics


class ByShape(KernelByShape):
    call = staticmethod(accumulate_resp)


class ByThreads(KernelByThreads):
    call = staticmethod(accumulate_resp)
