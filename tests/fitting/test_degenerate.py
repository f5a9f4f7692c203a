"""Degenerate data: every fit ends in a sound model or in an error that says what to do."""

import re
from contextlib import nullcontext

import numpy as np
import pytest
from degenerate import BEYOND, CASES, ON_COLLAPSE, assert_sound, outcome
from helpers import COVARIANCE_TYPES

from mixtura import ConvergenceWarning, FitError, GMMFit, fit_kmeans

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
every_case = pytest.mark.parametrize("name", CASES)
NAMES_ALL = re.compile(
    r"the fit cannot (start|continue): component \d+ is so far from the rows at iteration \d+ "
    r"that distances have no digits left.+ drop rows that are far from all others.*\."
    r"|the fit cannot (start|continue): component \d+ has (no weight|a singular covariance)"
    r"( at iteration \d+)?(, constant in feature \d+)?(, and no other is left)?\. "
    r"Use (reg_covar > 0, )?fewer components.*\."
    r"|the fit cannot start: \d+ of \d+ components had a singular covariance or no weight at every "
    r"start\. Use reg_covar > 0, fewer components, or on_collapse=\"drop\"\."
    r"|covariance_type '\w+' cannot be estimated: .+; got \d+\. Use reg_covar > 0, .+\."
)


@every_type
@every_case
@pytest.mark.parametrize("on_collapse", ON_COLLAPSE)
def test_fit_with_the_default_ridge_is_sound(
    on_collapse: str, name: str, covariance_type: str
) -> None:
    rows, k = CASES[name]
    X = np.asarray(rows(), dtype=float)
    fit = outcome(X, k, covariance_type, on_collapse=on_collapse, n_init=3, rng=1)
    if name in BEYOND:
        assert isinstance(fit, ValueError)
        assert re.search(r"X must have variances .+ column \d+ .+\. (Divide|Multiply) it", str(fit))
        return
    assert isinstance(fit, GMMFit), fit
    assert_sound(fit, X)
    dropped = sum(event.action == "dropped" for event in fit.events)
    assert fit.model.n_components == k - dropped


@every_type
@every_case
@pytest.mark.parametrize("on_collapse", ON_COLLAPSE)
def test_fit_without_a_ridge_is_sound_or_says_what_to_do(
    on_collapse: str, name: str, covariance_type: str
) -> None:
    rows, k = CASES[name]
    X = np.asarray(rows(), dtype=float)
    fit = outcome(X, k, covariance_type, on_collapse=on_collapse, n_init=3, reg_covar=0.0, rng=1)
    if isinstance(fit, GMMFit):
        assert_sound(fit, X)
        assert len(fit.events) >= k - fit.model.n_components
    elif isinstance(fit, FitError):
        assert NAMES_ALL.match(str(fit)), str(fit)
    else:
        assert name in BEYOND


@every_type
@every_case
@pytest.mark.parametrize("on_collapse", ON_COLLAPSE)
def test_fit_under_the_default_prior_is_sound_and_has_no_event(
    on_collapse: str, name: str, covariance_type: str
) -> None:
    rows, k = CASES[name]
    X = np.asarray(rows(), dtype=float)
    options = {"on_collapse": on_collapse, "n_init": 3, "rng": 1, "prior": "default"}
    fit = outcome(X, k, covariance_type, **options)
    assert isinstance(fit, ValueError if name in BEYOND else GMMFit)
    if isinstance(fit, GMMFit):
        assert_sound(fit, X)
        assert fit.events == ()
        assert fit.model.n_components == k


@every_type
@every_case
def test_fit_from_labels_is_sound(name: str, covariance_type: str) -> None:
    rows, k = CASES[name]
    X = np.asarray(rows(), dtype=float)
    labels = np.resize(np.arange(k), len(X))
    fit = outcome(X, k, covariance_type, init=labels)
    assert isinstance(fit, ValueError if name in BEYOND else GMMFit)
    if isinstance(fit, GMMFit):
        assert_sound(fit, X)


@every_case
def test_kmeans_is_sound(name: str) -> None:
    rows, k = CASES[name]
    X = np.asarray(rows(), dtype=float)
    if name in BEYOND:
        with pytest.raises(ValueError, match=r"X must have variances"):
            fit_kmeans(X, k, rng=0)
        return
    few = len(np.unique(X, axis=0)) < k
    with pytest.warns(ConvergenceWarning, match="k-means found") if few else nullcontext():
        fit = fit_kmeans(X, k, rng=0)
    assert np.isfinite(fit.centers).all()
    assert np.isfinite(fit.inertia)
    assert set(fit.labels) <= set(range(k))
    squared = np.square(X[:, None] - fit.centers).sum(axis=2)
    np.testing.assert_allclose(squared.min(axis=1).sum(), fit.inertia, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
@pytest.mark.parametrize(
    "name",
    [name for name in CASES if name not in BEYOND and "1e" not in name and "near" not in name],
)
def test_fit_in_other_units_is_the_same(name: str, covariance_type: str) -> None:
    rows, k = CASES[name]
    X = np.asarray(rows(), dtype=float)
    unit = 2.0 ** np.resize([-30, 7, 25, 0], X.shape[1])
    shift = np.resize([8.0, 0.0, -256.0], X.shape[1])
    settings = {"covariance_type": covariance_type, "tol": 0.0, "max_iter": 10, "rng": 2}
    one = outcome(X, k, n_init=1, init="random", **settings)
    other = outcome((X + shift) * unit, k, n_init=1, init="random", **settings)
    assert isinstance(one, GMMFit)
    assert isinstance(other, GMMFit)
    varying = np.ptp(X, axis=0) > 0.0  # the ridge of a constant feature is absolute
    assert other.events == one.events
    np.testing.assert_allclose(other.model.weights, one.model.weights, atol=1e-6)
    np.testing.assert_allclose(
        (other.model.means / unit - shift)[:, varying], one.model.means[:, varying], atol=1e-5
    )
    units = unit[:, None] * unit if covariance_type != "diag" else unit**2
    difference = other.model.covariances / units - one.model.covariances
    np.testing.assert_allclose(difference[..., varying] * varying[varying], 0.0, atol=1e-5)
    moved = np.log(unit[varying]).sum()
    np.testing.assert_allclose(other.history + moved, one.history, atol=1e-5)
