"""Why a fit cannot continue, in words: component, iteration, cause and remedy."""

from __future__ import annotations

import numpy as np

from mixtura.parameters import Parameters
from mixtura.shapes import EPS, Floats
from mixtura.statistics import Statistics
from mixtura.updates.protocol import Mask

__all__ = ["explain"]


def explain(
    statistics: Statistics,
    parameters: Parameters,
    failed: Mask,
    iteration: int,
    scale: Floats,
    *,
    has_ridge: bool,
    least: Floats | None = None,
) -> str:
    """Return the message for the first component that failed: see `Update.explain`.

    A feature counts as constant where its variance is at most the least one of the component.
    """
    doing, when = ("continue", f" at iteration {iteration}") if iteration else ("start", "")
    j, none_left = int(np.argmax(failed)), bool(failed.all())
    alone = ", and no other is left" if none_left else ""
    otherwise = "" if none_left else ', or on_collapse="reseed"'
    variances = parameters.variances()[j]
    ridge = "" if has_ridge else "reg_covar > 0, "
    constant = np.flatnonzero(variances <= (0.0 if least is None else least[j]))
    if statistics.resp_sum[j] == 0.0:
        what, remedy = f"has no weight{when}", f"Use fewer components{otherwise}"
    elif _is_far_away(statistics, j, scale):
        what = f"is so far from the rows{when} that distances have no digits left"
        remedy = f"Start nearer to them, or drop rows that are far from all others{otherwise}"
    elif len(constant):
        what = f"has a singular covariance{when}, constant in feature {constant[0]}"
        remedy = f"Use {ridge}fewer components, or drop the feature{otherwise}"
    else:
        what = f"has a singular covariance{when}"
        remedy = f"Use {ridge}fewer components, more rows, or drop features that others determine"
        if has_ridge:
            remedy += ", scale features whose units are far apart, or use another covariance_type"
        remedy += otherwise
    return f"the fit cannot {doing}: component {j} {what}{alone}. {remedy}."


def _is_far_away(statistics: Statistics, j: int, scale: Floats) -> bool:
    """Whether squares of a component's distances to all rows have lost the digits of `scale`."""
    if not np.isfinite(statistics.resp_xx).all():
        return True
    if statistics.resp_sum[j] <= len(scale) + 1:
        return False  # so few rows have no covariance wherever they are
    means = statistics.means()[statistics.resp_sum > 0.0]
    with np.errstate(over="ignore"):
        lost = EPS * np.square(means - statistics.centres[j]) >= np.square(scale)
    return bool(lost.any(axis=1).all())
