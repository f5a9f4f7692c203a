"""A pass over rows of a file, here and by an executor, beside one over the same rows in memory."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import mixtura
from benchmarks.agreement import assert_agreement
from benchmarks.problems import make_problem, sizes

SHAPE = sizes((40_000, 4, 5), (4_000_000, 4, 5))
BLOCKS = 8
N_ITER = 5


class WholeFits:
    """Five iterations from a given mixture, float32."""

    params = (["memory", "file", "file, two threads"],)
    param_names = ("rows",)

    def setup(self, kind: str) -> None:
        self.problem = make_problem(SHAPE, dtype="float32")
        self.folder = tempfile.TemporaryDirectory()
        self.executor = ThreadPoolExecutor(2)
        path = Path(self.folder.name) / "rows.npy"
        np.save(path, self.problem.X)
        size = -(-len(self.problem.X) // BLOCKS)
        self.rows: Any = {
            "memory": self.problem.X,
            "file": mixtura.scan(path, block_size=size),
            "file, two threads": mixtura.scan(path, block_size=size, executor=self.executor),
        }[kind]
        assert_agreement(self.fit(self.rows), self.fit(self.problem.X), "float64")

    def teardown(self, _: str) -> None:
        self.executor.shutdown()
        self.folder.cleanup()

    def fit(self, rows: Any) -> float:
        start = self.problem.start
        fit = mixtura.fit_gmm(rows, start.n_components, init=start, tol=0, max_iter=N_ITER)
        return fit.log_likelihood

    def time_five_iterations(self, _: str) -> None:
        self.fit(self.rows)
