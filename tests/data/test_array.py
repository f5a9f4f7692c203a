"""Rows in one array: used where they are, and checked with messages that name the bad value."""

import re

import numpy as np
import pytest
from bad_input import BAD_ROWS, BAD_SAMPLE_WEIGHTS, GOOD, Bad
from helpers import LAYOUTS, unchanged
from tables import FRAMES, NAMES, A, pandas

from mixtura.data import ArrayRows, open_rows

NOT_COPIED = [name for name in LAYOUTS if name not in ("other-byte-order", "unaligned")]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", NOT_COPIED)
def test_open_rows_of_an_array_uses_it_where_it_is(layout: str, dtype: type) -> None:
    X = LAYOUTS[layout](GOOD["X"].astype(dtype))
    with unchanged(X):
        rows = open_rows(X, GOOD["sample_weight"])
        (block,) = rows.blocks()
        assert np.shares_memory(block.X, X)
        assert block.X.strides == X.strides
        assert np.shares_memory(block.sample_weight, GOOD["sample_weight"])
        assert (rows.n_samples, rows.n_features, rows.dtype) == (4, 2, dtype)
        assert rows.in_memory
        assert np.shares_memory(rows.shown(), X)
        assert np.shares_memory(rows.weights(), GOOD["sample_weight"])
        assert np.shares_memory(next(rows.reweighted(np.ones(4)).blocks()).X, X)
        ArrayRows.sample_of(rows, 2, np.random.default_rng(0)).X[:] = 0.0
        rows.take([0, 1])[:] = 0.0
        rows.subset(np.ones(4, dtype=bool)).X[:] = 0.0


def test_sample_of_all_rows_does_not_share_their_memory() -> None:
    rows = ArrayRows(GOOD["X"], GOOD["sample_weight"])
    sample = ArrayRows.sample_of(rows, 10, np.random.default_rng(0))
    assert not np.shares_memory(sample.X, GOOD["X"])


@pytest.mark.parametrize("name", FRAMES)
def test_open_rows_of_a_frame_keeps_numbers_and_names(name: str) -> None:
    rows = open_rows(FRAMES[name]())
    np.testing.assert_array_equal(next(rows.blocks()).X, A)
    assert rows.feature_names == NAMES
    assert rows.subset(np.ones(4, dtype=bool)).feature_names == NAMES
    assert rows.reweighted(np.ones(4)).feature_names == NAMES


@pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=BAD_ROWS)
def test_open_rows_of_bad_rows_refuses_them(bad: Bad) -> None:
    with pytest.raises(bad.error, match=f"^{re.escape(bad.message)}"):
        open_rows(bad.value)


@pytest.mark.parametrize("bad", BAD_SAMPLE_WEIGHTS.values(), ids=BAD_SAMPLE_WEIGHTS)
def test_open_rows_with_bad_weights_refuses_them(bad: Bad) -> None:
    for X in (GOOD["X"], ArrayRows(GOOD["X"])):
        with pytest.raises(bad.error, match=f"^{re.escape(bad.message)}"):
            open_rows(X, bad.value)


DO_NOT_FIT = [
    Bad(
        {"feature_names": ("a", "b")},
        ValueError,
        "X must have the columns 'a', 'b'; it lacks 'b' and it has 'z' besides. "
        "Select these columns, in this order.",
    ),
    Bad(
        {"n_features": 3},
        ValueError,
        "X must have 3 columns; got shape (4, 2). Select the features that the mixture describes.",
    ),
    Bad(
        {"minimum": 5, "part": "cluster"},
        ValueError,
        "X must have at least 5 rows; got 4. Add rows or ask for fewer clusters.",
    ),
    Bad(
        {"minimum": 3, "part": "cluster", "sample_weight": [0.0, 1.0, 0.0, 2.0]},
        ValueError,
        "at least 3 rows with positive weight are needed, one for each cluster; got 2. "
        "Add rows or ask for fewer clusters.",
    ),
]


@pytest.mark.parametrize("opened", [False, True])
def test_open_rows_of_rows_that_do_not_fit_refuses_them(opened: bool) -> None:
    X = pandas("DataFrame", GOOD["X"], columns=["a", "z"])
    if opened:
        X = open_rows(X)
    for bad in DO_NOT_FIT:
        with pytest.raises(bad.error, match=f"^{re.escape(bad.message)}$"):
            open_rows(X, **bad.value)
    rows = open_rows(X, [0.0, 1.0, 0.0, 2.0], minimum=2, n_features=2, feature_names=("a", "z"))
    assert rows.n_rows == 2


def test_open_rows_without_rows_is_fine_unless_some_are_needed() -> None:
    assert open_rows(np.zeros((0, 2)), []).n_samples == 0
    message = "X must have at least 1 row; got 0. Add rows."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        open_rows(np.zeros((0, 2)), minimum=1)


def test_open_rows_of_open_rows_returns_them_with_the_weights_that_are_given() -> None:
    rows = open_rows(GOOD["X"])
    assert open_rows(rows) is rows
    weighted = open_rows(rows, [1.0, 2.0, 3.0, 4.0])
    assert weighted.weight_sum == 10.0
    assert not rows.is_weighted
    assert open_rows(weighted, minimum=4) is weighted
    message = (
        "sample_weight must be None for rows that have weights already; got both. "
        "Leave out sample_weight, or the weight of scan."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        open_rows(weighted, np.ones(4))
