"""Rows in clusters, and expectation-maximisation in plain formulas, for the tests of fits."""

import math
from dataclasses import dataclass

import numpy as np
from helpers import EPS, SAFETY
from numpy.typing import NDArray
from scipy import special, stats

from mixtura import GaussianMixture, GMMFit
from mixtura.shapes import Floats


def clustered(
    n: int = 240, d: int = 2, k: int = 3, *, seed: int = 0, spread: float = 3.0
) -> tuple[Floats, NDArray[np.int64]]:
    """Rows of k correlated clusters of unlike size that overlap a little, and the cluster of each.

    The numbers are multiples of 2**-16, so that 1e8 may be added to them without rounding.
    """
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.choice(k, size=n, p=rng.dirichlet(np.full(k, 8.0))))
    labels[:k] = np.arange(k)
    roots = rng.normal(size=(k, d, d)) / math.sqrt(d) + 0.5 * np.eye(d)
    X = np.einsum("iab,ib->ia", roots[labels], rng.normal(size=(n, d)))
    X += spread * rng.normal(size=(k, d))[labels]
    return np.round(X * 2**16) / 2**16, labels.astype(np.int64)


def joint_log_density(X: Floats, mixture: GaussianMixture, ridge: Floats | float = 0.0) -> Floats:
    """Log of weight times density by scipy.stats, shape (n, k), less the ridge's penalty."""
    joint = np.empty((len(X), mixture.n_components))
    for j, covariance in enumerate(mixture.covariance_matrices()):
        normal = stats.multivariate_normal(mixture.means[j], covariance)
        joint[:, j] = np.log(mixture.weights[j]) + normal.logpdf(X)
        joint[:, j] -= 0.5 * (np.diag(np.linalg.inv(covariance)) * ridge).sum()
    return joint


def objective(
    X: Floats,
    mixture: GaussianMixture,
    sample_weight: Floats | None = None,
    ridge: Floats | float = 0.0,
) -> float:
    """What EM raises, per row."""
    log_prob = special.logsumexp(joint_log_density(X, mixture, ridge), axis=1)
    return float(np.average(log_prob, weights=sample_weight))


def maximised(
    X: Floats,
    resp: Floats,
    covariance_type: str,
    sample_weight: Floats | None = None,
    ridge: Floats | float = 0.0,
) -> GaussianMixture:
    """The mixture that follows from responsibilities: the textbook's M-step."""
    n, d = X.shape
    shares = resp * (np.ones(n) if sample_weight is None else sample_weight)[:, None]
    totals = shares.sum(axis=0)
    means = shares.T @ X / totals[:, None]
    scatters = [
        np.cov(X.T, aweights=share, bias=True).reshape(d, d) + ridge * np.eye(d)
        for share in shares.T
    ]
    covariances = {
        "full": scatters,
        "tied": np.average(scatters, axis=0, weights=totals),
        "diag": [np.diag(scatter) for scatter in scatters],
        "spherical": [np.trace(scatter) / d for scatter in scatters],
    }[covariance_type]
    return GaussianMixture(totals / totals.sum(), means, covariances, covariance_type)


def iterated(
    X: Floats,
    mixture: GaussianMixture,
    sample_weight: Floats | None = None,
    ridge: Floats | float = 0.0,
) -> GaussianMixture:
    """One iteration of EM, in plain formulas: the shares under the mixture, then the M-step."""
    resp = special.softmax(joint_log_density(X, mixture), axis=1)
    return maximised(X, resp, mixture.covariance_type, sample_weight, ridge)


@dataclass(frozen=True)
class Rounding:
    """How far two correct fits of the same rows may be apart after the same iterations.

    Each iteration may lose the rounding unit times sqrt(n), times the condition of the
    covariances, times what the rows lose by lying away from zero. Errors add up from iteration to
    iteration and no faster, because EM is a contraction near where it goes.
    """

    X: Floats
    mixture: GaussianMixture
    iterations: int = 1

    @property
    def relative(self) -> float:
        matrices = self.mixture.covariance_matrices()
        deviations = np.sqrt(np.einsum("jaa->ja", matrices))
        correlations = matrices / deviations[:, :, None] / deviations[:, None, :]
        condition = float(np.linalg.cond(correlations).max())
        away = float((np.abs(self.mixture.means) / deviations).max())
        n = len(self.X)
        return SAFETY * EPS * (math.sqrt(n) + 4) * (self.iterations + 1) * condition * (1 + away)

    def assert_same_mixture(self, other: GaussianMixture) -> None:
        """Expect the same weights, means and covariances, in units of the features' deviations."""
        one, atol = self.mixture, self.relative
        assert one.covariance_type == other.covariance_type
        deviations = self.X.std(axis=0)
        np.testing.assert_allclose(other.weights, one.weights, rtol=0, atol=atol)
        np.testing.assert_allclose(
            other.means / deviations, one.means / deviations, rtol=0, atol=atol
        )
        units = np.outer(deviations, deviations)
        np.testing.assert_allclose(
            other.covariance_matrices() / units,
            one.covariance_matrices() / units,
            rtol=0,
            atol=atol,
        )


def assert_same_fit(one: GMMFit, other: GMMFit, X: Floats) -> None:
    """Expect two fits that made the same iterations to agree to rounding."""
    assert (one.n_iter, one.stop_reason) == (other.n_iter, other.stop_reason)
    assert one.events == other.events
    rounding = Rounding(X, one.model, one.n_iter)
    rounding.assert_same_mixture(other.model)
    size = 1.0 + np.abs(one.history).max()
    np.testing.assert_allclose(other.history, one.history, rtol=0, atol=size * rounding.relative)
    np.testing.assert_allclose(
        other.log_likelihood, one.log_likelihood, rtol=rounding.relative, atol=rounding.relative
    )


def assert_same_fit_bits(one: GMMFit, other: GMMFit) -> None:
    """Expect two fits to be the same to the last bit."""
    assert one.model == other.model
    np.testing.assert_array_equal(other.model.precisions_cholesky, one.model.precisions_cholesky)
    np.testing.assert_array_equal(other.history, one.history)
    assert (one.log_likelihood, one.n_iter, one.converged, one.stop_reason, one.events) == (
        other.log_likelihood,
        other.n_iter,
        other.converged,
        other.stop_reason,
        other.events,
    )
