"""How often credible intervals of `fit_bayesian_gmm` hold the truth, where they ought to in 90%.

    python -m benchmarks.credible_intervals [--runs 200]

Rows are drawn from normal distributions with a variance of one. "mean" and "variance" are the share
of intervals of level 0.9 that hold those of the first feature of a component. The standard error of
a share near 0.9 is 0.02 for 200 runs. All fits have the default prior.

numbers missing : 400 rows of one feature and one component, of which a share is missing
noise : 200 rows of one feature and one component, with noise of some standard deviation
number of rows : few, of two features and one component
distance : 400 rows of two features and two components of equal weight, in standard deviations
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import mixtura

Array = np.ndarray
Drawn = tuple[Array, dict[str, Any]]  # rows, and the arguments of the fit


def missing(rng: np.random.Generator, share: float) -> Drawn:
    X = rng.normal(size=(400, 1))
    X[rng.random(400) < share] = np.nan
    return X, {"missing": "em"}


def noise(rng: np.random.Generator, deviation: float) -> Drawn:
    X = rng.normal(size=(200, 1)) + deviation * rng.normal(size=(200, 1))
    return X, {"noise_covariance": np.full(200, deviation**2)}


def few_rows(rng: np.random.Generator, n: float) -> Drawn:
    return rng.normal(size=(int(n), 2)), {}


def apart(rng: np.random.Generator, distance: float) -> Drawn:
    labels = rng.integers(2, size=400)
    X = rng.normal(size=(400, 2))
    X[:, 0] += distance * labels
    return X, {"n_components": 2, "init": labels, "moves": False}


CASES: tuple[tuple[str, Callable[[np.random.Generator, float], Drawn], tuple[float, ...]], ...] = (
    ("share of numbers that are missing", missing, (0.0, 0.5, 0.9, 0.98)),
    ("standard deviation of the noise", noise, (0.0, 0.5, 1.0, 2.0)),
    ("number of rows", few_rows, (5, 8, 15, 30)),
    ("distance of two components", apart, (2.0, 3.0, 4.0, 6.0, 8.0)),
)


def held(draw: Callable[[np.random.Generator, float], Drawn], level: float, runs: int) -> Array:
    """Shares of runs whose intervals hold the mean and the variance."""
    found = np.zeros(2)
    for seed in range(runs):
        X, options = draw(np.random.default_rng(seed), level)
        arguments = {"n_components": 1, "rng": 0, "tol": 1e-9, "n_threads": 1} | options
        intervals = mixtura.fit_bayesian_gmm(X, **arguments).posterior.credible_intervals(0.9)
        for place, (ends, truth) in enumerate(((intervals.means, 0.0), (intervals.variances, 1.0))):
            lower, upper = ends[0, 0]
            found[place] += lower <= truth <= upper
    return found / runs


def lines(runs: int) -> Iterator[str]:
    yield "| what is changed | its value | mean | variance |"
    yield "| --- | ---: | ---: | ---: |"
    for name, draw, levels in CASES:
        for level in levels:
            mean, variance = held(draw, level, runs)
            yield f"| {name} | {level:g} | {mean:.3f} | {variance:.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    for line in lines(parser.parse_args().runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
