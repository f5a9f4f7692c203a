"""A row of weight zero may hold anything; others must be finite."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from tables import A, pandas

from mixtura.data import RowSource, open_rows, scan
from mixtura.data.finite import finite_rows, rows_not_finite

NAN = np.array(A)
NAN[1] = np.nan
NAN[2, 1] = -np.inf
WEIGHT = np.array([1.0, 0.0, 0.0, 2.0])


def framed(X: np.ndarray, weight: np.ndarray) -> object:
    return pandas("DataFrame", np.column_stack([X, weight]), columns=["a", "b", "c", "w"])


def halves(X: object) -> list[object]:
    return [X[:2], X[2:]]


KINDS: dict[str, Callable[[np.ndarray, np.ndarray], RowSource]] = {
    "array": open_rows,
    "frame": lambda X, w: open_rows(framed(X, w)[["a", "b", "c"]], w),
    "blocks": lambda X, w: open_rows(scan(halves(X)), w),
    "blocks with weights": lambda X, w: open_rows(scan(halves(X), weight=halves(w))),
    "a column of weights": lambda X, w: open_rows(scan(halves(framed(X, w)), weight="w")),
    "a block of absent rows only": lambda X, w: open_rows(scan([X[:1], X[1:3], X[3:]]), w),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_absent_rows_that_are_not_finite_become_finite_ones(kind: str) -> None:
    before = NAN.copy()
    rows = KINDS[kind](NAN, WEIGHT)
    X = np.concatenate([block.X for block in rows.blocks()])
    assert np.isfinite(X).all()
    np.testing.assert_array_equal(X[[0, 3]], A[[0, 3]])
    assert rows.not_finite.tolist() == [False, True, True, False]
    assert (rows.n_rows, rows.n_samples) == (2, 4)
    np.testing.assert_array_equal(NAN, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_rows_are_used_where_they_are(dtype: type) -> None:
    X = A.astype(dtype)
    for weight in (None, WEIGHT):
        rows, replaced = finite_rows(X, "X", None, weight)
        assert rows is X
        assert replaced is None


def test_finite_rows_whose_sum_is_out_of_range_are_used_where_they_are() -> None:
    X = np.full((3, 2), 1.5e308)
    rows, replaced = finite_rows(X, "X", None)
    assert rows is X
    assert replaced is None


@every_kind
def test_rows_that_count_are_refused_by_their_place(kind: str) -> None:
    weight = np.array([1.0, 0.0, 0.5, 2.0])
    place = {"blocks": "source[1] must be finite; row 0, column 1 is -inf",
             "blocks with weights": "source[1] must be finite; row 0, column 1 is -inf",
             "a column of weights": "source[1] must be finite; row 0, column 'b' is -inf",
             "a block of absent rows only": "source[1] must be finite; row 1, column 1 is -inf",
             "frame": "X must be finite; row 2, column 'b' is -inf"}  # fmt: skip
    message = place.get(kind, "X must be finite; row 2, column 1 is -inf")
    message += ". Drop the row or fill in the value."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        KINDS[kind](NAN, weight)


def test_rows_not_finite_are_found_in_every_part_of_a_large_array() -> None:
    X = np.zeros((100_000, 3))
    expected = [0, 21_844, 21_845, 65_537, 99_999]
    X[expected, [0, 1, 2, 0, 1]] = [np.nan, np.inf, -np.inf, np.nan, np.inf]
    assert np.flatnonzero(rows_not_finite(X)).tolist() == expected
