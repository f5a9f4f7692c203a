"""Time mixtura.sklearn.BayesianGaussianMixture beside scikit-learn's class, and print a table.

    python -m benchmarks.bayesian [--cases N,D,K ...] [--types full ...] [--prior dirichlet_process]

Both get the same rows and the same `random_state`, do the same number of iterations, and use the
threads that they choose themselves. Nothing is timed before their lower bounds agree. The time of
an iteration is the slope between a short fit and a long one from rows drawn at random. A whole fit
starts from k-means, and stops after a fixed number of iterations. The fastest of several fits
counts, and the two take turns. CPU time is that of all threads.
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from argparse import RawTextHelpFormatter
from collections.abc import Callable
from functools import partial
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
import sklearn.mixture
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

import mixtura.sklearn
from benchmarks.problems import COVARIANCE_TYPES, Shape, make_problem
from benchmarks.report import machine, write
from benchmarks.tables import digits

CASES: list[Shape] = [
    (1_000_000, 1, 3),
    (1_000_000, 2, 3),
    (500_000, 8, 16),
    (200_000, 16, 32),
    (100_000, 32, 64),
    (50_000, 64, 32),
    (20_000, 128, 16),
    (5_000, 4, 3),
]
SHORT, LONG = 2, 8  # iterations between which the slope is taken
MORE = 40  # of fits to few rows, whose iterations are short
FEW = 1_000_000  # numbers in rows times components
WHOLE = 30  # iterations of a whole fit
AGREEMENT = 1e-8  # relative, of lower bounds
CLASSES = (mixtura.sklearn.BayesianGaussianMixture, sklearn.mixture.BayesianGaussianMixture)


class Times(NamedTuple):
    """Seconds on the clock, and of all CPUs."""

    wall: float
    cpu: float


def main() -> None:
    """Measure every case, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--cases", nargs="+", type=_shape, default=CASES, metavar="N,D,K")
    parser.add_argument("--types", nargs="+", default=list(COVARIANCE_TYPES))
    parser.add_argument("--prior", default="dirichlet_process")
    parser.add_argument("--rounds", type=int, default=3, help="of fits (default: %(default)s)")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    write("| covariance | n | d | k | iteration | scikit-learn | CPU | whole fit | scikit-learn |")
    write(f"| --- |{' ---: |' * 8}")
    ratios: dict[str, list[float]] = {"iteration": [], "iteration, CPU": [], "whole fit": []}
    for covariance_type in options.types:
        for shape in options.cases:
            fixed = {
                "n_components": shape[2], "covariance_type": covariance_type, "tol": 0.0,
                "weight_concentration_prior_type": options.prior, "random_state": 0,
            }  # fmt: skip
            X = make_problem(shape, covariance_type).X
            ours, theirs = iteration(X, fixed, options.rounds)
            whole, their_whole = measured(X, fixed | {"max_iter": WHOLE}, options.rounds)
            wall, cpu = theirs.wall / ours.wall, theirs.cpu / ours.cpu
            fit = their_whole.wall / whole.wall
            for name, ratio in zip(ratios, (wall, cpu, fit), strict=True):
                ratios[name].append(ratio)
            cells = [
                covariance_type, *(f"{size:,}" for size in shape), digits(1e3 * ours.wall),
                f"{digits(1e3 * theirs.wall)} ({wall:.1f}x)", f"{cpu:.1f}x",
                digits(1e3 * whole.wall), f"{digits(1e3 * their_whole.wall)} ({fit:.1f}x)",
            ]  # fmt: skip
            write(f"| {' | '.join(cells)} |")
    write()
    for name, values in ratios.items():
        mean = math.exp(sum(map(math.log, values)) / len(values))
        write(
            f"{name}: geometric mean {mean:.1f}x, smallest {min(values):.1f}x, of {len(values)} "
            f"cases"
        )
    write()
    write(
        f"Milliseconds, float64; a whole fit has {WHOLE} iterations. Lower bounds after the same "
        f"iterations differ by at most {AGREEMENT:.0e}, relative. {machine()}"
    )


def iteration(X: NDArray[Any], fixed: dict[str, Any], rounds: int) -> tuple[Times, Times]:
    """Return the times of one iteration of mixtura and of scikit-learn."""
    long = LONG if X.size * fixed["n_components"] > FEW else SHORT + MORE
    fixed = fixed | {"init_params": "random_from_data"}
    ends = [measured(X, fixed | {"max_iter": n_iter}, rounds) for n_iter in (SHORT, long)]
    slopes = []
    for short, late in zip(*ends, strict=True):
        slope = [(b - a) / (long - SHORT) for a, b in zip(short, late, strict=True)]
        if min(slope) <= 0.0:
            sys.exit(
                f"{long} iterations must take longer than {SHORT}; got {slope} seconds for one. "
                f"Use more --rounds, or a quieter machine."
            )
        slopes.append(Times(*slope))
    return slopes[0], slopes[1]


def measured(X: NDArray[Any], parameters: dict[str, Any], rounds: int) -> tuple[Times, Times]:
    """Return the least times of a fit of mixtura and of scikit-learn, which agree."""
    fits: list[Callable[[], Any]] = [partial(kind(**parameters).fit, X) for kind in CLASSES]
    found: list[list[Times]] = [[], []]
    for _ in range(rounds):
        bounds = []
        for fit, times in zip(fits, found, strict=True):
            wall, cpu = perf_counter(), process_time()
            model = fit()
            times.append(Times(perf_counter() - wall, process_time() - cpu))
            bounds.append(np.ravel(model.lower_bounds_))
        assert len(bounds[0]) == len(bounds[1]) == parameters["max_iter"]
        np.testing.assert_allclose(*bounds, rtol=AGREEMENT, atol=AGREEMENT * np.abs(bounds).max())
    ours, theirs = (Times(*map(min, zip(*times, strict=True))) for times in found)
    return ours, theirs


def _shape(text: str) -> Shape:
    n, d, k = map(int, text.split(","))
    return n, d, k


if __name__ == "__main__":
    main()
