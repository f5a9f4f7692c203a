"""How near different starts come to the best known log-likelihood, and in what time.

    python -m benchmarks.start_quality [--seeds 20] [--times 1] [--methods default sklearn ...]

The gap of a fit is (best known - reached) in nats per row. The first table has, for each problem
and method, the median gap over seeds and, in brackets, the worst tenth. The second has the median
CPU time of a fit in milliseconds, on one thread (set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS to
1). `--times 20` draws twenty times the rows. "Best known" is the best over all methods and seeds
and over EM from the true labels, among solutions in which every component holds at least twice as
many rows as it has features: the likelihood of smaller ones grows without bound, so reaching them
is no merit.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
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


def pinwheel(n, seed) -> Problem:
    """Four bent arms: no component is a Gaussian."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    along = rng.normal(size=n)
    angle, radius = np.pi / 2.0 * labels + 0.3 * along, 3.0 + along
    arms = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return Problem(arms + 0.15 * rng.normal(size=(n, 2)), labels)


def problems(times: int = 1) -> dict[str, Problem]:
    """All problems by name, with `times` the rows where they are drawn."""
    eye = np.eye(2)
    grid = [[4.0 * a, 4.0 * b] for a in range(5) for b in range(5)]
    scales = np.array([1e4, 1e-4, 1.0])
    thin = np.diag([100.0, 0.3])
    corners = np.array([[0, 0, 0], [5, 0, 0], [0, 5, 0], [0, 0, 3]])
    far = 0.9 * np.random.default_rng(7).normal(size=(5, 30))
    wide, high = np.diag([2.0, 0.5]), np.diag([0.5, 2.0])
    blades = [np.diag([9.0, 0.05]), np.diag([0.05, 9.0]), eye]
    n = 1000 * times
    drawn = {
        "elongated": gaussians([[0, 3 * j] for j in range(4)], [thin] * 4, [1] * 4, n, 0),
        "nested": gaussians([[0, 0]] * 3, [0.05 * eye, eye, 25 * eye], [1] * 3, 3 * n // 2, 1),
        "unbalanced": gaussians([[0, 0], [6, 0], [0, 6]], [eye] * 3, [1000, 1, 30], 5 * n, 2),
        "overlap": gaussians([[0, 0], [1.5, 0], [0, 1.5]], [eye, wide, high], [1] * 3, 2 * n, 3),
        "grid": gaussians(grid, [0.5 * eye] * 25, [1] * 25, 3 * n, 4),
        "uneven 3-d": uneven(8, 3, 2.0, 3 * n, 21),
        "uneven 4-d": uneven(20, 4, 3.0, 5 * n, 23),
        "uneven 5-d": uneven(6, 5, 2.0, 3 * n, 5),
        "uneven 10-d": uneven(10, 10, 1.0, 5 * n, 6),
        "uneven, near": uneven(6, 10, 0.8, 3 * n, 22),
        "30-d": gaussians(far, [np.eye(30)] * 5, [1] * 5, 4 * n, 7),
        "badly scaled": gaussians(
            corners * scales, [np.diag(scales**2)] * 4, [1] * 4, 3 * n // 2, 8
        ),
        "close 1-d": gaussians([[0.0], [1.6]], [[[0.5]], [[1.0]]], [3, 1], 4 * n, 9),
        "cross": gaussians([[0, 0], [0, 0], [6, 0]], blades, [1] * 3, 3 * n // 2, 25),
        "pinwheel": pinwheel(2 * n, 24),
    }
    if times > 1:
        return drawn
    names = ("iris", "thyroid", "banknote", "diabetes_reaven_miller")
    faithful = datasets.load_faithful().data
    return (
        drawn
        | {name.partition("_")[0]: real(name) for name in names}
        | {"faithful": Problem(faithful, (faithful[:, 0] > 3.0).astype(int))}
    )


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
    "kmeans++": ours(init="kmeans++"),
    "random": ours(init="random"),
    "plain EM": ours(accelerate=False),
    "sklearn": sklearn(1),
    "sklearn n_init=10": sklearn(10),
}


def best_known(problem: Problem, runs: list[Reached]) -> float:
    """Largest log-likelihood among solutions without a tiny component."""
    k = problem.labels.max() + 1
    true = mixtura.fit_gmm(problem.X, k, init=problem.labels)
    runs = [*runs, Reached(true.log_likelihood, true.model.weights.min() * len(problem.X))]
    least = 2 * problem.X.shape[1]
    return max(run.log_likelihood for run in runs if run.smallest >= least)


def timed(fit: Callable[[], Reached]) -> tuple[Reached, float]:
    begun = time.process_time()
    return fit(), 1e3 * (time.process_time() - begun)


def _three_digits(number: float) -> str:
    return np.format_float_positional(number, precision=3, fractional=False, trim="-")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--only", nargs="+")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    methods = {name: METHODS[name] for name in arguments.methods}
    head = "| problem | n, d, k | " + " | ".join(methods) + " |\n"
    head += "| --- | --- " + "| ---: " * len(methods) + "|"
    print(head)
    time_rows = []
    times: dict[str, list[float]] = {name: [] for name in methods}
    for name, problem in problems(arguments.times).items():
        if arguments.only and name not in arguments.only:
            continue
        (n, d), k = problem.X.shape, int(problem.labels.max()) + 1
        ends = {
            method: [timed(partial(fit, problem.X, k, s)) for s in range(arguments.seeds)]
            for method, fit in methods.items()
        }
        best = best_known(problem, [run for each in ends.values() for run, _ in each])
        cells = []
        for method, each in ends.items():
            missing = np.maximum([(best - run.log_likelihood) / n for run, _ in each], 0.0)
            times[method].append(float(np.median([ms for _, ms in each])))
            worst = np.quantile(missing, 0.9)
            cells.append(f"{np.median(missing):.4f} ({worst:.4f})")
        problem_cells = f"| {name} | {n}, {d}, {k} | "
        print(problem_cells + " | ".join(cells) + " |", flush=True)
        milliseconds = [_three_digits(each[-1]) for each in times.values()]
        time_rows.append(problem_cells + " | ".join(milliseconds) + " |")
    means = [_three_digits(float(np.exp(np.log(each).mean()))) for each in times.values()]
    print("", head, *time_rows, "| geometric mean | | " + " | ".join(means) + " |", sep="\n")


if __name__ == "__main__":
    main()
