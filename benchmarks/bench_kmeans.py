"""k-means beside scikit-learn's: Lloyd's iterations from given centers, and the start."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

import mixtura
from benchmarks.agreement import CHECKED_ROWS, assert_agreement
from benchmarks.libraries import LIBRARIES, PEER, prepare
from benchmarks.problems import Shape, make_problem, sizes

SHAPES = sizes([(10_000, 2, 8), (10_000, 16, 64)], [(1_000_000, 16, 64), (200_000, 64, 256)])
N_ITER = 10


def inertia(library: str, X: Any, n_clusters: int, init: Any, max_iter: int) -> float:
    """Run Lloyd's algorithm once, until `max_iter` or until nothing changes."""
    if library == "mixtura":
        return mixtura.fit_kmeans(X, n_clusters, init=init, max_iter=max_iter, tol=0, rng=0).inertia
    from sklearn.cluster import KMeans

    init = "k-means++" if isinstance(init, str) else init
    model = KMeans(n_clusters, init=init, n_init=1, max_iter=max_iter, tol=0, random_state=0)
    return float(model.fit(X).inertia_)


class Lloyd:
    """Ten iterations from the first rows as centers."""

    params = (LIBRARIES, ["float64", "float32"], SHAPES)
    param_names = ("library", "dtype", "(n, d, k)")

    def setup(self, library: str, dtype: str, shape: Shape) -> None:
        prepare(library)
        check_agreement(library, dtype, shape)
        self.X = make_problem(shape, "spherical", dtype).X

    def time_ten_iterations(self, library: str, _: str, shape: Shape) -> None:
        k = shape[2]
        inertia(library, self.X, k, self.X[:k], N_ITER)


@cache  # asv sets up anew before each call that it times
def check_agreement(library: str, dtype: str, shape: Shape) -> None:
    """Compare the inertia with that of Lloyd's algorithm written out."""
    X, k = make_problem(shape, "spherical", dtype).X[:CHECKED_ROWS], shape[2]
    centers = X[:k].astype(np.float64)
    for _ in range(N_ITER):
        labels = cdist(X, centers).argmin(axis=1)
        centers = np.array([X[labels == c].mean(axis=0, dtype=np.float64) for c in range(k)])
    expected = np.square(cdist(X, centers).min(axis=1)).sum()
    assert_agreement(inertia(library, X, k, X[:k], N_ITER), expected, dtype)


class Seeding:
    """k-means++ and one iteration."""

    params = (LIBRARIES, SHAPES)
    param_names = ("library", "(n, d, k)")

    def setup(self, library: str, shape: Shape) -> None:
        prepare(library)
        self.X = make_problem(shape, "spherical").X
        if library == PEER:
            check_seeding(shape)

    def time_seeding(self, library: str, shape: Shape) -> None:
        inertia(library, self.X, shape[2], "kmeans++", 1)


@cache
def check_seeding(shape: Shape) -> None:
    """Expect a start about as good as scikit-learn's; by chance either varies by a quarter."""
    X, k = make_problem(shape, "spherical").X, shape[2]
    ours, theirs = (inertia(library, X, k, "kmeans++", 1) for library in LIBRARIES)
    assert ours < 1.3 * theirs, f"inertia {ours:g} after our start, {theirs:g} after scikit-learn's"
