"""mixtura.sklearn.MixtureImputer: scikit-learn's contract, and conditional expectations."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from helpers import unchanged
from scipy import stats
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import mixtura
from mixtura import EmptyFeatureWarning, datasets
from mixtura.shapes import Floats
from mixtura.sklearn import GaussianMixture, MixtureImputer

IRIS = datasets.load_iris().data
NAMES = ["a", "b", "c", "d"]


def holed(share: float = 0.2, seed: int = 0, rows: Floats = IRIS) -> Floats:
    X = rows.copy()
    X[np.random.default_rng(seed).random(X.shape) < share] = np.nan
    return X


X = holed()


@pytest.mark.filterwarnings("ignore:column 1 has so few values")  # in the rows of two checks
@parametrize_with_checks(
    [
        MixtureImputer(random_state=0),
        MixtureImputer(2, covariance_type="diag", add_indicator=True, random_state=0),
        MixtureImputer(missing_values=-1, sample_posterior=True, random_state=0),
        MixtureImputer(keep_empty_features=True, random_state=0),
    ]
)
def test_imputer_under_a_check_of_scikit_learn_passes(
    estimator: MixtureImputer, check: Callable[[MixtureImputer], None]
) -> None:
    check(estimator)


OBJECTS: dict[str, Callable[[], Any]] = {
    "array": lambda: X.astype(object),
    "array with None": lambda: np.where(np.isnan(X), None, X.astype(object)),
    "array with NA": lambda: pd.DataFrame(X).convert_dtypes().astype(object).to_numpy(),
    "frame": lambda: pd.DataFrame(X, columns=NAMES).astype(object),
    "frame with NA": lambda: pd.DataFrame(X, columns=NAMES).convert_dtypes().astype(object),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_missing_values_among_objects_are_missing(name: str) -> None:
    rows = OBJECTS[name]()
    with unchanged(rows):
        found = MixtureImputer(2, random_state=0).fit_transform(rows)
    np.testing.assert_array_equal(found, MixtureImputer(2, random_state=0).fit_transform(X))
    mixture = GaussianMixture(2, missing="em", random_state=0).fit(rows)
    same = GaussianMixture(2, missing="em", random_state=0).fit(X)
    np.testing.assert_array_equal(mixture.predict(rows), same.predict(X))
    assert np.asarray(rows).dtype == object  # still
    with pytest.raises(ValueError, match="contains NaN"):
        GaussianMixture(2).fit(rows)


# What is filled in


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEI", "EVE"])
def test_missing_values_become_their_expectation(covariance_type: str) -> None:
    """By the formulas of the book, for each row, from the parameters of the fit."""
    imputer = MixtureImputer(2, covariance_type=covariance_type, random_state=0).fit(X)
    found, model = imputer.transform(X), imputer.model_
    matrices = model.covariance_matrices()
    for row, filled in zip(X, found, strict=True):
        o, m = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
        shares, expected = np.empty(2), np.empty((2, len(m)))
        for j, (weight, mean, C) in enumerate(
            zip(model.weights, model.means, matrices, strict=True)
        ):
            inverse = np.linalg.inv(C[np.ix_(o, o)])
            expected[j] = mean[m] + C[np.ix_(m, o)] @ inverse @ (row[o] - mean[o])
            shares[j] = weight
            if len(o):
                shares[j] *= stats.multivariate_normal(mean[o], C[np.ix_(o, o)]).pdf(row[o])
        np.testing.assert_allclose(filled[m], shares @ expected / shares.sum(), rtol=1e-7)
        np.testing.assert_array_equal(filled[o], row[o])


def test_fit_is_that_of_fit_gmm() -> None:
    imputer = MixtureImputer(3, random_state=np.random.RandomState(4), reg_covar=1e-3).fit(X)
    seed = np.random.RandomState(4).randint(2**31 - 1)
    fit = mixtura.fit_gmm(X, 3, missing="em", reg_covar=1e-3, rng=np.random.default_rng(seed))
    assert imputer.model_ == imputer.fit_.model == fit.model
    assert imputer.n_iter_ == fit.n_iter
    assert imputer.model_.missing == "em"
    np.testing.assert_array_equal(imputer.transform(X), fit.impute(X))


def test_one_component_is_regression_on_what_is_observed() -> None:
    rows = IRIS.copy()
    rows[100:, 3] = np.nan
    imputer = MixtureImputer(reg_covar=0.0, tol=1e-12, random_state=0).fit(rows)
    line = LinearRegression().fit(rows[:100, :3], rows[:100, 3])
    np.testing.assert_allclose(
        imputer.transform(rows)[100:, 3], line.predict(rows[100:, :3]), rtol=1e-4
    )


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_error_on_normal_data_is_not_above_that_of_iterative_imputer(share: float) -> None:
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(5, 5))
    rows = rng.multivariate_normal(rng.normal(size=5), roots @ roots.T, 600)
    missing = holed(share, 2, rows)
    ours, theirs, means = (
        np.sqrt(np.square(imputer.fit_transform(missing) - rows).mean())
        for imputer in (
            MixtureImputer(random_state=0),
            IterativeImputer(max_iter=50, tol=1e-3, random_state=0),
            SimpleImputer(),
        )
    )
    assert ours < 1.01 * theirs
    assert ours < 0.8 * means


def test_components_do_better_where_rows_come_in_clusters() -> None:
    rows = datasets.load_faithful().data
    missing = holed(0.3, 3, rows)
    errors = [
        np.square((MixtureImputer(k, random_state=0).fit_transform(missing) - rows)[:, 1]).mean()
        for k in (1, 2)
    ]
    assert errors[1] < errors[0]


def test_draws_vary_as_the_values_do_and_means_less() -> None:
    rng = np.random.default_rng(0)
    rows = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.6], [0.6, 1.0]], 4000)
    rows[::2, 1] = np.nan
    drawn = MixtureImputer(sample_posterior=True, random_state=0).fit_transform(rows)
    expected = MixtureImputer(random_state=0).fit_transform(rows)
    assert np.var(drawn[::2, 1]) == pytest.approx(1.0, abs=0.1)
    assert np.var(expected[::2, 1]) == pytest.approx(0.36, abs=0.06)


def test_random_state_decides_starts_and_draws() -> None:
    imputer = MixtureImputer(2, sample_posterior=True, random_state=3)
    one, other = clone(imputer).fit_transform(X), clone(imputer).fit(X).transform(X)
    np.testing.assert_array_equal(one, other)
    imputer.fit(X)
    model = imputer.model_
    several = [imputer.set_params(random_state=m).transform(X) for m in range(3)]
    assert imputer.model_ is model
    assert (several[0] != several[1])[np.isnan(X)].all()
    fresh = MixtureImputer(sample_posterior=True).fit(X)
    assert (fresh.transform(X) != fresh.transform(X))[np.isnan(X)].all()


def test_rows_of_float32_stay_so_and_none_is_modified() -> None:
    single = X.astype(np.float32)
    with unchanged(X, single):
        found = MixtureImputer(random_state=0, add_indicator=True).fit_transform(single)
        assert found.dtype == np.float32
        there = ~np.isnan(single)
        assert found[:, :4][there].tobytes() == single[there].tobytes()
        assert MixtureImputer(random_state=0).fit_transform(X).dtype == np.float64


def test_any_number_of_threads_gives_the_same_bits() -> None:
    one, three = (MixtureImputer(2, random_state=0, n_threads=n).fit_transform(X) for n in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_rows_of_weight_zero_take_no_part_and_counts_repeat_rows() -> None:
    times = np.random.default_rng(0).integers(0, 3, size=len(X)).astype(float)
    rows = X.copy()
    rows[np.flatnonzero(times == 0.0)[0]] = np.inf
    weighted = MixtureImputer(random_state=0, tol=1e-12).fit(rows, sample_weight=times)
    repeated = MixtureImputer(random_state=0, tol=1e-12).fit(X.repeat(times.astype(int), axis=0))
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), rtol=1e-6)


# What is missing


@pytest.mark.parametrize("marker", [-999, -999.0, np.float64(-999.0), np.int8(-99)])
def test_number_may_stand_for_missing_values(marker: float) -> None:
    marked = np.where(np.isnan(X), marker, X)
    imputer = MixtureImputer(missing_values=marker, random_state=0)
    np.testing.assert_array_equal(
        imputer.fit_transform(marked), MixtureImputer(random_state=0).fit_transform(X)
    )
    assert not imputer.__sklearn_tags__().input_tags.allow_nan
    assert MixtureImputer().__sklearn_tags__().input_tags.allow_nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        imputer.fit(X)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        imputer.transform(X)
    with pytest.raises(ValueError, match=r"Drop their rows or fill in the values\.$"):
        imputer.fit(X, sample_weight=np.ones(len(X)))


@pytest.mark.parametrize("value", [None, "nan", pd.NA, True])
def test_other_markers_are_refused(value: object) -> None:
    message = re.escape(f"missing_values must be NaN or a number; got {value!r} (")
    with pytest.raises(TypeError, match=message):
        MixtureImputer(missing_values=value).fit(X)


def test_infinite_values_are_refused() -> None:
    rows = X.copy()
    rows[3, 1] = np.inf
    imputer = MixtureImputer(random_state=0).fit(X)
    for method in (imputer.fit, imputer.transform):
        with pytest.raises(ValueError, match="infinity"):
            method(rows)
    with pytest.raises(ValueError, match="row 3, column 1 is inf"):
        imputer.fit(rows, sample_weight=np.ones(len(rows)))


def test_rows_in_transform_may_lack_what_rows_in_fit_had() -> None:
    imputer = MixtureImputer(random_state=0).fit(IRIS)
    found = imputer.transform([[np.nan, 3.0, np.nan, np.nan], [np.nan] * 4])
    np.testing.assert_allclose(found[1], IRIS.mean(axis=0), rtol=1e-9)
    assert found[0, 1] == 3.0
    np.testing.assert_array_equal(imputer.transform(IRIS), IRIS)


def test_features_without_values_are_left_out_with_a_warning() -> None:
    rows = pd.DataFrame(X, columns=NAMES)
    rows["b"] = np.nan
    imputer = MixtureImputer(random_state=0, reg_covar=[1e-3, 0.0, 1e-3, 1e-3]).fit(rows)
    message = (
        "features ['b'] had no value in fit, and are left out. Drop them, or use "
        "keep_empty_features=True."
    )
    with pytest.warns(EmptyFeatureWarning, match=re.escape(message)) as caught:
        found = imputer.transform(rows)
    assert caught[0].filename.endswith(("_set_output.py", "test_imputer.py"))
    assert found.shape == (150, 3)
    assert imputer.get_feature_names_out().tolist() == ["a", "c", "d"]
    assert imputer.model_.feature_names == ("a", "c", "d")
    other = MixtureImputer(random_state=0, reg_covar=[1e-3] * 3).fit(rows[["a", "c", "d"]])
    np.testing.assert_array_equal(found, other.transform(rows[["a", "c", "d"]]))


def test_features_without_values_stay_as_zeros_where_they_are_asked_for() -> None:
    rows = X.copy()
    rows[:, 1] = np.nan
    imputer = MixtureImputer(keep_empty_features=True, random_state=0).fit(rows)
    later = X[:5].copy()
    later[:, 1] = [np.nan, 1.0, np.nan, 2.0, 3.0]
    assert imputer.transform(later)[:, 1].tolist() == [0.0, 1.0, 0.0, 2.0, 3.0]
    assert imputer.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3"]
    np.testing.assert_array_equal(
        imputer.transform(rows)[:, [0, 2, 3]],
        MixtureImputer(random_state=0).fit(rows[:, [0, 2, 3]]).transform(rows[:, [0, 2, 3]]),
    )


def test_rows_without_any_value_are_refused() -> None:
    message = (
        "X must have an observed value in some column; got none in 4 rows. Pass rows with values."
    )
    with pytest.raises(ValueError, match=message):
        MixtureImputer().fit(np.full((4, 2), np.nan))


def test_indicator_columns_are_those_of_missing_indicator() -> None:
    rows = X.copy()
    rows[:, 2] = IRIS[:, 2]
    imputer = MixtureImputer(add_indicator=True, random_state=0).fit(rows)
    found = imputer.transform(rows)
    theirs = MissingIndicator().fit(rows)
    np.testing.assert_array_equal(found[:, 4:], theirs.transform(rows))
    np.testing.assert_array_equal(found[:, :4], MixtureImputer(random_state=0).fit_transform(rows))
    assert imputer.get_feature_names_out(NAMES).tolist() == [
        *NAMES, "missingindicator_a", "missingindicator_b", "missingindicator_d",
    ]  # fmt: skip
    assert imputer.transform(X).shape == (150, 7)  # holes in a feature that had none in fit


# Frames, pipelines and searches


def test_frame_becomes_a_frame_where_it_is_asked_for() -> None:
    frame = pd.DataFrame(X, columns=NAMES, index=np.arange(150) + 7).convert_dtypes()
    assert frame["a"].isna().any()
    imputer = MixtureImputer(random_state=0, add_indicator=True).set_output(transform="pandas")
    found = imputer.fit_transform(frame)
    assert found.columns.tolist() == imputer.get_feature_names_out().tolist()
    assert found.index.tolist() == frame.index.tolist()
    assert imputer.feature_names_in_.tolist() == NAMES
    assert imputer.model_.feature_names == tuple(NAMES)
    np.testing.assert_array_equal(
        found.to_numpy()[:, :4], MixtureImputer(random_state=0).fit_transform(X)
    )
    with pytest.raises(ValueError, match="feature names should match"):
        imputer.transform(frame[["b", "a", "c", "d"]])


def test_imputer_works_in_pipelines_column_transformers_and_searches() -> None:
    y = IRIS[:, 3]
    pipeline = make_pipeline(StandardScaler(), MixtureImputer(random_state=0), LinearRegression())
    search = GridSearchCV(
        pipeline,
        {
            "mixtureimputer__n_components": [1, 2],
            "mixtureimputer__covariance_type": ["full", "diag"],
        },
    ).fit(X[:, :3], y)
    assert search.best_params_["mixtureimputer__covariance_type"] == "full"
    means = make_pipeline(StandardScaler(), SimpleImputer(), LinearRegression())
    assert search.score(X[:, :3], y) > means.fit(X[:, :3], y).score(X[:, :3], y)
    frame = pd.DataFrame(X, columns=NAMES)
    columns = make_column_transformer(
        (MixtureImputer(random_state=0), ["c", "d"]), remainder="passthrough"
    ).set_output(transform="pandas")
    found = columns.fit_transform(frame)
    np.testing.assert_array_equal(
        found.to_numpy()[:, :2], MixtureImputer(random_state=0).fit_transform(frame[["c", "d"]])
    )


def test_sample_weight_is_routed_where_it_is_asked_for() -> None:
    weight = np.random.default_rng(0).exponential(size=150)
    with sklearn.config_context(enable_metadata_routing=True):
        imputer = MixtureImputer(random_state=0).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(imputer).fit(X, sample_weight=weight)
    alone = MixtureImputer(random_state=0).fit(X, sample_weight=weight)
    np.testing.assert_array_equal(pipeline.transform(X), alone.transform(X))


def test_pickled_and_cloned_imputers_answer_as_before() -> None:
    imputer = MixtureImputer(2, random_state=0, add_indicator=True).fit(X)
    again = pickle.loads(pickle.dumps(imputer))
    np.testing.assert_array_equal(again.transform(X), imputer.transform(X))
    assert clone(imputer).get_params() == imputer.get_params()
    with pytest.raises(NotFittedError):
        clone(imputer).transform(X)
    with pytest.raises(NotFittedError):
        clone(imputer).get_feature_names_out()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_components": 0}, ValueError, "n_components must be an integer, 1 or more; got 0"),
        ({"covariance_type": "ful"}, ValueError, "Did you mean 'full'?"),
        ({"avoid_spurious": 1}, TypeError, "avoid_spurious must be True or False; got 1"),
        ({"sample_posterior": 1}, TypeError, "sample_posterior must be True or False; got 1"),
        ({"add_indicator": "no"}, TypeError, "add_indicator must be True or False; got 'no'"),
        ({"keep_empty_features": None}, TypeError, "keep_empty_features must be True or False"),
        ({"reg_covar": -1.0}, ValueError, "reg_covar"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        MixtureImputer(**options).fit(X)
