"""Spurious maxima: what counts as one, and that automatic starts do not end there by default."""

import numpy as np
import pytest
from clusters import assert_same_fit, assert_same_fit_bits, clustered, objective
from helpers import COVARIANCE_TYPES, random_mixture
from scipy.linalg import eigh

from mixtura import Event, GaussianMixture, GMMFit, State, datasets, fit_gmm, reference, select_gmm
from mixtura.parameters import Parameters
from mixtura.shapes import FULL, SHAPES, Floats
from mixtura.updates import Guard
from mixtura.updates.spurious import LEAST_AVERAGE, LEAST_ROUNDING, LEAST_VARIANCE

pytestmark = pytest.mark.filterwarnings("ignore::mixtura.CoarseColumnsWarning")
every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
OWN_COVARIANCES = [name for name in COVARIANCE_TYPES if name != "tied"]


def grid(n: int = 300, d: int = 2, *, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).integers(0, 5, size=(n, d)).astype(float)


def rounded(name: str, step: float) -> Floats:
    return step * np.round(getattr(datasets, f"load_{name}")().data / step)


def narrowest(model: GaussianMixture, X: Floats) -> float:
    """Smallest variance of a component in any direction, relative to the average of all.

    No component counts as wider than the numbers near the middle of each feature.
    """
    matrices = model.covariance_matrices()
    distances = np.abs(X - np.median(X, axis=0))
    typical = [1.4826 * np.median(column[column > 0.0]) for column in distances.T]
    near = np.where(distances <= 10.0 * np.array(typical), X, np.nan)
    limited = [np.minimum(1.0, np.sqrt(np.nanvar(near, axis=0) / m.diagonal())) for m in matrices]
    capped = [m * np.outer(scale, scale) for m, scale in zip(matrices, limited, strict=True)]
    within = np.average(capped, axis=0, weights=model.weights)
    return min(eigh(matrix, within, eigvals_only=True)[0] for matrix in matrices)


def smoothed(fit: GMMFit) -> set[int]:
    return {event.component for event in fit.events if event.action == "smoothed"}


# What counts as spurious


@every_type
@pytest.mark.parametrize("coarse", [0.001, 0.02])
@pytest.mark.parametrize("seed", range(5))
def test_guard_names_components_narrower_than_the_bound_in_some_direction(
    seed: int, coarse: float, covariance_type: str
) -> None:
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, covariance_type, 6, 4)
    squeeze = 10.0 ** rng.uniform(0, 3, size=6 if covariance_type != "tied" else 1)
    factors = mixture.factors * squeeze.reshape((-1,) + (1,) * (mixture.factors.ndim - 1))
    factors = factors[0] if covariance_type == "tied" and factors.ndim == 3 else factors
    inverse = {
        "full": lambda U: np.linalg.inv(U @ np.swapaxes(U, -1, -2)),
        "tied": lambda U: np.linalg.inv(U @ U.T),
    }.get(covariance_type, lambda U: U**-2.0)
    covariances = inverse(factors)
    shape = SHAPES[covariance_type]
    matrices = shape.matrices(covariances, 6, 4)
    rounding = rng.uniform(0, coarse, size=4)
    within = np.average(matrices, axis=0, weights=mixture.weights)
    bound = LEAST_VARIANCE * within + LEAST_ROUNDING * np.diag(rounding)
    narrow = [eigh(matrix, bound, eigvals_only=True)[0] < 1.0 for matrix in matrices]
    expected = np.flatnonzero(narrow).tolist()
    if (
        np.linalg.eigvalsh(within - LEAST_AVERAGE * np.diag(rounding))[0] < 0.0
    ):  # even the average is below
        expected = list(range(6))
    parameters = Parameters(mixture.weights, mixture.means, covariances, factors, shape)
    assert (
        Guard(rounding, np.full(len(rounding), np.inf), reference).spurious(parameters) == expected
    )


def test_guard_of_numbers_beyond_all_proportion_still_tells() -> None:
    covariances = np.array([1e300 * np.eye(2), 1e-290 * np.eye(2)])
    factors, _ = FULL.factorise(covariances, reference)
    parameters = Parameters(np.array([0.5, 0.5]), np.zeros((2, 2)), covariances, factors, FULL)
    assert Guard(np.zeros(2), np.full(2, np.inf), reference).spurious(parameters) == [1]


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
def test_price_of_a_narrow_component_is_what_average_covariances_would_cost_its_rows(
    name: str,
) -> None:
    shape, weights = SHAPES[name], np.array([0.75, 0.25])
    variances = np.array([4.0 / 3.0, 1e-9])
    covariances = {
        "full": variances[:, None, None] * np.eye(2),
        "diag": variances[:, None] * np.ones(2),
        "spherical": variances,
    }[name]
    factors, _ = shape.factorise(covariances, reference)
    parameters = Parameters(weights, np.zeros((2, 2)), covariances, factors, shape)
    guard = Guard(np.zeros(2), np.full(2, np.inf), reference)
    # The average variance is one: a row of a unit normal has log(1e9) / 2 less in each feature.
    assert guard.price(parameters, [1]) == pytest.approx(0.25 * np.log(1e9), rel=1e-6)
    assert guard.price(parameters, [0, 1]) == np.inf


def test_price_of_a_common_covariance_has_no_bound() -> None:
    parameters = Parameters(np.full(2, 0.5), np.zeros((2, 2)), np.eye(2), np.eye(2), SHAPES["tied"])
    assert Guard(np.zeros(2), np.ones(2), reference).price(parameters, [0]) == np.inf


# That fits keep clear of it


CASES = [
    ("banknote", 1.0, "full", 2),
    ("banknote", 1.0, "diag", 2),
    ("banknote", 1.0, "full", 3),
    ("banknote", 0.1, "full", 5),
    ("iris", 1.0, "full", 2),
    ("iris", 0.5, "full", 3),
    ("iris", 0.1, "full", 5),
    ("thyroid", 0.1, "full", 5),
]


@pytest.mark.parametrize(("name", "step", "covariance_type", "k"), CASES)
@pytest.mark.parametrize("seed", range(2))
def test_fit_of_rounded_data_by_default_has_no_spurious_component(
    name: str, step: float, covariance_type: str, k: int, seed: int
) -> None:
    X = rounded(name, step)
    fit = fit_gmm(X, k, covariance_type=covariance_type, rng=seed)
    assert narrowest(fit.model, X) > LEAST_VARIANCE
    kept = [event for event in fit.events if event.action == "kept"]
    assert all(event.cause == "few" for event in kept)
    assert fit.model.n_components == k


@pytest.mark.parametrize(("name", "step", "covariance_type", "k"), CASES)
def test_fit_of_rounded_data_without_the_guard_ends_in_one(
    name: str, step: float, covariance_type: str, k: int
) -> None:
    """The premise of the test above: the highest likelihood is the worst model."""
    X = rounded(name, step)
    off = [
        fit_gmm(X, k, covariance_type=covariance_type, rng=seed, avoid_spurious=False)
        for seed in range(3)
    ]
    worst = max(off, key=lambda fit: fit.log_likelihood)
    assert narrowest(worst.model, X) < LEAST_VARIANCE
    on = fit_gmm(X, k, covariance_type=covariance_type, rng=0)
    assert worst.log_likelihood > on.log_likelihood


@pytest.mark.parametrize("seed", range(2))
def test_selection_for_rounded_data_by_default_has_no_spurious_winner(seed: int) -> None:
    X, types = rounded("banknote", 1.0), ["EEE", "VVI", "VVV"]
    on = select_gmm(X, [2, 3], types, n_init=2, tol=1e-4, rng=seed)
    assert len(on.fits) == 6
    for fit in on.fits.values():
        assert narrowest(fit.model, X) > LEAST_VARIANCE
        assert not any(event.action == "kept" for event in fit.events)
    assert smoothed(on.fits[2, "VVI"]) or smoothed(on.fits[3, "VVV"])
    off = select_gmm(X, [2, 3], types, n_init=2, tol=1e-4, rng=seed, avoid_spurious=False)
    assert narrowest(off.best.model, X) < LEAST_VARIANCE


@pytest.mark.parametrize("covariance_type", OWN_COVARIANCES)
@pytest.mark.parametrize("k", [2, 3, 5, 8])
def test_fit_of_an_integer_grid_has_no_spurious_component(covariance_type: str, k: int) -> None:
    X = grid()
    fit = fit_gmm(X, k, covariance_type=covariance_type, rng=1, tol=1e-4)
    assert narrowest(fit.model, X) > LEAST_VARIANCE
    assert np.einsum("jaa->ja", fit.model.covariance_matrices()).min() > LEAST_ROUNDING / 12


def test_fit_of_rounded_notes_finds_the_genuine_ones() -> None:
    """The likelihood alone puts one component on the notes that share a margin."""
    genuine = datasets.load_banknote().labels == datasets.load_banknote().labels[0]

    def agreement(*, avoid_spurious: bool) -> float:
        X = rounded("banknote", 1.0)
        fit = fit_gmm(X, 2, covariance_type="diag", rng=0, avoid_spurious=avoid_spurious)
        same = np.mean((fit.model.predict(X) == 0) == genuine)
        return max(same, 1.0 - same)

    assert agreement(avoid_spurious=True) > 0.97
    assert agreement(avoid_spurious=False) < 0.75


def test_fit_of_clusters_of_equal_rows_still_tells_them_apart() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    fit = fit_gmm(np.repeat(points, [10, 20, 30], axis=0), 3, rng=0)
    assert sorted(fit.model.predict(points)) == [0, 1, 2]
    np.testing.assert_allclose(np.sort(fit.model.weights), [1 / 6, 2 / 6, 3 / 6], rtol=0.02)


@every_type
@pytest.mark.parametrize("init", ["kmeans", "kmeans++"])
def test_fit_without_spurious_components_is_the_same_without_the_guard(
    init: str, covariance_type: str
) -> None:
    X = clustered()[0]
    settings = {"covariance_type": covariance_type, "init": init, "rng": 0}
    one = fit_gmm(X, 3, **settings)
    assert one.events == ()
    assert_same_fit_bits(one, fit_gmm(X, 3, avoid_spurious=False, **settings))


# What is done about it


def test_fit_that_was_smoothed_is_one_with_the_variance_of_rounding_as_ridge() -> None:
    X = rounded("banknote", 1.0)
    fit = fit_gmm(X, 3, rng=0, tol=1e-13, max_iter=20_000)
    (first, *_) = fit.events
    assert smoothed(fit) == {event.component for event in fit.events}
    assert str(first).endswith("spurious, smoothed")
    assert str(first) in fit.summary()
    ridge = np.maximum(np.full(6, 1 / 12), 1e-6 * X.var(axis=0))
    assert fit.history[-1] == pytest.approx(objective(X, fit.model, ridge=ridge), rel=1e-9)
    assert fit.log_likelihood == pytest.approx(fit.model.log_likelihood(X), rel=1e-12)
    assert (np.diff(fit.history) >= -1e-13).all()
    by_hand = fit_gmm(X, 3, init=fit.model, reg_covar=ridge, tol=0.0, max_iter=20)
    np.testing.assert_allclose(by_hand.model.weights, fit.model.weights, atol=0.01)
    assert by_hand.history[-1] == pytest.approx(fit.history[-1], rel=1e-5)


@pytest.mark.parametrize("reg_covar", [0.0, [0.0, 0.0]])
def test_fit_without_a_ridge_is_never_given_one(reg_covar: object) -> None:
    fit = fit_gmm(grid(), 4, rng=0, reg_covar=reg_covar, max_iter=50, tol=0.0)
    assert not smoothed(fit)
    assert fit.history[-1] * len(grid()) == pytest.approx(fit.log_likelihood, rel=1e-12)


def test_fit_from_a_start_of_ones_own_says_so_and_goes_where_it_leads() -> None:
    X = grid()
    labels = (X[:, 0] == 3.0).astype(int)
    one, other = (fit_gmm(X, 2, init=labels, avoid_spurious=each) for each in (True, False))
    assert one.model == other.model
    np.testing.assert_array_equal(one.history, other.history)
    blurred = Event(one.n_iter, 1, "ridge", "kept")
    assert one.events == (Event(one.n_iter, 1, "spurious", "kept"), blurred)
    assert other.events == (blurred,)


def test_fit_that_a_callback_stops_is_not_begun_again() -> None:
    calls: list[State] = []
    fit = fit_gmm(grid(), 8, rng=0, callback=lambda state: calls.append(state) or True)
    assert len(calls) == fit.n_iter == 1
    assert not smoothed(fit)


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_fit_that_was_smoothed_is_so_in_any_units(covariance_type: str) -> None:
    X = rounded("banknote", 1.0)[:, 2:5]
    unit, shift = np.array([2.0**-40, 1.0, 2.0**60]), np.array([0.0, 8.0, -3.0])
    settings = {"covariance_type": covariance_type, "rng": 0}
    one, other = (fit_gmm(rows, 2, **settings) for rows in (X, (X + shift) * unit))
    assert smoothed(one)
    assert smoothed(other)
    order, others = np.argsort(one.model.weights), np.argsort(other.model.weights)
    back = other.model.means[others] / unit - shift
    np.testing.assert_allclose(back, one.model.means[order], rtol=1e-3)
    assert other.history[-1] + np.log(unit).sum() == pytest.approx(one.history[-1], rel=1e-5)


def test_fit_that_was_smoothed_with_weights_is_that_of_repeated_rows() -> None:
    X = rounded("banknote", 1.0)
    times = np.random.default_rng(0).integers(0, 4, size=len(X))
    one = fit_gmm(X, 3, sample_weight=times, rng=0)
    other = fit_gmm(np.repeat(X, times, axis=0), 3, rng=0)
    assert smoothed(one)
    assert_same_fit(one, other, np.repeat(X, times, axis=0))
    scaled = fit_gmm(X, 3, sample_weight=times * 0.25, rng=0)
    np.testing.assert_allclose(scaled.model.means, one.model.means, rtol=1e-4)
    assert scaled.log_likelihood == pytest.approx(0.25 * one.log_likelihood, rel=1e-7)


def test_selection_for_counts_has_no_equal_components_on_each_value() -> None:
    """With equal variances none is narrower than the others; all of them would be."""
    X = np.random.default_rng(0).poisson(1.0, 300)[:, None].astype(float)
    found = select_gmm(X, [4, 5], ["E"], rng=0, n_init=3)
    for fit in found.fits.values():
        assert fit.model.covariances.min() > 1.0 / 12.0
