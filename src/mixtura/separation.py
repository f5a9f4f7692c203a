"""How clearly components are told apart: by their distance, and by the entropy of assignments."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mixtura.statistics import Floats, Statistics

__all__ = ["assignment_entropy", "nearest_components"]


def nearest_components(means: Floats, matrices: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Distance of each component to the nearest other one, and which that is.

    The Mahalanobis distance of the means under the average of the two covariances; with one
    feature, Ashman's D [1]_. Two components of equal weight are seen as two modes from about 2 on.

    Parameters
    ----------
    means : ndarray of shape (n_components, n_features)
        Of two components or more.
    matrices : ndarray of shape (n_components, n_features, n_features)
        Covariances.

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
        average = 0.5 * matrices[j] + 0.5 * matrices
        scale = np.sqrt(np.einsum("jaa->ja", average))  # else units would make it ill-conditioned
        difference = (means - means[j]) / scale
        average /= scale[:, :, None] * scale[:, None, :]
        whitened = np.linalg.solve(average, difference[:, :, None])[:, :, 0]
        squared = (difference * whitened).sum(axis=1)
        squared[j] = np.inf
        nearest[j] = np.argmin(squared)
        distances[j] = math.sqrt(max(squared[nearest[j]], 0.0))
    return distances, nearest


def assignment_entropy(
    statistics: Statistics, weights: Floats, precisions_cholesky: Floats
) -> float:
    """Weighted sum over rows of ``-sum_j resp[j] log resp[j]``, from statistics alone.

    The entropy is the log-likelihood less the expected one of rows and labels together [1]_, and
    that is linear in the sums which the pass has left.

    Parameters
    ----------
    statistics : Statistics
        Of the rows under the mixture, about its means.
    weights : ndarray of shape (n_components,)
    precisions_cholesky : ndarray
        In the shape of the statistics' type.

    Returns
    -------
    float, nats
        To the rounding error of the log-likelihood; NaN where that is not finite.

    References
    ----------
    .. [1] R. J. Hathaway, "Another interpretation of the EM algorithm for mixture distributions",
       Statistics & Probability Letters 4, 53-56, 1986.
    """
    k, d = statistics.centres.shape
    U = precisions_cholesky
    if statistics.covariance_type in ("full", "tied"):
        precisions = U @ U.swapaxes(-1, -2)
        log_dets = np.log(np.einsum("...aa->...a", U)).sum(axis=-1)
    else:
        precisions = np.square(U)
        log_dets = np.log(U).sum(axis=1) if U.ndim == 2 else d * np.log(U)
    present = weights > 0.0
    log_weights = np.log(weights, where=present, out=np.zeros(k))
    constants = log_weights + log_dets - 0.5 * d * math.log(2.0 * math.pi)
    completed = statistics.resp_sum @ constants - 0.5 * (precisions * statistics.resp_xx).sum()
    entropy = statistics.log_likelihood - float(completed)
    return max(0.0, entropy) if math.isfinite(entropy) else math.nan
