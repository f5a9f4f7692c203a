"""What the parameters of a mixture must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec

from numpy.typing import ArrayLike

from mixtura import kernels
from mixtura.covariance import CovarianceFamily
from mixtura.data.checks import check_centres, check_components, check_weights, contiguous
from mixtura.data.frames import check_ordered, repetitions
from mixtura.shapes import EPS, Floats

__all__ = [
    "SUM_TOLERANCE",
    "check_factored",
    "check_feature_names",
    "check_means",
    "check_mixture_weights",
    "naming_what_fits",
]

SUM_TOLERANCE = 1e-8  # of the weights: what Generator.choice accepts
NEEDED = ("weights", "means", "covariances")
OPTIONS = ("covariance_type", "feature_names", "missing")
Arguments = ParamSpec("Arguments")


def naming_what_fits(init: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Return an `__init__` that names the functions that fit, for a call with other arguments."""

    @wraps(init)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        got = [name for name in kwargs if name not in NEEDED + OPTIONS]
        missing = [name for name in NEEDED[max(len(args) - 1, 0) :] if name not in kwargs]
        if got or missing:
            raise TypeError(
                f"GaussianMixture takes the weights, means and covariances of a mixture; got "
                f"{', '.join(got) or 'no ' + ', '.join(missing)}. To fit one to rows, use "
                f"mixtura.fit_gmm(X, n_components), or mixtura.sklearn.GaussianMixture, which "
                f"takes scikit-learn's arguments."
            )
        init(*args, **kwargs)

    return checked


def check_means(means: ArrayLike) -> Floats:
    """Means as a new float64 array (n_components, n_features)."""
    array = contiguous(means, "means")
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"means must have shape (n_components, n_features), both at least 1; got "
            f"{array.shape}. Give each component one row."
        )
    return check_centres(array, array.shape[1], name="means")


def check_mixture_weights(weights: ArrayLike, n_components: int) -> Floats:
    """Weights as a float64 array (n_components,) that sums to one."""
    array = check_weights(weights, n_components)
    total = array.sum()
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise ValueError(f"weights must sum to one; they sum to {total}. Divide them by their sum.")
    return array


def check_factored(
    family: CovarianceFamily,
    weights: ArrayLike,
    means: ArrayLike,
    covariances: ArrayLike,
    precisions_cholesky: ArrayLike,
    *,
    rounding: float = EPS,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Parameters whose covariances are already factored, as float64 arrays that fit together.

    All that `GaussianMixture` promises of its arrays is checked: shapes, finite numbers, weights
    that sum to one, symmetric positive definite covariances of the family, and factors of these.
    `rounding` is the relative error of a number, such as that of the type that was given.
    """
    means = check_means(means)
    k, d = means.shape
    means, factors = check_components(means, precisions_cholesky, family.shape.name, d)
    weights = check_mixture_weights(weights, k)
    covariances = family.check_factored(covariances, factors, means, kernels, rounding=rounding)
    return weights, means, covariances, factors


def check_feature_names(feature_names: Sequence[str] | None, n_features: int) -> list[str]:
    """Names of the features: those given, or "feature 0" and so on."""
    if feature_names is None:
        return [f"feature {a}" for a in range(n_features)]
    expected = f"feature_names must be {n_features} strings, one for each feature"
    if isinstance(feature_names, str):
        raise TypeError(f"{expected}; got {feature_names!r}. Put it in a list.")
    check_ordered(feature_names, expected)
    if len(feature_names) != n_features:
        raise ValueError(f"{expected}; got {len(feature_names)}. Name each feature once.")
    if repeated := repetitions(map(str, feature_names)):
        raise ValueError(f"{expected}; got {repeated}. Give each feature a name of its own.")
    return list(map(str, feature_names))
