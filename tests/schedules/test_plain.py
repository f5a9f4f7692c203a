"""When the loop stops: Aitken's extrapolation, and what it promises."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from clusters import clustered
from helpers import EPS
from loops import at, em_on, never, start_of

from mixtura import ConvergenceWarning, datasets, fit_gmm, fit_kmeans
from mixtura.schedules import Plain, Step, predicted_gains
from mixtura.schedules.plain import PlainState
from mixtura.shapes import Floats


def followed(rule: Plain, objectives: Iterable[float]) -> Iterator[Step]:
    """Yield what the schedule decides after each objective; it never moves the point."""
    state = rule.begin(at(np.nan))
    for objective in objectives:
        point = at(objective)
        step = rule.step(state, point, never)
        assert step.point is point
        assert step.state.inverse_temperature == 1.0
        state = step.state
        yield step


def stops(rule: Plain, objectives: Iterable[float]) -> list[bool]:
    """Whether the schedule would end the fit after each objective."""
    return [step.finished for step in followed(rule, objectives)]


def gains(rule: Plain, objectives: Iterable[float]) -> list[float]:
    return [step.state.predicted_gain for step in followed(rule, objectives)]


def geometric(limit: float, first_gap: float, rate: float, n: int) -> Floats:
    return limit - first_gap * rate ** np.arange(n)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_prediction_on_a_geometric_sequence_is_what_is_left(rate: float, scale: float) -> None:
    sequence = geometric(-3.0, scale, rate, 6)
    assert not any(stops(Plain(0.0), sequence))
    for i, gain in enumerate(gains(Plain(0.0), sequence)):
        if i < 2:
            assert gain == np.inf
        else:
            assert gain == pytest.approx(scale * rate**i, rel=1e-6)


@pytest.mark.parametrize("tol", [1e-2, 1e-5])
@pytest.mark.parametrize("rate", [0.3, 0.9, 0.99])
def test_rule_on_a_geometric_sequence_stops_after_two_predictions_within_tol(
    tol: float, rate: float
) -> None:
    sequence = geometric(0.0, 1.0, rate, 3000)
    stopped = stops(Plain(tol), sequence).index(True)
    within = next(i for i, value in enumerate(sequence) if i >= 2 and -value <= tol)
    assert stopped == within + 1
    assert -sequence[stopped] <= tol


def test_rule_where_steps_are_small_but_much_is_left_continues() -> None:
    assert not any(stops(Plain(1e-3), geometric(0.0, 1.0, 0.9999, 5000)))


def test_rule_after_one_large_step_waits_for_a_second_prediction() -> None:
    objectives = [-100.0, -1.0, -0.9, -0.8]
    assert stops(Plain(1e-3), objectives) == [False] * 4
    # Steps that do not shrink promise nothing.
    assert gains(Plain(1e-3), objectives)[-1] == np.inf


@pytest.mark.parametrize("size", [1.0, 1e6])
def test_rule_on_changes_below_rounding_stops_at_once(size: float) -> None:
    objectives = [-size, -size * (1 - EPS)]
    assert stops(Plain(1e-300), objectives) == [False, True]
    assert gains(Plain(1e-300), objectives)[-1] == 0.0


@pytest.mark.parametrize("rounding", [EPS, 1e-6])
def test_rule_takes_the_rounding_of_the_objective_from_its_caller(rounding: float) -> None:
    above, below = 5.0 * rounding, 3.0 * rounding
    assert stops(Plain(1e-300, rounding), [-1.0, -1.0 + below]) == [False, True]
    assert stops(Plain(1e-300, rounding), [-1.0, -1.0 + above]) == [False, False]


def test_rule_on_a_fall_beyond_the_tolerance_is_no_stop() -> None:
    for values in ([-1.0, -1.1, -1.11], [-1.0, -0.9, -0.91, -0.93]):
        assert not any(stops(Plain(1e-3), values))
        assert gains(Plain(1e-3), values)[-1] == np.inf


def test_rule_on_a_fall_within_the_tolerance_stops_as_it_can_only_be_rounding() -> None:
    """So ends a fit in single precision, whose objective goes up and down by its rounding error."""
    values = [-34.7, -34.7 + 3.1e-7, -34.7 + 1.7e-7]
    assert stops(Plain(1e-6), values) == [False, False, True]
    assert not any(stops(Plain(1e-8), values))


@pytest.mark.parametrize("lost", [-np.inf, np.nan])
def test_rule_on_an_objective_that_is_not_finite_continues(lost: float) -> None:
    assert not any(stops(Plain(1e-3), [lost, lost, -2.0, lost, -1.0, -0.5]))


def test_rule_of_tolerance_zero_never_stops() -> None:
    assert not any(stops(Plain(0.0), [-1.0] * 5))


def test_rule_from_near_the_limit_waits_for_the_slow_steps_to_show() -> None:
    """Fast steps fade first: their rate promises an end that the slow ones put far off."""
    slow = -1e-4 * 0.99 ** np.arange(2000)
    sequence = slow - 1e-5 * 0.1 ** np.arange(2000)
    stopped = stops(Plain(1e-6), sequence).index(True)
    assert -sequence[stopped] <= 1e-6


@pytest.mark.parametrize(
    ("times", "stop"), [(1.0, True), (1.95, True), (2.05, False), (9.0, False)]
)
def test_rule_stops_if_the_first_prediction_was_at_least_half_of_what_came(
    times: float, stop: bool
) -> None:
    """Gains of 2 and 1 predict another 1; the next gain and its prediction are `times` that."""
    gain = times / (1.0 + times)
    objectives = np.cumsum([-9.0, 2.0, 1.0, gain])
    predicted = gains(Plain(100.0), objectives)
    assert predicted[2] == pytest.approx(1.0)
    assert gain + predicted[3] == pytest.approx(times)
    assert stops(Plain(100.0), objectives) == [False, False, False, stop]


FADING = [57.66, 14.93, 4.446, 1.449, 0.5174, 0.2145, 0.1132, 0.0786, 0.0664, 0.0604, 0.0599]
GROWING = [0.0598, 0.0601, 0.0612, 0.0634, 0.0677, 0.0755, 0.0895, 0.1198, 0.2026, 0.4682]


def test_rule_on_gains_that_fade_and_then_grow_does_not_stop_between() -> None:
    """In units of the tolerance: iris, EVI, four clusters of k-means; 191 are left at its least."""
    objectives = np.cumsum([0.0, *FADING, *GROWING])
    assert min(gains(Plain(1.0), objectives)[:8]) < 0.5
    assert not any(stops(Plain(1.0), objectives))


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize(
    ("name", "family", "k"), [("iris", "EVI", 4), ("naples_crabs", "V", 2)], ids=["iris", "crabs"]
)
def test_fit_on_a_plateau_goes_on(name: str, family: str, k: int, accelerate: bool) -> None:
    """Both stopped with 191 and 27 tolerances left."""
    X = getattr(datasets, f"load_{name}")().data
    labels = fit_kmeans(X / X.std(axis=0), k, rng=1, n_threads=1).labels
    fit = fit_gmm(X, k, covariance_type=family, init=labels, accelerate=accelerate, max_iter=5000)
    end = fit_gmm(
        X, k, covariance_type=family, init=fit.model, tol=1e-12, max_iter=5000, accelerate=False
    )
    assert fit.converged
    assert end.history[-1] - fit.history[-1] <= 3e-6


def test_rule_that_was_disturbed_begins_anew() -> None:
    rule = Plain(10.0)
    for step in followed(rule, [-4.0, -2.0]):
        state = step.state
    state = rule.disturbed(state)
    assert state == PlainState()
    finished = []
    for objective in [-4.0, -2.0, -1.0, -0.5]:
        state, _, end = rule.step(state, at(objective), never)
        finished.append(end)
    assert finished == [False] * 3 + [True]


def test_state_is_a_value_that_a_step_leaves_alone() -> None:
    """A schedule keeps nothing: from one state it decides the same again and again."""
    rule = Plain(1e-3)
    state = PlainState((-4.0, -2.0, -1.0), 1.0)
    first = rule.step(state, at(-0.5), never)
    list(followed(rule, [-7.0, -6.0, -5.9]))
    assert rule.step(state, at(-0.5), never) == first
    assert state == ((-4.0, -2.0, -1.0), 1.0)
    assert first.state.recent == (-2.0, -1.0, -0.5)


@pytest.mark.parametrize("disturbed", [(), (4,), (1, 3, 8)])
def test_predicted_gains_of_a_history_are_those_that_the_fit_predicted(
    disturbed: tuple[int, ...],
) -> None:
    history = geometric(-3.0, 1.0, 0.8, 12) + 0.01 * np.random.default_rng(0).normal(size=12)
    expected = []
    for begin, end in pairwise([1, *disturbed, 13]):
        expected += gains(Plain(0.0), history[begin - 1 : end - 1])
    assert predicted_gains(history.tolist(), disturbed) == expected
    assert predicted_gains([]) == []


def test_predicted_gains_of_a_fit_are_what_its_callback_was_told() -> None:
    X, labels = clustered(spread=2.0)
    em = em_on(X)
    told: list[float] = []
    outcome = em.run(
        start_of(em, labels), 30, callback=lambda state: told.append(state.predicted_gain)
    )
    assert predicted_gains(outcome.history) == told
    assert min(told) < 1e-2


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9])
def test_fit_that_converged_has_about_tol_left_to_gain(tol: float) -> None:
    X = clustered(spread=2.0, seed=4)[0]
    start = fit_gmm(X, 3, init="random", n_init=1, rng=0, tol=0.0, max_iter=1).model
    fit = fit_gmm(X, 3, init=start, tol=tol, max_iter=10_000)
    assert fit.converged
    assert fit.stop_reason == "converged"
    end = fit_gmm(X, 3, init=fit.model, tol=0.0, max_iter=1000)
    assert 0.0 <= end.history[-1] - fit.history[-1] <= 2.0 * tol


CLOSE = "two close components of one feature, three quarters of the rows from one"
LIMITS = {
    "faithful": (lambda: datasets.load_faithful().data, 3),
    "iris": (lambda: datasets.load_iris().data, 3),
    "thyroid": (lambda: datasets.load_thyroid().data, 3),
    "diabetes": (lambda: datasets.load_diabetes_reaven_miller().data, 3),
    "galaxies": (lambda: datasets.load_galaxies().data, 4),
    "overlapping": (lambda: clustered(1000, 2, 3, spread=1.0)[0], 4),
    CLOSE: (lambda: close(), 2),
}


def close() -> Floats:
    rng = np.random.default_rng(0)
    return rng.normal(2.0 * (rng.random((20_000, 1)) < 0.25), 1.0)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("accelerate", [False, True])
def test_fit_at_the_default_stop_is_within_three_tol_of_the_limit(
    name: str, accelerate: bool
) -> None:
    rows, k = LIMITS[name]
    X = rows()
    fit = fit_gmm(X, k, rng=0, accelerate=accelerate, max_iter=10_000)
    assert fit.converged
    end = fit_gmm(X, k, init=fit.model, tol=1e-12, max_iter=10_000)
    assert -1e-9 <= end.history[-1] - fit.history[-1] <= 3e-6


def test_fit_of_close_components_does_not_stop_on_the_way() -> None:
    """Where steps are small from the beginning, a rule on steps ends near weights .4 and .6.

    The maximum has .2336 for the smaller component, by a fit with tol=1e-12.
    """
    weights = np.sort(fit_gmm(close(), 2, rng=0, max_iter=10_000).model.weights)
    np.testing.assert_allclose(weights, [0.2336, 0.7664], atol=0.01)
    start = fit_gmm(close(), 2, rng=0, tol=0.0, max_iter=1, init="kmeans++", n_init=1).model
    history = fit_gmm(close(), 2, init=start, tol=0.0, max_iter=20).history
    assert np.abs(np.diff(history)).max() < 1e-3


def test_fit_that_uses_up_max_iter_warns_where_it_was_called() -> None:
    message = r"used up its 3 iterations .* tol=1e-12\. Raise max_iter, or tol\."
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        fit = fit_gmm(clustered()[0], 3, rng=0, tol=1e-12, max_iter=3, init="random", n_init=1)
    assert (fit.converged, fit.stop_reason, fit.n_iter) == (False, "max_iter", 3)
    assert caught[0].filename == __file__
