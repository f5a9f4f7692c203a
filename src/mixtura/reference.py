"""The kernels in plain NumPy: the definition of right.

Every function here has a compiled twin of the same name and signature in `mixtura.kernels`, which
must agree with it to rounding. Nothing here is fast; everything is meant to be read.

With U_j the precision factor of component j (upper triangular, ``inv(covariance_j) = U_j U_j^T``)::

    (1)  y_ij  = U_j^T (x_i - mean_j)
    (2)  l_ij  = sum_a log U_j[a, a] - d/2 log 2 pi - 1/2 |y_ij|^2           the log-density
    (3)  L_i   = log sum_j weight_j exp l_ij                                 log_prob
    (4)  r_ij  = weight_j exp(l_ij - L_i)                                    the responsibility

The factor is (n_components, n_features, n_features) for "full", one (n_features, n_features) matrix
for "tied", the reciprocal standard deviations (n_components, n_features) for "diag" and
(n_components,) for "spherical".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from mixtura.agglomeration import agglomerate
from mixtura.statistics import FACTOR_SHAPES, FactorShape, Floats, Statistics
from mixtura.validation import (
    check_centres,
    check_components,
    check_n_threads,
    check_option,
    check_output,
    check_resp,
    check_rows,
    check_sample_weight,
    check_weights,
)

__all__ = ["accumulate", "accumulate_resp", "agglomerate", "log_density", "responsibilities"]


def _whitened(
    X: Floats, means: Floats, factors: Floats, covariance_type: FactorShape
) -> Iterator[tuple[Floats, float]]:
    """Yield ``y_j`` (n_samples, n_features) of equation (1) and ``log det U_j`` for each j."""
    n_features = X.shape[1]
    for j, mean in enumerate(means):
        z = X - mean
        if covariance_type == "full":
            yield z @ factors[j], float(np.log(np.diag(factors[j])).sum())
        elif covariance_type == "tied":
            yield z @ factors, float(np.log(np.diag(factors)).sum())
        elif covariance_type == "diag":
            yield z * factors[j], float(np.log(factors[j]).sum())
        else:
            yield z * factors[j], n_features * math.log(factors[j])


def log_density(
    X: ArrayLike,
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    *,
    covariance_type: FactorShape,
    n_threads: int | None = None,
    out: Floats | None = None,
) -> Floats:
    """Log-density of every row under every Gaussian component, equation (2).

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), float32 or float64
        The rows; any memory layout, never modified.
    means : array_like of shape (n_components, n_features)
        Component means.
    precisions_cholesky : array_like
        Precision factors, of the shape that `covariance_type` asks for (see the module).
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the precision factors.
    n_threads : int or None
        Number of threads, None for as many as are useful. The reference uses one.
    out : ndarray of shape (n_samples, n_components), float64, optional
        Written and returned when given.

    Returns
    -------
    ndarray of shape (n_samples, n_components), nats
        A row so far away that its squared distance overflows has -inf.

    Raises
    ------
    ValueError
        For shapes that do not fit together, an unknown `covariance_type`, or values that are not
        finite.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    Cost n k d (d + 1) / 2 multiply-adds for "full", n k d otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import reference
    >>> reference.log_density([[0.0], [1.0]], [[0.0]], [1.0], covariance_type="spherical")
    array([[-0.91893853],
           [-1.41893853]])
    """
    check_n_threads(n_threads)
    X = check_rows(X)
    n_samples, n_features = X.shape
    means, factors = check_components(means, precisions_cholesky, covariance_type, n_features)
    out = check_output(out, (n_samples, len(means)))
    X = X.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        for j, (y, log_det) in enumerate(_whitened(X, means, factors, covariance_type)):
            distance = np.square(y).sum(axis=1)
            distance[np.isnan(distance)] = np.inf  # inf - inf inside y: far away all the same
            out[:, j] = log_det - 0.5 * (n_features * math.log(2 * math.pi) + distance)
    return out


def responsibilities(
    X: ArrayLike,
    weights: ArrayLike,
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    *,
    covariance_type: FactorShape,
    n_threads: int | None = None,
) -> tuple[Floats, Floats]:
    """Posterior probability of every component for every row, equations (3) and (4).

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), float32 or float64
        The rows; any memory layout, never modified.
    weights : array_like of shape (n_components,)
        Non-negative, not all zero; they need not sum to one.
    means : array_like of shape (n_components, n_features)
        Component means.
    precisions_cholesky : array_like
        Precision factors, of the shape that `covariance_type` asks for (see the module).
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the precision factors.
    n_threads : int or None
        Number of threads, None for as many as are useful. The reference uses one.

    Returns
    -------
    resp : ndarray of shape (n_samples, n_components)
        Rows sum to one. A row that every component puts at zero density says nothing about
        them: its responsibilities are the weights, scaled to sum to one.
    log_prob : ndarray of shape (n_samples,), nats
        ``log sum_j weight_j density_j``; -inf for a row at zero density everywhere.

    Raises
    ------
    ValueError
        As `log_density`, and for weights that are negative or all zero.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    The largest term is taken out of the sum before exponentials are formed, so that neither
    overflow nor the loss of all terms to underflow can happen.

    Examples
    --------
    >>> from mixtura import reference
    >>> resp, log_prob = reference.responsibilities(
    ...     [[0.0]], [0.25, 0.75], [[0.0], [0.0]], [1.0, 1.0], covariance_type="spherical")
    >>> resp
    array([[0.25, 0.75]])
    """
    joint = log_density(
        X, means, precisions_cholesky, covariance_type=covariance_type, n_threads=n_threads
    )
    weights = check_weights(weights, joint.shape[1])
    with np.errstate(divide="ignore"):
        joint += np.log(weights)
    largest = joint.max(axis=1, keepdims=True)
    lost = np.isneginf(largest[:, 0])
    largest[lost] = 0.0
    resp = np.exp(joint - largest)
    resp[lost] = weights
    total = resp.sum(axis=1, keepdims=True)
    log_prob = np.where(lost, -np.inf, largest[:, 0] + np.log(total[:, 0]))
    return resp / total, log_prob


def accumulate(
    X: ArrayLike,
    weights: ArrayLike,
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    *,
    covariance_type: FactorShape,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Statistics:
    """Statistics of the rows under a mixture: the whole E-step of expectation-maximisation.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), float32 or float64
        The rows; any memory layout, never modified.
    weights : array_like of shape (n_components,)
        Non-negative, not all zero; they need not sum to one.
    means : array_like of shape (n_components, n_features)
        Component means: the centres of the statistics.
    precisions_cholesky : array_like
        Precision factors, of the shape that `covariance_type` asks for (see the module).
    covariance_type : {"full", "tied", "diag", "spherical"}
        Shape of the precision factors, and how much of the scatter is kept.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each. A row of weight zero is absent.
    n_threads : int or None
        Number of threads, None for as many as are useful. The reference uses one.

    Returns
    -------
    Statistics
        About `means`, with the weighted total log-likelihood.

    Raises
    ------
    ValueError
        As `responsibilities`, and for sample weights that are negative or of the wrong length.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    The compiled twin leaves out responsibilities below exp(-45) of a row's largest: a weight lost
    of less than 1e-25 a row.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via
       the EM algorithm", J. R. Stat. Soc. B 39, 1-38, 1977, section 4.3.

    Examples
    --------
    >>> from mixtura import reference
    >>> s = reference.accumulate(
    ...     [[0.0], [1.0]], [1.0], [[0.0]], [1.0], covariance_type="spherical")
    >>> s.resp_sum, s.resp_x, s.resp_xx
    (array([2.]), array([[1.]]), array([1.]))
    """
    X = check_rows(X)
    sample_weight = check_sample_weight(sample_weight, len(X))
    resp, log_prob = responsibilities(
        X,
        weights,
        means,
        precisions_cholesky,
        covariance_type=covariance_type,
        n_threads=n_threads,
    )
    sums = accumulate_resp(
        X, resp, means, covariance_type=covariance_type, sample_weight=sample_weight
    )
    present = sample_weight > 0
    log_likelihood = float(sample_weight[present] @ log_prob[present])
    return replace(sums, log_likelihood=log_likelihood)


def accumulate_resp(
    X: ArrayLike,
    resp: ArrayLike,
    centres: ArrayLike,
    *,
    covariance_type: FactorShape,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Statistics:
    """Statistics of the rows under given responsibilities.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), float32 or float64
        The rows; any memory layout, never modified.
    resp : array_like of shape (n_samples, n_components)
        Non-negative share of each component in each row.
    centres : array_like of shape (n_components, n_features)
        The points about which sums are taken.
    covariance_type : {"full", "tied", "diag", "spherical"}
        How much of the scatter is kept.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each. A row of weight zero is absent.
    n_threads : int or None
        Number of threads, None for as many as are useful. The reference uses one.

    Returns
    -------
    Statistics
        About `centres`, with a log-likelihood of zero.

    Raises
    ------
    ValueError
        For shapes that do not fit together or values that are negative or not finite.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    Cost n k d (d + 1) / 2 multiply-adds for "full" and "tied", n k d otherwise.

    Examples
    --------
    >>> from mixtura import reference
    >>> s = reference.accumulate_resp(
    ...     [[0.0], [2.0]], [[1.0], [1.0]], [[1.0]], covariance_type="diag")
    >>> s.means(), s.resp_xx
    (array([[1.]]), array([[2.]]))
    """
    check_n_threads(n_threads)
    check_option("covariance_type", covariance_type, FACTOR_SHAPES)
    X = check_rows(X)
    centres = check_centres(centres, X.shape[1])
    resp = check_resp(resp, (len(X), len(centres)))
    sample_weight = check_sample_weight(sample_weight, len(X))
    present = sample_weight > 0
    X, resp, sample_weight = X[present], resp[present], sample_weight[present]
    weighted = resp * sample_weight[:, None]
    resp_x = np.empty(centres.shape)
    scatter = []
    with np.errstate(over="ignore", invalid="ignore"):  # squares past 1e308 are inf, as compiled
        for j, centre in enumerate(centres):
            z = X - centre
            weighted_z = weighted[:, j, None] * z
            resp_x[j] = weighted_z.sum(axis=0)
            if covariance_type in ("full", "tied"):
                scatter.append(weighted_z.T @ z)
            else:
                scatter.append((weighted_z * z).sum(axis=0))
    resp_xx = np.array(scatter)
    if covariance_type == "tied":
        resp_xx = resp_xx.sum(axis=0)
    elif covariance_type == "spherical":
        resp_xx = resp_xx.sum(axis=1)
    return Statistics(
        covariance_type,
        centres,
        weighted.sum(axis=0),
        resp_x,
        resp_xx,
        0.0,
        float(sample_weight.sum()),
    )
