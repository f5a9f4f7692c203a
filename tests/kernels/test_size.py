"""Arrays beyond 2**31 rows, elements and bytes: an index of 32 bits would go astray in each."""

import ctypes
import mmap
import os
import sys

import numpy as np
import pytest
from helpers import Bounds, assert_same_statistics, assert_within, random_mixture, statistics_bounds
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from mixtura import kernels, reference
from mixtura.parameters import Seen
from mixtura.shapes import DIAG, Floats

FAR = 3 * 2**30 + 64  # bytes from one row, or column, to the next
MAP_NORESERVE, MAP_FIXED = 0x4000, 0x10  # Linux; the module mmap does not name them all

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or sys.maxsize < 2**40,
    reason="reserves tens of GiB of addresses without memory behind them, as Linux allows",
)
takes_a_while = pytest.mark.skipif(
    "MIXTURA_LARGE_TESTS" not in os.environ,
    reason="takes fifteen seconds of CPU; set MIXTURA_LARGE_TESTS=1 to run it, as .ci/run does",
)


def reserve(n_bytes: int) -> mmap.mmap:
    """Addresses; what is not written to reads as zero and takes no memory."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    return mmap.mmap(-1, n_bytes, flags=flags)


def spread_out(values: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    """The values with `FAR` bytes from one to the next along an axis, and few along the other."""
    size = values.itemsize
    strides = [0, 0]
    strides[axis], strides[1 - axis] = FAR, size
    memory = reserve(values.shape[axis] * FAR + values.nbytes)
    whole: NDArray[np.floating] = np.frombuffer(memory, dtype=values.dtype)
    view = as_strided(whole, values.shape, strides)
    view[...] = values
    return view


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_and_columns_gibibytes_apart_are_found(axis: int, dtype: type) -> None:
    rng = np.random.default_rng(axis)
    n, d, k = (5, 3, 2) if axis == 0 else (90, 3, 2)
    mixture = random_mixture(rng, "full", k, d)
    X, resp = rng.normal(size=(n, d)).astype(dtype), rng.random((n, k))
    far_X, far_resp = spread_out(X, axis), spread_out(resp, axis)
    assert max(far_X.strides) > 2**31
    computed = kernels.accumulate(far_X, **mixture.parameters)
    expected = reference.accumulate(X, **mixture.parameters)
    assert_same_statistics(computed, expected, Bounds(X, mixture).statistics())
    computed = kernels.accumulate_resp(far_X, far_resp, mixture.means, covariance_type="full")
    expected = reference.accumulate_resp(X, resp, mixture.means, covariance_type="full")
    assert_same_statistics(computed, expected, statistics_bounds(X, resp, mixture.means, "full"))


@takes_a_while
def test_more_rows_than_2_to_the_31_are_all_counted() -> None:
    n = 2**31 + 12_345
    X = np.broadcast_to(np.float64([[3.0]]), (n, 1))
    seen = Seen.of_factors(np.ones(1), np.array([[1.0]]), np.ones((1, 1)), DIAG)
    statistics = kernels.Rows(X).accumulate("soft", seen, 2)
    np.testing.assert_array_equal(statistics.resp_sum, [n])
    np.testing.assert_array_equal(statistics.resp_x, [[2.0 * n]])
    np.testing.assert_array_equal(statistics.resp_xx, [[4.0 * n]])
    assert statistics.weight_sum == n


@takes_a_while
def test_more_elements_than_2_to_the_31_are_all_read() -> None:
    n, d = 2**25 + 777, 64
    X = np.frombuffer(reserve(n * d * 4), dtype=np.float32).reshape(n, d)
    places = np.arange(n - 1, 0, -(n // 50))
    X[places] = np.random.default_rng(0).integers(-9, 9, size=(len(places), d))
    statistics = kernels.accumulate(X, [1.0], np.zeros((1, d)), [1.0], covariance_type="spherical")
    np.testing.assert_array_equal(statistics.resp_x[0], X[places].sum(axis=0))
    np.testing.assert_array_equal(statistics.resp_xx, [np.square(X[places]).sum()])


def one_window(n_bytes: int, window: int) -> mmap.mmap:
    """Addresses behind which the same `window` bytes of memory are repeated."""
    addresses = reserve(n_bytes)
    begin = ctypes.addressof(ctypes.c_char.from_buffer(addresses))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    memory = os.memfd_create("window")
    os.ftruncate(memory, window)
    for offset in range(0, n_bytes, window):
        there = ctypes.c_void_p(begin + offset)
        size = ctypes.c_size_t(min(window, n_bytes - offset))
        flags = mmap.MAP_SHARED | MAP_FIXED
        got = libc.mmap(there, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, memory, 0)
        assert got == there.value, os.strerror(ctypes.get_errno())
    os.close(memory)
    return addresses


@takes_a_while
def test_more_densities_than_2_to_the_31_are_all_written() -> None:
    """They are written over one another; those of the last rows are left."""
    n, k, window = 2**25 + 4096, 64, 2**26
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, "diag", k, 1)
    last = rng.normal(size=(2048, 1))
    X: Floats = np.frombuffer(reserve(n * 8)).reshape(n, 1)
    X[-len(last) :] = last
    out = np.frombuffer(one_window(n * k * 8, window)).reshape(n, k)
    assert out.size > 2**31
    kernels.log_density(X, **mixture.components, n_threads=1, out=out)
    expected = reference.log_density(last, **mixture.components)
    bound = Bounds(last, mixture).log_density
    assert_within(out[-len(last) :].copy(), expected, bound, "log_density")
