"""Arguments that describe the prior of a mixture: what they must be."""

from __future__ import annotations

import math
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike

from mixtura.algebra import Algebra
from mixtura.conjugate import LARGEST, LEAST, WEIGHT_LAWS, WeightPrior, precision_law
from mixtura.covariance import FAMILIES, ONE_COLUMN, CovarianceFamily, family_named, symmetric
from mixtura.data.checks import check_number, check_option, contiguous
from mixtura.data.values import refuse_non_finite, rounding_unit
from mixtura.fitting.bayesian.estimate import VariationalBayes
from mixtura.shapes import SHAPE_NAMES, Floats
from mixtura.text import short

__all__ = ["PriorArguments", "check_prior", "conjugate_family"]


class PriorArguments(TypedDict, total=False):
    """Arguments of `fit_bayesian_gmm` that describe the prior, and the weight of all rows."""

    weight_prior: WeightPrior
    concentration: float | None
    mean: ArrayLike | None
    mean_precision: float | None
    degrees_of_freedom: float | None
    covariance: ArrayLike | None
    weight_sum: float | None


def conjugate_family(covariance_type: str, n_features: int) -> CovarianceFamily:
    """Return the family of a name, if its covariances have a conjugate law.

    Raises
    ------
    ValueError
        For another family, or an unknown name.
    TypeError
        For what is no string.
    """
    family = family_named(covariance_type, n_features)
    if family.name not in SHAPE_NAMES:
        others = ONE_COLUMN if n_features > 1 else ()
        known = [n for n, each in FAMILIES.items() if each.name in SHAPE_NAMES and n not in others]
        raise ValueError(
            f"covariance_type must be one of {', '.join(map(repr, known))}, which have a law that "
            f"rows turn into one of the same kind; got {covariance_type!r}. Choose one of them, or "
            f"use fit_gmm."
        )
    return family


def check_prior(
    family: CovarianceFamily,
    n_features: int,
    by: Algebra,
    *,
    weight_prior: WeightPrior,
    concentration: float | None,
    mean: ArrayLike | None,
    mean_precision: float | None,
    degrees_of_freedom: float | None,
    covariance: ArrayLike | None,
) -> VariationalBayes:
    """Return what a fit estimates, with the prior that arguments of `fit_bayesian_gmm` describe.

    Raises
    ------
    ValueError
        For values that no prior has.
    TypeError
        For values of the wrong kind.
    """
    law = check_option("weight_prior", weight_prior, tuple(WEIGHT_LAWS))
    least = precision_law(family.shape).least(n_features)
    return VariationalBayes(
        law,
        _above("concentration", concentration, 0.0),
        None if mean is None else _check_mean(mean, n_features),
        _above("mean_precision", mean_precision, 0.0),
        _above("degrees_of_freedom", degrees_of_freedom, least),
        None if covariance is None else _check_scatter(covariance, family, n_features, by),
    )


def _above(name: str, value: float | None, least: float) -> float | None:
    """A number above the least, or None for the default."""
    if value is None:
        return None
    number = check_number(name, value, minimum=-math.inf)
    if not (least < number <= LARGEST and number >= LEAST):
        above = f"{LEAST:g} or more" if least < number < LEAST else f"above {least:g}"
        raise ValueError(
            f"{name} must be {above}, and at most {LARGEST:g}, so that bounds have all their "
            f"digits; got {number:g}. Pass such a number, or None for the default."
        )
    return number


def _check_mean(mean: ArrayLike, n_features: int) -> Floats:
    array = contiguous(mean, "mean")
    if array.shape != (n_features,):
        raise ValueError(
            f"mean must have shape {(n_features,)}, a number for each feature; got shape "
            f"{array.shape}. Pass the mean that components are expected to have."
        )
    refuse_non_finite(array, "mean", ("feature",), "Give a finite number.")
    return array


def _check_scatter(
    covariance: ArrayLike, family: CovarianceFamily, n_features: int, by: Algebra
) -> Floats:
    """The scatter of a prior in the shape of one component, exactly symmetric."""
    shape = family.shape
    array = contiguous(covariance, "covariance")
    kept = shape.single_shape(n_features)
    if array.shape != kept:
        what = f"have shape {kept}" if kept else "be a number"
        raise ValueError(
            f"covariance must {what} for covariance_type {family.name!r} and {n_features} "
            f"features; got shape {array.shape}. Pass the prior scatter of one component."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"covariance must be finite; got {short(array)}. Give finite numbers.")
    if not shape.is_diagonal:
        tolerance = math.sqrt(rounding_unit(covariance, "covariance"))
        array = symmetric(array, tolerance, "covariance")
    if shape.factorise(shape.repeated(array, 1, n_features), by)[1].any():
        raise ValueError(
            f"covariance must be positive definite to working precision; got {short(array)}. Pass "
            f"a scatter: the square of the spread that a component is expected to have, times "
            f"degrees_of_freedom."
        )
    return array
