"""When the loop stops: Aitken's extrapolation, and what it promises."""

import numpy as np
import pytest
from clusters import clustered
from helpers import EPS

from mixtura import ConvergenceWarning, datasets, fit_gmm
from mixtura.statistics import Floats
from mixtura.stopping import StoppingRule


def geometric(limit: float, first_gap: float, rate: float, n: int) -> Floats:
    return limit - first_gap * rate ** np.arange(n)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_prediction_on_a_geometric_sequence_is_what_is_left(rate: float, scale: float) -> None:
    rule = StoppingRule(0.0)
    sequence = geometric(-3.0, scale, rate, 6)
    for i, value in enumerate(sequence):
        assert not rule.reached(value)
        if i < 2:
            assert rule.predicted_gain == np.inf
        else:
            assert rule.predicted_gain == pytest.approx(scale * rate**i, rel=1e-6)


@pytest.mark.parametrize("tol", [1e-2, 1e-5])
@pytest.mark.parametrize("rate", [0.3, 0.9, 0.99])
def test_rule_on_a_geometric_sequence_stops_after_two_predictions_within_tol(
    tol: float, rate: float
) -> None:
    rule = StoppingRule(tol)
    sequence = geometric(0.0, 1.0, rate, 3000)
    stopped = next(i for i, value in enumerate(sequence) if rule.reached(value))
    within = next(i for i, value in enumerate(sequence) if i >= 2 and -value <= tol)
    assert stopped == within + 1
    assert -sequence[stopped] <= tol


def test_rule_where_steps_are_small_but_much_is_left_goes_on() -> None:
    rule = StoppingRule(1e-3)
    assert not any(rule.reached(value) for value in geometric(0.0, 1.0, 0.9999, 5000))


def test_rule_after_one_large_step_waits_for_a_second_prediction() -> None:
    rule = StoppingRule(1e-3)
    assert [rule.reached(value) for value in [-100.0, -1.0, -0.9, -0.8]] == [False] * 4
    assert rule.predicted_gain == np.inf  # steps that do not shrink promise nothing


@pytest.mark.parametrize("size", [1.0, 1e6])
def test_rule_on_changes_below_rounding_stops_at_once(size: float) -> None:
    rule = StoppingRule(1e-300)
    assert not rule.reached(-size)
    assert rule.reached(-size * (1 - EPS))
    assert rule.predicted_gain == 0.0


def test_rule_on_a_fall_beyond_rounding_is_no_stop() -> None:
    for values in ([-1.0, -1.1, -1.1001], [-1.0, -0.9, -0.9001, -0.9003]):
        rule = StoppingRule(1e-3)
        assert not any(rule.reached(value) for value in values)
        assert rule.predicted_gain == np.inf


@pytest.mark.parametrize("lost", [-np.inf, np.nan])
def test_rule_on_an_objective_that_is_not_finite_goes_on(lost: float) -> None:
    rule = StoppingRule(1e-3)
    assert not any(rule.reached(value) for value in [lost, lost, -2.0, lost, -1.0, -0.5])


def test_rule_of_tolerance_zero_never_stops() -> None:
    rule = StoppingRule(0.0)
    assert not any(rule.reached(-1.0) for _ in range(5))


def test_rule_from_near_the_limit_waits_for_the_slow_steps_to_show() -> None:
    """Fast steps fade first: their rate promises an end that the slow ones put far off."""
    slow = -1e-4 * 0.99 ** np.arange(2000)
    sequence = slow - 1e-5 * 0.1 ** np.arange(2000)
    rule = StoppingRule(1e-6)
    stopped = next(i for i, value in enumerate(sequence) if rule.reached(value))
    assert -sequence[stopped] <= 1e-6


def test_rule_that_forgets_begins_anew() -> None:
    rule = StoppingRule(10.0)
    for value in [-4.0, -2.0]:
        rule.reached(value)
    rule.forget()
    assert [rule.reached(value) for value in [-4.0, -2.0, -1.0, -0.5]] == [False] * 3 + [True]


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
    """Where steps are small from the beginning, a rule on steps ends near weights .4 and .6."""
    weights = np.sort(fit_gmm(close(), 2, rng=0, max_iter=10_000).model.weights)
    np.testing.assert_allclose(weights, [0.25, 0.75], atol=0.02)
    start = fit_gmm(close(), 2, rng=0, tol=0.0, max_iter=1, init="kmeans++", n_init=1).model
    history = fit_gmm(close(), 2, init=start, tol=0.0, max_iter=20).history
    assert np.abs(np.diff(history)).max() < 1e-3


def test_fit_that_uses_up_max_iter_warns_where_it_was_called() -> None:
    message = r"used up its 3 iterations .* tol=1e-12\. Raise max_iter, or tol\."
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        fit = fit_gmm(clustered()[0], 3, rng=0, tol=1e-12, max_iter=3, init="random", n_init=1)
    assert (fit.converged, fit.stop_reason, fit.n_iter) == (False, "max_iter", 3)
    assert caught[0].filename == __file__
