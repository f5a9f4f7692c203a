"""Runs of Lloyd's algorithm on the same rows, from different starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data import ArrayRows, RowSource
from mixtura.fitting.kmeans_fit import KMeansFit, nearest_centers
from mixtura.fitting.progress import KMeansProgress
from mixtura.fitting.survey import Survey
from mixtura.parameters import Seen
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import stops
from mixtura.schedules.plain import Plain, PlainState
from mixtura.shapes import DIAG, SPHERICAL, Floats
from mixtura.starts.seeding import (
    Clusters,
    centers_of,
    kmeans_plusplus,
    lloyd,
    observed_weight,
    random_rows,
)
from mixtura.starts.whole import whole_pass, whole_rows

__all__ = ["Runs"]

# Rows among which k-means++ chooses: all, or a sample large enough that each cluster is in it.
LEAST_SAMPLE, SAMPLE_PER_CLUSTER = 20_000, 100

LEAST_PRODUCTS = 4096  # of a row with all centers; below, bounds cost more than they save


class Runs:
    """Runs of Lloyd's algorithm on the same rows; `last` has the clusters of the last pass."""

    last: KMeansFit | None = None

    def __init__(
        self,
        source: RowSource,
        backend: Backend,
        tol: float,
        max_iter: int,
        progress: KMeansProgress,
        callback: Callable[[KMeansFit], object] | None,
    ) -> None:
        self._source, self._backend = source, backend
        self._tol, self._max_iter = tol, max_iter
        self._progress, self._callback = progress, callback
        survey = Survey(source, backend)
        self._centre = survey.centre
        self._rows = RowsPass(
            source,
            SPHERICAL,
            backend,
            em="nearest",
            centre=survey.centre,
            single=survey.single,
            least_products=LEAST_PRODUCTS,
        )
        scatter = survey.variance.sum() * source.weight_sum
        if source.form != "whole":
            all_rows = self._rows.accumulate(Seen.of_centers(survey.centre[None], SPHERICAL))
            scatter = (survey.variance * observed_weight(all_rows)).sum()
        self._scatter = float(scatter) or 1.0
        # A weighted pass need not look at rows of weight zero: their labels mean nothing.
        self._present: NDArray[np.intp] | slice = slice(None)
        weights = source.weights()
        if weights is not None and not weights.all():
            self._present = np.flatnonzero(weights)

    def seed(self, n_clusters: int, how: str | NDArray[Any], rng: np.random.Generator) -> Floats:
        """Rows as centers, each one far from those before, or any; or what the user gave."""
        if not isinstance(how, str):
            if how.ndim == 2:
                return how
            rough = np.tile(self._centre, (n_clusters, 1))
            return whole_pass(self._rows).given(how, rough).means()
        if how == "random" and self._source.form == "whole":
            return random_rows(self._source, n_clusters, rng)
        size = max(LEAST_SAMPLE, SAMPLE_PER_CLUSTER * n_clusters)
        sample = ArrayRows.sample_of(self._source, size, rng)
        whole = whole_rows(sample, self._backend, self._source.middle)
        if how == "random":
            return random_rows(whole, n_clusters, rng)
        rows = RowsPass(whole, SPHERICAL, self._backend, em="nearest")
        return kmeans_plusplus(rows, n_clusters, rng)

    def run(self, centers: Floats) -> KMeansFit:
        """Iterate until no row changes its center, or little is left to gain."""
        rule, state = Plain(self._tol, self._rows.rounding), PlainState()
        before: NDArray[np.int64] | None = None
        history: list[float] = []
        for n_iter, clusters in enumerate(lloyd(self._rows, centers, self._refilled)):
            height = clusters.statistics.log_likelihood
            converged = False
            if before is not None:
                earlier = PlainState() if clusters.refilled else state
                state = rule.after(earlier, 2.0 * height / self._scatter)
                moved = clusters.labels != before
                converged = rule.is_over(earlier, state) or not moved[self._present].any()
            before = clusters.labels
            inertia = 2.0 * abs(height)
            history += [inertia] * (n_iter > 0)
            fit = KMeansFit(
                clusters.centers, before, inertia, n_iter, converged,
                history=np.array(history),
                sizes=clusters.statistics.resp_sum,
                n_samples=self._source.n_rows,
                feature_names=self._source.feature_names,
                missing=self._source.missing,
            )  # fmt: skip
            self.last = fit
            if n_iter:
                self._progress(n_iter, fit.inertia)
            if n_iter and self._calls_to_stop(fit):
                fit = replace(fit, converged=False)
                break
            if converged or n_iter == self._max_iter:
                break
        if self._source.n_rows < self._source.n_samples:
            unweighted = self._source.reweighted(np.ones(self._source.n_samples))
            fit.labels[:] = nearest_centers(unweighted, fit.centers, self._backend)
            if self._source.not_finite is not None:
                fit.labels[self._source.not_finite] = -1
        return fit

    def deviations(self, fit: KMeansFit) -> Floats:
        """Return the standard deviation of each feature within each cluster."""
        if self._source.form == "whole":
            rows = RowsPass(self._source, DIAG, self._backend, em="nearest")
            statistics = rows.given(np.maximum(fit.labels, 0), fit.centers)
            sums = statistics.resp_sum[:, None], statistics.resp_x, statistics.resp_xx
        else:
            sums = self._observed_sums(fit)
        weight = np.where(sums[0] > 0.0, sums[0], 1.0)
        variances = (sums[2] - np.square(sums[1]) / weight) / weight
        return np.sqrt(np.maximum(variances, 0.0))

    def _observed_sums(self, fit: KMeansFit) -> tuple[Floats, Floats, Floats]:
        """Weight, sum and squares about the centers of what is observed in each cluster."""
        k, d = fit.centers.shape
        sums = np.zeros((3, k, d))
        weights = self._source.weights()
        for X, positions in self._source.chunks():
            labels = fit.labels[positions]
            weight = np.ones(len(X)) if weights is None else weights[positions]
            observed = ~np.isnan(X)
            z = np.where(observed, X - fit.centers[labels], 0.0)
            for a in range(d):
                for total, each in zip(
                    sums, (observed[:, a], z[:, a], np.square(z[:, a])), strict=True
                ):
                    total[:, a] += np.bincount(labels, weight * each, k)
        return sums[0], sums[1], sums[2]

    def _calls_to_stop(self, fit: KMeansFit) -> bool:
        """Whether the callback stops the run; it gets copies, as our arrays are used again."""
        if self._callback is None:
            return False
        arrays = ("centers", "labels", "history", "sizes")
        own = {name: getattr(fit, name).copy() for name in arrays}
        return stops(self._callback(replace(fit, **own)))

    def _refilled(self, clusters: Clusters) -> Floats:
        """Means, after the rows farthest from their centers have moved to the empty clusters.

        Different rows; when no others are off their centers, some clusters stay empty.
        """
        source, seen = self._source, Seen.of_centers(clusters.centers, SPHERICAL)
        empty = np.flatnonzero(clusters.statistics.resp_sum == 0.0)
        weights = source.weights()
        weight = np.ones(source.n_samples) if weights is None else weights.copy()
        half = np.empty(source.n_samples)
        self._rows.evaluate(seen, log_prob=half)
        half[weight == 0.0] = 0.0
        moved: list[int] = []
        while len(moved) < len(empty) and half.min() < 0.0:
            moved.append(int(np.argmin(half)))
            half[source.equal_rows(source.take(np.array(moved[-1:]))[0])] = 0.0
        weight[moved] = 0.0
        left = RowsPass(source.reweighted(weight), SPHERICAL, self._backend, em="nearest")
        means = centers_of(left.accumulate(seen))
        rows, own = source.take(np.array(moved, dtype=np.intp)), clusters.labels[moved]
        means[empty[: len(moved)]] = np.where(np.isnan(rows), clusters.centers[own], rows)
        return means
