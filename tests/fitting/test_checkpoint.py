"""A fit that is killed and begun again from its checkpoint ends as one that was not, to the bit."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES
from kills import Killed, fit_with_kills, forge_record, kill, read_record
from numpy.typing import NDArray

import mixtura
from mixtura import GaussianMixture, GMMFit, State, files, fit_gmm
from mixtura.data import ArrayRows
from mixtura.files import Contents, read, write

X = clustered()[0]
MANY = np.random.default_rng(7).normal(size=(3000, 2)) + 9.0 * np.random.default_rng(8).integers(
    5, size=(3000, 2)
)

WIDE = np.random.default_rng(7).normal(size=(3000, 13)) + 9.0 * np.random.default_rng(8).normal(
    size=(60, 13)
).repeat(50, axis=0)
OVERLAPPING = np.random.default_rng(0).normal(size=(300, 2)) * [1.0, 2.0]
OVERLAPPING[:100] += 1.0


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the disk when, is tested for files."""
    monkeypatch.setattr(files.os, "fsync", lambda _: None)


def assert_same(one: GMMFit, other: GMMFit) -> None:
    for name in ("weights", "means", "covariances", "precisions_cholesky"):
        assert getattr(one.model, name).tobytes() == getattr(other.model, name).tobytes(), name
    assert one.history.tobytes() == other.history.tobytes()
    assert (one.log_likelihood, one.entropy) == (other.log_likelihood, other.entropy)
    assert (one.stop_reason, one.events) == (other.stop_reason, other.events)


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


def test_killed_fit_that_extrapolates_ends_with_the_same_bits(tmp_path: Path) -> None:
    options = {"init": "random", "n_init": 1, "rng": 0, "tol": 1e-9, "max_iter": 5000}
    fit = fit_gmm(OVERLAPPING, 3, **options)
    assert fit.n_iter > 30
    kills = [3, 10, *range(11, 20), 26]
    assert_same(fit_with_kills(tmp_path / "c", kills, OVERLAPPING, 3, **options), fit)


@pytest.mark.parametrize("n_blocks", [1, 3])
@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("em", ["soft", "hard", "annealed"])
def test_killed_fit_of_any_schedule_ends_with_the_same_bits(
    tmp_path: Path, em: str, accelerate: bool, n_blocks: int
) -> None:
    rows = mixtura.scan(np.array_split(OVERLAPPING, n_blocks))
    options = {"em": em, "accelerate": accelerate, "init": np.arange(300) % 3, "max_iter": 5000}
    options["tol"] = 1e-7
    fit = fit_gmm(rows, 3, **options)
    assert fit.converged
    kills = [i for i in (1, 2, 7, 8, 9, 10, 13, 17, 18, 19, 25, 40) if i < fit.n_iter]
    assert len(kills) >= (3 if em == "hard" else 10)
    assert_same(fit_with_kills(tmp_path / "c", kills, rows, 3, **options), fit)


@pytest.mark.parametrize("em", ["hard", "annealed"])
def test_killed_fit_of_blocks_that_carry_bounds_ends_with_the_same_bits(
    tmp_path: Path, em: str
) -> None:
    rows = mixtura.scan(np.array_split(MANY, 3))
    options = {"em": em, "rng": 0, "tol": 0.0, "max_iter": 16, "n_init": 2}
    fit = fit_with_kills(tmp_path / "c", [1, 2, 5, 6, 14], rows, 64, **options)
    assert_same(fit, fit_gmm(rows, 64, **options))


@pytest.mark.filterwarnings("ignore::mixtura.CoarseColumnsWarning")
def test_killed_fit_that_was_smoothed_ends_with_the_same_bits(tmp_path: Path) -> None:
    rows = np.round(mixtura.datasets.load_banknote().data)  # to millimetres: many ties
    options = {"rng": 0, "n_init": 2, "tol": 0.0, "max_iter": 12}
    iterations: list[int] = []
    fit = fit_gmm(rows, 3, callback=lambda state: iterations.append(state.iteration), **options)
    assert all(event.action == "smoothed" for event in fit.events)
    assert iterations.count(6) == 2  # of the fit before, and of the one with a larger ridge
    path = tmp_path / "c"
    for iteration, in_the_second in ((2, False), (6, False), (3, True), (9, True)):
        kill(path, iteration, rows, 3, **options)
        assert bool(read_record(path).facts["events"]) == in_the_second
    assert_same(fit_gmm(rows, 3, checkpoint=path, **options), fit)


@pytest.mark.parametrize(
    ("rows", "covariance_type"),
    [(MANY, "full"), (MANY, "spherical"), (WIDE, "full"), (WIDE, "diag")],
)
def test_killed_fit_that_carries_bounds_ends_with_the_same_bits(
    tmp_path: Path, rows: NDArray[np.float64], covariance_type: str
) -> None:
    options = {
        "covariance_type": covariance_type,
        "rng": 0,
        "tol": 0.0,
        "max_iter": 20,
        "n_init": 2,
    }
    kills = [1, 2, 5, 6, 14, 15]  # around the passes that collect labels and order the rows anew
    fit = fit_with_kills(tmp_path / "c", kills, rows, 64, **options)
    assert_same(fit, fit_gmm(rows, 64, **options))


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


class KilledInTheStart(ArrayRows):
    """Rows of which no sample can be drawn."""

    def thinned(self, *_: Any) -> NoReturn:
        raise Killed


def test_fit_killed_in_its_start_draws_the_same_seed_again(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        fit_gmm(KilledInTheStart(X), 5, checkpoint=tmp_path / "c")
    seed = read_record(tmp_path / "c").facts["seed"]
    fit = fit_gmm(X, 5, checkpoint=tmp_path / "c")
    assert_same(fit, fit_gmm(X, 5, rng=seed))
    assert not (tmp_path / "c").exists()


def test_generator_in_the_same_state_continues_and_in_another_is_refused(tmp_path: Path) -> None:
    expected = fit_gmm(X, 3, rng=np.random.default_rng(4))
    kill(tmp_path / "c", 3, X, 3, rng=np.random.default_rng(4))
    used = np.random.default_rng(4)
    used.spawn(1)
    with pytest.raises(
        ValueError, match=r"another one: rng was PCG64 generator and is another one\."
    ):
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
    for iteration, n_threads in ((5, "1"), (7, "2"), (-1, "1")):
        command = [sys.executable, "-c", SCRIPT, str(path), str(iteration), n_threads]
        done = subprocess.run(command, check=False)
        assert done.returncode == (-signal.SIGKILL if iteration > 0 else 0)
    expected = fit_gmm(MANY, 60, covariance_type="diag", rng=1, n_init=2, tol=0.0, max_iter=12)
    assert_same(mixtura.load(f"{path}.fit"), expected)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.fit", "c.npy"]


def test_checkpoint_changes_nothing_and_is_saved_when_it_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []

    def look(_: State) -> None:
        done = len(read(tmp_path / "c")[1].arrays.get("history", ()))
        if done not in saved:
            saved.append(done)

    options = {"rng": 0, "tol": 0.0, "max_iter": 12}
    expected = fit_gmm(X, 3, **options)
    clock = iter(np.arange(0.0, 1e4, 7.0))
    monkeypatch.setattr("mixtura.fitting.checkpoint.time.monotonic", lambda: next(clock))
    fit = fit_gmm(X, 3, checkpoint=tmp_path / "c", checkpoint_every=20.0, callback=look, **options)
    assert_same(fit, expected)
    assert saved == [0, 3, 6, 9]  # a look at the clock takes seven seconds, a saving another look


def test_interrupted_fit_keeps_its_checkpoint_and_continues(tmp_path: Path) -> None:
    def interrupt(state: State) -> None:
        if state.iteration == 4:
            raise KeyboardInterrupt

    options = {"rng": 0, "checkpoint": tmp_path / "c", "checkpoint_every": 0.0}
    with pytest.raises(mixtura.FitInterrupted):
        fit_gmm(X, 3, callback=interrupt, **options)
    assert_same(fit_gmm(X, 3, **options), fit_gmm(X, 3, rng=0))


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"X": X + 1.0}, "X was float64 of shape [240, 2] and is another one"),
        (
            {"X": X.astype(np.float32)},
            "X was float64 of shape [240, 2] and is float32 of shape [240, 2]",
        ),
        ({"n_components": 4}, "n_components was 3 and is 4"),
        ({"covariance_type": "diag"}, "covariance_type was full and is diag"),
        ({"reg_covar": [0.0, 1.0]}, "reg_covar was 1e-06 and is float64 of shape [2]"),
        ({"tol": 1e-3}, "tol was 1e-06 and is 0.001"),
        ({"on_collapse": "drop"}, "on_collapse was reseed and is drop"),
        ({"accelerate": False}, "accelerate was True and is False"),
        ({"em": "hard"}, "em was soft and is hard"),
        ({"em": "annealed"}, "em was soft and is annealed"),
        ({"avoid_spurious": False}, "avoid_spurious was True and is False"),
        ({"n_init": 3}, "n_init was 10 and is 3"),
        (
            {"X": mixtura.scan([X[:9], X[9:]])},
            "X was float64 of shape [240, 2] and is float64 of shape [240, 2] in 2 blocks",
        ),
        ({"init": "random"}, "init was mixed and is random"),
        ({"init": any_labels}, f"init was mixed and is {__name__}.any_labels"),
        (
            {"sample_weight": np.ones(len(X))},
            "sample_weight was None and is float64 of shape [240]",
        ),
        ({"rng": 1}, "rng was 0 and is 1"),
        ({"rng": None}, "rng was 0 and is None"),
        ({"rng": np.random.default_rng(0)}, "rng was 0 and is PCG64 generator"),
        ({"backend": "reference"}, "backend was compiled and is reference"),
    ],
)
def test_checkpoint_of_another_fit_is_refused_with_the_difference(
    tmp_path: Path, changed: dict[str, object], difference: str
) -> None:
    path = tmp_path / "c"
    kill(path, 3, X, 3, rng=0)
    message = (
        f"{path} must be the checkpoint of this fit; it is of another one: {difference}. Pass what "
        f"it was to continue that fit; to begin this one, delete the file or name another."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit_gmm(**{"X": X, "n_components": 3, "rng": 0, "checkpoint": path} | changed)
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


def test_layout_limit_and_threads_may_be_others(tmp_path: Path) -> None:
    kill(tmp_path / "c", 3, X, 3, rng=0, max_iter=5)
    rows = np.asfortranarray(X)
    fit = fit_gmm(rows, 3, rng=0, max_iter=99, n_threads=2, checkpoint=tmp_path / "c")
    assert_same(fit, fit_gmm(X, 3, rng=0))


def test_checkpoint_that_is_damaged_or_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(b"nothing")
    remedy = r"\. Name another file; delete this one only if it is an earlier checkpoint\.$"
    with pytest.raises(
        ValueError, match=rf"c must be a complete file written by mixtura; it is dam.*{remedy}"
    ):
        fit_gmm(X, 3, checkpoint=path)
    fit_gmm(X, 3, rng=0).save(path)
    with pytest.raises(
        ValueError, match=rf"c must be a checkpoint of fit_gmm; .*: it holds a GMMFit{remedy}"
    ):
        fit_gmm(X, 3, checkpoint=path)
    with pytest.raises(FileNotFoundError):
        fit_gmm(X, 3, checkpoint=tmp_path / "no" / "c")
    with pytest.raises(TypeError, match="checkpoint_every must be a finite number"):
        fit_gmm(X, 3, checkpoint=path, checkpoint_every="1")


@pytest.mark.parametrize("version", [None, 1, 2, 3, 5])
def test_checkpoint_of_another_record_version_is_refused(
    tmp_path: Path, version: int | None
) -> None:
    path = tmp_path / "c"
    kill(path, 3, X, 3, rng=0)
    kind, (facts, arrays) = read(path)
    del facts["record_version"]
    if version is not None:
        facts["record_version"] = version
    write(path, kind, Contents(facts | {"library_version": "0.0.9"}, arrays))
    message = (
        f"{path} must be a checkpoint of record version 4; it has version {version or 1}, written "
        "by mixtura 0.0.9. Continue with that version of mixtura, delete it, or name another file."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit_gmm(X, 3, rng=0, checkpoint=path)


def test_checkpoint_with_an_option_that_is_not_known_is_refused(tmp_path: Path) -> None:
    kill(tmp_path / "c", 3, X, 3, rng=0)
    record = read_record(tmp_path / "c")
    record.facts["problem"]["prior"] = "a prior"
    forge_record(tmp_path / "c", record)
    with pytest.raises(ValueError, match="of another one: prior was a prior and is None"):
        fit_gmm(X, 3, rng=0, checkpoint=tmp_path / "c")


@pytest.mark.parametrize("n_blocks", [1, 3])
def test_checkpoint_of_another_machine_continues_to_rounding(tmp_path: Path, n_blocks: int) -> None:
    rows = mixtura.scan(np.array_split(MANY, n_blocks))
    options = {"rng": 0, "max_iter": 12, "tol": 0.0, "n_init": 1}
    expected = fit_gmm(rows, 60, **options)
    kill(tmp_path / "c", 7, rows, 60, **options)
    record = read_record(tmp_path / "c")
    record.facts["producer"] = "mixtura 9.9, v9"
    forge_record(tmp_path / "c", record)
    fit = fit_gmm(rows, 60, checkpoint=tmp_path / "c", **options)
    np.testing.assert_allclose(fit.history, expected.history, rtol=1e-9)
    if n_blocks == 1:
        # The bits depend on the bounds that are carried, which only the same kernels can restore.
        assert fit.history.tobytes() != expected.history.tobytes()


@pytest.mark.parametrize("covariance_type", ["VEI", "VEE", "VVE"])
def test_killed_fit_of_a_family_that_iterates_ends_with_the_same_bits(
    tmp_path: Path, covariance_type: str
) -> None:
    options = {"covariance_type": covariance_type, "init": np.arange(len(X)) % 3, "max_iter": 5000}
    fit = fit_with_kills(tmp_path / "c", [1, 4], X, 3, tol=1e-5, **options)
    assert_same(fit, fit_gmm(X, 3, tol=1e-5, **options))
