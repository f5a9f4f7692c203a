"""What an update of the covariances of each family costs, and fits whose updates iterate.

    python -m benchmarks.family_updates [--fits]

The table has the CPU time of one update from statistics, in microseconds: by the compiled rule, and
in brackets by the rule in Python over the compiled algebra of small matrices. Both begin with the
covariances of an earlier update, as in EM, and make the same steps. `--fits` prints the CPU time
and the log-likelihood of default fits instead, so that the fits of two versions can be compared.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks import tables
from benchmarks.report import write
from mixtura import fit_gmm, kernels
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES, CovarianceFamily
from mixtura.datasets import load_faithful, load_iris
from mixtura.statistics import Statistics

SIZES = ((3, 2), (4, 6), (4, 13), (9, 30))
REPEATS = 5
LONG_ENOUGH = 0.02  # seconds of one measurement
WITH_STEPS = ("VEI", "VEE", "EVE", "VVE", "VEV")  # families whose update is a loop

# The engine without its rules.
algebra: Any = SimpleNamespace(
    factorise=kernels.factorise,
    eigh=kernels.eigh,
    multiply=kernels.multiply,
    covariance_rules={},
)


def example(family: CovarianceFamily, k: int, d: int, seed: int) -> Statistics:
    """Statistics of components of unlike shapes, about the means."""
    rng = np.random.default_rng((k, d, seed))
    roots = rng.normal(size=(k, 2 * d + 3, d)) * rng.uniform(0.3, 3.0, size=(k, 1, d))
    matrices = roots.transpose(0, 2, 1) @ roots
    counts, nowhere = rng.uniform(2.0, 6.0, size=k) * (d + 1), np.zeros((k, d))
    scatter = {
        "full": matrices,
        "tied": matrices.sum(axis=0),
        "diag": np.einsum("jaa->ja", matrices),
        "spherical": np.einsum("jaa->j", matrices),
    }[family.shape.name]
    return Statistics(family.shape.name, nowhere, counts, nowhere, scatter, 0.0, counts.sum())


def least_seconds(call: Callable[[], object]) -> float:
    """The least CPU time of one call."""
    times, n = [], 1
    while len(times) < REPEATS:
        start = time.process_time()
        for _ in range(n):
            call()
        seconds = time.process_time() - start
        if seconds < LONG_ENOUGH:
            n *= 2
        else:
            times.append(seconds / n)
    return min(times)


def figures(families: Sequence[str] = CELEUX_GOVAERT) -> list[dict[str, Any]]:
    """CPU seconds of an update of each family for each size, by both rules."""
    found = []
    for letters, (k, d) in product(families, SIZES):
        family = FAMILIES[letters]
        statistics = example(family, k, d, 0)
        previous = family.update(example(family, k, d, 1), kernels)
        scatter = family.shape.per_feature(statistics.resp_xx, d)
        arguments = scatter, statistics.resp_sum, previous
        rule = partial(family.rule, *arguments, algebra)
        compiled = partial(kernels.covariance_rules[letters], *arguments)
        np.testing.assert_allclose(compiled(), rule(), rtol=1e-6, atol=1e-9 * scatter.max())
        seconds = {"rule": least_seconds(rule), "compiled": least_seconds(compiled)}
        found.append({"family": letters, "k": k, "d": d, **seconds})
    return found


def print_fits() -> None:
    """Print default fits."""
    few = np.random.default_rng(0).normal(size=(30, 13))
    problems = [("30 x 13", few, (4,))]
    for load in (load_faithful, load_iris):
        X = load().X
        problems.append((f"{len(X)} x {X.shape[1]}", X, (2, 3, 4)))
    for name, X, numbers in problems:
        for letters in CELEUX_GOVAERT:
            seconds, found = 0.0, []
            for k in numbers:
                start = time.process_time()
                fit = fit_gmm(X, k, covariance_type=letters, rng=0, n_threads=1)
                seconds += time.process_time() - start
                found.append(f"{fit.log_likelihood / len(X):.6f}")
            print(f"| {name} | {letters} | {seconds:.3f} | " + ", ".join(found) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", action="store_true")
    warnings.simplefilter("ignore")
    print_fits() if parser.parse_args().fits else write(tables.families(figures()))
