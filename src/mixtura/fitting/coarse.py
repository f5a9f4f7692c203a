"""A warning for columns of very few values, where rows are spread over cells of the data's grid."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np

from mixtura.data import ArrayRows
from mixtura.data.frames import listed
from mixtura.data.rounding import MOST_ROWS
from mixtura.exceptions import CoarseColumnsWarning
from mixtura.fitting.selection import AnyFit
from mixtura.fitting.survey import Survey
from mixtura.shapes import Floats

__all__ = ["warn_of_coarse_columns"]

# Of a column's variance, the share that rounding leaves. Two values have a third or more, the
# numbers 0, 1 and 2 in equal shares an eighth.
LEAST_SHARE = 0.25


def warn_of_coarse_columns(
    survey: Survey, reg_covar: float | Floats, fits: Iterable[AnyFit], stacklevel: int
) -> None:
    """Warn if fits have spread the rows over cells that are wide beside a column's own spread.

    Parameters
    ----------
    survey : Survey
        Of the rows.
    reg_covar : float or ndarray of shape (n_features,)
        As the user gave it.
    fits : iterable of GMMFit or BayesianGMMFit
        All fits to these rows.
    stacklevel : int
        1 names the caller's line.
    """
    smoothed = [any(event.action == "smoothed" for event in fit.events) for fit in fits]
    if not any(smoothed):
        return
    wide = survey.rounding >= LEAST_SHARE * survey.variance
    wide &= survey.rounding > survey.absolute_ridge(reg_covar)
    rows = ArrayRows.sample_of(survey.source, MOST_ROWS, np.random.default_rng(0)).X
    columns = [a for a in np.flatnonzero(wide).tolist() if _is_coarse(rows[:, a])]
    if not columns:
        return
    where = f" in {sum(smoothed)} of {len(smoothed)} models" if len(smoothed) > 1 else ""
    names, several = survey.source.feature_names, len(columns) > 1
    shown = ", ".join(map(str, columns)) if names is None else listed([names[a] for a in columns])
    deviations = ", ".join(f"{each:.4g}" for each in np.sqrt(survey.rounding[columns]))
    warnings.warn(
        f"column{'s' * several} {shown} {'have' if several else 'has'} so few values that each row "
        f"was spread over a cell between two of them{where}: that adds a standard deviation of "
        f"{deviations} to every component. Drop {'these columns' if several else 'this column'}, "
        f"or fit the rows of each value by themselves; avoid_spurious=False adds nothing, and lets "
        f"components shrink onto one value.",
        CoarseColumnsWarning,
        stacklevel=stacklevel + 1,
    )


def _is_coarse(column: Floats) -> bool:
    """Whether a column has few values for the observed numbers in it."""
    observed = column[~np.isnan(column)]
    return 2 * len(np.unique(observed)) <= len(observed)
