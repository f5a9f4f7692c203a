"""The density of parameters, and the mixture where it is largest."""

from __future__ import annotations

import numpy as np
import pytest
from posteriors import posterior_of, prior_of, rows_and_shares, simple
from scipy import stats

from mixtura import GaussianMixture, GMMPosterior
from mixtura.conjugate import WEIGHT_LAWS
from mixtura.shapes import SHAPE_NAMES

every_shape = pytest.mark.parametrize("shape", SHAPE_NAMES)


def scipy_log_pdf(posterior: GMMPosterior, model: GaussianMixture) -> float:
    """SciPy's log-density of weights, means and covariances."""
    kind, (k, d) = posterior.prior.shape, posterior.means.shape
    total = stats.dirichlet(posterior.weight_concentration).logpdf(model.weights)
    for j, matrix in enumerate(model.covariance_matrices()):
        spread = matrix / posterior.mean_precision[j]
        total += stats.multivariate_normal(posterior.means[j], spread).logpdf(model.means[j])
    dof = posterior.degrees_of_freedom
    if kind.is_diagonal:
        column = dof.reshape((-1,) + (1,) * (posterior.scale.ndim - 1))
        law = stats.invgamma(column / 2.0, scale=posterior.scale / 2.0)
        return float(total + law.logpdf(model.covariances).sum())
    scales = posterior.scale.reshape(-1, d, d)
    drawn = model.covariances.reshape(-1, d, d)
    for nu, scale, covariance in zip(dof, scales, drawn, strict=True):
        total += stats.invwishart(nu, scale).logpdf(covariance)
    assert k == len(model.means)
    return float(total)


@every_shape
def test_density_is_that_of_scipy(shape: str) -> None:
    posterior = simple(shape, d=3)
    for model in [posterior.model, posterior.mode(), *posterior.sample_models(5, rng=0)]:
        assert posterior.log_pdf(model) == pytest.approx(scipy_log_pdf(posterior, model), rel=1e-10)


@every_shape
def test_density_is_largest_at_the_mode(shape: str) -> None:
    posterior, rng = simple(shape), np.random.default_rng(0)
    mode, kind = posterior.mode(), posterior.prior.shape
    highest = posterior.log_pdf(mode)
    assert highest > posterior.log_pdf(posterior.model)
    for size in (1e-3, 1e-2, 0.1) * 20:
        weights = mode.weights * np.exp(size * rng.normal(size=3))
        means = mode.means + size * rng.normal(size=mode.means.shape)
        covariances = mode.covariances * np.exp(size * rng.normal())
        if not kind.is_diagonal:
            turn = np.eye(2) + size * rng.normal(size=(2, 2))
            covariances = turn @ covariances @ turn.T
            covariances = 0.5 * (covariances + covariances.swapaxes(-1, -2))
        near = GaussianMixture(weights / weights.sum(), means, covariances, shape)
        assert posterior.log_pdf(near) < highest


@every_shape
def test_mode_is_stationary_in_the_size_of_the_covariances(shape: str) -> None:
    posterior = simple(shape)
    mode, step = posterior.mode(), 1e-4
    up, down = (
        posterior.log_pdf(
            GaussianMixture(mode.weights, mode.means, mode.covariances * np.exp(sign * step), shape)
        )
        for sign in (1.0, -1.0)
    )
    curvature = (up + down - 2.0 * posterior.log_pdf(mode)) / step**2
    assert abs((up - down) / (2.0 * step) / curvature) < 1e-5


def test_mode_has_the_weights_of_the_dirichlet_law() -> None:
    posterior = simple("full")
    excess = posterior.weight_concentration - 1.0
    np.testing.assert_allclose(posterior.mode().weights, excess / excess.sum(), rtol=1e-14)


def test_weight_with_a_concentration_below_one_has_its_mode_at_zero() -> None:
    X, resp = rows_and_shares(k=2)
    empty = np.column_stack([resp, np.zeros(len(X))])
    posterior = posterior_of(prior_of("full"), X, empty)
    mode = posterior.mode()
    assert mode.weights[2] == 0.0
    assert posterior.log_pdf(mode) == np.inf
    excess = posterior.weight_concentration[:2] - 1.0
    np.testing.assert_allclose(mode.weights[:2], excess / excess.sum(), rtol=1e-14)


@pytest.mark.parametrize("weights", WEIGHT_LAWS)
def test_mode_of_one_component_has_all_weight(weights: str) -> None:
    X, _ = rows_and_shares()
    posterior = posterior_of(prior_of("full", weights), X[:1], np.ones((1, 1)))
    assert posterior.mode().weights.tolist() == [1.0]


def test_mode_of_sticks_is_that_of_the_shares() -> None:
    law = WEIGHT_LAWS["stick-breaking"]
    found = law.mode(np.array([[11.0, 5.0, 3.0], [8.0, 3.5, 0.7]]))
    first, second = 10.0 / 17.0, 4.0 / 6.5
    pieces = np.array([first, (1 - first) * second, (1 - first) * (1 - second)])
    np.testing.assert_allclose(found, pieces, rtol=1e-14)
    # Without later rows and with a concentration below one, the share is unbounded at one.
    assert law.mode(np.array([[1.0, 1.0], [0.7, 0.7]])).tolist() == [1.0, 0.0]


def test_weights_without_a_mode_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"^weights need a component with a concentration above 1 to have a mode; there is "
        r"none\. Use the expected weights, those of `model`\.",
    ):
        WEIGHT_LAWS["dirichlet"].mode(np.array([0.5, 1.0]))
    with pytest.raises(ValueError, match="a component with a weight of rows above 0 to have"):
        WEIGHT_LAWS["stick-breaking"].mode(np.array([[1.0, 1.0], [2.0, 2.0]]))


def test_density_of_another_kind_of_mixture_is_refused() -> None:
    posterior, other = simple("full"), simple("diag").model
    with pytest.raises(ValueError, match=r"^model must have 3 components, 2 features and 'full' c"):
        posterior.log_pdf(other)
    with pytest.raises(ValueError, match=r"as the posterior has; got 2, 2 and 'full'\. Convert"):
        posterior.log_pdf(simple("full", k=2).model)
    with pytest.raises(TypeError, match=r"^model must be a GaussianMixture or a fit; got int\."):
        posterior.log_pdf(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^weight_prior must be 'dirichlet' for weights to have"):
        simple("full", "stick-breaking").log_pdf(posterior.model)
