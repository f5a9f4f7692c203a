"""Weights in scikit-learn's estimators: absent rows may hold anything."""

import numpy as np
import pytest
from clusters import clustered
from tables import pandas

pytest.importorskip("sklearn")
from mixtura.sklearn import BayesianGaussianMixture, GaussianMixture, KMeans

X = clustered(60, 2, 2, seed=4)[0]
WEIGHT = np.where(np.arange(60) % 20 == 7, 0.0, 1.0)
PRESENT = WEIGHT > 0.0
HOLES = np.where(PRESENT[:, None], X, np.nan)
MODELS = [GaussianMixture(2), BayesianGaussianMixture(n_components=2), KMeans(2)]


def test_mixture_with_absent_rows_that_are_not_finite_is_that_without_them() -> None:
    labels = (X[:, 0] > np.median(X[:, 0])).astype(int)
    start = {"means_init": [X[labels == j].mean(axis=0) for j in range(2)], "random_state": 0}
    one = GaussianMixture(2, **start).fit(HOLES, sample_weight=WEIGHT)
    other = GaussianMixture(2, **start).fit(X, sample_weight=WEIGHT)
    np.testing.assert_allclose(one.means_, other.means_, rtol=1e-9)
    for question in ("score", "aic", "bic"):
        answer = getattr(one, question)(HOLES, sample_weight=WEIGHT)
        assert answer == pytest.approx(getattr(one, question)(X[PRESENT]))
    labels = GaussianMixture(2, **start).fit_predict(HOLES, sample_weight=WEIGHT)
    assert (labels[~PRESENT] == -1).all()
    np.testing.assert_array_equal(labels[PRESENT], one.predict(X[PRESENT]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kmeans_with_absent_rows_that_are_not_finite_is_that_without_them(dtype: type) -> None:
    start = X[PRESENT][[0, 1]]
    one = KMeans(2, init=start).fit(HOLES.astype(dtype), sample_weight=WEIGHT)
    other = KMeans(2, init=start).fit(X.astype(dtype), sample_weight=WEIGHT)
    np.testing.assert_allclose(one.cluster_centers_, other.cluster_centers_, rtol=1e-6)
    assert (one.labels_[~PRESENT] == -1).all()
    np.testing.assert_array_equal(one.labels_[PRESENT], other.labels_[PRESENT])
    score = one.score(HOLES.astype(dtype), sample_weight=WEIGHT)
    assert score == pytest.approx(other.score(X.astype(dtype), sample_weight=WEIGHT), rel=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=["mixture", "bayesian", "kmeans"])
def test_rows_that_count_and_are_not_finite_are_refused(model: object) -> None:
    with pytest.raises(ValueError, match=r"X must be finite; row 7, column 0 is nan"):
        model.fit(HOLES, sample_weight=np.ones(60))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(HOLES)


@pytest.mark.parametrize("model", MODELS, ids=["mixture", "bayesian", "kmeans"])
def test_columns_of_one_name_are_refused(model: object) -> None:
    frame = pandas("DataFrame", X[:, [0, 0, 1, 1]], columns=list("abba"))
    with pytest.raises(ValueError, match=r"X must have a name of its own .*; got 'a' twice, 'b' t"):
        model.fit(frame)


@pytest.mark.parametrize("model", MODELS, ids=["mixture", "bayesian", "kmeans"])
def test_weights_with_the_index_of_other_rows_are_refused(model: object) -> None:
    frame, weights = pandas("DataFrame", X), pandas("Series", WEIGHT)
    fitted = model.fit(frame, sample_weight=weights)
    for method in ("fit", "fit_predict", "score", "aic", "bic"):
        if hasattr(fitted, method):
            with pytest.raises(ValueError, match=r"must have the index of X; .*\.loc\[X\.index\]"):
                getattr(fitted, method)(frame, sample_weight=weights[::-1])
