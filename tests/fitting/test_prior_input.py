"""Priors that are refused, and what the messages say."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from clusters import clustered

from mixtura import (
    ConjugatePrior,
    GaussianMixture,
    SingularScaleWarning,
    TracePrior,
    fit_bayesian_gmm,
    fit_gmm,
    select_gmm,
)

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
    for relevance in (0.0, -1.0):
        with pytest.raises(ValueError, match=f"relevance must be above 0.+got {relevance:g}. Use"):
            ConjugatePrior.from_model(model, relevance)


@pytest.mark.parametrize(
    ("k", "options", "got"),
    [
        (2, {}, "2 components of 2 features with covariance_type 'full'"),
        (3, {"covariance_type": "diag"}, "3 components of 2 features with covariance_type 'diag'"),
        (3, {"covariance_type": "EII"}, "3 components of 2 features with covariance_type 'EII'"),
        (3, {"columns": [0]}, "3 components of 1 feature with covariance_type 'full'"),
    ],
)
def test_prior_centred_at_a_model_is_for_fits_like_it(
    k: int, options: dict[str, Any], got: str
) -> None:
    prior = ConjugatePrior.from_model(fit_gmm(X, 3, init=LABELS, max_iter=1, tol=0.0))
    message = (
        f"prior must be centred at a mixture like that of the fit; it is centred at 3 components "
        f"of 2 features with covariance_type 'full', and the fit has {got}. Fit with the same, or "
        f"use from_model with another mixture."
    )
    for same in (prior, pickle.loads(pickle.dumps(prior))):
        with pytest.raises(ValueError, match=re.escape(message)):
            fit_gmm(X, k, prior=same, rng=0, **options)
    for family in ("VVV", "VVE"):  # whose covariances have the same laws
        assert fit_gmm(X, 3, covariance_type=family, init=LABELS, prior=prior).converged


@pytest.mark.parametrize("prior", ["default", ConjugatePrior(shrinkage=1.0)])
def test_default_scale_of_no_more_rows_than_features_is_warned_of_once(prior: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(7, 6))
    message = (
        "scale must be given where rows are no more than features: the default is their "
        "covariance, singular but for reg_covar, and other rows get far too small densities; got "
        "6 rows of 6 features. Give ConjugatePrior a scale, or use TracePrior or covariance_type="
        '"diag".'
    )
    for covariance_type in ("full", "tied"):
        with pytest.warns(SingularScaleWarning) as caught:
            fit_gmm(rows[:6], 2, prior=prior, covariance_type=covariance_type, rng=0)
        assert [(str(each.message), each.filename) for each in caught] == [(message, __file__)]
    with pytest.warns(SingularScaleWarning) as caught:
        select_gmm(rows[:6], [1, 2], ["VVV", "EEE", "VVI"], prior=prior, rng=0)
    assert [each.filename for each in caught] == [__file__]
    with pytest.warns(SingularScaleWarning):
        ConjugatePrior().of_rows(rows[:6], 2)
    # No word where rows, family or user tell of all directions.
    fit_gmm(rows, 1, prior=prior)
    fit_gmm(rows[:6], 2, prior=prior, covariance_type="diag", rng=0)
    fit_gmm(rows[:6], 2, prior=ConjugatePrior(scale=1.0), rng=0)
    fit_gmm(rows[:6], 2, prior=TracePrior(0.5), rng=0)


def test_priors_of_equal_values_are_equal() -> None:
    model = fit_gmm(X, 3, init=LABELS, max_iter=1, tol=0.0).model
    makes: list[Callable[[], Any]] = [
        ConjugatePrior,
        lambda: ConjugatePrior(mean=[0.0, 1.0], scale=np.eye(2)),
        lambda: ConjugatePrior(mean=[0.0, 1.0], scale=2.0 * np.eye(2)),
        lambda: ConjugatePrior.from_model(model),
        lambda: TracePrior(0.5),
        lambda: TracePrior(0.5, relative=False),
        lambda: TracePrior([0.5, 0.5]),
    ]
    for i, make in enumerate(makes):
        for j, other in enumerate(makes):
            assert (make() == other()) == (i == j)
        assert hash(make()) == hash(make())
    assert hash(ConjugatePrior(shrinkage=0.0)) == hash(ConjugatePrior(shrinkage=-0.0))
    assert ConjugatePrior() != "default"


def test_weight_that_stays_zero_under_a_prior_of_weights_is_refused() -> None:
    begin = fit_gmm(X, 3, init=LABELS, max_iter=1, tol=0.0).model
    begin = GaussianMixture([0.4, 0.6, 0.0], begin.means, begin.covariances)
    prior = ConjugatePrior(concentration=2.0, shrinkage=0.0, scale=1.0)
    message = "fixed weights must be positive under a prior of the weights; component 2 has 0."
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_gmm(X, 3, init=begin, fixed="weights", prior=prior)
    free = fit_gmm(X, 3, init=begin, fixed="means", prior=prior)
    assert free.weights[2] > 0.0


def test_prior_centred_at_a_model_refuses_columns_of_other_names() -> None:
    X = np.random.default_rng(0).normal(size=(40, 2))
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = fit_gmm(frame, 2, rng=0).model
    prior = ConjugatePrior.from_model(model)
    assert fit_gmm(frame, 2, init=model, prior=prior).converged
    with pytest.raises(ValueError, match=r"^X must have the columns 'a', 'b'; it has them"):
        fit_gmm(frame[["b", "a"]], 2, prior=prior)


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
