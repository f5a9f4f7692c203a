"""mixtura.sklearn.KMeans: the clusters that scikit-learn finds, and what it adds."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from clusters import clustered
from scipy import sparse
from sklearn import cluster, exceptions
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtura.shapes import Floats
from mixtura.sklearn import KMeans
from mixtura.sklearn.kmeans import far_apart

ORDER_OF_DRAWS = {
    "check_sample_weight_equivalence_on_dense_data": "it shuffles the rows, and other rows are "
    "drawn for the start; scikit-learn's KMeans has the same mark",
}


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")  # there are rows for fewer
@parametrize_with_checks(
    [KMeans(n_clusters=3), KMeans()], expected_failed_checks=lambda _: ORDER_OF_DRAWS
)
def test_estimator_under_a_check_of_scikit_learn_passes(
    estimator: KMeans, check: Callable[[KMeans], None]
) -> None:
    check(estimator)


def assert_same_clusters(
    X: Floats, weight: Floats | None = None, *, atol: float = 1e-10, **parameters: object
) -> KMeans:
    """Expect what scikit-learn finds with the same parameters."""
    theirs = cluster.KMeans(**parameters).fit(X, sample_weight=weight)
    ours = KMeans(**parameters).fit(X, sample_weight=weight)
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=0, atol=atol)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=100 * atol)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.cluster_centers_.dtype == theirs.cluster_centers_.dtype
    Z = X[::7] + X.dtype.type(0.5)
    np.testing.assert_array_equal(ours.predict(Z), theirs.predict(Z))
    np.testing.assert_allclose(ours.transform(Z), theirs.transform(Z), rtol=0, atol=1e3 * atol)
    assert ours.transform(Z).dtype == theirs.transform(Z).dtype
    assert ours.score(X, sample_weight=weight) == pytest.approx(-theirs.inertia_, rel=100 * atol)
    return ours


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("seed", range(4))
def test_fit_with_the_same_random_state_is_that_of_scikit_learn(
    seed: int, init: str, weighted: bool
) -> None:
    X = clustered(400, 3, 8, spread=2.0)[0]
    weight = np.random.default_rng(seed).exponential(size=400) if weighted else None
    assert_same_clusters(X, weight, n_clusters=7, init=init, random_state=seed)


@pytest.mark.parametrize("tol", [0.0, 1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("max_iter", [1, 2, 5, 300])
def test_fit_stops_where_scikit_learn_does(tol: float, max_iter: int) -> None:
    X = clustered(500, 2, 7, spread=1.0)[0]
    assert_same_clusters(X, n_clusters=7, init=X[:7], n_init=1, tol=tol, max_iter=max_iter)


def test_fit_of_many_starts_keeps_the_run_that_scikit_learn_keeps() -> None:
    X = clustered(300, 2, 9, spread=5.0)[0]
    assert_same_clusters(X, n_clusters=9, init="random", random_state=0, n_init=10)
    X = clustered(300, 3, 3, spread=9.0)[0]  # all runs end alike, but for rounding
    for seed in range(5):
        assert_same_clusters(X, n_clusters=3, init="random", random_state=seed, n_init=10)


def test_fit_of_float32_rows_is_of_float32_and_says_what_it_predicts() -> None:
    X = clustered(300, 3, 4)[0].astype(np.float32)
    model = assert_same_clusters(X, n_clusters=4, random_state=0, atol=1e-5)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    # The means 1.5 and 7.6 beyond 2**23 are rounded to 2 and 8, and 5 is then as near to both.
    rough = (2.0**23 + np.array([[0, 1, 1, 4, 5, 6, 8, 9, 10]]).T).astype(np.float32)
    model = KMeans(2, init=rough[[1, 6]]).fit(rough)
    assert model.labels_.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    np.testing.assert_array_equal(model.predict(rough), model.labels_)


def test_fit_far_from_zero_is_as_good() -> None:
    X = clustered(400, 2, 5)[0]
    near, far = (KMeans(5, random_state=0).fit(rows) for rows in (X, X + 1e8))
    np.testing.assert_array_equal(far.labels_, near.labels_)
    for seed in range(5):
        near_rows, far_rows = (
            far_apart(rows, 40, None, np.random.RandomState(seed)) for rows in (X, X + 1e8)
        )
        np.testing.assert_array_equal(far_rows, near_rows)
    assert far.inertia_ == pytest.approx(near.inertia_, rel=1e-6)
    np.testing.assert_allclose(far.transform(X + 1e8), near.transform(X), rtol=0, atol=1e-6)


def test_fit_from_a_callable_draws_what_it_draws_for_scikit_learn() -> None:
    X = clustered(200, 2, 3)[0]
    seen: list[Floats] = []

    def init(rows: Floats, n_clusters: int, random_state: np.random.RandomState) -> Floats:
        seen.append(rows)
        return rows[random_state.choice(len(rows), n_clusters, replace=False)]

    assert_same_clusters(X, n_clusters=3, init=init, random_state=0)
    np.testing.assert_array_equal(seen[-1], X)  # scikit-learn's have lost their mean
    assert len(seen) == 20


def test_fit_in_other_shapes_is_the_same() -> None:
    X = clustered(200, 2, 3)[0]
    model = KMeans(3, random_state=0)
    labels = clone(model).fit(X).labels_
    np.testing.assert_array_equal(clone(model).fit_predict(X), labels)
    distances = clone(model).fit_transform(X)
    np.testing.assert_array_equal(distances.argmin(axis=1), labels)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(clone(model).fit(X))).predict(X), labels
    )
    threads = [clone(model).set_params(n_threads=n).fit(X).cluster_centers_ for n in (1, 2, 3)]
    np.testing.assert_array_equal(threads[0], threads[1])
    np.testing.assert_array_equal(threads[0], threads[2])
    assert model.get_params()["copy_x"]


def test_fit_of_a_frame_knows_its_columns() -> None:
    frame = pd.DataFrame(clustered(60, 2, 3)[0], columns=["length", "width"])
    model = KMeans(3, random_state=0).fit(frame)
    assert model.feature_names_in_.tolist() == ["length", "width"]
    assert model.get_feature_names_out().tolist() == ["kmeans0", "kmeans1", "kmeans2"]
    distances = model.set_output(transform="pandas").transform(frame)
    assert list(distances.columns) == ["kmeans0", "kmeans1", "kmeans2"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"width": "height"}))


def test_score_of_weighted_rows_is_that_of_repeated_ones() -> None:
    X = clustered(60, 2, 3)[0]
    times = np.random.default_rng(0).integers(0, 4, size=60)
    model = KMeans(3, random_state=0).fit(X)
    expected = model.score(np.repeat(X, times, axis=0))
    assert model.score(X, sample_weight=times) == pytest.approx(expected, rel=1e-12)


def test_verbose_fit_prints_what_scikit_learn_prints(capsys: pytest.CaptureFixture[str]) -> None:
    X = clustered(500, 2, 7, spread=1.0)[0]
    KMeans(7, init=X[:7], verbose=1, tol=0.01).fit(X)
    first, *iterations, last = capsys.readouterr().out.splitlines()
    assert first == "Initialization complete"
    assert all(re.fullmatch(r"Iteration \d+, inertia [\d.]+\.", line) for line in iterations)
    end = rf"Converged at iteration {len(iterations) - 1}: center shift \S+ within tolerance \S+\."
    assert re.fullmatch(end, last)
    KMeans(7, init=X[:7], verbose=1, tol=0.0).fit(X)
    assert capsys.readouterr().out.splitlines()[-1].endswith(": strict convergence.")
    KMeans(7, init=X[:7]).fit(X)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_clusters": 0}, ValueError, "n_clusters must be an integer, 1 or more; got 0"),
        ({"n_clusters": 2.0}, TypeError, "n_clusters must be an integer"),
        ({"max_iter": 0}, ValueError, "max_iter must be an integer, 1 or more; got 0"),
        ({"tol": -1.0}, ValueError, "tol must be a finite number, 0 or more"),
        ({"init": "kmeans++"}, ValueError, r"Did you mean 'k-means\+\+'\?"),
        ({"n_init": 0}, ValueError, "n_init must be an integer, 1 or more; got 0"),
        ({"n_init": "many"}, TypeError, "n_init must be an integer"),
        ({"algorithm": "full"}, ValueError, "algorithm must be one of 'lloyd', 'elkan'"),
        ({"copy_x": "no"}, TypeError, "copy_x must be True or False; got 'no'"),
        ({"verbose": "no"}, TypeError, "verbose must be an integer, 0 or more; got 'no'"),
        ({"n_threads": 0}, ValueError, "n_threads must be an integer, 1 or more; got 0"),
        ({"n_clusters": 61}, ValueError, "n_samples=60 should be >= n_clusters=61"),
        ({"init": [[0.0, 0.0]]}, ValueError, r"initial centers \(1, 2\) does not match the number"),
        ({"init": [[0.0]] * 3}, ValueError, r"initial centers \(3, 1\) does not match the number"),
        ({"init": [0.0] * 3}, ValueError, r"initial centers \(3,\) does not match the number"),
        ({"init": [[0.0, np.nan]] * 3}, ValueError, "init must be finite"),
    ],
)
def test_fit_with_a_wrong_parameter_says_so(
    parameters: dict[str, object], error: type[Exception], message: str
) -> None:
    X = clustered(60, 2, 3)[0]
    with pytest.raises(error, match=message):
        KMeans(**({"n_clusters": 3} | parameters)).fit(X)


def test_sparse_rows_are_refused_by_name() -> None:
    X = clustered(60, 2, 3)[0]
    with pytest.raises(TypeError, match="Sparse data was passed for X, but dense data is required"):
        KMeans(3).fit(sparse.csr_array(X))
    with pytest.raises(TypeError, match="Sparse data was passed for X, but dense data is required"):
        KMeans(3).fit(X).predict(sparse.csr_array(X))


def test_weights_of_too_few_rows_are_refused() -> None:
    X = clustered(60, 2, 3)[0]
    with pytest.raises(ValueError, match="at least 3 rows with positive weight are needed"):
        KMeans(3).fit(X, sample_weight=np.arange(60) < 2)


def test_warnings_are_those_of_scikit_learn() -> None:
    X = np.array([[0.0], [0.0], [1.0], [1.0]])
    message = r"distinct clusters \(2\) found smaller than n_clusters \(3\)"
    with pytest.warns(exceptions.ConvergenceWarning, match=message) as caught:
        KMeans(3, random_state=0).fit(X)
    assert caught[0].filename == __file__
    with pytest.warns(RuntimeWarning, match="performing only one init") as caught:
        KMeans(2, init=[[0.0], [1.0]], n_init=5).fit(X)
    assert caught[0].filename == __file__
    with pytest.warns(RuntimeWarning, match="doesn't make sense for a single cluster") as caught:
        KMeans(1, algorithm="elkan").fit(X)
    assert caught[0].filename == __file__
