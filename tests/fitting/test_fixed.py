"""Parameters that stay as they are: which, at what objective, and what happens to their fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import clustered, objective
from kills import fit_with_kills
from loops import largest_fall
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from mixtura import FitError, GaussianMixture, GMMFit, fit_gmm, scan
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.data.checks import PARTS
from mixtura.shapes import Floats

X, LABELS = clustered(300, 2, 3, spread=2.0)
SEPARATE = ["VII", "VVI", "VVV"]
NOISE = 1e-12
some_masks = pytest.mark.parametrize(
    "fixed",
    [
        "weights",
        "means",
        "covariances",
        ("means", "weights"),
        ["covariances", "means", "weights"],
        np.array([True, False, False]),
        [True, False, True],
        {"means": [True, False, False], "weights": True},
        {"weights": [False, True, False], "covariances": [True, True, False]},
    ],
    ids=str,
)


def start(covariance_type: str, rows: Floats = X) -> GaussianMixture:
    """A mixture of the family that is not where any fit of these rows ends."""
    rng = np.random.default_rng(1)
    model = fit_gmm(rows, 3, covariance_type=covariance_type, init=LABELS, max_iter=1, tol=0).model
    means = model.means + 0.3 * rng.normal(size=model.means.shape)
    return GaussianMixture([0.25, 0.35, 0.4], means, 1.3 * model.covariances, covariance_type)


def masks_of(fixed: Any) -> NDArray[np.bool_]:
    """The components whose weights, means and covariances stay."""
    if isinstance(fixed, str):
        fixed = (fixed,)
    if isinstance(fixed[0] if isinstance(fixed, tuple | list) else None, str):
        fixed = dict.fromkeys(fixed, True)
    if isinstance(fixed, dict):
        return np.array([np.broadcast_to(fixed.get(part, False), 3) for part in PARTS])
    return np.array([fixed] * 3)


def assert_kept(fit: GMMFit, begin: GaussianMixture, fixed: Any) -> None:
    weights, means, covariances = masks_of(fixed)
    np.testing.assert_array_equal(fit.model.weights[weights], begin.weights[weights])
    np.testing.assert_array_equal(fit.model.means[means], begin.means[means])
    ours, theirs = fit.model.covariance_matrices(), begin.covariance_matrices()
    np.testing.assert_array_equal(ours[covariances], theirs[covariances])
    assert fit.model.weights.sum() == pytest.approx(1.0, abs=1e-14)


@some_masks
@pytest.mark.parametrize("covariance_type", SEPARATE)
@pytest.mark.parametrize("em", ["soft", "hard", "annealed"])
def test_fixed_parameters_stay_to_the_bit_and_the_objective_never_falls(
    fixed: Any, covariance_type: str, em: str
) -> None:
    begin = start(covariance_type)
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, init=begin, fixed=fixed, em=em, reg_covar=0.02
    )
    assert_kept(fit, begin, fixed)
    history = fit.history[8:] if em == "annealed" else fit.history
    assert largest_fall(history, []) <= NOISE
    # A component at a fixed mean may keep a few rows only, which a fit tells of.
    assert {event.cause for event in fit.events} <= {"ridge", "few"}


@pytest.mark.parametrize("covariance_type", CELEUX_GOVAERT)
@pytest.mark.parametrize("fixed", ["means", "covariances", {"means": [True, False, True]}], ids=str)
def test_means_and_all_covariances_can_be_fixed_in_every_family(
    covariance_type: str, fixed: Any
) -> None:
    begin = start(covariance_type)
    fit = fit_gmm(X, 3, covariance_type=covariance_type, init=begin, fixed=fixed, reg_covar=0.01)
    assert_kept(fit, begin, fixed)
    assert largest_fall(fit.history, []) <= NOISE
    GaussianMixture(fit.model.weights, fit.model.means, fit.model.covariances, covariance_type)


def free_objective(
    begin: GaussianMixture, masks: NDArray[np.bool_], ridge: float
) -> tuple[Any, Floats]:
    """Minus the objective as a function of what is free, and where it starts: by definition."""
    fixed_weights, fixed_means, fixed_covariances = masks
    _k, d = begin.means.shape
    lower = np.linalg.cholesky(begin.covariance_matrices())
    places = np.tril_indices(d)
    parts = [
        np.log(begin.weights[~fixed_weights]),
        begin.means[~fixed_means].ravel(),
        lower[~fixed_covariances][:, places[0], places[1]].ravel(),
    ]
    cuts = np.cumsum([len(part) for part in parts])[:2]

    def mixture(vector: Floats) -> GaussianMixture:
        logits, free_means, free_lower = np.split(vector, cuts)
        weights, means, factors = begin.weights.copy(), begin.means.copy(), lower.copy()
        if len(logits):
            weights[~fixed_weights] = (1 - weights[fixed_weights].sum()) * softmax(logits)
        means[~fixed_means] = free_means.reshape(-1, d)
        chosen = factors[~fixed_covariances]
        chosen[:, places[0], places[1]] = free_lower.reshape(len(chosen), len(places[0]))
        factors[~fixed_covariances] = chosen
        return GaussianMixture(weights, means, factors @ factors.transpose(0, 2, 1), "full")

    ridges = np.where(fixed_covariances, 0.0, ridge)

    def negative(vector: Floats) -> float:
        return -blurred_objective(mixture(vector), ridges)

    return negative, np.concatenate(parts)


def blurred_objective(mixture: GaussianMixture, ridges: Floats) -> float:
    """The objective with a ridge on some components only."""
    traces = np.trace(np.linalg.inv(mixture.covariance_matrices()), axis1=1, axis2=2)
    factors = np.exp(-0.5 * ridges * traces)
    total = (mixture.weights * factors).sum()
    scaled = GaussianMixture(
        mixture.weights * factors / total, mixture.means, mixture.covariances, "full"
    )
    return objective(X, scaled) + float(np.log(total))


@some_masks
@pytest.mark.parametrize("ridge", [0.0, 0.05])
def test_end_is_a_constrained_maximum_of_the_objective(fixed: Any, ridge: float) -> None:
    """By a general optimiser that starts where the fit starts, and where it ends."""
    begin = start("full")
    options = {"fixed": fixed, "reg_covar": [ridge, ridge], "tol": 1e-12, "max_iter": 5000}
    fit = fit_gmm(X, 3, init=begin, **options)
    masks = masks_of(fixed)
    negative, first = free_objective(begin, masks, ridge)
    if not len(first):
        return
    best = minimize(negative, first, method="BFGS")
    assert fit.history[-1] == pytest.approx(-best.fun, abs=1e-6)
    negative, end = free_objective(fit.model, masks, ridge)
    assert fit.history[-1] == pytest.approx(-negative(end), rel=1e-12)
    assert -minimize(negative, end, method="BFGS").fun <= fit.history[-1] + 1e-7


def test_fixed_weights_means_and_covariances_together_are_the_mixture_itself() -> None:
    begin = start("full")
    fit = fit_gmm(X, 3, init=begin, fixed=PARTS)
    assert fit.model == begin
    assert fit.log_likelihood == pytest.approx(begin.log_likelihood(X), rel=1e-14)
    assert fit.converged


def test_nothing_fixed_is_the_ordinary_fit() -> None:
    begin = start("full")
    for fixed in ((), [False] * 3, {}, {"means": False}):
        assert fit_gmm(X, 3, init=begin, fixed=fixed).model == fit_gmm(X, 3, init=begin).model


@pytest.mark.parametrize("covariance_type", ["VVV", "EEE"])
@pytest.mark.parametrize("fixed", ["means", {"weights": [True, False, False]}], ids=str)
def test_extrapolations_end_where_plain_iterations_end(covariance_type: str, fixed: Any) -> None:
    rows = clustered(400, 2, 3, spread=1.0)[0]
    options = {"covariance_type": covariance_type, "init": start(covariance_type), "fixed": fixed}
    options |= {"max_iter": 20_000, "tol": 1e-10}
    accelerated, plain = (fit_gmm(rows, 3, accelerate=each, **options) for each in (True, False))
    assert accelerated.converged
    assert plain.converged
    assert accelerated.n_iter <= plain.n_iter
    assert accelerated.history[-1] == pytest.approx(plain.history[-1], abs=1e-8)
    assert largest_fall(accelerated.history, []) <= NOISE
    assert_kept(accelerated, options["init"], fixed)


def test_rows_in_blocks_float32_weights_and_reference_agree_with_plain_rows() -> None:
    begin, fixed = start("full"), {"means": [True, False, False], "weights": True}
    options = {"init": begin, "fixed": fixed}
    whole = fit_gmm(X, 3, **options)
    twice = scan([X, X[:0].reshape(0, 2), X][::2])
    others = [
        fit_gmm(scan([X[:100], X[100:]]), 3, **options),
        fit_gmm(twice, 3, **options),
        fit_gmm(X, 3, sample_weight=np.full(len(X), 2.0), **options),
        fit_gmm(X, 3, backend="reference", **options),
        fit_gmm(X.astype(np.float32), 3, **options),
    ]
    for other in others:
        np.testing.assert_allclose(other.model.means, whole.model.means, atol=1e-4)
        assert_kept(other, begin, fixed)


def test_one_column_and_one_component_can_be_fixed() -> None:
    column = X[:, :1]
    begin = GaussianMixture([1.0], [[0.5]], [[[2.0]]], "full")
    fit = fit_gmm(column, 1, init=begin, fixed="means", reg_covar=0)
    assert fit.model.covariances[0, 0, 0] == pytest.approx(np.square(column - 0.5).mean())
    fit = fit_gmm(column, 1, init=begin, fixed="covariances")
    assert fit.model.means[0, 0] == pytest.approx(column.mean())


def test_few_rows_suffice_where_covariances_are_fixed() -> None:
    begin = start("full")
    with pytest.raises(FitError, match="3 components of 2 features need at least 9 rows"):
        fit_gmm(X[::50], 3, init=begin, reg_covar=0)
    fit = fit_gmm(X[::50], 3, init=begin, fixed="covariances", reg_covar=0)
    assert_kept(fit, begin, "covariances")
    with pytest.raises(FitError, match="2 components of 2 features need at least 6 rows"):
        fit_gmm(X[::60], 3, init=begin, fixed=[True, False, False], reg_covar=0)


# Components that collapse


BACKGROUND = GaussianMixture(
    [0.2, 0.4, 0.4],
    [[500.0, 500.0], *X[:2]],
    np.tile(np.eye(2), (3, 1, 1)),
    "full",
)


@pytest.mark.parametrize("on_collapse", ["reseed", "drop", "raise"])
@pytest.mark.parametrize("covariance_type", ["full", "VEE", "EVI", "EEE", "VEV"])
def test_held_component_without_rows_stays_where_it_is(
    on_collapse: Any, covariance_type: str
) -> None:
    begin = GaussianMixture(
        BACKGROUND.weights, BACKGROUND.means,
        FAMILIES[covariance_type].shape.from_matrices(BACKGROUND.covariance_matrices()),
        covariance_type,
    )  # fmt: skip
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, init=begin,
        fixed={"means": [True, False, False]}, on_collapse=on_collapse,
    )  # fmt: skip
    assert fit.model.weights[0] == 0.0
    np.testing.assert_array_equal(fit.model.means[0], begin.means[0])
    assert [(e.component, e.cause, e.action) for e in fit.events] == [(0, "empty", "kept")]
    assert largest_fall(fit.history, []) <= NOISE
    GaussianMixture(fit.model.weights, fit.model.means, fit.model.covariances, covariance_type)
    if covariance_type == "full":
        np.testing.assert_array_equal(fit.model.covariances[0], begin.covariances[0])


def test_masked_component_without_rows_keeps_its_weight() -> None:
    fit = fit_gmm(X, 3, init=BACKGROUND, fixed=[True, False, False])
    assert_kept(fit, BACKGROUND, [True, False, False])
    assert [(e.component, e.cause, e.action) for e in fit.events] == [(0, "empty", "kept")]


@pytest.mark.parametrize("covariance_type", ["full", "EEE"])
def test_held_component_whose_rows_have_no_scatter_keeps_its_covariance(
    covariance_type: str,
) -> None:
    line = np.column_stack([X[:, 0], np.zeros(len(X))])
    covariances = np.tile(np.eye(2), (3, 1, 1))
    begin = GaussianMixture(
        BACKGROUND.weights, line[:3],
        FAMILIES[covariance_type].shape.from_matrices(covariances), covariance_type,
    )  # fmt: skip
    fit = fit_gmm(line, 3, covariance_type=covariance_type, init=begin, fixed="means", reg_covar=0)
    np.testing.assert_array_equal(fit.model.covariances, begin.covariances)
    assert [(e.cause, e.action) for e in fit.events] == [("singular", "kept")] * 3
    assert largest_fall(fit.history, []) <= NOISE


@pytest.mark.parametrize("on_collapse", ["reseed", "drop"])
def test_free_component_that_collapses_leaves_the_fixed_ones_as_they_are(on_collapse: Any) -> None:
    """The heaviest is fixed, and would be split; the narrowed masks still fit the components."""
    begin = GaussianMixture(
        [0.2, 0.7, 0.1], [[500.0, 500.0], *X[:2]], np.tile(np.eye(2), (3, 1, 1)), "full"
    )
    found: list[tuple[Floats, Floats, Floats]] = []
    fit = fit_gmm(
        X, 3, init=begin, fixed=[False, True, False], on_collapse=on_collapse,
        callback=lambda state: found.append(state.parameters[:3]),
    )  # fmt: skip
    assert {(e.component, e.action) for e in fit.events} == {
        (0, "reseeded" if on_collapse == "reseed" else "dropped")
    }
    j = 1 if on_collapse == "reseed" else 0
    for weights, means, covariances in [*found, fit.model._parameters()[:3]]:
        assert weights[j] == 0.7
        np.testing.assert_array_equal(means[j], begin.means[1])
        np.testing.assert_array_equal(covariances[j], begin.covariances[1])
        assert weights.sum() == pytest.approx(1.0, abs=1e-14)


def test_fixed_weights_sum_to_one_after_the_others_were_dropped() -> None:
    begin = GaussianMixture(
        [0.3, 0.1, 0.6], [[500.0, 500.0], *X[:2]], np.tile(np.eye(2), (3, 1, 1)), "full"
    )
    fit = fit_gmm(X, 3, init=begin, fixed=[False, True, True], on_collapse="drop")
    np.testing.assert_allclose(fit.model.weights, [1 / 7, 6 / 7])
    with pytest.raises(FitError, match="component 0 has no weight"):
        fit_gmm(X, 3, init=begin, fixed=[False, True, True], on_collapse="raise")


@pytest.mark.parametrize("on_collapse", ["reseed", "drop"])
def test_killed_fit_with_fixed_parameters_ends_with_the_same_bits(
    tmp_path: Path, on_collapse: Any
) -> None:
    """After a component was dropped, the masks are narrowed again when the fit continues."""
    begin = GaussianMixture(
        [0.2, 0.7, 0.1], [[500.0, 500.0], *X[:2]], np.tile(np.eye(2), (3, 1, 1)), "full"
    )
    options = {
        "init": begin,
        "fixed": {"means": [False, True, False], "weights": [False, True, False]},
    }
    options |= {"on_collapse": on_collapse, "tol": 1e-9}
    alone = fit_gmm(X, 3, **options)
    assert alone.events
    killed = fit_with_kills(tmp_path / "c", [1, 2, 4, 9], X, 3, **options)
    assert killed.model == alone.model
    assert killed.history.tobytes() == alone.history.tobytes()
    assert killed.events == alone.events


def test_checkpoint_of_other_fixed_parameters_is_refused(tmp_path: Path) -> None:
    path, begin = tmp_path / "c", start("full")

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_gmm(X, 3, init=begin, fixed="means", checkpoint=path, callback=stop)
    for fixed in ("weights", None, [True, False, False]):
        with pytest.raises(ValueError, match="it is of another one: fixed was"):
            fit_gmm(X, 3, init=begin, fixed=fixed, checkpoint=path)


# Arguments


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"fixed": "mean"}, ValueError, ("fixed must be one of 'weights', 'means', 'covariances'; "
            "got 'mean'. Did you mean 'means'?")),
        ({"fixed": {"mean": True}}, ValueError, "fixed must be one of 'weights', 'means'"),
        ({"fixed": 3}, TypeError, ("fixed must be a boolean mask of components, or name 'weights', "
            "'means', 'covariances'; got 3 (int). Pass an array of True and False, one for each")),
        ({"fixed": [0, 1, 0]}, TypeError, "fixed must be a boolean mask of components, or name"),
        ({"fixed": {"means": "all"}}, TypeError, ("fixed['means'] must be a boolean mask "
            "of components, True or False; got 'all' (str). Pass an array of True and False")),
        ({"fixed": [True, False]}, ValueError, ("fixed must have shape (3,), True or False for "
            "each component; got (2,). Give each component one value.")),
        ({"fixed": "means", "init": "kmeans"}, ValueError, ("init must be a mixture where "
            "parameters are fixed: they stay as it has them; got 'kmeans'. Pass a GaussianMixture "
            "with the fixed values and a start for the others.")),
        ({"fixed": "means", "init": LABELS}, ValueError, "as it has them; got ndarray. Pass"),
        ({"fixed": "means", "init": lambda *_: "random"}, ValueError, "has them; got 'random'"),
        ({"fixed": {"covariances": [True, False, False]}, "covariance_type": "VEE"}, ValueError,
            ("fixed covariances must be those of all components for covariance_type 'VEE', whose "
            "components share a part of them; got 1 of 3. Fix all or none, or use")),
        ({"fixed": {"weights": [True, False, False]},
            "init": GaussianMixture([1.0, 0.0, 0.0], X[:3], [np.eye(2)] * 3, "full")}, ValueError,
            ("fixed weights must leave something for the other components; those of init sum to "
            "1.0. Start from smaller ones, or fix all of them.")),
    ],
)  # fmt: skip
def test_argument_that_is_bad_is_refused(
    changed: dict[str, Any], error: type[Exception], message: str
) -> None:
    options = {"init": start(changed.get("covariance_type", "full"))} | changed
    with pytest.raises(error, match=re.escape(message)):
        fit_gmm(X, 3, **options)
