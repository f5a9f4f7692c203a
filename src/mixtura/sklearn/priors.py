"""The prior of BayesianGaussianMixture: what users gave, else the defaults of scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.conjugate import LARGEST, LEAST, WEIGHT_LAWS, PriorLaws, WeightLaw, WeightPrior
from mixtura.covariance import symmetric
from mixtura.data.checks import check_number
from mixtura.data.values import rounding_unit
from mixtura.passes import RowsPass
from mixtura.shapes import Floats, Shape
from mixtura.sklearn.starts import shaped
from mixtura.starts.whole import whole_pass
from mixtura.updates import PublishedPrior

__all__ = ["WEIGHT_PRIORS", "prior_kind", "prior_of", "weight_law"]

# scikit-learn's names of the laws of weights.
WEIGHT_PRIORS: dict[str, WeightPrior] = {
    "dirichlet_process": "stick-breaking",
    "dirichlet_distribution": "dirichlet",
}


def weight_law(prior_type: str) -> WeightLaw:
    """Return the law of the weights that scikit-learn calls so."""
    return WEIGHT_LAWS[WEIGHT_PRIORS[prior_type]]


def prior_kind(*, exact: bool) -> type[PriorLaws]:
    """Return the class of the prior of an estimator that is exact or not."""
    return PriorLaws if exact else PublishedPrior


def prior_of(estimator: Any, rows: RowsPass) -> PriorLaws:
    """Return the prior of an estimator for its rows.

    Parameters
    ----------
    estimator : BayesianGaussianMixture
        For its parameters.
    rows : RowsPass
        From which come the mean and the covariance of the prior, unless they were given. Where
        numbers are missing, plausible ones are filled in. A row of weight two is two rows.

    Returns
    -------
    PriorLaws
        A `PublishedPrior` unless the estimator is exact. Then `reg_covar` is in the covariance, if
        that was not given.

    Raises
    ------
    ValueError
        For numbers that are not positive, other shapes, matrices that are not symmetric and
        positive definite, too few degrees of freedom; for rows whose weights sum to one or less,
        which have no covariance.
    """
    d, shape = rows.source.n_features, rows.shape
    prior = prior_kind(exact=estimator.exact)(
        weight_law(estimator.weight_concentration_prior_type),
        _positive(estimator, "weight_concentration_prior", 1.0 / estimator.n_components),
        _positive(estimator, "mean_precision_prior", 1.0),
        np.zeros(d),
        _positive(estimator, "degrees_of_freedom_prior", float(d)),
        np.zeros(()),
        shape,
    )
    least = prior.precisions.least(d)
    if prior.degrees_of_freedom <= least:
        raise ValueError(
            f"The parameter 'degrees_of_freedom_prior' should be greater than {least:g}, but got "
            f"{prior.degrees_of_freedom:.3f}. Give more, or None for the number of features."
        )
    mean = covariance = None
    if estimator.mean_prior is not None:
        mean = shaped(estimator.mean_prior, "mean_prior", (d,), ("feature",))
    if estimator.covariance_prior is not None:
        covariance = _covariance(estimator.covariance_prior, shape, d)
    if mean is None or covariance is None:
        of_rows, scatter = _moments(rows)
        mean = of_rows if mean is None else mean
        if covariance is None:
            covariance = scatter + (_ridge(shape, estimator.reg_covar, d) if estimator.exact else 0)
    return replace(prior, mean=mean, covariance=covariance)


def _positive(estimator: Any, name: str, default: float) -> float:
    value = getattr(estimator, name)
    if value is None:
        return default
    number = check_number(name, value)
    if number == 0.0:
        raise ValueError(f"{name} must be positive; got 0. Give a number above 0, or None.")
    if not LEAST <= number <= LARGEST:
        raise ValueError(
            f"{name} must be between {LEAST:g} and {LARGEST:g}; got {number:g}. Give such a "
            f"number, or None."
        )
    return number


def _covariance(values: Any, shape: Shape, n_features: int) -> Floats:
    """The covariance that the user gave, in the shape of one component."""
    single = shape.single_shape(n_features)
    axes = shape.axes[len(shape.axes) - len(single) :]
    covariance = shaped(values, "covariance_prior", single, axes)
    if not shape.is_diagonal:
        tolerance = np.sqrt(rounding_unit(values, "covariance_prior"))
        covariance = symmetric(covariance, tolerance, "covariance_prior")
    try:
        shape.from_precisions(shape.repeated(covariance, 1, n_features))
    except np.linalg.LinAlgError as error:
        what = "positive" if shape.is_diagonal else "symmetric, positive-definite"
        raise ValueError(
            f"The parameter 'covariance_prior' should be {what}. Give another one, or None for "
            f"that of the rows."
        ) from error
    return covariance


def _ridge(shape: Shape, variance: float, n_features: int) -> Floats:
    """Return a variance in every feature, in the shape of one component."""
    return shape.single_from_variances(np.full(n_features, variance))


def _moments(rows: RowsPass) -> tuple[Floats, Floats]:
    """Return the mean of the rows, and their covariance in the shape of one component."""
    whole = whole_pass(rows)
    labels = np.zeros(whole.source.n_samples, dtype=np.int64)
    centre = whole.given(labels, whole.source.take([0])).means()
    statistics = whole.given(labels, centre)
    freedom = statistics.weight_sum - 1.0
    if freedom <= 0.0:
        raise ValueError(
            f"covariance_prior must be given where the weights of all rows sum to one or less, as "
            f"these have no covariance; the sum is {statistics.weight_sum:g}. Give it and "
            f"mean_prior, or weights that count rows."
        )
    shape, d = whole.shape, whole.source.n_features
    scatter = shape.per_feature(statistics.centred().resp_xx, d)
    return centre[0], shape.single(scatter / freedom)
