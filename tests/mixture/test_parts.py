"""Marginal and conditional mixtures, mean and covariance: against scipy.stats and definitions."""

from __future__ import annotations

import dataclasses
import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

from mixtura import GaussianMixture, datasets, fit_gmm
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.shapes import SHAPE_NAMES, Floats

NAMES = ["a", "b", "c", "d"]
X = datasets.load_iris().data
# What is left of a family in some of the features.
PARTS = {
    "EVI": "VVI", "EVE": "VVV", "VVE": "VVV", "EEV": "VVV", "VEV": "VVV", "EVV": "VVV",
}  # fmt: skip
every_type = pytest.mark.parametrize("covariance_type", [*SHAPE_NAMES, *CELEUX_GOVAERT])


@cache
def fitted(covariance_type: str) -> GaussianMixture:
    model = fit_gmm(X, 3, covariance_type=covariance_type, rng=0, max_iter=4, tol=0.0).model
    return dataclasses.replace(model, feature_names=NAMES)


def log_density(model: GaussianMixture, rows: Floats) -> Floats:
    """Of rows, by SciPy and the matrices of the mixture."""
    joint = [
        np.log(weight) + stats.multivariate_normal(mean, matrix).logpdf(rows)
        for weight, mean, matrix in zip(
            model.weights, model.means, model.covariance_matrices(), strict=True
        )
    ]
    return logsumexp(np.reshape(joint, (len(joint), -1)), axis=0)


def assert_factored(model: GaussianMixture) -> None:
    """Expect factors of the covariances, as the constructor makes them."""
    again = GaussianMixture(
        model.weights, model.means, model.covariances, model.covariance_type,
        feature_names=model.feature_names,
    )  # fmt: skip
    np.testing.assert_allclose(
        again.precisions_cholesky, model.precisions_cholesky, rtol=1e-9, atol=1e-9
    )


# Marginal


@every_type
def test_marginal_has_the_blocks_of_its_features_in_their_order(covariance_type: str) -> None:
    model = fitted(covariance_type)
    for chosen in ([2], [3, 0], [1, 3, 2], [0, 1, 2, 3], [3, 1, 0, 2]):
        part = model.marginal(chosen)
        assert type(part) is GaussianMixture
        assert part.feature_names == tuple(NAMES[a] for a in chosen)
        np.testing.assert_array_equal(part.weights, model.weights)
        np.testing.assert_array_equal(part.means, model.means[:, chosen])
        matrices = model.covariance_matrices()[:, chosen][:, :, chosen]
        np.testing.assert_array_equal(part.covariance_matrices(), matrices)
        expected = PARTS.get(covariance_type, covariance_type)
        assert part.covariance_type == (covariance_type if len(chosen) == 4 else expected)
        assert_factored(part)  # refuses covariances that are not of the family
        np.testing.assert_allclose(
            part.log_prob(X[:, chosen]), log_density(part, X[:, chosen]), rtol=1e-10, atol=1e-12
        )  # some are almost zero


@pytest.mark.parametrize("seed", [649, 3157, 3888])
def test_order_of_features_does_not_make_covariances_singular(seed: int) -> None:
    """In this order, rounding makes the same matrix singular to working precision."""
    rng, d = np.random.default_rng(seed), 8
    axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
    covariance = axes * np.geomspace(1.0, 10.0 ** -rng.uniform(14.0, 15.5), d) @ axes.T
    try:
        model = GaussianMixture([1.0], np.zeros((1, d)), 0.5 * (covariance + covariance.T)[None])
    except ValueError:
        pytest.skip("the rounding of this processor makes it singular in its own order, too")
    order, x = rng.permutation(d), rng.normal(size=(5, d))
    np.testing.assert_allclose(
        model.marginal(order).log_prob(x[:, order]), model.log_prob(x), rtol=1e-9
    )


def test_density_of_a_marginal_is_the_integral_over_the_others() -> None:
    model = fitted("full").marginal([0, 2])
    grid = np.linspace(-10.0, 20.0, 6001)
    rows = np.column_stack([np.full(len(grid), 5.5), grid])
    integral = np.trapezoid(np.exp(model.log_prob(rows)), grid)
    assert model.marginal(0).log_prob([[5.5]])[0] == pytest.approx(np.log(integral), rel=1e-10)


@pytest.mark.parametrize(
    "features",
    [
        ["d", "b"], ("d", "b"), np.array(["d", "b"]), pd.Index(["d", "b"]), [3, 1],
        np.array([3, 1], dtype=np.uint8), ["d", 1], iter([3, 1]),
    ],
)  # fmt: skip
def test_features_are_names_or_positions_in_their_order(features: object) -> None:
    part = fitted("full").marginal(features)
    assert part == fitted("full").marginal([3, 1])
    assert part.feature_names == ("d", "b")


def test_features_are_one_name_or_position_or_a_mask() -> None:
    model = fitted("full")
    assert model.marginal("c") == model.marginal(2) == model.marginal(np.int64(2))
    assert model.marginal(np.array(2)) == model.marginal([2])
    for mask in ([False, True, False, True], np.array([False, True, False, True])):
        assert model.marginal(mask) == model.marginal([1, 3])


EXPECTED = "features must be names, positions from 0 to 3, or a mask of 4"


@pytest.mark.parametrize("question", ["marginal", "conditional"])
@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (["a", "e"], ValueError, f"{EXPECTED}; got the name 'e'. Choose among 'a', 'b', 'c', 'd'."),
        ([4], ValueError, f"{EXPECTED}; got 4. Count the features from 0."),
        ([-1], ValueError, f"{EXPECTED}; got -1. Count the features from 0."),
        (
            [1, "b"], ValueError,
            f"{EXPECTED}, each once; got position 1 twice. Drop the repetitions.",
        ),
        (
            [True, False], ValueError,
            f"{EXPECTED}; got a mask of 2. Give True or False for each feature.",
        ),
        ([1.0], TypeError, f"{EXPECTED}; got 1.0 (float). Pass a list of one kind."),
        (None, TypeError, f"{EXPECTED}; got None (NoneType). Pass a list of one kind."),
        ([True, 2], TypeError, f"{EXPECTED}; got True (bool). Pass a list of one kind."),
        ({"a", "b"}, TypeError, "which has no order that counts. Pass a list."),
        ([[0, 1]], TypeError, f"{EXPECTED}; got [0, 1] (list). Pass a list of one kind."),
        (np.eye(2), TypeError, f"{EXPECTED}; got [1.0, 0.0] (list). Pass a list of one kind."),
    ],
)  # fmt: skip
def test_features_that_are_none_are_refused(
    question: str, features: object, error: type[Exception], message: str
) -> None:
    arguments = [features] if question == "marginal" else [features, [1.0]]
    with pytest.raises(error, match=re.escape(message)):
        getattr(fitted("diag"), question)(*arguments)


def test_names_of_a_mixture_without_names_are_refused() -> None:
    model = GaussianMixture([1.0], [[0.0, 0.0]], [1.0], "spherical")
    message = (
        "features must be names, positions from 0 to 1, or a mask of 2; got the name 'a', and the "
        "mixture has no feature_names. Use positions."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        model.marginal("a")


def test_marginal_of_no_feature_is_refused() -> None:
    message = "features must be at least one; got none. Name the features to keep."
    for none in ([], [False] * 4):
        with pytest.raises(ValueError, match=re.escape(message)):
            fitted("diag").marginal(none)


# Conditional


@every_type
def test_density_of_a_conditional_is_a_ratio_of_densities(covariance_type: str) -> None:
    model = fitted(covariance_type)
    for given in ([1], [3, 0], [0, 1, 3]):
        rest = [a for a in range(4) if a not in given]
        for row in X[::40]:
            part = model.conditional(given, row[given])
            assert part.feature_names == tuple(NAMES[a] for a in rest)
            assert part.covariance_type == PARTS.get(covariance_type, covariance_type)
            assert_factored(part)
            others = X[::7][:, rest]
            whole = np.empty((len(others), 4))
            whole[:, given], whole[:, rest] = row[given], others
            expected = log_density(model, whole) - log_density(
                model.marginal(given), row[None, given]
            )
            np.testing.assert_allclose(part.log_prob(others), expected, rtol=1e-9, atol=1e-9)


@every_type
def test_conditional_is_by_the_textbook(covariance_type: str) -> None:
    model, o, m = fitted(covariance_type), [3, 1], [0, 2]
    x = np.array([1.3, 2.9])
    part, matrices = model.conditional(o, x), model.covariance_matrices()
    for j, (mean, C) in enumerate(zip(model.means, matrices, strict=True)):
        slopes = C[np.ix_(m, o)] @ np.linalg.inv(C[np.ix_(o, o)])
        np.testing.assert_allclose(part.means[j], mean[m] + slopes @ (x - mean[o]), rtol=1e-10)
        expected = C[np.ix_(m, m)] - slopes @ C[np.ix_(o, m)]
        np.testing.assert_allclose(
            part.covariance_matrices()[j], expected, rtol=1e-9, atol=1e-12 * expected.max()
        )
    np.testing.assert_array_equal(part.weights, model.marginal(o).responsibilities(x[None])[0])


@every_type
def test_conditional_in_units_far_apart_keeps_its_digits(covariance_type: str) -> None:
    """Each feature has a unit of its own; families that forbid this are left as they are."""
    model = fitted(covariance_type)
    if covariance_type not in ("full", "VVV", "tied", "EEE", "VEE", "diag", "VVI"):
        return
    unit = np.array([1e-60, 1e80, 1.0, 1e-9])
    scale = unit if model.covariances.shape == (3, 4) else unit[:, None]
    scaled = dataclasses.replace(
        model, means=model.means * unit, covariances=model.covariances * unit * scale
    )
    one = scaled.conditional([0, 2], [5.0e-60, 3.0])
    other = model.conditional([0, 2], [5.0, 3.0])
    np.testing.assert_allclose(one.means, other.means * unit[[1, 3]], rtol=1e-10)
    np.testing.assert_allclose(
        one.covariance_matrices(),
        other.covariance_matrices() * np.outer(unit[[1, 3]], unit[[1, 3]]),
        rtol=1e-9, atol=0.0,
    )  # fmt: skip


def test_conditional_of_features_that_nearly_determine_another_has_its_variance() -> None:
    """Var(x2 | x0, x1) is 1e-12 of Var(x2), which a difference of covariances would lose."""
    rng = np.random.default_rng(0)
    roots = np.tril(rng.normal(size=(3, 3)), -1) + np.diag([1.0, 2.0, 1e-6])
    model = GaussianMixture([1.0], np.zeros((1, 3)), (roots @ roots.T)[None])
    part = model.conditional([0, 1], [0.1, 0.2])
    assert part.covariances[0, 0, 0] == pytest.approx(1e-12, rel=1e-3)


def test_conditional_on_nothing_is_the_mixture_itself() -> None:
    model = fitted("full")
    assert model.conditional([], []) == model
    assert model.conditional([False] * 4, []) == model


def test_conditional_on_one_number_takes_it_alone() -> None:
    model = fitted("tied")
    assert model.conditional("b", 3.0) == model.conditional([1], [3.0])
    assert model.conditional("b", np.float32(3.0)) == model.conditional(1, [3])


def test_conditional_finds_numbers_by_the_names_of_features() -> None:
    model = fitted("full")
    expected = model.conditional(["c", "a"], [3.0, 5.0])
    by_name = pd.Series([5.0, 3.0], index=["a", "c"])
    for features in (["c", "a"], [2, 0], np.array(["c", "a"])):
        assert model.conditional(features, by_name) == expected
        assert model.conditional(features, dict(by_name)) == expected
        assert model.conditional(features, pd.Series([3.0, 5.0])) == expected
    mask = [True, False, True, False]
    assert model.conditional(mask, by_name[::-1]) == model.conditional(mask, [5.0, 3.0])
    nameless = dataclasses.replace(model, feature_names=None)
    assert nameless.conditional([2, 0], {0: 5.0, 2: 3.0}) == nameless.conditional(
        [2, 0], [3.0, 5.0]
    )
    assert model.conditional("a", {"a": 5.0}) == model.conditional("a", 5.0)


def test_conditional_on_numbers_far_from_all_components_has_the_weights() -> None:
    model = fitted("full")
    part = model.conditional([0], [1e200])
    np.testing.assert_allclose(part.weights, model.weights, rtol=1e-15)
    assert np.isfinite(part.means).all()


def test_component_of_weight_zero_keeps_it_in_parts() -> None:
    model = dataclasses.replace(fitted("full"), weights=[0.0, 0.5, 0.5])
    assert model.conditional([0], [5.0]).weights[0] == 0.0
    assert model.marginal([0]).weights[0] == 0.0


@pytest.mark.parametrize(
    ("features", "values", "message"),
    [
        (
            [0, 1, 2, 3], np.zeros(4),
            "features must leave out at least one of 4; got all. Use log_prob for the density",
        ),
        (
            [0, 1], [1.0],
            "values must have shape (2,), a number for each of the features; got (1,). Give each",
        ),
        (
            [0, 1], np.zeros((5, 2)),
            "of the features; got (5, 2). Call it for one row after the other.",
        ),
        ([0, 1], [1.0, np.nan], "values must be finite; feature 1 is nan. Leave such features out"),
        (
            ["a", "b"], [1.0, pd.NA],
            "values must be finite; feature 1 is nan. Leave such features out of features.",
        ),
        (
            ["a", "b"], pd.Series([1.0, 2.0], index=["a", "c"]),
            ("values with labels must have those of the features, 'a', 'b'; got 'a', 'c'. Select "
            "them by these labels, or pass an array of the numbers in the order of features."),
        ),
        (["a", "b"], pd.Series([1.0, 2.0], index=["a", "a"]), "got 'a', 'a'. Select them"),
        (["a", "b"], pd.Series([1.0, 2.0], index=[1, 0]), "got 1, 0. Select them"),
        (["a"], {"a": 1.0, "b": 2.0}, "got 'a', 'b'. Select them"),
        (["a", "b"], {"a": 1.0}, "got 'a'. Select them"),
        ([0, 1], [np.inf, 1.0], "values must be finite; feature 0 is inf."),
    ],
)  # fmt: skip
def test_conditional_on_what_cannot_be_is_refused(
    features: object, values: object, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        fitted("full").conditional(features, values)


def test_conditional_on_numbers_beyond_all_means_is_refused() -> None:
    steep = GaussianMixture([1.0], [[0.0, 0.0]], [[[1.0, 50.0], [50.0, 2501.0]]])
    message = (
        "means given the values must be finite; component 0, feature 0 is inf. Give values nearer "
        "to the rows."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        steep.conditional([0], [1e308])


def test_conditional_on_what_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match="values must hold real numbers"):
        fitted("full").conditional([0], ["much"])


# Mean and covariance


@every_type
def test_mean_and_covariance_are_those_of_many_rows(covariance_type: str) -> None:
    model = fitted(covariance_type)
    rows, _ = model.sample(200_000, rng=1)
    scale = np.sqrt(np.diag(model.covariance()))
    assert model.mean().shape == (4,)
    np.testing.assert_allclose(model.mean(), rows.mean(axis=0), rtol=0, atol=0.01 * scale.max())
    np.testing.assert_allclose(
        model.covariance() / np.outer(scale, scale), np.cov(rows.T) / np.outer(scale, scale),
        atol=0.01,
    )  # fmt: skip
    np.testing.assert_array_equal(model.covariance(), model.covariance().T)


def test_mean_and_covariance_of_parts_are_parts_of_them() -> None:
    model = fitted("full")
    np.testing.assert_allclose(model.marginal([3, 1]).mean(), model.mean()[[3, 1]])
    np.testing.assert_allclose(
        model.marginal([3, 1]).covariance(), model.covariance()[np.ix_([3, 1], [3, 1])]
    )


def test_covariance_far_from_zero_keeps_its_digits() -> None:
    model = GaussianMixture([0.5, 0.5], [[1e9 - 1.0], [1e9 + 1.0]], [1.0, 1.0], "spherical")
    assert model.mean().tolist() == [1e9]
    assert model.covariance().tolist() == [[2.0]]
