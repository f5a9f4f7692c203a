"""What the tests of noisy rows share: mixtures, rows, and the definition by plain loops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from mixtura import datasets
from mixtura.parameters import Parameters
from mixtura.shapes import Floats

FIGURES = Path(__file__).parent / "data" / "xdeconv"
CASES = {case["case"]: case for case in json.loads((FIGURES / "cases.json").read_text())}
KINDS = ("one", "variances", "matrices", "projected")


class Noisy(NamedTuple):
    """Rows, and what else is known of them: arguments of the engines' classes."""

    X: Floats
    known: dict[str, Any]

    def matrices(self) -> tuple[Floats, Floats, Floats]:
        """What was observed, R and N of each row."""
        n, d = self.X.shape
        observed = self.known.get("observed", self.X)
        m = observed.shape[1]
        R = self.known.get("projection", np.broadcast_to(np.eye(m, d), (n, m, d)))
        N = self.known["noise"]
        if N.ndim < 3:
            N = np.array([np.diag(np.broadcast_to(row, m)) for row in N])
        return observed, R, N


def rows(kind: str, n: int, d: int, seed: int) -> Noisy:
    """Rows with noise of some kind; every fifth matrix is singular."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    if kind == "one":
        return Noisy(X, {"noise": rng.uniform(0.0, 1.0, n)})
    if kind == "variances":
        return Noisy(X, {"noise": rng.uniform(0.0, 1.0, (n, d)) * (rng.random((n, d)) < 0.8)})
    m = d if kind == "matrices" else max(1, d - 1)
    roots = rng.normal(size=(n, m, m))
    if m > 1:
        roots[::5, :, 0] = 0.0
    noise = roots @ roots.swapaxes(1, 2) / m
    known = {"noise": noise}
    if kind == "projected":
        known |= {"observed": rng.normal(size=(n, m)), "projection": rng.normal(size=(n, m, d))}
    return Noisy(X, known)


class Expected(NamedTuple):
    """Of each row and component, by plain loops."""

    log_density: Floats  # (n, k)
    mean: Floats  # (n, k, d)
    covariance: Floats  # (n, k, d, d)


def by_loops(noisy: Noisy, parameters: Parameters) -> Expected:
    """The definition, from the joint Gaussian of the true row and what was observed."""
    n, (k, d) = len(noisy.X), parameters.means.shape
    found = Expected(np.empty((n, k)), np.empty((n, k, d)), np.empty((n, k, d, d)))
    for i, (w, R, N) in enumerate(zip(*noisy.matrices(), strict=True)):
        for j, mean in enumerate(parameters.means):
            C = parameters.covariance(j)
            total = R @ C @ R.T + N
            found.log_density[i, j] = stats.multivariate_normal(R @ mean, total).logpdf(w)
            gain = C @ R.T @ np.linalg.inv(total)
            found.mean[i, j] = mean + gain @ (w - R @ mean)
            found.covariance[i, j] = C - gain @ R @ C
    return found


def rows_of(case: dict[str, Any]) -> tuple[Floats, Floats]:
    """The rows of a case, and the covariances of their noise."""
    X = datasets.load_faithful().data
    if case["data"].startswith("galaxies"):
        X = datasets.load_galaxies().data / 1000.0
    upper = np.loadtxt(FIGURES / case["noise"], delimiter=",", skiprows=1, ndmin=2)
    d = X.shape[1]
    noise = np.empty((len(X), d, d))
    for column, (a, b) in zip(upper.T, zip(*np.triu_indices(d), strict=True), strict=True):
        noise[:, a, b] = noise[:, b, a] = column
    return X, noise
