"""cdf, quantile and boundaries of one feature: scipy.stats, mpmath at hard points, predictions."""

import itertools
import re

import mpmath
import numpy as np
import pytest
from helpers import EPS
from scipy import stats

from mixtura import GaussianMixture
from mixtura.shapes import Floats

mpmath.mp.dps = 50

MIXTURES = {
    "one": ([1.0], [3.0], [4.0]),
    "two": ([0.3, 0.7], [0.0, 4.0], [1.0, 2.0]),
    "equal variances": ([0.2, 0.5, 0.3], [-3.0, 0.0, 1.0], [1.5, 1.5, 1.5]),
    "nearly equal variances": ([0.4, 0.6], [0.0, 1.0], [1.0, 1.0 + 1e-13]),
    "nested": ([0.5, 0.5], [0.0, 0.1], [1.0, 100.0]),
    "dominated": ([0.98, 0.02], [0.0, 0.1], [1.0, 0.9]),
    "far apart": ([0.5, 0.5], [0.0, 1e6], [1e-4, 1.0]),
    "offset": ([0.5, 0.5], [1e8, 1e8 + 3.0], [1.0, 2.0]),
    "small": ([0.5, 0.5], [1e-150, 3e-150], [1e-300, 2e-300]),
    "weight zero": ([0.0, 0.4, 0.6], [0.0, 1.0, 5.0], [1e4, 1.0, 2.0]),
}
each_mixture = pytest.mark.parametrize("name", MIXTURES)


def mixture_of(weights: object, means: object, variances: object) -> GaussianMixture:
    return GaussianMixture(weights, np.reshape(means, (-1, 1)), variances, "spherical")


def exact_cdf(model: GaussianMixture, x: float, *, upper: bool = False) -> mpmath.mpf:
    sign = 1 if upper else -1
    return sum(
        mpmath.mpf(w) / 2 * mpmath.erfc(sign * (mpmath.mpf(x) - m) / mpmath.sqrt(2 * mpmath.mpf(v)))
        for w, m, v in zip(model.weights, model.means[:, 0], model.covariances, strict=True)
    )


def points_of(model: GaussianMixture) -> Floats:
    z = np.array([-30.0, -5.0, -1.0, -0.1, 0.0, 0.7, 3.0, 30.0])
    return np.unique(model.means + np.sqrt(model.covariances)[:, None] * z)


@each_mixture
def test_cdf_equals_scipy_and_mpmath_in_both_tails(name: str) -> None:
    model = mixture_of(*MIXTURES[name])
    x = points_of(model)
    expected = sum(
        w * stats.norm(m, np.sqrt(v)).cdf(x) for w, m, v in zip(*MIXTURES[name], strict=True)
    )
    np.testing.assert_allclose(model.cdf(x), expected, rtol=1e-13)
    for point, below, above in zip(x, model.cdf(x), model.cdf(x, upper=True), strict=True):
        for got, upper in ((below, False), (above, True)):
            exact = exact_cdf(model, point, upper=upper)
            assert exact < 1e-300 or abs(got / exact - 1) < 1e-11
    assert model.cdf([-np.inf, np.inf]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("covariance_type", "covariances"),
    [
        ("full", [[[1.0]], [[4.0]]]),
        ("diag", [[1.0], [4.0]]),
        ("spherical", [1.0, 4.0]),
        ("V", [[[1.0]], [[4.0]]]),
        ("tied", [[4.0]]),
        ("E", [[4.0]]),
    ],
)
def test_cdf_of_every_covariance_type_is_that_of_its_variances(
    covariance_type: str, covariances: object
) -> None:
    model = GaussianMixture([0.5, 0.5], [[0.0], [1.0]], covariances, covariance_type)
    first = 2.0 if covariance_type in ("tied", "E") else 1.0
    expected = 0.5 * stats.norm(0.0, first).cdf(0.3) + 0.5 * stats.norm(1.0, 2.0).cdf(0.3)
    assert model.cdf(0.3) == pytest.approx(expected, rel=1e-14)


def test_cdf_keeps_the_shape_of_the_points() -> None:
    model = mixture_of(*MIXTURES["two"])
    assert np.shape(model.cdf(0.0)) == np.shape(model.quantile(0.5)) == ()
    assert model.cdf([[0.0], [1.0]]).shape == model.quantile([[0.1], [0.2]]).shape == (2, 1)
    assert model.cdf([]).shape == model.quantile([]).shape == (0,)
    assert model.cdf(np.zeros(3, dtype=np.float32)).dtype == np.float64


TAILS = [5e-324, 1e-300, 1e-100, 1e-16, 1e-5, 0.1, 0.25, 0.5]


@each_mixture
@pytest.mark.parametrize("upper", [False, True])
def test_quantile_has_the_probability_asked_for(name: str, upper: bool) -> None:
    model = mixture_of(*MIXTURES[name])
    p = np.array([*TAILS, 0.75, 0.9, 1.0 - 1e-10])
    x = model.quantile(p, upper=upper)
    smallest = np.sqrt(model.covariances[model.weights > 0.0].min())
    for probability, point in zip(p, x, strict=True):
        reach = 8 * np.finfo(float).eps * max(abs(point), smallest)
        ends = [exact_cdf(model, end, upper=upper) for end in (point - reach, point + reach)]
        rounding = 4e-16 * probability + (5e-324 if probability < 1e-300 else 0.0)
        assert min(ends) - rounding <= probability <= max(ends) + rounding


def test_quantile_of_zero_and_one_is_infinite() -> None:
    model = mixture_of(*MIXTURES["two"])
    assert model.quantile([0.0, 1.0]).tolist() == [-np.inf, np.inf]
    assert model.quantile([0.0, 1.0], upper=True).tolist() == [np.inf, -np.inf]


def test_quantile_of_one_component_equals_scipy() -> None:
    p = np.array([*TAILS[1:], 0.6, 0.999])
    expected = stats.norm(3.0, 2.0)
    model = mixture_of(*MIXTURES["one"])
    np.testing.assert_allclose(model.quantile(p), expected.ppf(p), rtol=1e-13)
    np.testing.assert_allclose(model.quantile(p, upper=True), expected.isf(p), rtol=1e-13)


def test_quantile_inverts_cdf_of_many_points() -> None:
    rng = np.random.default_rng(0)
    for k in (2, 5, 30):
        model = mixture_of(rng.dirichlet(np.ones(k)), rng.normal(0, 5, k), rng.gamma(1, 1, k))
        p = np.linspace(0.001, 0.999, 500)
        x = model.quantile(p)
        assert (np.diff(x) > 0.0).all()
        np.testing.assert_allclose(model.cdf(x), p, rtol=1e-13)


@each_mixture
def test_boundaries_are_where_predictions_change(name: str) -> None:
    model = mixture_of(*MIXTURES[name])
    assert_boundaries(model)


def assert_boundaries(model: GaussianMixture) -> None:
    thresholds, components = model.boundaries()
    assert len(components) == len(thresholds) + 1
    assert (np.diff(thresholds) > 0.0).all()
    assert (np.diff(components) != 0).all()
    joint = model.component_log_prob(thresholds[:, None])
    steepest = np.abs((thresholds[:, None] - model.means.T) / model.covariances).max(axis=1)
    moved = 4 * EPS * np.abs(thresholds) * steepest
    for values, off, (left, right) in zip(
        joint, moved, itertools.pairwise(components), strict=True
    ):
        size = 1e-12 * (1.0 + np.abs(values[left])) + off
        assert abs(values[left] - values[right]) <= size
        assert max(values) <= values[left] + size
    deviation = np.sqrt(model.covariances.max())
    ends = [thresholds[:1] - deviation, thresholds[-1:] + deviation]
    edges = np.concatenate([ends[0], thresholds, ends[1]]) if len(thresholds) else np.zeros(0)
    middles = 0.5 * edges[1:] + 0.5 * edges[:-1]
    if len(thresholds):
        np.testing.assert_array_equal(model.predict(middles[:, None]), components)
        x = np.linspace(edges[0], edges[-1], 2001)
        far = np.abs(x[:, None] - thresholds).min(axis=1) > 1e-7 * np.ptp(edges)
        expected = components[np.searchsorted(thresholds, x[far])]
        np.testing.assert_array_equal(model.predict(x[far][:, None]), expected)
    else:
        assert set(model.predict(points_of(model)[:, None])) == {components[0]}


@pytest.mark.parametrize("seed", range(30))
def test_boundaries_of_random_mixtures_are_where_predictions_change(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 9))
    variances = rng.gamma(0.5, 1.0, k) + 1e-3 if seed % 3 else np.full(k, 0.7)
    assert_boundaries(mixture_of(rng.dirichlet(np.ones(k)), rng.normal(0, 2, k), variances))


def test_boundaries_of_nested_components_are_the_roots_of_the_quadratic() -> None:
    thresholds, components = mixture_of([0.5, 0.5], [0.0, 0.0], [1.0, 4.0]).boundaries()
    expected = np.sqrt(8.0 / 3.0 * np.log(2.0))
    np.testing.assert_allclose(thresholds, [-expected, expected], rtol=1e-15)
    assert components.tolist() == [1, 0, 1]


def test_boundaries_of_equal_variances_are_midpoints_shifted_by_the_weights() -> None:
    thresholds, components = mixture_of([0.2, 0.8], [4.0, 0.0], [2.0, 2.0]).boundaries()
    np.testing.assert_allclose(thresholds, [2.0 + 0.5 * np.log(4.0)], rtol=1e-15)
    assert components.tolist() == [1, 0]
    for nearly in (1e-15, 1e-12, 1e-9):
        model = mixture_of([0.2, 0.8], [4.0, 0.0], [2.0, 2.0 * (1.0 + nearly)])
        inside = np.abs(model.boundaries()[0] - thresholds[0]) < 10 * nearly
        assert inside.sum() == 1  # the other root is far outside


def test_boundaries_at_a_triple_point_leave_out_the_component_of_no_length() -> None:
    model = mixture_of([0.25, 0.5, 0.25], [-1.0, 0.0, 1.0], [1.0, 1.0, 1.0])
    height = np.exp(0.5)  # of the middle one, at which all three cross at zero
    weights = np.array([1.0, 1.0 / height, 1.0])
    touching = mixture_of(weights / weights.sum(), [-1.0, 0.0, 1.0], [1.0, 1.0, 1.0])
    thresholds, components = touching.boundaries()
    np.testing.assert_allclose(thresholds[[0, -1]], 0.0, atol=1e-15)
    assert (components[0], components[-1]) == (0, 2)
    assert model.boundaries()[1].tolist() == [0, 1, 2]


def test_identical_components_have_no_boundary() -> None:
    thresholds, components = mixture_of([0.5, 0.5], [0.0, 0.0], [1.0, 1.0]).boundaries()
    assert (thresholds.shape, components.tolist()) == ((0,), [0])


@pytest.mark.parametrize("question", ["cdf", "quantile", "boundaries"])
def test_question_of_one_feature_to_more_is_refused(question: str) -> None:
    model = GaussianMixture([1.0], [[0.0, 0.0, 0.0]], [1.0], "spherical")
    arguments = [] if question == "boundaries" else [0.5]
    message = (
        f"{question} is for mixtures of one feature; this one has 3. Fit a mixture to one feature "
        f"alone, or make one of its means and variances."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        getattr(model, question)(*arguments)


def test_points_and_probabilities_that_are_none_are_refused() -> None:
    model = mixture_of(*MIXTURES["two"])
    with pytest.raises(ValueError, match=r"^x must not be NaN\. Drop the points, or fill in"):
        model.cdf([0.0, np.nan])
    with pytest.raises(TypeError, match="x must hold real numbers"):
        model.cdf("a")
    for wrong in (50, -0.1, np.nan):
        message = f"p must be probabilities from 0 to 1; got {float(wrong)}. Divide percentages"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            model.quantile(wrong)
