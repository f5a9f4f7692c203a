"""Good arguments of the four functions, and the message for each bad one."""

from typing import NamedTuple

import numpy as np
import scipy.sparse

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
with np.errstate(over="ignore"):  # infinity already, where a long double is a double
    PAST_THE_LARGEST_DOUBLE = np.full((N, D), np.longdouble(1e308)) * 10
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
        "X must be finite; row 2, column 1 is nan.",
    ),
    "infinity": Bad(
        changed("X", (3, 0), -np.inf),
        ValueError,
        "X must be finite; row 3, column 0 is -inf. Drop the row or fill in the value.",
    ),
    "infinities that cancel": Bad(
        np.array([[1.0, np.inf], [-np.inf, 1.0]]),
        ValueError,
        "X must be finite; row 0, column 1 is inf, and columns 0, 1 have such values. "
        "Drop their rows or fill in the values.",
    ),
    "nan far down": Bad(
        LARGE,
        ValueError,
        "X must be finite; row 65537, column 1 is nan.",
    ),
    "long double past the largest double": Bad(
        PAST_THE_LARGEST_DOUBLE,
        ValueError,
        "X must be finite; row 0, column 0 is inf, and columns 0, 1 have such values. "
        "Drop their rows or fill in the values.",
    ),
    "masked": Bad(
        MASKED,
        ValueError,
        "X must be finite; row 2, column 0 is nan, and columns 0, 1 have such values. Drop their",
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
    "huge integers as objects": Bad(
        GOOD["X"].astype(int).astype(object) + 10**400,
        TypeError,
        "X must hold real numbers; got an array of dtype object. Convert it with X.astype(float).",
    ),
    "text and missing values as objects": Bad(
        np.where(WITH_MISSING[0, 0] == WITH_MISSING, "x", WITH_MISSING),
        TypeError,
        "X must hold real numbers; got an object array in which element (0, 0) is 'x' (str). "
        "Pass numbers, and NaN for missing values.",
    ),
    "missing values as objects": Bad(
        WITH_MISSING,
        ValueError,
        "X must be finite; row 1, column 0 is nan. Drop the row",
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
        "sample_weight must sum to between 1e-100 and 1e+100; got inf. "
        "Divide the weights by the largest.",
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
