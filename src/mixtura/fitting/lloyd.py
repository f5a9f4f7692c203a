"""Runs of Lloyd's algorithm on the same rows, from different starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.data import ArrayRows, Block, RowSource
from mixtura.data.question import Question
from mixtura.data.reweighed import Reweighed, Without
from mixtura.fitting.kmeans_fit import KMeansFit, Nearest
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
        self._engine = _Engine(survey.centre, survey.single)
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
        self._keeps_labels = source.in_memory
        # A weighted pass need not look at rows of weight zero: their labels mean nothing.
        self._present: NDArray[np.intp] | slice = slice(None)
        weights = source.weights() if self._keeps_labels else None
        if weights is not None and not weights.all():
            self._present = np.flatnonzero(weights)

    def seed(self, n_clusters: int, how: str | NDArray[Any], rng: np.random.Generator) -> Floats:
        """Rows as centers, each one far from those before, or any; or what the user gave."""
        if not isinstance(how, str):
            if how.ndim == 2:
                return how
            rough = np.tile(self._engine.centre, (n_clusters, 1))
            return whole_pass(self._rows).given(how, rough).means()
        if how == "random" and self._source.form == "whole" and self._keeps_labels:
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
        before: Clusters | None = None
        history: list[float] = []
        iterations = lloyd(self._rows, centers, self._refilled, keep_labels=self._keeps_labels)
        for n_iter, clusters in enumerate(iterations):
            height = clusters.statistics.log_likelihood
            converged = False
            if before is not None:
                earlier = PlainState() if clusters.refilled else state
                state = rule.after(earlier, 2.0 * height / self._scatter)
                converged = rule.is_over(earlier, state) or not self._has_moved(before, clusters)
            before = clusters
            inertia = 2.0 * abs(height)
            history += [inertia] * (n_iter > 0)
            fit = KMeansFit(
                clusters.centers,
                clusters.labels if self._keeps_labels else None,
                inertia, n_iter, converged,
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
        if fit.labels is not None and self._source.n_rows < self._source.n_samples:
            nearest = Nearest(fit.centers, self._source.form, self._backend)
            fit.labels[:] = self._source.answers(Question(nearest, ("cluster",), (), np.int64))
            if self._source.not_finite is not None:
                fit.labels[self._source.not_finite] = -1
        return fit

    def _has_moved(self, before: Clusters, clusters: Clusters) -> bool:
        """Whether a row has changed its cluster."""
        if not self._keeps_labels:
            return clusters.marks != before.marks
        return bool((clusters.labels != before.labels)[self._present].any())

    def closed(self, fit: KMeansFit) -> KMeansFit:
        """Return the fit with the sizes and the deviations of the clusters."""
        labels = None if fit.labels is None else np.maximum(fit.labels, 0)
        look = _Closing(fit.centers, labels, self._source.form, self._backend, self._engine)
        sums = self._source.total(look)
        sizes, (weight, first, squares) = sums[:, 0], np.split(sums[:, 1:], 3, axis=1)
        weight = np.where(weight > 0.0, weight, 1.0)
        variances = (squares - np.square(first) / weight) / weight
        return replace(fit, sizes=sizes, deviations=np.sqrt(np.maximum(variances, 0.0)))

    def _calls_to_stop(self, fit: KMeansFit) -> bool:
        """Whether the callback stops the run; it gets copies, as our arrays are used again."""
        if self._callback is None:
            return False
        arrays = {name: getattr(fit, name) for name in ("centers", "labels", "history", "sizes")}
        own = {name: each.copy() for name, each in arrays.items() if each is not None}
        return stops(self._callback(replace(fit, **own)))

    def _refilled(self, clusters: Clusters) -> Floats:
        """Means, after the rows farthest from their centers have moved to the empty clusters.

        Different rows; when no others are off their centers, some clusters stay empty.
        """
        seen = Seen.of_centers(clusters.centers, SPHERICAL)
        empty = np.flatnonzero(clusters.statistics.resp_sum == 0.0)
        moved = self._rows.farthest(seen, len(empty))
        positions = np.array([row.position for row in moved], dtype=np.intp)
        others = Reweighed(self._source, Without(np.sort(positions)))
        left = RowsPass(others, SPHERICAL, self._backend, em="nearest")
        means = centers_of(left.accumulate(seen))
        for j, (_, _, own, row) in zip(empty, moved, strict=False):
            means[j] = np.where(np.isnan(row), clusters.centers[own], row)
        return means


class _Engine(NamedTuple):
    """How the pass computes distances: see `RowsPass`."""

    centre: Floats
    single: bool


@dataclass(frozen=True, eq=False)
class _Closing:
    """A look at what is summed over each cluster in the end, about its center.

    It returns an array of shape (n_clusters, 1 + 3 n_features): the size, and of each feature the
    weight, the sum and the sum of squares of what is observed.
    """

    centers: Floats
    labels: NDArray[np.int64] | None
    form: str
    backend: Backend
    engine: _Engine

    def __call__(self, block: Block) -> Floats:
        k, d = self.centers.shape
        labels = self._labels(block)
        sums = np.zeros((k, 1 + 3 * d))
        sums[:, 0] = np.bincount(labels, block.sample_weight, k)
        if self.form == "whole":
            rows = self.backend.rows(self.form, block)
            found = rows.given(labels, self.centers, DIAG, self.backend.n_threads)
            weight = np.repeat(found.resp_sum[:, None], d, axis=1)
            sums[:, 1:] = np.hstack([weight, found.resp_x, found.resp_xx])
            return sums
        for X, positions, weights in block.chunks():
            here = labels[positions - block.start]
            of_each = np.ones(len(X)) if weights is None else weights
            observed = ~np.isnan(X)
            z = np.where(observed, X - self.centers[here], 0.0)
            for a in range(d):
                parts = (observed[:, a], z[:, a], np.square(z[:, a]))
                for column, each in zip(range(1 + a, 1 + 3 * d, d), parts, strict=True):
                    sums[:, column] += np.bincount(here, of_each * each, k)
        return sums

    def _labels(self, block: Block) -> NDArray[np.int64]:
        """The cluster of each row; 0 for some without weight."""
        if self.labels is not None:
            return self.labels[block.start : block.start + len(block.X)]
        labels = np.zeros(len(block.X), dtype=np.int64)
        seen = Seen.of_centers(self.centers, SPHERICAL)
        rows = self.backend.rows(self.form, block, self.engine.centre, single=self.engine.single)
        rows.evaluate("nearest", seen, self.backend.n_threads, labels=labels)
        return labels
