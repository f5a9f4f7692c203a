"""Components that collapse, and what is done about them."""

from collections.abc import Callable

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES
from loops import em_on, parameters_of
from numpy.typing import NDArray

from mixtura import Event, FitError, GaussianMixture, GMMFit, State, Statistics, fit_gmm, reference
from mixtura.covariance import FAMILIES
from mixtura.parameters import Parameters, Seen
from mixtura.passes import Pass
from mixtura.schedules import EM, Outcome, Plain
from mixtura.shapes import FULL, SHAPES, Floats
from mixtura.updates import Collapse, OnCollapse, Ridge
from mixtura.updates.collapse import MOST_RESEEDS, components_left, split_heaviest

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
OWN_COVARIANCES = [name for name in COVARIANCE_TYPES if name != "tied"]
CAUSES = ["empty", "singular"]


def collapsing(cause: str, covariance_type: str) -> tuple[Floats, GaussianMixture]:
    """Rows, and a mixture whose component 1 collapses at the first iteration.

    It is so narrow and far away that no row is left to it, or so narrow that one row alone is.
    """
    X = clustered(200, 2, 2, seed=6)[0]
    if cause == "singular":
        X[7] = [40.0, 40.0]
    means = [X[50], X[7] if cause == "singular" else [1e3, 1e3], X[150]]
    matrices = [np.eye(2), 0.01 * np.eye(2), 2.0 * np.eye(2)]
    covariances = {
        "full": matrices,
        "diag": [np.diag(matrix) for matrix in matrices],
        "spherical": [matrix[0, 0] for matrix in matrices],
        "tied": 0.01 * np.eye(2),
    }[covariance_type]
    return X, GaussianMixture([0.3, 0.3, 0.4], means, covariances, covariance_type)


def begin(cause: str, covariance_type: str, on_collapse: str) -> tuple[GMMFit, GaussianMixture]:
    """Make one iteration, and tell what it began with."""
    X, start = collapsing(cause, covariance_type)
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, init=start, reg_covar=0.0, tol=0.0, max_iter=1,
        on_collapse=on_collapse,
    )  # fmt: skip
    return fit, start


@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
@pytest.mark.parametrize("cause", CAUSES)
def test_component_with_reseed_is_replaced_and_named(cause: str, covariance_type: str) -> None:
    fit, _ = begin(cause, covariance_type, "reseed")
    assert fit.events == (Event(1, 1, cause, "reseeded"),)
    assert str(fit.events[0]) == f"iteration 1: component 1 {cause}, reseeded"
    assert str(fit.events[0]) in fit.summary()
    assert fit.model.n_components == 3
    assert fit.model.weights.sum() == pytest.approx(1.0, rel=1e-15)
    assert fit.model.weights.min() > 0.1
    assert np.abs(fit.model.means).max() < 30.0


@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
@pytest.mark.parametrize("cause", CAUSES)
def test_component_with_drop_is_left_out_and_named(cause: str, covariance_type: str) -> None:
    fit, start = begin(cause, covariance_type, "drop")
    assert fit.events == (Event(1, 1, cause, "dropped"),)
    assert fit.model.n_components == 2
    assert fit.model.weights.sum() == pytest.approx(1.0, rel=1e-15)
    assert np.abs(fit.model.means - start.means[[0, 2]]).max() < 5.0


@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
@pytest.mark.parametrize("on_collapse", ["reseed", "drop"])
def test_fit_after_a_collapse_converges(on_collapse: str, covariance_type: str) -> None:
    X, start = collapsing("empty", covariance_type)
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, init=start, reg_covar=0.0, on_collapse=on_collapse
    )
    assert fit.converged
    assert fit.model.n_components == {"reseed": 3, "drop": 2}[on_collapse]
    assert fit.log_likelihood == pytest.approx(fit.model.log_likelihood(X), rel=1e-12)
    assert fit.history[-1] == max(fit.history)


@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
@pytest.mark.parametrize(
    ("cause", "what", "remedy"),
    [
        ("empty", "has no weight at iteration 1", "fewer components"),
        (
            "singular",
            "has a singular covariance at iteration 1, constant in feature 0",
            "reg_covar > 0, fewer components, or drop the feature",
        ),
    ],
)
def test_fit_with_raise_names_component_iteration_cause_and_remedy(
    cause: str, what: str, remedy: str, covariance_type: str
) -> None:
    X, start = collapsing(cause, covariance_type)
    with pytest.raises(FitError) as caught:
        fit_gmm(
            X, 3, covariance_type=covariance_type, init=start, reg_covar=0.0, on_collapse="raise"
        )
    assert str(caught.value) == (
        f'the fit cannot continue: component 1 {what}. Use {remedy}, or on_collapse="reseed".'
    )


def test_fit_from_a_mixture_out_of_all_proportion_says_to_start_nearer() -> None:
    far = GaussianMixture([0.5, 0.5], 1e200 * np.eye(2), np.eye(2), "tied")
    message = (
        r"^the fit cannot continue: component 0 is so far from the rows at iteration \d that "
        r"distances have no digits left, and no other is left\. Start nearer to them, or "
        r"drop rows that are far from all others\.$"
    )
    with pytest.raises(FitError, match=message):
        fit_gmm(clustered()[0], 2, covariance_type="tied", init=far)


@pytest.mark.parametrize("distance", [1e8, 1e12, 1e50, 1e100])
def test_fit_with_a_ridge_comes_back_from_a_mixture_far_away(distance: float) -> None:
    """Between centres far from the rows and their means, the scatter loses all its digits."""
    X = clustered()[0]
    far = GaussianMixture([0.5, 0.5], distance * np.eye(2), np.eye(2), "tied")
    fit = fit_gmm(X, 2, covariance_type="tied", init=far)
    assert fit.converged
    one = fit_gmm(X, 1, covariance_type="tied")
    assert fit.log_likelihood >= one.log_likelihood - 1e-6


def test_fit_with_a_tied_covariance_recovers_a_component_without_rows() -> None:
    X, start = collapsing("empty", "tied")
    fit = fit_gmm(X, 3, covariance_type="tied", init=start, reg_covar=0.0)
    assert fit.events[0] == Event(1, 1, "empty", "reseeded")
    assert fit.model.n_components == 3
    dropped = fit_gmm(X, 3, covariance_type="tied", init=start, on_collapse="drop")
    assert dropped.model.n_components == 2
    assert dropped.model.covariances.shape == (2, 2)


@pytest.mark.parametrize("on_collapse", ["reseed", "drop", "raise"])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_fit_where_no_component_is_left_fails_whatever_is_asked(
    on_collapse: str, covariance_type: str
) -> None:
    X = np.repeat([[0.0, 0.0], [1.0, 5.0]], 10, axis=0)
    covariances = {"full": [np.eye(2)] * 2, "tied": np.eye(2), "diag": [[1.0, 1.0]] * 2}
    start = GaussianMixture(
        [0.5, 0.5], [[0.0, 0.0], [1.0, 5.0]], covariances.get(covariance_type, [0.01, 0.01]),
        covariance_type,
    )  # fmt: skip
    message = (
        r"^the fit cannot continue: component 0 has a singular covariance at iteration \d+"
        r"(, constant in feature 0)?, and no other is left\. Use reg_covar > 0, fewer components, "
        r"(more rows, or drop features that others determine|or drop the feature)\.$"
    )
    with pytest.raises(FitError, match=message):
        fit_gmm(
            X, 2, covariance_type=covariance_type, init=start, reg_covar=0.0,
            on_collapse=on_collapse,
        )  # fmt: skip


@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
def test_fit_from_a_mixture_with_a_ridge_keeps_a_component_of_one_row(covariance_type: str) -> None:
    X, start = collapsing("singular", covariance_type)
    fit = fit_gmm(X, 3, covariance_type=covariance_type, init=start, on_collapse="raise")
    assert fit.events == (
        Event(fit.n_iter, 1, "spurious", "kept"),
        Event(fit.n_iter, 1, "ridge", "kept"),
    )
    assert fit.model.n_components == 3


def test_fit_with_a_constant_feature_recovers_a_component_without_rows() -> None:
    X = np.column_stack([clustered(100, 2, 2)[0], np.full(100, 7.0)])
    start = GaussianMixture([0.5, 0.5, 0.0], X[[10, 90, 50]], np.broadcast_to(np.eye(3), (3, 3, 3)))
    fit = fit_gmm(X, 3, init=start)
    assert fit.events[0] == Event(1, 2, "empty", "reseeded")
    assert np.isfinite(fit.log_likelihood)


# Collapse by itself


class Recorder(Ridge):
    """A ridge that keeps what it is asked to explain."""

    def __init__(self) -> None:
        super().__init__(FAMILIES["full"], np.zeros(1), reference)
        self.asked: list[tuple[object, ...]] = []

    def explain(self, *arguments: object) -> str:
        self.asked.append(arguments)
        return "the reason"


def four(covariance_type: str = "full") -> tuple[Statistics, Parameters]:
    """Four components, number 1 without weight; the heaviest is number 2."""
    shape = SHAPES[covariance_type]
    array = np.ones(shape.array_shape(4, 1))
    resp_sum = np.array([2.0, 0.0, 5.0, 3.0])
    means = np.array([[0.0], [1.0], [2.0], [3.0]])
    statistics = Statistics(covariance_type, means, resp_sum, np.zeros((4, 1)), array, -1.0, 10.0)
    return statistics, Parameters(resp_sum / 10.0, means, array, array, shape)


def failing(*components: int) -> NDArray[np.bool_]:
    return np.isin(np.arange(4), components)


@every_type
def test_recovery_by_drop_keeps_the_others_in_order(covariance_type: str) -> None:
    statistics, parameters = four(covariance_type)
    events = [Event(1, 3, "empty", "reseeded")]
    after, kept = Collapse("drop", np.ones(1), reference).recover(
        Recorder(), statistics, parameters, failing(1, 2), 7, events
    )
    assert kept.tolist() == [0, 3]
    np.testing.assert_allclose(after.weights, [0.4, 0.6], rtol=1e-15)
    assert after.means.ravel().tolist() == [0.0, 3.0]
    assert after.covariances.shape == SHAPES[covariance_type].array_shape(2, 1)
    assert events[1:] == [Event(7, 1, "empty", "dropped"), Event(7, 2, "singular", "dropped")]


@every_type
def test_recovery_by_reseed_splits_the_heaviest_of_the_others(covariance_type: str) -> None:
    """The second to be replaced may split what the first one has left."""
    statistics, parameters = four(covariance_type)
    events: list[Event] = []
    after, kept = Collapse("reseed", np.ones(1), reference).recover(
        Recorder(), statistics, parameters, failing(1, 3), 7, events
    )
    assert kept.tolist() == [0, 1, 2, 3]
    assert events == [Event(7, 1, "empty", "reseeded"), Event(7, 3, "singular", "reseeded")]
    # Of weights .2, .5 first .25 and .25, of which the first (number 2) is halved again.
    expected = np.array([0.2, 0.25, 0.125, 0.125])
    np.testing.assert_allclose(after.weights, expected / expected.sum(), rtol=1e-15)
    np.testing.assert_allclose(np.sort(after.means[[1, 2, 3], 0]), [1.0, 2.0, 2.5], rtol=1e-15)
    assert after.means[0, 0] == 0.0


def test_recovery_by_reseed_drops_a_component_after_ten_times() -> None:
    statistics, parameters = four()
    events = [Event(i, 1, "empty", "reseeded") for i in range(MOST_RESEEDS)]
    events += [Event(i, 3, "empty", "reseeded") for i in range(MOST_RESEEDS - 1)]
    after, kept = Collapse("reseed", np.ones(1), reference).recover(
        Recorder(), statistics, parameters, failing(1, 3), 30, events
    )
    assert kept.tolist() == [0, 2, 3]
    assert [event.action for event in events[-2:]] == ["dropped", "reseeded"]
    assert len(after.weights) == 3


@pytest.mark.parametrize(
    ("action", "components"), [("raise", (1,)), ("drop", range(4)), ("reseed", range(4))]
)
def test_collapse_without_recovery_raises_what_the_update_explains(
    action: OnCollapse, components: tuple[int, ...]
) -> None:
    statistics, parameters = four()
    update, failed, scale, events = Recorder(), failing(*components), np.ones(1), []
    with pytest.raises(FitError, match=r"^the reason$"):
        Collapse(action, scale, reference).recover(
            update, statistics, parameters, failed, 7, events
        )
    assert update.asked == [(statistics, parameters, failed, 7, scale)]
    assert events == []


# The loop, over passes of a few numbers


THREE = Parameters(
    np.full(3, 1 / 3),
    np.array([[0.0], [1.0], [2.0]]),
    np.ones((3, 1, 1)),
    np.ones((3, 1, 1)),
    FULL,
)


def run(
    rows: Pass,
    max_iter: int,
    action: OnCollapse,
    callback: Callable[[State], object] | None = None,
) -> Outcome:
    update = Ridge(FAMILIES["full"], np.zeros(1), reference)
    em = EM(rows, update, Plain(0.0), Collapse(action, np.ones(1), reference))
    return em.run(THREE, max_iter, callback=callback)


class Scripted:
    """A pass over no rows, whose component 0 is empty in every iteration."""

    def follow(self, *_: object) -> None:
        return None

    def accumulate(self, seen: Seen) -> Statistics:
        k = len(seen.means)
        resp_sum = np.where(np.arange(k) == 0, 0.0, 10.0) if k > 2 else np.full(k, 10.0)
        xx = np.ones((k, 1, 1)) * resp_sum[:, None, None]
        return Statistics("full", seen.means, resp_sum, np.zeros((k, 1)), xx, -1.0, resp_sum.sum())


def test_component_that_collapses_again_and_again_is_dropped_in_the_end() -> None:
    predicted_gains = []
    outcome = run(
        Scripted(), MOST_RESEEDS + 3, "reseed",
        lambda state: predicted_gains.append(state.predicted_gain),
    )  # fmt: skip
    assert [event.action for event in outcome.events] == ["reseeded"] * MOST_RESEEDS + ["dropped"]
    assert [event.iteration for event in outcome.events] == list(range(1, MOST_RESEEDS + 2))
    assert len(outcome.parameters.weights) == 2
    # After a collapse the iterations before say nothing of what is left to gain.
    assert predicted_gains == [np.inf] * (MOST_RESEEDS + 1) + [0.0, 0.0]


class Falling:
    """A pass over no rows: component 0 collapses after the third, and later ones are lower."""

    def __init__(self, cause: str) -> None:
        self.cause, self.seen = cause, []

    def follow(self, *_: object) -> None:
        return None

    def accumulate(self, seen: Seen) -> Statistics:
        self.seen.append(seen)
        k, passes = len(seen.means), len(self.seen)
        resp_sum, xx = np.full(k, 10.0), np.full((k, 1, 1), 10.0)
        if passes == 3:
            resp_sum[0] *= self.cause != "empty"
            xx[0] = 0.0
        objective = {1: -5.0, 2: -2.0, 3: -1.0}.get(passes, -4.0 + 0.1 * passes)
        return Statistics("full", seen.means, resp_sum, np.zeros((k, 1)), xx, objective, 1.0)


@pytest.mark.parametrize(
    ("cause", "on_collapse", "kept"),
    [("empty", "reseed", 2), ("empty", "drop", -1), ("singular", "reseed", -1)],
)
def test_fit_that_recovers_keeps_the_best_parameters_seen(
    cause: str, on_collapse: OnCollapse, kept: int
) -> None:
    """Of as many components, and not those on the way to a boundless likelihood."""
    rows = Falling(cause)
    outcome = run(rows, 6, on_collapse)
    assert outcome.parameters.means is rows.seen[kept].means
    assert outcome.parameters.covariances is rows.seen[kept].covariances
    assert outcome.history == pytest.approx([-2.0, -1.0, -3.6, -3.5, -3.4, -3.3])
    assert outcome.objective == outcome.history[kept - 1 if kept > 0 else -1]
    assert outcome.statistics.log_likelihood == outcome.objective


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_split_puts_the_two_half_a_deviation_to_either_side(covariance_type: str) -> None:
    """Along the widest direction, measured in the units of the features."""
    shape = SHAPES[covariance_type]
    scale = np.array([0.5, 200.0])
    covariances = {
        "full": np.array([np.diag([9.0, 4e4]), np.eye(2), np.eye(2)]),
        "tied": np.diag([9.0, 4e4]),
        "diag": np.array([[9.0, 4e4], [1.0, 1.0], [1.0, 1.0]]),
        "spherical": np.array([9.0, 1.0, 1.0]),
    }[covariance_type]
    factors, _ = shape.factorise(covariances, reference)
    means = np.array([[1.0, 2.0], [5.0, 5.0], [7.0, 7.0]])
    before = Parameters(np.array([0.6, 0.1, 0.3]), means, covariances, factors, shape)
    after = split_heaviest(before, 1, np.array([0, 2]), scale, reference)
    shift = np.array([1.5, 0.0])  # of deviations 3 and 200, 6 and 1 in units: the first feature
    np.testing.assert_allclose(after.means.mean(axis=0), (2 * means[0] + means[2]) / 3)
    np.testing.assert_allclose(np.abs(after.means[:2] - means[0]), [shift, shift], atol=1e-12)
    np.testing.assert_allclose(after.weights, [0.3, 0.3, 0.3])
    np.testing.assert_array_equal(before.means, means)
    matrices = shape.matrices(after.covariances, 3, 2)
    np.testing.assert_array_equal(matrices[1], matrices[0])


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_component_that_is_replaced_is_so_in_any_units(covariance_type: str) -> None:
    X, start = collapsing("empty", covariance_type)
    unit = np.array([1e-5, 1e6])
    units = unit**2 if covariance_type == "diag" else np.outer(unit, unit)
    other = GaussianMixture(
        start.weights, start.means * unit, start.covariances * units, covariance_type
    )
    settings = {"covariance_type": covariance_type, "tol": 0.0, "max_iter": 1}
    one = fit_gmm(X, 3, init=start, **settings).model
    scaled = fit_gmm(X * unit, 3, init=other, **settings).model
    np.testing.assert_allclose(scaled.means / unit, one.means, rtol=1e-9)


def test_components_that_collapse_together_are_each_recorded() -> None:
    X = clustered(200, 2, 2, seed=6)[0]
    start = GaussianMixture(
        [0.4, 0.3, 0.2, 0.1], [[1e3, 0.0], X[50], [-1e3, 0.0], X[150]],
        [0.01, 1.0, 0.01, 1.0], "spherical",
    )  # fmt: skip
    fit = fit_gmm(X, 4, covariance_type="spherical", init=start)
    assert fit.events[:2] == (Event(1, 0, "empty", "reseeded"), Event(1, 2, "empty", "reseeded"))
    assert fit.model.n_components == 4
    assert len({tuple(mean) for mean in fit.model.means}) == 4


def test_compiled_pass_of_the_collapse_sees_no_row_in_the_empty_component() -> None:
    """The premise of the tests above: the weight is zero exactly, not small."""
    X, start = collapsing("empty", "full")
    statistics = em_on(X).rows.accumulate(parameters_of(start).seen())
    assert statistics.resp_sum[1] == 0.0


def test_components_left_are_counted_in_the_numbers_of_the_beginning() -> None:
    events = [
        Event(2, 1, "empty", "dropped"), Event(2, 3, "empty", "dropped"),
        Event(3, 0, "empty", "reseeded"), Event(5, 0, "singular", "dropped"),
    ]  # fmt: skip
    assert components_left(events, 2).tolist() == [2, 4]
    assert components_left([], 3).tolist() == [0, 1, 2]


NEARLY_EMPTY = np.repeat([0.0, 1.0, 2.0, 3.0], [61, 30, 6, 1])[:, None]


def nearly_empty(X: Floats = NEARLY_EMPTY, **options: object) -> GMMFit:
    """Fit a mixture one component of which keeps a ten-thousandth of a row."""
    variances = np.array([0.56, 0.09, 0.09])[:, None, None]
    begin = GaussianMixture([0.55, 0.45 - 1e-6, 1e-6], [[0.83], [0.0], [1.0]], variances)
    return fit_gmm(X, 3, **{"init": begin, "reg_covar": [1 / 12]} | options)


@pytest.mark.parametrize("unit", [1.0, 1 / 64, 2.0**20])
def test_component_that_keeps_almost_no_row_is_named_in_the_end(unit: float) -> None:
    weight = np.full(98, unit)
    fit = nearly_empty(sample_weight=weight)
    assert fit.weights[2] * 98 < 1e-3
    assert fit.converged
    empty = [event for event in fit.events if event.cause == "empty"]
    assert empty == [Event(fit.n_iter, 2, "empty", "kept")]
    assert f"iteration {fit.n_iter}: component 2 empty, kept" in fit.summary()


def test_component_of_one_row_or_of_a_light_row_is_not_named_as_empty() -> None:
    X = np.r_[np.linspace(-1, 1, 60), 50.0][:, None]
    for weight in (None, np.r_[np.full(60, 1.0), 0.02]):
        fit = fit_gmm(X, 2, init=(X[:, 0] > 9).astype(int), sample_weight=weight, reg_covar=[1e-3])
        assert [event for event in fit.events if event.cause == "empty"] == []


def test_component_with_a_fixed_weight_of_almost_no_row_is_not_named_as_empty() -> None:
    start = nearly_empty().model
    fixed = nearly_empty(init=start, fixed="weights")
    assert "empty" not in {event.cause for event in fixed.events}
    options = {"init": start, "tol": 0.0, "max_iter": 3, "fixed": {"weights": [True, False, False]}}
    assert [e.component for e in nearly_empty(**options).events if e.cause == "empty"] == [2]


def test_held_component_without_rows_is_named_as_empty_once() -> None:
    start = GaussianMixture([0.5, 0.5], [[0.0], [1e6]], [1.0, 1.0], "spherical")
    options = {"init": start, "covariance_type": "spherical"}
    for fixed in ({"means": [False, True]}, {"means": [False, True], "weights": [False, True]}):
        fit = fit_gmm(NEARLY_EMPTY, 2, fixed=fixed, **options)
        events = [(e.component, e.cause, e.action) for e in fit.events]
        assert [event for event in events if event[1] != "few"] == [(1, "empty", "kept")]
