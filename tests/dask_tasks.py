"""What tests let the workers of a cluster do: in a module that these can import."""

from __future__ import annotations

from typing import Any

import numpy as np

import mixtura
from mixtura.data import Block
from mixtura.limits import thread_limit


def frame_of(part: Any, names: list[str]) -> Any:
    """Return a partition of a DataFrame."""
    import pandas as pd

    return pd.DataFrame(part, columns=names)


def n_rows_of(block: Block) -> float:
    return float(len(block.X))


def limit_of(block: Block) -> int | None:  # noqa: ARG001
    return thread_limit()


class Waiting:
    """A look that says that it has begun, and waits."""

    def __call__(self, block: Block) -> float:
        import distributed

        distributed.Event("begun").set()
        distributed.Event("end").wait(60)
        return float(len(block.X))


def fitted(values: Any) -> Any:
    """Fit rows of Dask in a task, by the cluster that the task runs on."""
    import dask.array as da

    rows = da.from_array(np.asarray(values), chunks=(len(values) // 4, values.shape[1]))
    return mixtura.fit_gmm(rows, 3, rng=0)
