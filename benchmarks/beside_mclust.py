"""`select_gmm` beside mclust in R: the time of the default grid, and the BIC of every model.

    python -m benchmarks.beside_mclust [--data faithful ...] [--repeats 2] [--worst 5]

Needs Rscript with the package mclust. The grid is one to nine components of fourteen families.
mclust starts from a model-based tree of the rows, of 2000 of them where there are more. The drawn
rows are the same in each run. A line for each data set has the CPU time of both, the least of
`--repeats` runs, which take turns; their ratio; the models that both have; the share in which ours
has a BIC that is not higher by more than 1e-3; the largest difference; and by how much our best
model is worse than mclust's. mclust's BIC has the opposite sign. Models are left out where mclust's
own parameters have components that are spurious or on few rows, after EM has converged from them
here, and ours have none: "avoided" counts them. Set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS to 1.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import mixtura
from benchmarks.selection_cells import SAME, Cell, cell
from mixtura import datasets

Array = np.ndarray
Table = dict[tuple[int, str], float]
NAMES = ("faithful", "diabetes", "10,000 x 2", "8000 x 3")

R_SCRIPT = """
suppressMessages(library(mclust))
arguments <- commandArgs(TRUE)
X <- as.matrix(read.csv(arguments[1], header = FALSE))
set.seed(1)
time <- system.time(found <- mclustBIC(X, G = 1:9, verbose = FALSE))
cat(sprintf('{"cpu": %.6f, "bic": {', time[["user.self"]] + time[["sys.self"]]))
cells <- character(0)
for (k in rownames(found)) for (name in colnames(found))
  if (!is.na(found[k, name]))
    cells <- c(cells, sprintf('"%s %s": %.17g', k, name, -found[k, name]))
cat(paste(cells, collapse = ", "), "}}\\n")
numbers <- function(x) paste(sprintf("%.17g", x), collapse = ", ")
for (asked in arguments[-1]) {
  parts <- strsplit(asked, " ")[[1]]
  set.seed(1)
  fit <- Mclust(X, G = as.integer(parts[1]), modelNames = parts[2], verbose = FALSE)
  if (is.null(fit)) { cat("{}\\n"); next }
  sigma <- fit$parameters$variance$sigma
  cat(sprintf('{"pro": [%s], "mean": [%s], "sigma": [%s]}\\n', numbers(fit$parameters$pro),
    numbers(t(fit$parameters$mean)), numbers(sigma)))
}
"""


def rows(name: str) -> Array:
    """The rows of a data set; those that are drawn have five and six clusters."""
    if name == "faithful":
        return np.asarray(datasets.load_faithful().data)
    if name == "diabetes":
        return np.asarray(datasets.load_diabetes_reaven_miller().data)
    n, d, k = {"10,000 x 2": (10_000, 2, 5), "8000 x 3": (8000, 3, 6)}[name]
    rng = np.random.default_rng(0)
    means = 4.0 * rng.normal(size=(k, d))
    roots = rng.normal(size=(k, d, d)) * rng.uniform(0.5, 1.0, size=(k, 1, 1))
    labels = rng.integers(0, k, size=n)
    X: Array = means[labels] + np.einsum("nab,nb->na", roots[labels], rng.normal(size=(n, d)))
    return X


def mclust(X: Array, asked: list[tuple[int, str]]) -> tuple[float, Table, list[Any]]:
    """CPU seconds of mclust's grid, BIC of each model, and the parameters of those asked for."""
    with tempfile.TemporaryDirectory() as folder:
        path, script = Path(folder, "rows.csv"), Path(folder, "grid.R")
        np.savetxt(path, X, delimiter=",", fmt="%.17g")
        script.write_text(R_SCRIPT, "utf-8")
        models = [f"{k} {name}" for k, name in asked]
        answer = subprocess.run(
            ["Rscript", script, path, *models], capture_output=True, text=True, check=True
        )
    grid, *fits = map(json.loads, answer.stdout.splitlines())
    table = {
        (int(k), name): bic for (k, name), bic in ((m.split(), b) for m, b in grid["bic"].items())
    }
    return grid["cpu"], table, fits


def continued(X: Array, model: tuple[int, str], parameters: Any) -> Cell | None:
    """Where EM goes from parameters of mclust."""
    if not parameters:
        return None
    (k, name), d = model, X.shape[1]
    weights = np.array(parameters["pro"]) if k > 1 else np.ones(1)
    means = np.array(parameters["mean"]).reshape(d, k).T  # R writes columns
    matrices = np.array(parameters["sigma"]).reshape(k, d, d)
    start = mixtura.GaussianMixture(weights / weights.sum(), means, matrices)
    try:
        return cell(mixtura.fit_gmm(X, k, covariance_type=name, init=start, n_threads=1))
    except mixtura.FitError:
        return None


def main() -> None:
    """Print a line for each data set, and the worst models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--worst", type=int, default=5, help="models to print for each data set")
    options = parser.parse_args()
    warnings.simplefilter("ignore", mixtura.ConvergenceWarning)
    print(
        f"{'':10} {'ours s':>8} {'mclust s':>8} {'mclust/ours':>11} {'models':>6} {'within':>7} "
        f"{'worst':>9} {'best':>9} {'avoided':>7}"
    )
    for name in options.data:
        X = rows(name)
        seconds, of_mclust = math.inf, math.inf
        for _ in range(options.repeats):
            begun = time.process_time()
            selection = mixtura.select_gmm(X, rng=0, n_threads=1)
            seconds = min(seconds, time.process_time() - begun)
            cpu, table, _ = mclust(X, [])
            of_mclust = min(of_mclust, cpu)
        own = {model: cell(fit) for model, fit in selection.fits.items()}
        gaps = {model: own[model].bic - table[model] for model in table if model in own}
        lower = [model for model in gaps if gaps[model] > SAME and not own[model].suspects]
        ends = [continued(X, *each) for each in zip(lower, mclust(X, lower)[2], strict=True)]
        avoided = [
            m for m, end in zip(lower, ends, strict=True) if end is not None and end.suspects
        ]
        for model in avoided:
            del gaps[model]
        best = min(each.bic for each in own.values() if not each.suspects)
        best -= min(table[model] for model in gaps)
        values = np.array(list(gaps.values()))
        print(
            f"{name:10} {seconds:8.2f} {of_mclust:8.2f} {of_mclust / seconds:11.2f} {len(gaps):6d} "
            f"{np.mean(values <= SAME):7.3f} {values.max():9.3f} {max(best, 0.0):9.3f} "
            f"{len(avoided):7d}",
            flush=True,
        )
        for model in sorted(gaps, key=lambda model: -gaps[model])[: options.worst]:
            if gaps[model] > SAME:
                print(f"  {model[1]}, {model[0]}: {gaps[model]:.3f}")


if __name__ == "__main__":
    main()
