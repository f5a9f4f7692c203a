"""A row of weight zero is absent, even if it is not finite: for fits, questions and labels."""

from collections.abc import Callable

import numpy as np
import pytest
from clusters import clustered
from tables import pandas

from mixtura import fit_gmm, fit_kmeans, hierarchical, load, scan, select_gmm

X = clustered(60, 3, 2, seed=4)[0]
ABSENT = np.array([3, 17, 18, 59])
WEIGHT = np.where(np.isin(np.arange(60), ABSENT), 0.0, 1.5)
PRESENT = WEIGHT > 0.0
HOLES = X.copy()
HOLES[ABSENT] = [[np.nan] * 3, [np.inf, 0, 0], [0, -np.inf, np.nan], [1, 2, np.nan]]

KINDS: dict[str, Callable[[], dict[str, object]]] = {
    "array": lambda: {"X": HOLES, "sample_weight": WEIGHT},
    "frame": lambda: {"X": pandas("DataFrame", HOLES), "sample_weight": WEIGHT},
    "blocks": lambda: {"X": scan([HOLES[:18], HOLES[18:]]), "sample_weight": WEIGHT},
    "weighted blocks": lambda: {
        "X": scan([HOLES[:18], HOLES[18:]], weight=[WEIGHT[:18], WEIGHT[18:]])
    },
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
@pytest.mark.parametrize("backend", ["compiled", "reference"])
@pytest.mark.parametrize("init", ["kmeans", "kmeans++", "random", "hierarchical"])
def test_fit_with_absent_rows_that_are_not_finite_is_that_without_them(
    kind: str, backend: str, init: str
) -> None:
    options = {"rng": 0, "n_init": 2, "backend": backend, "init": init}
    fit = fit_gmm(n_components=2, **KINDS[kind](), **options)
    other = fit_gmm(X[PRESENT], 2, sample_weight=WEIGHT[PRESENT], **options)
    np.testing.assert_allclose(fit.model.means, other.model.means, rtol=1e-9)
    assert fit.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)


@every_kind
@pytest.mark.parametrize("backend", ["compiled", "reference"])
def test_kmeans_labels_absent_rows_that_are_not_finite_minus_one(kind: str, backend: str) -> None:
    fit = fit_kmeans(n_clusters=2, rng=0, backend=backend, **KINDS[kind]())
    other = fit_kmeans(X[PRESENT], 2, sample_weight=WEIGHT[PRESENT], rng=0, backend=backend)
    np.testing.assert_allclose(fit.centers, other.centers, rtol=1e-12)
    assert (fit.labels[ABSENT] == -1).all()
    np.testing.assert_array_equal(fit.labels[PRESENT], other.labels)


def test_kmeans_with_labels_of_minus_one_is_saved_and_loaded(tmp_path: object) -> None:
    fit = fit_kmeans(HOLES, 2, sample_weight=WEIGHT, rng=0)
    fit.save(tmp_path / "k.npz")
    np.testing.assert_array_equal(load(tmp_path / "k.npz").labels, fit.labels)


@every_kind
def test_tree_gives_absent_rows_that_are_not_finite_no_leaf(kind: str) -> None:
    tree = hierarchical(**KINDS[kind]())
    other = hierarchical(X[PRESENT], sample_weight=WEIGHT[PRESENT])
    np.testing.assert_allclose(tree.linkage, other.linkage, rtol=1e-9)
    for n_clusters in (1, 3):
        labels = tree.labels(n_clusters)
        assert (labels[ABSENT] == -1).all()
        np.testing.assert_array_equal(labels[PRESENT], other.labels(n_clusters))


@every_kind
@pytest.mark.parametrize("criterion", ["bic", "icl", "cv"])
def test_selection_with_absent_rows_that_are_not_finite_is_that_without_them(
    kind: str, criterion: str
) -> None:
    options = {"n_components": [1, 2], "covariance_type": ["EII", "VVV"], "rng": 0, "n_init": 1}
    found = select_gmm(criterion=criterion, **options, **KINDS[kind]())
    other = select_gmm(X[PRESENT], sample_weight=WEIGHT[PRESENT], criterion=criterion, **options)
    np.testing.assert_allclose(found.table, other.table, rtol=1e-6)


@every_kind
@pytest.mark.parametrize("question", ["log_likelihood", "aic", "bic", "icl"])
def test_question_with_absent_rows_that_are_not_finite_is_answered_without_them(
    kind: str, question: str
) -> None:
    model = fit_gmm(X, 2, rng=0).model
    answer = getattr(model, question)(**KINDS[kind]())
    assert answer == pytest.approx(getattr(model, question)(X[PRESENT], WEIGHT[PRESENT]))


def test_labels_in_init_of_absent_rows_may_be_anything() -> None:
    labels = fit_kmeans(HOLES, 2, sample_weight=WEIGHT, rng=0).labels
    fit = fit_gmm(HOLES, 2, sample_weight=WEIGHT, init=labels)
    other = fit_gmm(X[PRESENT], 2, sample_weight=WEIGHT[PRESENT], init=labels[PRESENT])
    np.testing.assert_allclose(fit.model.means, other.model.means, rtol=1e-9)


def test_labels_in_init_with_the_index_of_other_rows_are_refused() -> None:
    frame = pandas("DataFrame", X)
    labels = pandas("Series", np.arange(60) % 2)
    fit_gmm(frame, 2, init=labels)
    for fit in (fit_gmm, fit_kmeans):
        with pytest.raises(ValueError, match="sample_weight must have the index of X; row 0 has"):
            fit(frame, 2, sample_weight=pandas("Series", WEIGHT)[::-1])
    with pytest.raises(ValueError, match=r"init must have the index of X; .* init.loc\[X.index\]"):
        fit_gmm(frame, 2, init=labels[::-1])
    with pytest.raises(ValueError, match="init must have the index of X"):
        fit_gmm(frame, 2, init=lambda *_: labels[::-1])
    resp = pandas("DataFrame", np.full((60, 2), 0.5))
    with pytest.raises(ValueError, match="init must have the index of X"):
        fit_gmm(frame, 2, init=resp[::-1])
    for function in (select_gmm, hierarchical):
        with pytest.raises(ValueError, match="sample_weight must have the index of X"):
            function(frame, sample_weight=pandas("Series", WEIGHT)[::-1])
