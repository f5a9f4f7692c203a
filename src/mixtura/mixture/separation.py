"""How far apart components are, and how clearly rows are assigned to them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.parameters import Parameters
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["assignment_entropy", "nearest_components"]


def nearest_components(means: Floats, covariances: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Distance of each component to the nearest other one, and the number of that one.

    The Mahalanobis distance of the means under the average of the two covariances; with one
    feature, Ashman's D [1]_. Two components of equal weight give two modes from about 2 on.

    Parameters
    ----------
    means : ndarray of shape (n_components, n_features)
        Of two components or more.
    covariances : ndarray of shape (n_components, n_features, n_features)
        Or variances (n_components, n_features), where there is nothing between features.

    Returns
    -------
    distances : ndarray of shape (n_components,), standard deviations
    nearest : ndarray of shape (n_components,), int

    References
    ----------
    .. [1] K. M. Ashman, C. M. Bird, S. E. Zepf, "Detecting bimodality in astronomical datasets",
       The Astronomical Journal 108, 2348-2361, 1994, equation 4.
    """
    k = len(means)
    distances, nearest = np.empty(k), np.empty(k, dtype=np.intp)
    for j in range(k):
        average = 0.5 * covariances[j] + 0.5 * covariances
        diagonal = average if average.ndim == 2 else np.einsum("jaa->ja", average)
        scale = np.sqrt(diagonal)  # else units would make it ill-conditioned
        difference = whitened = (means - means[j]) / scale
        if average.ndim > 2:
            average /= scale[:, :, None] * scale[:, None, :]
            whitened = np.linalg.solve(average, difference[:, :, None])[:, :, 0]
        squared = (difference * whitened).sum(axis=1)
        squared[j] = np.inf
        nearest[j] = np.argmin(squared)
        distances[j] = math.sqrt(max(squared[nearest[j]], 0.0))
    return distances, nearest


def assignment_entropy(
    statistics: Statistics,
    parameters: Parameters,
    by: Algebra,
    known: float = 0.0,
    log_weights: Floats | None = None,
) -> float:
    """Weighted sum over rows of ``-sum_j resp[j] log resp[j]``, from statistics alone.

    Unless an E-step has returned it, it is the log-likelihood minus the expected log-likelihood of
    rows and labels together [1]_, and that one is linear in the sums of the statistics. It is the
    identity of `mixtura.mixture.bound` for responsibilities of the mixture itself.

    Parameters
    ----------
    statistics : Statistics
        Of the rows under the mixture, about its means.
    parameters : Parameters
        The mixture.
    by : Algebra
    known : float, nats
        Expected log-prior of the labels, where the log-likelihood is one of rows and labels.
    log_weights : ndarray of shape (n_components,), nats, optional
        What took the place of the logarithms of the weights in the pass, if something did.

    Returns
    -------
    float, nats
        Exact to the rounding error of the log-likelihood; NaN where that is not finite.

    References
    ----------
    .. [1] R. J. Hathaway, "Another interpretation of the EM algorithm for mixture distributions",
       Statistics & Probability Letters 4, 53-56, 1986.
    """
    if "entropy" in statistics.extras:
        return float(statistics.extras["entropy"])
    weights, factors, shape = parameters.weights, parameters.precisions_cholesky, parameters.shape
    k, d = parameters.means.shape
    if log_weights is None:
        log_weights = np.log(weights, where=weights > 0.0, out=np.zeros(k))
    constants = log_weights + shape.log_dets(factors, d) - 0.5 * d * math.log(2.0 * math.pi)
    distances = shape.distances(factors, statistics.resp_xx, by)
    completed = statistics.resp_sum @ constants - 0.5 * distances + known
    entropy = statistics.log_likelihood - float(completed)
    return max(0.0, entropy) if math.isfinite(entropy) else math.nan
