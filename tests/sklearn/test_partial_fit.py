"""partial_fit: rows that come by once, in scikit-learn's words."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from streams import K, cut, shuffled

from mixtura import StepwiseGMM, fit_gmm, fit_kmeans
from mixtura.sklearn import GaussianMixture, KMeans

ESTIMATORS = [GaussianMixture(K, random_state=0), KMeans(K, random_state=0)]
PARTS = ["weights_", "means_", "covariances_", "precisions_cholesky_", "cluster_centers_"]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=["mixture", "kmeans"])


def learned(estimator: Any, X: Any, size: int = 200, epochs: int = 1) -> Any:
    for _ in range(epochs):
        for batch in cut(X, size):
            assert estimator.partial_fit(batch) is estimator
    return estimator


def parts(estimator: Any) -> dict[str, NDArray[Any]]:
    return {name: getattr(estimator, name) for name in PARTS if hasattr(estimator, name)}


def assert_same_bits(one: Any, other: Any) -> None:
    assert parts(one).keys() == parts(other).keys()
    for name, array in parts(one).items():
        np.testing.assert_array_equal(array, getattr(other, name), err_msg=name)


# ---- both ----


@every_estimator
def test_estimator_is_fitted_once_there_are_enough_rows(estimator: Any) -> None:
    X = shuffled()
    model = clone(estimator).partial_fit(X[:2])
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert model.partial_fit(X[2:4]).predict(X).shape == (len(X),)
    assert model.n_features_in_ == 2
    learned(model, X[4:400], 1)
    assert len(np.unique(model.predict(X))) == K


@every_estimator
def test_columns_are_checked_in_later_calls(estimator: Any) -> None:
    frame = pd.DataFrame(shuffled(), columns=["a", "b"])
    model = clone(estimator).partial_fit(frame[:500])
    before = parts(model)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(frame[["b", "a"]][500:])
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(frame[["a"]][500:])
    with pytest.raises(ValueError, match="X has 1 features"):
        clone(estimator).partial_fit(frame.to_numpy()).partial_fit(frame.to_numpy()[:, :1])
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(model, name), array)


@every_estimator
def test_fit_starts_anew(estimator: Any) -> None:
    X = shuffled()
    model = learned(clone(estimator), X + 100.0).fit(X)
    assert_same_bits(model, clone(estimator).fit(X))
    assert not hasattr(model, "n_steps_")
    other = learned(clone(estimator), np.repeat(X, 2, axis=1)).fit(X)  # of other columns
    assert_same_bits(model, other)
    for each in (model, other):  # continues the fit, not what was before
        each.partial_fit(X[:100])
    assert_same_bits(model, clone(estimator).fit(X).partial_fit(X[:100]))
    assert_same_bits(other, model)


@every_estimator
def test_first_call_after_fit_continues_it(estimator: Any) -> None:
    X = shuffled()
    fitted = clone(estimator).fit(X)
    before = parts(fitted)
    fitted.partial_fit(X[:50])
    for name, array in before.items():
        changed = np.abs(getattr(fitted, name) - array).max()
        assert 0.0 < changed < 0.05 * np.abs(array).max()
    learned(fitted, X, epochs=2)
    for name, array in before.items():
        np.testing.assert_allclose(getattr(fitted, name), array, atol=0.1 * np.abs(array).max())


@every_estimator
@pytest.mark.parametrize("done", [100, 250, 1000])
def test_pickled_estimator_continues_with_the_same_bits(estimator: Any, done: int) -> None:
    X = shuffled()
    model = learned(clone(estimator), X[:done], 50)
    other = pickle.loads(pickle.dumps(model))
    assert_same_bits(learned(model, X[done:], 50), learned(other, X[done:], 50))


@every_estimator
def test_row_of_weight_zero_is_absent_and_weights_count(estimator: Any) -> None:
    X = shuffled()
    weight = (np.arange(len(X)) % 3 > 0).astype(float)
    one, other = clone(estimator), clone(estimator)
    for first in range(0, 3000, 300):
        rows = slice(first, first + 300)
        holes = np.where(weight[rows, None] > 0, X[rows], np.nan)
        one.partial_fit(holes, sample_weight=weight[rows])
        other.partial_fit(X[rows][weight[rows] > 0], sample_weight=np.ones(200))
    assert_same_bits(one, other)
    one.partial_fit(X[:300] + 1.0, sample_weight=np.full(300, 5.0))
    other.partial_fit(X[:300] + 1.0)
    assert not any(np.array_equal(a, getattr(other, name)) for name, a in parts(one).items())


@every_estimator
def test_float32_rows_give_float32_attributes(estimator: Any) -> None:
    X = shuffled().astype(np.float32)
    assert {array.dtype for array in parts(learned(clone(estimator), X)).values()} == {X.dtype}


@every_estimator
def test_half_life_follows_rows_that_move_and_is_checked(estimator: Any) -> None:
    X = shuffled()
    ends = []
    for half_life in (200.0, None):
        model = learned(clone(estimator).set_params(half_life=half_life), X)
        centers = "means_" if hasattr(model, "means_") else "cluster_centers_"
        before = getattr(model, centers)
        learned(model, X[:1000] + 1.0)
        ends.append(np.abs(getattr(model, centers) - before - 1.0).mean())
    assert ends[0] < 0.75 * ends[1]
    with pytest.raises(ValueError, match="half_life must be above 0"):
        clone(estimator).set_params(half_life=0).partial_fit(X)


@every_estimator
def test_rows_that_are_not_finite_are_refused_and_nothing_changes(estimator: Any) -> None:
    X = shuffled()
    model = learned(clone(estimator), X[:1000])
    before = parts(model)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full((5, 2), np.nan))
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(model, name), array)


@every_estimator
def test_bad_parameter_is_refused(estimator: Any) -> None:
    with pytest.raises(ValueError, match="n_threads"):
        clone(estimator).set_params(n_threads=0).partial_fit(shuffled())


@every_estimator
@pytest.mark.parametrize("first", ["fit", "partial_fit"])
def test_other_parameters_need_a_new_stream(estimator: Any, first: str) -> None:
    X = shuffled()
    model = clone(estimator)
    getattr(model, first)(X[:600])
    before = parts(model)
    name = "n_clusters" if isinstance(model, KMeans) else "n_components"
    message = f"{name} must stay {K}, as what partial_fit continues has it; got 2. Set it back, or"
    with pytest.raises(ValueError, match=message):
        model.set_params(**{name: 2}).partial_fit(X[600:])
    for part, array in before.items():
        np.testing.assert_array_equal(getattr(model, part), array)
    learned(clone(model), X)  # a clone begins anew, and so does fit
    assert len(np.unique(model.fit(X).partial_fit(X).predict(X))) == 2
    model.set_params(n_threads=1, random_state=1).partial_fit(X)  # these decide nothing any more


@pytest.mark.parametrize(
    ("name", "value"), [("reg_covar", 1e-3), ("half_life", 500.0), ("on_collapse", "drop"),
                        ("missing", "em"), ("covariance_type", "tied")],
)  # fmt: skip
def test_parameters_of_a_mixture_stay_while_it_learns(name: str, value: object) -> None:
    X = shuffled()
    model = GaussianMixture(K, random_state=0).fit(X)
    if name == "covariance_type":
        with pytest.raises(ValueError, match="covariance_type must stay 'full'"):
            clone(model).fit(X).set_params(covariance_type=value).partial_fit(X)
    else:  # a stream begins with what is set after a fit
        clone(model).fit(X).set_params(**{name: value}).partial_fit(X)
    model.partial_fit(X).set_params(**{name: value})
    with pytest.raises(ValueError, match=f"{name} must stay"):
        model.partial_fit(X)


@every_estimator
def test_rows_whose_squares_overflow_do_not_wait_for_the_start(estimator: Any) -> None:
    X = shuffled()
    model = clone(estimator).partial_fit(X[:50])
    with pytest.raises(ValueError, match="numbers whose squares are below"):
        model.partial_fit([[1e300, 0.0]])
    assert_same_bits(
        model.partial_fit(X[50:]), clone(estimator).partial_fit(X[:50]).partial_fit(X[50:])
    )


# ---- mixtures ----


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_mixture_ends_near_the_fit(covariance_type: str) -> None:
    X = shuffled()
    model = GaussianMixture(K, covariance_type=covariance_type, random_state=0)
    learned(model, X, epochs=3)
    fit = fit_gmm(X, K, covariance_type=covariance_type, init=model.model_)
    assert abs(model.score(X) - fit.log_prob(X).mean()) < 0.01
    assert model.n_iter_ == 45
    assert not model.converged_
    assert model.lower_bound_ == model.lower_bounds_[-1] == pytest.approx(model.score(X), abs=0.5)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_mixture_is_that_of_the_stream() -> None:
    X = shuffled()
    model = GaussianMixture(K, random_state=0, means_init=X[:K], reg_covar=1e-3)
    stream = StepwiseGMM(K, init=X[:K], reg_covar=[1e-3, 1e-3], on_collapse="raise")
    for batch in cut(X, 200):
        model.partial_fit(batch)
        stream.update(batch)
    np.testing.assert_array_equal(model.means_, stream.means)
    np.testing.assert_array_equal(model.covariances_, stream.covariances)


def test_mixture_begins_where_parameters_are_given() -> None:
    X = shuffled()
    fitted = GaussianMixture(K, random_state=0).fit(X)
    given = {
        "weights_init": fitted.weights_,
        "means_init": fitted.means_,
        "precisions_init": fitted.precisions_,
    }
    model = learned(GaussianMixture(K, **given), X)
    np.testing.assert_allclose(model.means_, fitted.means_, atol=0.2)
    del given["weights_init"]
    learned(GaussianMixture(K, **given), X)
    with pytest.raises(ValueError, match=r"must begin with means_init, .*; got precisions_init"):
        GaussianMixture(K, precisions_init=fitted.precisions_).partial_fit(X)


def test_mixture_learns_from_rows_with_missing_numbers() -> None:
    X = shuffled()
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    model = learned(GaussianMixture(K, missing="em", random_state=0), X, epochs=2)
    fit = fit_gmm(X, K, missing="em", init=model.model_)
    assert abs(model.score(X) - fit.log_prob(X).mean()) < 0.01


def test_classes_that_would_be_used_are_refused_and_others_ignored() -> None:
    X, y = shuffled(), np.arange(3000) % K
    model = GaussianMixture(K, random_state=0).partial_fit(X, y)
    y[0] = -1
    with pytest.raises(ValueError, match="y must not have classes that are used in partial_fit"):
        model.partial_fit(X, y)
    labelled = GaussianMixture(K, random_state=0).fit(X, y)
    assert hasattr(labelled, "classes_")
    assert not hasattr(labelled.partial_fit(X), "classes_")


def test_mixture_that_collapses_raises_in_the_words_of_scikit_learn() -> None:
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        GaussianMixture(2, reg_covar=0.0, random_state=0).partial_fit(np.ones((300, 2)))


# ---- k-means ----


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("k", "d", "deviation"), [(5, 2, 1.0), (8, 4, 2.0), (20, 8, 3.0)])
def test_kmeans_read_three_times_ends_near_the_best_fit(
    k: int, d: int, deviation: float, seed: int
) -> None:
    X = make_blobs(6000, d, centers=k, cluster_std=deviation, random_state=seed)[0]
    best = fit_kmeans(X, k, n_init=10, rng=0).inertia
    model = learned(KMeans(k, random_state=0), X, epochs=3)
    assert -model.score(X) <= 1.02 * best
    theirs = learned(MiniBatchKMeans(k, random_state=0, n_init=10), X, epochs=3)
    assert -model.score(X) <= -1.001 * theirs.score(X)
    assert model.n_steps_ == 90
    assert model.counts_.shape == (k,)
    np.testing.assert_array_equal(model.labels_, model.predict(X[-200:]))


def test_cluster_without_rows_moves_to_a_far_row() -> None:
    rng = np.random.default_rng(0)
    model = KMeans(2, random_state=0, half_life=50.0)
    for centers in ([0.0, 50.0], [0.0, 0.0], [0.0, -50.0]):
        for _ in range(30):
            model.partial_fit(rng.choice(centers, size=(100, 1)) + rng.normal(size=(100, 1)))
    np.testing.assert_allclose(np.sort(model.cluster_centers_[:, 0]), [-50.0, 0.0], atol=1.0)


@pytest.mark.parametrize("init", ["random", "array", "callable"])
def test_kmeans_begins_as_init_says(init: str) -> None:
    X = shuffled()
    centers = fit_kmeans(X, K, rng=0).centers
    given = {"array": centers, "callable": lambda X, k, random_state: centers}  # noqa: ARG005
    model = learned(KMeans(K, init=given.get(init, init), random_state=0), X)
    order = np.argsort(model.cluster_centers_[:, 0]) if init == "random" else slice(None)
    expected = centers[np.argsort(centers[:, 0])] if init == "random" else centers
    np.testing.assert_allclose(model.cluster_centers_[order], expected, atol=0.3)


def test_kmeans_threads_change_no_bit() -> None:
    X = shuffled()
    one, other = (learned(KMeans(K, random_state=0, n_threads=n), X) for n in (1, 3))
    np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)


def test_kmeans_of_equal_rows_stays_finite() -> None:
    with pytest.warns(UserWarning, match="distinct clusters"):
        model = KMeans(3, random_state=0).partial_fit(np.ones((400, 2)))
    model.partial_fit(np.ones((400, 2)))
    assert np.isfinite(model.cluster_centers_).all()
    model.partial_fit(np.ones((4, 2)) * [[1], [2], [3], [4]])
    assert np.isfinite(model.cluster_centers_).all()


def test_clusters_stay_where_weights_become_lighter() -> None:
    X = shuffled()
    model = KMeans(K, random_state=0, half_life=1000.0)
    model.partial_fit(X[:600], sample_weight=np.full(600, 1e6))
    before = model.cluster_centers_
    learned(model, X)
    np.testing.assert_allclose(model.cluster_centers_, before, atol=0.5)
