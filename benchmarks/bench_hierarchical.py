"""Trees by model-based agglomeration, beside SciPy's method of Ward."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.cluster.hierarchy import linkage

import mixtura
from benchmarks.problems import make_problem, sizes
from mixtura import kernels, reference
from mixtura.data.checks import MODELS

WARD = "scipy's ward"
SIZES = sizes([(500, 2), (500, 5), (2000, 2), (2000, 5)], [(2000, 10), (2000, 20), (10_000, 5)])
CHECKED_ROWS = 25


class Tree:
    """A tree of all rows."""

    params = ([*MODELS, WARD], SIZES)
    param_names = ("model", "(n, d)")

    def setup(self, model: str, size: tuple[int, int]) -> None:
        self.X = make_problem((*size, 3)).X
        if model != WARD:
            check_agreement(model, size)

    def time_tree(self, model: str, size: tuple[int, int]) -> None:
        if model == WARD:
            linkage(self.X, method="ward")
        else:
            mixtura.hierarchical(self.X, model=model, max_leaves=size[0])


class Sample:
    """A tree of a sample of float32 rows, and the leaf of every row."""

    params = (sizes([(100_000, 2), (100_000, 5)], [(1_000_000, 5), (100_000, 20)]),)
    param_names = ("(n, d)",)

    def setup(self, size: tuple[int, int]) -> None:
        self.X = make_problem((*size, 3), dtype="float32").X

    def time_tree_of_sample(self, _: tuple[int, int]) -> None:
        mixtura.hierarchical(self.X, rng=0)


@cache  # asv sets up anew before each call that it times
def check_agreement(model: str, size: tuple[int, int]) -> None:
    """Compare the mergers of the first rows with the reference's."""
    X = make_problem((*size, 3)).X[:CHECKED_ROWS]
    trees = [module.agglomerate(X, model=model, blur=0.01) for module in (kernels, reference)]
    np.testing.assert_array_equal(trees[0][0], trees[1][0])
    np.testing.assert_allclose(trees[0][1], trees[1][1], rtol=1e-9, atol=1e-9)
