"""Whole fits: a fixed number of iterations from one start, and what a user gets by default."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from numpy.typing import NDArray

import mixtura
from benchmarks.agreement import CHECKED_ROWS, assert_agreement
from benchmarks.kernel_suite import N_THREADS
from benchmarks.libraries import BACKENDS, LIBRARIES, automatic_fit, fit, prepare
from benchmarks.problems import COVARIANCE_TYPES, LARGE, Shape, make_problem, sizes

N_ITER = 5
SHAPES = sizes(
    [(5_000, 4, 3), (10_000, 8, 8)], [(1_000_000, 2, 3), (500_000, 8, 16), (100_000, 32, 64)]
)


class ByBackend:
    """Five iterations from a given mixture."""

    params = (BACKENDS, COVARIANCE_TYPES, SHAPES)
    param_names = ("backend", "covariance_type", "(n, d, k)")

    def setup(self, backend: str, covariance_type: str, shape: Shape) -> None:
        prepare(backend)
        if LARGE and backend == "reference":
            raise NotImplementedError  # minutes each, for a figure that the modest sizes give
        self.problem = make_problem(shape, covariance_type)
        check_agreement(backend, shape, covariance_type, "float64")

    def time_five_iterations(self, backend: str, *_: object) -> None:
        fit(backend, self.problem, N_ITER)


class ByThreads:
    """The same, full covariances, over the number of threads and the type of the data."""

    params = (["float64", "float32"], N_THREADS, SHAPES[-1:])
    param_names = ("dtype", "n_threads", "(n, d, k)")

    def setup(self, dtype: str, _: int, shape: Shape) -> None:
        self.problem = make_problem(shape, "full", dtype)
        check_agreement("compiled", shape, "full", dtype)

    def time_five_iterations(self, _: str, n_threads: int, *__: object) -> None:
        fit("compiled", self.problem, N_ITER, n_threads)


@cache  # asv sets up anew before each call that it times
def check_agreement(backend: str, shape: Shape, covariance_type: str, dtype: str) -> None:
    """Compare the log-likelihood after as many iterations with that of another backend."""
    problem = make_problem(shape, covariance_type, dtype).head(CHECKED_ROWS)
    other = "reference" if backend == "compiled" else "compiled"
    assert_agreement(fit(backend, problem, N_ITER), fit(other, problem, N_ITER), dtype)


class FewRows:
    """What the Python around an iteration costs: there is next to nothing to compute."""

    def setup(self) -> None:
        self.problem = make_problem((64, 1, 2))

    def time_hundred_iterations(self) -> None:
        fit("compiled", self.problem, 100)


class Default:
    """Everything by default, the start included.

    Starts and stopping rules differ, so the two may end in different maxima: the log-likelihood
    that each reaches stands beside its time.
    """

    params = (LIBRARIES, ["faithful, 2", "iris, 3", "drawn, 8"])
    param_names = ("library", "data, n_components")

    def setup(self, library: str, case: str) -> None:
        prepare(library)
        data, _, n_components = case.partition(", ")
        self.n_components = int(n_components)
        self.X = DATA[data]()

    def time_fit(self, library: str, _: str) -> None:
        automatic_fit(library, self.X, self.n_components)

    def track_mean_log_likelihood(self, library: str, _: str) -> float:
        return automatic_fit(library, self.X, self.n_components) / len(self.X)

    track_mean_log_likelihood.unit = "nats a row"  # type: ignore[attr-defined]


DATA: dict[str, Callable[[], NDArray[Any]]] = {
    "faithful": lambda: mixtura.datasets.load_faithful().data,
    "iris": lambda: mixtura.datasets.load_iris().data,
    "drawn": lambda: make_problem(sizes((5_000, 4, 8), (200_000, 16, 8))).X,
}
