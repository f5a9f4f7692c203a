"""Rows with noise of their own: the kernels against the reference."""

from __future__ import annotations

from typing import Any

import noisy
import numpy as np
import pytest
from helpers import LAYOUTS
from mixtures import random_parameters

from mixtura import kernels, reference
from mixtura.parameters import Seen
from mixtura.shapes import FULL, SHAPES
from mixtura.statistics import Statistics

COMPILED, PLAIN = kernels.FORMS["noisy"], reference.FORMS["noisy"]
every_shape = pytest.mark.parametrize("name", list(SHAPES))
every_kind = pytest.mark.parametrize("kind", noisy.KINDS)
SUMS = ("resp_sum", "resp_x", "resp_xx", "log_likelihood", "weight_sum")


def assert_same(one: Statistics, other: Statistics, rtol: float = 1e-9) -> None:
    for name in SUMS:
        expected = np.asarray(getattr(other, name))
        size = np.abs(expected).max()
        np.testing.assert_allclose(getattr(one, name), expected, rtol=rtol, atol=rtol * size)
    found, expected = one.extras["entropy"], other.extras["entropy"]
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12 * one.weight_sum)


@pytest.mark.parametrize("d", [1, 2, 3, 5, 12, 13, 20])
@every_kind
@every_shape
def test_statistics_are_those_of_the_reference(name: str, kind: str, d: int) -> None:
    parameters = random_parameters(name, 3, d, d)
    for n, em, weighted in [(1, "soft", False), (3, "hard", True), (300, "soft", True),
                            (259, "hard", False), (5, "soft", False)]:  # fmt: skip
        rows = noisy.rows(kind, n, d, n)
        weight = None
        if weighted:
            weight = np.random.default_rng(n).uniform(0.0, 2.0, n)
            weight[1::7] = 0.0
        labels, expected_labels = np.empty((2, n), dtype=np.int64)
        compiled, plain = (engine(rows.X, weight, **rows.known) for engine in (COMPILED, PLAIN))
        found = compiled.accumulate(em, parameters.seen(), None, labels=labels)
        expected = plain.accumulate(em, parameters.seen(), None, labels=expected_labels)
        assert_same(found, expected)
        present = slice(None) if weight is None else weight > 0.0
        np.testing.assert_array_equal(labels[present], expected_labels[present])


@every_kind
@every_shape
def test_answers_for_each_row_are_those_of_the_reference(name: str, kind: str) -> None:
    n, d, k = 77, 4, 3
    parameters, rows = random_parameters(name, k, d, 1), noisy.rows(kind, n, d, 2)
    shapes: dict[str, Any] = {"log_density": (n, k), "resp": (n, k), "log_prob": n, "labels": n}
    compiled, plain = (engine(rows.X, **rows.known) for engine in (COMPILED, PLAIN))
    for output, shape in shapes.items():
        dtype = np.int64 if output == "labels" else np.float64
        found, expected = np.empty(shape, dtype), np.empty(shape, dtype)
        compiled.evaluate("soft", parameters.seen(), None, **{output: found})
        plain.evaluate("soft", parameters.seen(), None, **{output: expected})
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)
    found, expected = np.empty((2, n, d))
    compiled.complete(parameters.seen(), None, out=found)
    plain.complete(parameters.seen(), None, out=expected)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


# Rows in another byte order, or not aligned, are copied by the checks before a pass sees them.
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name[0] not in "ou"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_of_rows_changes_nothing(layout: str, dtype: type) -> None:
    rows, parameters = noisy.rows("matrices", 130, 3, 3), random_parameters("full", 2, 3, 4)
    X = rows.X.astype(dtype)
    laid = LAYOUTS[layout](X)
    found = COMPILED(laid, **rows.known).accumulate("soft", parameters.seen(), None)
    expected = COMPILED(X.copy(), **rows.known).accumulate("soft", parameters.seen(), None)
    np.testing.assert_array_equal(found.resp_xx, expected.resp_xx)
    assert_same(found, PLAIN(X, **rows.known).accumulate("soft", parameters.seen(), None))


@every_kind
@pytest.mark.parametrize("name", ["full", "diag"])
def test_any_number_of_threads_gives_the_same_bits(name: str, kind: str) -> None:
    rows, parameters = noisy.rows(kind, 5000, 3, 5), random_parameters(name, 3, 3, 6)
    engine = COMPILED(rows.X, **rows.known)
    one, *others = (engine.accumulate("soft", parameters.seen(), t) for t in (1, 2, 3, 7))
    for other in others:
        for sums in SUMS:
            np.testing.assert_array_equal(getattr(one, sums), getattr(other, sums))
        assert one.extras["entropy"] == other.extras["entropy"]


def test_one_noise_for_all_rows_needs_no_copy() -> None:
    rows, parameters = noisy.rows("matrices", 40, 3, 7), random_parameters("full", 2, 3, 8)
    noise = np.broadcast_to(rows.known["noise"][1], (40, 3, 3))
    found = COMPILED(rows.X, noise=noise).accumulate("soft", parameters.seen(), None)
    expected = COMPILED(rows.X, noise=noise.copy()).accumulate("soft", parameters.seen(), None)
    np.testing.assert_array_equal(found.resp_xx, expected.resp_xx)


@every_shape
@pytest.mark.parametrize("d", [1, 3, 14])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_rows_without_noise_have_the_sums_of_an_ordinary_pass(
    name: str, d: int, offset: float
) -> None:
    parameters = random_parameters(name, 3, d, 9)
    X = np.random.default_rng(10).normal(size=(400, d)) + offset
    seen = parameters.seen()._replace(means=parameters.means + offset)
    weight = np.random.default_rng(11).uniform(0.5, 1.0, 400)
    expected = kernels.Rows(X, weight).accumulate("soft", seen, None)
    for noise in (np.zeros(400), np.zeros((400, d)), np.zeros((400, d, d))):
        found = COMPILED(X, weight, noise=noise).accumulate("soft", seen, None)
        for sums in SUMS:
            value = getattr(expected, sums)
            size = np.abs(value).max()
            np.testing.assert_allclose(getattr(found, sums), value, rtol=0, atol=1e-12 * size)


def test_narrow_components_keep_their_digits() -> None:
    """The sums are taken in units of the component, so a correlation of 1 - 5e-13 is no harm."""
    wide, narrow = np.array([1.0, 1.0]) / np.sqrt(2.0), np.array([1.0, -1.0]) / np.sqrt(2.0)
    covariance = np.outer(wide, wide) + 1e-12 * np.outer(narrow, narrow)
    seen = Seen(np.zeros(1), np.zeros((1, 2)), covariance[None], np.ones((1, 2, 2)), FULL)
    rng = np.random.default_rng(12)
    X = rng.normal(size=(500, 1)) * wide + 1e-6 * rng.normal(size=(500, 1)) * narrow
    found = COMPILED(X, noise=np.zeros(500)).accumulate("soft", seen, None).resp_xx[0]
    across = narrow @ found @ narrow
    assert across == pytest.approx(np.square(X @ narrow).sum(), rel=1e-3)


def test_singular_components_and_noise_are_fine_where_their_sum_is_regular() -> None:
    covariances = np.array([np.diag([1.0, 0.0, 2.0]), np.full((3, 3), 1.0), np.zeros((3, 3))])
    seen = Seen(
        np.log([0.2, 0.3, 0.5]), np.arange(9.0).reshape(3, 3), covariances, covariances, FULL
    )
    noise = np.zeros((50, 3, 3))
    noise[:, 1, 1] = 1.0
    noise[1:, 0, 0] = noise[1:, 2, 2] = 0.5
    X = np.random.default_rng(13).normal(size=(50, 3))
    found = COMPILED(X, noise=noise).accumulate("soft", seen, None)
    assert_same(found, PLAIN(X, noise=noise).accumulate("soft", seen, None))
    np.testing.assert_array_equal(found.resp_xx[2], 0.0)  # nothing of it is uncertain


def test_a_row_that_is_singular_everywhere_is_shared_out_by_the_weights() -> None:
    covariances = np.zeros((2, 2))
    seen = Seen(np.log([0.25, 0.75]), np.zeros((2, 2)), covariances, covariances, SHAPES["diag"])
    rows = {"noise": np.array([0.0, 1.0])}
    X, resp = np.ones((2, 2)), np.empty((2, 2))
    COMPILED(X, **rows).evaluate("soft", seen, None, resp=resp)
    np.testing.assert_allclose(resp, [[0.25, 0.75], [0.25, 0.75]])
    found = COMPILED(X, **rows).accumulate("soft", seen, None)
    assert found.log_likelihood == -np.inf
    np.testing.assert_allclose(found.extras["entropy"], 2 * 0.5623351446188083)


@every_kind
@pytest.mark.parametrize("tiny", [5e-324, 1e-310])
@pytest.mark.parametrize("name", ["full", "diag"])
def test_a_sum_whose_reciprocal_overflows_counts_as_singular(
    name: str, kind: str, tiny: float
) -> None:
    """Component 1 is that narrow, and half of the rows have no noise."""
    shape = SHAPES[name]
    covariances = shape.from_matrices(np.array([np.eye(2), tiny * np.eye(2)]))
    seen = Seen(np.log([0.5, 0.5]), np.zeros((2, 2)), covariances, covariances, shape)
    rows = noisy.rows(kind, 20, 2, 18)
    rows.known["noise"][::2] = 0.0
    X = np.where(np.arange(20) < 10, 0.0, 1.0)[:, None] * rows.X
    if kind == "projected":
        rows.known["observed"][:] = X[:, :1]
    for engine in (COMPILED, PLAIN):
        density, resp, out = np.empty((20, 2)), np.empty((20, 2)), np.empty((20, 2))
        engine(X, **rows.known).evaluate("soft", seen, None, log_density=density, resp=resp)
        assert (density[::2, 1] == -np.inf).all()
        assert np.isfinite(density[:, 0]).all()
        np.testing.assert_array_equal(resp[::2, 1], 0.0)
        found = engine(X, **rows.known).accumulate("soft", seen, None)
        assert np.isfinite(found.log_likelihood)
        assert np.isfinite(found.resp_x).all()
        assert np.isfinite(found.resp_xx).all()
        engine(X, **rows.known).complete(seen, None, out=out)
        assert np.isfinite(out).all()


@every_shape
@every_kind
def test_tempered_components_are_those_of_the_reference(name: str, kind: str) -> None:
    rows = noisy.rows(kind, 60, 3, 14)
    seen, _ = random_parameters(name, 3, 3, 15).seen().tempered(0.4)
    found, expected = (
        engine(rows.X, **rows.known).accumulate("soft", seen, None) for engine in (COMPILED, PLAIN)
    )
    assert_same(found, expected)


def test_scales_at_the_ends_of_the_range_do_no_harm() -> None:
    """The determinant of twelve features alone would leave the range of a double."""
    parameters = random_parameters("full", 2, 12, 16)
    rows = noisy.rows("matrices", 30, 12, 17)
    expected = COMPILED(rows.X, **rows.known).accumulate("soft", parameters.seen(), None)
    for unit in (1e-60, 1e60):
        seen = parameters.seen()._replace(
            means=unit * parameters.means, covariances=unit**2 * parameters.covariances
        )
        noise = unit**2 * rows.known["noise"]
        found = COMPILED(unit * rows.X, noise=noise).accumulate("soft", seen, None)
        np.testing.assert_allclose(found.resp_xx / unit**2, expected.resp_xx, rtol=1e-9)
        jacobian = 30 * 12 * np.log(unit)
        np.testing.assert_allclose(found.log_likelihood + jacobian, expected.log_likelihood)


def test_no_rows_have_no_sums() -> None:
    parameters = random_parameters("full", 2, 3, 18)
    empty = COMPILED(np.empty((0, 3)), noise=np.empty((0, 3, 3)))
    found = empty.accumulate("soft", parameters.seen(), None)
    assert not found.resp_sum.any()
    assert found.extras["entropy"] == 0.0
