"""Noise of rows as users pass it: what is refused, and the rows that come of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixtura import scan
from mixtura.data import open_rows, with_noise
from mixtura.shapes import Floats

N, M = 6, 2


@pytest.fixture
def X() -> Floats:
    return np.random.default_rng(0).normal(size=(N, M))


@pytest.mark.parametrize("shape", [(N,), (N, M), (N, M, M)])
def test_noise_of_each_shape_is_known_of_the_rows(X: Floats, shape: tuple[int, ...]) -> None:
    noise = np.zeros(shape)
    rows = with_noise(open_rows(X), noise)
    assert rows.form == "noisy"
    (block,) = rows.blocks()
    np.testing.assert_array_equal(block.extras["noise"], noise)
    assert np.shares_memory(block.X, X)


def test_rows_without_noise_stay_whole(X: Floats) -> None:
    rows = open_rows(X)
    assert with_noise(rows, None) is rows


def test_noise_in_single_precision_may_be_off_by_its_rounding(X: Floats) -> None:
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(N, M, M))
    noise = (roots @ roots.swapaxes(1, 2)).astype(np.float32)
    noise[:, 0, 1] *= np.float32(1.0 + 1e-6)
    (block,) = with_noise(open_rows(X), noise).blocks()
    own = block.extras["noise"]
    assert own.dtype == np.float64
    np.testing.assert_array_equal(own, own.swapaxes(1, 2))


def test_singular_noise_passes(X: Floats) -> None:
    noise = np.broadcast_to(np.full((M, M), 0.1), (N, M, M))
    (block,) = with_noise(open_rows(X), noise).blocks()
    assert block.extras["noise"].strides[0] == 0  # no copy either


def changed(index: Any, value: Any, shape: tuple[int, ...] = (N, M, M)) -> Floats:
    noise = np.zeros(shape)
    if len(shape) == 3:
        noise[:] = np.eye(M)
    noise[index] = value
    return noise


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (np.zeros(N + 1), (r"must have shape \(6,\), one variance for each row of X, \(6, 2\), "
         r"variances of its columns, or \(6, 2, 2\), covariances; got \(7,\). Give each row its "
         r"noise, such as np.broadcast_to\(N, \(6, 2, 2\)\) for one matrix N.")),
        (0.1, r"must have shape .* got \(\). Give each row its noise"),
        (np.eye(M), r"must have shape .* got \(2, 2\). Give each row its noise"),
        (changed(3, np.nan, (N,)), "must be finite; row 3 is nan. Give a finite number, or drop"),
        (changed((3, 1), np.inf, (N, M)), "must be finite; row 3, column 1 is inf."),
        (changed((3, 1, 0), np.inf), "must be finite; row 3, column 1, column 0 is inf."),
        (changed(2, -0.5, (N,)), "must be non-negative; row 2 is -0.5. Pass variances, not below"),
        (changed((2, 1), -0.5, (N, M)), "must be non-negative; row 2, column 1 is -0.5."),
        (changed((4, 0, 1), 0.5), (r"must be symmetric; row 4 has 0.5 in place \(0, 1\) and 0.0 in "
         r"\(1, 0\). Average it with its transpose.")),
        (changed(4, [[1.0, 2.0], [2.0, 1.0]]), ("must be positive semi-definite; row 4 has the "
         "eigenvalue -1. Pass covariances of the noise: variances on the diagonal, not standard")),
    ],
)  # fmt: skip
def test_noise_that_cannot_be_is_refused(X: Floats, noise: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^noise_covariance {message}"):
        with_noise(open_rows(X), noise)


def test_noise_that_is_not_numbers_is_refused(X: Floats) -> None:
    with pytest.raises(TypeError, match=r"^noise_covariance must hold real numbers"):
        with_noise(open_rows(X), np.array(["a"] * N))


def test_noise_of_rows_without_weight_may_be_anything(X: Floats) -> None:
    noise = changed(1, -np.inf)
    rows = with_noise(open_rows(X, [1.0, 0.0, 1.0, 1.0, 1.0, 1.0]), noise)
    assert np.isfinite(next(rows.blocks()).extras["noise"]).all()
    assert noise[1, 0, 0] == -np.inf


def test_noise_of_a_frame_must_have_its_index_and_columns(X: Floats) -> None:
    frame = pd.DataFrame(X, columns=["a", "b"])
    noise = pd.DataFrame(np.ones((N, M)), columns=["a", "b"])
    assert with_noise(open_rows(frame), noise).feature_names == ("a", "b")
    with pytest.raises(ValueError, match=r"noise_covariance must have the index of X; row 0 has"):
        with_noise(open_rows(frame), noise[::-1])
    with pytest.raises(ValueError, match="noise_covariance must have the columns 'a', 'b'"):
        with_noise(open_rows(frame), noise[["b", "a"]])


def test_blocks_have_the_noise_of_their_rows(X: Floats) -> None:
    noise = np.arange(float(N))
    rows = with_noise(open_rows(scan([X[:2], X[2:]])), noise)
    found = [block.extras["noise"].tolist() for block in rows.blocks()]
    assert found == [[0.0, 1.0], [2.0, 3.0, 4.0, 5.0]]


def test_missing_numbers_together_with_noise_are_refused(X: Floats) -> None:
    X[0, 0] = np.nan
    rows = open_rows(X, missing="em")
    message = r"X must have all its numbers where noise_covariance is given; some are missing. .*by"
    with pytest.raises(ValueError, match=message + " projection="):
        with_noise(rows, np.zeros(N))


# ---- projections ----


@pytest.mark.parametrize(
    ("projection", "message"),
    [
        (np.zeros((N, M)), (r"must have shape \(6, 2, n_features\), a matrix for each row from the "
         r"features of the mixture to the columns of X; got \(6, 2\). Give each row one")),
        (np.zeros((N, M + 1, 3)), r"must have shape .* got \(6, 3, 3\)"),
        (np.zeros((N, M, 0)), r"must have shape .* got \(6, 2, 0\)"),
        (np.full((N, M, 3), np.nan), "must be finite; row 0, column 0, feature 0 is nan. Drop"),
    ],
)  # fmt: skip
def test_projections_that_cannot_be_are_refused(
    X: Floats, projection: Floats, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^projection {message}"):
        with_noise(open_rows(X), np.zeros(N), projection)


def test_a_projection_without_noise_is_refused(X: Floats) -> None:
    message = "projection must come with noise_covariance; got none. Pass the covariance of the"
    with pytest.raises(ValueError, match=message):
        with_noise(open_rows(X), None, np.zeros((N, M, 3)))


def test_a_projection_to_other_features_than_the_mixtures_is_refused(X: Floats) -> None:
    with pytest.raises(ValueError, match=r"projection must have shape \(6, 2, 4\).* got \(6, 2, 3"):
        with_noise(open_rows(X), np.zeros(N), np.zeros((N, M, 3)), n_features=4)


def test_projected_rows_have_least_squares_in_their_place() -> None:
    """Without noise, and with as many numbers as features, these are the true rows."""
    rng = np.random.default_rng(2)
    truth, R = rng.normal(size=(200, 3)), rng.normal(size=(200, 3, 3))
    observed = (R @ truth[:, :, None])[:, :, 0]
    rows = with_noise(open_rows(observed), np.zeros(200), R)
    assert (rows.n_samples, rows.n_features, rows.form) == (200, 3, "noisy")
    (block,) = rows.blocks()
    np.testing.assert_allclose(block.X, truth, atol=1e-3)
    np.testing.assert_array_equal(block.extras["observed"], observed)


def test_projected_rows_in_blocks_become_one() -> None:
    rng = np.random.default_rng(3)
    observed, R = rng.normal(size=(9, 1)), rng.normal(size=(9, 1, 2))
    whole = next(with_noise(open_rows(observed), np.ones(9), R).blocks())
    (block,) = with_noise(open_rows(scan([observed[:4], observed[4:]])), np.ones(9), R).blocks()
    np.testing.assert_array_equal(block.X, whole.X)
    assert np.isfinite(whole.X).all()


def projected(*rows: Any) -> Floats:
    """Projections of two rows that see two of two features, and then these."""
    return np.array([np.eye(2), [[1.0, 2.0], [0.0, 1.0]], *rows], dtype=float)


EQUAL = [[1.0, 0.5], [1.0, 0.5]]
SINGULAR = [
    (EQUAL, np.zeros((2, 2))),
    (EQUAL, np.full((2, 2), 0.3)),
    ([[2.0, 1.0], [3.0, 1.5]], [[4.0, 6.0], [6.0, 9.0]]),
    ([[1.0, 0.0], [3.0, 0.0]], [[1.0, 3.0], [3.0, 9.0]]),
    ([[1.0, 0.0], [0.0, 0.0]], np.diag([1.0, 0.0])),
    (np.zeros((2, 2)), np.diag([1.0, 0.0])),
    (np.zeros((2, 2)), np.ones((2, 2))),
]
REGULAR = [
    (EQUAL, 1e-30 * np.eye(2)),
    (EQUAL, np.diag([1e-30, 0.0])),
    (EQUAL, np.diag([0.0, 1e30])),
    (EQUAL, [[1.0, 0.9], [0.9, 1.0]]),
    ([[1e6, 0.0], [1.0, 0.0]], np.diag([1e-12, 1e12])),
    (np.zeros((2, 2)), [[1e-9, 0.5], [0.5, 1e9]]),
    ([[1.0, 0.0], [1.0, 1e-3]], np.zeros((2, 2))),
    ([[1e-100, 0.0], [0.0, 1e100]], np.zeros((2, 2))),
    ([[1.0, 0.0], [0.0, 0.0]], np.diag([0.0, 1.0])),
    (np.zeros((2, 2)), np.diag([1.0, 1e30])),
]


@pytest.mark.parametrize(("R", "noise"), SINGULAR)
def test_numbers_that_others_determine_need_noise(R: Any, noise: Any) -> None:
    noises = np.array([np.zeros((2, 2)), np.zeros((2, 2)), noise])
    with pytest.raises(ValueError, match="^projection must see each number of a row that has no no"
                       "ise by itself; of row 2, a combination of its numbers has neither noise no"
                       r"r a part in any feature\. Give it noise, or drop numbers"):  # fmt: skip
        with_noise(open_rows(np.zeros((3, 2))), noises, projected(R))
    absent = with_noise(open_rows(np.zeros((3, 2)), [1.0, 1.0, 0.0]), noises, projected(R))
    assert absent.n_samples == 3


@pytest.mark.parametrize(("R", "noise"), REGULAR)
def test_singular_projections_and_noise_are_fine_where_their_sum_is_regular(
    R: Any, noise: Any
) -> None:
    noises = np.array([np.zeros((2, 2)), np.zeros((2, 2)), noise])
    assert with_noise(open_rows(np.zeros((3, 2))), noises, projected(R)).n_features == 2


@pytest.mark.parametrize("shape", [(N,), (N, M)])
def test_numbers_that_others_determine_need_variances(X: Floats, shape: tuple[int, ...]) -> None:
    R, noise = np.ones((N, M, 1)), np.ones(shape)
    assert with_noise(open_rows(X), noise, R).n_features == 1
    noise[4] = 0.0
    with pytest.raises(ValueError, match="of row 4, a combination"):
        with_noise(open_rows(X), noise, R)
    if len(shape) == 2:
        noise[4, 0] = 1.0
        assert with_noise(open_rows(X), noise, R).n_features == 1


def test_feature_that_no_row_sees_is_refused_but_of_a_mixture(X: Floats) -> None:
    R = np.zeros((N, M, 3))
    R[:, 0, 0] = R[:, 1, 2] = 1.0
    with pytest.raises(ValueError, match="^projection must let each feature be observed in some r"
                       r"ow; feature 1 has zeros in all\. Drop the feature from the projections, or"
                       " start at a mixture"):  # fmt: skip
        with_noise(open_rows(X), np.ones(N), R)
    assert with_noise(open_rows(X), np.ones(N), R, n_features=3).n_features == 3
