"""A mixture as the contents of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixtura.covariance import family_named
from mixtura.data.checks import check_option
from mixtura.data.frames import Names
from mixtura.data.missing import MISSING, Missing
from mixtura.files import Contents, fact, feature_names_of, numbers
from mixtura.mixture.checks import check_factored, check_means
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["checked", "contents"]


def contents(self: GaussianMixture) -> Contents:
    """Return all that is needed to make an equal mixture."""
    facts = {name: getattr(self, name) for name in ("covariance_type", "feature_names", "missing")}
    names = ("weights", "means", "covariances", "precisions_cholesky")
    return Contents(facts, {name: getattr(self, name) for name in names})


def checked(
    contents: Contents,
) -> tuple[str, Floats, Floats, Floats, Floats, Names | None, Missing]:
    """Return what `GaussianMixture._from_fit` takes, after checks of all numbers.

    The factors are used as they are: computed again on another machine, they could differ in the
    last bits.
    """
    facts, arrays = contents
    means = check_means(numbers(arrays, "means", (-1, -1)))
    k, d = means.shape
    covariance_type = fact(facts, "covariance_type", str)
    family = family_named(covariance_type, d)
    kept = family.shape.array_shape(k, d)
    weights = numbers(arrays, "weights", (k,))
    covariances = numbers(arrays, "covariances", kept)
    factors = numbers(arrays, "precisions_cholesky", kept)
    check_factored(family, weights, means, covariances, factors)
    names = feature_names_of(facts, d)
    # Files of mixtures that knew of no missing values do not have it.
    missing = check_option("missing", facts.get("missing", "raise"), MISSING)
    return covariance_type, weights, means, covariances, factors, names, missing
