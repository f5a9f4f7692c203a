"""Conjugate laws against SciPy's densities and against sampling-free identities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from mixtura import reference
from mixtura.conjugate import WEIGHT_LAWS, Laws, PriorLaws
from mixtura.shapes import DIAG, FULL, SHAPE_NAMES, SHAPES, SPHERICAL, TIED, Floats
from mixtura.statistics import Statistics

K, D = 3, 2
MEAN = np.array([0.3, -1.0])
SCATTER = np.array([[2.0, 0.4], [0.4, 1.5]])
SCALES = {FULL: SCATTER, TIED: SCATTER, DIAG: np.diag(SCATTER), SPHERICAL: np.array(1.7)}


def prior_of(shape: str, weights: str = "dirichlet") -> PriorLaws:
    return PriorLaws(
        WEIGHT_LAWS[weights], 0.7, 0.4, MEAN, 3.5, SCALES[SHAPES[shape]], SHAPES[shape]
    )


def rows_and_shares(seed: int = 0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(30, D)) * [1.0, 3.0], rng.dirichlet(np.ones(K), size=30)


def statistics_of(shape: str, seed: int = 0) -> Statistics:
    X, resp = rows_and_shares(seed)
    return reference.accumulate_resp(X, resp, np.zeros((K, D)), covariance_type=shape)


def log_density(prior: PriorLaws, laws: Laws, x: Floats, *, of_prior: bool) -> Floats:
    """SciPy's log-density of the precisions x, one for each law, under the laws or the prior."""
    n_laws = len(laws.degrees_of_freedom)
    found = []
    for j in range(n_laws):
        dof = prior.degrees_of_freedom if of_prior else laws.degrees_of_freedom[j]
        scale = laws.scale if prior.shape is TIED else laws.scale[j]
        scale = prior.covariance if of_prior else scale
        if np.ndim(scale) == 2:
            found.append(stats.wishart(dof, np.linalg.inv(scale)).logpdf(x[j]))
        else:
            found.append(stats.gamma(dof / 2, scale=2.0 / scale).logpdf(x[j]).sum())
    return np.array(found)


def drawn(prior: PriorLaws, laws: Laws, rng: np.random.Generator) -> Floats:
    """Precisions under the laws, one for each."""
    n_laws, scale = len(laws.degrees_of_freedom), laws.scale
    if not prior.shape.is_diagonal:
        stacked = scale.reshape(n_laws, D, D)
        return np.array(
            [
                stats.wishart(laws.degrees_of_freedom[j], np.linalg.inv(stacked[j])).rvs(
                    random_state=rng
                )
                for j in range(n_laws)
            ]
        )
    dof = laws.degrees_of_freedom.reshape((-1,) + (1,) * (scale.ndim - 1))
    return rng.gamma(dof / 2.0, 2.0 / scale)


@pytest.mark.parametrize("shape", SHAPE_NAMES)
def test_divergence_of_precisions_is_the_mean_log_ratio_of_densities(shape: str) -> None:
    prior = prior_of(shape)
    laws, failed = prior.posterior(statistics_of(shape), reference)
    assert not failed.any()
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(400):
        x = drawn(prior, laws, rng)
        one = log_density(prior, laws, x, of_prior=False)
        ratios.append((one - log_density(prior, laws, x, of_prior=True)).sum())
    error = np.std(ratios) / np.sqrt(len(ratios))
    assert prior._divergence_of_precisions(laws, reference) == pytest.approx(
        np.mean(ratios), abs=4.0 * error
    )


@pytest.mark.parametrize("shape", SHAPE_NAMES)
def test_divergence_of_the_prior_from_itself_is_zero(shape: str) -> None:
    prior, nothing = prior_of(shape), statistics_of(shape).scaled(0.0)
    laws, _ = prior.posterior(nothing, reference)
    assert prior.divergence(laws, reference) == pytest.approx(0.0, abs=1e-13)
    assert laws.means == pytest.approx(np.tile(MEAN, (K, 1)))


def test_divergence_of_dirichlet_weights_is_the_integral() -> None:
    law = WEIGHT_LAWS["dirichlet"]
    after = law.posterior(0.7, np.array([2.0, 5.0]))

    def integrand(w: float) -> float:
        one, other = stats.beta(*after), stats.beta(0.7, 0.7)
        return float(one.pdf(w) * (one.logpdf(w) - other.logpdf(w)))

    assert law.divergence(after, 0.7) == pytest.approx(integrate.quad(integrand, 0, 1)[0])
    logs = [integrate.quad(lambda w: stats.beta(*after).pdf(w) * np.log(w), 0, 1)[0]]
    assert law.expected_logs(after)[0] == pytest.approx(logs[0])
    assert law.means(after) == pytest.approx(after / after.sum())


def test_divergence_of_sticks_is_the_sum_of_integrals() -> None:
    law = WEIGHT_LAWS["stick-breaking"]
    after = law.posterior(1.3, np.array([4.0, 0.0, 2.5]))
    assert after.tolist() == [[5.0, 1.0, 3.5], [3.8, 3.8, 1.3]]
    expected = 0.0
    for taken, left in after.T:
        one, other = stats.beta(taken, left), stats.beta(1.0, 1.3)
        expected += integrate.quad(
            lambda v, p=one, q=other: p.pdf(v) * (p.logpdf(v) - q.logpdf(v)), 0, 1
        )[0]
    assert law.divergence(after, 1.3) == pytest.approx(expected)


@pytest.mark.parametrize("weights", WEIGHT_LAWS)
def test_weights_drawn_have_the_expected_logs_and_sum_to_one(weights: str) -> None:
    law, rng = WEIGHT_LAWS[weights], np.random.default_rng(0)
    after = law.posterior(1.3, np.array([40.0, 20.0, 30.0]))
    draws = np.array([law.draw(after, rng) for _ in range(4000)])
    assert draws.sum(axis=1) == pytest.approx(1.0)
    error = 5.0 * draws.std(axis=0) / np.sqrt(len(draws))
    tail = 1.3 / 90.0  # what sticks leave out, and means divide by
    assert (np.abs(draws.mean(axis=0) - law.means(after)) < error + tail * law.means(after)).all()


@pytest.mark.parametrize("weights", WEIGHT_LAWS)
@pytest.mark.parametrize("shape", SHAPE_NAMES)
def test_laws_of_one_component_give_the_evidence(shape: str, weights: str) -> None:
    # p(X) = p(X | theta) p(theta) / p(theta | X) at any theta, for one component.
    X, _ = rows_and_shares()
    prior = prior_of(shape, weights)
    s = reference.accumulate_resp(X, np.ones((30, 1)), np.zeros((1, D)), covariance_type=shape)
    laws, _ = prior.posterior(s, reference)
    mean, precision = laws.means[0] + 0.1, 1.0 / np.array([1.2, 8.0])
    if shape == "spherical":
        precision = np.array([0.3, 0.3])
    x = np.diag(precision)[None] if not prior.shape.is_diagonal else precision[None]
    x = np.array([[0.3]]) if shape == "spherical" else x
    normal = stats.multivariate_normal

    def log_normal(at: Floats, about: Floats, beta: float) -> float:
        return float(normal(about, np.diag(1.0 / (beta * precision))).logpdf(at).sum())

    evidence = log_normal(X, mean, 1.0)
    evidence += log_normal(mean, MEAN, 0.4) - log_normal(mean, laws.means[0], 30.4)
    evidence += log_density(prior, laws, x, of_prior=True).sum()
    evidence -= log_density(prior, laws, x, of_prior=False).sum()
    constant = prior.log_constants(laws) - prior.weights.expected_logs(laws.concentration)
    cov = prior.shape.matrices(laws.covariances, 1, D)[0]
    bound = float((normal(laws.means[0], cov).logpdf(X) + constant[0]).sum())
    bound -= prior._divergence_of_means(laws) + prior._divergence_of_precisions(laws, reference)
    assert bound == pytest.approx(evidence, rel=1e-12)
