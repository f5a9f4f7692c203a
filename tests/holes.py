"""Rows with missing numbers, and what an independent computation says of them."""

import numpy as np
from clusters import clustered
from scipy import special, stats

from mixtura import GaussianMixture
from mixtura.shapes import Floats


def with_holes(X: Floats, share: float = 0.25, seed: int = 0) -> Floats:
    """The rows with a share of the numbers missing, whatever they are; some rows have nothing."""
    rng = np.random.default_rng(seed)
    holed = np.where(rng.random(X.shape) < share, np.nan, X)
    holed[len(X) // 2] = np.nan
    return holed


def holed_clusters(n: int = 150, d: int = 3, k: int = 2, seed: int = 0) -> Floats:
    return with_holes(clustered(n, d, k, seed=seed)[0], seed=seed)


def joint_of_observed(X: Floats, mixture: GaussianMixture, ridge: Floats | float = 0.0) -> Floats:
    """Log of weight times density of what is observed, shape (n, k), less the ridge's penalty."""
    joint = np.tile(np.log(mixture.weights), (len(X), 1))
    for j, covariance in enumerate(mixture.covariance_matrices()):
        joint[:, j] -= 0.5 * (np.diag(np.linalg.inv(covariance)) * ridge).sum()
        for pattern in np.unique(np.isnan(X), axis=0):
            o, rows = np.flatnonzero(~pattern), (np.isnan(X) == pattern).all(axis=1)
            if len(o):
                normal = stats.multivariate_normal(mixture.means[j, o], covariance[np.ix_(o, o)])
                joint[rows, j] += normal.logpdf(X[np.ix_(rows, o)])
    return joint


def log_likelihood_of_observed(
    X: Floats, mixture: GaussianMixture, weight: Floats | None = None
) -> float:
    log_prob = special.logsumexp(joint_of_observed(X, mixture), axis=1)
    return float(log_prob @ (np.ones(len(X)) if weight is None else weight))
