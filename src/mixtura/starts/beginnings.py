"""Beginnings: parameters from which EM may start, of different kinds in turn.

Most kinds choose centres (see `mixtura.starts.seeding`), give each row to the nearest one, and take
the parameters that follow. "kmeans" moves the centres by Lloyd's algorithm first. They do so in
coordinates scaled by feature or whitened. In one dimension both are the same, and rows are cut into
groups of equal weight instead of the second. For "hierarchical", clusters are cut from trees (see
`mixtura.starts.hierarchical`), each in other coordinates.

Where numbers are missing, each start draws its own (see `mixtura.starts.whole`): which local
maximum a start leads to depends on them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, cycle
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.data import ArrayRows, Middle, RowSource
from mixtura.data.labels import RowLabels, matched, restrictive
from mixtura.data.source import Positions
from mixtura.parameters import Parameters
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import EM
from mixtura.shapes import SPHERICAL, Floats
from mixtura.starts.hierarchical import UNITLESS_TRANSFORMS, hierarchical, most_leaves
from mixtura.starts.labels import labelled_rows
from mixtura.starts.seeding import Metric, kmeans_plusplus, lloyd, random_rows, standardised
from mixtura.starts.whole import whole_versions

__all__ = ["INIT_METHODS", "Beginnings", "Start"]

Start = Literal["mixed", "kmeans", "kmeans++", "random", "hierarchical"]
INIT_METHODS: tuple[Start, ...] = ("mixed", "kmeans", "kmeans++", "random", "hierarchical")
Labels = NDArray[np.int64]
Kind = Literal["kmeans", "kmeans++", "random", "quantiles"]

METRICS: tuple[Metric, ...] = ("scaled", "whitened")
# In turn; "hierarchical" has kinds of its own.
KINDS: dict[Start, tuple[tuple[Kind, Metric], ...]] = {
    "mixed": (
        ("kmeans", "scaled"),
        ("kmeans", "whitened"),
        ("kmeans++", "scaled"),
        ("random", "whitened"),
        ("kmeans++", "whitened"),
    ),
    **{
        kind: tuple((kind, metric) for metric in METRICS)
        for kind in ("kmeans", "kmeans++", "random")
    },
}
SAMPLE_PER_PARAMETER = 20  # rows for each component and feature, at least
SAMPLE_WORK = 400_000  # multiply-adds of a pass that costs as much as the Python around it
EXPONENTIAL_WORK = 20  # multiply-adds that an exponential costs
LLOYD_ITERATIONS = 20  # at most, for "kmeans"
LEAST_GAIN = 1e-5  # relative, of an iteration of Lloyd's algorithm
POOLED_SHARE = 0.5  # of an average component, in pooled scatter, added to each at the start


@dataclass(frozen=True, eq=False)
class Beginnings:
    """Starts of one kind, or of several in turn.

    Attributes
    ----------
    method : {"mixed", "kmeans", "kmeans++", "random", "hierarchical"}
    n_components : int
    backend : Backend
    prior : ndarray of shape (n_codes, n_components), nats, or None
        Where something is known of rows: clusters are numbered as the components that they agree
        with best. If every component has some, the first two starts are from the means of labelled
        rows.
    """

    method: Start
    n_components: int
    backend: Backend
    prior: Floats | None = None
    _spaces: dict[Metric, tuple[RowSource, RowsPass]] = field(
        default_factory=dict, init=False, repr=False
    )

    def drawn(self, source: RowSource, rng: np.random.Generator) -> tuple[Positions, Floats]:
        """Return positions and weights of rows that stand for all while starts are compared.

        They are enough for the parameters, and as many as cost no more time; and all rows where
        those are at most twice as many. Rows with labels are among them.
        """
        k, d = self.n_components, source.n_features
        if self.method == "hierarchical":
            size = max(most_leaves("VVV", d), SAMPLE_PER_PARAMETER * k)
        else:
            work_per_row = k * (d * (d + 1) + EXPONENTIAL_WORK)
            size = max(SAMPLE_PER_PARAMETER * k * (d + 1), SAMPLE_WORK // work_per_row)
            size = source.n_rows if source.n_rows <= 2 * size else size
        known = () if self.prior is None else labelled_rows(source, self.prior, size)
        return source.thinned(size, rng, known)

    def parameters(
        self, em: EM, middle: Middle, rng: np.random.Generator, *, seeded: bool
    ) -> Iterator[Parameters]:
        """Yield starts of an algorithm; without end but for "hierarchical".

        Parameters
        ----------
        em : EM
            On a sample of the rows. It must replace components that collapse.
        middle : Middle
            Of the features, where more is known than the sample.
        rng : Generator
        seeded : bool
            Whether starts from labelled rows come first.
        """
        assert isinstance(em.rows, RowsPass)
        sample = em.rows.source
        versions = whole_versions(sample, self.backend, middle, rng)
        first = self._seeded(sample, versions) if seeded else iter(())
        for whole, labels in chain(first, self._clusterings(versions, rng)):
            yield self._from_rough_labels(em, whole, labels)

    def _clusterings(
        self, versions: Iterator[RowSource], rng: np.random.Generator
    ) -> Iterator[tuple[RowSource, Labels]]:
        """Yield whole rows and the labels of clusters."""
        if self.method == "hierarchical":
            yield from self._trees(versions)
            return
        for kind, metric in cycle(KINDS[self.method]):
            whole = next(versions)
            if whole.n_features == 1:  # where both metrics are the same
                if (kind, metric) == ("kmeans", "whitened") and self.method == "mixed":
                    yield whole, self._quantiles(whole)
                    continue
                metric = "scaled"
            yield whole, self._clusters(self._space(whole, metric), kind, rng)

    def _quantiles(self, whole: RowSource) -> Labels:
        """Groups of equal weight, in the order of the only feature."""
        x, weight = whole.take(range(whole.n_samples))[:, 0], whole.weights()
        weight = np.ones(len(x)) if weight is None else weight
        order = np.argsort(x, kind="stable")
        below = np.cumsum(weight[order]) - 0.5 * weight[order]
        labels = np.empty(len(x), dtype=np.int64)
        labels[order] = np.minimum(self.n_components * below / weight.sum(), self.n_components - 1)
        return labels

    def _seeded(
        self, sample: RowSource, versions: Iterator[RowSource]
    ) -> Iterator[tuple[RowSource, Labels]]:
        """Yield clusters from the means of labelled rows, in each metric."""
        if self.prior is None:
            return
        code = sample.extra("code")
        assert code is not None
        likely = np.exp(self.prior[code]) * restrictive(self.prior)[code, None]
        resp = likely / np.maximum(likely.sum(axis=1, keepdims=True), 1.0)
        weight = sample.weights()
        resp = resp if weight is None else resp * weight[:, None]
        totals = resp.sum(axis=0)
        if not totals.all() or RowLabels(code, self.prior).has_copies:
            return
        kind: Kind = "kmeans++" if self.method in ("kmeans++", "random") else "kmeans"
        for metric in METRICS[: sample.n_features]:
            whole = next(versions)
            space = self._space(whole, metric)
            Z = space.source.take(range(whole.n_samples))
            means = np.einsum("ij,ia->ja", resp, Z) / totals[:, None]
            yield whole, self._ended(space, means, kind)

    def _trees(self, versions: Iterator[RowSource]) -> Iterator[tuple[RowSource, Labels]]:
        for transform in UNITLESS_TRANSFORMS:
            whole = next(versions)
            tree = hierarchical(
                whole, transform=transform, max_leaves=whole.n_samples, backend=self.backend.name
            )
            yield whole, tree.labels(min(self.n_components, len(tree.leaves)))

    def _space(self, sample: RowSource, metric: Metric) -> RowsPass:
        """A pass over the rows in a metric; kept for the next time, if they are the same rows."""
        rows, space = self._spaces.get(metric, (None, None))
        if space is None or rows is not sample:
            space = self._new_space(sample, metric)
            self._spaces[metric] = sample, space
        return space

    def _new_space(self, sample: RowSource, metric: Metric) -> RowsPass:
        weight = sample.weights()
        weight = np.ones(sample.n_samples) if weight is None else weight
        X = sample.take(range(sample.n_samples))
        Z = standardised(X, weight, metric, sample.middle, self.backend.algebra)
        return RowsPass(ArrayRows(Z, weight), SPHERICAL, self.backend, em="nearest")

    def _clusters(self, space: RowsPass, kind: Kind, rng: np.random.Generator) -> Labels:
        if kind == "random":
            centers = random_rows(space.source, self.n_components, rng)
        else:
            centers = kmeans_plusplus(space, self.n_components, rng)
        return self._ended(space, centers, kind)

    def _ended(self, space: RowsPass, centers: Floats, kind: Kind) -> Labels:
        """Labels of the clusters about some centers, after Lloyd's algorithm for "kmeans"."""
        n_iter, before = LLOYD_ITERATIONS if kind == "kmeans" else 0, -math.inf
        labels = np.empty(space.source.n_samples, dtype=np.int64)
        if space.lloyd(centers, n_iter, LEAST_GAIN, labels):
            return labels
        for i, clusters in enumerate(lloyd(space, centers)):
            height = clusters.statistics.log_likelihood
            if i == n_iter or height - before <= LEAST_GAIN * abs(height):
                break
            before = height
        return clusters.labels

    def _from_rough_labels(self, em: EM, whole: RowSource, labels: Labels) -> Parameters:
        """Parameters of clusters that are only guesses: their scatter is drawn to the pooled one.

        A cluster without rows, as there must be where fewer rows differ than there are components,
        is split off the heaviest.
        """
        assert isinstance(em.rows, RowsPass)
        own = em.rows.source
        is_whole = own.form == "whole"
        rows = em.rows if is_whole else RowsPass(whole, em.rows.shape, self.backend)
        if self.prior is not None:
            code = own.extra("code")
            assert code is not None
            labels = matched(labels, code, self.prior, rows.source.weights())
        centre = rows.source.middle.centre
        if em.update.m_step is not None:
            found = rows.guess(em.update.m_step, labels, centre, self.n_components, POOLED_SHARE)
            if found is not None:
                return found
        centres = np.tile(centre, (self.n_components, 1))
        statistics = rows.given(labels, rows.given(labels, centres).means()).centred()
        scatter = statistics.shape.shrunk_to_pooled(
            statistics.resp_xx, statistics.resp_sum, POOLED_SHARE
        )
        statistics = replace(statistics, resp_xx=scatter)
        parameters, failed = em.update.update(statistics)
        if failed.any():
            parameters, _ = em.collapse.recover(em.update, statistics, parameters, failed, 0, [])
        return parameters
