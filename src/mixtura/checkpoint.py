"""The state of a fit in a file, from which a fit that was killed goes on to the same bits.

Everything that the next iteration depends on is kept: parameters, statistics, history, events, what
the pass carries, where leaps are, and the seed. The stopping rule follows from the history. Of the
problem itself, rows and options, fingerprints are kept, so that no fit goes on from another one's
state.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura._build_config import VERSION
from mixtura.accelerate import Leaps
from mixtura.bounds import Carry
from mixtura.covariance import CovarianceFamily
from mixtura.em import Event, Outcome
from mixtura.instruction_set import INSTRUCTION_SET
from mixtura.passes import RowsPass
from mixtura.saving import DAMAGE, Contents, Saveable, read, write
from mixtura.statistics import Statistics, statistics_shape
from mixtura.update import Parameters

__all__ = ["Checkpoint"]

KIND = "checkpoint"
BYTES_AT_ONCE = 1 << 18  # of rows, whose fingerprint is taken: they stay in the cache
KEPT_TYPES: dict[str, type[Any]] = {
    each.__name__: each for each in (Carry, Event, Leaps, Outcome, Parameters, Statistics)
}
PRODUCER = f"mixtura {VERSION}, {INSTRUCTION_SET}"  # whose tiles and bounds are the same


class Checkpoint:
    """A file that follows a fit.

    Parameters
    ----------
    path : str or path-like
    every : float, seconds
        Least time between two savings.
    problem : dict
        Arguments that decide what the fit comes to, by name.

    Attributes
    ----------
    seed : int
        For a fit that was given none: drawn when the file was begun.
    outcome : Outcome or None
        Where the fit was, if it had begun.

    Raises
    ------
    ValueError
        If the file there is damaged, or of another problem.
    """

    def __init__(self, path: str | os.PathLike[str], every: float, problem: dict[str, Any]) -> None:
        self._path, self._every = Path(path), every
        self._problem = {name: _fingerprint(value) for name, value in problem.items()}
        self._pass_state: dict[str, Any] | None = None
        self._last_saved = time.monotonic()
        self.outcome: Outcome | None = None
        if self._path.exists():
            self._resume()
        else:
            self.seed = int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
            self._save({})

    def _resume(self) -> None:
        kind, (facts, arrays) = read(self._path)
        try:
            if kind != KIND:
                raise ValueError(f"it holds a {kind}")
            self._refuse_another(facts["problem"])
            self.seed = int(facts["seed"])
            state = _decode(facts["state"], arrays)
            self.outcome = state.get("outcome")
            self._pass_state = state.get("rows") if facts["producer"] == PRODUCER else None
        except _OtherProblem as error:
            raise ValueError(str(error)) from None
        except DAMAGE as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> ValueError:
        return ValueError(
            f"{self._path} must be a checkpoint of fit_gmm; it is foreign or damaged: {error}. "
            f"Delete it, or name another file."
        )

    def _refuse_another(self, problem: dict[str, Any]) -> None:
        differences = [
            f"{name} is {problem.get(name)} there and {value} here"
            for name, value in self._problem.items()
            if problem.get(name) != value
        ]
        if differences:
            raise _OtherProblem(
                f"{self._path} must be a checkpoint of this fit; it is of another one: "
                f"{'; '.join(differences)}. Delete it, or name another file."
            )

    def restore(self, rows: RowsPass, family: CovarianceFamily) -> Outcome:
        """Return where the fit was, with the pass over the rows as it was then."""
        try:
            outcome = _checked(self.outcome, family, rows.n_features)
            if self._pass_state is not None:
                rows.restore(self._pass_state)
        except DAMAGE as error:
            raise self._damaged(error) from error
        return outcome

    def follow(self, rows: RowsPass, outcome: Outcome) -> None:
        """Save where the fit is, if it is time."""
        if time.monotonic() - self._last_saved >= self._every:
            self._save({"outcome": outcome, "rows": rows.state()})
            self._last_saved = time.monotonic()

    def _save(self, state: dict[str, Any]) -> None:
        arrays: dict[str, NDArray[Any]] = {}
        facts = {
            "producer": PRODUCER,
            "problem": self._problem,
            "seed": self.seed,
            "state": _encode(state, arrays),
        }
        write(self._path, KIND, Contents(facts, arrays))

    def remove(self) -> None:
        """The fit is done, and what it came to is in the caller's hands."""
        self._path.unlink(missing_ok=True)


class _OtherProblem(Exception):
    """A checkpoint of another fit."""


def _encode(thing: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """What JSON can say of the thing, its arrays put aside under numbers."""
    if isinstance(thing, np.ndarray):
        arrays[f"array_{len(arrays)}"] = thing
        return {"array": f"array_{len(arrays) - 1}"}
    if isinstance(thing, dict):
        return {"dict": {name: _encode(value, arrays) for name, value in thing.items()}}
    name = type(thing).__name__
    if name in KEPT_TYPES:
        fields = thing._asdict() if hasattr(thing, "_asdict") else vars(thing)
        return {name: {field: _encode(value, arrays) for field, value in fields.items()}}
    if isinstance(thing, list | tuple):
        return [_encode(value, arrays) for value in thing]
    return thing.item() if isinstance(thing, np.generic) else thing


def _decode(said: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(said, list):
        return [_decode(value, arrays) for value in said]
    if not isinstance(said, dict):
        return said
    ((name, value),) = said.items()
    if name == "array":
        return arrays[value].copy()
    fields = {field: _decode(each, arrays) for field, each in value.items()}
    return fields if name == "dict" else KEPT_TYPES[name](**fields)


def _checked(outcome: Any, family: CovarianceFamily, n_features: int) -> Outcome:
    """The outcome, if its arrays have the shapes that kernels will believe they have."""
    s, (k, d) = outcome.statistics, (len(outcome.parameters.weights), n_features)
    factors = statistics_shape(family.factor_shape, k, d)
    arrays = [*outcome.parameters, s.centres, s.resp_sum, s.resp_x, s.resp_xx]
    shapes = [(k,), (k, d), family.shape(k, d), factors, (k, d), (k,), (k, d), factors]
    for array, shape in zip(arrays, shapes, strict=True):
        if array.shape != shape or array.dtype != np.float64:
            raise ValueError(f"an array has shape {array.shape} instead of {shape}")
    return Outcome(**vars(outcome))


def _fingerprint(value: Any) -> Any:
    """Something short that JSON can say, the same for equal values only."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {list(value.shape)}, {_digest(value)}"
    if isinstance(value, np.random.Generator):
        bits = value.bit_generator
        spawned = getattr(bits.seed_seq, "n_children_spawned", 0)
        return f"a {type(bits).__name__}, {_digest_of_text(f'{bits.state}, {spawned}')}"
    if isinstance(value, Saveable):
        facts, arrays = value._contents()
        digests = {name: _digest(array) for name, array in arrays.items()}
        return f"a {type(value).__name__}, {_digest_of_text(json.dumps([facts, digests]))}"
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    return value


def _digest(array: NDArray[Any]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    step = max(1, BYTES_AT_ONCE * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), step):
        digest.update(np.ascontiguousarray(array[start : start + step]).data)
    return digest.hexdigest()


def _digest_of_text(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
