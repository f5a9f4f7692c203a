"""Where the centres of clusters may lie, before anything else is known.

Centres are looked for in coordinates that do not depend on the units of the features: each divided
by its standard deviation, or whitened, which also removes their correlation. Random choices are
made by inverting cumulated weights, so that a row of weight two is drawn as two equal rows are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.data import Middle, RowSource, draw_rows
from mixtura.data.sampling import inverted
from mixtura.parameters import Seen
from mixtura.passes import RowsPass
from mixtura.reference.seeds import TIE
from mixtura.shapes import SPHERICAL, Floats
from mixtura.statistics import Statistics

__all__ = [
    "Clusters",
    "Metric",
    "centers_of",
    "kmeans_plusplus",
    "lloyd",
    "observed_weight",
    "random_rows",
    "standardised",
]

Metric = Literal["scaled", "whitened"]
LEAST_SPREAD = 1e-12  # variance of a direction, relative to the widest; below, it is rounding


def standardised(X: Floats, weight: Floats, metric: Metric, middle: Middle, by: Algebra) -> Floats:
    """Rows in units of their own spread: scaled by feature, or whitened.

    The spread is that of numbers near the middle of each feature (see `mixtura.data.middle`).

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,)
    metric : {"scaled", "whitened"}
    middle : Middle
        Of the rows.
    by : Algebra

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        Centred; in directions without spread, zero.
    """
    Z: Floats = (X - middle.centre) / middle.scale
    if metric == "scaled":
        return Z
    near = np.where(middle.near(X), Z, 0.0)
    axes = _whitening(near * np.sqrt(weight / weight.sum())[:, None], by)
    if not axes.size:  # no direction has any spread
        return np.zeros((len(X), 1))
    whitened: Floats = by.multiply(Z[None], axes[None])[0]
    return whitened


def _whitening(Z: Floats, by: Algebra) -> Floats:
    """Axes along which ``Z.T @ Z`` is the identity, (n_features, n_axes)."""
    few = len(Z) < Z.shape[1]
    sides = (Z[None], Z.T[None]) if few else (Z.T[None], Z[None])
    (variances,), (directions,) = by.eigh(by.multiply(*sides))
    spread = variances > LEAST_SPREAD * variances[-1]
    axes: Floats = directions[:, spread] / np.sqrt(variances[spread])
    if few:  # from directions among rows to those among features
        axes = by.multiply(Z.T[None], (axes / np.sqrt(variances[spread]))[None])[0]
    return axes


def random_rows(source: RowSource, n_clusters: int, rng: np.random.Generator) -> Floats:
    """Rows drawn with probability proportional to weight, no two equal while others are left."""
    weight = source.weights()
    left = np.ones(source.n_samples) if weight is None else weight.copy()
    chosen: list[int] = []
    while len(chosen) < n_clusters and left.any():
        chosen.append(int(draw_rows(left, 1, rng)[0]))
        left[source.equal_rows(source.take(np.array(chosen[-1:]))[0])] = 0.0
    return source.take(np.resize(chosen, n_clusters))


def kmeans_plusplus(rows: RowsPass, n_clusters: int, rng: np.random.Generator) -> Floats:
    """Choose centres among the rows, each far from those before: greedy k-means++.

    Parameters
    ----------
    rows : RowsPass
        Over rows near zero, at least one of positive weight.
    n_clusters : int
    rng : Generator

    Returns
    -------
    ndarray of shape (n_clusters, n_features)

    Notes
    -----
    Each centre is the best of 2 + log(n_clusters) rows drawn with probability proportional to
    weight times squared distance to the nearest centre so far. Cost O(n k d log k). Where the rows
    are one block in memory, all centres are chosen in one call, which takes about d + 29 bytes of
    memory a row, and no distances but those that may change anything.

    References
    ----------
    .. [1] D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    n_trials = 2 + int(math.log(n_clusters))
    shares = rng.random(1 + (n_clusters - 1) * n_trials)
    first, quantiles = float(shares[0]), shares[1:].reshape(n_clusters - 1, n_trials)
    chosen = rows.seeds(first, quantiles)
    return _seeds_of_blocks(rows, first, quantiles) if chosen is None else rows.source.take(chosen)


def _seeds_of_blocks(rows: RowsPass, first: float, quantiles: Floats) -> Floats:
    """Seeds of k-means++ among rows in several blocks, by a pass or two for each.

    Distances from the trials are kept until one is chosen, where they take no more memory than the
    rows as float64; else those from the chosen one are computed again.
    """
    source = rows.source
    weights = source.weights()
    weight = np.ones(source.n_samples) if weights is None else weights
    nearest = np.full(source.n_samples, np.inf)
    n_more, n_trials = quantiles.shape
    chosen = np.empty((1 + n_more, source.n_features))
    after: Floats | None = None
    if n_trials <= source.n_features:
        after = np.empty((n_trials, source.n_samples)).T
    chosen[0] = source.take(inverted(weight, np.array([first])))[0]
    rows.potentials(chosen[:1], nearest)
    for j, here in enumerate(quantiles, 1):
        potential = weight * nearest
        chances = potential if potential.any() else weight
        trials = np.array(source.take(inverted(chances, here)), np.float64, order="C")
        if after is not None:
            best = _least(rows.potentials(trials, nearest, after), potential)
            nearest[:] = after[:, best]
        else:
            newest = chosen[j - 1 : j]  # already taken
            left = rows.potentials(np.concatenate([newest, trials]), nearest)[1:]
            best = _least(left, weight * nearest)
            if j < n_more:
                rows.potentials(trials[best : best + 1], nearest)
        chosen[j] = trials[best]
    return chosen


def _least(left: Floats, potential: Floats) -> int:
    """Return the trial that leaves least, the first of those that are equal but for rounding."""
    return int(np.argmax(left <= left.min() + TIE * potential.sum()))


class Clusters(NamedTuple):
    """Centers, and the rows nearest to each of them.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
    statistics : Statistics
    labels : ndarray of shape (n_samples,), int64
        Overwritten two iterations later; of no rows where they are not kept.
    marks : tuple of bytes
        Of labels that are not kept: see `RowsPass.accumulate_marked`.
    refilled : bool
        Whether clusters were empty before, and got rows of others.
    """

    centers: Floats
    statistics: Statistics
    labels: NDArray[np.int64]
    marks: tuple[bytes, ...]
    refilled: bool


def observed_weight(statistics: Statistics) -> Floats:
    """Weight of the rows of each cluster in which each feature is observed.

    Its shape is (n_clusters, 1) for whole rows, else (n_clusters, n_features).
    """
    weight: Floats = statistics.extras.get("observed", statistics.resp_sum[:, None])
    return weight


def centers_of(statistics: Statistics) -> Floats:
    """Mean of the observed numbers of each cluster; where there are none, as before."""
    weight = observed_weight(statistics)
    centers: Floats = statistics.centres + statistics.resp_x / np.where(weight > 0.0, weight, 1.0)
    return centers


def lloyd(
    rows: RowsPass,
    centers: Floats,
    refill: Callable[[Clusters], Floats] | None = None,
    *,
    keep_labels: bool = True,
) -> Iterator[Clusters]:
    """Yield the clusters about some centers, then those of one iteration after the other.

    Parameters
    ----------
    rows : RowsPass
        Of the E-step "nearest".
    centers : ndarray of shape (n_clusters, n_features)
    refill : callable, optional
        From clusters of which some are empty to centers. Without it an empty cluster keeps its
        center.
    keep_labels : bool
        Whether clusters have labels, an entry a row; else they have marks.

    Notes
    -----
    S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28,
    129-137, 1982. The iterations have no end: the caller stops them.
    """
    n_kept = rows.source.n_samples if keep_labels else 0
    labels, others = np.empty((2, n_kept), dtype=np.int64)
    marks: tuple[bytes, ...] = ()
    refilled = False
    while True:
        seen = Seen.of_centers(centers, SPHERICAL)
        if keep_labels:
            statistics = rows.accumulate(seen, labels)
        else:
            statistics, marks = rows.accumulate_marked(seen)
        clusters = Clusters(centers, statistics, labels, marks, refilled)
        yield clusters
        refilled = refill is not None and not statistics.resp_sum.all()
        centers = refill(clusters) if refill is not None and refilled else centers_of(statistics)
        labels, others = others, labels
