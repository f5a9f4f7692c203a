"""Priors that are refused, and what the messages say."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from clusters import clustered

from mixtura import ConjugatePrior, GaussianMixture, TracePrior, fit_bayesian_gmm, fit_gmm

X, LABELS = clustered(150, 2, 3, spread=2.0)
OWN = ConjugatePrior(mean=[0.0, 1.0], shrinkage=1.0, dof=6.0, scale=0.8)

BAD_PRIORS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a small concentration": (
        {"concentration": [1.0, 0.5]}, ValueError,
        "concentration must be 1 or more: below, the density of the weights has no maximum; got",
    ),
    "a negative shrinkage": (
        {"shrinkage": -1.0}, ValueError, "shrinkage must be non-negative; got -1. Use 0 for none.",
    ),
    "no shrinkage": (
        {"shrinkage": None}, TypeError,
        "shrinkage must be a number; got None. Pass 0 for no prior on means.",
    ),
    "a mean that is not finite": (
        {"mean": [0.0, np.nan]}, ValueError, "mean must be finite; feature 1 is nan.",
    ),
    "a truth value": (
        {"concentration": True}, TypeError, "concentration must be a number; got True (bool).",
    ),
    "a truth value of NumPy": (
        {"shrinkage": np.True_}, TypeError, "shrinkage must be a number; got ",
    ),
    "words": ({"dof": "many"}, TypeError, "dof must hold real numbers; got"),
    "several degrees": (
        {"dof": [3.0, 4.0]}, ValueError,
        "dof must be a number of at most 0 dimensions; got shape (2,).",
    ),
    "an infinite scale": (
        {"scale": math.inf}, ValueError, "scale must be a finite number",
    ),
}  # fmt: skip
BAD_IN_FITS: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "a word": ("weak", {}, ValueError, "prior must be one of 'default'; got 'weak'."),
    "a number": (
        3.0, {}, TypeError,
        'prior must be a ConjugatePrior, a TracePrior, "default" or None; got 3.0 (float)',
    ),
    "a mean far away": (
        ConjugatePrior(mean=[1e300, 1e300]), {}, ValueError,
        "mean must be within 1e+06 standard deviations of the rows, as squares of longer",
    ),
    "means of other components": (
        ConjugatePrior(mean=np.zeros((2, 2))), {}, ValueError,
        "mean must have shape (2,), (n_features,), or (3, 2), (n_components, n_features); got",
    ),
    "shrinkage of other components": (
        ConjugatePrior(shrinkage=[1.0, 2.0]), {}, ValueError,
        "shrinkage must be a number or have shape (3,), one for each component; got shape (2,).",
    ),
    "a diagonal scale for matrices": (
        ConjugatePrior(scale=[1.0, 2.0]), {}, ValueError,
        "scale must be a number or have shape (2, 2) or (3, 2, 2) for covariance_type 'full'",
    ),
    "several scales of one covariance": (
        ConjugatePrior(scale=np.ones(3)), {"covariance_type": "EII"}, ValueError,
        "scale must be a number for covariance_type 'EII' with these sizes; got shape (3,).",
    ),
    "a scale that is not symmetric": (
        ConjugatePrior(scale=[[1.0, 0.5], [0.0, 1.0]]), {}, ValueError,
        "scale must be symmetric; row 0, column 1 of component 0 is 0.5 and row 1, column 0 is",
    ),
    "a scale that is not positive": (
        ConjugatePrior(scale=[[1.0, 2.0], [2.0, 1.0]]), {}, ValueError,
        "scale must not be negative in any direction; got -1. Pass a covariance times a positive",
    ),
    "a negative variance": (
        ConjugatePrior(scale=-1.0), {"covariance_type": "diag"}, ValueError,
        "scale must not be negative in any direction; got -1.",
    ),
    "too few degrees": (
        ConjugatePrior(dof=-5.0), {}, ValueError,
        "dof must be -4 or more for covariance_type 'full' with 2 features, so that rows",
    ),
    "strengths of other features": (
        TracePrior([1.0, 2.0, 3.0]), {}, ValueError,
        "strength must be a number or have shape (2,), one for each feature; got shape (3,).",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_PRIORS)
def test_prior_of_bad_values_is_refused(name: str) -> None:
    values, error, message = BAD_PRIORS[name]
    with pytest.raises(error, match=re.escape(message)):
        ConjugatePrior(**values)


@pytest.mark.parametrize("name", BAD_IN_FITS)
def test_fit_refuses_a_prior_that_is_not_of_its_parameters(name: str) -> None:
    prior, options, error, message = BAD_IN_FITS[name]
    with pytest.raises(error, match=re.escape(message)):
        fit_gmm(X, 3, init=LABELS, prior=prior, **options)


@pytest.mark.parametrize(
    ("strength", "options", "error", "message"),
    [
        (-1.0, {}, ValueError, "strength must be non-negative; got -1. Use 0 for none."),
        (math.nan, {}, ValueError, "strength must be finite; feature 0 is nan. Use 0 for none."),
        (np.eye(2), {}, ValueError, "strength must be a number or have shape (n_features,); got"),
        (1.0, {"relative": 1}, TypeError, "relative must be True or False; got"),
        ("much", {}, TypeError, "strength must hold real numbers; got"),
        (True, {}, TypeError, "strength must be a number; got True (bool)."),
    ],
)
def test_trace_prior_of_bad_values_is_refused(
    strength: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        TracePrior(strength, **options)


def test_density_of_open_parts_says_how_to_fill_them() -> None:
    model = fit_gmm(X, 3, init=LABELS, max_iter=1, tol=0.0).model
    for name, prior in {
        "mean": ConjugatePrior(scale=1.0), "scale": ConjugatePrior(mean=[0.0, 0.0]),
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=rf"{name} must be given.+Use prior\.of_rows\("):
            prior.log_pdf(model)
    with pytest.raises(ValueError, match=r"strength must be absolute.+Use prior\.of_rows\("):
        TracePrior(1.0).log_pdf(model)
    with pytest.raises(TypeError, match="model must be a GaussianMixture or a fit; got"):
        OWN.log_pdf(X)  # type: ignore[arg-type]


def test_relevance_has_to_be_positive() -> None:
    model = fit_gmm(X, 3, init=LABELS, max_iter=1, tol=0.0).model
    with pytest.raises(ValueError, match="relevance must be positive; got 0"):
        ConjugatePrior.from_model(model, 0.0)
    with pytest.raises(ValueError, match="relevance must be a finite number, 0 or more; got -1"):
        ConjugatePrior.from_model(model, -1.0)


def test_weight_that_stays_zero_under_a_prior_of_weights_is_refused() -> None:
    begin = fit_gmm(X, 3, init=LABELS, max_iter=1, tol=0.0).model
    begin = GaussianMixture([0.4, 0.6, 0.0], begin.means, begin.covariances)
    prior = ConjugatePrior(concentration=2.0, shrinkage=0.0, scale=1.0)
    message = "fixed weights must be positive under a prior of the weights; component 2 has 0."
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_gmm(X, 3, init=begin, fixed="weights", prior=prior)
    free = fit_gmm(X, 3, init=begin, fixed="means", prior=prior)
    assert free.weights[2] > 0.0


def test_scales_symmetric_to_rounding_are_taken_as_symmetric() -> None:
    options = {"init": LABELS, "covariance_type": "full"}
    expected = fit_gmm(X, 3, prior=ConjugatePrior(scale=np.eye(2)), **options)
    near = fit_gmm(X, 3, prior=ConjugatePrior(scale=[[1.0, 1e-17], [0.0, 1.0]]), **options)
    np.testing.assert_allclose(near.model.covariances, expected.model.covariances, rtol=1e-12)
    B = np.random.default_rng(0).normal(size=(2, 2)).astype(np.float32)
    S = B @ np.diag(np.float32([1.0, 1e-3])) @ B.T
    S[0, 1] *= np.float32(1.0 + 2e-7)
    for scale in (S, S.tolist()):
        assert fit_gmm(X, 3, prior=ConjugatePrior(scale=scale), **options).converged


def test_covariances_symmetric_to_rounding_are_taken_as_symmetric() -> None:
    fit = fit_bayesian_gmm(X, 3, init=LABELS, covariance=[[1.0, 1e-17], [0.0, 1.0]])
    covariance = fit.posterior.prior.covariance
    np.testing.assert_array_equal(covariance, covariance.T)
