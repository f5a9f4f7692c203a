"""The kinds of EM of `fit_gmm` on all rows: soft, hard and annealed, and what each fit reports."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from clusters import (
    Rounding,
    assert_same_fit,
    assert_same_fit_bits,
    clustered,
    joint_log_density,
    maximised,
    objective,
)
from helpers import COVARIANCE_TYPES, EPS
from loops import largest_fall

from mixtura import FitError, GaussianMixture, State, datasets, fit_gmm
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.schedules.annealed import FIRST, GROWTH
from mixtura.shapes import Floats

KINDS = ("soft", "hard", "annealed")
every_kind = pytest.mark.parametrize("em", KINDS)
every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
every_method = pytest.mark.parametrize("method", ["kmeans++", "kmeans", "random", "hierarchical"])
with_and_without_ridge = pytest.mark.parametrize("reg_covar", [0.0, 1e-6, 0.1])
NOISE = 16.0 * EPS  # of two evaluations of an objective, in units of its own size
HOT = int(np.ceil(np.log(1.0 / FIRST) / np.log(GROWTH)))  # iterations of a temperature below one
ITERATIONS = {"tol": 0.0, "max_iter": 20}


def uneven_weights(n: int) -> Floats:
    return np.random.default_rng(5).choice([0.0, 0.5, 1.0, 3.0], size=n)


def ridge_of(X: Floats, reg_covar: float, sample_weight: Floats | None = None) -> Floats:
    mean = np.average(X, axis=0, weights=sample_weight)
    return reg_covar * np.average((X - mean) ** 2, axis=0, weights=sample_weight)


def classification_likelihood(
    X: Floats, model: GaussianMixture, weight: Floats | None, ridge: Floats | float
) -> float:
    """What hard EM raises, per row."""
    return float(np.average(joint_log_density(X, model, ridge).max(axis=1), weights=weight))


# The objective


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
@pytest.mark.parametrize("weighted", [False, True])
@with_and_without_ridge
def test_classification_likelihood_of_a_hard_fit_never_falls(
    name: str, weighted: bool, reg_covar: float
) -> None:
    """Unless a component collapses, which the events tell."""
    rises = 0
    for seed in range(3):
        X = clustered(200, 3, 3, seed=seed, spread=1.5)[0]
        weight = uneven_weights(len(X)) if weighted else None
        labels = np.random.default_rng(seed).integers(0, 3, size=len(X))
        fit = fit_gmm(
            X, 3, covariance_type=name, em="hard", init=labels, sample_weight=weight,
            reg_covar=reg_covar, tol=0.0, max_iter=40, avoid_spurious=False,
        )  # fmt: skip
        assert largest_fall(fit.history, fit.events) <= NOISE * np.abs(fit.history).max()
        rises += len(set(fit.history))
    assert rises > 9


@every_type
@with_and_without_ridge
@pytest.mark.parametrize("weighted", [False, True])
def test_history_of_a_hard_fit_ends_with_the_classification_likelihood_of_its_model(
    covariance_type: str, weighted: bool, reg_covar: float
) -> None:
    X, labels = clustered(spread=2.0)
    weight = uneven_weights(len(X)) if weighted else None
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, em="hard", init=labels, sample_weight=weight,
        reg_covar=reg_covar,
    )  # fmt: skip
    ridge = ridge_of(X, reg_covar, weight)
    expected = classification_likelihood(X, fit.model, weight, ridge)
    assert fit.history[-1] == pytest.approx(expected, rel=1e-12)
    assert fit.converged
    # Where it ends, the shares follow from the model and the model from the shares.
    shares = np.eye(3)[joint_log_density(X, fit.model, ridge).argmax(axis=1)]
    Rounding(X, fit.model, 1).assert_same_mixture(
        maximised(X, shares, covariance_type, weight, ridge)
    )


@every_type
@with_and_without_ridge
def test_history_of_an_annealed_fit_ends_with_the_objective_of_its_model(
    covariance_type: str, reg_covar: float
) -> None:
    X, labels = clustered(spread=2.0)
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, em="annealed", init=labels, reg_covar=reg_covar
    )
    assert fit.converged
    assert fit.n_iter > HOT + 2
    expected = objective(X, fit.model, ridge=ridge_of(X, reg_covar))
    assert fit.history[-1] == pytest.approx(expected, rel=1e-12)
    cold = fit.history[HOT:]
    assert all(after >= before - 1e-13 for before, after in pairwise(cold))


# What a fit reports


@every_kind
@every_type
@with_and_without_ridge
@pytest.mark.parametrize("weighted", [False, True])
def test_log_likelihood_and_entropy_of_a_fit_are_those_of_its_mixture(
    em: str, covariance_type: str, weighted: bool, reg_covar: float
) -> None:
    X, labels = clustered(spread=1.5)
    weight = uneven_weights(len(X)) if weighted else np.ones(len(X))
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, em=em, init=labels, sample_weight=weight,
        reg_covar=reg_covar,
    )  # fmt: skip
    expected = objective(X, fit.model, weight) * weight.sum()
    assert fit.log_likelihood == pytest.approx(expected, rel=1e-12)
    resp = fit.model.responsibilities(X)
    informative = resp * np.log(np.maximum(resp, 1e-300))
    assert fit.entropy == pytest.approx(-(weight @ informative).sum(), rel=1e-8)
    assert fit.entropy > 1.0
    assert fit.n_samples == np.count_nonzero(weight)
    assert fit.weight_sum == weight.sum()
    assert fit.n_iter == len(fit.history)


@pytest.mark.parametrize("max_iter", [1, HOT, HOT + 1])
def test_fit_that_ends_at_any_temperature_reports_what_its_mixture_is(max_iter: int) -> None:
    X, labels = clustered(spread=1.5)
    settings = {"em": "annealed", "init": labels, "reg_covar": 0.0, "tol": 0.0}
    fit = fit_gmm(X, 3, max_iter=max_iter, **settings)
    assert (fit.n_iter, fit.stop_reason) == (max_iter, "max_iter")
    assert fit.log_likelihood == pytest.approx(fit.model.log_likelihood(X), rel=1e-12)
    is_cold = max_iter > HOT
    mean = fit.log_likelihood / len(X)
    assert (abs(fit.history[-1] - mean) < 1e-12) == is_cold


def test_callback_of_an_annealed_fit_receives_an_unknown_gain_while_it_is_hot() -> None:
    X, labels = clustered(spread=1.5)
    states: list[State] = []
    fit = fit_gmm(X, 3, em="annealed", init=labels, callback=states.append)
    gains = np.array([state.predicted_gain for state in states])
    assert np.isinf(gains[: HOT + 1]).all()
    assert gains[-1] <= 1e-6
    assert [state.objective for state in states] == fit.history.tolist()


def test_soft_is_the_default() -> None:
    X = clustered()[0]
    assert_same_fit_bits(fit_gmm(X, 3, rng=0), fit_gmm(X, 3, rng=0, em="soft"))


@pytest.mark.parametrize("em", ["Hard", "", "cem"])
def test_kind_of_em_that_is_unknown_is_refused(em: str) -> None:
    with pytest.raises(
        ValueError, match="em must be one of 'soft', 'hard', 'annealed', 'memoised'; got "
    ):
        fit_gmm(clustered()[0], 3, em=em)
    with pytest.raises(TypeError, match=r"'memoised'; got True \(bool\)\. Pass one of these"):
        fit_gmm(clustered()[0], 3, em=True)


# Events


@pytest.mark.parametrize("on_collapse", ["reseed", "drop", "raise"])
def test_component_of_a_hard_fit_that_wins_no_row_is_mended_or_named(on_collapse: str) -> None:
    """It has a share of every row in soft EM, and of none in hard EM."""
    X, labels = clustered(spread=6.0)
    good = maximised(X, np.eye(3)[labels], "full")
    order = [0, 1, 2, 2]
    weights = good.weights[order] * [1.0, 1.0, 0.9, 0.1]
    covariances = good.covariances[order].copy()
    start = GaussianMixture(weights / weights.sum(), good.means[order], covariances)
    settings: dict[str, Any] = {"init": start, "on_collapse": on_collapse}
    soft = fit_gmm(X, 4, em="soft", **settings)
    assert [(e.component, e.cause, e.action) for e in soft.events] == [(3, "identical", "kept")]
    assert soft.model.n_components == 4
    if on_collapse == "raise":
        message = r"cannot continue: component 3 has no weight at iteration 1\. Use fewer comp"
        with pytest.raises(FitError, match=message):
            fit_gmm(X, 4, em="hard", **settings)
        return
    fit = fit_gmm(X, 4, em="hard", **settings)
    event = fit.events[0]
    assert (event.iteration, event.component, event.cause) == (1, 3, "empty")
    assert event.action == {"reseed": "reseeded", "drop": "dropped"}[on_collapse]
    assert fit.model.n_components == (3 if on_collapse == "drop" else 4)
    assert np.isfinite(fit.history).all()


@every_kind
def test_fit_of_any_kind_recovers_from_a_singular_start(em: str) -> None:
    X, labels = clustered()
    labels = labels.copy()
    labels[0] = 3  # alone
    settings: dict[str, Any] = {"em": em, "init": labels, "reg_covar": 0.0}
    with pytest.raises(FitError, match="cannot start: component 3 has a singular covariance"):
        fit_gmm(X, 4, on_collapse="raise", **settings)
    fit = fit_gmm(X, 4, on_collapse="drop", **settings)
    assert str(fit.events[0]) == "iteration 0: component 3 singular, dropped"
    assert fit.model.n_components == 3


@pytest.mark.filterwarnings("ignore::mixtura.CoarseColumnsWarning")
@every_kind
def test_fit_of_any_kind_is_started_again_where_it_ends_on_ties(em: str) -> None:
    X = np.round(datasets.load_iris().data)
    fit = fit_gmm(X, 4, em=em, init="random", rng=0, reg_covar=1e-9)
    assert {event.action for event in fit.events} <= {"smoothed", "kept", "reseeded"}
    assert "smoothed" in {event.action for event in fit.events}
    assert np.isfinite(fit.log_likelihood)


# The same whatever makes it


@every_kind
@every_type
@pytest.mark.parametrize("init", ["kmeans++", "kmeans", "random", "labels", "mixture"])
def test_fit_of_either_backend_is_the_same(em: str, covariance_type: str, init: str) -> None:
    X, labels = clustered(300, 3, 3)
    begin = {"labels": labels, "mixture": maximised(X, np.eye(3)[labels], covariance_type)}
    settings = {
        "em": em,
        "covariance_type": covariance_type,
        "init": begin.get(init, init),
        "sample_weight": uneven_weights(len(X)),
        "rng": 3,
    } | ITERATIONS
    compiled, reference = (
        fit_gmm(X, 3, backend=backend, **settings) for backend in ("compiled", "reference")
    )
    assert_same_fit(compiled, reference, X)


@pytest.mark.parametrize("em", ["hard", "annealed"])
@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_fit_of_either_backend_is_the_same_for_every_family(em: str, name: str) -> None:
    X, labels = clustered(200, 3, 3)
    settings = {"em": em, "covariance_type": name, "init": labels} | ITERATIONS
    compiled, reference = (
        fit_gmm(X, 3, backend=backend, **settings) for backend in ("compiled", "reference")
    )
    np.testing.assert_allclose(reference.history, compiled.history, rtol=1e-8)


@every_kind
@every_type
def test_fit_of_either_backend_with_many_components_is_the_same(
    em: str, covariance_type: str
) -> None:
    """The compiled passes carry bounds, those of the reference are dense."""
    X, labels = clustered(3000, 3, 60, spread=8.0)
    settings = {"em": em, "covariance_type": covariance_type, "init": labels}
    compiled, reference = (
        fit_gmm(X, 60, backend=backend, tol=0.0, max_iter=8, **settings)
        for backend in ("compiled", "reference")
    )
    # Each pass leaves out shares of less than 1e-10 in all of a row.
    np.testing.assert_allclose(compiled.history, reference.history, rtol=1e-11)
    np.testing.assert_allclose(compiled.weights, reference.weights, rtol=1e-8)
    np.testing.assert_allclose(compiled.means, reference.means, rtol=0, atol=1e-7)


@every_kind
@every_method
def test_fit_of_any_kind_with_weights_is_that_of_repeated_rows(em: str, method: str) -> None:
    X = clustered()[0]
    times = np.random.default_rng(0).integers(0, 4, size=len(X))
    repeated = np.repeat(X, times, axis=0)
    settings = {"em": em, "init": method, "rng": 1} | ITERATIONS
    one = fit_gmm(X, 3, sample_weight=times, **settings)
    other = fit_gmm(repeated, 3, **settings)
    assert_same_fit(one, other, repeated)


@every_kind
@every_type
def test_fit_of_any_kind_has_equal_bits_for_any_number_of_threads(
    em: str, covariance_type: str
) -> None:
    X, labels = clustered(6000, 5, 3)
    settings: dict[str, Any] = {"em": em, "covariance_type": covariance_type, "init": labels}
    fits = [
        fit_gmm(X, 3, n_threads=n_threads, tol=0.0, max_iter=4, **settings)
        for n_threads in (1, 2, 3, 7, None)
    ]
    for fit in fits[1:]:
        assert_same_fit_bits(fit, fits[0])


@every_kind
@every_type
def test_fit_of_any_kind_far_from_zero_is_as_good(em: str, covariance_type: str) -> None:
    X, labels = clustered()
    settings = {"em": em, "covariance_type": covariance_type, "init": labels} | ITERATIONS
    one, other = (fit_gmm(rows, 3, **settings) for rows in (X, X + 1e8))
    np.testing.assert_allclose(other.history, one.history, atol=1e-7)
    np.testing.assert_allclose(other.model.covariances, one.model.covariances, atol=1e-6)


def test_hard_fit_is_never_accelerated() -> None:
    X = np.random.default_rng(0).uniform(size=(2000, 2))
    settings: dict[str, Any] = {"em": "hard", "init": np.resize(np.arange(6), len(X))}
    one, other = (fit_gmm(X, 6, accelerate=accelerate, **settings) for accelerate in (True, False))
    assert one.n_iter > 20  # long after the first extrapolation of soft EM
    assert_same_fit_bits(one, other)


def test_hard_fit_of_float32_rows_in_single_precision_is_that_in_double() -> None:
    X, labels = clustered(12_000, 8, 3)
    settings: dict[str, Any] = {"em": "hard", "init": labels} | ITERATIONS
    X = X.astype(np.float32)
    one, other = (fit_gmm(rows, 3, **settings) for rows in (X, X.astype(np.float64)))
    np.testing.assert_allclose(one.history, other.history, atol=1e-5)
    assert (one.model.predict(X) != other.model.predict(X)).sum() <= 2


# What they find


@every_kind
@every_method
@every_type
def test_fit_of_any_kind_finds_clear_clusters(em: str, method: str, covariance_type: str) -> None:
    cluster = np.repeat(np.arange(3), [50, 100, 150])
    X = np.random.default_rng(0).normal(size=(300, 2)) + 20.0 * np.eye(3)[cluster][:, :2]
    fit = fit_gmm(X, 3, em=em, init=method, covariance_type=covariance_type, rng=0)
    assert fit.converged
    expected = maximised(X, np.eye(3)[cluster], covariance_type)
    order = np.argsort(fit.model.weights)
    np.testing.assert_allclose(fit.model.weights[order], [1 / 6, 1 / 3, 1 / 2], atol=1e-6)
    np.testing.assert_allclose(fit.model.means[order], expected.means, atol=1e-6)


def test_hard_fit_separates_clusters_more_than_soft_em_does() -> None:
    """Rows of the overlap go altogether to one side, which narrows both."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(500, 1)), 2.5 + rng.normal(size=(500, 1))])
    labels = np.repeat([0, 1], 500)
    soft, hard = (fit_gmm(X, 2, em=em, init=labels) for em in ("soft", "hard"))
    assert hard.model.covariances.max() < soft.model.covariances.min()
    assert np.ptp(hard.model.means) > np.ptp(soft.model.means)
    assert hard.log_likelihood < soft.log_likelihood
