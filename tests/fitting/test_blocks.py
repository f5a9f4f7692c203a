"""Rows in blocks: whatever is done with them is what is done with the concatenated rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import assert_same_fit_bits, clustered, maximised
from helpers import COVARIANCE_TYPES
from numpy.typing import NDArray
from tables import pandas, polars

from mixtura import (
    ConvergenceWarning,
    GaussianMixture,
    GMMFit,
    KMeansFit,
    State,
    bootstrap_lrt,
    datasets,
    fit_gmm,
    fit_kmeans,
    hierarchical,
    scan,
    select_gmm,
)
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.data import BlockedRows
from mixtura.shapes import Floats

SAME = 1e-10  # of parameters, in units of the features' deviations
SAME_AXES = 1e-9  # where all components share axes, which are found to about the root of rounding
CUTS = (0, 7, 7, 60, 60)  # where blocks start: one of a few rows, two of none, two of many
ITERATIONS = {"tol": 0.0, "max_iter": 20}

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
every_method = pytest.mark.parametrize("method", ["kmeans++", "kmeans", "random", "hierarchical"])


def pieces(array: Any) -> list[Any]:
    """Some rows in blocks, the last of which is the largest."""
    ends = (*CUTS[1:], len(array))
    return [array[start:end] for start, end in zip(CUTS, ends, strict=True)]


def in_blocks(X: Any, **options: Any) -> Any:
    return scan(pieces(X), **options)


def assert_same_models(one: GaussianMixture, other: GaussianMixture, X: Floats) -> None:
    """Expect the same parameters, one by one."""
    within = SAME_AXES if one.covariance_type in ("EVE", "VVE") else SAME
    assert one.covariance_type == other.covariance_type
    unit = X.std(axis=0)
    np.testing.assert_allclose(other.weights, one.weights, rtol=0, atol=within)
    np.testing.assert_allclose(other.means / unit, one.means / unit, rtol=0, atol=within)
    units = np.outer(unit, unit)
    np.testing.assert_allclose(
        other.covariance_matrices() / units, one.covariance_matrices() / units, rtol=0, atol=within
    )


def assert_same_fits(one: GMMFit, other: GMMFit, X: Floats) -> None:
    """Expect two fits that end alike to agree to rounding."""
    assert_same_models(one.model, other.model, X)
    # The update of shared axes is iterative, and ends before the last digits.
    atol = 1e-8 if one.model.covariance_type in ("EVE", "VVE") else SAME
    np.testing.assert_allclose(other.history, one.history, rtol=0, atol=atol)
    assert (other.n_iter, other.stop_reason, other.events) == (
        one.n_iter, one.stop_reason, one.events,
    )  # fmt: skip
    assert other.n_samples == one.n_samples
    assert other.weight_sum == pytest.approx(one.weight_sum, rel=1e-14)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=SAME)
    assert other.entropy == pytest.approx(one.entropy, rel=1e-8, abs=1e-8)


def assert_same_clusters(one: KMeansFit, other: KMeansFit) -> None:
    np.testing.assert_allclose(other.centers, one.centers, rtol=0, atol=SAME)
    np.testing.assert_array_equal(other.labels, one.labels)
    assert other.inertia == pytest.approx(one.inertia, rel=1e-12, abs=1e-20)
    assert (other.n_iter, other.converged) == (one.n_iter, one.converged)


def uneven_weights(n: int) -> Floats:
    return np.random.default_rng(5).choice([0.0, 0.5, 1.0, 3.0], size=n)


# fit_gmm


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
@pytest.mark.parametrize("weighted", [False, True])
def test_fit_of_blocks_is_that_of_their_rows_for_every_family(name: str, weighted: bool) -> None:
    X, labels = clustered(240, 3, 3, spread=1.0)
    weight = uneven_weights(len(X)) if weighted else None
    settings: dict[str, Any] = {"covariance_type": name, "init": labels, "tol": 0.0}
    settings |= {"sample_weight": weight, "max_iter": 60}
    one, other = (fit_gmm(rows, 3, **settings) for rows in (X, in_blocks(X)))
    assert_same_fits(one, other, X)
    assert one.history[-1] > one.history[0] + 1e-6


@every_method
@every_type
def test_fit_of_blocks_from_an_automatic_start_is_that_of_their_rows(
    covariance_type: str, method: str
) -> None:
    X = clustered(300, 2, 3)[0]
    settings = {"covariance_type": covariance_type, "init": method, "rng": 3} | ITERATIONS
    one, other = (fit_gmm(rows, 3, **settings) for rows in (X, in_blocks(X)))
    assert_same_fits(one, other, X)


@every_method
def test_fit_of_many_rows_in_blocks_starts_from_the_same_sample(method: str) -> None:
    X = clustered(12_000, 2, 3, spread=6.0)[0]
    weight = uneven_weights(len(X))
    for sample_weight in (None, weight):
        settings = {"init": method, "rng": 3, "sample_weight": sample_weight} | ITERATIONS
        one, other = (fit_gmm(rows, 3, **settings) for rows in (X, in_blocks(X)))
        assert_same_fits(one, other, X)


@pytest.mark.parametrize("em", ["soft", "hard", "annealed"])
@pytest.mark.parametrize("init", ["labels", "resp", "mixture", "kmeans", "callable"])
@every_type
def test_fit_of_blocks_from_any_start_is_that_of_their_rows(
    covariance_type: str, init: str, em: str
) -> None:
    X, labels = clustered(240, 2, 3)
    resp = 0.9 * np.eye(3)[labels] + 0.1 / 3
    start = {
        "labels": labels,
        "resp": resp,
        "mixture": maximised(X, resp, covariance_type),
        "kmeans": "kmeans",
        "callable": lambda *_: labels,
    }[init]
    settings = {"covariance_type": covariance_type, "init": start, "em": em, "rng": 0} | ITERATIONS
    one, other = (fit_gmm(rows, 3, **settings) for rows in (X, in_blocks(X)))
    assert_same_fits(one, other, X)


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("reg_covar", [0.0, 1e-6, 0.1])
def test_fit_of_blocks_converges_where_that_of_their_rows_does(
    reg_covar: float, accelerate: bool
) -> None:
    X = datasets.load_faithful().data
    settings = {"reg_covar": reg_covar, "accelerate": accelerate, "rng": 0}
    one, other = (fit_gmm(rows, 2, **settings) for rows in (X, in_blocks(X)))
    assert one.converged
    assert_same_fits(one, other, X)
    if reg_covar == 0.0:
        assert f"{other.log_likelihood:.4f}" == "-1130.2640"


def test_fit_of_blocks_that_extrapolates_is_that_of_their_rows() -> None:
    X = clustered(600, 2, 3, spread=0.5)[0]
    labels = np.resize(np.arange(3), 600)
    settings = {"init": labels, "tol": 1e-15, "max_iter": 30}
    with pytest.warns(ConvergenceWarning):
        one, other = (fit_gmm(rows, 3, **settings) for rows in (X, in_blocks(X)))
    plain = fit_gmm(X, 3, init=labels, tol=0.0, max_iter=30)
    assert one.history[-1] > plain.history[-1] + 1e-5
    np.testing.assert_allclose(other.history, one.history, rtol=0, atol=SAME)
    assert_same_models(one.model, other.model, X)


@every_type
def test_fit_of_blocks_far_from_zero_is_that_of_their_rows(covariance_type: str) -> None:
    """The blocks are summed about the same centres, wherever these are."""
    X, labels = clustered()
    settings = {"covariance_type": covariance_type, "init": labels} | ITERATIONS
    one, other = (fit_gmm(rows, 3, **settings) for rows in (X + 1e8, in_blocks(X + 1e8)))
    np.testing.assert_allclose(other.model.means, one.model.means, rtol=0, atol=1e-6)
    np.testing.assert_allclose(other.model.covariances, one.model.covariances, atol=1e-6)
    np.testing.assert_allclose(other.history, one.history, atol=1e-7)


@pytest.mark.parametrize("em", ["soft", "hard"])
@every_type
def test_fit_of_blocks_with_many_components_is_that_of_their_rows(
    covariance_type: str, em: str
) -> None:
    """Each block carries bounds of its own from pass to pass."""
    X, labels = clustered(4000, 3, 60, spread=8.0)
    settings = {"covariance_type": covariance_type, "init": labels, "em": em} | ITERATIONS
    one, other = (fit_gmm(rows, 60, **settings) for rows in (X, in_blocks(X)))
    assert_same_fits(one, other, X)


@pytest.mark.parametrize("types", [(np.float32,) * 5, (np.float32, np.float64) * 2 + (np.float32,)])
def test_fit_of_float32_blocks_is_that_of_the_same_numbers(types: Sequence[type]) -> None:
    X, labels = clustered(240, 3, 3)
    X = X.astype(np.float32).astype(np.float64)
    rows = scan([part.astype(each) for part, each in zip(pieces(X), types, strict=True)])
    one, other = (fit_gmm(each, 3, init=labels, **ITERATIONS) for each in (X, rows))
    assert_same_fits(one, other, X)


def test_fit_of_many_float32_blocks_works_in_single_precision_as_that_of_their_rows() -> None:
    """Where both do, they agree as well as tiles in single precision can; mixed ones do not."""
    X, labels = clustered(12_000, 8, 3)
    X = X.astype(np.float32)
    settings = {"init": labels} | ITERATIONS
    single = [fit_gmm(rows, 3, **settings) for rows in (X, in_blocks(X))]
    mixed = [X[:60], X[60:].astype(np.float64)]
    double = [fit_gmm(rows, 3, **settings) for rows in (X.astype(np.float64), scan(mixed))]
    assert_same_fits(*double, X)
    assert np.abs(single[0].history - double[0].history).max() > SAME
    for fit in single:
        np.testing.assert_allclose(fit.history, double[0].history, rtol=0, atol=1e-5)
        np.testing.assert_allclose(fit.model.means, double[0].model.means, rtol=0, atol=1e-4)


@pytest.mark.parametrize("way", ["arrays", "column", "sample_weight"])
def test_fit_of_blocks_with_weights_is_that_of_their_rows(way: str) -> None:
    X, labels = clustered()
    weight = uneven_weights(len(X))
    one = fit_gmm(X, 3, init=labels, sample_weight=weight, **ITERATIONS)
    if way == "arrays":
        other = fit_gmm(in_blocks(X, weight=pieces(weight)), 3, init=labels, **ITERATIONS)
    elif way == "column":
        rows = in_blocks(np.column_stack([X, weight]), weight=2)
        other = fit_gmm(rows, 3, init=labels, **ITERATIONS)
    else:
        other = fit_gmm(in_blocks(X), 3, init=labels, sample_weight=weight, **ITERATIONS)
    assert_same_fits(one, other, X)
    assert other.n_samples == np.count_nonzero(weight)


def test_fit_of_blocks_of_frames_takes_columns_and_names() -> None:
    X, labels = clustered(240, 3, 3)
    names = ("a", "b", "c")
    frames = [pandas("DataFrame", part, columns=names) for part in pieces(X)[:-1]]
    last = dict(zip(names, pieces(X)[-1].T, strict=True))
    frames.append(polars("DataFrame", {"text": ["x"] * len(last["a"]), "c": last["c"], **last}))
    rows = scan(frames, columns=["c", "a"])
    one = fit_gmm(X[:, [2, 0]], 3, init=labels, **ITERATIONS)
    other = fit_gmm(rows, 3, init=labels, **ITERATIONS)
    assert_same_fits(one, other, X[:, [2, 0]])
    assert other.model.feature_names == ("c", "a")
    np.testing.assert_array_equal(other.model.predict(rows), one.model.predict(X[:, [2, 0]]))
    with pytest.raises(ValueError, match="X must have the columns 'c', 'a'; it lacks 'c'"):
        other.model.predict(scan([pandas("DataFrame", X[:, :2], columns=["a", "b"])]))
    assert fit_kmeans(rows, 2, rng=0).feature_names == ("c", "a")


@pytest.mark.parametrize("on_collapse", ["reseed", "drop"])
def test_fit_of_blocks_recovers_from_a_collapse_as_that_of_their_rows(on_collapse: str) -> None:
    X, labels = clustered()
    labels = labels.copy()
    labels[0] = 3  # alone
    settings = {"init": labels, "reg_covar": 0.0, "on_collapse": on_collapse} | ITERATIONS
    one, other = (fit_gmm(rows, 4, **settings) for rows in (X, in_blocks(X)))
    assert (one.events[0].cause, one.events[0].iteration) == ("singular", 0)
    assert_same_fits(one, other, X)


@pytest.mark.filterwarnings("ignore::mixtura.CoarseColumnsWarning")
def test_fit_of_rounded_rows_in_blocks_is_smoothed_as_that_of_their_rows() -> None:
    """Ties are found, and the grid of the numbers, across blocks."""
    X = np.round(datasets.load_iris().data)
    settings = {"init": "random", "rng": 0, "reg_covar": 1e-9}
    one, other = (fit_gmm(rows, 4, **settings) for rows in (X, in_blocks(X)))
    assert "smoothed" in {event.action for event in one.events}
    assert other.events == one.events
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-8)


@pytest.mark.parametrize("em", ["soft", "hard"])
def test_fit_of_blocks_has_equal_bits_for_any_number_of_threads(em: str) -> None:
    X, labels = clustered(9000, 5, 3)
    rows = scan([X[:3000], X[3000:3001], X[3001:]])
    fits = [
        fit_gmm(rows, 3, init=labels, em=em, n_threads=n_threads, tol=0.0, max_iter=4)
        for n_threads in (1, 2, 3, 7, None)
    ]
    for fit in fits[1:]:
        assert_same_fit_bits(fit, fits[0])


@every_type
def test_fit_of_blocks_of_either_backend_is_the_same(covariance_type: str) -> None:
    X, labels = clustered()
    settings = {"init": labels, "covariance_type": covariance_type} | ITERATIONS
    one, other = (
        fit_gmm(in_blocks(X), 3, backend=backend, **settings)
        for backend in ("compiled", "reference")
    )
    assert_same_fits(one, other, X)


def test_fit_of_blocks_that_was_killed_ends_with_the_same_bits(tmp_path: Path) -> None:
    X = clustered(300, 2, 4, spread=1.0)[0]
    every = {"rng": 0, "tol": 0.0, "max_iter": 40}
    settings: dict[str, Any] = every | {"checkpoint": tmp_path / "c", "checkpoint_every": 0.0}

    def die(state: State) -> None:
        if state.iteration == 25:
            raise LookupError("killed")

    with pytest.raises(LookupError, match="killed"):
        fit_gmm(in_blocks(X), 4, callback=die, **settings)
    iterations = []
    resumed = fit_gmm(
        in_blocks(X), 4, callback=lambda s: iterations.append(s.iteration), **settings
    )
    assert iterations[0] in (25, 26)
    assert_same_fit_bits(resumed, fit_gmm(in_blocks(X), 4, **every))
    assert not (tmp_path / "c").exists()


def test_fit_of_blocks_does_not_continue_a_fit_of_other_blocks(tmp_path: Path) -> None:
    """The sums of other blocks have other bits."""
    X = clustered()[0]
    settings = {"rng": 0, "checkpoint": tmp_path / "c"}

    def die(_: State) -> None:
        raise LookupError("killed")

    with pytest.raises(LookupError, match="killed"):
        fit_gmm(in_blocks(X), 3, callback=die, **settings)
    for rows in (X, scan([X[:8], X[8:]])):
        with pytest.raises(ValueError, match=r"it is of another one: X was float64 .+ in 5 blocks"):
            fit_gmm(rows, 3, **settings)


def test_fit_of_bad_blocks_names_the_block() -> None:
    X = clustered()[0]
    X[100, 1] = np.nan
    with pytest.raises(ValueError, match=r"source\[4\] must be finite; row 40, column 1 is nan"):
        fit_gmm(in_blocks(X), 3)
    with pytest.raises(ValueError, match="X must have at least 3 rows; got 2"):
        fit_gmm(scan([X[:1], X[:0], X[1:2]]), 3)


# What a model says of blocks


@every_type
def test_model_says_of_blocks_what_it_says_of_their_rows(covariance_type: str) -> None:
    X, labels = clustered(d=3)
    model = maximised(X, np.eye(3)[labels], covariance_type)
    rows, weight = in_blocks(X), uneven_weights(len(X))
    for name in ("log_prob", "component_log_prob", "responsibilities"):
        method = getattr(model, name)
        np.testing.assert_allclose(method(rows), method(X), rtol=1e-12, atol=1e-300)
    np.testing.assert_array_equal(model.predict(rows), model.predict(X))
    for name in ("log_likelihood", "aic", "bic", "icl"):
        method = getattr(model, name)
        assert method(rows) == pytest.approx(method(X), rel=1e-13)
        expected = pytest.approx(method(X, weight), rel=1e-13)
        assert method(rows, weight) == expected
        assert method(in_blocks(X, weight=pieces(weight))) == expected
    empty = scan([X[:0], X[:0]])
    assert model.predict(empty).shape == (0,)
    assert model.log_likelihood(empty) == 0.0


# fit_kmeans


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("init", ["kmeans++", "random", "centers"])
@pytest.mark.parametrize("tol", [0.0, 1e-4])
def test_kmeans_of_blocks_is_that_of_their_rows(tol: float, init: str, weighted: bool) -> None:
    X = clustered(400, 2, 5)[0]
    weight = uneven_weights(len(X)) if weighted else None
    settings: dict[str, Any] = {"init": X[:400:80] if init == "centers" else init, "rng": 1}
    settings |= {"sample_weight": weight, "tol": tol, "n_init": 2}
    one, other = (fit_kmeans(rows, 5, **settings) for rows in (X, in_blocks(X)))
    assert_same_clusters(one, other)
    np.testing.assert_array_equal(other.predict(in_blocks(X)), one.labels)


def test_kmeans_of_blocks_with_many_centers_is_that_of_their_rows() -> None:
    X = clustered(3000, 32, 40, spread=3.0)[0]
    settings = {"init": X[:2580:20], "tol": 0.0, "max_iter": 8}
    one, other = (fit_kmeans(rows, 129, **settings) for rows in (X, in_blocks(X)))
    assert_same_clusters(one, other)


def test_kmeans_of_blocks_refills_lost_clusters_with_the_rows_farthest_of_all() -> None:
    X = clustered(200, 2, 4)[0]
    begin = np.vstack([X[:2], X[:2] + 1e3, X[:1] - 1e3])
    for max_iter in (1, 2, 50):
        settings = {"init": begin, "tol": 0.0, "max_iter": max_iter}
        one, other = (fit_kmeans(rows, 5, **settings) for rows in (X, in_blocks(X)))
        assert_same_clusters(one, other)
        assert len(set(one.labels)) == 5


def test_kmeans_of_many_rows_in_blocks_starts_from_the_same_sample() -> None:
    X = clustered(25_000, 2, 5, spread=6.0)[0]
    settings = {"rng": 2, "tol": 0.0, "max_iter": 5}
    one, other = (fit_kmeans(rows, 5, **settings) for rows in (X, in_blocks(X)))
    assert_same_clusters(one, other)


# Trees, selection, test


@pytest.mark.parametrize("max_leaves", [None, 60])
@pytest.mark.parametrize("weighted", [False, True])
def test_tree_of_blocks_is_that_of_their_rows(weighted: bool, max_leaves: int | None) -> None:
    X = np.round(clustered(240, 3, 3)[0], 1)  # with rows that are equal, also across blocks
    X[100:110] = X[3]
    weight = uneven_weights(len(X)) if weighted else None
    settings = {"sample_weight": weight, "max_leaves": max_leaves, "rng": 0}
    one, other = (hierarchical(rows, **settings) for rows in (X, in_blocks(X)))
    np.testing.assert_array_equal(other.linkage, one.linkage)
    np.testing.assert_array_equal(other.leaves, one.leaves)
    np.testing.assert_array_equal(other.leaf, one.leaf)


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl", "cv"])
@pytest.mark.parametrize("init", ["kmeans++", "hierarchical"])
def test_selection_on_blocks_is_that_on_their_rows(init: str, criterion: str) -> None:
    X = datasets.load_faithful().data
    weight = uneven_weights(len(X))
    settings = {"criterion": criterion, "init": init, "rng": 0, "n_init": 2, "n_folds": 3}
    one, other = (
        select_gmm(rows, [1, 2], ["VII", "EEV", "VVV"], sample_weight=weight, **settings)
        for rows in (X, in_blocks(X))
    )
    np.testing.assert_allclose(other.table, one.table, rtol=1e-8)
    assert np.isfinite(one.table).all()
    assert other.best.model.n_components == one.best.model.n_components
    assert_same_models(one.best.model, other.best.model, X)
    if criterion == "cv":
        np.testing.assert_allclose(other.standard_error, one.standard_error, rtol=1e-6)


def test_selection_by_a_callable_on_blocks_passes_them_on() -> None:
    X = clustered()[0]
    rows = in_blocks(X)
    received: list[tuple[object, object]] = []

    def criterion(model: GaussianMixture, X: BlockedRows, sample_weight: Floats | None) -> float:
        received.append((X, sample_weight))
        return model.bic(X, sample_weight)

    by_callable = select_gmm(rows, [1, 2], ["EII"], criterion=criterion, rng=0)
    assert received == [(rows, None)] * 2
    by_name = select_gmm(rows, [1, 2], ["EII"], rng=0)
    np.testing.assert_allclose(by_callable.table, by_name.table, rtol=1e-9)


def test_bootstrap_on_blocks_is_that_on_their_rows() -> None:
    X: NDArray[Any] = datasets.load_acidity().data
    settings = {"covariance_type": "E", "n_bootstrap": 9, "rng": 0}
    one, other = (bootstrap_lrt(rows, 1, **settings) for rows in (X, in_blocks(X)))
    assert other.statistic == pytest.approx(one.statistic, rel=1e-8)
    assert (other.p_value, other.n_failed) == (one.p_value, one.n_failed)
    np.testing.assert_allclose(other.null_distribution, one.null_distribution, rtol=1e-6, atol=1e-6)
    assert_same_models(one.null.model, other.null.model, X)
