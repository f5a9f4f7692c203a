"""Sums under given responsibilities and labels, reference and compiled, against exact sums."""

import re
from types import ModuleType

import numpy as np
import pytest
from definitions import naive_statistics
from helpers import (
    BACKENDS,
    COVARIANCE_TYPES,
    assert_same_statistics,
    assert_within,
    random_mixture,
    random_rows,
    statistics_bounds,
)

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def backend(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.mark.parametrize("d", [1, 2, 6])
@each_type
def test_accumulate_resp_of_random_rows_matches_exact_sums(
    backend: ModuleType, covariance_type: str, d: int
) -> None:
    rng = np.random.default_rng(d)
    n, k = 70, 3
    X, centres = rng.normal(size=(n, d)) + 50.0, rng.normal(size=(k, d)) + 50.0
    resp, sample_weight = rng.random((n, k)), rng.exponential(size=n)
    resp[rng.random((n, k)) < 0.3] = 0.0
    computed = backend.accumulate_resp(
        X, resp, centres, covariance_type=covariance_type, sample_weight=sample_weight
    )
    expected = naive_statistics(X, resp, centres, covariance_type, sample_weight)
    bounds = statistics_bounds(X, resp, centres, covariance_type, sample_weight)
    for name, value in expected.items():
        assert_within(getattr(computed, name), value, bounds[name], name)
    assert computed.log_likelihood == 0.0
    np.testing.assert_array_equal(computed.centres, centres)


@pytest.mark.parametrize("d", [1, 3])
@each_type
def test_accumulate_labels_of_random_rows_matches_exact_sums(
    backend: ModuleType, covariance_type: str, d: int
) -> None:
    rng = np.random.default_rng(d)
    n, k = 70, 4
    X, centres = rng.normal(size=(n, d)) + 50.0, rng.normal(size=(k, d)) + 50.0
    labels, sample_weight = rng.choice([0, 1, 3], size=n), rng.exponential(size=n)
    sample_weight[::5] = 0.0
    computed = backend.accumulate_labels(
        X, labels, centres, covariance_type=covariance_type, sample_weight=sample_weight
    )
    resp = (labels[:, None] == np.arange(k)).astype(float)
    expected = naive_statistics(X, resp, centres, covariance_type, sample_weight)
    bounds = statistics_bounds(X, resp, centres, covariance_type, sample_weight)
    for name, value in expected.items():
        assert_within(getattr(computed, name), value, bounds[name], name)
    assert computed.log_likelihood == 0.0
    assert computed.resp_sum[2] == 0.0
    np.testing.assert_array_equal(computed.centres, centres)


@each_type
def test_labels_are_responsibilities_of_one(backend: ModuleType, covariance_type: str) -> None:
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, covariance_type, 3, 2)
    X, labels = random_rows(rng, mixture, 40), rng.integers(3, size=40)
    one, other = (
        backend.accumulate_labels(X, labels, mixture.means, covariance_type=covariance_type),
        backend.accumulate_resp(
            X, np.eye(3)[labels], mixture.means, covariance_type=covariance_type
        ),
    )
    bounds = statistics_bounds(X, np.eye(3)[labels], mixture.means, covariance_type)
    assert_same_statistics(one, other, bounds)


@pytest.mark.parametrize("kind", ["int8", "uint16", ">i8", "list", "every second"])
def test_labels_of_any_integer_kind_give_the_same(backend: ModuleType, kind: str) -> None:
    X, labels = np.arange(6.0)[:, None], np.array([0, 1, 1, 0, 1, 0])
    as_given = {"list": labels.tolist(), "every second": np.repeat(labels, 2)[::2]}.get(kind)
    as_given = labels.astype(kind) if as_given is None else as_given
    s = backend.accumulate_labels(X, as_given, [[0.0], [0.0]], covariance_type="diag")
    np.testing.assert_array_equal(s.resp_sum, [3.0, 3.0])
    np.testing.assert_array_equal(s.resp_x, [[8.0], [7.0]])
    np.testing.assert_array_equal(s.resp_xx, [[34.0], [21.0]])


BAD_LABELS = [
    ([0, 1], ValueError, "labels must have shape (3,), one for each row of X; got (2,)."),
    ([[0], [1], [1]], ValueError, "labels must have shape (3,), one for each row of X; got (3, 1)"),
    ([0, 2, 1], ValueError, "labels must lie between 0 and 1; row 1 has 2. Number the components"),
    ([0, 1, -1], ValueError, "labels must lie between 0 and 1; row 2 has -1."),
    (
        [0.0, 1.0, 1.0],
        TypeError,
        (
            "labels must be integers; got an array of dtype float64. "
            "Pass np.asarray(labels).astype(int)."
        ),
    ),
    (
        [0.0, 0.5, 1.0],
        TypeError,
        (
            "labels must be integers; got an array of dtype float64. "
            "Pass np.unique(labels, return_inverse=True)[1], which numbers them from 0."
        ),
    ),
    (
        [True, False, True],
        TypeError,
        (
            "labels must be integers; got an array of dtype bool. "
            "Pass np.asarray(labels).astype(int)."
        ),
    ),
    (
        ["a", "b", "a"],
        TypeError,
        (
            "labels must be integers; got an array of dtype <U1. "
            "Pass np.unique(labels, return_inverse=True)[1], which numbers them from 0."
        ),
    ),
]


@pytest.mark.parametrize(("labels", "error", "message"), BAD_LABELS)
def test_bad_labels_are_refused(
    backend: ModuleType, labels: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        backend.accumulate_labels(np.zeros((3, 1)), labels, [[0.0], [1.0]], covariance_type="diag")
