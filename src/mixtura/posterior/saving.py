"""A posterior as the contents of a file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mixtura import kernels
from mixtura.conjugate import LARGEST, LEAST, WEIGHT_LAWS, Laws, PriorLaws, precision_law
from mixtura.covariance import family_named
from mixtura.data.checks import check_option
from mixtura.data.frames import Names
from mixtura.data.missing import MISSING, Missing
from mixtura.files import Contents, fact, feature_names_of, numbers
from mixtura.mixture.checks import check_factored, check_means
from mixtura.shapes import SHAPE_NAMES, Floats, Shape

if TYPE_CHECKING:
    from mixtura.posterior.posterior import GMMPosterior

__all__ = ["ARRAYS", "checked", "checked_prior", "contents", "prior_contents"]

MOST_AWAY = 1e150  # numbers whose squares are finite
MOST_GROWN = 1e101  # more than weights of rows, and numbers of priors, can be together
ARRAYS = (
    "weight_concentration",
    "mean_precision",
    "means",
    "degrees_of_freedom",
    "covariances",
    "precisions_cholesky",
    "resp_sum",
)


def contents(self: GMMPosterior) -> Contents:
    """Return all that is needed to make an equal posterior."""
    names = ("covariance_type", "feature_names", "missing", "row_weight", "has_noise")
    facts = {name: getattr(self, name) for name in names}
    arrays = {name: getattr(self, name) for name in ARRAYS}
    prior = prior_contents(self.prior)
    return Contents(facts | prior.facts, arrays | prior.arrays)


def prior_contents(prior: PriorLaws) -> Contents:
    """Return all that is needed to make an equal prior."""
    facts: dict[str, Any] = {"weight_prior": prior.weights.name}
    for name in ("concentration", "mean_precision", "degrees_of_freedom"):
        facts[f"prior_{name}"] = float(getattr(prior, name))
    return Contents(facts, {"prior_mean": prior.mean, "prior_covariance": prior.covariance})


def checked(
    contents: Contents,
) -> tuple[PriorLaws, Laws, str, Names | None, Missing, Floats, float, bool]:
    """Return what `GMMPosterior._of` takes, after checks of all numbers."""
    facts, arrays = contents
    means = check_means(numbers(arrays, "means", (-1, -1)))
    k, d = means.shape
    covariance_type = fact(facts, "covariance_type", str)
    family = family_named(covariance_type, d)
    if family.name not in SHAPE_NAMES:
        raise ValueError(f"its covariance_type is {covariance_type!r}, which has no such posterior")
    shape, law = family.shape, precision_law(family.shape)
    prior = checked_prior(facts, arrays, shape, d)
    kept = shape.array_shape(k, d)
    covariances = numbers(arrays, "covariances", kept)
    factors = numbers(arrays, "precisions_cholesky", kept)
    check_factored(family, np.full(k, 1.0 / k), means, covariances, factors)
    none = np.zeros(k)
    laws = Laws(
        _grown(arrays, "weight_concentration", prior.weights.posterior(prior.concentration, none)),
        _grown(arrays, "mean_precision", prior.mean_precision + none),
        means,
        _grown(arrays, "degrees_of_freedom", prior.degrees_of_freedom + law.gained(none, d)),
        covariances,
        factors,
        shape,
    )
    with np.errstate(over="ignore"):
        away = shape.whitened_lengths(factors, means - prior.mean)
    if not (away < MOST_AWAY).all() or np.abs(means).max() > MOST_AWAY:
        raise ValueError(f"its means are {means} and its prior_mean {prior.mean}")
    resp_sum = numbers(arrays, "resp_sum", (k,))
    row_weight = fact(facts, "row_weight", float)
    if not (resp_sum >= 0.0).all() or not 0.0 < row_weight < math.inf:
        raise ValueError(f"its resp_sum are {resp_sum} and its row_weight {row_weight}")
    missing = check_option("missing", fact(facts, "missing", str), MISSING)
    names = feature_names_of(facts, d)
    has_noise = fact(facts, "has_noise", bool)
    return prior, laws, covariance_type, names, missing, resp_sum, row_weight, has_noise


def checked_prior(facts: dict[str, Any], arrays: dict[str, Any], shape: Shape, d: int) -> PriorLaws:
    """Return the prior of these contents, after checks of all numbers."""
    name = check_option("weight_prior", fact(facts, "weight_prior", str), tuple(WEIGHT_LAWS))
    least = {"concentration": 0.0, "mean_precision": 0.0}
    least["degrees_of_freedom"] = precision_law(shape).least(d)
    known = {each: fact(facts, f"prior_{each}", float) for each in least}
    for each, value in known.items():
        if not (least[each] < value <= LARGEST and value >= LEAST):
            raise ValueError(f"its prior_{each} is {value}")
    mean = numbers(arrays, "prior_mean", (d,))
    covariance = numbers(arrays, "prior_covariance", shape.single_shape(d))
    prior = PriorLaws(
        WEIGHT_LAWS[name], known["concentration"], known["mean_precision"], mean,
        known["degrees_of_freedom"], covariance, shape,
    )  # fmt: skip
    whole = shape.repeated(covariance, 1, d)
    if shape.factorise(whole, kernels)[1].any() or not np.allclose(covariance, covariance.T):
        raise ValueError("its prior_covariance is not symmetric and positive definite")
    return prior


def _grown(arrays: dict[str, NDArray[Any]], name: str, least: Floats) -> Floats:
    """Numbers of laws after rows, of which none is below the prior's."""
    array = numbers(arrays, name, least.shape)
    if not ((array >= least * (1.0 - 1e-9)) & (array < MOST_GROWN)).all():
        raise ValueError(f"its {name} are {array}")
    return array
