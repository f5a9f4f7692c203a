"""Mixtures from and to scikit-learn's estimators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mixtura import kernels
from mixtura.covariance import FAMILIES
from mixtura.data.checks import (
    check_option,
    check_weights,
    rounding_unit,
)
from mixtura.data.missing import MISSING
from mixtura.mixture.checks import SUM_TOLERANCE, check_factored, check_means
from mixtura.shapes import EPS, FULL, SHAPE_NAMES, SHAPES

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
        Or a BayesianGaussianMixture, whose mixture is that of the expected parameters. Only its
        attributes are used. Weights are divided by their sum.

    Returns
    -------
    GaussianMixture

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For an estimator that is not fitted, attributes that `GaussianMixture` would refuse, or
        `precisions_cholesky_` that are not the factors of `covariances_`.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.25, 0.75], [[0], [4]], [1, 4], "spherical")
    >>> GaussianMixture.from_sklearn(mixture.to_sklearn()) == mixture
    True
    """
    sklearn = _sklearn()
    known: Any = (
        sklearn.mixture.GaussianMixture,
        sklearn.mixture.BayesianGaussianMixture,
        *OWN_ESTIMATORS,
    )
    if not isinstance(estimator, known):
        raise TypeError(
            f"estimator must be a GaussianMixture of scikit-learn or of mixtura.sklearn, or a "
            f"BayesianGaussianMixture; got {type(estimator).__name__}. Pass one of them, fitted."
        )
    needed = ["weights_", "means_", "covariances_", "precisions_cholesky_"]
    missing = [name for name in needed if not hasattr(estimator, name)]
    if 0 < len(missing) < len(needed):
        raise sklearn.exceptions.NotFittedError(
            f"a mixture needs {', '.join(needed)}; got no {', '.join(missing)}. Set all four, or "
            f"make it with mixtura.GaussianMixture(weights, means, covariances, covariance_type)."
        )
    sklearn.utils.validation.check_is_fitted(estimator, needed)
    name = check_option("covariance_type", estimator.covariance_type, SHAPE_NAMES)
    means, covariances = check_means(estimator.means_), estimator.covariances_
    weights, factors = check_weights(estimator.weights_, len(means)), estimator.precisions_cholesky_
    if abs(weights.sum() - 1.0) > SUM_TOLERANCE:  # float32, or scikit-learn's start itself
        weights = weights / (weights.sum() or 1.0)
    unit = max(rounding_unit(covariances, "covariances_"), rounding_unit(factors, "factors"))
    weights, means, covariances, factors = check_factored(
        FAMILIES[name], weights, means, covariances, factors, rounding=unit
    )
    if unit > EPS:
        covariances = SHAPES[name].inverses(factors)
    names = getattr(estimator, "feature_names_in_", None)
    names = None if names is None else tuple(map(str, names))
    nan = check_option("missing", getattr(estimator, "missing", "raise"), MISSING)
    return cls._from_fit(name, weights, means, covariances, factors, names, nan)


def to_sklearn(self: GaussianMixture) -> Any:
    """Make a fitted scikit-learn estimator of the mixture.

    Returns
    -------
    sklearn.mixture.GaussianMixture
        Scikit-learn's own, as after ``max_iter=0``. With ``warm_start=True`` its `fit` starts from
        this mixture. A covariance type that scikit-learn does not have becomes "full".

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.25, 0.75], [[0], [4]], [1, 4], "spherical")
    >>> mixture.to_sklearn().predict([[0.5], [3.0]])
    array([0, 1])
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
        import sklearn.exceptions
        import sklearn.mixture
        import sklearn.utils.validation
    except ImportError as error:
        raise ImportError(
            "to_sklearn and from_sklearn need scikit-learn, which is not installed. "
            "Install it with: pip install 'mixtura[sklearn]'."
        ) from error
    return sklearn
