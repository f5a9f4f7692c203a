"""Bad arguments of `fit_bayesian_gmm`, and rows that are hard for a fit."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from bad_input import GOOD, Bad
from degenerate import BEYOND
from degenerate import CASES as DEGENERATE
from helpers import COVARIANCE_TYPES

from mixtura import ConvergenceWarning, FitError, GaussianMixture, fit_bayesian_gmm

X = GOOD["X"]
TYPES = "'full', 'tied', 'diag', 'spherical', 'VII', 'VVI', 'EEE', 'VVV'"
BAD: dict[str, Bad] = {
    "covariance_type without a conjugate law": Bad(
        {"covariance_type": "VEV"},
        ValueError,
        f"covariance_type must be one of {TYPES}, which have a law that rows turn into one of the "
        f"same kind; got 'VEV'. Choose one of them, or use fit_gmm.",
    ),
    "covariance_type for one column": Bad(
        {"covariance_type": "V"}, ValueError, "covariance_type 'V' is for one feature; got 2."
    ),
    "weight_prior unknown": Bad(
        {"weight_prior": "sticks"},
        ValueError,
        "weight_prior must be one of 'dirichlet', 'stick-breaking'; got 'sticks'.",
    ),
    "concentration zero": Bad(
        {"concentration": 0},
        ValueError,
        "concentration must be above 0, and at most 1e+16, so that bounds have all their "
        "digits; got 0. Pass such a number, or None for the default.",
    ),
    "concentration of each component": Bad(
        {"concentration": [0.5, 0.5]},
        TypeError,
        "concentration must be a finite number; got [0.5, 0.5] (list). Pass a float.",
    ),
    "mean_precision negative": Bad(
        {"mean_precision": -0.5},
        ValueError,
        "mean_precision must be above 0, and at most 1e+16, so that bounds have all their digits; ",
    ),
    "mean_precision too large": Bad(
        {"mean_precision": 1e200},
        ValueError,
        "mean_precision must be above 0, and at most 1e+16",
    ),
    "degrees_of_freedom too few for full": Bad(
        {"degrees_of_freedom": 1.0},
        ValueError,
        "degrees_of_freedom must be above 1, and at most 1e+16, so that bounds have all their "
        "digits; got 1. Pass such a number",
    ),
    "degrees_of_freedom too few for diag": Bad(
        {"degrees_of_freedom": 0.0, "covariance_type": "diag"},
        ValueError,
        "degrees_of_freedom must be above 0, and",
    ),
    "degrees_of_freedom nan": Bad(
        {"degrees_of_freedom": np.nan},
        ValueError,
        "degrees_of_freedom must be a finite number; got nan. Pass such a number.",
    ),
    "mean of another length": Bad(
        {"mean": [0.0, 1.0, 2.0]},
        ValueError,
        "mean must have shape (2,), a number for each feature; got shape (3,). Pass the mean",
    ),
    "mean of each component": Bad(
        {"mean": np.zeros((2, 2))}, ValueError, "mean must have shape (2,), a number for each"
    ),
    "mean infinite": Bad(
        {"mean": [0.0, np.inf]}, ValueError, "mean must be finite; feature 1 is inf. Give a finite"
    ),
    "mean far away": Bad(
        {"mean": [1e12, 1e12]},
        ValueError,
        "mean must be within 1e+06 standard deviations of the rows, as squares of longer "
        "distances lose the digits of the rows; that of feature 0 is ",
    ),
    "concentration beyond floats": Bad(
        {"concentration": 10**400},
        ValueError,
        "concentration must be a finite number; got an integer beyond floats.",
    ),
    "mean complex": Bad({"mean": [1j, 0.0]}, TypeError, "mean must hold real numbers; got an"),
    "covariance of each component": Bad(
        {"covariance": np.zeros((2, 2, 2))},
        ValueError,
        "covariance must have shape (2, 2) for covariance_type 'full' and 2 features; got shape "
        "(2, 2, 2). Pass the prior scatter of one component.",
    ),
    "covariance a number for full": Bad(
        {"covariance": 1.0},
        ValueError,
        "covariance must have shape (2, 2) for covariance_type 'full' and 2 features; got shape ()",
    ),
    "covariance a matrix for diag": Bad(
        {"covariance": np.eye(2), "covariance_type": "VVI"},
        ValueError,
        "covariance must have shape (2,) for covariance_type 'diag' and 2 features; got shape (2,",
    ),
    "covariance a vector for spherical": Bad(
        {"covariance": [1.0, 1.0], "covariance_type": "spherical"},
        ValueError,
        "covariance must be a number for covariance_type 'spherical' and 2 features; got shape (2,",
    ),
    "covariance nan": Bad(
        {"covariance": [[1.0, np.nan], [np.nan, 1.0]]}, ValueError, "covariance must be finite; got"
    ),
    "covariance not symmetric": Bad(
        {"covariance": [[2.0, 1.0], [0.5, 2.0]]},
        ValueError,
        "covariance must be symmetric; row 0, column 1 is 1.0 and row 1, column 0 is 0.5. Use",
    ),
    "covariance indefinite": Bad(
        {"covariance": [[1.0, 2.0], [2.0, 1.0]], "covariance_type": "tied"},
        ValueError,
        "covariance must be positive definite to working precision; got",
    ),
    "covariance zero": Bad(
        {"covariance": [1.0, 0.0], "covariance_type": "diag"},
        ValueError,
        "covariance must be positive definite to working precision; got",
    ),
    "covariance negative": Bad(
        {"covariance": -1.0, "covariance_type": "spherical"},
        ValueError,
        "covariance must be positive definite to working precision; got",
    ),
    "covariance a string": Bad({"covariance": "tied"}, TypeError, "covariance must hold real"),
}
# Rows so far from all others that one matrix cannot hold both scatters.
TOO_FAR = {"a row at 1e12", "a row at 1e150"}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_prior_that_is_bad_is_refused(bad: Bad, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(bad.error, match=f"^{re.escape(bad.message)}"):
        fit_bayesian_gmm(X, 2, verbose=True, **bad.value)
    assert capsys.readouterr() == ("", "")


def test_arguments_of_a_prior_are_copied_and_kept() -> None:
    mean, covariance = np.array([1.0, 2.0]), np.array([[2.0, 0.5], [0.5, 1.0]], dtype=np.float32)
    fit = fit_bayesian_gmm(X, 2, mean=mean, covariance=covariance, rng=0)
    prior = fit.posterior.prior
    mean[:] = 9.0
    assert prior.mean.tolist() == [1.0, 2.0]
    assert prior.covariance.tolist() == [[2.0, 0.5], [0.5, 1.0]]


def ended(name: str, **options: Any) -> GaussianMixture | Exception:
    """The mixture of a fit to degenerate rows, or the error that refuses them."""
    rows, k = DEGENERATE[name]
    X = np.asarray(rows(), dtype=float)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = fit_bayesian_gmm(X, k, rng=0, n_init=2, **options)
    except (FitError, ValueError) as error:
        return error
    assert fit.events == ()
    assert np.isfinite([fit.elbo, *fit.history]).all()
    rounding = 1e-5 if name == "offset 1e15" else 1e-10
    assert np.diff(fit.history).min(initial=0.0) >= -rounding * np.abs(fit.history).max()
    assert np.isfinite(fit.model.log_prob(X)).all()
    assert np.isfinite(fit.predictive.log_prob(X)).all()
    assert (fit.posterior.resp_sum.sum()) == pytest.approx(len(X))
    # Which checks that covariances are positive definite.
    return GaussianMixture(fit.weights, fit.means, fit.covariances, fit.covariance_type)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("weight_prior", ["dirichlet", "stick-breaking"])
def test_degenerate_rows_have_a_sound_posterior(covariance_type: str, weight_prior: str) -> None:
    options = {"covariance_type": covariance_type, "weight_prior": weight_prior}
    ends = {name: ended(name, **options) for name in DEGENERATE}
    refused = {name for name, end in ends.items() if isinstance(end, Exception)}
    far = TOO_FAR if covariance_type in ("full", "tied") else set()
    assert refused == BEYOND | far


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_one_row_and_constant_columns_have_a_default_prior(covariance_type: str) -> None:
    for rows in ([[3.0, -2.0]], [[3.0, -2.0], [3.0, 5.0]]):
        fit = fit_bayesian_gmm(rows, 1, covariance_type=covariance_type)
        assert np.isfinite(fit.elbo)
        np.testing.assert_allclose(fit.means[0], np.mean(rows, axis=0))


def test_one_row_suffices_from_a_mixture() -> None:
    before = fit_bayesian_gmm(X, 3, rng=0, max_iter=50, tol=1e-3)
    for init in (before, before.model):
        fit = fit_bayesian_gmm(X[:1], 3, init=init)
        assert np.isfinite(fit.elbo)
        assert fit.posterior.resp_sum.sum() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="X must have at least 3 rows; got 1"):
        fit_bayesian_gmm(X[:1], 3, init=before.means)
