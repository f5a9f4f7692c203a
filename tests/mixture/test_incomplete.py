"""What a mixture answers about rows with missing numbers: against scipy.stats and plain loops."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import re
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import LAYOUTS, unchanged
from scipy import stats
from scipy.special import logsumexp

import mixtura
from mixtura import GaussianMixture, datasets, fit_gmm, scan
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.shapes import SHAPE_NAMES, Floats

DATA = Path(__file__).parents[1] / "data"
FIGURES = json.loads((DATA / "missing" / "cases.json").read_text())
IRIS = datasets.load_iris().data
WHOLE = IRIS[::3]
every_type = pytest.mark.parametrize("covariance_type", [*SHAPE_NAMES, *CELEUX_GOVAERT])
each_case = pytest.mark.parametrize("case", FIGURES, ids=lambda case: case["case"])


def holed(share: float = 0.3, seed: int = 0, rows: Floats = WHOLE) -> Floats:
    """Rows with holes in random places; the first row has nothing, the second nearly nothing."""
    X = rows.copy()
    X[np.random.default_rng(seed).random(X.shape) < share] = np.nan
    X[0] = X[1, 1:] = np.nan
    X[1, 0] = 5.0
    return X


@cache
def model_of(covariance_type: str) -> GaussianMixture:
    return fit_gmm(IRIS, 3, covariance_type=covariance_type, rng=0, max_iter=4, tol=0.0).model


def fitted(covariance_type: str = "full", **changed: Any) -> GaussianMixture:
    return dataclasses.replace(model_of(covariance_type), **changed)


def joint_log_density(model: GaussianMixture, X: Floats) -> Floats:
    """Log of weight times density of the observed numbers of each row, by SciPy."""
    matrices = model.covariance_matrices()
    out = np.tile(np.log(model.weights), (len(X), 1))
    for i, row in enumerate(X):
        o = np.flatnonzero(~np.isnan(row))
        for j in range(model.n_components if len(o) else 0):
            normal = stats.multivariate_normal(model.means[j, o], matrices[j][np.ix_(o, o)])
            out[i, j] += normal.logpdf(row[o])
    return out


def expectations(model: GaussianMixture, row: Floats) -> tuple[Floats, Floats]:
    """Of the missing numbers of one row, given each component: means and covariances."""
    o, m = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
    means, covariances = [], []
    for mean, C in zip(model.means, model.covariance_matrices(), strict=True):
        slopes = C[np.ix_(m, o)] @ np.linalg.inv(C[np.ix_(o, o)])
        means.append(mean[m] + slopes @ (row[o] - mean[o]))
        covariances.append(C[np.ix_(m, m)] - slopes @ C[np.ix_(o, m)])
    return np.array(means), np.array(covariances)


# Published figures


@each_case
def test_answers_about_rows_are_the_published_figures(case: dict[str, Any]) -> None:
    names = ("weights", "means", "covariances", "covariance_type")
    model = GaussianMixture(**{name: case[name] for name in names}, missing="em")
    X = np.genfromtxt(DATA / "missing" / case["data"], delimiter=",", skip_header=1)
    assert case["rows"]
    for row in case["rows"]:
        x = X[[row["row"]]]
        o = ~np.isnan(x[0])
        assert np.flatnonzero(~o).tolist() == row["missing"]
        assert model.log_prob(x)[0] == pytest.approx(row["log_prob"], rel=1e-8, abs=1e-8)
        np.testing.assert_allclose(
            model.responsibilities(x)[0], row["responsibilities"], rtol=1e-7, atol=1e-12
        )
        np.testing.assert_allclose(model.impute(x)[0], row["expected_row"], rtol=1e-8)
        if o.all():
            continue
        part = model.conditional(o, x[0, o])
        np.testing.assert_allclose(part.mean(), np.array(row["expected_row"])[~o], rtol=1e-8)
        np.testing.assert_allclose(
            part.covariance(), row["conditional_covariance_of_missing"], rtol=1e-7, atol=1e-10
        )


# Densities and criteria


@every_type
def test_densities_of_incomplete_rows_are_those_of_the_observed_numbers(
    covariance_type: str,
) -> None:
    model, X = fitted(covariance_type, missing="em"), holed()
    joint = joint_log_density(model, X)
    total = logsumexp(joint, axis=1)
    np.testing.assert_allclose(model.component_log_prob(X), joint, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(model.log_prob(X), total, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        model.responsibilities(X), np.exp(joint - total[:, None]), rtol=1e-7, atol=1e-12
    )
    np.testing.assert_array_equal(model.predict(X), joint.argmax(axis=1))
    assert model.log_prob(X)[0] == pytest.approx(0.0, abs=1e-15)
    np.testing.assert_allclose(model.responsibilities(X)[0], model.weights, rtol=1e-14)


@every_type
def test_criteria_of_incomplete_rows_are_their_formulas(covariance_type: str) -> None:
    model, X = fitted(covariance_type, missing="em"), holed()
    weight = np.random.default_rng(1).integers(0, 4, size=len(X)).astype(float)
    joint = joint_log_density(model, X)
    total, n = weight @ logsumexp(joint, axis=1), weight.sum()
    completed = weight @ joint.max(axis=1)
    p = model.n_parameters
    assert model.log_likelihood(X, weight) == pytest.approx(total, rel=1e-10)
    assert model.aic(X, weight) == pytest.approx(-2.0 * total + 2.0 * p, rel=1e-10)
    assert model.bic(X, weight) == pytest.approx(-2.0 * total + p * np.log(n), rel=1e-10)
    assert model.icl(X, weight) == pytest.approx(-2.0 * completed + p * np.log(n), rel=1e-10)


def test_densities_are_those_of_the_marginal_and_of_whole_rows() -> None:
    model, X = fitted(missing="em"), WHOLE.copy()
    X[::2, [1, 3]] = np.nan
    np.testing.assert_allclose(
        model.log_prob(X)[::2], model.marginal([0, 2]).log_prob(X[::2][:, [0, 2]]), rtol=1e-11
    )
    np.testing.assert_allclose(model.log_prob(X)[1::2], model.log_prob(WHOLE)[1::2], rtol=1e-11)


METHODS = [
    "log_prob", "component_log_prob", "responsibilities", "predict",
    "log_likelihood", "aic", "bic", "icl",
]  # fmt: skip
each_method = pytest.mark.parametrize("name", METHODS)


@each_method
def test_missing_of_a_method_decides_before_that_of_the_mixture(name: str) -> None:
    strict, lenient, X = fitted(), fitted(missing="em"), holed()
    expected = getattr(lenient, name)(X)
    np.testing.assert_array_equal(getattr(strict, name)(X, missing="em"), expected)
    np.testing.assert_array_equal(getattr(lenient, name)(X, missing="em"), expected)
    message = r'row 0, column 0 is nan.* or pass missing="em"'
    for refused in (
        lambda: getattr(strict, name)(X),
        lambda: getattr(strict, name)(X, missing="raise"),
        lambda: getattr(lenient, name)(X, missing="raise"),
    ):
        with pytest.raises(ValueError, match=message):
            refused()
    with pytest.raises(ValueError, match="missing must be one of 'raise', 'em'; got 'mean'"):
        getattr(strict, name)(X, missing="mean")


@each_method
def test_whole_rows_have_the_same_answers_to_the_bit(name: str) -> None:
    one, other = fitted(), fitted(missing="em")
    np.testing.assert_array_equal(getattr(one, name)(WHOLE), getattr(other, name)(WHOLE))


@each_method
def test_infinite_number_is_not_a_missing_one(name: str) -> None:
    X = holed()
    X[3, 2] = -np.inf
    with pytest.raises(ValueError, match="X must be finite or missing; row 3, column 2 is -inf"):
        getattr(fitted(missing="em"), name)(X)


@each_method
def test_one_row_alone_may_lack_any_number(name: str) -> None:
    """A column without any number is an error of a fit, not of a question."""
    model = fitted(missing="em")
    for row in ([[np.nan, 3.0, np.nan, np.nan]], [[np.nan] * 4]):
        assert np.isfinite(getattr(model, name)(row)).all()


EVERY = [*METHODS, "impute"]
every_question = pytest.mark.parametrize("name", EVERY)


@every_question
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_question_on_any_layout_has_the_same_answer_and_leaves_it(
    name: str, layout: Callable[[Floats], Floats], dtype: type
) -> None:
    method, X = getattr(fitted(missing="em"), name), holed().astype(dtype)
    arranged = layout(X)
    with unchanged(arranged):
        np.testing.assert_array_equal(method(arranged), method(X))


@every_question
def test_question_on_blocks_has_the_answer_of_all_together(name: str) -> None:
    method, X = getattr(fitted(missing="em"), name), holed()
    X[:20] = WHOLE[:20]  # a block without holes
    for blocks in ([X[:20], X[20:21], X[21:]], [X[:0], X]):
        np.testing.assert_allclose(method(scan(blocks)), method(X), rtol=1e-13)


@every_question
@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_question_on_any_number_of_threads_has_the_same_bits(name: str, n_threads: int) -> None:
    method, X = getattr(fitted(missing="em"), name), np.tile(holed(), (10, 1))
    np.testing.assert_array_equal(method(X, n_threads=n_threads), method(X, n_threads=1))


@every_question
def test_nulls_of_frames_are_missing_numbers(name: str) -> None:
    names = ["a", "b", "c", "d"]
    X = holed()
    method = getattr(fitted(missing="em", feature_names=names), name)
    frames = [
        pd.DataFrame(X, columns=names),
        pd.DataFrame(X, columns=names).convert_dtypes(),
        pl.DataFrame({a: [None if np.isnan(x) else x for x in X[:, i]] for i, a in
                      enumerate(names)}),
        np.ma.MaskedArray(np.nan_to_num(X), np.isnan(X)),
    ]  # fmt: skip
    for frame in frames:
        np.testing.assert_array_equal(method(frame), method(X))
    with pytest.raises(ValueError, match="it has them in another order"):
        method(frames[0][["b", "a", "c", "d"]])


@every_question
def test_question_on_no_rows_is_answered(name: str) -> None:
    if name in ("aic", "bic", "icl"):
        return
    method = getattr(fitted(missing="em"), name)
    assert len(np.atleast_1d(method(np.empty((0, 4))))) == (name == "log_likelihood")


def test_component_of_weight_zero_takes_no_part_in_answers() -> None:
    model, X = fitted(missing="em", weights=[0.0, 0.5, 0.5]), holed()
    np.testing.assert_array_equal(model.responsibilities(X)[:, 0], 0.0)
    two = GaussianMixture([0.5, 0.5], model.means[1:], model.covariances[1:], missing="em")
    np.testing.assert_allclose(model.impute(X), two.impute(X), rtol=1e-12)
    assert 0 not in model.predict(X)


def test_row_beyond_all_density_has_the_weights() -> None:
    model, X = fitted(missing="em"), np.array([[1e200, np.nan, np.nan, 0.0]])
    assert model.log_prob(X)[0] == -np.inf
    np.testing.assert_allclose(model.responsibilities(X)[0], model.weights, rtol=1e-15)
    assert np.isfinite(model.impute(X)).all()
    assert np.isfinite(model.impute(X, rng=0)).all()


# Imputation


@every_type
def test_imputed_numbers_are_expectations_over_the_components(covariance_type: str) -> None:
    model, X = fitted(covariance_type), holed()
    joint = joint_log_density(model, X)
    resp = np.exp(joint - logsumexp(joint, axis=1)[:, None])
    expected = X.copy()
    for i, row in enumerate(X):
        m = np.isnan(row)
        expected[i, m] = resp[i] @ expectations(model, row)[0]
    found = model.impute(X)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_array_equal(found[~np.isnan(X)], X[~np.isnan(X)])
    np.testing.assert_allclose(found[0], model.mean(), rtol=1e-13)


@pytest.mark.parametrize("rng", [None, 0])
def test_observed_numbers_keep_their_bits_and_float32_stays(rng: int | None) -> None:
    model, X = fitted(), holed(rows=WHOLE + 0.1)
    X[2] = [-0.0, 1e-320, 1e300, 7.0]
    found = model.impute(X, rng)
    there = ~np.isnan(X)
    assert found.dtype == np.float64
    assert found[there].tobytes() == X[there].tobytes()
    assert np.isfinite(found).all()
    single = X.astype(np.float32, casting="same_kind") if rng else holed().astype(np.float32)
    found = model.impute(single, rng)
    there = ~np.isnan(single)
    assert found.dtype == np.float32
    assert found[there].tobytes() == single[there].tobytes()


def test_whole_rows_are_returned_as_a_copy() -> None:
    X = WHOLE.copy()
    found = fitted().impute(X)
    assert found.tobytes() == X.tobytes()
    assert not np.shares_memory(found, X)
    assert found.flags.writeable


@every_type
def test_draws_have_the_conditional_means_and_covariances(covariance_type: str) -> None:
    model = fitted(covariance_type)
    for row in ([np.nan, 2.6, np.nan, 1.5], [5.6, np.nan, np.nan, np.nan], [np.nan] * 4):
        x = np.array(row)
        o = ~np.isnan(x)
        draws = model.impute(np.tile(x, (20_000, 1)), rng=1)[:, ~o]
        part = model.conditional(o, x[o])
        scale = np.sqrt(np.diag(part.covariance()))
        np.testing.assert_allclose((draws.mean(axis=0) - part.mean()) / scale, 0.0, atol=0.04)
        np.testing.assert_allclose(
            np.atleast_2d(np.cov(draws.T)) / np.outer(scale, scale),
            part.covariance() / np.outer(scale, scale),
            atol=0.05,
        )


def test_draws_are_of_the_whole_conditional_distribution() -> None:
    """Kolmogorov and Smirnov's test, where two components answer for the row."""
    model = GaussianMixture(
        [0.4, 0.6], [[0.0, 0.0], [1.0, 6.0]], [[[1.0, 0.8], [0.8, 1.0]], [[2.0, -0.5], [-0.5, 1.0]]]
    )
    draws = model.impute(np.tile([0.4, np.nan], (5000, 1)), rng=2)[:, 1]
    part = model.conditional([0], [0.4])
    assert 0.1 < part.weights[0] < 0.9
    assert stats.kstest(draws, part.cdf).pvalue > 0.01
    assert stats.kstest(draws, model.marginal([1]).cdf).pvalue < 1e-6


def test_draws_of_a_seed_are_the_same_also_in_blocks() -> None:
    model, X = fitted(), holed()
    once = model.impute(X, rng=5)
    np.testing.assert_array_equal(once, model.impute(X, np.random.default_rng(5)))
    np.testing.assert_allclose(once, model.impute(scan([X[:7], X[7:30], X[30:]]), 5), rtol=1e-13)
    assert (once != model.impute(X, rng=6))[np.isnan(X)].all()
    generator = np.random.default_rng(5)
    assert (model.impute(X, generator) != model.impute(X, generator))[np.isnan(X)].all()


@pytest.mark.parametrize(("rng", "bytes_a_row", "arrays"), [(None, 0, 5), (0, 8, 10)])
def test_imputing_takes_memory_for_some_rows_at_a_time(
    rng: int | None, bytes_a_row: int, arrays: int
) -> None:
    n, d = 400_000, 8
    X = np.zeros((n, d))
    X[::2, 0] = X[::3, 1] = np.nan
    model = GaussianMixture([0.5, 0.5], np.eye(2, d), np.ones((2, d)), "diag")
    tracemalloc.start()
    filled = model.impute(X, rng)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - filled.nbytes < bytes_a_row * n + arrays * 2**22


def test_rows_taken_some_at_a_time_are_imputed_as_together(monkeypatch: pytest.MonkeyPatch) -> None:
    model, X = fitted(), holed()
    together = model.impute(X), model.impute(X, rng=3)
    monkeypatch.setattr("mixtura.mixture.imputing.ELEMENTS_AT_ONCE", 20)
    np.testing.assert_allclose(model.impute(X), together[0], rtol=1e-13)
    np.testing.assert_allclose(model.impute(X, rng=3), together[1], rtol=1e-13)


def test_row_of_weight_zero_is_imputed_where_it_can_be() -> None:
    model, X = fitted(), WHOLE[:6].copy()
    X[1, 2], X[3, 0] = np.nan, np.inf
    weight = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    found = model.impute(scan([X[:2], X[2:]]).reweighted(weight))
    expected = X.copy()
    expected[1] = model.impute(X[1:2])
    expected[3] = np.nan
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="row 1, column 0 is inf"):
        model.impute(scan([X[:2], X[2:]]))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rng": -1}, ValueError, "rng must be an integer, 0 or more; got -1"),
        ({"rng": "one"}, TypeError, "rng must be None, an integer seed"),
        ({"n_threads": 0}, ValueError, "n_threads must be an integer, 1 or more; got 0"),
    ],
)
def test_options_of_impute_that_cannot_be_used_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        fitted().impute(WHOLE, **options)


# The attribute


def test_missing_is_kept_by_whatever_makes_another_mixture(tmp_path: Path) -> None:
    model = fitted(missing="em")
    model.save(tmp_path / "model.npz")
    for other in (
        copy.copy(model),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        dataclasses.replace(model, weights=[0.2, 0.3, 0.5]),
        model.reordered([2, 0, 1]),
        model.marginal([1, 2]),
        model.conditional([1], [3.0]),
        mixtura.load(tmp_path / "model.npz"),
    ):
        assert other.missing == "em"
    assert repr(model).endswith("covariance_type='full', missing='em')")
    assert repr(fitted()).endswith("covariance_type='full')")


def test_missing_is_no_part_of_equality() -> None:
    assert fitted(missing="em") == fitted()
    assert hash(fitted(missing="em")) == hash(fitted())


def test_mixture_of_an_older_file_raises_for_missing_numbers() -> None:
    for name in ("full-v1.npz", "fit-v1.npz"):
        assert mixtura.load(DATA / name).missing == "raise"


def test_other_missing_of_a_mixture_is_refused() -> None:
    with pytest.raises(ValueError, match="missing must be one of 'raise', 'em'; got 'drop'"):
        fitted(missing="drop")


def test_file_with_another_missing_is_refused(tmp_path: Path) -> None:
    model = fitted()
    object.__setattr__(model, "missing", "drop")
    model.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="missing must be one of 'raise', 'em'; got 'drop'"):
        mixtura.load(tmp_path / "model.npz")


def test_model_of_a_fit_takes_what_the_fit_took_for_missing() -> None:
    X = holed()
    fit = fit_gmm(X, 2, missing="em", rng=0)
    assert fit.missing == fit.model.missing == "em"
    assert fit.model.log_likelihood(X) == pytest.approx(fit.log_likelihood, rel=1e-12)
    assert fit.icl(X) == fit.model.icl(X, missing="em")
    np.testing.assert_array_equal(fit.predict(X), fit.model.predict(X))
    np.testing.assert_array_equal(fit.impute(X), fit.model.impute(X))
    assert fit_gmm(WHOLE, 2, missing="em", rng=0).missing == "em"  # also where nothing is missing
    assert fit_gmm(WHOLE, 2, rng=0).missing == "raise"
    assert fit_gmm(scan([X[:9], X[9:]]), 2, missing="em", rng=0).missing == "em"


def test_state_of_a_fit_has_a_model_that_takes_missing_numbers() -> None:
    X, found = holed(), []
    fit_gmm(X, 2, missing="em", rng=0, max_iter=3, tol=0.0,
            callback=lambda state: found.append(state.model.log_prob(X)))  # fmt: skip
    assert np.isfinite(found).all()
