"""Fits by variational Bayes: published figures, and what the bound promises."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES
from scipy.special import gammaln
from variational import CASES

from mixtura import (
    BayesianGMMFit,
    GaussianMixture,
    datasets,
    fit_bayesian_gmm,
    fit_gmm,
    fit_kmeans,
)
from mixtura.shapes import Floats

WEIGHT_PRIORS = ("dirichlet", "stick-breaking")
X, LABELS = clustered()
APART, GROUPS = clustered(spread=9.0, seed=2)


def priors_of(covariance_type: str, d: int) -> dict[str, Any]:
    """A prior with nothing round in it."""
    axes = np.random.default_rng(3).normal(size=(d, d))
    matrix = axes @ axes.T + np.eye(d)
    scatter = {"diag": np.diag(matrix).copy(), "spherical": 1.7}.get(covariance_type, matrix)
    return {
        "concentration": 0.6,
        "mean": np.linspace(-1.0, 2.0, d),
        "mean_precision": 0.3,
        "degrees_of_freedom": d + 0.5,
        "covariance": scatter,
    }


def log_evidence(X: Floats, weight: Floats, covariance_type: str, prior: dict[str, Any]) -> float:
    """Of one component in closed form: the ratio of the normalisers after and before the rows."""
    (n, d), total = (weight.sum(), X.shape[1]), weight.sum()
    b, nu = prior["mean_precision"], prior["degrees_of_freedom"]
    mean = weight @ X / total
    apart = mean - prior["mean"]
    scatter = np.einsum("i,ia,ib->ab", weight, X - mean, X - mean)
    scatter += b * total / (b + total) * np.outer(apart, apart)
    result = -0.5 * n * d * math.log(math.pi) + 0.5 * d * math.log(b / (b + total))
    if covariance_type in ("full", "tied"):
        before, after = prior["covariance"], prior["covariance"] + scatter
        log_dets = np.linalg.slogdet(before)[1], np.linalg.slogdet(after)[1]
        halves = np.arange(d) / 2.0
        gammas = gammaln((nu + total) / 2.0 - halves) - gammaln(nu / 2.0 - halves)
        return float(
            result + gammas.sum() + 0.5 * nu * log_dets[0] - 0.5 * (nu + total) * log_dets[1]
        )
    if covariance_type == "diag":
        before, gained = prior["covariance"], np.diag(scatter)
        after, more = before + gained, total
    else:
        before = np.array([prior["covariance"]])
        after, more = before + np.trace(scatter), d * total
    gammas = gammaln((nu + more) / 2.0) - gammaln(nu / 2.0)
    each = gammas + 0.5 * nu * np.log(before) - 0.5 * (nu + more) * np.log(after)
    return float(result + each.sum())


# ---- published figures ----


@pytest.mark.parametrize("backend", ["compiled", "reference"])
@pytest.mark.parametrize("name", CASES)
def test_converged_fit_has_the_published_bound_and_laws(name: str, backend: str) -> None:
    case = CASES[name]
    if backend == "reference" and case.exact["iterations"] > 200:
        pytest.skip("the compiled kernels do as many")
    prior = dict(case.prior)
    fit = fit_bayesian_gmm(
        case.X, case.n_components, covariance_type=case.covariance_type,
        weight_prior=case.weight_prior, concentration=prior.pop("weight_concentration"), **prior,
        init=case.labels, tol=0, max_iter=case.exact["iterations"], backend=backend,
    )  # fmt: skip
    assert fit.elbo == pytest.approx(case.exact["elbo"], rel=1e-10)
    posterior = fit.posterior
    found = {
        "weight_concentration": posterior.weight_concentration,
        "mean_precision": posterior.mean_precision,
        "means": posterior.means,
        "degrees_of_freedom": posterior.degrees_of_freedom,
        "scale": posterior.scale,
        "covariances": posterior.covariances,
    }
    for each, array in found.items():
        expected = np.atleast_1d(case.exact[each])
        scale = np.abs(expected).max()
        np.testing.assert_allclose(array, expected, rtol=2e-7, atol=2e-7 * scale, err_msg=each)


# ---- the bound ----


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_bound_of_one_component_is_the_log_evidence(covariance_type: str, weighted: bool) -> None:
    rows = clustered(50, 3)[0]
    weight = np.random.default_rng(1).integers(0, 4, 50).astype(float) if weighted else np.ones(50)
    prior = priors_of(covariance_type, 3)
    options = {"covariance_type": covariance_type, **prior}
    fit = fit_bayesian_gmm(rows, 1, sample_weight=weight, **options)
    expected = log_evidence(rows, weight, covariance_type, prior)
    assert fit.elbo == pytest.approx(expected, rel=1e-12)
    assert fit.entropy == pytest.approx(0.0, abs=1e-9)
    repeated = fit_bayesian_gmm(np.repeat(rows, weight.astype(int), axis=0), 1, **options)
    assert repeated.elbo == pytest.approx(expected, rel=1e-12)


def test_bound_of_one_stick_pays_for_its_freedom() -> None:
    fits = [fit_bayesian_gmm(X, 1, weight_prior=each, concentration=0.7) for each in WEIGHT_PRIORS]
    n, a = float(len(X)), 0.7
    price = gammaln(1 + n) + gammaln(a + 1) - gammaln(1 + n + a) - gammaln(1.0)
    assert fits[1].elbo - fits[0].elbo == pytest.approx(price, rel=1e-9)


@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("kind", ["plain", "weights", "missing", "labels", "noise"])
def test_bound_never_falls(weight_prior: str, covariance_type: str, kind: str) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        d, k = int(rng.integers(1, 4)), int(rng.integers(2, 7))
        rows, labels = clustered(80, d, min(k, 4), seed=seed, spread=rng.uniform(1.0, 5.0))
        options: dict[str, Any] = {"n_init": 2, "init": "kmeans++"}
        if kind == "weights":
            options["sample_weight"] = rng.exponential(size=80) * (rng.random(80) < 0.9)
        elif kind == "missing":
            rows = np.where(rng.random(rows.shape) < 0.2, np.nan, rows)
            options["missing"] = "em"
        elif kind == "labels":
            options["labels"] = np.where(rng.random(80) < 0.3, labels, -1)
        elif kind == "noise":
            options["noise_covariance"] = rng.uniform(0.0, 0.5, (80, d))
        fit = fit_bayesian_gmm(
            rows, k, covariance_type=covariance_type, weight_prior=weight_prior, rng=seed,
            concentration=rng.choice([None, 0.01, 1.0, 10.0]), max_iter=2000, **options,
        )  # fmt: skip
        assert fit.converged
        assert np.diff(fit.history).min(initial=0.0) >= -1e-12 * np.abs(fit.history).max()
        assert fit.elbo == pytest.approx(fit.history[-1] * fit.weight_sum, rel=1e-12)
        if kind in ("plain", "weights", "missing"):
            weight = options.get("sample_weight")
            again = fit.posterior.elbo(rows, sample_weight=weight)
            assert again == pytest.approx(fit.elbo, rel=1e-11)


def test_bound_is_at_most_the_log_evidence_by_sampling() -> None:
    """The evidence of two components of few rows, by averaging the likelihood over the prior."""
    rows = np.array([[-1.0], [-0.8], [1.1], [1.3]])
    prior = {"mean": [0.0], "mean_precision": 1.0, "degrees_of_freedom": 3.0, "covariance": 1.0}
    fit = fit_bayesian_gmm(
        rows, 2, covariance_type="spherical", concentration=1.0, init=[0, 0, 1, 1], **prior
    )
    rng, m = np.random.default_rng(0), 400_000
    precision = rng.gamma(1.5, 2.0, (m, 2))
    means = rng.normal(size=(m, 2)) / np.sqrt(precision)
    weights = rng.dirichlet([1.0, 1.0], m)
    z = rows[:, 0, None, None] - means
    densities = weights * np.sqrt(precision / (2 * math.pi)) * np.exp(-0.5 * precision * z * z)
    log_evidence = math.log(densities.sum(axis=2).prod(axis=0).mean())
    assert log_evidence - 2.0 < fit.elbo < log_evidence


def test_fit_tells_what_its_rows_and_labels_were() -> None:
    rows = X.copy()
    rows[::7, 0] = np.nan
    labels = np.where(np.arange(len(X)) % 3 == 0, LABELS, -1)
    fit = fit_bayesian_gmm(rows, 3, labels=labels, missing="em", rng=0)
    assert (fit.n_labelled, fit.n_missing, fit.n_samples) == (80, 35, 240)
    assert "of rows and labels (80 known)" in fit.summary()
    assert "35 are missing" in fit.summary()
    assert np.mean(fit.predict(rows) == LABELS) > 0.7


def test_noisy_rows_ask_for_their_noise() -> None:
    fit = fit_bayesian_gmm(X, 2, noise_covariance=np.full(len(X), 0.01), rng=0)
    assert fit.has_noise
    with pytest.raises(ValueError, match=r"^noise_covariance must be given"):
        fit.predict(X)
    plain = fit_bayesian_gmm(X, 2, init=fit)
    none = fit_bayesian_gmm(X, 2, init=fit, noise_covariance=np.zeros(len(X)))
    assert none.elbo == pytest.approx(plain.elbo, rel=1e-8)


@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
@pytest.mark.parametrize("missing", ["raise", "em"])
def test_entropy_is_that_of_the_responsibilities(weight_prior: str, missing: str) -> None:
    rows = X if missing == "raise" else np.where(np.arange(480).reshape(240, 2) % 9 == 0, np.nan, X)
    fit = fit_bayesian_gmm(rows, 4, weight_prior=weight_prior, missing=missing, rng=0)
    resp = fit.posterior.responsibilities(rows)
    expected = -(resp * np.log(resp, where=resp > 0.0, out=np.zeros_like(resp))).sum()
    assert fit.entropy == pytest.approx(expected, rel=1e-9)


# ---- properties ----


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
def test_fit_has_the_same_bits_for_any_number_of_threads(
    covariance_type: str, weight_prior: str
) -> None:
    rows = clustered(3000, 3, 4)[0]
    options = {"covariance_type": covariance_type, "weight_prior": weight_prior, "rng": 0}
    one, *others = [
        fit_bayesian_gmm(rows, 5, n_threads=n, n_init=2, max_iter=15, tol=0, **options)
        for n in (1, 2, 3, 7)
    ]
    for other in others:
        assert_same_bits(one, other)


def assert_same_bits(one: BayesianGMMFit, other: BayesianGMMFit) -> None:
    for name in ("weight_concentration", "means", "covariances", "degrees_of_freedom", "resp_sum"):
        assert getattr(one.posterior, name).tobytes() == getattr(other.posterior, name).tobytes()
    assert one.history.tobytes() == other.history.tobytes()
    assert (one.elbo, one.entropy, one.events) == (other.elbo, other.entropy, other.events)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
def test_order_of_the_rows_and_weights_as_repetitions_do_not_matter(
    covariance_type: str, weight_prior: str
) -> None:
    options = {"covariance_type": covariance_type, "weight_prior": weight_prior, "max_iter": 20}
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    some = weight > 0
    order = np.random.default_rng(1).permutation(len(X))
    one = fit_bayesian_gmm(X, 3, init=LABELS, sample_weight=weight, tol=0, **options)
    moved = fit_bayesian_gmm(
        X[order], 3, init=LABELS[order], sample_weight=weight[order], tol=0, **options
    )
    rows, labels = np.repeat(X[some], weight[some], 0), np.repeat(LABELS[some], weight[some])
    repeated = fit_bayesian_gmm(rows, 3, init=labels, tol=0, **options)
    for other in (moved, repeated):
        np.testing.assert_allclose(other.history, one.history, rtol=1e-12)
        np.testing.assert_allclose(other.posterior.means, one.posterior.means, rtol=1e-9)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_default_prior_follows_shifts_and_units(covariance_type: str) -> None:
    """The bound changes by the logarithm of the Jacobian."""
    d = X.shape[1]
    unit = np.array([8.0, 0.25]) if covariance_type != "spherical" else np.array([4.0, 4.0])
    options = {"covariance_type": covariance_type, "init": LABELS, "tol": 0, "max_iter": 20}
    one = fit_bayesian_gmm(X, 3, **options)
    other = fit_bayesian_gmm(X * unit + 100.0, 3, **options)
    moved = len(X) * np.log(unit).sum()
    assert other.elbo + moved == pytest.approx(one.elbo, rel=1e-11)
    np.testing.assert_allclose((other.posterior.means - 100.0) / unit, one.posterior.means)
    assert one.posterior.prior.covariance.shape == (d, d)[: one.posterior.prior.covariance.ndim]


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_default_prior_does_not_depend_on_the_order_of_features(covariance_type: str) -> None:
    rows = X * [1.0, 100.0]
    fit, turned = (
        fit_bayesian_gmm(each, 3, covariance_type=covariance_type, init=LABELS)
        for each in (rows, rows[:, ::-1])
    )
    assert turned.elbo == pytest.approx(fit.elbo, rel=1e-10)


@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
def test_default_scatter_and_mean_do_not_depend_on_the_number_of_components(
    weight_prior: str,
) -> None:
    two, five = (
        fit_bayesian_gmm(X, k, weight_prior=weight_prior, rng=0).posterior.prior for k in (2, 5)
    )
    assert (two.concentration, five.concentration) == (0.5, 0.2)
    for name in ("mean", "covariance", "degrees_of_freedom", "mean_precision"):
        np.testing.assert_array_equal(getattr(two, name), getattr(five, name))


# ---- components that die ----


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
def test_components_too_many_end_without_rows(covariance_type: str, weight_prior: str) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 2)) + 8.0 * np.eye(3, 2).repeat(100, axis=0)
    options = {"covariance_type": covariance_type, "weight_prior": weight_prior, "rng": 0}
    fit = fit_bayesian_gmm(rows, 10, **options)
    assert fit.n_effective == 3
    np.testing.assert_allclose(fit.posterior.resp_sum[:3], 100.0, atol=3.0)
    stuck = fit_bayesian_gmm(rows, 10, moves=False, **options)
    assert stuck.elbo < fit.elbo + 1e-3
    if weight_prior == "dirichlet":
        assert stuck.n_effective > 3


def test_default_prior_finds_the_components_of_known_rows() -> None:
    found = {
        name: fit_bayesian_gmm(getattr(datasets, f"load_{name}")().data, 10, rng=0).n_effective
        for name in ("faithful", "iris", "thyroid")
    }
    assert found == {"faithful": 2, "iris": 2, "thyroid": 3}


# ---- the order of components ----


@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("tol", [1e-7, 0.0])
def test_automatic_start_ends_with_the_heaviest_component_first(
    weight_prior: str, covariance_type: str, tol: float
) -> None:
    for seed in range(3):
        fit = fit_bayesian_gmm(
            X, 5, covariance_type=covariance_type, weight_prior=weight_prior, rng=seed, tol=tol,
            max_iter=2000 if tol else 7,
        )  # fmt: skip
        assert (np.diff(fit.posterior.resp_sum) <= 1e-9).all()
        assert fit.posterior.elbo(X) == pytest.approx(fit.elbo, rel=1e-11)


def test_sticks_in_falling_order_are_converged_in_that_order() -> None:
    """More iterations from the same posterior change nothing."""
    fit = fit_bayesian_gmm(X, 4, weight_prior="stick-breaking", rng=1, tol=1e-10)
    resp = fit.posterior.responsibilities(X)
    more = fit_bayesian_gmm(X, 4, weight_prior="stick-breaking", init=resp, tol=0, max_iter=500)
    assert more.elbo == pytest.approx(fit.elbo, abs=1e-6)
    turned = resp[:, ::-1].copy()
    other = fit_bayesian_gmm(X, 4, weight_prior="stick-breaking", init=turned, tol=1e-10)
    assert other.elbo < fit.elbo


def test_given_start_keeps_its_order() -> None:
    labels = np.argsort(np.argsort(np.bincount(GROUPS)))[GROUPS]
    for weight_prior in WEIGHT_PRIORS:
        fit = fit_bayesian_gmm(APART, 3, init=labels, weight_prior=weight_prior)
        assert np.argsort(fit.posterior.resp_sum).tolist() == [0, 1, 2]


# ---- starts ----


def test_fit_starts_from_what_fit_gmm_starts_from() -> None:
    mixture = fit_gmm(APART, 3, rng=0)
    starts = {
        "fit": mixture,
        "mixture": mixture.model,
        "another family": fit_gmm(APART, 3, covariance_type="VEV", rng=0).model,
        "means": mixture.means,
        "responsibilities": mixture.responsibilities(APART),
        "labels": mixture.predict(APART),
        "k-means": fit_kmeans(APART, 3, rng=0),
        "itself": fit_bayesian_gmm(APART, 3, rng=0),
        "callable": lambda *_: mixture.model,
    }
    bounds = {name: fit_bayesian_gmm(APART, 3, init=init).elbo for name, init in starts.items()}
    np.testing.assert_allclose(list(bounds.values()), bounds["fit"], atol=1e-3)


def test_fit_gmm_starts_from_a_bayesian_fit() -> None:
    bayesian = fit_bayesian_gmm(APART, 3, rng=0)
    fit = fit_gmm(APART, 3, init=bayesian, reg_covar=0)
    assert fit.log_likelihood >= bayesian.model.log_likelihood(APART)
    np.testing.assert_allclose(fit.means, bayesian.means, atol=0.2)


def test_callback_sees_the_mixture_and_may_stop() -> None:
    seen: list[GaussianMixture] = []
    fit = fit_bayesian_gmm(X, 3, rng=0, callback=lambda state: seen.append(state.model) or True)
    assert (fit.stop_reason, fit.n_iter, len(seen)) == ("callback", 1, 1)
    assert seen[0].covariance_type == "full"


def test_names_of_families_are_names_of_shapes() -> None:
    names = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}
    for name, shape in names.items():
        one, other = (
            fit_bayesian_gmm(X, 2, covariance_type=each, init=LABELS % 2) for each in (name, shape)
        )
        assert one.elbo == other.elbo
        assert one.covariance_type == name
    one, other = (
        fit_bayesian_gmm(X[:, :1], 2, covariance_type=each, rng=0) for each in ("V", "full")
    )
    assert one.elbo == other.elbo


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_default_scatter_is_the_variance_over_ten_parts_of_the_space(covariance_type: str) -> None:
    X = np.random.default_rng(0).uniform(size=(200, 3)) * [1.0, 20.0, 0.3]  # nothing far away
    fit = fit_bayesian_gmm(X, 2, covariance_type=covariance_type, max_iter=1, tol=0.0, rng=0)
    variances = X.var(axis=0) / 10.0 ** (2.0 / 3.0)
    expected = {"diag": variances, "spherical": variances.mean()}
    np.testing.assert_allclose(
        fit.posterior.prior.covariance, expected.get(covariance_type, np.diag(variances)), rtol=1e-9
    )
