"""Rows where every component has zero density: the result of each method."""

import math

import numpy as np
import pytest
from clusters import clustered, maximised
from helpers import COVARIANCE_TYPES

from mixtura import GaussianMixture, fit_gmm
from mixtura.shapes import Floats

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
FAR = [[1e200, 0.0], [-1e160, 1e160], [0.0, -1.7e308]]
HEAVIEST = 1


def mixture(covariance_type: str) -> tuple[Floats, GaussianMixture]:
    X, labels = clustered(90, 2, 3)
    near = maximised(X, np.eye(3)[labels], covariance_type)
    return X, GaussianMixture([0.3, 0.5, 0.2], near.means, near.covariances, covariance_type)


@every_type
def test_row_at_zero_density_has_the_weights_as_responsibilities(covariance_type: str) -> None:
    _, model = mixture(covariance_type)
    np.testing.assert_array_equal(model.log_prob(FAR), np.full(3, -np.inf))
    np.testing.assert_array_equal(model.component_log_prob(FAR), np.full((3, 3), -np.inf))
    np.testing.assert_allclose(model.responsibilities(FAR), [model.weights] * 3, rtol=1e-15)
    np.testing.assert_array_equal(model.predict(FAR), np.full(3, HEAVIEST))


@every_type
def test_row_at_zero_density_makes_totals_and_criteria_infinite(covariance_type: str) -> None:
    X, model = mixture(covariance_type)
    both = np.vstack([X, FAR])
    assert model.log_likelihood(both) == -np.inf
    assert [model.aic(both), model.bic(both), model.icl(both)] == [np.inf] * 3
    weight = np.append(np.ones(len(X)), np.zeros(3))
    for name in ("log_likelihood", "aic", "bic", "icl"):
        criterion = getattr(model, name)
        assert criterion(both, weight) == pytest.approx(criterion(X), rel=1e-12)
    assert model.log_likelihood(both, weight + 1e-90) == -np.inf


@every_type
def test_fit_that_starts_with_rows_at_zero_density_shares_them_by_the_weights(
    covariance_type: str,
) -> None:
    X, wide = mixture(covariance_type)
    model = GaussianMixture(wide.weights, wide.means, 1e-12 * wide.covariances, covariance_type)
    rows = np.vstack([X, [[1e150, 0.0]]])
    assert np.isneginf(model.log_prob(rows)[-1])
    resp = np.vstack([model.responsibilities(X), model.weights])
    fit = fit_gmm(
        rows, 3, covariance_type=covariance_type, init=model, reg_covar=0.0, tol=0.0, max_iter=1,
        on_collapse="raise",
    )  # fmt: skip
    np.testing.assert_allclose(fit.model.weights, resp.mean(axis=0), rtol=1e-12)
    expected = resp.T @ rows / resp.sum(axis=0)[:, None]
    np.testing.assert_allclose(fit.model.means[:, 0], expected[:, 0], rtol=1e-9)
    assert math.isfinite(fit.log_likelihood)
