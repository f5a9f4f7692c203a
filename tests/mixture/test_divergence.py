"""Divergence of mixtures: closed form by mpmath, the others by quadrature and plain loops."""

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from mixtures import make, random_parameters
from scipy.integrate import quad

from mixtura import GaussianMixture, fit_gmm
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.mixture.divergence import METHODS, Divergence, gaussian_divergences
from mixtura.shapes import SHAPE_NAMES, Floats

each_method = pytest.mark.parametrize("method", METHODS)


def one_feature(seed: int, k: int) -> GaussianMixture:
    rng = np.random.default_rng(seed)
    return GaussianMixture(
        rng.dirichlet(np.full(k, 3.0)), 2.0 * rng.normal(size=(k, 1)), rng.uniform(0.2, 2.0, k),
        "spherical",
    )  # fmt: skip


PAIRS = [(one_feature(s, 1 + s % 4), one_feature(100 + s, 1 + (s + 1) % 3)) for s in range(8)]
each_pair = pytest.mark.parametrize(("f", "g"), PAIRS)


def density(mixture: GaussianMixture) -> Callable[[float], float]:
    """Written out, of one feature."""
    parts = list(zip(mixture.weights, mixture.means[:, 0], mixture.covariances, strict=True))
    return lambda x: sum(
        w * math.exp(-0.5 * (x - m) ** 2 / v) / math.sqrt(2 * math.pi * v) for w, m, v in parts
    )


def expectation(
    f: GaussianMixture, g: GaussianMixture, of: Callable[[float], float] = float
) -> float:
    """Of a function of log f(x) - log g(x), over f, by quadrature."""
    p, q = density(f), density(g)
    points = np.concatenate([f.means[:, 0], g.means[:, 0]])
    value, _ = quad(
        lambda x: p(x) * of(math.log(p(x) / q(x))),
        points.min() - 14, points.max() + 14, points=np.unique(points), limit=500, epsabs=1e-11,
    )  # fmt: skip
    return float(value)


def textbook(mean: Floats, C: Floats, other: Floats, G: Floats) -> float:
    """The formula of traces and determinants, in 60 digits."""
    with mpmath.workdps(60):
        C, G = mpmath.matrix(C), mpmath.matrix(G)
        z = mpmath.matrix(other) - mpmath.matrix(mean)
        inverse = mpmath.inverse(G)
        product = inverse * C
        trace = sum(product[a, a] for a in range(len(z)))
        ratio = mpmath.log(mpmath.det(G) / mpmath.det(C))
        return float((trace - len(z) + ratio + (z.T * inverse * z)[0]) / 2)


@pytest.mark.parametrize("two", SHAPE_NAMES)
@pytest.mark.parametrize("one", SHAPE_NAMES)
def test_divergences_of_gaussians_of_any_shapes_are_those_of_the_textbook(
    one: str, two: str
) -> None:
    p, q = random_parameters(one, 2, 4, 0), random_parameters(two, 3, 4, 1)
    found = gaussian_divergences(p, q)
    assert found.shape == (2, 3)
    for a in range(2):
        for b in range(3):
            expected = textbook(p.means[a], p.covariance(a), q.means[b], q.covariance(b))
            assert found[a, b] == pytest.approx(expected, rel=1e-12)


@each_method
def test_single_gaussians_are_exact_by_any_method(method: str) -> None:
    f = GaussianMixture([1.0], [[1.0, 2.0]], [[[2.0, 0.5], [0.5, 1.0]]])
    g = GaussianMixture([0.0, 1.0], [[9.0, 9.0], [0.0, 1.0]], [[1.0, 1.0], [3.0, 0.5]], "diag")
    expected = textbook(f.means[0], f.covariances[0], g.means[1], np.diag(g.covariances[1]))
    found = f.kl_divergence(g, method)
    assert found == (pytest.approx(expected, rel=1e-13), 0.0)
    assert isinstance(found, Divergence)


def test_divergence_of_nearly_equal_gaussians_keeps_its_digits() -> None:
    """The textbook's formula in float64 has none left: 1e-16 is the rounding of its terms."""
    correlated = np.array([[1.0, 0.5], [0.5, 2.0]])
    near = correlated + 1e-7 * np.array([[1.0, -2.0], [-2.0, 0.5]])
    f = GaussianMixture([1.0], [[0.0, 0.0]], [correlated])
    g = GaussianMixture([1.0], [[1e-8, -2e-8]], [near])
    expected = textbook(f.means[0], f.covariances[0], g.means[0], g.covariances[0])
    assert expected < 1e-13
    assert f.kl_divergence(g).value == pytest.approx(expected, rel=1e-6)
    assert f.kl_divergence(f).value == 0.0


@each_method
@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_units_of_features_do_not_matter(method: str, covariance_type: str) -> None:
    unit = np.array([1e-8, 1e8])

    def scaled(mixture: GaussianMixture) -> GaussianMixture:
        square = np.outer(unit, unit) if covariance_type == "full" else unit**2
        return GaussianMixture(
            mixture.weights, mixture.means * unit, mixture.covariances * square, covariance_type
        )

    f = make(covariance_type)
    g = make(covariance_type, weights=[0.4, 0.2, 0.4], means=f.means + np.array([0.3, -0.2]))
    expected, found = (
        one.kl_divergence(other, method, n_samples=1000, rng=0)
        for one, other in ((f, g), (scaled(f), scaled(g)))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_offset_does_not_matter() -> None:
    f, g = make(), make(means=make().means + np.array([0.5, -0.25]))
    away = [make(means=each.means + 2.0**27) for each in (f, g)]
    for method in ("matched", "variational", "upper"):
        assert away[0].kl_divergence(away[1], method) == f.kl_divergence(g, method)


@each_pair
def test_estimate_from_draws_is_within_five_standard_errors_of_quadrature(
    f: GaussianMixture, g: GaussianMixture
) -> None:
    expected = expectation(f, g)
    value, error = f.kl_divergence(g, n_samples=20_000, rng=0)
    if f.n_components == g.n_components == 1:
        assert (value, error) == (pytest.approx(expected, rel=1e-9), 0.0)
    else:
        variance = expectation(f, g, lambda r: (r - expected) ** 2)
        assert error == pytest.approx(math.sqrt(variance / 20_000), rel=0.2)
        assert abs(value - expected) < 5.0 * error


@each_pair
def test_upper_bound_is_above_quadrature(f: GaussianMixture, g: GaussianMixture) -> None:
    value, error = f.kl_divergence(g, "upper")
    assert value >= expectation(f, g) - 1e-9
    assert error == 0.0


@each_pair
def test_matched_and_variational_are_their_definitions(
    f: GaussianMixture, g: GaussianMixture
) -> None:
    def single(one: GaussianMixture, a: int, other: GaussianMixture, b: int) -> float:
        v, w = one.covariances[a], other.covariances[b]
        z = one.means[a, 0] - other.means[b, 0]
        return float(0.5 * (v / w + z * z / w - 1.0 + math.log(w / v)))

    matched = variational = 0.0
    for a, p in enumerate(f.weights):
        to_g = [single(f, a, g, b) for b in range(g.n_components)]
        to_f = [single(f, a, f, c) for c in range(f.n_components)]
        best = min(range(g.n_components), key=lambda b: to_g[b] - math.log(g.weights[b]))
        matched += p * (to_g[best] + math.log(p / g.weights[best]))
        above = sum(q * math.exp(-d) for q, d in zip(f.weights, to_f, strict=True))
        below = sum(q * math.exp(-d) for q, d in zip(g.weights, to_g, strict=True))
        variational += p * math.log(above / below)
    assert f.kl_divergence(g, "matched").value == pytest.approx(matched, rel=1e-12)
    assert f.kl_divergence(g, "variational").value == pytest.approx(variational, rel=1e-12)


@each_pair
def test_upper_bound_is_the_least_of_its_kind(f: GaussianMixture, g: GaussianMixture) -> None:
    divergences = gaussian_divergences(f._parameters(), g._parameters())
    found, rng = f.kl_divergence(g, "upper").value, np.random.default_rng(0)
    for sharpness in (0.0, 0.5, 1.0, 2.0):
        for _ in range(50):
            s, t = (
                rng.dirichlet(np.ones(divergences.size)).reshape(divergences.shape)
                * np.exp(-sharpness * divergences)
                for _ in range(2)
            )
            s *= (f.weights / s.sum(axis=1))[:, None]
            t *= g.weights / t.sum(axis=0)
            assert (s * (np.log(s / t) + divergences)).sum() >= found - 1e-9


def test_matched_is_an_upper_bound_where_no_two_components_have_the_same_match() -> None:
    f = GaussianMixture([0.3, 0.7], [[-2.0], [2.0]], [1.0, 2.0], "spherical")
    g = GaussianMixture([0.5, 0.2, 0.3], [[2.5], [9.0], [-2.5]], [1.5, 1.0, 1.0], "spherical")
    assert f.kl_divergence(g, "upper").value <= f.kl_divergence(g, "matched").value + 1e-9
    assert expectation(f, g) <= f.kl_divergence(g, "matched").value


@pytest.mark.parametrize("family", CELEUX_GOVAERT)
def test_mixture_of_any_family_does_not_diverge_from_itself(family: str) -> None:
    X = np.vstack([np.random.default_rng(s).normal(5.0 * s, 1.0, (30, 2)) for s in range(2)])
    model = fit_gmm(X, 2, covariance_type=family, max_iter=3, tol=0, rng=0).model
    assert model.kl_divergence(model, rng=0, n_samples=10) == (0.0, 0.0)
    assert model.kl_divergence(model, "variational").value == pytest.approx(0.0, abs=1e-14)
    assert model.kl_divergence(model, "matched").value == pytest.approx(0.0, abs=1e-14)
    assert 0.0 <= model.kl_divergence(model, "upper").value < 1e-4
    wider = make("diag")
    for method in METHODS:
        assert model.kl_divergence(wider, method, n_samples=500, rng=0).value > 0.5


@each_method
def test_components_of_weight_zero_do_not_count(method: str) -> None:
    f, g = make(), make("spherical")

    def with_empty(mixture: GaussianMixture) -> GaussianMixture:
        covariances = mixture.covariances
        return GaussianMixture(
            [0.0, *mixture.weights],
            np.vstack([[[1.0, 1.0]], mixture.means]),
            np.concatenate([1e-3 * covariances[:1], covariances]),
            mixture.covariance_type,
        )

    expected = f.kl_divergence(g, method, n_samples=5000, rng=0)
    found = with_empty(f).kl_divergence(with_empty(g), method, n_samples=5000, rng=0)
    assert found == (pytest.approx(expected.value, rel=1e-12), pytest.approx(expected[1], rel=1e-9))


def test_draws_are_those_of_the_seed_and_their_number_may_need_several_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    f, g = make(), make("spherical")
    one, again = (f.kl_divergence(g, n_samples=1000, rng=3) for _ in range(2))
    assert one == again
    monkeypatch.setattr("mixtura.mixture.divergence.NUMBERS_AT_ONCE", 100)
    value, error = f.kl_divergence(g, n_samples=1000, rng=3)
    assert abs(value - one.value) < 5.0 * math.hypot(error, one.standard_error)
    assert error == pytest.approx(one.standard_error, rel=0.3)


@each_method
def test_divergence_beyond_float64_is_infinite(method: str) -> None:
    f = make()
    far = make(means=f.means + 1e200)
    found = f.kl_divergence(far, method, n_samples=10, rng=0)
    assert found == (math.inf, math.inf if method == "monte-carlo" else 0.0)
    partly = make(means=[[0.0, 0.0], [3.0, -1.0], [1e200, 0.0]])
    assert math.isfinite(f.kl_divergence(partly, method, n_samples=10, rng=0).value)


@each_method
def test_divergence_of_components_far_apart_is_finite(method: str) -> None:
    f, g = make(), make(means=make().means + 1e5)
    value = f.kl_divergence(g, method, n_samples=100, rng=0).value
    assert 1e9 < value < 1e12


def test_fit_is_asked_and_compared_as_its_mixture() -> None:
    X = np.vstack([np.random.default_rng(s).normal(4.0 * s, 1.0, (30, 2)) for s in range(2)])
    one, two = (fit_gmm(X, k, max_iter=2, tol=0, rng=0) for k in (1, 2))
    expected = one.model.kl_divergence(two.model, "upper")
    assert one.kl_divergence(two, "upper") == expected
    assert one.kl_divergence(two.model, "upper") == expected


def test_mixtures_of_other_features_are_refused() -> None:
    with pytest.raises(ValueError, match=r"other must have 2 features, as this mixture has; got 1"):
        make().kl_divergence(one_feature(0, 2))
    f, g = make(feature_names=["a", "b"]), make(feature_names=["b", "a"])
    with pytest.raises(ValueError, match=r"features 'a', 'b', in this order; got 'b', 'a'\. Pass"):
        f.kl_divergence(g)
    assert f.kl_divergence(f.marginal(["b", "a"]).marginal(["a", "b"]), "variational").value < 1e-12
    assert f.kl_divergence(make(), "variational").value == 0.0


def test_other_arguments_that_cannot_be_used_are_refused() -> None:
    f = make()
    with pytest.raises(TypeError, match=r"other must be a GaussianMixture, or a fit of one; got"):
        f.kl_divergence([1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"method must be one of .*Did you mean 'variational'\?"):
        f.kl_divergence(f, "variation")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n_samples must be an integer, 2 or more; got 1"):
        f.kl_divergence(f, n_samples=1)
    with pytest.raises(TypeError, match="rng must be"):
        f.kl_divergence(f, rng="seed")  # type: ignore[arg-type]


def test_matched_is_negative_where_a_light_component_has_a_heavy_match() -> None:
    f = GaussianMixture([0.9, 0.1], [[0.0], [0.1]], [1.0, 1.0], "spherical")
    assert f.kl_divergence(f, "matched").value == pytest.approx(
        0.1 * (0.005 + math.log(0.1 / 0.9)), rel=1e-12
    )
    assert f.kl_divergence(f, "variational").value == 0.0
