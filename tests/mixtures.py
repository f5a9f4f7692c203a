"""Mixtures of each covariance type: one in numbers, with densities by scipy.stats; random ones."""

import math

import numpy as np
from scipy import stats

from mixtura import GaussianMixture, reference
from mixtura.parameters import Parameters
from mixtura.shapes import SHAPES, Floats

K, D = 3, 2
WEIGHTS = [0.2, 0.5, 0.3]
MEANS = [[0.0, 0.0], [3.0, -1.0], [-2.0, 4.0]]
MATRICES = [[[1.0, 0.6], [0.6, 2.0]], [[0.5, -0.3], [-0.3, 1.0]], [[3.0, 0.0], [0.0, 0.2]]]
COVARIANCES = {
    "full": MATRICES,
    "tied": MATRICES[0],
    "diag": [[1.0, 2.0], [0.5, 1.0], [3.0, 0.2]],
    "spherical": [1.0, 0.5, 2.0],
}


def make(covariance_type: str = "full", **changed: object) -> GaussianMixture:
    arguments = {
        "weights": WEIGHTS,
        "means": MEANS,
        "covariances": COVARIANCES[covariance_type],
        "covariance_type": covariance_type,
    }
    return GaussianMixture(**arguments | changed)


def rows(n: int = 40, seed: int = 0) -> Floats:
    return 3.0 * np.random.default_rng(seed).normal(size=(n, D))


def expected_component_log_prob(covariance_type: str, X: Floats) -> Floats:
    """Log weights and densities by scipy.stats, from the numbers above."""
    covariances = COVARIANCES[covariance_type]
    each = [covariances] * K if covariance_type == "tied" else covariances
    joint = [
        math.log(weight) + stats.multivariate_normal(mean, covariance).logpdf(X)
        for weight, mean, covariance in zip(WEIGHTS, MEANS, each, strict=True)
    ]
    return np.transpose(joint)


def random_parameters(covariance_type: str, k: int, d: int, seed: int) -> Parameters:
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(k, d, d + 2))
    full = np.einsum("jac,jbc->jab", roots, roots) / d
    shape = SHAPES[covariance_type]
    if covariance_type == "tied":
        full[:] = full[0]
    covariances = shape.from_matrices(full if not shape.is_diagonal else full * np.eye(d))
    covariances = np.ascontiguousarray(covariances)
    factors, failed = shape.factorise(covariances, reference)
    assert not failed.any()
    weights = rng.dirichlet(np.ones(k))
    return Parameters(weights, rng.normal(size=(k, d)), covariances, factors, shape)
