"""A long search for the best maximum of each problem, which fills ``best_known.json``.

    nice -n 19 python -m benchmarks.maxima_search [--seconds 60] [--only NAMES] [--seed 0]
        [--models FOLDER]

For each problem, fits begin in many ways: at random responsibilities of different sharpness, random
rows, k-means and k-means++, trees, and fits of scikit-learn. Then components of good fits are moved
at random: one is deleted, and another is split or a new one put at a row, until many moves in
succession have failed. All of it is plain Python over `fit_gmm`, and takes `--seconds` of CPU time
a problem. `--models` keeps the best model of each problem, from which another search goes on. Only
models without spurious components count.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np

import mixtura
from benchmarks.best_known import best_known, improve, is_spurious
from benchmarks.maxima_problems import PROBLEMS
from mixtura.exceptions import FitError

Array = np.ndarray
Begin = Callable[[Array, int, np.random.Generator], object]
Parts = tuple[Array, Array, Array]  # weights, means, covariance matrices

FAILURES = 40  # moves in succession, after which a chain ends
LEAST_GAIN = 1e-6  # nats per row
MOST_ROWS = 20_000  # among which rows of low density are looked for


def _shares(sharpness: float) -> Begin:
    """Random responsibilities."""
    return lambda X, k, rng: rng.dirichlet(np.full(k, sharpness), len(X))


def _rows_as_means(X: Array, k: int, rng: np.random.Generator) -> Array:
    return X[rng.choice(len(X), k, replace=False)] + 1e-9 * X.std(axis=0) * rng.normal(
        size=(k, X.shape[1])
    )


def _few_rows(X: Array, k: int, rng: np.random.Generator) -> Array:
    """Labels of a few random rows; the others take no part in the start."""
    labels = np.full(len(X), -1)
    size = min(len(X) // k, 3 * (X.shape[1] + 1))
    labels[rng.permutation(len(X))[: k * size]] = np.repeat(np.arange(k), size)
    return labels


def _sklearn(X: Array, k: int, rng: np.random.Generator) -> Array:
    """Labels of a fit of scikit-learn from random rows."""
    from sklearn.mixture import GaussianMixture

    seed = int(rng.integers(2**31))
    model = GaussianMixture(k, init_params="random_from_data", random_state=seed)
    return model.fit_predict(X / X.std(axis=0))


BEGINNINGS: dict[str, Begin] = {
    "kmeans": lambda X, k, rng: "kmeans",  # noqa: ARG005
    "shares of 1": _shares(1.0),
    "kmeans++": lambda X, k, rng: "kmeans++",  # noqa: ARG005
    "rows as means": _rows_as_means,
    "shares of 0.1": _shares(0.1),
    "random": lambda X, k, rng: "random",  # noqa: ARG005
    "few rows": _few_rows,
    "hierarchical": lambda X, k, rng: "hierarchical",  # noqa: ARG005
    "scikit-learn": _sklearn,
}


class Search:
    """The search on one problem."""

    def __init__(self, name: str, seed: int, seconds: float, models: Path | None = None) -> None:
        self.name, problem = name, PROBLEMS[name]
        self.X, self.k, self.family = problem.X, problem.n_components, problem.covariance_type
        self.rng = np.random.default_rng([seed, len(name), *name.encode()])
        self.end = time.process_time() + seconds
        self.n_fits = 0
        self.best: mixtura.GMMFit | None = None
        self.file = None if models is None else models / f"{name.replace(' ', '-')}.npz"
        if self.file is not None and self.file.exists():
            self.fit(mixtura.load(self.file), "continued")

    @property
    def is_over(self) -> bool:
        return time.process_time() > self.end

    def fit(self, begin: object, method: str) -> mixtura.GMMFit | None:
        """A sound fit from a beginning, or None; the best is kept."""
        self.n_fits += 1
        try:
            fit = mixtura.fit_gmm(
                self.X, self.k, covariance_type=self.family, init=begin, n_init=1, rng=self.rng,
                n_threads=1,
            )  # fmt: skip
        except (FitError, ValueError):
            return None
        if len(fit.model.weights) < self.k or is_spurious(self.name, fit.model):
            return None
        if self.best is None or fit.log_likelihood > self.best.log_likelihood:
            self.best = fit
            improve(self.name, fit, method)
            if self.file is not None:
                fit.model.save(self.file)
        return fit

    def run(self) -> None:
        """Begin anew and move, in turn, until the time is over."""
        for kind in cycle(BEGINNINGS):
            starts = [self._begun(kind) for _ in range(5)]
            sound = [fit for fit in starts if fit is not None]
            if sound:
                self._chain(max(sound, key=lambda fit: fit.log_likelihood), kind)
            if self.best is not None and not self.is_over:
                self._chain(self.best, "best")
            if self.is_over:
                return

    def _begun(self, kind: str) -> mixtura.GMMFit | None:
        if self.is_over:
            return None
        try:
            return self.fit(BEGINNINGS[kind](self.X, self.k, self.rng), kind)
        except ValueError:  # scikit-learn refuses what collapses
            return None

    def _chain(self, fit: mixtura.GMMFit, kind: str) -> None:
        """Moves from a fit until many have failed."""
        failures = 0
        for move in cycle(("split", "insertion", "core and halo")):
            if self.is_over or failures == FAILURES:
                return
            moved = self.fit(self._moved(fit.model, move), f"{kind}, {move}")
            least = fit.log_likelihood + LEAST_GAIN * len(self.X)
            if moved is not None and moved.log_likelihood > least:
                fit, failures = moved, 0
            else:
                failures += 1

    def _moved(self, model: mixtura.GaussianMixture, move: str) -> mixtura.GaussianMixture:
        """The mixture after a random move of one component."""
        make = {"split": self._split, "insertion": self._insertion, "core and halo": self._core}
        parts = model.weights.copy(), model.means.copy(), model.covariance_matrices().copy()
        return _mixture(*make[move](*self._deleted(*parts)))

    def _deleted(self, weights: Array, means: Array, matrices: Array) -> Parts:
        """Without a random component; half the time it is merged with its nearest."""
        j = int(self.rng.integers(len(weights)))
        if self.rng.random() < 0.5:
            apart = means - means[j]
            far = np.einsum("ja,jab,jb->j", apart, np.linalg.inv(matrices + matrices[j]), apart)
            far[j] = np.inf
            h = int(np.argmin(far))
            pair = [j, h]
            share = weights[pair] / weights[pair].sum()
            mean = share @ means[pair]
            off = means[pair] - mean
            matrices[h] = np.einsum("j,jab->ab", share, matrices[pair])
            matrices[h] += np.einsum("j,ja,jb->ab", share, off, off)
            weights[h], means[h] = weights[pair].sum(), mean
        weights, means, matrices = (
            np.delete(each, j, axis=0) for each in (weights, means, matrices)
        )
        return weights, means, matrices

    def _heavy(self, weights: Array) -> int:
        """A random component, heavy ones more often."""
        return int(self.rng.choice(len(weights), p=weights / weights.sum()))

    def _split(self, weights: Array, means: Array, matrices: Array) -> Parts:
        """Two components in place of one, side by side along one of its axes."""
        h = self._heavy(weights)
        values, axes = np.linalg.eigh(matrices[h])
        b = int(self.rng.choice(len(values), p=np.sqrt(values) / np.sqrt(values).sum()))
        step = 0.8 * np.sqrt(values[b]) * axes[:, b]
        narrow = matrices[h] - 0.6 * values[b] * np.outer(axes[:, b], axes[:, b])
        means[h], matrices[h] = means[h] - step, narrow
        return self._joined((weights, means, matrices), h, means[h] + 2.0 * step, narrow)

    def _core(self, weights: Array, means: Array, matrices: Array) -> Parts:
        """A narrow and a wide component in place of one."""
        h = self._heavy(weights)
        wide = 1.7 * matrices[h]
        matrices[h] *= 0.3
        return self._joined((weights, means, matrices), h, means[h], wide)

    @staticmethod
    def _joined(parts: Parts, h: int, mean: Array, matrix: Array) -> Parts:
        """With one component more, which gets half the weight of component h."""
        weights, means, matrices = parts
        weights[h] *= 0.5
        return _with(weights, means, matrices, weights[h], mean, matrix)

    def _insertion(self, weights: Array, means: Array, matrices: Array) -> Parts:
        """A new component at a random row, half the time at one of low density."""
        i = int(self.rng.integers(len(self.X)))
        if self.rng.random() < 0.5:
            some = self.rng.permutation(len(self.X))[:MOST_ROWS]
            log_prob = _mixture(weights, means, matrices).log_prob(self.X[some])
            lowest = np.argsort(log_prob)[: max(5, len(some) // 20)]
            i = int(some[self.rng.choice(lowest)])
        scatter = self.rng.choice([0.02, 0.2, 1.0]) * np.tensordot(weights, matrices, 1)
        weight = self.rng.choice([0.3, 1.0]) / self.k
        parts = weights * (1.0 - weight), means, matrices
        return _with(*parts, weight, self.X[i], scatter / weights.sum())


def _with(
    weights: Array, means: Array, matrices: Array, weight: float, mean: Array, matrix: Array
) -> Parts:
    """With one component more."""
    return (
        np.append(weights, weight),
        np.concatenate([means, mean[None]]),
        np.concatenate([matrices, matrix[None]]),
    )


def _mixture(weights: Array, means: Array, matrices: Array) -> mixtura.GaussianMixture:
    return mixtura.GaussianMixture(weights / weights.sum(), means, matrices, covariance_type="full")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in arguments.only:
        before = best_known().get(name)
        one = Search(name, arguments.seed, arguments.seconds, arguments.models)
        one.run()
        after = best_known().get(name)
        if after is None:
            print(f"{name}: {one.n_fits} fits, none sound", flush=True)
            continue
        gain = 0.0 if before is None else after.log_likelihood - before.log_likelihood
        here = "-" if one.best is None else f"{one.best.log_likelihood:.4f}"
        print(
            f"{name}: {one.n_fits} fits, here {here}, known {after.log_likelihood:.4f} "
            f"(+{gain:.4f}) by {after.method}; smallest {after.smallest:.1f} rows",
            flush=True,
        )


if __name__ == "__main__":
    main()
