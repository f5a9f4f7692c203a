"""Defaults of the prior of `fit_bayesian_gmm`: how well fits with too many components do.

    python -m benchmarks.bayesian_defaults [--problems 60] [--seeds 1]

Rows are drawn from mixtures of 1 to 6 components in 1, 2, 5 or 10 features, 100 to 5000 of them,
with equal or unequal weights, and neighbours 2 to 6 standard deviations apart (from 3: "apart").
Each fit has 10 components. The table has, for each prior: in how many problems as many components
as were drawn have the weight of a row or more, and of those that are apart; the mean excess of
components; the mean adjusted Rand index; the mean log density per row of 2000 other rows, less that
of `fit_gmm` with the right number of components; and CPU time. The last two lines are scikit-learn
with its defaults, whose components count when they have the weight of a row, and the same with the
scatter of ours.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import BayesianGaussianMixture

import mixtura

Array = np.ndarray
K = 10  # components of each fit
N_TEST = 2000


class Problem(NamedTuple):
    """Rows of a known mixture."""

    name: str
    n_components: int
    separation: float
    X: Array
    labels: Array
    test: Array


class Found(NamedTuple):
    """What a fit found."""

    n_effective: int
    rand: float
    density: float
    seconds: float


def problems(n: int) -> Iterator[Problem]:
    """Random mixtures, the same for each run."""
    for seed in range(n):
        rng = np.random.default_rng(seed)
        k, d = int(rng.integers(1, 7)), int(rng.choice([1, 2, 5, 10]))
        n_rows = int(rng.choice([100, 300, 1000, 5000]))
        separation = float(rng.uniform(2.0, 6.0))
        weights = rng.dirichlet(np.full(k, 3.0)) if seed % 2 else np.full(k, 1.0 / k)
        means = _apart(k, d, separation, rng)
        factors = np.array([_factor(d, rng) for _ in range(k)])
        unit = np.exp(rng.normal(0.0, 2.0, d))
        labels = rng.choice(k, n_rows + N_TEST, p=weights)
        noise = rng.normal(size=(len(labels), d))
        X = (means[labels] + np.einsum("iab,ib->ia", factors[labels], noise)) * unit
        name = f"{k} of {d} features, {n_rows} rows, {separation:.1f} apart"
        yield Problem(name, k, separation, X[:n_rows], labels[:n_rows], X[n_rows:])


def _apart(k: int, d: int, separation: float, rng: np.random.Generator) -> Array:
    """Means, the nearest two of which are that far from each other."""
    if d == 1:
        return separation * rng.permutation(k)[:, None].astype(float)
    means = rng.normal(size=(k, d))
    gaps = [np.linalg.norm(means[i] - means[j]) for i in range(k) for j in range(i)]
    return means * (separation / min(gaps, default=1.0))


def _factor(d: int, rng: np.random.Generator) -> Array:
    """A root of a random covariance, with variances around one."""
    axes, _ = np.linalg.qr(rng.normal(size=(d, d)))
    return axes * np.exp(rng.normal(0.0, 0.35, d))


def ours(seed: int, name: str) -> Callable[[Array], Any]:
    """A fit with a prior of the table."""
    return lambda X: mixtura.fit_bayesian_gmm(
        X, K, rng=seed, n_threads=1, verbose=False, **priors(X)[name]
    )


def theirs(seed: int, *, with_scatter: bool = False) -> Callable[[Array], Any]:
    """A fit of scikit-learn."""

    def fit(X: Array) -> Any:
        prior = {"covariance_prior": part(X, 10)} if with_scatter else {}
        return BayesianGaussianMixture(
            n_components=K, max_iter=1000, random_state=seed, **prior
        ).fit(X)

    return fit


def scatter(X: Array, share: float) -> Array:
    """A share of the variance of each feature."""
    return np.diag(share * X.var(axis=0))


def part(X: Array, parts: float) -> Array:
    """The variances of one of several equal parts of the space that the rows take up."""
    return scatter(X, parts ** (-2.0 / X.shape[1]))


def priors(X: Array) -> dict[str, dict[str, Any]]:
    """Arguments that differ from the default, by name."""
    least = X.shape[1] - 1.0
    table: dict[str, dict[str, Any]] = {"default": {}, "without moves": {"moves": False}}
    table |= {f"scatter {s:g}": {"covariance": scatter(X, s)} for s in (0.1, 0.3, 1.0)}
    table |= {f"part of {p}": {"covariance": part(X, p)} for p in (3, 30)}
    table |= {f"mean precision {p:g}": {"mean_precision": p} for p in (0.001, 0.1, 1.0)}
    table |= {f"{m:g} more degrees": {"degrees_of_freedom": least + m} for m in (1, 2, 5)}
    table |= {f"concentration {c:g}": {"concentration": c} for c in (0.001, 1.0)}
    for concentration in (0.1, 1.0):
        sticks = {"weight_prior": "stick-breaking", "concentration": concentration}
        table[f"sticks {concentration:g}"] = sticks
    return table


def judged(problem: Problem, fit: Callable[[Array], Any]) -> Found:
    """Fit, and compare with what is known."""
    begun = time.process_time()
    found = fit(problem.X)
    seconds = time.process_time() - begun
    labels = found.predict(problem.X)
    if isinstance(found, BayesianGaussianMixture):
        sizes = found.predict_proba(problem.X).sum(axis=0)
        density, n_effective = found.score(problem.test), int((sizes >= 1.0).sum())
    else:
        density = found.predictive.log_prob(problem.test).mean()
        n_effective = found.n_effective
    return Found(n_effective, adjusted_rand_score(problem.labels, labels), density, seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="beginnings of the names of priors")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    given = list(problems(arguments.problems)) * arguments.seeds
    seeds = np.repeat(range(arguments.seeds), arguments.problems)
    right = [
        mixtura.fit_gmm(p.X, p.n_components, rng=0, n_threads=1).log_prob(p.test).mean()
        for p in given
    ]
    fits = {name: [ours(int(s), name) for s in seeds] for name in priors(given[0].X)}
    fits["scikit-learn"] = [theirs(int(s)) for s in seeds]
    fits["scikit-learn, part of 10"] = [theirs(int(s), with_scatter=True) for s in seeds]
    heads = ("prior", "right k, %", "right k, apart, %", "excess", "Rand index", "gain in density")
    print(f"| {' | '.join(heads)} | CPU time, s |\n| --- {'| ---: ' * 6}|")
    for name, each in fits.items():
        if arguments.only and not name.startswith(tuple(arguments.only)):
            continue
        found = [judged(p, fit) for p, fit in zip(given, each, strict=True)]
        pairs = list(zip(found, given, strict=True))
        excess = np.array([f.n_effective - p.n_components for f, p in pairs])
        apart = np.array([p.separation >= 3.0 for p in given])
        density = np.mean([f.density - r for f, r in zip(found, right, strict=True)])
        right_k = [100 * (excess == 0).mean(), 100 * (excess == 0)[apart].mean()]
        print(
            f"| {name} | {right_k[0]:.0f} | {right_k[1]:.0f} "
            f"| {excess.mean():.2f} | {np.mean([f.rand for f in found]):.3f} | {density:.4f} "
            f"| {sum(f.seconds for f in found):.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
