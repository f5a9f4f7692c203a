"""A fit that is killed and begun again from its checkpoint ends as one that was not, to the bit."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES

import mixtura
from mixtura import GaussianMixture, GMMFit, State, bounds, checkpoint, fit_gmm, saving, starts
from mixtura.saving import read, write

X = clustered()[0]
MANY = np.random.default_rng(7).normal(size=(3000, 2)) + 9.0 * np.random.default_rng(8).integers(
    5, size=(3000, 2)
)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is synced when, the tests of saving look at."""
    monkeypatch.setattr(saving.os, "fsync", lambda _: None)


class Killed(BaseException):
    """What no part of the library may catch."""


def kill_at(iteration: int) -> Callable[[State], None]:
    def callback(state: State) -> None:
        if state.iteration == iteration:
            raise Killed

    return callback


def assert_same(one: GMMFit, other: GMMFit) -> None:
    for name in ("weights", "means", "covariances", "precisions_cholesky"):
        assert getattr(one.model, name).tobytes() == getattr(other.model, name).tobytes(), name
    assert one.history.tobytes() == other.history.tobytes()
    assert (one.log_likelihood, one.entropy) == (other.log_likelihood, other.entropy)
    assert (one.stop_reason, one.events) == (other.stop_reason, other.events)


def fit_with_kills(path: Path, kills: list[int], *arguments: object, **options: object) -> GMMFit:
    for iteration in kills:
        with pytest.raises(Killed):
            fit_gmm(*arguments, **options, callback=kill_at(iteration), checkpoint=path,
                    checkpoint_every=0.0)  # fmt: skip
        assert path.exists()
    fit = fit_gmm(*arguments, **options, checkpoint=path, checkpoint_every=0.0)
    assert not path.exists()
    return fit


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("reg_covar", [0.0, 1e-3])
def test_killed_fit_ends_with_the_same_bits(
    tmp_path: Path, covariance_type: str, reg_covar: float
) -> None:
    options = {"covariance_type": covariance_type, "reg_covar": reg_covar, "rng": 3, "n_init": 2}
    kills = [1, 2, 4]
    assert_same(
        fit_with_kills(tmp_path / "c", kills, X, 3, tol=1e-9, **options),
        fit_gmm(X, 3, tol=1e-9, **options),
    )


def test_killed_fit_that_leaps_ends_with_the_same_bits(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 2)) * [1.0, 2.0]
    rows[:100] += 1.0
    options = {"init": "random", "n_init": 1, "rng": 0, "tol": 1e-9, "max_iter": 5000}
    fit = fit_gmm(rows, 3, **options)
    assert fit.n_iter > 30
    kills = [3, 10, *range(11, 20), 26]
    assert_same(fit_with_kills(tmp_path / "c", kills, rows, 3, **options), fit)


@pytest.mark.parametrize("covariance_type", ["full", "spherical"])
def test_killed_fit_that_carries_bounds_ends_with_the_same_bits(
    tmp_path: Path, covariance_type: str
) -> None:
    options = {
        "covariance_type": covariance_type,
        "rng": 0,
        "tol": 0.0,
        "max_iter": 20,
        "n_init": 2,
    }
    kills = [1, 2, 5, 6, 14, 15]  # around the passes that collect labels and order the rows anew
    fit = fit_with_kills(tmp_path / "c", kills, MANY, 64, **options)
    assert_same(fit, fit_gmm(MANY, 64, **options))


def test_bits_of_a_fit_that_carries_bounds_depend_on_what_it_carries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"covariance_type": "full", "rng": 0, "tol": 0.0, "max_iter": 20, "n_init": 2}
    expected = fit_gmm(MANY, 64, **options)
    monkeypatch.setattr(bounds.CarriedBounds, "restore", lambda *_: None)
    fit = fit_with_kills(tmp_path / "c", [6], MANY, 64, **options)
    assert fit.history.tobytes() != expected.history.tobytes()
    np.testing.assert_allclose(fit.history, expected.history, rtol=1e-9)


def test_killed_fit_with_a_collapsed_component_ends_with_the_same_bits(tmp_path: Path) -> None:
    start = GaussianMixture([0.5, 0.5], [X[0], [1e4, 1e4]], [1.0, 1.0], "spherical")
    options = {"covariance_type": "spherical", "init": start, "tol": 1e-8}
    fit = fit_with_kills(tmp_path / "c", [2, 4], X, 2, **options)
    assert fit.events
    assert_same(fit, fit_gmm(X, 2, **options))


@pytest.mark.parametrize("backend", ["compiled", "reference"])
@pytest.mark.parametrize("init", ["random", "labels", "callable"])
def test_killed_fit_from_any_start_ends_with_the_same_bits(
    tmp_path: Path, init: str, backend: str
) -> None:
    labels = np.arange(len(X)) % 3
    begin = {"random": "random", "labels": labels.tolist(), "callable": any_labels}[init]
    weight = np.linspace(0.0, 2.0, len(X))
    options = {
        "init": begin,
        "sample_weight": weight,
        "backend": backend,
        "max_iter": 9,
        "tol": 0.0,
    }
    fit = fit_with_kills(tmp_path / "c", [1, 6], X, 3, rng=5, **options)
    assert_same(fit, fit_gmm(X, 3, rng=5, **options))


def any_labels(rows: np.ndarray, n_components: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.arange(len(rows)) % n_components)


def test_fit_killed_in_its_start_draws_the_same_seed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(starts, "_from_rough_labels", kill)
        with pytest.raises(Killed):
            fit_gmm(X, 5, checkpoint=tmp_path / "c")
    seed = read(tmp_path / "c")[1].facts["seed"]
    fit = fit_gmm(X, 5, checkpoint=tmp_path / "c")
    assert_same(fit, fit_gmm(X, 5, rng=seed))
    assert not (tmp_path / "c").exists()


def test_generator_in_the_same_state_goes_on_and_in_another_is_refused(tmp_path: Path) -> None:
    expected = fit_gmm(X, 3, rng=np.random.default_rng(4))
    with pytest.raises(Killed):
        fit_gmm(X, 3, rng=np.random.default_rng(4), callback=kill_at(3), checkpoint=tmp_path / "c",
                checkpoint_every=0)  # fmt: skip
    used = np.random.default_rng(4)
    used.spawn(1)
    with pytest.raises(ValueError, match=r"it is of another one: rng is a PCG64, .* there and"):
        fit_gmm(X, 3, rng=used, checkpoint=tmp_path / "c")
    assert_same(fit_gmm(X, 3, rng=np.random.default_rng(4), checkpoint=tmp_path / "c"), expected)


SCRIPT = """
import os, signal, sys
import numpy as np
import mixtura

def callback(state):
    if state.iteration == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

X = np.load(sys.argv[1] + ".npy")
fit = mixtura.fit_gmm(X, 60, covariance_type="diag", rng=1, n_init=2, tol=0.0, max_iter=12,
                      callback=callback, checkpoint=sys.argv[1], checkpoint_every=0.0,
                      n_threads=int(sys.argv[3]))
fit.save(sys.argv[1] + ".fit")
"""


def test_fit_killed_by_the_system_ends_with_the_same_bits_in_another_process(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c"
    np.save(f"{path}.npy", MANY)
    for kill, n_threads in ((5, "1"), (7, "2"), (-1, "1")):
        command = [sys.executable, "-c", SCRIPT, str(path), str(kill), n_threads]
        done = subprocess.run(command, check=False)
        assert done.returncode == (-signal.SIGKILL if kill > 0 else 0)
    expected = fit_gmm(MANY, 60, covariance_type="diag", rng=1, n_init=2, tol=0.0, max_iter=12)
    assert_same(mixtura.load(f"{path}.fit"), expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.fit", "c.npy"]


def test_checkpoint_changes_nothing_and_is_saved_when_it_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    original = checkpoint.Checkpoint._save

    def save(self: checkpoint.Checkpoint, state: dict[str, object]) -> None:
        saved.append(len(state["outcome"].history) if state else 0)
        original(self, state)

    clock = iter(np.arange(0.0, 1e4, 7.0))
    monkeypatch.setattr(checkpoint.Checkpoint, "_save", save)
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: next(clock))
    options = {"rng": 0, "tol": 0.0, "max_iter": 12}
    fit = fit_gmm(X, 3, checkpoint=tmp_path / "c", checkpoint_every=20.0, **options)
    assert_same(fit, fit_gmm(X, 3, **options))
    assert saved == [0, 3, 6, 9]  # a look at the clock takes seven seconds, a saving another look


def test_interrupted_fit_keeps_its_checkpoint_and_goes_on(tmp_path: Path) -> None:
    def interrupt(state: State) -> None:
        if state.iteration == 4:
            raise KeyboardInterrupt

    options = {"rng": 0, "checkpoint": tmp_path / "c", "checkpoint_every": 0.0}
    with pytest.raises(mixtura.FitInterrupted):
        fit_gmm(X, 3, callback=interrupt, **options)
    assert_same(fit_gmm(X, 3, **options), fit_gmm(X, 3, rng=0))


def begun(path: Path, **options: object) -> None:
    with pytest.raises(Killed):
        fit_gmm(X, 3, **{"rng": 0} | options, callback=kill_at(3), checkpoint=path,
                checkpoint_every=0.0)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"X": X + 1.0}, "X is float64 of shape [240, 2], "),
        ({"X": X.astype(np.float32)}, "X is float64 of shape [240, 2], "),
        ({"n_components": 4}, "n_components is 3 there and 4 here"),
        ({"covariance_type": "diag"}, "covariance_type is full there and diag here"),
        ({"reg_covar": [0.0, 1.0]}, "reg_covar is 1e-06 there and float64 of shape [2], "),
        ({"tol": 1e-3}, "tol is 1e-06 there and 0.001 here"),
        ({"on_collapse": "drop"}, "on_collapse is reseed there and drop here"),
        ({"accelerate": False}, "accelerate is True there and False here"),
        ({"init": "random"}, "init is kmeans there and random here"),
        ({"init": any_labels}, "init is kmeans there and "),
        ({"sample_weight": np.ones(len(X))}, "sample_weight is None there and float64 of shape "),
        ({"rng": 1}, "rng is a PCG64, "),
        ({"rng": None}, "rng is a PCG64, "),
        ({"backend": "reference"}, "backend is compiled there and reference here"),
    ],
)
def test_checkpoint_of_another_fit_is_refused_with_the_difference(
    tmp_path: Path, changed: dict[str, object], difference: str
) -> None:
    path = tmp_path / "c"
    begun(path)
    with pytest.raises(ValueError, match="must be a checkpoint of this fit") as caught:
        fit_gmm(**{"X": X, "n_components": 3, "rng": 0, "checkpoint": path} | changed)
    message = str(caught.value)
    assert message.startswith(f"{path} must be a checkpoint of this fit; it is of another one: ")
    assert difference in message
    assert message.endswith(" here. Delete it, or name another file.")
    assert message.count(" there and ") == 1
    assert path.exists()


def test_layout_limit_and_threads_may_be_others(tmp_path: Path) -> None:
    begun(tmp_path / "c", max_iter=5)
    rows = np.asfortranarray(X)
    fit = fit_gmm(rows, 3, rng=0, max_iter=99, n_threads=2, checkpoint=tmp_path / "c")
    assert_same(fit, fit_gmm(X, 3, rng=0))


def test_checkpoint_that_is_damaged_or_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="c must be a whole file of mixtura; it is foreign or dam"):
        fit_gmm(X, 3, checkpoint=path)
    fit_gmm(X, 3, rng=0).save(path)
    with pytest.raises(
        ValueError, match=r"c must be a checkpoint of fit_gmm; .*: it holds a GMMFit"
    ):
        fit_gmm(X, 3, checkpoint=path)
    with pytest.raises(FileNotFoundError):
        fit_gmm(X, 3, checkpoint=tmp_path / "no" / "c")
    with pytest.raises(TypeError, match="checkpoint_every must be a finite number"):
        fit_gmm(X, 3, checkpoint=path, checkpoint_every="1")


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("means", lambda a: a[:, :1]),
        ("weights", lambda a: a.astype(np.float32)),
        ("order", lambda a: a + 1),
        ("order", lambda a: np.where(a == 0, 10**12, a)),
        ("reach", lambda a: a[:-1]),
        ("resp_xx", lambda a: a[0]),
    ],
)
def test_checkpoint_with_arrays_that_do_not_fit_is_refused(
    tmp_path: Path, name: str, spoil: Callable[[np.ndarray], np.ndarray]
) -> None:
    path = tmp_path / "c"
    options = {"rng": 0, "max_iter": 9, "tol": 0.0, "n_init": 1}
    with pytest.raises(Killed):
        fit_gmm(MANY, 50, callback=kill_at(7), checkpoint=path, checkpoint_every=0.0, **options)
    kind, contents = read(path)
    said = json.dumps(contents.facts["state"])
    place = said.index('"array_', said.index(f'"{name}"')) + 1
    array = said[place : said.index('"', place)]
    contents.arrays[array] = spoil(contents.arrays[array])
    write(path, kind, contents)
    with pytest.raises(ValueError, match="c must be a checkpoint of fit_gmm; it is foreign or dam"):
        fit_gmm(MANY, 50, checkpoint=path, **options)


def test_checkpoint_of_another_machine_goes_on_to_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"rng": 0, "max_iter": 12, "tol": 0.0, "n_init": 1}
    with pytest.raises(Killed):
        fit_gmm(MANY, 50, callback=kill_at(7), checkpoint=tmp_path / "c", checkpoint_every=0.0,
                **options)  # fmt: skip
    monkeypatch.setattr(checkpoint, "PRODUCER", "mixtura 9.9, v9")
    fit = fit_gmm(MANY, 50, checkpoint=tmp_path / "c", **options)
    np.testing.assert_allclose(fit.history, fit_gmm(MANY, 50, **options).history, rtol=1e-9)


@pytest.mark.parametrize("covariance_type", ["VEI", "VEE", "VVE"])
def test_killed_fit_of_a_family_that_iterates_ends_with_the_same_bits(
    tmp_path: Path, covariance_type: str
) -> None:
    options = {"covariance_type": covariance_type, "init": np.arange(len(X)) % 3, "max_iter": 5000}
    fit = fit_with_kills(tmp_path / "c", [1, 4], X, 3, tol=1e-5, **options)
    assert_same(fit, fit_gmm(X, 3, tol=1e-5, **options))
