"""Covariances that users give: what is accepted, and what each bad one is told."""

import re

import numpy as np
import pytest
from helpers import BACKENDS, unchanged

from mixtura import fit_gmm, reference
from mixtura.algebra import Algebra
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.shapes import FULL, SHAPE_NAMES, Floats

K, D = 4, 3
each_type = pytest.mark.parametrize("name", SHAPE_NAMES)
each_engine = pytest.mark.parametrize("by", list(BACKENDS.values()), ids=BACKENDS)


def random_covariances(name: str, seed: int = 2) -> Floats:
    """Regular covariances of one of scikit-learn's types."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(K, D, D))
    full = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(D)
    variances = rng.uniform(0.5, 3.0, size=(K, D))
    return {"full": full, "tied": full[0], "diag": variances, "spherical": variances[:, 0]}[name]


@each_type
@each_engine
def test_sound_covariances_are_given_back_with_factors(by: Algebra, name: str) -> None:
    family, covariances = FAMILIES[name], random_covariances(name)
    checked, factors = family.check(covariances.tolist(), K, D, by)
    np.testing.assert_array_equal(checked, covariances)
    np.testing.assert_array_equal(factors, family.factorise(covariances, by)[0])


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_covariances_of_the_family_are_accepted_and_others_are_not(name: str) -> None:
    family = FAMILIES[name]
    rng = np.random.default_rng(1)
    X, resp = rng.normal(size=(80, D)) @ rng.normal(size=(D, D)), rng.dirichlet([0.5] * K, size=80)
    statistics = reference.Rows(X).given(resp, np.zeros((K, D)), family.shape, None).centred()
    covariances = family.update(statistics, reference)
    checked, _ = family.check(covariances, K, D, reference)
    np.testing.assert_allclose(checked, covariances, rtol=1e-12, atol=1e-14)
    if family.name in SHAPE_NAMES:
        return  # what has the shape of such a type is of the type
    other = covariances * rng.uniform(0.5, 2.0, size=covariances.shape)
    if family.shape is FULL:
        other = random_covariances("full")
    message = f"covariances must be of covariance_type {name!r}; that of component "
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        family.check(other, K, D, reference)


def test_covariances_symmetric_to_rounding_are_made_exactly_so() -> None:
    covariances = random_covariances("full")
    covariances[:, 0, 1] *= 1.0 + 1e-10
    with unchanged(covariances):
        checked, _ = FAMILIES["full"].check(covariances, K, D, reference)
    np.testing.assert_array_equal(checked, checked.transpose(0, 2, 1))
    np.testing.assert_allclose(checked, covariances, rtol=1e-9)


def changed(name: str, index: tuple[int, ...], value: float) -> Floats:
    covariances = random_covariances(name)
    covariances[index] = value
    return covariances


BAD = [
    (
        ("full", np.ones((K, D))),
        (
            "covariances must have shape (4, 3, 3) for covariance_type 'full', 4 components and 3 "
            "features; got (4, 3). Pass covariances of this covariance_type, or "
            "covariance_type='diag', whose shape this is."
        ),
    ),
    (
        ("full", changed("full", (1, 2, 0), np.nan)),
        "covariances must be finite; component 1, row 2, column 0 is nan. Give a finite number.",
    ),
    (
        ("diag", changed("diag", (3, 1), np.inf)),
        "covariances must be finite; component 3, feature 1 is inf. Give a finite number.",
    ),
    (
        ("full", np.array([np.eye(3), [[1, 0.5, 0], [0, 1, 0], [0, 0, 1]], np.eye(3), np.eye(3)])),
        (
            "covariances must be symmetric; row 0, column 1 of component 1 is 0.5 and row 1, "
            "column 0 is 0.0. Use (covariance + covariance.T) / 2."
        ),
    ),
    (
        ("tied", np.array([[1, 0, 0], [0, 1, 0], [0, 0.25, 1]])),
        (
            "covariances must be symmetric; row 1, column 2 is 0.0 and row 2, column 1 is 0.25. "
            "Use (covariance + covariance.T) / 2."
        ),
    ),
    (
        ("tied", np.diag([1.0, -2.0, 1.0])),
        (
            "covariances must be positive definite to working precision; the smallest eigenvalue "
            "of the covariance that all components share is -2. Add to its diagonal, or drop "
            "features that others determine."
        ),
    ),
    (
        ("diag", changed("diag", (2, 0), 0.0)),
        (
            "covariances must be positive definite to working precision; the smallest eigenvalue "
            "of component 2 is 0. Add to its diagonal, or drop features that others determine."
        ),
    ),
]


@each_engine
@pytest.mark.parametrize(("given", "message"), BAD)
def test_bad_covariances_are_refused(by: Algebra, given: tuple[str, Floats], message: str) -> None:
    name, covariances = given
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        FAMILIES[name].check(covariances, K, D, by)


def test_covariances_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^covariances must hold real numbers"):
        FAMILIES["spherical"].check(list("abcd"), K, D, reference)


@each_engine
@pytest.mark.parametrize("name", ["VVE", "EVE", "EVV"])
def test_covariances_of_a_fit_with_one_that_is_almost_singular_are_given_back(
    by: Algebra, name: str
) -> None:
    """What all have in common has the rounding of the worst."""
    X = np.random.default_rng(0).normal(size=(120, 4))
    X[:2] *= 1e3
    covariances = fit_gmm(X, 2, covariance_type=name, rng=0).covariances
    checked, _ = FAMILIES[name].check(covariances, 2, 4, by)
    np.testing.assert_array_equal(checked, covariances)


# Covariances that come with their factors


@each_type
@each_engine
def test_covariances_that_fit_their_factors_are_given_back(by: Algebra, name: str) -> None:
    family, covariances = FAMILIES[name], random_covariances(name)
    factors, _ = family.factorise(covariances, by)
    with unchanged(covariances, factors):
        checked = family.check_factored(covariances, factors, np.zeros((K, D)), reference)
    np.testing.assert_array_equal(checked, covariances)


@each_type
def test_covariances_rounded_to_single_precision_fit_when_that_is_said(name: str) -> None:
    family, covariances = FAMILIES[name], random_covariances(name)
    factors = family.factorise(covariances, reference)[0]
    rounded, means = covariances.astype(np.float32), np.zeros((K, D))
    if name in ("full", "tied"):
        rounded[..., 0, 1] = np.nextafter(rounded[..., 0, 1], np.float32(9.0))
    eps = float(np.finfo(np.float32).eps)
    checked = family.check_factored(
        rounded, factors.astype(np.float32), means, reference, rounding=eps
    )
    np.testing.assert_allclose(checked, covariances, rtol=1e-6)
    if name in ("full", "tied"):
        np.testing.assert_array_equal(checked, checked.swapaxes(-1, -2))
        with pytest.raises(ValueError, match="covariances must be symmetric"):
            family.check_factored(rounded, factors, means, reference)


@each_type
@pytest.mark.parametrize("change", [1.001, -1.0, 0.0, 1e300, 1e-300])
def test_covariances_that_do_not_fit_their_factors_are_refused_with_the_component(
    name: str, change: float
) -> None:
    family, covariances = FAMILIES[name], random_covariances(name)
    factors = family.factorise(covariances, reference)[0]
    if name == "tied":
        changed, owner = change * covariances, "the covariance that all share"
    else:
        changed, owner = covariances.copy(), "component 2"
        changed[2] *= change
    message = (
        "covariances must be positive definite and fit precisions_cholesky: U.T @ covariance @ U "
        f"must be the identity; for {owner} it is off by "
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}.+ Set both, or make a mixture of"):
        family.check_factored(changed, factors, np.zeros((K, D)), reference)
