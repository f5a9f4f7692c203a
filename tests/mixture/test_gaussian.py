"""GaussianMixture: against scipy.stats; at the edges; bad values; that it is frozen."""

import copy
import dataclasses
import inspect
import pickle
import pydoc
import re
from collections.abc import Callable

import numpy as np
import pytest
from helpers import LAYOUTS, unchanged
from mixtures import (
    COVARIANCES,
    MATRICES,
    MEANS,
    WEIGHTS,
    D,
    K,
    expected_component_log_prob,
    make,
    rows,
)
from scipy import stats
from scipy.special import logsumexp

from mixtura import GaussianMixture, scan
from mixtura.covariance import FAMILIES
from mixtura.shapes import SHAPE_NAMES, Floats

each_type = pytest.mark.parametrize("covariance_type", SHAPE_NAMES)


# Methods that take rows


@each_type
def test_log_probabilities_of_rows_equal_scipy(covariance_type: str) -> None:
    mixture, X = make(covariance_type), rows()
    expected = expected_component_log_prob(covariance_type, X)
    total = logsumexp(expected, axis=1)
    np.testing.assert_allclose(mixture.component_log_prob(X), expected, rtol=1e-12)
    np.testing.assert_allclose(mixture.log_prob(X), total, rtol=1e-12)
    np.testing.assert_allclose(mixture.responsibilities(X), np.exp(expected - total[:, None]), 1e-9)
    np.testing.assert_array_equal(mixture.predict(X), expected.argmax(axis=1))
    assert mixture.predict(X).dtype == np.int64
    assert mixture.log_likelihood(X) == pytest.approx(total.sum(), rel=1e-13)


@pytest.mark.parametrize(
    ("covariance_type", "n_parameters"),
    [("full", 17), ("tied", 11), ("diag", 14), ("spherical", 11)],
)
def test_n_parameters_of_three_components_is_counted(
    covariance_type: str, n_parameters: int
) -> None:
    mixture = make(covariance_type)
    assert mixture.n_parameters == n_parameters
    assert (mixture.n_components, mixture.n_features) == (K, D)


METHODS = [
    "log_prob",
    "component_log_prob",
    "responsibilities",
    "predict",
    "log_likelihood",
    "aic",
    "bic",
    "icl",
]
each_method = pytest.mark.parametrize("name", METHODS)


@each_method
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_method_on_any_layout_gives_the_same_and_leaves_it(
    name: str, layout: Callable[[Floats], Floats], dtype: type
) -> None:
    method, X = getattr(make(), name), rows().astype(dtype)
    arranged = layout(X)
    with unchanged(arranged):
        np.testing.assert_array_equal(method(arranged), method(X))


@each_method
def test_method_on_blocks_of_rows_gives_what_it_gives_on_all_together(name: str) -> None:
    method, X = getattr(make(), name), rows(700)
    blocks = scan([X[:500], X[500:501], X[501:]])
    np.testing.assert_allclose(method(blocks), method(X), rtol=1e-13)


@pytest.mark.parametrize("name", ["log_likelihood", "aic", "bic", "icl"])
def test_criterion_of_weighted_blocks_is_that_of_all_together(name: str) -> None:
    method, X = getattr(make(), name), rows(700)
    weight = np.random.default_rng(1).integers(0, 3, size=700).astype(float)
    blocks = scan([X[:500], X[500:501], X[501:]])
    assert method(blocks, weight) == pytest.approx(method(X, weight), rel=1e-13)


@each_method
def test_method_on_lists_and_integers_gives_the_same(name: str) -> None:
    method, X = getattr(make(), name), [[0, 1], [-2, 3]]
    expected = method(np.array(X, dtype=float))
    np.testing.assert_array_equal(method(X), expected)
    np.testing.assert_array_equal(method(np.array(X)), expected)


@each_method
def test_method_with_any_number_of_threads_gives_the_same_bits(name: str) -> None:
    method, X = getattr(make(), name), rows(20_000)
    for n_threads in (2, 3, 7):
        np.testing.assert_array_equal(method(X, n_threads=n_threads), method(X, n_threads=1))


@each_method
@pytest.mark.parametrize("n_samples", [0, 1])
def test_method_with_no_threads_is_refused(name: str, n_samples: int) -> None:
    with pytest.raises(ValueError, match="n_threads must be an integer, 1 or more; got 0"):
        getattr(make(), name)(rows(n_samples), n_threads=0)


@each_method
def test_method_on_other_number_of_features_is_refused(name: str) -> None:
    message = "X must have 2 columns; got shape (4, 3). Select the features"
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(make(), name)(np.zeros((4, 3)))


@each_method
def test_method_on_row_that_is_not_finite_names_it(name: str) -> None:
    with pytest.raises(ValueError, match="X must be finite; row 1, column 0 is nan"):
        getattr(make(), name)([[0.0, 1.0], [np.nan, 0.0]])


def test_methods_on_no_rows_give_empty_arrays_and_zero() -> None:
    mixture, X = make(), np.empty((0, D))
    assert mixture.log_prob(X).shape == mixture.predict(X).shape == (0,)
    assert mixture.responsibilities(X).shape == mixture.component_log_prob(X).shape == (0, K)
    assert mixture.log_likelihood(X) == 0.0


# Edges


@each_type
def test_methods_on_row_at_zero_density_answer_as_documented(covariance_type: str) -> None:
    mixture, X = make(covariance_type), np.array([[1e200, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(np.isneginf(mixture.log_prob(X)), [True, False])
    np.testing.assert_array_equal(np.isneginf(mixture.component_log_prob(X)[0]), True)
    np.testing.assert_allclose(mixture.responsibilities(X)[0], WEIGHTS, rtol=1e-15)
    assert mixture.predict(X)[0] == 1
    assert mixture.log_likelihood(X) == -np.inf
    assert mixture.aic(X) == mixture.bic(X) == mixture.icl(X) == np.inf
    assert mixture.log_likelihood(X, [0.0, 1.0]) == mixture.log_prob(X)[1]


@each_type
def test_component_of_weight_zero_takes_no_part(covariance_type: str) -> None:
    mixture = make(covariance_type, weights=[0.0, 0.6, 0.4])
    X = np.vstack([rows(), [[0.0, 0.0], [1e200, 0.0]]])
    np.testing.assert_array_equal(mixture.component_log_prob(X)[:, 0], -np.inf)
    np.testing.assert_array_equal(mixture.responsibilities(X)[:, 0], 0.0)
    assert 0 not in mixture.predict(X)
    assert 0 not in mixture.sample(1000, rng=0)[1]


def test_mixture_of_one_component_and_feature_is_a_gaussian() -> None:
    X = [[-1.0], [0.0], [2.5]]
    expected = stats.norm(1.0, 2.0).logpdf(X)[:, 0]
    for covariance_type, covariances in {
        "full": [[[4.0]]],
        "tied": [[4.0]],
        "diag": [[4.0]],
        "spherical": [4.0],
    }.items():
        mixture = GaussianMixture([1.0], [[1.0]], covariances, covariance_type)
        np.testing.assert_allclose(mixture.log_prob(X), expected, rtol=1e-14)
        np.testing.assert_array_equal(mixture.responsibilities(X), 1.0)


# Bad values


@pytest.mark.parametrize(
    ("covariance_type", "changed", "message"),
    [
        ("full", {"weights": [0.5, 0.5]}, "weights must have shape (3,), one for each component"),
        (
            "full",
            {"weights": [0.5, 0.7, -0.2]},
            "weights must be non-negative; component 2 is -0.2",
        ),
        ("full", {"weights": [0.5, np.nan, 0.5]}, "weights must be finite; component 1 is nan"),
        ("full", {"weights": [0, 0, 0]}, "weights must not all be zero"),
        (
            "full",
            {"weights": [0.5, 0.25, 0.5]},
            "weights must sum to one; they sum to 1.25. Divide them by their sum.",
        ),
        (
            "full",
            {"means": [0.0, 1.0, 2.0]},
            (
                "means must have shape (n_components, n_features), both at least 1; got (3,). "
                "Give each component one row."
            ),
        ),
        ("full", {"means": np.empty((0, 2))}, "both at least 1; got (0, 2)"),
        ("full", {"means": np.empty((2, 0))}, "both at least 1; got (2, 0)"),
        (
            "full",
            {"means": [[0, 0], [1], [2, 2]]},
            "means must be an array of numbers, all its rows",
        ),
        (
            "full",
            {"means": [[0, 0], [0, np.inf], [0, 0]]},
            "means must be finite; component 1, feature 1 is inf",
        ),
        (
            "full",
            {"covariances": np.eye(2)},
            (
                "covariances must have shape (3, 2, 2) for covariance_type 'full', 3 components "
                "and 2 features; got (2, 2). Pass covariances of this covariance_type, or "
                "covariance_type='tied', whose shape this is."
            ),
        ),
        ("tied", {"covariances": MATRICES}, "must have shape (2, 2) for covariance_type 'tied'"),
        ("diag", {"covariances": MATRICES}, "must have shape (3, 2) for covariance_type 'diag'"),
        ("spherical", {"covariances": 1.0}, "must have shape (3,) for covariance_type 'spherical'"),
        (
            "full",
            {"covariances": [*MATRICES[:2], [[1, 0], [0, np.nan]]]},
            "covariances must be finite; component 2, row 1, column 1 is nan",
        ),
        (
            "diag",
            {"covariances": [[1, 1], [1, np.inf], [1, 1]]},
            "covariances must be finite; component 1, feature 1 is inf",
        ),
        (
            "full",
            {"covariances": [MATRICES[0], [[1.0, 0.5], [0.25, 1.0]], MATRICES[1]]},
            (
                "covariances must be symmetric; row 0, column 1 of component 1 is 0.5 and row 1, "
                "column 0 is 0.25. Use (covariance + covariance.T) / 2."
            ),
        ),
        (
            "tied",
            {"covariances": [[1.0, 0.5], [0.25, 1.0]]},
            "covariances must be symmetric; row 0, column 1 is 0.5 and row 1, column 0 is 0.25",
        ),
        (
            "full",
            {"covariances": [MATRICES[0], [[1.0, 2.0], [2.0, 1.0]], MATRICES[1]]},
            (
                "covariances must be positive definite to working precision; the smallest "
                "eigenvalue of component 1 is -1. Add to its diagonal, or drop features that "
                "others determine."
            ),
        ),
        (
            "tied",
            {"covariances": [[1.0, 2.0], [2.0, 1.0]]},
            "the smallest eigenvalue of the covariance that all components share is -1",
        ),
        (
            "diag",
            {"covariances": [[1, 1], [1, 1], [2, 0]]},
            "the smallest eigenvalue of component 2 is 0",
        ),
        (
            "spherical",
            {"covariances": [1.0, -0.25, 1.0]},
            "the smallest eigenvalue of component 1 is -0.25",
        ),
    ],
)
def test_mixture_of_bad_values_is_refused(
    covariance_type: str, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(covariance_type, **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": ["a", "b", "c"]}, "weights must hold real numbers"),
        ({"means": np.array(MEANS, dtype=complex)}, "means must hold real numbers"),
        ({"covariances": None}, "covariances must hold real numbers"),
    ],
)
def test_mixture_of_other_kinds_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make(**changed)


@pytest.mark.parametrize(
    ("args", "options", "got"),
    [
        ((), {"n_components": 2}, "got n_components"),
        ((2,), {}, "got no means, covariances"),
        ((), {"n_components": 2, "random_state": 0}, "got n_components, random_state"),
        ((WEIGHTS, MEANS, MATRICES), {"reg_covar": 1e-3}, "got reg_covar"),
        ((WEIGHTS, MEANS), {}, "got no covariances"),
        ((), {}, "got no weights, means, covariances"),
    ],
)
def test_mixture_made_as_an_estimator_says_what_fits_one(
    args: tuple[object, ...], options: dict[str, object], got: str
) -> None:
    expected = f"GaussianMixture takes the weights, means and covariances of a mixture; {got}. "
    with pytest.raises(TypeError, match=re.escape(expected)) as caught:
        GaussianMixture(*args, **options)
    assert "mixtura.fit_gmm(X, n_components)" in str(caught.value)
    assert "mixtura.sklearn.GaussianMixture" in str(caught.value)


def test_mixture_has_the_signature_of_its_parameters() -> None:
    assert list(inspect.signature(GaussianMixture).parameters) == [
        "weights", "means", "covariances", "covariance_type", "feature_names", "missing",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("covariance_type", "error", "message"),
    [
        ("ful", ValueError, "got 'ful'. Did you mean 'full'?"),
        ("banded", ValueError, "got 'banded'. Choose one of them."),
        (None, TypeError, "got None (NoneType). Pass one of these words."),
    ],
)
def test_mixture_of_unknown_covariance_type_is_refused(
    covariance_type: object, error: type[Exception], message: str
) -> None:
    known = f"covariance_type must be one of {', '.join(map(repr, FAMILIES))}; "
    with pytest.raises(error, match=re.escape(known + message)):
        GaussianMixture(WEIGHTS, MEANS, MATRICES, covariance_type)


def test_covariances_symmetric_to_rounding_are_made_exactly_so() -> None:
    rough = np.array(MATRICES)
    rough[0, 0, 1] += 1e-12
    mixture = make(covariances=rough)
    transposed = mixture.covariances.transpose(0, 2, 1)
    np.testing.assert_array_equal(mixture.covariances, transposed)
    np.testing.assert_allclose(mixture.covariances, MATRICES, atol=1e-12)
    np.testing.assert_array_equal(mixture.covariances[1:], rough[1:])


def test_weights_that_sum_to_one_but_for_rounding_are_kept_as_they_are() -> None:
    weights = np.array([0.2, 0.5, 0.3 + 5e-9])
    np.testing.assert_array_equal(make(weights=weights).weights, weights)


# Frozen


@each_type
def test_arrays_of_mixture_are_read_only_copies(covariance_type: str) -> None:
    given = [np.array(a, dtype=float) for a in (WEIGHTS, MEANS, COVARIANCES[covariance_type])]
    with unchanged(*given):
        mixture = GaussianMixture(*given, covariance_type)
    kept = make(covariance_type)
    for array in given:
        array[:] = np.nan
    assert mixture == kept
    for name in ("weights", "means", "covariances", "precisions_cholesky"):
        array = getattr(mixture, name)
        assert array.dtype == np.float64
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0


def test_attributes_of_mixture_cannot_be_set_or_deleted() -> None:
    mixture = make()
    for name in ("weights", "covariance_type", "precisions_cholesky", "anything"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(mixture, name, 1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(mixture, name)
    with pytest.raises(AttributeError):
        mixture.n_components = 4  # type: ignore[misc]


@each_type
def test_precisions_cholesky_of_mixture_are_roots_of_the_inverses(covariance_type: str) -> None:
    mixture = make(covariance_type)
    assert mixture.precisions_cholesky.shape == mixture.covariances.shape
    if covariance_type in ("full", "tied"):
        U = mixture.precisions_cholesky
        product = U @ U.swapaxes(-1, -2) @ mixture.covariances
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(D), U.shape), atol=1e-13)
    else:
        np.testing.assert_allclose(mixture.precisions_cholesky**-2, mixture.covariances)


@each_type
def test_covariance_matrices_of_mixture_are_full_and_new(covariance_type: str) -> None:
    mixture = make(covariance_type)
    matrices = mixture.covariance_matrices()
    assert matrices.shape == (K, D, D)
    expected = {
        "full": MATRICES,
        "tied": [MATRICES[0]] * K,
        "diag": [np.diag(variances) for variances in COVARIANCES["diag"]],
        "spherical": [variance * np.eye(D) for variance in COVARIANCES["spherical"]],
    }[covariance_type]
    np.testing.assert_array_equal(matrices, expected)
    matrices[:] = 0.0
    np.testing.assert_array_equal(mixture.covariance_matrices(), expected)


@each_type
@pytest.mark.parametrize(
    "duplicate",
    [
        copy.copy,
        copy.deepcopy,
        dataclasses.replace,
        *(
            lambda mixture, protocol=protocol: pickle.loads(pickle.dumps(mixture, protocol))
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_mixture_copied_or_pickled_is_equal_and_still_frozen(
    covariance_type: str, duplicate: Callable[[GaussianMixture], GaussianMixture]
) -> None:
    mixture = make(covariance_type)
    again = duplicate(mixture)
    assert type(again) is GaussianMixture
    assert again == mixture
    assert hash(again) == hash(mixture)
    np.testing.assert_array_equal(again.precisions_cholesky, mixture.precisions_cholesky)
    for name in ("weights", "means", "covariances", "precisions_cholesky"):
        assert not getattr(again, name).flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        again.covariance_type = "diag"  # type: ignore[misc]


def test_replace_of_one_argument_checks_the_new_one() -> None:
    assert dataclasses.replace(make(), weights=[1.0, 0.0, 0.0]).weights.tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="weights must sum to one"):
        dataclasses.replace(make(), weights=[1.0, 1.0, 0.0])


def test_mixtures_are_equal_by_value_only() -> None:
    mixture = make("diag")
    assert mixture == make("diag")
    assert hash(mixture) == hash(make("diag"))
    assert mixture != make("diag", weights=[0.5, 0.2, 0.3])
    assert mixture != make("diag", means=np.add(MEANS, 1e-15 + np.eye(3, 2)))
    assert mixture != make("diag", covariances=np.add(COVARIANCES["diag"], 1.0))
    assert mixture != "mixture"
    square = {"weights": [1.0], "means": [[0.0]]}
    assert GaussianMixture(**square, covariances=[[1.0]], covariance_type="tied") != (
        GaussianMixture(**square, covariances=[[1.0]], covariance_type="diag")
    )
    zeros = [GaussianMixture([1.0], [[zero]], [1.0], "spherical") for zero in (0.0, -0.0)]
    assert zeros[0] == zeros[1]
    assert hash(zeros[0]) == hash(zeros[1])


@each_type
def test_mixture_of_the_parameters_of_another_is_equal_to_it(covariance_type: str) -> None:
    checked = make(covariance_type)
    trusted = GaussianMixture._of(covariance_type, checked._parameters(), ("a", "b"))
    assert trusted == checked
    assert trusted.feature_names == ("a", "b")
    np.testing.assert_array_equal(trusted.log_prob(rows()), checked.log_prob(rows()))


def test_methods_are_listed_with_their_signatures_and_docstrings() -> None:
    listed = {name for name in vars(GaussianMixture) if not name.startswith("_")}
    assert listed >= {*METHODS, "sample", "summary", "save", "to_sklearn", "volume", "shape"}
    assert str(inspect.signature(GaussianMixture.bic)).startswith("(self: ")
    assert pydoc.render_doc(make().bic).count("n_threads") > 1


# Numbers that came through another precision


def ill_conditioned(condition: float, d: int = 5) -> Floats:
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(d, d)))[0]
    return axes * np.geomspace(1.0, 1.0 / condition, d) @ axes.T


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_weights_rounded_to_lower_precision_are_accepted_and_sum_to_one(kind: type) -> None:
    for seed in range(20):
        rounded = np.random.default_rng(seed).dirichlet(np.ones(5)).astype(kind)
        mixture = GaussianMixture(rounded, np.zeros((5, 1)), np.ones(5), "spherical")
        assert abs(mixture.weights.sum() - 1.0) <= 1e-8
        np.testing.assert_allclose(mixture.weights, rounded, rtol=6 * np.finfo(kind).eps)


def test_weights_off_by_more_than_their_rounding_are_refused() -> None:
    for weights in (np.array([0.5, 0.5 + 1e-6]), np.array([0.5, 0.5001], dtype=np.float32)):
        with pytest.raises(ValueError, match="weights must sum to one; they sum to"):
            GaussianMixture(weights, [[0.0], [1.0]], [1.0, 1.0], "spherical")


def test_covariances_symmetric_to_the_rounding_of_float32_are_made_exactly_so() -> None:
    exact = ill_conditioned(100.0)
    rough = (exact + 1e-7 * np.triu(np.ones(exact.shape), 1)).astype(np.float32)
    mixture = GaussianMixture([1.0], np.zeros((1, 5)), rough, "tied")
    np.testing.assert_array_equal(mixture.covariances, mixture.covariances.T)
    np.testing.assert_allclose(mixture.covariances, exact, atol=2e-7)
    with pytest.raises(ValueError, match="covariances must be symmetric"):
        GaussianMixture([1.0], np.zeros((1, 5)), rough.astype(float), "tied")


@pytest.mark.parametrize(
    ("covariances", "remedy"),
    [
        ([1.0, 1.0], ", or covariance_type='spherical', whose shape this is."),
        ([[1.0], [1.0]], ", or covariance_type='diag', whose shape this is."),
        ([[1.0]], ", or covariance_type='tied', whose shape this is."),
        ([1.0, 1.0, 1.0], "."),
    ],
)
def test_covariances_of_another_shape_are_an_error_that_names_its_type(
    covariances: list[object], remedy: str
) -> None:
    expected = (
        f"covariances must have shape (2, 1, 1) for covariance_type 'full', 2 components and 1 "
        f"features; got {np.shape(covariances)}. Pass covariances of this covariance_type{remedy}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        GaussianMixture([0.5, 0.5], [[0], [1]], covariances)
