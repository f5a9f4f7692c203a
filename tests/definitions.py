"""Densities, responsibilities and sums by definition: in plain loops, or in sixty digits."""

import itertools
import math

import mpmath
import numpy as np
from helpers import Mixture

from mixtura.shapes import Floats


def covariances(mixture: Mixture) -> Floats:
    factors = mixture.full_factors()
    return np.linalg.inv(factors @ factors.transpose(0, 2, 1))


def exact(X: Floats, mixture: Mixture) -> tuple[Floats, Floats, Floats]:
    """Log-densities, responsibilities and log-probabilities in 60 digits, rounded once."""
    with mpmath.workdps(60):
        factors = mixture.full_factors()
        density = mpmath.matrix(len(X), len(factors))
        resp, log_prob = mpmath.matrix(len(X), len(factors)), mpmath.matrix(len(X), 1)
        for i, x in enumerate(X):
            for j, U in enumerate(factors):
                density[i, j] = exact_log_density(x, mixture.means[j], U)
            terms = [w * mpmath.exp(density[i, j]) for j, w in enumerate(mixture.weights)]
            total = mpmath.fsum(terms)
            log_prob[i] = mpmath.log(total)
            for j, term in enumerate(terms):
                resp[i, j] = term / total
        shape = (len(X), len(factors))
        as_floats = [np.array([float(v) for v in m]) for m in (density, resp, log_prob)]
    return as_floats[0].reshape(shape), as_floats[1].reshape(shape), as_floats[2]


def exact_log_density(x: Floats, mean: Floats, U: Floats) -> mpmath.mpf:
    d = len(x)
    z = [mpmath.mpf(x[a]) - mpmath.mpf(mean[a]) for a in range(d)]
    y = [mpmath.fsum(mpmath.mpf(U[a, b]) * z[a] for a in range(d)) for b in range(d)]
    log_det = mpmath.fsum(mpmath.log(U[a, a]) for a in range(d))
    return log_det - d * mpmath.log(2 * mpmath.pi) / 2 - mpmath.fsum(v * v for v in y) / 2


def naive_statistics(
    X: Floats, resp: Floats, centres: Floats, covariance_type: str, sample_weight: Floats
) -> dict[str, Floats]:
    """Sums over rows, one number at a time, correctly rounded."""
    n, d = X.shape
    k = len(centres)
    rows = range(n)

    def total(j: int, *features: int) -> float:
        return math.fsum(
            sample_weight[i] * resp[i, j] * math.prod(X[i, a] - centres[j, a] for a in features)
            for i in rows
        )

    scatter = np.array(
        [total(j, a, b) for j, a, b in itertools.product(range(k), range(d), range(d))]
    ).reshape(k, d, d)
    return {
        "resp_sum": np.array([total(j) for j in range(k)]),
        "resp_x": np.array([[total(j, a) for a in range(d)] for j in range(k)]),
        "resp_xx": {
            "full": scatter,
            "tied": scatter.sum(axis=0),
            "diag": np.einsum("jaa->ja", scatter),
            "spherical": np.einsum("jaa->j", scatter),
        }[covariance_type],
        "weight_sum": math.fsum(sample_weight),
    }
