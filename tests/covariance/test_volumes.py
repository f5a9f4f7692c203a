"""Volumes of components that share a shape, where one of them has no limit but zero."""

from types import ModuleType

import numpy as np
import pytest
from helpers import BACKENDS

from mixtura.covariance import FAMILIES
from mixtura.shapes import Floats

engines = pytest.mark.parametrize("by", BACKENDS.values(), ids=BACKENDS)


def estimated(
    scatter: Floats, counts: list[float], by: ModuleType, *, turn: bool = False
) -> Floats:
    """Variances from diagonals, or the same from matrices, in coordinates that may be turned."""
    weights = np.array(counts)
    if not turn:
        return FAMILIES["VEI"].maximised(scatter, weights, None, by)
    d = scatter.shape[1]
    axes = np.linalg.qr(np.random.default_rng(d).normal(size=(d, d)))[0]
    matrices = np.array([axes @ np.diag(one) @ axes.T for one in scatter])
    found = FAMILIES["VEE"].maximised(matrices, weights, None, by)
    return np.einsum("ab,jac,cb->jb", axes, found, axes)


@engines
@pytest.mark.parametrize("turn", [False, True])
def test_component_in_a_plane_with_too_much_weight_is_left_out(by: ModuleType, turn: bool) -> None:
    """In one of two directions it has no scatter, and more than half of the weight."""
    scatter = np.array([[0.0, 60.0], [30.0, 90.0]])
    found = estimated(scatter, [60.0, 30.0], by, turn=turn)
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1], [1.0, 3.0], rtol=1e-12)


@engines
@pytest.mark.parametrize("turn", [False, True])
def test_component_in_a_plane_with_little_weight_has_a_volume(by: ModuleType, turn: bool) -> None:
    scatter, counts = np.array([[0.0, 30.0], [60.0, 60.0]]), [30.0, 60.0]
    found = estimated(scatter, counts, by, turn=turn)
    assert np.isfinite(found).all()
    # Where the likelihood is largest, each volume is the mean of variances relative to the shape.
    relative = (scatter / np.array(counts)[:, None] / found).mean(axis=1)
    np.testing.assert_allclose(relative, 1.0, rtol=1e-8)


@engines
def test_several_components_without_a_volume_are_left_out(by: ModuleType) -> None:
    scatter = np.array([[0.0, 60.0, 0.0], [1e-9, 2e-9, 3e-9], [0.0, 0.0, 70.0], [10.0, 20.0, 30.0]])
    found = estimated(scatter, [60.0, 5.0, 70.0, 10.0], by)
    assert np.isnan(found[[0, 2]]).all()
    assert np.isfinite(found[[1, 3]]).all()


@engines
def test_no_component_is_left_out_where_all_lack_the_same_direction(by: ModuleType) -> None:
    """Then the shape itself is singular, and every covariance says so."""
    found = estimated(np.array([[0.0, 60.0], [0.0, 90.0]]), [60.0, 30.0], by)
    np.testing.assert_array_equal(found[:, 0], 0.0)


@engines
def test_component_without_scatter_has_zero_variances(by: ModuleType) -> None:
    found = estimated(np.array([[0.0, 0.0], [30.0, 90.0]]), [60.0, 30.0], by)
    np.testing.assert_array_equal(found[0], 0.0)
    np.testing.assert_allclose(found[1], [1.0, 3.0], rtol=1e-12)
