"""The message for bad input says what was expected, what was given and what to do."""

import re
from contextlib import AbstractContextManager
from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest
from bad_input import (
    BAD_OUT,
    BAD_PARAMETERS,
    BAD_RESP,
    BAD_ROWS,
    BAD_SAMPLE_WEIGHTS,
    BAD_WEIGHTS,
    GOOD,
    Bad,
    D,
    K,
    N,
    changed,
)
from helpers import BACKENDS, LAYOUTS, unchanged

from mixtura.data import checks

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


def refused(error: type[Exception], message: str) -> AbstractContextManager[pytest.ExceptionInfo]:
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


@pytest.mark.parametrize("start", [0, 1, N * D - 1])
def test_output_that_shares_memory_with_the_rows_is_refused(
    backend: ModuleType, start: int
) -> None:
    memory = np.append(GOOD["X"], np.zeros(N * K))
    rows, out = memory[: N * D].reshape(N, D), memory[start : start + N * K].reshape(N, K)
    message = "out must not share memory with X, which is read while it is written; got an overlap"
    with unchanged(memory), refused(ValueError, f"{message}. Pass np.empty((4, 2)), or None for"):
        call(backend, "log_density", X=rows, out=out)


def test_output_beside_the_rows_in_one_array_is_written(backend: ModuleType) -> None:
    memory = np.append(GOOD["X"], np.zeros(N * K))
    rows, out = memory[: N * D].reshape(N, D), memory[N * D :].reshape(N, K)
    call(backend, "log_density", X=rows, out=out)
    np.testing.assert_array_equal(out, call(backend, "log_density"))


def test_output_that_shares_memory_with_the_factors_is_refused(backend: ModuleType) -> None:
    factors = np.ones((N, D))
    with refused(ValueError, "out must not share memory with precisions_cholesky, which is read"):
        backend.log_density(
            GOOD["X"][:D], np.zeros((N, D)), factors, covariance_type="diag",
            out=factors.reshape(D, N),
        )  # fmt: skip


def test_nearest_that_shares_memory_with_what_is_read_is_refused(backend: ModuleType) -> None:
    nearest = np.ones(N)
    remedy = "got an overlap. Begin with np.full(len(X), np.inf)."
    for name, X in (("X", nearest.reshape(N, 1)), ("sample_weight", np.eye(N))):
        message = f"nearest must not share memory with {name}, which is read while it is written"
        with unchanged(nearest), refused(ValueError, f"{message}; {remedy}"):
            backend.potentials(X, X[:1].copy(), nearest, sample_weight=nearest)


@pytest.mark.parametrize("function", ARGUMENTS)
def test_arguments_when_refused_are_not_modified(backend: ModuleType, function: str) -> None:
    bad = changed("X", (3, 1), np.nan)
    with unchanged(bad, *GOOD.values()), refused(ValueError, "X must be finite"):
        call(backend, function, X=bad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_check_rows_of_any_layout_keeps_values_and_type(layout: str, dtype: type) -> None:
    X = LAYOUTS[layout](GOOD["X"].astype(dtype))
    rows = checks.check_rows(X)
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
    rows = checks.check_rows(X)
    np.testing.assert_array_equal(rows, GOOD["X"])
    assert type(rows) is np.ndarray
    assert rows.dtype == np.float64


def test_check_rows_of_a_data_frame_accepts_it() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"nnz": [0, 1, 4, 5], "toarray": [1.0, 0.0, 5.0, 4.0]})
    np.testing.assert_array_equal(checks.check_rows(frame), GOOD["X"])


def test_check_rows_of_booleans_returns_zeros_and_ones() -> None:
    np.testing.assert_array_equal(checks.check_rows([[True, False]]), [[1.0, 0.0]])


def test_check_rows_of_large_float32_with_overflowing_sum_accepts_them() -> None:
    X = np.full((100, 2), 3e38, dtype=np.float32)
    assert checks.check_rows(X) is X


def test_check_rows_with_too_few_rows_refuses_them() -> None:
    with refused(ValueError, "X must have at least 1 row; got 0. Add rows."):
        checks.check_rows(np.zeros((0, 2)), minimum=1)
    message = "rows must have at least 3 rows; got 2. Add rows or ask for fewer components."
    with refused(ValueError, message):
        checks.check_rows(np.zeros((2, 2)), minimum=3, name="rows")


def test_check_rows_with_other_features_refuses_them() -> None:
    message = (
        "X must have 3 columns; got shape (2, 2). Select the features that the mixture describes."
    )
    with refused(ValueError, message):
        checks.check_rows(np.zeros((2, 2)), n_features=3)


def test_check_sample_weight_with_too_few_positive_refuses_them() -> None:
    message = (
        "at least 3 rows with positive weight are needed, one for each component; got 2. "
        "Add rows or ask for fewer components."
    )
    with refused(ValueError, message):
        checks.check_sample_weight([1.0, 0.0, 2.0], 3, minimum_rows=3)
    with refused(ValueError, message):
        checks.check_sample_weight(None, 2, minimum_rows=3)


def test_check_sample_weight_of_none_returns_ones() -> None:
    np.testing.assert_array_equal(checks.check_sample_weight(None, 3), np.ones(3))
    assert checks.check_sample_weight([], 0).shape == (0,)


def test_check_rows_sum_to_one_names_the_first_row_that_does_not() -> None:
    checks.check_rows_sum_to_one(np.array([[0.25, 0.75], [1.0, 1e-7]]))
    with refused(ValueError, "resp must sum to one in every row; row 1 sums to 1.5. Divide each"):
        checks.check_rows_sum_to_one(np.array([[0.25, 0.75], [1.0, 0.5]]))


def test_check_centres_returns_a_copy() -> None:
    assert not np.shares_memory(checks.check_centres(GOOD["means"], 2), GOOD["means"])


@pytest.mark.parametrize("value", [1, np.int64(1), np.uint8(1), np.array(1)])
def test_check_count_of_integers_returns_int(value: object) -> None:
    assert type(checks.check_count("n_init", value)) is int


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
        checks.check_count("n_init", value)


def test_check_count_below_the_minimum_refuses_it() -> None:
    assert checks.check_count("max_iter", 0, minimum=0) == 0
    message = "max_iter must be an integer, 0 or more; got -1. Pass 0 or more."
    with refused(ValueError, message):
        checks.check_count("max_iter", -1, minimum=0)


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.5), np.int64(3), Fraction(1, 2)])
def test_check_number_of_real_numbers_returns_float(value: object) -> None:
    assert type(checks.check_number("tol", value)) is float


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "True (bool)"), ("1", "'1' (str)"), (1j, "1j (complex)"), (None, "None (NoneType)")],
)
def test_check_number_of_other_kinds_refuses_them(value: object, shown: str) -> None:
    message = f"tol must be a finite number, 0 or more; got {shown}. Pass a float."
    with refused(TypeError, message):
        checks.check_number("tol", value)


@pytest.mark.parametrize("value", [-1e-9, np.nan, np.inf])
def test_check_number_out_of_range_refuses_it(value: float) -> None:
    message = f"tol must be a finite number, 0 or more; got {value}. Pass 0 or more."
    with refused(ValueError, message):
        checks.check_number("tol", value)


def test_check_option_of_a_known_word_returns_it() -> None:
    assert checks.check_option("backend", "compiled", ("compiled", "reference")) == "compiled"


def test_check_option_of_an_array_refuses_its_kind() -> None:
    message = "init must be one of 'random', 'kmeans'; got array([1, 2]) (ndarray). Pass one of"
    with refused(TypeError, message):
        checks.check_option("init", np.array([1, 2]), ("random", "kmeans"))


@pytest.mark.parametrize("value", [True, np.False_])
def test_check_flag_of_a_truth_value_returns_bool(value: object) -> None:
    assert checks.check_flag("accelerate", value) is bool(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("no", "'no' (str)"),
        (np.nan, "nan (float)"),
        ([], "[] (list)"),
        (1, "1 (int)"),
        (None, "None (NoneType)"),
        (np.array(True), "array(True) (ndarray)"),
    ],
)
def test_check_flag_of_other_kinds_refuses_them(value: object, shown: str) -> None:
    message = f"accelerate must be True or False; got {shown}. Pass one of these."
    with refused(TypeError, message):
        checks.check_flag("accelerate", value)


@pytest.mark.parametrize("n_threads", [None, 1, 7])
def test_check_n_threads_of_good_values_returns_them(n_threads: int | None) -> None:
    assert checks.check_n_threads(n_threads) == n_threads


def test_check_rng_of_a_generator_returns_the_same_one() -> None:
    rng = np.random.default_rng(3)
    assert checks.check_rng(rng) is rng


@pytest.mark.parametrize("seed", [3, np.int64(3), np.random.SeedSequence(3)])
def test_check_rng_of_a_seed_repeats_its_numbers(seed: object) -> None:
    assert checks.check_rng(seed).random() == np.random.default_rng(3).random()


def test_check_rng_of_a_bit_generator_wraps_it() -> None:
    bits = np.random.PCG64(3)
    assert checks.check_rng(bits).bit_generator is bits


def test_check_rng_of_none_differs_each_time() -> None:
    assert checks.check_rng(None).random() != checks.check_rng(None).random()


@pytest.mark.parametrize("rng", [np.random.RandomState(3), True, 1.5, "3", [1, 2]])
def test_check_rng_of_other_kinds_refuses_them(rng: object) -> None:
    message = "rng must be None, an integer seed, a SeedSequence, a BitGenerator or a Generator; "
    with refused(TypeError, message) as caught:
        checks.check_rng(rng)
    assert str(caught.value).endswith(". Use numpy.random.default_rng(seed).")


def test_check_rng_of_a_negative_seed_refuses_it() -> None:
    with refused(ValueError, "rng must be an integer, 0 or more; got -1. Pass 0 or more."):
        checks.check_rng(-1)


@pytest.mark.parametrize("condition", [10.0, 1e6, 1e10])
@pytest.mark.parametrize("shared", [False, True])
def test_factors_with_rounding_below_the_diagonal_count_as_triangular(
    backend: ModuleType, shared: bool, condition: float
) -> None:
    """As the inverse of a Cholesky factor by NumPy has it."""
    d = 6
    units = np.geomspace(1e-3, 1e3, d)
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(d, d)))[0]
    covariance = axes * np.geomspace(1.0, condition, d) @ axes.T * np.outer(units, units)
    rough = np.linalg.inv(np.linalg.cholesky(covariance)).T
    rough = rough if shared else rough[None]
    if not np.tril(rough, -1).any():  # whatever this build of LAPACK does
        rough = rough + 1e-12 * np.tril(np.ones((d, d)), -1) * rough.max(axis=-1, keepdims=True)
    arguments = {"covariance_type": "tied" if shared else "full", "means": np.zeros((1, d))}
    X = np.random.default_rng(1).normal(size=(4, d)) * units
    with unchanged(rough):
        got = call(backend, "log_density", X=X, precisions_cholesky=rough, **arguments)
    expected = call(backend, "log_density", X=X, precisions_cholesky=np.triu(rough), **arguments)
    np.testing.assert_array_equal(got, expected)
    rounded = (rough + 1e-7 * np.abs(rough).max(axis=-1, keepdims=True)).astype(np.float32)
    call(backend, "log_density", X=X, precisions_cholesky=rounded, **arguments)
    with refused(ValueError, "precisions_cholesky must be upper triangular; "):
        call(backend, "log_density", X=X, precisions_cholesky=rounded.astype(float), **arguments)
