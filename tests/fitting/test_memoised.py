"""em="memoised": the limits of ordinary EM, by an update after each block."""

from typing import Any

import numpy as np
import pytest
from clusters import assert_same_fit_bits, clustered
from helpers import COVARIANCE_TYPES
from holes import with_holes

import mixtura
from mixtura import GaussianMixture, fit_bayesian_gmm, fit_gmm, scan
from mixtura.shapes import Floats

K, D, N = 3, 2, 8000
X, LABELS = clustered(N, D, K, seed=1, spread=2.5)
X = np.ascontiguousarray(X[np.argsort(LABELS, kind="stable")])  # sorted rows do no harm
KNOWN = np.where(np.random.default_rng(0).random(N) < 0.1, np.sort(LABELS), -1)
PRECISE: dict[str, Any] = {"tol": 1e-11, "max_iter": 2000}


def near(covariance_type: str = "full") -> GaussianMixture:
    return fit_gmm(X, K, covariance_type=covariance_type, rng=0, tol=0, max_iter=2).model


def uneven() -> Floats:
    return np.random.default_rng(1).choice([0.0, 0.5, 1.0, 3.0], size=N)


CALLS: dict[str, tuple[Floats, dict[str, Any]]] = {
    **{name: (X, {"covariance_type": name}) for name in [*COVARIANCE_TYPES, "VEE"]},
    "ridge": (X, {"reg_covar": 0.1}),
    "weights": (X, {"sample_weight": uneven()}),
    "labels": (X, {"labels": KNOWN}),
    "float32": (X.astype(np.float32), {}),
    "missing": (with_holes(X), {"missing": "em"}),
    "reference": (X, {"backend": "reference"}),
}


@pytest.mark.parametrize("name", CALLS)
def test_limit_is_that_of_ordinary_iterations_from_the_same_start(name: str) -> None:
    rows, options = CALLS[name]
    start = near(options.get("covariance_type", "full"))
    fit = fit_gmm(rows, K, init=start, em="memoised", **PRECISE, **options)
    plain = fit_gmm(rows, K, init=start, **PRECISE, **options)
    assert fit.converged
    assert (np.diff(fit.history) >= -1e-10).all()
    assert abs(fit.history[-1] - plain.history[-1]) < 1e-6
    np.testing.assert_allclose(fit.means, plain.means, atol=1e-3)
    assert fit.entropy == pytest.approx(plain.entropy, rel=1e-3)


@pytest.mark.parametrize("weight_prior", ["dirichlet", "stick-breaking"])
@pytest.mark.parametrize("name", [*COVARIANCE_TYPES, "weights", "labels", "missing"])
def test_bound_of_variational_bayes_has_the_limit_of_ordinary_iterations(
    name: str, weight_prior: Any
) -> None:
    rows, options = CALLS[name]
    start = near(options.get("covariance_type", "full"))
    fit, plain = (
        fit_bayesian_gmm(
            rows, K, weight_prior=weight_prior, init=start, em=em, **PRECISE, **options
        )
        for em in ("memoised", "soft")
    )
    assert (np.diff(fit.history) >= -1e-10).all()
    assert abs(fit.elbo - plain.elbo) < 1e-6 * fit.weight_sum
    assert fit.elbo >= fit.history[-1] * fit.weight_sum - 1e-6
    assert fit.entropy == pytest.approx(plain.entropy, rel=1e-3)


@pytest.mark.parametrize("weight_prior", ["dirichlet", "stick-breaking"])
def test_bound_of_the_fit_is_that_of_its_posterior(weight_prior: Any) -> None:
    fit = fit_bayesian_gmm(X, 5, weight_prior=weight_prior, em="memoised", rng=0)
    assert fit.elbo == pytest.approx(fit.posterior.elbo(X), rel=1e-11)
    assert fit.n_effective == K
    assert (np.diff(fit.weights) <= 0.0).all()


def test_kind_of_em_that_has_no_posterior_is_refused() -> None:
    with pytest.raises(ValueError, match=r"em must be one of 'soft', 'memoised'; got 'hard'"):
        fit_bayesian_gmm(X, K, em="hard")  # type: ignore[arg-type]


def test_log_likelihood_is_that_of_the_model() -> None:
    fit = fit_gmm(X, K, init=near(), em="memoised", tol=0, max_iter=2)
    assert fit.log_likelihood == pytest.approx(fit.model.log_likelihood(X), rel=1e-12)
    assert fit.n_iter == 2


def test_automatic_starts_end_like_ordinary_fits() -> None:
    one, other = (fit_gmm(X, K, em=em, rng=0, tol=1e-9) for em in ("memoised", "soft"))
    np.testing.assert_allclose(one.means, other.means, atol=1e-3)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_threads_change_no_bit(n_threads: int) -> None:
    one, other = (
        fit_gmm(X, K, init=X[:K], em="memoised", n_threads=threads) for threads in (1, n_threads)
    )
    assert_same_fit_bits(one, other)


def test_blocks_of_a_scan_are_the_blocks() -> None:
    parts = [np.ascontiguousarray(X[b::8]) for b in range(8)]
    options: dict[str, Any] = {"init": near(), "em": "memoised", "rng": 0}
    one = fit_gmm(scan(parts), K, **options)
    other = fit_gmm(scan(lambda: iter(parts), block_size=N // 8), K, **options)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-12)
    assert one.n_iter == other.n_iter


def test_component_that_fails_is_replaced_and_what_was_remembered_forgotten() -> None:
    start = near()
    far = GaussianMixture(
        [0.3, 0.3, 0.4],
        np.vstack([start.means[:2], [[1e4, 1e4]]]),
        np.array([*start.covariances[:2], np.eye(2)]),
        "full",
    )
    fit = fit_gmm(X, K, init=far, em="memoised", reg_covar=0)
    assert [(e.iteration, e.cause, e.action) for e in fit.events] == [(1, "empty", "reseeded")]
    assert fit.converged
    assert (np.diff(fit.history) >= -1e-10).all()
    with pytest.raises(mixtura.FitError, match="component 2 has"):
        fit_gmm(X, K, init=far, em="memoised", reg_covar=0, on_collapse="raise")
    dropped = fit_gmm(X, K, init=far, em="memoised", reg_covar=0, on_collapse="drop")
    assert dropped.n_components == 2


def test_callback_stops_and_sees_each_iteration() -> None:
    seen: list[mixtura.State] = []

    def stop(state: mixtura.State) -> bool:
        seen.append(state)
        return state.iteration == 2

    fit = fit_gmm(X, K, init=X[:K], em="memoised", callback=stop)
    assert fit.stop_reason == "callback"
    assert [state.objective for state in seen] == fit.history.tolist()


def test_interrupt_keeps_the_last_iteration() -> None:
    def press(state: mixtura.State) -> None:
        if state.iteration == 3:
            raise KeyboardInterrupt

    with pytest.raises(mixtura.FitInterrupted) as caught:
        fit_gmm(X, K, init=X[:K], em="memoised", callback=press)
    assert caught.value.fit.n_iter == 3
    assert caught.value.fit.stop_reason == "interrupted"


def test_checkpoint_and_rows_elsewhere_are_refused(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match=r"checkpoint must be None with em=\"memoised\""):
        fit_gmm(X, K, em="memoised", checkpoint=tmp_path / "fit")
    array = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match=r"em=\"memoised\" must have its blocks"):
        fit_gmm(array.from_array(X, chunks=(4000, D)), K, em="memoised")
