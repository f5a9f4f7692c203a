"""Where scikit-learn's EM begins: the same rows and numbers from the same `random_state`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.covariance import FAMILIES
from mixtura.exceptions import FitError
from mixtura.passes import CompiledPass
from mixtura.sklearn.kmeans import KMeans, far_apart
from mixtura.statistics import Floats, Statistics
from mixtura.update import MaximumLikelihood, Parameters
from mixtura.validation import FACTOR_AXES, contiguous, refuse_non_finite

__all__ = ["INIT_PARAMS", "check_given", "start"]

INIT_PARAMS = ("kmeans", "k-means++", "random", "random_from_data")
SUM_TOLERANCE = 1e-6  # of weights, which may be float32


def start(
    estimator: Any,
    X: NDArray[Any],
    weight: Floats | None,
    rows: CompiledPass,
    rule: MaximumLikelihood,
    given: dict[str, Floats],
    random_state: np.random.RandomState,
) -> Parameters:
    """Return the parameters with which a run begins.

    Parameters
    ----------
    estimator : GaussianMixture
        For its parameters.
    X : ndarray of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,) or None
    rows : CompiledPass
        The pass over the same rows.
    rule : MaximumLikelihood
        The M step.
    given : dict
        Parameters, by name, that the user gave.
    random_state : RandomState

    Returns
    -------
    Parameters

    Raises
    ------
    FitError
        When a covariance is singular.
    """
    if len(given) == len(Parameters._fields):
        return Parameters(**given)
    statistics = _statistics(estimator, X, weight, rows, random_state)
    parameters, failed = rule.update(statistics)
    if failed.any() and "covariances" not in given:
        raise FitError(
            f"component {int(np.argmax(failed))} has a singular covariance at the start. "
            f"Use reg_covar > 0, fewer components, or another init_params."
        )
    # Where a start is k of the rows, scikit-learn's weights are 1 / n_samples each.
    share = statistics.resp_sum.sum() / (len(X) if weight is None else weight.sum())
    return parameters._replace(weights=parameters.weights * share)._replace(**given)


def _statistics(
    estimator: Any,
    X: NDArray[Any],
    weight: Floats | None,
    rows: CompiledPass,
    random_state: np.random.RandomState,
) -> Statistics:
    """Sums whose M step is the start."""
    n, d = X.shape
    k, how = estimator.n_components, estimator.init_params
    if how == "kmeans":
        kmeans = KMeans(k, n_init=1, random_state=random_state, n_threads=estimator.n_threads)
        kmeans.fit(X, sample_weight=weight)
        return rows.accumulate_labels(kmeans.labels_, kmeans.cluster_centers_.astype(np.float64))
    if how == "random":
        resp = random_state.uniform(size=(n, k))
        resp /= resp.sum(axis=1, keepdims=True)
        centre = X[:1].astype(np.float64)
        centre = rows.accumulate_labels(np.zeros(n, dtype=np.int64), centre).means()
        return rows.accumulate_resp(resp, np.repeat(centre, k, axis=0))
    if how == "k-means++":
        chosen = far_apart(X, k, weight, random_state)
    else:
        share = None if weight is None else weight / weight.sum()
        chosen = random_state.choice(n, size=k, replace=False, p=share)
    points = X[chosen].astype(np.float64)
    shape = FAMILIES[estimator.covariance_type].factor_shape
    statistics = CompiledPass(points, None, shape, 1).accumulate_labels(np.arange(k), points)
    if shape == "tied":
        # scikit-learn takes the scatter of all rows about zero and the weight of these alone.
        everything = rows.accumulate_labels(np.zeros(n, dtype=np.int64), np.zeros((1, d)))
        statistics.resp_xx[...] = everything.resp_xx - points.T @ points
    return statistics


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
        given["weights"] = weights = _shaped(
            estimator.weights_init, "weights", (k,), ("component",)
        )
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
        given["means"] = _shaped(estimator.means_init, "means", (k, n_features), axes)
    if estimator.precisions_init is not None:
        name = f"{estimator.covariance_type} precision"
        shape = FAMILIES[estimator.covariance_type].shape(k, n_features)
        axes = FACTOR_AXES[estimator.covariance_type]
        precisions = _shaped(estimator.precisions_init, name, shape, axes)
        if estimator.covariance_type in ("full", "tied"):
            given["precisions_cholesky"] = _factors(precisions, name)
            given["covariances"] = np.asarray(np.linalg.inv(precisions), dtype=np.float64)
        elif precisions.min() > 0.0:
            given["precisions_cholesky"] = np.sqrt(precisions)
            given["covariances"] = 1.0 / precisions
        else:
            raise ValueError(
                f"'{name}' should be positive; got {precisions.min():g}. Give reciprocals."
            )
    return given


def _shaped(values: Any, name: str, shape: tuple[int, ...], axes: tuple[str, ...]) -> Floats:
    array = contiguous(values, name)
    if array.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}. "
            f"Pass an array of this shape."
        )
    refuse_non_finite(array, name, axes, "Give a finite number.")
    return array


def _factors(precisions: Floats, name: str) -> Floats:
    """Upper U with ``precision = U @ U.T``: Cholesky's lower factor, rows and columns reversed."""
    backwards = (..., slice(None, None, -1), slice(None, None, -1))
    try:
        factors = np.linalg.cholesky(precisions[backwards])[backwards]
        if np.allclose(precisions, precisions.swapaxes(-1, -2)):
            return np.ascontiguousarray(factors)
    except np.linalg.LinAlgError:
        pass
    raise ValueError(
        f"'{name}' should be symmetric, positive-definite. Give the inverses of covariances."
    )
