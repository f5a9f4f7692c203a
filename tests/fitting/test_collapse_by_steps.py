"""Components that shrink on equal rows step by step: those of rows that are not whole."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from mixtura import FitError, GaussianMixture, fit_gmm
from mixtura.fitting.survey import LEAST_DEVIATION
from mixtura.passes.backend import BackendName
from mixtura.shapes import Floats
from mixtura.updates import OnCollapse

OFFSETS = (0.0, 1e6)
CASES = [(kind, offset) for kind in ("holes", "noise") for offset in OFFSETS]


def ties(kind: str, offset: float) -> tuple[Floats, dict[str, Any]]:
    """A third of the rows are equal in a feature, but for holes in it, or noise of some."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    X[:100, 0] = offset + 7.0
    start = {"init": np.repeat([0, 1, 1], 100), "reg_covar": 0.0}
    if kind == "holes":
        X[rng.random(300) < 0.3, 0] = np.nan
        return X, {"missing": "em", **start}
    noise = np.zeros((300, 2))
    noise[1::2, 0] = 1e-8
    X[1::2, 0] += 1e-4 * rng.normal(size=150)
    return X, {"noise_covariance": noise, **start}


@pytest.fixture(autouse=True)
def _strict() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


@pytest.mark.parametrize("backend", ["compiled", "reference"])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "VVE"])
@pytest.mark.parametrize(("kind", "offset"), CASES)
def test_component_that_shrinks_step_by_step_is_an_error(
    kind: str, offset: float, covariance_type: str, backend: BackendName
) -> None:
    X, options = ties(kind, offset)
    with pytest.raises(FitError, match="component 0 has a singular covariance at iteration") as e:
        fit_gmm(
            X, 2, on_collapse="raise", covariance_type=covariance_type, backend=backend, **options
        )
    # the axes that VVE shares are not exactly those of the features
    where = "" if covariance_type == "VVE" else ", constant in feature 0"
    assert f"{where}. Use reg_covar > 0" in str(e.value)


@pytest.mark.parametrize("backend", ["compiled", "reference"])
@pytest.mark.parametrize("on_collapse", ["drop", "reseed"])
@pytest.mark.parametrize(("kind", "offset"), CASES)
def test_component_that_shrinks_step_by_step_is_dropped_or_reseeded(
    kind: str, offset: float, on_collapse: OnCollapse, backend: BackendName
) -> None:
    X, options = ties(kind, offset)
    fit = fit_gmm(X, 2, on_collapse=on_collapse, backend=backend, max_iter=3000, **options)
    event = fit.events[0]
    assert (event.cause, event.action[:4]) == ("singular", on_collapse[:4])
    assert np.isfinite(fit.log_likelihood)
    assert np.isfinite(fit.model.covariances).all()
    rises = np.delete(np.diff(fit.history), [each.iteration - 2 for each in fit.events])
    assert rises.min() > -1e-9
    assert fit.converged


@pytest.mark.parametrize("reg_covar", [0.0, np.array([0.0, 1e-30]), np.array([1e-30, 1e-30])])
def test_narrow_component_is_kept_where_its_rows_have_the_digits(reg_covar: Any) -> None:
    """A hundred times the bound, beside ordinary ones; features with a ridge have no bound."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 2))
    X[:100] = 100.0 * LEAST_DEVIATION * rng.normal(size=(100, 2))
    X[::7, 0] = np.nan
    narrow = np.square(100.0 * LEAST_DEVIATION)
    start = GaussianMixture([1 / 3, 2 / 3], np.zeros((2, 2)), [narrow * np.eye(2), np.eye(2)])
    fit = fit_gmm(X, 2, init=start, reg_covar=reg_covar, missing="em", on_collapse="raise")
    assert fit.weights[0] == pytest.approx(1 / 3, abs=0.01)
    np.testing.assert_allclose(np.diag(fit.covariances[0]), narrow, rtol=0.5)


def test_shared_covariance_collapses_where_all_rows_are_tied() -> None:
    X = np.repeat([[0.0], [1.0], [5.0]], 50, axis=0)
    noise = np.where(np.arange(150) % 2, 1e-6, 0.0)
    X[1::2, 0] += 1e-3 * np.random.default_rng(2).normal(size=75)
    options: dict[str, Any] = {"init": np.repeat([0, 1, 2], 50), "reg_covar": 0.0}
    with pytest.raises(FitError, match=r"component 0 has a singular .*, and no other is left"):
        fit_gmm(X, 3, noise_covariance=noise, covariance_type="tied", **options)
