"""The covariance families: how statistics become covariances.

A family is a value: letters, the shape of its covariances, and a rule that estimates them. The rest
of the package uses its attributes and methods, and asks for no family by name.

To add a family, write its rule in a file of its own (or in `rules`) and add one line to
`_FAMILIES`. A family has no parameters of its own: for orientations that are known, rotate the rows
and use "diag".
"""

from __future__ import annotations

from mixtura.covariance.family import CovarianceFamily, symmetric
from mixtura.covariance.rules import (
    each_its_own,
    equal,
    equal_determinants,
    equal_volumes,
    on_common_axes,
    on_own_axes,
    pooled,
)
from mixtura.covariance.volumes import with_common_matrix, with_common_variances
from mixtura.data.checks import check_option
from mixtura.shapes import DIAG, FULL, SHAPE_NAMES, SPHERICAL, TIED

__all__ = [
    "CELEUX_GOVAERT",
    "FAMILIES",
    "ONE_COLUMN",
    "CovarianceFamily",
    "family_named",
    "symmetric",
]

# From the fewest parameters to the most, as tables show them.
_FAMILIES = (
    CovarianceFamily("EII", SPHERICAL, equal),
    CovarianceFamily("VII", SPHERICAL, each_its_own, "spherical"),
    CovarianceFamily("EEI", DIAG, equal),
    CovarianceFamily("VEI", DIAG, with_common_variances),
    CovarianceFamily("EVI", DIAG, equal_volumes),
    CovarianceFamily("VVI", DIAG, each_its_own, "diag"),
    CovarianceFamily("EEE", TIED, pooled, "tied"),
    CovarianceFamily("VEE", FULL, with_common_matrix),
    CovarianceFamily("EVE", FULL, on_common_axes(equal_volumes, equal_volumes=True)),
    CovarianceFamily(
        "VVE",
        FULL,
        on_common_axes(each_its_own, equal_volumes=False),
        alternative=CovarianceFamily(
            "VVE",
            FULL,
            on_common_axes(each_its_own, equal_volumes=True),
            rule_name="VVE on the axes of EVE",
        ),
    ),
    CovarianceFamily("EEV", FULL, on_own_axes(equal)),
    CovarianceFamily("VEV", FULL, on_own_axes(with_common_variances)),
    CovarianceFamily("EVV", FULL, equal_determinants),
    CovarianceFamily("VVV", FULL, each_its_own, "full"),
)
_by_letters = {family.letters: family for family in _FAMILIES}
_by_name = {family.name: family for family in _FAMILIES}

CELEUX_GOVAERT = tuple(_by_letters)
ONE_COLUMN = ("E", "V")

# Every name that users may give; several may stand for one family.
FAMILIES: dict[str, CovarianceFamily] = {
    **{name: _by_name[name] for name in SHAPE_NAMES},
    **_by_letters,
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
