"""Iterations with many components: all pairs, bounds per tile, and masks, side by side.

    python -m benchmarks.many_components [--quick] [--only growth]

Prints three tables. It takes some minutes, on one thread. `--quick` uses a tenth of the rows.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from statistics import median
from time import process_time
from typing import Any
from unittest.mock import patch

import numpy as np

import mixtura
from benchmarks import tables
from benchmarks.problems import Problem, make_problem
from benchmarks.report import write
from mixtura.passes import bounds

UNDER_WAY = {"dense": 1, "tiles": 5, "default": 5}  # iterations before the first that counts
COUNTED = {"dense": 2, "tiles": 3, "default": 5}
NEVER = 10**9
AGREEMENT = 1e-12  # of log-likelihoods, relative


@contextmanager
def ways(name: str) -> Iterator[None]:
    """Make passes in one of three ways."""
    patched: Any = {
        "dense": patch.object(bounds, "LEAST_COMPONENTS", NEVER),
        "tiles": patch.object(bounds, "FEW_PAIRS", {}),
        "default": nullcontext(),
    }[name]
    with patched:
        yield


@dataclass(frozen=True)
class Timed:
    """A fit, and the CPU seconds of an iteration under way."""

    fit: mixtura.GMMFit
    seconds: float


def timed(problem: Problem, way: str) -> Timed:
    """Fit on one thread, in one of three ways."""
    ends: list[float] = []
    with ways(way):
        fit = mixtura.fit_gmm(
            problem.X,
            problem.start.n_components,
            init=problem.start,
            covariance_type=problem.start.covariance_type,
            tol=0,
            max_iter=UNDER_WAY[way] + COUNTED[way],
            n_threads=1,
            callback=lambda _: ends.append(process_time()),
        )
    seconds = (end - begin for begin, end in pairwise(ends[UNDER_WAY[way] - 1 :]))
    return Timed(fit, median(seconds))


@dataclass(frozen=True)
class Row:
    """The three ways beside each other; the largest difference of their histories."""

    seconds: dict[str, float]
    difference: float


def compared(problem: Problem, ways_of: Sequence[str] = ("dense", "tiles", "default")) -> Row:
    """Time the ways, and compare the log-likelihoods that they find."""
    runs = {way: timed(problem, way) for way in ways_of}
    seconds = {way: run.seconds for way, run in runs.items()}
    histories = [np.asarray(run.fit.history) for run in runs.values()]
    chosen = histories[-1]
    difference = max(float(np.abs(h / chosen[: len(h)] - 1.0).max()) for h in histories)
    assert difference < AGREEMENT, difference
    return Row(seconds, difference)


def image_patches(n: int, k: int) -> Problem:
    """Patches of 8 x 8 from scikit-learn's two sample images, each less its mean."""
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(0)
    patches = []
    for image in load_sample_images().images:
        grey = image.mean(axis=2)
        windows = np.lib.stride_tricks.sliding_window_view(grey, (8, 8)).reshape(-1, 64)
        patches.append(windows[rng.choice(len(windows), size=n // 2, replace=False)])
    X = np.concatenate(patches)
    X = X - X.mean(axis=1, keepdims=True) + rng.normal(size=X.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mixtura.ConvergenceWarning)
        labels = mixtura.fit_kmeans(X, k, rng=0, n_init=1, max_iter=5).labels
    return Problem(X, mixtura.fit_gmm(X, k, init=labels, tol=0, max_iter=1).model)


def separated_diagonals(n: int, d: int, k: int, apart: float) -> Problem:
    """Rows whose components are diagonal, as the mixture is."""
    rng = np.random.default_rng(0)
    means = rng.normal(scale=apart / np.sqrt(2 * d), size=(k, d))
    deviations = np.exp(0.3 * rng.normal(size=(k, d)))
    labels = rng.integers(k, size=n)
    X = means[labels] + deviations[labels] * rng.normal(size=(n, d))
    start = means + 0.3 * rng.normal(size=(k, d))
    weights = np.full(k, 1.0 / k)
    return Problem(X, mixtura.GaussianMixture(weights, start, deviations**2, "diag"))


def cases(scale: int) -> dict[str, Callable[[], Problem]]:
    n = 200_000 // scale
    return {
        "full, 17 apart": lambda: make_problem((n, 16, 256), apart=17.0),
        "full, 8.5 apart": lambda: make_problem((n, 16, 256), apart=8.5),
        "full, overlapping": lambda: make_problem((n // 4, 16, 256), apart=0.0),
        "full, image patches": lambda: image_patches(n // 4, 200),
        "diagonal, separated": lambda: separated_diagonals(n // 2, 39, 1024 // scale, 11.0),
        "diagonal, overlapping": lambda: separated_diagonals(n // 4, 39, 512, 3.0),
    }


def figures_of_cases(scale: int = 1, only: str = "") -> list[dict[str, Any]]:
    """Time the three ways for each problem whose name has `only` in it."""
    found = []
    for name, make in cases(scale).items():
        if only not in name or ("patches" in name and not find_spec("sklearn")):
            continue
        problem = make()
        row = compared(problem)
        n, d = problem.X.shape
        found.append(
            {
                "problem": name, "n": n, "d": d, "k": problem.start.n_components,
                "seconds": row.seconds, "difference": row.difference,
            }
        )  # fmt: skip
    return found


def figures_of_growth(scale: int = 1) -> list[dict[str, Any]]:
    """Time an iteration for numbers of components and their distances."""
    found = []
    n, d = 50_000 // scale, 16
    for apart in (17.0, 8.5):
        for k in (64, 256, 1024, 4096):
            row = compared(make_problem((n, d, k), apart=apart), ("dense", "default"))
            found.append(
                {
                    "apart": apart, "n": n, "d": d, "k": k,
                    "seconds": row.seconds, "difference": row.difference,
                }
            )  # fmt: skip
    return found


def figures_of_margin(scale: int = 1) -> list[dict[str, Any]]:
    """Say what the margin changes: sums of one pass beside those over all pairs."""
    found = []
    for apart in (8.5, 5.0, 0.0):
        problem = make_problem((20_000 // scale, 16, 256), apart=apart)
        X, start = problem.X, problem.start
        sums = mixtura.kernels.accumulate(X, start.weights, **problem.components)
        log_likelihood = math.fsum(start.log_prob(X))
        resp_sum = problem.resp.sum(axis=0)
        found.append(
            {
                "apart": apart,
                "n": len(X),
                "log_likelihood": abs(sums.log_likelihood / log_likelihood - 1.0),
                "resp_sum": float(np.abs(sums.resp_sum / resp_sum - 1.0).max()),
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="part of a problem's name; growth; margin")
    arguments = parser.parse_args()
    scale = 10 if arguments.quick else 1
    if arguments.only not in ("growth", "margin"):
        write(tables.many_components(figures_of_cases(scale, arguments.only)))
    if arguments.only in ("", "growth"):
        write(tables.growth(figures_of_growth(scale)))
    if arguments.only in ("", "margin"):
        write(tables.margin(figures_of_margin(scale)))


if __name__ == "__main__":
    main()
