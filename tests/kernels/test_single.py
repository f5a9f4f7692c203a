"""Passes in single precision: as good as float32 rows are, for every type, shape and weight."""

import helpers
import numpy as np
import pytest
from helpers import (
    COVARIANCE_TYPES,
    Bounds,
    assert_same_bits,
    assert_same_statistics,
    assert_within,
    random_mixture,
    random_rows,
    statistics_bounds,
    usable_instruction_sets,
)

from mixtura import kernels, reference

EPS = float(np.finfo(np.float32).eps)
OFFSET = 1e3  # rows in single precision lose three digits to it, however they are summed

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


@pytest.fixture
def _single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds for numbers that carry float32's rounding unit."""
    monkeypatch.setattr(helpers, "EPS", EPS)


@pytest.mark.usefixtures("_single_precision")
@pytest.mark.parametrize(
    ("n", "d", "k", "weighted", "offset"),
    [
        (1, 1, 1, False, 0.0),
        (63, 3, 2, True, 0.0),
        (300, 8, 5, False, OFFSET),
        (257, 12, 3, True, 0.0),
        (300, 13, 4, False, 0.0),
        (1000, 16, 40, True, OFFSET),
        (129, 33, 2, False, 0.0),
        (200, 57, 3, True, 0.0),
    ],
)
@each_type
def test_statistics_in_single_precision_agree_with_the_reference(
    covariance_type: str, n: int, d: int, k: int, weighted: bool, offset: float
) -> None:
    rng = np.random.default_rng([n, d, k])
    mixture = random_mixture(rng, covariance_type, k, d).shifted(offset)
    X = random_rows(rng, mixture, n).astype(np.float32)
    weight = rng.choice([0.0, 1.0, 2.5], size=n, p=[0.2, 0.4, 0.4]) if weighted else None
    if weighted:
        X[weight == 0.0] = np.float32(3e38)
    resp = rng.dirichlet(np.ones(k), size=n)
    seen, of_rows = mixture.seen(), {"sample_weight": weight}
    soft, hard = (
        reference.accumulate(X.astype(float), **mixture.parameters, em=em, **of_rows)
        for em in ("soft", "hard")
    )
    given = reference.accumulate_resp(
        X.astype(float), resp, mixture.means, covariance_type=covariance_type, **of_rows
    )
    bounds = Bounds(X.astype(float), mixture)
    of_soft, of_hard = bounds.statistics(weight), bounds.hard(weight)
    of_given = statistics_bounds(X, resp, mixture.means, covariance_type, weight)
    for module in usable_instruction_sets().values():
        rows = module.Rows(X, weight, mixture.means.mean(axis=0), single=True)
        computed = rows.accumulate("soft", seen, 1)
        assert_same_statistics(computed, soft, of_soft)
        assert_same_bits(computed, rows.accumulate("soft", seen, 3))
        assert_same_statistics(rows.accumulate("hard", seen, 1), hard, of_hard)
        computed = rows.given(resp, mixture.means, seen.shape, 1)
        assert_same_statistics(computed, given, of_given)


@pytest.mark.usefixtures("_single_precision")
@each_type
def test_densities_in_single_precision_agree_with_the_reference(covariance_type: str) -> None:
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, covariance_type, 4, 9)
    mixture.factors[...] *= 100.0  # constants c_j far from zero
    X = random_rows(rng, mixture, 100).astype(np.float32)
    bounds = Bounds(X.astype(float), mixture)
    rows = kernels.Rows(X, None, X.mean(axis=0, dtype=float), single=True)
    density, log_prob = np.empty((100, 4)), np.empty(100)
    rows.evaluate("soft", mixture.seen(), 1, log_density=density, log_prob=log_prob)
    expected = reference.log_density(X, **mixture.components)
    assert_within(density, expected, bounds.log_density, "log_density")
    expected = reference.responsibilities(X, **mixture.parameters)[1]
    assert_within(log_prob, expected, bounds.log_prob, "log_prob")


@pytest.mark.parametrize("d", [12, 13])
@each_type
def test_statistics_about_a_point_amid_the_rows_agree_with_the_reference(
    covariance_type: str, d: int
) -> None:
    rng = np.random.default_rng(d)
    mixture = random_mixture(rng, covariance_type, 3, d).shifted(100.0)
    X = random_rows(rng, mixture, 150)
    rows = kernels.Rows(X, None, mixture.means.mean(axis=0))
    statistics = rows.accumulate("soft", mixture.seen(), 1)
    expected = reference.accumulate(X, **mixture.parameters)
    np.testing.assert_allclose(statistics.resp_x, expected.resp_x, atol=1e-8)
    np.testing.assert_allclose(statistics.resp_xx, expected.resp_xx, rtol=1e-8, atol=1e-8)
