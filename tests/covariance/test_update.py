"""Covariances from statistics, for the four types with closed formulas: against plain loops."""

import numpy as np
import pytest
from helpers import EPS

from mixtura import reference
from mixtura.covariance import FAMILIES, CovarianceFamily
from mixtura.shapes import SHAPE_NAMES, Floats

N, D, K = 60, 3, 4

each_family = pytest.mark.parametrize(
    "family", [FAMILIES[name] for name in SHAPE_NAMES], ids=SHAPE_NAMES
)


class Sample:
    """Rows with weighted responsibilities, and what the textbook makes of them by plain loops."""

    def __init__(self, offset: float = 0.0) -> None:
        rng = np.random.default_rng(3)
        self.X = rng.normal(size=(N, D)) @ rng.normal(size=(D, D)) + offset
        self.resp = rng.dirichlet(np.full(K, 0.5), size=N)
        self.sample_weight = rng.exponential(size=N)
        self.share = self.resp * self.sample_weight[:, None]
        self.totals = self.share.sum(axis=0)
        self.means = np.array([self.share[:, j] @ self.X / self.totals[j] for j in range(K)])
        scatters = np.zeros((K, D, D))
        for j in range(K):
            for i in range(N):
                z = self.X[i] - self.means[j]
                scatters[j] += self.share[i, j] * np.outer(z, z)
        self.scatters = scatters

    def covariances(self, name: str) -> Floats:
        each = self.scatters / self.totals[:, None, None]
        if name == "full":
            return each
        if name == "tied":
            return self.scatters.sum(axis=0) / self.sample_weight.sum()
        if name == "diag":
            return np.array([matrix.diagonal() for matrix in each])
        return np.array([np.trace(matrix) / D for matrix in each])

    def updated(self, family: CovarianceFamily) -> Floats:
        """What the family makes of the statistics."""
        statistics = reference.accumulate_resp(
            self.X,
            self.resp,
            self.means,
            covariance_type=family.shape.name,
            sample_weight=self.sample_weight,
        )
        return family.update(statistics.recentred(statistics.means()), reference)

    def expected_log_likelihood(self, matrices: Floats) -> float:
        """Sum of responsibilities times log-densities, as a function of the covariances."""
        total = 0.0
        for j, matrix in enumerate(matrices):
            _, log_det = np.linalg.slogdet(2.0 * np.pi * matrix)
            distances = np.trace(np.linalg.solve(matrix, self.scatters[j]))
            total -= 0.5 * (self.totals[j] * log_det + distances)
        return float(total)


@each_family
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_update_from_statistics_equals_formulas_on_rows(
    family: CovarianceFamily, offset: float
) -> None:
    sample = Sample(offset)
    expected = sample.covariances(family.name)
    tolerance = 50.0 * N * EPS * (1.0 + offset) * abs(expected).max()
    np.testing.assert_allclose(sample.updated(family), expected, rtol=0.0, atol=tolerance)


@each_family
def test_update_when_perturbed_lowers_expected_log_likelihood(family: CovarianceFamily) -> None:
    sample, rng = Sample(), np.random.default_rng(4)
    best = sample.updated(family)
    highest = sample.expected_log_likelihood(family.shape.matrices(best, K, D))
    for _ in range(100):
        step = rng.normal(size=best.shape)
        if not family.shape.is_diagonal:
            step = step + step.swapaxes(-1, -2)
        for size in (1e-3, -1e-3):
            matrices = family.shape.matrices(best + size * step, K, D)
            assert sample.expected_log_likelihood(matrices) < highest


@each_family
def test_update_of_one_feature_is_the_same_for_each_own_variance(family: CovarianceFamily) -> None:
    X, resp = np.array([[0.0], [2.0], [7.0]]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    statistics = reference.accumulate_resp(
        X, resp, [[1.0], [7.0]], covariance_type=family.shape.name
    )
    expected = [2.0 / 3.0] if family.name == "tied" else [1.0, 0.0]
    np.testing.assert_allclose(family.update(statistics, reference).ravel(), expected, rtol=4 * EPS)
