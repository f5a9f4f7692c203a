"""mixtura.sklearn.GaussianMixture: the fit that scikit-learn makes, and what it adds."""

from __future__ import annotations

import builtins
import pickle
import re
import subprocess
import sys
from collections.abc import Callable

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from clusters import clustered
from helpers import COVARIANCE_TYPES, unchanged
from scipy import sparse
from sklearn import mixture as scikit_learn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import mixtura
from mixtura.sklearn import GaussianMixture
from mixtura.sklearn.starts import INIT_PARAMS

PARAMETERS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
X = clustered(300, 3, 4)[0]
unfinished = pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")


@parametrize_with_checks([GaussianMixture(), GaussianMixture(covariance_type="tied", n_init=2)])
def test_estimator_under_a_check_of_scikit_learn_passes(
    estimator: GaussianMixture, check: Callable[[GaussianMixture], None]
) -> None:
    check(estimator)


def assert_same_fit(
    ours: GaussianMixture, theirs: scikit_learn.GaussianMixture, tolerance: float = 1e-8
) -> None:
    """Expect the same parameters after the same number of iterations."""
    assert (ours.n_iter_, ours.converged_) == (theirs.n_iter_, theirs.converged_)
    for name in PARAMETERS:
        one, other = getattr(ours, name), getattr(theirs, name)
        assert one.dtype == other.dtype, name
        size = np.abs(other).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * size, err_msg=name)


@unfinished
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("init_params", INIT_PARAMS)
@pytest.mark.parametrize("max_iter", [1, 4, 100])
def test_fit_with_the_same_random_state_is_that_of_scikit_learn(
    covariance_type: str, init_params: str, max_iter: int
) -> None:
    ours, theirs = (
        kind(
            4, covariance_type=covariance_type, init_params=init_params, max_iter=max_iter,
            random_state=1,
        ).fit(X)
        for kind in (GaussianMixture, scikit_learn.GaussianMixture)
    )  # fmt: skip
    assert_same_fit(ours, theirs)
    # The first bounds are of covariances as small as reg_covar, where scikit-learn's variances of
    # "diag" and "spherical" have lost their digits.
    rtol = 1e-8 if covariance_type in ("full", "tied") else 1e-6
    np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=rtol)
    assert ours.lower_bound_ == ours.lower_bounds_[-1]
    Z = X[::5] + 0.25
    np.testing.assert_array_equal(ours.predict(Z), theirs.predict(Z))
    np.testing.assert_allclose(ours.predict_proba(Z), theirs.predict_proba(Z), rtol=0, atol=1e-8)
    np.testing.assert_allclose(ours.score_samples(Z), theirs.score_samples(Z), rtol=1e-8)
    for criterion in ("score", "aic", "bic"):
        expected = getattr(theirs, criterion)(Z)
        assert getattr(ours, criterion)(Z) == pytest.approx(expected, rel=1e-8)
    rows, labels = ours.sample(60)
    np.testing.assert_allclose(rows, theirs.sample(60)[0], rtol=0, atol=1e-7)
    np.testing.assert_array_equal(labels, theirs.sample(60)[1])


@unfinished
def test_fit_of_many_starts_keeps_the_run_that_scikit_learn_keeps() -> None:
    rows = clustered(200, 2, 6, spread=1.5)[0]
    parameters = {"init_params": "random_from_data", "max_iter": 6, "reg_covar": 1e-3}
    bounds = set()
    for n_init in (1, 2, 4, 8):
        ours, theirs = (
            kind(6, n_init=n_init, random_state=5, **parameters).fit(rows)
            for kind in (GaussianMixture, scikit_learn.GaussianMixture)
        )
        assert_same_fit(ours, theirs)
        bounds.add(round(ours.lower_bound_, 6))
    assert len(bounds) > 1


@pytest.mark.parametrize("init_params", INIT_PARAMS)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_start_is_that_of_scikit_learn(covariance_type: str, init_params: str) -> None:
    ours, theirs = (
        kind(4, covariance_type=covariance_type, init_params=init_params, max_iter=0,
             random_state=1, reg_covar=1e-2).fit(X)
        for kind in (GaussianMixture, scikit_learn.GaussianMixture)
    )  # fmt: skip
    assert_same_fit(ours, theirs)
    assert (ours.lower_bound_, ours.lower_bounds_) == (-np.inf, [])
    assert ours.model_.weights.sum() == pytest.approx(1.0)


@unfinished
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize(
    "names", [("weights",), ("means",), ("precisions",), ("weights", "means", "precisions")]
)
@pytest.mark.parametrize("max_iter", [0, 3])
def test_fit_from_given_parameters_is_that_of_scikit_learn(
    covariance_type: str, names: tuple[str, ...], max_iter: int
) -> None:
    if (max_iter, "precisions" in names) == (0, True):
        max_iter = 1  # scikit-learn has no covariances then
    other = scikit_learn.GaussianMixture(4, covariance_type=covariance_type, max_iter=5)
    other.fit(X[::2])
    given = {f"{name}_init": getattr(other, f"{name}_") for name in names}
    with unchanged(X, *given.values()):
        ours, theirs = (
            kind(4, covariance_type=covariance_type, max_iter=max_iter, random_state=0, **given)
            for kind in (GaussianMixture, scikit_learn.GaussianMixture)
        )
        assert_same_fit(ours.fit(X), theirs.fit(X))


def test_start_from_precisions_has_their_factors() -> None:
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(4, 3, 3))
    precisions = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(3)
    model = GaussianMixture(
        4, max_iter=0, weights_init=np.full(4, 0.25), means_init=X[:4], precisions_init=precisions
    ).fit(X)
    np.testing.assert_allclose(model.precisions_, precisions, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        model.covariances_ @ precisions, np.tile(np.eye(3), (4, 1, 1)), atol=1e-10
    )


@unfinished
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_warm_start_continues_as_scikit_learn_does(covariance_type: str) -> None:
    ours, theirs = (
        kind(3, covariance_type=covariance_type, max_iter=3, warm_start=True, random_state=0)
        for kind in (GaussianMixture, scikit_learn.GaussianMixture)
    )
    for rows in (X, X, X[::2], X):
        assert_same_fit(ours.fit(rows), theirs.fit(rows))
    with pytest.raises(ValueError, match="fit continues from the last fit, of 3 features; got 2"):
        ours.fit(X[:, :2])


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_fit_of_float32_rows_is_of_float32(covariance_type: str) -> None:
    rows = X.astype(np.float32)
    ours, theirs = (
        kind(3, covariance_type=covariance_type, random_state=0, tol=1e-2).fit(rows)
        for kind in (GaussianMixture, scikit_learn.GaussianMixture)
    )
    assert_same_fit(ours, theirs, 1e-3)
    assert ours.score_samples(rows).dtype == ours.predict_proba(rows).dtype == np.float32
    assert ours.sample(3)[0].dtype == np.float64
    np.testing.assert_array_equal(clone(ours).fit_predict(rows), ours.predict(rows))


def test_component_without_rows_is_kept_as_in_scikit_learn() -> None:
    given = {
        "weights_init": [0.5, 0.5], "means_init": [X.mean(axis=0), [1e4, 1e4, 1e4]],
        "precisions_init": [1.0, 1.0], "covariance_type": "spherical", "reg_covar": 1e-3,
    }  # fmt: skip
    ours, theirs = (
        kind(2, **given).fit(X) for kind in (GaussianMixture, scikit_learn.GaussianMixture)
    )
    assert_same_fit(ours, theirs)
    np.testing.assert_allclose(ours.covariances_[1], 1e-3)
    dropped = GaussianMixture(2, on_collapse="drop", **given).fit(X)
    assert dropped.means_.shape == (1, 3)
    assert dropped.predict(X).tolist() == [0] * 300
    mended = GaussianMixture(2, on_collapse="reseed", **given).fit(X)
    assert mended.weights_.min() > 0.05
    assert mended.score(X) > ours.score(X)


@unfinished
def test_component_that_collapses_is_named_dropped_or_reseeded() -> None:
    rows = np.vstack([X, np.full((5, 3), 40.0)])
    parameters = {"reg_covar": 0.0, "random_state": 0, "means_init": rows[[0, 100, -1]]}
    message = "ill-defined empirical covariance .* component 1 has a singular covariance at the st"
    with pytest.raises(ValueError, match=message):
        GaussianMixture(3, **parameters).fit(rows)
    message = "ill-defined empirical covariance .* component 2 has a singular covariance at iterat"
    given = parameters | {"weights_init": [0.4, 0.4, 0.2], "precisions_init": [np.eye(3)] * 3}
    with pytest.raises(ValueError, match=message):
        GaussianMixture(3, **given).fit(rows)
    for on_collapse, n_components in (("reseed", 3), ("drop", 2)):
        model = GaussianMixture(3, on_collapse=on_collapse, **given).fit(rows)
        assert len(model.weights_) == n_components
        assert np.isfinite(model.score(rows))


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_fit_of_weighted_rows_is_the_fit_of_repeated_rows(covariance_type: str) -> None:
    times = np.random.default_rng(0).integers(0, 4, size=300)
    repeated = np.repeat(X, times, axis=0)
    start = {"means_init": X[:3], "weights_init": [0.2, 0.3, 0.5]}
    start["precisions_init"] = {
        "full": [np.eye(3)] * 3, "tied": np.eye(3), "diag": np.ones((3, 3)), "spherical": np.ones(3)
    }[covariance_type]  # fmt: skip
    model = GaussianMixture(3, covariance_type=covariance_type, **start)
    one, other = clone(model).fit(X, sample_weight=times), clone(model).fit(repeated)
    assert_same_fit(one, other, 1e-10)
    for criterion in ("score", "aic", "bic"):
        weighted = getattr(one, criterion)(X, sample_weight=times)
        assert weighted == pytest.approx(getattr(other, criterion)(repeated), rel=1e-10)
    labels = clone(model).fit_predict(X, sample_weight=times)
    np.testing.assert_array_equal(labels, one.predict(X))


@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_start_from_weighted_rows_does_not_see_those_of_weight_zero(init_params: str) -> None:
    rows = np.vstack([X, 1e3 + X])
    weight = np.repeat([1.0, 0.0], 300)
    model = GaussianMixture(4, init_params=init_params, max_iter=0, random_state=0)
    model.fit(rows, sample_weight=weight)
    assert model.means_.max() <= X.max()
    heavier = clone(model).fit(rows, sample_weight=2.0 * weight)
    np.testing.assert_allclose(heavier.means_, model.means_, rtol=1e-13)


def test_sample_weight_is_routed_where_it_is_asked_for() -> None:
    weight = np.random.default_rng(0).exponential(size=300)
    with sklearn.config_context(enable_metadata_routing=True):
        model = GaussianMixture(2, random_state=0)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model).fit(X, sample_weight=weight)
        Z = StandardScaler().fit_transform(X)
        alone = clone(model).fit(Z, sample_weight=weight)
        np.testing.assert_array_equal(pipeline[-1].means_, alone.means_)
        score = pipeline.score(X, sample_weight=weight)
        assert score == alone.score(Z, sample_weight=weight)
        assert score != alone.score(Z)
        search = GridSearchCV(model, {"n_components": [1, 3]}, cv=2)
        search.fit(X, sample_weight=weight)
        expected = clone(search.best_estimator_).fit(X, sample_weight=weight)
        np.testing.assert_array_equal(search.best_estimator_.means_, expected.means_)


def test_estimator_works_in_searches_validation_pipelines_and_processes() -> None:
    rows = clustered(300, 3, 4, spread=8.0)[0]
    np.random.default_rng(0).shuffle(rows)
    search = GridSearchCV(
        GaussianMixture(random_state=0), {"n_components": [1, 2, 4], "reg_covar": [1e-6, 1e-3]}
    ).fit(rows)
    theirs = GridSearchCV(scikit_learn.GaussianMixture(random_state=0), search.param_grid)
    scores = theirs.fit(rows).cv_results_["mean_test_score"]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], scores, rtol=1e-8)
    assert search.best_params_ == theirs.best_params_
    model = search.best_estimator_
    expected = [clone(model).fit(np.delete(rows, s, axis=0)).score(rows[s]) for s in _fifths()]
    np.testing.assert_allclose(cross_val_score(model, rows), expected, rtol=1e-12)
    with joblib.parallel_config("threading", n_jobs=2):
        np.testing.assert_allclose(cross_val_score(model, rows), expected, rtol=1e-12)
    for copy in (pickle.loads(pickle.dumps(model)), clone(model).fit(rows)):
        np.testing.assert_array_equal(copy.predict_proba(rows), model.predict_proba(rows))
        assert copy.model_ == model.model_


def _fifths() -> list[slice]:
    return [slice(60 * i, 60 * (i + 1)) for i in range(5)]


def test_model_is_what_the_attributes_say() -> None:
    model = GaussianMixture(3, random_state=0)
    assert not hasattr(model, "model_")
    with pytest.raises(NotFittedError):
        _ = model.model_
    model.fit(X)
    assert isinstance(model.model_, mixtura.GaussianMixture)
    np.testing.assert_array_equal(model.model_.log_prob(X), model.score_samples(X))
    by_hand = GaussianMixture(2, covariance_type="diag")
    by_hand.weights_, by_hand.means_ = np.array([0.25, 0.75]), np.array([[0.0], [4.0]])
    by_hand.covariances_ = np.array([[1.0], [4.0]])
    expected_message = (
        "a mixture needs weights_, means_, covariances_, precisions_cholesky_; got no "
        "precisions_cholesky_. Set all four, or make it with mixtura.GaussianMixture(weights, "
        "means, covariances, covariance_type)."
    )
    for ask in (by_hand.predict, by_hand.score, by_hand.score_samples, by_hand.predict_proba):
        with pytest.raises(NotFittedError, match=f"^{re.escape(expected_message)}$"):
            ask([[0.5], [3.0]])
    by_hand.precisions_cholesky_ = 1.0 / np.sqrt(by_hand.covariances_)
    expected = mixtura.GaussianMixture([0.25, 0.75], [[0.0], [4.0]], [[1.0], [4.0]], "diag")
    assert by_hand.model_ == expected
    assert by_hand.predict([[0.5], [3.0]]).tolist() == [0, 1]
    assert by_hand.sample(20)[0].shape == (20, 1)
    by_hand.precisions_cholesky_ = np.ones((2, 2))
    with pytest.raises(ValueError, match=r"precisions_cholesky must have shape \(2, 1\)"):
        by_hand.predict([[0.5]])


def test_fit_of_a_frame_knows_its_columns() -> None:
    frame = pd.DataFrame(X, columns=["length", "width", "height"])
    model = GaussianMixture(3, random_state=0).fit(frame)
    assert model.feature_names_in_.tolist() == ["length", "width", "height"]
    np.testing.assert_array_equal(model.predict(frame), model.fit(X).predict(X))
    model.fit(frame)
    for method in (model.predict, model.score, model.bic, model.score_samples):
        with pytest.raises(ValueError, match="feature names should match"):
            method(frame[["width", "length", "height"]])


def test_fit_on_any_number_of_threads_gives_the_same_bits() -> None:
    rows = clustered(6000, 4, 5)[0]
    models = [GaussianMixture(5, random_state=0, n_threads=n).fit(rows) for n in (1, 2, 3)]
    for model in models[1:]:
        np.testing.assert_array_equal(model.covariances_, models[0].covariances_)
        np.testing.assert_array_equal(model.predict_proba(rows), models[0].predict_proba(rows))


def test_fit_that_uses_up_max_iter_warns_where_it_was_called() -> None:
    for method in ("fit", "fit_predict"):
        with pytest.warns(ConvergenceWarning, match="did not converge") as caught:
            getattr(GaussianMixture(3, max_iter=1, random_state=0), method)(X)
        assert caught[0].filename == __file__
    assert not GaussianMixture(3, max_iter=0, random_state=0).fit(X).converged_


@unfinished
def test_verbose_fit_prints_runs_and_iterations(capsys: pytest.CaptureFixture[str]) -> None:
    model = GaussianMixture(4, n_init=2, max_iter=5, tol=0.0, random_state=0, verbose_interval=2)
    model.fit(X)
    assert capsys.readouterr().out == ""
    clone(model).set_params(verbose=1).fit(X)
    run = ["  Iteration 2", "  Iteration 4", "Initialization did not converge."]
    expected = ["Initialization 0", *run, "Initialization 1", *run]
    assert capsys.readouterr().out.splitlines() == expected
    clone(model).set_params(verbose=2, n_init=1, tol=1e9).fit(X)
    _, iteration, end = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"  Iteration 2\t time lapse \d\.\d{5}s\t ll change -?\d\.\d{5}", iteration)
    bound = r"Initialization converged\. time lapse \d\.\d{5}s\t lower bound -?\d+\.\d{5}\."
    assert re.fullmatch(bound, end)


@unfinished
def test_verbose_fit_prints_the_changes_that_scikit_learn_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = []
    for kind in (GaussianMixture, scikit_learn.GaussianMixture):
        model = kind(4, max_iter=4, tol=0.0, random_state=0, warm_start=True)
        model.set_params(verbose=2, verbose_interval=1).fit(X).fit(X)
        printed.append(
            [line.split("ll change ")[1:] for line in capsys.readouterr().out.splitlines()]
        )
    ours, theirs = (np.array([float(change) for (change,) in filter(None, p)]) for p in printed)
    assert np.isinf(ours).tolist() == [True] + [False] * 7  # the second fit knows the last bound
    np.testing.assert_allclose(ours[1:], theirs[1:], rtol=0, atol=1.5e-5)
    assert list(map(len, printed[0])) == list(map(len, printed[1]))


def test_fit_that_is_interrupted_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(line: str) -> None:
        if "Iteration" in line:
            raise KeyboardInterrupt

    monkeypatch.setattr(builtins, "print", interrupt)
    with pytest.raises(KeyboardInterrupt):
        GaussianMixture(4, verbose=1, verbose_interval=1).fit(X)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_components": 0}, ValueError, "n_components must be an integer, 1 or more; got 0"),
        ({"n_components": 2.0}, TypeError, "n_components must be an integer"),
        ({"n_components": 301}, ValueError, "Expected n_samples >= n_components but got"),
        ({"covariance_type": "ful"}, ValueError, r"'tied', .*; got 'ful'\. Did you mean 'full'\?$"),
        ({"covariance_type": "VVE"}, ValueError, "them, or use mixtura.fit_gmm, which has this"),
        ({"tol": -1.0}, ValueError, "tol must be a finite number, 0 or more"),
        ({"reg_covar": -1.0}, ValueError, "reg_covar must be a finite number, 0 or more"),
        ({"reg_covar": [1.0] * 3}, TypeError, "reg_covar must be a finite number"),
        ({"max_iter": -1}, ValueError, "max_iter must be an integer, 0 or more; got -1"),
        ({"n_init": 0}, ValueError, "n_init must be an integer, 1 or more; got 0"),
        ({"init_params": "kmeans++"}, ValueError, r"Did you mean 'k-means\+\+'\?"),
        ({"verbose_interval": 0}, ValueError, "verbose_interval must be an integer, 1 or more"),
        ({"on_collapse": "ignore"}, ValueError, "on_collapse must be one of 'raise', 'reseed'"),
        ({"warm_start": "no"}, TypeError, "warm_start must be True or False; got 'no'"),
        ({"verbose": -1}, ValueError, "verbose must be an integer, 0 or more; got -1"),
        ({"n_threads": 0}, ValueError, "n_threads must be an integer, 1 or more; got 0"),
        ({"weights_init": [0.5]}, ValueError, r"'weights' should have the shape of \(2,\)"),
        ({"weights_init": [1.5, -0.5]}, ValueError, r"max value 1\.50000, min value -0\.50000"),
        ({"weights_init": [0.5, 0.4]}, ValueError, r"got sum\(weights\) = 0\.90000"),
        ({"means_init": [[0.0] * 2] * 2}, ValueError, r"'means' should have the shape of \(2, 3\)"),
        ({"means_init": [[0.0] * 3, [np.nan] * 3]}, ValueError, "means must be finite; comp"),
        ({"precisions_init": np.eye(3)}, ValueError, "'full precision' should have the shape"),
        ({"precisions_init": [np.eye(3), -np.eye(3)]}, ValueError, "symmetric, positive-definite"),
        ({"precisions_init": [np.eye(3) + np.eye(3, k=1)] * 2}, ValueError, "should be symmetric"),
        (
            {"precisions_init": [1.0, -2.0], "covariance_type": "spherical"},
            ValueError, "'spherical precision' should be positive; got -2",
        ),
    ],
)  # fmt: skip
def test_fit_with_a_wrong_parameter_says_so(
    parameters: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        GaussianMixture(**({"n_components": 2} | parameters)).fit(X)


def test_rows_and_weights_that_cannot_be_used_are_refused_by_name() -> None:
    model = GaussianMixture(2).fit(X)
    refusal = "Sparse data was passed for X, but dense data is required"
    for method in (model.fit, model.predict, model.score_samples):
        with pytest.raises(TypeError, match=refusal):
            method(sparse.csr_array(X))
    with pytest.raises(ValueError, match="sample_weight must be non-negative; row 3 is -3"):
        model.fit(X, sample_weight=-np.arange(300.0) * (np.arange(300) == 3))
    with pytest.raises(ValueError, match="at least 2 rows with positive weight are needed"):
        model.fit(X, sample_weight=np.arange(300) < 1)
    with pytest.raises(ValueError, match="Invalid value for 'n_samples': 0"):
        model.sample(0)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_mixtura_is_imported_without_scikit_learn() -> None:
    code = "import mixtura, sys; sys.exit('sklearn' in sys.modules)"
    assert run_python(code).returncode == 0


def test_mixtura_sklearn_without_scikit_learn_names_the_extra() -> None:
    code = "import sys; sys.modules['sklearn'] = None; import mixtura.sklearn"
    assert "ImportError: mixtura.sklearn needs scikit-learn" in run_python(code).stderr
    assert "pip install 'mixtura[sklearn]'" in run_python(code).stderr


@pytest.mark.parametrize("name", ["aic", "bic"])
def test_criterion_with_weights_far_below_the_rows_warns(name: str) -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    criterion = getattr(GaussianMixture(1).fit(X), name)
    with pytest.warns(mixtura.WeightsWarning, match="50 rows sum to 1, ") as caught:
        criterion(X, np.full(50, 1 / 50))
    assert [warning.filename for warning in caught] == [__file__]


# Missing values

HOLED = X.copy()
HOLED[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
HOLED[7] = np.nan
WITH_NAN = ("predict", "predict_proba", "score_samples", "score", "aic", "bic")


@parametrize_with_checks([GaussianMixture(missing="em", random_state=0)])
def test_estimator_that_takes_nan_passes_the_checks_of_scikit_learn(
    estimator: GaussianMixture, check: Callable[[GaussianMixture], None]
) -> None:
    check(estimator)


def test_tag_says_whether_nan_is_taken() -> None:
    assert GaussianMixture(missing="em").__sklearn_tags__().input_tags.allow_nan
    assert not GaussianMixture().__sklearn_tags__().input_tags.allow_nan


@unfinished
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_fit_of_whole_rows_is_the_same_where_nan_is_taken(
    covariance_type: str, init_params: str
) -> None:
    one, other = (
        GaussianMixture(
            3, covariance_type=covariance_type, init_params=init_params, max_iter=5,
            random_state=1, missing=missing,
        ).fit(X)
        for missing in ("raise", "em")
    )  # fmt: skip
    for name in PARAMETERS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in WITH_NAN:
        np.testing.assert_array_equal(getattr(one, name)(X), getattr(other, name)(X))


@unfinished
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_likelihood_of_observed_numbers_rises_from_every_start(
    covariance_type: str, init_params: str, dtype: type
) -> None:
    rows = HOLED.astype(dtype)
    with unchanged(rows):
        model = GaussianMixture(
            3, covariance_type=covariance_type, init_params=init_params, random_state=1,
            missing="em", max_iter=30, tol=1e-6,
        ).fit(rows)  # fmt: skip
    assert (np.diff(model.lower_bounds_[1:]) > -1e-6).all()  # reg_covar is added after the M step
    assert model.means_.dtype == dtype
    mixture = model.model_
    assert mixture.missing == "em"
    for name in WITH_NAN:
        found = getattr(model, name)(rows)
        assert np.isfinite(found).all()
    np.testing.assert_allclose(model.score_samples(rows), mixture.log_prob(rows), rtol=1e-6)
    np.testing.assert_array_equal(model.predict(rows), mixture.predict(rows))
    assert model.score(rows) == pytest.approx(mixture.log_prob(rows).mean(), rel=1e-6)


def test_fit_of_incomplete_rows_is_em_on_what_is_observed() -> None:
    """One iteration by plain loops, from parameters that are given."""
    rng = np.random.default_rng(3)
    weights, means = np.array([0.4, 0.6]), X[:2]
    roots = rng.normal(size=(2, 3, 5))
    covariances = roots @ roots.transpose(0, 2, 1) / 3
    model = GaussianMixture(
        2, weights_init=weights, means_init=means, precisions_init=np.linalg.inv(covariances),
        max_iter=1, reg_covar=0.0, missing="em", tol=1e9,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning):
        model.fit(HOLED)
    n, resp = len(HOLED), np.empty((len(HOLED), 2))
    whole, rest = np.empty((2, n, 3)), np.zeros((2, n, 3, 3))
    for i, row in enumerate(HOLED):
        o, m = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
        for j in range(2):
            C = covariances[j]
            slopes = C[np.ix_(m, o)] @ np.linalg.inv(C[np.ix_(o, o)])
            whole[j, i, o], whole[j, i, m] = row[o], means[j, m] + slopes @ (row[o] - means[j, o])
            rest[j, i][np.ix_(m, m)] = C[np.ix_(m, m)] - slopes @ C[np.ix_(o, m)]
            z = row[o] - means[j, o]
            quadratic = z @ np.linalg.solve(C[np.ix_(o, o)], z)
            log_det = np.linalg.slogdet(C[np.ix_(o, o)])[1]
            resp[i, j] = np.log(weights[j]) - 0.5 * (
                quadratic + log_det + len(o) * np.log(2 * np.pi)
            )
    total = np.log(np.exp(resp).sum(axis=1))
    resp = np.exp(resp - total[:, None])
    assert model.lower_bound_ == pytest.approx(total.mean(), rel=1e-10)
    np.testing.assert_allclose(model.weights_, resp.mean(axis=0), rtol=1e-9)
    for j in range(2):
        share = resp[:, j] / resp[:, j].sum()
        mean = share @ whole[j]
        np.testing.assert_allclose(model.means_[j], mean, rtol=1e-9)
        z = whole[j] - mean
        expected = np.einsum("i,ia,ib->ab", share, z, z) + np.einsum("i,iab->ab", share, rest[j])
        np.testing.assert_allclose(model.covariances_[j], expected, rtol=1e-8)


def test_missing_numbers_with_weights_labels_and_frames() -> None:
    weight = np.random.default_rng(1).integers(0, 3, size=300).astype(float)
    rows = HOLED.copy()
    rows[np.flatnonzero(weight == 0.0)[0]] = np.inf
    start = {"means_init": X[:3], "random_state": 0, "missing": "em", "tol": 1e-8, "max_iter": 500}
    one = GaussianMixture(3, **start)
    labels = one.fit_predict(rows, sample_weight=weight)
    assert labels[np.flatnonzero(weight == 0.0)[0]] == -1
    assert np.count_nonzero(labels == -1) == 1
    repeated = HOLED.repeat(weight.astype(int), axis=0)
    assert one.score(rows, sample_weight=weight) == pytest.approx(one.score(repeated), rel=1e-10)
    frame = pd.DataFrame(HOLED, columns=["a", "b", "c"]).convert_dtypes()
    two = GaussianMixture(3, **start).fit(frame)
    np.testing.assert_array_equal(two.predict(frame), two.predict(frame))
    assert two.model_.feature_names == ("a", "b", "c")
    three = pickle.loads(pickle.dumps(two))
    np.testing.assert_array_equal(three.score_samples(frame), two.score_samples(frame))


def test_nan_is_refused_unless_it_is_missing_and_infinity_always() -> None:
    model = GaussianMixture(2, random_state=0).fit(X)
    remedy = r'fill in the values, or make the estimator with missing="em"\.$'
    for method in (model.fit, *(getattr(model, name) for name in WITH_NAN)):
        with pytest.raises(ValueError, match=f"^Input X contains NaN. Drop the rows, {remedy}"):
            method(HOLED)
    with pytest.raises(ValueError, match=f"X must be finite; .* Drop their rows, {remedy}"):
        model.fit(HOLED, sample_weight=np.ones(len(X)))
    rows = HOLED.copy()
    rows[3, 1] = np.inf
    model = GaussianMixture(2, random_state=0, missing="em").fit(HOLED)
    for method in (model.fit, *(getattr(model, name) for name in WITH_NAN)):
        with pytest.raises(ValueError, match="Input X contains infinity"):
            method(rows)
    empty = HOLED.copy()
    empty[:, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 has only missing ones"):
        GaussianMixture(2, missing="em").fit(empty)
    assert np.isfinite(model.score_samples(empty)).all()
    with pytest.raises(ValueError, match="missing must be one of 'raise', 'em'; got 'mean'"):
        GaussianMixture(2, missing="mean").fit(X)


def test_estimator_that_takes_nan_works_in_a_pipeline_and_a_search() -> None:
    model = GaussianMixture(random_state=0, missing="em")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), model), {"gaussianmixture__n_components": [1, 4]}
    ).fit(HOLED)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.isfinite(cross_val_score(model, HOLED)).all()
