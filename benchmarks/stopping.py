"""What fits that have converged leave to gain, and where acceleration ends beside plain EM.

    python -m benchmarks.stopping [--seeds 3] [--every 1] [--worst 5]

Each pair is one fit from one start, once with plain and once with accelerated iterations: the same
rows, the same family, the same responsibilities, labels or means. From each stop plain EM goes on
with a tolerance of 1e-12, for at most 20,000 iterations: what it gains was left. Gains are per row,
in units of `tol`, 1e-6. The first table has, for each kind of start, the number of fits that leave
more than 3 `tol`, and the most. The second counts the pairs whose accelerated fit
ends lower or higher than the plain one by more than 10 `tol` a row, and has the passes of
accelerated fits as a share of those of plain ones (geometric mean, and of the sums). `--every 7`
takes each seventh pair. A fit that used up its 1000 iterations has promised nothing and is not in
the first table.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import mixtura
from mixtura import datasets
from mixtura.passes import RowsPass

TOL = 1e-6
MOST_ITERATIONS = 20_000  # from a stop
SAME = 10.0 * TOL  # ends that differ by no more are the same
RANDOM, BEGUN = "random responsibilities or labels", "k-means, trees, rows"


@dataclass(frozen=True)
class Start:
    """One beginning of one problem.

    Attributes
    ----------
    problem : str
    family : str
    n_components : int
    kind : str
    seed : int
    """

    problem: str
    family: str
    n_components: int
    kind: str
    seed: int

    @property
    def group(self) -> str:
        """Which line of the tables it belongs to."""
        return RANDOM if self.kind in ("resp", "random labels") else BEGUN


@dataclass(frozen=True)
class End:
    """Where a fit ended.

    Attributes
    ----------
    mean : float
        Log-likelihood per row, less the penalty of the ridge.
    left : float
        What plain EM gains from there, per row.
    passes : int
    converged : bool
    """

    mean: float
    left: float
    passes: int
    converged: bool


def overlapping(seed: int, n: int, d: int, k: int, spread: float) -> np.ndarray:
    """Rows of components with covariances of their own whose means are near each other."""
    rng = np.random.default_rng([seed, n, d, k])
    means = spread * rng.normal(size=(k, d))
    roots = 0.6 * rng.normal(size=(k, d, d)) / np.sqrt(d) + np.eye(d)
    labels = rng.choice(k, size=n, p=rng.dirichlet(np.full(k, 3.0)))
    return means[labels] + np.einsum("iab,ib->ia", roots[labels], rng.normal(size=(n, d)))


SEVERAL = ("full", "tied", "diag", "spherical", "VEV", "EVI")
ONE = ("E", "V")
PROBLEMS: dict[str, tuple[Callable[[], np.ndarray], tuple[str, ...], tuple[int, ...]]] = {
    "acidity": (lambda: datasets.load_acidity().data, ONE, (2, 3)),
    "galaxies": (lambda: datasets.load_galaxies().data, ONE, (3, 4)),
    "faithful": (lambda: datasets.load_faithful().data, SEVERAL, (2, 3)),
    "iris": (lambda: datasets.load_iris().data, SEVERAL, (3, 4)),
    "diabetes": (lambda: datasets.load_diabetes_reaven_miller().data, SEVERAL, (3,)),
    "thyroid": (lambda: datasets.load_thyroid().data, SEVERAL, (3,)),
    "crabs": (lambda: datasets.load_naples_crabs().data, ONE, (2, 3)),
    "close 1-d": (lambda: overlapping(1, 800, 1, 2, 0.8), ONE, (2, 3)),
    "overlapping 2-d": (lambda: overlapping(2, 600, 2, 3, 1.0), SEVERAL, (2, 3)),
    "overlapping 4-d": (lambda: overlapping(3, 800, 4, 4, 0.8), SEVERAL, (4,)),
    "apart 3-d": (lambda: overlapping(4, 500, 3, 4, 3.0), SEVERAL, (4,)),
}
KINDS = ("resp", "random labels", "k-means", "tree", "rows")


@cache
def rows_of(problem: str) -> np.ndarray:
    return PROBLEMS[problem][0]()


def starts(seeds: int) -> Iterator[Start]:
    """All beginnings; there is one tree of a problem."""
    for problem, (_, families, numbers) in PROBLEMS.items():
        for family in families:
            for k in numbers:
                for kind in KINDS:
                    for seed in range(1 if kind == "tree" else seeds):
                        yield Start(problem, family, k, kind, seed)


def beginning(start: Start) -> Any:
    """What `fit_gmm` takes as `init`."""
    X, k = rows_of(start.problem), start.n_components
    rng = np.random.default_rng([start.seed, k])
    if start.kind == "resp":
        return rng.dirichlet(np.ones(k), len(X))
    if start.kind == "random labels":
        return rng.permutation(np.arange(len(X)) % k)
    if start.kind == "k-means":
        return mixtura.fit_kmeans(X / X.std(axis=0), k, rng=start.seed, n_threads=1).labels
    if start.kind == "tree":
        return mixtura.hierarchical(X).labels(k)
    return X[rng.choice(len(X), size=k, replace=False)]


@contextmanager
def counted_passes() -> Iterator[list[int]]:
    """Count the passes over rows that are made meanwhile."""
    count, accumulate = [0], RowsPass.accumulate

    def counting(self: RowsPass, *arguments: Any, **named: Any) -> Any:
        count[0] += 1
        return accumulate(self, *arguments, **named)

    RowsPass.accumulate = counting  # type: ignore[method-assign]
    try:
        yield count
    finally:
        RowsPass.accumulate = accumulate  # type: ignore[method-assign]


def end_of(start: Start, accelerate: bool) -> End | None:
    """Where a fit ends and what it leaves; None for one that lost components."""
    X, k = rows_of(start.problem), start.n_components
    options: dict[str, Any] = {"covariance_type": start.family, "n_threads": 1}
    with counted_passes() as passes:
        fit = mixtura.fit_gmm(X, k, init=beginning(start), accelerate=accelerate, **options)
    lost = [event for event in fit.events if event.cause in ("empty", "singular", "spurious")]
    if lost:
        return None
    on = mixtura.fit_gmm(
        X, k, init=fit.model, tol=1e-12, max_iter=MOST_ITERATIONS, accelerate=False, **options
    )
    left = on.history[-1] - fit.history[-1]
    return End(float(fit.history[-1]), float(left), passes[0], fit.converged)


def pairs(seeds: int, every: int) -> Iterator[tuple[Start, End, End]]:
    """Each beginning with its plain and its accelerated end."""
    for number, start in enumerate(starts(seeds)):
        if number % every:
            continue
        plain, accelerated = end_of(start, accelerate=False), end_of(start, accelerate=True)
        if plain is not None and accelerated is not None:
            yield start, plain, accelerated


def promise(found: list[tuple[Start, End, End]]) -> Iterator[str]:
    """The table of what was left."""
    yield "| starts | iterations | converged | more than 3 `tol` left | most, in `tol` |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for group in (BEGUN, RANDOM):
        for column, name in ((1, "plain"), (2, "accelerated")):
            ends = [pair[column] for pair in found if pair[0].group == group]
            left = np.array([end.left for end in ends if end.converged]) / TOL
            n_more = np.count_nonzero(left > 3.0)
            yield f"| {group} | {name} | {len(left)} | {n_more} | {left.max():.1f} |"


def compared(found: list[tuple[Start, End, End]]) -> Iterator[str]:
    """The table of accelerated ends beside plain ones."""
    yield "| starts | pairs | same | lower | higher | passes, mean | passes, sum |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for group in (BEGUN, RANDOM):
        ends = [(plain, accelerated) for start, plain, accelerated in found if start.group == group]
        difference = np.array([accelerated.mean - plain.mean for plain, accelerated in ends])
        passes = np.array(
            [[plain.passes, accelerated.passes] for plain, accelerated in ends], float
        )
        ratio = np.exp(np.log(passes[:, 1] / passes[:, 0]).mean())
        lower, higher = (difference < -SAME).sum(), (difference > SAME).sum()
        yield (
            f"| {group} | {len(ends)} | {len(ends) - lower - higher} | {lower} | {higher} | "
            f"{ratio:.2f} | {passes[:, 1].sum() / passes[:, 0].sum():.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--worst", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    found = list(pairs(arguments.seeds, arguments.every))
    print(*promise(found), "", *compared(found), "", sep="\n")
    for column, name in ((1, "plain"), (2, "accelerated")):
        for pair in sorted(found, key=lambda pair: -pair[column].left)[: arguments.worst]:
            end = pair[column]
            state = "converged" if end.converged else "max_iter"
            print(f"{name}, {state}, {end.left / TOL:.1f} tol left: {pair[0]}")
    for start, plain, accelerated in sorted(found, key=lambda pair: pair[2].mean - pair[1].mean)[
        : arguments.worst
    ]:
        print(f"accelerated {(accelerated.mean - plain.mean) / TOL:.1f} tol above plain: {start}")


if __name__ == "__main__":
    main()
