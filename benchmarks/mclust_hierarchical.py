"""Time `mixtura.hierarchical` beside mclust's hc, and print a table.

    python -m benchmarks.mclust_hierarchical [--rows 2000] [--features 2 5] [--models EII ...]

Both get the same rows in the same coordinates, of unit variance each, and make whole trees on one
thread. Figures are CPU time, the least of several runs; hc runs once where that takes long. R needs
the package mclust.

The trees are compared by their cuts: for EII, which is Ward's method in both, they are the same
partitions, or the script ends with an error. For the other models, the two libraries correct the
determinant of few rows in ways of their own, so their trees differ. There it is the log-likelihood
that EM reaches from the cuts which is compared: mixtura's minus mclust's, nats a row, on average.
The kernel is compared with `mixtura.reference`, merger by merger, on a few rows of each problem.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
from argparse import RawTextHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

import mixtura
from benchmarks import tables
from benchmarks.bench_hierarchical import check_agreement
from benchmarks.problems import make_problem
from benchmarks.report import machine, write

MODELS = ("EII", "VII", "EEE", "VVV")
CUTS = (2, 3, 5, 8)  # numbers of clusters
ROUNDS = 5
LONG = 5.0  # seconds; what takes so long runs once in R
Array = np.ndarray[Any, Any]

R_SCRIPT = """
suppressMessages(library(mclust))
arguments <- commandArgs(TRUE)
X <- as.matrix(read.csv(arguments[1], header = FALSE))
least <- Inf
for (round in 1:3) {
  time <- system.time(tree <- hc(X, modelName = arguments[2], use = "VARS"))
  least <- min(least, time[["user.self"]] + time[["sys.self"]])
  if (least > as.numeric(arguments[3])) break
}
cuts <- hclass(tree, as.integer(strsplit(arguments[4], ",")[[1]]))
columns <- apply(cuts, 2, function(labels) sprintf("[%s]", paste(labels, collapse = ",")))
cat(sprintf('{"version": "%s", "cpu": %.6f, "cuts": [%s]}\\n',
  packageVersion("mclust"), least, paste(columns, collapse = ",")))
"""


def main() -> None:
    """Measure every model and size, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--features", nargs="+", type=int, default=[2, 5])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    options = parser.parse_args()
    sizes = [(model, options.rows, d) for d in options.features for model in options.models]
    found, version = figures(sizes)
    write(tables.hierarchical(found))
    write(f"mclust {version}; {machine()}")


def figures(sizes: Sequence[tuple[str, int, int]]) -> tuple[list[dict[str, Any]], str]:
    """CPU seconds for models, numbers of rows and features; and the version of mclust."""
    found, version = [], ""
    for model, n, d in sizes:
        check_agreement(model, (n, d))
        X = make_problem((n, d, 3)).X
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        cpu, cuts = ours(X, model)
        their_cpu, their_cuts, version = mclust(X, model)
        seconds = {"mixtura": cpu, "mclust": their_cpu}
        gain = compared(X, model, cuts, their_cuts)
        found.append({"model": model, "n": n, "d": d, "seconds": seconds, "gain": gain})
    return found, version


def ours(X: Array, model: str) -> tuple[float, Array]:
    """CPU seconds of a tree, and the labels of its cuts, one a row."""
    least = math.inf
    for _ in range(ROUNDS):
        begun = process_time()
        tree = mixtura.hierarchical(
            X,
            model=model,  # type: ignore[arg-type]
            transform="none",
            max_leaves=len(X),
            n_threads=1,
        )
        least = min(least, process_time() - begun)
    return least, np.array([tree.labels(n) for n in CUTS])


def mclust(X: Array, model: str) -> tuple[float, Array, str]:
    """The same of hc, and the version of the package."""
    with tempfile.TemporaryDirectory() as folder:
        rows, script = Path(folder, "rows.csv"), Path(folder, "tree.R")
        np.savetxt(rows, X, delimiter=",", fmt="%.17g")
        script.write_text(R_SCRIPT, "utf-8")
        answer = subprocess.run(
            ["Rscript", script, rows, model, str(LONG), ",".join(map(str, CUTS))],
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(answer.stdout)
    return found["cpu"], np.array(found["cuts"]) - 1, found["version"]


def compared(X: Array, model: str, cuts: Array, their_cuts: Array) -> float | None:
    """Say how the cuts differ; refuse trees of EII that are not the same."""
    if model == "EII":
        for n, labels, their_labels in zip(CUTS, cuts, their_cuts, strict=True):
            assert len({*zip(labels, their_labels, strict=True)}) == n, "partitions differ"
        return None
    reached = [
        mixtura.fit_gmm(
            X,
            int(labels.max()) + 1,
            covariance_type=model,  # type: ignore[arg-type]
            init=labels,
            n_threads=1,
        ).log_likelihood
        for labels in (*cuts, *their_cuts)
    ]
    gain = np.mean(reached[: len(CUTS)]) - np.mean(reached[len(CUTS) :])
    return float(gain) / len(X)


if __name__ == "__main__":
    main()
