"""What a task gets and returns is as large as docs/manual/scale.md says."""

import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mixtura import Statistics
from mixtura.data import open_rows, scan
from mixtura.data.far.executed import ExecutedRows
from mixtura.parameters import Seen
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import SHAPES

OVERHEAD = 1000  # bytes, of names and shapes
TASK = 2500  # bytes of a task beside the parameters: paths, names of functions, counts

NUMBERS = {
    "full": lambda d, k: k * (d * d + 2 * d + 1) + 2,
    "tied": lambda d, k: d * d + k * (2 * d + 1) + 2,
    "diag": lambda d, k: k * (3 * d + 1) + 2,
    "spherical": lambda d, k: k * (2 * d + 2) + 2,
}


class Kept:
    """An executor that runs tasks at once and keeps their sizes."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.returned: list[Statistics] = []

    def __call__(self, work: object, tasks: object) -> object:
        for task in tasks:  # type: ignore[attr-defined]
            self.sent.append(len(pickle.dumps(partial(work, task))))  # type: ignore[arg-type]
            numbered = work(task)  # type: ignore[operator]
            self.returned.append(numbered.result)
            yield numbered


@pytest.mark.parametrize(("d", "k"), [(1, 1), (4, 5), (20, 3), (3, 50)])
@pytest.mark.parametrize("name", NUMBERS)
def test_messages_of_a_pass_are_as_large_as_the_formula_says(
    tmp_path: Path, name: str, d: int, k: int
) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(300, d)))
    kept, shape = Kept(), SHAPES[name]
    rows = open_rows(scan(tmp_path / "a.npy", block_size=100, executor=kept))
    assert isinstance(rows, ExecutedRows)
    assert len(rows.counted) == 3
    kept.sent, kept.returned = [], []
    factors = {"full": np.tile(np.eye(d), (k, 1, 1)), "tied": np.eye(d),
               "diag": np.ones((k, d)), "spherical": np.ones(k)}[name]  # fmt: skip
    seen = Seen.of_factors(np.full(k, 1 / k), np.zeros((k, d)), factors, shape)
    RowsPass(rows, shape, Backend()).accumulate(seen)
    expected = 8 * NUMBERS[name](d, k)
    assert len(kept.returned) == 3
    for statistics in kept.returned:
        for message in (statistics.to_bytes(), pickle.dumps(statistics)):
            assert expected <= len(message) <= expected + OVERHEAD
    parameters = 8 * (2 * factors.size + k * d + k)  # covariances and factors
    for size in kept.sent:
        assert parameters <= size <= parameters + TASK
