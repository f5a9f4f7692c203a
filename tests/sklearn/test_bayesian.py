"""mixtura.sklearn.BayesianGaussianMixture: scikit-learn's fit, its additions, and exact rules."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from clusters import clustered
from helpers import COVARIANCE_TYPES, unchanged
from sklearn import mixture as scikit_learn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from variational import CASES, LAWS, Case

import mixtura
from mixtura.conjugate import PriorLaws
from mixtura.sklearn import BayesianGaussianMixture, bayesian
from mixtura.sklearn.starts import INIT_PARAMS
from mixtura.statistics import Statistics

PARAMETERS = (
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "mean_precision_",
    "degrees_of_freedom_", "weight_concentration_", "mean_prior_", "covariance_prior_",
    "weight_concentration_prior_", "mean_precision_prior_", "degrees_of_freedom_prior_",
)  # fmt: skip
WEIGHT_PRIORS = ("dirichlet_process", "dirichlet_distribution")
TYPES = {law: name for name, law in LAWS.items()}
X = clustered(300, 3, 4)[0]
unfinished = pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")


@parametrize_with_checks(
    [
        BayesianGaussianMixture(),
        BayesianGaussianMixture(covariance_type="tied", n_init=2, exact=True),
        BayesianGaussianMixture(missing="em", random_state=0),
    ]
)
def test_estimator_under_a_check_of_scikit_learn_passes(
    estimator: BayesianGaussianMixture, check: Callable[[BayesianGaussianMixture], None]
) -> None:
    check(estimator)


def both(**parameters: Any) -> tuple[Any, Any]:
    """Our estimator and scikit-learn's, with the same parameters."""
    return (
        BayesianGaussianMixture(**parameters),
        scikit_learn.BayesianGaussianMixture(**parameters),
    )


def assert_same_fit(ours: Any, theirs: Any, tolerance: float = 1e-8) -> None:
    """Expect the same laws after the same number of iterations."""
    assert (ours.n_iter_, ours.converged_) == (theirs.n_iter_, theirs.converged_)
    for name in PARAMETERS:
        one, other = np.array(getattr(ours, name)), np.array(getattr(theirs, name))
        assert one.shape == other.shape, name
        size = np.abs(other).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * size, err_msg=name)
    expected = np.ravel(theirs.lower_bounds_)  # of arrays, where covariances are tied
    size = np.abs(expected).max(initial=0.0)
    np.testing.assert_allclose(ours.lower_bounds_, expected, rtol=0, atol=tolerance * size)
    assert ours.lower_bound_ == (ours.lower_bounds_[-1] if ours.n_iter_ else -np.inf)


@unfinished
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("init_params", INIT_PARAMS)
@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
@pytest.mark.parametrize("max_iter", [0, 3, 100])
def test_fit_with_the_same_random_state_is_that_of_scikit_learn(
    covariance_type: str, init_params: str, weight_prior: str, max_iter: int
) -> None:
    ours, theirs = (
        model.fit(X)
        for model in both(
            n_components=5, covariance_type=covariance_type, init_params=init_params,
            weight_concentration_prior_type=weight_prior, max_iter=max_iter, random_state=1,
        )
    )  # fmt: skip
    assert_same_fit(ours, theirs)
    Z = X[::5] + 0.25
    np.testing.assert_array_equal(ours.predict(Z), theirs.predict(Z))
    np.testing.assert_allclose(ours.predict_proba(Z), theirs.predict_proba(Z), rtol=0, atol=1e-8)
    np.testing.assert_allclose(ours.score_samples(Z), theirs.score_samples(Z), rtol=1e-8)
    assert ours.score(Z) == pytest.approx(theirs.score(Z), rel=1e-8)
    rows, labels = ours.sample(60)
    np.testing.assert_allclose(rows, theirs.sample(60)[0], rtol=0, atol=1e-7)
    np.testing.assert_array_equal(labels, theirs.sample(60)[1])


@unfinished
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("data", ["faithful", "iris", "banknote"])
def test_fit_of_real_rows_is_that_of_scikit_learn(covariance_type: str, data: str) -> None:
    rows = getattr(mixtura.datasets, f"load_{data}")().data
    d = rows.shape[1]
    for weight_prior, reg_covar in zip(WEIGHT_PRIORS, (0.0, 0.1), strict=True):
        ours, theirs = both(
            n_components=6, covariance_type=covariance_type, reg_covar=reg_covar, n_init=2,
            weight_concentration_prior_type=weight_prior, weight_concentration_prior=0.3,
            mean_precision_prior=0.2, mean_prior=rows[3], degrees_of_freedom_prior=d + 0.5,
            random_state=3, tol=1e-6, max_iter=60,
        )  # fmt: skip
        assert_same_fit(ours.fit(rows), theirs.fit(rows))


def from_labels(
    monkeypatch: pytest.MonkeyPatch, case: Case, **options: Any
) -> BayesianGaussianMixture:
    """The estimator of a published case, whose runs begin from its labels."""

    def statistics(*arguments: Any) -> Statistics:
        rows = arguments[3]
        centres = np.zeros((case.n_components, case.X.shape[1]))
        found: Statistics = rows.given(case.labels, rows.given(case.labels, centres).means())
        return found

    monkeypatch.setattr(bayesian, "first_statistics", statistics)
    return BayesianGaussianMixture(
        n_components=case.n_components,
        covariance_type=case.covariance_type,
        weight_concentration_prior_type=TYPES[case.weight_prior],
        weight_concentration_prior=case.prior["weight_concentration"],
        mean_precision_prior=case.prior["mean_precision"],
        mean_prior=case.prior["mean"],
        degrees_of_freedom_prior=case.prior["degrees_of_freedom"],
        covariance_prior=case.prior["covariance"],
        reg_covar=0.0,
        **options,
    )


@unfinished
@pytest.mark.parametrize("name", CASES)
def test_published_figures_of_scikit_learn_are_reached(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case = CASES[name]
    model = from_labels(monkeypatch, case, tol=0.0, max_iter=case.sklearn["iterations"] + 50)
    model.fit(case.X)
    for m, bound in case.sklearn["lower_bound_after_iterations"].items():
        assert model.lower_bounds_[int(m) - 1] == pytest.approx(np.ravel(bound)[0], rel=1e-10)
    assert model.lower_bound_ == pytest.approx(np.ravel(case.sklearn["lower_bound"])[0], rel=1e-10)
    for field in ("weight_concentration", "means", "covariances", "degrees_of_freedom", "weights"):
        found, expected = np.ravel(getattr(model, f"{field}_")), np.ravel(case.sklearn[field])
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9, err_msg=field)


@unfinished
@pytest.mark.parametrize("name", CASES)
def test_published_evidence_lower_bounds_are_reached_by_exact_rules(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case = CASES[name]
    model = from_labels(
        monkeypatch, case, tol=0.0, max_iter=case.exact["iterations"] + 50, exact=True
    )
    model.fit(case.X)
    assert model.lower_bound_ == pytest.approx(case.exact["elbo"], rel=1e-10)
    assert (np.diff(model.lower_bounds_) >= -1e-13 * abs(model.lower_bound_)).all()
    for field in ("weight_concentration", "means", "covariances", "degrees_of_freedom"):
        found, expected = np.ravel(getattr(model, f"{field}_")), np.ravel(case.exact[field])
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9, err_msg=field)


@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_exact_rules_for_full_covariances_are_those_of_scikit_learn(
    weight_prior: str, init_params: str
) -> None:
    """Apart from the ridge and from the constants of the lower bound."""
    models = [
        BayesianGaussianMixture(
            n_components=4, weight_concentration_prior_type=weight_prior, init_params=init_params,
            reg_covar=0.0, random_state=0, tol=1e-7, max_iter=2000, exact=exact,
        ).fit(X)
        for exact in (False, True)
    ]  # fmt: skip
    for name in ("weights_", "means_", "covariances_", "mean_precision_"):
        one, other = (getattr(model, name) for model in models)
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    assert models[1].lower_bound_ < models[0].lower_bound_


def test_exact_bound_of_one_component_is_the_evidence() -> None:
    """Of one feature, by the t density of each row given those before it."""
    from scipy import stats

    rows = X[:40, :1]
    model = BayesianGaussianMixture(
        covariance_type="diag", weight_concentration_prior_type="dirichlet_distribution",
        mean_precision_prior=0.5, mean_prior=[1.0], degrees_of_freedom_prior=2.5,
        covariance_prior=[1.5], exact=True,
    ).fit(rows)  # fmt: skip
    beta, mean, nu, scale, evidence = 0.5, 1.0, 2.5, 1.5, 0.0
    for x in rows[:, 0]:
        width = np.sqrt(scale / nu * (beta + 1.0) / beta)
        evidence += stats.t.logpdf(x, nu, mean, width)
        scale += beta / (beta + 1.0) * (x - mean) ** 2
        mean, beta, nu = (beta * mean + x) / (beta + 1.0), beta + 1.0, nu + 1.0
    assert model.lower_bound_ == pytest.approx(evidence, rel=1e-12)


def test_ridge_of_exact_rules_is_in_the_default_prior_alone() -> None:
    rows = np.column_stack([X, np.full(300, 2.0)])
    for covariance_type in COVARIANCE_TYPES:
        one, other = (
            BayesianGaussianMixture(
                n_components=2, covariance_type=covariance_type, reg_covar=reg_covar, exact=True,
                random_state=0,
            ).fit(rows if reg_covar else X)
            for reg_covar in (0.25, 0.0)
        )  # fmt: skip
        assert np.isfinite(one.lower_bound_)
        assert np.isfinite(other.lower_bound_)
    np.testing.assert_allclose(one.covariance_prior_, 0.75 * other.covariance_prior_ + 0.25)
    given = {"covariance_prior": 1.0, "covariance_type": "spherical", "random_state": 0}
    models = [BayesianGaussianMixture(reg_covar=r, exact=True, **given).fit(X) for r in (0.0, 0.25)]
    assert models[0].lower_bound_ == models[1].lower_bound_
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        BayesianGaussianMixture(reg_covar=0.0).fit(rows)


@unfinished
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
def test_warm_start_continues_as_scikit_learn_does(covariance_type: str, weight_prior: str) -> None:
    ours, theirs = both(
        n_components=3, covariance_type=covariance_type, max_iter=3, warm_start=True,
        weight_concentration_prior_type=weight_prior, random_state=0,
    )  # fmt: skip
    for rows in (X, X, X[::2], X):
        assert_same_fit(ours.fit(rows), theirs.fit(rows))
    with pytest.raises(ValueError, match="fit continues from the last fit, of 3 features; got 2"):
        ours.fit(X[:, :2])


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_fit_of_float32_rows_is_of_float32(covariance_type: str) -> None:
    rows = X.astype(np.float32)
    ours, theirs = (
        model.fit(rows)
        for model in both(n_components=3, covariance_type=covariance_type, random_state=0, tol=0.1)
    )
    assert_same_fit(ours, theirs, 1e-3)
    for name in ("weights_", "means_", "covariances_", "mean_precision_", "mean_prior_"):
        assert getattr(ours, name).dtype == np.float32, name
    assert ours.score_samples(rows).dtype == ours.predict_proba(rows).dtype == np.float32
    np.testing.assert_array_equal(clone(ours).fit_predict(rows), ours.predict(rows))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_fit_of_weighted_rows_is_the_fit_of_repeated_rows(
    monkeypatch: pytest.MonkeyPatch, covariance_type: str, exact: bool
) -> None:
    times = np.random.default_rng(0).integers(0, 4, size=300)
    places = np.repeat(np.arange(300), times)

    def statistics(*arguments: Any) -> Statistics:
        weight, one_pass = arguments[2:4]
        labels = np.arange(300) // 100 if weight is not None else places // 100
        found: Statistics = one_pass.given(labels, np.zeros((3, 3)))
        return found

    monkeypatch.setattr(bayesian, "first_statistics", statistics)
    model = BayesianGaussianMixture(n_components=3, covariance_type=covariance_type, exact=exact)
    one = clone(model).fit(X, sample_weight=times)
    other = clone(model).fit(X[places])
    assert_same_fit(one, other, 1e-10)
    weighted = one.score(X, sample_weight=times)
    assert weighted == pytest.approx(other.score(X[places]), rel=1e-10)
    labels = clone(model).fit_predict(X, sample_weight=times)
    np.testing.assert_array_equal(labels, one.predict(X))


def test_rows_of_weight_zero_may_hold_anything() -> None:
    rows = np.vstack([X, [[np.nan, np.inf, 1e300]]])
    weight = np.append(np.ones(300), 0.0)
    model = BayesianGaussianMixture(n_components=3, init_params="random_from_data", random_state=0)
    labels = clone(model).fit_predict(rows, sample_weight=weight)
    assert labels[-1] == -1
    fitted = clone(model).fit(rows, sample_weight=weight)
    np.testing.assert_allclose(fitted.mean_prior_, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fitted.covariance_prior_, np.cov(X.T), rtol=1e-10)
    assert fitted.score(rows, sample_weight=weight) == pytest.approx(fitted.score(X), rel=1e-12)


def test_weights_whose_sum_leaves_no_covariance_are_refused() -> None:
    model = BayesianGaussianMixture(n_components=2)
    message = "sum to one or less, as these have no covariance; the sum is 1. Give it and mean_pr"
    with pytest.raises(ValueError, match=message):
        model.fit(X, sample_weight=np.full(300, 1 / 300))
    given = {"mean_prior": X.mean(axis=0), "covariance_prior": np.eye(3)}
    model.set_params(**given).fit(X, sample_weight=np.full(300, 1 / 300))
    assert model.mean_precision_.sum() == pytest.approx(3.0)


def test_missing_numbers_are_no_rows_and_the_bound_never_falls() -> None:
    holed = X.copy()
    holed[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    holed[7] = np.nan
    for covariance_type in COVARIANCE_TYPES:
        model = BayesianGaussianMixture(
            n_components=4, covariance_type=covariance_type, random_state=1, missing="em",
            exact=True, max_iter=300,
        )  # fmt: skip
        with unchanged(holed):
            model.fit(holed)
        assert (np.diff(model.lower_bounds_) >= -1e-12 * abs(model.lower_bound_)).all()
        assert np.isfinite(model.score_samples(holed)).all()
        assert model.model_.missing == "em"
        published = clone(model).set_params(exact=False, reg_covar=0.0).fit(holed)
        assert published.converged_
        if covariance_type == "full":  # the evidence lower bound but for a constant
            rises = np.diff(published.lower_bounds_)
            assert (rises >= -1e-12 * abs(published.lower_bound_)).all()
    with pytest.raises(ValueError, match="Input X contains NaN"):
        BayesianGaussianMixture().fit(holed)
    whole = [
        BayesianGaussianMixture(n_components=3, random_state=1, missing=missing).fit(X)
        for missing in ("raise", "em")
    ]
    np.testing.assert_array_equal(whole[0].means_, whole[1].means_)


def test_estimator_works_in_searches_pipelines_frames_and_pickles() -> None:
    search = GridSearchCV(
        make_pipeline(StandardScaler(), BayesianGaussianMixture(random_state=0)),
        {"bayesiangaussianmixture__n_components": [1, 4]},
    ).fit(X)
    theirs = GridSearchCV(
        make_pipeline(StandardScaler(), scikit_learn.BayesianGaussianMixture(random_state=0)),
        search.param_grid,
    ).fit(X)
    scores = theirs.cv_results_["mean_test_score"]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], scores, rtol=1e-8)
    model = BayesianGaussianMixture(n_components=3, random_state=0, warm_start=True)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model.fit(frame)
    assert model.model_.feature_names == ("a", "b", "c")
    copies = [pickle.loads(pickle.dumps(model)), clone(model).fit(frame)]
    for copy in copies:
        np.testing.assert_array_equal(copy.predict_proba(frame), model.predict_proba(frame))
    model.fit(frame)
    for copy in copies:
        np.testing.assert_array_equal(copy.fit(frame).means_, model.means_)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["c", "b", "a"]])
    with sklearn.config_context(enable_metadata_routing=True):
        weight = np.random.default_rng(0).exponential(size=300)
        routed = BayesianGaussianMixture(random_state=0).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), routed).fit(
            X, sample_weight=weight
        )
        alone = clone(routed).fit(StandardScaler().fit_transform(X), sample_weight=weight)
        np.testing.assert_array_equal(pipeline[-1].means_, alone.means_)


def test_model_is_the_mixture_of_the_expected_parameters() -> None:
    model = BayesianGaussianMixture(n_components=3, random_state=0)
    with pytest.raises(NotFittedError):
        _ = model.model_
    model.fit(X)
    assert isinstance(model.model_, mixtura.GaussianMixture)
    np.testing.assert_allclose(model.model_.weights, model.weights_, rtol=1e-15)
    np.testing.assert_array_equal(model.model_.covariances, model.covariances_)
    theirs = scikit_learn.BayesianGaussianMixture(n_components=3, random_state=0).fit(X)
    converted = mixtura.GaussianMixture.from_sklearn(theirs)
    np.testing.assert_allclose(converted.means, model.means_, rtol=1e-10)


def test_large_rows_of_float32_end_when_those_of_float64_do() -> None:
    rows = clustered(40_000, 16, 3)[0].astype(np.float32)
    given = {"n_components": 3, "random_state": 0, "covariance_type": "diag", "tol": 1e-6}
    models = [
        BayesianGaussianMixture(init_params="random_from_data", **given).fit(kind)
        for kind in (rows, rows.astype(np.float64))
    ]
    assert models[0].n_iter_ == models[1].n_iter_
    assert models[0].lower_bound_ == pytest.approx(models[1].lower_bound_, rel=1e-12)


def test_fit_on_any_number_of_threads_gives_the_same_bits() -> None:
    rows = clustered(6000, 4, 5)[0]
    models = [
        BayesianGaussianMixture(n_components=5, random_state=0, n_threads=n).fit(rows)
        for n in (1, 2, 3)
    ]
    for model in models[1:]:
        np.testing.assert_array_equal(model.covariances_, models[0].covariances_)
        assert model.lower_bounds_ == models[0].lower_bounds_
        np.testing.assert_array_equal(model.predict_proba(rows), models[0].predict_proba(rows))


def test_fit_that_uses_up_max_iter_warns_where_it_was_called() -> None:
    for method in ("fit", "fit_predict"):
        model = BayesianGaussianMixture(n_components=3, max_iter=1, random_state=0)
        with pytest.warns(ConvergenceWarning, match="did not converge") as caught:
            getattr(model, method)(X)
        assert caught[0].filename == __file__


@unfinished
def test_verbose_fit_prints_the_changes_that_scikit_learn_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = []
    for model in both(n_components=4, max_iter=4, tol=0.0, random_state=0, verbose=2):
        model.set_params(verbose_interval=1).fit(X)
        lines = capsys.readouterr().out.splitlines()
        printed.append([float(line.split("ll change ")[1]) for line in lines if "ll ch" in line])
    assert np.isinf(printed[0][0])
    np.testing.assert_allclose(printed[0][1:], printed[1][1:], rtol=0, atol=1.5e-5)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_components": 0}, ValueError, "n_components must be an integer, 1 or more; got 0"),
        ({"exact": 1}, TypeError, "exact must be True or False; got 1"),
        (
            {"weight_concentration_prior_type": "dirichlet"}, ValueError,
            "weight_concentration_prior_type must be one of 'dirichlet_process'",
        ),
        (
            {"weight_concentration_prior": 0.0}, ValueError,
            "weight_concentration_prior must be positive; got 0. Give a number above 0, or None.",
        ),
        ({"mean_precision_prior": -1}, ValueError, "mean_precision_prior must be a finite number"),
        ({"mean_precision_prior": "1"}, TypeError, "mean_precision_prior must be a finite number"),
        ({"mean_prior": [0.0]}, ValueError, r"'mean_prior' should have the shape of \(3,\)"),
        ({"mean_prior": [0.0, np.nan, 0.0]}, ValueError, "mean_prior must be finite; feature 1"),
        (
            {"degrees_of_freedom_prior": 2.0, "covariance_type": "diag"}, ValueError,
            "'degrees_of_freedom_prior' should be greater than 2, but got 2.000. Give more, or",
        ),
        (
            {"degrees_of_freedom_prior": 2.0, "exact": True}, ValueError,
            "'degrees_of_freedom_prior' should be greater than 2, but got 2.000",
        ),
        ({"covariance_prior": 1.0}, ValueError, r"'covariance_prior' should have the shape of \(3"),
        ({"covariance_prior": -np.eye(3)}, ValueError, "'covariance_prior' should be symmetric, p"),
        (
            {"covariance_prior": [1.0, 0.0, 1.0], "covariance_type": "diag"}, ValueError,
            "'covariance_prior' should be positive. Give another one, or None for that of the rows",
        ),
        (
            {"covariance_prior": -1.0, "covariance_type": "spherical"}, ValueError,
            "'covariance_prior' should be positive",
        ),
    ],
)  # fmt: skip
def test_fit_with_a_wrong_parameter_says_so(
    parameters: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        BayesianGaussianMixture(**({"n_components": 2} | parameters)).fit(X)


def test_exact_rules_take_fewer_degrees_of_freedom_for_single_precisions() -> None:
    for covariance_type in ("diag", "spherical"):
        model = BayesianGaussianMixture(
            covariance_type=covariance_type, degrees_of_freedom_prior=0.1, exact=True
        ).fit(X)
        assert np.isfinite(model.lower_bound_)


def test_prior_of_a_fit_is_in_its_attributes() -> None:
    model = BayesianGaussianMixture(n_components=2, exact=True, random_state=0).fit(X)
    prior = bayesian.prior_of(model, _pass_over(X))
    assert isinstance(prior, PriorLaws)
    np.testing.assert_array_equal(prior.covariance, model.covariance_prior_)


def _pass_over(rows: Any) -> Any:
    from mixtura.data import ArrayRows
    from mixtura.passes import Backend, RowsPass
    from mixtura.shapes import FULL

    return RowsPass(ArrayRows(rows), FULL, Backend())


# ---- parameters that change after a fit ----


@pytest.mark.parametrize(
    "changed",
    [
        {"covariance_type": "diag"},
        {"weight_concentration_prior_type": "dirichlet_distribution"},
        {"exact": True},
        {"n_components": 2},
    ],
)
def test_answers_stay_after_set_params_and_a_warm_start_says_what_changed(
    changed: dict[str, Any],
) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = BayesianGaussianMixture(
        n_components=3, random_state=0, warm_start=True, max_iter=500
    ).fit(X)
    before = model.score_samples(X), model.predict(X), model.model_
    model.set_params(**changed)
    np.testing.assert_array_equal(model.score_samples(X), before[0])
    np.testing.assert_array_equal(model.predict(X), before[1])
    assert model.model_ == before[2]
    (name,) = changed
    with pytest.raises(ValueError, match=f"^with warm_start=True, fit continues .* of {name}="):
        model.fit(X)
    model.set_params(warm_start=False).fit(X)


@pytest.mark.parametrize(
    "name", ["weight_concentration_prior", "mean_precision_prior", "degrees_of_freedom_prior"]
)
def test_number_of_the_prior_that_is_too_large_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=f"^{name} must be between 1e-300 and 1e\\+16; got 1e\\+308"
    ):
        BayesianGaussianMixture(**{name: 1e308}).fit(np.eye(2))
