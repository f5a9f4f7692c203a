"""What priors are worth where rows are few: the tables of docs/explanation/priors_evidence.md.

    python -m benchmarks.priors [--repeats 40]

A table has the mean log-likelihood of rows that the fit has not seen, in nats a row, averaged over
random mixtures, with the standard error of its difference from the last column.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import numpy as np

from mixtura import (
    ConjugatePrior,
    ConvergenceWarning,
    GaussianMixture,
    SingularScaleWarning,
    TracePrior,
    fit_gmm,
)

K, D, UNSEEN = 3, 5, 5000
SIZES = (15, 30, 60, 120, 1000)


def truth(rng: np.random.Generator) -> GaussianMixture:
    """A random mixture whose components overlap a little."""
    roots = rng.normal(size=(K, D, D)) / np.sqrt(D) + 0.5 * np.eye(D)
    covariances = roots @ roots.transpose(0, 2, 1) + 0.05 * np.eye(D)
    return GaussianMixture(
        rng.dirichlet(np.full(K, 5.0)), 2.0 * rng.normal(size=(K, D)), covariances
    )


def moved(model: GaussianMixture, rng: np.random.Generator) -> GaussianMixture:
    """The mixture of another place: means half a deviation away, other weights."""
    means = model.means + 0.5 * rng.normal(size=(K, D))
    return GaussianMixture(rng.dirichlet(np.full(K, 5.0)), means, model.covariances)


def alone(model: GaussianMixture, rng: np.random.Generator, n: int) -> list[float]:
    """Fits of n rows without a prior and with some."""
    rows, unseen = (model.sample(size, rng=rng)[0] for size in (n, UNSEEN))
    priors = (None, TracePrior(0.5), "default")
    fits = [fit_gmm(rows, K, prior=prior, rng=0) for prior in priors]
    return [fit.model.log_likelihood(unseen) / UNSEEN for fit in fits]


def adapted(model: GaussianMixture, rng: np.random.Generator, n: int) -> list[float]:
    """A background model, a fit that starts there, and the adapted model."""
    background = fit_gmm(model.sample(5000, rng=rng)[0], K, init=model).model
    there = moved(model, rng)
    rows, unseen = (there.sample(size, rng=rng)[0] for size in (n, UNSEEN))
    prior = ConjugatePrior.from_model(background)
    models = [
        background,
        fit_gmm(rows, K, init=background).model,
        fit_gmm(rows, K, init=background, prior=prior).model,
    ]
    return [each.log_likelihood(unseen) / UNSEEN for each in models]


def many_features(n: int, k: int, d: int, repeats: int) -> None:
    """A line of the table of fits whose covariances have many numbers for the rows."""
    found = []
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        roots = rng.normal(size=(k, d, d)) / np.sqrt(d) + 0.5 * np.eye(d)
        covariances = roots @ roots.transpose(0, 2, 1) + 0.05 * np.eye(d)
        model = GaussianMixture(np.full(k, 1 / k), 2.0 * rng.normal(size=(k, d)), covariances)
        rows, unseen = (model.sample(size, rng=rng)[0] for size in (n, UNSEEN))
        own = ConjugatePrior(dof=8 - d, scale=10 * np.diag(rows.var(axis=0)))
        priors = (None, TracePrior(0.5), "default", own)
        # From the truth, so that starts make no difference.
        fits = [fit_gmm(rows, k, prior=prior, init=model) for prior in priors]
        found.append([each.log_prob(unseen).mean() for each in (model, *fits)])
    cells = " | ".join(f"{value:.4g}" for value in np.mean(found, axis=0))
    print(f"| {n} | {d} | {k} | {cells} |")


TABLES: dict[
    tuple[str, ...], Callable[[GaussianMixture, np.random.Generator, int], list[float]]
] = {
    ("no prior", "TracePrior(0.5)", '"default"'): alone,
    ("background model", "from there", "adapted"): adapted,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=40)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.simplefilter("ignore", SingularScaleWarning)
    for names, compare in TABLES.items():
        head = ["rows", *(cell for name in names[:-1] for cell in (name, "s.e.")), names[-1]]
        print(f"\n| {' | '.join(head)} |\n{'| ---: ' * len(head)}|")
        for n in SIZES:
            found = []
            for seed in range(repeats):
                rng = np.random.default_rng(seed)
                found.append(compare(truth(rng), rng, n))
            values = np.array(found)
            errors = (values - values[:, -1:]).std(axis=0, ddof=1) / np.sqrt(repeats)
            cells = [f"{m:.2f} | {e:.2f}" for m, e in zip(values.mean(axis=0), errors, strict=True)]
            print(f"| {n} | {' | '.join(cells[:-1])} | {values[:, -1].mean():.2f} |")
    head = 'rows | features | components | truth | no prior | TracePrior(0.5) | "default" | own'
    print(f"\n| {head} |\n{'| ---: ' * 8}|")
    for n, d, k in ((10, 30, 1), (100, 20, 1), (1000, 20, 1), (1000, 50, 2), (10000, 50, 2)):
        many_features(n, k, d, max(2, repeats // 4))


if __name__ == "__main__":
    main()
