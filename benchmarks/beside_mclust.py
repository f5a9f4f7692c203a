"""`select_gmm` beside mclust in R: the time of the default grid, and the BIC of every model.

    python -m benchmarks.beside_mclust [--data faithful ...] [--repeats 2] [--worst 5]

Needs Rscript with the package mclust. The grid is one to nine components of fourteen families.
mclust starts from a model-based tree of the rows, of 2000 of them where there are more. The drawn
rows are the same in each run. A line for each data set has the CPU time of both in milliseconds,
the least of `--repeats` runs, which take turns; the models that both have; the share in which ours
has a BIC that is not higher by more than 1e-3; the largest difference; and by how much our best
model is worse than mclust's. mclust's BIC has the opposite sign. Models are left out where mclust's
own parameters have components that are spurious or on few rows, after EM has converged from them
here, and ours have none: "avoided" counts them. Set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS to 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import mixtura
from benchmarks import tables
from benchmarks.report import machine, write
from benchmarks.selection_cells import SAME, Cell, cell
from benchmarks.turns import in_turns
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
cat(sprintf('{"version": "%s", "cpu": %.6f, "bic": {',
  packageVersion("mclust"), time[["user.self"]] + time[["sys.self"]]))
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


def mclust(X: Array, asked: list[tuple[int, str]]) -> tuple[float, Table, list[Any], str]:
    """CPU seconds of mclust's grid, BIC of each model, parameters of those asked for; version."""
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
    return grid["cpu"], table, fits, grid["version"]


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


def measured(name: str, repeats: int) -> dict[str, Any]:
    """CPU seconds of both grids, and how their models compare."""
    X = rows(name)
    kept: dict[str, Any] = {}

    def ours() -> float:
        begun = time.process_time()
        kept["selection"] = mixtura.select_gmm(X, rng=0, n_threads=1)
        return time.process_time() - begun

    def theirs() -> float:
        cpu, kept["table"], _, kept["version"] = mclust(X, [])
        return cpu

    seconds = in_turns({"mixtura": ours, "mclust": theirs}, 0.0, repeats)
    table = kept["table"]
    own = {model: cell(fit) for model, fit in kept["selection"].fits.items()}
    gaps = {model: own[model].bic - table[model] for model in table if model in own}
    lower = [model for model in gaps if gaps[model] > SAME and not own[model].suspects]
    ends = [continued(X, *each) for each in zip(lower, mclust(X, lower)[2], strict=True)]
    avoided = [m for m, end in zip(lower, ends, strict=True) if end is not None and end.suspects]
    for model in avoided:
        del gaps[model]
    best = min(each.bic for each in own.values() if not each.suspects)
    best -= min(table[model] for model in gaps)
    values = np.array(list(gaps.values()))
    return {
        "data": name, "n": len(X), "d": X.shape[1], "seconds": seconds, "models": len(gaps),
        "within": float(np.mean(values <= SAME)), "worst": float(values.max()),
        "best": float(best), "avoided": len(avoided), "version": kept["version"],
        "lower": {f"{k} {model}": gaps[k, model] for k, model in gaps if gaps[k, model] > SAME},
    }  # fmt: skip


def figures(names: Sequence[str] = NAMES, repeats: int = 2) -> list[dict[str, Any]]:
    """Measure each data set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mixtura.ConvergenceWarning)
        return [measured(name, repeats) for name in names]


def main() -> None:
    """Print a line for each data set, and the worst models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--worst", type=int, default=5, help="models to print for each data set")
    options = parser.parse_args()
    found = figures(options.data, options.repeats)
    write(tables.selections(found))
    for row in found:
        for model in sorted(row["lower"], key=lambda m: -row["lower"][m])[: options.worst]:
            write(f"  {row['data']}, {model}: {row['lower'][model]:.3f}")
    write(machine())


if __name__ == "__main__":
    main()
