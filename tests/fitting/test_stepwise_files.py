"""Streams that were saved, pickled or copied continue with the same bits; bad files are refused."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streams import K, N, assert_same_bits, cut, shuffled

import mixtura
from mixtura import StepwiseGMM, fit_gmm
from mixtura.files import Contents, write

X = shuffled(50)
WAYS: list[Callable[[Any, Path], Any]] = [
    lambda stream, path: (stream.save(path), mixtura.load(path))[1],
    lambda stream, _: pickle.loads(pickle.dumps(stream)),
    lambda stream, _: copy.copy(stream),
    lambda stream, _: copy.deepcopy(stream),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("done", [0, 100, 250, 1000])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"covariance_type": "VEE", "half_life": 500.0, "on_collapse": "drop", "n_threads": 1},
        {"reg_covar": [1e-3, 1e-2], "n_start": 500, "step_power": 0.9, "backend": "reference"},
        {"init": X[:K]},
        {"init": fit_gmm(X[:99], K, covariance_type="diag", rng=0), "missing": "em", "n_init": 3},
    ],
)
def test_stream_continues_with_the_same_bits(
    tmp_path: Path, options: dict[str, Any], done: int, way: Callable[[Any, Path], Any]
) -> None:
    stream = StepwiseGMM(K, **{"rng": 1, **options})
    for batch in cut(X[:done], 50):
        stream.update(batch)
    other = way(stream, tmp_path / "stream.npz")
    assert type(other) is StepwiseGMM
    for each in (stream, other):
        for batch in cut(X[done:1500], 50):
            each.update(batch)
    assert_same_bits(stream, other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("way", WAYS)
def test_rows_that_wait_keep_their_type_weights_names_and_gaps(
    tmp_path: Path, way: Callable[[Any, Path], Any], dtype: Any
) -> None:
    rows = shuffled(51).astype(dtype)
    rows[::7, 0] = np.nan
    frame, weight = pd.DataFrame(rows, columns=["a", "b"]), np.linspace(0.5, 2.0, N)
    stream = (
        StepwiseGMM(K, rng=0, missing="em").update(frame[:90]).update(frame[90:200], weight[:110])
    )
    other = way(stream, tmp_path / "stream.npz")
    for each in (stream, other):
        each.update(frame[200:400]).update(frame[400:], weight[400:])
    assert_same_bits(stream, other)
    assert other.model.feature_names == ("a", "b")


def test_copy_is_independent() -> None:
    stream = StepwiseGMM(K, rng=0).update(X[:600])
    before, other = stream.model, copy.copy(stream)
    other.update(X[600:])
    assert stream.model == before
    assert other.model != before


def saved(path: Path, changes: dict[str, Any]) -> None:
    """A file of a stream with some of its contents changed; None leaves one out."""
    facts, arrays = StepwiseGMM(K, rng=0).update(X[:600])._contents()
    for name, value in changes.items():
        kept: dict[str, Any] = arrays if name in arrays else facts
        if value is None:
            del kept[name]
        else:
            kept[name] = value
    write(path, "StepwiseGMM", Contents(facts, arrays))


@pytest.mark.parametrize(
    "changes",
    [
        {"n_components": "3"},
        {"n_components": 0},
        {"covariance_type": "fall"},
        {"step_power": 2.0},
        {"half_life": -1.0},
        {"half_life": float("nan")},
        {"init": "print"},
        {"init": "Means"},
        {"n_init": -1},
        {"n_start": 0},
        {"on_collapse": "x"},
        {"missing": "x"},
        {"seed": -1},
        {"seed": None},
        {"n_threads": 0},
        {"backend": "x"},
        {"n_features": 3},
        {"n_features": None},
        {"feature_names": ["a"]},
        {"n_updates": -1},
        {"n_samples": 1.5},
        {"weight_sum": -1.0},
        {"weight_sum": 0.0},
        {"unit": 0.0},
        {"unit": float("inf")},
        {"running_weight": 0.0},
        {"events": [[1, 2, "empty", "eaten"]]},
        {"reg_covar": np.array(-1.0)},
        {"reg_covar": np.array([1.0, np.nan])},
        {"weights": np.array([0.5, 0.5, 0.5])},
        {"means": np.full((K, 2), np.nan)},
        {"precisions_cholesky": np.ones((K, 2, 2))},
        {"centres": np.zeros((K, 3))},
        {"resp_sum": np.array([0.5, -0.5, 1.0])},
        {"resp_sum": np.array([0.5, np.inf, 1.0])},
        {"resp_xx": np.zeros((K, 2))},
        {"resp_x": None},
        {"ridge": np.array([-1.0, 0.0])},
        {"scale": np.zeros(2)},
        {"history": np.zeros((2, 2))},
        {"history": np.array([np.nan])},
        {"history": np.array([np.inf])},
        {"means": np.full((K, 2), 1e300)},
        {"centres": np.full((K, 2), 1e300)},
        {"resp_sum": np.array([1e300, 0.5, 0.5])},
        {"running_weight": 2.0},
        {"rows_per_weight": 0.0},
        {"rows_per_weight": float("inf")},
    ],
    ids=str,
)
def test_damaged_file_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "stream.npz"
    saved(path, {})
    assert isinstance(mixtura.load(path), StepwiseGMM)
    saved(path, changes)
    with pytest.raises(ValueError, match="must be a complete file written by mixtura"):
        mixtura.load(path)


def test_row_so_far_that_its_density_is_no_float_is_kept_in_the_history(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 1)) * 1e-140
    stream = StepwiseGMM(1, rng=0).update(rows).update([[1e100]])
    assert stream.history.tolist() == [-np.inf]
    stream.save(tmp_path / "stream.npz")
    assert_same_bits(mixtura.load(tmp_path / "stream.npz"), stream)


def test_rows_and_means_to_begin_with_must_be_such_as_a_stream_takes(tmp_path: Path) -> None:
    stream = StepwiseGMM(K, init=X[:K])
    facts, arrays = stream._contents()
    path = tmp_path / "stream.npz"
    rows = np.full((9, 2), 1e300)
    write(path, "StepwiseGMM", Contents(facts, arrays | {"waiting": rows}))
    with pytest.raises(ValueError, match="must be a complete file written by mixtura"):
        mixtura.load(path)
    waiting, held = StepwiseGMM(K).update(X[: K + 1])._contents()
    write(path, "StepwiseGMM", Contents(waiting, {"reg_covar": held["reg_covar"]}))
    with pytest.raises(ValueError, match="it is of 4 rows, and holds neither these nor a fit"):
        mixtura.load(path)
    for means in (X[:2], np.zeros((K, 0))):
        write(path, "StepwiseGMM", Contents(facts, arrays | {"init_means": means}))
        with pytest.raises(ValueError, match="must be a complete file written by mixtura"):
            mixtura.load(path)
