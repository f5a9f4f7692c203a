"""Mixtures from and to scikit-learn's estimators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mixtura import kernels
from mixtura.data.checks import check_components, check_option, check_weights, contiguous
from mixtura.mixture.checks import SUM_TOLERANCE
from mixtura.shapes import FULL, SHAPE_NAMES, SHAPES

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["from_sklearn", "register", "to_sklearn"]

EstimatorClass = TypeVar("EstimatorClass", bound=type)
OWN_ESTIMATORS: list[type] = []


def register(estimator: EstimatorClass) -> EstimatorClass:
    """Let `from_sklearn` accept an estimator class of mixtura's own."""
    OWN_ESTIMATORS.append(estimator)
    return estimator


def from_sklearn(cls: type[GaussianMixture], estimator: Any) -> GaussianMixture:
    """Make a mixture from a fitted scikit-learn estimator.

    Parameters
    ----------
    estimator : sklearn.mixture.GaussianMixture or mixtura.sklearn.GaussianMixture
        Only its attributes are used, so it does not matter how they were set.

    Returns
    -------
    GaussianMixture

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For an estimator that is not fitted, or attributes that do not fit together.
    """
    sklearn = _sklearn()
    known: Any = (sklearn.mixture.GaussianMixture, *OWN_ESTIMATORS)
    if not isinstance(estimator, known):
        raise TypeError(
            f"estimator must be a GaussianMixture of scikit-learn or of mixtura.sklearn; got "
            f"{type(estimator).__name__}. Pass one of them, fitted."
        )
    needed = ["weights_", "means_", "covariances_", "precisions_cholesky_"]
    sklearn.utils.validation.check_is_fitted(estimator, needed)
    name = check_option("covariance_type", estimator.covariance_type, SHAPE_NAMES)
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
    if abs(total - 1.0) > SUM_TOLERANCE:  # as after rounding to float32
        weights = weights / total
    names = getattr(estimator, "feature_names_in_", None)
    names = None if names is None else tuple(map(str, names))
    return cls._from_fit(name, weights, means, covariances, factors, names)


def to_sklearn(self: GaussianMixture) -> Any:
    """Make a fitted scikit-learn estimator of the mixture.

    Returns
    -------
    sklearn.mixture.GaussianMixture
        Scikit-learn's own, as after ``max_iter=0``. With ``warm_start=True`` its `fit` starts from
        this mixture. A covariance type that scikit-learn does not have becomes "full".
    """
    name, covariances, factors = self.covariance_type, self.covariances, self.precisions_cholesky
    if name not in SHAPE_NAMES:
        name, covariances = FULL.name, self.covariance_matrices()
        factors, _ = FULL.factorise(covariances, kernels)
    estimator = _sklearn().mixture.GaussianMixture(self.n_components, covariance_type=name)
    estimator.weights_ = self.weights.copy()
    estimator.means_ = self.means.copy()
    estimator.covariances_ = covariances.copy()
    estimator.precisions_cholesky_ = factors.copy()
    estimator.precisions_ = SHAPES[name].precisions(factors)
    estimator.n_features_in_ = self.n_features
    if self.feature_names is not None:
        estimator.feature_names_in_ = np.array(self.feature_names, dtype=object)
    estimator.converged_, estimator.n_iter_ = False, 0
    estimator.lower_bound_, estimator.lower_bounds_ = -np.inf, []
    return estimator


def _sklearn() -> Any:
    """Import scikit-learn, which only these conversions need."""
    try:
        import sklearn.mixture
        import sklearn.utils.validation
    except ImportError as error:
        raise ImportError(
            "to_sklearn and from_sklearn need scikit-learn, which is not installed. "
            "Install it with: pip install 'mixtura[sklearn]'."
        ) from error
    return sklearn
