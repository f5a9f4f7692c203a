"""Automatic starts: the best of several brief runs.

A start chooses centres (see `mixtura.starts.seeding`), gives each row to the nearest one, takes the
parameters that follow, and runs a few iterations of EM. Of `n_init` starts the better half is run
as long again, and so on until one is left. All of it happens on a sample of rows that is large
beside the number of parameters but not beside a large data set; on a sample the last one is then
run until its predicted gain is small. For "hierarchical", clusters are cut from trees (see
`mixtura.starts.hierarchical`), each in other coordinates.

Where numbers are missing, each start draws its own (see `mixtura.starts.whole`): which local
maximum a start leads to depends on them. Every second pair of starts has the clusters about random
rows, because k-means may be misled by all drawings alike; and brief runs are longer, because EM is
slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.data import ArrayRows, RowSource
from mixtura.data.labels import RowLabels, matched, restrictive
from mixtura.exceptions import FitError
from mixtura.parameters import Parameters
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import EM, Outcome
from mixtura.shapes import SPHERICAL, Floats
from mixtura.starts.hierarchical import UNITLESS_TRANSFORMS, hierarchical, most_leaves
from mixtura.starts.labels import labelled_rows
from mixtura.starts.seeding import (
    Metric,
    kmeans_plusplus,
    lloyd,
    random_rows,
    standardised,
)
from mixtura.starts.whole import whole_versions

__all__ = ["INIT_METHODS", "AutomaticStart", "Start", "StartInterrupted"]

Start = Literal["kmeans++", "kmeans", "random", "hierarchical"]
INIT_METHODS: tuple[Start, ...] = ("kmeans++", "kmeans", "random", "hierarchical")
Labels = NDArray[np.int64]

METRICS: tuple[Metric, ...] = ("scaled", "whitened")
SAMPLE_PER_PARAMETER = 20  # rows for each component and feature, at least
SAMPLE_WORK = 400_000  # multiply-adds of a pass that costs as much as the Python around it
EXPONENTIAL_WORK = 20  # multiply-adds that an exponential costs
BRIEF_ITERATIONS = 5  # of each start, before the worse half is dropped
SLOWER = 4  # times as many where numbers are missing
SAMPLE_ITERATIONS = 100  # at most, of the best start before it sees all rows
LEAST_REPEATS = 2  # of clusters that k-means has found before, until no more are looked for
SAME = 1e-4  # relative difference between the scatters of clusters that are the same
LLOYD_ITERATIONS = 20  # at most, for init="kmeans"
LEAST_GAIN = 1e-5  # relative, of an iteration of Lloyd's algorithm
POOLED_SHARE = 0.5  # of an average component, in pooled scatter, added to each at the start


class StartInterrupted(KeyboardInterrupt):
    """Ctrl-C during the brief runs; `outcome` is the best of them, without its statistics.

    Those are of the sample, so they say nothing of all rows.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("the start was interrupted")
        self.outcome = replace(outcome, stop_reason="interrupted", statistics=None)


@dataclass(frozen=True, eq=False)
class AutomaticStart:
    """A search for the start of one mixture.

    Attributes
    ----------
    method : {"kmeans++", "kmeans", "random", "hierarchical"}
    n_init : int
        Starts; every second one finds its centres in whitened coordinates. "hierarchical" has one
        tree for each transform that does not depend on units.
    n_components : int
    make_em : callable
        From a row source to the EM algorithm that runs on it briefly. It must replace components
        that collapse. Starts that lead to fewer of the spurious components that its guard finds are
        better, whatever their objective.
    backend : Backend
    report : callable, optional
        Called with the outcome of each brief run.
    prior : ndarray of shape (n_codes, n_components), nats, or None
        Where something is known of rows: clusters are numbered as the components that they agree
        with best, and rows with labels are in every sample. If every component has some, two starts
        more are tried, from the means of labelled rows.
    """

    method: Start
    n_init: int
    n_components: int
    make_em: Callable[[RowSource], EM]
    backend: Backend
    report: Callable[[Outcome], object] | None = None
    prior: Floats | None = None

    def best(self, source: RowSource, rng: np.random.Generator) -> Parameters:
        """Return the best of the starts after brief runs.

        Raises
        ------
        FitError
            When every start fails.
        StartInterrupted
            On Ctrl-C after the first brief run.
        """
        size = self._sample_size(source.n_features)
        known = () if self.prior is None else labelled_rows(source, self.prior, size)
        sample = ArrayRows.sample_of(source, size, rng, known)
        em = self.make_em(sample)
        versions = whole_versions(sample, self.backend, source.middle, rng)
        starts = (
            self._from_rough_labels(em, whole, labels)
            for whole, labels in chain(
                self._seeded(sample, versions), self._clusterings(versions, rng)
            )
        )
        tried: list[Outcome] = []
        try:
            best = self._last_standing(em, starts, tried)
            if source.n_rows > size:
                best = self._run(em, [best], SAMPLE_ITERATIONS, tried)[0].parameters
            return best
        except KeyboardInterrupt:
            if not tried:
                raise
            raise StartInterrupted(min(tried, key=_rank)) from None

    def _sample_size(self, d: int) -> int:
        """Rows of the sample: enough for the parameters, and as many as cost no more time."""
        k = self.n_components
        if self.method == "hierarchical":
            return max(most_leaves("VVV", d), SAMPLE_PER_PARAMETER * k)
        work_per_row = k * (d * (d + 1) + EXPONENTIAL_WORK)
        return max(SAMPLE_PER_PARAMETER * k * (d + 1), SAMPLE_WORK // work_per_row)

    def _clusterings(
        self, versions: Iterator[RowSource], rng: np.random.Generator
    ) -> Iterator[tuple[RowSource, Labels]]:
        """Yield whole rows and their labels from `n_init` starts, in turn in each metric.

        k-means often ends where it has ended before: such an end is skipped, and when this happens
        to most starts, no more are made. Where the rows differ from start to start, none is
        skipped, and every second pair of starts has clusters about random rows.
        """
        if self.method == "hierarchical":
            yield from self._trees(versions)
            return
        whole: RowSource | None = None
        for i in range(self.n_init):
            before, whole = whole, next(versions)
            if whole is not before:
                metrics = METRICS[: min(self.n_init, whole.n_features)]  # of one feature: the same
                spaces: dict[int, RowsPass] = {}
                found: list[tuple[int, float]] = []
            m = i % len(metrics)
            if m not in spaces:
                spaces[m] = self._space(whole, metrics[m])
            rough = whole is not before and i % 4 > 1
            labels, scatter = self._clusters(spaces[m], "random" if rough else self.method, rng)
            if self.method == "kmeans":
                if any(m == n and math.isclose(scatter, s, rel_tol=SAME) for n, s in found):
                    if i - len(found) >= max(LEAST_REPEATS, len(found)):
                        return
                    continue
                found.append((m, scatter))
            yield whole, labels

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
        for metric in METRICS[: sample.n_features]:
            whole = next(versions)
            space = self._space(whole, metric)
            Z = space.source.take(range(whole.n_samples))
            means = np.einsum("ij,ia->ja", resp, Z) / totals[:, None]
            yield whole, self._ended(space, means, self.method)[0]

    def _trees(self, versions: Iterator[RowSource]) -> Iterator[tuple[RowSource, Labels]]:
        for transform in UNITLESS_TRANSFORMS[: self.n_init]:
            whole = next(versions)
            tree = hierarchical(
                whole, transform=transform, max_leaves=whole.n_samples, backend=self.backend.name
            )
            yield whole, tree.labels(min(self.n_components, len(tree.leaves)))

    def _space(self, sample: RowSource, metric: Metric) -> RowsPass:
        weight = sample.weights()
        weight = np.ones(sample.n_samples) if weight is None else weight
        X = sample.take(range(sample.n_samples))
        Z = standardised(X, weight, metric, sample.middle, self.backend.algebra)
        return RowsPass(ArrayRows(Z, weight), SPHERICAL, self.backend, em="nearest")

    def _clusters(
        self, space: RowsPass, method: Start, rng: np.random.Generator
    ) -> tuple[Labels, float]:
        """Labels of one start, and their scatter."""
        if method == "random":
            centers = random_rows(space.source, self.n_components, rng)
        else:
            centers = kmeans_plusplus(space, self.n_components, rng)
        return self._ended(space, centers, method)

    def _ended(self, space: RowsPass, centers: Floats, method: Start) -> tuple[Labels, float]:
        """Labels of the clusters about some centers, after Lloyd's algorithm for "kmeans"."""
        n_iter, before = LLOYD_ITERATIONS if method == "kmeans" else 0, -math.inf
        for i, clusters in enumerate(lloyd(space, centers)):
            height = clusters.statistics.log_likelihood
            if i == n_iter or height - before <= LEAST_GAIN * abs(height):
                break
            before = height
        return clusters.labels, -height

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
        centres = np.tile(rows.source.middle.centre, (self.n_components, 1))
        statistics = rows.given(labels, rows.given(labels, centres).means()).centred()
        scatter = statistics.shape.shrunk_to_pooled(
            statistics.resp_xx, statistics.resp_sum, POOLED_SHARE
        )
        statistics = replace(statistics, resp_xx=scatter)
        parameters, failed = em.update.update(statistics)
        if failed.any():
            parameters, _ = em.collapse.recover(em.update, statistics, parameters, failed, 0, [])
        return parameters

    def _last_standing(
        self, em: EM, starts: Iterable[Parameters], tried: list[Outcome]
    ) -> Parameters:
        """Run all starts briefly, the better half as long again, and so on until one is left.

        Those that have converged wait for the others; every outcome is appended to `tried`.
        """
        assert isinstance(em.rows, RowsPass)
        n_iter = BRIEF_ITERATIONS * (SLOWER if em.rows.source.form == "incomplete" else 1)
        standing = self._run(em, starts, n_iter, tried)
        while len(standing) > 2:
            better = standing[: (len(standing) + 1) // 2]
            waiting = [outcome for outcome in better if outcome.stop_reason == "converged"]
            moving = [
                outcome.parameters for outcome in better if outcome.stop_reason != "converged"
            ]
            if moving:
                waiting += self._run(em, moving, n_iter, tried)
            standing = sorted(waiting, key=_rank)
            n_iter *= 2
        return standing[0].parameters

    def _run(
        self, em: EM, starts: Iterable[Parameters], max_iter: int, tried: list[Outcome]
    ) -> list[Outcome]:
        """Where brief runs from each start end, the best first; those that fail are left out."""
        ends: list[Outcome] = []
        failure = FitError("the fit cannot start: there is no start.")
        for parameters in starts:
            try:
                outcome = em.run(parameters, max_iter)
            except FitError as error:
                failure = error
                continue
            if self.report is not None:
                self.report(outcome)
            if self.prior is not None and len(outcome.parameters.weights) < self.n_components:
                failure = FitError(
                    "the fit cannot start: a component was lost at every start, and labels give "
                    "the others their numbers. Use fewer components, reg_covar > 0, or an init."
                )
                continue
            if outcome.history:
                ends.append(outcome)
                tried.append(outcome)
            if outcome.stop_reason == "interrupted":
                raise KeyboardInterrupt
        if not ends:
            raise failure
        return sorted(ends, key=_rank)


def _rank(outcome: Outcome) -> tuple[int, int, float]:
    """Lower is better; ends that differ by rounding alone are equal, and keep their order."""
    n_components = len(outcome.parameters.weights)  # some may have been dropped
    return -n_components, len(outcome.suspects), -round(outcome.objective, 9)
