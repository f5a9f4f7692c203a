"""Fits of rows of which some have labels: published figures, definitions, and what must hold."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import clustered, joint_log_density, maximised
from helpers import COVARIANCE_TYPES
from kills import fit_with_kills, kill
from loops import largest_fall
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax
from tables import pandas

from mixtura import (
    FitError,
    GaussianMixture,
    GMMFit,
    datasets,
    fit_gmm,
    fit_kmeans,
    hierarchical,
    load,
    scan,
    select_gmm,
)
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.data import ArrayRows
from mixtura.data.labels import check_row_labels
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import Floats
from mixtura.starts.labels import FromLabels, statistics_of_labels
from mixtura.updates import Labelled, Ridge

DATA = Path(__file__).parents[1] / "data"
CASES = json.loads((DATA / "partial_labels.json").read_text())
IRIS = datasets.load_iris().data
X, TRUTH = clustered(300, 2, 3, spread=2.0)
SOME = np.where(np.arange(300) % 7 == 0, TRUTH, -1)
NOISE = 1e-12
ITERATIONS: dict[str, Any] = {"tol": 0.0, "accelerate": False, "reg_covar": 0.0}

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
every_kind = pytest.mark.parametrize("em", ["soft", "hard", "annealed"])
each_engine = pytest.mark.parametrize("backend", ["compiled", "reference"])


def labelling(name: str) -> NDArray[np.int64]:
    lines = (DATA / "iris_partial_labels.csv").read_text().splitlines()
    return np.array([int(row[name]) for row in csv.DictReader(lines)])


def plausibilities(n: int = 300, k: int = 3, seed: int = 0) -> Floats:
    """A table with rows of every kind."""
    rng = np.random.default_rng(seed)
    table = rng.uniform(0.05, 1.0, size=(n, k))
    table[::3] = np.eye(k)[rng.integers(k, size=len(table[::3]))]
    table[1::3] = 1.0
    return table


def log_likelihood(rows: Floats, model: GaussianMixture, table: Floats) -> float:
    """That of rows and labels, by its definition."""
    with np.errstate(divide="ignore"):
        return float(logsumexp(joint_log_density(rows, model) + np.log(table), axis=1).sum())


def plain_em(rows: Floats, table: Floats, covariance_type: str, n_iter: int) -> GaussianMixture:
    """From the shares that plausibilities alone give, by formulas."""
    resp = table / table.sum(axis=1, keepdims=True)
    model = maximised(rows, resp, covariance_type)
    for _ in range(n_iter):
        with np.errstate(divide="ignore"):
            resp = softmax(joint_log_density(rows, model) + np.log(table), axis=1)
        model = maximised(rows, resp, covariance_type)
    return model


# ---- published figures ----


@every_case
@each_engine
def test_fit_of_iris_follows_the_published_path(case: dict[str, Any], backend: str) -> None:
    labels, k, kind = labelling(case["labels"]), case["n_components"], case["covariance_type"]
    assert np.count_nonzero(labels >= 0) == case["n_labelled"]
    for m, expected in case["loglik_after_em_iterations"].items():
        if m == "1":
            found = log_likelihood_of_start(IRIS, labels, k, kind, backend)
        else:  # the start has an M-step itself
            fit = fit_gmm(
                IRIS,
                k,
                covariance_type=kind,
                init="labels",
                labels=labels,
                backend=backend,
                max_iter=int(m) - 1,
                **ITERATIONS,
            )
            found = fit.log_likelihood
        assert found == pytest.approx(expected, rel=1e-11), m


def log_likelihood_of_start(
    rows: Floats, labels: NDArray[np.int64], k: int, covariance_type: str, backend: Any
) -> float:
    family, engine = FAMILIES[covariance_type], Backend(backend)
    known = check_row_labels(labels, None, ArrayRows(rows), k)
    assert known is not None
    over = RowsPass(known.marked(ArrayRows(rows)), family.shape, engine)
    update = Labelled(Ridge(family, np.zeros(rows.shape[1]), engine.algebra), known.prior)
    statistics = statistics_of_labels(
        FromLabels(known.prior), over, rows.mean(axis=0), rows.std(axis=0)
    )
    parameters, failed = update.update(statistics)
    assert not failed.any()
    return over.accumulate(update.as_seen(parameters)[0]).log_likelihood


@every_case
def test_fit_of_iris_ends_at_the_published_figures(case: dict[str, Any]) -> None:
    labels, k, kind = labelling(case["labels"]), case["n_components"], case["covariance_type"]
    fit = fit_gmm(
        IRIS,
        k,
        covariance_type=kind,
        init="labels",
        labels=labels,
        reg_covar=0.0,
        tol=1e-13,
        max_iter=5000,
    )
    assert fit.converged
    assert fit.n_labelled == case["n_labelled"]
    assert fit.log_likelihood == pytest.approx(case["loglik"], rel=1e-10)
    of_rows = fit.model.log_likelihood(IRIS)
    assert of_rows == pytest.approx(case["loglik_if_labels_were_unknown"], rel=1e-7)
    for name in ("weights", "means", "covariances"):
        np.testing.assert_allclose(getattr(fit, name), case[name], rtol=2e-6, atol=1e-7)
    for row in case.get("unlabelled_rows", []):
        resp = fit.model.responsibilities(IRIS[[row["row"]]])[0]
        np.testing.assert_allclose(resp, row["responsibilities"], rtol=1e-4, atol=1e-7)


@every_case
def test_parameters_at_the_limit_are_the_published_ones(case: dict[str, Any]) -> None:
    """Plain iterations from the end: the limit itself, to the digits that are published."""
    labels, k, kind = labelling(case["labels"]), case["n_components"], case["covariance_type"]
    options: dict[str, Any] = {"covariance_type": kind, "labels": labels}
    near = fit_gmm(IRIS, k, **options, init="labels", reg_covar=0.0, tol=1e-13, max_iter=5000)
    fit = fit_gmm(IRIS, k, **options, init=near, max_iter=1500, **ITERATIONS)
    for name in ("weights", "means", "covariances"):
        np.testing.assert_allclose(getattr(fit, name), case[name], rtol=1e-8, atol=1e-9)
    for row in case.get("unlabelled_rows", []):
        resp = fit.model.responsibilities(IRIS[[row["row"]]])[0]
        np.testing.assert_allclose(resp, row["responsibilities"], rtol=1e-6, atol=1e-12)


# ---- definitions ----


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@each_engine
def test_fit_with_plausibilities_is_plain_em(covariance_type: str, backend: str) -> None:
    table = plausibilities()
    fit = fit_gmm(
        X,
        3,
        covariance_type=covariance_type,
        init="labels",
        labels=table,
        backend=backend,
        max_iter=7,
        **ITERATIONS,
    )
    expected = plain_em(X, table, covariance_type, 7)
    np.testing.assert_allclose(fit.weights, expected.weights, rtol=1e-10)
    np.testing.assert_allclose(fit.means, expected.means, rtol=1e-9)
    np.testing.assert_allclose(fit.covariances, expected.covariances, rtol=1e-9, atol=1e-12)
    assert fit.log_likelihood == pytest.approx(log_likelihood(X, fit.model, table), rel=1e-12)
    assert fit.history[-1] == pytest.approx(fit.log_likelihood / 300, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@each_engine
@every_kind
def test_entropy_is_that_of_the_assignments(em: Any, backend: Any, weighted: bool) -> None:
    table = plausibilities()
    weight = np.random.default_rng(3).uniform(0.5, 2.0, 300) if weighted else np.ones(300)
    fit = fit_gmm(
        X,
        3,
        init="labels",
        labels=table,
        sample_weight=weight,
        em=em,
        backend=backend,
        max_iter=20,
        tol=0.0,
    )
    with np.errstate(divide="ignore"):
        resp = softmax(joint_log_density(X, fit.model) + np.log(table), axis=1)
    rows = -(resp * np.log(resp, where=resp > 0.0, out=np.zeros_like(resp))).sum(axis=1)
    assert fit.entropy == pytest.approx(weight @ rows, rel=1e-8)


def test_all_rows_labelled_is_discriminant_analysis_after_one_step() -> None:
    fit = fit_gmm(X, 3, init="labels", labels=TRUTH, reg_covar=0.0)
    for j in range(3):
        rows = X[j == TRUTH]
        assert fit.weights[j] == pytest.approx(len(rows) / 300, rel=1e-14)
        np.testing.assert_allclose(fit.means[j], rows.mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(fit.covariances[j], np.cov(rows.T, bias=True), rtol=1e-12)
    assert fit.converged
    assert fit.n_iter <= 3
    assert np.ptp(fit.history) <= NOISE
    assert fit.entropy == pytest.approx(0.0, abs=1e-9)


def test_hard_em_is_self_training() -> None:
    """Rows without a label get the most probable one; then each class has its sample moments."""
    fit = fit_gmm(X, 3, labels=SOME, init=SOME, em="hard", reg_covar=0.0, max_iter=50)
    seen = SOME >= 0
    model = maximised(X[seen], np.eye(3)[SOME[seen]], "full")
    for _ in range(50):
        labels = joint_log_density(X, model).argmax(axis=1)
        labels[seen] = SOME[seen]
        model = maximised(X, np.eye(3)[labels], "full")
    assert fit.stop_reason == "converged"
    np.testing.assert_allclose(fit.weights, model.weights, rtol=1e-12)
    np.testing.assert_allclose(fit.means, model.means, rtol=1e-11)
    np.testing.assert_allclose(fit.covariances, model.covariances, rtol=1e-10)
    joint = joint_log_density(X, model)
    completed = joint[np.arange(300), labels].mean()
    assert fit.history[-1] == pytest.approx(completed, rel=1e-12)


# ---- what must hold ----


@every_kind
@pytest.mark.parametrize("reg_covar", [0.0, 0.3])
@pytest.mark.parametrize("covariance_type", CELEUX_GOVAERT)
def test_objective_never_falls(covariance_type: str, reg_covar: float, em: Any) -> None:
    for labels in (SOME, plausibilities()):
        fit = fit_gmm(X, 3, covariance_type=covariance_type, init="labels", labels=labels, em=em,
                      reg_covar=reg_covar, max_iter=60, tol=1e-9)  # fmt: skip
        # Values at different temperatures cannot be compared.
        history = fit.history[8:] if em == "annealed" else fit.history
        assert largest_fall(history, fit.events) <= 1e-10


def test_labels_of_no_row_change_no_bit() -> None:
    nothing = fit_gmm(X, 3, labels=np.full(300, -1), rng=0)
    assert_same_bits(nothing, fit_gmm(X, 3, rng=0))
    assert nothing.n_labelled == 0
    assert "labels" not in nothing.summary()


@each_engine
def test_one_labelled_row_with_no_other_place_changes_rounding_only(backend: Any) -> None:
    """Rows with codes, but a label that says what the rows say."""
    apart, truth = clustered(90, 2, 3, spread=100.0)
    labels = np.full(90, -1)
    labels[7] = truth[7]
    options: dict[str, Any] = {"init": truth, "max_iter": 5, "tol": 0.0, "backend": backend}
    one, other = fit_gmm(apart, 3, labels=labels, **options), fit_gmm(apart, 3, **options)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-13)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-13)


@every_kind
def test_permuted_labels_permute_the_components(em: Any) -> None:
    order = np.array([2, 0, 1])
    permuted = np.where(SOME >= 0, order[SOME], -1)
    # The starts are others, and hard EM has many maxima: more starts find the same.
    options: dict[str, Any] = {"em": em, "rng": 0, "n_init": 20}
    one = fit_gmm(X, 3, labels=SOME, **options)
    other = fit_gmm(X, 3, labels=permuted, **options)
    np.testing.assert_allclose(other.means[order], one.means, rtol=1e-6)
    np.testing.assert_allclose(other.weights[order], one.weights, rtol=1e-6)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-9)


def assert_same_bits(one: GMMFit, other: GMMFit) -> None:
    for name in ("weights", "means", "covariances", "history"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.log_likelihood == other.log_likelihood


@every_kind
@pytest.mark.parametrize("init", ["labels", "kmeans"])
def test_table_of_zeros_and_ones_is_labels_to_the_bit(em: Any, init: Any) -> None:
    table = np.where(SOME[:, None] >= 0, np.eye(3)[SOME], 1.0)
    fits = (fit_gmm(X, 3, labels=known, em=em, init=init, rng=0) for known in (SOME, table))
    assert_same_bits(*fits)


def test_groups_are_a_table_of_their_components_to_the_bit() -> None:
    classes = np.where(SOME == 2, 1, SOME)
    groups = np.array([0, 1, 1])
    table = np.where(classes[:, None] >= 0, groups == classes[:, None], True)
    one = fit_gmm(X, 3, labels=classes, groups=groups, rng=0)
    assert_same_bits(one, fit_gmm(X, 3, labels=table, rng=0))
    with np.errstate(divide="ignore"):
        joint = joint_log_density(X, one.model) + np.log(table)
    assert one.log_likelihood == pytest.approx(logsumexp(joint, axis=1).sum(), rel=1e-12)
    # The two components of class 1 are apart.
    assert np.abs(one.means[1] - one.means[2]).max() > 0.1


def test_plausibilities_of_a_row_matter_up_to_a_factor() -> None:
    table = plausibilities()
    halved = table.copy()
    halved[::2] /= 2.0
    one, other = (
        fit_gmm(X, 3, init="labels", labels=each, max_iter=9, **ITERATIONS)
        for each in (table, halved)
    )
    np.testing.assert_allclose(other.means, one.means, rtol=1e-11)
    lost = 150 * np.log(2.0)
    assert other.log_likelihood == pytest.approx(one.log_likelihood - lost, rel=1e-12)


def test_labelled_rows_stay_whatever_the_data_say() -> None:
    """A row far away has zero density; its label must hold all the same."""
    rows = np.vstack([X, [[1e6, 1e6]]])
    labels = np.append(SOME, 1)
    fit = fit_gmm(rows, 3, labels=labels, reg_covar=0.0, rng=0, avoid_spurious=False)
    j = int(np.argmax(np.abs(fit.means).max(axis=1)))
    assert j == 1


def test_label_never_seen_gets_its_component_from_the_rest() -> None:
    apart, truth = clustered(240, 2, 3, spread=30.0)
    labels = np.where((np.arange(240) % 5 == 0) & (truth != 1), truth, -1)
    fit = fit_gmm(apart, 3, labels=labels, rng=0)
    np.testing.assert_array_equal(fit.predict(apart), truth)


def test_two_labels_never_seen_get_components_apart() -> None:
    apart, truth = clustered(300, 2, 4, spread=30.0)
    labels = np.where((np.arange(300) % 5 == 0) & (truth < 2), truth, -1)
    fit = fit_gmm(apart, 4, labels=labels, rng=0)
    found = fit.predict(apart)
    for j in range(2):
        np.testing.assert_array_equal(found[truth == j], j)
    assert {tuple(found[truth == j]) for j in (2, 3)} == {(2,) * (truth == 2).sum(),
                                                         (3,) * (truth == 3).sum()} or {
        found[truth == 2][0], found[truth == 3][0]} == {2, 3}  # fmt: skip


# ---- rows, weights, engines, checkpoints ----


def test_weights_are_rows_repeated_and_rows_of_weight_zero_are_absent() -> None:
    times = np.random.default_rng(0).integers(0, 3, size=300)
    times[:3] = 1
    labels = SOME.copy()
    labels[times == 0] = 99
    weighted = fit_gmm(
        X, 3, init="labels", labels=labels, sample_weight=times, max_iter=9, **ITERATIONS
    )
    repeated = fit_gmm(
        np.repeat(X, times, axis=0),
        3,
        init="labels",
        labels=np.repeat(labels, times),
        max_iter=9,
        **ITERATIONS,
    )
    np.testing.assert_allclose(weighted.means, repeated.means, rtol=1e-11)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)
    assert weighted.n_labelled == np.count_nonzero((labels >= 0) & (times > 0))


@pytest.mark.parametrize("init", ["labels", "kmeans"])
def test_rows_in_blocks_are_one_array(init: Any) -> None:
    blocks = scan([X[:7], X[7:7], X[7:150], X[150:]])
    weight = np.random.default_rng(1).exponential(size=300)
    options: dict[str, Any] = {"labels": SOME, "sample_weight": weight, "rng": 0, "init": init}
    one, other = fit_gmm(X, 3, **options), fit_gmm(blocks, 3, **options)
    np.testing.assert_allclose(other.means, one.means, rtol=1e-7)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-10)
    assert other.n_labelled == one.n_labelled


@every_kind
def test_engines_agree(em: Any) -> None:
    options: dict[str, Any] = {
        "labels": SOME,
        "em": em,
        "init": "labels",
        "max_iter": 12,
        "tol": 0.0,
    }
    one, other = (fit_gmm(X, 3, **options, backend=b) for b in ("compiled", "reference"))
    np.testing.assert_allclose(other.means, one.means, rtol=1e-10)
    np.testing.assert_allclose(other.history, one.history, rtol=1e-11)


def test_number_of_threads_changes_no_bit() -> None:
    rows, truth = clustered(9000, 3, 4, spread=1.0)
    labels = np.where(np.arange(9000) % 10 == 0, truth, -1)
    fits = [fit_gmm(rows, 4, labels=labels, n_threads=n, rng=0) for n in (1, 2, 5)]
    assert_same_bits(fits[0], fits[1])
    assert_same_bits(fits[0], fits[2])


def test_many_components_need_no_bounds() -> None:
    """Far components are left out of tiles, unless labels may ask for them."""
    rows, truth = clustered(3000, 2, 60, spread=30.0)
    labels = np.where(np.arange(3000) % 2 == 0, np.roll(truth, 1), -1)
    options: dict[str, Any] = {"labels": labels, "init": truth, "max_iter": 6, "tol": 0.0,
                               "covariance_type": "diag"}  # fmt: skip
    one, other = (fit_gmm(rows, 60, **options, backend=b) for b in ("compiled", "reference"))
    np.testing.assert_allclose(other.history, one.history, rtol=1e-10)


def test_single_precision_keeps_labels() -> None:
    rows, truth = clustered(12_000, 9, 3, spread=1.0)
    labels = np.where(np.arange(12_000) % 10 == 0, truth, -1)
    options: dict[str, Any] = {"labels": labels, "init": "labels", "max_iter": 5, "tol": 0.0}
    one = fit_gmm(rows.astype(np.float32), 3, **options)
    other = fit_gmm(rows.astype(np.float32).astype(np.float64), 3, **options)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-4, atol=1e-4)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-6)


@every_kind
@pytest.mark.parametrize("init", ["labels", "kmeans++"])
def test_fit_that_was_killed_ends_with_the_same_bits(tmp_path: Path, em: Any, init: Any) -> None:
    options: dict[str, Any] = {"labels": SOME, "em": em, "init": init, "rng": 0, "tol": 1e-9}
    expected = fit_gmm(X, 3, **options)
    kills = [n for n in (2, 5) if n < expected.n_iter]
    fit = fit_with_kills(tmp_path / "fit.ckpt", kills, X, 3, **options)
    assert_same_bits(fit, expected)


def test_checkpoint_of_other_labels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fit.ckpt"
    kill(path, 3, X, 3, labels=SOME, init=TRUTH, tol=0.0)
    other = np.where(SOME == 1, 2, SOME)
    with pytest.raises(ValueError, match="labels was RowLabels and is another one"):
        fit_gmm(X, 3, labels=other, init=TRUTH, tol=0.0, checkpoint=path)
    with pytest.raises(ValueError, match="labels was RowLabels and is None"):
        fit_gmm(X, 3, init=TRUTH, tol=0.0, checkpoint=path)


# ---- starts ----


@pytest.mark.parametrize("init", ["kmeans", "kmeans++", "random", "hierarchical"])
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 0, 2]])
def test_components_of_automatic_starts_have_the_numbers_of_labels(
    init: Any, order: list[int]
) -> None:
    apart, truth = clustered(240, 2, 3, spread=30.0)
    truth = np.array(order)[truth]
    labels = np.where(np.arange(240) % 40 == 0, truth, -1)
    labels[:9] = truth[:9]
    labels[-9:] = truth[-9:]
    fit = fit_gmm(apart, 3, labels=labels, init=init, rng=0)
    found = fit.predict(apart)
    np.testing.assert_array_equal(found[labels >= 0], labels[labels >= 0])
    np.testing.assert_array_equal(found, truth)


@pytest.mark.parametrize(("seed", "init_seed"), [(0, 0), (1, 1), (3, 0)])
def test_moves_take_away_the_component_without_labels(seed: int, init_seed: int) -> None:
    """A few rows far away have no label, and their component is elsewhere at first."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat([0, 1, 2], [100_000, 100_000, 20])
    X = rng.normal(size=(len(cluster), 2)) * np.where(cluster == 1, 0.5, 1.0)[:, None]
    X += np.array([[0.0, 0.0], [3.0, 3.0], [13.0, 0.0]])[cluster]
    known = (rng.random(len(X)) < 0.01) & (cluster < 2)
    fit = fit_gmm(X, 3, labels=np.where(known, cluster, -1), rng=init_seed)
    assert fit.weights[2] * len(X) == pytest.approx(20.0, abs=0.5)


def test_automatic_starts_see_the_few_labels_of_many_rows() -> None:
    apart, truth = clustered(60_000, 2, 3, spread=30.0)
    labels = np.full(60_000, -1)
    for j in range(3):
        rows = np.flatnonzero(truth == j)
        labels[rows[:2]] = (j + 1) % 3
    fit = fit_gmm(apart, 3, labels=labels, init="kmeans", rng=0)
    np.testing.assert_array_equal(fit.predict(apart), (truth + 1) % 3)


def test_clusters_of_k_means_and_trees_get_the_numbers_of_labels() -> None:
    apart, truth = clustered(150, 2, 3, spread=30.0)
    labels = np.where(np.arange(150) % 10 == 0, truth, -1)
    for init in (fit_kmeans(apart, 3, rng=0), hierarchical(apart)):
        fit = fit_gmm(apart, 3, labels=labels, init=init)
        np.testing.assert_array_equal(fit.predict(apart), truth)


def test_init_that_is_numbered_is_taken_as_it_is() -> None:
    model = fit_gmm(X, 3, labels=SOME, rng=0).model
    for init in (model, model.means, TRUTH, np.eye(3)[TRUTH], lambda *_: TRUTH):
        fit = fit_gmm(X, 3, labels=SOME, init=init, rng=0)
        assert fit.log_likelihood == pytest.approx(
            fit_gmm(X, 3, init="labels", labels=SOME).log_likelihood, abs=1.0
        )
    start = fit_gmm(X, 3, labels=SOME, init=model, max_iter=1, tol=0.0)
    np.testing.assert_allclose(start.means, model.means, rtol=1e-3)


def test_automatic_start_reaches_a_higher_maximum_of_iris() -> None:
    labels = labelling("every10th")
    options: dict[str, Any] = {"labels": labels, "reg_covar": 0.0, "tol": 1e-10, "rng": 0}
    plain, better = fit_gmm(IRIS, 3, init="labels", **options), fit_gmm(IRIS, 3, **options)
    assert better.log_likelihood > plain.log_likelihood + 5.0
    for fit in (plain, better):
        table = np.where(labels[:, None] >= 0, np.eye(3)[labels], 1.0)
        expected = log_likelihood(IRIS, fit.model, table)
        assert fit.log_likelihood == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("init", ["kmeans", "kmeans++", "random", "hierarchical"])
@pytest.mark.parametrize("name", ["iris", "thyroid"])
def test_automatic_starts_reach_the_maximum_near_the_true_classes(name: str, init: Any) -> None:
    """On thyroid, clusters of k-means lead to a maximum that is 120 nats lower."""
    data = getattr(datasets, f"load_{name}")()
    rng, labels = np.random.default_rng(0), np.full(len(data.data), -1)
    for j in range(3):
        labels[rng.choice(np.flatnonzero(data.labels == j), 5, replace=False)] = j
    found = fit_gmm(data.data, 3, labels=labels, init=init, rng=0)
    expected = fit_gmm(data.data, 3, labels=labels, init=data.labels)
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, abs=1e-3)


# ---- collapse, fixed parameters ----


def test_labelled_component_that_collapses_is_not_dropped() -> None:
    labels = TRUTH.copy()
    labels[TRUTH == 2] = 1
    labels[5] = 2  # one row has no covariance
    message = (
        "the fit cannot continue: component 2 collapsed, and may not be dropped, as there are rows "
        "that labels give to it. Use reg_covar > 0, other labels, or a covariance_type with fewer "
        "parameters."
    )
    for action in ("drop", "reseed"):
        with pytest.raises(FitError, match=re.escape(message)):
            fit_gmm(X, 3, init="labels", labels=labels, reg_covar=0.0, on_collapse=action)
    with pytest.raises(FitError, match="component 2 has a singular covariance"):
        fit_gmm(X, 3, init="labels", labels=labels, reg_covar=0.0, on_collapse="raise")
    assert fit_gmm(X, 3, init="labels", labels=labels).weights[2] == pytest.approx(1 / 300)


def test_component_without_label_may_be_dropped() -> None:
    means = np.vstack([X[TRUTH == 0].mean(axis=0), X[TRUTH == 1].mean(axis=0), [1e8, 1e8]])
    start = GaussianMixture([0.4, 0.4, 0.2], means[[2, 0, 1]], np.tile(np.eye(2), (3, 1, 1)))
    labels = np.where((SOME == 0) | (SOME == 1), SOME + 1, -1)
    fit = fit_gmm(X, 3, labels=labels, init=start, on_collapse="drop", reg_covar=0.0)
    assert [(e.component, e.action) for e in fit.events] == [(0, "dropped")]
    table = np.where(labels[:, None] >= 0, np.eye(2)[labels - 1], 1.0)
    assert fit.log_likelihood == pytest.approx(log_likelihood(X, fit.model, table), rel=1e-12)


def test_component_that_is_reseeded_keeps_its_label() -> None:
    start = fit_gmm(X, 3, init=TRUTH).model
    covariances = start.covariances.copy()
    far = GaussianMixture(start.weights, start.means, covariances)
    labels = np.where(SOME == 1, 1, -1)
    fit = fit_gmm(X, 3, labels=labels, init=far, reg_covar=0.0)
    own = fit.model.responsibilities(X[TRUTH == 1]).mean(axis=0)
    assert own.argmax() == 1


def test_fixed_parameters_stay_beside_labels() -> None:
    start = fit_gmm(X, 3, init=TRUTH, reg_covar=0.0).model
    fit = fit_gmm(X, 3, labels=SOME, init=start, fixed={"means": [True, False, False]})
    np.testing.assert_array_equal(fit.means[0], start.means[0])
    table = np.where(SOME[:, None] >= 0, np.eye(3)[SOME], 1.0)
    assert fit.log_likelihood == pytest.approx(log_likelihood(X, fit.model, table), rel=1e-12)


def test_label_of_a_weight_fixed_at_zero_is_refused() -> None:
    start = fit_gmm(X, 3, init=TRUTH).model
    empty = GaussianMixture([0.0, 0.5, 0.5], start.means, start.covariances)
    row = int(np.argmax(SOME == 0))
    message = (
        f"fixed weights must not be 0 for all components that labels allow a row; row {row} has no "
        f"other. Free the weight, or set the label to -1."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_gmm(X, 3, labels=SOME, init=empty, fixed="weights")
    others = np.where(SOME == 0, -1, SOME)
    fit = fit_gmm(X, 3, labels=others, init=empty, fixed="weights")
    assert np.isfinite(fit.log_likelihood)


def test_fixed_needs_a_mixture_with_labels_too() -> None:
    with pytest.raises(ValueError, match="init must be a mixture where parameters are fixed"):
        fit_gmm(X, 3, init="labels", labels=SOME, fixed="means")


# ---- reports ----


def test_fit_says_whose_log_likelihood_it_has(tmp_path: Path) -> None:
    fit = fit_gmm(X, 3, labels=SOME, rng=0)
    n = np.count_nonzero(SOME >= 0)
    expected = f"log-likelihood of rows and labels ({n} known) {fit.log_likelihood:.6f} nats"
    assert expected in fit.summary()
    assert expected in fit._repr_html_()
    assert fit.log_likelihood < fit.model.log_likelihood(X)
    fit.save(tmp_path / "fit.npz")
    again = load(tmp_path / "fit.npz")
    assert (again.n_labelled, again.summary()) == (n, fit.summary())


def test_labels_of_a_frame_need_its_index() -> None:
    frame = pandas("DataFrame", X, columns=["a", "b"])
    labels = pandas("Series", SOME, index=frame.index[::-1])
    with pytest.raises(ValueError, match="labels must have the index of X; row 0 has the label"):
        fit_gmm(frame, 3, init="labels", labels=labels)
    fit = fit_gmm(frame, 3, labels=pandas("Series", SOME), init=pandas("Series", TRUTH))
    assert fit.model.feature_names == ("a", "b")
    with pytest.raises(ValueError, match="init must have the index of X"):
        fit_gmm(frame, 3, labels=SOME, init=pandas("Series", TRUTH, index=frame.index[::-1]))


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl", "cv"])
def test_selection_is_of_rows_and_labels(criterion: Any) -> None:
    names = ["VVV", "EEE", "EII"]
    found = select_gmm(X, [3, 4], names, labels=SOME, criterion=criterion, rng=0)
    assert not np.isnan(found.table).any()
    for (k, name), fit in found.fits.items():
        table = np.where(SOME[:, None] >= 0, np.eye(k)[SOME], 1.0)
        of_both = log_likelihood(X, fit.model, table)
        assert fit.log_likelihood == pytest.approx(of_both, rel=1e-11)
        own = found.table[found.n_components.index(k), found.covariance_types.index(name)]
        if criterion == "bic":
            assert own == pytest.approx(-2 * of_both + fit.n_parameters * np.log(300), rel=1e-11)
        if criterion == "icl":
            with np.errstate(divide="ignore"):
                best = (joint_log_density(X, fit.model) + np.log(table)).max(axis=1).sum()
            assert own == pytest.approx(-2 * best + fit.n_parameters * np.log(300), rel=1e-11)
    best = fit_gmm(X, 3, labels=SOME, init="kmeans", rng=0, covariance_type="VVV")
    assert found.fits[3, "VVV"].log_likelihood >= best.log_likelihood - 1e-3


@pytest.mark.parametrize("criterion", ["bic", "cv"])
def test_selection_leaves_out_models_of_fewer_components_than_labels(criterion: Any) -> None:
    names, options = ["EII", "VVV"], {"labels": SOME, "criterion": criterion, "n_folds": 3}
    found = select_gmm(X, range(1, 5), names, rng=0, **options)
    same = select_gmm(X, [3, 4], names, rng=0, **options)
    np.testing.assert_array_equal(found.table[2:], same.table)
    assert np.isnan(found.table[:2]).all()
    assert set(found.reasons) == {(k, name) for k in (1, 2) for name in names}
    message = "labels must lie between 0 and 1, or be -1 for rows whose label is not known; row"
    assert found.reasons[2, "EII"].startswith(message)
    assert found.best.n_components in (3, 4)
    assert message in found.summary()


def test_selection_without_a_model_that_labels_suit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, .* and there is no such component"):
        select_gmm(X, [2, 1], labels=SOME)
    with pytest.raises(TypeError, match="labels must be integers"):
        select_gmm(X, [3, 4], labels=SOME.astype(str))


def test_selection_leaves_out_models_with_components_without_rows() -> None:
    truth = np.maximum(SOME, 0)
    found = select_gmm(X, [3, 4], ["EII"], labels=truth, rng=0)
    assert list(found.fits) == [(3, "EII")]
    assert found.reasons[4, "EII"].startswith("labels must leave some row to every component")


def test_selection_by_a_table_is_of_its_components() -> None:
    found = select_gmm(X, [2, 3], ["EII"], labels=np.ones((len(X), 3)) - 0.5 * np.eye(3)[0], rng=0)
    assert list(found.fits) == [(3, "EII")]
    assert "labels must have shape" in found.reasons[2, "EII"]


@pytest.mark.parametrize("init", ["hierarchical", "tree", "k-means", "labels"])
def test_selection_starts_with_the_numbers_of_labels(init: str) -> None:
    apart, truth = clustered(150, 2, 3, spread=30.0)
    labels = np.where(np.arange(150) % 10 == 0, truth, -1)
    begins = {"tree": hierarchical(apart), "k-means": fit_kmeans(apart, 3, rng=0), "labels": truth}
    begin: Any = begins.get(init, init)
    found = select_gmm(apart, 3, ["VVV", "EII"], labels=labels, init=begin, rng=0)
    for fit in found.fits.values():
        np.testing.assert_array_equal(fit.predict(apart), truth)


def test_start_from_labels_needs_labels_that_tell_components_apart() -> None:
    with pytest.raises(
        ValueError, match=r"^init=\"labels\" needs labels that say something of some"
    ):
        fit_gmm(X, 3, init="labels")
    with pytest.raises(
        ValueError, match=r"^init=\"labels\" needs labels that say something of some"
    ):
        fit_gmm(X, 3, init="labels", labels=np.full(300, -1))
    with pytest.raises(ValueError, match=r"got two of which they say the same\. Start with init="):
        fit_gmm(X, 5, init="labels", labels=SOME)
