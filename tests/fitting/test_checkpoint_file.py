"""The file of a checkpoint: full disks, two users, what killed processes leave, and callables."""

from __future__ import annotations

import dataclasses
import errno
import functools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from clusters import clustered
from kills import Killed, kill, read_record

import mixtura
from mixtura import CheckpointWarning, GaussianMixture, GMMFit, State, files, fit_gmm
from mixtura.fitting.lock import Lock

X = clustered()[0]
OPTIONS: dict[str, Any] = {"rng": 0, "tol": 0.0, "max_iter": 12, "n_init": 2}

needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="there are no locks")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the disk when, is tested for files."""
    monkeypatch.setattr(files.os, "fsync", lambda _: None)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """The path of a checkpoint; no lock and no temporary file may be left beside it."""
    yield tmp_path / "c"
    assert not [file.name for file in tmp_path.iterdir() if file.name.startswith(".c.")]


def assert_same(one: GMMFit, other: GMMFit) -> None:
    assert one.model == other.model
    assert one.history.tobytes() == other.history.tobytes()


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


# Disks that are full


def fill_the_disk(monkeypatch: pytest.MonkeyPatch, fails: Callable[[int], bool]) -> None:
    """Let some of the savings to come fail after a part of the file was written."""
    savez, count = np.savez, iter(range(10**6))

    def full(file: BinaryIO, **arrays: Any) -> None:
        if fails(next(count)):
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        savez(file, **arrays)

    monkeypatch.setattr(np, "savez", full)


def test_fit_on_a_disk_that_fills_up_continues_with_one_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_the_disk(monkeypatch, lambda saving: saving in (3, 4, 7))
    saved: list[int] = []
    message = (
        f"{path} must be a file that can be written; after iteration 3 it could not be: [Errno 28] "
        f"No space left on device: '{path}'. The fit continues, the file stays as it was, and each "
        f"time it is due it is tried again. Make room for it."
    )
    with pytest.warns(CheckpointWarning, match=f"^{re.escape(message)}$") as caught:
        fit = fit_gmm(
            X, 3, checkpoint=path, checkpoint_every=0.0, **OPTIONS,
            callback=lambda _: saved.append(len(read_record(path).arrays.get("history", ()))),
        )  # fmt: skip
    assert len(caught) == 1
    assert saved == [0, 1, 2, 2, 2, 5, 6, 6, 8, 9, 10, 11]
    assert_same(fit, fit_gmm(X, 3, **OPTIONS))
    assert not path.exists()


def test_fit_killed_on_a_full_disk_continues_from_what_was_saved(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fill_the_disk(patch, lambda saving: saving >= 5)
        with pytest.warns(CheckpointWarning):
            kill(path, 9, X, 3, **OPTIONS)
    assert len(read_record(path).arrays["history"]) == 4
    assert_same(fit_gmm(X, 3, checkpoint=path, **OPTIONS), fit_gmm(X, 3, **OPTIONS))


def test_fit_whose_checkpoint_cannot_be_written_at_all_is_refused_before_it_begins(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_the_disk(monkeypatch, lambda _: True)
    calls: list[State] = []
    with pytest.raises(OSError, match=f"No space left on device: '{re.escape(str(path))}'$"):
        fit_gmm(X, 3, checkpoint=path, callback=calls.append)
    assert calls == []
    assert not path.exists()


def test_checkpoint_that_cannot_be_deleted_does_not_lose_the_fit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def refuse(self: Path, **options: bool) -> None:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        unlink(self, **options)

    monkeypatch.setattr(Path, "unlink", refuse)
    message = (
        f"{path} must be deleted, as the fit is done; [Errno 13] Permission denied: '{path}'. "
        f"Delete it."
    )
    with pytest.warns(CheckpointWarning, match=f"^{re.escape(message)}$"):
        fit = fit_gmm(X, 3, checkpoint=path, **OPTIONS)
    assert_same(fit, fit_gmm(X, 3, **OPTIONS))


def test_checkpoint_in_a_missing_folder_names_the_path_that_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: 'no/c'$"):
        fit_gmm(X, 3, checkpoint="no/c")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match=r"Is a directory: 'folder'$"):
        fit_gmm(X, 3, checkpoint="folder")
    assert names(tmp_path) == ["folder"]


def test_checkpoint_stays_where_it_was_when_the_folder_of_the_process_changes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()

    def change(state: State) -> None:
        if state.iteration == 3:
            os.chdir("folder")
        if state.iteration == 6:
            assert len(read_record(path).arrays["history"]) == 5

    fit = fit_gmm(X, 3, checkpoint="c", checkpoint_every=0.0, callback=change, **OPTIONS)
    assert_same(fit, fit_gmm(X, 3, **OPTIONS))
    assert names(tmp_path / "folder") == []
    assert names(tmp_path) == ["folder"]


# Two users


@needs_locks
def test_second_fit_on_a_checkpoint_is_refused_while_the_first_runs(
    path: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(path)
    refused: list[str] = []

    def fit_again(state: State) -> None:
        if state.iteration == 2:
            for other in (path, tmp_path / "link"):
                with pytest.raises(ValueError, match="must be the checkpoint of one") as caught:
                    fit_gmm(X, 3, checkpoint=other, **OPTIONS)
                refused.append(str(caught.value))
            fit_gmm(X, 3, checkpoint=tmp_path / "another", **OPTIONS)

    fit = fit_gmm(X, 3, checkpoint=path, callback=fit_again, **OPTIONS)
    assert refused == [
        f"{other} must be the checkpoint of one fit at a time; another one is using it. Wait for "
        f"that, or name another file."
        for other in (path, tmp_path / "link")
    ]
    assert_same(fit, fit_gmm(X, 3, **OPTIONS))
    assert names(tmp_path) == ["link"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, LookupError, OSError])
def test_fit_that_fails_frees_its_checkpoint(path: Path, error: type[BaseException]) -> None:
    def fail(state: State) -> None:
        if state.iteration == 3:
            raise error

    expected = mixtura.FitInterrupted if error is KeyboardInterrupt else error
    with pytest.raises(expected) as kept:  # the traceback keeps all frames alive
        fit_gmm(X, 3, checkpoint=path, callback=fail, **OPTIONS)
    assert names(path.parent) == ["c"]
    assert_same(fit_gmm(X, 3, checkpoint=path, **OPTIONS), fit_gmm(X, 3, **OPTIONS))
    assert kept.value is not None


@pytest.mark.parametrize("options", [{"init": "plain"}, {"n_components": 4}, {"verbose": "bar"}])
def test_fit_that_is_refused_frees_its_checkpoint(
    path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(path, 3, X, 3, **OPTIONS)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises((ValueError, ImportError)):
        fit_gmm(X, **{"n_components": 3, "checkpoint": path} | OPTIONS | options)
    assert names(path.parent) == ["c"]


@needs_locks
def test_lock_of_a_file_that_was_deleted_meanwhile_is_taken_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    flock, first = fcntl.flock, Lock(path)

    def free_the_first(descriptor: int, how: int) -> None:
        first.release()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", free_the_first)  # the other one ends just before
    lock = Lock(path)
    assert lock.held
    monkeypatch.undo()
    with pytest.raises(ValueError, match="of one fit at a time"):
        Lock(path)
    lock.release()
    lock.release()
    assert names(path.parent) == []


@needs_locks
def test_file_system_without_locks_has_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    leftover = path.with_name(".c.0123456789ab")
    leftover.touch()
    assert_same(fit_gmm(X, 3, checkpoint=path, **OPTIONS), fit_gmm(X, 3, **OPTIONS))
    assert names(path.parent) == [leftover.name]  # it may be another fit's
    leftover.unlink()


# What killed processes leave


SCRIPT = """
import os, signal, sys
import numpy as np
import mixtura

savez = np.savez

def kill(file, **arrays):
    if "history" in arrays and len(arrays["history"]) == 3:
        file.write(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    savez(file, **arrays)

np.savez = kill
mixtura.fit_gmm(np.load("X.npy"), 3, rng=0, tol=0.0, max_iter=12, n_init=2, checkpoint="c",
                checkpoint_every=0.0)
"""


@needs_locks
def test_fit_removes_what_a_killed_one_left_and_nothing_of_others(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X)
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    left = set(names(tmp_path)) - {"c", "X.npy"}
    assert {".c.lock"} < left
    assert len(left) == 2
    others = [
        ".c.x.0123456789ab",
        ".d.0123456789ab",
        ".c.0123456789ag",
        ".c.0123",
        "c.0123456789ab",
    ]
    for name in others:
        (tmp_path / name).touch()
    assert_same(fit_gmm(X, 3, checkpoint=tmp_path / "c", **OPTIONS), fit_gmm(X, 3, **OPTIONS))
    assert names(tmp_path) == sorted(["X.npy", *others])


# Arguments that cannot be told from others


def labels_of_size(rows: Any, n_components: int, rng: Any, *, size: int, words: Any = ()) -> Any:
    del rng, words
    return np.arange(len(rows)) // size % n_components


def local_function() -> Callable[..., Any]:
    def labels(rows: Any, n_components: int, rng: Any) -> Any:
        return labels_of_size(rows, n_components, rng, size=1)

    return labels


@dataclasses.dataclass
class Means:
    """Values with a name."""

    means: Any


class Labels:
    """A callable object, whose state nobody knows."""

    def __call__(self, rows: Any, n_components: int, rng: Any) -> Any:
        return labels_of_size(rows, n_components, rng, size=1)

    method = __call__


@pytest.mark.parametrize(
    "init",
    [
        lambda rows, k, rng: labels_of_size(rows, k, rng, size=1),
        local_function(),
        Labels(),
        Labels().method,
        functools.partial(local_function()),
        functools.partial(labels_of_size, size=1, words=object()),
        functools.partial(labels_of_size, size=1, words=np.array([object()])),
        functools.partial(labels_of_size, size=1, words={"a": [len, Labels()]}),
        functools.partial(labels_of_size, size=1, words=Means(Labels())),
    ],
    ids=lambda init: getattr(init, "__qualname__", repr(init)[:40]),
)
def test_callable_that_cannot_be_told_from_others_is_refused_with_a_checkpoint(
    path: Path, init: Any
) -> None:
    message = (
        r"^init must be a function that `def` names at the top of a module, or a "
        r"functools\.partial of one with numbers, strings or arrays, so that a checkpoint can "
        r"identify it; got .+\. Define it there, or pass what it returns\.$"
    )
    with pytest.raises(TypeError, match=message):
        fit_gmm(X, 3, init=init, checkpoint=path)
    assert not path.exists()
    assert fit_gmm(X, 3, init=init, max_iter=2, tol=0.0).n_iter == 2


def test_partial_functions_continue_and_others_are_refused(path: Path) -> None:
    def init(**arguments: Any) -> Any:
        return functools.partial(labels_of_size, **arguments)

    options = {"tol": 0.0, "max_iter": 6, "accelerate": np.True_, "avoid_spurious": np.False_}
    means, others = (Means(np.arange(3.0) + shift) for shift in (0.0, 1.0))
    words = {"words": {"a": [1, None, "b", np.float32(0.1)], "b": np.arange(3), "c": means}}
    others = {"words": words["words"] | {"c": others}}
    kill(path, 3, X, 3, init=init(size=2, **words), **options)
    for other in (init(size=1, **words), init(size=2), init(size=2, **others)):
        message = rf"init was partial of {__name__}\.labels_of_size and is another one\. Pass"
        with pytest.raises(ValueError, match=message):
            fit_gmm(X, 3, init=other, checkpoint=path, **options)
    fit = fit_gmm(X, 3, init=init(size=2, **words), checkpoint=path, **options)
    assert_same(fit, fit_gmm(X, 3, init=init(size=2), **options))


def some_labels(rows: Any, n_components: int, rng: Any) -> Any:
    del rng
    return np.arange(len(rows)) % n_components if "x" in {"x", "y", "z"} else None


def test_function_that_was_defined_again_in_another_way_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(path, 3, X, 3, init=some_labels, **OPTIONS)

    def other_labels(rows: Any, n_components: int, rng: Any) -> Any:
        del rng
        return np.arange(len(rows)) // 2 % n_components if "x" in {"x", "y", "z"} else None

    other_labels.__qualname__ = "some_labels"
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[__name__], "some_labels", other_labels)
        message = rf"init was {__name__}\.some_labels and is another one\. Pass what it was"
        with pytest.raises(ValueError, match=message):
            fit_gmm(X, 3, init=other_labels, checkpoint=path, **OPTIONS)
    fit = fit_gmm(X, 3, init=some_labels, checkpoint=path, **OPTIONS)
    assert_same(fit, fit_gmm(X, 3, init=some_labels, **OPTIONS))


def test_mixture_to_start_from_is_named_when_it_is_another_one(path: Path) -> None:
    one = GaussianMixture([0.5, 0.5], X[:2], [1.0, 1.0], "spherical")
    other = GaussianMixture([0.5, 0.5], X[1:3], [1.0, 1.0], "spherical")
    options = {"covariance_type": "spherical", "tol": 0.0, "max_iter": 6}
    kill(path, 3, X, 2, init=one, **options)
    with pytest.raises(ValueError, match=r"init was GaussianMixture and is another one\. Pass"):
        fit_gmm(X, 2, init=other, checkpoint=path, **options)


# Fewer iterations than are done


def test_limit_below_the_iterations_that_are_done_is_refused(path: Path) -> None:
    kill(path, 6, X, 3, **OPTIONS)
    message = (
        f"max_iter must be 5 or more, the iterations that {path} has; got 4. Pass 5 for the fit as "
        f"it stands there."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit_gmm(X, 3, checkpoint=path, **OPTIONS | {"max_iter": 4})
    fit = fit_gmm(X, 3, checkpoint=path, **OPTIONS | {"max_iter": 5})
    assert_same(fit, fit_gmm(X, 3, **OPTIONS | {"max_iter": 5}))
    assert (fit.n_iter, fit.stop_reason) == (5, "max_iter")


@pytest.mark.filterwarnings("ignore::mixtura.CoarseColumnsWarning")
def test_limit_below_the_iterations_before_rows_were_spread_is_refused(path: Path) -> None:
    rows = np.round(mixtura.datasets.load_banknote().data)
    seen: list[int] = []

    def kill_in_the_second_stage(state: State) -> None:
        seen.append(state.iteration)
        if seen.count(3) == 2:
            raise Killed

    options = {"rng": 0, "n_init": 2, "tol": 0.0, "checkpoint": path, "checkpoint_every": 0.0}
    with pytest.raises(Killed):
        fit_gmm(rows, 3, max_iter=6, callback=kill_in_the_second_stage, **options)
    assert seen == [1, 2, 3, 4, 5, 6, 1, 2, 3]
    with pytest.raises(ValueError, match="max_iter must be 6 or more, the iterations that"):
        fit_gmm(rows, 3, max_iter=5, **options)
    assert fit_gmm(rows, 3, max_iter=6, **options).n_iter == 6
