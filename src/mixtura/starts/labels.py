"""The start from what is known of rows: labelled rows in their component, others in equal parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.data import RowSource
from mixtura.data.labels import RowLabels, restrictive
from mixtura.parameters import Seen
from mixtura.passes import RowsPass
from mixtura.shapes import Floats
from mixtura.starts.whole import whole_rows
from mixtura.statistics import Statistics

__all__ = ["FromLabels", "begin_from_labels", "labelled_rows", "statistics_of_labels"]

FLAT = 1e-30  # precision factors, in deviations of the features: all densities are equal


@dataclass(frozen=True, eq=False)
class FromLabels:
    """A start from what is known of the rows.

    Attributes
    ----------
    prior : ndarray of shape (n_codes, n_components), nats
        See `mixtura.data.labels.RowLabels`; the rows have codes.
    """

    prior: Floats


def begin_from_labels(known: RowLabels | None) -> FromLabels:
    """Return the start that `init="labels"` stands for.

    Raises
    ------
    ValueError
        Without labels, and where they leave two components alike: these would stay so.
    """
    if known is None:
        raise ValueError(
            'init="labels" needs labels that say something of some rows; got none. Pass labels, '
            'or start with init="kmeans".'
        )
    if known.has_copies:
        raise ValueError(
            'init="labels" needs labels that tell all components from each other; got two of which '
            'they say the same. Start with init="kmeans".'
        )
    return FromLabels(known.prior)


def statistics_of_labels(
    start: FromLabels, rows: RowsPass, centre: Floats, scale: Floats
) -> Statistics:
    """Return the statistics of rows that belong to components as their priors say.

    It is an E-step under equal densities, so that no (n_samples, n_components) array is made.

    Parameters
    ----------
    start : FromLabels
    rows : RowsPass
        Over the rows as they are.
    centre : ndarray of shape (n_features,)
        A point near the rows.
    scale : ndarray of shape (n_features,)
        Deviations of the features.
    """
    whole = whole_rows(rows.source, rows.backend)
    if whole is not rows.source:
        code = rows.source.extra("code")
        assert code is not None
        whole = whole.with_extras(whole.form, {"code": code})
    over = RowsPass(whole, rows.shape, rows.backend)
    k, d = start.prior.shape[1], len(centre)
    nothing = np.zeros(rows.shape.array_shape(k, d))
    flat = rows.shape.blurred(nothing, np.ones(k), np.full(d, FLAT / scale.max()))
    seen = Seen(np.zeros(k), np.tile(centre, (k, 1)), flat, flat, rows.shape, vars(start))
    means = over.accumulate(seen).means()
    return over.accumulate(seen._replace(means=means))  # about their own means


def labelled_rows(source: RowSource, prior: Floats, size: int) -> NDArray[np.intp]:
    """Positions of rows of which something is known, at most `size`, as many of each component."""
    code = source.extra("code")
    assert code is not None
    weights = source.weights()
    known = restrictive(prior)[code]
    rows = np.flatnonzero(known if weights is None else known & (weights > 0.0))
    likeliest = prior.argmax(axis=1)[code[rows]]
    k = prior.shape[1]
    of_each = (rows[likeliest == j] for j in range(k))
    return np.concatenate([some[:: 1 + len(some) * k // size] for some in of_each])
