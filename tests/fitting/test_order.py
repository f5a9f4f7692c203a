"""Components of automatic starts come heaviest first; those of given starts keep their order."""

import signal
from pathlib import Path

import numpy as np
import pytest
from clusters import assert_same_fit_bits, clustered
from kills import fit_with_kills

from mixtura import (
    FitInterrupted,
    GMMFit,
    KMeansFit,
    bootstrap_lrt,
    datasets,
    fit_gmm,
    fit_kmeans,
    select_gmm,
)
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.starts import INIT_METHODS

X, LABELS = clustered(300, 2, 4)
WEIGHT = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X))


def assert_heaviest_first(fit: GMMFit) -> None:
    assert (np.diff(fit.model.weights) <= 0.0).all()


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_fit_of_every_family_has_the_heaviest_component_first(name: str) -> None:
    assert_heaviest_first(fit_gmm(X, 4, covariance_type=name, rng=0, max_iter=20, tol=0.0))


@pytest.mark.parametrize("init", INIT_METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_fit_from_every_method_has_the_heaviest_component_first(init: str, seed: int) -> None:
    for options in ({}, {"sample_weight": WEIGHT}, {"em": "hard"}, {"reg_covar": 0.0}):
        assert_heaviest_first(fit_gmm(X, 4, init=init, rng=seed, **options))
    assert_heaviest_first(fit_gmm(X, 4, init=lambda *_: init, rng=seed))


def test_fits_of_several_seeds_have_the_same_order() -> None:
    data = datasets.load_faithful().data
    means = [fit_gmm(data, 2, rng=seed).model.means for seed in range(6)]
    np.testing.assert_allclose(means, [means[0]] * 6, rtol=1e-3)
    assert means[0][0, 1] > means[0][1, 1]


def test_fit_has_the_same_bits_for_any_number_of_threads() -> None:
    one, other = (fit_gmm(X, 4, rng=0, n_threads=n) for n in (1, 3))
    assert_same_fit_bits(one, other)


@pytest.mark.parametrize("kind", ["labels", "resp", "means", "mixture", "callable"])
def test_fit_from_a_given_start_keeps_its_order(kind: str) -> None:
    lightest = np.argsort(np.argsort(np.bincount(LABELS)))[LABELS]
    means = np.array([X[lightest == j].mean(axis=0) for j in range(4)])
    init = {
        "labels": lightest,
        "resp": np.eye(4)[lightest],
        "means": means,
        "mixture": fit_gmm(X, 4, init=lightest).model,
        "callable": lambda *_: lightest,
    }[kind]
    fit = fit_gmm(X, 4, init=init)
    nearest = np.square(fit.model.means[:, None] - means).sum(axis=2).argmin(axis=1)
    assert nearest.tolist() == [0, 1, 2, 3]
    selected = select_gmm(X, 4, ["VVV"], init=init).best.model
    np.testing.assert_array_equal(np.argsort(selected.weights), np.argsort(fit.model.weights))


def test_killed_fit_ends_in_the_same_order(tmp_path: Path) -> None:
    options = {"rng": 3, "n_init": 2, "tol": 1e-9}
    fit = fit_with_kills(tmp_path / "c", [1, 3], X, 4, **options)
    assert_heaviest_first(fit)
    assert_same_fit_bits(fit, fit_gmm(X, 4, **options))


def test_interrupted_fit_has_the_heaviest_component_first() -> None:
    def interrupt(_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(X, 4, rng=1, callback=interrupt)
    assert_heaviest_first(caught.value.fit)
    with pytest.raises(FitInterrupted) as caught:
        fit_kmeans(X, 4, rng=1, sample_weight=WEIGHT, callback=interrupt)
    kmeans = caught.value.fit
    present = WEIGHT > 0.0
    sizes = np.bincount(kmeans.labels[present], WEIGHT[present], 4)
    assert (np.diff(sizes) <= 0.0).all()


def test_events_of_kept_components_name_their_final_positions() -> None:
    rows = np.vstack([X, np.full((90, 2), 40.0)])
    seen = set()
    for seed in range(4):
        fit = fit_gmm(rows, 5, rng=seed, reg_covar=[1e-12, 1e-12], avoid_spurious=True)
        narrow = np.linalg.eigvalsh(fit.model.covariance_matrices())[:, 0] < 1e-8
        kept = sorted(
            e.component for e in fit.events if (e.cause, e.action) == ("spurious", "kept")
        )
        seen.update(kept)
        assert kept == np.flatnonzero(narrow).tolist()
    assert seen - {4}  # not the lightest


def test_selection_and_bootstrap_have_the_heaviest_component_first() -> None:
    for init in ("kmeans++", "hierarchical", lambda *_: "kmeans"):
        selection = select_gmm(X, [2, 3, 4], ["VII", "EEV", "VVV"], init=init, rng=0, n_init=2)
        for fit in selection.fits.values():
            assert_heaviest_first(fit)
    test = bootstrap_lrt(X, 2, n_bootstrap=1, n_init=1, rng=0)
    assert_heaviest_first(test.null)
    assert_heaviest_first(test.alternative)


def sizes_of(fit: KMeansFit, weight: np.ndarray | None = None) -> np.ndarray:
    return np.bincount(fit.labels, weight, len(fit.centers))


@pytest.mark.parametrize("init", ["kmeans++", "random"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_clusters_come_largest_first_with_their_labels(
    init: str, weight: np.ndarray | None
) -> None:
    for seed in range(3):
        fit = fit_kmeans(X, 4, init=init, rng=seed, n_init=2, sample_weight=weight)
        assert (np.diff(sizes_of(fit, weight)) <= 0.0).all()
        np.testing.assert_array_equal(fit.predict(X), fit.labels)


def test_clusters_about_given_centers_keep_their_order() -> None:
    fit = fit_kmeans(X, 4, rng=0)
    again = fit_kmeans(X, 4, init=fit.centers[::-1])
    np.testing.assert_allclose(again.centers, fit.centers[::-1])
    assert (np.diff(sizes_of(again)) >= 0).all()


def test_clusters_of_equal_size_come_in_the_order_of_their_centers() -> None:
    rows = np.array([[0.0, 1.0], [0.0, 0.0], [9.0, 0.0], [5.0, 0.0]])
    for seed in range(4):
        fit = fit_kmeans(rows, 4, rng=seed)
        assert fit.centers.tolist() == [[0.0, 0.0], [0.0, 1.0], [5.0, 0.0], [9.0, 0.0]]
        assert fit.labels.tolist() == [1, 0, 3, 2]
