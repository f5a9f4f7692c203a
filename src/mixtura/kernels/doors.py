"""The functions that users call: checks, then the pass.

They are the functions of `mixtura.reference.doors`, whose docstrings are their contract.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.checks import (
    TreeModel,
    check_agglomerate,
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
from mixtura.kernels.instruction_set import Rows, compiled_hierarchical
from mixtura.parameters import Seen
from mixtura.shapes import SHAPE_NAMES, SHAPES, SPHERICAL, Floats, ShapeName
from mixtura.statistics import Statistics

__all__ = [
    "accumulate",
    "accumulate_labels",
    "accumulate_resp",
    "agglomerate",
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
    """Log-density of every row under every component: `mixtura.reference.log_density`, compiled.

    Examples
    --------
    >>> from mixtura import kernels
    >>> kernels.log_density([[0.0], [1.0]], [[0.0]], [1.0], covariance_type="spherical")
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
    """Posterior probability of every component: `mixtura.reference.responsibilities`, compiled.

    Examples
    --------
    >>> from mixtura import kernels
    >>> resp, log_prob = kernels.responsibilities(
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
    """Statistics of the rows under a mixture: `mixtura.reference.accumulate`, compiled.

    Examples
    --------
    >>> from mixtura import kernels
    >>> s = kernels.accumulate(
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
    """Statistics under given responsibilities: `mixtura.reference.accumulate_resp`, compiled.

    Examples
    --------
    >>> from mixtura import kernels
    >>> s = kernels.accumulate_resp(
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
    """Statistics under given labels: `mixtura.reference.accumulate_labels`, compiled.

    Examples
    --------
    >>> from mixtura import kernels
    >>> s = kernels.accumulate_labels(
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
    """Nearest center of every row, and statistics: `mixtura.reference.assign`, compiled.

    Examples
    --------
    >>> from mixtura import kernels
    >>> labels, s = kernels.assign([[0.0], [1.0], [9.0]], [[0.0], [8.0]])
    >>> labels, s.resp_xx
    (array([0, 0, 1]), array([1., 1.]))
    """
    check_n_threads(n_threads)
    X = check_rows(X)
    centers = check_centres(centers, X.shape[1], name="centers")
    sample_weight = check_sample_weight(sample_weight, len(X))
    labels = np.empty(len(X), dtype=np.int64)
    seen = Seen.of_centers(centers, SPHERICAL)
    statistics = Rows(X, sample_weight).accumulate("nearest", seen, n_threads, labels=labels)
    if not sample_weight.all():  # a weighted pass does not read rows of weight zero
        Rows(X).evaluate("nearest", seen, n_threads, labels=labels)
    return labels, statistics


def potentials(
    X: ArrayLike,
    seeds: ArrayLike,
    nearest: Floats,
    *,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Floats:
    """What each candidate for a seed would leave: `mixtura.reference.potentials`, compiled.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import kernels
    >>> nearest = np.full(3, np.inf)
    >>> kernels.potentials([[0.0], [1.0], [9.0]], [[0.0], [9.0]], nearest)
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


def agglomerate(
    X: ArrayLike,
    *,
    model: TreeModel,
    blur: float,
    sample_weight: ArrayLike | None = None,
) -> tuple[NDArray[np.int64], Floats]:
    """Merge rows until one cluster is left: `mixtura.reference.agglomerate`, compiled.

    Examples
    --------
    >>> from mixtura import kernels
    >>> merges, losses = kernels.agglomerate([[0.0], [1.0], [3.0]], model="EII", blur=1e-3)
    >>> merges
    array([[0, 1],
           [2, 3]])
    >>> losses.round(3)
    array([0.5  , 4.167])
    """
    rows, model, blur, weight = check_agglomerate(X, model, blur, sample_weight)
    merges, losses = np.empty((len(rows) - 1, 2), dtype=np.int64), np.empty(len(rows) - 1)
    compiled_hierarchical.agglomerate(rows, weight, model, blur, merges, losses)
    return merges, losses
