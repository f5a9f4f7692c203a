"""Mixtures of counts in bins: figures to all their digits, properties of EM, answers."""

from __future__ import annotations

import csv
import json
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

import mixtura
from mixtura import (
    BinnedFit,
    ConvergenceWarning,
    FitInterrupted,
    GaussianMixture,
    WeightsWarning,
    datasets,
    fit_binned,
    fit_gmm,
    load,
)
from mixtura.shapes import Floats

DATA = Path(__file__).parents[1] / "data" / "binned"
CASES = json.loads((DATA / "cases.json").read_text())
CRABS = datasets.load_naples_crabs()
INF = math.inf
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])


def bins_of(case: dict[str, Any]) -> tuple[Floats, Floats]:
    rows = list(csv.DictReader((DATA / case["data"]).read_text().splitlines()))
    edges = np.array([float(row["lower"]) for row in rows] + [float(rows[-1]["upper"])])
    if case["tails"] == "open":
        edges[[0, -1]] = -INF, INF
    return edges, np.array([float(row["count"]) for row in rows])


def mixture_of(values: dict[str, Any], variance: str) -> GaussianMixture:
    variances = np.array(values["variances"])
    means = np.array(values["means"])[:, None]
    if variance == "shared":
        return GaussianMixture(values["weights"], means, variances[:1, None], "tied")
    return GaussianMixture(values["weights"], means, variances[:, None, None], "full")


def fit_of(case: dict[str, Any], start: GaussianMixture, **options: Any) -> BinnedFit:
    edges, counts = bins_of(case)
    settings = {"reg_covar": 0.0, "covariance_type": start.covariance_type, "init": start}
    return fit_binned(edges, counts, case["n_components"], **settings | options)


# ---- figures ----


@every_case
@pytest.mark.parametrize("backend", ["compiled", "reference"])
def test_path_of_em_is_that_of_the_figures(case: dict[str, Any], backend: str) -> None:
    start = mixture_of(case["start"], case["variance"])
    for n_iter, log_likelihood in case["loglik_after_em_iterations"].items():
        if n_iter == "0":
            fit = fit_of(case, start, max_iter=1, tol=0, backend=backend)
            probabilities = binned_log_likelihood(start, fit)
            assert probabilities == pytest.approx(log_likelihood, rel=1e-11)
        else:
            fit = fit_of(case, start, max_iter=int(n_iter), tol=0, backend=backend)
            assert fit.log_likelihood == pytest.approx(log_likelihood, rel=1e-11)


def binned_log_likelihood(model: GaussianMixture, fit: BinnedFit) -> float:
    """By the distribution function of the mixture, upper tail from above."""
    lower, upper = fit.lower[:, 0], fit.upper[:, 0]
    right = lower > model.means.mean()
    p = np.where(
        right,
        model.cdf(lower, upper=True) - model.cdf(upper, upper=True),
        model.cdf(upper) - model.cdf(lower),
    )
    filled = fit.counts > 0
    return float(fit.counts[filled] @ np.log(p[filled]))


@every_case
def test_fit_reaches_the_figures(case: dict[str, Any]) -> None:
    start = mixture_of(case["start"], case["variance"])
    fit = fit_of(case, start, tol=1e-14, max_iter=5000)
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(case["loglik"], rel=1e-12)
    found = {"weights": fit.weights, "means": fit.means, "variances": fit.covariances}
    for name, values in found.items():
        expected = case[name][: values.size]  # a variance that is shared is stated for each
        np.testing.assert_allclose(values.ravel(), expected, rtol=1e-5)


@every_case
def test_figures_are_where_em_stays(case: dict[str, Any]) -> None:
    """To 8 digits, although it is slow: an error of the parameters would shrink by 1% or more."""
    there = mixture_of(case, case["variance"])
    fit = fit_of(case, there, tol=0, max_iter=1)
    for name, values in (("weights", fit.weights), ("means", fit.means)):
        np.testing.assert_allclose(values.ravel(), case[name], rtol=1e-10)
    variances = case["variances"][: fit.covariances.size]
    np.testing.assert_allclose(fit.covariances.ravel(), variances, rtol=1e-10)
    assert fit.log_likelihood == pytest.approx(case["loglik"], rel=1e-13)


@pytest.mark.parametrize("init", ["kmeans", "kmeans++", "random", "hierarchical"])
def test_crabs_from_automatic_starts_reach_the_figure(init: str) -> None:
    fit = fit_binned(CRABS.edges, CRABS.sample_weight, 2, reg_covar=0, tol=1e-9, init=init, rng=0)
    assert f"{fit.log_likelihood:.5f}" == "-2953.88184"
    assert fit.weights[0] > fit.weights[1]


# ---- properties ----


def histogram(n_bins: int = 25, seed: int = 0, n: int = 4000) -> tuple[Floats, Floats]:
    model = GaussianMixture([0.35, 0.65], [[0.0], [4.0]], [1.0, 2.0], "spherical")
    counts, edges = np.histogram(model.sample(n, rng=seed)[0], n_bins)
    return edges, counts


@pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical", "E", "V"])
@pytest.mark.parametrize("reg_covar", [0.0, 0.1])
def test_objective_never_falls_with_one_feature(family: str, reg_covar: float) -> None:
    edges, counts = histogram()
    edges[[0, -1]] = -INF, INF
    options = {"covariance_type": family, "reg_covar": reg_covar, "rng": 0}
    fit = fit_binned(edges, counts, 3, max_iter=60, tol=0, **options)
    assert np.diff(fit.history).min() > -1e-13 * abs(fit.history[-1])


FAMILIES = [
    "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV",
    "VVV",
]  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("reg_covar", [0.0, 0.1])
def test_objective_never_falls_with_two_features(family: str, reg_covar: float) -> None:
    edges, counts = histogram_of_two(8, 500)
    options = {"covariance_type": family, "reg_covar": reg_covar, "rng": 0}
    fit = fit_binned(edges, counts, 2, max_iter=12, tol=0, **options)
    assert np.diff(fit.history).min() > -1e-13 * abs(fit.history[-1])


TWO = GaussianMixture(
    [0.6, 0.4], [[0.0, 0.0], [3.0, -2.0]], [[[1.0, 0.8], [0.8, 1.5]], [[0.5, -0.3], [-0.3, 0.4]]]
)


def histogram_of_two(
    n_bins: int, n: int, model: GaussianMixture = TWO
) -> tuple[list[Floats], Floats]:
    X = model.sample(n, rng=1)[0]
    counts, *edges = np.histogram2d(X[:, 0], X[:, 1], n_bins)
    return edges, counts


@pytest.mark.parametrize("width", [2e-1, 2e-2])
def test_narrow_bins_are_whole_rows_at_their_middles_less_sheppards_correction(
    width: float,
) -> None:
    """What is left is of the fourth order in the width."""
    X = TWO.sample(150, rng=0)[0][:, 0]
    places, counts = np.unique(np.floor(X / width), return_counts=True)
    edges = np.column_stack([places, places + 1]) * width
    options = {"reg_covar": 0, "tol": 1e-13, "max_iter": 5000}
    rows = fit_gmm(edges.mean(axis=1)[:, None], 2, sample_weight=counts, rng=0, **options)
    fit = fit_binned(edges, counts, 2, init=rows.model, **options)
    rest = 2.0 * width**4 + 1e-6
    np.testing.assert_allclose(fit.means, rows.means, atol=20 * rest)
    np.testing.assert_allclose(fit.covariances, rows.covariances - width**2 / 12, atol=20 * rest)
    log_likelihood = rows.log_likelihood + 150 * math.log(width)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=150 * rest)


@pytest.mark.parametrize("tails", ["closed", "open"])
def test_fit_is_where_direct_optimisation_ends(tails: str) -> None:
    edges, counts = histogram(12)
    if tails == "open":
        edges[[0, -1]] = -INF, INF
    fit = fit_binned(edges, counts, 2, reg_covar=0, tol=1e-13, rng=0, max_iter=5000)

    def objective(x: Floats) -> float:
        w = 1.0 / (1.0 + math.exp(x[0]))
        p = sum(
            share * np.diff(stats.norm.cdf(edges, mean, math.exp(log_sd)))
            for share, mean, log_sd in ((w, x[1], x[2]), (1.0 - w, x[3], x[4]))
        )
        filled = counts > 0
        return -float(counts[filled] @ np.log(np.maximum(p[filled], 1e-300)))

    start = [0.0, fit.means[0, 0] + 0.1, 0.0, fit.means[1, 0] - 0.1, 0.0]
    found = optimize.minimize(objective, start, method="BFGS", options={"gtol": 1e-5})
    assert -found.fun == pytest.approx(fit.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(found.x[[1, 3]], fit.means[:, 0], atol=1e-4)
    np.testing.assert_allclose(np.exp(2 * found.x[[2, 4]]), fit.covariances.ravel(), rtol=1e-3)


def test_bins_split_add_information() -> None:
    edges, fine = histogram(32)
    coarse = fine.reshape(-1, 2).sum(axis=1)
    options: dict[str, Any] = {"reg_covar": 0, "tol": 1e-12, "rng": 0}
    one = fit_binned(edges[::2], coarse, 2, **options)
    other = fit_binned(edges, fine, 2, **options)
    # The split is no more likely than with shares of the halves that are free.
    halves = fine * np.log(np.maximum(fine, 1) / np.repeat(np.maximum(coarse, 1), 2))
    assert other.log_likelihood < one.log_likelihood + halves.sum() < one.log_likelihood

    def information(cut: Floats) -> float:
        """Fisher's, on the first mean: sum over bins of (dP / dmean)^2 / P."""
        step = np.array([[1e-4], [0.0]])
        means = (one.means - step, one.means + step, one.means)
        low, high, p = (
            np.diff(GaussianMixture(one.weights, each, one.covariances).cdf(cut)) for each in means
        )
        return float((np.square((high - low) / 2e-4) / p).sum())

    assert information(edges) > information(edges[::2]) > information(edges[::4])


def test_empty_bins_in_between_count_as_mass_that_was_not_seen() -> None:
    """Their counts add nothing: without them, the mass there is outside instead, and lost too."""
    edges, counts = histogram()
    counts[[3, 20]] = 0
    pairs = np.column_stack([edges[:-1], edges[1:]])
    filled = counts > 0
    assert not filled.all()
    options = {"reg_covar": 0, "rng": 0}
    one = fit_binned(pairs, counts, 2, **options)
    other = fit_binned(pairs[filled], counts[filled], 2, **options)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-7)
    assert other.outside > one.outside + 1e-3


def test_bins_in_another_order_are_the_same() -> None:
    edges, counts = histogram()
    pairs = np.column_stack([edges[:-1], edges[1:]])
    order = np.random.default_rng(0).permutation(len(counts))
    start = fit_binned(edges, counts, 2, rng=0, max_iter=3, tol=0).model
    one = fit_binned(edges, counts, 2, init=start)
    other = fit_binned(pairs[order], counts[order], 2, init=start)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-13)
    np.testing.assert_allclose(one.covariances, other.covariances, rtol=1e-9)


def test_counts_that_are_scaled_scale_the_likelihood() -> None:
    edges, counts = histogram()
    options = {"reg_covar": 0, "init": GaussianMixture([0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0],
               "spherical"), "covariance_type": "spherical", "tol": 1e-10}  # fmt: skip
    one = fit_binned(edges, counts, 2, **options)
    other = fit_binned(edges, 0.25 * counts, 2, **options)
    assert other.log_likelihood == pytest.approx(0.25 * one.log_likelihood, rel=1e-13)
    assert other.weight_sum == 0.25 * one.weight_sum
    assert other.entropy == pytest.approx(0.25 * one.entropy, rel=1e-12)
    np.testing.assert_allclose(other.means, one.means, rtol=1e-12)


def test_units_do_not_matter() -> None:
    edges, counts = histogram()
    one = fit_binned(edges, counts, 2, rng=0)
    other = fit_binned(1e6 * edges, counts, 2, rng=0)
    np.testing.assert_allclose(other.means, 1e6 * one.means, rtol=1e-6)
    np.testing.assert_allclose(other.covariances, 1e12 * one.covariances, rtol=1e-6)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-10)


def test_fit_of_two_features_is_where_the_likelihood_by_scipy_is_level() -> None:
    X = TWO.sample(2000, rng=3)[0]
    counts, x, y = np.histogram2d(X[:, 0], X[:, 1], [5, 4])
    fit = fit_binned((x, y), counts, 1, reg_covar=0, tol=1e-13, max_iter=5000)
    corners = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)

    def log_likelihood(p: Floats) -> float:
        covariance = [[p[2], p[3]], [p[3], p[4]]]
        below = stats.multivariate_normal(p[:2], covariance).cdf(corners)
        probability = np.diff(np.diff(below, axis=0), axis=1)
        filled = counts > 0
        return float(counts[filled] @ np.log(probability[filled]))

    (a, b), ((c, d), (_, e)) = fit.means[0], fit.covariances[0]
    there = np.array([a, b, c, d, e])
    assert fit.log_likelihood == pytest.approx(log_likelihood(there), rel=1e-9)
    for step in 0.01 * np.eye(5):
        lower, here, higher = (log_likelihood(there + s * step) for s in (-1.0, 0.0, 1.0))
        assert lower < here > higher
        summit = 0.005 * (lower - higher) / (lower - 2.0 * here + higher)
        assert abs(summit) < 5e-4  # of the parabola through the three


def test_two_features_recover_the_mixture_they_were_drawn_from() -> None:
    edges, counts = histogram_of_two(16, 40_000)
    fit = fit_binned(edges, counts, 2, rng=0)
    whole = fit_gmm(TWO.sample(40_000, rng=1)[0], 2, rng=0)
    np.testing.assert_allclose(fit.means, TWO.means, atol=0.04)
    np.testing.assert_allclose(fit.covariances, TWO.covariances, atol=0.06)
    np.testing.assert_allclose(fit.weights, TWO.weights, atol=0.01)
    np.testing.assert_allclose(fit.covariances, whole.covariances, atol=0.02)  # no wider
    assert fit.chi_squared().p_value > 0.01


def test_two_open_features_in_few_bins_recover_the_mixture() -> None:
    X = TWO.sample(40_000, rng=2)[0]
    x, y = [-INF, -1, 0, 1, 2, 3, INF], [-INF, -3, -2, -1, 0, 1, INF]
    counts, *edges = np.histogram2d(X[:, 0], X[:, 1], [x, y])
    fit = fit_binned(edges, counts, 2, rng=0)
    np.testing.assert_allclose(fit.means, TWO.means, atol=0.05)
    np.testing.assert_allclose(fit.covariances, TWO.covariances, atol=0.06)
    assert fit.outside < 1e-12


def test_two_independent_features_are_a_product() -> None:
    """One component, diagonal: each feature is fitted by its own counts."""
    edges, counts = histogram_of_two(10, 3000)
    options = {"reg_covar": 0, "tol": 1e-13}
    edges[0][[0, -1]] = edges[1][[0, -1]] = -INF, INF
    both = fit_binned(edges, counts, 1, covariance_type="diag", **options)
    for a in range(2):
        alone = fit_binned(edges[a], counts.sum(axis=1 - a), 1, **options)
        np.testing.assert_allclose(both.means[0, a], alone.means[0, 0], rtol=1e-7)
        np.testing.assert_allclose(both.covariances[0, a], alone.covariances[0, 0, 0], rtol=1e-7)


def test_full_covariance_of_independent_counts_is_diagonal() -> None:
    edges, counts = histogram_of_two(10, 3000)
    x, y = counts.sum(axis=1), counts.sum(axis=0)
    options = {"reg_covar": 0, "tol": 1e-13}
    full = fit_binned(edges, np.outer(x, y), 1, **options)
    diag = fit_binned(edges, np.outer(x, y), 1, covariance_type="diag", **options)
    np.testing.assert_allclose(np.diag(full.covariances[0]), diag.covariances[0], rtol=1e-7)
    assert abs(full.covariances[0, 0, 1]) < 1e-7
    assert full.log_likelihood == pytest.approx(diag.log_likelihood, rel=1e-12)


def test_three_features_are_fitted_with_diagonal_covariances() -> None:
    model = GaussianMixture([0.5, 0.5], [[0.0, 0, 0], [3, 3, 3]], [1.0, 2.0], "spherical")
    counts, edges = np.histogramdd(model.sample(20_000, rng=0)[0], 8)
    fit = fit_binned(edges, counts, 2, covariance_type="spherical", rng=0)
    np.testing.assert_allclose(np.sort(fit.covariances), [1.0, 2.0], rtol=0.03)
    with pytest.raises(
        ValueError, match=r"axes for covariance_type 'full'; got 3. Use covariance_type=.diag."
    ):
        fit_binned(edges, counts, 2)


# ---- starts and options ----


@pytest.mark.parametrize("kind", ["labels", "resp", "means", "fit", "callable"])
def test_every_kind_of_start_leads_to_the_same_fit(kind: str) -> None:
    edges, counts = histogram()
    middles = 0.5 * (edges[:-1] + edges[1:])
    labels = (middles > 2.0).astype(int)
    starts: dict[str, object] = {
        "labels": labels,
        "resp": np.eye(2)[labels],
        "means": np.array([[0.0], [4.0]]),
        "fit": fit_binned(edges, counts, 2, covariance_type="tied", rng=0),
        "callable": lambda X, *_: (X[:, 0] > 2.0).astype(int),
    }
    fit = fit_binned(edges, counts, 2, init=starts[kind], tol=1e-11)
    best = fit_binned(edges, counts, 2, rng=0, tol=1e-11)
    assert fit.log_likelihood == pytest.approx(best.log_likelihood, abs=1e-6)


def test_accelerated_iterations_are_fewer() -> None:
    start = mixture_of(CASES[2]["start"], "own")
    fits = [
        fit_of(CASES[2], start, accelerate=each, tol=1e-8, max_iter=3000) for each in (True, False)
    ]
    assert fits[0].n_iter < 0.5 * fits[1].n_iter
    assert fits[0].log_likelihood == pytest.approx(fits[1].log_likelihood, abs=1e-4)


def test_same_seed_gives_the_same_bits() -> None:
    one, other = (fit_binned(*histogram(), 3, rng=5) for _ in range(2))
    assert one.model == other.model
    np.testing.assert_array_equal(one.history, other.history)


def test_reference_and_compiled_starts_lead_to_the_same_fit() -> None:
    one, other = (
        fit_binned(*histogram(), 2, rng=0, backend=each, tol=1e-10)
        for each in ("compiled", "reference")
    )
    np.testing.assert_allclose(one.means, other.means, rtol=1e-6)


def test_component_within_a_bin_does_not_collapse() -> None:
    """Its likelihood has a bound: no variance goes to zero, and no rounding is suspected."""
    edges, counts = histogram(20, n=300)
    counts[4] += 200
    middle = 0.5 * (edges[4] + edges[5])
    start = GaussianMixture(
        [0.3, 0.4, 0.3], [[0.0], [4.0], [middle]], [1.0, 2.0, 1e-3], "spherical"
    )
    fit = fit_binned(
        edges, counts, 3, covariance_type="spherical", init=start, reg_covar=0, max_iter=200, tol=0
    )
    assert np.isfinite(fit.log_likelihood)
    assert np.diff(fit.history).min() > -1e-13
    assert not any(event.action != "kept" for event in fit.events)
    assert 0.005 < np.sqrt(fit.covariances.min()) < np.diff(edges)[0] / 3


@pytest.mark.parametrize(
    ("mean", "variance"), [(100.0, 1e-4), (0.65, 1e-12), (0.65, 1e6), (-5.0, 1e-8), (1e12, 1.0)]
)
def test_start_that_is_far_off_leads_to_the_figure(mean: float, variance: float) -> None:
    start = GaussianMixture([1.0], [[mean]], [variance], "spherical")
    fit = fit_binned(
        CRABS.edges, CRABS.sample_weight, 1, covariance_type="spherical", init=start, reg_covar=0
    )
    assert f"{fit.log_likelihood:.6f}" == "-2980.486516"


@pytest.mark.parametrize(
    ("mean", "covariance"),
    [
        ([50.0, -50.0], [[1.0, 0.5], [0.5, 1.0]]),
        ([0.0, 0.0], [[1e-8, 0.0], [0.0, 1e-8]]),
        ([0.0, 0.0], [[1e8, 0.0], [0.0, 1e8]]),
        ([0.0, 0.0], [[1.0, 1.0 - 1e-12], [1.0 - 1e-12, 1.0]]),
    ],
)
def test_start_of_two_features_that_is_far_off_leads_to_the_same_fit(
    mean: list[float], covariance: list[list[float]]
) -> None:
    edges, counts = histogram_of_two(7, 800)
    options = {"reg_covar": 0, "tol": 1e-10}
    start = GaussianMixture([1.0], [mean], [covariance])
    fit = fit_binned(edges, counts, 1, init=start, **options)
    expected = fit_binned(edges, counts, 1, rng=0, **options)
    assert fit.log_likelihood == pytest.approx(expected.log_likelihood, abs=1e-6)


def test_callback_stops_and_sees_the_mixture() -> None:
    seen = []

    def stop(state: mixtura.State) -> bool:
        seen.append(state.model)
        return len(seen) == 3

    fit = fit_binned(*histogram(), 2, rng=0, tol=0, callback=stop)
    assert (fit.n_iter, fit.stop_reason) == (3, "callback")
    np.testing.assert_array_equal(np.sort(seen[-1].means[:, 0]), np.sort(fit.means[:, 0]))


def test_checkpoint_continues_with_the_same_bits_and_knows_its_bins(tmp_path: Path) -> None:
    edges, counts = histogram()
    path = tmp_path / "fit.checkpoint"
    options = {"rng": 0, "tol": 0, "max_iter": 30}
    whole = fit_binned(edges, counts, 2, **options)

    def interrupt(state: mixtura.State) -> None:
        if state.iteration == 12:
            raise KeyboardInterrupt

    with pytest.raises(FitInterrupted):
        fit_binned(edges, counts, 2, checkpoint=path, checkpoint_every=0, callback=interrupt,
                   **options)  # fmt: skip
    assert path.exists()
    moved = edges.copy()
    moved[[0, -1]] = -INF, INF
    with pytest.raises(ValueError, match="edges was"):
        fit_binned(moved, counts, 2, checkpoint=path, **options)
    resumed = fit_binned(edges, counts, 2, checkpoint=path, **options)
    assert resumed.model == whole.model
    np.testing.assert_array_equal(resumed.history, whole.history)


def test_interrupted_fit_is_one_of_bins() -> None:
    def interrupt(state: mixtura.State) -> None:
        if state.iteration == 4:
            raise KeyboardInterrupt

    with pytest.raises(FitInterrupted) as caught:
        fit_binned(*histogram(), 2, rng=0, tol=0, callback=interrupt)
    assert isinstance(caught.value.fit, BinnedFit)
    assert caught.value.fit.stop_reason == "interrupted"
    fit = caught.value.fit
    assert fit.expected.sum() == pytest.approx(4000, rel=1e-3)
    assert fit.log_likelihood == pytest.approx(binned_log_likelihood(fit.model, fit), rel=1e-10)
    assert "log-likelihood -" in fit.summary()


def test_fit_that_is_cut_short_warns() -> None:
    with pytest.warns(ConvergenceWarning, match="Raise max_iter") as caught:
        fit_binned(*histogram(), 2, rng=0, max_iter=1, tol=1e-12)
    assert caught[0].filename == __file__


def test_criteria_without_rows_are_those_of_the_bins() -> None:
    fit = fit_binned(*histogram(), 2, rng=0)
    n, p = fit.counts.sum(), fit.n_parameters
    log_prob = stats.norm.cdf(fit.upper, fit.means[:, 0], fit.covariances[:, 0, 0] ** 0.5)
    log_prob -= stats.norm.cdf(fit.lower, fit.means[:, 0], fit.covariances[:, 0, 0] ** 0.5)
    filled = fit.counts > 0
    log_likelihood = fit.counts[filled] @ np.log(log_prob @ fit.weights)[filled]
    assert fit.bic() == pytest.approx(p * math.log(n) - 2.0 * log_likelihood, rel=1e-9)
    assert fit.aic() == pytest.approx(2.0 * p - 2.0 * log_likelihood, rel=1e-9)
    X, weight = fit.model.sample(20, rng=0)[0], np.arange(1.0, 21.0)
    assert fit.bic(X, weight, n_threads=1) == fit.model.bic(X, weight)
    assert fit.aic(X) == fit.model.aic(X)
    for criterion in (fit.bic, fit.aic):
        with pytest.raises(ValueError, match=r"^sample_weight must come with X; got no rows. Pass"):
            criterion(sample_weight=weight)
        with pytest.raises(
            ValueError, match=r"missing must come with X; .* leave it out for the b"
        ):
            criterion(missing="em")


def not_counts(kind: str) -> Floats:
    edges, counts = histogram()
    return {
        "shares": counts / counts.sum(),
        "percentages": 100.0 * counts / counts.sum(),
        "rounded percentages": np.round(100.0 * counts / counts.sum(), 1),
        "densities": counts / counts.sum() / np.diff(edges),
        "few rows": 9.9 * counts / counts.sum(),
    }[kind]


@pytest.mark.parametrize("scale", [1.0, 1e-3])
@pytest.mark.parametrize(
    "kind", ["shares", "percentages", "rounded percentages", "densities", "few rows"]
)
def test_counts_that_are_no_counts_warn(kind: str, scale: float) -> None:
    edges, counts = (
        histogram()[0] * scale,
        not_counts(kind) / (scale if kind == "densities" else 1.0),
    )
    message = (
        f"counts must be numbers of rows; they sum to {counts.sum():.6g} and are not integers, as "
        f"shares, percentages or densities are. Log-likelihood, chi-squared and criteria are then "
        f"those of so few rows. Multiply counts by the number of rows over their sum, densities by "
        f"the widths of the bins first."
    )
    with pytest.warns(WeightsWarning, match=f"^{re.escape(message)}$") as caught:
        fit_binned(edges, counts, 2, rng=0)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("factor", [0.37, 2.5])
def test_counts_that_are_sums_of_weights_do_not_warn(factor: float) -> None:
    edges, counts = histogram()
    fit_binned(edges, factor * counts, 2, rng=0)  # warnings are errors
    fit_binned(edges, np.minimum(counts, 1.0), 1, rng=0)


# ---- refusals ----


@pytest.mark.parametrize(
    ("width", "count", "message"),
    [
        (
            1e200,
            1.0,
            (
                "edges must be of bins whose middles have variances below 2e+308; feature 0 has "
                "not. Divide its edges by a large number."
            ),
        ),
        (
            1e-160,
            1.0,
            (
                "edges must be of bins whose middles have variances of 1e-290 or more, or constant "
                "features; feature 0 has 5.24994e-320. Multiply its edges by a large number."
            ),
        ),
        (
            1.0,
            1e300,
            (
                "counts must sum to between 1e-100 and 1e+100; got 8e+300. Divide the counts by "
                "the largest."
            ),
        ),
    ],
)
def test_bins_out_of_range_are_refused_in_their_own_words(
    width: float, count: float, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit_binned(width * np.arange(9), np.full(8, count), 2, rng=0)


def test_too_few_bins_for_the_parameters_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"counts must have at least 6 bins for the 5 free parameters of 2 components; got 5. "
        r"Use narrower bins or fewer components.",
    ):
        fit_binned(np.arange(6.0), np.ones(5), 2)
    fit_binned(np.arange(6.0), [1, 4, 9, 4, 1], 1)
    with pytest.raises(ValueError, match="at least 12 bins for the 11 free parameters"):
        fit_binned((np.arange(4.0), np.arange(4.0)), np.ones((3, 3)), 2)


def test_too_few_bins_that_are_filled_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"counts must be positive in at least 4 bins for 2 components and covariance_type "
        r"'full'; got 2. Use narrower bins or fewer components.",
    ):
        fit_binned(np.arange(11.0), [0, 0, 5, 0, 0, 0, 0, 7, 0, 0], 2)


def test_names_of_features_are_checked_and_shown() -> None:
    edges, counts = histogram()
    with pytest.raises(ValueError, match="feature_names must be 1 strings"):
        fit_binned(edges, counts, 2, feature_names=["a", "b"])
    fit = fit_binned(edges, counts, 2, feature_names=["length"], rng=0)
    assert fit.feature_names == ("length",)
    assert "length" in fit.summary()


# ---- answers ----


def crab_fit() -> BinnedFit:
    return fit_binned(CRABS.edges, CRABS.sample_weight, 2, reg_covar=0, tol=1e-9, rng=0)


def test_expected_counts_are_those_of_the_distribution_function() -> None:
    fit = crab_fit()
    expected = 1000 * np.diff(fit.cdf(CRABS.edges))
    np.testing.assert_allclose(fit.expected, expected, rtol=1e-10)
    assert fit.outside == pytest.approx(1 - expected.sum() / 1000, rel=1e-9)


def test_chi_squared_of_all_bins_is_that_of_scipy() -> None:
    edges = CRABS.edges.copy()
    edges[[0, -1]] = -INF, INF
    fit = fit_binned(edges, CRABS.sample_weight, 2, reg_covar=0, tol=1e-9, rng=0)
    statistic, p_value = stats.chisquare(CRABS.sample_weight, fit.expected, ddof=5, sum_check=False)
    found = fit.chi_squared(0)
    assert found == (pytest.approx(statistic), 29 - 1 - 5, pytest.approx(p_value), 29)


def test_chi_squared_puts_bins_together_that_expect_little() -> None:
    fit = crab_fit()
    found = fit.chi_squared()
    cells, begun = [], np.zeros(2)
    for pair in zip(CRABS.sample_weight, fit.expected, strict=True):
        begun = begun + pair
        if begun[1] >= 5:
            cells.append(begun)
            begun = np.zeros(2)
    cells[-1] = cells[-1] + begun + [0, 1000 * fit.outside]
    observed, expected = np.array(cells).T
    assert expected.min() >= 5
    assert expected.sum() == pytest.approx(observed.sum())
    assert found.n_cells == len(cells)
    assert found.degrees_of_freedom == len(cells) - 6
    assert found.statistic == pytest.approx(((observed - expected) ** 2 / expected).sum())
    assert found.p_value == pytest.approx(stats.chi2.sf(found.statistic, len(cells) - 6))
    with pytest.raises(ValueError, match="least_expected must be a finite number, 0 or more"):
        fit.chi_squared(-1)


def test_chi_squared_of_a_wrong_model_is_improbable_and_of_a_right_one_is_not() -> None:
    p_values = [
        fit_binned(*histogram(seed=each), 2, rng=0).chi_squared().p_value for each in range(8)
    ]
    assert max(p_values) > 0.2
    assert min(p_values) > 1e-3
    assert fit_binned(*histogram(), 1).chi_squared().p_value < 1e-10


def test_chi_squared_of_mass_where_nothing_was_seen_has_a_cell_of_its_own() -> None:
    edges, counts = histogram(40)
    pairs = np.column_stack([edges[:-1], edges[1:]])
    kept = np.r_[0:18, 22:40]
    fit = fit_binned(pairs[kept], counts[kept], 1)
    expected_outside = fit.weight_sum * fit.outside
    assert expected_outside > 100
    assert fit.chi_squared().statistic > expected_outside
    assert fit.chi_squared(0).n_cells == 37


def test_chi_squared_without_degrees_of_freedom_has_no_p_value() -> None:
    fit = fit_binned(np.arange(4.0), [3, 9, 4], 1, max_iter=30, tol=0)
    found = fit.chi_squared(0)
    assert found.degrees_of_freedom == 0
    assert math.isnan(found.p_value)
    assert ", p =" not in fit.summary()


def test_summary_shows_bins_chi_squared_and_what_is_outside() -> None:
    lines = crab_fit().summary().splitlines()
    assert lines[0] == (
        "Gaussian mixture: 2 components, full covariances, 1 feature, 1000 rows in 29 bins"
    )
    assert lines[1] == "log-likelihood -2953.881842 nats, 5 parameters"
    assert lines[2] == "chi-squared 17.418 of 24 cells on 18 degrees of freedom, p = 0.495"
    assert lines[3] == "outside the bins 0.00135 of the mixture"
    assert "chi-squared" in crab_fit()._repr_html_()


def test_fit_is_saved_loaded_and_pickled_to_the_bit(tmp_path: Path) -> None:
    edges, counts = histogram_of_two(6, 500)
    edges[0][0] = -INF
    fit = fit_binned(edges, counts, 2, rng=0)
    fit.save(tmp_path / "fit.npz")
    for other in (load(tmp_path / "fit.npz"), pickle.loads(pickle.dumps(fit))):
        assert type(other) is BinnedFit
        assert other.model == fit.model
        assert other.chi_squared() == fit.chi_squared()
        assert other.summary() == fit.summary()
        for name in ("lower", "upper", "counts", "history"):
            array = getattr(other, name)
            np.testing.assert_array_equal(array, getattr(fit, name))
            assert not array.flags.writeable
    whole = fit_gmm(TWO.sample(50, rng=0)[0], 1)
    whole.save(tmp_path / "whole.npz")
    assert type(load(tmp_path / "whole.npz")) is mixtura.GMMFit


@pytest.mark.parametrize("damage", ["lower", "counts", "length"])
def test_file_with_damaged_bins_is_refused(damage: str, tmp_path: Path) -> None:
    fit = crab_fit()
    arrays = {name: getattr(fit, name).copy() for name in ("lower", "upper", "counts")}
    if damage == "lower":
        arrays["lower"][3] = 9.0
    elif damage == "counts":
        arrays["counts"][3] = -1.0
    else:
        arrays["upper"] = arrays["upper"][:-1]
    for name, array in arrays.items():
        object.__setattr__(fit, name, array)
    fit.save(tmp_path / "fit.npz")
    with pytest.raises(ValueError, match="damaged"):
        load(tmp_path / "fit.npz")
