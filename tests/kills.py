"""Fits that are killed in their iterations and continued from their checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mixtura import GMMFit, State, fit_gmm
from mixtura.files import Contents, read, write
from mixtura.fitting.checkpoint import digest_of_record


class Killed(BaseException):
    """What no part of the library may catch."""


def kill_at(iteration: int) -> Callable[[State], None]:
    """Return a callback that ends the process, as it were."""

    def callback(state: State) -> None:
        if state.iteration == iteration:
            raise Killed

    return callback


def kill(path: Path, iteration: int, *arguments: Any, **options: Any) -> None:
    """Begin or continue a fit, and kill it; the checkpoint has the iteration before."""
    with pytest.raises(Killed):
        fit_gmm(*arguments, **options, callback=kill_at(iteration), checkpoint=path,
                checkpoint_every=0.0)  # fmt: skip
    assert path.exists()


def fit_with_kills(path: Path, kills: list[int], *arguments: Any, **options: Any) -> GMMFit:
    """Fit, killed in several iterations; continued each time, and at last to the end."""
    for iteration in kills:
        kill(path, iteration, *arguments, **options)
    fit = fit_gmm(*arguments, **options, checkpoint=path, checkpoint_every=0.0)
    assert not path.exists()
    return fit


def read_record(path: Path) -> Contents:
    """Return what a checkpoint says of its fit."""
    facts, arrays = read(path)[1]
    return Contents(facts["record"], arrays)


def forge_record(path: Path, record: Contents) -> None:
    """Write a checkpoint that says something of its fit, with the right digest."""
    facts = {"record_version": 4, "digest": digest_of_record(record), "record": record.facts}
    write(path, "checkpoint", Contents(facts, record.arrays))
