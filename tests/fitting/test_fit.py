"""What a fit owes its user: weights, order, units, types of numbers, threads, and small cases."""

import tracemalloc

import numpy as np
import pytest
from clusters import Rounding, assert_same_fit, assert_same_fit_bits, clustered, maximised
from helpers import COVARIANCE_TYPES, LAYOUTS, unchanged

from mixtura import FitError, GaussianMixture, GMMFit, datasets, fit_gmm
from mixtura.shapes import Floats

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
every_init = pytest.mark.parametrize(
    "init",
    ["kmeans++", "kmeans", "random", "hierarchical", "labels", "resp", "mixture", "callable"],
)
# Fits that are compared make the same number of iterations, so that only rounding can tell them
# apart.
ITERATIONS = {"tol": 0.0, "max_iter": 20}


def start(init: str, X: Floats, labels: np.ndarray, covariance_type: str = "full") -> object:
    """What is passed as `init`, for rows and their labels."""
    resp = 0.9 * np.eye(3)[labels] + 0.1 / 3
    if init == "mixture":
        return maximised(X, resp, covariance_type)
    return {"labels": labels, "resp": resp, "callable": lambda *_: labels}.get(init, init)


@every_type
@every_init
def test_fit_of_weighted_rows_is_the_fit_of_repeated_rows(init: str, covariance_type: str) -> None:
    X, labels = clustered()
    times = np.random.default_rng(0).integers(0, 4, size=len(X))
    settings = {"covariance_type": covariance_type, "rng": 1} | ITERATIONS
    mixture = start("mixture", X, labels, covariance_type)
    repeated, labels_repeated = np.repeat(X, times, axis=0), np.repeat(labels, times)
    weighted_init = mixture if init == "mixture" else start(init, X, labels)
    repeated_init = mixture if init == "mixture" else start(init, repeated, labels_repeated)
    one = fit_gmm(X, 3, sample_weight=times, init=weighted_init, **settings)
    other = fit_gmm(repeated, 3, init=repeated_init, **settings)
    assert_same_fit(one, other, repeated)
    np.testing.assert_array_equal(one.model.predict(repeated), other.model.predict(repeated))
    assert one.n_samples == np.count_nonzero(times)
    assert other.n_samples == times.sum()
    for criterion in ("log_likelihood", "aic", "bic", "icl"):
        of_weighted = getattr(one.model, criterion)(X, times)
        assert of_weighted == pytest.approx(getattr(other.model, criterion)(repeated), rel=1e-9)


@every_type
@every_init
def test_fit_with_rows_of_weight_zero_is_the_fit_without_them(
    init: str, covariance_type: str
) -> None:
    X, labels = clustered()
    sample_weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], size=len(X))
    sample_weight[0] = 0.0
    present = sample_weight > 0.0
    X[~present] = -1e100
    settings = {"covariance_type": covariance_type, "rng": 1} | ITERATIONS
    mixture = start("mixture", X[present], labels[present], covariance_type)
    init_of_all = mixture if init == "mixture" else start(init, X, labels)
    init_of_present = mixture if init == "mixture" else start(init, X[present], labels[present])
    one = fit_gmm(X, 3, sample_weight=sample_weight, init=init_of_all, **settings)
    other = fit_gmm(
        X[present], 3, sample_weight=sample_weight[present], init=init_of_present, **settings
    )
    assert_same_fit(one, other, X[present])
    assert one.n_samples == other.n_samples == present.sum()


@every_type
def test_fit_with_weights_in_other_units_is_the_same(covariance_type: str) -> None:
    X, labels = clustered()
    sample_weight = np.random.default_rng(0).exponential(size=len(X))
    settings = {"covariance_type": covariance_type, "init": labels} | ITERATIONS
    one = fit_gmm(X, 3, sample_weight=sample_weight, **settings)
    other = fit_gmm(X, 3, sample_weight=1e-3 * sample_weight, **settings)
    Rounding(X, one.model, one.n_iter).assert_same_mixture(other.model)
    assert other.log_likelihood == pytest.approx(1e-3 * one.log_likelihood, rel=1e-9)


@every_type
def test_fit_of_rows_in_another_order_is_the_same(covariance_type: str) -> None:
    X, labels = clustered()
    order = np.random.default_rng(0).permutation(len(X))
    settings = {"covariance_type": covariance_type} | ITERATIONS
    one = fit_gmm(X, 3, init=labels, **settings)
    other = fit_gmm(X[order], 3, init=labels[order], **settings)
    assert_same_fit(one, other, X)


def reordered(mixture: GaussianMixture, components: object, features: object) -> GaussianMixture:
    """The same mixture with its components and features in another order."""
    covariances = mixture.covariances
    if mixture.covariance_type in ("full", "diag", "spherical"):
        covariances = covariances[components]
    if mixture.covariance_type in ("full", "diag"):
        covariances = covariances[:, features]
    if mixture.covariance_type == "tied":
        covariances = covariances[features]
    if mixture.covariance_type in ("full", "tied"):
        covariances = covariances[..., features]
    means = mixture.means[components][:, features]
    return GaussianMixture(mixture.weights[components], means, covariances, mixture.covariance_type)


@every_type
def test_fit_with_components_and_features_in_another_order_is_the_same(
    covariance_type: str,
) -> None:
    X, labels = clustered(d=3)
    components, features = np.array([2, 0, 1]), np.array([1, 2, 0])
    settings = {"covariance_type": covariance_type} | ITERATIONS
    one = fit_gmm(X, 3, init=labels, **settings)
    other = fit_gmm(X[:, features], 3, init=np.argsort(components)[labels], **settings)
    expected = reordered(one.model, components, features)
    Rounding(X[:, features], expected, one.n_iter).assert_same_mixture(other.model)


@every_type
@pytest.mark.parametrize("reg_covar", [0.0, 1e-6, 0.1])
@pytest.mark.parametrize("init", ["kmeans++", "labels"])
def test_fit_in_other_units_is_the_same(init: str, reg_covar: float, covariance_type: str) -> None:
    X, labels = clustered()
    unit = np.array([1e-6, 1e7])
    if covariance_type == "spherical":
        unit = np.full(2, 1e-6)  # one variance for all features ties their units
    shift = np.array([-3.0, 50.0])
    settings = {"covariance_type": covariance_type, "reg_covar": reg_covar, "rng": 0} | ITERATIONS
    one = fit_gmm(X, 3, init=start(init, X, labels), **settings)
    other = fit_gmm((X + shift) * unit, 3, init=start(init, X, labels), **settings)
    covariances = {
        "full": np.outer(unit, unit),
        "tied": np.outer(unit, unit),
        "diag": unit**2,
        "spherical": unit[0] ** 2,
    }[covariance_type]
    expected = GaussianMixture(
        one.model.weights, (one.model.means + shift) * unit, one.model.covariances * covariances,
        covariance_type,
    )  # fmt: skip
    Rounding((X + shift) * unit, expected, one.n_iter).assert_same_mixture(other.model)
    expected_history = one.history - np.log(unit).sum()
    np.testing.assert_allclose(other.history, expected_history, rtol=1e-9)


@every_type
@pytest.mark.parametrize("init", ["kmeans++", "labels"])
def test_fit_of_rows_far_from_zero_is_as_good(init: str, covariance_type: str) -> None:
    """Means can only be told to 1e8 times the rounding unit there; nothing else may suffer."""
    X, labels = clustered()
    settings = {"covariance_type": covariance_type, "rng": 0} | ITERATIONS
    one = fit_gmm(X, 3, init=start(init, X, labels), **settings)
    other = fit_gmm(X + 1e8, 3, init=start(init, X, labels), **settings)
    assert (X + 1e8 - 1e8 == X).all()
    moved = GaussianMixture(
        other.model.weights, other.model.means - 1e8, other.model.covariances, covariance_type
    )
    np.testing.assert_allclose(moved.means, one.model.means, atol=1e-5)
    np.testing.assert_allclose(moved.weights, one.model.weights, atol=1e-5)
    np.testing.assert_allclose(moved.covariances, one.model.covariances, atol=1e-5)
    np.testing.assert_allclose(other.history, one.history, atol=1e-7)


@every_type
@every_init
def test_fit_of_float32_rows_is_the_fit_of_the_same_numbers(
    init: str, covariance_type: str
) -> None:
    X, labels = clustered()
    narrow = X.astype(np.float32)
    wide = narrow.astype(np.float64)
    begin = start(init, wide, labels, covariance_type)
    settings = {"covariance_type": covariance_type, "init": begin, "rng": 2}
    assert_same_fit_bits(fit_gmm(narrow, 3, **settings), fit_gmm(wide, 3, **settings))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fit_of_any_layout_is_the_same_and_leaves_it(layout: str, dtype: type) -> None:
    X = clustered()[0].astype(dtype)
    sample_weight = np.random.default_rng(0).exponential(size=len(X))
    arranged = LAYOUTS[layout](X)
    weight = LAYOUTS[layout](sample_weight[:, None])[:, 0]
    with unchanged(arranged, weight):
        fit = fit_gmm(arranged, 3, sample_weight=weight, rng=0)
    assert_same_fit_bits(fit, fit_gmm(X, 3, sample_weight=sample_weight, rng=0))


def test_fit_of_lists_and_integers_is_the_same() -> None:
    X = np.round(4 * clustered()[0])
    expected = fit_gmm(X, 2, rng=0)
    assert_same_fit_bits(fit_gmm(X.tolist(), 2, rng=0), expected)
    assert_same_fit_bits(fit_gmm(X.astype(np.int8), 2, rng=0), expected)


@every_type
@every_init
def test_fit_leaves_its_arguments_as_they_are(init: str, covariance_type: str) -> None:
    X, labels = clustered()
    begin = start(init, X, labels, covariance_type)
    sample_weight, reg_covar = np.ones(len(X)), np.array([0.1, 0.2])
    with unchanged(X, labels, sample_weight, reg_covar, begin):
        fit_gmm(
            X, 3, covariance_type=covariance_type, init=begin, sample_weight=sample_weight,
            reg_covar=reg_covar, rng=0,
        )  # fmt: skip


@every_type
@pytest.mark.parametrize("init", ["kmeans++", "labels"])
def test_fit_with_any_number_of_threads_gives_the_same_bits(
    init: str, covariance_type: str
) -> None:
    X, labels = clustered(6000, 5, 3)
    settings = {"covariance_type": covariance_type, "init": start(init, X, labels), "n_init": 1}
    fits = [
        fit_gmm(X, 3, n_threads=n_threads, rng=0, tol=0.0, max_iter=4, **settings)
        for n_threads in (1, 2, 3, 7, None)
    ]
    for fit in fits[1:]:
        assert_same_fit_bits(fit, fits[0])


@every_type
@every_init
def test_fit_of_either_backend_is_the_same(init: str, covariance_type: str) -> None:
    n = 40 if init == "hierarchical" else 400  # the reference looks at all pairs at each merger
    X, labels = clustered(n, 3, 3)
    sample_weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], size=len(X))
    settings = {
        "covariance_type": covariance_type,
        "init": start(init, X, labels, covariance_type),
        "sample_weight": sample_weight,
        "rng": 3,
    } | ITERATIONS
    compiled = fit_gmm(X, 3, backend="compiled", **settings)
    assert_same_fit(compiled, fit_gmm(X, 3, backend="reference", **settings), X)


def test_fit_with_the_same_seed_gives_the_same_bits_and_leaves_global_state() -> None:
    X = clustered()[0]
    before = np.random.get_state()[1].copy()  # noqa: NPY002 (it is the state that must not change)
    fits = [fit_gmm(X, 3, rng=rng) for rng in (5, 5, np.random.default_rng(5))]
    assert_same_fit_bits(fits[0], fits[1])
    assert_same_fit_bits(fits[0], fits[2])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


# Small and hard cases


@every_type
@pytest.mark.parametrize("weighted", [False, True])
def test_fit_of_one_component_is_mean_and_covariance(covariance_type: str, weighted: bool) -> None:
    X = clustered(d=3)[0]
    weight = np.random.default_rng(1).exponential(size=len(X)) if weighted else None
    fit = fit_gmm(X, 1, covariance_type=covariance_type, sample_weight=weight, reg_covar=0)
    expected = maximised(X, np.ones((len(X), 1)), covariance_type, weight)
    Rounding(X, expected).assert_same_mixture(fit.model)
    assert (fit.n_iter, fit.converged) == (2, True)


@every_type
@pytest.mark.parametrize("d", [1, 2])
def test_fit_of_as_many_components_as_rows_needs_a_ridge(covariance_type: str, d: int) -> None:
    X = clustered(5, d, 2)[0]
    options = {"covariance_type": covariance_type, "rng": 0, "avoid_spurious": False}
    fit = fit_gmm(X, 5, reg_covar=1e-3, **options)
    means = np.sort(fit.model.means, axis=0)
    np.testing.assert_allclose(means, np.sort(X, axis=0), atol=1e-7 * X.std())
    with pytest.raises(FitError, match=r"Use reg_covar > 0|use reg_covar > 0"):
        fit_gmm(X, 5, covariance_type=covariance_type, init=np.arange(5), reg_covar=0)


@every_type
def test_fit_of_a_single_row_is_that_row(covariance_type: str) -> None:
    fit = fit_gmm([[3.0, -2.0]], 1, covariance_type=covariance_type)
    np.testing.assert_array_equal(fit.model.means, [[3.0, -2.0]])
    np.testing.assert_allclose(fit.model.covariance_matrices(), [1e-6 * np.eye(2)])
    with pytest.raises(
        FitError, match=rf"'{covariance_type}' cannot be estimated: 1 component of 2 features"
    ):
        fit_gmm([[3.0, -2.0]], 1, covariance_type=covariance_type, reg_covar=0)


def test_fit_of_one_feature_is_the_same_for_every_covariance_of_its_own() -> None:
    X = datasets.load_galaxies().data
    one, *others = (
        fit_gmm(X, 3, covariance_type=name, rng=0, **ITERATIONS)
        for name in ("full", "diag", "spherical")
    )
    for other in others:
        np.testing.assert_allclose(other.model.means, one.model.means, rtol=1e-9)
        np.testing.assert_allclose(
            other.model.covariance_matrices(), one.model.covariance_matrices(), rtol=1e-9
        )
        assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)


@every_type
def test_fit_from_a_mixture_that_reaches_no_row_recovers(covariance_type: str) -> None:
    """Every density underflows: they are told apart by their logarithms alone."""
    X, labels = clustered()
    near = maximised(X, np.eye(3)[labels], covariance_type)
    far = GaussianMixture(near.weights, near.means + 1e4, near.covariances, covariance_type)
    assert np.exp(far.log_prob(X)).max() == 0.0
    fit = fit_gmm(X, 3, covariance_type=covariance_type, init=far)
    assert fit.converged
    one = fit_gmm(X, 1, covariance_type=covariance_type)
    assert fit.log_likelihood >= one.log_likelihood - 1e-6 * len(X)


@every_type
@pytest.mark.parametrize("distance", [1e5, 1e100, 1e150])
def test_fit_with_a_row_beyond_all_others_is_finite(covariance_type: str, distance: float) -> None:
    """Its squared distance overflows under the mixture that describes the rest."""
    X, labels = clustered()
    begin = maximised(X, np.eye(3)[labels], covariance_type)
    X[17] = distance
    fit = fit_gmm(X, 3, covariance_type=covariance_type, init=begin, max_iter=50, tol=0.0)
    assert np.isfinite(fit.history).all()
    assert np.isfinite(fit.log_likelihood)


def test_fit_from_a_mixture_out_of_all_proportion_says_that_it_cannot_continue() -> None:
    far = GaussianMixture([1.0], [[1e200, 0.0]], [1.0], "spherical")
    with pytest.raises(FitError, match=r"component 0 is so far from the rows .+ Start nearer"):
        fit_gmm(clustered()[0], 1, covariance_type="spherical", init=far)


@pytest.mark.parametrize("unit", [1e-140, 1e140])
def test_fit_in_extreme_units_is_finite(unit: float) -> None:
    X, labels = clustered()
    fit = fit_gmm(X * unit, 3, init=labels)
    expected = fit_gmm(X, 3, init=labels)
    np.testing.assert_allclose(fit.model.means / unit, expected.model.means, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::mixtura.CoarseColumnsWarning")
@every_type
@pytest.mark.parametrize("init", ["kmeans++", "kmeans", "random", "hierarchical"])
@pytest.mark.parametrize("n_distinct", [1, 2, 3])
def test_fit_of_fewer_different_rows_than_components_continues(
    covariance_type: str, init: str, n_distinct: int
) -> None:
    X = np.repeat([[0.0, 1.0], [2.0, 5.0], [9.0, 8.0]][:n_distinct], 10, axis=0)
    fit = fit_gmm(X, 5, covariance_type=covariance_type, init=init, rng=0)
    assert fit.model.n_components == 5
    assert np.isfinite(fit.log_likelihood)


def test_fit_of_many_rows_makes_no_array_of_their_number() -> None:
    X = np.random.default_rng(0).normal(size=(400_000, 1))
    X[::3] += 5.0
    fit_gmm(X[:100], 3, rng=0, tol=0.0, max_iter=1)  # what is made once
    tracemalloc.start()
    try:
        fit: GMMFit = fit_gmm(X, 3, rng=0, tol=0.0, max_iter=3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fit.n_samples == len(X)
    assert peak < X.nbytes / 2
