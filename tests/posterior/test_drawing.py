"""Mixtures drawn from a posterior."""

from __future__ import annotations

import numpy as np
import pytest
from posteriors import WEIGHT_PRIORS, posterior_of, prior_of, rows_and_shares, simple
from scipy import stats

from mixtura import GaussianMixture, GMMPosterior
from mixtura.conjugate import WEIGHT_LAWS
from mixtura.shapes import SHAPE_NAMES, SHAPES, Floats

N = 2000
every_law = pytest.mark.parametrize(
    ("shape", "weights"), [(shape, weights) for shape in SHAPE_NAMES for weights in WEIGHT_PRIORS]
)


def precisions(posterior: GMMPosterior, models: list[GaussianMixture]) -> Floats:
    shape = posterior.prior.shape
    return np.array([shape.precisions(model.precisions_cholesky) for model in models])


def within(draws: Floats, expected: Floats) -> None:
    """The mean of draws is as expected, to five standard errors."""
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - expected) < 5.0 * error + 1e-12).all()


@every_law
def test_draws_have_the_moments_of_the_laws(shape: str, weights: str) -> None:
    posterior = simple(shape, weights, d=3)
    models = posterior.sample_models(N, rng=0)
    kind, dof = posterior.prior.shape, posterior.degrees_of_freedom
    drawn = precisions(posterior, models)
    expected = kind.precisions(posterior.precisions_cholesky)
    within(drawn, expected)
    # Of a Wishart matrix nu V the variances are nu (V_ab^2 + V_aa V_bb); of gammas 2 / nu.
    column = dof[0] if kind.is_shared else dof.reshape((-1,) + (1,) * (expected.ndim - 1))
    products = np.square(expected)
    if not kind.is_diagonal:
        diagonal = np.einsum("...aa->...a", expected)
        products = 0.5 * (products + diagonal[..., :, None] * diagonal[..., None, :])
    within(np.square(drawn - expected), 2.0 / column * products)
    # The squared whitened distance of a mean, times its precision, is chi-squared.
    apart = [
        kind.whitened_lengths(model.precisions_cholesky, model.means - posterior.means)
        for model in models
    ]
    squares = np.square(apart) * posterior.mean_precision
    assert stats.kstest(squares.ravel(), stats.chi2(3).cdf).pvalue > 1e-3


@pytest.mark.parametrize("shape", SHAPE_NAMES)
def test_draws_fit_together(shape: str) -> None:
    posterior = simple(shape)
    for model in posterior.sample_models(20, rng=1):
        made = GaussianMixture(model.weights, model.means, model.covariances, shape)
        np.testing.assert_allclose(made.precisions_cholesky, model.precisions_cholesky, rtol=1e-9)
        assert model.covariance_type == shape


def test_precisions_are_those_of_a_wishart_law() -> None:
    posterior = simple("full", d=3)
    drawn = precisions(posterior, posterior.sample_models(N, rng=2))[:, 0]
    dof, scale = posterior.degrees_of_freedom[0], np.linalg.inv(posterior.scale[0])
    law = stats.wishart(dof, scale)
    other = law.rvs(N, random_state=np.random.default_rng(3))
    for value in (
        lambda P: P[:, 0, 0], lambda P: P[:, 2, 1], np.linalg.det,
        lambda P: law.logpdf(np.moveaxis(P, 0, -1)), lambda P: 1.0 / np.linalg.inv(P)[:, 2, 2],
    ):  # fmt: skip
        assert stats.ks_2samp(value(drawn), value(other)).pvalue > 1e-3


@pytest.mark.parametrize("weights", WEIGHT_PRIORS)
def test_weights_are_those_of_their_law(weights: str) -> None:
    posterior = simple("full", weights)
    models = posterior.sample_models(N, rng=4)
    drawn = np.array([model.weights for model in models])
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0, rtol=1e-14)
    law, rng = WEIGHT_LAWS[posterior.weight_prior], np.random.default_rng(5)
    other = np.array([law.draw(posterior.weight_concentration, rng) for _ in range(N)])
    for j in range(3):
        assert stats.ks_2samp(drawn[:, j], other[:, j]).pvalue > 1e-3


def test_draws_of_one_seed_are_equal() -> None:
    posterior = simple("full")
    one, other = posterior.sample_models(5, rng=7), posterior.sample_models(5, rng=7)
    assert one == other
    assert one != posterior.sample_models(5, rng=8)
    assert posterior.sample_models(0) == []
    generator = np.random.default_rng(7)
    assert posterior.sample_models(2, generator) + posterior.sample_models(3, generator) == one


@pytest.mark.parametrize("shape", SHAPE_NAMES)
def test_draws_of_a_component_without_rows_are_those_of_the_prior(shape: str) -> None:
    X, resp = rows_and_shares(k=2)
    prior = prior_of(shape, freedom=6.0)
    posterior = posterior_of(prior, X, np.column_stack([resp, np.zeros(len(X))]))
    means = np.array([model.means[2] for model in posterior.sample_models(N, rng=0)])
    within(means, prior.mean)
    if not SHAPES[shape].is_shared:
        least = prior.precisions.least(2)
        scale = prior.shape.variances(prior._whole_scale(1), 1, 2)[0]
        spread = np.sqrt(scale / (prior.mean_precision * (6.0 - least)))
        law = stats.t(6.0 - least, prior.mean[0], spread[0])
        assert stats.kstest(means[:, 0], law.cdf).pvalue > 1e-3


def test_covariance_that_is_singular_is_refused() -> None:
    X, resp = rows_and_shares(k=2)
    for shape, least in (("full", 1.0), ("diag", 0.0)):
        prior = prior_of(shape, freedom=least + 1e-6)
        posterior = posterior_of(prior, X, np.column_stack([resp, np.zeros(len(X))]))
        with pytest.raises(
            ValueError,
            match=rf"^degrees_of_freedom must be well above {least:g} for covariances to be drawn; "
            r"the least are .* Raise those of the prior, or use `predictive`",
        ):
            posterior.sample_models(1, rng=0)


def test_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^n must be an integer, 0 or more; got -1\."):
        simple("full").sample_models(-1)
