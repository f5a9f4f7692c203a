"""Run iterations of a library in an environment of its own, one number of iterations a line.

    python peer_worker.py LIBRARY FOLDER THREADS

`peers.py` starts it. It stands alone, because such a library may want other versions of packages
than mixtura's environment has. FOLDER holds case.npz, the rows and the start. The first line of
output has the version. Then each number on the input is a run of so many iterations from the start,
and its seconds are printed. "end" writes the parameters of the last run to end.npz.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np


def onedal_em(case, threads):
    """EM with full or diagonal covariances."""
    import daal4py

    if threads:
        daal4py.daalinit(threads)
    covariances = case["covariances"]
    diagonal = covariances.ndim == 2
    start = case["weights"][None], case["means"], [c[None] if diagonal else c for c in covariances]
    storage = {"covarianceStorage": "diagonal"} if diagonal else {}

    def run(n_iter):
        algorithm = daal4py.em_gmm(
            nComponents=len(case["means"]),
            maxIterations=n_iter,
            accuracyThreshold=1e-300,
            regularizationFactor=0.0,
            **storage,
        )
        result = algorithm.compute(case["X"], *start)
        made = int(np.ravel(result.nIterations)[0])
        assert made == n_iter, f"{made} iterations in place of {n_iter}"
        return {
            "weights": np.ravel(result.weights),
            "means": result.means,
            "covariances": np.reshape(result.covariances, covariances.shape),
        }

    return run


def onedal_kmeans(case, threads):
    """Lloyd's algorithm."""
    import daal4py

    if threads:
        daal4py.daalinit(threads)
    kind = "float" if case["X"].dtype == np.float32 else "double"

    def run(n_iter):
        algorithm = daal4py.kmeans(
            len(case["start"]), n_iter, fptype=kind, accuracyThreshold=0.0, assignFlag=True
        )
        result = algorithm.compute(case["X"], case["start"])
        return {"centers": result.centroids, "labels": result.assignments[:, 0]}

    return run


def faiss_kmeans(case, threads):
    """Lloyd's algorithm. faiss knows single precision only."""
    import faiss

    if threads:
        faiss.omp_set_num_threads(threads)
    X, start = case["X"], case["start"]

    def run(n_iter):
        most = {"max_points_per_centroid": len(X), "min_points_per_centroid": 1}
        model = faiss.Kmeans(X.shape[1], len(start), niter=n_iter, **most)
        model.train(X, init_centroids=start)
        return {"centers": model.centroids, "labels": model.index.search(X, 1)[1][:, 0]}

    return run


WORKS = {
    "onedal-em": ("daal4py", onedal_em),
    "onedal-kmeans": ("daal4py", onedal_kmeans),
    "faiss-kmeans": ("faiss-cpu", faiss_kmeans),
}


def say(answer):
    """Write a line of JSON at once."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main():
    """Answer line by line, until the input ends."""
    name, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    package, make = WORKS[name]
    with np.load(folder / "case.npz") as arrays:
        case = dict(arrays)
    run = make(case, threads)
    say({"version": version(package)})
    last = {}
    for line in sys.stdin:
        if line.strip() == "end":
            np.savez(folder / "end.npz", **last)
            say({})
            continue
        wall, cpu = time.perf_counter(), time.process_time()
        last = run(int(line))
        say({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu})


if __name__ == "__main__":
    main()
