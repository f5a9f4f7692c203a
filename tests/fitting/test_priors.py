"""Fits under a prior against published figures, definitions and formulas by plain loops."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES
from priors import CASES, Case
from scipy import stats

from mixtura import (
    ConjugatePrior,
    GaussianMixture,
    GMMFit,
    TracePrior,
    datasets,
    fit_bayesian_gmm,
    fit_gmm,
)
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.data import open_rows
from mixtura.fitting.estimates import MaximumAPosteriori
from mixtura.fitting.survey import Survey
from mixtura.passes import Backend
from mixtura.shapes import Floats

X, LABELS = clustered(120, 2, 3, spread=2.0)
every_backend = pytest.mark.parametrize("backend", ["reference", "compiled"])
every_family = pytest.mark.parametrize("covariance_type", CELEUX_GOVAERT)


def first_step(case: Case, backend: str) -> GaussianMixture:
    """The mixture after the M-step from the labels."""
    family = FAMILIES[case.covariance_type]
    survey = Survey(open_rows(case.X), Backend(backend, 1))
    no_ridge = np.zeros(case.X.shape[1])
    estimate = MaximumAPosteriori(case.prior)
    update = estimate.update(survey, family, case.n_components, no_ridge)
    rows = survey.rows(family.shape, "soft")
    centres = np.tile(survey.centre, (case.n_components, 1))
    parameters, failed = update.update(rows.given(case.labels, centres))
    assert not failed.any()
    return GaussianMixture._of(case.covariance_type, parameters)


def iterated(case: Case, n_iter: int, backend: str = "compiled") -> GMMFit:
    """The fit after plain iterations from the labels, of which the start is one more."""
    return fit_gmm(
        case.X, case.n_components, covariance_type=case.covariance_type, init=case.labels,
        prior=case.prior, reg_covar=0.0, tol=0.0, max_iter=n_iter, backend=backend,
    )  # fmt: skip


# ---- published figures ----


@every_backend
@pytest.mark.parametrize("name", CASES)
def test_objectives_after_listed_iterations_are_the_published_ones(name: str, backend: str) -> None:
    case = CASES[name]
    listed = {int(m): each for m, each in case.figures["after_em_iterations"].items()}
    assert listed.keys() == {1, 2, 5, 10}
    start = first_step(case, backend)
    after = {1: (start.log_likelihood(case.X), case.prior.log_pdf(start))}
    for m in (2, 5, 10):
        fit = iterated(case, m - 1, backend)
        after[m] = fit.log_likelihood, fit.log_prior
        assert len(case.X) * fit.history[-1] == pytest.approx(sum(after[m]), rel=1e-13)
        assert case.prior.log_pdf(fit.model) == pytest.approx(fit.log_prior, rel=1e-12)
    for m, figures in listed.items():
        assert after[m][0] == pytest.approx(figures["loglik"], rel=1e-10)
        assert sum(after[m]) == pytest.approx(figures["penalised"], rel=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_fit_ends_at_the_published_parameters(name: str) -> None:
    case = CASES[name]
    options = {"covariance_type": case.covariance_type, "prior": case.prior, "reg_covar": 0.0}
    near = fit_gmm(case.X, case.n_components, init=case.labels, tol=1e-11, **options)
    fit = fit_gmm(case.X, case.n_components, init=near, tol=0.0, max_iter=200, **options)
    figures = case.figures
    assert fit.log_likelihood == pytest.approx(figures["loglik"], rel=1e-10)
    assert fit.log_likelihood + fit.log_prior == pytest.approx(figures["penalised"], rel=1e-10)
    np.testing.assert_allclose(fit.model.weights, figures["weights"], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(fit.model.means, figures["means"], rtol=1e-7, atol=1e-9)
    size = np.abs(figures["covariances"]).max()
    np.testing.assert_allclose(
        fit.model.covariances, figures["covariances"], rtol=1e-7, atol=1e-9 * size
    )
    if "log_prior_means" in figures:
        both = figures["log_prior_means"] + figures["log_prior_covariances"]
        assert fit.log_prior == pytest.approx(both, rel=1e-8)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.is_default])
def test_default_prior_has_the_published_constants(name: str) -> None:
    case = CASES[name]
    prior = ConjugatePrior().of_rows(case.X, case.n_components, case.covariance_type)
    for part in ("shrinkage", "mean", "dof", "scale"):
        ours, theirs = np.asarray(getattr(prior, part)), getattr(case.prior, part)
        np.testing.assert_allclose(np.squeeze(ours), np.squeeze(theirs), rtol=1e-12)
    options = {"covariance_type": case.covariance_type, "init": case.labels, "reg_covar": 0.0}
    settings = {"tol": 0.0, "max_iter": 3}
    fit = fit_gmm(case.X, case.n_components, prior="default", **options, **settings)
    assert fit.log_prior == pytest.approx(iterated(case, 3).log_prior, rel=1e-10)


# ---- the density ----


def log_pdf_by_scipy(prior: ConjugatePrior, model: GaussianMixture) -> float:
    """The density by SciPy, of one covariance, of each, or of each variance."""
    k, d = model.means.shape
    matrices, nu = model.covariance_matrices(), prior.dof
    own = model.covariance_type
    means = np.broadcast_to(prior.mean, (k, d))
    total = stats.dirichlet(np.broadcast_to(prior.concentration, k)).logpdf(model.weights)
    for j in range(k):
        law = stats.multivariate_normal(means[j], matrices[j] / prior.shrinkage)
        total += law.logpdf(model.means[j])
    variances = np.einsum("jaa->ja", matrices)
    if own == "EII":
        return total + stats.invgamma(nu / 2, scale=prior.scale / 2).logpdf(variances[0, 0])
    if own == "VII":
        return total + stats.invgamma(nu / 2, scale=prior.scale / 2).logpdf(variances[:, 0]).sum()
    if own[2] == "I":
        scale = np.broadcast_to(prior.scale, d) / 2
        of_all = stats.invgamma(nu / 2, scale=scale).logpdf(variances)
        return total + (of_all[0].sum() if own == "EEI" else of_all.sum())
    scale = prior.scale if np.ndim(prior.scale) else prior.scale * np.eye(d)
    law = stats.invwishart(nu, scale)
    chosen = matrices[:1] if own == "EEE" else matrices
    return total + sum(law.logpdf(each) for each in chosen)


@every_family
def test_log_pdf_of_every_family_is_that_of_scipy(covariance_type: str) -> None:
    prior = ConjugatePrior(
        concentration=[1.5, 2.0, 4.0], mean=[0.3, -1.0], shrinkage=0.7, dof=3.5, scale=1.7
    )
    options = {"covariance_type": covariance_type, "init": LABELS, "reg_covar": 0.0}
    fit = fit_gmm(X, 3, prior=prior, max_iter=3, tol=0.0, **options)
    assert fit.log_prior == pytest.approx(log_pdf_by_scipy(prior, fit.model), rel=1e-11)
    assert prior.log_pdf(fit) == pytest.approx(fit.log_prior, rel=1e-12)


def test_log_pdf_of_scales_of_each_component_is_that_of_scipy() -> None:
    scales = np.array([[[1.0, 0.3], [0.3, 2.0]], [[3.0, 0.0], [0.0, 0.5]]])
    prior = ConjugatePrior(mean=np.eye(2), shrinkage=[0.5, 2.0], dof=3.0, scale=scales)
    model = GaussianMixture([0.3, 0.7], [[1.0, 2.0], [0.0, -1.0]], scales[::-1] + np.eye(2))
    expected = 0.0
    for j, kappa in enumerate([0.5, 2.0]):
        C = model.covariances[j]
        expected += stats.invwishart(3.0, scales[j]).logpdf(C)
        expected += stats.multivariate_normal(np.eye(2)[j], C / kappa).logpdf(model.means[j])
    assert prior.log_pdf(model) == pytest.approx(expected, rel=1e-12)


@every_family
def test_log_pdf_of_a_trace_prior_is_the_penalty(covariance_type: str) -> None:
    prior = TracePrior([0.1, 0.4], relative=False)
    options = {"covariance_type": covariance_type, "init": LABELS, "reg_covar": 0.0}
    fit = fit_gmm(X, 3, prior=prior, max_iter=3, tol=0.0, **options)
    precisions = np.linalg.inv(fit.model.covariance_matrices())
    chosen = precisions[:1] if "V" not in covariance_type else precisions
    traces = np.einsum("jaa,a->", chosen, [0.1, 0.4])
    assert fit.log_prior == pytest.approx(-traces, rel=1e-12)
    assert prior.log_pdf(fit.model) == pytest.approx(fit.log_prior, rel=1e-12)


def test_improper_parts_have_no_constant() -> None:
    model = GaussianMixture([1.0], [[0.0, 1.0]], np.eye(2)[None])
    flat = ConjugatePrior(shrinkage=0.0, dof=-3.0, scale=0.0)
    assert flat.log_pdf(model) == 0.0
    small = ConjugatePrior(mean=[0.0, 1.0], shrinkage=2.0 * math.pi, dof=0.5, scale=np.eye(2))
    assert small.log_pdf(model) == pytest.approx(-0.5 * 2.0)  # the trace alone


# ---- adaptation ----


def adapted_by_loops(
    rows: Floats, model: GaussianMixture, r: float
) -> tuple[Floats, Floats, Floats]:
    """One step of Reynolds, Quatieri and Dunn (2000), their equations (7) to (13)."""
    resp = model.responsibilities(rows)
    means, matrices = np.empty_like(model.means), []
    counts = resp.sum(axis=0)
    for j, n_j in enumerate(counts):
        first = resp[:, j] @ rows / n_j
        second = sum(p * np.outer(x, x) for p, x in zip(resp[:, j], rows, strict=True)) / n_j
        a, mu = n_j / (n_j + r), model.means[j]
        means[j] = a * first + (1.0 - a) * mu
        before = model.covariance_matrices()[j] + np.outer(mu, mu)
        matrices.append(a * second + (1.0 - a) * before - np.outer(means[j], means[j]))
    weights = counts + r * len(counts) * model.weights
    return weights / weights.sum(), means, np.array(matrices)


@pytest.mark.parametrize("relevance", [0.5, 16.0])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical", "tied", "EII", "EEI"])
def test_step_from_a_model_is_that_of_reynolds(covariance_type: str, relevance: float) -> None:
    options = {"covariance_type": covariance_type, "init": LABELS}
    model = fit_gmm(X, 3, reg_covar=0.0, max_iter=2, tol=0.0, **options).model
    rows = X[:25] + np.array([1.0, -0.5])
    prior = ConjugatePrior.from_model(model, relevance)
    fit = fit_gmm(
        rows, 3, covariance_type=covariance_type, init=model, prior=prior, reg_covar=0.0, tol=0.0,
        max_iter=1,
    )  # fmt: skip
    weights, means, matrices = adapted_by_loops(rows, model, relevance)
    counts = len(rows) * model.responsibilities(rows).mean(axis=0) + relevance
    ours = fit.model.covariance_matrices()
    if "V" not in FAMILIES[covariance_type].letters:
        matrices = np.einsum("j,jab->ab", counts / counts.sum(), matrices)[None].repeat(3, axis=0)
    if covariance_type in ("spherical", "EII"):
        matrices = np.trace(matrices, axis1=1, axis2=2)[:, None, None] / 2.0 * np.eye(2)
    if FAMILIES[covariance_type].shape.is_diagonal:
        matrices = matrices * np.eye(2)
    np.testing.assert_allclose(fit.model.means, means, rtol=1e-11)
    np.testing.assert_allclose(ours, matrices, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(fit.model.weights, weights, rtol=1e-11)


@every_family
def test_fit_to_no_news_stays_at_the_model(covariance_type: str) -> None:
    model = fit_gmm(X, 3, covariance_type=covariance_type, init=LABELS, reg_covar=0.0).model
    prior = ConjugatePrior.from_model(model, 1e9)
    fit = fit_gmm(
        X[:20], 3, covariance_type=covariance_type, init=model, prior=prior, max_iter=3, tol=0.0
    )
    np.testing.assert_allclose(fit.model.means, model.means, atol=1e-6)
    np.testing.assert_allclose(
        fit.model.covariance_matrices(), model.covariance_matrices(), atol=1e-5
    )


# ---- values ----


def test_priors_are_values_that_cannot_change() -> None:
    mean = np.zeros(2)
    prior = ConjugatePrior(mean=mean, scale=np.eye(2))
    mean[0] = 1.0
    for other in (prior, copy.deepcopy(prior), pickle.loads(pickle.dumps(prior))):
        assert other.mean.tolist() == [0.0, 0.0]
        assert not other.mean.flags.writeable
        with pytest.raises(AttributeError):
            other.dof = 3.0
    trace = pickle.loads(pickle.dumps(TracePrior([1.0, 2.0], relative=False)))
    assert trace.strength.tolist() == [1.0, 2.0]
    assert repr(TracePrior(0.5)) == "TracePrior(strength=0.5, relative=True)"


def test_relative_trace_prior_is_in_units_of_the_ridge() -> None:
    prior = TracePrior(0.5).of_rows(X, 3)
    unit = Survey(open_rows(X), Backend()).unit
    np.testing.assert_array_equal(prior.strength, 0.5 * unit)
    assert not prior.relative


def test_default_prior_of_rows_with_a_ridge_is_that_of_the_fit() -> None:
    faithful = datasets.load_faithful().data
    fit = fit_gmm(faithful, 2, prior="default", reg_covar=0.1, rng=0)
    prior = ConjugatePrior().of_rows(faithful, 2, reg_covar=0.1)
    assert prior.log_pdf(fit.model) == pytest.approx(fit.log_prior, rel=1e-12)
    ridge = 0.1 * Survey(open_rows(faithful), Backend()).unit
    expected = (np.cov(faithful.T) + np.diag(ridge)) / 2.0
    np.testing.assert_allclose(prior.scale, expected, rtol=1e-12)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_arguments_of_fit_bayesian_gmm_are_the_same_law_under_other_names(
    covariance_type: str,
) -> None:
    rows, d = np.random.default_rng(0).normal(size=(40, 3)) * [1.0, 2.0, 0.5], 3
    scale = {"diag": np.array([1.0, 2.0, 3.0]), "spherical": 2.0}.get(covariance_type, np.eye(d))
    options: dict[str, Any] = {"covariance_type": covariance_type}
    prior = ConjugatePrior(mean=np.ones(d), shrinkage=2.0, dof=7.0, scale=scale)
    fit = fit_gmm(rows, 1, prior=prior, reg_covar=0.0, **options)
    laws = fit_bayesian_gmm(
        rows, 1, mean=np.ones(d), mean_precision=2.0, degrees_of_freedom=7.0, covariance=scale,
        **options,
    ).posterior  # fmt: skip
    np.testing.assert_allclose(fit.means, laws.means, rtol=1e-12)
    # The mode divides the same scatter by another number.
    degrees = np.reshape(laws.degrees_of_freedom, -1)[0]
    added = 3.0 if covariance_type == "diag" else d + 2.0
    expected = laws.covariances * (degrees / (degrees + added))
    np.testing.assert_allclose(fit.covariances, expected, rtol=1e-10)


# ---- strong priors ----


@pytest.mark.parametrize(("dof", "exact"), [(1e16, 45.37), (1e20, 59.18)])
def test_density_under_a_strong_prior_has_the_digits_of_mpmath(dof: float, exact: float) -> None:
    model = GaussianMixture([1.0], [[0.0, 0.0]], [np.eye(2)])
    prior = ConjugatePrior(mean=[0, 0], shrinkage=0.01, dof=dof, scale=dof * np.eye(2))
    assert prior.log_pdf(model) == pytest.approx(exact, abs=5e-3)


@every_family
def test_density_near_the_mode_is_that_of_the_plain_formula(
    covariance_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = ConjugatePrior(dof=5e3, scale=5e3, concentration=2e3)
    fit = fit_gmm(X, 3, covariance_type=covariance_type, init=LABELS, prior=prior)
    filled = prior.of_rows(X, 3, covariance_type)
    found = filled.log_pdf(fit.model)
    monkeypatch.setattr("mixtura.fitting.priors.conjugate.STRONG", np.inf)
    monkeypatch.setattr("mixtura.updates.pseudo.STRONG", np.inf)
    assert filled.log_pdf(fit.model) == pytest.approx(found, abs=1e-7)
    assert filled.log_pdf(fit.model) != found


@every_family
def test_objective_never_falls_under_a_strong_prior(covariance_type: str) -> None:
    prior = ConjugatePrior(dof=1e15, scale=1e15, concentration=1e15)
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, init=LABELS, prior=prior, tol=0.0, max_iter=20,
        accelerate=False,
    )  # fmt: skip
    assert np.diff(fit.history).min() > -1e-11
