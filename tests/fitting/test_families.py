"""Fits with the fourteen families of Celeux and Govaert."""

import re

import numpy as np
import pytest
from clusters import clustered
from scipy import linalg

from mixtura import FitError, GaussianMixture, datasets, fit_gmm
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.shapes import Floats

each_family = pytest.mark.parametrize("name", CELEUX_GOVAERT)
SAME_AS = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}


@each_family
def test_fit_shares_what_its_letters_say(name: str) -> None:
    X, labels = clustered(200, 3, 3)
    model = fit_gmm(X, 3, covariance_type=name, init=labels, max_iter=5, tol=0).model
    volume, shape, orientation = model.volume, model.shape, model.orientation
    assert (volume.shape, shape.shape, orientation.shape) == ((3,), (3, 3), (3, 3, 3))
    again = orientation * (volume[:, None] * shape)[:, None, :] @ orientation.transpose(0, 2, 1)
    np.testing.assert_allclose(again, model.covariance_matrices(), atol=1e-10)
    np.testing.assert_allclose(shape.prod(axis=1), 1.0)
    np.testing.assert_allclose(
        orientation.transpose(0, 2, 1) @ orientation, [np.eye(3)] * 3, atol=1e-12
    )
    for letter, array in zip(name, (volume, shape, orientation), strict=True):
        if letter == "V":
            assert np.ptp(array, axis=0).max() > 1e-3
        else:
            np.testing.assert_allclose(array, [array[0]] * 3, rtol=1e-8, atol=1e-8)
    if name[1] == "I":
        np.testing.assert_allclose(shape, 1.0)
    if name[2] == "I":
        np.testing.assert_array_equal(orientation, [np.eye(3)] * 3)
    elif name[1:] != "VE":  # axes that are shared keep one order in all components
        assert (np.diff(shape) <= 1e-9).all()


@each_family
@pytest.mark.parametrize("reg_covar", [0.0, 0.05])
def test_objective_of_a_fit_never_falls(name: str, reg_covar: float) -> None:
    for seed in range(3):
        X, labels = clustered(80, 4, 3, seed=seed, spread=1.5)
        fit = fit_gmm(
            X, 3, covariance_type=name, init=labels, reg_covar=reg_covar, max_iter=60, tol=0
        )
        assert np.diff(fit.history).min() >= -1e-12
        assert fit.history[-1] > fit.history[0]


@each_family
def test_backends_agree(name: str) -> None:
    X, labels = clustered(120, 3, 3)
    one, other = (
        fit_gmm(X, 3, covariance_type=name, init=labels, max_iter=20, tol=0, backend=backend)
        for backend in ("compiled", "reference")
    )
    np.testing.assert_allclose(one.history, other.history, rtol=1e-10)


@each_family
def test_fit_in_other_units_or_turned_is_the_same_where_the_family_says_so(name: str) -> None:
    """Diagonal and affine families do not see units; all do not see rotations but diagonal ones."""
    X, labels = clustered(150, 3, 2)
    units = np.array([1.0, 30.0, 0.2])
    turn = linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]

    def log_likelihood(rows: Floats) -> float:
        fit = fit_gmm(
            rows, 2, covariance_type=name, init=labels, reg_covar=0, tol=1e-12, max_iter=5000
        )
        return fit.log_likelihood

    here = log_likelihood(X)
    scaled = log_likelihood(X * units) + len(X) * np.log(units).sum()
    in_any_units = {"EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVV", "VVV"}
    assert (abs(scaled - here) < 1e-6) == (name in in_any_units)
    turned = log_likelihood(X @ turn)
    assert (abs(turned - here) < 1e-6) == (name not in {"EEI", "VEI", "EVI", "VVI"})


@each_family
def test_one_component_depends_on_shape_and_orientation_alone(name: str) -> None:
    X = clustered(60, 3, 1)[0]
    kind = "VII" if name[1] == "I" else "VVI" if name[2] == "I" else "VVV"
    one, other = (fit_gmm(X, 1, covariance_type=type_, rng=0).model for type_ in (name, kind))
    np.testing.assert_allclose(
        one.covariance_matrices(), other.covariance_matrices(), rtol=1e-12, atol=1e-12
    )
    assert one.n_parameters == other.n_parameters


@each_family
def test_one_column_depends_on_the_volume_alone(name: str) -> None:
    X, labels = clustered(100, 1, 3)
    one, other = (
        fit_gmm(X, 3, covariance_type=type_, init=labels, max_iter=10, tol=0)
        for type_ in (name, name[0])
    )
    np.testing.assert_allclose(one.history, other.history, rtol=1e-12)
    assert one.model.n_parameters == other.model.n_parameters
    np.testing.assert_allclose(one.model.shape, 1.0)


@pytest.mark.parametrize(("letters", "word"), SAME_AS.items())
def test_two_names_of_one_family_are_interchangeable(letters: str, word: str) -> None:
    X, labels = clustered()
    one, other = (
        fit_gmm(X, 3, covariance_type=name, init=labels).model for name in (letters, word)
    )
    assert (one.covariance_type, other.covariance_type) == (letters, word)
    assert one == other
    assert hash(one) == hash(other)
    assert fit_gmm(X, 3, covariance_type=word, init=one, max_iter=1, tol=0).n_iter == 1


def test_names_for_one_column_are_refused_for_more() -> None:
    X = clustered()[0]
    message = "covariance_type 'V' is for one feature; got 2. Use 'VVV' or another family"
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_gmm(X, 2, covariance_type="V")


def test_unknown_family_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="must be one of") as caught:
        fit_gmm(clustered()[0], 2, covariance_type="VVW")
    for name in FAMILIES:
        assert repr(name) in str(caught.value)
    with pytest.raises(ValueError, match="Did you mean 'EVE'"):
        fit_gmm(clustered()[0], 2, covariance_type="eve")


@each_family
def test_family_with_too_few_rows_says_so_by_name(name: str) -> None:
    k, d = 2, 3
    needed = FAMILIES[name].least_rows(k, d)
    X = np.random.default_rng(0).normal(size=(needed, d))
    message = f"covariance_type '{name}' cannot be estimated: 2 components of 3 features need"
    with pytest.raises(FitError, match=message):
        fit_gmm(X[1:], k, covariance_type=name, reg_covar=0)
    fit = fit_gmm(X[1:], k, covariance_type=name, reg_covar=1e-3, rng=0, max_iter=2, tol=0)
    assert fit.model.covariance_type == name


@pytest.mark.parametrize("name", [name for name in CELEUX_GOVAERT if name not in SAME_AS])
def test_mixture_with_covariances_of_its_family_is_accepted_and_others_are_not(name: str) -> None:
    X, labels = clustered(200, 3, 3)
    model = fit_gmm(X, 3, covariance_type=name, init=labels, max_iter=3, tol=0).model
    again = GaussianMixture(model.weights, model.means, model.covariances, name)
    assert again == model
    rng = np.random.default_rng(0)
    covariances = model.covariances * rng.uniform(0.5, 2.0, size=model.covariances.shape)
    if covariances.ndim == 3:
        root = rng.normal(size=(3, 3, 3))
        covariances = root @ root.transpose(0, 2, 1)
    with pytest.raises(ValueError, match=f"must be of covariance_type '{name}'"):
        GaussianMixture(model.weights, model.means, covariances, name)


@each_family
def test_fit_of_real_data_chooses_its_own_start(name: str) -> None:
    X = datasets.load_faithful().data
    fit = fit_gmm(X, 2, covariance_type=name, rng=0)
    assert fit.converged
    assert fit.summary().startswith(f"Gaussian mixture: 2 components, {name} covariances")


@pytest.mark.parametrize("name", ["EVE", "VVE", "EEV", "VEV"])
def test_family_that_mixes_units_refuses_those_too_far_apart(name: str) -> None:
    """A variance that is lost in the rounding of another cannot be told from zero."""
    X, labels = clustered(100, 3, 2)
    fit_gmm(
        X * [1.0, 1e5, 1.0], 2, covariance_type=name, init=labels, reg_covar=0, max_iter=2, tol=0
    )
    with pytest.raises(FitError, match="singular"):
        fit_gmm(X * [1.0, 1e9, 1.0], 2, covariance_type=name, init=labels, reg_covar=0)


# Without a ridge


@pytest.mark.parametrize("on_collapse", ["reseed", "drop"])
@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_fit_of_heavy_tails_without_a_ridge_ends_in_a_model(name: str, on_collapse: str) -> None:
    """Single rows far away leave components that are singular; the others continue."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = rng.standard_t(1.3, size=(90, 3))
        fit = fit_gmm(
            X, 4, covariance_type=name, reg_covar=0.0, rng=seed, n_init=2, on_collapse=on_collapse,
            tol=1e-2,
        )  # fmt: skip
        assert np.isfinite(fit.log_likelihood)
        assert np.isfinite(fit.model.covariances).all()


def test_fit_of_iris_without_a_ridge_in_more_components_than_it_has_clusters() -> None:
    X = datasets.load_iris().data
    fit = fit_gmm(X, 7, covariance_type="VVE", reg_covar=0.0, rng=0)
    assert np.isfinite(fit.log_likelihood)
