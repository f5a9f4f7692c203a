"""Hard assignment by every compiled module; reference/test_hard.py has its definition."""

from types import ModuleType

import numpy as np
import pytest
from helpers import (
    COVARIANCE_TYPES,
    assert_same_bits,
    random_mixture,
    random_rows,
)

from mixtura import reference
from mixtura.parameters import Seen
from mixtura.shapes import SPHERICAL

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


@pytest.mark.parametrize("d", [2, 13])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@each_type
def test_hard_labels_are_the_most_probable_components(
    module: ModuleType, covariance_type: str, d: int, single: bool, weighted: bool
) -> None:
    rng = np.random.default_rng(d)
    mixture = random_mixture(rng, covariance_type, 5, d, spread=1.0)
    mixture.weights[3] = 0.0
    X = random_rows(rng, mixture, 400).astype(np.float32)
    weight = rng.exponential(size=400) if weighted else None
    with np.errstate(divide="ignore"):
        joint = reference.log_density(X, **mixture.components) + np.log(mixture.weights)
    expected = joint.argmax(axis=1)
    rows = module.Rows(X, weight, mixture.means.mean(axis=0), single=single)
    labels, again = np.full((2, 400), -1)
    resp, log_prob = np.full((400, 5), np.nan), np.full(400, np.nan)
    statistics = rows.accumulate("hard", mixture.seen(), 1, labels=labels)
    rows.evaluate("hard", mixture.seen(), 1, resp=resp, log_prob=log_prob, labels=again)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(again, expected)
    w = np.ones(400) if weight is None else weight
    np.testing.assert_allclose(resp, np.eye(5)[expected] * w[:, None], rtol=1e-6)
    np.testing.assert_allclose(log_prob, joint.max(axis=1), rtol=1e-5)
    np.testing.assert_allclose(statistics.log_likelihood, w @ joint.max(axis=1), rtol=1e-6)
    by_label = np.bincount(expected, weights=w, minlength=5)
    np.testing.assert_allclose(statistics.resp_sum, by_label, rtol=1e-6)
    assert_same_bits(rows.accumulate("hard", mixture.seen(), 3), statistics)


@pytest.mark.parametrize("d", [1, 3, 14])
def test_hard_with_unit_spheres_and_equal_weights_is_nearest_even_in_ties(
    module: ModuleType, d: int
) -> None:
    # Integers: distances are exact, and often equal; two centers are the same.
    rng = np.random.default_rng(d)
    centers = rng.integers(-2, 3, size=(6, d)).astype(float)
    centers[-1] = centers[0]
    X = rng.integers(-3, 4, size=(500, d)).astype(float)
    seen = Seen.of_centers(centers, SPHERICAL)
    hard, nearest = np.empty((2, 500), dtype=np.int64)
    one = module.Rows(X).accumulate("hard", seen, 1, labels=hard)
    other = module.Rows(X).accumulate("nearest", seen, 1, labels=nearest)
    np.testing.assert_array_equal(hard, nearest)
    for name in ("resp_sum", "resp_x", "resp_xx"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    constant = -0.5 * d * np.log(2.0 * np.pi)
    np.testing.assert_allclose(one.log_likelihood, other.log_likelihood + 500 * constant)


def test_unknown_e_step_is_an_error(module: ModuleType) -> None:
    seen = Seen.of_centers(np.zeros((1, 2)), SPHERICAL)
    with pytest.raises(ValueError, match="harder"):
        module.Rows(np.zeros((3, 2))).accumulate("harder", seen, 1)
