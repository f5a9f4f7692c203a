"""Mixtures to scikit-learn's estimators and back, and to ONNX."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from clusters import clustered
from helpers import COVARIANCE_TYPES
from sklearn import mixture
from sklearn.exceptions import NotFittedError

import mixtura
from mixtura import GaussianMixture, fit_gmm
from mixtura.sklearn import GaussianMixture as Estimator

X = clustered(300, 3, 4)[0]


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_round_trip_keeps_every_bit(covariance_type: str, offset: float) -> None:
    model = fit_gmm(X + offset, 4, covariance_type=covariance_type, rng=0).model
    again = GaussianMixture.from_sklearn(model.to_sklearn())
    assert again == model
    np.testing.assert_array_equal(again.log_prob(X + offset), model.log_prob(X + offset))


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_estimator_made_of_a_mixture_agrees_with_it(covariance_type: str) -> None:
    model = fit_gmm(X, 4, covariance_type=covariance_type, rng=0).model
    estimator = model.to_sklearn()
    assert type(estimator) is mixture.GaussianMixture
    np.testing.assert_allclose(estimator.score_samples(X), model.log_prob(X), rtol=1e-12)
    np.testing.assert_allclose(
        estimator.predict_proba(X), model.responsibilities(X), rtol=0, atol=1e-12
    )
    assert estimator.bic(X) == pytest.approx(model.bic(X), rel=1e-12)
    if covariance_type in ("full", "tied"):
        identity = estimator.covariances_ @ estimator.precisions_
        np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-10)
    else:
        np.testing.assert_allclose(estimator.covariances_ * estimator.precisions_, 1.0, rtol=1e-12)
    with pytest.raises(ValueError, match="X has 2 features, but GaussianMixture is expecting 3"):
        estimator.predict(X[:, :2])


@pytest.mark.parametrize("kind", [mixture.GaussianMixture, Estimator])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_mixture_made_of_an_estimator_agrees_with_it(kind: type, covariance_type: str) -> None:
    estimator = kind(4, covariance_type=covariance_type, random_state=0).fit(X)
    model = GaussianMixture.from_sklearn(estimator)
    np.testing.assert_allclose(model.log_prob(X), estimator.score_samples(X), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), estimator.predict(X))
    np.testing.assert_array_equal(model.means, estimator.means_)
    assert model.covariance_type == covariance_type


@pytest.mark.parametrize("kind", [mixture.GaussianMixture, Estimator])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_estimator_of_float32_rows_becomes_a_mixture_by_every_door(
    kind: type, covariance_type: str
) -> None:
    for k, seed in itertools.product((1, 2, 3, 5), range(3)):
        rows = clustered(300, 3, 4, seed=seed)[0].astype(np.float32)
        estimator = kind(k, covariance_type=covariance_type, random_state=seed).fit(rows)
        assert estimator.weights_.dtype == np.float32
        arrays = (estimator.weights_, estimator.means_, estimator.covariances_)
        models = [
            GaussianMixture(*arrays, covariance_type),
            GaussianMixture.from_sklearn(estimator),
            GaussianMixture.from_sklearn(GaussianMixture.from_sklearn(estimator).to_sklearn()),
        ]
        models += [estimator.model_] if kind is Estimator else []
        for model in models:
            assert abs(model.weights.sum() - 1.0) <= 1e-8
            assert abs(model.log_prob(rows) - estimator.score_samples(rows)).max() < 1e-3


@pytest.mark.parametrize("kind", [mixture.GaussianMixture, Estimator])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_estimator_whose_attributes_contradict_one_another_is_refused(
    covariance_type: str, dtype: type, kind: type
) -> None:
    rows = X.astype(dtype)
    estimator = kind(4, covariance_type=covariance_type, random_state=0).fit(rows)
    covariances = estimator.covariances_.copy()
    estimator.covariances_ = covariances * dtype(1.01)
    with pytest.raises(
        ValueError, match="covariances must be positive definite and fit precisions_cholesky"
    ):
        GaussianMixture.from_sklearn(estimator)
    estimator.covariances_ = -covariances
    message = "covariances must be positive definite"
    with pytest.raises(ValueError, match=message):
        GaussianMixture.from_sklearn(estimator)
    estimator.covariances_ = np.full_like(covariances, np.nan)
    with pytest.raises(ValueError, match="must be finite"):
        GaussianMixture.from_sklearn(estimator)
    estimator.covariances_ = covariances[..., :-1]
    with pytest.raises(ValueError, match="covariances must have shape"):
        GaussianMixture.from_sklearn(estimator)
    estimator.covariances_, estimator.weights_ = covariances, -estimator.weights_
    with pytest.raises(ValueError, match="weights must be non-negative"):
        GaussianMixture.from_sklearn(estimator)
    estimator.weights_, estimator.means_ = -estimator.weights_, np.zeros(4)
    with pytest.raises(ValueError, match="means must have shape"):
        GaussianMixture.from_sklearn(estimator)
    if kind is Estimator:
        with pytest.raises(ValueError, match="means must have shape"):
            estimator.predict(rows)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_estimator_with_covariances_that_are_not_symmetric_is_refused(covariance_type: str) -> None:
    estimator = Estimator(2, covariance_type=covariance_type, random_state=0).fit(X)
    estimator.covariances_[..., 0, 1] += 0.5
    with pytest.raises(ValueError, match="covariances must be symmetric; row 0, column 1"):
        _ = estimator.model_


def test_estimator_of_an_ill_conditioned_covariance_becomes_a_mixture() -> None:
    for dtype, small in ((np.float64, 1e-5), (np.float32, 2e-2)):
        noise = np.random.default_rng(0).normal(size=(500, 1))
        rows = np.hstack([noise, noise, 1e4 * noise]) + small * np.random.default_rng(1).normal(
            size=(500, 3)
        )
        estimator = mixture.GaussianMixture(1, reg_covar=0.0).fit(rows.astype(dtype))
        model = GaussianMixture.from_sklearn(estimator)
        product = model.precisions_cholesky[0].T @ model.covariances[0] @ model.precisions_cholesky
        np.testing.assert_allclose(product[0], np.eye(3), atol=1e-4)


def test_estimator_made_of_a_mixture_can_continue_to_fit_it() -> None:
    model = fit_gmm(X, 3, rng=0).model
    estimator = model.to_sklearn().set_params(warm_start=True, reg_covar=0.0).fit(X)
    assert estimator.n_iter_ == 2  # the least, as the first iteration has none to compare with
    np.testing.assert_allclose(estimator.means_, model.means, atol=1e-3)


@pytest.mark.parametrize("covariance_type", ["EEI", "VEV"])
def test_mixture_of_a_family_that_scikit_learn_lacks_becomes_full(covariance_type: str) -> None:
    model = fit_gmm(X, 3, covariance_type=covariance_type, rng=0).model
    estimator = model.to_sklearn()
    assert estimator.covariance_type == "full"
    np.testing.assert_allclose(estimator.score_samples(X), model.log_prob(X), rtol=1e-12)
    np.testing.assert_allclose(estimator.covariances_, model.covariance_matrices(), rtol=1e-12)


def test_names_of_the_columns_are_kept() -> None:
    frame = pd.DataFrame(X, columns=["length", "width", "height"])
    model = fit_gmm(frame, 3, rng=0).model
    estimator = model.to_sklearn()
    assert estimator.feature_names_in_.tolist() == ["length", "width", "height"]
    np.testing.assert_array_equal(estimator.predict(frame), model.predict(frame))
    assert GaussianMixture.from_sklearn(estimator).feature_names == ("length", "width", "height")
    ours = Estimator(3, random_state=0).fit(frame)
    assert ours.model_.feature_names == ("length", "width", "height")
    np.testing.assert_array_equal(ours.predict(frame), ours.model_.predict(frame))


def test_arrays_of_the_estimator_are_its_own() -> None:
    model = fit_gmm(X, 3, rng=0).model
    estimator = model.to_sklearn()
    estimator.means_ += 1.0
    assert model != GaussianMixture.from_sklearn(estimator)
    again = GaussianMixture.from_sklearn(estimator)
    estimator.means_ += 1.0
    np.testing.assert_array_equal(again.means, model.means + 1.0)


def test_mixture_of_something_else_is_refused() -> None:
    with pytest.raises(
        TypeError, match="estimator must be a GaussianMixture of scikit-learn or of"
    ):
        GaussianMixture.from_sklearn(object())
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        GaussianMixture.from_sklearn(mixture.GaussianMixture())
    estimator = fit_gmm(X, 2, rng=0).model.to_sklearn()
    estimator.precisions_cholesky_ = estimator.precisions_cholesky_.swapaxes(1, 2)
    with pytest.raises(ValueError, match="precisions_cholesky must be upper triangular"):
        GaussianMixture.from_sklearn(estimator)
    estimator = fit_gmm(X, 2, rng=0).model.to_sklearn()
    estimator.covariances_ = estimator.covariances_[:1]
    with pytest.raises(ValueError, match=r"covariances must have shape .* got \(1, 3, 3\)"):
        GaussianMixture.from_sklearn(estimator)


def test_mixture_without_scikit_learn_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None; import mixtura;"
        "mixtura.GaussianMixture([1.0], [[0.0]], [1.0], 'spherical').to_sklearn()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'mixtura[sklearn]'" in done.stderr


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_onnx_file_of_a_mixture_agrees_with_it(covariance_type: str) -> None:
    model = mixtura.fit_gmm(X, 4, covariance_type=covariance_type, rng=0).model
    estimator = model.to_sklearn()
    graph = skl2onnx.to_onnx(estimator, X[:1], options={id(estimator): {"score_samples": True}})
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    labels, resp, log_prob = session.run(None, {"X": X})
    np.testing.assert_array_equal(labels.ravel(), model.predict(X))
    np.testing.assert_allclose(resp, model.responsibilities(X), rtol=0, atol=1e-9)
    np.testing.assert_allclose(log_prob.ravel(), model.log_prob(X), rtol=1e-9)
