"""Stepwise k-means: clusters of rows that come by once, by the rule of `StepwiseGMM`.

It is stepwise EM with the nearest center as E-step: running sums move towards those of each batch
(see `mixtura.schedules.stepwise`), and centers are their means. The first rows are kept, until
there are enough of them for a start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mixtura.data import ArrayRows, Block
from mixtura.fitting.streams.learner import check_near
from mixtura.fitting.streams.options import ROWS_PER_COMPONENT, STEP_POWER
from mixtura.fitting.streams.stream import together
from mixtura.parameters import Seen
from mixtura.passes import Backend, RowsPass
from mixtura.schedules.stepwise import StepRule, interpolated, lost_components, mixed
from mixtura.shapes import SPHERICAL, Floats
from mixtura.statistics import Statistics

__all__ = ["ClusterStream"]

# From rows and their weights to centers.
Start = Callable[[NDArray[Any], Floats | None], Floats]


@dataclass(frozen=True, eq=False)
class ClusterStream:
    """What has come so far; each batch makes another one, so that a failed batch changes nothing.

    Attributes
    ----------
    n_clusters : int
    half_life : float
        Weight of rows in which the past loses half its weight, at least; inf for no bound.
    n_threads : int or None
    n_updates : int
    n_samples : int
        Rows of positive weight.
    weight_sum : float
    waiting : tuple of Block
        Copies of the rows that wait for the start.
    centers : ndarray of shape (n_clusters, n_features), or None
        Those of some of the rows that wait; from the start on, the means of the running sums.
    n_clustered : int
        Rows of which the centers are, before the start.
    running : Statistics or None
        Of total weight one; from the start on.
    unit : float
        Weight of the rows of the start.
    rows_per_weight : float
        Number of rows divided by their weight, in the memory; from the start on.
    """

    n_clusters: int
    half_life: float
    n_threads: int | None
    n_updates: int = 0
    n_samples: int = 0
    weight_sum: float = 0.0
    waiting: tuple[Block, ...] = ()
    centers: Floats | None = None
    n_clustered: int = 0
    running: Statistics | None = None
    unit: float = 0.0
    rows_per_weight: float = 0.0

    @classmethod
    def after_fit(
        cls,
        centers: Floats,
        sizes: Floats,
        n_samples: int,
        half_life: float,
        n_threads: int | None,
    ) -> Self:
        """Return the stream that continues a fit to rows that were read as a whole."""
        k, d = centers.shape
        weight = float(sizes.sum())
        running = Statistics(
            SPHERICAL.name, centers, sizes / weight, np.zeros((k, d)), np.zeros(k), 0.0, 1.0
        )
        return cls(
            k, half_life, n_threads, 0, n_samples, weight,
            centers=centers, running=running, unit=weight, rows_per_weight=n_samples / weight,
        )  # fmt: skip

    @property
    def counts(self) -> Floats | None:
        """Weight of the rows of each cluster that count, shape (n_clusters,)."""
        return None if self.running is None else self._memory * self.running.resp_sum

    @property
    def _rule(self) -> StepRule:
        return StepRule(STEP_POWER, self.unit, self.half_life)

    @property
    def _memory(self) -> float:
        return self._rule.memory(self.weight_sum)

    def after(self, X: NDArray[Any], sample_weight: Floats | None, start: Start) -> ClusterStream:
        """Return the stream after one more batch.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
        sample_weight : ndarray of shape (n_samples,), optional
        start : callable
            Clusters the first rows.
        """
        if sample_weight is not None and not sample_weight.all():
            X, sample_weight = X[sample_weight > 0.0], sample_weight[sample_weight > 0.0]
        n, weight = len(X), float(len(X) if sample_weight is None else sample_weight.sum())
        after = replace(
            self,
            n_updates=self.n_updates + 1,
            n_samples=self.n_samples + n,
            weight_sum=self.weight_sum + weight,
        )
        if self.running is not None:
            return after._learned(self.running, X, sample_weight, self.weight_sum)
        check_near(X)  # or they would wait for a start that can never be made
        own = None if sample_weight is None else sample_weight.copy()
        after = replace(after, waiting=(*self.waiting, Block(X.copy(), own)))
        enough = after.n_samples >= ROWS_PER_COMPONENT * self.n_clusters
        # Until there are enough rows, they are clustered whenever there are twice as many.
        if after.n_samples < max(self.n_clusters, 0 if enough else 2 * self.n_clustered):
            return after
        return after._clustered(start, enough=enough)

    def _clustered(self, start: Start, *, enough: bool) -> ClusterStream:
        """Return the stream after the rows that wait were clustered."""
        X, weight, *_ = together(self.waiting)
        centers = start(X, weight)
        if not enough:
            return replace(self, centers=centers, n_clustered=self.n_samples)
        statistics = self._sums(X, weight, centers)
        running = interpolated(statistics.scaled(1.0 / statistics.weight_sum), statistics, 1.0)
        return replace(
            self, waiting=(), centers=running.means(), running=running, unit=self.weight_sum,
            rows_per_weight=self.n_samples / self.weight_sum,
        )  # fmt: skip

    def _learned(
        self, running: Statistics, X: NDArray[Any], weight: Floats | None, before: float
    ) -> ClusterStream:
        """Return the stream after the running sums have moved towards those of a batch."""
        assert self.centers is not None
        batch = self._sums(X, weight, self.centers)
        share = self._rule.share(before, batch.weight_sum)
        running = interpolated(running, batch, share)
        rows_per_weight = mixed(self.rows_per_weight, len(X) / batch.weight_sum, share)
        row = self._rule.row_share(self.weight_sum, batch.weight_sum, rows_per_weight)
        lost = lost_components(running, row)
        if lost.any():
            running = self._refilled(running, lost, X, row)
        return replace(
            self, centers=running.means(), running=running, rows_per_weight=rows_per_weight
        )

    def _refilled(
        self, running: Statistics, lost: NDArray[np.bool_], X: NDArray[Any], row: float
    ) -> Statistics:
        """Move clusters that have lost their rows to the farthest rows of a batch."""
        centers = running.means()
        half = np.empty(len(X))
        rows = self._pass(X, None)
        for j in map(int, np.flatnonzero(lost)):
            rows.evaluate(Seen.of_centers(centers, SPHERICAL), log_prob=half)
            if half.min() < 0.0:
                centers[j] = X[np.argmin(half)]
        moved = lost & (centers != running.means()).any(axis=1)
        at = running.recentred(np.where(moved[:, None], centers, running.centres))
        resp_sum = np.where(moved, row, at.resp_sum)
        total = resp_sum.sum()
        return replace(
            at,
            resp_sum=resp_sum / total,
            resp_x=np.where(moved[:, None], 0.0, at.resp_x) / total,
            resp_xx=np.where(moved, 0.0, at.resp_xx) / total,
        )

    def _pass(self, X: NDArray[Any], weight: Floats | None) -> RowsPass:
        return RowsPass(ArrayRows(X, weight), SPHERICAL, Backend(n_threads=self.n_threads),
                        em="nearest")  # fmt: skip

    def _sums(self, X: NDArray[Any], weight: Floats | None, centers: Floats) -> Statistics:
        """Sums of rows about the nearest centers."""
        return self._pass(X, weight).accumulate(Seen.of_centers(centers, SPHERICAL))
