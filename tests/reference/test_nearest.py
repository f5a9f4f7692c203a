"""Nearest centers and potentials of seeds, reference and compiled, by plain loops."""

import re
from types import ModuleType

import numpy as np
import pytest
from helpers import BACKENDS, EPS, LAYOUTS, unchanged

from mixtura.parameters import Seen
from mixtura.shapes import SPHERICAL, Floats


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def backend(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


def squared(x: Floats, y: Floats) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(x.tolist(), y.tolist(), strict=True)))


def example(n: int, k: int, d: int, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Rows, points and weights of the rows, some of them zero."""
    rng = np.random.default_rng((n, k, d, seed))
    weight = rng.exponential(size=n) * (rng.random(n) > 0.2)
    return rng.normal(size=(n, d)), rng.normal(size=(k, d)), weight


@pytest.mark.parametrize(("n", "k", "d"), [(1, 1, 1), (40, 3, 2), (90, 6, 5)])
@pytest.mark.parametrize("weighted", [False, True])
def test_assign_gives_labels_and_sums_of_the_definition(
    backend: ModuleType, n: int, k: int, d: int, weighted: bool
) -> None:
    X, centers, weight = example(n, k, d)
    weight = weight + (n == 1) if weighted else np.ones(n)
    labels, statistics = backend.assign(X, centers, sample_weight=weight if weighted else None)
    expected = [min(range(k), key=lambda j: squared(x, centers[j])) for x in X]
    present = weight > 0.0
    np.testing.assert_array_equal(labels[present], np.array(expected)[present])
    assert labels.dtype == np.int64
    rtol = 50 * (n + d) * EPS
    for j in range(k):
        mine = [i for i in range(n) if expected[i] == j]
        assert statistics.resp_sum[j] == pytest.approx(sum(weight[i] for i in mine), rel=rtol)
        moment = sum((weight[i] * (X[i] - centers[j]) for i in mine), start=np.zeros(d))
        np.testing.assert_allclose(statistics.resp_x[j], moment, rtol=rtol, atol=rtol)
        scatter = sum(weight[i] * squared(X[i], centers[j]) for i in mine)
        assert statistics.resp_xx[j] == pytest.approx(scatter, rel=rtol)
    total = sum(weight[i] * squared(X[i], centers[expected[i]]) for i in range(n))
    assert statistics.log_likelihood == pytest.approx(-0.5 * total, rel=rtol)
    assert statistics.covariance_type == "spherical"
    np.testing.assert_array_equal(statistics.centres, centers)


def test_row_as_near_to_several_centers_belongs_to_the_first(backend: ModuleType) -> None:
    X = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 5.0]])
    labels, _ = backend.assign(X, [[1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(labels, [0, 0, 0])


def test_row_whose_distances_all_overflow_belongs_to_the_first(backend: ModuleType) -> None:
    labels, statistics = backend.assign([[1e200], [3.0]], [[0.0], [4.0]])
    np.testing.assert_array_equal(labels, [0, 1])
    assert statistics.log_likelihood == -np.inf


def test_evaluate_nearest_gives_labels_and_half_distances(backend: ModuleType) -> None:
    X, centers, _ = example(60, 5, 3)
    labels, log_prob = np.full(60, -1), np.full(60, np.nan)
    seen = Seen.of_centers(centers, SPHERICAL)
    backend.Rows(X).evaluate("nearest", seen, None, labels=labels, log_prob=log_prob)
    distances = [[squared(x, c) for c in centers] for x in X]
    np.testing.assert_array_equal(labels, np.argmin(distances, axis=1))
    np.testing.assert_allclose(log_prob, -0.5 * np.min(distances, axis=1), rtol=1e-13)


@pytest.mark.parametrize(("n", "k", "d"), [(1, 1, 1), (50, 3, 2), (300, 4, 7)])
@pytest.mark.parametrize("weighted", [False, True])
def test_potentials_are_what_each_seed_would_leave(
    backend: ModuleType, n: int, k: int, d: int, weighted: bool
) -> None:
    X, seeds, weight = example(n, k, d)
    weight = weight + (n == 1) if weighted else np.ones(n)
    nearest = np.random.default_rng(1).exponential(2.0 * d, size=n)
    before = nearest.copy()
    left = backend.potentials(X, seeds, nearest, sample_weight=weight if weighted else None)
    after = [min(before[i], squared(X[i], seeds[0])) for i in range(n)]
    present = weight > 0.0  # what `nearest` holds for the other rows is arbitrary
    np.testing.assert_allclose(nearest[present], np.array(after)[present], rtol=1e-13)
    expected = [
        sum(weight[i] * min(after[i], squared(X[i], seed)) for i in range(n)) for seed in seeds
    ]
    np.testing.assert_allclose(left, expected, rtol=1e-12)


def test_first_seed_replaces_infinite_distances(backend: ModuleType) -> None:
    X = np.array([[0.0, 0.0], [3.0, 4.0]])
    nearest = np.full(2, np.inf)
    np.testing.assert_array_equal(backend.potentials(X, X[:1], nearest), [25.0])
    np.testing.assert_array_equal(nearest, [0.0, 25.0])
    np.testing.assert_array_equal(backend.potentials(X, X[1:], nearest), [0.0])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_in_any_layout_give_the_same(backend: ModuleType, dtype: str, layout: str) -> None:
    plain, points, _ = example(33, 4, 3)
    plain = plain.astype(dtype)
    X = LAYOUTS[layout](plain)
    nearest = np.full((2, 33), np.inf)
    with unchanged(X, points):
        labels, statistics = backend.assign(X, points)
        left = backend.potentials(X, points, nearest[0])
    expected_labels, expected = backend.assign(plain, points)
    np.testing.assert_array_equal(labels, expected_labels)
    np.testing.assert_allclose(statistics.resp_xx, expected.resp_xx, rtol=1e-13)
    np.testing.assert_allclose(left, backend.potentials(plain, points, nearest[1]), rtol=1e-13)


BAD_NEAREST = [
    ([0.0, 0.0], TypeError, "; got list. Begin with np.full(len(X), np.inf)."),
    (None, TypeError, "; got NoneType. Begin with np.full(len(X), np.inf)."),
    (np.zeros(3), ValueError, "; got shape (3,). Begin with"),
    (np.zeros(2, np.float32), TypeError, "; got dtype '<f4'. Begin with"),
]


@pytest.mark.parametrize(("nearest", "error", "got"), BAD_NEAREST)
def test_nearest_that_cannot_be_written_is_refused(
    backend: ModuleType, nearest: object, error: type[Exception], got: str
) -> None:
    expected = "nearest must be a writeable, C-contiguous float64 array of shape (2,)"
    with pytest.raises(error, match=f"^{re.escape(expected + got)}"):
        backend.potentials(np.zeros((2, 1)), [[0.0]], nearest)


def test_points_of_another_width_are_refused_by_name(backend: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"^centers must have shape \(n_components, 2\)"):
        backend.assign(np.zeros((3, 2)), [[0.0]])
    with pytest.raises(ValueError, match=r"^seeds must have shape \(n_components, 2\)"):
        backend.potentials(np.zeros((3, 2)), [[0.0]], np.zeros(3))
