"""Groups of rows that the leader explains badly: where a component may be missing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mixtura.data import ArrayRows
from mixtura.passes import ByWeight, RowsPass
from mixtura.schedules import EM, Outcome
from mixtura.shapes import Floats
from mixtura.starts.dense import densest
from mixtura.starts.whole import whole_rows

__all__ = ["Group", "unlikely_groups"]

SHARE = 10  # one in so many of the rows is looked at, those of lowest density
MOST_ROWS = 1000  # different ones
GROUPS = 3


class Group(NamedTuple):
    """Rows that lie close together where the density is low.

    Attributes
    ----------
    gain : float, nats
        How much their log-likelihood would grow with a component of their own.
    row : ndarray of shape (n_features,)
        The one in their middle.
    weight : float
        Of all of them.
    """

    gain: float
    row: Floats
    weight: float


def unlikely_groups(outcome: Outcome, em: EM) -> list[Group]:
    """Return the groups in which a component would help most, the best first.

    Parameters
    ----------
    outcome : Outcome
    em : EM
        Of which it is the outcome.

    Notes
    -----
    The cost is that of a pass, and O(m^2 d) for m rows of low density, at most `MOST_ROWS`. Equal
    rows are one that weighs as much as all of them, so that repeated rows and weighted ones have
    the same groups.
    """
    rows, p = em.rows, outcome.parameters
    assert isinstance(rows, RowsPass)
    source, d = rows.source, rows.source.n_features
    least = 2 * (d + 1)
    lowest = ByWeight(0.5 * source.weight_sum / SHARE, least, MOST_ROWS // 2)
    found = rows.least_likely(em.update.as_plain(p), lowest)
    if len(found.positions) < least or not np.isfinite(found.log_prob).all():
        return []
    copies = ArrayRows.copied(source, found.positions, found.weight)
    X = whole_rows(copies, rows.backend, source.middle).take(range(len(found.weight)))
    X, weight, log_prob = _different(X, found.weight, found.log_prob)
    within = np.sqrt(p.weights @ p.variances())
    groups = densest(
        X, weight, log_prob, within, source.weight_sum, rows.backend, size=least, n_groups=GROUPS
    )
    return [Group(g.gain, X[g.rows[0]], float(weight[g.rows].sum())) for g in groups]


def _different(X: Floats, weight: Floats, log_prob: Floats) -> tuple[Floats, Floats, Floats]:
    """Rows of which no two are equal, in the order in which they come first, with weights."""
    ascending = np.sort(log_prob)
    if not np.count_nonzero(ascending[1:] == ascending[:-1]):  # as most often: this takes no time
        return X, weight, log_prob
    _, first, which = np.unique(X, axis=0, return_index=True, return_inverse=True)
    weights: Floats = np.bincount(which.ravel(), weight).astype(np.float64)
    order = np.argsort(first)
    first = first[order]
    return X[first], weights[order], log_prob[first]
