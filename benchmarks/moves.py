"""How many components variational Bayes keeps of too many: with moves, without, and scikit-learn.

    python -m benchmarks.moves

Mixtures of 1 to 6 components, apart by about four standard deviations, are fitted with ten. The
table says how often as many are left as there are (those with at least one row's weight), how many
more there are on average, what the bound gains by moves (nats, of all rows), and how many passes
over the rows a fit takes after its start. All three have the same prior, but for the degrees of
freedom of "diag" in scikit-learn, which does not allow so few.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture

from mixtura.conjugate import WeightPrior
from mixtura.data import open_rows
from mixtura.fitting.bayesian.estimate import VariationalBayes
from mixtura.fitting.settings import Settings
from mixtura.fitting.stages import Fitting
from mixtura.fitting.survey import Survey
from mixtura.parameters import Seen
from mixtura.passes import Backend, Pass
from mixtura.shapes import SHAPES, Floats
from mixtura.statistics import Statistics

K = 10
TRUE = (1, 2, 3, 4, 5, 6)
SKLEARN: dict[WeightPrior, str] = {
    "dirichlet": "dirichlet_distribution",
    "stick-breaking": "dirichlet_process",
}


@dataclass
class Counted:
    """A pass that counts."""

    inner: Pass
    n: int = 0

    def follow(self, *_: object) -> None:
        return None

    def accumulate(self, seen: Seen) -> Statistics:
        self.n += 1
        return self.inner.accumulate(seen)


@dataclass(frozen=True)
class Ending:
    """Where a fit ended.

    Attributes
    ----------
    n_live : int
        Components with at least one row's weight.
    bound : float, nats
    passes : int
    """

    n_live: int
    bound: float
    passes: int


def mixture(seed: int, n: int, d: int, k: int, covariance_type: str) -> Floats:
    """Rows of k components, no two of which are closer than 4 (in about standard deviations)."""
    rng = np.random.default_rng([seed, n, d, k])
    apart = 0.0
    while apart < 4.0:
        means = 4.0 * rng.normal(size=(k, d))
        distances = np.linalg.norm(means[:, None] - means, axis=2)
        apart = distances[~np.eye(k, dtype=bool)].min(initial=np.inf)
    turns = np.linalg.qr(rng.normal(size=(k, d, d)))[0]
    turns = turns if not SHAPES[covariance_type].is_diagonal else np.tile(np.eye(d), (k, 1, 1))
    roots = turns * np.sqrt(rng.uniform(0.5, 2.0, size=(k, 1, d)))
    labels = rng.choice(k, size=n, p=rng.dirichlet(np.full(k, 5.0)))
    rows: Floats = means[labels] + np.einsum("iab,ib->ia", roots[labels], rng.normal(size=(n, d)))
    return rows


def ours(
    X: Floats, covariance_type: str, weight_prior: WeightPrior, seed: int
) -> dict[str, Ending]:
    """Both fits, from the same automatic start."""
    survey = Survey(open_rows(X), Backend(n_threads=1))
    endings = {}
    start = None
    for name, moves in (("no moves", False), ("moves", True)):
        settings = Settings(
            reg_covar=0.0, avoid_spurious=False, estimate=VariationalBayes(weight_prior),
            moves=moves,
        )  # fmt: skip
        fitting = Fitting(survey, settings, covariance_type, K)
        if start is None:
            rng = np.random.default_rng(seed)
            start = fitting._best_start("kmeans", fitting._update, fitting._ridge, rng).parameters
        em = fitting._em(fitting._update)
        rows = Counted(em.rows)
        object.__setattr__(em, "rows", rows)
        outcome = em.run(start, settings.max_iter)
        assert outcome.statistics is not None
        n_live = int((outcome.statistics.resp_sum >= 1.0).sum())
        endings[name] = Ending(n_live, len(X) * outcome.objective, rows.n)
    return endings


def sklearns(X: Floats, covariance_type: str, weight_prior: WeightPrior, seed: int) -> Ending:
    """The fit of scikit-learn with our prior, from its own start; its bound lacks constants."""
    variance = X.var(axis=0)
    scale = 0.1 * (variance if SHAPES[covariance_type].is_diagonal else np.diag(variance))
    dof = X.shape[1] + 2.0  # ours has 3 for "diag", which scikit-learn does not allow
    estimator = BayesianGaussianMixture(
        n_components=K, covariance_type=covariance_type,
        weight_concentration_prior_type=SKLEARN[weight_prior],
        weight_concentration_prior=1.0 / K, mean_precision_prior=0.01,
        degrees_of_freedom_prior=dof, covariance_prior=scale, n_init=1, max_iter=1000,
        random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X)
    n_live = int((estimator.predict_proba(X).sum(axis=0) >= 1.0).sum())
    return Ending(n_live, np.nan, estimator.n_iter_)


def main() -> None:
    parser = argparse.ArgumentParser(description="Components that are left of ten.")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--priors", nargs="+", choices=SKLEARN, default=list(SKLEARN))
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--features", type=int, nargs="+", default=[2, 5, 10])
    arguments = parser.parse_args()
    names = ("moves", "no moves", "scikit-learn")
    runs = list(product(TRUE, range(arguments.seeds)))
    begin = "| weight prior | type | n | d | "
    rule = "| --- | --- | ---: | ---: "
    tables = [[begin + " | ".join(names) + " |", rule + "| ---: " * 3 + "|"] for _ in range(2)]
    heads = "gain, mean | gain, least | passes: moves | no moves |"
    tables.append([begin + heads, rule + "| ---: " * 4 + "|"])
    lines = product(arguments.priors, ("full", "diag"), arguments.sizes, arguments.features)
    for weight_prior, covariance_type, n, d in lines:
        right, surplus = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        gained, passes = [], []
        for k, seed in runs:
            X = mixture(seed, n, d, k, covariance_type)
            endings = ours(X, covariance_type, weight_prior, seed)
            endings["scikit-learn"] = sklearns(X, covariance_type, weight_prior, seed)
            for name, ending in endings.items():
                right[name] += ending.n_live == k
                surplus[name] += ending.n_live - k
            gained.append(endings["moves"].bound - endings["no moves"].bound)
            passes.append([endings["moves"].passes, endings["no moves"].passes])
        cells = [
            [f"{right[name]}" for name in names],
            [f"{surplus[name] / len(runs):.1f}" for name in names],
            [f"{np.mean(gained):.1f}", f"{np.min(gained):.1f}"]
            + [f"{mean:.0f}" for mean in np.mean(passes, axis=0)],
        ]
        for table, found in zip(tables, cells, strict=True):
            line = [weight_prior, covariance_type, str(n), str(d), *found]
            table.append(f"| {' | '.join(line)} |")
    print("\n\n".join("\n".join(table) for table in tables))


if __name__ == "__main__":
    main()
