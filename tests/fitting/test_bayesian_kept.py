"""Fits by variational Bayes that are saved, continued after a kill, or read from files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES
from kills import Killed, kill_at

import mixtura
from mixtura import BayesianGMMFit, FitInterrupted, files, fit_bayesian_gmm, fit_gmm, load, scan
from mixtura.plot import HistoryDisplay, ScatterDisplay

X, LABELS = clustered()
WEIGHT_PRIORS = ("dirichlet", "stick-breaking")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the disk when, is tested for files."""
    monkeypatch.setattr(files.os, "fsync", lambda _: None)


def assert_same_bits(one: BayesianGMMFit, other: BayesianGMMFit) -> None:
    for name in ("weight_concentration", "means", "covariances", "degrees_of_freedom", "resp_sum"):
        assert getattr(one.posterior, name).tobytes() == getattr(other.posterior, name).tobytes()
    assert one.history.tobytes() == other.history.tobytes()
    assert (one.elbo, one.entropy, one.events) == (other.elbo, other.entropy, other.events)
    assert (one.stop_reason, one.n_labelled) == (other.stop_reason, other.n_labelled)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
def test_killed_fit_ends_with_the_same_bits(
    tmp_path: Path, covariance_type: str, weight_prior: str
) -> None:
    options: dict[str, Any] = {"covariance_type": covariance_type, "weight_prior": weight_prior}
    options |= {"rng": 3, "n_init": 2, "tol": 1e-9}
    expected = fit_bayesian_gmm(X, 4, **options)
    path = tmp_path / "checkpoint"
    for iteration in (2, 5, expected.n_iter - 1):
        with pytest.raises(Killed):
            fit_bayesian_gmm(
                X, 4, **options, callback=kill_at(iteration), checkpoint=path, checkpoint_every=0
            )
    fit = fit_bayesian_gmm(X, 4, **options, checkpoint=path)
    assert_same_bits(fit, expected)
    assert not path.exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mean": [0.0, 1.0]}, r"mean was None and is float64 of shape \[2\]\. Pass"),
        ({"concentration": 0.5}, r"concentration was None and is 0\.5\. Pass"),
        ({"weight_prior": "stick-breaking"}, "weight_prior was dirichlet and is stick-breaking"),
        ({"tol": 1e-3}, "tol was 1e-06 and is 0.001"),
    ],
)
def test_checkpoint_of_another_prior_is_refused(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    path = tmp_path / "checkpoint"
    options: dict[str, Any] = {"rng": 0, "n_init": 1, "checkpoint": path, "checkpoint_every": 0}
    with pytest.raises(Killed):
        fit_bayesian_gmm(X, 3, callback=kill_at(2), **options)
    with pytest.raises(ValueError, match=f"it is of another one: {message}"):
        fit_bayesian_gmm(X, 3, **(options | changed))


def test_interrupted_fit_has_what_was_done() -> None:
    def interrupt(state: mixtura.State) -> None:
        if state.iteration == 3:
            raise KeyboardInterrupt

    for weight_prior in WEIGHT_PRIORS:
        with pytest.raises(FitInterrupted) as caught:
            fit_bayesian_gmm(X, 3, rng=0, weight_prior=weight_prior, callback=interrupt)
        fit = caught.value.fit
        assert (fit.stop_reason, fit.n_iter) == ("interrupted", 3)
        assert fit.posterior.elbo(X) == pytest.approx(fit.elbo, rel=1e-9)
        assert np.isnan(fit.entropy)
        assert "stopped (interrupted)" in fit.summary()


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("weight_prior", WEIGHT_PRIORS)
def test_saved_and_pickled_fit_is_the_same(
    tmp_path: Path, covariance_type: str, weight_prior: str
) -> None:
    frame = pd.DataFrame(X, columns=["a", "b"])
    options = {"covariance_type": covariance_type, "weight_prior": weight_prior}
    labels = np.where(np.arange(len(X)) % 5 == 0, LABELS, -1)
    fit = fit_bayesian_gmm(frame, 3, labels=labels, rng=0, **options)
    fit.save(tmp_path / "fit.npz")
    for other in (load(tmp_path / "fit.npz"), pickle.loads(pickle.dumps(fit))):
        assert isinstance(other, BayesianGMMFit)
        assert_same_bits(other, fit)
        assert other.summary() == fit.summary()
        assert other.feature_names == ("a", "b")
        with pytest.raises(ValueError, match="read-only"):
            other.history[0] = 0.0


def test_fit_of_a_file_and_of_blocks_is_that_of_the_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", X)
    whole = fit_bayesian_gmm(X, 3, init=X[:3], tol=0, max_iter=9)
    stored = fit_bayesian_gmm(
        scan(tmp_path / "rows.npy", block_size=100), 3, init=X[:3], tol=0, max_iter=9
    )
    blocks = fit_bayesian_gmm(
        scan([X[:100], X[100:200], X[200:]]), 3, init=X[:3], tol=0, max_iter=9
    )
    assert_same_bits(stored, blocks)
    np.testing.assert_allclose(stored.history, whole.history, rtol=1e-12)


def test_fit_answers_what_its_mixture_answers() -> None:
    fit = fit_bayesian_gmm(X, 3, rng=0)
    names = {name for name in dir(fit.model) if not name.startswith("_")}
    assert names - {"from_sklearn"} <= set(dir(fit))
    np.testing.assert_array_equal(fit.predict(X), fit.model.predict(X))
    assert fit.log_likelihood(X) == fit.model.log_likelihood(X)
    assert isinstance(fit.elbo, float)
    assert fit.n_effective == fit.posterior.n_effective


def test_fit_is_shown_in_text_and_in_notebooks() -> None:
    fit = fit_bayesian_gmm(X, 3, rng=0)
    assert f"evidence lower bound {fit.elbo:.6f} nats" in fit.summary(["a", "b"])
    assert "concentration 0.333333" in fit.summary()
    assert fit._repr_html_().startswith("<p>Gaussian mixture: 3 components")
    assert repr(fit).startswith("BayesianGMMFit(")


def test_fit_is_drawn_like_others() -> None:
    fit = fit_bayesian_gmm(X, 3, rng=0)
    assert ScatterDisplay.from_model(fit, X).ax_ is not None
    assert len(HistoryDisplay.from_fit(fit).history) == fit.n_iter


def test_posterior_and_stream_start_a_fit_as_their_mixtures_do() -> None:
    begin = fit_bayesian_gmm(X, 2, rng=0, max_iter=3, tol=0.0)
    stream = mixtura.StepwiseGMM(2, bayesian=True, rng=0)
    stream.update(X)
    inits: list[Any] = [begin.posterior, stream]
    for init in inits:
        expected = fit_bayesian_gmm(X, 2, init=init.model)
        assert fit_bayesian_gmm(X, 2, init=init).posterior == expected.posterior
        assert fit_gmm(X, 2, init=init).model == fit_gmm(X, 2, init=init.model).model


def test_density_of_a_fit_is_that_of_its_mixture() -> None:
    fit = fit_bayesian_gmm(X, 2, rng=0)
    assert fit.posterior.log_pdf(fit) == fit.posterior.log_pdf(fit.model)
