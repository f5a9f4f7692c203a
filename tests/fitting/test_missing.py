"""Fits of rows with missing values: EM of what is observed, from every start."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clusters import assert_same_fit_bits, clustered
from helpers import COVARIANCE_TYPES
from holes import holed_clusters, joint_of_observed, log_likelihood_of_observed, with_holes
from kills import fit_with_kills
from loops import largest_fall
from scipy import optimize, special
from tables import pandas

import mixtura
from mixtura import (
    GaussianMixture,
    GMMFit,
    bootstrap_lrt,
    datasets,
    fit_gmm,
    fit_kmeans,
    scan,
    select_gmm,
)
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.shapes import EPS, Floats

NOISE = 64.0 * EPS  # of two evaluations of an objective, in units of its own size
X = holed_clusters()
LABELS = np.arange(len(X)) % 2


def em(X: object, k: int = 2, **options: object) -> GMMFit:
    return fit_gmm(X, k, **{"missing": "em", "rng": 0, "n_init": 2} | options)


def unconstrained(parameters: Floats, k: int, d: int) -> GaussianMixture:
    """A mixture from free numbers: log-ratios of weights, means, and roots of covariances."""
    weights = special.softmax(np.append(parameters[: k - 1], 0.0))
    means = parameters[k - 1 : k - 1 + k * d].reshape(k, d)
    roots = np.zeros((k, d, d))
    roots[:, *np.tril_indices(d)] = parameters[k - 1 + k * d :].reshape(k, -1)
    return GaussianMixture(weights, means, roots @ roots.transpose(0, 2, 1))


# ---- what a fit is ----


@pytest.mark.parametrize("kind", ["soft", "hard", "annealed"])
@pytest.mark.parametrize("rows", ["array", "blocks", "weights"])
@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV"])
def test_fit_of_complete_rows_is_that_without_missing_values_to_the_bit(
    covariance_type: str, rows: str, kind: str
) -> None:
    complete, weight = clustered()[0], None
    if rows == "weights":
        weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], size=len(complete))
    given = scan(np.array_split(complete, 3)) if rows == "blocks" else complete
    options = {"covariance_type": covariance_type, "em": kind, "rng": 0, "n_init": 2}
    one = fit_gmm(given, 3, sample_weight=weight, **options)
    other = fit_gmm(given, 3, sample_weight=weight, missing="em", **options)
    assert_same_fit_bits(one, other)


@pytest.mark.parametrize("reg_covar", [0.0, 1e-3])
@pytest.mark.parametrize("kind", ["soft", "hard"])
@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_objective_never_falls_and_is_that_of_the_observed_numbers(
    name: str, kind: str, reg_covar: float
) -> None:
    fit = em(
        X, init=LABELS, covariance_type=name, em=kind, reg_covar=reg_covar, tol=0.0, max_iter=25,
        avoid_spurious=False,
    )  # fmt: skip
    assert largest_fall(fit.history, fit.events) <= NOISE * np.abs(fit.history).max()
    assert fit.history[-1] > fit.history[0]
    assert fit.log_likelihood == pytest.approx(log_likelihood_of_observed(X, fit.model), rel=1e-11)
    present = ~np.isnan(X)
    means = np.nanmean(X, axis=0)
    ridge = reg_covar * np.array(
        [np.square(X[there, a] - means[a]).mean() for a, there in enumerate(present.T)]
    )
    joint = joint_of_observed(X, fit.model, ridge)
    best = joint.max(axis=1) if kind == "hard" else special.logsumexp(joint, axis=1)
    assert fit.history[-1] == pytest.approx(best.mean(), rel=1e-11)


def test_annealed_fit_ends_where_ordinary_iterations_are_over() -> None:
    fit = em(X, init=LABELS, em="annealed", reg_covar=0.0, tol=1e-10)
    again = em(X, init=fit.model, reg_covar=0.0, tol=0.0, max_iter=20)
    assert again.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-6)
    assert fit.log_likelihood == pytest.approx(log_likelihood_of_observed(X, fit.model), rel=1e-11)


@pytest.mark.parametrize("k", [1, 2])
def test_fit_is_where_direct_optimisation_of_the_observed_likelihood_ends(k: int) -> None:
    rows = holed_clusters(60, 2, 2, seed=3)
    fit = em(rows, k, reg_covar=0.0, tol=1e-13, avoid_spurious=False)
    model, d = fit.model, 2
    roots = np.linalg.cholesky(model.covariance_matrices())
    start = np.concatenate(
        [np.log(model.weights[:-1] / model.weights[-1]), model.means.ravel(),
         roots[:, *np.tril_indices(d)].ravel()]
    )  # fmt: skip
    shaken = start + 0.02 * np.random.default_rng(0).normal(size=len(start))
    found = optimize.minimize(
        lambda free: -log_likelihood_of_observed(rows, unconstrained(free, k, d)),
        shaken, method="BFGS", options={"gtol": 1e-6},
    )  # fmt: skip
    assert -log_likelihood_of_observed(rows, unconstrained(shaken, k, d)) > found.fun + 1e-3
    assert -found.fun == pytest.approx(fit.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(unconstrained(found.x, k, d).means, model.means, atol=1e-3)


# ---- what the rows may be ----


def test_row_of_weight_two_is_two_rows_and_of_weight_zero_none() -> None:
    begin = em(X).model
    weight = np.random.default_rng(1).integers(0, 3, len(X)).astype(float)
    assert np.isnan(X[weight == 0.0]).any()
    options = {"init": begin, "tol": 0.0, "max_iter": 10}
    one = em(X, sample_weight=weight, **options)
    other = em(np.repeat(X, weight.astype(int), axis=0), **options)
    np.testing.assert_allclose(one.model.means, other.model.means, rtol=1e-10)
    np.testing.assert_allclose(one.model.covariances, other.model.covariances, rtol=1e-9)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    assert one.entropy == pytest.approx(other.entropy, rel=1e-9)
    junk = np.vstack([X, np.full((3, 3), np.inf), [[np.nan, 1e9, 0.0]]])
    absent = em(junk, sample_weight=np.append(weight, np.zeros(4)), **options)
    np.testing.assert_allclose(absent.model.means, one.model.means, rtol=1e-12)


def test_row_with_nothing_observed_changes_only_how_fast_weights_move() -> None:
    some = X[~np.isnan(X).all(axis=1)]
    more = np.vstack([some, np.full((5, 3), np.nan)])
    begin = em(some).model
    one, other = (em(rows, init=begin, reg_covar=0.0, tol=1e-13) for rows in (some, more))
    np.testing.assert_allclose(other.model.means, one.model.means, atol=1e-6)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)


def test_order_of_rows_and_columns_does_not_matter() -> None:
    begin = em(X).model
    rows, columns = np.random.default_rng(2).permutation(len(X)), [2, 0, 1]
    permuted = GaussianMixture(
        begin.weights, begin.means[:, columns],
        begin.covariances[:, columns][:, :, columns],
    )  # fmt: skip
    one = em(X, init=begin, tol=0.0, max_iter=10)
    other = em(X[rows][:, columns], init=permuted, tol=0.0, max_iter=10)
    np.testing.assert_allclose(other.model.means, one.model.means[:, columns], rtol=1e-10)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X.astype(np.float32).astype(float),
        lambda X: np.asfortranarray(X),
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X.tolist(),
        lambda X: np.ma.masked_array(np.nan_to_num(X, nan=7.0), mask=np.isnan(X)),
        lambda X: pandas("DataFrame", X).convert_dtypes(),
        lambda X: scan([X[:1], X[1:70], X[70:70], X[70:]]),
    ],
    ids=["rounded", "columns", "strided", "list", "masked", "pandas", "blocks"],
)
def test_fit_does_not_depend_on_what_holds_the_rows(change: Callable[[Floats], object]) -> None:
    rounded = X.astype(np.float32).astype(float)
    one = em(rounded, init=LABELS, max_iter=10, tol=0.0)
    other = em(change(rounded), init=LABELS, max_iter=10, tol=0.0)
    np.testing.assert_allclose(other.model.means, one.model.means, rtol=1e-9)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-11)
    single = em(X.astype(np.float32), init=LABELS, max_iter=10, tol=0.0)
    np.testing.assert_allclose(single.model.means, one.model.means, rtol=1e-9)


def test_missing_values_are_refused_unless_they_are_asked_for() -> None:
    message = r'fill in the values, or pass missing="em"\.$'
    for call in (fit_gmm, select_gmm, fit_kmeans, bootstrap_lrt):
        with pytest.raises(ValueError, match=message):
            call(X, 2)
        with pytest.raises(ValueError, match="missing must be one of 'raise', 'em'; got 'drop'"):
            call(X, 2, missing="drop")
    with pytest.raises(ValueError, match=message):
        fit_kmeans(X, 2, missing="em").predict(X, missing="raise")


def test_column_without_numbers_is_refused_by_name_in_every_fit() -> None:
    frame = pandas("DataFrame", {"a": np.arange(9.0), "b": np.full(9, np.nan)})
    for call in (fit_gmm, select_gmm, fit_kmeans, bootstrap_lrt):
        with pytest.raises(ValueError, match="column 'b' has only missing ones"):
            call(frame, 2, missing="em")
    fit = em(frame[["a"]], 1)
    assert fit.model.feature_names == ("a",)


# ---- starts ----


@pytest.mark.parametrize(
    "init",
    [
        "kmeans", "kmeans++", "random", "hierarchical", "labels", "responsibilities", "means",
        "mixture", "k-means", "tree", "callable",
    ],
)  # fmt: skip
def test_every_start_leads_to_the_clusters(init: str) -> None:
    complete = datasets.load_faithful().data
    rows = with_holes(complete, 0.3)
    best = em(rows, init=fit_gmm(complete, 2, rng=0).model)
    labels = (complete[:, 1] > 68.0).astype(int)
    starts: dict[str, object] = {
        "labels": np.where(np.arange(len(rows)) % 5, labels, -1),
        "responsibilities": np.eye(2)[labels],
        "means": np.array([[2.0, 55.0], [4.3, 80.0]]),
        "mixture": best.model,
        "k-means": fit_kmeans(rows / complete.std(axis=0), 2, missing="em", rng=0),
        "tree": mixtura.hierarchical(complete),
        "callable": lambda X, k, rng: labels,  # noqa: ARG005
    }
    fit = em(rows, init=starts.get(init, init))
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(best.log_likelihood, abs=1e-3)


@pytest.mark.filterwarnings("ignore::mixtura.UnobservedPairsWarning")
def test_start_of_a_rare_feature_and_of_features_never_seen_together() -> None:
    rows, labels = clustered(160, 4, 2, seed=5)
    rows[:, 3] += 1e6
    rows[10:, 3] = np.nan  # ten rows have it
    rows[::2, 0], rows[1::2, 1] = np.nan, np.nan
    for name in ("VVE", "diag"):
        fit = em(rows, covariance_type=name, tol=1e-3)
        assert np.isfinite(fit.log_likelihood)
        assert np.abs(fit.model.means[:, 3] - 1e6).max() < 100.0
        given = em(rows, init=labels, covariance_type=name, tol=1e-3)
        assert fit.log_likelihood > given.log_likelihood - 5.0


def test_search_puts_no_component_where_a_row_has_no_number() -> None:
    """Random swaps put one about a row; here that row has nothing observed."""
    X = [[np.nan, 0.711, -1.741], [np.nan] * 3, [5.512, np.nan, 3.793]]
    with pytest.warns(mixtura.UnobservedPairsWarning):
        fit = fit_gmm(
            X, 3, covariance_type="EEV", init="hierarchical", n_init=10, missing="em", rng=495
        )
    assert np.isfinite(fit.means).all()
    assert np.isfinite(fit.covariances).all()


def test_fixed_parts_stay_and_others_fit() -> None:
    begin = em(X).model
    fit = em(X, init=begin, fixed=[True, False], max_iter=5, tol=0.0)
    np.testing.assert_array_equal(fit.model.means[0], begin.means[0])
    assert (fit.model.means[1] != begin.means[1]).all()


@pytest.mark.parametrize("on_collapse", ["reseed", "drop", "raise"])
def test_component_that_collapses_is_handled_as_in_complete_rows(on_collapse: str) -> None:
    there = ~np.isnan(X).all(axis=1)
    rows = np.vstack([X[there], np.full((3, 3), 50.0)])
    labels = np.append(LABELS[there], [2, 2, 2])
    options = {"init": labels, "reg_covar": 0.0, "on_collapse": on_collapse}
    if on_collapse == "raise":
        with pytest.raises(mixtura.FitError, match="component 2 has a singular covariance"):
            em(rows, 3, **options)
        return
    fit = em(rows, 3, **options)
    action = {"reseed": "reseeded", "drop": "dropped"}[on_collapse]
    assert next(e.action for e in fit.events if e.component == 2) == action
    assert np.isfinite(fit.log_likelihood)


def test_killed_fit_ends_with_the_same_bits(tmp_path: Path) -> None:
    for rows in (X, scan([X[:60], X[60:]])):
        for kind in ("soft", "annealed"):
            options = {"missing": "em", "init": LABELS, "em": kind, "tol": 1e-8}
            fit = fit_gmm(rows, 2, **options)
            kills = [i for i in (1, 2, 5, 9) if i < fit.n_iter]
            again = fit_with_kills(tmp_path / "c", kills, rows, 2, **options)
            assert_same_fit_bits(fit, again)
            assert fit.entropy == again.entropy


def test_entropy_is_that_of_the_responsibilities() -> None:
    fit = em(X, init=LABELS)
    joint = joint_of_observed(X, fit.model)
    resp = np.exp(joint - special.logsumexp(joint, axis=1, keepdims=True))
    assert fit.entropy == pytest.approx(-special.xlogy(resp, resp).sum(), rel=1e-8)


def test_rows_on_ties_are_spread_over_the_grid_of_what_is_observed() -> None:
    rows = np.round(clustered(300, 2, 2, spread=4.0)[0], 1)
    rows[:60, 0] = 0.5
    rows = with_holes(rows, 0.1)
    fit = em(rows, 4, init="kmeans", rng=1)
    narrow = np.sqrt(fit.model.covariance_matrices()[:, [0, 1], [0, 1]]).min()
    assert narrow > 0.5 * 0.1 / np.sqrt(12.0)


# ---- what it is for ----


def test_coverage_of_intervals_where_numbers_are_missing_completely_at_random() -> None:
    """Means of two clusters far apart, with errors from the observed information."""
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0.0], [12.0, -12.0]])
    root = np.array([[1.0, 0.0], [0.8, 0.6]])
    inside = []
    for _ in range(60):
        group = rng.integers(2, size=150)
        rows = means[group] + rng.normal(size=(150, 2)) @ root.T
        rows[rng.random(rows.shape) < 0.3] = np.nan
        fit = em(rows, init=means, tol=1e-6)
        joint = joint_of_observed(rows, fit.model)
        resp = np.exp(joint - special.logsumexp(joint, axis=1, keepdims=True))
        for j in range(2):
            information = np.zeros((2, 2))
            for pattern in np.unique(np.isnan(rows), axis=0):
                o, those = np.flatnonzero(~pattern), (np.isnan(rows) == pattern).all(axis=1)
                own = fit.model.covariance_matrices()[j][np.ix_(o, o)]
                information[np.ix_(o, o)] += resp[those, j].sum() * np.linalg.inv(own)
            errors = np.sqrt(np.diag(np.linalg.inv(information)))
            inside.append(np.abs(fit.model.means[j] - means[j]) < 1.96 * errors)
    assert 0.91 < np.mean(inside) < 0.98  # of 240 intervals of 95%


def drawn(n: int = 4000) -> Floats:
    rng = np.random.default_rng(4)
    x = rng.normal(size=n)
    return np.column_stack([x, 0.8 * x + 0.6 * rng.normal(size=n)])  # means of zero


def test_values_missing_by_what_is_observed_leave_no_bias() -> None:
    """MAR: the second is missing where the first is large, so complete rows are not like all."""
    rows = drawn()
    rows[rows[:, 0] > 0.3, 1] = np.nan
    complete = rows[~np.isnan(rows).any(axis=1)]
    assert complete[:, 1].mean() < -0.4
    fit = em(rows, 1, tol=1e-9)
    assert abs(fit.model.means[0, 1]) < 0.06
    np.testing.assert_allclose(fit.model.covariances[0], [[1.0, 0.8], [0.8, 1.0]], atol=0.06)


def test_values_missing_by_what_they_are_leave_a_bias() -> None:
    """Not MAR: large numbers of the second are missing. EM cannot know, and nor can anybody."""
    rows = drawn()
    rows[rows[:, 1] > 0.3, 1] = np.nan
    fit = em(rows, 1, tol=1e-9)
    assert fit.model.means[0, 1] < -0.25  # the truth is 0, the error of a mean 0.03 at most
    assert fit.model.covariances[0, 1, 1] < 0.7  # the truth is 1


# ---- selection and test ----


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl", "cv"])
def test_select_counts_what_is_observed(criterion: str) -> None:
    rows = with_holes(clustered(120, 2, 2, spread=6.0, seed=1)[0], 0.2)
    selection = select_gmm(
        rows, [1, 2], ["EEE", "VVI"], criterion=criterion, missing="em", rng=0, n_init=2, n_folds=3
    )
    assert np.isfinite(selection.table).all()
    if criterion == "cv":
        return
    for (k, name), fit in selection.fits.items():
        joint = joint_of_observed(rows, fit.model)
        log_likelihood = special.logsumexp(joint, axis=1).sum()
        if criterion == "icl":
            log_likelihood = joint.max(axis=1).sum()
        penalty = 2.0 if criterion == "aic" else np.log(len(rows))
        expected = penalty * fit.model.n_parameters - 2.0 * log_likelihood
        i, j = selection.n_components.index(k), selection.covariance_types.index(name)
        assert selection.table[i, j] == pytest.approx(expected, rel=1e-10)


def test_select_from_trees_and_of_complete_rows() -> None:
    rows = with_holes(clustered(120, 2, 2, spread=6.0, seed=1)[0], 0.2)
    options = {"covariance_type": ["EEE"], "rng": 0, "n_init": 2}
    tree = select_gmm(rows, 2, init="hierarchical", missing="em", **options)
    plain = select_gmm(rows, 2, missing="em", **options)
    np.testing.assert_allclose(tree.table, plain.table, atol=1e-3)
    complete = clustered()[0]
    one, other = (select_gmm(complete, [2, 3], missing=m, **options) for m in ("raise", "em"))
    np.testing.assert_array_equal(one.table, other.table)


def test_cross_validation_without_a_column_in_some_fold_says_so() -> None:
    rows = clustered(40, 2, 2)[0]
    rows[1:, 1] = np.nan
    selection = select_gmm(rows, 1, ["EII"], criterion="cv", missing="em", rng=0)
    assert np.isnan(selection.table).all()
    (reason,) = selection.reasons.values()
    assert "column 1 has only missing ones" in reason


def test_bootstrap_draws_samples_with_the_holes_of_the_rows() -> None:
    rows = with_holes(clustered(60, 2, 2, spread=6.0, seed=1)[0], 0.2)
    options = {"n_bootstrap": 4, "n_init": 1, "rng": 0}
    test = bootstrap_lrt(rows, 1, missing="em", **options)
    assert test.n_failed == 0
    assert test.statistic > test.null_distribution.max()
    holed: list[Floats] = []

    def record(X: Floats, k: int, rng: np.random.Generator) -> str:  # noqa: ARG001
        holed.append(np.isnan(X))
        return "kmeans++"

    bootstrap_lrt(rows, 1, missing="em", init=record, n_threads=1, **options)
    assert len(holed) == 10
    assert all((each == np.isnan(rows)).all() for each in holed)
    complete = clustered(60, 2, 2)[0]
    one, other = (bootstrap_lrt(complete, 1, missing=m, **options) for m in ("raise", "em"))
    np.testing.assert_array_equal(one.null_distribution, other.null_distribution)


def test_fit_knows_how_many_numbers_were_missing(tmp_path: Path) -> None:
    weight = np.arange(len(X)) % 3
    for fit, rows in (
        (em(X), X),
        (em(scan([X[:50], X[50:]])), X),
        (em(X, sample_weight=weight), X[weight > 0]),
        (em(X, labels=np.where(np.arange(len(X)) < 20, LABELS, -1)), X),
        (select_gmm(X, [1, 2], missing="em", rng=0, n_init=1).best, X),
    ):
        assert fit.n_missing == np.isnan(rows).sum() > 0
        assert fit.n_samples == len(rows)
        line = f"of {rows.size} numbers {fit.n_missing} are missing"
        assert fit.summary().splitlines()[1] == line
        fit.save(tmp_path / "fit.npz")
        loaded = mixtura.load(tmp_path / "fit.npz")
        assert (loaded.n_missing, loaded.summary()) == (fit.n_missing, fit.summary())
    complete = em(clustered(60, 2, 2)[0])
    assert complete.n_missing == 0
    assert "missing" not in complete.summary()


@pytest.mark.parametrize("init", ["kmeans", "kmeans++", "hierarchical"])
def test_starts_draw_their_own_numbers_so_that_one_of_them_is_good(init: str) -> None:
    """With the same numbers drawn for all, k-means led to -1983.15, whatever n_init."""
    X = datasets.load_thyroid().data
    holed = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    one, other = (fit_gmm(holed, 3, missing="em", rng=0, init=init) for _ in range(2))
    assert one.log_likelihood == pytest.approx(-1838.31, abs=0.01)
    np.testing.assert_array_equal(one.means, other.means)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_labels_and_missing_values_go_together(covariance_type: str) -> None:
    """Labelled rows stay with their component, though the rows say otherwise, in both engines."""
    labels = np.where(np.arange(len(X)) % 4 == 0, (LABELS + 1) % 2, -1)
    options = {"covariance_type": covariance_type, "init": "labels", "tol": 0.0,
                               "max_iter": 8, "missing": "em"}  # fmt: skip
    one, other = (
        fit_gmm(X, 2, labels=labels, backend=backend, **options)
        for backend in ("compiled", "reference")
    )
    np.testing.assert_allclose(one.history, other.history, rtol=1e-10)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-8)
    assert one.entropy == pytest.approx(other.entropy, rel=1e-7)
    free = fit_gmm(X, 2, **options | {"init": one.model})
    assert one.history[-1] < free.history[-1] - 1e-3
