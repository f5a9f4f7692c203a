"""Rows with missing numbers: what is missing, what is refused, facts about the rest."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tables import FRAMES, NAMELESS, NAMES, A, pandas, polars, pyarrow

from mixtura import fit_gmm
from mixtura.data import ArrayRows, Block, RowSource, middle_of, open_rows, scan
from mixtura.data.middle import LOOKED_AT
from mixtura.passes import Backend, moments
from mixtura.shapes import Floats

HOLES = np.array(A)
HOLES[1, 1] = HOLES[2, [0, 2]] = np.nan
COLUMNS = {name: [None if np.isnan(x) else x for x in HOLES[:, a]] for a, name in enumerate(NAMES)}


def masked_records() -> object:
    records = np.ma.zeros(len(A), [("a", "f8"), ("b", "f8"), ("c", "i4")])
    for a, name in enumerate(NAMES):
        records[name] = np.ma.masked_array(A[:, a], mask=np.isnan(HOLES[:, a]))
    return records


def objects(missing: object) -> NDArray[Any]:
    array = HOLES.astype(object)
    array[np.isnan(HOLES)] = missing
    return array


def NA() -> object:
    return pandas("Series", [None], dtype="Int64").array[0]


# The numbers of HOLES, in whatever people keep them.
HOLED: dict[str, Callable[[], object]] = {
    "array": lambda: HOLES,
    "list": lambda: HOLES.tolist(),
    "masked array": lambda: np.ma.masked_array(A, mask=np.isnan(HOLES)),
    "masked integers": lambda: np.ma.masked_array((2 * A).astype(int), mask=np.isnan(HOLES)) / 2,
    "masked records": masked_records,
    "pandas": lambda: pandas("DataFrame", COLUMNS),
    "pandas nullable": lambda: pandas("DataFrame", COLUMNS).convert_dtypes(),
    "pandas of arrow": lambda: pandas("DataFrame", COLUMNS).astype("double[pyarrow]"),
    "objects": lambda: objects(np.nan),
    "objects with None": lambda: objects(None),
    "list with None": lambda: objects(None).tolist(),
    "list with NA": lambda: objects(NA()).tolist(),
    "pandas of objects": lambda: pandas("DataFrame", COLUMNS).astype(object),
    "pandas of objects with None": lambda: pandas("DataFrame", objects(None), columns=NAMES),
    "pandas of objects with NA": lambda: (
        pandas("DataFrame", COLUMNS).convert_dtypes().astype(object)
    ),
    "polars": lambda: polars("DataFrame", COLUMNS),
    "pyarrow": lambda: pyarrow("table", COLUMNS),
}


def numbers(rows: RowSource) -> Floats:
    return np.concatenate([X for X, *_ in rows.blocks()])


def with_holes(n: int, d: int = 3, seed: int = 0, share: float = 0.3) -> Floats:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * [1.0, 1e-3, 1e5][:d] + 2.0
    return np.where(rng.random(X.shape) < share, np.nan, X)


class OwnRows(RowSource):
    """A kind of rows that only writes `blocks`, three rows at a time."""

    def __init__(self, X: Floats) -> None:
        self._X, (self.n_samples, self.n_features), self.dtype = X, X.shape, X.dtype

    def blocks(self) -> Iterator[Block]:
        for start in range(0, len(self._X), 3):
            yield Block(self._X[start : start + 3], None, start)


# ---- what is missing ----


@pytest.mark.parametrize("name", HOLED)
def test_nan_and_nulls_of_frames_are_missing_numbers(name: str) -> None:
    rows = open_rows(HOLED[name](), missing="em")
    assert rows.form == "incomplete"
    np.testing.assert_array_equal(numbers(rows), HOLES)


@pytest.mark.parametrize("name", [name for name in HOLED if name != "masked records"])
def test_missing_numbers_elsewhere_are_refused_with_what_to_pass(name: str) -> None:
    with pytest.raises(ValueError, match=r'X must be finite; row 1, .* or pass missing="em"\.$'):
        open_rows(HOLED[name](), missing="raise")


@pytest.mark.parametrize("name", HOLED)
def test_fits_and_questions_take_missing_numbers_in_any_form(name: str) -> None:
    fit = fit_gmm(HOLED[name](), 1, missing="em", reg_covar=0.1, rng=0)
    same = fit_gmm(HOLES, 1, missing="em", reg_covar=0.1, rng=0)
    np.testing.assert_array_equal(fit.model.means, same.model.means)
    for question in ("log_prob", "predict", "impute"):
        found, expected = (getattr(fit.model, question)(X) for X in (HOLED[name](), HOLES))
        np.testing.assert_array_equal(found, expected)


def test_objects_of_numbers_are_numbers() -> None:
    X = open_rows(np.array(A, dtype=object)).X
    assert X.dtype == np.float64
    np.testing.assert_array_equal(X, A)


@pytest.mark.parametrize("name", [*FRAMES, *NAMELESS])
def test_complete_rows_are_whole_and_used_where_they_are(name: str) -> None:
    rows, before = (open_rows((FRAMES | NAMELESS)[name](), missing=m) for m in ("em", "raise"))
    assert rows.form == "whole"
    np.testing.assert_array_equal(numbers(rows), numbers(before))
    X = np.array(A)
    assert open_rows(X, missing="em").X is X


@pytest.mark.parametrize("library", [polars, pyarrow])
def test_nulls_among_booleans_are_missing(library: Callable[..., object]) -> None:
    kind = "table" if library is pyarrow else "DataFrame"
    rows = open_rows(library(kind, {"a": [True, None, False], "b": [1, 2, 3]}), missing="em")
    np.testing.assert_array_equal(numbers(rows), [[1.0, 1.0], [np.nan, 2.0], [0.0, 3.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masked_numbers_keep_their_precision(dtype: type) -> None:
    rows = open_rows(np.ma.masked_array(A.astype(dtype), mask=np.isnan(HOLES)), missing="em")
    assert rows.dtype == dtype
    of_integers = open_rows(np.ma.masked_array([[1, 2], [2**31 - 1, 3]], mask=[[0, 0], [0, 1]]),
                            missing="em")  # fmt: skip
    np.testing.assert_array_equal(numbers(of_integers), [[1.0, 2.0], [2.0**31 - 1, np.nan]])


def test_rows_may_have_nothing_observed() -> None:
    X = np.array(A)
    X[1] = np.nan
    rows = open_rows(X, missing="em")
    assert (rows.form, rows.n_rows, rows.X is X) == ("incomplete", 4, True)


@pytest.mark.parametrize("cut", [lambda X: X, lambda X: scan([X[:2], X[2:]]), OwnRows])
def test_missing_numbers_of_absent_rows_do_not_count(cut: Callable[[Floats], object]) -> None:
    absent = [1.0, 0.0, 0.0, 2.0]
    rows = open_rows(cut(HOLES), absent, missing="em")
    assert rows.form == "whole"
    rows = open_rows(cut(HOLES), [0.0, 1.0, 0.0, 2.0], missing="em")
    assert rows.form == "incomplete"
    np.testing.assert_array_equal(numbers(rows), HOLES)


def test_form_is_that_of_all_blocks() -> None:
    rows = open_rows(scan([A, HOLES, A]), missing="em")
    assert rows.form == rows.subset(np.ones(12, dtype=bool)).form == "incomplete"
    assert rows.reweighted(np.ones(12)).form == "incomplete"
    assert open_rows(rows, missing="em") is rows
    assert rows.plain().form == "whole"
    sample = ArrayRows.sample_of(rows, 100, np.random.default_rng(0))
    assert sample.form == "incomplete"
    np.testing.assert_array_equal(sample.X, numbers(rows))
    assert open_rows(OwnRows(HOLES), missing="em").form == "incomplete"


# ---- what is refused ----


@pytest.mark.parametrize(
    ("X", "missing", "message"),
    [
        (
            HOLES[:2],
            "raise",
            (
                "X must be finite; row 1, column 1 is nan. "
                'Drop the row, fill in the value, or pass missing="em".'
            ),
        ),
        (
            HOLES,
            "raise",
            (
                "X must be finite; row 1, column 1 is nan, and columns 0, 1, 2 have such values. "
                'Drop their rows, fill in the values, or pass missing="em".'
            ),
        ),
        (
            HOLES[:2],
            None,
            "X must be finite; row 1, column 1 is nan. Drop the row or fill in the value.",
        ),
        (
            [[np.inf], [1.0]],
            "raise",
            "X must be finite; row 0, column 0 is inf. Drop the row or fill in the value.",
        ),
        (
            [[np.nan], [-np.inf], [1.0]],
            "em",
            (
                "X must be finite or missing; row 1, column 0 is -inf. "
                "Drop the row, or set the value to NaN if missing."
            ),
        ),
        (
            [[np.nan, np.inf], [-np.inf, 2.0], [1.0, 1.0]],
            "em",
            (
                "X must be finite or missing; row 0, column 1 is inf, and columns 0, 1 have such "
                "values. Drop their rows, or set the values to NaN if missing."
            ),
        ),
    ],
)
def test_what_is_refused_is_named(X: object, missing: str, message: str) -> None:
    for rows in (X, scan([X])):
        shown = message if rows is X else f"source[0]{message[1:]}"
        with pytest.raises(ValueError, match=f"^{re.escape(shown)}$"):
            open_rows(rows, missing=missing)


def test_column_without_a_number_in_rows_that_count_is_refused_by_its_name() -> None:
    frame = pandas("DataFrame", {"a": [1.0, None, 3.0], "rain": [None, None, 1.0]})
    message = (
        "X must have a number in each column, in a row of positive weight; column 'rain' has only "
        "missing ones. Drop this column."
    )
    for X in (frame, scan([frame[:1], frame[1:]])):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            moments(open_rows(X, [1.0, 1.0, 0.0], missing="em"), Backend())
        moments(open_rows(X, [1.0, 1.0, 0.5], missing="em"), Backend())
    with pytest.raises(ValueError, match=r"columns 0, 2 have only missing ones. Drop these col"):
        moments(open_rows([[np.nan, 1.0, np.nan]], missing="em"), Backend())


# ---- facts about the rows are those of what is observed ----


def test_middle_of_each_feature_is_that_of_its_observed_numbers() -> None:
    X = with_holes(500)
    X[3, 1] = -9999.0
    weight = 1.0 + np.random.default_rng(1).random(500)
    found = middle_of(X, weight)
    for a in range(3):
        there = ~np.isnan(X[:, a])
        alone = middle_of(X[there, a : a + 1], weight[there])
        for one, other in zip(alone, found, strict=True):
            np.testing.assert_allclose(other[a], one[0], rtol=1e-13)
    np.testing.assert_array_equal(found.near(X)[np.isnan(X)], False)


@pytest.mark.parametrize("weighted", [False, True])
def test_middle_and_moments_of_rare_features_in_many_rows(weighted: bool) -> None:
    n = 10 * LOOKED_AT
    X = with_holes(n, share=0.1)
    rng = np.random.default_rng(2)
    X[rng.permutation(n)[30:], 2] = np.nan  # 30 rows have the third
    weight = rng.integers(0, 3, n).astype(float) if weighted else np.ones(n)
    weight[~np.isnan(X[:, 2])] += float(weighted)
    rows = open_rows(scan([X[:50], X[50:]]), weight if weighted else None, missing="em")
    there = ~np.isnan(X[:, 2]) & (weight > 0.0)
    alone = middle_of(X[there, 2:], weight[there])
    for one, other in zip(alone, rows.middle, strict=True):
        np.testing.assert_allclose(other[2], one[0], rtol=1e-12)
    mean, variance = moments(rows, Backend())
    for a in range(3):
        there = ~np.isnan(X[:, a]) & (weight > 0.0)
        expected = np.average(X[there, a], weights=weight[there])
        np.testing.assert_allclose(mean[a], expected, rtol=1e-12)
        expected = np.average(np.square(X[there, a] - expected), weights=weight[there])
        np.testing.assert_allclose(variance[a], expected, rtol=1e-10)


def test_far_rows_first_row_and_equal_rows_look_past_missing_numbers() -> None:
    X = with_holes(9 * LOOKED_AT, 2)
    X[70_00, 1], X[9, 1] = 500.0, -500.0
    X[0] = np.nan
    rows = open_rows(X, missing="em")
    positions, _ = rows.thinned(50, np.random.default_rng(0))
    assert {9, 70_00} <= set(positions.tolist())
    first = [column[~np.isnan(column)][0] for column in X.T]
    np.testing.assert_array_equal(rows.first_row(), first)
    Y = np.array([[np.nan, 1.0], [2.0, 1.0], [np.nan, 1.0], [np.nan, np.nan]])
    rows = open_rows(Y, missing="em")
    assert rows.equal_rows(Y[0]).tolist() == [True, False, True, False]
    assert rows.equal_rows(Y[1]).tolist() == [False, True, False, False]
    assert rows.is_constant(1)
    assert not open_rows(HOLES, missing="em").is_constant(1)


def test_rounding_grid_is_that_of_observed_numbers() -> None:
    X = np.round(with_holes(300, 2, share=0.5) * [1.0, 1e3], 1)
    rows = open_rows(X, missing="em")
    np.testing.assert_allclose(rows.rounding(np.ones(2)), 0.1**2 / 12.0, rtol=1e-6)


def test_fingerprint_tells_missing_numbers_apart() -> None:
    X = np.array(HOLES)
    X[0, 0] = np.nan
    one, same, other = (open_rows(Z, missing="em").fingerprint() for Z in (HOLES, HOLES.copy(), X))
    assert one == same
    assert one != other
