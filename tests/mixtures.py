"""One mixture of each covariance type, in numbers, and its densities by scipy.stats."""

import math

import numpy as np
from scipy import stats

from mixtura import GaussianMixture
from mixtura.shapes import Floats

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
