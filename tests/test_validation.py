"""Bad input meets a message that says what was expected, what came and what to do."""

import re
from fractions import Fraction
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse
from helpers import BACKENDS, LAYOUTS, unchanged

from mixtura import validation

N, D, K = 4, 2, 2
GOOD = {
    "X": np.array([[0.0, 1.0], [1.0, 0.0], [4.0, 5.0], [5.0, 4.0]]),
    "weights": np.array([0.5, 0.5]),
    "means": np.array([[0.5, 0.5], [4.5, 4.5]]),
    "precisions_cholesky": np.array([[[1.0, 0.5], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0]]]),
    "covariance_type": "full",
    "resp": np.array([[1.0, 0.0], [0.75, 0.25], [0.0, 1.0], [0.0, 1.0]]),
    "centres": np.array([[0.5, 0.5], [4.5, 4.5]]),
    "sample_weight": np.ones(N),
}
ARGUMENTS = {
    "log_density": ["X", "means", "precisions_cholesky", "covariance_type"],
    "responsibilities": ["X", "weights", "means", "precisions_cholesky", "covariance_type"],
    "accumulate": [
        "X", "weights", "means", "precisions_cholesky", "covariance_type", "sample_weight",
    ],
    "accumulate_resp": ["X", "resp", "centres", "covariance_type", "sample_weight"],
}  # fmt: skip


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def backend(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


def call(backend: ModuleType, function: str, **changes: object) -> object:
    """Call with good arguments but for the changes."""
    arguments = {name: GOOD[name] for name in ARGUMENTS[function]} | changes
    return getattr(backend, function)(**arguments)


def changed(name: str, index: object, value: float) -> np.ndarray:
    """Return the good argument with one bad value."""
    array = GOOD[name].copy()
    array[index] = value
    return array


class Bad(NamedTuple):
    value: object
    error: type[Exception]
    message: str  # from its start


MASKED = np.ma.masked_array(GOOD["X"], mask=GOOD["X"] == 4.0)
WITH_MISSING = np.array([[1.0, 1.0], [None, 2.0], [3.0, 3.0]], dtype=object)
LARGE = np.zeros((70_000, D))
LARGE[65_537, 1] = np.nan

BAD_ROWS = {
    "one dimension": Bad(
        np.zeros(4),
        ValueError,
        "X must have two dimensions, (n_samples, n_features); got shape (4,). "
        "Use X.reshape(-1, 1) for one feature, X.reshape(1, -1) for one row.",
    ),
    "three dimensions": Bad(
        np.zeros((2, 2, 2)),
        ValueError,
        "X must have two dimensions, (n_samples, n_features); got shape (2, 2, 2). "
        "Arrange it with one row a sample.",
    ),
    "a number": Bad(
        3.0,
        ValueError,
        "X must have two dimensions, (n_samples, n_features); got shape (). "
        "Arrange it with one row a sample.",
    ),
    "no columns": Bad(
        np.zeros((4, 0)),
        ValueError,
        "X must have at least one column; got shape (4, 0). Select a feature.",
    ),
    "nan": Bad(
        changed("X", (2, 1), np.nan),
        ValueError,
        "X must be finite; row 2, column 1 is nan. Drop the row or fill in the value.",
    ),
    "infinity": Bad(
        changed("X", (3, 0), -np.inf),
        ValueError,
        "X must be finite; row 3, column 0 is -inf. Drop the row or fill in the value.",
    ),
    "infinities that cancel": Bad(
        np.array([[1.0, np.inf], [-np.inf, 1.0]]),
        ValueError,
        "X must be finite; row 0, column 1 is inf. Drop the row or fill in the value.",
    ),
    "nan far down": Bad(
        LARGE,
        ValueError,
        "X must be finite; row 65537, column 1 is nan. Drop the row or fill in the value.",
    ),
    "long double past the largest double": Bad(
        np.full((4, 2), np.longdouble("1e300")) * np.longdouble("1e300"),
        ValueError,
        "X must be finite; row 0, column 0 is inf. Drop the row or fill in the value.",
    ),
    "masked": Bad(
        MASKED,
        ValueError,
        "X must not have masked values; got 2 of them. Drop their rows or fill them in.",
    ),
    "ragged": Bad(
        [[1.0, 2.0], [3.0]],
        ValueError,
        "X must be an array of numbers, all its rows of one length; NumPy could not make one: "
        "setting an array element with a sequence.",
    ),
    "complex": Bad(
        GOOD["X"] + 1j,
        TypeError,
        "X must hold real numbers; got an array of dtype complex128. "
        "Use X.real, or its real and imaginary parts as two features.",
    ),
    "strings": Bad(
        [["1", "2"]],
        TypeError,
        "X must hold real numbers; got an array of dtype <U1. Convert it with X.astype(float).",
    ),
    "bytes": Bad(
        [[b"1", b"2"]],
        TypeError,
        "X must hold real numbers; got an array of dtype |S1. Convert it with X.astype(float).",
    ),
    "dates": Bad(
        np.array([["2026-01-01"]], dtype="datetime64[D]"),
        TypeError,
        "X must hold real numbers; got an array of dtype datetime64[D]. "
        "Convert it with X.astype(float).",
    ),
    "numbers as objects": Bad(
        GOOD["X"].astype(object),
        TypeError,
        "X must hold real numbers; got an array of dtype object. Convert it with X.astype(float).",
    ),
    "missing values as objects": Bad(
        WITH_MISSING,
        TypeError,
        "X must hold real numbers; got an object array in which element (1, 0) is None (NoneType). "
        "Drop or fill in missing values, then convert it with astype(float).",
    ),
    "nothing": Bad(
        None,
        TypeError,
        "X must hold real numbers; got None (NoneType). Pass an array.",
    ),
    "a long object": Bad(
        {"key": list(range(100))},
        TypeError,
        "X must hold real numbers; got {'key': [0, 1, 2, 3, 4, 5, 6, 7, 8, 9... (dict). "
        "Pass an array.",
    ),
    "sparse matrix": Bad(
        scipy.sparse.csr_matrix(GOOD["X"]),
        TypeError,
        "X must be a dense array; got a sparse csr_matrix. Use X.toarray().",
    ),
    "sparse array": Bad(
        scipy.sparse.coo_array(GOOD["X"]),
        TypeError,
        "X must be a dense array; got a sparse coo_array. Use X.toarray().",
    ),
}

TRIANGLE = "Pass U with inv(covariance) = U @ U.T, for example the transpose of the lower Cholesky"
NOT_LOWER = changed("precisions_cholesky", (1, 1, 0), 0.5)
TYPES = "covariance_type must be one of 'full', 'tied', 'diag', 'spherical'"
BAD_PARAMETERS = {
    "covariance_type unknown": Bad(
        {"covariance_type": "banded"},
        ValueError,
        f"{TYPES}; got 'banded'. Choose one of them.",
    ),
    "covariance_type misspelt": Bad(
        {"covariance_type": "Diagonal"},
        ValueError,
        f"{TYPES}; got 'Diagonal'. Did you mean 'diag'?",
    ),
    "covariance_type not a word": Bad(
        {"covariance_type": 3},
        TypeError,
        f"{TYPES}; got 3 (int). Pass one of these words.",
    ),
    "means of one dimension": Bad(
        {"means": [0.0, 1.0]},
        ValueError,
        "means must have shape (n_components, 2), a column for each column of X; got (2,). "
        "Give each component one row.",
    ),
    "means of another width": Bad(
        {"means": np.zeros((2, 3))},
        ValueError,
        "means must have shape (n_components, 2), a column for each column of X; got (2, 3). "
        "Give each component one row.",
    ),
    "no components": Bad(
        {"means": np.zeros((0, 2))},
        ValueError,
        "means must have shape (n_components, 2), a column for each column of X; got (0, 2). "
        "Give each component one row.",
    ),
    "means nan": Bad(
        {"means": changed("means", (1, 0), np.nan)},
        ValueError,
        "means must be finite; component 1, feature 0 is nan. Give a finite number.",
    ),
    "factors of another type": Bad(
        {"covariance_type": "diag"},
        ValueError,
        "precisions_cholesky must have shape (2, 2) for covariance_type 'diag' and means of shape "
        "(2, 2); got (2, 2, 2). Pass the factors of this covariance_type, one for each component.",
    ),
    "factors infinite": Bad(
        {"precisions_cholesky": changed("precisions_cholesky", (1, 0, 1), np.inf)},
        ValueError,
        "precisions_cholesky must be finite; component 1, row 0, column 1 is inf. "
        "Factorise a finite covariance.",
    ),
    "factors strings": Bad(
        {"precisions_cholesky": [["a"]]},
        TypeError,
        "precisions_cholesky must hold real numbers; got an array of dtype <U1. "
        "Convert it with precisions_cholesky.astype(float).",
    ),
    "factors not triangular": Bad(
        {"precisions_cholesky": NOT_LOWER},
        ValueError,
        "precisions_cholesky must be upper triangular; component 1, row 1, column 0 is 0.5. "
        f"{TRIANGLE}",
    ),
    "tied factor not triangular": Bad(
        {"precisions_cholesky": [[1.0, 0.0], [0.5, 1.0]], "covariance_type": "tied"},
        ValueError,
        f"precisions_cholesky must be upper triangular; row 1, column 0 is 0.5. {TRIANGLE}",
    ),
    "full diagonal negative": Bad(
        {"precisions_cholesky": changed("precisions_cholesky", (1, 1, 1), -2.0)},
        ValueError,
        "precisions_cholesky must be positive on the diagonal; component 1, row 1, column 1 is "
        "-2.0. Factorise a positive definite covariance.",
    ),
    "tied diagonal zero": Bad(
        {"precisions_cholesky": [[0.0, 1.0], [0.0, 1.0]], "covariance_type": "tied"},
        ValueError,
        "precisions_cholesky must be positive on the diagonal; row 0, column 0 is 0.0. "
        "Factorise a positive definite covariance.",
    ),
    "diag zero": Bad(
        {"precisions_cholesky": [[1.0, 1.0], [1.0, 0.0]], "covariance_type": "diag"},
        ValueError,
        "precisions_cholesky must be positive on the diagonal; component 1, feature 1 is 0.0. "
        "Factorise a positive definite covariance.",
    ),
    "spherical negative": Bad(
        {"precisions_cholesky": [1.0, -1.0], "covariance_type": "spherical"},
        ValueError,
        "precisions_cholesky must be positive on the diagonal; component 1 is -1.0. "
        "Factorise a positive definite covariance.",
    ),
    "n_threads zero": Bad(
        {"n_threads": 0},
        ValueError,
        "n_threads must be an integer, 1 or more; got 0. Pass 1 or more.",
    ),
    "n_threads a float": Bad(
        {"n_threads": 2.0},
        TypeError,
        "n_threads must be an integer, 1 or more; got 2.0 (float). Pass an int.",
    ),
}

BAD_WEIGHTS = {
    "too few": Bad(
        [1.0],
        ValueError,
        "weights must have shape (2,), one for each component; got (1,). "
        "Give each row of means one weight.",
    ),
    "nan": Bad(
        [0.5, np.nan],
        ValueError,
        "weights must be finite; component 1 is nan. Give a finite number.",
    ),
    "negative": Bad(
        [1.5, -0.5],
        ValueError,
        "weights must be non-negative; component 1 is -0.5. Set it to 0 for an empty component.",
    ),
    "all zero": Bad(
        [0.0, 0.0],
        ValueError,
        "weights must not all be zero; got only zeros. Give some component a positive weight.",
    ),
    "complex": Bad(
        [1j, 1.0],
        TypeError,
        "weights must hold real numbers; got an array of dtype complex128.",
    ),
}

BAD_SAMPLE_WEIGHTS = {
    "too many": Bad(
        np.ones(N + 1),
        ValueError,
        "sample_weight must have shape (4,), one for each row of X; got (5,). "
        "Give each row one weight.",
    ),
    "a column": Bad(
        np.ones((N, 1)),
        ValueError,
        "sample_weight must have shape (4,), one for each row of X; got (4, 1). "
        "Give each row one weight.",
    ),
    "infinite": Bad(
        changed("sample_weight", 2, np.inf),
        ValueError,
        "sample_weight must be finite; row 2 is inf. Drop the row or set it to 0.",
    ),
    "nan": Bad(
        changed("sample_weight", 3, np.nan),
        ValueError,
        "sample_weight must be finite; row 3 is nan. Drop the row or set it to 0.",
    ),
    "negative": Bad(
        changed("sample_weight", 1, -0.5),
        ValueError,
        "sample_weight must be non-negative; row 1 is -0.5. Drop the row or set it to 0.",
    ),
    "all zero": Bad(
        np.zeros(N),
        ValueError,
        "sample_weight must not be zero for all rows; got only zeros. "
        "Give some row a positive weight.",
    ),
    "sum overflows": Bad(
        np.full(N, 1e308),
        ValueError,
        "sample_weight must have a finite sum; it overflows. Divide the weights by the largest.",
    ),
    "strings": Bad(
        list("abcd"),
        TypeError,
        "sample_weight must hold real numbers; got an array of dtype <U1.",
    ),
}

BAD_RESP = {
    "another shape": Bad(
        {"resp": np.ones((N, 3))},
        ValueError,
        "resp must have shape (4, 2), (n_samples, n_components); got (4, 3). "
        "Give each row one value for each component.",
    ),
    "nan": Bad(
        {"resp": changed("resp", (2, 1), np.nan)},
        ValueError,
        "resp must be finite; row 2, component 1 is nan. Give a finite number.",
    ),
    "negative": Bad(
        {"resp": changed("resp", (3, 0), -1.0)},
        ValueError,
        "resp must be non-negative; row 3, component 0 is -1.0. Set it to 0 for no share.",
    ),
    "centres of another width": Bad(
        {"centres": np.zeros((2, 1))},
        ValueError,
        "centres must have shape (n_components, 2), a column for each column of X; got (2, 1). "
        "Give each component one row.",
    ),
    "centres infinite": Bad(
        {"centres": changed("centres", (0, 1), np.inf)},
        ValueError,
        "centres must be finite; component 0, feature 1 is inf. Give a finite number.",
    ),
    "covariance_type unknown": Bad(
        {"covariance_type": "banded"},
        ValueError,
        f"{TYPES}; got 'banded'. Choose one of them.",
    ),
    "n_threads zero": Bad(
        {"n_threads": 0},
        ValueError,
        "n_threads must be an integer, 1 or more; got 0. Pass 1 or more.",
    ),
}

NOT_WRITEABLE = np.empty((N, K))
NOT_WRITEABLE.flags.writeable = False
OUT = "out must be a writeable, C-contiguous float64 array of shape (4, 2)"
REMEDY = "Pass np.empty((4, 2)), or None for a new array."
BAD_OUT = {
    "a list": Bad([], TypeError, f"{OUT}; got list. {REMEDY}"),
    "float32": Bad(np.empty((N, K), np.float32), TypeError, f"{OUT}; got dtype '<f4'. {REMEDY}"),
    "byte order": Bad(np.empty((N, K), ">f8"), TypeError, f"{OUT}; got dtype '>f8'. {REMEDY}"),
    "shape": Bad(np.empty((K, N)), ValueError, f"{OUT}; got shape (2, 4). {REMEDY}"),
    "read-only": Bad(NOT_WRITEABLE, ValueError, f"{OUT}; got a read-only one. {REMEDY}"),
    "strided": Bad(
        np.empty((N, 2 * K))[:, ::2],
        ValueError,
        f"{OUT}; got strides (32, 16). {REMEDY}",
    ),
}


def refused(error: type[Exception], message: str) -> pytest.RaisesExc:
    """Expect the exception, its message complete or from its start."""
    return pytest.raises(error, match=f"^{re.escape(message)}")


def each_of(table: dict[str, Bad]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("bad", table.values(), ids=table)


@pytest.mark.parametrize("function", ARGUMENTS)
@each_of(BAD_ROWS)
def test_rows_that_are_bad_are_refused(backend: ModuleType, function: str, bad: Bad) -> None:
    with refused(bad.error, bad.message):
        call(backend, function, X=bad.value)


@pytest.mark.parametrize("function", ["log_density", "responsibilities", "accumulate"])
@each_of(BAD_PARAMETERS)
def test_parameters_that_are_bad_are_refused(backend: ModuleType, function: str, bad: Bad) -> None:
    with refused(bad.error, bad.message):
        call(backend, function, **bad.value)


@pytest.mark.parametrize("function", ["responsibilities", "accumulate"])
@each_of(BAD_WEIGHTS)
def test_weights_that_are_bad_are_refused(backend: ModuleType, function: str, bad: Bad) -> None:
    with refused(bad.error, bad.message):
        call(backend, function, weights=bad.value)


@pytest.mark.parametrize("function", ["accumulate", "accumulate_resp"])
@each_of(BAD_SAMPLE_WEIGHTS)
def test_sample_weight_that_is_bad_is_refused(backend: ModuleType, function: str, bad: Bad) -> None:
    with refused(bad.error, bad.message):
        call(backend, function, sample_weight=bad.value)


@each_of(BAD_RESP)
def test_resp_and_centres_that_are_bad_are_refused(backend: ModuleType, bad: Bad) -> None:
    with refused(bad.error, bad.message):
        call(backend, "accumulate_resp", **bad.value)


@each_of(BAD_OUT)
def test_output_that_is_bad_is_refused(backend: ModuleType, bad: Bad) -> None:
    with refused(bad.error, bad.message):
        call(backend, "log_density", out=bad.value)


@pytest.mark.parametrize("function", ARGUMENTS)
def test_arguments_when_refused_are_not_modified(backend: ModuleType, function: str) -> None:
    bad = changed("X", (3, 1), np.nan)
    with unchanged(bad, *GOOD.values()), refused(ValueError, "X must be finite"):
        call(backend, function, X=bad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_check_rows_of_any_layout_keeps_values_and_type(layout: str, dtype: type) -> None:
    X = LAYOUTS[layout](GOOD["X"].astype(dtype))
    rows = validation.check_rows(X)
    np.testing.assert_array_equal(rows, GOOD["X"])
    assert rows.dtype == dtype
    assert rows.dtype.isnative
    assert rows.flags.aligned
    shares = np.shares_memory(rows, X)
    assert shares == (layout not in ("other-byte-order", "unaligned")), "copied without need"


@pytest.mark.parametrize(
    "X",
    [
        GOOD["X"].tolist(),
        tuple(map(tuple, GOOD["X"])),
        GOOD["X"].astype(int),
        GOOD["X"].astype(np.uint8),
        GOOD["X"].astype(np.float16),
        GOOD["X"].astype(np.longdouble),
        np.ma.masked_array(GOOD["X"]),
    ],
    ids=lambda X: f"{type(X).__name__}-{getattr(X, 'dtype', '')}",
)
def test_check_rows_of_any_numbers_returns_float64(X: object) -> None:
    rows = validation.check_rows(X)
    np.testing.assert_array_equal(rows, GOOD["X"])
    assert type(rows) is np.ndarray
    assert rows.dtype == np.float64


def test_check_rows_of_a_data_frame_accepts_it() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"nnz": [0, 1, 4, 5], "toarray": [1.0, 0.0, 5.0, 4.0]})
    np.testing.assert_array_equal(validation.check_rows(frame), GOOD["X"])


def test_check_rows_of_booleans_returns_zeros_and_ones() -> None:
    np.testing.assert_array_equal(validation.check_rows([[True, False]]), [[1.0, 0.0]])


def test_check_rows_of_large_float32_with_overflowing_sum_accepts_them() -> None:
    X = np.full((100, 2), 3e38, dtype=np.float32)
    assert validation.check_rows(X) is X


def test_check_rows_with_too_few_rows_refuses_them() -> None:
    with refused(ValueError, "X must have at least 1 row; got 0. Add rows."):
        validation.check_rows(np.zeros((0, 2)), minimum=1)
    message = "rows must have at least 3 rows; got 2. Add rows or ask for fewer components."
    with refused(ValueError, message):
        validation.check_rows(np.zeros((2, 2)), minimum=3, name="rows")


def test_check_rows_with_other_features_refuses_them() -> None:
    message = (
        "X must have 3 columns; got shape (2, 2). Select the features that the mixture describes."
    )
    with refused(ValueError, message):
        validation.check_rows(np.zeros((2, 2)), n_features=3)


def test_check_sample_weight_with_too_few_positive_refuses_them() -> None:
    message = (
        "at least 3 rows with positive weight are needed, one for each component; got 2. "
        "Add rows or ask for fewer components."
    )
    with refused(ValueError, message):
        validation.check_sample_weight([1.0, 0.0, 2.0], 3, minimum_rows=3)
    with refused(ValueError, message):
        validation.check_sample_weight(None, 2, minimum_rows=3)


def test_check_sample_weight_of_none_returns_ones() -> None:
    np.testing.assert_array_equal(validation.check_sample_weight(None, 3), np.ones(3))
    assert validation.check_sample_weight([], 0).shape == (0,)


def test_check_rows_sum_to_one_names_the_first_row_that_does_not() -> None:
    validation.check_rows_sum_to_one(np.array([[0.25, 0.75], [1.0, 1e-7]]))
    with refused(ValueError, "resp must sum to one in every row; row 1 sums to 1.5. Divide each"):
        validation.check_rows_sum_to_one(np.array([[0.25, 0.75], [1.0, 0.5]]))


def test_check_centres_returns_a_copy() -> None:
    assert not np.shares_memory(validation.check_centres(GOOD["means"], D), GOOD["means"])


@pytest.mark.parametrize("value", [1, np.int64(1), np.uint8(1), np.array(1)])
def test_check_count_of_integers_returns_int(value: object) -> None:
    assert type(validation.check_count("n_init", value)) is int


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "True (bool)"),
        (np.True_, "np.True_ (bool)"),
        (1.0, "1.0 (float)"),
        ("1", "'1' (str)"),
        (None, "None (NoneType)"),
        (np.array([1, 2]), "array([1, 2]) (ndarray)"),
        (np.array(1.0), "array(1.) (ndarray)"),
    ],
)
def test_check_count_of_other_kinds_refuses_them(value: object, shown: str) -> None:
    message = f"n_init must be an integer, 1 or more; got {shown}. Pass an int."
    with refused(TypeError, message):
        validation.check_count("n_init", value)


def test_check_count_below_the_minimum_refuses_it() -> None:
    assert validation.check_count("max_iter", 0, minimum=0) == 0
    message = "max_iter must be an integer, 0 or more; got -1. Pass 0 or more."
    with refused(ValueError, message):
        validation.check_count("max_iter", -1, minimum=0)


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.5), np.int64(3), Fraction(1, 2)])
def test_check_number_of_real_numbers_returns_float(value: object) -> None:
    assert type(validation.check_number("tol", value)) is float


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "True (bool)"), ("1", "'1' (str)"), (1j, "1j (complex)"), (None, "None (NoneType)")],
)
def test_check_number_of_other_kinds_refuses_them(value: object, shown: str) -> None:
    message = f"tol must be a finite number, 0 or more; got {shown}. Pass a float."
    with refused(TypeError, message):
        validation.check_number("tol", value)


@pytest.mark.parametrize("value", [-1e-9, np.nan, np.inf])
def test_check_number_out_of_range_refuses_it(value: float) -> None:
    message = f"tol must be a finite number, 0 or more; got {value}. Pass 0 or more."
    with refused(ValueError, message):
        validation.check_number("tol", value)


def test_check_option_of_a_known_word_returns_it() -> None:
    assert validation.check_option("backend", "compiled", ("compiled", "reference")) == "compiled"


def test_check_option_of_an_array_refuses_its_kind() -> None:
    message = "init must be one of 'random', 'kmeans'; got array([1, 2]) (ndarray). Pass one of"
    with refused(TypeError, message):
        validation.check_option("init", np.array([1, 2]), ("random", "kmeans"))


@pytest.mark.parametrize("n_threads", [None, 1, 7])
def test_check_n_threads_of_good_values_returns_them(n_threads: int | None) -> None:
    assert validation.check_n_threads(n_threads) == n_threads


def test_check_rng_of_a_generator_returns_the_same_one() -> None:
    rng = np.random.default_rng(3)
    assert validation.check_rng(rng) is rng


@pytest.mark.parametrize("seed", [3, np.int64(3), np.random.SeedSequence(3)])
def test_check_rng_of_a_seed_repeats_its_numbers(seed: object) -> None:
    assert validation.check_rng(seed).random() == np.random.default_rng(3).random()


def test_check_rng_of_a_bit_generator_wraps_it() -> None:
    bits = np.random.PCG64(3)
    assert validation.check_rng(bits).bit_generator is bits


def test_check_rng_of_none_differs_each_time() -> None:
    assert validation.check_rng(None).random() != validation.check_rng(None).random()


@pytest.mark.parametrize("rng", [np.random.RandomState(3), True, 1.5, "3", [1, 2]])
def test_check_rng_of_other_kinds_refuses_them(rng: object) -> None:
    message = "rng must be None, an integer seed, a SeedSequence, a BitGenerator or a Generator; "
    with refused(TypeError, message) as caught:
        validation.check_rng(rng)
    assert str(caught.value).endswith(". Use numpy.random.default_rng(seed).")


def test_check_rng_of_a_negative_seed_refuses_it() -> None:
    with refused(ValueError, "rng must be an integer, 0 or more; got -1. Pass 0 or more."):
        validation.check_rng(-1)
