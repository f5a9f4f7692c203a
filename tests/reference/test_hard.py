"""The hard E-step, reference and compiled: each row to its most probable component."""

import math
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from definitions import exact, naive_statistics
from helpers import (
    BACKENDS,
    COVARIANCE_TYPES,
    EPS,
    Bounds,
    Mixture,
    assert_within,
    random_mixture,
    random_rows,
    statistics_bounds,
)

from mixtura.covariance import FAMILIES
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import SHAPES, Floats
from mixtura.statistics import Statistics

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def backend(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


def as_seen(mixture: Mixture) -> Seen:
    shape = SHAPES[mixture.covariance_type]
    return Seen.of_factors(mixture.weights, mixture.means, mixture.factors, shape)


def hard_labels(
    backend: ModuleType, X: Floats, seen: Seen, sample_weight: Floats | None = None
) -> tuple[np.ndarray, Statistics]:
    labels = np.full(len(X), -1)
    rows = backend.Rows(X, sample_weight)
    return labels, rows.accumulate("hard", seen, None, labels=labels)


@pytest.mark.parametrize("d", [1, 3])
@each_type
def test_hard_statistics_of_random_rows_match_the_definition_by_loops(
    backend: ModuleType, covariance_type: str, d: int
) -> None:
    rng = np.random.default_rng(d)
    mixture = random_mixture(rng, covariance_type, 4, d, spread=1.0)
    X, sample_weight = random_rows(rng, mixture, 50), rng.exponential(size=50)
    density, _, _ = exact(X, mixture)
    labels, largest = [], []
    for row in density:
        joint = [math.log(w) + value for w, value in zip(mixture.weights, row, strict=True)]
        labels.append(joint.index(max(joint)))
        largest.append(max(joint))
    resp = np.eye(4)[labels]
    expected = naive_statistics(X, resp, mixture.means, covariance_type, sample_weight)
    computed = backend.accumulate(X, **mixture.parameters, em="hard", sample_weight=sample_weight)
    bounds = statistics_bounds(X, resp, mixture.means, covariance_type, sample_weight)
    for name, value in expected.items():
        assert_within(getattr(computed, name), value, bounds[name], name)
    off = Bounds(X, mixture).log_density.max(axis=1) + 8 * EPS * np.abs(largest)
    assert computed.log_likelihood == pytest.approx(
        math.fsum(sample_weight * largest), rel=0, abs=float(sample_weight @ off)
    )
    np.testing.assert_array_equal(computed.centres, mixture.means)
    np.testing.assert_array_equal(hard_labels(backend, X, as_seen(mixture))[0], labels)


@each_type
def test_evaluate_hard_gives_one_share_and_the_largest_term(
    backend: ModuleType, covariance_type: str
) -> None:
    rng = np.random.default_rng(5)
    mixture = random_mixture(rng, covariance_type, 3, 2, spread=1.0)
    X = random_rows(rng, mixture, 30)
    resp, log_prob = np.full((30, 3), np.nan), np.full(30, np.nan)
    labels = np.full(30, -1)
    backend.Rows(X).evaluate(
        "hard", as_seen(mixture), None, resp=resp, log_prob=log_prob, labels=labels
    )
    joint = backend.log_density(X, **mixture.components) + np.log(mixture.weights)
    np.testing.assert_array_equal(labels, joint.argmax(axis=1))
    np.testing.assert_array_equal(resp, np.eye(3)[labels])
    np.testing.assert_allclose(log_prob, joint.max(axis=1), rtol=1e-13)


@each_type
def test_equal_components_leave_the_row_to_the_first(
    backend: ModuleType, covariance_type: str
) -> None:
    mixture = random_mixture(np.random.default_rng(0), covariance_type, 3, 2)
    mixture.means[:] = mixture.means[0]
    if covariance_type != "tied":
        mixture.factors[:] = mixture.factors[0]
    mixture = replace(mixture, weights=np.array([0.2, 0.4, 0.4]))
    X = random_rows(np.random.default_rng(1), mixture, 20)
    labels, statistics = hard_labels(backend, X, as_seen(mixture))
    np.testing.assert_array_equal(labels, 1)
    np.testing.assert_array_equal(statistics.resp_sum, [0.0, 20.0, 0.0])


@each_type
def test_row_at_zero_density_everywhere_belongs_to_the_heaviest(
    backend: ModuleType, covariance_type: str
) -> None:
    unit = 1e-100  # in which the row is out of reach, and yet its square is finite
    mixture = random_mixture(np.random.default_rng(1), covariance_type, 3, 3).scaled(unit)
    mixture = replace(mixture, weights=np.array([1.0, 3.0, 3.0]))
    X = np.full((1, 3), 1e60)
    labels, statistics = hard_labels(backend, X, as_seen(mixture), np.array([2.0]))
    np.testing.assert_array_equal(labels, [1])
    np.testing.assert_array_equal(statistics.resp_sum, [0.0, 2.0, 0.0])
    assert statistics.log_likelihood == -np.inf
    assert np.isfinite(statistics.resp_xx).all()


@each_type
def test_empty_component_gets_no_row(backend: ModuleType, covariance_type: str) -> None:
    rng = np.random.default_rng(4)
    mixture = random_mixture(rng, covariance_type, 3, 2, spread=0.5)
    X = random_rows(rng, mixture, 20)
    mixture = replace(mixture, weights=mixture.weights * [1.0, 0.0, 1.0])
    labels, statistics = hard_labels(backend, X, as_seen(mixture))
    assert set(labels) <= {0, 2}
    assert statistics.resp_sum[1] == 0.0
    assert np.isfinite(statistics.log_likelihood)


@each_type
def test_row_of_weight_zero_is_absent(backend: ModuleType, covariance_type: str) -> None:
    rng = np.random.default_rng(6)
    mixture = random_mixture(rng, covariance_type, 3, 2)
    X, sample_weight = random_rows(rng, mixture, 30), rng.exponential(size=30)
    sample_weight[::3] = 0.0
    X[0] = 1e200  # which no component reaches
    present = sample_weight > 0.0
    one, other = (
        backend.accumulate(rows, **mixture.parameters, em="hard", sample_weight=weight)
        for rows, weight in ((X, sample_weight), (X[present], sample_weight[present]))
    )
    for name in ("resp_sum", "resp_x", "resp_xx", "log_likelihood", "weight_sum"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12)


@each_type
def test_classification_likelihood_never_falls_under_alternating_steps(
    backend: ModuleType, covariance_type: str
) -> None:
    rng = np.random.default_rng(8)
    shape, family = SHAPES[covariance_type], FAMILIES[covariance_type]
    X = random_rows(rng, random_mixture(rng, covariance_type, 3, 2, spread=2.0), 150)
    rows = backend.Rows(X)
    labels, start = backend.assign(X, X[:3])
    statistics = rows.given(labels, start.means(), shape, None)
    history = []
    for _ in range(12):
        centred = statistics.centred()
        covariances = family.update(centred, backend)
        factors, failed = family.factorise(covariances, backend)
        assert not failed.any()
        weights = statistics.resp_sum / statistics.resp_sum.sum()
        parameters = Parameters(weights, centred.centres, covariances, factors, shape)
        statistics = rows.accumulate("hard", parameters.seen(), None)
        history.append(statistics.log_likelihood)
    assert np.diff(history).min() >= -1e-10
    assert history[-1] > history[0] + 0.1


@pytest.mark.parametrize("unit", [0.1, 1.0, 30.0])
def test_hard_with_equal_spheres_and_weights_is_nearest_to_the_label(
    backend: ModuleType, unit: float
) -> None:
    rng = np.random.default_rng(9)
    X, centers = rng.normal(size=(400, 3)), rng.normal(size=(7, 3))
    seen = Seen.of_factors(np.full(7, 1 / 7), centers, np.full(7, 1 / unit), SHAPES["spherical"])
    labels, statistics = hard_labels(backend, X, seen)
    nearest, expected = backend.assign(X, centers)
    np.testing.assert_array_equal(labels, nearest)
    for name in ("resp_sum", "resp_x", "resp_xx"):
        np.testing.assert_allclose(
            getattr(statistics, name), getattr(expected, name), rtol=1e-12, atol=1e-12
        )
    constant = -math.log(7.0) - 3 * math.log(unit) - 1.5 * math.log(2.0 * math.pi)
    by_hand = 400 * constant + expected.log_likelihood / unit**2
    assert statistics.log_likelihood == pytest.approx(by_hand, rel=1e-12)


def test_unknown_e_step_is_refused(backend: ModuleType) -> None:
    mixture = random_mixture(np.random.default_rng(0), "diag", 2, 2)
    with pytest.raises(ValueError, match=r"^em must be one of 'soft', 'hard'; got 'nearest'"):
        backend.accumulate(np.zeros((3, 2)), **mixture.parameters, em="nearest")
