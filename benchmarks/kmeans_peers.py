"""k-means beside faiss, scikit-learn and oneDAL, and beside the matrix product it rests on.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.kmeans_peers [--repeats R]

Prints milliseconds of CPU time on one thread; with every figure, how many times ours it is. Each
library runs Lloyd's algorithm from the same centers. An iteration is the slope between two numbers
of iterations, so that checks and conversions cancel; libraries take turns, and the shortest times
count. What is not installed is left out. Centers and labels are compared before anything is
printed. The product is that of all rows with all centers, by the BLAS of NumPy in blocks of rows.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import mixtura
from benchmarks.libraries import silence
from mixtura.data import ArrayRows
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import SPHERICAL
from mixtura.starts.seeding import kmeans_plusplus

Rows = NDArray[Any]
Run = Callable[[int], tuple[Rows, Rows]]  # from iterations to centers and labels

SHAPES = ((200_000, 64, 256), (300_000, 32, 1000))
DENSE, LATER = (2, 5), (16, 22)  # numbers of iterations between which the slope is taken
APART = 8.0  # standard deviations between clusters, in the root mean square
CHECKED = 4000  # rows
# Of scatter and of labels. In single precision libraries drift apart, a row or two at a time.
TOLERANCES = {"float32": (1e-3, 0.1), "float64": (1e-9, 1e-4)}


class Case(NamedTuple):
    """Rows, centers to begin with, and between which iterations the slope is taken."""

    name: str
    X: Rows
    start: Rows
    counts: tuple[int, int]


def draw(shape: tuple[int, int, int], dtype: str, clustered: bool) -> Case:
    """Rows of clusters or of none, and some of them as centers."""
    n, d, k = shape
    rng = np.random.default_rng(shape)
    X = rng.standard_normal((n, d), dtype=np.float32)
    if clustered:
        means = rng.normal(scale=APART / np.sqrt(2 * d), size=(k, d)).astype(np.float32)
        X += means[rng.integers(k, size=n)]
    X = X.astype(dtype)
    kind = "later, clusters" if clustered else "dense, no clusters"
    start = X[rng.choice(n, size=k, replace=False)].copy()
    return Case(f"({n}, {d}, {k}) {dtype}, {kind}", X, start, LATER if clustered else DENSE)


# ---- the libraries: each returns what makes so many iterations ----


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


def of_faiss(case: Case) -> Run:
    import faiss

    if case.X.dtype != np.float32:
        raise ImportError
    n, d = case.X.shape

    def run(n_iter: int) -> tuple[Rows, Rows]:
        most = {"max_points_per_centroid": n, "min_points_per_centroid": 1}
        model = faiss.Kmeans(d, len(case.start), niter=n_iter, **most)
        model.train(case.X, init_centroids=case.start)
        return model.centroids, model.index.search(case.X, 1)[1][:, 0]

    return run


def of_onedal(case: Case) -> Run:
    import daal4py

    daal4py.daalinit(1)
    fptype = "float" if case.X.dtype == np.float32 else "double"

    def run(n_iter: int) -> tuple[Rows, Rows]:
        algorithm = daal4py.kmeans(
            len(case.start), n_iter, fptype=fptype, accuracyThreshold=0.0, assignFlag=True
        )
        result = algorithm.compute(case.X, case.start)
        return result.centroids, result.assignments[:, 0]

    return run


LIBRARIES = {
    "mixtura": ours, "faiss": of_faiss, "scikit-learn": of_sklearn, "oneDAL": of_onedal
}  # fmt: skip


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


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def squared_distances(X: Rows, centers: Rows) -> Rows:
    X, centers = X.astype(np.float64), centers.astype(np.float64)
    squares: Rows = np.square(X).sum(axis=1)[:, None] - 2.0 * X @ centers.T
    return squares + np.square(centers).sum(axis=1)


def check(case: Case, found: dict[str, tuple[Rows, Rows]]) -> None:
    """Expect the scatter about the centers, and the labels, of one library as of the others."""
    tolerance, share = TOLERANCES[case.X.dtype.name]
    X = case.X[:CHECKED]
    right_centers, right_labels = found["mixtura"]
    distances = squared_distances(X, right_centers)
    np.testing.assert_array_equal(distances.argmin(axis=1), right_labels[:CHECKED])
    for library, (centers, labels) in found.items():
        scatter = squared_distances(X, centers).min(axis=1).sum()
        np.testing.assert_allclose(
            scatter, distances.min(axis=1).sum(), rtol=tolerance, err_msg=library
        )
        assert np.mean(labels != right_labels) <= share, (library, np.mean(labels != right_labels))


def iterations(case: Case, repeats: int) -> dict[str, float]:
    """CPU seconds of an iteration by each library, and of the product."""
    runs = {}
    for library, make in LIBRARIES.items():
        try:
            runs[library] = make(case)
        except ImportError:
            continue
    short, long = case.counts
    check(case, {library: run(long) for library, run in runs.items()})
    multiply = product(case)
    least: dict[tuple[str, int], float] = {}
    bound = np.inf
    for _ in range(repeats):
        bound = min(bound, seconds(multiply))
        for library, run in runs.items():
            for count in case.counts:
                spent = seconds(lambda run=run, count=count: run(count))  # type: ignore[misc]
                least[library, count] = min(spent, least.get((library, count), np.inf))
    slopes = {
        library: (least[library, long] - least[library, short]) / (long - short) for library in runs
    }
    return slopes | {"product": bound}


def seeding(case: Case, repeats: int) -> dict[str, float]:
    """CPU seconds of k-means++ among all rows; the scatter that is left must be alike."""
    k = len(case.start)
    rows = RowsPass(ArrayRows(case.X), SPHERICAL, Backend("compiled", 1), em="nearest")
    runs: dict[str, Callable[[int], Rows]] = {
        "mixtura": lambda seed: kmeans_plusplus(rows, k, np.random.default_rng(seed))
    }
    try:
        from sklearn.cluster import kmeans_plusplus as theirs

        runs["scikit-learn"] = lambda seed: theirs(case.X, k, random_state=seed)[0]
    except ImportError:
        pass
    least = dict.fromkeys(runs, np.inf)
    scatter: dict[str, list[float]] = {name: [] for name in runs}
    for seed in range(repeats):
        for name, run in runs.items():
            seeds: list[Rows] = []
            spent = seconds(lambda run=run, seed=seed, seeds=seeds: seeds.append(run(seed)))  # type: ignore[misc]
            least[name] = min(least[name], spent)
            scatter[name].append(squared_distances(case.X[:CHECKED], seeds[0]).min(axis=1).sum())
    means = [np.mean(each) for each in scatter.values()]
    assert max(means) <= 1.05 * min(means), scatter
    return least


def main() -> None:
    """Print a table."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        assert os.environ.get(name) == "1", f"{name} must be 1: set it in front of the command"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="cases whose names have this in them")
    options = parser.parse_args()
    names = (*LIBRARIES, "product")
    write("ms on one thread (times ours)", *names)
    write("---", *(len(names) * ["---:"]))
    for shape in SHAPES:
        for dtype in ("float32", "float64"):
            for clustered in (False, True):
                case = draw(shape, dtype, clustered)
                if options.only in case.name:
                    report(case.name, iterations(case, options.repeats), names)
    for dtype in ("float32", "float64"):
        for clustered in (False, True):
            case = draw(SHAPES[0], dtype, clustered)
            name = case.name.replace("dense", "k-means++").replace("later", "k-means++")
            if options.only in name:
                report(name, seeding(case, options.repeats), names)


def report(name: str, found: dict[str, float], names: tuple[str, ...]) -> None:
    one = found["mixtura"]
    cells = (f"{1e3 * found[x]:.1f} ({found[x] / one:.2f})" if x in found else "-" for x in names)
    write(name, *cells)


def write(*cells: object) -> None:
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
