"""k-means beside faiss, scikit-learn and oneDAL, and beside the matrix product it rests on.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.kmeans_peers

Prints milliseconds of CPU time on one thread; with every figure, how many times ours it is. Each
library runs Lloyd's algorithm from the same centers. An iteration is the slope between two numbers
of iterations, so that checks and conversions cancel; libraries take turns, and the shortest times
count. What is not installed is left out. Centers and labels are compared. The product is that of
all rows with all centers, by the BLAS of NumPy in blocks of rows.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from itertools import product as product_of
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import mixtura
from benchmarks import peers, tables
from benchmarks.libraries import PEER, silence
from benchmarks.report import machine, write
from benchmarks.turns import compute_time, in_turns, slopes, timed
from mixtura.data import ArrayRows
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import SPHERICAL
from mixtura.starts.seeding import kmeans_plusplus

Rows = NDArray[Any]
Run = Callable[[int], tuple[Rows, Rows]]  # from iterations to centers and labels

SHAPES = ((200_000, 64, 256), (300_000, 32, 1000))
EARLY, LATER = (2, 5), (10, 12)  # numbers of iterations between which the slope is taken
ROUNDS = 2
ELSEWHERE = {"faiss": "faiss-kmeans", "oneDAL": "onedal-kmeans"}  # runs in a process of its own
APART = 8.0  # standard deviations between clusters, in the root mean square
CHECKED = 4000  # rows
# Of scatter and of labels. In single precision libraries drift apart, a row or two at a time.
TOLERANCES = {"float32": (1e-3, 0.1), "float64": (1e-9, 1e-4)}


class Case(NamedTuple):
    """Rows, centers to begin with, and between which iterations the slope is taken."""

    kind: str
    X: Rows
    start: Rows
    counts: tuple[int, int]

    @property
    def name(self) -> str:
        return f"{(*self.X.shape, len(self.start))} {self.X.dtype}, {self.kind}"


def draw(shape: tuple[int, int, int], dtype: str, clustered: bool) -> Case:
    """Rows of clusters or of none, and some of them as centers."""
    n, d, k = shape
    rng = np.random.default_rng(shape)
    X = rng.standard_normal((n, d), dtype=np.float32)
    if clustered:
        means = rng.normal(scale=APART / np.sqrt(2 * d), size=(k, d)).astype(np.float32)
        X += means[rng.integers(k, size=n)]
    X = X.astype(dtype)
    kind = "later, clusters" if clustered else "early, no clusters"
    start = X[rng.choice(n, size=k, replace=False)].copy()
    return Case(kind, X, start, LATER if clustered else EARLY)


# ---- the libraries of this process: each returns what makes so many iterations ----


def ours(case: Case) -> Run:
    def run(n_iter: int) -> tuple[Rows, Rows]:
        fit = mixtura.fit_kmeans(
            case.X, len(case.start), init=case.start, max_iter=n_iter, tol=0.0, n_threads=1
        )
        assert fit.labels is not None
        return fit.centers, fit.labels

    return run


def of_sklearn(case: Case) -> Run:
    from sklearn.cluster import KMeans

    def run(n_iter: int) -> tuple[Rows, Rows]:
        model = KMeans(len(case.start), init=case.start, n_init=1, max_iter=n_iter, tol=0.0)
        with silence():
            model.fit(case.X)
        return model.cluster_centers_, model.labels_

    return run


def product(case: Case) -> Callable[[], None]:
    """What multiplies all rows by all centers, some rows at a time."""
    at_once = 2048
    columns = np.ascontiguousarray(case.start.T)
    out = np.empty((at_once, len(case.start)), dtype=case.X.dtype)

    def multiply() -> None:
        for first in range(0, len(case.X), at_once):
            rows = case.X[first : first + at_once]
            np.matmul(rows, columns, out=out[: len(rows)])

    return multiply


# ---- measuring ----


def squared_distances(X: Rows, centers: Rows) -> Rows:
    X, centers = X.astype(np.float64), centers.astype(np.float64)
    squares: Rows = np.square(X).sum(axis=1)[:, None] - 2.0 * X @ centers.T
    return squares + np.square(centers).sum(axis=1)


def compared(case: Case, found: dict[str, tuple[Rows, Rows]]) -> dict[str, float]:
    """Say how far scatter about the centers, and labels, differ between the libraries."""
    tolerance, share = TOLERANCES[case.X.dtype.name]
    X = case.X[:CHECKED]
    right_centers, right_labels = found["mixtura"]
    distances = squared_distances(X, right_centers)
    np.testing.assert_array_equal(distances.argmin(axis=1), right_labels[:CHECKED])
    right = distances.min(axis=1).sum()
    scatter = {
        library: abs(squared_distances(X, centers).min(axis=1).sum() / right - 1.0)
        for library, (centers, _) in found.items()
    }
    labels = {library: float(np.mean(each != right_labels)) for library, (_, each) in found.items()}
    assert max(scatter.values()) <= tolerance, scatter
    assert max(labels.values()) <= share, labels
    return {"scatter": max(scatter.values()), "labels": max(labels.values())}


def iterations(case: Case, pythons: list[str], rounds: int) -> dict[str, Any]:
    """CPU seconds of an iteration by each library, and of the product."""
    here: dict[str, Run] = {"mixtura": ours(case)}
    if find_spec("sklearn"):
        here[PEER] = of_sklearn(case)
    found: dict[str, tuple[Rows, Rows]] = {}

    def keep(library: str, n_iter: int) -> None:
        found[library] = here[library](n_iter)

    runs: dict[str, Callable[[int], float]] = {
        library: partial(timed, keep, library, clock=compute_time) for library in here
    }
    with ExitStack() as stack:
        there = {}
        for library, work in ELSEWHERE.items():
            if library == "faiss" and case.X.dtype != np.float32:
                continue
            arrays = {"X": case.X, "start": case.start}
            try:
                peer = peers.Peer(work, pythons, clock="cpu", threads=1, **arrays)
            except peers.Missing:
                continue
            there[library] = stack.enter_context(peer)
            runs[library] = peer.run
        bound = {"product": partial(timed, product(case), clock=compute_time)}
        seconds = slopes(runs, case.counts, 0.0, rounds, once=bound)
        # The last run of each was the long one.
        for library, peer in there.items():
            end = peer.end()
            found[library] = end["centers"], end["labels"]
    return {**described(case), "seconds": seconds, "differences": compared(case, found)}


def seeding(case: Case, rounds: int) -> dict[str, Any]:
    """CPU seconds of k-means++ among all rows; the scatter that is left must be alike."""
    k = len(case.start)
    rows = RowsPass(ArrayRows(case.X), SPHERICAL, Backend("compiled", 1), em="nearest")
    seeds: dict[str, Callable[[int], Rows]] = {
        "mixtura": lambda seed: kmeans_plusplus(rows, k, np.random.default_rng(seed))
    }
    if find_spec("sklearn"):
        from sklearn.cluster import kmeans_plusplus as theirs

        seeds[PEER] = lambda seed: theirs(case.X, k, random_state=seed)[0]
    scatter: dict[str, list[float]] = {name: [] for name in seeds}

    def one(name: str) -> float:
        chosen: list[Rows] = []
        seed = len(scatter[name])
        spent = timed(lambda: chosen.append(seeds[name](seed)), clock=compute_time)
        scatter[name].append(squared_distances(case.X[:CHECKED], chosen[0]).min(axis=1).sum())
        return spent

    seconds = in_turns({name: partial(one, name) for name in seeds}, 0.0, rounds)
    means = [float(np.mean(each)) for each in scatter.values()]
    assert max(means) <= 1.05 * min(means), scatter
    differences = {"scatter": max(means) / min(means) - 1.0}
    return {**described(case), "kind": "k-means++", "seconds": seconds, "differences": differences}


def described(case: Case) -> dict[str, Any]:
    n, d = case.X.shape
    return {"kind": case.kind, "n": n, "d": d, "k": len(case.start), "dtype": case.X.dtype.name}


def figures(
    pythons: list[str],
    shapes: Sequence[tuple[int, int, int]] = SHAPES,
    only: str = "",
    rounds: int = ROUNDS,
) -> list[dict[str, Any]]:
    """Measure every case whose name has `only` in it."""
    found = []
    for shape, dtype, clustered in product_of(shapes, TOLERANCES, (False, True)):
        case = draw(shape, dtype, clustered)
        if only in case.name:
            found.append(iterations(case, pythons, rounds))
    dtypes = [dtype for dtype in TOLERANCES if only in f"k-means++ {dtype}"]
    seeds = (seeding(draw(shapes[0], dtype, clustered=True), rounds) for dtype in dtypes)
    return [*found, *seeds]


def main() -> None:
    """Print a table."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        assert os.environ.get(name) == "1", f"{name} must be 1: set it in front of the command"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="cases whose names have this in them")
    peers.add_option(parser)
    options = parser.parse_args()
    pythons = peers.interpreters(options.peers_python)
    write(tables.kmeans(figures(pythons, only=options.only, rounds=options.repeats)))
    write(machine())


if __name__ == "__main__":
    main()
