"""Runs of one method on one problem of `benchmarks.maxima_problems`: where they end, at what cost.

Fits of other libraries stop by rules of their own, often early, and have other ridges. So from
where they end, EM is continued here to convergence, which is not timed: they are compared by the
maximum that they lead to.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import mixtura
from benchmarks.best_known import improve, is_spurious, smallest_rows
from benchmarks.maxima_problems import PROBLEMS
from mixtura import kernels
from mixtura.covariance import family_named
from mixtura.passes import RowsPass
from mixtura.search.shares import LEAST_SHARE

Array = np.ndarray
SKLEARN_TYPES = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}
R_SEEDS = 3  # of mclust: it draws random numbers only for a sample of many rows
R_SAMPLE = 2000  # rows above which it takes one
PASSES_OF_SPLIT = 7  # over the rows of a component, at most: one, and two from each of three cuts


@dataclass(frozen=True)
class Run:
    """One fit.

    Attributes
    ----------
    log_likelihood : float, nats
        Total of all rows, after EM has converged; NaN for a fit that failed.
    stopped_at : float, nats
        Where the method itself stopped.
    spurious : bool
    smallest : float, rows
    cpu : float, seconds
    passes : float
        E-steps, each by the share of the rows that it looks at; NaN for other libraries.
    light : float
        The same for passes of k-means, which cost far less.
    """

    log_likelihood: float
    stopped_at: float
    spurious: bool
    smallest: float
    cpu: float
    passes: float = float("nan")
    light: float = float("nan")


@dataclass
class Counted:
    """Passes over rows, in units of all rows."""

    passes: float = 0.0
    light: float = 0.0


@contextmanager
def counted(n_samples: int) -> Iterator[Counted]:
    """Count the passes that are made, each by the share of `n_samples` that it looks at."""
    counts = Counted()
    originals = {name: getattr(RowsPass, name) for name in ("_total", "_map")}

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        def method(rows: RowsPass, done: Callable[..., Any]) -> Any:
            share = rows.source.n_rows / n_samples
            if rows.em == "nearest":
                counts.light += share
            else:
                counts.passes += share
            return original(rows, done)

        return method

    follow = RowsPass.follow

    def counting_follow(rows: RowsPass, *arguments: Any) -> Any:
        course = follow(rows, *arguments)
        if course is not None:
            assert rows._kept is not None
            counts.passes += rows._kept[0].rows.followed * rows.source.n_rows / n_samples
        return course

    best_splits = kernels.best_splits

    def counting_splits(X: Array, resp: Array, weight: Array, which: Any, *arguments: Any) -> Any:
        own = np.count_nonzero(resp[:, which] > LEAST_SHARE)
        counts.passes += PASSES_OF_SPLIT * own / n_samples
        return best_splits(X, resp, weight, which, *arguments)

    kernels.best_splits = counting_splits
    for name, original in originals.items():
        setattr(RowsPass, name, counting(original))
    RowsPass.follow = counting_follow  # type: ignore[method-assign]
    try:
        yield counts
    finally:
        kernels.best_splits = best_splits
        RowsPass.follow = follow  # type: ignore[method-assign]
        for name, original in originals.items():
            setattr(RowsPass, name, original)


def ours(name: str, seed: int, *, update: str = "", **options: Any) -> Run:
    """A fit of mixtura; if it is the best so far and `update` names it, the file is improved."""
    problem = PROBLEMS[name]
    with counted(len(problem.X)) as counts:
        begun = time.process_time()
        fit = mixtura.fit_gmm(
            problem.X,
            problem.n_components,
            covariance_type=problem.covariance_type,
            rng=seed,
            n_threads=1,
            **options,
        )
        cpu = time.process_time() - begun
    if update:
        improve(name, fit, update)
    return _run(name, fit, fit.log_likelihood, cpu, counts)


def _run(
    name: str, fit: mixtura.GMMFit, stopped_at: float, cpu: float, counts: Counted | None = None
) -> Run:
    passes = () if counts is None else (counts.passes, counts.light)
    spurious, smallest = is_spurious(name, fit.model), smallest_rows(name, fit.model)
    return Run(fit.log_likelihood, stopped_at, spurious, smallest, cpu, *passes)


def _continued(
    name: str, weights: Array, means: Array, matrices: Array, stopped_at: float, cpu: float
) -> Run:
    """The run of another library, from where it ended to convergence."""
    problem = PROBLEMS[name]
    try:
        end = mixtura.GaussianMixture(
            weights / weights.sum(), means, matrices, covariance_type="full"
        )
        fit = mixtura.fit_gmm(
            problem.X, problem.n_components, covariance_type=problem.covariance_type, init=end
        )
    except (ValueError, mixtura.FitError):
        return _failed(cpu)
    return _run(name, fit, stopped_at, cpu)


def _failed(cpu: float) -> Run:
    nan = float("nan")
    return Run(nan, nan, spurious=False, smallest=0.0, cpu=cpu)


def sklearn(name: str, seed: int, *, n_init: int) -> Run | None:
    """A fit of scikit-learn with its defaults; None where it does not have the family."""
    from sklearn.mixture import GaussianMixture

    problem = PROBLEMS[name]
    X, k, d = problem.X, problem.n_components, problem.X.shape[1]
    covariance_type = SKLEARN_TYPES.get(family_named(problem.covariance_type, d).letters)
    if covariance_type is None:
        return None
    begun = time.process_time()
    try:
        model = GaussianMixture(
            k, covariance_type=covariance_type, n_init=n_init, random_state=seed
        )
        model.fit(X)
    except ValueError:
        return _failed(time.process_time() - begun)
    cpu = time.process_time() - begun
    parts = model.weights_, model.means_, _matrices(model.covariances_, covariance_type, k, d)
    return _continued(name, *parts, float(model.score(X)) * len(X), cpu)


def _matrices(covariances: Array, covariance_type: str, k: int, d: int) -> Array:
    """Covariances of one of scikit-learn's types as matrices (k, d, d)."""
    if covariance_type == "full":
        return covariances
    if covariance_type == "tied":
        return np.broadcast_to(covariances, (k, d, d)).copy()
    return np.array([np.eye(d) * each for each in covariances])


R_SCRIPT = """
suppressMessages(library(mclust))
arguments <- commandArgs(TRUE)
X <- as.matrix(read.csv(arguments[1], header = FALSE))
k <- as.integer(arguments[2])
for (seed in seq_len(as.integer(arguments[4]))) {
  set.seed(seed)
  time <- system.time(fit <- tryCatch(
    Mclust(X, G = k, modelNames = arguments[3], verbose = FALSE), error = function(e) NULL))
  cpu <- time[["user.self"]] + time[["sys.self"]]
  if (is.null(fit)) { cat(sprintf('{"cpu": %.6f}\\n', cpu)); next }
  d <- ncol(X)
  sigma <- if (d == 1) rep(fit$parameters$variance$sigmasq, length.out = k)
           else fit$parameters$variance$sigma
  numbers <- function(x) paste(sprintf("%.17g", x), collapse = ", ")
  cat(sprintf('{"cpu": %.6f, "loglik": %.17g, "pro": [%s], "mean": [%s], "sigma": [%s]}\\n',
    cpu, fit$loglik, numbers(fit$parameters$pro), numbers(t(fit$parameters$mean)),
    numbers(sigma)))
}
"""


def mclust(name: str) -> list[Run]:
    """Fits of mclust in R from its own start, for one to three seeds; none without R."""
    problem = PROBLEMS[name]
    X, k, d = problem.X, problem.n_components, problem.X.shape[1]
    letters = family_named(problem.covariance_type, d).letters
    model = problem.covariance_type if d == 1 else letters
    n_seeds = R_SEEDS if len(X) > R_SAMPLE else 1
    with tempfile.TemporaryDirectory() as folder:
        rows, script = Path(folder, "rows.csv"), Path(folder, "fit.R")
        np.savetxt(rows, X, delimiter=",", fmt="%.17g")
        script.write_text(R_SCRIPT, "utf-8")
        try:
            answer = subprocess.run(
                ["Rscript", script, rows, str(k), model, str(n_seeds)],
                capture_output=True,
                text=True,
                check=True,
            )
        except (FileNotFoundError, subprocess.CalledProcessError):
            return []
    return [_from_r(name, json.loads(line)) for line in answer.stdout.splitlines()]


def _from_r(name: str, answer: dict[str, Any]) -> Run:
    if "pro" not in answer:
        return _failed(answer["cpu"])
    k, d = PROBLEMS[name].n_components, PROBLEMS[name].X.shape[1]
    means = np.array(answer["mean"]).reshape(d, k).T  # R writes columns
    matrices = np.array(answer["sigma"]).reshape(k, d, d)
    parts = np.array(answer["pro"]), means, matrices
    return _continued(name, *parts, answer["loglik"], answer["cpu"])


def several(
    fit: Callable[[str, int], Run | None], name: str, seeds: Iterable[int], most_seconds: float
) -> list[Run]:
    """Runs from each seed, until they have taken `most_seconds` of CPU time together."""
    runs: list[Run] = []
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        for seed in seeds:
            run = fit(name, seed)
            if run is None:
                break
            runs.append(run)
            if sum(each.cpu for each in runs) > most_seconds:
                break
    return runs
