"""The grid that numbers were rounded to."""

import numpy as np
import pytest

from mixtura.data import ArrayRows
from mixtura.data.rounding import on_grid


@pytest.mark.parametrize("unit", [1e-140, 0.1, 1.0, 1e140])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_rounding_variance_of_a_grid_is_that_of_one_cell(unit: float, offset: float) -> None:
    X = np.column_stack(
        [np.random.default_rng(0).integers(0, 5, size=(9000, 2)), np.full(9000, 3.0)]
    ) * [1.0, 3.0, 1.0]
    X = (X + offset) * unit
    X[::2, :2] += 4.0 * np.spacing(X[::2, :2])  # what arithmetic leaves
    variance = ArrayRows(X).rounding(X.std(axis=0) + (np.ptp(X, axis=0) == 0.0))
    np.testing.assert_allclose(variance[:2] / unit**2, [1 / 12, 9 / 12], rtol=1e-6)
    assert variance[2] == 0.0


def test_rounding_variance_leaves_out_rows_of_weight_zero() -> None:
    X = np.array([[0.0], [1e300], [2.0], [0.5], [4.0]])
    weight = np.array([1.0, 0.0, 0.5, 0.0, 2.0])
    assert ArrayRows(X, weight).rounding(np.ones(1)) == pytest.approx([1 / 3])
    assert ArrayRows(X[:1]).rounding(np.ones(1)) == [0.0]


def test_rounding_variance_of_other_columns_is_out_of_the_way() -> None:
    """Small where numbers are continuous, at most the variance where one row stands out."""
    X = np.column_stack([np.random.default_rng(0).normal(size=500), np.arange(500) == 7])
    variances = X.var(axis=0)
    continuous, lone = ArrayRows(X).rounding(np.sqrt(variances)) / variances
    assert continuous < 1e-6
    assert lone == pytest.approx(1.0)


def test_rows_on_the_grid_of_others_have_their_steps_and_their_ties() -> None:
    others = np.array([[0.3, 5.0, 1e-3], [0.8, 5.0, 2e-3], [2.3, 5.0, 7e-3]])
    variance = ArrayRows(others).rounding(others.std(axis=0) + (others.std(axis=0) == 0.0))
    rows = np.array([[0.49, 1.23, 4.4e-3], [0.58, 4.56, -1.6e-3], [0.6, 0.0, 0.0]])
    rounded = on_grid(rows, others[0], variance)
    np.testing.assert_allclose(rounded[:, 0], [0.3, 0.8, 0.8], rtol=1e-14)
    np.testing.assert_array_equal(rounded[:, 1], rows[:, 1])
    np.testing.assert_allclose(rounded[:, 2], [4e-3, -2e-3, 0.0], atol=1e-17)
    assert rounded[1, 0] == rounded[2, 0]
