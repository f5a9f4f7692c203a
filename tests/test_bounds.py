"""Bounds carried from pass to pass: they hold, they pay, and they change nothing but time."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import Floats
from numpy.typing import NDArray

import mixtura
from mixtura import bounds, kmeans
from mixtura.covariance import FAMILIES
from mixtura.kernels import Rows
from mixtura.passes import CompiledPass, ReferencePass
from mixtura.statistics import Statistics
from mixtura.update import Parameters

TYPES = ["full", "tied", "diag", "spherical"]
each_type = pytest.mark.parametrize("covariance_type", TYPES)


def parameters_of(model: mixtura.GaussianMixture) -> Parameters:
    return Parameters(model.weights, model.means, model.covariances, model.precisions_cholesky)


def whitened_distances(X: Floats, model: mixtura.GaussianMixture) -> Floats:
    """|y| of every row and component, (n_samples, n_components), from its definition."""
    inverses = np.linalg.inv(model.covariance_matrices())
    z = X[:, None, :] - model.means
    return np.sqrt(np.einsum("ija,jab,ijb->ij", z, inverses, z))


def many_clusters(apart: float, *, n: int = 3000, k: int = 60, d: int = 6) -> Floats:
    rng = np.random.default_rng(5)
    means = rng.normal(scale=apart / np.sqrt(2 * d), size=(k, d))
    factors = np.eye(d) + 0.2 * rng.normal(size=(k, d, d))
    labels = rng.integers(k, size=n)
    return means[labels] + np.einsum("iab,ib->ia", factors[labels], rng.normal(size=(n, d)))


def scattered_mixture(
    X: Floats, k: int, covariance_type: str, seed: int = 0
) -> mixtura.GaussianMixture:
    """Components at rows, so that EM still has a way to go."""
    rng = np.random.default_rng(seed)
    means = X[rng.choice(len(X), size=k, replace=False)]
    shape = FAMILIES[covariance_type].shape(k, X.shape[1])
    covariances = np.full(shape, 2.0)
    if covariance_type in ("full", "tied"):
        covariances = np.broadcast_to(2.0 * np.eye(X.shape[1]), shape)
    return mixtura.GaussianMixture(np.full(k, 1 / k), means, covariances, covariance_type)


@pytest.mark.parametrize("step", [1e-6, 1e-2, 0.3])
@pytest.mark.parametrize("condition", [1.0, 1e4])
@each_type
def test_approach_after_any_step_bounds_the_new_distances(
    covariance_type: str, condition: float, step: float
) -> None:
    rng = np.random.default_rng(3)
    k, d = 5, 4
    scale = np.geomspace(1.0, condition, d)
    X = rng.normal(size=(400, d)) * scale * 3.0
    factors = np.eye(d) + 0.3 * rng.normal(size=(k, d, d))
    fits = []
    for size in (0.0, step):
        noise = np.random.default_rng(4)
        moved = factors + size * noise.normal(size=(k, d, d))
        matrices = (moved @ moved.transpose(0, 2, 1)) * np.outer(scale, scale)
        covariances = {
            "full": matrices,
            "tied": matrices[0],
            "diag": np.einsum("kaa->ka", matrices),
            "spherical": np.einsum("kaa->k", matrices),
        }[covariance_type]
        means = np.random.default_rng(9).normal(size=(k, d)) * scale
        means = means + size * noise.normal(size=(k, d)) * scale
        fits.append(mixtura.GaussianMixture(np.full(k, 1 / k), means, covariances, covariance_type))
    before, after = fits
    X = np.concatenate([X, before.means, after.means])  # where the bound is tight
    shrink, shift = bounds.approach(
        parameters_of(before), parameters_of(after), FAMILIES[covariance_type].factor_shape
    )
    bound = shrink * whitened_distances(X, before) - shift
    assert (whitened_distances(X, after) >= bound - 1e-6).all()
    assert (shrink > 0.9).all() or step > 1e-3 or covariance_type in ("full", "tied")


@each_type
def test_approach_without_a_step_keeps_the_distances(covariance_type: str) -> None:
    model = scattered_mixture(many_clusters(5.0), 7, covariance_type)
    same = parameters_of(model)
    shrink, shift = bounds.approach(same, same, FAMILIES[covariance_type].factor_shape)
    np.testing.assert_allclose(shrink, 1.0, atol=1e-6)
    np.testing.assert_array_equal(shift, 0.0)


@pytest.mark.parametrize("apart", [0.5, 6.0, 25.0])
@each_type
def test_fit_with_carried_bounds_equals_the_fit_without(
    covariance_type: str, apart: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = many_clusters(apart)
    sample_weight = np.random.default_rng(1).integers(0, 3, size=len(X)).astype(float)
    X[sample_weight == 0.0] = 1e300
    init = scattered_mixture(many_clusters(apart), 60, covariance_type)
    options = {
        "covariance_type": covariance_type,
        "init": init,
        "sample_weight": sample_weight,
        "tol": 0.0,
        "max_iter": 16,
    }
    carried = mixtura.fit_gmm(X, 60, **options)
    monkeypatch.setattr(bounds, "LEAST_COMPONENTS", 61)
    dense = mixtura.fit_gmm(X, 60, **options)
    np.testing.assert_allclose(carried.history, dense.history, rtol=1e-12)
    np.testing.assert_allclose(carried.model.means, dense.model.means, rtol=1e-8, atol=1e-8)
    assert [str(e) for e in carried.events] == [str(e) for e in dense.events]


def test_fit_with_carried_bounds_has_equal_bits_for_any_number_of_threads() -> None:
    X = many_clusters(10.0)
    init = scattered_mixture(X, 60, "full")
    fits = [
        mixtura.fit_gmm(X, 60, init=init, tol=0.0, max_iter=8, n_threads=n) for n in (1, 2, 3, 7)
    ]
    for fit in fits[1:]:
        assert fit.model == fits[0].model
        np.testing.assert_array_equal(fit.history, fits[0].history)


@pytest.mark.parametrize(("apart", "most"), [(25.0, 0.4), (0.5, 1.0)])
def test_passes_over_separate_components_compute_few_of_them(apart: float, most: float) -> None:
    X = many_clusters(apart, n=6000)
    rows = mixtura.kernels.Rows(X)
    shares: list[float] = []

    def run(
        parameters: Parameters, carry: bounds.Carry | None, labels: NDArray[np.int64] | None
    ) -> mixtura.Statistics:
        weights, means, _, factors = parameters
        statistics = rows.accumulate(weights, means, factors, "full", 1, carry=carry, labels=labels)
        shares.append(rows.computed)
        return statistics

    carried = bounds.CarriedBounds(rows, run, "full")
    model = mixtura.fit_gmm(X, 60, init=scattered_mixture(X, 60, "full"), max_iter=30, tol=0).model
    for _ in range(8):
        carried.accumulate(parameters_of(model))
    assert shares[:2] == [1.0, 1.0]
    assert max(shares[2:4]) <= most
    assert (min(shares) == 1.0) == (most == 1.0)


def test_labels_of_a_carried_pass_are_those_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "LEAST_PRODUCTS", 0)
    X = many_clusters(25.0)
    start = X[np.random.default_rng(2).choice(len(X), size=60, replace=False)]
    fit = mixtura.fit_kmeans(X, 60, init=start, tol=0.0)
    squared = np.square(X[:, None, :] - fit.centers).sum(axis=2)
    np.testing.assert_array_equal(fit.labels, squared.argmin(axis=1))
    np.testing.assert_allclose(fit.inertia, squared.min(axis=1).sum(), rtol=1e-12)


def test_kmeans_with_carried_bounds_equals_kmeans_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kmeans, "LEAST_PRODUCTS", 0)
    X = many_clusters(4.0).astype(np.float32)
    start = X[:60].astype(np.float64)
    carried = mixtura.fit_kmeans(X, 60, init=start, tol=0.0)
    monkeypatch.undo()  # too few products of a row with centers
    dense = mixtura.fit_kmeans(X, 60, init=start, tol=0.0)
    assert carried.n_iter == dense.n_iter
    np.testing.assert_array_equal(carried.labels, dense.labels)
    np.testing.assert_allclose(carried.centers, dense.centers, rtol=1e-12)


def test_component_that_is_dropped_leaves_the_bounds_behind() -> None:
    X = many_clusters(10.0)
    init = scattered_mixture(X, 60, "full")
    means = init.means.copy()
    means[7] = 1e6
    fit = mixtura.fit_gmm(
        X,
        60,
        init=mixtura.GaussianMixture(init.weights, means, init.covariances),
        on_collapse="drop",
        tol=0.0,
        max_iter=8,
    )
    assert [e.action for e in fit.events][:1] == ["dropped"]
    assert np.isclose(fit.log_likelihood, fit.model.log_likelihood(X), rtol=1e-12)
    assert fit.model.n_components < 60


def test_pass_that_is_interrupted_leaves_no_bounds_behind() -> None:
    X = many_clusters(25.0)
    rows = mixtura.kernels.Rows(X)
    interrupt = False

    def run(
        parameters: Parameters, carry: bounds.Carry | None, labels: NDArray[np.int64] | None
    ) -> mixtura.Statistics:
        if interrupt and carry is not None:
            carry.reach[:, ::2] = 1e30  # as if half of it were of other parameters
            raise KeyboardInterrupt
        weights, means, _, factors = parameters
        return rows.accumulate(weights, means, factors, "full", 1, carry=carry, labels=labels)

    carried = bounds.CarriedBounds(rows, run, "full")
    parameters = parameters_of(scattered_mixture(X, 60, "full"))
    expected = [carried.accumulate(parameters) for _ in range(3)][-1]
    interrupt = True
    with pytest.raises(KeyboardInterrupt):
        carried.accumulate(parameters)
    interrupt = False
    again = carried.accumulate(parameters)
    np.testing.assert_allclose(again.resp_sum, expected.resp_sum, rtol=1e-12)


@each_type
def test_carried_pass_with_rows_out_of_every_reach_shares_them_by_weight(
    covariance_type: str,
) -> None:
    X = many_clusters(25.0)
    X[[5, 700]] = 1e160  # squares overflow: of density zero under every component
    parameters = parameters_of(scattered_mixture(X[6:600], 60, covariance_type))
    carried = CompiledPass(X, None, covariance_type, 1)
    for _ in range(4):
        statistics = carried.accumulate(parameters)
        plain = ReferencePass(X, None, covariance_type).accumulate(parameters)
        np.testing.assert_allclose(statistics.resp_sum, plain.resp_sum, rtol=1e-9)
        assert statistics.log_likelihood == plain.log_likelihood == -np.inf


def test_carried_pass_of_kmeans_lives_through_a_row_whose_square_overflows() -> None:
    X = many_clusters(25.0)
    X[5] = 1.2e154
    rows, centers = Rows(X), X[6:66]

    def run(
        parameters: Parameters, carry: bounds.Carry | None, labels: NDArray[np.int64] | None
    ) -> Statistics:
        return rows.assign(parameters.means, 1, carry=carry, labels=labels)

    carried = bounds.CarriedBounds(rows, run, "spherical")
    labels = np.empty(len(X), dtype=np.int64)
    ordinary = np.delete(np.arange(len(X)), 5)
    nearest = np.argmin(((X[ordinary, None] - centers) ** 2).sum(axis=2), axis=1)
    for _ in range(4):
        carried.accumulate(Parameters(np.ones(60), centers, np.ones(60), np.ones(60)), labels)
        np.testing.assert_array_equal(labels[ordinary], nearest)
