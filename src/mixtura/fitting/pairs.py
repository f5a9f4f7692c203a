"""A warning for features that are never observed together: nothing determines their covariance."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mixtura.covariance import family_named
from mixtura.data import Block
from mixtura.exceptions import UnobservedPairsWarning
from mixtura.fitting.survey import Survey
from mixtura.mixture.table import counted
from mixtura.passes import Backend

__all__ = ["warn_of_unobserved_pairs"]


def warn_of_unobserved_pairs(
    survey: Survey, covariance_types: Iterable[str], stacklevel: int
) -> None:
    """Warn if some features are observed together in no row, and a family has their covariance.

    Parameters
    ----------
    survey : Survey
        Of the rows.
    covariance_types : iterable of str
        Families that are fitted.
    stacklevel : int
        1 names the caller's line.

    Notes
    -----
    Rows are looked at until each pair was observed.
    """
    source, d = survey.source, survey.source.n_features
    shapes = (family_named(name, d).shape for name in covariance_types)
    if source.form != "incomplete" or all(shape.is_diagonal for shape in shapes):
        return
    together = np.eye(d, dtype=bool)
    for found in source.map(partial(_together, survey.backend)):
        together |= found
        if together.all():
            return
    pairs = np.argwhere(np.triu(~together))
    first = pairs[0].tolist()
    names, others = source.feature_names, len(pairs) - 1
    a, b = first if names is None else (repr(names[a]) for a in first)
    are = "are" if others > 1 else "is"
    more = f", nor {are} {counted(others, 'other pair')}" if others else ""
    warnings.warn(
        f"features {a} and {b} are never observed together{more}: the rows do not determine their "
        f"covariance, and it stays near that of the start. Automatic starts have them independent "
        f'given the other features. Use covariance_type="diag", or drop one of them.',
        UnobservedPairsWarning,
        stacklevel=stacklevel + 1,
    )


def _together(backend: Backend, block: Block) -> NDArray[np.bool_]:
    """Which features are observed together in some row of a block, as a look."""
    d = block.X.shape[1]
    together = np.eye(d, dtype=bool)
    for part, *_ in block.chunks():
        observed = (~np.isnan(part)).astype(np.float64)[None]
        together |= backend.algebra.multiply(observed.transpose(0, 2, 1), observed)[0] > 0.0
        if together.all():
            break
    return together
