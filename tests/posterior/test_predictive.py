"""The density of a new row, and mixtures of Student-t distributions."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from posteriors import WEIGHT_PRIORS, posterior_of, prior_of, rows_and_shares, simple
from scipy import integrate, special, stats

import mixtura
from mixtura import StudentMixture, files
from mixtura.conjugate import precision_law
from mixtura.data import Block
from mixtura.posterior.student_density import LogProb
from mixtura.shapes import SHAPE_NAMES, SHAPES, Floats

every_shape = pytest.mark.parametrize("shape", SHAPE_NAMES)
DOF = np.array([0.3, 4.0, 1e6])


def mixture(shape: str, d: int = 3) -> StudentMixture:
    kind, k = SHAPES[shape], 3
    matrices = np.array([np.eye(d) * s for s in (1.0, 2.0, 0.5)])
    if shape == "full":
        matrices += 0.3
    scales = kind.from_matrices(matrices)
    if kind.is_shared:
        scales = scales + 0.2
    means = np.arange(k * d, dtype=float).reshape(k, d) / 3.0
    return StudentMixture([0.2, 0.3, 0.5], means, scales, DOF, shape)


def scipy_log_prob(mixture: StudentMixture, X: Floats, features: list[int]) -> Floats:
    """SciPy's log-density of some of the features."""
    kind = SHAPES[mixture.scale_type]
    matrices = kind.matrices(mixture.scales, *mixture.means.shape)
    logs = []
    for j, matrix in enumerate(matrices):
        mean, part = mixture.means[j, features], matrix[np.ix_(features, features)]
        if precision_law(kind).has_own_scales:
            one = stats.t(mixture.degrees_of_freedom[j], mean, np.sqrt(np.diag(part)))
            logs.append(one.logpdf(X[:, features]).sum(axis=1))
        else:
            # for a million degrees of freedom, SciPy's own constant has lost digits
            one = stats.multivariate_t(mean, part, mixture.degrees_of_freedom[j])
            logs.append(np.atleast_1d(one.logpdf(X[:, features])))
    return np.asarray(special.logsumexp(np.array(logs).T + np.log(mixture.weights), axis=1))


@every_shape
def test_density_is_that_of_scipy(shape: str) -> None:
    t, X = mixture(shape), np.random.default_rng(0).normal(size=(50, 3)) * 5.0
    np.testing.assert_allclose(t.log_prob(X), scipy_log_prob(t, X, [0, 1, 2]), rtol=1e-8)


@every_shape
def test_density_far_away_is_that_of_a_power(shape: str) -> None:
    t = mixture(shape)
    t = StudentMixture([1.0, 0.0, 0.0], t.means, t.scales * 1e-12, t.degrees_of_freedom, shape)
    directions = np.array([[1.0, -1.0, 0.9], [-0.3, 1.0, 1.0]])
    sizes = 10.0 ** np.array([60.0, 99.0, 101.0, 150.0, 160.0, 300.0])
    logs = np.array([t.log_prob(directions * size + t.means[0]) for size in sizes])
    # One distribution of three features, or three of one.
    power = 3.0 * (0.3 + 1.0) if shape == "diag" else 0.3 + 3.0
    np.testing.assert_allclose(
        np.diff(logs, axis=0), -power * np.diff(np.log(sizes))[:, None] * [1.0, 1.0], rtol=1e-9
    )


@every_shape
def test_density_of_what_is_observed_is_that_of_the_other_features(shape: str) -> None:
    t, X = mixture(shape), np.random.default_rng(0).normal(size=(60, 3)) * 5.0
    patterns = [[0, 1, 2], [0, 2], [1], []]
    for i, row in enumerate(X):
        row[np.setdiff1d(range(3), patterns[i % 4])] = np.nan
    found = t.log_prob(X, missing="em")
    for i, observed in enumerate(patterns[:3]):
        expected = scipy_log_prob(t, X[i::4], observed)
        np.testing.assert_allclose(found[i::4], expected, rtol=1e-8)
    np.testing.assert_allclose(found[3::4], 0.0, atol=1e-15)
    with pytest.raises(ValueError, match=r"^X must be finite"):
        t.log_prob(X)


def test_one_feature_is_the_t_density_of_the_closed_form() -> None:
    (X, resp), prior = rows_and_shares(k=1, d=1), prior_of("full", d=1)
    posterior = posterior_of(prior, X, np.ones((len(X), 1)))
    n, mean, b0, nu0 = len(X), X.mean(), prior.mean_precision, prior.degrees_of_freedom
    scatter = np.square(X - mean).sum() + b0 * n / (b0 + n) * (mean - prior.mean[0]) ** 2
    scale = (float(prior.covariance[0, 0]) + scatter) * (1.0 + b0 + n) / (b0 + n) / (nu0 + n)
    centre = (b0 * prior.mean[0] + n * mean) / (b0 + n)
    x = np.linspace(-20.0, 20.0, 9)
    expected = stats.t(nu0 + n, centre, np.sqrt(scale)).logpdf(x)
    np.testing.assert_allclose(posterior.predictive.log_prob(x[:, None]), expected, rtol=1e-11)
    assert len(resp) == n


@every_shape
def test_evidence_of_one_row_is_its_predictive_density_before_it(shape: str) -> None:
    """The bound of one component is exact: p(rows, row) / p(rows)."""
    X, _ = rows_and_shares(d=3)
    prior, ones = prior_of(shape, d=3), np.ones((len(X), 1))
    before = posterior_of(prior, X[1:], ones[1:])
    after = posterior_of(prior, X, ones)
    gain = after.elbo(X, ones) - before.elbo(X[1:], ones[1:])
    assert before.predictive.log_prob(X[:1])[0] == pytest.approx(gain, rel=1e-11)


@pytest.mark.parametrize("weights", WEIGHT_PRIORS)
@every_shape
def test_density_is_the_mean_of_those_of_mixtures_drawn(shape: str, weights: str) -> None:
    posterior, (X, _) = simple(shape, weights), rows_and_shares()
    points = np.vstack([X[:5], [[3.5, -5.0]]])
    n = 2500
    densities = np.exp([model.log_prob(points) for model in posterior.sample_models(n, rng=1)])
    error = densities.std(axis=0) / np.sqrt(n)
    apart = np.exp(posterior.predictive.log_prob(points)) - densities.mean(axis=0)
    # Weights of sticks are divided by their sum: they move densities by some 1e-4 here.
    assert (np.abs(apart) < 5.0 * error + 2e-4 * densities.mean(axis=0)).all()


@every_shape
def test_density_of_a_component_without_rows_is_finite_with_heavy_tails(shape: str) -> None:
    X, resp = rows_and_shares(k=2)
    empty = np.column_stack([resp, np.zeros(len(X))])
    least = precision_law(SHAPES[shape]).least(2)
    posterior = posterior_of(prior_of(shape, freedom=least + 1e-3), X, empty)
    predictive = posterior.predictive
    far = 10.0 ** np.array([3.0, 30.0, 200.0])
    logs = predictive.log_prob(np.column_stack([far, np.zeros(3)]))
    assert np.isfinite(logs).all()
    if not SHAPES[shape].is_shared:  # whose precision has the rows of all
        assert predictive.degrees_of_freedom[2] == pytest.approx(1e-3)
        slope = np.diff(logs) / np.diff(np.log(far))
        power = 1.0 if precision_law(SHAPES[shape]).has_own_scales else 2.0
        np.testing.assert_allclose(slope, -(power + 1e-3), rtol=1e-3)
        with pytest.raises(ValueError, match=r"^degrees_of_freedom must be above 1 for a row to"):
            predictive.mean()


def test_density_integrates_to_one() -> None:
    t = StudentMixture([0.4, 0.6], [[0.0], [3.0]], [1.0, 0.2], [1.5, 6.0], "spherical")
    total, _ = integrate.quad(lambda x: np.exp(t.log_prob([[x]])[0]), -np.inf, np.inf, epsabs=1e-10)
    assert total == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
@every_shape
def test_units_and_shifts_change_the_density_by_the_unit_alone(shape: str, unit: float) -> None:
    (X, resp), prior = rows_and_shares(), prior_of(shape)
    shift = 1e8 * unit
    moved = type(prior)(
        prior.weights, prior.concentration, prior.mean_precision, prior.mean * unit + shift,
        prior.degrees_of_freedom, prior.covariance * unit**2, prior.shape,
    )  # fmt: skip
    base = posterior_of(prior, X, resp).predictive
    other = posterior_of(moved, X * unit + shift, resp).predictive
    expected = base.log_prob(X) - 2.0 * np.log(unit)
    # X + 1e8 is rounded to 1.5e-8 of a unit
    np.testing.assert_allclose(other.log_prob(X * unit + shift), expected, atol=1e-5)


@every_shape
def test_order_of_components_and_features_does_not_matter(shape: str) -> None:
    (X, resp), prior = rows_and_shares(), prior_of(shape)
    turned = type(prior)(
        prior.weights, prior.concentration, prior.mean_precision, prior.mean[::-1],
        prior.degrees_of_freedom,
        prior.covariance[(slice(None, None, -1),) * prior.covariance.ndim], prior.shape,
    )  # fmt: skip
    one = posterior_of(prior, X, resp)
    other = posterior_of(turned, X[:, ::-1], resp[:, [2, 0, 1]])
    np.testing.assert_allclose(
        other.predictive.log_prob(X[:, ::-1]), one.predictive.log_prob(X), rtol=1e-12
    )
    assert other.elbo(X[:, ::-1]) == pytest.approx(one.elbo(X), rel=1e-12)


@every_shape
def test_moments_are_those_of_rows_drawn(shape: str) -> None:
    t = mixture(shape)
    t = StudentMixture(t.weights, t.means, t.scales, [5.5, 7.0, 40.0], shape)
    n = 100_000
    X, labels = t.sample(n, rng=0)
    counts = np.bincount(labels, minlength=3)
    assert (np.abs(counts - n * t.weights) < 5.0 * np.sqrt(n * t.weights)).all()
    error = X.std(axis=0) / np.sqrt(n)
    assert (np.abs(X.mean(axis=0) - t.mean()) < 5.0 * error).all()
    z = X - t.mean()
    products = z[:, :, None] * z[:, None, :]
    spread = products.std(axis=0) / np.sqrt(n)
    assert (np.abs(products.mean(axis=0) - t.covariance()) < 5.0 * spread).all()
    # Fourth moments tell independent features from those that share a chi-squared number.
    own = X[labels == 0] - t.means[0]
    ranks = stats.spearmanr(np.abs(own[:, 0]), np.abs(own[:, 1])).statistic
    if shape == "diag":
        assert abs(ranks) < 0.03
    if shape == "spherical":
        assert ranks > 0.05


def test_rows_drawn_have_the_density() -> None:
    t = StudentMixture([1.0], [[2.0]], [4.0], [0.7], "spherical")
    X, _ = t.sample(20_000, rng=3)
    assert stats.kstest(X[:, 0], stats.t(0.7, 2.0, 2.0).cdf).pvalue > 1e-3
    again, _ = t.sample(20_000, rng=3)
    np.testing.assert_array_equal(X, again)
    assert t.sample(0, rng=0)[0].shape == (0, 1)


def test_moments_that_do_not_exist_are_refused_by_name() -> None:
    t = mixture("full")
    with pytest.raises(
        ValueError,
        match=r"^degrees_of_freedom must be above 1 for a row to have a mean; those of component "
        r"0 are 0\.3\. Use quantiles of rows of `sample`, or a prior with more degrees of freedom",
    ):
        t.mean()
    with pytest.raises(ValueError, match=r"^degrees_of_freedom must be above 2 .* covariance;"):
        t.covariance()
    without = StudentMixture([0.0, 1.0], [[0.0], [1.0]], [1.0, 1.0], [0.5, 4.0], "spherical")
    assert without.mean().tolist() == [1.0]
    assert without.covariance().tolist() == [[2.0]]
    assert np.isfinite(without.log_prob([[0.0]])).all()


@every_shape
def test_files_pickles_and_copies_are_equal_to_the_bit(shape: str, tmp_path: Path) -> None:
    t = simple(shape).predictive
    t.save(tmp_path / "t.npz")
    for other in (
        mixtura.load(tmp_path / "t.npz"), pickle.loads(pickle.dumps(t)), copy.deepcopy(t),
    ):  # fmt: skip
        for name in ("weights", "means", "scales", "precisions_cholesky", "degrees_of_freedom"):
            np.testing.assert_array_equal(getattr(t, name), getattr(other, name))
            assert not getattr(other, name).flags.writeable
        assert (other.scale_type, other.missing) == (t.scale_type, t.missing)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("scale_type", "VEE", "scale_type must be one of"),
        ("degrees_of_freedom", np.zeros(3), "degrees_of_freedom must be 3 positive numbers"),
        ("weights", np.zeros(3), "weights must not all be zero"),
        ("scales", np.zeros((3, 2, 2)), "covariances"),
        ("means", np.zeros((2, 2)), "its weights should be"),
    ],
)
def test_damaged_files_are_refused(name: str, value: Any, why: str, tmp_path: Path) -> None:
    facts, arrays = simple("full").predictive._contents()
    (arrays if name in arrays else facts)[name] = value
    files.write(tmp_path / "t.npz", "StudentMixture", files.Contents(facts, arrays))
    with pytest.raises(ValueError, match=rf"(?s)it is damaged or from another program: .*({why})"):
        mixtura.load(tmp_path / "t.npz")


def test_degrees_of_freedom_that_are_none_are_refused() -> None:
    for wrong in ([1.0], [1.0, -1.0], [1.0, np.inf]):
        with pytest.raises(
            ValueError, match=r"^degrees_of_freedom must be 2 positive numbers, one"
        ):
            StudentMixture([0.5, 0.5], [[0.0], [1.0]], [1.0, 1.0], wrong, "spherical")


def test_rows_in_blocks_and_files_get_the_same_densities(tmp_path: Path) -> None:
    t, (X, _) = simple("full").predictive, rows_and_shares()
    whole = t.log_prob(X)
    scanned = mixtura.scan([X[:13], X[13:]])
    np.testing.assert_array_equal(np.concatenate(list(t.log_prob(scanned, blocks=True))), whole)
    t.log_prob(X, out=tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), whole)
    single = X.astype(np.float32)
    np.testing.assert_allclose(t.log_prob(single), t.log_prob(single.astype(float)), rtol=1e-12)


def test_looks_at_rows_can_be_sent_to_another_process() -> None:
    (X, _), t = rows_and_shares(), simple("full").predictive
    block = Block(X, None)
    look = pickle.loads(pickle.dumps(LogProb(t)))
    np.testing.assert_array_equal(look(block), t.log_prob(X))


def test_repr_and_summary_name_what_matters() -> None:
    t = simple("diag").predictive
    assert repr(t).startswith("StudentMixture(weights=[")
    assert "degrees of freedom" in t.summary()
    assert "  length " in t.summary(["length", "width"])
    assert "2 features</p><table>" in t._repr_html_()
