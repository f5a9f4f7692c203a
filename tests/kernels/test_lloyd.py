"""Lloyd's iterations in one call: to the bit those of one pass after the other."""

import signal
from types import ModuleType

import numpy as np
import pytest
from clusters import clustered
from helpers import LAYOUTS, unchanged
from numpy.typing import NDArray

from mixtura import kernels, reference
from mixtura.parameters import Seen
from mixtura.shapes import SPHERICAL, Floats

LEAST_GAIN = 1e-3
Labels = NDArray[np.int64]
each_size = pytest.mark.parametrize(
    ("n", "d", "k"), [(1, 1, 1), (63, 1, 3), (64, 2, 4), (65, 13, 3), (900, 2, 15), (700, 70, 9)]
)


def by_single_passes(
    rows: kernels.Rows, centers: Floats, n_iter: int, least_gain: float
) -> tuple[Floats, int, Labels]:
    """Centers, iterations and labels."""
    labels, before, made = np.empty(rows.n_samples, dtype=np.int64), -np.inf, 0
    while True:
        seen = Seen.of_centers(centers, SPHERICAL)
        statistics = rows.accumulate("nearest", seen, 1, labels=labels)
        height = statistics.log_likelihood
        if made == n_iter or height - before <= least_gain * abs(height):
            return centers, made, labels
        centers, before, made = statistics.means(), height, made + 1


def begun(n: int, d: int, k: int) -> tuple[Floats, Floats]:
    """Rows of overlapping clusters, and centers: the last one is far from all rows."""
    X = clustered(n, d, k, spread=2.0)[0]
    centers = X[np.arange(k) * n // k].copy()
    if k > 2:
        centers[-1] = 1e6
    return X, centers


@each_size
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["c-order", "fortran-order", "read-only"])
def test_iterations_in_one_call_have_the_bits_of_single_passes(
    module: ModuleType, n: int, d: int, k: int, weighted: bool, dtype: type, layout: str
) -> None:
    X, centers = begun(n, d, k)
    weight = np.random.default_rng(n).integers(0, 3, size=n) + 0.0 if weighted else None
    present = np.ones(n, dtype=bool) if weight is None else weight > 0.0
    rows = module.Rows(LAYOUTS[layout](X.astype(dtype)), weight)
    for n_iter, n_threads in ((0, 1), (1, 2), (2, 3), (50, 7)):
        with unchanged(centers):
            found = np.full(n, -1)
            after, made = rows.lloyd(centers, n_iter, LEAST_GAIN, n_threads, found)
        expected, most, labels = by_single_passes(rows, centers, n_iter, LEAST_GAIN)
        assert made == most
        np.testing.assert_array_equal(after, expected)
        np.testing.assert_array_equal(found[present], labels[present])
    assert made < 50


@each_size
def test_iterations_in_one_call_are_those_of_the_reference(
    module: ModuleType, n: int, d: int, k: int
) -> None:
    X, centers = begun(n, d, k)
    for n_iter in (0, 1, 50):
        labels, right = np.empty((2, n), dtype=np.int64)
        after, made = module.Rows(X).lloyd(centers, n_iter, LEAST_GAIN, 1, labels)
        expected, most = reference.Rows(X).lloyd(centers, n_iter, LEAST_GAIN, 1, right)
        assert made == most
        np.testing.assert_allclose(after, expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(labels, right)


def test_iterations_about_a_given_point_find_the_same(module: ModuleType) -> None:
    """Products are formed about it, not about the mean of the centers."""
    X, centers = begun(900, 2, 15)
    labels, right = np.empty((2, 900), dtype=np.int64)
    after, _ = module.Rows(X, None, X.mean(axis=0)).lloyd(centers, 50, LEAST_GAIN, 1, labels)
    expected, _ = module.Rows(X).lloyd(centers, 50, LEAST_GAIN, 1, right)
    np.testing.assert_array_equal(after, expected)
    np.testing.assert_array_equal(labels, right)


def test_iterations_over_no_rows_leave_the_centers(module: ModuleType) -> None:
    centers = np.ones((2, 3))
    after, made = module.Rows(np.empty((0, 3))).lloyd(centers, 5, 0.0, 1, np.empty(0, np.int64))
    assert made == 0
    np.testing.assert_array_equal(after, centers)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms on this platform")
def test_signal_ends_iterations_between_two_passes(module: ModuleType) -> None:
    def raise_it(*_: object) -> None:
        raise TimeoutError

    X, centers = begun(300, 2, 3)
    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(TimeoutError):  # they would take hours
            module.Rows(X).lloyd(centers, 10**10, -1.0, 1, np.empty(300, dtype=np.int64))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
