"""The state of a fit in a file, from which a fit that was killed continues to the same bits.

The file is a record of one version: everything that the next iteration depends on, each value under
a name of its own. Of the problem itself, rows and options, fingerprints are kept, so that no fit
continues from another one's state. A digest of the record shows whether any value has changed since
it was written. A file may come from anyone: the types, shapes and ranges of all values are checked
before they are used.
"""

from __future__ import annotations

import json
import math
import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import astuple
from itertools import groupby
from pathlib import Path
from typing import Any, Self, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from mixtura._build_config import VERSION
from mixtura.covariance import family_named
from mixtura.data.fingerprint import digest_of
from mixtura.data.frames import described
from mixtura.exceptions import CheckpointWarning
from mixtura.files import DAMAGE, Contents, fact, numbers, read, remove_leftovers, write
from mixtura.fitting.lock import Lock
from mixtura.fitting.problem import differences, digest_of_text, fingerprint
from mixtura.kernels.instruction_set import INSTRUCTION_SET
from mixtura.mixture.checks import check_factored, check_mixture_weights
from mixtura.parameters import Parameters, Seen
from mixtura.passes import RowsPass
from mixtura.passes.bounds import BoundsRecord
from mixtura.schedules import STATES, Outcome, Point, Schedule
from mixtura.search import SearchReport
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates import Event

__all__ = ["Checkpoint", "digest_of_record"]

KIND = "checkpoint"
REMEDY = "Name another file; delete this one only if it is an earlier checkpoint."
RECORD_VERSION = 4
PRODUCER = f"mixtura {VERSION}, {INSTRUCTION_SET}"  # whose tiles and bounds are the same


class Checkpoint:
    """A file that follows a fit, and no other one at the same time; a context manager.

    Parameters
    ----------
    path : str or path-like
    every : float, seconds
        Least time between two savings.
    problem : dict
        Arguments that decide the result of the fit, by name.

    Attributes
    ----------
    seed : int
        For a fit that was given none: drawn when the file was first written.
    search : SearchReport or None
        What the search for the start has found, which is kept with the state.

    Raises
    ------
    ValueError
        If the file that exists is damaged, of another problem or in use.
    TypeError
        For an argument that cannot be told from others.
    OSError
        If the file cannot be read, or a new one not be written.
    """

    def __init__(self, path: str | os.PathLike[str], every: float, problem: dict[str, Any]) -> None:
        self._path, self._every = Path(path), every
        self._file = self._path.absolute()  # wherever the process goes
        self._problem = {name: fingerprint(name, value) for name, value in problem.items()}
        self._found: Contents | None = None
        self.search: SearchReport | None = None
        self._has_warned = False
        self._last_saved = time.monotonic()
        self._lock = Lock(path)
        try:
            if self._lock.held:
                remove_leftovers(path)
            if self._path.exists():
                self._open()
            else:
                self.seed = int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
                self._save(_Writer())
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _open(self) -> None:
        kind, (facts, arrays) = read(self._path, REMEDY)
        if kind != KIND:
            raise self._damaged(f"it holds a {kind}")
        version = facts.get("record_version", 1)  # the first had no number
        if version != RECORD_VERSION:
            raise ValueError(
                f"{self._path} must be a checkpoint of record version {RECORD_VERSION}; it has "
                f"version {version}, written by mixtura {facts.get('library_version')}. Continue "
                f"with that version of mixtura, delete it, or name another file."
            )
        try:
            record = Contents(dict(facts["record"]), arrays)
            if facts["digest"] != digest_of_record(record):
                raise ValueError("its contents have changed since it was written")
            problem, self.seed = dict(record.facts["problem"]), _natural(record.facts["seed"])
            if fact(record.facts, "begun", bool):
                self._found = record
        except DAMAGE as error:
            raise self._damaged(error) from error
        self._refuse_another(problem)

    def _damaged(self, error: object) -> ValueError:
        return ValueError(
            f"{self._path} must be a checkpoint of fit_gmm; it is foreign or damaged: {error}. "
            f"{REMEDY}"
        )

    def _refuse_another(self, problem: dict[str, Any]) -> None:
        found = differences(problem, self._problem)
        if found:
            raise ValueError(
                f"{self._path} must be the checkpoint of this fit; it is of another one: "
                f"{'; '.join(found)}. Pass what it was to continue that fit; to begin this one, "
                f"delete the file or name another."
            )

    def resume(
        self, rows: RowsPass, schedule: Schedule, n_components: int, max_iter: int
    ) -> Outcome | None:
        """Return where the fit was, with the pass over the rows as it was then; None for a new fit.

        Parameters
        ----------
        rows : RowsPass
        schedule : Schedule
            Whose state the record must hold.
        n_components : int
            Before any was dropped.
        max_iter : int

        Raises
        ------
        ValueError
            If the record does not fit the rows or the schedule, has more iterations than `max_iter`
            or is damaged.
        """
        if self._found is None:
            return None
        try:
            reader = _Reader(self._found, rows)
            outcome, bounds = reader.outcome(n_components), reader.bounds()
            search = self._found.facts["search"]
            self.search = None if search is None else SearchReport.from_facts(search)
            if not _is_state_of(schedule, outcome.state):
                raise ValueError("its state is not one of this schedule")
            if fact(self._found.facts, "producer", str) == PRODUCER:
                rows.restore(bounds)
        except DAMAGE as error:
            raise self._damaged(error) from error
        done = max([len(outcome.history), *(event.iteration for event in outcome.events)])
        if done > max_iter:
            raise ValueError(
                f"max_iter must be {done} or more, the iterations that {self._path} has; got "
                f"{max_iter}. Pass {done} for the fit as it stands there."
            )
        return outcome

    def follow(self, rows: RowsPass, outcome: Outcome) -> None:
        """Save where the fit is, if it is time; where that fails, warn once and let it continue."""
        if time.monotonic() - self._last_saved >= self._every:
            writer = _Writer()
            writer.outcome(outcome)
            writer.bounds(rows.record())
            writer.facts["search"] = None if self.search is None else self.search.to_facts()
            try:
                self._save(writer)
            except OSError as error:
                self._warn(
                    f"{self._path} must be a file that can be written; after iteration "
                    f"{len(outcome.history)} it could not be: {error}. The fit continues, the file "
                    f"stays as it was, and each time it is due it is tried again. Make room for it."
                )
            self._last_saved = time.monotonic()

    def _warn(self, message: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(message, CheckpointWarning, stacklevel=3)

    def _save(self, writer: _Writer) -> None:
        record = Contents(
            {
                "producer": PRODUCER,
                "problem": self._problem,
                "seed": self.seed,
                "begun": bool(writer.facts),
                **writer.facts,
            },
            writer.arrays,
        )
        facts = {
            "record_version": RECORD_VERSION,
            "digest": digest_of_record(record),
            "record": record.facts,
        }
        write(self._file, KIND, Contents(facts, record.arrays))

    def remove(self) -> None:
        """Delete the file: the fit is done, and its result is with the caller."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            self._warn(f"{self._path} must be deleted, as the fit is done; {error}. Delete it.")


def digest_of_record(record: Contents) -> str:
    """Return a text that changes with any value of a record."""
    arrays = {
        name: [array.dtype.str, array.shape, digest_of([array.reshape(-1)])]
        for name, array in record.arrays.items()
    }
    return digest_of_text(json.dumps([record.facts, arrays], sort_keys=True))


class _Writer:
    """Puts the values of a record under their names."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.arrays: dict[str, NDArray[Any]] = {}

    def outcome(self, outcome: Outcome) -> None:
        assert outcome.statistics is not None
        if type(outcome.state) not in STATES.values():
            raise TypeError(
                f"the state of a schedule must be of a class in mixtura.schedules.STATES; got "
                f"{type(outcome.state).__name__}. Add it there."
            )
        _check_state(outcome.state)
        self.facts |= {
            "objective": outcome.objective,
            "inverse_temperature": outcome.inverse_temperature,
            "events": [list(astuple(event)) for event in outcome.events],
            "objective_before": None if outcome.before is None else outcome.before.objective,
            "state": self._state("state", outcome.state),
        }
        self.arrays["history"] = np.array(outcome.history)
        self._point("last", outcome.parameters, outcome.statistics)
        if outcome.before is not None:
            self._point("before", outcome.before.parameters, outcome.before.statistics)

    def bounds(self, records: list[BoundsRecord]) -> None:
        self.facts["bounds"] = [
            [record.passes, record.renewal, record.is_sparse] for record in records
        ]
        for i, record in enumerate(records):
            if record.last is not None:
                self._put(f"bounds_{i}_seen", record.last._asdict())
            self._put(f"bounds_{i}", record._asdict())

    def _point(self, name: str, parameters: Parameters, statistics: Statistics) -> None:
        self._put(name, parameters._asdict())
        self._statistics(name, statistics)

    def _statistics(self, name: str, statistics: Statistics) -> None:
        self._put(name, vars(statistics))
        for extra, total in statistics.extras.items():
            self.arrays[f"{name}_extra_{extra}"] = np.asarray(total)
        self.arrays[f"{name}_sums"] = np.array([statistics.log_likelihood, statistics.weight_sum])

    def _put(self, prefix: str, values: Mapping[str, Any]) -> None:
        """Keep the arrays among some values."""
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                self.arrays[f"{prefix}_{name}"] = value

    def _state(self, name: str, state: Any) -> Any:
        """Return a schedule's state as values of JSON; its arrays are put aside under names."""
        if isinstance(state, Statistics):
            self._statistics(name, state)
            return {"statistics": name}
        if isinstance(state, np.ndarray):
            self.arrays[name] = state
            return {"array": name}
        if hasattr(state, "_asdict"):
            fields = state._asdict().items()
            values = {field: self._state(f"{name}_{field}", value) for field, value in fields}
            return {type(state).__name__: values}
        if isinstance(state, tuple):
            return [self._state(f"{name}_{i}", value) for i, value in enumerate(state)]
        return state.item() if isinstance(state, np.generic) else state


class _Reader:
    """Takes the values of a record by their names, and checks each."""

    def __init__(self, record: Contents, rows: RowsPass) -> None:
        self._facts, self._arrays = record
        self._shape, self._d, self._extras = rows.shape, rows.source.n_features, rows.extras

    def outcome(self, n_components: int) -> Outcome:
        parameters, statistics = self._point("last")
        k = len(parameters.weights)
        if k > n_components:
            raise ValueError(f"it has {k} components of {n_components}")
        history = numbers(self._arrays, "history", (-1,), finite=False).tolist()
        if not history:
            raise ValueError("its history is empty")
        events = self._events(k, n_components, len(history))
        before, objective = None, self._facts["objective_before"]
        if objective is not None:
            before = Point(*self._point("before"), _objective(objective))
        return Outcome(
            parameters,
            _objective(self._facts["objective"]),
            history,
            events=events,
            statistics=statistics,
            inverse_temperature=_positive(self._facts["inverse_temperature"]),
            state=self._state(self._facts["state"], k),
            before=before,
        )

    def _events(self, k: int, n_components: int, n_iter: int) -> list[Event]:
        """Events that can have left k components, after some iterations."""
        events = [Event.checked(event) for event in fact(self._facts, "events", list)]
        left = k + sum(event.action == "dropped" for event in events)
        for iteration, group in groupby(events, key=lambda event: event.iteration):
            dropped = set()
            for event in group:
                before = event.action == "smoothed"  # of the fit before, which had all components
                known = event.component < (n_components if before else min(left, n_components))
                if not known or event.component in dropped or (iteration > n_iter and not before):
                    raise ValueError(f"an event in it is {event}")
                if event.action == "dropped":
                    dropped.add(event.component)
            left -= len(dropped)
        return events

    def bounds(self) -> list[BoundsRecord]:
        records = []
        for i, (passes, renewal, is_sparse) in enumerate(fact(self._facts, "bounds", list)):
            seen, name = None, f"bounds_{i}_seen"
            if f"{name}_means" in self._arrays:
                log_weights = numbers(self._arrays, f"{name}_log_weights", (-1,), finite=False)
                components = self._components(name, len(log_weights))
                seen = Seen(log_weights.copy(), *components, self._shape)
            fields = ("order", "reach", "labels", "bits", "gaps", "best")
            arrays: list[Any] = [self._optional(f"bounds_{i}_{field}") for field in fields]
            order, reach, labels, bits, gaps, best = arrays
            known = _natural(passes), _natural(renewal), seen, order, reach, labels
            records.append(BoundsRecord(*known, bits, gaps, best, bool(is_sparse)))
        return records

    def _optional(self, name: str) -> NDArray[Any] | None:
        return self._arrays[name].copy() if name in self._arrays else None

    def _array(self, name: str, shape: tuple[int, ...]) -> Floats:
        return numbers(self._arrays, name, shape).copy()

    def _sums(self, name: str) -> Any:
        """Further sums of a pass, or a single one, of the shape that they have now."""
        array = numbers(self._arrays, name, (-1,) * self._arrays[name].ndim)
        return array.copy()[()]

    def _components(self, name: str, k: int) -> tuple[Floats, Floats, Floats]:
        """Means, covariances and precision factors."""
        kept = self._shape.array_shape(k, self._d)
        means = self._array(f"{name}_means", (k, self._d))
        covariances = self._array(f"{name}_covariances", kept)
        factors = self._array(f"{name}_precisions_cholesky", kept)
        family = family_named(self._shape.name, self._d)
        check_factored(family, np.full(k, 1.0 / k), means, covariances, factors)
        return means, covariances, factors

    def _point(self, name: str) -> tuple[Parameters, Statistics]:
        weights = self._array(f"{name}_weights", (-1,))
        k = len(weights)
        check_mixture_weights(weights, k)
        parameters = Parameters(weights, *self._components(name, k), self._shape)
        return parameters, self._statistics(name, k)

    def _statistics(self, name: str, k: int) -> Statistics:
        log_likelihood, weight_sum = numbers(self._arrays, f"{name}_sums", (2,), finite=False)
        prefix = f"{name}_extra_"
        found = {array for array in self._arrays if array.startswith(prefix)}
        if found != {prefix + extra for extra in self._extras}:
            raise ValueError(f"its sums are {', '.join(sorted(found))}")
        extras = {extra: self._sums(prefix + extra) for extra in self._extras}
        return Statistics(
            self._shape.name,
            self._array(f"{name}_centres", (k, self._d)),
            self._array(f"{name}_resp_sum", (k,)),
            self._array(f"{name}_resp_x", (k, self._d)),
            self._array(f"{name}_resp_xx", self._shape.array_shape(k, self._d)),
            float(log_likelihood),
            float(weight_sum),
            extras,
        )

    def _state(self, words: Any, k: int) -> Any:
        """Return what `_Writer._state` wrote."""
        if isinstance(words, list):
            return tuple(self._state(value, k) for value in words)
        if not isinstance(words, dict):
            return words
        ((name, value),) = words.items()
        if name == "statistics":
            return self._statistics(value, k)
        if name == "array":
            return self._arrays[value].copy()
        cls = STATES[name]
        if set(value) != set(cls._fields):
            raise ValueError(f"its {name} has the fields {', '.join(value)}")
        state = cls(**{field: self._state(each, k) for field, each in value.items()})
        _check_state(state)
        return state


def _check_state(state: Any) -> None:
    """Refuse a state whose values are not of the types that its class states, or impossible."""
    hints = get_type_hints(type(state))
    for name, value in state._asdict().items():
        if not _is_of_type(value, hints[name]):
            raise ValueError(f"{name} of its schedule is {described(value)}")
    if not state.is_possible():
        raise ValueError(f"the state of its schedule is {described(state)}")


def _is_of_type(value: Any, hint: Any) -> bool:
    if isinstance(value, np.generic):
        value = value.item()
    if hint is Any:  # the state of another schedule
        return value is None or type(value) in STATES.values()
    if get_origin(hint) is tuple:  # of any length
        each = get_args(hint)[0]
        return type(value) is tuple and all(_is_of_type(one, each) for one in value)
    if hint is int:
        return type(value) is int and value >= 0
    return type(value) is (get_origin(hint) or hint)


def _is_state_of(schedule: Schedule, state: Any) -> bool:
    """Whether a state, and any inside it, are of the classes that the schedule has itself."""
    return type(state) in STATES.values() and _classes(state) == _classes(schedule.disturbed(state))


def _classes(state: Any) -> list[Any]:
    return [type(state), *(_classes(part) for part in state if type(part) in STATES.values())]


def _objective(value: Any) -> float:
    if not (type(value) is float and value < math.inf):  # it may be -inf
        raise ValueError(f"{value!r} stands for an objective in it")
    return value


def _positive(value: Any) -> float:
    if not (type(value) is float and 0.0 < value < math.inf):
        raise ValueError(f"{value!r} stands for a positive number in it")
    return value


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} stands for a count in it")
    return value
