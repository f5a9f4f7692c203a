"""The kernels against the reference over layouts and values that hypothesis thinks of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import (
    COVARIANCE_TYPES,
    Bounds,
    Mixture,
    all_results,
    assert_same_statistics,
    assert_within,
    random_mixture,
    results_of_module,
    statistics_bounds,
    unchanged,
    usable_instruction_sets,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixtura import reference
from mixtura.data.checks import check_sample_weight
from mixtura.shapes import Floats

Array = NDArray[np.floating]
LARGEST = {4: 2.0**120, 8: 2.0**200}  # by bytes: fourth powers are finite, for the bounds
STEPS = st.sampled_from([-3, -2, -1, 0, 1, 2, 3])


@st.composite
def laid_out(draw: st.DrawFn, values: Array) -> Array:
    """The values in some corner of memory: strided, backwards, broadcast, unaligned, read-only.

    Along a broadcast axis, whose stride is zero, all values are the first.
    """
    steps = [draw(STEPS) if length else 1 for length in values.shape]
    lengths = [1 if step == 0 else length for step, length in zip(steps, values.shape, strict=True)]
    room = tuple(length * max(1, abs(step)) for step, length in zip(steps, lengths, strict=True))
    dtype = values.dtype.newbyteorder() if draw(st.booleans()) else values.dtype
    offset = draw(st.integers(0, dtype.itemsize))
    memory = bytearray(math.prod(room) * dtype.itemsize + offset)
    order = draw(st.sampled_from("CF"))
    whole: Array = np.ndarray(room, dtype, memory, offset, order=order)
    whole.fill(np.nan)
    view = whole[tuple(slice(None, None, step or 1) for step in steps)]
    view[...] = values[tuple(slice(length) for length in lengths)]
    view.flags.writeable = draw(st.booleans())
    return np.broadcast_to(view, values.shape) if 0 in steps else view


@st.composite
def rows(draw: st.DrawFn, shape: tuple[int, int], dtype: np.dtype) -> Array:
    """Numbers near the mixture's, and a few that could be any."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    X = (4.0 * rng.normal(size=shape)).astype(dtype)
    largest = LARGEST[dtype.itemsize]
    some = draw(st.lists(st.floats(-largest, largest, width=8 * dtype.itemsize), max_size=5))
    if X.size:
        X.flat[rng.integers(X.size, size=len(some))] = some
    return X


@st.composite
def examples(draw: st.DrawFn, covariance_type: str) -> tuple[Array, Mixture, Floats, Floats | None]:
    """Rows, a mixture, responsibilities, and weights or None."""
    n = draw(st.sampled_from([0, 1, 2, 5, 31, 33, 64, 65, 130, 257]))
    d, k = draw(st.sampled_from([1, 2, 3, 5, 8, 12, 13, 17])), draw(st.integers(1, 6))
    rng = np.random.default_rng(n)
    mixture = random_mixture(rng, covariance_type, k, d)
    dtype = np.dtype(draw(st.sampled_from([np.float32, np.float64])))
    X = draw(laid_out(draw(rows((n, d), dtype))))
    resp = draw(laid_out(rng.random((n, k)).round(1)))
    sample_weight = draw(laid_out(rng.choice([0.0, 1e-30, 0.5, 1.0, 1e30], size=n)))
    weighted = sample_weight.any() and draw(st.booleans())
    return X, mixture, resp, sample_weight if weighted else None


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@settings(max_examples=30)
@given(data=st.data())
def test_kernels_on_any_layout_agree_with_the_reference(
    covariance_type: str, data: st.DataObject
) -> None:
    X, mixture, resp, sample_weight = data.draw(examples(covariance_type))
    module = data.draw(st.sampled_from(list(usable_instruction_sets().values())))
    plain = np.array(X, dtype=np.float64)
    bounds = Bounds(plain, mixture)
    expected = all_results(reference, plain, resp, mixture, sample_weight)
    weight = None if sample_weight is None else check_sample_weight(sample_weight, len(X))
    with unchanged(X, resp, sample_weight):
        computed = results_of_module(module, X, resp, mixture, weight, n_threads=2)
    assert_within(computed[0], expected[0], bounds.log_density, "log_density")
    assert_within(computed[1], expected[1], bounds.resp, "resp")
    assert_within(computed[2], expected[2], bounds.log_prob, "log_prob")
    assert_same_statistics(computed[3], expected[3], bounds.statistics(sample_weight))
    of_resp = statistics_bounds(plain, resp, mixture.means, covariance_type, sample_weight)
    assert_same_statistics(computed[4], expected[4], of_resp)
    assert_same_statistics(computed[5], expected[5], bounds.hard(sample_weight))
