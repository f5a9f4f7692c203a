"""Rows that are far from all others do not change how the others are described."""

import warnings

import numpy as np
import pytest

from mixtura import Event, FitError, fit_gmm, fit_kmeans, scan, select_gmm
from mixtura.data import middle_of
from mixtura.shapes import Floats

SENTINEL = -9999.0


def two_normals(seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return np.r_[rng.normal(10.0, 1.0, 400), rng.normal(16.0, 1.5, 400)][:, None]


def two_clouds(seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    covariance = [[1.0, 0.9], [0.9, 1.0]]
    clouds = [rng.multivariate_normal(mean, covariance, 400) for mean in ([0, 0], [3, -3])]
    return np.concatenate(clouds)


def in_order(means: Floats) -> Floats:
    return means[np.argsort(means[:, 0])]


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
@pytest.mark.parametrize("n_far", [1, 40, 200])
@pytest.mark.parametrize("far", [SENTINEL, 1e8, 1e30])
def test_fit_beside_equal_rows_far_away_finds_the_others(
    covariance_type: str, n_far: int, far: float
) -> None:
    X = two_normals()
    alone = fit_gmm(X, 2, covariance_type=covariance_type, rng=0).model
    fit = fit_gmm(np.r_[np.full((n_far, 1), far), X], 3, covariance_type=covariance_type, rng=0)
    order = np.argsort(np.abs(fit.model.means.ravel()))
    assert fit.model.means.ravel()[order[2]] == pytest.approx(far, rel=1e-14)
    np.testing.assert_allclose(
        in_order(fit.model.means[order[:2]]), in_order(alone.means), rtol=1e-3
    )
    found = np.sqrt(fit.model.covariances.ravel()[order[:2]])
    np.testing.assert_allclose(
        np.sort(found), np.sort(np.sqrt(alone.covariances.ravel())), rtol=1e-2
    )
    assert {event.component for event in fit.events} == {order[2]}


def test_fit_finds_the_published_example() -> None:
    """Of the report: means 9.96 and 15.99, deviations 0.99 and 1.48, beside 40 rows of -9999."""
    X = np.r_[np.full((40, 1), SENTINEL), two_normals()]
    model = fit_gmm(X, 3, rng=0).model
    order = np.argsort(model.means.ravel())
    np.testing.assert_allclose(model.means.ravel()[order], [SENTINEL, 9.96, 15.99], atol=0.005)
    np.testing.assert_allclose(
        np.sqrt(model.covariances.ravel()[order[1:]]), [0.99, 1.48], atol=0.005
    )


@pytest.mark.parametrize("far", [SENTINEL, 1e30])
@pytest.mark.parametrize("both", [False, True])
def test_fit_of_two_columns_of_which_one_or_both_have_sentinels(far: float, both: bool) -> None:
    rng = np.random.default_rng(1)
    X = two_clouds()
    bad = np.full((200, 2), far)
    if not both:
        bad[:, 1] = rng.normal(size=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = fit_gmm(np.r_[bad, X], 3, rng=0)
    means = fit.model.means[np.argsort(np.abs(fit.model.means[:, 0]))]
    np.testing.assert_allclose(means[:2], [[0.0, 0.0], [3.0, -3.0]], atol=0.15)


def test_selection_is_not_changed_by_one_row_far_away() -> None:
    rng = np.random.default_rng(0)
    X = np.r_[1e8, rng.normal(0.0, 1.0, 500), rng.normal(6.0, 1.0, 500)][:, None]
    best = select_gmm(X, [1, 2, 3, 4], rng=0, n_init=3).best.model
    assert best.n_components == 3
    means = np.sort(best.means.ravel())
    np.testing.assert_allclose(means, [0.0, 6.0, 1e8], atol=0.2)


@pytest.mark.parametrize("power", [-40, 60])
def test_fit_with_outliers_follows_the_units_to_the_bit(power: int) -> None:
    X = np.r_[np.full((40, 2), SENTINEL), two_clouds()]
    scale = np.ldexp(1.0, [power, 0])
    one, other = (fit_gmm(rows, 3, rng=0, n_init=2).model for rows in (X, X * scale))
    np.testing.assert_array_equal(one.means * scale, other.means)
    np.testing.assert_array_equal(one.weights, other.weights)


def test_fit_of_blocks_with_outliers_equals_the_one_of_their_concatenation() -> None:
    X = np.r_[two_clouds(), np.full((40, 2), SENTINEL)]
    one, other = (fit_gmm(rows, 3, rng=0).model for rows in (X, scan([X[:300], X[300:]])))
    np.testing.assert_allclose(one.means, other.means, rtol=1e-10)


def test_fit_of_large_float32_with_an_outlier_keeps_its_digits() -> None:
    """Products are formed about the middle of the rows, not about their mean."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12_000, 8)).astype(np.float32)
    X[::2, 0] += 6.0
    far = X.copy()
    far[0] = 1e8
    one = fit_gmm(X, 2, rng=0).model
    other = fit_gmm(far, 3, rng=0).model
    kept = np.argsort(np.abs(other.means[:, 0]))[:2]
    np.testing.assert_allclose(in_order(other.means[kept]), in_order(one.means), atol=2e-3)


def test_kmeans_does_not_stop_earlier_because_of_a_row_far_away() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2))
    X[0] = 1e9
    centers = np.r_[X[:1], X[1:6]]
    alone = fit_kmeans(X[1:], 5, init=X[1:6], tol=1e-9)
    beside = fit_kmeans(X, 6, init=centers, tol=1e-9)
    np.testing.assert_allclose(beside.centers[1:], alone.centers, atol=1e-3)


# Where the ridge shows


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VVE", "EEV"])
def test_events_name_components_of_which_the_ridge_is_more_than_a_tenth(
    covariance_type: str,
) -> None:
    X = two_clouds()
    share = {"full": 0.2, "tied": 0.2}.get(covariance_type, 0.2)
    fit = fit_gmm(X, 2, covariance_type=covariance_type, reg_covar=share, rng=0)
    blurred = {event.component for event in fit.events if event.cause == "ridge"}
    assert blurred == {0, 1}
    assert all(event.action == "kept" for event in fit.events)
    assert not fit_gmm(X, 2, covariance_type=covariance_type, rng=0).events


def test_event_of_the_ridge_says_what_it_is() -> None:
    event = Event(3, 1, "ridge", "kept")
    assert str(event) == "iteration 3: component 1 ridge, kept"


@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.6, 0.7, 0.8])
def test_scale_of_a_column_mostly_zero_is_not_that_of_sentinels(zeros: float) -> None:
    """A fifth of the numbers may be anywhere, even where they are most of those not zero."""
    rng = np.random.default_rng(0)
    n_far = min(200, int(0.6 * (1.0 - zeros) * 1000))
    rest = rng.normal(5.0, 1.0, 1000 - n_far - int(1000 * zeros))
    column = np.r_[np.zeros(int(1000 * zeros)), rest, np.full(n_far, SENTINEL)]
    deviation = middle_of(column[:, None], np.ones(1000)).deviation
    assert 0.3 < deviation[0] < 4.0


def test_fit_of_float32_rows_beside_distant_ones_keeps_its_components() -> None:
    """Single precision is not enough there."""
    X = np.random.default_rng(0).normal(size=(20_000, 8)).astype("f4")
    X[::2] += 4
    X[:200] = 1e8 * np.random.default_rng(1).normal(size=(200, 8))
    one, other = (fit_gmm(rows, 3, rng=0) for rows in (X, X.astype(float)))
    assert one.model.n_components == other.model.n_components == 3
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-6)


@pytest.mark.parametrize("seed", [244, 371])
def test_components_that_are_lost_at_every_start_are_named(seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(40_000, 3))
    X[:20_000] = 0
    options = {"covariance_type": "VEI", "reg_covar": 0, "rng": seed, "n_init": 1}
    fit = fit_gmm(X, 3, **options)
    lost = [event for event in fit.events if event.action == "dropped"]
    assert len(lost) == 3 - fit.model.n_components
    if lost:
        with pytest.raises(FitError, match="singular covariance"):
            fit_gmm(X, 3, on_collapse="raise", **options)
