"""Changes of statistics, against sums over the rows that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES

from mixtura import Statistics, reference
from mixtura.schedules.changes import emptied, halves, merged, placed, replaced, split
from mixtura.shapes import Floats

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
every_size = pytest.mark.parametrize("d", [1, 3])


def rows_and_shares(d: int, k: int = 3, n: int = 50) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(d)
    resp = rng.dirichlet(np.full(k, 0.5), size=n)
    return rng.normal(size=(n, d)) + 4.0 * resp[:, :1], resp


def sums(X: Floats, resp: Floats, covariance_type: str) -> Statistics:
    """Sums over rows about centres that are not the means."""
    centres = np.linspace(-1.0, 1.0, resp.shape[1])[:, None] + np.zeros(X.shape[1])
    return reference.accumulate_resp(X, resp, centres, covariance_type=covariance_type)


def of_matrices(matrices: list[Floats], covariance_type: str) -> Floats:
    """What a covariance type keeps of the scatter matrices of components."""
    stack = np.array(matrices)
    kept: Floats = {
        "full": stack,
        "tied": stack.sum(axis=0),
        "diag": np.einsum("jaa->ja", stack),
        "spherical": np.einsum("jaa->j", stack),
    }[covariance_type]
    return kept


def scatter_of(X: Floats, weight: Floats) -> Floats:
    """Scatter matrix about the weighted mean, row by row."""
    mean = np.average(X, axis=0, weights=weight)
    total = np.zeros((X.shape[1], X.shape[1]))
    for x, w in zip(X, weight, strict=True):
        total += w * np.outer(x - mean, x - mean)
    return total


def assert_sums(
    found: Statistics, weights: Floats, means: Floats, scatter: Floats, *, total: float
) -> None:
    np.testing.assert_allclose(found.resp_sum, weights, atol=1e-12)
    np.testing.assert_allclose(found.means(), means, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found.centred().resp_xx, scatter, rtol=1e-9, atol=1e-9)
    assert found.weight_sum == total


@every_type
@every_size
def test_halves_of_a_component_alone_are_those_that_it_is_split_into(
    d: int, covariance_type: str
) -> None:
    X, resp = rows_and_shares(d)
    resp = np.insert(resp, 3, 0.0, axis=1)
    before = sums(X, resp, covariance_type)
    steps, widths = np.array([np.zeros(d), np.linspace(0.1, 0.2, d)]), np.array([1.7, 1.0])
    found = halves(before, 1, steps, widths)
    share = resp[:, 1].sum() / len(X)
    for way in range(2):
        both, own = split(before, 1, 3, steps[way], widths[way]), found.statistics(way)
        np.testing.assert_allclose(own.resp_sum, both.resp_sum[[1, 3]])
        np.testing.assert_allclose(own.means(), both.means()[[1, 3]])
        if covariance_type == "tied":  # which part is its own, shared sums do not say
            apart = steps[way] * np.sqrt(resp[:, 1].sum())
            scatter = share * sum(scatter_of(X, r) for r in resp[:, :3].T) - np.outer(apart, apart)
        else:
            scatter = both.centred().resp_xx[[1, 3]]
        np.testing.assert_allclose(own.centred().resp_xx, scatter, rtol=1e-9, atol=1e-12)


@every_type
@every_size
@pytest.mark.parametrize("width", [1.0, 1.7])
def test_component_that_is_split_has_two_halves_that_are_it_again_when_merged(
    d: int, covariance_type: str, width: float
) -> None:
    X, resp = rows_and_shares(d)
    resp = np.insert(resp, 3, 0.0, axis=1)
    before = sums(X, resp, covariance_type)
    step = np.linspace(0.1, 0.2, d)
    found = split(before, 1, 3, step, width)
    mean, half = np.average(X, axis=0, weights=resp[:, 1]), 0.5 * resp[:, 1].sum()
    np.testing.assert_allclose(found.resp_sum[[1, 3]], half)
    np.testing.assert_allclose(found.means()[[1, 3]], [mean - step, mean + step])
    if covariance_type != "tied":
        inner, outer = found.centred().resp_xx[[1, 3]]
        np.testing.assert_allclose(outer * (2.0 - width), inner * width)
    again = merged(found, 1, 3)
    expected = before.centred()
    np.testing.assert_allclose(again.resp_sum, expected.resp_sum)
    np.testing.assert_allclose(again.means()[:3], expected.means()[:3])
    np.testing.assert_allclose(again.centred().resp_xx, expected.resp_xx, atol=1e-9)


@every_type
@every_size
def test_component_that_is_placed_has_copies_of_all_rows_about_a_point(
    d: int, covariance_type: str
) -> None:
    """Each copy is as far from the point as the row is from the mean of its component."""
    X, resp = rows_and_shares(d)
    resp = np.insert(resp, 0, 0.0, axis=1)
    row, weight, spread = np.linspace(5.0, 6.0, d), 7.0, 0.2
    found = placed(sums(X, resp, covariance_type), 0, row, weight, spread)
    own = [scatter_of(X, r) for r in resp[:, 1:].T]
    copies = weight * spread / len(X) * np.sum(own, axis=0)
    means = [row, *(np.average(X, axis=0, weights=r) for r in resp[:, 1:].T)]
    weights = resp.sum(axis=0)
    weights[0] = weight
    scatter = of_matrices([copies, *own], covariance_type)
    assert_sums(found, weights, np.array(means), scatter, total=len(X))


@every_type
def test_component_that_is_placed_stays_where_numbers_are_missing(covariance_type: str) -> None:
    X, resp = rows_and_shares(3)
    given = emptied(sums(X, resp, covariance_type), 1)
    stays = given.centres[1].copy()
    for row in ([np.nan, 5.0, np.nan], [np.nan] * 3):
        found = placed(given, 1, np.array(row), 7.0, 0.2)
        np.testing.assert_array_equal(found.means()[1], np.where(np.isnan(row), stays, row))


@every_type
@every_size
def test_component_that_is_replaced_gives_its_rows_to_two_parts(
    d: int, covariance_type: str
) -> None:
    X, resp = rows_and_shares(d)
    shares = np.random.default_rng(9).dirichlet([1.0, 1.0], size=len(X))
    resp = np.insert(resp, 1, 0.0, axis=1)  # component 2 gives rows to itself and to 1
    parts = sums(X, 0.5 * resp[:, 2:3] * shares, covariance_type)  # of rows of half the weight
    found = replaced(sums(X, resp, covariance_type), (2, 1), parts)
    after = resp.copy()
    after[:, [2, 1]] = resp[:, 2:3] * shares
    own = [scatter_of(X, r) for r in after.T]
    scatter = of_matrices(own, covariance_type)
    if covariance_type == "tied":  # stays as it is
        scatter = sum(scatter_of(X, r) for r in resp[:, [0, 2, 3]].T)
    means = np.array([np.average(X, axis=0, weights=r) for r in after.T])
    assert_sums(found, after.sum(axis=0), means, scatter, total=len(X))


@every_type
def test_changes_leave_the_statistics_that_they_are_given_as_they_are(covariance_type: str) -> None:
    X, resp = rows_and_shares(3)
    given = emptied(sums(X, resp, covariance_type), 2)
    arrays = given.centres, given.resp_sum, given.resp_x, given.resp_xx
    bits = [array.tobytes() for array in arrays]
    parts = halves(given, 0, 0.1 * np.ones((1, 3)), np.ones(1)).statistics(0)
    for changed in (placed(given, 2, X[0], 1.0, 1.0), replaced(given, (0, 2), parts)):
        assert (changed.resp_sum > 0.0).all()
    assert [array.tobytes() for array in arrays] == bits
