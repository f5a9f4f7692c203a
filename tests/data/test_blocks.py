"""Rows in several arrays or frames: columns, weights, types, and messages that name the block."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from bad_input import Bad
from helpers import unchanged
from tables import FRAMES, NAMELESS, NAMES, A, pandas, polars

from mixtura.data import open_rows, scan

B = A[:3] + 10.0
NOT_COPIED = ["pandas of one block", "polars of one array", "structured array"]


def blocks_of(rows: object) -> list[np.ndarray]:
    return [block.X for block in rows.blocks()]


@pytest.mark.parametrize("kind", [list, tuple])
def test_scan_uses_arrays_and_weights_where_they_are(kind: type) -> None:
    sources = kind([A, np.asfortranarray(B), A[::-2, ::-1].astype(np.float32)])
    weights = kind([np.ones(4), np.arange(3.0), np.ones(2)])
    with unchanged(*sources, *weights):
        rows = open_rows(scan(sources, weight=weights), minimum=8)
        for block, X, weight in zip(rows.blocks(), sources, weights, strict=True):
            assert np.shares_memory(block.X, X)
            assert (block.X.strides, block.X.dtype) == (X.strides, X.dtype)
            np.testing.assert_array_equal(block.X, X)
            assert np.shares_memory(block.sample_weight, weight)
    assert rows.in_memory
    assert [block.start for block in rows.blocks()] == [0, 4, 7]
    assert rows.weight_sum == 9.0


def test_subset_and_reweighted_blocks_stay_in_memory() -> None:
    rows = scan([A, B])
    reweighted = rows.reweighted(np.arange(7.0))
    assert all(map(np.shares_memory, blocks_of(reweighted), [A, B]))
    subset = reweighted.subset(np.arange(7) % 2 == 0)
    for changed in (reweighted, subset):
        assert changed.in_memory
        assert blocks_of(changed)[0] is blocks_of(changed)[0]
    assert subset.weights().tolist() == [0.0, 2.0, 4.0, 6.0]


@pytest.mark.parametrize("make", (FRAMES | NAMELESS).values(), ids=FRAMES | NAMELESS)
def test_scan_of_frames_and_tensors_gives_their_numbers_and_names(
    make: Callable[[], object],
) -> None:
    rows = open_rows(scan([B, make(), make()]))
    np.testing.assert_array_equal(np.vstack(blocks_of(rows)), np.vstack([B, A, A]))
    assert rows.feature_names == (NAMES if make in FRAMES.values() else None)


@pytest.mark.parametrize("name", NOT_COPIED)
def test_scan_of_frames_uses_columns_at_equal_distances_where_they_are(name: str) -> None:
    frame = FRAMES[name]()
    columns = [np.asarray(frame.iloc[:, a] if hasattr(frame, "iloc") else frame[n])
               for a, n in enumerate(NAMES)]  # fmt: skip
    (X,) = blocks_of(scan([frame], columns=["a", "c"]))
    assert np.shares_memory(X, columns[0])
    assert np.shares_memory(X, columns[2])
    np.testing.assert_array_equal(X, A[:, [0, 2]])


TYPES = [
    ([np.float32, np.float32], np.float32),
    ([np.float64, np.float64], np.float64),
    ([np.float32, np.float64], np.float64),
    ([np.float32, np.int16], np.float64),
]


@pytest.mark.parametrize(("types", "expected"), TYPES)
def test_scan_of_mixed_types_leaves_each_block_its_own(types: list[type], expected: type) -> None:
    sources = [A.astype(each) for each in types]
    rows = scan(sources)
    assert rows.dtype == expected
    for X, source in zip(blocks_of(rows), sources, strict=True):
        assert X.dtype == (np.float32 if source.dtype == np.float32 else np.float64)
        assert np.shares_memory(X, source) or source.dtype == np.int16
    np.testing.assert_array_equal(rows.take([5, 0]), np.vstack(sources)[[5, 0]])


def test_scan_of_empty_blocks_takes_them() -> None:
    empty = np.zeros((0, 3))
    rows = open_rows(scan([empty, A, empty], weight=[[], np.ones(4), []]), minimum=4)
    assert [len(X) for X in blocks_of(rows)] == [0, 4, 0]
    assert (rows.n_samples, rows.n_rows) == (4, 4)
    assert open_rows(scan([empty], weight=[[]])).n_samples == 0
    with pytest.raises(ValueError, match=r"^X must have at least 1 row; got 0\. Add rows\.$"):
        open_rows(scan([empty, empty]), minimum=1)
    frame = pandas("DataFrame", A, columns=NAMES)
    assert open_rows(scan([frame[:0], frame])).n_samples == 4


WEIGHED = np.column_stack([A, np.arange(4.0)])


def weighed_frame(library: Callable[..., object]) -> object:
    return library("DataFrame", dict(zip([*NAMES, "w"], WEIGHED.T, strict=True)))


@pytest.mark.parametrize("library", [pandas, polars])
@pytest.mark.parametrize(
    ("columns", "weight", "expected"),
    [
        (None, "w", [0, 1, 2]),
        (None, 3, [0, 1, 2]),
        (["c", "a"], "w", [2, 0]),
        ((2, "a"), np.int64(3), [2, 0]),
        (["w", "a"], "w", [3, 0]),
        (["c", "a"], None, [2, 0]),
    ],
)
def test_scan_chooses_columns_and_weights_by_name_or_position(
    library: Callable[..., object], columns: object, weight: object, expected: list[int]
) -> None:
    frame = weighed_frame(library)
    rows = open_rows(scan([frame, frame], columns, weight))
    np.testing.assert_array_equal(np.vstack(blocks_of(rows)), np.tile(WEIGHED[:, expected], (2, 1)))
    assert rows.feature_names == tuple([*NAMES, "w"][a] for a in expected)
    assert rows.is_weighted == (weight is not None)
    if weight is not None:
        np.testing.assert_array_equal(rows.weights(), np.tile(np.arange(4.0), 2))


def test_scan_takes_columns_by_name_from_frames_of_other_order_and_with_text() -> None:
    one = pandas("DataFrame", {"a": [1.0], "s": ["text"], "b": [2.0]})
    other = pandas("DataFrame", {"b": [4.0], "a": [3.0]})
    rows = scan([one, other], iter(["a", "b"]))
    np.testing.assert_array_equal(np.vstack(blocks_of(rows)), [[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(("columns", "copied"), [([0, 2], False), ([2], False), ([2, 0], True)])
def test_scan_copies_columns_of_an_array_only_at_unequal_distances(
    columns: list[int], copied: bool
) -> None:
    (X,) = blocks_of(scan([A], columns))
    np.testing.assert_array_equal(X, A[:, columns])
    assert np.shares_memory(X, A) != copied


def changed(X: np.ndarray, row: int, column: int, value: float) -> np.ndarray:
    X = X.copy()
    X[row, column] = value
    return X


FRAME = {"columns": NAMES}
BAD_SOURCES = {
    "a generator": Bad(
        lambda: ((X for X in [A]),),
        TypeError,
        "source must be a list of arrays or frames, which can be read several times; got "
        "<generator object ",
    ),
    "a map": Bad(lambda: (map(np.asarray, [A]),), TypeError, "source must be a list of arrays or "),
    "an array of one dimension": Bad(
        lambda: (A[0],),
        TypeError,
        "source must be a list or tuple of arrays or frames; got ndarray. "
        "Pass one array or frame to the function itself, or in a list.",
    ),
    "a path": Bad(
        lambda: ("rows.npy",), FileNotFoundError, "source must be a file or a folder that "
    ),
    "no blocks": Bad(
        lambda: ([],),
        ValueError,
        "source must hold one block of rows or more; got an empty list. "
        "Pass a list of arrays or frames.",
    ),
    "one dimension": Bad(
        lambda: ([A, A[0]],),
        ValueError,
        "source[1] must have two dimensions, (n_samples, n_features); got shape (3,). "
        "Use source[1].reshape(-1, 1) for one feature, source[1].reshape(1, -1) for one row.",
    ),
    "text": Bad(
        lambda: ([A, [["x"]]],),
        TypeError,
        "source[1] must hold real numbers; got an array of dtype <U1. "
        "Convert it with source[1].astype(float).",
    ),
    "text in a frame": Bad(
        lambda: ([pandas("DataFrame", {"a": ["x"]})],),
        TypeError,
        "source[0] must hold real numbers; got 'x' (str) in row 0, column 'a'. ",
    ),
    "more columns": Bad(
        lambda: ([A, B, A[:, :2]],),
        ValueError,
        "source[2] must have 3 columns, as source[0] has; got shape (4, 2). "
        "Give every block the same columns.",
    ),
    "no columns": Bad(
        lambda: ([A[:, :0]],),
        ValueError,
        "source[0] must have at least one column; got shape (4, 0). Select a feature.",
    ),
    "no columns chosen": Bad(
        lambda: ([A], []),
        ValueError,
        "source[0] must have at least one column; got shape (4, 0). Select a feature.",
    ),
    "other names": Bad(
        lambda: ([A, pandas("DataFrame", A, **FRAME), pandas("DataFrame", A, columns=[*"abz"])],),
        ValueError,
        "source[2] must have the columns 'a', 'b', 'c', as blocks before it have; it lacks 'c' and "
        "it has 'z' besides. Choose by name what all blocks have.",
    ),
    "a name for columns": Bad(
        lambda: ([A], "a"),
        TypeError,
        "columns must be a list of names or positions; got 'a' (str). Pass ['a'].",
    ),
    "a position for columns": Bad(
        lambda: ([A], 0),
        TypeError,
        "columns must be a list of names or positions; got 0 (int). Pass [0].",
    ),
    "a column that is not there": Bad(
        lambda: ([pandas("DataFrame", A, **FRAME)], ["a", "z"]),
        ValueError,
        "source[0] must have the column 'z'; it has 'a', 'b', 'c'. Choose among these.",
    ),
    "columns that are not there": Bad(
        lambda: ([pandas("DataFrame", A, **FRAME)], ["z", "a", "y"]),
        ValueError,
        "source[0] must have the columns 'z', 'y'; it has 'a', 'b', 'c'. Choose among these.",
    ),
    "a column twice": Bad(
        lambda: ([A], [1, 0, 1, 2, 2]),
        ValueError,
        "columns must choose each column once; got 1 twice, 2 twice. Leave out the repetitions.",
    ),
    "a column twice, by name and position": Bad(
        lambda: ([pandas("DataFrame", A, **FRAME)], ["a", 0]),
        ValueError,
        "columns must choose each column once; got 'a' twice. Leave out the repetitions.",
    ),
    "a name where there are none": Bad(
        lambda: ([A], ["a"]),
        ValueError,
        "source[0] must have names of columns to choose 'a'; it has none. "
        "Choose columns by position, counted from 0.",
    ),
    "a position that is not there": Bad(
        lambda: ([A, A[:, :2]], [2]),
        ValueError,
        "source[1] must have the column 2, counted from 0; got shape (4, 2). "
        "Choose a column that every block has.",
    ),
    "a negative position": Bad(
        lambda: ([A], [-1]),
        ValueError,
        "a column, given by position, must be an integer, 0 or more; got -1. Pass 0 or more.",
    ),
    "half a position": Bad(
        lambda: ([A], [1.5]),
        TypeError,
        "a column, given by position, must be an integer, 0 or more; got 1.5 (float). Pass an int.",
    ),
    "weights that are not there": Bad(
        lambda: ([pandas("DataFrame", A, **FRAME)], None, "w"),
        ValueError,
        "source[0] must have the column 'w'; it has 'a', 'b', 'c'. Choose among these.",
    ),
    "weights in one array": Bad(
        lambda: ([A, B], None, np.ones(7)),
        TypeError,
        "weight must be the name or the position of a column, or a list of one array for each "
        "block; got array([1., 1., 1., 1., 1., 1., 1.]) (ndarray). "
        "Pass sample_weight to the function for one array of all weights.",
    ),
    "weights of too few blocks": Bad(
        lambda: ([A, B], None, [np.ones(4)]),
        ValueError,
        "weight must have one array for each of the 2 blocks; got 1. "
        "Pass sample_weight to the function for one array of all weights.",
    ),
    "too few weights": Bad(
        lambda: ([A, B], None, [np.ones(4), np.ones(4)]),
        ValueError,
        "weight[1] must have shape (3,), one for each row of source[1]; got (4,). "
        "Give each row one weight.",
    ),
    "weights of text": Bad(
        lambda: ([A], None, [["a", "b", "c", "d"]]),
        TypeError,
        "weight[0] must hold real numbers; got an array of dtype <U1.",
    ),
}


@pytest.mark.parametrize("bad", BAD_SOURCES.values(), ids=BAD_SOURCES)
def test_scan_of_what_cannot_be_used_names_the_block(bad: Bad) -> None:
    with pytest.raises(bad.error, match=f"^{re.escape(bad.message)}"):
        scan(*bad.value())


BAD_VALUES = {
    "nan": (
        lambda: scan([A, changed(B, 2, 1, np.nan)]),
        "source[1] must be finite; row 2, column 1 is nan. Drop the row or fill in the value.",
    ),
    "nan in a frame": (
        lambda: scan([A, pandas("DataFrame", changed(A, 3, 1, np.inf), **FRAME)]),
        "source[1] must be finite; row 3, column 'b' is inf. Drop the row or fill in the value.",
    ),
    "negative weight": (
        lambda: scan([A, B], weight=[np.ones(4), [1.0, -0.5, 1.0]]),
        "weight[1] must be non-negative; row 1 is -0.5. Drop the row or set it to 0.",
    ),
    "negative weight in a column": (
        lambda: scan([pandas("DataFrame", A - 1.0, **FRAME)], weight="a"),
        "column 'a' of source[0] must be non-negative; row 0 is -1.0. Drop the row or set it to 0.",
    ),
    "infinite weight in a column": (
        lambda: scan([A, changed(A, 2, 1, np.inf)], weight=1),
        "column 1 of source[1] must be finite; row 2 is inf. Drop the row or set it to 0.",
    ),
    "no weight": (
        lambda: scan([A, B], weight=[np.zeros(4), np.zeros(3)]),
        "weight must not be zero for all rows; got only zeros. Give some row a positive weight.",
    ),
    "sum overflows": (
        lambda: scan([A, B], weight=[np.full(4, 1e308), np.full(3, 1e308)]),
        "weight must sum to between 1e-100 and 1e+100; got inf. Divide the weights by the largest.",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_open_rows_of_bad_values_in_blocks_names_block_and_row(
    make: Callable[[], object], message: str
) -> None:
    rows = make()
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        open_rows(rows)


def test_open_rows_checks_the_values_of_blocks_each_time() -> None:
    X = A.copy()
    rows = scan([X, B])
    open_rows(rows)
    X[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"^source\[0\] must be finite; row 1, column 2 is nan\."):
        open_rows(rows)


def test_open_rows_of_blocks_checks_sizes_names_and_weights_of_all() -> None:
    rows = scan([pandas("DataFrame", A, **FRAME), B])
    for options, message in [
        ({"minimum": 8}, "X must have at least 8 rows; got 7. Add rows or ask for fewer comp"),
        ({"n_features": 2}, "X must have 2 columns; got shape (7, 3). Select the features that"),
        ({"feature_names": ("a", "b", "d")}, "X must have the columns 'a', 'b', 'd'; it lacks 'd'"),
        (
            {"sample_weight": np.ones(4)},
            "sample_weight must have shape (7,), one for each row of X; got (4,). Give each row",
        ),
        (
            {"sample_weight": [1.0, 0, 0, 0, 0, 0, 0], "minimum": 2},
            "at least 2 rows with positive weight are needed, one for each component; got 1. ",
        ),
    ]:
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            open_rows(rows, **options)
    weighted = open_rows(rows, np.arange(7.0), minimum=6)
    assert [b.sample_weight.tolist() for b in weighted.blocks()] == [[0, 1, 2, 3], [4, 5, 6]]
    message = "sample_weight must be None for rows that have weights already; got both. Leave out"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        open_rows(scan([A], weight=[np.ones(4)]), np.ones(4))


def test_block_that_lacks_names_goes_with_those_that_have_them() -> None:
    frame = pandas("DataFrame", A, **FRAME)
    assert scan([A, frame, B]).feature_names == NAMES
    assert scan([A, B]).feature_names is None


def test_weights_that_change_between_two_uses_are_counted_again() -> None:
    weight = np.ones(4)
    rows = scan([A], weight=[weight])
    assert (open_rows(rows).n_rows, rows.weight_sum) == (4, 4.0)
    weight[:2] = 0.0
    assert (open_rows(rows).n_rows, rows.weight_sum) == (2, 2.0)
