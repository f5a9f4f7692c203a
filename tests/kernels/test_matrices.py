"""Algebra of small matrices by every instruction set, against its definition."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import EPS, usable_instruction_sets
from numpy.typing import NDArray

from mixtura import kernels, reference
from mixtura.shapes import MOST_INFLATION, Floats

Factorise = Callable[[Floats], tuple[Floats, NDArray[np.bool_]]]
LOOPS = list(usable_instruction_sets())
LEAST_BLOCKED = 49  # features: one more than the blocks of factor.h have


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


@pytest.mark.parametrize("d", [1, 2, 3, 7, 8, 9, 16, 33, 130, LEAST_BLOCKED, LEAST_BLOCKED + 3])
def test_factors_whiten_their_covariances(factorise: Factorise, d: int) -> None:
    given = covariances(d)
    factors, failed = factorise(given)
    assert not failed.any()
    np.testing.assert_array_equal(factors, np.triu(factors))
    assert (np.einsum("jaa->ja", factors) > 0.0).all()
    whitened = factors.transpose(0, 2, 1) @ given @ factors
    np.testing.assert_allclose(whitened, np.broadcast_to(np.eye(d), given.shape), atol=1e-11 * d)


@pytest.mark.parametrize("d", [1, 2, 9, 40, LEAST_BLOCKED])
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


@pytest.mark.parametrize("d", [3, LEAST_BLOCKED])
def test_factors_of_matrices_in_any_order_are_equal_to_the_bit(d: int) -> None:
    given = covariances(d)
    in_other_order = np.asfortranarray(given)
    factors, failed = kernels.factorise(in_other_order)
    np.testing.assert_array_equal(factors, kernels.factorise(given)[0])
    assert not failed.any()


@pytest.fixture(params=LOOPS)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `kernels` use one instruction set after the other."""
    module = usable_instruction_sets()[request.param]
    monkeypatch.setattr("mixtura.kernels.matrices.compiled_kernels", module)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("d", [1, 2, 3, 7, 8, 9, 16, 33, 130])
@pytest.mark.parametrize("size", [1.0, 1e-160, 1e300])
def test_eigenvectors_diagonalise_their_matrices(d: int, size: float) -> None:
    root = np.random.default_rng(d).normal(size=(3, d, d))
    given = size * (root + root.transpose(0, 2, 1))
    values, axes = kernels.eigh(given)
    assert (np.diff(values, axis=1) >= 0.0).all()
    np.testing.assert_allclose(axes.transpose(0, 2, 1) @ axes, [np.eye(d)] * 3, atol=1e-13)
    bound = 4.0 * d * EPS * np.abs(values).max()
    np.testing.assert_allclose(
        (axes * values[:, None]) @ axes.transpose(0, 2, 1), given, atol=bound
    )
    np.testing.assert_allclose(values, reference.eigh(given)[0], atol=bound)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((4, 4)),
        np.eye(4),
        np.diag([3.0, -1.0, 3.0, 0.0]),
        np.ones((4, 4)),
        np.diag([1e-200, 1.0, 1e200, 1e-300]),
        np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1),
    ],
)
def test_eigenvalues_of_special_matrices(matrix: Floats) -> None:
    values, axes = kernels.eigh(matrix[None])
    largest = np.abs(matrix).max()
    np.testing.assert_allclose(values[0], np.linalg.eigvalsh(matrix), atol=16 * EPS * largest)
    np.testing.assert_allclose(axes[0].T @ axes[0], np.eye(4), atol=16 * EPS)


@pytest.mark.parametrize("engine", [kernels, reference])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_eigenvectors_of_a_matrix_that_is_not_finite_are_nan(engine: Any, wrong: float) -> None:
    given = np.array([np.eye(3), np.eye(3), 2.0 * np.eye(3)])
    given[1, 0, 2] = given[1, 2, 0] = wrong
    values, axes = engine.eigh(given)
    np.testing.assert_array_equal(values[[0, 2]], [[1.0] * 3, [2.0] * 3])
    assert np.isnan(values[1]).all()
    assert np.isnan(axes[1]).all()


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("m", [1, 3, 4, 5, 9])
@pytest.mark.parametrize("n", [1, 5, 6, 12, 23, 24, 25, 49])
@pytest.mark.parametrize("p", [1, 7, 256, 300])
def test_products_match_their_definition(m: int, n: int, p: int) -> None:
    rng = np.random.default_rng(m + n + p)
    left, right = rng.normal(size=(2, m, p)), rng.normal(size=(2, p, n))
    bound = EPS * np.sqrt(p) * 4.0 * (np.abs(left) @ np.abs(right)).max()
    for one, other in [(left, right), (left[:1], right), (left, right[:1])]:
        np.testing.assert_allclose(kernels.multiply(one, other), one @ other, rtol=0, atol=bound)
    turned = right.transpose(0, 2, 1)[:, :, ::-1]
    np.testing.assert_array_equal(
        kernels.multiply(turned, left.transpose(0, 2, 1)[:, ::-1]),
        kernels.multiply(turned.copy(), left.transpose(0, 2, 1)[:, ::-1].copy()),
    )


@pytest.mark.parametrize("engine", [kernels, reference])
def test_products_of_nothing_are_empty_or_zero(engine: Any) -> None:
    assert engine.multiply(np.ones((0, 2, 3)), np.ones((1, 3, 4))).shape == (0, 2, 4)
    np.testing.assert_array_equal(
        engine.multiply(np.ones((1, 2, 0)), np.ones((1, 0, 4))), np.zeros((1, 2, 4))
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.factorise(np.ones((1, 3, 1))), "covariances must have shape"),
        (lambda: kernels.factorise(np.eye(3)), "covariances must have three dimensions"),
        (lambda: kernels.eigh(np.ones((2, 3, 4))), "matrices must have shape"),
        (lambda: kernels.eigh(np.ones((2, 0, 0))), "matrices must have shape"),
        (lambda: kernels.multiply(np.ones((1, 3, 4)), np.ones((1, 3, 2))), "left and right must"),
        (lambda: kernels.multiply(np.ones((2, 3, 4)), np.ones((5, 4, 2))), "left and right must"),
        (lambda: kernels.multiply(np.ones((3, 3, 4)), np.ones((0, 4, 2))), "left and right must"),
        (lambda: kernels.multiply(np.ones((3, 4)), np.ones((1, 4, 2))), "left must have three"),
    ],
)
def test_matrices_of_other_shapes_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("tiny", [2e-150, 2e-155, 2e-162, 2e-300])
def test_eigenvectors_of_a_matrix_with_entries_whose_squares_vanish(tiny: float) -> None:
    matrix = np.eye(4)
    matrix[3, :3] = matrix[:3, 3] = [tiny, 0.5 * tiny, -0.5 * tiny]
    matrix[0, 1] = matrix[1, 0] = 0.5
    values, axes = kernels.eigh(matrix[None])
    np.testing.assert_allclose(values[0], [0.5, 1.0, 1.0, 1.5], rtol=1e-14)
    np.testing.assert_allclose(axes[0].T @ axes[0], np.eye(4), atol=1e-14)
