"""Mixtures to and from scikit-learn's estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture as Theirs
from sklearn.utils.validation import check_is_fitted

from mixtura.covariance import FAMILIES
from mixtura.mixture import SUM_TOLERANCE
from mixtura.mixture import GaussianMixture as Mixture
from mixtura.statistics import FACTOR_SHAPES, Floats
from mixtura.validation import check_components, check_option, check_weights, contiguous

__all__ = ["estimator_of", "parameters_of", "precisions_of"]


def parameters_of(
    estimator: Any,
) -> tuple[str, Floats, Floats, Floats, Floats, tuple[str, ...] | None]:
    """What `GaussianMixture._from_fit` takes, of a fitted estimator and checked."""
    from mixtura.sklearn.mixture import GaussianMixture as Ours

    if not isinstance(estimator, (Theirs, Ours)):
        raise TypeError(
            f"estimator must be a GaussianMixture of scikit-learn or of mixtura.sklearn; got "
            f"{type(estimator).__name__}. Pass one of them, fitted."
        )
    check_is_fitted(estimator, ["weights_", "means_", "covariances_", "precisions_cholesky_"])
    name = check_option("covariance_type", estimator.covariance_type, FACTOR_SHAPES)
    means, factors = check_components(
        estimator.means_, estimator.precisions_cholesky_, name, np.shape(estimator.means_)[-1]
    )
    weights = check_weights(estimator.weights_, len(means))
    covariances = contiguous(estimator.covariances_, "covariances_")
    if covariances.shape != factors.shape:
        raise ValueError(
            f"covariances_ must have the shape of precisions_cholesky_, {factors.shape}; got "
            f"{covariances.shape}. Set both."
        )
    total = weights.sum()
    if abs(total - 1.0) > SUM_TOLERANCE:  # rounded to float32, or a start's
        weights = weights / total
    names = getattr(estimator, "feature_names_in_", None)
    names = None if names is None else tuple(map(str, names))
    return name, weights, means, covariances, factors, names


def estimator_of(mixture: Mixture) -> Theirs:
    """scikit-learn's own estimator, with the attributes of a mixture; other types become "full"."""
    name, covariances = mixture.covariance_type, mixture.covariances
    factors = mixture.precisions_cholesky
    if name not in FACTOR_SHAPES:
        name, covariances = "full", mixture.covariance_matrices()
        factors = FAMILIES[name].factorise(covariances)[0]
    estimator = Theirs(mixture.n_components, covariance_type=name)
    estimator.weights_ = mixture.weights.copy()
    estimator.means_ = mixture.means.copy()
    estimator.covariances_ = covariances.copy()
    estimator.precisions_cholesky_ = factors.copy()
    estimator.precisions_ = precisions_of(factors, name)
    estimator.n_features_in_ = mixture.n_features
    if mixture.feature_names is not None:
        estimator.feature_names_in_ = np.array(mixture.feature_names, dtype=object)
    estimator.converged_, estimator.n_iter_ = False, 0
    estimator.lower_bound_, estimator.lower_bounds_ = -np.inf, []
    return estimator


def precisions_of(factors: Floats, covariance_type: str) -> Floats:
    """Inverse covariances: ``U @ U.T``, or squares of reciprocal standard deviations."""
    if covariance_type in ("full", "tied"):
        return factors @ factors.swapaxes(-1, -2)
    return np.square(factors)
