"""Automatic starts of a fit, with one iteration after them, beside scikit-learn's."""

from __future__ import annotations

from benchmarks.libraries import LIBRARIES, PEER, automatic_fit, prepare
from benchmarks.problems import Shape, make_problem, sizes

STARTS = {
    "kmeans++": "k-means++",
    "kmeans": "kmeans",
    "random": "random_from_data",
    "hierarchical": None,  # scikit-learn has none
}
SHAPES = sizes([(5_000, 4, 3), (10_000, 8, 8)], [(1_000_000, 8, 16), (200_000, 16, 32)])


class Start:
    """`n_init` and whatever else by default."""

    params = (LIBRARIES, list(STARTS), SHAPES)
    param_names = ("library", "init", "(n, d, k)")

    def setup(self, library: str, init: str, shape: Shape) -> None:
        prepare(library)
        if library == PEER and STARTS[init] is None:
            raise NotImplementedError
        self.X = make_problem(shape).X

    def time_start(self, library: str, init: str, shape: Shape) -> None:
        start = {"init": init} if library == "mixtura" else {"init_params": STARTS[init]}
        automatic_fit(library, self.X, shape[2], max_iter=1, tol=0, **start)
