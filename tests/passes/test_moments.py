"""Mean and variance of each feature, wherever the rows lie, and when single precision is enough."""

from collections.abc import Iterator

import numpy as np
import pytest
from loops import ONE_THREAD, ReadRows

from mixtura.data import ArrayRows, Bins, BlockedRows, RowSource
from mixtura.passes import Backend, moments, suits_single
from mixtura.passes.backend import BACKENDS
from mixtura.shapes import Floats

weighted_or_not = pytest.mark.parametrize("weighted", [False, True])
engines = pytest.mark.parametrize("engine", BACKENDS)


def weights_of(n: int, weighted: bool) -> Floats | None:
    return np.random.default_rng(3).choice([0.0, 1.0, 2.5], size=n) if weighted else None


def kinds(X: Floats, weight: Floats | None = None) -> Iterator[RowSource]:
    """The same rows in one array, and in blocks, some of them empty or without weight."""
    yield ArrayRows(X, weight)
    cuts = [0, 1, 1, len(X) // 2]
    weights = [None] * 5 if weight is None else np.split(weight, cuts)
    yield BlockedRows(zip(np.split(X, cuts), weights, strict=True))


@engines
@weighted_or_not
@pytest.mark.parametrize("offset", [0.0, 1e8, -1e12])
def test_moments_of_rows_wherever_they_lie_are_exact(
    engine: str, weighted: bool, offset: float
) -> None:
    X = np.round(2**8 * np.random.default_rng(0).normal(size=(500, 3))) / 2**8 * [1.0, 4.0, 16.0]
    weight = weights_of(len(X), weighted)
    if weight is not None:
        X[weight == 0.0] = 1e300
        weight[0] = 0.0
        X[0] = -1e300
    there = slice(None) if weight is None else weight > 0.0
    shares = None if weight is None else weight[there]
    expected_mean = np.average(X[there], axis=0, weights=shares)
    expected = np.average((X[there] - expected_mean) ** 2, axis=0, weights=shares)
    lost = 1e-15 * abs(offset)  # a mean can be told no better there
    for source in kinds(X + offset, weight):
        mean, variance = moments(source, Backend(engine))
        np.testing.assert_allclose(mean - offset, expected_mean, rtol=0, atol=1e-13 + lost)
        np.testing.assert_allclose(variance, expected, rtol=1e-13, atol=lost**2)


@engines
def test_moments_of_a_constant_feature_are_zero_exactly(engine: str) -> None:
    for source in kinds(np.column_stack([np.full(1000, 0.1), np.arange(1000.0)])):
        mean, variance = moments(source, Backend(engine))
        assert mean[0] == 0.1
        assert variance[0] == 0.0


@engines
def test_moments_of_rows_that_are_constant_but_for_absent_ones_are_zero(engine: str) -> None:
    X, weight = np.full((5, 1), 0.1), np.array([0.0, 1.0, 2.0, 0.0, 1.0])
    X[[0, 3]] = 1e-200
    for source in kinds(X, weight):
        mean, variance = moments(source, Backend(engine))
        assert (mean[0], variance[0]) == (0.1, 0.0)


@engines
@pytest.mark.parametrize("value", [1e160, 1e308])
def test_moments_too_large_for_a_float_are_refused(engine: str, value: float) -> None:
    X = np.array([[0.0, 1.0], [1.0, value], [1.0, -value]])
    for source in kinds(X):
        with pytest.raises(ValueError, match=r"X must have variances below 2e\+308; column 1 has"):
            moments(source, Backend(engine))


@pytest.mark.parametrize("value", [1e-150, 5e-324])
def test_moments_too_small_for_a_float_are_refused_unless_the_feature_is_constant(
    value: float,
) -> None:
    X = np.array([[0.0, 1.0], [value, 2.0], [0.0, 4.0]])
    for source in kinds(X):
        message = r"variances of 1e-290 or more, or constant columns; column 0 has .*Multiply"
        with pytest.raises(ValueError, match=message):
            moments(source, ONE_THREAD)
    for source in kinds(X, np.array([1.0, 0.0, 1.0])):
        assert moments(source, ONE_THREAD)[1][0] == 0.0


def test_moments_take_two_passes_over_the_rows() -> None:
    rows = ReadRows(np.arange(10.0).reshape(5, 2))
    moments(rows, ONE_THREAD)
    assert rows.n_readings == 3  # and a look at the first row


def test_single_precision_suits_many_float_rows_of_many_features_in_range() -> None:
    X = np.random.default_rng(0).normal(size=(10_000, 8)).astype(np.float32)
    variance = X.astype(float).var(axis=0)

    def suits(rows: RowSource, variance: Floats) -> bool:
        return suits_single(rows, variance, variance)

    assert suits(ArrayRows(X), variance)
    assert suits(BlockedRows([(X[:10], None), (X[10:], None)]), variance)
    assert suits_single(ArrayRows(X), variance, variance / 999.0**2)
    assert not suits_single(ArrayRows(X), variance, variance / 1001.0**2)  # rows far away
    weight = np.ones(len(X))
    assert suits(ArrayRows(X, weight), variance)
    weight[5] = 0.0
    assert suits(ArrayRows(X, weight), variance)
    constant = variance.copy()
    constant[3] = 0.0
    assert suits(ArrayRows(X), constant)

    assert not suits(ArrayRows(X.astype(float)), variance)
    assert not suits(BlockedRows([(X, None), (X.astype(float), None)]), variance)
    assert not suits(ArrayRows(X[:-1]), variance)
    assert not suits(ArrayRows(X[:, :7]), variance[:7])
    for out_of_range in (1e-9, 1e9):
        beyond = variance.copy()
        beyond[3] = out_of_range**2
        assert not suits(ArrayRows(X), beyond)
        weight[5] = out_of_range
        assert not suits(ArrayRows(X, weight), variance)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_moments_of_bins_are_those_of_their_middles(unit: float) -> None:
    edges, counts = unit * np.array([0.0, 1.0, 2.0, 4.0]), np.array([3.0, 0.0, 5.0])
    bins = Bins(edges, counts)
    found = moments(bins, Backend())
    np.testing.assert_allclose(found, moments(ArrayRows(bins.X, counts), Backend()), rtol=1e-12)
    np.testing.assert_allclose(found[0], [2.0625 * unit], rtol=1e-12)


@engines
def test_moments_of_noisy_rows_are_those_of_their_numbers(engine: str) -> None:
    X = 1e3 * np.random.default_rng(8).normal(size=(50, 2)) + 1e6
    rows = ArrayRows(X).with_extras("noisy", {"noise": np.full(50, 1e4)})
    mean, variance = moments(rows, Backend(engine))
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(variance, X.var(axis=0), rtol=1e-10)
