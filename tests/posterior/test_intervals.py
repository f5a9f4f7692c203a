"""Credible intervals against exact laws and against mixtures drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from posteriors import WEIGHT_PRIORS, posterior_of, prior_of, rows_and_shares, simple
from scipy import special, stats

from mixtura.conjugate import WEIGHT_LAWS
from mixtura.posterior.intervals import t_quantiles
from mixtura.shapes import SHAPE_NAMES

N = 2000
every_law = pytest.mark.parametrize(
    ("shape", "weights"), [(shape, weights) for shape in SHAPE_NAMES for weights in WEIGHT_PRIORS]
)


@every_law
def test_intervals_hold_their_share_of_mixtures_drawn(shape: str, weights: str) -> None:
    posterior, level = simple(shape, weights, d=3), 0.8
    intervals = posterior.credible_intervals(level)
    models = posterior.sample_models(N, rng=0)
    drawn = {
        "weights": np.array([model.weights for model in models]),
        "means": np.array([model.means for model in models]),
        "variances": np.array([model._parameters().variances() for model in models]),
    }
    error = 5.0 * np.sqrt(0.1 * 0.9 / N) + 0.003 * (weights == "stick-breaking")
    for name, values in drawn.items():
        ends = getattr(intervals, name)
        assert ends.shape == (*values.shape[1:], 2)
        below = (values < ends[..., 0]).mean(axis=0)
        above = (values > ends[..., 1]).mean(axis=0)
        assert (np.abs(below - 0.1) < error).all(), name
        assert (np.abs(above - 0.1) < error).all(), name


def test_intervals_in_one_dimension_are_those_of_scipy() -> None:
    (X, _), prior = rows_and_shares(k=1, d=1), prior_of("full", d=1)
    n, b, nu = len(X), 0.4 + len(X), 3.5 + len(X)
    posterior = posterior_of(prior, X, np.ones((n, 1)))
    scale, mean = float(posterior.scale[0, 0, 0]), float(posterior.means[0, 0])
    found = posterior.credible_intervals()
    assert found.level == 0.95
    assert found.weights.tolist() == [[1.0, 1.0]]
    ends = [0.025, 0.975]
    expected = stats.t(nu, mean, np.sqrt(scale / (b * nu))).ppf(ends)
    np.testing.assert_allclose(found.means[0, 0], expected, rtol=1e-12)
    expected = stats.invgamma(nu / 2.0, scale=scale / 2.0).ppf(ends)
    np.testing.assert_allclose(found.variances[0, 0], expected, rtol=1e-12)


def test_weights_of_a_dirichlet_law_have_beta_laws() -> None:
    posterior = simple("full")
    a = posterior.weight_concentration
    expected = stats.beta(a[:, None], (a.sum() - a)[:, None]).ppf([0.05, 0.95])
    np.testing.assert_allclose(posterior.credible_intervals(0.9).weights, expected, rtol=1e-10)


def test_first_stick_that_takes_nearly_all_has_the_quantiles_of_its_share() -> None:
    posterior = simple("full", "stick-breaking", k=2)
    # With the last stick nearly whole, the first weight is nearly its share.
    concentration = np.array([[20.0, 1e9], [10.0, 0.5]])
    found = posterior.prior.weights.quantiles(concentration, np.array([0.1, 0.5, 0.9]))
    exact = stats.beta(20.0, 10.0).ppf([0.1, 0.5, 0.9])
    np.testing.assert_allclose(found[0], exact, atol=0.003)
    np.testing.assert_allclose(found[1], 1.0 - exact[::-1], atol=0.003)


def test_weights_of_sticks_of_few_rows_are_divided_by_their_sum() -> None:
    law, concentration = WEIGHT_LAWS["stick-breaking"], np.array([[1.5, 1.0], [2.0, 4.0]])
    rng, levels = np.random.default_rng(0), np.array([0.1, 0.5, 0.9])
    drawn = np.array([law.draw(concentration, rng) for _ in range(5000)])
    found = law.quantiles(concentration, levels)
    for j in range(2):
        shares = (drawn[:, j, None] < found[j]).mean(axis=0)
        np.testing.assert_allclose(shares, levels, atol=0.03)


def test_weights_of_extreme_concentrations_have_quantiles() -> None:
    levels = np.array([0.025, 0.5, 0.975])
    for size in (1e-10, 1e15, 1e20, 1e100):
        found = WEIGHT_LAWS["dirichlet"].quantiles(np.array([size, 2.0 * size]), levels)
        assert ((found >= 0.0) & (found <= 1.0)).all()
        sticks = np.array([[1.0, 1.0], [size, size]])
        found = WEIGHT_LAWS["stick-breaking"].quantiles(sticks, levels)
        assert ((found >= 0.0) & (found <= 1.0)).all()


def test_quantiles_of_few_degrees_of_freedom_are_right_far_out() -> None:
    nu, levels = np.array([[0.006], [0.01], [0.02], [2.0]]), np.array([0.025, 0.5, 0.99])
    found = t_quantiles(nu, levels)
    assert found[:, 1].tolist() == [0.0] * 4
    # The law of a power of the inverse: P(|t| > x) = I(nu / (nu + x^2), nu/2, 1/2).
    for row, dof in zip(found, nu[:, 0], strict=True):
        for x, tail in ((-row[0], 0.025), (row[2], 0.01)):
            if x < 1e150:  # else its square is infinite
                share = special.betainc(dof / 2.0, 0.5, dof / (dof + x * x))
                assert share == pytest.approx(2.0 * tail, rel=1e-9)
    expected = np.log(0.025 * 0.006) + special.betaln(0.003, 0.5)
    assert np.log(-found[0, 0]) == pytest.approx(0.5 * np.log(0.006) - expected / 0.006, rel=1e-12)
    for tiny in (1e-300, 1e-100, 1e-10, 1e-4):
        assert t_quantiles(np.array([tiny]), levels).tolist() == [-np.inf, 0.0, np.inf]
    spread = t_quantiles(np.logspace(-300, 300, 200), np.array(0.6))
    assert (spread[1:] <= spread[:-1] * (1.0 + 1e-12)).all()


@every_law
def test_intervals_of_levels_near_zero_and_one_are_in_order(shape: str, weights: str) -> None:
    posterior = simple(shape, weights, d=3)
    wide, narrow = (posterior.credible_intervals(level) for level in (1.0 - 1e-16, 1e-16))
    for one, other in zip(wide[1:], narrow[1:], strict=True):
        assert (other[..., 0] <= other[..., 1]).all()
        assert (one[..., 0] <= other[..., 0]).all()
        assert (other[..., 1] <= one[..., 1]).all()
    assert np.isfinite(wide.means).all()
    assert np.isfinite(wide.variances).all()


def test_level_of_zero_gives_medians_and_levels_nest() -> None:
    posterior = simple("full")
    medians = posterior.credible_intervals(0.0)
    np.testing.assert_allclose(medians.means[..., 0], posterior.means, rtol=1e-12)
    narrow, wide = posterior.credible_intervals(0.5), posterior.credible_intervals(0.99)
    for name in ("weights", "means", "variances"):
        one, other, median = (getattr(each, name) for each in (narrow, wide, medians))
        assert (other[..., 0] < one[..., 0]).all()
        assert (one[..., 0] < median[..., 0]).all()
        assert (median[..., 1] < one[..., 1]).all()
        assert (one[..., 1] < other[..., 1]).all()


@pytest.mark.parametrize("shape", SHAPE_NAMES)
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_intervals_have_the_units_of_the_features(shape: str, unit: float) -> None:
    (X, resp), prior = rows_and_shares(), prior_of(shape)
    shift = 1e8 * unit
    moved = type(prior)(
        prior.weights, prior.concentration, prior.mean_precision, prior.mean * unit + shift,
        prior.degrees_of_freedom, prior.covariance * unit**2, prior.shape,
    )  # fmt: skip
    one = posterior_of(prior, X, resp).credible_intervals()
    other = posterior_of(moved, X * unit + shift, resp).credible_intervals()
    np.testing.assert_allclose((other.means - shift) / unit, one.means, atol=1e-6)
    np.testing.assert_allclose(other.variances / unit**2, one.variances, rtol=1e-6)
    np.testing.assert_array_equal(other.weights, one.weights)


@pytest.mark.parametrize("shape", SHAPE_NAMES)
def test_component_without_rows_has_wide_intervals_that_are_no_numbers_nowhere(shape: str) -> None:
    X, resp = rows_and_shares(k=2)
    empty = np.column_stack([resp, np.zeros(len(X))])
    prior = prior_of(shape)
    least = prior.precisions.least(2)
    near = prior_of(shape, freedom=least + 1e-3)
    for each in (prior, near):
        intervals = posterior_of(each, X, empty).credible_intervals()
        for ends in intervals[1:]:
            assert not np.isnan(ends).any()
            assert (ends[..., 0] <= ends[..., 1]).all()
        assert (intervals.variances > 0.0).all()


@pytest.mark.parametrize(
    ("level", "error", "message"),
    [
        (1.0, ValueError, r"^level must be below 1; got 1\. Pass one such as 0\.95\."),
        (-0.1, ValueError, "^level must be a finite number, 0 or more; got -0.1"),
        ("high", TypeError, "^level must be a finite number, 0 or more; got 'high'"),
    ],
)
def test_level_that_is_none_is_refused(level: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        simple("full").credible_intervals(level)


def test_repr_is_short() -> None:
    assert repr(simple("full").credible_intervals()).startswith(
        "CredibleIntervals(\n    level=0.95,"
    )
