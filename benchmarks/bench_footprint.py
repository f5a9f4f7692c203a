"""What mixtura costs besides time: memory beyond the data, and the import."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import numpy as np

import mixtura
from benchmarks.libraries import LIBRARIES, PEER, fit, prepare
from benchmarks.problems import Problem, sizes

N_FEATURES, N_COMPONENTS = 16, 32


class Memory:
    """How far a fit of two iterations raises the peak of the process above its data."""

    params = (LIBRARIES, sizes([10_000, 40_000], [100_000, 1_000_000]))
    param_names = ("library", "n_samples")
    unit = "MiB"

    def setup(self, library: str, n_samples: int) -> None:
        prepare(library)
        rng = np.random.default_rng(0)
        # In place: whatever is freed before the fit would hide as much of what the fit asks for.
        X = np.empty((n_samples, N_FEATURES))
        rng.standard_normal(out=X)
        means = 3.0 * rng.normal(size=(N_COMPONENTS, N_FEATURES))
        for rows, mean in zip(np.array_split(X, N_COMPONENTS), means, strict=True):
            rows += mean
        start = mixtura.GaussianMixture(
            np.full(N_COMPONENTS, 1 / N_COMPONENTS),
            means + 0.1,
            np.tile(np.eye(N_FEATURES), (N_COMPONENTS, 1, 1)),
        )
        self.problem = Problem(X, start)

    def track_peak(self, library: str, _: int) -> float:
        before = peak_memory()
        fit("compiled" if library == "mixtura" else PEER, self.problem, 2)
        return round(peak_memory() - before, 1)


def peak_memory() -> float:
    """Return the largest memory that this process has held so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def figures(n_samples: int = 1_000_000) -> dict[str, Any]:
    """Memory of a fit in MiB, in a process that has held no more; CPU seconds of the import."""
    memory = Memory()
    memory.setup("mixtura", n_samples)
    before = "import numpy, scipy.linalg, time; t = time.process_time(); "
    code = f"{before}import mixtura; print(time.process_time() - t)"
    command = [sys.executable, "-c", code]
    return {
        "n": n_samples, "d": N_FEATURES, "k": N_COMPONENTS,
        "data": memory.problem.X.nbytes / 2**20, "peak": memory.track_peak("mixtura", n_samples),
        "import": min(float(subprocess.check_output(command)) for _ in range(5)),
    }  # fmt: skip


class Import:
    """`import mixtura`, once what it needs is there."""

    number = 1

    def timeraw_import(self) -> tuple[str, str]:
        return "import mixtura", "import numpy, scipy.linalg"
