"""What a prior keeps in every kind of fit: the objective, its properties, and what is recorded."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import clustered, objective
from kills import fit_with_kills, kill
from loops import largest_fall

from mixtura import (
    ConjugatePrior,
    FitError,
    GaussianMixture,
    GMMFit,
    TracePrior,
    fit_gmm,
    load,
    scan,
    select_gmm,
)
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.shapes import Floats

X, LABELS = clustered(150, 2, 3, spread=2.0)
NOISE = 1e-12
OWN = ConjugatePrior(
    concentration=[2.0, 1.0, 5.0], mean=[[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]],
    shrinkage=[1.0, 3.0, 0.5], dof=6.0, scale=0.8,
)  # fmt: skip
PRIORS = {"default": "default", "own": OWN, "trace": TracePrior(0.3)}
every_family = pytest.mark.parametrize("covariance_type", CELEUX_GOVAERT)
every_prior = pytest.mark.parametrize("prior", PRIORS)
some_families = pytest.mark.parametrize("covariance_type", ["EII", "VVI", "EEE", "VEV", "VVV"])


def with_gaps(rows: Floats = X) -> Floats:
    """Rows of which every seventh number is missing."""
    gaps = rows.copy()
    gaps.ravel()[::7] = np.nan
    return gaps


# Kinds of fits, and the rows that they are of.
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "plain": (X, {"accelerate": False}),
    "hard": (X, {"em": "hard"}),
    "annealed": (X, {"em": "annealed"}),
    "missing": (with_gaps(), {"missing": "em"}),
    "weighted": (X, {"sample_weight": np.arange(150) % 3}),
    "labelled": (X, {"labels": np.where(np.arange(150) % 4, -1, LABELS)}),
    "labelled and missing": (
        with_gaps(), {"labels": np.where(np.arange(150) % 4, -1, LABELS), "missing": "em"},
    ),
    "noisy": (X, {"noise_covariance": np.full(150, 0.05)}),
    "blocks": (scan([X[:40], X[40:]]), {}),
    "single": (X.astype(np.float32), {}),
    "reference": (X, {"backend": "reference"}),
}  # fmt: skip


def fitted(rows: Any = X, **options: Any) -> GMMFit:
    init = {} if not isinstance(rows, np.ndarray) else {"init": LABELS}
    return fit_gmm(rows, 3, **({"rng": 0} | init | options))


# ---- the objective ----


@every_family
@every_prior
@pytest.mark.parametrize("reg_covar", [0.0, 0.02])
def test_objective_of_every_family_never_falls(
    covariance_type: str, prior: str, reg_covar: float
) -> None:
    options = {"covariance_type": covariance_type, "prior": PRIORS[prior], "reg_covar": reg_covar}
    for accelerate in (True, False):
        fit = fitted(accelerate=accelerate, tol=1e-9, max_iter=3000, **options)
        assert fit.converged
        assert fit.events == ()
        assert largest_fall(fit.history, ()) <= NOISE


@some_families
@every_prior
def test_objective_is_that_of_rows_ridge_and_prior(covariance_type: str, prior: str) -> None:
    ridge = np.array([0.1, 0.03])
    fit = fitted(covariance_type=covariance_type, prior=PRIORS[prior], reg_covar=ridge, max_iter=4,
                 tol=0.0)  # fmt: skip
    expected = objective(X, fit.model, ridge=ridge) + fit.log_prior / len(X)
    assert fit.history[-1] == pytest.approx(expected, rel=1e-12)
    assert fit.log_likelihood == pytest.approx(fit.model.log_likelihood(X), rel=1e-12)
    assert fit.model.bic(X) == pytest.approx(
        -2.0 * fit.log_likelihood + math.log(len(X)) * fit.model.n_parameters
    )


@every_family
@every_prior
def test_end_of_a_fit_is_a_maximum_of_likelihood_and_prior(
    covariance_type: str, prior: str
) -> None:
    given = PRIORS[prior]
    given = ConjugatePrior() if isinstance(given, str) else given
    known = given.of_rows(X, 3, covariance_type)
    fit = fitted(covariance_type=covariance_type, prior=given, reg_covar=0.0, tol=1e-12)
    model = fit.model

    def value(weights: Floats, means: Floats, covariances: Floats) -> float:
        other = GaussianMixture(weights / weights.sum(), means, covariances, covariance_type)
        return other.log_likelihood(X) + known.log_pdf(other)

    best = value(model.weights, model.means, model.covariances)
    assert best == pytest.approx(fit.log_likelihood + fit.log_prior, rel=1e-12)
    for step in (-1e-3, 1e-3):
        for a in range(2):
            aside = model.means + step * np.eye(2)[a] * [[1.0], [0.0], [0.0]]
            assert value(model.weights, aside, model.covariances) < best
        assert value(model.weights, model.means, (1.0 + step) * model.covariances) < best
        tilted = model.weights * [1.0 + step, 1.0, 1.0]
        assert value(tilted, model.means, model.covariances) < best


@every_prior
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_every_kind_of_fit_takes_a_prior(kind: str, covariance_type: str, prior: str) -> None:
    rows, options = KINDS[kind]
    fit = fitted(rows, covariance_type=covariance_type, prior=PRIORS[prior], reg_covar=0.0,
                 **options)  # fmt: skip
    assert fit.converged
    history = fit.history[-3:] if kind == "annealed" else fit.history
    assert largest_fall(history, fit.events) <= (1e-6 if kind == "single" else NOISE)
    if kind == "hard":
        joint = fit.component_log_prob(X)
        total = joint.max(axis=1).mean() + fit.log_prior / len(X)
        assert fit.history[-1] == pytest.approx(total, rel=1e-9)
    else:
        total = (fit.log_likelihood + fit.log_prior) / fit.weight_sum
        assert fit.history[-1] == pytest.approx(total, rel=1e-9)
    given = PRIORS[prior]
    known = ConjugatePrior() if isinstance(given, str) else given
    if kind in ("plain", "reference", "hard", "labelled", "blocks"):
        known = known.of_rows(X, 3, covariance_type)
        assert known.log_pdf(fit.model) == pytest.approx(fit.log_prior, rel=1e-9)


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_default_prior_of_rows_with_gaps_has_their_likeliest_covariance(
    covariance_type: str,
) -> None:
    rows = with_gaps()
    one = fit_gmm(rows, 1, covariance_type=covariance_type, missing="em", reg_covar=0.0, tol=1e-12)
    prior = ConjugatePrior().of_rows(rows, 2, covariance_type, missing="em")
    np.testing.assert_allclose(prior.mean, one.means[0], rtol=1e-5)
    expected = one.covariances[0] * 150 / 149
    expected = expected.mean() if covariance_type == "diag" else expected
    np.testing.assert_allclose(prior.scale, expected / 2.0, rtol=1e-5)


# ---- properties ----


@every_prior
@some_families
def test_integer_weights_are_repeated_rows(covariance_type: str, prior: str) -> None:
    times = np.arange(150) % 3 + (np.arange(150) < 3)
    options = {"covariance_type": covariance_type, "prior": PRIORS[prior], "max_iter": 6,
               "tol": 0.0}  # fmt: skip
    one = fit_gmm(X, 3, init=LABELS, sample_weight=times, **options)
    other = fit_gmm(np.repeat(X, times, axis=0), 3, init=np.repeat(LABELS, times), **options)
    np.testing.assert_allclose(one.history, other.history, rtol=1e-11)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-9, atol=1e-10)
    assert one.log_prior == pytest.approx(other.log_prior, rel=1e-9)


@pytest.mark.parametrize("prior", ["default", "trace"])
@every_family
def test_fit_in_another_unit_and_place_is_the_same(covariance_type: str, prior: str) -> None:
    options = {"covariance_type": covariance_type, "prior": PRIORS[prior], "max_iter": 6,
               "tol": 0.0}  # fmt: skip
    one, other = fitted(**options), fitted(8.0 * X + 1024.0, **options)
    np.testing.assert_allclose(other.means, 8.0 * one.means + 1024.0, rtol=1e-11)
    np.testing.assert_allclose(other.covariances, 64.0 * one.covariances, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(other.weights, one.weights, rtol=1e-9)


def test_features_in_units_of_their_own_change_nothing_for_full_covariances() -> None:
    units = np.array([0.25, 64.0])
    options = {"prior": "default", "max_iter": 6, "tol": 0.0}
    one, other = fitted(**options), fitted(X * units, **options)
    np.testing.assert_allclose(other.means, one.means * units, rtol=1e-10)
    moved = -len(X) * np.log(units).sum()
    assert other.log_likelihood == pytest.approx(one.log_likelihood + moved, rel=1e-10)


@some_families
def test_components_and_their_priors_in_another_order_give_the_same(covariance_type: str) -> None:
    order = np.array([2, 0, 1])
    assert isinstance(OWN.mean, np.ndarray)
    assert isinstance(OWN.concentration, np.ndarray)
    assert isinstance(OWN.shrinkage, np.ndarray)
    turned = ConjugatePrior(
        concentration=OWN.concentration[order], mean=OWN.mean[order],
        shrinkage=OWN.shrinkage[order], dof=OWN.dof, scale=OWN.scale,
    )  # fmt: skip
    options = {"covariance_type": covariance_type, "max_iter": 6, "tol": 0.0}
    one = fitted(prior=OWN, **options)
    other = fitted(prior=turned, init=np.argsort(order)[LABELS], **options)
    np.testing.assert_allclose(other.means, one.means[order], rtol=1e-10)
    np.testing.assert_allclose(other.history, one.history, rtol=1e-12)


def test_order_of_components_with_priors_of_their_own_stays() -> None:
    means = np.array([[-40.0, 0.0], [40.0, 0.0]])
    rows = np.vstack([np.random.default_rng(0).normal(size=(30, 2)) + mean
                      for mean in (means[1], means[1], means[0])])  # fmt: skip
    prior = ConjugatePrior(mean=means, shrinkage=1e4, dof=4.0, scale=1.0)
    fit = fit_gmm(rows, 2, prior=prior, rng=0)
    np.testing.assert_allclose(fit.means, means, atol=1.0)
    assert fit.weights[0] < fit.weights[1]
    assert prior.log_pdf(fit) == pytest.approx(fit.log_prior, rel=1e-12)


# ---- few rows, and none ----


def test_component_without_rows_has_the_mode_of_its_prior_and_no_event() -> None:
    labels = np.where(LABELS == 2, 1, LABELS)
    begin = fit_gmm(X, 2, init=labels, max_iter=1, tol=0.0).model
    far = GaussianMixture(
        np.append(begin.weights * 0.9, 0.1),
        np.vstack([begin.means, [[1e6, 1e6]]]),
        np.concatenate([begin.covariances, np.eye(2)[None]]),
    )
    prior = ConjugatePrior(concentration=2.0, mean=[1.0, 2.0], shrinkage=0.5, dof=4.0, scale=3.0)
    options = {"em": "hard", "prior": prior, "reg_covar": 0.0, "tol": 0.0}
    fit = fit_gmm(X, 3, init=far, max_iter=1, **options)
    assert fit.events == ()
    np.testing.assert_allclose(fit.means[2], [1.0, 2.0], rtol=1e-12)
    np.testing.assert_allclose(fit.covariances[2], 3.0 * np.eye(2) / (4 + 2 + 1 + 1))
    assert fit.weights[2] == pytest.approx(1.0 / (len(X) + 3.0))


def test_fewer_rows_than_features_suffice() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 6))
    prior = ConjugatePrior(mean=np.zeros(6), scale=1.0)
    fit = fit_gmm(rows, 2, prior=prior, reg_covar=0.0, rng=0)
    assert fit.converged
    assert fit.events == ()


@pytest.mark.filterwarnings("ignore::mixtura.SingularScaleWarning")
@pytest.mark.parametrize("n", [1, 2])
def test_one_row_suffices_from_a_mixture_under_a_prior(n: int) -> None:
    background = fitted()
    centred = ConjugatePrior.from_model(background)
    for prior in (centred, "default", TracePrior(0.1)):
        for init in (background, background.model):
            fit = fit_gmm(X[:n], 3, init=init, prior=prior)
            assert np.isfinite(fit.history).all()
            # Without a prior of means, a component without rows is dropped.
            assert fit.n_components == 3 or isinstance(prior, TracePrior)
    adapted = fit_gmm(X[:n], 3, init=background, prior=centred)
    assert adapted.log_likelihood > background.log_prob(X[:n]).sum()
    # Starts that need rows need as many as before, and so does a likelihood without a prior.
    weights = ConjugatePrior(concentration=2.0, shrinkage=0.0, dof=-3.0, scale=0.0)
    bad: list[dict[str, Any]] = [
        {"prior": centred}, {"prior": centred, "init": background.means}, {"init": background},
        {"init": background, "prior": weights},
    ]  # fmt: skip
    for options in bad:
        with pytest.raises(ValueError, match=f"X must have at least 3 rows; got {n}"):
            fit_gmm(X[:n], 3, **options)


def test_prior_of_the_weights_alone_leaves_few_rows_an_error() -> None:
    prior = ConjugatePrior(concentration=2.0, shrinkage=0.0, dof=-7.0, scale=0.0)
    with pytest.raises(FitError, match="cannot be estimated"):
        fit_gmm(np.eye(6)[:4], 2, prior=prior, reg_covar=0.0, rng=0)


@pytest.mark.parametrize("covariance_type", ["EII", "EEI", "VVI", "EEE", "VVV"])
def test_prior_of_components_that_are_left_is_theirs(covariance_type: str) -> None:
    # Without a prior on its mean, a component that loses its rows is dropped.
    parts = {"mean": np.zeros(2), "dof": 4.0, "scale": 1.0}
    prior = ConjugatePrior(concentration=[2.0, 3.0, 4.0], shrinkage=[0.0, 1.0, 2.0], **parts)
    begin = fitted(covariance_type=covariance_type, max_iter=1, tol=0.0).model
    means = begin.means.copy()
    means[0] = 1e6
    far = GaussianMixture(begin.weights, means, begin.covariances, covariance_type)
    options = {"em": "hard", "on_collapse": "drop", "reg_covar": 0.0, "tol": 0.0}
    options |= {"covariance_type": covariance_type}
    fit = fit_gmm(X, 3, init=far, prior=prior, max_iter=2, **options)
    assert fit.n_components == 2
    left = ConjugatePrior(concentration=[3.0, 4.0], shrinkage=[1.0, 2.0], **parts)
    assert left.log_pdf(fit) == pytest.approx(fit.log_prior, rel=1e-12)
    # One more step by the prior that is left leads where the fit went.
    before = fit_gmm(X, 3, init=far, prior=prior, max_iter=1, **options).model
    step = fit_gmm(X, 2, init=before, prior=left, max_iter=1, **options)
    np.testing.assert_allclose(fit.means, step.means, rtol=1e-12)
    np.testing.assert_allclose(fit.covariances, step.covariances, rtol=1e-12)


# ---- fixed parameters ----


@pytest.mark.parametrize("covariance_type", ["VII", "VVI", "EEE", "VVV"])
@pytest.mark.parametrize(
    "fixed",
    ["means", "weights", "covariances", ("means", "weights"), [True, False, False],
     {"means": [False, True, False], "weights": [True, False, False]}],
    ids=str,
)  # fmt: skip
def test_objective_beside_fixed_parameters_never_falls(fixed: Any, covariance_type: str) -> None:
    if covariance_type == "EEE" and isinstance(fixed, list):
        fixed = {"means": fixed}
    begin = fitted(covariance_type=covariance_type, max_iter=1, tol=0.0).model
    begin = GaussianMixture(
        [0.2, 0.3, 0.5], begin.means + 0.4, 1.3 * begin.covariances, covariance_type
    )
    fit = fit_gmm(X, 3, covariance_type=covariance_type, init=begin, fixed=fixed, prior=OWN,
                  reg_covar=0.0)  # fmt: skip
    assert fit.converged
    assert largest_fall(fit.history, ()) <= NOISE
    total = fit.log_likelihood + OWN.log_pdf(fit.model)
    assert len(X) * fit.history[-1] == pytest.approx(total, rel=1e-12)


def test_scatter_and_weights_beside_fixed_ones_are_those_of_the_formulas() -> None:
    begin = fitted(max_iter=1, tol=0.0).model
    fixed = {"means": [True, False, False], "weights": [False, False, True]}
    options = {"fixed": fixed, "prior": OWN, "reg_covar": 0.0, "max_iter": 1, "tol": 0.0}
    fit = fit_gmm(X, 3, init=begin, **options)
    resp = begin.responsibilities(X)
    z = X - begin.means[0]
    apart = begin.means[0] - OWN.mean[0]
    scatter = np.einsum("i,ia,ib->ab", resp[:, 0], z, z) + 0.8 * np.eye(2)
    scatter += 1.0 * np.outer(apart, apart)
    counts = resp.sum(axis=0)
    np.testing.assert_allclose(fit.covariances[0], scatter / (counts[0] + 6 + 2 + 1 + 1))
    free = counts[:2] + np.array([1.0, 0.0])
    expected = (1.0 - begin.weights[2]) * free / free.sum()
    np.testing.assert_allclose(fit.weights[:2], expected, rtol=1e-12)


def test_means_fixed_beside_labels_have_their_scatter_about_them() -> None:
    begin = fitted(max_iter=1, tol=0.0).model
    options = {"fixed": "means", "prior": OWN, "reg_covar": 0.0, "max_iter": 1, "tol": 0.0}
    fit = fit_gmm(X, 3, init=begin, labels=LABELS, **options)
    for j, kappa in enumerate(OWN.shrinkage):
        own = np.equal(LABELS, j)
        z, apart = X[own] - begin.means[j], begin.means[j] - OWN.mean[j]
        scatter = z.T @ z + 0.8 * np.eye(2) + kappa * np.outer(apart, apart)
        np.testing.assert_allclose(fit.covariances[j], scatter / (len(z) + 6 + 2 + 1 + 1))


def test_component_that_is_held_without_rows_has_a_covariance_of_its_prior() -> None:
    begin = fitted(covariance_type="VEE", max_iter=1, tol=0.0).model
    means = begin.means.copy()
    means[2] = 1e4
    far = GaussianMixture(begin.weights, means, begin.covariances, "VEE")
    prior = ConjugatePrior(mean=means, shrinkage=1.0, dof=4.0, scale=1.0)
    options = {"covariance_type": "VEE", "prior": prior, "fixed": {"means": True}, "em": "hard"}
    fit = fit_gmm(X, 3, init=far, reg_covar=0.0, **options)
    assert fit.events == ()
    # Its volume is largest a posteriori where trace(inv(covariance) scale) is d (dof + d + 1 + 1).
    precision = np.linalg.inv(fit.covariances[2])
    assert np.trace(precision) == pytest.approx(2 * (4 + 2 + 1 + 1), rel=1e-9)


# ---- what is recorded ----


def test_fit_that_is_killed_and_continued_has_the_same_bits(tmp_path: Path) -> None:
    options = {"prior": OWN, "init": LABELS, "tol": 0.0, "max_iter": 8}
    whole = fit_gmm(X, 3, **options)
    fit = fit_with_kills(tmp_path / "fit", [3, 6], X, 3, **options)
    assert fit.history.tobytes() == whole.history.tobytes()
    assert fit.log_prior == whole.log_prior


def test_checkpoint_of_another_prior_is_refused(tmp_path: Path) -> None:
    options = {"init": LABELS, "tol": 0.0, "max_iter": 8}
    kill(tmp_path / "fit", 3, X, 3, prior=OWN, **options)
    others: dict[str, Any] = {
        "prior was ConjugatePrior and is None; ": None,
        r"prior\.concentration was .+; prior\.mean was .+ and is None; prior\.shrink": "default",
        r"prior\.scale was 0\.8 and is 0\.9\. Pass": replace(OWN, scale=0.9),
        "prior was ConjugatePrior and is TracePrior; ": TracePrior(1.0),
    }
    for message, other in others.items():
        with pytest.raises(ValueError, match=f"it is of another one: {message}"):
            fit_gmm(X, 3, prior=other, checkpoint=tmp_path / "fit", **options)


def test_saved_fit_keeps_its_log_prior(tmp_path: Path) -> None:
    fit = fitted(prior="default")
    fit.save(tmp_path / "fit.npz")
    assert load(tmp_path / "fit.npz").log_prior == fit.log_prior < 0.0
    assert f"log prior {fit.log_prior:.6f} nats" in fit.summary()
    plain = fitted()
    assert plain.log_prior == 0.0
    assert not math.copysign(1.0, plain.log_prior) < 0.0
    assert "log prior" not in plain.summary()


def test_selection_under_a_prior_ranks_by_the_likelihood() -> None:
    options = {"prior": "default", "rng": 0, "n_init": 2}
    selection = select_gmm(X, [1, 2, 3], ["EII", "VVV", "EVE"], **options)
    assert len(selection.fits) == 9
    for (k, name), fit in selection.fits.items():
        assert fit.log_prior != 0.0
        assert fit.events == ()
        entry = selection.table[k - 1, ["EII", "VVV", "EVE"].index(name)]
        assert entry == pytest.approx(fit.model.bic(X), rel=1e-10)


def test_selection_under_a_prior_has_models_of_few_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(7, 3))
    with_prior = select_gmm(rows, [2], ["VVV"], prior="default", rng=0)
    assert (2, "VVV") in with_prior.fits
    without = select_gmm(rows, [2], ["VVV"], rng=0)
    assert "needs at least" in without.reasons[2, "VVV"]
