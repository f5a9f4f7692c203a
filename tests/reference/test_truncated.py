"""Normal distributions inside bins: against mpmath, far out, narrow, wide and open."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
from scipy import stats

from mixtura.reference.truncated import Inside, bivariate, univariate
from mixtura.shapes import Floats

INF = math.inf
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(16)


def as_mpf(x: float) -> mpmath.mpf:
    return mpmath.mpf(float(x)) if math.isfinite(x) else mpmath.inf * (1 if x > 0 else -1)


def density(z: mpmath.mpf) -> mpmath.mpf:
    return mpmath.mpf(0) if abs(z) == mpmath.inf else mpmath.npdf(z)


def partial_moments(low: mpmath.mpf, high: mpmath.mpf) -> list[mpmath.mpf]:
    """Integrals of 1, v and v^2 times the normal density, in the tail where it lies."""
    sign = 1
    if low < 0 and low + high < 0:
        low, high, sign = -high, -low, -1

    def above(z: mpmath.mpf) -> mpmath.mpf:
        if abs(z) == mpmath.inf:
            return mpmath.mpf(z < 0)
        return mpmath.erfc(z / mpmath.sqrt(2)) / 2

    def ends(z: mpmath.mpf) -> mpmath.mpf:
        return mpmath.mpf(0) if abs(z) == mpmath.inf else z * density(z)

    total = above(low) - above(high)
    return [total, sign * (density(low) - density(high)), total + ends(low) - ends(high)]


def one(lower: float, width: float) -> Inside:
    return univariate(np.array([lower]), np.array([lower + width]), np.array([width]))


@pytest.mark.parametrize("lower", [-45.0, -40.0, -8.0, -1.0, -0.3, 0.0, 0.2, 3.0, 40.0, 1e4])
@pytest.mark.parametrize(
    "width", [1e-12, 1e-6, 0.01, 0.3, 0.5, 1.0, 1.5, 3.0, 8.0, 18.0, 60.0, INF]
)
def test_interval_has_the_probability_mean_and_variance_of_mpmath(
    lower: float, width: float
) -> None:
    found = one(lower, width)
    with mpmath.workdps(120):
        low, w = as_mpf(lower), as_mpf(width)
        total, first, second = partial_moments(low, low + w)
        mean, log_prob = first / total, mpmath.log(total)
        variance = second / total - mean * mean
    assert found.log_prob[0] == pytest.approx(float(log_prob), rel=1e-14, abs=3e-14)
    assert found.mean[0, 0] == pytest.approx(float(mean), rel=1e-13, abs=1e-13)
    assert found.covariance[0, 0, 0] == pytest.approx(float(variance), rel=1e-11)


def test_interval_mirrored_has_the_same_probability_and_variance() -> None:
    lower = np.array([-3.0, 2.0, 5.0, 40.0, -INF])
    upper = np.array([1.0, 2.5, INF, 41.0, -6.0])
    found = univariate(lower, upper, upper - lower)
    mirrored = univariate(-upper, -lower, upper - lower)
    np.testing.assert_allclose(mirrored.log_prob, found.log_prob, rtol=1e-14)
    np.testing.assert_allclose(mirrored.mean, -found.mean, rtol=1e-13)
    np.testing.assert_allclose(mirrored.covariance, found.covariance, rtol=1e-12)


def test_intervals_side_by_side_sum_to_the_whole_in_any_cut() -> None:
    for edges in (np.linspace(-9, 9, 7), np.linspace(-9, 9, 501)):
        edges[[0, -1]] = -INF, INF
        found = univariate(edges[:-1], edges[1:], np.diff(edges))
        p = np.exp(found.log_prob)
        assert p.sum() == pytest.approx(1.0, abs=1e-14)
        assert p @ found.mean[:, 0] == pytest.approx(0.0, abs=1e-14)
        second = found.covariance[:, 0, 0] + found.mean[:, 0] ** 2
        assert p @ second == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("lower", [1e8, 1e120, 1e200, -1e200])
def test_interval_out_of_all_reach_is_improbable_and_finite(lower: float) -> None:
    found = univariate(np.array([lower]), np.array([lower * (1 + 1e-3 * np.sign(lower))]),
                       np.array([abs(lower) * 1e-3]))  # fmt: skip
    assert found.log_prob[0] < -1e15
    assert np.isfinite(found.mean).all()
    assert found.covariance[0, 0, 0] >= 0.0


def rectangle(a: float, b: float, c: float, d: float, slope: float) -> Inside:
    lower, upper = np.array([[a, c]]), np.array([[b, d]])
    return bivariate(lower, upper, upper - lower, slope)


def exact_rectangle(a: float, b: float, c: float, d: float, slope: float) -> list[float]:
    """Log-probability, means, variances and covariance: exact over v, pieces by Gauss over t."""
    with mpmath.workdps(40):
        a, b, c, d, k = map(as_mpf, (a, b, c, d, slope))
        outer = min(max(mpmath.mpf(0), c), d)
        near = min(max(k * outer / (1 + k * k), a), b)
        far = k * near - min(max(k * near, c), d)
        scale = (near**2 + far**2) / 2
        unit = min(1, 1 / (1 + abs(near) + abs(k) * (1 + abs(far))))
        steps = [unit * s for s in (0.5, 1, 2, 4, 6, 8, 12, 16, 20, 25, 30, 35, 40, 50)]
        cuts = {max(a, near - 14), min(b, near + 14), near}
        cuts |= {near + sign * step for step in steps for sign in (-1, 1)}
        cuts |= {near + s / mpmath.mpf(2) for s in range(-28, 29)}
        if k:
            cuts |= {(e + s) / k for e in (c, d) if abs(e) != mpmath.inf for s in range(-10, 11)}
        inside = sorted(t for t in cuts if max(a, near - 14) <= t <= min(b, near + 14))
        sums = [mpmath.mpf(0)] * 6

        def negligible(t: mpmath.mpf) -> bool:
            outside = k * t - min(max(k * t, c), d)
            return (t**2 + outside**2) / 2 - scale > 60

        for start, end in itertools.pairwise(inside):
            if negligible(start) and negligible(end) and not start < near < end:
                continue
            for x, w in zip(POINTS, WEIGHTS, strict=True):
                t = start + (end - start) * (1 + mpmath.mpf(x)) / 2
                p, v, vv = partial_moments(c - k * t, d - k * t)
                y, yy = k * t * p + v, (k * t) ** 2 * p + 2 * k * t * v + vv
                factor = w * (end - start) / 2 * density(t) * mpmath.exp(scale)
                parts = (p, t * p, y, t * t * p, t * y, yy)
                sums = [s + factor * part for s, part in zip(sums, parts, strict=True)]
        p, t, y, tt, ty, yy = sums
        t, y = t / p, y / p
        return [
            float(each)
            for each in (
                mpmath.log(p) - scale,
                t,
                y,
                tt / p - t * t,
                ty / p - t * y,
                yy / p - y * y,
            )
        ]


SLOPES = [0.5, -2.06, 70.0]  # correlations of 0.45, -0.9 and 0.9999


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize(
    "box",
    [
        (-1, 1, -1, 1),
        (-0.1, 0.2, 0.1, 0.35),
        (-INF, INF, -1, 2),
        (-INF, 0, -INF, 0),
        (0, INF, -INF, 0),
        (2, 3, -4, -3.5),
        (38, 40, 38, 40),
        (8, 9, -9, -8),
        (-INF, -6, 5, INF),
        (-3, 3, -60, 60),
        (1, 1.5, 60, 61),
        (-INF, INF, -INF, -15),
    ],
    ids=str,
)
def test_rectangle_has_the_probability_means_and_covariances_of_mpmath(
    box: tuple[float, float, float, float], slope: float
) -> None:
    found = rectangle(*box, slope)
    log_prob, t, y, tt, ty, yy = exact_rectangle(*box, slope)
    assert found.log_prob[0] == pytest.approx(log_prob, rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(found.mean[0], [t, y], rtol=1e-11, atol=1e-11)
    rounding = 4.0 * np.finfo(float).eps * abs(slope * t)  # of the second variable
    size = math.sqrt(tt * yy)
    assert found.covariance[0, 0, 0] == pytest.approx(tt, rel=1e-10)
    assert found.covariance[0, 1, 1] == pytest.approx(yy, rel=1e-10)
    assert found.covariance[0, 0, 1] == pytest.approx(
        ty, abs=1e-10 * size + math.sqrt(tt) * rounding
    )
    assert found.covariance[0, 1, 0] == found.covariance[0, 0, 1]


def test_rectangle_of_independent_variables_is_a_product() -> None:
    rng = np.random.default_rng(0)
    lower = rng.normal(size=(200, 2)) * [[1.0, 6.0]]
    width = np.exp(rng.normal(size=(200, 2)) * 2)
    both = bivariate(lower, lower + width, width, 0.0)
    x, y = (univariate(lower[:, a], lower[:, a] + width[:, a], width[:, a]) for a in (0, 1))
    np.testing.assert_allclose(both.log_prob, x.log_prob + y.log_prob, rtol=1e-13, atol=1e-13)
    for a, alone in enumerate((x, y)):
        np.testing.assert_allclose(both.mean[:, a], alone.mean[:, 0], rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(both.covariance[:, a, a], alone.covariance[:, 0, 0], rtol=1e-11)
    np.testing.assert_allclose(both.covariance[:, 0, 1], 0.0, atol=1e-12)


@pytest.mark.parametrize("correlation", [0.3, -0.9, 0.999])
def test_quadrants_and_rectangles_have_the_probability_of_scipy(correlation: float) -> None:
    slope = correlation / math.sqrt(1 - correlation**2)
    covariance = [[1.0, correlation], [correlation, 1.0]]
    points = np.random.default_rng(1).normal(size=(20, 2))
    scaled = points / [1.0, math.sqrt(1 - correlation**2)]
    lower = np.full(points.shape, -INF)
    found = bivariate(lower, scaled, scaled - lower, slope)
    normal = stats.multivariate_normal(cov=covariance, abseps=1e-12, releps=1e-12)
    np.testing.assert_allclose(np.exp(found.log_prob), normal.cdf(points), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("slope", [0.3, -3.0, 22.3])
def test_rectangles_side_by_side_sum_to_the_whole(slope: float) -> None:
    deviation = math.hypot(1.0, slope)
    x, y = np.linspace(-4, 4, 12), deviation * np.linspace(-4, 4, 9)
    x[[0, -1]] = y[[0, -1]] = -INF, INF
    i, j = map(np.ravel, np.indices((11, 8)))
    lower = np.column_stack([x[i], y[j]])
    upper = np.column_stack([x[i + 1], y[j + 1]])
    found = bivariate(lower, upper, upper - lower, slope)
    p = np.exp(found.log_prob)
    second: Floats = found.covariance + found.mean[:, :, None] * found.mean[:, None]
    expected = [[1.0, slope], [slope, deviation**2]]
    assert p.sum() == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_allclose(p @ found.mean, 0.0, atol=1e-12)
    np.testing.assert_allclose(np.einsum("b,bac->ac", p, second), expected, rtol=1e-11)


def test_rectangle_narrow_in_one_feature_is_an_interval_of_the_other() -> None:
    """Given t = 1, the second variable is slope + v."""
    slope, width = 2.0, 1e-9
    both = bivariate(
        np.array([[1.0, 1.0]]), np.array([[1.0 + width, INF]]), np.array([[width, INF]]), slope
    )
    inner = one(1.0 - slope, INF)
    log_prob = math.log(width) + stats.norm.logpdf(1.0) + inner.log_prob[0]
    assert both.log_prob[0] == pytest.approx(log_prob, abs=1e-8)
    assert both.mean[0, 1] == pytest.approx(slope + inner.mean[0, 0], abs=1e-8)
    assert both.covariance[0, 1, 1] == pytest.approx(inner.covariance[0, 0, 0], rel=1e-8)
    assert both.covariance[0, 0, 0] == pytest.approx(width**2 / 12, rel=1e-6)
