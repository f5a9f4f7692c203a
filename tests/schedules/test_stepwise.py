"""The step-size rule, and running statistics."""

import math

import numpy as np
import pytest
from mixtures import random_parameters
from scipy import integrate

from mixtura import Statistics, reference
from mixtura.covariance import FAMILIES
from mixtura.schedules.stepwise import StepRule, interpolated, renewed, selected
from mixtura.shapes import SHAPE_NAMES
from mixtura.updates import Ridge

K, D = 3, 2


def statistics(name: str = "full", n: int = 30, seed: int = 0) -> Statistics:
    rng = np.random.default_rng(seed)
    X, resp = rng.normal(size=(n, D)), rng.dirichlet(np.ones(K), size=n)
    return reference.accumulate_resp(X, resp, rng.normal(size=(K, D)), covariance_type=name)


def assert_same(one: Statistics, other: Statistics) -> None:
    other = other.recentred(one.centres)
    for name in ("resp_sum", "resp_x", "resp_xx", "weight_sum"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("half_life", [math.inf, 5000.0, 100.0, 10.0])
@pytest.mark.parametrize("power", [0.55, 0.7, 1.0])
def test_share_of_a_batch_is_that_of_the_integral(power: float, half_life: float) -> None:
    rule = StepRule(power, 100.0, half_life)
    for before, weight in [(100.0, 1.0), (100.0, 1e4), (3e4, 1e3), (150.0, 1e-3)]:
        length, _ = integrate.quad(
            lambda u: 1.0 / rule.memory(u), before, before + weight, limit=200, epsrel=1e-11
        )
        assert rule.share(before, weight) == pytest.approx(-math.expm1(-length), rel=1e-7)


@pytest.mark.parametrize("half_life", [math.inf, 900.0])
def test_halves_of_a_batch_take_as_much_from_the_past_as_the_batch(half_life: float) -> None:
    rule = StepRule(0.7, 200.0, half_life)
    kept = (1.0 - rule.share(700.0, 60.0)) * (1.0 - rule.share(760.0, 40.0))
    assert kept == pytest.approx(1.0 - rule.share(700.0, 100.0), rel=1e-14)


def test_power_one_counts_all_rows_alike() -> None:
    assert StepRule(1.0, 50.0).share(300.0, 100.0) == pytest.approx(0.25, rel=1e-14)


def test_share_after_t_batches_as_large_as_the_start_is_about_a_power_of_t() -> None:
    assert StepRule(0.7, 100.0).share(99_950.0, 100.0) == pytest.approx(1000.0**-0.7, rel=0.01)


def test_half_life_takes_half_of_the_past() -> None:
    assert StepRule(0.7, 1000.0, 80.0).share(2000.0, 80.0) == pytest.approx(0.5, rel=1e-14)


def test_rule_does_not_depend_on_the_unit_of_weights() -> None:
    one, other = StepRule(0.7, 100.0, 400.0), StepRule(0.7, 1e5, 4e5)
    assert one.share(150.0, 30.0) == pytest.approx(other.share(1.5e5, 3e4), rel=1e-14)


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_interpolated_statistics_are_the_weighted_mean_of_both(name: str) -> None:
    running = statistics(name, 40, seed=1)
    running = running.scaled(1.0 / running.weight_sum)
    batch = statistics(name, 20, seed=2)
    mixed = interpolated(running, batch, 0.25)
    assert_same(mixed, running.scaled(0.75) + batch.scaled(0.25 / 20.0))
    assert mixed.centres is batch.centres
    assert mixed.weight_sum == pytest.approx(1.0)


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_selected_statistics_are_those_of_the_components_in_order(name: str) -> None:
    whole = statistics(name)
    order = np.array([2, 0, 1])
    np.testing.assert_array_equal(selected(whole, order).means(), whole.means()[order])
    assert_same(selected(selected(whole, order), np.argsort(order)), whole)


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
def test_parameters_follow_from_renewed_statistics(name: str) -> None:
    parameters = random_parameters(name, K, D, seed=3)
    old = statistics(name, seed=4)
    new = renewed(old.scaled(1.0 / old.weight_sum), parameters, np.ones(K, dtype=bool))
    made, failed = Ridge(FAMILIES[name], np.zeros(D), reference).update(new)
    assert not failed.any()
    for one, other in zip(made.arrays(), parameters.arrays(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_statistics_of_components_that_are_not_renewed_stay(name: str) -> None:
    parameters = random_parameters(name, K, D, seed=3)
    old = statistics(name, seed=4)
    old = old.scaled(1.0 / old.weight_sum)
    mask = np.array([False, True, False])
    new = renewed(old, parameters, mask)
    share = new.resp_sum[0] / old.resp_sum[0]
    np.testing.assert_allclose(new.means()[~mask], old.means()[~mask], rtol=1e-12)
    np.testing.assert_allclose(new.means()[mask], parameters.means[mask], rtol=1e-12)
    np.testing.assert_allclose(new.resp_sum[~mask], share * old.resp_sum[~mask], rtol=1e-12)
    assert new.resp_sum.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("power", [0.55, 0.7, 1.0])
def test_half_life_beyond_all_weights_is_none(power: float) -> None:
    for unit in (1e-200, 300.0):
        expected = StepRule(power, unit).share(2.0 * unit, unit)
        assert StepRule(power, unit, 1e308).share(2.0 * unit, unit) == expected
