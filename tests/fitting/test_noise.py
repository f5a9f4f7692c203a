"""Fits to rows with noise of their own: properties, and everything else a fit can be asked for."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from mixtura import GaussianMixture, datasets, fit_gmm, load, scan, select_gmm
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.data import open_rows
from mixtura.data.noise import with_noise
from mixtura.schedules import State
from mixtura.shapes import Floats

TRUTH = GaussianMixture(
    [0.4, 0.6],
    [[0.0, 0.0], [4.0, 1.0]],
    [[[0.5, 0.3], [0.3, 0.4]], [[0.2, -0.1], [-0.1, 0.6]]],
)


def noisy(n: int, seed: int, size: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """Rows of TRUTH, the covariances of their noise, and the rows with noise."""
    rng = np.random.default_rng(seed)
    roots = np.sqrt(size) * rng.normal(size=(n, 2, 2))
    X = TRUTH.sample(n, rng)[0]
    return X, roots @ roots.swapaxes(1, 2), X + (roots @ rng.normal(size=(n, 2, 1)))[:, :, 0]


@pytest.mark.parametrize("covariance_type", CELEUX_GOVAERT)
def test_fit_without_noise_is_the_ordinary_fit(covariance_type: str) -> None:
    X = datasets.load_iris().data
    options: dict[str, Any] = {"covariance_type": covariance_type, "rng": 0, "n_init": 2}
    plain = fit_gmm(X, 2, **options)
    fit = fit_gmm(X, 2, noise_covariance=np.zeros(len(X)), **options)
    assert fit.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-9)
    np.testing.assert_allclose(fit.means, plain.means, rtol=1e-4)
    assert fit.entropy == pytest.approx(plain.entropy, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("em", ["soft", "hard", "annealed"])
@pytest.mark.parametrize("reg_covar", [0.0, 1e-2])
@pytest.mark.parametrize("covariance_type", CELEUX_GOVAERT)
def test_objective_never_falls(covariance_type: str, reg_covar: float, em: str) -> None:
    """From the iteration on at which annealing has come to a temperature of one."""
    _, noise, W = noisy(150, 1)
    fit = fit_gmm(
        W, 2, covariance_type=covariance_type, noise_covariance=noise, em=em, reg_covar=reg_covar,
        init=(W[:, 0] > 2.0).astype(int), max_iter=40, tol=0.0, on_collapse="raise",
    )  # fmt: skip
    settled = 15 if em == "annealed" else 0
    assert len(fit.history) == 40
    assert np.diff(fit.history[settled:]).min() > -1e-12


def test_one_component_under_the_same_noise_has_a_closed_form() -> None:
    X = datasets.load_iris().data
    noise = 0.02 * np.eye(4) + 0.01
    fit = fit_gmm(
        X, 1, noise_covariance=np.broadcast_to(noise, (len(X), 4, 4)), reg_covar=0.0, tol=1e-15,
        max_iter=10_000,
    )  # fmt: skip
    np.testing.assert_allclose(fit.means[0], X.mean(axis=0), rtol=1e-8)
    expected = np.cov(X.T, bias=True) - noise
    np.testing.assert_allclose(fit.covariances[0], expected, atol=1e-6)


def test_fit_ends_where_direct_optimisation_does() -> None:
    _, noise, W = noisy(120, 2)
    fit = fit_gmm(W, 2, noise_covariance=noise, reg_covar=0.0, tol=1e-13, max_iter=5000, rng=0)

    def mixture(theta: Floats) -> tuple[Floats, Floats, Floats]:
        share = 1.0 / (1.0 + np.exp(-theta[0]))
        roots = np.zeros((2, 2, 2))
        roots[:, [0, 1, 1], [0, 0, 1]] = theta[5:].reshape(2, 3)
        return np.array([share, 1.0 - share]), theta[1:5].reshape(2, 2), roots

    def loss(theta: Floats) -> float:
        weights, means, roots = mixture(theta)
        S = (roots @ roots.swapaxes(1, 2))[None] + noise[:, None]
        z = W[:, None] - means
        distance = np.einsum("ija,ijab,ijb->ij", z, np.linalg.inv(S), z)
        density = -0.5 * (distance + np.linalg.slogdet(S)[1]) - np.log(2.0 * np.pi)
        return -float(np.logaddexp.reduce(density + np.log(weights), axis=1).sum())

    lower = np.linalg.cholesky(fit.covariances)[:, [0, 1, 1], [0, 0, 1]]
    start = np.concatenate([[np.log(fit.weights[0] / fit.weights[1])], fit.means.ravel(),
                            lower.ravel()])  # fmt: skip
    shaken = start + 0.05 * np.random.default_rng(3).normal(size=len(start))
    best = minimize(loss, shaken, method="BFGS", options={"gtol": 1e-6})
    assert fit.log_likelihood == pytest.approx(-loss(start), rel=1e-10)
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-6)
    np.testing.assert_allclose(mixture(best.x)[1], fit.means, atol=1e-3)


def test_truth_is_found_where_the_plain_fit_is_too_wide() -> None:
    _, noise, W = noisy(20_000, 4)
    fit = fit_gmm(W, 2, noise_covariance=noise, rng=0, n_init=2, tol=1e-8)
    plain = fit_gmm(W, 2, rng=0, n_init=2)
    order = np.argsort(fit.means[:, 0])
    np.testing.assert_allclose(fit.weights[order], TRUTH.weights, atol=0.02)
    np.testing.assert_allclose(fit.means[order], TRUTH.means, atol=0.05)
    np.testing.assert_allclose(fit.covariances[order], TRUTH.covariances, atol=0.08)
    wider = plain.covariances[np.argsort(plain.means[:, 0])] - TRUTH.covariances
    assert np.linalg.eigvalsh(wider).min() > 0.2


def test_denoised_rows_are_nearer_to_the_truth() -> None:
    X, noise, W = noisy(2000, 5)
    fit = fit_gmm(W, 2, noise_covariance=noise, rng=0, n_init=2)
    expected, covariances = fit.denoise(W, noise, return_cov=True)
    assert np.square(expected - X).sum() < 0.4 * np.square(W - X).sum()
    squared = np.einsum("iaa->", covariances)
    assert np.square(expected - X).sum() == pytest.approx(squared, rel=0.1)


def test_projection_that_selects_columns_is_the_fit_of_these_columns() -> None:
    """Of one component; the other feature is observed in no row, so that it stays as it was."""
    _, noise, W = noisy(300, 6)
    own = W[:, :1], noise[:, :1, :1]
    start = GaussianMixture([0.5, 0.5], [[0.0], [4.0]], [[[1.0]], [[1.0]]])
    options: dict[str, Any] = {"reg_covar": 0.0, "tol": 0.0, "max_iter": 30, "rng": 0}
    marginal = fit_gmm(own[0], 2, noise_covariance=own[1], init=start, **options)
    R = np.broadcast_to(np.array([[1.0, 0.0]]), (300, 1, 2))
    both = GaussianMixture(
        [0.5, 0.5], [[0.0, 7.0], [4.0, 9.0]], [np.diag([1.0, 2.0]), np.diag([1.0, 3.0])]
    )
    fit = fit_gmm(own[0], 2, noise_covariance=own[1], projection=R, init=both, **options)
    assert fit.log_likelihood == pytest.approx(marginal.log_likelihood, rel=1e-10)
    np.testing.assert_allclose(fit.means[:, 0], marginal.means[:, 0], rtol=1e-8)
    np.testing.assert_allclose(fit.covariances[:, 0, 0], marginal.covariances[:, 0, 0], rtol=1e-7)
    np.testing.assert_allclose(fit.means[:, 1], [7.0, 9.0], rtol=1e-8)
    np.testing.assert_allclose(fit.covariances[:, 1, 1], [2.0, 3.0], rtol=1e-7)


def test_projections_of_all_kinds_find_the_truth() -> None:
    """Each row is seen from another side, by one number."""
    rng = np.random.default_rng(7)
    X = TRUTH.sample(10_000, rng)[0]
    R = rng.normal(size=(10_000, 1, 2))
    W = (R @ X[:, :, None])[:, :, 0] + 0.1 * rng.normal(size=(10_000, 1))
    fit = fit_gmm(
        W, 2, noise_covariance=np.full(10_000, 0.01), projection=R, rng=0, n_init=4, max_iter=2000
    )
    order = np.argsort(fit.means[:, 0])
    np.testing.assert_allclose(fit.means[order], TRUTH.means, atol=0.15)
    np.testing.assert_allclose(fit.covariances[order], TRUTH.covariances, atol=0.15)
    assert fit.feature_names is None
    assert fit.model.log_likelihood(
        W, noise_covariance=np.full(10_000, 0.01), projection=R
    ) == pytest.approx(fit.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("init", ["kmeans++", "kmeans", "random", "hierarchical"])
def test_automatic_starts_take_noisy_rows(init: str) -> None:
    _, noise, W = noisy(400, 8)
    fit = fit_gmm(W, 2, noise_covariance=noise, init=init, n_init=2, rng=0)
    best = fit_gmm(W, 2, noise_covariance=noise, init=TRUTH)
    assert fit.log_likelihood == pytest.approx(best.log_likelihood, abs=1e-2)


@pytest.mark.parametrize("kind", ["means", "resp", "labels", "callable", "kmeans"])
def test_given_starts_take_noisy_rows(kind: str) -> None:
    _, noise, W = noisy(400, 8)
    resp = np.eye(2)[(W[:, 0] > 2.0).astype(int)]
    init: Any = {
        "means": TRUTH.means, "resp": resp, "labels": resp.argmax(axis=1),
        "callable": lambda *_: resp, "kmeans": "kmeans",
    }[kind]  # fmt: skip
    fit = fit_gmm(W, 2, noise_covariance=noise, init=init, rng=0)
    best = fit_gmm(W, 2, noise_covariance=noise, init=TRUTH)
    assert fit.log_likelihood == pytest.approx(best.log_likelihood, abs=1e-2)


@pytest.mark.parametrize("backend", ["compiled", "reference"])
def test_weight_of_a_row_is_the_row_repeated(backend: str) -> None:
    _, noise, W = noisy(100, 9)
    weight = np.random.default_rng(10).integers(0, 3, 100)
    options: dict[str, Any] = {
        "init": TRUTH, "reg_covar": 0.0, "tol": 0.0, "max_iter": 10, "backend": backend,
    }  # fmt: skip
    fit = fit_gmm(W, 2, noise_covariance=noise, sample_weight=weight, **options)
    again = np.repeat(np.arange(100), weight)
    other = fit_gmm(W[again], 2, noise_covariance=noise[again], **options)
    assert fit.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(fit.covariances, other.covariances, rtol=1e-9)
    assert fit.entropy == pytest.approx(other.entropy, rel=1e-9)
    W[weight == 0], noise[weight == 0] = np.nan, np.inf
    absent = fit_gmm(W, 2, noise_covariance=noise, sample_weight=weight, **options)
    np.testing.assert_array_equal(absent.covariances, fit.covariances)


def test_fit_of_blocks_is_that_of_the_rows_in_one() -> None:
    _, noise, W = noisy(500, 11)
    options: dict[str, Any] = {"init": TRUTH, "tol": 0.0, "max_iter": 10}
    fit = fit_gmm(scan([W[:100], W[100:]]), 2, noise_covariance=noise, **options)
    other = fit_gmm(W, 2, noise_covariance=noise, **options)
    assert fit.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(fit.means, other.means, rtol=1e-10)
    started = fit_gmm(scan([W[:100], W[100:]]), 2, noise_covariance=noise, rng=0, n_init=2)
    assert started.converged


def test_any_number_of_threads_gives_the_same_bits() -> None:
    _, noise, W = noisy(4000, 12)
    one, other = (
        fit_gmm(W, 2, noise_covariance=noise, rng=0, n_init=2, n_threads=n) for n in (1, 3)
    )
    np.testing.assert_array_equal(one.history, other.history)
    np.testing.assert_array_equal(one.covariances, other.covariances)


def test_many_components_need_no_bounds() -> None:
    """Passes of 48 components or more are offered bounds; noisy rows have none."""
    _, noise, W = noisy(300, 13)
    fit, other = (
        fit_gmm(W, 50, noise_covariance=noise, covariance_type="EII", init=W[:50], max_iter=5,
                tol=0.0, backend=backend) for backend in ("compiled", "reference")
    )  # fmt: skip
    np.testing.assert_allclose(fit.history, other.history, rtol=1e-9)


def test_checkpoint_continues_to_the_same_bits_and_knows_the_noise(tmp_path: Path) -> None:
    _, noise, W = noisy(300, 14)
    file = tmp_path / "fit.npz"
    options: dict[str, Any] = {"rng": 0, "n_init": 2, "checkpoint": file, "checkpoint_every": 0.0}

    class Killed(Exception):
        pass

    def kill(state: State) -> None:
        if state.iteration == 3:
            raise Killed

    whole = fit_gmm(W, 2, noise_covariance=noise, rng=0, n_init=2)
    with pytest.raises(Killed):
        fit_gmm(W, 2, noise_covariance=noise, callback=kill, **options)
    with pytest.raises(ValueError, match=r"noise was float64 of shape .* and is another one"):
        fit_gmm(W, 2, noise_covariance=2.0 * noise, **options)
    with pytest.raises(ValueError, match=r"noise was float64 of shape .* and is None"):
        fit_gmm(W, 2, **options)
    fit = fit_gmm(W, 2, noise_covariance=noise, **options)
    np.testing.assert_array_equal(fit.history, whole.history)
    np.testing.assert_array_equal(fit.covariances, whole.covariances)


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl", "cv"])
def test_selection_compares_mixtures_of_the_true_rows(criterion: str) -> None:
    _, noise, W = noisy(400, 15)
    selection = select_gmm(
        W, (1, 2), ["VVV", "EII"], noise_covariance=noise, criterion=criterion, rng=0, n_init=2,
        n_folds=3,
    )  # fmt: skip
    assert selection.top(1)[0][:2] == (2, "VVV")
    best = selection.fits[2, "VVV"]
    direct = fit_gmm(W, 2, noise_covariance=noise, init=TRUTH)
    assert best.log_likelihood == pytest.approx(direct.log_likelihood, abs=1e-2)
    if criterion in ("bic", "aic", "icl"):
        value = getattr(best.model, criterion)(W, noise_covariance=noise)
        assert selection.top(1)[0][2] == pytest.approx(value, rel=1e-9)


def test_selection_by_a_callable_is_refused() -> None:
    with pytest.raises(ValueError, match="criterion must be a name where noise_covariance is giv"):
        select_gmm(np.zeros((5, 1)), 1, noise_covariance=np.zeros(5), criterion=lambda *_: 0.0)


def test_component_without_variance_is_a_collapse_that_a_ridge_prevents() -> None:
    """Rows that differ by less than their noise: the likeliest component is a point.

    With a ridge, ``1 / (C + N) = ridge / C^2`` at the maximum.
    """
    X = 0.01 * np.random.default_rng(16).normal(size=(200, 1))
    noise = np.ones(200)
    fit = fit_gmm(X, 1, noise_covariance=noise, max_iter=20_000, reg_covar=np.array([1e-4]))
    assert fit.covariances[0, 0, 0] == pytest.approx(0.01, rel=0.02)
    free = fit_gmm(X, 1, noise_covariance=noise, reg_covar=0.0, max_iter=100, tol=0.0)
    assert 0.0 < free.covariances[0, 0, 0] < 0.05


def test_noise_is_checked_before_any_work() -> None:
    X = np.zeros((10, 2))
    with pytest.raises(ValueError, match=r"noise_covariance must have shape \(10,\)"):
        fit_gmm(X, 2, noise_covariance=np.zeros(9))
    with pytest.raises(ValueError, match=r"noise_covariance must have shape \(10,\)"):
        select_gmm(X, 2, noise_covariance=np.zeros(9))
    with pytest.raises(ValueError, match="projection must come with noise_covariance"):
        fit_gmm(X, 2, projection=np.zeros((10, 2, 2)))


def test_labels_and_noise_go_together() -> None:
    """Labelled rows stay with their component, whatever their noise makes more probable."""
    _, noise, W = noisy(200, 17)
    labels = np.full(200, -1)
    labels[:20] = W[:20, 0] < 2.0
    start = TRUTH.reordered([1, 0])
    options: dict[str, Any] = {"init": start, "tol": 0.0, "max_iter": 20}
    one, other = (
        fit_gmm(W, 2, noise_covariance=noise, labels=labels, backend=backend, **options)
        for backend in ("compiled", "reference")
    )
    np.testing.assert_allclose(one.history, other.history, rtol=1e-10)
    np.testing.assert_allclose(one.covariances, other.covariances, rtol=1e-7)
    assert one.entropy == pytest.approx(other.entropy, rel=1e-8)
    free = fit_gmm(W, 2, noise_covariance=noise, **options)
    assert one.history[-1] < free.history[-1] - 1e-3


@pytest.mark.parametrize(
    "question",
    ["log_prob", "component_log_prob", "responsibilities", "predict", "aic", "bic", "icl"],
)
def test_fit_of_noisy_rows_asks_for_the_noise_of_others(question: str) -> None:
    _, noise, W = noisy(60, 0)
    fit = fit_gmm(W, 2, noise_covariance=noise, rng=0, n_init=1)
    ask, ask_model = getattr(fit, question), getattr(fit.model, question)
    message = (
        "noise_covariance must be given, as the rows of the fit had noise of their own; got none. "
        "Pass that of these rows, or np.zeros(len(X)) for rows without noise."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ask(W)
    of_noisy = ask_model(W, noise_covariance=noise)
    np.testing.assert_array_equal(ask(W, noise_covariance=noise), of_noisy)
    without = ask(W, noise_covariance=np.zeros(len(W)))
    np.testing.assert_allclose(without, ask_model(W), rtol=1e-9)
    assert not np.array_equal(of_noisy, ask_model(W)) or question == "predict"


def test_fit_remembers_that_rows_had_noise(tmp_path: Path) -> None:
    _, noise, W = noisy(60, 0)
    plain, fit = (fit_gmm(W, 2, noise_covariance=N, rng=0, n_init=1) for N in (None, noise))
    assert (plain.has_noise, fit.has_noise) == (False, True)
    assert fit.summary().splitlines()[1].startswith("noise of each row known: ")
    assert "noise" not in plain.summary()
    fit.save(tmp_path / "fit.npz")
    loaded = load(tmp_path / "fit.npz")
    assert loaded.has_noise
    with pytest.raises(ValueError, match="noise_covariance must be given"):
        loaded.bic(W)
    best = select_gmm(W, [1, 2], noise_covariance=noise, rng=0, n_init=1).best
    assert best.has_noise


def very_noisy(
    seed: int, share: float = 0.1, n: int = 800
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Labels of two clusters, variances of which some stand for "missing", and noisy rows."""
    rng = np.random.default_rng(seed)
    cluster = (rng.random(n) < 0.35).astype(int)
    V = np.where(cluster[:, None], [0.0, 0.0], [4.0, 3.0]) + 0.7 * rng.normal(size=(n, 2))
    deviation = np.where(rng.random((n, 2)) < share, 100.0, 0.3)
    return cluster, np.square(deviation), V + deviation * rng.normal(size=V.shape)


@pytest.mark.parametrize("kind", ["variances", "covariances"])
@pytest.mark.parametrize("init", ["kmeans", "kmeans++", "random", "hierarchical", "labels"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_starts_do_not_cluster_very_noisy_numbers(share: float, init: str, kind: str) -> None:
    """Each start but "random" led to one component of weight 0."""
    cluster, noise, W = very_noisy(3, share)
    best = fit_gmm(W, 2, noise_covariance=noise, init=np.array([[0.0, 0.0], [4.0, 3.0]]))
    if kind == "covariances":
        noise = noise[:, :, None] * np.eye(2)
    begin: Any = cluster if init == "labels" else init
    fit, again = (fit_gmm(W, 2, noise_covariance=noise, init=begin, rng=0) for _ in range(2))
    assert fit.log_likelihood == pytest.approx(best.log_likelihood, abs=0.01)
    assert fit.weights.min() > 0.3
    np.testing.assert_array_equal(fit.means, again.means)


def test_very_noisy_numbers_do_not_widen_the_unit_of_the_ridge() -> None:
    _, noise, W = very_noisy(4, 0.6)
    V = very_noisy(4, 0.0)[2]
    rows = open_rows(W)
    of_noisy = with_noise(rows, noise).middle
    assert rows.middle.deviation.min() > 30.0
    np.testing.assert_allclose(of_noisy.deviation, V.std(axis=0), rtol=0.1)
    np.testing.assert_allclose(of_noisy.centre, V.mean(axis=0), atol=0.3)
    plain = open_rows(V).middle
    np.testing.assert_array_equal(with_noise(open_rows(V), np.zeros(len(V))).middle, plain)


def test_projections_without_full_rank_are_refused_before_any_work() -> None:
    X = np.random.default_rng(18).normal(size=(40, 2))
    R = np.ones((40, 2, 1))
    with pytest.raises(ValueError, match="of row 0, a combination of its numbers has neither"):
        fit_gmm(X, 1, projection=R, noise_covariance=np.zeros(40), rng=0)
    with pytest.raises(ValueError, match="feature 0 has zeros in all"):
        fit_gmm(X, 1, projection=0.0 * R, noise_covariance=np.ones(40), rng=0)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("size", [1e-3, 1e-12, 1e-30])
def test_projections_beside_which_noise_is_large_end_without_warnings(size: float) -> None:
    X = np.random.default_rng(19).normal(size=(40, 2))
    R = np.broadcast_to(size * np.eye(2), (40, 2, 2))
    fit = fit_gmm(X, 2, projection=R, noise_covariance=np.ones(40), rng=0, max_iter=3000)
    assert np.isfinite(fit.covariances).all()
    assert np.isfinite(fit.log_likelihood)


def test_interrupted_fit_of_noisy_rows_says_both_of_noise_and_of_the_log_likelihood() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 2))
    fit = fit_gmm(rows, 1, noise_covariance=np.full(30, 0.1), rng=0)
    unknown = dataclasses.replace(
        fit, log_likelihood=math.nan, converged=False, stop_reason="interrupted"
    )
    lines = unknown.summary().splitlines()
    assert lines[1] == "noise of each row known: components are those without it"
    assert lines[2].startswith("log-likelihood not computed, because the fit was interrupted")
