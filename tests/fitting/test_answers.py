"""A fit answers what its mixture answers."""

import copy
import dataclasses
import inspect
import pickle
import pydoc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clusters import clustered

from mixtura import GaussianMixture, GMMFit, StepwiseGMM, fit_gmm, load, scan

X = clustered()[0]
OWN = {"log_likelihood", "save", "summary"}  # of the fit itself
METHODS = [
    "log_prob", "component_log_prob", "responsibilities", "predict", "aic", "bic", "icl", "elbo",
]  # fmt: skip
FACTS = [
    "weights", "means", "covariances", "precisions_cholesky", "covariance_type", "feature_names",
    "n_components", "n_features", "n_parameters", "volume", "shape", "orientation",
]  # fmt: skip


def fit(**options: object) -> GMMFit:
    return fit_gmm(X, 2, init=np.arange(len(X)) % 2, max_iter=2, tol=0, **options)


def test_fit_has_every_public_name_of_its_mixture() -> None:
    names = {name for name in dir(fit().model) if not name.startswith("_")}
    assert names - {"from_sklearn"} <= set(dir(fit()))
    assert names >= {*METHODS, *FACTS, *OWN}


def test_stream_has_every_public_name_of_its_mixture_and_answers_what_it_answers() -> None:
    stream = StepwiseGMM(2, rng=0).update(X)
    names = {name for name in dir(stream.model) if not name.startswith("_")}
    assert names - {"from_sklearn"} <= set(dir(stream))
    for name in FACTS:
        np.testing.assert_array_equal(getattr(stream, name), getattr(stream.model, name))
    for name in [*METHODS, "log_likelihood"]:
        asked, answered = getattr(stream.model, name), getattr(stream, name)
        np.testing.assert_array_equal(answered(X, n_threads=1), asked(X, n_threads=1))
        assert asked.__doc__ == answered.__doc__
    assert stream.summary() == stream.model.summary()


@pytest.mark.parametrize("name", METHODS)
def test_method_of_a_fit_returns_what_that_of_its_mixture_returns(name: str) -> None:
    weight = {"sample_weight": np.arange(len(X))} if name in METHODS[4:] else {}
    for rows in (X, X.astype(np.float32), pd.DataFrame(X), scan([X[:9], X[9:]])):
        one, other = (
            getattr(each, name)(rows, n_threads=1, **weight) for each in (fit(), fit().model)
        )
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", FACTS)
def test_attribute_of_a_fit_is_that_of_its_mixture(name: str) -> None:
    one = fit()
    np.testing.assert_array_equal(getattr(one, name), getattr(one.model, name))
    with pytest.raises(AttributeError):
        setattr(one, name, None)


def test_sample_matrices_and_conversion_of_a_fit_are_those_of_its_mixture() -> None:
    one = fit()
    rows, labels = one.sample(7, rng=3)
    np.testing.assert_array_equal(rows, one.model.sample(7, rng=3)[0])
    np.testing.assert_array_equal(labels, one.model.sample(7, rng=3)[1])
    np.testing.assert_array_equal(one.covariance_matrices(), one.model.covariance_matrices())
    pytest.importorskip("sklearn")
    np.testing.assert_array_equal(one.to_sklearn().means_, one.model.means)


def test_fit_of_one_component_and_one_feature_answers_too() -> None:
    one = fit_gmm(X[:, :1], 1)
    assert one.bic(X[:, :1]) == one.model.bic(X[:, :1])
    assert one.predict(X[:3, :1]).tolist() == [0, 0, 0]


def test_log_likelihood_of_a_fit_stays_the_number_of_its_rows() -> None:
    assert fit().log_likelihood == pytest.approx(fit().model.log_likelihood(X), rel=1e-12)


def test_fit_that_was_pickled_answers_as_before() -> None:
    one = pickle.loads(pickle.dumps(fit()))
    np.testing.assert_array_equal(one.predict(X), fit().model.predict(X))


def test_history_of_a_fit_is_read_only_also_when_copied_pickled_or_loaded(tmp_path: Path) -> None:
    one = fit()
    one.save(tmp_path / "fit.npz")
    copies = copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))
    for each in (one, *copies, load(tmp_path / "fit.npz")):
        with pytest.raises(ValueError, match="read-only"):
            each.history[0] = 0.0
        np.testing.assert_array_equal(each.history, one.history)


def test_history_of_a_fit_made_by_hand_is_a_copy() -> None:
    own = np.array([1.0, 2.0])
    made = dataclasses.replace(fit(), history=own)
    own[0] = 0.0
    assert made.history.tolist() == [1.0, 2.0]


def test_methods_of_a_fit_have_the_signatures_and_docstrings_of_the_mixture() -> None:
    for name in METHODS:
        asked, answered = getattr(GMMFit, name), getattr(GaussianMixture, name)
        assert inspect.signature(asked) == inspect.signature(answered)
        assert asked.__doc__ == answered.__doc__
    assert "sample_weight" in pydoc.render_doc(fit().bic)
