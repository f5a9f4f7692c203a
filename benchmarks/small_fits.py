"""Whole default fits of small data, and of many columns, beside scikit-learn's one start.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.small_fits [--only columns]

Figures are CPU time on one thread, the mean of fits with several seeds. The libraries take turns,
and the shortest time of each seed counts. mixtura's default is a search from ten starts, and ends
when little is left to gain; scikit-learn's is one start, and ends earlier. So the table has times
with the other number of starts, too, and how much higher the log-likelihoods of mixtura's default
fits are than those of scikit-learn's, on average, in nats a row.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

import mixtura
from benchmarks import tables
from benchmarks.libraries import PEER
from benchmarks.report import machine, write
from benchmarks.turns import compute_time, in_turns, timed
from mixtura import datasets

try:
    from sklearn.mixture import GaussianMixture
except ImportError:
    GaussianMixture = None

Rows = np.ndarray[Any, Any]

SEEDS = 4
ROUNDS = 2
OTHERS = {"mixtura": 1, PEER: 10}  # numbers of starts that are not the library's default
N_COLUMNS, COLUMN, APART = 1000, 300, 2.2


def blobs(n: int, d: int, k: int, spread: float = 4.0) -> Rows:
    """Rows of spherical clusters of unit variance, whose means have this standard deviation."""
    rng = np.random.default_rng((n, d, k))
    means = rng.normal(scale=spread, size=(k, d))
    X: Rows = means[rng.integers(k, size=n)] + rng.normal(size=(n, d))
    return X


def column(seed: int) -> Rows:
    """A column of two clusters of equal size, APART standard deviations from each other."""
    rng = np.random.default_rng(seed)
    half = COLUMN // 2
    return np.r_[rng.normal(size=half), rng.normal(APART, 1.0, size=half)][:, None]


def problems() -> dict[str, tuple[Rows, int]]:
    """Rows and numbers of components."""
    return {
        "clusters apart": (blobs(250, 2, 3), 3),
        "clusters that touch": (blobs(250, 2, 3, 1.5), 3),
        "clusters that touch, more": (blobs(1500, 3, 5, 2.0), 5),
        "clusters in six features": (blobs(2000, 6, 4), 4),
        "clusters in ten features": (blobs(1000, 10, 5), 5),
        "clusters in twenty features": (blobs(500, 20, 3), 3),
        "eight clusters": (blobs(2000, 2, 8), 8),
        "two that overlap": (column(0), 2),
        "Old Faithful": (datasets.load_faithful().data, 2),
        "iris": (datasets.load_iris().data, 3),
        "diabetes": (datasets.load_diabetes_reaven_miller().data, 3),
        "banknotes": (datasets.load_banknote().data, 2),
    }


def beside(X: Rows, k: int, seeds: range, names: Sequence[str]) -> dict[str, Any]:
    """Seconds of a fit by each library that is there, and how much higher ours end."""
    fits: dict[tuple[str, int], Any] = {}

    def one(library: str, seed: int) -> None:
        fits[library, seed] = fitted(library, X, k, seed)

    works = {key: partial(timed, one, *key, clock=compute_time) for key in product(names, seeds)}
    with warnings.catch_warnings(action="ignore"):
        least = in_turns(works, 0.0, ROUNDS)
    seconds = {name: float(np.mean([least[name, seed] for seed in seeds])) for name in names}
    ends = {key: reached(fit, X) for key, fit in fits.items()}
    return {"seconds": seconds, "gain": gain(ends, len(X))}


def fitted(library: str, X: Rows, k: int, seed: int) -> Any:
    """Fit by the library's defaults, but for the number of starts where the name has one."""
    name, _, n_init = library.partition(", n_init=")
    options = {"n_init": int(n_init)} if n_init else {}
    if name == PEER:
        return GaussianMixture(k, random_state=seed, **options).fit(X)
    return mixtura.fit_gmm(X, k, rng=seed, n_threads=1, **options)  # type: ignore[arg-type]


def reached(fit: Any, X: Rows) -> float:
    """The log-likelihood of a fit, nats."""
    if isinstance(fit, mixtura.GMMFit):
        return fit.log_likelihood
    return float(fit.score_samples(X).sum())


def libraries() -> list[str]:
    """Those that are installed."""
    return ["mixtura"] if GaussianMixture is None else ["mixtura", PEER]


def gain(ends: dict[tuple[str, int], float], n: int) -> float | None:
    """By how much mixtura's mean log-likelihood is higher, nats a row."""
    means = {
        library: float(np.mean([end for (name, _), end in ends.items() if name == library]))
        for library, _ in ends
    }
    return (means["mixtura"] - means[PEER]) / n if PEER in means else None


def figures() -> list[dict[str, Any]]:
    """Measure every problem."""
    found, names = [], [*libraries(), *(f"{name}, n_init={n}" for name, n in OTHERS.items())]
    names = [name for name in names if name.partition(",")[0] in libraries()]
    for name, (X, k) in problems().items():
        n, d = X.shape
        found.append({"problem": name, "n": n, "d": d, "k": k} | beside(X, k, range(SEEDS), names))
    return found


def figures_of_columns(n_columns: int = N_COLUMNS) -> dict[str, Any]:
    """Fit columns one after the other, each with its own mixture of two components."""
    columns = [column(seed) for seed in range(n_columns)]
    fits: dict[tuple[str, int], Any] = {}

    def all_of(library: str) -> None:
        for at, X in enumerate(columns):
            fits[library, at] = fitted(library, X, 2, 0)

    works = {each: partial(timed, all_of, each, clock=compute_time) for each in libraries()}
    with warnings.catch_warnings(action="ignore"):
        seconds = in_turns(works, 0.0, ROUNDS)
    ends = {(library, at): reached(fit, columns[at]) for (library, at), fit in fits.items()}
    return {
        "n_columns": n_columns, "n": COLUMN, "d": 1, "k": 2,
        "seconds": seconds, "gain": gain(ends, COLUMN),
    }  # fmt: skip


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("problems", "columns"))
    only = parser.parse_args().only
    if only != "columns":
        write(tables.small_fits(figures()))
    if only != "problems":
        write(tables.columns(figures_of_columns()))
    write(machine())


if __name__ == "__main__":
    main()
