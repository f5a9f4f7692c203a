"""The functions that users call: checks, then the pass.

Their docstrings are the contract of the compiled functions too.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.checks import (
    check_centres,
    check_components,
    check_labels,
    check_n_threads,
    check_option,
    check_output,
    check_resp,
    check_rows,
    check_sample_weight,
    check_weights,
    check_writeable,
)
from mixtura.parameters import Seen
from mixtura.reference.rows import Rows
from mixtura.shapes import SHAPE_NAMES, SHAPES, SPHERICAL, Floats, ShapeName
from mixtura.statistics import Statistics

__all__ = [
    "accumulate",
    "accumulate_labels",
    "accumulate_resp",
    "assign",
    "log_density",
    "potentials",
    "responsibilities",
]


def log_density(
    X: ArrayLike,
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    *,
    covariance_type: ShapeName,
    n_threads: int | None = None,
    out: Floats | None = None,
) -> Floats:
    """Log-density of every row under every Gaussian component.

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
        Written and returned when given. It shares no memory with the other arguments.

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
    With U_j the precision factor of component j it is
    ``sum_a log U_j[a, a] - d/2 log 2 pi - 1/2 |U_j^T (x_i - mean_j)|^2``. Cost n k d (d + 1) / 2
    multiply-adds for "full", n k d otherwise.

    Examples
    --------
    >>> from mixtura import reference
    >>> reference.log_density([[0.0], [1.0]], [[0.0]], [1.0], covariance_type="spherical")
    array([[-0.91893853],
           [-1.41893853]])
    """
    check_n_threads(n_threads)
    X = check_rows(X)
    means, factors = check_components(means, precisions_cholesky, covariance_type, X.shape[1])
    out = check_output(out, (len(X), len(means)), X=X, precisions_cholesky=factors)
    seen = Seen.of_factors(np.ones(len(means)), means, factors, SHAPES[covariance_type])
    Rows(X).evaluate("soft", seen, n_threads, log_density=out)
    return out


def responsibilities(
    X: ArrayLike,
    weights: ArrayLike,
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    *,
    covariance_type: ShapeName,
    n_threads: int | None = None,
) -> tuple[Floats, Floats]:
    """Posterior probability of every component for every row.

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
        Rows sum to one. Where every component has zero density, they are the weights.
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
    The largest term is taken out of the sum before exponentials are formed, so nothing overflows.

    Examples
    --------
    >>> from mixtura import reference
    >>> resp, log_prob = reference.responsibilities(
    ...     [[0.0]], [0.25, 0.75], [[0.0], [0.0]], [1.0, 1.0], covariance_type="spherical")
    >>> resp
    array([[0.25, 0.75]])
    """
    check_n_threads(n_threads)
    X = check_rows(X)
    means, factors = check_components(means, precisions_cholesky, covariance_type, X.shape[1])
    weights = check_weights(weights, len(means))
    resp, log_prob = np.empty((len(X), len(means))), np.empty(len(X))
    seen = Seen.of_factors(weights, means, factors, SHAPES[covariance_type])
    Rows(X).evaluate("soft", seen, n_threads, resp=resp, log_prob=log_prob)
    return resp, log_prob


def accumulate(
    X: ArrayLike,
    weights: ArrayLike,
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    *,
    covariance_type: ShapeName,
    em: Literal["soft", "hard"] = "soft",
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
    em : {"soft", "hard"}
        "soft": components share each row by `responsibilities` [1]_. "hard": each row belongs to
        the component of largest ``weight_j density_j``, the first of equals [2]_.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each. A row of weight zero is absent.
    n_threads : int or None
        Number of threads, None for as many as are useful. The reference uses one.

    Returns
    -------
    Statistics
        About `means`, with the weighted total log-likelihood; for "hard" the sum of
        ``max_j log(weight_j density_j)``.

    Raises
    ------
    ValueError
        As `responsibilities`, for sample weights that are negative or of the wrong length, and for
        an unknown `em`.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    The compiled twin leaves out responsibilities below exp(-45) of a row's largest, or below
    exp(-23) / k with 48 components or more: a row then loses less than 1e-10 of its weight.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via
       the EM algorithm", J. R. Stat. Soc. B 39, 1-38, 1977, section 4.3.
    .. [2] G. Celeux, G. Govaert, "A classification EM algorithm for clustering and two stochastic
       versions", Computational Statistics & Data Analysis 14, 315-332, 1992.

    Examples
    --------
    >>> from mixtura import reference
    >>> s = reference.accumulate(
    ...     [[0.0], [1.0]], [1.0], [[0.0]], [1.0], covariance_type="spherical")
    >>> s.resp_sum, s.resp_x, s.resp_xx
    (array([2.]), array([[1.]]), array([1.]))
    """
    check_n_threads(n_threads)
    check_option("em", em, ("soft", "hard"))
    X = check_rows(X)
    means, factors = check_components(means, precisions_cholesky, covariance_type, X.shape[1])
    weights = check_weights(weights, len(means))
    sample_weight = check_sample_weight(sample_weight, len(X))
    seen = Seen.of_factors(weights, means, factors, SHAPES[covariance_type])
    return Rows(X, sample_weight).accumulate(em, seen, n_threads)


def accumulate_resp(
    X: ArrayLike,
    resp: ArrayLike,
    centres: ArrayLike,
    *,
    covariance_type: ShapeName,
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
    check_option("covariance_type", covariance_type, SHAPE_NAMES)
    X = check_rows(X)
    centres = check_centres(centres, X.shape[1])
    resp = check_resp(resp, (len(X), len(centres)))
    sample_weight = check_sample_weight(sample_weight, len(X))
    return Rows(X, sample_weight).given(resp, centres, SHAPES[covariance_type], n_threads)


def accumulate_labels(
    X: ArrayLike,
    labels: ArrayLike,
    centres: ArrayLike,
    *,
    covariance_type: ShapeName,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Statistics:
    """Statistics of the rows where each belongs to one given component.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), float32 or float64
        The rows; any memory layout, never modified.
    labels : array_like of shape (n_samples,), integers
        The component of each row, counted from 0.
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
        For shapes that do not fit together, labels of no component, or values that are negative or
        not finite.
    TypeError
        For values that are not real numbers, or labels that are not integers.

    Notes
    -----
    Cost n d (d + 1) / 2 multiply-adds for "full" and "tied", n d otherwise.

    Examples
    --------
    >>> from mixtura import reference
    >>> s = reference.accumulate_labels(
    ...     [[0.0], [2.0], [9.0]], [0, 0, 1], [[1.0], [9.0]], covariance_type="diag")
    >>> s.resp_sum, s.resp_xx.ravel()
    (array([2., 1.]), array([2., 0.]))
    """
    check_n_threads(n_threads)
    check_option("covariance_type", covariance_type, SHAPE_NAMES)
    X = check_rows(X)
    centres = check_centres(centres, X.shape[1])
    labels = check_labels(labels, len(X), len(centres))
    sample_weight = check_sample_weight(sample_weight, len(X))
    return Rows(X, sample_weight).given(labels, centres, SHAPES[covariance_type], n_threads)


def assign(
    X: ArrayLike,
    centers: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[np.int64], Statistics]:
    """Nearest center of every row, and the statistics where each row belongs to it.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), float32 or float64
        The rows; any memory layout, never modified.
    centers : array_like of shape (n_clusters, n_features)
        Cluster centers: the centres of the statistics.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each. A row of weight zero is absent.
    n_threads : int or None
        Number of threads, None for as many as are useful. The reference uses one.

    Returns
    -------
    labels : ndarray of shape (n_samples,), int64
        Position of the nearest center, the first of equals; also for a row of weight zero.
    statistics : Statistics
        Of type "spherical" about `centers`. The log-likelihood is minus half the weighted sum of
        squared distances.

    Raises
    ------
    ValueError
        For shapes that do not fit together or values that are negative or not finite.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    Cost n k d multiply-adds.

    Examples
    --------
    >>> from mixtura import reference
    >>> labels, s = reference.assign([[0.0], [1.0], [9.0]], [[0.0], [8.0]])
    >>> labels, s.resp_xx
    (array([0, 0, 1]), array([1., 1.]))
    """
    check_n_threads(n_threads)
    X = check_rows(X)
    centers = check_centres(centers, X.shape[1], name="centers")
    sample_weight = check_sample_weight(sample_weight, len(X))
    labels = np.empty(len(X), dtype=np.int64)
    seen = Seen.of_centers(centers, SPHERICAL)
    return labels, Rows(X, sample_weight).accumulate("nearest", seen, n_threads, labels=labels)


def potentials(
    X: ArrayLike,
    seeds: ArrayLike,
    nearest: Floats,
    *,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Floats:
    """Take a seed of k-means++, and return what each candidate for the next would leave.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), float32 or float64
        The rows; any memory layout, never modified.
    seeds : array_like of shape (n_seeds, n_features)
        The seed just chosen, then the candidates for the next.
    nearest : ndarray of shape (n_samples,), float64
        Squared distance of each row to the nearest of the seeds before, infinite before the first.
        It is updated for the seed just chosen. It shares no memory with the other arguments.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each. A row of weight zero is absent.
    n_threads : int or None
        Number of threads, None for as many as are useful. The reference uses one.

    Returns
    -------
    ndarray of shape (n_seeds,)
        Weighted sum of the squared distances to the nearest seed, with each of `seeds` in turn; the
        first is that of the seeds chosen so far.

    Raises
    ------
    ValueError
        For shapes that do not fit together or values that are negative or not finite.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    The seeds of [1]_. Cost n n_seeds d multiply-adds.

    References
    ----------
    .. [1] D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding",
       SODA 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import reference
    >>> nearest = np.full(3, np.inf)
    >>> reference.potentials([[0.0], [1.0], [9.0]], [[0.0], [9.0]], nearest)
    array([82.,  1.])
    >>> nearest[1:]
    array([ 1., 81.])
    """
    check_n_threads(n_threads)
    X = check_rows(X)
    seeds = check_centres(seeds, X.shape[1], name="seeds")
    sample_weight = check_sample_weight(sample_weight, len(X))
    remedy = "Begin with np.full(len(X), np.inf)."
    check_writeable("nearest", nearest, (len(X),), remedy, X=X, sample_weight=sample_weight)
    return Rows(X, sample_weight).potentials(seeds, nearest, n_threads)
