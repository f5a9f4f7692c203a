"""Fits of frames, tensors and arrays of every kind, and the names of their columns."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from clusters import clustered
from tables import FRAMES, NAMES, A, pandas, polars

from mixtura import GaussianMixture, bootstrap_lrt, datasets, fit_gmm, fit_kmeans, select_gmm


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_fit_of_a_frame_is_the_fit_of_its_array_with_names(make: Callable[[], object]) -> None:
    frame = make()
    fit = fit_gmm(frame, 2, covariance_type="diag", init=[0, 0, 1, 1])
    assert fit.model.feature_names == NAMES
    assert fit.model == fit_gmm(A, 2, covariance_type="diag", init=[0, 0, 1, 1]).model
    assert all(f"\n  {name} " in fit.summary() for name in NAMES)
    np.testing.assert_array_equal(fit.model.predict(make()), [0, 0, 1, 1])
    clusters = fit_kmeans(make(), 2, rng=0)
    assert clusters.feature_names == NAMES
    np.testing.assert_array_equal(clusters.predict(make()), clusters.labels)


def test_memory_map_is_fitted_where_it_is(tmp_path: Path) -> None:
    X = clustered()[0]
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert fit_gmm(mapped, 3, rng=0).model == fit_gmm(X, 3, rng=0).model


def test_names_stay_with_the_models_of_a_selection_and_of_a_test() -> None:
    X = clustered(40, 3, 2, seed=0)[0]
    frame = pandas("DataFrame", X, columns=NAMES)
    selection = select_gmm(frame, [1, 2], ["EII", "VVI"], n_init=1, rng=0)
    assert {fit.model.feature_names for fit in selection.fits.values()} == {NAMES}
    plain = select_gmm(X, [1, 2], ["EII", "VVI"], n_init=1, rng=0)
    assert all(plain.fits[which].model == fit.model for which, fit in selection.fits.items())
    test = bootstrap_lrt(frame, 1, n_bootstrap=1, n_init=1, rng=0)
    assert test.null.model.feature_names == test.alternative.model.feature_names == NAMES


MODEL = GaussianMixture([1.0], [[0.0, 0.0, 0.0]], np.eye(3), "tied", feature_names=NAMES)


@pytest.mark.parametrize(
    ("columns", "difference"),
    [
        (["a", "b", "z"], "it lacks 'c' and it has 'z' besides"),
        (["a", "b"], "it lacks 'c'"),
        (["a", "b", "c", "z"], "it has 'z' besides"),
        (["b", "a", "c"], "it has them in another order, 'b', 'a', 'c'"),
    ],
)
def test_later_frame_with_other_columns_is_refused_with_the_difference(
    columns: list[str], difference: str
) -> None:
    frame = pandas("DataFrame", np.zeros((5, len(columns))), columns=columns)
    message = (
        f"X must have the columns 'a', 'b', 'c'; {difference}. Select these columns, in this order."
    )
    for method in (MODEL.log_prob, MODEL.component_log_prob, MODEL.predict, MODEL.responsibilities,
                   MODEL.log_likelihood, MODEL.bic):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            method(frame)
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_gmm(frame, 1, covariance_type="tied", init=MODEL)
    clusters = fit_kmeans(FRAMES["pandas of columns"](), 2, rng=0)
    with pytest.raises(ValueError, match=re.escape(message)):
        clusters.predict(frame)


def test_array_or_frame_without_names_is_taken_by_a_model_with_names() -> None:
    expected = MODEL.log_prob(A)
    np.testing.assert_array_equal(MODEL.log_prob(pandas("DataFrame", A)), expected)


def test_frames_are_taken_as_weights_and_labels() -> None:
    fit = fit_gmm(
        A, 2, covariance_type="diag", init=pandas("Series", [0, 0, 1, 1]),
        sample_weight=polars("Series", [1, 2, 1, 2]),
    )  # fmt: skip
    same = fit_gmm(
        A, 2, covariance_type="diag", init=[0, 0, 1, 1], sample_weight=[1.0, 2.0, 1.0, 2.0]
    )
    assert fit.model == same.model


def test_import_and_fit_of_arrays_import_nothing_else() -> None:
    code = (
        "import sys, numpy, mixtura; mixtura.fit_gmm(numpy.ones((3, 1)).cumsum(0), 1);"
        "print([m for m in ('pandas', 'polars', 'pyarrow', 'xarray', 'torch', 'tqdm')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([2019, 2020], ("2019", "2020")),
        ([1, 0], ("1", "0")),
        (["a", None], ("a", "None")),
        ([0, 1], None),
        ([0, 0], None),
    ],
)
def test_labels_of_columns_other_than_counting_ones_become_names(
    labels: list[object], expected: tuple[str, ...] | None
) -> None:
    X = pandas("DataFrame", clustered(60, 2, 2)[0], columns=labels)
    assert fit_gmm(X, 2, rng=0).feature_names == expected
    assert fit_kmeans(X, 2, rng=0).feature_names == expected


def test_integer_labels_in_another_order_are_refused() -> None:
    X = pandas("DataFrame", clustered(60, 2, 2)[0], columns=[2019, 2020])
    message = (
        "X must have the columns '2019', '2020'; it has them in another order, '2020', '2019'. "
        "Select these columns, in this order."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_gmm(X, 2, rng=0).predict(X[[2020, 2019]])


@pytest.mark.parametrize("fit", [fit_gmm, fit_kmeans])
def test_means_of_other_columns_are_refused_as_a_start(fit: Callable[..., object]) -> None:
    X = pandas("DataFrame", clustered(60, 2, 2)[0], columns=["a", "b"])
    means = X.iloc[:2]
    fit(X, 2, init=means)
    fit(X.to_numpy(), 2, init=means[["b", "a"]])
    message = (
        "must have the columns 'a', 'b'; it has them in another order, 'b', 'a'. "
        "Select these columns, in this order."
    )
    with pytest.raises(ValueError, match=f"init {re.escape(message)}"):
        fit(X, 2, init=means[["b", "a"]])


def test_kmeans_fit_of_other_columns_is_refused_as_a_start() -> None:
    X = pandas("DataFrame", clustered(60, 2, 2)[0], columns=["a", "b"])
    earlier = fit_kmeans(X, 2, rng=0)
    with pytest.raises(ValueError, match=r"init must have the columns 'c', 'd'; it lacks 'c', 'd'"):
        fit_kmeans(X.set_axis(["c", "d"], axis=1), 2, init=earlier)


def test_model_of_one_column_says_so_in_the_singular() -> None:
    message = r"^X must have 1 column; got shape \(60, 2\)\."
    with pytest.raises(ValueError, match=message):
        fit_gmm(np.arange(60.0)[:, None], 1).predict(clustered(60, 2, 2)[0])


@pytest.mark.parametrize("columns", [["waiting", "eruptions"], [1, 0], [1]])
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pd.DataFrame.to_numpy, list])
def test_columns_of_any_table_are_those_that_are_chosen(columns: list[Any], make: Any) -> None:
    X = datasets.load_faithful().data
    frame = pd.DataFrame({"eruptions": X[:, 0], "waiting": X[:, 1]})
    table = X.tolist() if make is list else make(frame)
    if not hasattr(table, "columns"):
        columns = [{"eruptions": 0, "waiting": 1}.get(column, column) for column in columns]
    expected = X[:, [{"eruptions": 0, "waiting": 1}.get(column, column) for column in columns]]
    for fit in (fit_gmm, fit_kmeans):
        found, same = fit(table, 2, columns=columns, rng=0), fit(expected, 2, rng=0)
        np.testing.assert_array_equal(
            getattr(found, "means", getattr(found, "centers", None)),
            getattr(same, "means", getattr(same, "centers", None)),
        )
    best = select_gmm(table, [1, 2], ["full"], columns=columns, rng=0)
    assert best.best.n_features == len(columns)


def test_columns_that_are_not_there_are_refused_by_name() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    with pytest.raises(ValueError, match=r"^X must have the column 'c'; it has 'a', 'b'\. Choose"):
        fit_gmm(frame, 1, columns=["c"])
    with pytest.raises(TypeError, match=r"^columns must be a list of names or positions; got 'a'"):
        fit_gmm(frame, 1, columns="a")
