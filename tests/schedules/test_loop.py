"""The loop: what an iteration is, that the objective never falls, callbacks and Ctrl-C."""

import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from clusters import (
    Rounding,
    assert_same_fit_bits,
    clustered,
    iterated,
    joint_log_density,
    maximised,
    objective,
)
from helpers import COVARIANCE_TYPES, EPS
from loops import ONE_THREAD, ReadRows, Watched, em_on, start_of
from scipy.special import softmax

from mixtura import (
    FitInterrupted,
    GaussianMixture,
    GMMFit,
    State,
    Statistics,
    datasets,
    fit_gmm,
)
from mixtura.data import ArrayRows
from mixtura.parameters import Parameters, Seen
from mixtura.passes import Pass, RowsPass
from mixtura.schedules import EM, Outcome, Plain, Schedule, Squarem
from mixtura.search import MaximumSearch, SearchInterrupted
from mixtura.shapes import FULL, Floats
from mixtura.starts import Beginnings

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
with_and_without_ridge = pytest.mark.parametrize("reg_covar", [0.0, 1e-6, 0.1])
# Of two evaluations of the objective in units of its own rounding: what falls of it are noise.
# Measured up to 5 on well-conditioned data, whatever their offset.
NOISE = 16.0 * EPS


def ridge_of(X: Floats, reg_covar: float, sample_weight: Floats | None = None) -> Floats:
    mean = np.average(X, axis=0, weights=sample_weight)
    return reg_covar * np.average((X - mean) ** 2, axis=0, weights=sample_weight)


def uneven_weights(n: int) -> Floats:
    return np.random.default_rng(5).choice([0.0, 0.5, 1.0, 3.0], size=n)


DATA: dict[str, Callable[[], Floats]] = {
    "faithful": lambda: datasets.load_faithful().data,
    "iris": lambda: datasets.load_iris().data,
    "thyroid": lambda: datasets.load_thyroid().data,
    "banknote": lambda: datasets.load_banknote().data,
    "galaxies": lambda: datasets.load_galaxies().data,
    "clusters": lambda: clustered(600, 7, 4)[0],
    "clusters at 1e8": lambda: clustered(600, 3, 4)[0] + 1e8,
}


@every_type
@with_and_without_ridge
@pytest.mark.parametrize("name", DATA)
def test_objective_from_iteration_to_iteration_never_falls(
    name: str, covariance_type: str, reg_covar: float
) -> None:
    X = DATA[name]()
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, reg_covar=reg_covar, tol=0.0, max_iter=150,
        init="random", n_init=1, rng=3,
    )  # fmt: skip
    named = {event.iteration for event in fit.events}
    falls = [
        before - after
        for i, (before, after) in enumerate(zip(fit.history, fit.history[1:], strict=False))
        if i + 2 not in named
    ]
    # Means far from zero are rounded; where a component is narrow, that is the larger error.
    variance = min(np.linalg.eigvalsh(each)[0] for each in fit.model.covariance_matrices())
    rounding = np.spacing(np.abs(X).max()) ** 2 / variance
    assert max(falls) <= NOISE * max(1.0, np.abs(fit.history).max()) + rounding


@every_type
@with_and_without_ridge
@pytest.mark.parametrize("weighted", [False, True])
def test_history_of_any_fit_ends_with_the_objective_of_its_model(
    covariance_type: str, reg_covar: float, weighted: bool
) -> None:
    X, labels = clustered(seed=1)
    sample_weight = uneven_weights(len(X)) if weighted else None
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, reg_covar=reg_covar, init=labels,
        sample_weight=sample_weight, tol=0.0, max_iter=7,
    )  # fmt: skip
    ridge = ridge_of(X, reg_covar, sample_weight)
    tolerance = Rounding(X, fit.model).relative
    expected = objective(X, fit.model, sample_weight, ridge)
    assert fit.history[-1] == pytest.approx(expected, rel=tolerance)
    weight_sum = len(X) if sample_weight is None else sample_weight.sum()
    expected = objective(X, fit.model, sample_weight) * weight_sum
    assert fit.log_likelihood == pytest.approx(expected, rel=tolerance)


@every_type
@with_and_without_ridge
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("d", [1, 2, 6])
def test_one_iteration_from_a_mixture_is_the_textbook_formulas(
    covariance_type: str, reg_covar: float, weighted: bool, d: int
) -> None:
    X, labels = clustered(d=d, seed=2)
    sample_weight = uneven_weights(len(X)) if weighted else None
    start = maximised(X + 0.3, np.eye(3)[labels[::-1]], covariance_type)
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, reg_covar=reg_covar, init=start,
        sample_weight=sample_weight, tol=0.0, max_iter=1,
    )  # fmt: skip
    expected = iterated(X, start, sample_weight, ridge_of(X, reg_covar, sample_weight))
    Rounding(X, expected).assert_same_mixture(fit.model)


@every_type
def test_second_iteration_with_a_ridge_shares_rows_out_by_penalised_densities(
    covariance_type: str,
) -> None:
    X, labels = clustered(seed=3, spread=1.0)
    settings = {"covariance_type": covariance_type, "reg_covar": 0.5, "tol": 0.0}
    first = fit_gmm(X, 3, init=labels, max_iter=1, **settings).model
    second = fit_gmm(X, 3, init=labels, max_iter=2, **settings).model
    ridge = ridge_of(X, 0.5)
    resp = softmax(joint_log_density(X, first, ridge), axis=1)
    expected = maximised(X, resp, covariance_type, ridge=ridge)
    Rounding(X, expected, 2).assert_same_mixture(second)
    if covariance_type != "tied":  # whose components all pay the same
        plain = fit_gmm(X, 3, init=first, max_iter=1, **settings).model
        assert np.abs(plain.weights - second.weights).max() > 1e-4


@pytest.mark.parametrize("max_iter", [1, 2, 17])
def test_fit_without_tolerance_makes_exactly_max_iter_iterations(max_iter: int) -> None:
    iterations = []
    fit = fit_gmm(
        clustered(60, 1, 1)[0], 1, tol=0.0, max_iter=max_iter, rng=0,
        callback=lambda state: iterations.append(state.iteration),
    )  # fmt: skip
    assert fit.n_iter == len(fit.history) == max_iter
    assert iterations == list(range(1, max_iter + 1))
    assert (fit.converged, fit.stop_reason) == (False, "max_iter")


@every_type
def test_fit_from_its_own_end_stays_there(covariance_type: str) -> None:
    X, labels = clustered(spread=6.0)
    settings = {"covariance_type": covariance_type, "reg_covar": 0.0}
    end = fit_gmm(X, 3, init=labels, tol=0.0, max_iter=1000, **settings).model
    again = fit_gmm(X, 3, init=end, **settings)
    assert (again.n_iter, again.stop_reason) == (2, "converged")
    Rounding(X, end, 50).assert_same_mixture(again.model)


def test_fit_in_two_halves_is_the_fit_in_one() -> None:
    X, labels = clustered()
    settings = {"tol": 0.0, "reg_covar": 0.0}
    whole = fit_gmm(X, 3, init=labels, max_iter=8, **settings)
    half = fit_gmm(X, 3, init=labels, max_iter=5, **settings)
    rest = fit_gmm(X, 3, init=half.model, max_iter=3, **settings)
    rounding = Rounding(X, whole.model, whole.n_iter)
    rounding.assert_same_mixture(rest.model)
    history = np.append(half.history, rest.history)
    np.testing.assert_allclose(history, whole.history, rtol=rounding.relative)


# Callbacks and Ctrl-C


def heaviest_first(model: GaussianMixture) -> GaussianMixture:
    """As a fit from an automatic start gives it in the end."""
    return model.reordered(np.argsort(-model.weights))


def test_callback_after_each_iteration_receives_its_state() -> None:
    X = clustered()[0]
    states: list[State] = []
    fit = fit_gmm(X, 3, rng=0, reg_covar=0.0, callback=states.append)
    assert [state.iteration for state in states] == list(range(1, fit.n_iter + 1))
    assert [state.objective for state in states] == fit.history.tolist()
    assert states[0].predicted_gain == np.inf
    assert states[-1].predicted_gain <= 1e-6
    last = states[-1].parameters
    assert not any(array.flags.writeable for state in states for array in state.parameters.arrays())
    reached = GaussianMixture(last.weights, last.means, last.covariances)
    assert heaviest_first(reached) == fit.model


@pytest.mark.parametrize("covariance_type", ["tied", "VVV", "EVI"])
def test_state_has_the_mixture_as_it_stands_made_when_it_is_asked_for(
    covariance_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Parameters] = []
    of = GaussianMixture._of

    def counted(name: str, parameters: Parameters, *facts: Any) -> GaussianMixture:
        made.append(parameters)
        return of(name, parameters, *facts)

    frame = pd.DataFrame(clustered()[0], columns=["a", "b"])
    states: list[State] = []
    options = {"covariance_type": covariance_type, "rng": 0, "n_init": 2, "tol": 0.0}
    with monkeypatch.context() as patch:
        patch.setattr(GaussianMixture, "_of", counted)
        fit = fit_gmm(frame, 3, max_iter=7, callback=states.append, **options)
        assert len(made) == 1  # that of the fit
        models = [state.model for state in states]
        assert [state.model for state in states] == models
        assert len(made) == 1 + len(states)
    assert heaviest_first(models[-1]) == fit.model
    for n_iter, model in enumerate(models, start=1):
        assert heaviest_first(model) == fit_gmm(frame, 3, max_iter=n_iter, **options).model
        assert (model.covariance_type, model.feature_names) == (covariance_type, ("a", "b"))


@pytest.mark.parametrize("word", [True, 1, "stop"])
def test_callback_that_returns_true_stops_the_fit_there(word: object) -> None:
    fit = fit_gmm(
        clustered()[0],
        3,
        rng=0,
        tol=0.0,
        callback=lambda state: word if state.iteration == 4 else None,
    )
    assert (fit.n_iter, fit.stop_reason, fit.converged) == (4, "callback", False)


def test_callback_that_raises_ends_the_fit_with_its_own_exception() -> None:
    def complain(_: State) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fit_gmm(clustered()[0], 3, rng=0, callback=complain)


def press_ctrl_c(state: State) -> None:
    if state.iteration == 3:
        signal.raise_signal(signal.SIGINT)


def known(log_likelihood: float, reg_covar: float) -> float:
    """What an interrupted fit knows of it: with a ridge it would take one more pass."""
    return np.nan if reg_covar else log_likelihood


@pytest.mark.thread_unsafe(reason="signals come to the main thread")
@with_and_without_ridge
def test_fit_interrupted_in_a_callback_keeps_what_was_done(reg_covar: float) -> None:
    X, labels = clustered()
    settings = {"init": labels, "reg_covar": reg_covar, "tol": 0.0}
    with pytest.raises(FitInterrupted, match="`fit` holds what was done") as caught:
        fit_gmm(X, 3, callback=press_ctrl_c, **settings)
    fit: GMMFit = caught.value.fit
    expected = fit_gmm(X, 3, max_iter=3, **settings)
    assert (fit.stop_reason, fit.converged, fit.n_iter) == ("interrupted", False, 3)
    assert fit.model == expected.model
    np.testing.assert_equal(fit.log_likelihood, known(expected.log_likelihood, reg_covar))
    np.testing.assert_array_equal(fit.history, expected.history)


def readings_until(X: Floats, iteration: int, **settings: object) -> int:
    """How often a fit has read the rows when an iteration is done."""
    rows, counts = ReadRows(X), []
    fit_gmm(
        rows, 3, tol=0.0, max_iter=iteration, **settings,
        callback=lambda _: counts.append(rows.n_readings),
    )  # fmt: skip
    return counts[-1]


@pytest.mark.parametrize("when", [1, 2, 5])
@with_and_without_ridge
def test_fit_interrupted_in_a_pass_keeps_the_iterations_before(when: int, reg_covar: float) -> None:
    """The passes of iterations 1 to `when` - 1 are made, and none comes after."""
    X, labels = clustered()
    settings = {"init": labels, "reg_covar": reg_covar}
    expected = fit_gmm(X, 3, tol=0.0, max_iter=max(1, when - 1), **settings)
    calls: list[State] = []
    rows = ReadRows(X, interrupt_at=readings_until(X, when, **settings))
    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(rows, 3, callback=calls.append, **settings)
    assert len(calls) == when - 1
    if when == 1:
        assert caught.value.fit is None
    else:
        fit = caught.value.fit
        assert (fit.n_iter, fit.stop_reason) == (when - 1, "interrupted")
        assert fit.model == expected.model
        np.testing.assert_equal(fit.log_likelihood, known(expected.log_likelihood, reg_covar))
    assert fit_gmm(X, 3, init=labels, rng=0).converged


def test_fit_interrupted_before_its_first_iteration_has_nothing_to_keep() -> None:
    """In the moments, in the start from labels, or under the start itself."""
    X, labels = clustered()
    for reading in range(1, readings_until(X, 1, init=labels) + 1):
        with pytest.raises(FitInterrupted) as caught:
            fit_gmm(ReadRows(X, reading), 3, init=labels)
        assert caught.value.fit is None
        assert isinstance(caught.value, KeyboardInterrupt)
        message = "the fit was interrupted; before its first iteration was done"
        assert str(caught.value) == message


class SampledRows(ArrayRows):
    """Rows of which a sample is drawn with Ctrl-C."""

    def thinned(self, *_: Any) -> NoReturn:
        raise KeyboardInterrupt


def test_fit_interrupted_in_the_draw_of_its_sample_has_nothing_to_keep() -> None:
    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(SampledRows(clustered()[0]), 3, init="kmeans++", rng=0)
    assert caught.value.fit is None


@pytest.mark.parametrize("reading", range(1, 5))
def test_search_interrupted_in_its_first_run_has_nothing_to_keep(reading: int) -> None:
    """From labels, which takes two passes, or in the first passes of the loop."""

    def make_em(sample: ArrayRows) -> EM:
        rows = RowsPass(ReadRows(sample.X, reading), FULL, ONE_THREAD)
        return replace(em_on(sample.X), rows=rows)

    beginnings = Beginnings("kmeans++", 3, ONE_THREAD)
    search = MaximumSearch(beginnings, 3, make_em, None, np.ones(2))
    with pytest.raises(KeyboardInterrupt) as caught:
        search.best(ArrayRows(clustered()[0]), np.random.default_rng(0))
    assert not isinstance(caught.value, SearchInterrupted)


def test_fit_interrupted_a_second_time_is_not_lost() -> None:
    """The pass that finds the log-likelihood, after the iterations, is interrupted too."""
    X, labels = clustered()
    rows = ReadRows(X)

    def stop(state: State) -> bool:
        rows.interrupt_at = rows.n_readings + 1
        return state.iteration == 1

    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(rows, 3, init=labels, callback=stop)
    fit = caught.value.fit
    assert (fit.n_iter, fit.stop_reason, fit.converged) == (1, "interrupted", False)
    assert np.isnan(fit.log_likelihood)
    assert fit.model == fit_gmm(X, 3, init=labels, tol=0.0, max_iter=1).model


# The loop by itself


@every_type
def test_loop_makes_one_pass_under_the_start_and_one_for_each_iteration(
    covariance_type: str,
) -> None:
    X, labels = clustered()
    em = em_on(X, covariance_type)
    rows = Watched(em.rows)
    start = start_of(em, labels)
    outcome = replace(em, rows=rows).run(start, 5)
    assert len(rows.seen) == 6
    assert len(outcome.history) == 5
    for name, array in zip(Parameters._fields[1:4], start.arrays()[1:], strict=True):
        assert getattr(rows.seen[0], name) is array
    np.testing.assert_array_equal(rows.seen[0].log_weights, np.log(start.weights))
    assert rows.seen[-1].means is outcome.parameters.means
    assert rows.returned[-1] is outcome.statistics
    assert outcome.objective == outcome.history[-1]
    assert outcome.history[-1] == outcome.statistics.log_likelihood / len(X)


@pytest.mark.parametrize("schedule", ["plain", "squarem"])
@pytest.mark.parametrize("first", [1, 12, 13, 14, 20])
def test_outcome_that_is_continued_ends_with_the_bits_of_one_run(schedule: str, first: int) -> None:
    X, labels = clustered(spread=1.5)
    steering: Schedule = Squarem(1e-12, EPS, X.std(axis=0))
    em = em_on(X, "full", Plain(1e-12) if schedule == "plain" else steering)
    start = start_of(em, labels)
    whole = em.run(start, 40)
    assert len(whole.history) > first
    parts: Outcome = em.run(em.run(start, first), 40)
    assert parts.history == whole.history
    assert parts.state[:3] == whole.state[:3]
    for one, other in zip(parts.parameters.arrays(), whole.parameters.arrays(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_outcome_that_is_continued_ends_for_a_reason_of_its_own() -> None:
    X, labels = clustered()
    em = em_on(X)
    stopped = em.run(start_of(em, labels), 9, callback=lambda state: state.iteration == 2)
    assert (stopped.stop_reason, len(stopped.history)) == ("callback", 2)
    continued = em.run(stopped, 9)
    assert (continued.stop_reason, len(continued.history)) == ("max_iter", 9)


class Interrupted(Watched):
    """A pass that is interrupted after some calls."""

    def __init__(self, inner: Pass, calls: int) -> None:
        super().__init__(inner)
        self._calls = calls

    def accumulate(self, seen: Seen) -> Statistics:
        if len(self.seen) == self._calls:
            raise KeyboardInterrupt
        return super().accumulate(seen)


@pytest.mark.parametrize("calls", range(4))
def test_loop_interrupted_in_a_pass_ends_with_the_last_finished_iteration(calls: int) -> None:
    X, labels = clustered()
    em = em_on(X)
    start = start_of(em, labels)
    rows = Interrupted(em.rows, calls)
    outcome = replace(em, rows=rows).run(start, 10)
    assert outcome.stop_reason == "interrupted"
    assert len(outcome.history) == max(0, calls - 1)
    if calls > 1:
        assert outcome.parameters.means is rows.seen[-1].means
    else:
        assert outcome.parameters is start


@pytest.mark.parametrize("em", ["soft", "hard", "annealed"])
@every_type
def test_fit_of_every_kind_has_equal_bits_for_any_number_of_threads(
    covariance_type: str, em: str
) -> None:
    X = clustered(3000, 5, 6, spread=2.0)[0]
    first, *others = (
        fit_gmm(
            X, 6, covariance_type=covariance_type, em=em, rng=0, n_init=2, tol=0.0, max_iter=15,
            n_threads=n_threads,
        )
        for n_threads in (1, 2, 3, 7)
    )  # fmt: skip
    for other in others:
        assert_same_fit_bits(first, other)
