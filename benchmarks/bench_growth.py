"""How the time of an iteration grows with the number of components."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from time import perf_counter

import mixtura
from benchmarks.agreement import CHECKED_ROWS, assert_agreement
from benchmarks.bench_accumulate import accumulate
from benchmarks.problems import Problem, make_problem, sizes

N_SAMPLES, N_FEATURES = sizes((10_000, 8), (200_000, 16))
N_COMPONENTS = sizes([4, 32, 256], [16, 64, 256, 1024])
UNDER_WAY = 5  # iterations before the first that counts
COUNTED = 5


class WithComponents:
    """The median of iterations 6 to 10, from components far apart to all in one place.

    Where components are far apart few of them matter to a row, and a pass may remember which.
    """

    params = (N_COMPONENTS, [17.0, 8.5, 0.0])
    param_names = ("n_components", "standard deviations apart")
    unit = "ms"

    def setup(self, n_components: int, apart: float) -> None:
        self.problem = make_problem((N_SAMPLES, N_FEATURES, n_components), apart=apart)
        head = self.problem.head(CHECKED_ROWS)
        alone = accumulate(mixtura.reference, head, None)
        assert_agreement(accumulate(mixtura.kernels, head, None), alone, "float64")

    def track_iteration(self, n_components: int, _: float) -> float:
        X, start = self.problem.X, self.problem.start
        ends: list[float] = []
        fit = mixtura.fit_gmm(
            X,
            n_components,
            init=start,
            tol=0,
            max_iter=UNDER_WAY + COUNTED,
            callback=lambda _: ends.append(perf_counter()),
        )
        fresh = accumulate(mixtura.kernels, Problem(X, fit.model), None)
        assert_agreement(fit.log_likelihood, fresh.log_likelihood, "float64")
        seconds = median(end - begin for begin, end in pairwise(ends[UNDER_WAY - 1 :]))
        return round(1e3 * seconds, 3)
