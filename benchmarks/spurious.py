"""Rounded data, with and without the guard against spurious maxima: a benchmark of soundness.

    python -m benchmarks.spurious [--seeds 5]

"off" is ``avoid_spurious=False``, "on" is the default. For each data set, covariance type and
number of components, the table has: in how many fits a component is spurious; the smallest variance
of a component relative to the average within components; the adjusted Rand index against the fit of
the data before rounding (median over seeds); and the CPU time of a fit. Cases without a spurious
component are not printed.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import NamedTuple

import numpy as np

import mixtura
from mixtura import datasets
from mixtura.data import open_rows
from mixtura.fitting.survey import Survey
from mixtura.mixture import GaussianMixture
from mixtura.parameters import Parameters
from mixtura.passes import Backend
from mixtura.shapes import SHAPES
from mixtura.updates import Guard

Array = np.ndarray


def data_sets() -> dict[str, tuple[Array, Array]]:
    """Rows as they are rounded, and before."""
    rng = np.random.default_rng(0)
    iris, notes = datasets.load_iris().data, datasets.load_banknote().data
    faithful, thyroid = datasets.load_faithful().data, datasets.load_thyroid().data
    even, bell = rng.uniform(-0.5, 4.5, size=(500, 2)), rng.normal(2.0, 1.0, size=(500, 3))
    return {
        "iris": (iris, iris),
        "iris to 0.5": (np.round(2 * iris) / 2, iris),
        "iris to 1": (np.round(iris), iris),
        "banknote": (notes, notes),
        "banknote to 1": (np.round(notes), notes),
        "faithful to 1": (np.round(faithful), faithful),
        "thyroid": (thyroid, thyroid),
        "grid of 5 x 5": (np.round(even), even),
        "grid of 5 x 5 x 5": (np.clip(np.round(bell), 0, 4), bell),
    }


class Ended(NamedTuple):
    """How fits from several seeds ended."""

    spurious: int
    narrowest: float
    labels: list[Array]
    seconds: float


def narrowest(model: GaussianMixture) -> float:
    """Smallest variance of a component in any direction, relative to the average of all."""
    matrices = model.covariance_matrices()
    within = np.tensordot(model.weights, matrices, 1)
    whiten = np.linalg.inv(np.linalg.cholesky(within))
    return min(float(np.linalg.eigvalsh(whiten @ matrix @ whiten.T)[0]) for matrix in matrices)


def fits(X: Array, k: int, covariance_type: str, seeds: int, **options: bool) -> Ended:
    """Fit from each seed."""
    begun = time.process_time()
    done = [
        mixtura.fit_gmm(X, k, covariance_type=covariance_type, rng=seed, n_threads=1, **options)
        for seed in range(seeds)
    ]
    seconds = (time.process_time() - begun) / seeds
    return Ended(
        sum(bool(spurious(fit.model, X)) for fit in done),
        min(narrowest(fit.model) for fit in done),
        [fit.model.predict(X) for fit in done],
        seconds,
    )


def spurious(model: GaussianMixture, X: Array) -> list[int]:
    """What the guard says of a mixture, however it was fitted."""
    shape = SHAPES[model.covariance_type]
    parameters = Parameters(
        model.weights, model.means, model.covariances, model.precisions_cholesky, shape
    )
    survey = Survey(open_rows(X), Backend())
    return Guard(survey.rounding, survey.unit, survey.backend.algebra).spurious(parameters)


def rand_index(one: Array, other: Array) -> float:
    """Adjusted for chance (Hubert and Arabie 1985)."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)
    pairs = [(counts * (counts - 1) / 2).sum() for counts in (table, table.sum(0), table.sum(1))]
    expected = pairs[1] * pairs[2] / (len(one) * (len(one) - 1) / 2)
    return float((pairs[0] - expected) / (0.5 * (pairs[1] + pairs[2]) - expected))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore")
    print(
        f"| data | type | k | spurious fits of {seeds}, off | spurious fits of {seeds}, on "
        "| smallest variance, off | smallest variance, on | index, off | index, on "
        "| ms, off | ms, on |"
    )
    print("| --- " * 3 + "| ---: " * 8 + "|")
    for name, (X, exact) in data_sets().items():
        for covariance_type in ("full", "diag", "spherical"):
            for k in (2, 3, 5):
                off = fits(X, k, covariance_type, seeds, avoid_spurious=False)
                on = fits(X, k, covariance_type, seeds)
                if not (off.spurious or on.spurious):
                    continue
                expected = fits(exact, k, covariance_type, 1).labels[0]
                index = [
                    np.median([rand_index(expected, labels) for labels in each.labels])
                    for each in (off, on)
                ]
                print(
                    f"| {name} | {covariance_type} | {k} | {off.spurious} | "
                    f"{on.spurious} | {off.narrowest:.1e} | {on.narrowest:.1e} | {index[0]:.2f} | "
                    f"{index[1]:.2f} | {1e3 * off.seconds:.0f} | {1e3 * on.seconds:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
