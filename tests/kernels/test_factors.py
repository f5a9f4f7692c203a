"""Precision factors by the compiled loops and by LAPACK, against their definition."""

from collections.abc import Callable

import numpy as np
import pytest
from helpers import usable_instruction_sets
from numpy.typing import NDArray

from mixtura import kernels, reference
from mixtura.kernels.factors import LEAST_LAPACK
from mixtura.shapes import MOST_INFLATION, Floats

Factorise = Callable[[Floats], tuple[Floats, NDArray[np.bool_]]]
LOOPS = list(usable_instruction_sets())


@pytest.fixture(params=[*LOOPS, "kernels"])
def factorise(request: pytest.FixtureRequest) -> Factorise:
    """One way to factorise after the other."""
    if request.param == "kernels":
        return kernels.factorise
    module = usable_instruction_sets()[request.param]

    def by_loops(covariances: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        factors = np.full(covariances.shape, np.nan)
        regular = np.zeros(len(covariances), dtype=bool)
        module.factorise(covariances, factors, regular, MOST_INFLATION)
        return factors, ~regular

    return by_loops


def covariances(d: int, k: int = 3) -> Floats:
    """Ordinary ones, in units far apart."""
    rng = np.random.default_rng(d)
    roots = rng.normal(size=(k, d, 2 * d)) * 10.0 ** rng.uniform(-60, 60, size=d)[:, None]
    return roots @ roots.transpose(0, 2, 1)


@pytest.mark.parametrize("d", [1, 2, 3, 7, 8, 9, 16, 33, 130, LEAST_LAPACK, LEAST_LAPACK + 3])
def test_factors_whiten_their_covariances(factorise: Factorise, d: int) -> None:
    given = covariances(d)
    factors, failed = factorise(given)
    assert not failed.any()
    np.testing.assert_array_equal(factors, np.triu(factors))
    assert (np.einsum("jaa->ja", factors) > 0.0).all()
    whitened = factors.transpose(0, 2, 1) @ given @ factors
    np.testing.assert_allclose(whitened, np.broadcast_to(np.eye(d), given.shape), atol=1e-11 * d)


@pytest.mark.parametrize("d", [1, 2, 9, 40, LEAST_LAPACK])
def test_matrices_that_are_not_regular_fail_and_do_not_affect_others(
    factorise: Factorise, d: int
) -> None:
    sound = covariances(d, 1)
    zero, infinite, unknown = np.zeros((d, d)), np.full((d, d), np.inf), sound[0].copy()
    unknown[-1, -1] = np.nan
    determined = sound[0].copy()  # the last feature is the first, but for rounding
    determined[-1], determined[:, -1] = determined[0], determined[:, 0]
    determined[-1, -1] = determined[0, 0] * (1.0 + 2.0**-52)
    wrong = [-sound[0], zero, infinite, unknown, *([determined] if d > 1 else [])]
    together = np.array([*wrong, sound[0]])
    factors, failed = factorise(together)
    np.testing.assert_array_equal(failed, [*[True] * len(wrong), False])
    np.testing.assert_array_equal(failed, reference.factorise(together)[1])
    np.testing.assert_array_equal(factors[-1], factorise(sound)[0][0])


@pytest.mark.parametrize("d", [3, LEAST_LAPACK])
def test_factors_of_matrices_in_any_order_are_equal_to_the_bit(d: int) -> None:
    given = covariances(d)
    in_other_order = np.asfortranarray(given)
    factors, failed = kernels.factorise(in_other_order)
    np.testing.assert_array_equal(factors, kernels.factorise(given)[0])
    assert not failed.any()
