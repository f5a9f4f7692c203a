"""What weights mean, everywhere: repeated rows, absent rows, and nothing but ratios."""

import math

import mpmath
import numpy as np
import pytest
from clusters import assert_same_fit, clustered, maximised
from helpers import COVARIANCE_TYPES
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtura import GaussianMixture, fit_gmm, fit_kmeans, kernels, reference
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.shapes import Floats

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
AUTOMATIC = ["kmeans++", "kmeans", "random"]
CRITERIA = ["log_likelihood", "aic", "bic", "icl"]
ITERATIONS = {"tol": 0.0, "max_iter": 6, "n_init": 3}
NONSENSE = [1e300, -1.7e308, 5e-324, 1e-300]


def problem(seed: int) -> tuple[Floats, np.ndarray, np.ndarray]:
    """Rows of a few clusters, their labels, and how often each is repeated."""
    rng = np.random.default_rng(seed)
    X, labels = clustered(int(rng.integers(20, 60)), int(rng.integers(1, 4)), 3, seed=seed)
    times = rng.integers(0, 4, size=len(X))
    times[:3] += 1  # a row of each cluster, for the starts from labels
    return X, labels, times


def begin(init: str, labels: np.ndarray, mixture: GaussianMixture) -> object:
    resp = 0.8 * np.eye(3)[labels] + 0.2 / 3
    return {"labels": labels, "resp": resp, "mixture": mixture}.get(init, init)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    covariance_type=st.sampled_from(COVARIANCE_TYPES),
    init=st.sampled_from([*AUTOMATIC, "labels", "resp", "mixture"]),
)
def test_integer_weights_are_repeated_rows(seed: int, covariance_type: str, init: str) -> None:
    X, labels, times = problem(seed)
    repeated, labels_repeated = np.repeat(X, times, axis=0), np.repeat(labels, times)
    mixture = maximised(X, 0.8 * np.eye(3)[labels] + 0.2 / 3, covariance_type)
    options = {"covariance_type": covariance_type, "rng": seed, "reg_covar": 1e-3} | ITERATIONS
    one = fit_gmm(X, 3, sample_weight=times, init=begin(init, labels, mixture), **options)
    other = fit_gmm(repeated, 3, init=begin(init, labels_repeated, mixture), **options)
    assert_same_fit(one, other, repeated)
    for criterion in CRITERIA:
        of_weighted = getattr(one.model, criterion)(X, times)
        assert of_weighted == pytest.approx(getattr(one.model, criterion)(repeated), rel=1e-12)


@every_type
@pytest.mark.parametrize("d", [1, 2])
def test_integer_weights_are_repeated_rows_to_the_moves_of_a_search(
    d: int, covariance_type: str
) -> None:
    """With more components than clusters, moves decide where a fit ends."""
    for seed in (5, 8, 9):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(70, d))
        X[:30, 0] += 3.0
        times = rng.integers(0, 4, size=len(X))
        options = {"covariance_type": covariance_type, "rng": seed}
        one = fit_gmm(X, 4, sample_weight=times, **options)
        other = fit_gmm(np.repeat(X, times, axis=0), 4, **options)
        assert one.search is not None
        assert one.search.n_moves > 0
        assert one.history[-1] == pytest.approx(other.history[-1], abs=1e-4)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    covariance_type=st.sampled_from(COVARIANCE_TYPES),
    init=st.sampled_from(AUTOMATIC),
    exponent=st.integers(-300, 300),
)
def test_weights_in_other_units_change_nothing_but_totals(
    seed: int, covariance_type: str, init: str, exponent: int
) -> None:
    """Powers of two, so that not even rounding tells them apart.

    Which components have few rows depends on the total: weights above one are rows repeated.
    """
    X, _, times = problem(seed)
    unit = 2.0**exponent
    options = {"covariance_type": covariance_type, "init": init, "rng": seed} | ITERATIONS
    options["avoid_spurious"] = False
    one = fit_gmm(X, 3, sample_weight=times, **options)
    other = fit_gmm(X, 3, sample_weight=times * unit, **options)
    assert other.model == one.model
    assert other.events == one.events
    np.testing.assert_array_equal(other.history, one.history)
    assert other.log_likelihood == one.log_likelihood * unit
    total = one.model.log_likelihood(X, times)
    assert one.model.log_likelihood(X, times * unit) == total * unit
    clusters, same = (
        fit_kmeans(X, 3, sample_weight=weight, init="random", rng=seed)
        for weight in (times, times * unit)
    )
    np.testing.assert_array_equal(same.centers, clusters.centers)
    assert same.inertia == clusters.inertia * unit


@pytest.mark.parametrize("covariance_type", CELEUX_GOVAERT)
@pytest.mark.parametrize("accelerate", [False, True])
def test_weights_in_other_units_change_no_bit_of_any_family(
    covariance_type: str, accelerate: bool
) -> None:
    X, labels = clustered(200, 3, 3, spread=1.5)
    times = np.random.default_rng(1).integers(0, 4, size=len(X)).astype(float)
    options = {"covariance_type": covariance_type, "init": labels, "accelerate": accelerate}
    options |= {"tol": 1e-6} if accelerate else {"tol": 0.0, "max_iter": 12}
    one = fit_gmm(X, 3, sample_weight=times, **options)
    for exponent in (-200, -41, -3, 1, 17):
        other = fit_gmm(X, 3, sample_weight=times * 2.0**exponent, **options)
        assert other.model == one.model
        np.testing.assert_array_equal(other.history, one.history)


@every_type
@pytest.mark.parametrize("init", AUTOMATIC)
@pytest.mark.parametrize("nonsense", NONSENSE)
def test_row_of_weight_zero_is_absent_whatever_it_holds(
    nonsense: float, init: str, covariance_type: str
) -> None:
    X, _, times = problem(4)
    absent = times == 0
    X[absent] = nonsense
    weight = times.astype(float)
    options = {"covariance_type": covariance_type, "init": init, "rng": 0} | ITERATIONS
    one = fit_gmm(X, 3, sample_weight=weight, **options)
    other = fit_gmm(X[~absent], 3, sample_weight=weight[~absent], **options)
    assert_same_fit(one, other, X[~absent])
    for criterion in CRITERIA:
        of_all = getattr(one.model, criterion)(X, weight)
        of_present = getattr(one.model, criterion)(X[~absent], weight[~absent])
        assert of_all == pytest.approx(of_present, rel=1e-13)


@pytest.mark.parametrize("init", ["kmeans++", "random", "centers"])
@pytest.mark.parametrize("nonsense", NONSENSE)
def test_row_of_weight_zero_is_absent_from_kmeans(nonsense: float, init: str) -> None:
    X, _, times = problem(4)
    absent = times == 0
    start = X[:3].copy() if init == "centers" else init
    X[absent] = nonsense
    one = fit_kmeans(X, 3, sample_weight=times, init=start, rng=0)
    other = fit_kmeans(X[~absent], 3, sample_weight=times[~absent], init=start, rng=0)
    np.testing.assert_allclose(one.centers, other.centers, rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(one.labels[~absent], other.labels)
    assert one.inertia == pytest.approx(other.inertia, rel=1e-13)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), init=st.sampled_from(["kmeans++", "random"]))
def test_integer_weights_are_repeated_rows_to_kmeans(seed: int, init: str) -> None:
    X, _, times = problem(seed)
    repeated = np.repeat(X, times, axis=0)
    one = fit_kmeans(X, 3, sample_weight=times, init=init, rng=seed, tol=0.0)
    other = fit_kmeans(repeated, 3, init=init, rng=seed, tol=0.0)
    np.testing.assert_array_equal(np.repeat(one.labels, times), other.labels)
    np.testing.assert_allclose(one.centers, other.centers, rtol=1e-12, atol=1e-13)
    assert one.inertia == pytest.approx(other.inertia, rel=1e-12)


def test_integer_weights_of_many_rows_start_as_repeated_rows_do() -> None:
    """Both are more than a start looks at, and the same rows are drawn of either."""
    X = clustered(40_000, 2, 3, spread=6.0)[0]
    times = np.random.default_rng(0).integers(1, 4, size=len(X))
    one, other = (
        fit_gmm(rows, 3, sample_weight=weight, rng=0)
        for rows, weight in ((X, times), (np.repeat(X, times, axis=0), None))
    )
    np.testing.assert_allclose(np.sort(one.model.weights), np.sort(other.model.weights), rtol=1e-3)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-6)


# Tiny and huge weights together


def exact_statistics(
    X: Floats, weight: Floats, shares: Floats, means: Floats
) -> tuple[list[mpmath.mpf], list[mpmath.mpf], mpmath.mpf]:
    """Total weight and weighted sum of each component, and the log-likelihood; unit variances."""
    with mpmath.workdps(60):
        sums, firsts = [mpmath.mpf(0)] * len(means), [mpmath.mpf(0)] * len(means)
        log_likelihood = mpmath.mpf(0)
        for x, w in zip(X[:, 0], weight, strict=True):
            joint = [
                mpmath.mpf(share) * mpmath.npdf(mpmath.mpf(x), mpmath.mpf(mean))
                for share, mean in zip(shares, means[:, 0], strict=True)
            ]
            density = mpmath.fsum(joint)
            log_likelihood += mpmath.mpf(w) * mpmath.log(density)
            for j, part in enumerate(joint):
                sums[j] += mpmath.mpf(w) * part / density
                firsts[j] += mpmath.mpf(w) * part / density * (mpmath.mpf(x) - means[j, 0])
        return sums, firsts, log_likelihood


@pytest.mark.parametrize("backend", [kernels, reference])
@pytest.mark.parametrize("ratio", [1.0, 1e6, 1e12])
def test_tiny_and_huge_weights_together_keep_their_accuracy(backend: object, ratio: float) -> None:
    """A component of light rows beside one of heavy rows, against 60 digits."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(40, 1)), 6.0 + rng.normal(size=(40, 1))])
    weight = np.repeat([1.0 / math.sqrt(ratio), math.sqrt(ratio)], 40)
    shares, means = np.array([1.0, ratio]) / (1.0 + ratio), np.array([[0.0], [6.0]])
    statistics = backend.accumulate(
        X, shares, means, [1.0, 1.0], covariance_type="spherical", sample_weight=weight
    )
    sums, firsts, log_likelihood = exact_statistics(X, weight, shares, means)
    for j in range(2):
        assert statistics.resp_sum[j] == pytest.approx(float(sums[j]), rel=1e-9)
        assert statistics.resp_x[j, 0] == pytest.approx(float(firsts[j]), rel=1e-8)
    assert statistics.log_likelihood == pytest.approx(float(log_likelihood), rel=1e-13)
    assert statistics.weight_sum == pytest.approx(math.fsum(weight), rel=1e-15)


@every_type
def test_fit_of_tiny_and_huge_weights_keeps_the_light_component(covariance_type: str) -> None:
    """Clusters so far apart that the labels are where EM ends."""
    labels = np.repeat(np.arange(3), 100)
    X = np.random.default_rng(0).uniform(size=(300, 2)) + 50.0 * labels[:, None]
    weight = np.array([1e-30, 1.0, 1e30])[labels]
    fit = fit_gmm(
        X, 3, sample_weight=weight, covariance_type=covariance_type, init=labels, reg_covar=0.0
    )
    expected = maximised(X, np.eye(3)[labels], covariance_type, weight)
    np.testing.assert_allclose(fit.model.weights, expected.weights, rtol=1e-12)
    np.testing.assert_allclose(fit.model.means, expected.means, rtol=1e-12)
    np.testing.assert_allclose(fit.model.covariances, expected.covariances, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(
        fit.log_likelihood, math.fsum(weight * fit.model.log_prob(X)), rtol=1e-13
    )
