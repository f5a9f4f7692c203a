"""The record in a checkpoint: no fit continues from one that was changed, and none can do harm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from clusters import clustered
from kills import forge_record, kill, read_record
from numpy.typing import NDArray

import mixtura
from mixtura import FitError, GaussianMixture, GMMFit, State, files, fit_gmm
from mixtura.data import ArrayRows
from mixtura.files import Contents, read, write
from mixtura.fitting.checkpoint import Checkpoint
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import STATES, Outcome
from mixtura.shapes import FULL, Floats

# These fits end by their number of iterations.
pytestmark = pytest.mark.filterwarnings("ignore::mixtura.ConvergenceWarning")

DAMAGED = r"c must be a checkpoint of fit_gmm; it is foreign or damaged: .+ Name another f"
REFUSED = (
    rf"{DAMAGED}|c must be "
    r"(the checkpoint of this fit; it is of another one: .+\. Pass what it was to continue|"
    r"a checkpoint of record version 4; it has version .+\. Continue with that version|"
    r"a complete file written by mixtura; it is damaged or from another program: |"
    r"of format version 1 or earlier; )"
)
CLUSTERED = clustered()[0]
OVERLAPPING = np.random.default_rng(0).normal(size=(300, 2)) * [1.0, 2.0]
OVERLAPPING[:100] += 1.0
MANY = np.random.default_rng(7).normal(size=(900, 2)) + 9.0 * np.random.default_rng(8).integers(
    5, size=(900, 2)
)
WIDE = np.random.default_rng(7).normal(size=(1500, 13)) + 9.0 * np.random.default_rng(8).normal(
    size=(20, 13)
).repeat(75, axis=0)
FAR = GaussianMixture([0.5, 0.5], [CLUSTERED[0], [1e4, 1e4]], [1.0, 1.0], "spherical")
LABELS = np.arange(300) % 3

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A fit, the iteration in which it is killed, and a state that its record has then."""

    rows: Any
    n_components: int
    iteration: int
    state: str
    options: dict[str, Any] = field(default_factory=dict)

    def _options(self) -> dict[str, Any]:
        return {"rng": 0, "n_init": 1, "max_iter": self.iteration + 2} | self.options

    def begin(self, path: Path) -> Contents:
        """Fit until it is killed; return the record."""
        kill(path, self.iteration, self.rows, self.n_components, **self._options())
        record = read_record(path)
        assert self.state in json.dumps(record.facts) + " ".join(record.arrays)
        return record

    def resume(self, path: Path) -> GMMFit:
        return fit_gmm(self.rows, self.n_components, checkpoint=path, **self._options())


BLOCKS = mixtura.scan(np.array_split(MANY, 3))
CASES = {
    "plain": Case(CLUSTERED, 3, 5, "PlainState", {"accelerate": False, "tol": 1e-12}),
    "tied": Case(CLUSTERED, 3, 5, "PlainState", {"covariance_type": "tied", "tol": 0.0}),
    "squarem": Case(OVERLAPPING, 3, 29, "state_inner_seen_1", {"init": LABELS, "tol": 1e-12}),
    "annealed": Case(OVERLAPPING, 3, 4, "AnnealedState", {"em": "annealed", "init": LABELS}),
    "annealed-squarem": Case(
        OVERLAPPING,
        3,
        35,
        "state_inner_inner_seen_0",
        {"em": "annealed", "init": LABELS, "tol": 1e-12},
    ),
    "hard": Case(OVERLAPPING, 3, 3, "PlainState", {"em": "hard", "init": LABELS}),
    "before": Case(CLUSTERED, 2, 4, "before_means", {"covariance_type": "spherical", "init": FAR}),
    "order": Case(MANY, 60, 7, "bounds_0_order", {"covariance_type": "diag", "tol": 0.0}),
    "masks": Case(WIDE, 60, 7, "bounds_0_bits", {"covariance_type": "full", "tol": 0.0}),
    "labels": Case(MANY, 60, 4, "bounds_0_labels", {"covariance_type": "full", "tol": 0.0}),
    "blocks": Case(BLOCKS, 60, 7, "bounds_2_reach", {"covariance_type": "spherical", "tol": 0.0}),
}


def each_of(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [CASES[name] for name in names], ids=names)


every_case = each_of(*CASES)

LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "fortran-order": np.asfortranarray,
    "other-byte-order": lambda a: a.astype(a.dtype.newbyteorder()),
}
SHAPES: dict[str, Callable[[Array], Any]] = {
    "dropped": lambda _: None,
    "emptied": lambda a: a[:0],
    "without the first": lambda a: a[1:],
    "without the last": lambda a: a[:-1],
    "extended": lambda a: np.concatenate([a, a[-1:]]),
    "with an axis": lambda a: a[..., None],
    "a number": lambda a: a.reshape(-1)[0],
    "with an axis less": lambda a: a.reshape(len(a), -1)[:, 0] if a.ndim > 1 else a[0],
    "of another precision": lambda a: a.astype("f8" if a.dtype == "f4" else "f4"),
    "of integers": lambda a: np.zeros(a.shape, "i4"),
    "of booleans": lambda a: np.ones(a.shape, bool),
    "of strings": lambda a: np.full(a.shape, "1.0"),
}
VALUES: dict[str, Callable[[Array], Array]] = {
    "nan": lambda a: np.full_like(a, np.nan),
    "one inf": lambda a: with_one(a, np.inf),
    "huge": lambda a: np.full_like(a, 1e308),
    "tiny": lambda a: np.full_like(a, 1e-308),
    "zero": np.zeros_like,
    "negative": lambda a: -1.0 - np.abs(a),
    "one negative": lambda a: with_one(a, -1.0),
    "reversed": lambda a: a[::-1].copy(),
}
OTHERS: list[Any] = [
    None, True, "x", -1, 10**30, 1e308, np.nan, -np.inf, [], [[]], {}, {"statistics": "last"},
]  # fmt: skip


def with_one(array: Array, value: float) -> Array:
    changed = array.copy()
    changed.flat[-1] = value
    return changed


def changed_arrays(
    record: Contents, changes: dict[str, Callable[[Array], Any]]
) -> Iterator[tuple[str, Contents]]:
    """Yield records of which one array is another one, with words for the change."""
    for name, array in record.arrays.items():
        for what, change in changes.items():
            arrays = dict(record.arrays)
            with np.errstate(all="ignore"):
                changed = change(array.astype(float) if changes is VALUES else array)
            if changed is None:
                del arrays[name]
            else:
                with np.errstate(all="ignore"):
                    kept = np.asarray(changed, array.dtype if changes is VALUES else None)
                if kept.tobytes() == array.tobytes() and kept.shape == array.shape:
                    continue
                arrays[name] = kept
            yield f"{name} {what}", Contents(record.facts, arrays)


def changed_values(value: Any, place: str = "record") -> Iterator[tuple[str, Any]]:
    """Yield values of JSON that differ from one in one place, with words for the change."""
    for other in OTHERS:
        if json.dumps(other) != json.dumps(value):
            yield f"{place} is {other!r}", other
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"{place} lacks {name}", {n: v for n, v in value.items() if n != name}
            for words, other in changed_values(part, f"{place}.{name}"):
                yield words, value | {name: other}
        yield f"{place} has more", value | {"more": 1}
    elif isinstance(value, list) and value:
        yield f"{place} lacks its last", value[:-1]
        yield f"{place} is extended", [*value, value[-1]]
        for i, part in enumerate(value):
            for words, other in changed_values(part, f"{place}[{i}]"):
                yield words, [*value[:i], other, *value[i + 1 :]]


def end(case: Case, path: Path) -> GMMFit | str:
    """Return the fit that continues from a checkpoint, or why none does."""
    try:
        return case.resume(path)
    except (FitError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def assert_refused(case: Case, path: Path, message: str, words: str) -> None:
    assert re.search(message, str(end(case, path))), words


def assert_refused_or_harmless(case: Case, path: Path, words: str) -> None:
    """Expect the message that is documented, or that no fit can continue, or a sound fit."""
    fit = end(case, path)
    if isinstance(fit, str):
        assert re.search(rf"^FitError: the fit cannot continue|{REFUSED}", fit), words
        return
    model = fit.model
    GaussianMixture(model.weights, model.means, model.covariances, model.covariance_type)
    assert model.n_components <= case.n_components, words
    if np.isfinite(fit.log_likelihood):
        log_likelihood = model.log_likelihood(case.rows)
        assert fit.log_likelihood == pytest.approx(log_likelihood, rel=1e-6), words


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the disk when, is tested for files."""
    monkeypatch.setattr(files.os, "fsync", lambda _: None)


@every_case
def test_record_in_other_layouts_continues_to_the_same_bits(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "c"
    case.begin(path)
    kind, (facts, arrays) = read(path)
    expected = case.resume(path)
    for change in LAYOUTS.values():
        write(path, kind, Contents(facts, {name: change(a) for name, a in arrays.items()}))
        fit = case.resume(path)
        assert fit.model == expected.model
        assert fit.history.tobytes() == expected.history.tobytes()


@each_of("annealed-squarem", "before", "labels")
def test_record_with_an_array_that_was_changed_is_refused(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "c"
    record = case.begin(path)
    kind, (facts, _) = read(path)
    for changes in (SHAPES, VALUES):
        for words, changed in changed_arrays(record, changes):
            write(path, kind, Contents(facts, changed.arrays))
            assert_refused(case, path, DAMAGED, words)


@each_of("annealed-squarem", "before", "blocks")
def test_record_with_a_fact_that_was_changed_is_refused(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "c"
    case.begin(path)
    kind, (facts, arrays) = read(path)
    for words, changed in changed_values(facts["record"]):
        write(path, kind, Contents(facts | {"record": changed}, arrays))
        assert_refused(case, path, DAMAGED, words)


def test_file_whose_header_was_changed_is_refused(tmp_path: Path) -> None:
    path, case = tmp_path / "c", CASES["plain"]
    case.begin(path)
    kind, (facts, arrays) = read(path)
    for name in ("format", "kind", "record_version", "digest", "record"):
        for words, other in changed_values(facts[name], name):
            write(path, kind, Contents(facts | {name: other}, arrays))
            assert_refused(case, path, REFUSED, words)


# What a forger writes has the right digest, so that only types, shapes and ranges are checked. The
# fit may be another one then, or end in an error of its own, but nothing worse.


@every_case
def test_forged_record_with_an_array_of_another_shape_or_type_is_refused(
    case: Case, tmp_path: Path
) -> None:
    path = tmp_path / "c"
    for words, forged in changed_arrays(case.begin(path), SHAPES):
        forge_record(path, forged)
        if re.match(r"history (without|extended)|bounds_\d_labels dropped", words):
            assert_refused_or_harmless(case, path, words)
        else:
            assert_refused(case, path, DAMAGED, words)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numbers that overflow
@each_of("plain", "tied", "annealed-squarem", "before", "order", "labels")
def test_forged_record_with_an_array_of_other_values_is_refused_or_harmless(
    case: Case, tmp_path: Path
) -> None:
    path = tmp_path / "c"
    for words, forged in changed_arrays(case.begin(path), VALUES):
        forge_record(path, forged)
        assert_refused_or_harmless(case, path, words)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@each_of("plain", "squarem", "annealed", "annealed-squarem", "before", "blocks")
def test_forged_record_with_another_fact_is_refused_or_harmless(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "c"
    record = case.begin(path)
    for name, value in record.facts.items():
        if name != "problem" or case is CASES["plain"]:
            for words, other in changed_values(value, name):
                forge_record(path, Contents(record.facts | {name: other}, record.arrays))
                assert_refused_or_harmless(case, path, words)
        others = {other: kept for other, kept in record.facts.items() if other != name}
        forge_record(path, Contents(others, record.arrays))
        assert_refused(case, path, REFUSED, f"{name} dropped")


def forged(
    case: str, path: Path, facts: dict[str, Any] | None = None, **arrays: Callable[[Array], Array]
) -> None:
    """Forge a record in which some facts and arrays are other ones."""
    record = deepcopy(CASES[case].begin(path))
    for name, change in arrays.items():
        record.arrays[name] = change(record.arrays[name])
    forge_record(path, Contents(record.facts | (facts or {}), record.arrays))


SQUAREM = {"recent": [], "predicted_gain": 1.0, "plain": 3, "seen": [], "longest": 4.0,
           "slowest": 0.0, "gain": 0.0, "confirming": 0}  # fmt: skip


def parting(inner: Any) -> dict[str, Any]:
    """The state of every schedule of soft iterations, with an inner one."""
    return {"PartingState": {"inner": inner, "since": 3, "partings": 0}}


STATISTICS = {"statistics": "state_inner_seen_0"}


@pytest.mark.parametrize(
    ("case", "facts", "message"),
    [
        ("plain", {"begun": 1}, "its begun is 1"),
        ("plain", {"seed": -1}, "-1 stands for a count in it"),
        ("plain", {"producer": 3}, "its producer is 3"),
        ("plain", {"objective": "x"}, "'x' stands for an objective in it"),
        ("plain", {"objective": np.nan}, "nan stands for an objective in it"),
        ("before", {"objective_before": np.inf}, "inf stands for an objective in it"),
        ("plain", {"events": [[1, 2, "empty", "kept", 5]]}, "too many values to unpack"),
        ("plain", {"events": [[1, 2, "full", "kept"]]}, "an event in it is [1, 2, 'full', 'kept']"),
        ("plain", {"events": [[1, 2, "empty", []]]}, "an event in it is [1, 2, 'empty', []]"),
        ("plain", {"events": [[1, 0.5, "empty", "kept"]]}, "an event in it is [1, 0.5, 'em"),
        ("plain", {"events": [[9, 2, "empty", "kept"]]}, "an event in it is iteration 9: comp"),
        ("plain", {"events": [[1, 3, "empty", "kept"]]}, "an event in it is iteration 1: comp"),
        (
            "plain", {"events": [[1, 0, "empty", "dropped"], [1, 3, "empty", "dropped"]]},
            "an event in it is iteration 1: component 3 empty, dropped",
        ),
        (
            "plain", {"events": [[1, 0, "empty", "dropped"]] * 2},
            "an event in it is iteration 1: component 0 empty, dropped",
        ),
        ("plain", {"bounds": []}, "there are bounds of 0 blocks for 1"),
        ("blocks", {"bounds": [[7, 13, False]] * 2}, "there are bounds of 2 blocks for 3"),
        ("order", {"bounds": [[7, -1, False]]}, "-1 stands for a count in it"),
        ("plain", {"state": None}, "its state is not one of this schedule"),
        (
            "plain", {"state": parting({"SquaremState": SQUAREM})},
            "its state is not one of this schedule",
        ),
        ("plain", {"state": {"PlainState": {"recent": []}}}, "PlainState has the fields recent"),
        (
            "squarem", {"state": parting({"PlainState": {"recent": [], "predicted_gain": 1.0}})},
            "its state is not one of this schedule",
        ),
        ("squarem", {"state": {"Statistics": {}}}, "'Statistics'"),
        *(
            (
                "squarem", {"state": parting({"SquaremState": SQUAREM | changed})},
                f"{next(iter(changed))} of",
            )
            for changed in (
                {"recent": 1.0}, {"recent": [None]}, {"predicted_gain": "1"}, {"plain": -1},
                {"plain": 1.0}, {"plain": True}, {"seen": [1.0]}, {"slowest": None},
                {"gain": [0.0]},
            )
        ),
        *(
            (
                "squarem", {"state": parting({"SquaremState": SQUAREM | changed})},
                "the state of its schedule is SquaremState",
            )
            for changed in (
                {"recent": [1.0] * 4}, {"seen": [STATISTICS] * 3}, {"longest": 0.0},
                {"longest": np.nan},
            )
        ),
        *(
            (
                "annealed",
                {"state": {"AnnealedState": {"inverse_temperature": b, "inner": inner}}},
                message,
            )
            for b, inner, message in (
                (0.0, None, "the state of its schedule is AnnealedState"),
                (1.5, None, "the state of its schedule is AnnealedState"),
                ("1", None, "inverse_temperature of its schedule is '1'"),
                (1.0, 3.0, "inner of its schedule is 3.0"),
                (
                    1.0, parting({"PlainState": {"recent": [], "predicted_gain": 1.0}}),
                    "its state is not one of this schedule",
                ),
            )
        ),
    ],
)  # fmt: skip
def test_forged_record_with_a_fact_that_is_impossible_is_refused_with_the_reason(
    case: str, facts: dict[str, Any], message: str, tmp_path: Path
) -> None:
    forged(case, tmp_path / "c", facts)
    with pytest.raises(ValueError, match=f"foreign or damaged: .*{re.escape(message)}"):
        CASES[case].resume(tmp_path / "c")


@pytest.mark.parametrize(
    ("case", "name", "change", "message"),
    [
        ("plain", "last_weights", lambda a: a[:1], "they sum to 0."),
        ("plain", "last_weights", lambda a: 2.0 * a, "they sum to 2."),
        ("plain", "last_means", lambda a: a.T, "should be float64 of shape (3, 2) and are"),
        ("plain", "last_means", lambda a: np.nan * a, "its last_means are not finite"),
        (
            "plain", "last_precisions_cholesky", lambda a: a.swapaxes(1, 2),
            "precisions_cholesky must be upper triangular",
        ),
        ("plain", "last_precisions_cholesky", lambda a: -a, "must be positive on the diagonal"),
        ("plain", "last_covariances", lambda a: 2.0 * a, "and fit precisions_cholesky: U.T @"),
        ("order", "bounds_0_seen_covariances", np.zeros_like, "and fit precisions_cholesky: U.T"),
        ("plain", "last_resp_xx", lambda a: a[:2], "should be float64 of shape (3, 2, 2)"),
        ("plain", "history", lambda a: a[:0], "its history is empty"),
        ("order", "bounds_0_order", np.zeros_like, "that a pass carries are of other rows"),
        ("order", "bounds_0_order", lambda a: a - 1, "that a pass carries are of other rows"),
        ("order", "bounds_0_order", lambda a: a + 1, "that a pass carries are of other rows"),
        (
            "order", "bounds_0_order", lambda a: np.where(a == 0, 10**12, a),
            "that a pass carries are of other rows",
        ),
        ("order", "bounds_0_reach", lambda a: a[1:], "that a pass carries are of other rows"),
        ("labels", "bounds_0_labels", lambda a: a[1:], "that a pass carries are of other rows"),
        ("masks", "bounds_0_bits", lambda a: a[1:], "that a pass carries are of other rows"),
        ("masks", "bounds_0_gaps", lambda a: a.T, "that a pass carries are of other rows"),
        ("masks", "bounds_0_best", lambda a: a[1:], "that a pass carries are of other rows"),
    ],
)  # fmt: skip
def test_forged_record_with_an_array_that_is_impossible_is_refused_with_the_reason(
    case: str, name: str, change: Callable[[Array], Array], message: str, tmp_path: Path
) -> None:
    forged(case, tmp_path / "c", **{name: change})
    with pytest.raises(ValueError, match=f"foreign or damaged: .*{re.escape(message)}"):
        CASES[case].resume(tmp_path / "c")


def test_forged_record_with_more_components_than_the_fit_is_refused(tmp_path: Path) -> None:
    record = CASES["plain"].begin(tmp_path / "c")
    four = {
        name: np.concatenate([array, array[:1]])
        for name, array in record.arrays.items()
        if name not in ("history", "last_sums")
    }
    four["last_weights"] /= four["last_weights"].sum()
    forge_record(tmp_path / "c", Contents(record.facts, record.arrays | four))
    with pytest.raises(ValueError, match="foreign or damaged: it has 4 components of 3"):
        CASES["plain"].resume(tmp_path / "c")


@pytest.mark.parametrize("name", ["last", "state_inner_seen_0"])
@pytest.mark.parametrize("sums", [np.ones(3), np.array(["a"])])
def test_forged_record_with_sums_that_no_pass_returns_is_refused(
    name: str, sums: Array, tmp_path: Path
) -> None:
    record = CASES["squarem"].begin(tmp_path / "c")
    forge_record(tmp_path / "c", Contents(record.facts, record.arrays | {f"{name}_extra_x": sums}))
    with pytest.raises(ValueError, match=f"foreign or damaged: its sums are {name}_extra_x\\."):
        CASES["squarem"].resume(tmp_path / "c")


class PhasesState(NamedTuple):
    """The state of a schedule that somebody may write."""

    directions: tuple[Floats, ...]
    phase: str
    predicted_gain: float = np.inf
    inverse_temperature: float = 1.0

    def is_possible(self) -> bool:
        return self.phase in ("first", "second")


class Phases:
    """A schedule with this state, which is all that a checkpoint sees of it."""

    def disturbed(self, state: PhasesState) -> PhasesState:
        return PhasesState((), state.phase)


def test_state_that_no_reader_knows_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    rows = RowsPass(ArrayRows(CLUSTERED), FULL, Backend())
    parameters = fit_gmm(CLUSTERED, 2, rng=0, n_init=1).model._parameters()
    statistics = rows.accumulate(parameters.seen())
    outcome = Outcome(
        parameters, -3.0, [-3.0], statistics=statistics, state=PhasesState((), "first")
    )
    message = r"of a class in mixtura.schedules.STATES; got PhasesState"
    checkpoint = Checkpoint(tmp_path / "c", 0.0, {"rows": "some"})
    with checkpoint, pytest.raises(TypeError, match=message):
        checkpoint.follow(rows, outcome)


def test_record_of_another_schedule_and_of_further_sums_has_all_their_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STATES, "PhasesState", PhasesState)
    rows = RowsPass(ArrayRows(CLUSTERED), FULL, Backend())
    states: list[State] = []
    fit_gmm(CLUSTERED, 3, rng=0, n_init=1, callback=states.append)
    parameters = states[-1].parameters
    sums = {"squares": np.arange(6.0).reshape(3, 2), "count": 7.5}
    rows.extras = tuple(sums)
    statistics = replace(rows.accumulate(parameters.seen()), extras=sums)
    state = PhasesState((np.ones(3), np.zeros((2, 2))), "second")
    outcome = Outcome(parameters, -3.0, [-3.5, -3.0], statistics=statistics, state=state)
    with Checkpoint(tmp_path / "c", 0.0, {"rows": "some"}) as checkpoint:
        checkpoint.follow(rows, outcome)
    with Checkpoint(tmp_path / "c", 0.0, {"rows": "some"}) as checkpoint:
        again = checkpoint.resume(rows, Phases(), 3, 2)
    assert again.statistics.extras["count"] == 7.5
    np.testing.assert_array_equal(again.statistics.extras["squares"], sums["squares"])
    assert (again.state.phase, again.history) == ("second", [-3.5, -3.0])
    for one, other in zip(again.state.directions, state.directions, strict=True):
        np.testing.assert_array_equal(one, other)
