"""Components that collapse, and what is done about them."""

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES

from mixtura import Event, FitError, GaussianMixture, GMMFit, fit_gmm
from mixtura.covariance import FAMILIES
from mixtura.em import MOST_RESEEDS, expectation_maximisation, split_heaviest
from mixtura.passes import CompiledPass
from mixtura.statistics import Floats, Statistics
from mixtura.update import MaximumLikelihood, Parameters

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
        f'the fit cannot go on: component 1 {what}. Use {remedy}, or on_collapse="reseed".'
    )


@pytest.mark.parametrize("distance", [1e100, 1e200])
def test_fit_from_a_mixture_out_of_all_proportion_says_to_start_nearer(distance: float) -> None:
    far = GaussianMixture([0.5, 0.5], distance * np.eye(2), np.eye(2), "tied")
    message = r"component 0 is too far from the rows at iteration \d .+ Start nearer to them\.$"
    with pytest.raises(FitError, match=message):
        fit_gmm(clustered()[0], 2, covariance_type="tied", init=far)


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
        r"^the fit cannot go on: component 0 has a singular covariance at iteration \d+"
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
    assert fit.events == (Event(fit.n_iter, 1, "spurious", "kept"),)
    assert fit.model.n_components == 3


def test_fit_with_a_constant_feature_recovers_a_component_without_rows() -> None:
    X = np.column_stack([clustered(100, 2, 2)[0], np.full(100, 7.0)])
    start = GaussianMixture([0.5, 0.5, 0.0], X[[10, 90, 50]], np.broadcast_to(np.eye(3), (3, 3, 3)))
    fit = fit_gmm(X, 3, init=start)
    assert fit.events[0] == Event(1, 2, "empty", "reseeded")
    assert np.isfinite(fit.log_likelihood)


class Scripted:
    """A pass over no rows, whose component 0 is empty in every iteration."""

    rounding = 0.0

    def accumulate(self, parameters: Parameters) -> Statistics:
        k = len(parameters.weights)
        resp_sum = np.where(np.arange(k) == 0, 0.0, 10.0) if k > 2 else np.full(k, 10.0)
        means = parameters.means
        xx = np.ones((k, 1, 1)) * resp_sum[:, None, None]
        return Statistics("full", means, resp_sum, np.zeros((k, 1)), xx, -1.0, resp_sum.sum())


def test_component_that_collapses_again_and_again_is_dropped_in_the_end() -> None:
    start = Parameters(
        np.full(3, 1 / 3), np.array([[0.0], [1.0], [2.0]]), np.ones((3, 1, 1)), np.ones((3, 1, 1))
    )
    predicted_gains = []
    outcome = expectation_maximisation(
        Scripted(), MaximumLikelihood(FAMILIES["full"], np.zeros(1)), start, tol=0.0,
        max_iter=MOST_RESEEDS + 3, on_collapse="reseed", scale=np.ones(1),
        callback=lambda state: predicted_gains.append(state.predicted_gain),
    )  # fmt: skip
    assert [event.action for event in outcome.events] == ["reseeded"] * MOST_RESEEDS + ["dropped"]
    assert [event.iteration for event in outcome.events] == list(range(1, MOST_RESEEDS + 2))
    assert len(outcome.parameters.weights) == 2
    # After a collapse the iterations before say nothing of what is left to gain.
    assert predicted_gains == [np.inf] * (MOST_RESEEDS + 1) + [0.0, 0.0]


class Falling:
    """A pass over no rows: component 0 collapses after the third, and later ones are lower."""

    rounding = 0.0

    def __init__(self, cause: str) -> None:
        self.cause, self.seen = cause, []

    def accumulate(self, parameters: Parameters) -> Statistics:
        self.seen.append(parameters)
        k, passes = len(parameters.weights), len(self.seen)
        resp_sum, xx = np.full(k, 10.0), np.full((k, 1, 1), 10.0)
        if passes == 3:
            resp_sum[0] *= self.cause != "empty"
            xx[0] = 0.0
        objective = {1: -5.0, 2: -2.0, 3: -1.0}.get(passes, -4.0 + 0.1 * passes)
        return Statistics(
            "full", parameters.means, resp_sum, np.zeros((k, 1)), xx, objective, 1.0
        )  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "on_collapse", "kept"),
    [("empty", "reseed", 2), ("empty", "drop", -1), ("singular", "reseed", -1)],
)
def test_fit_that_recovers_keeps_the_best_parameters_seen(
    cause: str, on_collapse: str, kept: int
) -> None:
    """Of as many components, and not those on the way to a boundless likelihood."""
    start = Parameters(
        np.full(3, 1 / 3), np.array([[0.0], [1.0], [2.0]]), np.ones((3, 1, 1)), np.ones((3, 1, 1))
    )
    rows = Falling(cause)
    outcome = expectation_maximisation(
        rows, MaximumLikelihood(FAMILIES["full"], np.zeros(1)), start, tol=0.0, max_iter=6,
        on_collapse=on_collapse, scale=np.ones(1),
    )  # fmt: skip
    assert outcome.parameters is rows.seen[kept]
    assert outcome.history == pytest.approx([-2.0, -1.0, -3.6, -3.5, -3.4, -3.3])
    assert outcome.objective == outcome.history[kept - 1 if kept > 0 else -1]


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_split_puts_the_two_half_a_deviation_to_either_side(covariance_type: str) -> None:
    """Along the widest direction, measured in the units of the features."""
    family = FAMILIES[covariance_type]
    rule = MaximumLikelihood(family, np.zeros(2))
    scale = np.array([0.5, 200.0])
    covariances = {
        "full": np.array([np.diag([9.0, 4e4]), np.eye(2), np.eye(2)]),
        "tied": np.diag([9.0, 4e4]),
        "diag": np.array([[9.0, 4e4], [1.0, 1.0], [1.0, 1.0]]),
        "spherical": np.array([9.0, 1.0, 1.0]),
    }[covariance_type]
    factors, _ = family.factorise(covariances)
    means = np.array([[1.0, 2.0], [5.0, 5.0], [7.0, 7.0]])
    before = Parameters(np.array([0.6, 0.1, 0.3]), means, covariances, factors)
    after = split_heaviest(rule, before, 1, np.array([0, 2]), scale)
    shift = np.array([1.5, 0.0])  # of deviations 3 and 200, 6 and 1 in units: the first feature
    np.testing.assert_allclose(after.means.mean(axis=0), (2 * means[0] + means[2]) / 3)
    np.testing.assert_allclose(np.abs(after.means[:2] - means[0]), [shift, shift], atol=1e-12)
    np.testing.assert_allclose(after.weights, [0.3, 0.3, 0.3])
    np.testing.assert_array_equal(before.means, means)
    matrices = family.matrices(after.covariances, 3, 2)
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
    parameters = Parameters(
        start.weights, start.means, start.covariances, start.precisions_cholesky
    )
    statistics = CompiledPass(X, None, "full", 1).accumulate(parameters)
    assert statistics.resp_sum[1] == 0.0
