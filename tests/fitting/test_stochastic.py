"""Streams by stochastic variational inference: steps are exact, and streams end near the fit."""

import copy
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES
from holes import with_holes
from streams import K, N, assert_same_bits, cut, learned, shuffled

import mixtura
from mixtura import FitError, StepwiseGMM, fit_bayesian_gmm, scan
from mixtura.conjugate import PriorLaws
from mixtura.files import Contents, write
from mixtura.passes import Backend
from mixtura.posterior import GMMPosterior
from mixtura.shapes import SHAPES, Floats
from mixtura.statistics import Statistics

NEAR = 0.01  # nats per row
LAWS = ["dirichlet", "stick-breaking"]
NAMES = ("weight_concentration", "mean_precision", "means", "degrees_of_freedom", "covariances")


def batch_statistics(X: Floats, posterior: GMMPosterior, weight: Floats | None = None) -> Any:
    """Statistics by definition, about zero, of the responsibilities of a posterior."""
    resp = posterior.responsibilities(X)
    if weight is not None:
        resp = resp * weight[:, None]
    shape = posterior.prior.shape
    full = np.einsum("ij,ia,ib->jab", resp, X, X)
    (k, d) = posterior.means.shape
    return Statistics(
        shape.name, np.zeros((k, d)), resp.sum(axis=0), resp.T @ X, shape.coarsened(full), 0.0,
        resp.sum(),
    )  # fmt: skip


def assert_laws(posterior: GMMPosterior, prior: PriorLaws, statistics: Statistics) -> None:
    """That a posterior is what these statistics make of the prior."""
    laws, _ = prior.posterior(statistics, Backend("reference").algebra)
    for name, expected in zip(NAMES, laws, strict=False):
        np.testing.assert_allclose(getattr(posterior, name), expected, rtol=1e-8, err_msg=name)


# ---- steps ----


@pytest.mark.parametrize("weight_prior", LAWS)
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_batch_moves_statistics_that_stand_for_all_rows_and_adds_the_prior(
    covariance_type: Any, weight_prior: str
) -> None:
    X = shuffled(1)
    weight = np.random.default_rng(0).random(N) + 0.5
    stream = StepwiseGMM(
        K, covariance_type=covariance_type, bayesian={"weight_prior": weight_prior}, rng=0
    ).update(X[:600], weight[:600])
    before, running = stream.posterior, stream.statistics
    stream.update(X[600:1000], weight[600:1000])
    own, total = weight[600:1000].sum(), weight[:1000].sum()
    share = -np.expm1(-_integral(weight[:600].sum(), total))
    batch = batch_statistics(X[600:1000], before, weight[600:1000])
    mixed = batch.scaled(share / own) + running.scaled(1.0 - share)
    assert_laws(stream.posterior, before.prior, mixed.scaled(total))
    assert stream.posterior.resp_sum.sum() == pytest.approx(total)


def _integral(start: float, end: float, power: float = 0.7) -> float:
    """Of du / memory(u)."""
    rest = 1.0 - power
    return ((end / start) ** rest - 1.0) / rest


@pytest.mark.parametrize("weight_prior", LAWS)
def test_batch_is_one_iteration_on_its_own_rows_where_the_past_is_forgotten(
    weight_prior: str,
) -> None:
    X = shuffled(2)
    stream = StepwiseGMM(K, half_life=1e-3, bayesian={"weight_prior": weight_prior}, rng=0)
    before = stream.update(X[:1000]).posterior
    posterior = stream.update(X[1000:]).posterior
    assert_laws(posterior, before.prior, batch_statistics(X[1000:], before))
    assert posterior.prior.mean.tolist() == before.prior.mean.tolist()


@pytest.mark.parametrize("weight_prior", LAWS)
def test_start_is_the_fit_to_its_rows(weight_prior: Any) -> None:
    X = shuffled(3)
    stream = StepwiseGMM(4, bayesian={"weight_prior": weight_prior}, rng=0).update(X)
    fit = fit_bayesian_gmm(X, 4, weight_prior=weight_prior, init=stream.model, tol=1e-9)
    assert abs(fit.elbo - stream.posterior.elbo(X)) < 1e-3 * N
    assert stream.posterior.prior.concentration == 0.25
    np.testing.assert_allclose(stream.posterior.prior.mean, fit.posterior.prior.mean)
    np.testing.assert_allclose(stream.posterior.prior.covariance, fit.posterior.prior.covariance)
    assert (np.diff(stream.weights) <= 0.0).all()


def test_statistics_of_the_start_stand_for_all_rows_where_their_weight_is_given() -> None:
    stream = StepwiseGMM(K, bayesian={"weight_sum": 1e4}, rng=0).update(shuffled(3)[:600])
    assert_laws(stream.posterior, stream.posterior.prior, stream.statistics.scaled(1e4))
    assert stream.posterior.resp_sum.sum() == pytest.approx(1e4)


def test_one_component_with_power_one_is_the_posterior_of_all_rows() -> None:
    X = shuffled(4)
    prior = {
        "mean": [1.0, 2.0], "covariance": np.eye(2), "degrees_of_freedom": 4.0,
        "mean_precision": 0.5,
    }  # fmt: skip
    stream = learned(X, k=1, step_power=1.0, bayesian=prior)
    fit = fit_bayesian_gmm(X, 1, **prior)
    for name in NAMES:
        ours, exact = getattr(stream.posterior, name), getattr(fit.posterior, name)
        np.testing.assert_allclose(ours, exact, rtol=1e-10, err_msg=name)


# ---- where it ends ----


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("weight_prior", LAWS)
def test_stream_read_three_times_ends_near_the_fit(covariance_type: Any, weight_prior: Any) -> None:
    X = shuffled(5)
    bayesian = {"weight_prior": weight_prior, "weight_sum": N}
    stream = learned(X, 100, epochs=3, covariance_type=covariance_type, bayesian=bayesian)
    prior = stream.posterior.prior
    fit = fit_bayesian_gmm(
        X, K, covariance_type=covariance_type, weight_prior=weight_prior, init=stream.model,
        mean=prior.mean, covariance=prior.covariance,
    )  # fmt: skip
    assert abs(fit.elbo - stream.posterior.elbo(X)) < NEAR * N
    assert stream.posterior.resp_sum.sum() == pytest.approx(N)


def test_rows_that_are_read_several_times_count_once_where_their_weight_is_given() -> None:
    X = shuffled(6)
    known = learned(X, 300, epochs=3, bayesian={"weight_sum": N}).posterior
    unknown = learned(X, 300, epochs=3, bayesian=True).posterior
    assert known.mean_precision.sum() == pytest.approx(N, rel=1e-3)
    assert unknown.mean_precision.sum() == pytest.approx(3 * N, rel=1e-3)


def test_components_without_rows_are_no_collapse() -> None:
    X = shuffled(7)
    stream = learned(X, 200, k=10, bayesian={"concentration": 1e-3})
    assert stream.n_components == 10
    assert stream.events == ()
    assert stream.posterior.n_effective < 10
    strict = learned(X, 200, k=10, bayesian={"concentration": 1e-3}, on_collapse="raise")
    assert_same_bits(strict, stream)


def test_posterior_with_a_half_life_counts_the_rows_of_the_memory() -> None:
    X = shuffled(8)
    stream = learned(X, 100, half_life=400.0, bayesian=True)
    longest = 400.0 / math.log(2.0)
    assert stream.posterior.resp_sum.sum() == pytest.approx(longest)
    stream.update(X[:2000])  # a batch is longer than the memory
    assert stream.posterior.resp_sum.sum() == pytest.approx(2000.0)


def test_model_is_the_mean_of_the_posterior() -> None:
    stream = learned(shuffled(9), bayesian={"concentration": 50.0})
    assert stream.model == stream.posterior.model
    posterior = stream.posterior
    expected = (posterior.resp_sum + 50.0) / (posterior.resp_sum.sum() + 150.0)
    np.testing.assert_allclose(stream.weights, expected)


def test_posterior_before_the_start_is_that_of_the_rows_that_wait() -> None:
    X = shuffled(10)
    stream = StepwiseGMM(K, bayesian=True, rng=0)
    with pytest.raises(FitError, match="the mixture needs 3 rows"):
        _ = stream.posterior
    stream.update(X[:200])
    assert not stream.is_started
    assert stream.posterior.resp_sum.sum() == pytest.approx(200.0)
    assert stream.model == stream.posterior.model


# ---- the bound ----


def test_history_is_what_batches_add_to_the_bound_before_they_are_learned() -> None:
    X = shuffled(11)
    stream = learned(X[:600], 600, bayesian=True)
    for batch in cut(X[600:1200], 200):
        posterior = stream.posterior
        prior, laws = posterior.prior, posterior._laws
        constants = prior.log_constants(laws)
        model = posterior.model
        joint = model.component_log_prob(batch) - np.log(model.weights) + constants
        stream.update(batch)
        expected = np.logaddexp.reduce(joint, axis=1).mean()
        assert stream.history[-1] == pytest.approx(expected, rel=1e-10)


def test_estimate_is_that_of_the_last_batches_with_the_noise_between_them() -> None:
    X = shuffled(12)
    stream = learned(X[:900], 300, bayesian=True)
    stream.update(X[900:1000]).update(X[1000:1400])
    value, error = stream.elbo_estimate(2)
    sizes, means = np.array([100.0, 400.0]), stream.history[-2:]
    posterior = stream.posterior
    divergence = posterior.prior.divergence(posterior._laws, Backend("reference").algebra)
    mean = np.average(means, weights=sizes)
    assert value == pytest.approx(1400 * mean - divergence, rel=1e-10)
    spread = 2.0 * np.square(sizes / 500.0 * (means - mean)).sum()
    assert error == pytest.approx(1400 * math.sqrt(spread), rel=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_estimate_is_near_the_bound_of_all_rows(seed: int) -> None:
    X = shuffled(seed, n=20_000)
    stream = learned(X, 200, bayesian=True)
    estimate = stream.elbo_estimate(100)
    bound = stream.posterior.elbo(X)
    assert abs(estimate.value - bound) < 4.0 * estimate.standard_error
    assert estimate.standard_error < NEAR * len(X)


def test_estimate_before_there_are_two_batches_is_refused() -> None:
    X = shuffled(13)
    stream = StepwiseGMM(K, bayesian=True, rng=0)
    with pytest.raises(FitError, match="elbo_estimate must come after a start, which waits for"):
        stream.elbo_estimate()
    stream.update(X[:600]).update(X[600:700])
    with pytest.raises(FitError, match="elbo_estimate needs 2 batches after the start; got 1"):
        stream.elbo_estimate()
    with pytest.raises(ValueError, match="n_batches must be an integer, 2 or more; got 1"):
        stream.elbo_estimate(1)


# ---- kinds of rows ----


def test_row_of_weight_two_is_two_rows_and_one_of_weight_zero_is_absent() -> None:
    X = shuffled(14)
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.0], size=N)
    options: dict[str, Any] = {"init": X[:K], "n_start": 100, "bayesian": {"mean": [0.0, 0.0]}}
    one, other = (StepwiseGMM(K, **options) for _ in range(2))
    for first in range(0, N, 300):
        rows = slice(first, first + 300)
        one.update(X[rows], weight[rows])
        other.update(np.repeat(X[rows], weight[rows].astype(int), axis=0))
    np.testing.assert_allclose(one.means, other.means, rtol=1e-3)
    assert one.posterior.resp_sum.sum() == pytest.approx(weight.sum())


@pytest.mark.parametrize("missing", ["raise", "em"])
def test_backends_agree_with_and_without_missing_numbers(missing: Any) -> None:
    X = shuffled(15, n=600, spread=6.0)
    X = with_holes(X, 0.1) if missing == "em" else X
    start = fit_bayesian_gmm(X, K, missing=missing, rng=0, tol=1e-12)
    one, other = (
        learned(X, 100, missing=missing, backend=backend, bayesian=True, init=start.model)
        for backend in ("compiled", "reference")
    )
    np.testing.assert_allclose(one.means, other.means, rtol=1e-7)
    np.testing.assert_allclose(one.history, other.history, rtol=1e-9)
    assert one.posterior.missing == missing


@pytest.mark.parametrize("n_threads", [2, 3])
def test_threads_change_no_bit(n_threads: int) -> None:
    X = shuffled(16, n=6000, d=5)
    one = learned(X, 2000, n_threads=1, bayesian=True)
    assert_same_bits(one, learned(X, 2000, n_threads=n_threads, bayesian=True))


def test_blocks_of_a_scan_are_batches() -> None:
    X = shuffled(17)
    stream = StepwiseGMM(K, rng=0, bayesian=True).update(scan(list(cut(X, 200))))
    assert_same_bits(stream, learned(X, bayesian=True))


# ---- arguments ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bayesian": {"strength": 1.0}}, "bayesian must have no other names than 'weight_prior'"),
        ({"bayesian": {"concentration": 0.0}}, "concentration must be above 0"),
        ({"bayesian": {"degrees_of_freedom": 0.0}}, "degrees_of_freedom must be above 0"),
        (
            {"bayesian": {"concentration": -1.0}},
            "concentration must be above 0, and at most 1e+1",
        ),
        ({"bayesian": {"weight_sum": 0.0}}, "weight_sum must be above 0, the weight of all rows"),
        ({"bayesian": {"weight_sum": -1.0}}, "weight_sum must be above 0, the weight of all rows"),
        (
            {"bayesian": {"weight_sum": 1e6}, "half_life": 1000.0},
            "weight_sum must be left out where half_life is given: the posterior then counts the",
        ),
        ({"bayesian": {"weight_prior": "x"}}, "weight_prior must be one of"),
        ({"bayesian": {"mean": [np.nan, 0.0]}}, "mean must be finite"),
        ({"bayesian": {"covariance": -np.eye(2)}}, "covariance must be positive definite"),
        ({"bayesian": True, "covariance_type": "VEE"}, "covariance_type must be one of"),
        ({"bayesian": {"mean": [0.0]}, "init": np.zeros((K, 2))}, "mean must have shape"),
    ],
    ids=str,
)
def test_prior_that_is_none_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        StepwiseGMM(K, **options)


def test_prior_that_does_not_fit_the_columns_is_refused_with_the_first_rows() -> None:
    X = shuffled(18)
    stream = StepwiseGMM(K, bayesian={"degrees_of_freedom": 0.5}, rng=0)
    with pytest.raises(ValueError, match="degrees_of_freedom must be above 1"):
        stream.update(X)
    assert stream.n_updates == 0
    with pytest.raises(ValueError, match="X must have 3 columns"):
        StepwiseGMM(K, bayesian={"mean": [0.0, 0.0, 0.0]}).update(X)


def test_bayesian_must_be_true_false_or_a_dict() -> None:
    with pytest.raises(TypeError, match="bayesian must be True, False or a dict"):
        StepwiseGMM(K, bayesian="yes")  # type: ignore[arg-type]


def test_posterior_of_a_stream_by_likelihood_is_refused() -> None:
    stream = learned(shuffled(19))
    with pytest.raises(ValueError, match="posterior must be of a stream that was made with"):
        _ = stream.posterior
    with pytest.raises(ValueError, match="elbo_estimate must be of a stream that was made with"):
        stream.elbo_estimate()


# ---- files ----

X = shuffled(50)
PRIOR = {"mean": np.zeros(2), "covariance": np.eye(2), "weight_prior": "stick-breaking"}
WAYS: list[Callable[[Any, Path], Any]] = [
    lambda stream, path: (stream.save(path), mixtura.load(path))[1],
    lambda stream, _: pickle.loads(pickle.dumps(stream)),
    lambda stream, _: copy.deepcopy(stream),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("done", [0, 100, 1000])
@pytest.mark.parametrize(
    "options",
    [
        {"bayesian": True},
        {"bayesian": PRIOR, "half_life": 500.0},
        {"bayesian": {"covariance": 2.0, "weight_sum": 9e3}, "covariance_type": "spherical"},
        {"bayesian": {"concentration": np.float64(0.1)}, "covariance_type": "tied"},
    ],
    ids=str,
)
def test_stream_continues_with_the_same_bits(
    tmp_path: Path, options: dict[str, Any], done: int, way: Callable[[Any, Path], Any]
) -> None:
    stream = StepwiseGMM(K, rng=1, **options)
    for batch in cut(X[:done], 50):
        stream.update(batch)
    other = way(stream, tmp_path / "stream.npz")
    for each in (stream, other):
        for batch in cut(X[done:1500], 50):
            each.update(batch)
    assert_same_bits(stream, other)
    assert stream.elbo_estimate() == other.elbo_estimate()
    for name in NAMES:
        one, same = getattr(stream.posterior, name), getattr(other.posterior, name)
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize(
    "changes",
    [
        {"bayesian": 1},
        {"bayesian": "x"},
        {"bayesian": None},
        {"bayesian": {"strength": 1.0}},
        {"bayesian": {"concentration": -1.0}},
        {"bayesian": {"concentration": "x"}},
        {"bayesian": {"weight_sum": 0.0}},
        {"bayesian_mean": np.zeros(3)},
        {"bayesian_covariance": np.zeros((2, 2))},
        {"prior_concentration": -1.0},
        {"prior_mean_precision": 0.0},
        {"prior_degrees_of_freedom": 0.5},
        {"prior_mean": np.zeros(3)},
        {"prior_mean": np.array([np.nan, 0.0])},
        {"prior_covariance": -np.eye(2)},
        {"weight_prior": "x"},
        {"counted_weight": 0.0},
        {"counted_weight": math.inf},
        {"sizes": np.zeros(4)},
        {"sizes": np.array([1.0, -1.0, 1.0])},
        {"covariance_type": "VEE"},
    ],
    ids=str,
)
def test_damaged_file_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    stream = learned(X[:1200], 300, bayesian=PRIOR)
    facts, arrays = stream._contents()
    path = tmp_path / "stream.npz"
    write(path, "StepwiseGMM", Contents(facts, arrays))
    assert_same_bits(mixtura.load(path), stream)
    of_arrays = {name: value for name, value in changes.items() if name in arrays}
    assert changes.keys() <= facts.keys() | arrays.keys()
    other = {name: value for name, value in changes.items() if name not in of_arrays}
    write(path, "StepwiseGMM", Contents(facts | other, arrays | of_arrays))
    with pytest.raises(ValueError, match="must be a complete file written by mixtura"):
        mixtura.load(path)


def test_every_shape_has_a_posterior() -> None:
    assert set(COVARIANCE_TYPES) == set(SHAPES)
