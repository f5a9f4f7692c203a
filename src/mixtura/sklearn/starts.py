"""Where scikit-learn's EM begins: the same rows and numbers from the same `random_state`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data import ArrayRows
from mixtura.data.checks import contiguous, refuse_non_finite
from mixtura.data.labels import RowLabels, matched
from mixtura.exceptions import FitError
from mixtura.parameters import Parameters
from mixtura.passes import RowsPass
from mixtura.shapes import SHAPES, Floats
from mixtura.sklearn.kmeans import KMeans, far_apart
from mixtura.starts.labels import FromLabels, statistics_of_labels
from mixtura.starts.whole import whole_pass
from mixtura.statistics import Statistics
from mixtura.updates import Update
from mixtura.updates.protocol import Mask

__all__ = ["INIT_PARAMS", "check_given", "first_statistics", "shaped", "singular_start", "start"]

INIT_PARAMS = ("kmeans", "k-means++", "random", "random_from_data")
SUM_TOLERANCE = 1e-6  # of weights, which may be float32


def start(
    estimator: Any,
    X: NDArray[Any],
    weight: Floats | None,
    rows: RowsPass,
    update: Update,
    given: Parameters | dict[str, Floats],
    known: RowLabels | None,
    random_state: np.random.RandomState,
    number: int,
) -> Parameters:
    """Return the parameters with which a run of EM begins.

    Parameters
    ----------
    estimator : GaussianMixture
        For its parameters.
    X : ndarray of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,) or None
    rows : RowsPass
        The pass over the same rows.
    update : Update
        The M step.
    given : Parameters or dict
        Parameters to continue from, or some that the user gave, by name.
    known : RowLabels or None
        What is known of the components of rows: see `first_statistics`.
    random_state : RandomState
    number : int
        Of the run.

    Returns
    -------
    Parameters

    Raises
    ------
    FitError
        When a covariance is singular.
    """
    if isinstance(given, Parameters):
        return given
    statistics = first_statistics(estimator, X, weight, rows, known, random_state, number)
    parameters, failed = update.update(statistics)
    if failed.any() and "covariances" not in given:
        raise singular_start(failed)
    # Where a start is k of the rows, scikit-learn's weights are 1 / n_samples each.
    share = statistics.resp_sum.sum() / (len(X) if weight is None else weight.sum())
    weights = given.get("weights", parameters.weights * share)
    return Parameters(
        weights,
        given.get("means", parameters.means),
        given.get("covariances", parameters.covariances),
        given.get("precisions_cholesky", parameters.precisions_cholesky),
        parameters.shape,
    )


def singular_start(failed: Mask) -> FitError:
    """Return the error of a start in which a covariance is singular."""
    return FitError(
        f"component {int(np.argmax(failed))} has a singular covariance at the start. "
        f"Use reg_covar > 0, fewer components, or another init_params."
    )


def first_statistics(
    estimator: Any,
    X: NDArray[Any],
    weight: Floats | None,
    rows: RowsPass,
    known: RowLabels | None,
    random_state: np.random.RandomState,
    number: int,
) -> Statistics:
    """Return the sums whose M step is the start of a run.

    Parameters
    ----------
    estimator : MixtureEstimator
        For its parameters.
    X : ndarray of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,) or None
    rows : RowsPass
        The pass over the same rows.
    known : RowLabels or None
        What is known of the components of rows. Then the first run begins from that, and others
        from clusters of k-means, by the numbers of the components that they agree with best.
    random_state : RandomState
    number : int
        Of the run.

    Returns
    -------
    Statistics
        Of weight k where the start is k of the rows.
    """
    whole = whole_pass(rows)
    if whole is not rows:
        X = whole.source.take(range(len(X))).astype(X.dtype, copy=False)
    if known is None:
        return _statistics(estimator, X, weight, whole, random_state)
    alone = number == 0 and not known.has_copies
    return _statistics_of_labels(estimator, X, weight, whole, random_state, known, alone=alone)


def _statistics(
    estimator: Any,
    X: NDArray[Any],
    weight: Floats | None,
    rows: RowsPass,
    random_state: np.random.RandomState,
) -> Statistics:
    """Sums whose M step is the start."""
    n, d = X.shape
    k, how = estimator.n_components, estimator.init_params
    if how == "kmeans":
        kmeans = KMeans(k, n_init=1, random_state=random_state, n_threads=estimator.n_threads)
        kmeans.fit(X, sample_weight=weight)
        return rows.given(kmeans.labels_, kmeans.cluster_centers_.astype(np.float64))
    if how == "random":
        resp = random_state.uniform(size=(n, k))
        resp /= resp.sum(axis=1, keepdims=True)
        centre = X[:1].astype(np.float64)
        centre = rows.given(np.zeros(n, dtype=np.int64), centre).means()
        return rows.given(resp, np.repeat(centre, k, axis=0))
    if how == "k-means++":
        chosen = far_apart(X, k, weight, random_state)
    else:
        share = None if weight is None else weight / weight.sum()
        chosen = random_state.choice(n, size=k, replace=False, p=share)
    points = X[chosen].astype(np.float64)
    statistics = RowsPass(ArrayRows(points), rows.shape, rows.backend).given(np.arange(k), points)
    if rows.shape.is_shared:
        # scikit-learn takes the scatter of all rows about zero and the weight of these alone.
        everything = rows.given(np.zeros(n, dtype=np.int64), np.zeros((1, d)))
        statistics.resp_xx[...] = everything.resp_xx - points.T @ points
    return statistics


def _statistics_of_labels(
    estimator: Any,
    X: NDArray[Any],
    weight: Floats | None,
    rows: RowsPass,
    random_state: np.random.RandomState,
    known: RowLabels,
    *,
    alone: bool,
) -> Statistics:
    """Sums of rows shared out by what is known alone, or of clusters that agree with it."""
    if alone:
        middle = rows.source.middle
        scale = np.where(middle.deviation > 0.0, middle.deviation, 1.0)
        return statistics_of_labels(FromLabels(known.prior), rows, middle.centre, scale)
    kmeans = KMeans(
        estimator.n_components, n_init=1, random_state=random_state, n_threads=estimator.n_threads
    )
    kmeans.fit(X, sample_weight=weight)
    labels = matched(kmeans.labels_, known.code, known.prior, weight)
    centres = np.repeat(X[:1].astype(np.float64), estimator.n_components, axis=0)
    return rows.given(labels, rows.given(labels, centres).means())


def check_given(estimator: Any, n_features: int) -> dict[str, Floats]:
    """Parameters that the user gave, by name.

    Raises
    ------
    ValueError
        In scikit-learn's words, for another shape, weights that are not shares, precisions that
        are not symmetric and positive definite.
    """
    given: dict[str, Floats] = {}
    axes: tuple[str, ...]
    k = estimator.n_components
    if estimator.weights_init is not None:
        given["weights"] = weights = shaped(estimator.weights_init, "weights", (k,), ("component",))
        if weights.min() < 0.0 or weights.max() > 1.0:
            raise ValueError(
                f"The parameter 'weights' should be in the range [0, 1], but got max value "
                f"{weights.max():.5f}, min value {weights.min():.5f}. Give shares of the rows."
            )
        if abs(weights.sum() - 1.0) > SUM_TOLERANCE:
            raise ValueError(
                f"The parameter 'weights' should be normalized, but got sum(weights) = "
                f"{weights.sum():.5f}. Divide them by their sum."
            )
    if estimator.means_init is not None:
        axes = ("component", "feature")
        given["means"] = shaped(estimator.means_init, "means", (k, n_features), axes)
    if estimator.precisions_init is not None:
        kept = SHAPES[estimator.covariance_type]
        name = f"{kept.name} precision"
        shape = kept.array_shape(k, n_features)
        precisions = shaped(estimator.precisions_init, name, shape, kept.axes)
        try:
            covariances, factors = kept.from_precisions(precisions)
        except np.linalg.LinAlgError as error:
            what = "symmetric, positive-definite"
            if kept.is_diagonal:
                what = f"positive; got {precisions.min():g}"
            raise ValueError(
                f"'{name}' should be {what}. Give the inverses of covariances."
            ) from error
        given["covariances"], given["precisions_cholesky"] = covariances, factors
    return given


def shaped(values: Any, name: str, shape: tuple[int, ...], axes: tuple[str, ...]) -> Floats:
    """Return the array of a parameter that has to have some shape, and finite numbers.

    Raises
    ------
    ValueError
    """
    array = contiguous(values, name)
    if array.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}. "
            f"Pass an array of this shape."
        )
    refuse_non_finite(array, name, axes, "Give a finite number.")
    return array
