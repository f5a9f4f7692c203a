"""Groups of rows that the leader explains badly: where a component may be missing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mixtura.data import ArrayRows
from mixtura.passes import RowsPass
from mixtura.schedules import EM, Outcome
from mixtura.shapes import Floats
from mixtura.starts.dense import densest
from mixtura.starts.whole import whole_rows

__all__ = ["Group", "unlikely_groups"]

SHARE = 10  # one in so many of the rows is looked at, those of lowest density
MOST_ROWS = 1000
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
    The cost is that of a pass, and O(m^2 d) for m rows of low density, at most `MOST_ROWS`.
    """
    rows, p = em.rows, outcome.parameters
    assert isinstance(rows, RowsPass)
    source, d = rows.source, rows.source.n_features
    least = 2 * (d + 1)
    n = min(MOST_ROWS, max(source.n_samples // SHARE, 2 * least))
    found = rows.least_likely(em.update.as_plain(p), n)
    if len(found.positions) < least or not np.isfinite(found.log_prob).all():
        return []
    weights = source.weights()
    weight = np.ones(source.n_samples) if weights is None else weights
    weight = weight[found.positions]
    lowest = ArrayRows.copied(source, found.positions, weight)
    X = whole_rows(lowest, rows.backend, source.middle).take(range(len(weight)))
    within = np.sqrt(p.weights @ p.variances())
    groups = densest(
        X, weight, found.log_prob, within, source.weight_sum, size=least, n_groups=GROUPS
    )
    return [Group(g.gain, X[g.rows[0]], float(weight[g.rows].sum())) for g in groups]
