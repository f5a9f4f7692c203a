"""The covariance families: how statistics become covariances, and covariances factors for the pass.

A family is one object. It knows the shape of its covariances, how many of their numbers are free,
how they follow from statistics, how they are factored, and nothing of rows. Everything else in the
package works through its methods and knows no family by name.
"""

from __future__ import annotations

from mixtura.covariance.base import CovarianceFamily
from mixtura.covariance.forms import Diag, Full, FullWithCommonAxes, Spherical, Tied
from mixtura.covariance.rules import (
    each_its_own,
    equal,
    equal_determinants,
    equal_volumes,
    on_own_axes,
    pooled,
)
from mixtura.covariance.volumes import with_common_matrix, with_common_variances
from mixtura.validation import check_option

__all__ = ["CELEUX_GOVAERT", "FAMILIES", "ONE_COLUMN", "CovarianceFamily", "family_named"]

_all = (
    Full("VVV", each_its_own, name="full"),
    Tied("EEE", pooled, name="tied"),
    Diag("VVI", each_its_own, name="diag"),
    Spherical("VII", each_its_own, name="spherical"),
    Spherical("EII", equal),
    Diag("EEI", equal),
    Diag("VEI", with_common_variances),
    Diag("EVI", equal_volumes),
    Full("VEE", with_common_matrix),
    FullWithCommonAxes("EVE", equal_volumes, equal_volumes=True),
    FullWithCommonAxes("VVE", each_its_own, equal_volumes=False),
    Full("EEV", on_own_axes(equal)),
    Full("VEV", on_own_axes(with_common_variances)),
    Full("EVV", equal_determinants),
)
_by_letters = {family.letters: family for family in _all}
_by_letters["VVE"].detour = FullWithCommonAxes("VVE", each_its_own, equal_volumes=True)

# From the fewest parameters to the most, as tables show them.
CELEUX_GOVAERT = (
    "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV",
    "VVV",
)  # fmt: skip
ONE_COLUMN = ("E", "V")

# Every name that users may give; several may stand for one family.
FAMILIES: dict[str, CovarianceFamily] = {
    **{family.name: family for family in _all[:4]},
    **{letters: _by_letters[letters] for letters in CELEUX_GOVAERT},
    "E": _by_letters["EEE"],
    "V": _by_letters["VVV"],
}


def family_named(covariance_type: str, n_features: int) -> CovarianceFamily:
    """Return the family that a user means, for rows of so many features.

    Raises
    ------
    ValueError
        For an unknown name, or the name of a model of one column where there are more.
    """
    name = check_option("covariance_type", covariance_type, tuple(FAMILIES))
    if name in ONE_COLUMN and n_features > 1:
        raise ValueError(
            f"covariance_type {name!r} is for one feature; got {n_features}. Use "
            f"{3 * name!r} or another family with three letters."
        )
    return FAMILIES[name]
