"""mixtura.sklearn.GaussianMixture with classes in y: which y is used, and what is predicted."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from clusters import clustered
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mixtura import IgnoredClassesWarning, datasets, fit_gmm
from mixtura.sklearn import GaussianMixture

DATA = Path(__file__).parents[1] / "data"
X, TRUTH = clustered(200, 2, 3, spread=20.0)
SOME = np.where(np.arange(200) % 6 == 0, TRUTH, -1)
NAMES = np.array(["ash", "birch", "cedar"])
IRIS = datasets.load_iris().data


def mixture(k: int = 3, **options: Any) -> GaussianMixture:
    return GaussianMixture(k, random_state=0, **options)


def named(labels: NDArray[np.int64]) -> NDArray[Any]:
    """Names in place of numbers, and -1, as scikit-learn has partial labels of strings."""
    objects = NAMES.astype(object)[labels]
    objects[labels < 0] = -1
    return objects


@pytest.mark.parametrize("name", ["every10th", "one_wrong", "two_classes_named"])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_fit_with_y_ends_where_fit_gmm_does(name: str, covariance_type: str) -> None:
    """That is at the published figures."""
    lines = (DATA / "iris_partial_labels.csv").read_text().splitlines()
    y = np.array([int(row[name]) for row in csv.DictReader(lines)])
    cases = json.loads((DATA / "partial_labels.json").read_text())
    (case,) = (c for c in cases if (c["labels"], c["covariance_type"]) == (name, covariance_type))
    found = mixture(covariance_type=covariance_type, reg_covar=0.0, tol=1e-12, max_iter=3000)
    found.fit(IRIS, y)
    assert found.converged_
    assert found.lower_bound_ * len(IRIS) == pytest.approx(case["loglik"], rel=1e-7)
    np.testing.assert_allclose(found.means_, case["means"], rtol=1e-4)
    np.testing.assert_array_equal(found.classes_, np.unique(y[y >= 0]))
    missing = [-1] * (3 - len(found.classes_))
    np.testing.assert_array_equal(found.component_classes_, [*found.classes_, *missing])


@pytest.mark.parametrize(
    ("numbers", "kind"), [([0, 1, 2], np.int64), ([7, 20, 300], np.int16), (NAMES, object)]
)
def test_classes_keep_their_names(numbers: Any, kind: type) -> None:
    y = named(SOME) if kind is object else np.append(numbers, -1)[SOME].astype(kind)
    estimator = mixture()
    found = estimator.fit_predict(X, y)
    np.testing.assert_array_equal(estimator.classes_, numbers)
    np.testing.assert_array_equal(found, np.asarray(numbers)[TRUTH])
    np.testing.assert_array_equal(estimator.predict(X), found)
    resp = estimator.predict_proba(X)
    np.testing.assert_array_equal(estimator.classes_[resp.argmax(axis=1)], found)
    np.testing.assert_allclose(resp.sum(axis=1), 1.0)


def test_classes_may_have_several_components() -> None:
    y = np.where(SOME == 2, 1, SOME)
    estimator = mixture(component_classes=[0, 1, 1]).fit(X, y)
    np.testing.assert_array_equal(estimator.predict(X), np.where(TRUTH == 2, 1, TRUTH))
    resp = estimator.model_.responsibilities(X)
    expected = np.column_stack([resp[:, 0], resp[:, 1] + resp[:, 2]])
    np.testing.assert_allclose(estimator.predict_proba(X), expected)
    assert len(np.unique(estimator.model_.predict(X))) == 3


def test_class_is_predicted_by_the_sum_of_its_components() -> None:
    estimator = mixture(component_classes=["a", "b", "b"])
    rows = np.zeros((1, 1))
    estimator.weights_ = np.array([0.4, 0.3, 0.3])
    estimator.means_ = np.zeros((3, 1))
    estimator.covariances_ = estimator.precisions_cholesky_ = np.ones((3, 1, 1))
    estimator.n_features_in_ = 1
    estimator.classes_ = np.array(["a", "b"], dtype=object)
    estimator.component_classes_ = np.array(["a", "b", "b"], dtype=object)
    assert estimator.predict(rows) == ["b"]
    estimator.component_classes_ = np.array([-1, "b", -1], dtype=object)
    estimator.classes_ = np.array(["b"], dtype=object)
    assert estimator.predict(rows).tolist() == [-1]
    np.testing.assert_allclose(estimator.predict_proba(rows), [[0.3]])


def test_components_of_no_class_are_predicted_as_unknown() -> None:
    y = np.where(SOME == 2, -1, SOME)
    estimator = mixture(n_init=2).fit(X, y)
    np.testing.assert_array_equal(estimator.component_classes_, [0, 1, -1])
    np.testing.assert_array_equal(estimator.predict(X), np.where(TRUTH == 2, -1, TRUTH))
    proba = estimator.predict_proba(X)
    assert proba.shape == (200, 2)
    np.testing.assert_allclose(proba[TRUTH == 2].sum(axis=1), 0.0, atol=1e-6)


@pytest.mark.parametrize(
    "y",
    [
        TRUTH,
        TRUTH.astype(float),
        np.where(SOME < 0, -1.0, SOME),
        NAMES[TRUTH],
        np.column_stack([TRUTH, TRUTH]),
        np.full(200, -1),
        np.full(200, np.nan),
    ],
    ids=["classes", "floats", "floats with -1", "names", "two columns", "all unknown", "all nan"],
)
def test_other_y_is_ignored(y: Any) -> None:
    estimator, plain = mixture().fit(X, y), mixture().fit(X)
    np.testing.assert_array_equal(estimator.means_, plain.means_)
    assert not hasattr(estimator, "classes_")
    np.testing.assert_array_equal(estimator.predict(X), plain.predict(X))


MARKED: dict[str, tuple[Any, str]] = {
    "nan": (np.where(SOME < 0, np.nan, SOME), "nan (float)"),
    "none": (np.where(SOME < 0, None, named(SOME)), "None (NoneType)"),
    "text nan": (np.where(SOME < 0, np.nan, named(SOME)), "nan (float)"),
    "empty": (np.where(SOME < 0, "", NAMES[SOME]), "'' (str)"),
    "text -1": (np.where(SOME < 0, "-1", NAMES[SOME]), "'-1' (str)"),
    "objects": (np.where(SOME < 0, "-1", named(SOME)), "'-1' (str)"),
    "NA": (pd.Series(SOME, dtype="Int64").where(SOME >= 0), "nan (float)"),
    "text NA": (pd.Series(named(SOME)).where(SOME >= 0).astype("string"), "<NA> (NAType)"),
    "category": (pd.Series(named(SOME)).where(SOME >= 0).astype("category"), "nan (float)"),
}


@pytest.mark.parametrize("name", MARKED)
def test_ignored_y_with_other_marks_of_unknown_classes_is_warned_of(name: str) -> None:
    y, shown = MARKED[name]
    message = (
        f"y must be -1 where the class of a row is not known; it is ignored, as row 1 is {shown}. "
        "Set unknown classes to the number -1, in an array of integers or of dtype object, or pass "
        "use_y=False."
    )
    for fit in (GaussianMixture.fit, GaussianMixture.fit_predict):
        with pytest.warns(IgnoredClassesWarning, match=f"^{re.escape(message)}$") as caught:
            fit(mixture(), X, y)
        assert caught[0].filename == __file__
    np.testing.assert_array_equal(mixture(use_y=False).fit(X, y).means_, mixture().fit(X).means_)
    with pytest.warns(IgnoredClassesWarning):
        estimator = mixture().fit(X, y)
    assert not hasattr(estimator, "classes_")
    weight = np.where(SOME < 0, 0.0, 1.0)
    mixture().fit(X, y, sample_weight=weight)  # absent rows are not looked at
    marked = np.where(SOME < 0, -1, np.asarray(y, dtype=object))
    assert len(mixture().fit(X, marked).classes_) == 3


def test_missing_class_beside_marks_is_an_error() -> None:
    y = SOME.astype(object)
    y[1] = pd.NA
    with pytest.raises(ValueError, match=r"row 1 is <NA>\. Replace missing values by -1"):
        mixture().fit(X, y)


def test_further_runs_begin_elsewhere() -> None:
    """From the classes alone, this fit of iris ends at a lower maximum."""
    lines = (DATA / "iris_partial_labels.csv").read_text().splitlines()
    y = np.array([int(row["every10th"]) for row in csv.DictReader(lines)])
    options: dict[str, Any] = {"reg_covar": 0.0, "tol": 1e-9, "max_iter": 1000}
    one, two = (mixture(n_init=n, **options).fit(IRIS, y) for n in (1, 2))
    assert (two.lower_bound_ - one.lower_bound_) * 150 > 5.0
    assert (two.predict(IRIS)[y >= 0] == y[y >= 0]).mean() > 0.9


def test_use_y_decides() -> None:
    known = mixture(use_y=True).fit(X, NAMES[TRUTH])
    np.testing.assert_array_equal(known.predict(X), NAMES[TRUTH])
    for j in range(3):
        np.testing.assert_allclose(known.means_[j], X[j == TRUTH].mean(axis=0))
    ignored = mixture(use_y=False).fit(X, SOME)
    np.testing.assert_array_equal(ignored.means_, mixture().fit(X).means_)
    with pytest.raises(ValueError, match="y must be given with use_y=True"):
        mixture(use_y=True).fit(X)
    for use_y in ("yes", 1, None):
        with pytest.raises(ValueError, match="use_y must be 'auto', True or False; got"):
            mixture(use_y=use_y).fit(X)


def test_fit_again_without_y_forgets_the_classes() -> None:
    estimator = mixture().fit(X, SOME).fit(X)
    assert not hasattr(estimator, "classes_")
    assert estimator.predict(X).dtype == np.int64


def test_weights_and_rows_of_weight_zero() -> None:
    y, weight = SOME.copy(), np.ones(200)
    weight[:5] = 0.0
    y[:5] = 77
    estimator = mixture().fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(estimator.classes_, [0, 1, 2])
    np.testing.assert_allclose(estimator.means_, mixture().fit(X[5:], SOME[5:]).means_, rtol=1e-6)
    rows = X.copy()
    rows[0] = np.nan
    found = mixture().fit_predict(rows, named(SOME), sample_weight=weight)
    assert found[0] == -1
    np.testing.assert_array_equal(found[1:], NAMES[TRUTH[1:]])


def test_lower_bound_is_of_rows_and_classes() -> None:
    options: dict[str, Any] = {"reg_covar": 0.0, "tol": 1e-10, "max_iter": 500}
    close, truth = clustered(200, 2, 3, spread=2.0)
    y = np.where(np.arange(200) % 6 == 0, truth, -1)
    estimator = mixture(**options).fit(close, y)
    fit = fit_gmm(close, 3, labels=y, reg_covar=0.0, tol=1e-12)
    assert estimator.lower_bound_ * 200 == pytest.approx(fit.log_likelihood, abs=1e-4)
    assert estimator.score(close) * 200 == pytest.approx(fit.model.log_likelihood(close), abs=1e-2)


def test_pipelines_searches_and_clones_pass_y_on() -> None:
    y = named(SOME)
    pipeline = make_pipeline(StandardScaler(), mixture()).fit(X, y)
    np.testing.assert_array_equal(pipeline.predict(X), NAMES[TRUTH])
    search = GridSearchCV(mixture(), {"covariance_type": ["full", "tied"]}, cv=3).fit(X, SOME)
    np.testing.assert_array_equal(search.predict(X), TRUTH)
    assert np.isfinite(cross_val_score(mixture(), X, SOME, cv=3)).all()
    copied = clone(mixture(component_classes=[0, 1, 1], use_y=True))
    assert (copied.component_classes, copied.use_y) == ([0, 1, 1], True)


def test_y_of_a_series_needs_the_index_of_the_rows() -> None:
    frame = pd.DataFrame(X, columns=["a", "b"])
    found = mixture().fit(frame, pd.Series(SOME)).predict(frame)
    np.testing.assert_array_equal(found, TRUTH)
    with pytest.raises(ValueError, match="y must have the index of X"):
        mixture().fit(frame, pd.Series(SOME, index=frame.index[::-1]))


BAD: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "too many classes": (
        SOME,
        {"n_components": 2},
        ValueError,
        (
            "n_components must be at least the number of classes in y; got 2 and 3 classes. "
            "Ask for "
            "more components."
        ),
    ),
    "too few component_classes": (
        SOME,
        {"component_classes": [0, 1]},
        ValueError,
        (
            "component_classes must have one class for each of the 3 components, -1 for "
            "none; got 2. "
            "Give each component one."
        ),
    ),
    "class without component": (
        SOME,
        {"component_classes": [0, 1, 1]},
        ValueError,
        "component_classes must have every class of y; 2 is not there. Give it a component.",
    ),
    "missing value": (
        np.append(named(SOME)[:-1], None),
        {},
        ValueError,
        (
            "y must be -1 where the class of a row is not known; row 199 is None. Replace missing "
            "values by -1."
        ),
    ),
    "two types": (
        np.append(named(SOME)[:-1], 5).astype(object),
        {},
        TypeError,
        "y must have classes of one type, and -1 where they are not known; got",
    ),
    "other length": (SOME[:-1], {}, ValueError, "inconsistent numbers of samples: [200, 199]"),
}


@pytest.mark.parametrize(("y", "options", "kind", "message"), BAD.values(), ids=BAD)
def test_y_that_cannot_be_used_is_an_error(
    y: Any, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        GaussianMixture(**{"n_components": 3, **options}).fit(X, y)
