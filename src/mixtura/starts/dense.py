"""Where among the rows that a mixture explains worst one more component would help most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.passes import Backend
from mixtura.shapes import Floats

__all__ = ["DenseGroup", "densest"]

LEAST_VARIANCE = 1e-6  # of a group, in units of the features: equal rows have none


class DenseGroup(NamedTuple):
    """Some rows that lie close together.

    Attributes
    ----------
    rows : ndarray of shape (m,), int
        Which they are, the one in their middle first.
    gain : float, nats
        How much their log-likelihood would grow if a round component of their weight, about the
        first of them, were there for them alone.
    """

    rows: NDArray[np.intp]
    gain: float


def densest(
    X: Floats,
    weight: Floats,
    log_prob: Floats,
    scale: Floats,
    weight_sum: float,
    backend: Backend,
    *,
    size: int,
    n_groups: int = 5,
) -> list[DenseGroup]:
    """Return groups of neighbours that are denser than a mixture has it, the best first.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of low density, whole.
    weight : ndarray of shape (n_samples,)
        Positive.
    log_prob : ndarray of shape (n_samples,), nats
        Their log-densities under the mixture, finite.
    scale : ndarray of shape (n_features,)
        Units in which distances are measured: deviations within the components.
    weight_sum : float
        Weight of all rows, those of low density and the others.
    backend : Backend
    size : int
        Rows of each group, 2 (n_features + 1) for instance. A group that is larger than the
        clusters sought has other rows in it.
    n_groups : int
        Most groups.

    Returns
    -------
    list of DenseGroup
        No row is in two groups. Those without gain are left out.

    Notes
    -----
    Each row and its nearest neighbours are a group; there may be several in one cluster. Of rows
    with heavy tails, some groups at the edge of the bulk may come before a small cluster far away.
    Time O(n_samples^2 n_features); memory O(n_samples size).
    """
    if len(X) < size:
        return []
    unit = float(np.log(scale).sum() + np.log(weight_sum))
    Z = np.ascontiguousarray(X / scale)
    found, gains = backend.engine.densest(Z, weight, log_prob, unit, LEAST_VARIANCE, size, n_groups)
    return [DenseGroup(rows, gain) for rows, gain in zip(found, gains.tolist(), strict=True)]
