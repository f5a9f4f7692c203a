"""Columns of very few values: a fit that spreads them over cells says so, and names them."""

import warnings

import numpy as np
import pandas as pd
import pytest

from mixtura import (
    CoarseColumnsWarning,
    GMMFit,
    bootstrap_lrt,
    datasets,
    fit_gmm,
    scan,
    select_gmm,
)
from mixtura.shapes import Floats


def people(n: int = 400) -> pd.DataFrame:
    """Two groups that differ in income, and columns of two values beside it."""
    rng = np.random.default_rng(0)
    group = rng.random(n) < 0.5
    return pd.DataFrame(
        {
            "income": rng.normal(np.where(group, 50.0, 90.0), 5.0),
            "smoker": rng.random(n) < np.where(group, 0.9, 0.05),
            "sex": rng.integers(1, 3, size=n),
        }
    )


def coarse(X: object, k: int = 4, **options: object) -> GMMFit:
    return fit_gmm(X, k, **{"rng": 0, "n_init": 3, "tol": 1e-4} | options)


def message(caught: pytest.WarningsRecorder) -> str:
    (warning,) = caught
    assert warning.filename == __file__
    return str(warning.message)


def test_fit_of_dummies_names_them_and_says_what_was_done_and_what_to_do() -> None:
    with pytest.warns(CoarseColumnsWarning) as caught:
        fit = coarse(people())
    assert {event.action for event in fit.events} >= {"smoothed"}
    assert message(caught) == (
        "columns 'smoker', 'sex' have so few values that each row was spread over a cell between "
        "two of them: that adds a standard deviation of 0.2887, 0.2887 to every component. Drop "
        "these columns, or fit the rows of each value by themselves; avoid_spurious=False adds "
        "nothing, and lets components shrink onto one value."
    )
    deviations = fit.to_pandas()["standard deviation"]
    assert (deviations[["smoker", "sex"]] > 0.2886).all(axis=None)


@pytest.mark.parametrize(
    "rows",
    [
        people().to_numpy(np.float32),
        scan([people()[:100], people()[100:]]),
        people().to_numpy(float) * [1e-6, 1e9, 1e-9],
    ],
    ids=["float32", "blocks", "units"],
)
def test_fit_of_dummies_of_any_kind_says_so(rows: object) -> None:
    with pytest.warns(CoarseColumnsWarning, match="columns .*have so few values"):
        coarse(rows)


def test_fit_of_columns_without_names_gives_their_numbers_and_the_size_of_the_cell() -> None:
    X = people().to_numpy(float) * [1.0, 24.0, 1.0]
    with pytest.warns(
        CoarseColumnsWarning, match="columns 1, 2 have .*deviation of 6.928, 0.2887 "
    ):
        coarse(X)


def test_fit_of_one_dummy_is_in_the_singular() -> None:
    with pytest.warns(CoarseColumnsWarning, match="column 'smoker' has so few.*Drop this column,"):
        coarse(people()[["income", "smoker"]])


def test_fit_of_weighted_dummies_says_so_unless_only_one_value_has_weight() -> None:
    frame = people()[["income", "smoker"]]
    with pytest.warns(CoarseColumnsWarning, match="column 'smoker'"):
        coarse(frame, sample_weight=np.where(frame["smoker"], 2.0, 1.0))
    coarse(frame, sample_weight=np.where(frame["smoker"], 0.0, 1.0))


def test_column_of_counts_that_are_mostly_zero_is_named() -> None:
    rng = np.random.default_rng(1)
    counts = rng.poisson(0.1, size=500)
    assert counts.max() > 1
    X = np.column_stack([rng.normal(size=500), counts])
    with pytest.warns(CoarseColumnsWarning, match="column 1 has so few values"):
        coarse(X)


def test_selection_and_bootstrap_among_dummies_warn_once() -> None:
    frame = people()[["income", "smoker"]]
    with pytest.warns(CoarseColumnsWarning, match="column 'smoker'") as caught:
        found = select_gmm(frame, [1, 3, 4], ["VVI", "VVV"], n_init=2, tol=1e-4, rng=0)
    smoothed = [k for (k, _), fit in found.fits.items() if "smoothed" in str(fit.events)]
    assert smoothed == [3, 3, 4, 4]
    assert "a cell between two of them in 4 of 6 models: that" in message(caught)
    with pytest.warns(CoarseColumnsWarning, match="column 'smoker'") as caught:
        bootstrap_lrt(frame, 3, n_bootstrap=2, n_init=2, tol=1e-3, rng=0)
    message(caught)


@pytest.mark.parametrize("options", [{"avoid_spurious": False}, {"reg_covar": 0, "k": 1}, {"k": 1}])
def test_fit_that_spreads_nothing_does_not_warn(options: dict[str, object]) -> None:
    fit = coarse(people(), **options)
    assert "smoothed" not in {event.action for event in fit.events}


def test_ridge_that_is_larger_than_the_cell_is_the_users_own() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        coarse(people(), reg_covar=[1e-3, 1.0, 1.0])
    assert caught == []


def test_few_rows_of_different_values_are_not_taken_for_a_column_of_few() -> None:
    X = np.random.default_rng(0).normal(size=(2, 3))
    fit = fit_gmm(X, 2, reg_covar=1e-3, rng=0, max_iter=2, tol=0)
    assert "smoothed" in {event.action for event in fit.events}


def test_fit_of_ordinary_rounded_numbers_is_spread_without_a_warning() -> None:
    X: Floats = np.round(datasets.load_banknote().data[:, 3:5], 0)
    fit = fit_gmm(X, 6, covariance_type="diag", rng=0)
    assert "smoothed" in {event.action for event in fit.events}
