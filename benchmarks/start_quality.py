"""How near different starts come to the best known log-likelihood: a benchmark of quality.

    python -m benchmarks.start_quality [--seeds 8] [--sklearn]

For each problem and method: the median and the worst, over seeds, of (best known - reached) in
nats per row, and the CPU time of a fit. "Best known" is the best over all methods and seeds and
over EM from the true labels, among solutions in which every component holds at least twice as many
rows as it has features: the likelihood of smaller ones grows without bound, so reaching them is no
merit.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import mixtura
from mixtura import datasets


class Problem(NamedTuple):
    """Rows, and the component that each came from."""

    X: np.ndarray
    labels: np.ndarray


class Reached(NamedTuple):
    """Where a fit ended: total log-likelihood, and rows in the smallest component."""

    log_likelihood: float
    smallest: float


def gaussians(means, covariances, weights, n, seed) -> Problem:
    """Rows of a known mixture."""
    rng = np.random.default_rng(seed)
    weights = np.asarray(weights, dtype=float)
    labels = rng.choice(len(weights), size=n, p=weights / weights.sum())
    X = rng.normal(size=(n, len(means[0])))
    for j, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        rows = labels == j
        X[rows] = X[rows] @ np.linalg.cholesky(covariance).T + mean
    return Problem(X, labels)


def uneven(k, d, spread, n, seed) -> Problem:
    """Components with covariances and weights of their own."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(k, d, d))
    covariances = factors @ factors.transpose(0, 2, 1) / d + 0.1 * np.eye(d)
    return gaussians(
        spread * rng.normal(size=(k, d)), covariances, rng.dirichlet(np.full(k, 3.0)), n, seed + 1
    )


def real(name) -> Problem:
    """A data set with known classes."""
    data = getattr(datasets, f"load_{name}")()
    return Problem(data.data, np.unique(data.labels, return_inverse=True)[1])


def problems() -> dict[str, Problem]:
    """All problems by name."""
    eye = np.eye(2)
    grid = [[4.0 * a, 4.0 * b] for a in range(5) for b in range(5)]
    scales = np.array([1e4, 1e-4, 1.0])
    thin = np.diag([100.0, 0.3])
    return {
        "elongated": gaussians([[0, 3 * j] for j in range(4)], [thin] * 4, [1] * 4, 1000, 0),
        "nested": gaussians([[0, 0]] * 3, [0.05 * eye, eye, 25 * eye], [1] * 3, 1500, 1),
        "unbalanced": gaussians([[0, 0], [6, 0], [0, 6]], [eye] * 3, [1000, 1, 30], 5000, 2),
        "overlap": gaussians(
            [[0, 0], [1.5, 0], [0, 1.5]],
            [eye, np.diag([2, 0.5]), np.diag([0.5, 2])],
            [1] * 3,
            2000,
            3,
        ),
        "grid": gaussians(grid, [0.5 * eye] * 25, [1] * 25, 3000, 4),
        "uneven 5-d": uneven(6, 5, 2.0, 3000, 5),
        "uneven 10-d": uneven(10, 10, 1.0, 5000, 6),
        "30-d": gaussians(
            0.9 * np.random.default_rng(7).normal(size=(5, 30)), [np.eye(30)] * 5, [1] * 5, 4000, 7
        ),
        "badly scaled": gaussians(
            np.array([[0, 0, 0], [5, 0, 0], [0, 5, 0], [0, 0, 3]]) * scales,
            [np.diag(scales**2)] * 4,
            [1] * 4,
            1500,
            8,
        ),
        "close 1-d": gaussians([[0.0], [1.6]], [[[0.5]], [[1.0]]], [3, 1], 4000, 9),
        "iris": real("iris"),
        "thyroid": real("thyroid"),
        "banknote": real("banknote"),
        "diabetes": real("diabetes_reaven_miller"),
    }


def ours(**options) -> Callable[[np.ndarray, int, int], Reached]:
    """fit_gmm with these options."""

    def fit(X, k, seed):
        fit = mixtura.fit_gmm(X, k, rng=seed, n_threads=1, **options)
        return Reached(fit.log_likelihood, fit.model.weights.min() * len(X))

    return fit


def sklearn(n_init) -> Callable[[np.ndarray, int, int], Reached]:
    """scikit-learn's GaussianMixture with its defaults."""
    from sklearn.mixture import GaussianMixture

    def fit(X, k, seed):
        model = GaussianMixture(k, n_init=n_init, random_state=seed).fit(X)
        return Reached(model.score(X) * len(X), model.weights_.min() * len(X))

    return fit


METHODS = {
    "default": ours(),
    "n_init=1": ours(n_init=1),
    "n_init=30": ours(n_init=30),
    "kmeans": ours(init="kmeans"),
    "random": ours(init="random"),
}


def best_known(problem: Problem, runs: list[Reached]) -> float:
    """Largest log-likelihood among solutions without a tiny component."""
    k = problem.labels.max() + 1
    true = mixtura.fit_gmm(problem.X, k, init=problem.labels)
    runs = [*runs, Reached(true.log_likelihood, true.model.weights.min() * len(problem.X))]
    least = 2 * problem.X.shape[1]
    return max(run.log_likelihood for run in runs if run.smallest >= least)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sklearn", action="store_true")
    parser.add_argument("--only", nargs="+")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    methods = dict(METHODS)
    if arguments.sklearn:
        methods |= {"sklearn": sklearn(1), "sklearn n_init=10": sklearn(10)}
    print("| problem | n, d, k | " + " | ".join(methods) + " |")
    print("| --- " * (len(methods) + 2) + "|")
    totals = dict.fromkeys(methods, 0.0)
    for name, problem in problems().items():
        if arguments.only and name not in arguments.only:
            continue
        (n, d), k = problem.X.shape, int(problem.labels.max()) + 1
        runs, seconds = {}, {}
        for method, fit in methods.items():
            begun = time.process_time()
            runs[method] = [fit(problem.X, k, seed) for seed in range(arguments.seeds)]
            seconds[method] = (time.process_time() - begun) / arguments.seeds
        best = best_known(problem, [run for each in runs.values() for run in each])
        cells = []
        for method in methods:
            missing = np.maximum([(best - run.log_likelihood) / n for run in runs[method]], 0.0)
            cells.append(
                f"{np.median(missing):.4f} {missing.max():.4f} {seconds[method] * 1e3:.0f} ms"
            )
            totals[method] += float(np.median(missing) > 1e-3) + float(missing.max() > 1e-3)
        print(f"| {name} | {n}, {d}, {k} | " + " | ".join(cells) + " |", flush=True)
    print("| cells above 0.001 | | " + " | ".join(f"{t:.0f}" for t in totals.values()) + " |")


if __name__ == "__main__":
    main()
