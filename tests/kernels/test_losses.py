"""The kernels of what is lost without components, against the reference and plain loops."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES

from mixtura import Statistics, kernels, reference
from mixtura.shapes import Floats

ENGINES = [kernels, reference]
engines = pytest.mark.parametrize("engine", ENGINES, ids=["compiled", "reference"])


def shares(n: int, k: int) -> tuple[Floats, Floats, np.ndarray]:
    """Responsibilities, some of them 0, 1 or tiny, weights, and others of each component."""
    rng = np.random.default_rng(n + k)
    resp = rng.dirichlet(np.full(k, 0.2), size=n)
    resp[: n // 4] = np.eye(k)[rng.integers(k, size=n // 4)]
    resp[n // 4 : n // 3] *= 1e-9
    resp[n // 4 : n // 3, 0] = 1.0 - resp[n // 4 : n // 3, 1:].sum(axis=1)
    others = np.array([[other for other in range(k) if other != j][:3] for j in range(k)])
    return resp, rng.exponential(size=n), others


@pytest.mark.parametrize("n", [0, 1, 40, 1000])
@pytest.mark.parametrize("k", [2, 3, 9])
def test_losses_of_rows_and_entropies_of_the_kernel_are_those_of_the_reference(
    k: int, n: int
) -> None:
    resp, weight, others = shares(n, k)
    one, other = (engine.losses_of_rows(resp, weight) for engine in ENGINES)
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    one, other = (engine.entropies(resp, weight, others, 0.01) for engine in ENGINES)
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@engines
def test_losses_of_rows_are_those_of_a_plain_sum(engine: ModuleType) -> None:
    resp, weight, others = shares(60, 3)
    resp = np.clip(resp, 0.0, 0.999)
    expected = [
        -sum(w * np.log1p(-r) for w, r in zip(weight, resp[:, j], strict=True)) for j in range(3)
    ]
    np.testing.assert_allclose(engine.losses_of_rows(resp, weight), expected, rtol=1e-9)
    expected = np.zeros(others.shape)
    for w, row in zip(weight, resp, strict=True):
        for (j, c), other in np.ndenumerate(others):
            if row.max() < 0.99:
                x = [
                    r * np.log(r) if r > 0.0 else 0.0
                    for r in (row[j] + row[other], row[j], row[other])
                ]
                expected[j, c] += w * (x[0] - x[1] - x[2])
    np.testing.assert_allclose(engine.entropies(resp, weight, others, 0.01), expected, rtol=1e-9)


@engines
def test_losses_of_two_components_are_the_same_to_the_bit_in_either_order(
    engine: ModuleType,
) -> None:
    resp, weight, _ = shares(500, 3)
    others = np.array([[1, 2], [0, 2], [0, 1]])
    found = engine.entropies(resp, weight, others, 0.01)
    assert found[0].tolist() == found[[1, 2], [0, 0]].tolist()
    assert found[1, 1] == found[2, 1]
    statistics = about_the_means(3, 4, "full")
    one, other = np.array([0, 0, 1]), np.array([1, 2, 2])
    assert (
        engine.runnalls(statistics, one, other).tolist()
        == engine.runnalls(statistics, other, one).tolist()
    )


def about_the_means(k: int, d: int, covariance_type: str, n: int = 200) -> Statistics:
    rng = np.random.default_rng(k + d)
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 2.0, size=d)
    resp = rng.dirichlet(np.full(k, 0.3), size=n)
    X += 3.0 * resp[:, :1]
    found = reference.accumulate_resp(X, resp, np.zeros((k, d)), covariance_type=covariance_type)
    return found.centred()


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize(("k", "d"), [(2, 1), (3, 2), (4, 5), (5, 17)])
def test_bounds_of_the_kernel_are_those_of_the_reference(
    k: int, d: int, covariance_type: str
) -> None:
    statistics = about_the_means(k, d, covariance_type)
    one, other = np.triu_indices(k, 1)
    found, expected = (engine.runnalls(statistics, one, other) for engine in ENGINES)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@engines
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_bound_of_components_without_rows_or_spread_is_no_number(
    covariance_type: str, engine: ModuleType
) -> None:
    statistics = about_the_means(4, 3, covariance_type)
    statistics.resp_sum[1] = 0.0
    if covariance_type == "tied":
        statistics.resp_xx[...] = 0.0
    else:
        statistics.resp_xx[[1, 2]] = 0.0
    one, other = np.array([0, 0, 0, 1]), np.array([1, 2, 3, 2])
    found = engine.runnalls(statistics, one, other)
    assert np.isfinite(found)[[0, 1, 3]].tolist() == [False] * 3
    assert np.isfinite(found[2]) == (covariance_type != "tied")
