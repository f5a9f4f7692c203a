"""The posterior of a mixture: what it holds, and what it says of rows."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from posteriors import (
    WEIGHT_PRIORS,
    posterior_of,
    prior_of,
    rows_and_shares,
    scipy_log_density,
    simple,
)
from scipy import special
from variational import CASES

import mixtura
from mixtura import GMMPosterior, files, reference
from mixtura.posterior import saving
from mixtura.shapes import SHAPE_NAMES

every_law = [(shape, weights) for shape in SHAPE_NAMES for weights in WEIGHT_PRIORS]
parametrised = pytest.mark.parametrize(("shape", "weights"), every_law)


# ---- the bound, and components of rows ----


@pytest.mark.parametrize("name", CASES)
def test_bound_after_each_listed_iteration_is_the_published_one(name: str) -> None:
    case = CASES[name]
    prior, resp = case.as_prior(), np.eye(case.n_components)[case.labels]
    listed = {int(m): bound for m, bound in case.exact["elbo_after_iterations"].items()}
    for m in range(max(listed) + 1):
        posterior = posterior_of(prior, case.X, resp)
        if m in listed:
            assert posterior.elbo(case.X, resp) == pytest.approx(listed[m], rel=1e-10)
        resp = posterior.responsibilities(case.X)


@pytest.mark.parametrize("name", [name for name in CASES if "iris" in name])
def test_bound_without_shares_is_that_of_the_best_ones(name: str) -> None:
    case = CASES[name]
    given = np.eye(case.n_components)[case.labels]
    posterior = posterior_of(case.as_prior(), case.X, given)
    best = posterior.responsibilities(case.X)
    assert posterior.elbo(case.X) == pytest.approx(posterior.elbo(case.X, best), rel=1e-13)
    for share in (0.01, 0.5, 1.0):
        other = (1.0 - share) * best + share * given
        assert posterior.elbo(case.X) > posterior.elbo(case.X, other)


@parametrised
def test_responsibilities_are_those_of_the_expected_logarithms(shape: str, weights: str) -> None:
    posterior, (X, _) = simple(shape, weights), rows_and_shares()
    joint = scipy_log_density(posterior, X) + posterior.prior.log_constants(posterior._laws)
    expected = special.softmax(joint, axis=1)
    np.testing.assert_allclose(posterior.responsibilities(X), expected, rtol=1e-11, atol=1e-300)
    assert posterior.predict(X).tolist() == expected.argmax(axis=1).tolist()


def test_rows_count_by_their_weights_in_the_bound() -> None:
    (X, resp), prior = rows_and_shares(), prior_of("full")
    counts = np.arange(len(X)) % 3
    weighted = posterior_of(prior, X, resp, counts.astype(float))
    each: NDArray[np.intp] = np.repeat(np.arange(len(X)), counts)
    repeated = posterior_of(prior, X[each], resp[each])
    bound = repeated.elbo(X[each], resp[each])
    assert weighted.elbo(X, resp, counts) == pytest.approx(bound, rel=1e-12)
    assert weighted.elbo(X, sample_weight=counts) == pytest.approx(
        repeated.elbo(X[each]), rel=1e-12
    )


@pytest.mark.parametrize("shape", SHAPE_NAMES)
def test_missing_numbers_leave_what_is_observed(shape: str) -> None:
    posterior, (X, resp) = simple(shape), rows_and_shares()
    X[3] = np.nan
    constants = posterior.prior.log_constants(posterior._laws)
    found = posterior.responsibilities(X, missing="em")
    np.testing.assert_allclose(found[3], special.softmax(constants), rtol=1e-12)
    others = np.delete(np.arange(len(X)), 3)
    alone = resp[3] @ constants + special.entr(resp[3]).sum()
    expected = posterior.elbo(X[others], resp[others]) + alone
    assert posterior.elbo(X, resp, missing="em") == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match=r"^X must be finite"):
        posterior.elbo(X, resp)


def test_bound_of_many_rows_and_of_rows_in_blocks_is_the_sum(monkeypatch: Any) -> None:
    posterior, (X, resp) = simple("full"), rows_and_shares()
    whole = posterior.elbo(X, resp)
    monkeypatch.setattr("mixtura.mixture.criteria.ELEMENTS_AT_ONCE", 20)
    assert posterior.elbo(X, resp) == pytest.approx(whole, rel=1e-13)
    scanned = mixtura.scan([X[:13], X[13:]])
    assert posterior.elbo(scanned, resp) == pytest.approx(whole, rel=1e-13)
    parts = np.vstack(list(posterior.responsibilities(scanned, blocks=True)))
    np.testing.assert_allclose(parts, posterior.responsibilities(X), rtol=1e-13)


def test_bound_of_no_rows_is_minus_the_divergence() -> None:
    posterior = simple("full")
    divergence = posterior.prior.divergence(posterior._laws, reference)
    for resp in (None, np.empty((0, 3))):
        assert posterior.elbo(np.empty((0, 2)), resp) == pytest.approx(-divergence, rel=1e-12)


def test_share_of_zero_counts_as_zero_where_the_density_is_zero() -> None:
    posterior = simple("spherical")
    far = np.array([[1e200, 0.0]])
    assert posterior.elbo(far, [[0.0, 1.0, 0.0]]) == -np.inf
    X, resp = rows_and_shares()
    exact = np.eye(3)[resp.argmax(axis=1)]
    assert np.isfinite(posterior.elbo(X, exact))


@pytest.mark.parametrize(
    ("resp", "message"),
    [
        (np.ones((40, 2)), r"^resp must have shape \(40, 3\), \(n_samples, n_components\); got"),
        (np.full((40, 3), 0.5), r"^resp must sum to one in every row; row 0 sums to 1\.5\."),
        (np.tile([1.5, -0.5, 0.0], (40, 1)), r"^resp must be non-negative; row 0, component 1"),
    ],
)
def test_shares_that_are_none_are_refused(resp: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simple("full").elbo(rows_and_shares()[0], resp)


# ---- what it holds ----


@parametrised
def test_model_has_expected_weights_means_and_precisions(shape: str, weights: str) -> None:
    posterior = simple(shape, weights)
    model, kind = posterior.model, posterior.prior.shape
    assert model.covariance_type == shape
    assert model.weights.sum() == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_array_equal(model.means, posterior.means)
    np.testing.assert_array_equal(model.covariances, posterior.covariances)
    dof = posterior.degrees_of_freedom
    column = dof[0] if kind.is_shared else dof.reshape((-1,) + (1,) * (posterior.scale.ndim - 1))
    np.testing.assert_allclose(posterior.scale / column, posterior.covariances, rtol=1e-15)
    checked = mixtura.GaussianMixture(model.weights, model.means, model.covariances, shape)
    np.testing.assert_allclose(checked.precisions_cholesky, model.precisions_cholesky, rtol=1e-12)


def test_effective_components_have_the_weight_of_an_average_row() -> None:
    X, resp = rows_and_shares()
    resp[:] = [0.6, 0.4, 0.0]
    resp[0] = [0.0, 0.01, 0.99]
    prior = prior_of("full")
    assert posterior_of(prior, X, resp).n_effective == 2
    resp[0] = [0.0, 0.0, 1.0]
    assert posterior_of(prior, X, resp).n_effective == 3
    light = np.full(len(X), 0.25)
    assert posterior_of(prior, X, resp, light).n_effective == 2
    assert posterior_of(prior, X, resp, light, row_weight=0.25).n_effective == 3


def test_effective_components_are_counted_to_rounding() -> None:
    posterior = simple("full")
    one = np.array([0.9999999999999998, 1.0, 0.999])
    assert dataclasses.replace(posterior, resp_sum=one).n_effective == 2
    assert dataclasses.replace(posterior, resp_sum=1e6 * one, row_weight=1e6).n_effective == 2


def test_posteriors_are_equal_where_their_laws_are() -> None:
    one, other = simple("full"), simple("full")
    assert one == other
    assert hash(one) == hash(other)
    assert one.prior == other.prior
    assert hash(one.prior) == hash(other.prior)
    assert one.prior != simple("full", "stick-breaking").prior
    assert one != simple("full", "stick-breaking")
    assert one != simple("tied")
    assert one != dataclasses.replace(one, means=one.means + 1e-12)
    assert one != dataclasses.replace(one, prior=dataclasses.replace(one.prior, mean_precision=0.5))
    assert one != one.model
    assert dataclasses.replace(one, feature_names=("a", "b")) == one


def test_prior_has_a_repr_that_names_its_laws() -> None:
    text = " ".join(repr(simple("diag", "stick-breaking").prior).split())
    assert text.startswith("PriorLaws( weights=StickBreaking(), concentration=0.7, ")
    assert text.endswith("shape=diag, )")
    assert "weights=Dirichlet()" in repr(simple("diag").prior)


# ---- rows with noise ----


def noisy_fit(**options: Any) -> tuple[mixtura.BayesianGMMFit, NDArray[Any], NDArray[Any]]:
    X, _ = rows_and_shares()
    X[:15] += 12.0
    noise = np.random.default_rng(1).uniform(0.0, 0.5, X.shape)
    return mixtura.fit_bayesian_gmm(X, 2, noise_covariance=noise, rng=0, **options), X, noise


def test_bound_and_components_of_noisy_rows_are_those_of_the_fit() -> None:
    fit, X, noise = noisy_fit(tol=1e-10)
    posterior = fit.posterior
    assert posterior.has_noise
    assert posterior.elbo(X, noise_covariance=noise) == pytest.approx(fit.elbo, rel=1e-7)
    resp = posterior.responsibilities(X, noise_covariance=noise)
    np.testing.assert_allclose(resp.sum(axis=0), posterior.resp_sum, rtol=1e-3)
    assert posterior.n_effective == 2
    labels = posterior.predict(X, noise_covariance=noise)
    assert labels.tolist() == resp.argmax(axis=1).tolist()
    assert posterior.elbo(X, resp, noise_covariance=noise) == pytest.approx(fit.elbo, rel=1e-7)


def test_rows_seen_through_a_projection_have_its_bound() -> None:
    fit, X, noise = noisy_fit()
    turned = np.array([[0.8, 0.6], [-0.6, 0.8]])  # an orthogonal change loses nothing
    asked: dict[str, Any] = {
        "noise_covariance": np.einsum("ab,ib,cb->iac", turned, noise, turned),
        "projection": np.tile(turned, (len(X), 1, 1)),
    }
    expected = fit.posterior.elbo(X, noise_covariance=noise)
    assert fit.posterior.elbo(X @ turned.T, **asked) == pytest.approx(expected, rel=1e-12)
    resp = fit.posterior.responsibilities(X @ turned.T, **asked)
    own = fit.posterior.responsibilities(X, noise_covariance=noise)
    np.testing.assert_allclose(resp, own, rtol=1e-9)


@pytest.mark.parametrize("method", ["responsibilities", "predict", "elbo"])
def test_rows_without_noise_are_refused_after_a_fit_with_noise(method: str, tmp_path: Path) -> None:
    fit, X, _ = noisy_fit()
    fit.posterior.save(tmp_path / "p.npz")
    message = r"^noise_covariance must be given, as the rows of the fit had noise of their own; "
    for posterior in (fit.posterior, mixtura.load(tmp_path / "p.npz")):
        with pytest.raises(ValueError, match=message):
            getattr(posterior, method)(X)
        getattr(posterior, method)(X, noise_covariance=np.zeros(len(X)))


def test_bound_of_rows_and_labels_is_that_of_shares_of_zero_and_one() -> None:
    X, resp = rows_and_shares()
    labels = resp.argmax(axis=1)
    fit = mixtura.fit_bayesian_gmm(X, 3, labels=labels, init="labels", rng=0)
    assert fit.posterior.elbo(X, np.eye(3)[labels]) == pytest.approx(fit.elbo, rel=1e-9)
    assert fit.posterior.elbo(X) > fit.elbo


def test_posterior_cannot_be_changed() -> None:
    posterior = simple("full")
    with pytest.raises(AttributeError):
        posterior.means = np.zeros((3, 2))  # type: ignore[misc]
    for array in (posterior.means, posterior.resp_sum, posterior.prior.mean):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_repr_and_summary_name_what_matters() -> None:
    posterior = posterior_of(
        prior_of("diag"),
        *rows_and_shares(),
        feature_names=("a", "<b>"),
        covariance_type="VVI",
    )
    text = posterior.summary()
    assert text.startswith(
        "Posterior of a Gaussian mixture: 3 components (3 with rows), VVI covariances, 2 features, "
        "dirichlet weights\n"
    )
    assert "weight of rows" in text
    assert "95% from: mean\n  a " in text
    assert "  length " in posterior.summary(["length", "width"])
    assert posterior.model.covariance_type == "VVI"
    html = posterior._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    assert repr(posterior).startswith("GMMPosterior(weight_concentration=[")


# ---- files ----


def same(one: GMMPosterior, other: GMMPosterior) -> None:
    for name in saving.ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert not getattr(other, name).flags.writeable
    names = ("covariance_type", "feature_names", "missing", "row_weight", "has_noise")
    for name in (*names, "weight_prior"):
        assert getattr(one, name) == getattr(other, name)
    assert one == other
    for name in ("concentration", "mean_precision", "degrees_of_freedom", "shape", "weights"):
        ours, theirs = getattr(one.prior, name), getattr(other.prior, name)
        assert type(ours) is type(theirs)
        assert name == "weights" or ours == theirs
    np.testing.assert_array_equal(one.prior.mean, other.prior.mean)
    np.testing.assert_array_equal(one.prior.covariance, other.prior.covariance)
    assert one.prior.covariance.shape == other.prior.covariance.shape


@parametrised
def test_files_pickles_and_copies_are_equal_to_the_bit(
    shape: str, weights: str, tmp_path: Path
) -> None:
    posterior = posterior_of(
        prior_of(shape, weights, concentration=1 / 3),
        *rows_and_shares(),
        feature_names=("a", "b"),
        missing="em",
        row_weight=0.1,
    )
    _ = posterior.model, posterior.predictive
    posterior.save(tmp_path / "p.npz")
    same(posterior, mixtura.load(tmp_path / "p.npz"))
    same(posterior, pickle.loads(pickle.dumps(posterior)))
    same(posterior, copy.copy(posterior))
    same(posterior, copy.deepcopy(posterior))
    assert copy.copy(posterior).model == posterior.model


DAMAGES: dict[str, tuple[str, Any]] = {
    "weight_prior": ("weight_prior must be one of", "uniform"),
    "covariance_type": ("its covariance_type is 'VEE'", "VEE"),
    "prior_concentration": ("its prior_concentration is -1.0", -1.0),
    "prior_degrees_of_freedom": ("its prior_degrees_of_freedom is 1.0", 1.0),
    "prior_mean_precision": ("its prior_mean_precision is nan", float("nan")),
    "row_weight": ("and its row_weight 0.0", 0.0),
    "has_noise": ("has_noise", 1),
    "missing": ("missing must be one of", "drop"),
    "prior_mean": ("its prior_mean should be float64 of shape", np.zeros(3)),
    "prior_covariance": ("its prior_covariance is not symmetric", -np.eye(2)),
    "weight_concentration": ("its weight_concentration are", np.zeros(3)),
    "mean_precision": ("its mean_precision are", np.full(3, -1.0)),
    "degrees_of_freedom": ("its degrees_of_freedom are", np.ones(3)),
    "means": ("its means are not finite", np.full((3, 2), np.nan)),
    "covariances": ("covariances", np.zeros((3, 2, 2))),
    "precisions_cholesky": ("precisions_cholesky", np.ones((3, 2, 2))),
    "resp_sum": ("its resp_sum are", np.full(3, -1.0)),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_are_refused(name: str, tmp_path: Path) -> None:
    why, value = DAMAGES[name]
    facts, arrays = simple("full")._contents()
    assert name in facts | arrays
    (arrays if name in arrays else facts)[name] = value
    files.write(tmp_path / "p.npz", "GMMPosterior", files.Contents(facts, arrays))
    with pytest.raises(ValueError, match=rf"(?s)it is damaged or from another program: .*{why}"):
        mixtura.load(tmp_path / "p.npz")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("prior_concentration", 1e308, "its prior_concentration is 1e\\+308"),
        ("prior_degrees_of_freedom", 1e308, "its prior_degrees_of_freedom is 1e\\+308"),
        ("weight_concentration", np.full((2, 3), 1e-300), "its weight_concentration are"),
        ("mean_precision", np.full(3, 1e-300), "its mean_precision are"),
        ("means", np.full((3, 2), 1e300), "its means are"),
        ("prior_mean", np.full(2, 1e300), "its means are"),
    ],
)
def test_files_with_numbers_that_no_fit_has_are_refused(
    name: str, value: Any, why: str, tmp_path: Path
) -> None:
    facts, arrays = simple("full", "stick-breaking")._contents()
    (arrays if name in arrays else facts)[name] = value
    files.write(tmp_path / "p.npz", "GMMPosterior", files.Contents(facts, arrays))
    with pytest.raises(ValueError, match=rf"(?s)it is damaged or from another program: .*{why}"):
        mixtura.load(tmp_path / "p.npz")


@pytest.mark.parametrize("name", DAMAGES)
def test_files_without_one_of_the_values_are_refused(name: str, tmp_path: Path) -> None:
    facts, arrays = simple("full")._contents()
    (arrays if name in arrays else facts).pop(name)
    files.write(tmp_path / "p.npz", "GMMPosterior", files.Contents(facts, arrays))
    with pytest.raises(ValueError, match="it is damaged or from another program"):
        mixtura.load(tmp_path / "p.npz")


@pytest.mark.parametrize("weights", WEIGHT_PRIORS)
def test_damaged_bytes_load_as_what_was_saved_or_not_at_all(weights: str, tmp_path: Path) -> None:
    path, rng = tmp_path / "p.npz", np.random.default_rng(0)
    posterior = simple("full", weights)
    posterior.save(path)
    good = path.read_bytes()
    for _ in range(150):
        damaged = bytearray(good)
        for place in rng.integers(len(good), size=rng.integers(1, 4)):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            loaded = mixtura.load(path)
        except ValueError:
            continue
        assert isinstance(loaded, GMMPosterior)
        assert loaded.means.shape == posterior.means.shape
