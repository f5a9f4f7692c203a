"""The bootstrap likelihood-ratio test: its statistic, its null distribution, its p-value."""

import re
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from clusters import clustered

from mixtura import ConvergenceWarning, FitError, bootstrap_lrt, datasets, fit_gmm, scan
from mixtura.fitting import bootstrap

QUICK = {"covariance_type": "EEI", "n_init": 1, "tol": 1e-4}


def normal_rows(n: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 2))


def test_statistic_is_twice_the_gain_of_the_two_fits() -> None:
    X = datasets.load_acidity().data
    test = bootstrap_lrt(X, 1, covariance_type="E", n_bootstrap=3, rng=0)
    one, two = (fit_gmm(X, k, covariance_type="tied", rng=0) for k in (1, 2))
    assert test.statistic == pytest.approx(2 * (two.log_likelihood - one.log_likelihood), abs=1e-3)
    assert (test.null.model.n_components, test.alternative.model.n_components) == (1, 2)
    assert test.null_distribution.shape == (3,)
    assert test.n_failed == 0
    assert "1 against 2 components, E covariances\nstatistic 79.67" in test.summary()


def test_p_value_counts_the_observed_sample() -> None:
    test = bootstrap_lrt(clustered(90, 2, 2, spread=6.0)[0], 1, n_bootstrap=19, rng=0, **QUICK)
    assert test.p_value == 1 / 20
    assert test.statistic > test.null_distribution.max()
    test = bootstrap_lrt(normal_rows(), 1, n_bootstrap=19, rng=0, **QUICK)
    larger = np.count_nonzero(test.null_distribution >= test.statistic)
    assert test.p_value == (1 + larger) / 20


def test_p_values_of_samples_from_the_null_hypothesis_are_nearly_uniform() -> None:
    p_values = [
        bootstrap_lrt(normal_rows(40, seed), 1, n_bootstrap=9, rng=seed, **QUICK).p_value
        for seed in range(20)
    ]
    assert 0.3 < np.mean(p_values) < 0.8  # a mean of 20 uniform ones has a deviation of 0.065
    assert max(p_values) > 0.7
    assert min(p_values) < 0.4


def test_p_values_of_coarsely_rounded_rows_are_not_conservative() -> None:
    """By continuous samples, none of these is below 0.3, and their mean is 0.70."""
    p_values = []
    for seed in range(20):
        X = np.random.default_rng(seed).normal(size=(60, 1)).round()
        test = bootstrap_lrt(X, 1, covariance_type="V", n_bootstrap=9, n_init=1, tol=1e-4, rng=seed)
        p_values.append(test.p_value)
    assert np.mean(p_values) < 0.65
    assert np.count_nonzero(np.array(p_values) <= 0.2) >= 2


def test_null_distribution_is_the_same_for_any_number_of_threads() -> None:
    one, other = (
        bootstrap_lrt(normal_rows(), 2, n_bootstrap=8, rng=3, n_threads=n_threads, **QUICK)
        for n_threads in (1, 4)
    )
    np.testing.assert_array_equal(one.null_distribution, other.null_distribution)
    assert one.statistic == other.statistic
    assert len(set(one.null_distribution)) == 8


def test_statistic_is_not_below_zero() -> None:
    test = bootstrap_lrt(normal_rows(), 3, n_bootstrap=10, rng=0, **QUICK)
    assert (test.null_distribution >= 0.0).all()


def test_refits_of_the_null_are_as_good_as_the_mixture_that_was_drawn_from() -> None:
    """Automatic starts alone end more than 200 below it in several of these samples."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 3))
    X[:300] *= [0.2, 4.0, 1.0]
    X[300:600] *= [4.0, 0.2, 1.0]
    X[600:900] *= [1.0, 1.0, 0.1]
    test = bootstrap_lrt(X, 4, covariance_type="VVI", n_bootstrap=9, n_init=1, rng=2)
    assert test.null_distribution.max() < 50.0


def test_alternative_starts_from_the_null_with_a_component_split() -> None:
    """From labels at random both end where all components are nearly the same."""
    X = clustered(200, 2, 2, spread=5.0)[0]

    def at_random(rows: np.ndarray, n_components: int, _: np.random.Generator) -> np.ndarray:
        return np.arange(len(rows)) % n_components

    test = bootstrap_lrt(X, 1, init=at_random, n_bootstrap=1, rng=0, **QUICK)
    best = fit_gmm(X, 2, covariance_type="EEI", rng=0, tol=1e-4)
    assert test.alternative.log_likelihood == pytest.approx(best.log_likelihood, abs=0.1)


def test_alternative_is_never_below_the_null() -> None:
    for seed in range(5):
        X = clustered(60, 2, 3, spread=1.0, seed=seed)[0]
        test = bootstrap_lrt(X, 2, n_bootstrap=2, init="random", rng=seed, **QUICK)
        assert test.alternative.log_likelihood >= test.null.log_likelihood - 1e-2


def test_starts_beside_the_automatic_ones_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(bootstrap.Fitting):
        def run(self, begin: object, rng: np.random.Generator) -> object:
            if not isinstance(begin, str):
                raise FitError("singular")
            return super().run(begin, rng)

    monkeypatch.setattr(bootstrap, "Fitting", Failing)
    test = bootstrap_lrt(normal_rows(), 2, n_bootstrap=3, rng=0, **QUICK)
    assert (test.n_failed, len(test.null_distribution)) == (0, 3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_samples_lie_on_the_grid_of_the_rows(dtype: type) -> None:
    """Otherwise they would be fitted in another way than rounded rows, and tests would be timid."""
    X = np.column_stack([normal_rows(80), normal_rows(80, 1)[:, 0]])
    X[:, 0] = np.round(X[:, 0] * 2.0) / 2.0 + 0.25
    X[:, 1] = np.round(X[:, 1])
    X = X.astype(dtype)
    seen: list[np.ndarray] = []

    def init(rows: np.ndarray, *_: object) -> str:
        seen.append(np.array(rows))
        return "kmeans"

    bootstrap_lrt(X, 1, init=init, n_bootstrap=3, rng=0, n_threads=1, **QUICK)
    samples = [rows for rows in seen if rows.shape == X.shape][2:]
    assert len(samples) == 6
    for rows in samples:
        assert not np.array_equal(rows, X)
        halves, wholes = 2.0 * rows[:, 0] - 0.5, rows[:, 1]
        for on_grid in (halves, wholes):
            np.testing.assert_allclose(on_grid, on_grid.round(), rtol=0, atol=1e-12)
            assert len(np.unique(on_grid)) == len(np.unique(on_grid.round()))  # ties are ties
        assert len(np.unique(rows[:, 2])) > 70  # the grid of continuous rows is fine


def failing_in(X: np.ndarray, fails: Callable[[int], bool]) -> Callable[..., str]:
    """Return a start that fails in some fits of samples, by number, and never for the rows."""
    calls: list[int] = []

    def init(rows: np.ndarray, n_components: int, _: np.random.Generator) -> str:
        calls.append(n_components)
        if not np.shares_memory(rows, X) and fails(len(calls)):
            raise FitError("singular")
        return "mixed"

    return init


def test_samples_that_cannot_be_fitted_are_left_out() -> None:
    X = normal_rows()
    init = failing_in(X, lambda call: call % 4 == 1)
    test = bootstrap_lrt(X, 1, n_bootstrap=6, init=init, rng=0, n_threads=1, **QUICK)
    assert 0 < test.n_failed < 6
    assert len(test.null_distribution) == 6 - test.n_failed
    alone = bootstrap_lrt(X, 1, n_bootstrap=6, rng=0, **QUICK)
    assert set(test.null_distribution) < set(alone.null_distribution)


def test_no_sample_that_can_be_fitted_is_an_error() -> None:
    X = normal_rows()
    with pytest.raises(FitError, match="none of the 2 samples could be fitted"):
        bootstrap_lrt(X, 1, n_bootstrap=2, init=failing_in(X, lambda _: True), rng=0, **QUICK)


def test_rows_that_cannot_be_fitted_are_an_error() -> None:
    X = np.column_stack([normal_rows(), np.ones(60)])
    with pytest.raises(FitError, match="singular covariance"):
        bootstrap_lrt(X, 1, n_bootstrap=2, reg_covar=0, rng=0, **QUICK)


def test_test_of_blocks_is_that_of_their_rows() -> None:
    X = normal_rows()
    whole, blocks = (
        bootstrap_lrt(rows, 1, n_bootstrap=4, rng=0, **QUICK)
        for rows in (X, scan([X[:20], X[20:]]))
    )
    assert blocks.statistic == pytest.approx(whole.statistic, rel=1e-9)
    np.testing.assert_allclose(blocks.null_distribution, whole.null_distribution, rtol=1e-6)


def test_samples_that_are_fitted_leave_the_warning_filters_alone() -> None:
    X, before, during = normal_rows(), list(warnings.filters), []

    def init(*_: object) -> str:
        during.append(list(warnings.filters))
        return "mixed"

    bootstrap_lrt(X, 1, n_bootstrap=4, init=init, rng=0, n_threads=2, **QUICK)
    assert during == [before] * 10
    assert warnings.filters == before


def test_fits_of_the_rows_that_are_not_finished_are_reported() -> None:
    X = clustered(90, 2, 3, spread=1.0)[0]
    with pytest.warns(ConvergenceWarning, match="components used up its 2 iterations") as caught:
        bootstrap_lrt(X, 2, n_bootstrap=2, rng=0, n_init=1, max_iter=2, tol=1e-9)
    assert len(caught) == 2


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"n_components": 0}, ValueError, "n_components must be an integer, 1 or more; got 0"),
        ({"n_bootstrap": 0}, ValueError, "n_bootstrap must be an integer, 1 or more; got 0"),
        ({"covariance_type": "W"}, ValueError, "covariance_type must be one of"),
        ({"n_threads": 0}, ValueError, "n_threads must be an integer, 1 or more"),
        ({"n_components": 4}, ValueError, "X must have at least 5 rows"),
        ({"init": "centre"}, ValueError, "init must be one of 'mixed'"),
        ({"init": np.zeros(4, dtype=int)}, TypeError, "init must be one of 'mixed'"),
    ],
)
def test_argument_that_is_bad_is_refused(
    changed: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        bootstrap_lrt(**({"X": np.eye(4), "n_components": 1} | changed))


def test_rows_with_weights_are_refused() -> None:
    rows = scan([np.zeros((5, 1))], weight=[np.ones(5)])
    with pytest.raises(ValueError, match=r"X must have rows that count once each"):
        bootstrap_lrt(rows, 1)


@pytest.mark.parametrize("kind", ["one", "variances", "matrices", "projected"])
def test_samples_have_the_noise_of_the_rows(kind: str) -> None:
    """Without noise in the samples, a wide scatter of one component would look like two."""
    n, rng = 150, np.random.default_rng(4)
    truth = rng.normal(size=(n, 2))
    size = np.where(rng.random(n) < 0.3, 3.0, 0.1)
    noise = {
        "one": size**2,
        "variances": (size**2)[:, None] * [1.0, 2.0],
        "matrices": (size**2)[:, None, None] * [[1.0, 0.5], [0.5, 1.0]],
        "projected": size**2,
    }[kind]
    matrices = np.broadcast_to(
        noise[:, None, None] * np.eye(2) if noise.ndim == 1
        else noise[:, :, None] * np.eye(2) if noise.ndim == 2
        else noise, (n, 2, 2),
    )  # fmt: skip
    projection = rng.normal(size=(n, 2, 2)) if kind == "projected" else None
    X = truth if projection is None else np.einsum("iab,ib->ia", projection, truth)
    X = X + np.einsum("iab,ib->ia", np.linalg.cholesky(matrices), rng.normal(size=(n, 2)))
    options = {"n_bootstrap": 19, "covariance_type": "spherical", "n_init": 1}
    known = bootstrap_lrt(X, 1, noise_covariance=noise, projection=projection, rng=0, **options)
    assert known.p_value > 0.05
    again = bootstrap_lrt(
        X, 1, noise_covariance=noise, projection=projection, rng=0, n_threads=2, **options
    )
    np.testing.assert_array_equal(again.null_distribution, known.null_distribution)
    if projection is None:
        assert bootstrap_lrt(X, 1, rng=0, **options).p_value == 0.05
