"""Many mixtures of the same rows: each is fitted from where related ones have ended.

For one number of components, a few scouts find where the clusters lie, by the search of `fit_gmm`.
One pass under each scout returns full scatters, and from these every family gets its
maximum-likelihood start without another look at the rows. Ends of other families give starts in the
same way. The most promising are run against each other, and moves are tried on the best: see
`mixtura.search`. A family that contains others starts at their ends where these are higher, so that
it never ends lower. In the end each family gets starts from the ends of those that were fitted
after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.cached import cached_property
from mixtura.covariance import FAMILIES
from mixtura.data import ArrayRows, RowSource
from mixtura.data.labels import matched
from mixtura.exceptions import FitError
from mixtura.fitting.cells import Cell, Ends, freedom, parents, rank, rank_of_fit
from mixtura.fitting.init import check_begin, returned_begin
from mixtura.fitting.kmeans_fit import KMeansFit
from mixtura.fitting.memory import check_memory
from mixtura.fitting.reports import report
from mixtura.fitting.selection import AnyFit
from mixtura.fitting.settings import Settings
from mixtura.fitting.stages import Begin, Fitting
from mixtura.fitting.survey import Survey
from mixtura.mixture import GaussianMixture
from mixtura.parameters import Parameters
from mixtura.passes import RowsPass
from mixtura.schedules import Outcome
from mixtura.shapes import DIAG, FULL, Floats, Shape
from mixtura.starts import Beginnings, HierarchicalTree, hierarchical
from mixtura.starts.hierarchical import UNITLESS_TRANSFORMS
from mixtura.starts.whole import whole_rows
from mixtura.statistics import Statistics

__all__ = ["FAILURES", "Models", "reason"]

LIKELIHOOD_OF_FEW = (
    "; with fewer, reg_covar alone decides its likelihood. "
    'Use criterion="cv", or fit_gmm for this model'
)
# What may end the fit of one model, and leaves the others as they are.
FAILURES = (FitError, np.linalg.LinAlgError, MemoryError)
ROWS_OF_TREES = 20_000  # where others are not in memory
MORE_STARTS = 2  # times as many for a model that is searched by itself


@dataclass(frozen=True)
class Models:
    """How the models for one set of rows are found.

    Attributes
    ----------
    survey : Survey
        Of the rows.
    covariance_types : sequence of str
        Names of different families.
    init : object
        As for `fit_gmm`; a callable is called once for each number of components.
    settings : Settings
        Of all fits, with an absolute ridge.
    tree_seed : int
        For the rows that stand for all in trees.
    by_likelihood : bool
        Whether models are compared by their likelihood. With too few rows for a maximum, a model is
        fitted only where they are not, and only under a ridge or a prior.
    report : callable
        From a fitting, its outcome and whether the start was automatic to the fit.
    """

    survey: Survey
    covariance_types: Sequence[str]
    init: Any
    settings: Settings
    tree_seed: int
    by_likelihood: bool = True
    report: Callable[[Fitting, Outcome, bool], AnyFit] = report

    def fits(
        self, n_components: int, rng: np.random.Generator
    ) -> Iterator[tuple[str, AnyFit | str]]:
        """Fit each covariance type, the simpler ones first; yield its name, and why it failed."""
        possible = []
        for name in sorted(self.covariance_types, key=freedom):
            why = self._impossible(name, n_components)
            if why is None:
                possible.append(name)
            else:
                yield name, why
        seed = int(rng.integers(1 << 62))
        try:
            automatic, scouted, starts = self._starts(n_components, possible, rng)
            sample = self._sample(n_components, seed) if automatic else None
        except FAILURES as error:
            yield from ((name, reason(error)) for name in possible)
            return
        ends, known = Ends(self.survey.scale, starts), dict[str, int]()
        done: dict[str, AnyFit] = {}
        twice, shape = automatic and n_components > 1, self._shape(possible)

        def cell(name: str) -> Cell:
            return Cell(name, n_components, parents(name, done), sample, (seed, freedom(name)))

        for name in possible:
            known[name], others = len(ends), ends.of_others(name)
            try:
                if name in scouted:
                    done[name] = self._improved(cell(name), scouted[name], others)
                else:
                    done[name] = self._clear_of_ties(cell(name), others)
            except FAILURES as error:
                yield name, reason(error)
                continue
            if twice:
                ends.add(name, self._under(done[name].model._parameters(), shape))
            else:
                yield name, done[name]
        for name in list(done) if twice else ():
            later = ends.of_others(name, known[name])
            done[name] = self._improved(cell(name), done[name], later)
            yield name, done[name]

    def searched(
        self, fits: Mapping[str, AnyFit], n_components: int, name: str, rng: np.random.Generator
    ) -> dict[str, AnyFit]:
        """Return better fits, if there are any, after one model was searched by itself.

        Parameters
        ----------
        fits : mapping from str to GMMFit or BayesianGMMFit
            By covariance type; all have so many components.
        n_components : int
        name : str
            The covariance type that is searched, as `fit_gmm` does.
        rng : Generator

        Returns
        -------
        dict
            By covariance type: families that contain the one searched start where it has ended.
        """
        if n_components == 1 or not isinstance(self.init, str):
            return {}
        init: Any = self.init
        more = MORE_STARTS * self.settings.n_init
        try:
            fit = self.report(*self._run(name, n_components, init, rng, n_init=more), True)
        except FAILURES:
            return {}
        if rank_of_fit(fit) <= rank_of_fit(fits[name]):
            return {}
        done, better = {**fits, name: fit}, {name: fit}
        for other in sorted(fits, key=freedom):
            seeds = 0, freedom(other)
            cell = Cell(other, n_components, parents(other, done), self.survey.source, seeds)
            improved = self._improved(cell, done[other], ())
            if improved is not done[other]:
                done[other] = better[other] = improved
        return better

    def _impossible(self, name: str, n_components: int) -> str | None:
        """Why a model cannot be fitted, if nothing but its size is needed to know."""
        family, source = FAMILIES[name], self.survey.source
        needed = family.least_rows(n_components, source.n_features)
        ridge = bool(np.any(self.settings.reg_covar))
        enough = source.n_rows >= needed or self.settings.estimate.is_regular
        if not enough and (self.by_likelihood or not ridge):
            few = f"{name} needs at least {needed} rows, and there are {source.n_rows}"
            return few + LIKELIHOOD_OF_FEW * ridge
        try:
            check_memory(family.shape, n_components, source)
        except MemoryError as error:
            return reason(error)
        return None

    def _improved(self, cell: Cell, fit: AnyFit, ends: Sequence[Any]) -> AnyFit:
        """The fit, or a better one from where others have ended."""
        higher = any(one.history[-1] > fit.history[-1] for one in cell.parents)
        if not ends and not higher:
            return fit
        ridge = self.survey.absolute_ridge(self.settings.reg_covar)
        try:
            other = self._best(cell, ends, ridge, fit)
        except FAILURES:
            return fit
        return max(fit, other, key=rank_of_fit)

    def on(self, source: RowSource) -> Models:
        """Return the same models of other rows."""
        return replace(self, survey=Survey(source, self.survey.backend, self.survey.priors))

    def _run(
        self,
        name: str,
        n_components: int,
        begin: Begin,
        rng: np.random.Generator | None = None,
        **changed: Any,
    ) -> tuple[Fitting, Outcome]:
        """Fit one model that keeps all its components."""
        fitting = Fitting(self.survey, replace(self.settings, **changed), name, n_components)
        outcome = fitting.run(begin, np.random.default_rng() if rng is None else rng)
        if outcome.stop_reason == "interrupted":
            raise KeyboardInterrupt
        if len(outcome.parameters.weights) < n_components:
            what = ", ".join(str(e) for e in outcome.events if e.action == "dropped")
            raise FitError(f"a component was lost: {what}")
        return fitting, outcome

    def _starts(
        self, n_components: int, possible: list[str], rng: np.random.Generator
    ) -> tuple[bool, dict[str, AnyFit], dict[Any, Any]]:
        """Whether starts are automatic, fits of scouts, and statistics or an init for all.

        Those of scouts have their names.
        """
        init: Any = self.init
        shape = self._shape(possible)
        if callable(init):
            init = returned_begin(init, self.survey.source, n_components, rng)
        elif not isinstance(init, str):
            labelled = n_components in self.survey.priors
            begin = check_begin(init, self.survey.source, n_components, labelled=labelled)
            init = self._matched(begin, n_components)
        if isinstance(init, GaussianMixture):
            return False, {}, {0: self._under(init._parameters(), shape)}
        if not isinstance(init, str):
            return False, {}, {0: init}
        if init == "hierarchical":
            trees = self._trees(n_components)
            return True, {}, {i: self._cut(t, n_components, shape) for i, t in enumerate(trees)}
        scouted = self._scouted(init, n_components, possible, rng)
        fits = {name: self.report(*end, True) for name, end in scouted.items()}
        return (
            True,
            fits,
            {name: self._under(fit.model._parameters(), shape) for name, fit in fits.items()},
        )

    def _shape(self, possible: list[str]) -> Shape:
        """The shape of scatters from which all families can be estimated."""
        return DIAG if all(FAMILIES[name].shape.is_diagonal for name in possible) else FULL

    def _scouted(
        self, init: Any, n_components: int, possible: list[str], rng: np.random.Generator
    ) -> dict[str, tuple[Fitting, Outcome]]:
        """Fits of the families whose updates are fast, or else of the first and the last."""
        plain = [name for name in possible if FAMILIES[name].is_closed]
        failure: Exception = FitError("no start")
        for scouts in (plain, dict.fromkeys(possible[:1] + possible[-1:])):
            scouted: dict[str, tuple[Fitting, Outcome]] = {}
            for name in scouts:
                try:
                    scouted[name] = self._run(name, n_components, init, rng)
                except FAILURES as error:
                    failure = error
            if scouted:
                return scouted
        raise failure

    def _cut(self, tree: HierarchicalTree, n_components: int, shape: Shape) -> Any:
        """What a tree of the rows starts a fit with; of a tree of some rows, their statistics."""
        sample = self._rows_of_trees
        begin = self._matched(tree.labels(n_components), n_components, sample)
        if sample is self.survey.source:
            return begin
        assert isinstance(begin, np.ndarray)
        rows = RowsPass(whole_rows(sample, self.survey.backend), shape, self.survey.backend)
        centres = np.tile(self.survey.centre, (n_components, 1))
        return rows.given(begin, rows.given(begin, centres).means())

    def _sample(self, n_components: int, seed: int) -> RowSource:
        """The rows on which starts are compared, as for an automatic start of one fit."""
        source, prior = self.survey.source, self.survey.priors.get(n_components)
        beginnings = Beginnings("mixed", n_components, self.survey.backend, prior)
        drawn = beginnings.drawn(source, np.random.default_rng(seed))
        return ArrayRows.copied(source, *drawn)

    @cached_property
    def _rows_of_trees(self) -> RowSource:
        """The rows that trees are grown of: all, or a sample where they are not in memory."""
        source = self.survey.source
        if source.in_memory:
            return source
        rng = np.random.default_rng(self.tree_seed)
        return ArrayRows.sample_of(source, ROWS_OF_TREES, rng)

    def _matched(self, begin: Begin, n_components: int, source: RowSource | None = None) -> Begin:
        """The clusters of trees and k-means by the numbers of the labels that some rows have."""
        source = self.survey.source if source is None else source
        prior = self.survey.priors.get(n_components)
        code = None if prior is None else source.extra("code")
        numbered = not isinstance(self.init, str | KMeansFit | HierarchicalTree)
        if prior is None or code is None or numbered or not isinstance(begin, np.ndarray):
            return begin
        return matched(begin, code, prior, source.weights())

    def _trees(self, n_components: int) -> list[HierarchicalTree]:
        """Trees of the rows that can be cut into so many clusters; grown once for all numbers."""
        found = [tree for tree in self._grown if len(tree.leaves) >= n_components]
        if not found:
            raise FitError(f"no tree has {n_components} leaves; there are too few distinct rows")
        return found

    @cached_property
    def _grown(self) -> list[HierarchicalTree]:
        rows = whole_rows(self._rows_of_trees, self.survey.backend)
        return [
            hierarchical(
                rows,
                transform=transform,
                rng=self.tree_seed,
                n_threads=self.survey.backend.n_threads,
            )
            for transform in UNITLESS_TRANSFORMS
        ]

    def _under(self, mixture: Parameters, shape: Shape = FULL) -> Statistics:
        """Statistics of the rows under a mixture of any family that a shape can hold."""
        backend = self.survey.backend
        written = self._with_shape(mixture, shape)
        seen, prior = written.seen(), self.survey.priors.get(len(written.weights))
        if prior is not None:
            seen = seen._replace(extras={"prior": prior})
        return RowsPass(self.survey.source, shape, backend).accumulate(seen)

    def _with_shape(self, mixture: Parameters, shape: Shape) -> Parameters:
        """Return the mixture with its covariances in a shape that can hold them."""
        weights, means, covariances, _, own = mixture
        if shape is DIAG:
            covariances = own.variances(covariances, *means.shape)
        elif shape is not own:
            covariances = shape.from_matrices(own.matrices(covariances, *means.shape))
        factors, _ = shape.factorise(covariances, self.survey.backend.algebra)
        return Parameters(weights, means, covariances, factors, shape)

    def _maximised(self, start: Any, name: str) -> Begin | None:
        """The start as parameters of one family, where it is statistics."""
        if not isinstance(start, Statistics):
            begin: Begin = start
            return begin
        family = FAMILIES[name]
        ridge = self.survey.absolute_ridge(self.settings.reg_covar)
        k = len(start.resp_sum)
        update = self.settings.estimate.update(self.survey, family, k, ridge)
        parameters, failed = update.update(start.coarsened(family.shape.name))
        return None if failed.any() else parameters

    def _written_as(self, name: str, mixture: GaussianMixture) -> Parameters:
        """The same mixture as one of a family that contains its own."""
        return self._with_shape(mixture._parameters(), FAMILIES[name].shape)

    def _clear_of_ties(self, cell: Cell, ends: Sequence[Any]) -> AnyFit:
        """The best fit; started again with a larger ridge where it is spurious."""
        ridge = self.survey.absolute_ridge(self.settings.reg_covar)
        fit = self._best(cell, ends, ridge)
        kept = [e for e in fit.events if (e.cause, e.action) == ("spurious", "kept")]
        if not kept or not isinstance(self.init, str) or not ridge.any():
            return fit
        try:
            larger = np.maximum(ridge, self.survey.rounding)
            again = self._best(cell, ends, larger)
        except FAILURES:
            return fit
        smoothed = (replace(event, action="smoothed") for event in kept)
        others = (event for event in again.events if event.cause != "ridge")  # it is said already
        return replace(again, events=(*smoothed, *others))

    def _best(
        self, cell: Cell, ends: Sequence[Any], ridge: Floats, fit: AnyFit | None = None
    ) -> AnyFit:
        """Fit from the best of all ends and moves, and from parents that are better still.

        An earlier fit is returned where nothing else is better on the sample.
        """
        name, k = cell.name, cell.n_components
        fitting = Fitting(self.survey, replace(self.settings, reg_covar=ridge), name, k)
        begins: list[Begin] = [] if fit is None else [fit.model._parameters()]
        begins += [begin for end in ends if (begin := self._maximised(end, name)) is not None]
        of_parents: list[Begin] = [self._written_as(name, one.model) for one in cell.parents]
        if not begins and not of_parents:
            raise FitError("its covariances are singular at every start")
        rng = np.random.default_rng(cell.seed)
        begin = fitting.climb(begins or of_parents, cell.sample, rng, moved=fit is not None)
        outcome: Outcome | None = None
        if fit is None or begin is not begins[0]:
            fitting, outcome = self._run(name, k, begin, reg_covar=ridge)
            height, suspects = outcome.history[-1], outcome.suspects
        else:
            height, suspects = fit.history[-1], fit._suspects
        for parent, own in zip(cell.parents, of_parents, strict=True):
            if suspects or parent.history[-1] > height:
                try:
                    _, other = self._run(name, k, own, reg_covar=ridge)
                except FAILURES:
                    continue
                outcome = other if outcome is None else max(outcome, other, key=rank)
        if outcome is None:
            assert fit is not None
            return fit
        found = self.report(fitting, outcome, cell.sample is not None)
        if found.stop_reason == "interrupted":
            raise KeyboardInterrupt
        return found


def reason(error: Exception) -> str:
    """Return why a model could not be fitted, as the table of models says it."""
    if isinstance(error, FitError):
        return str(error)
    return f"{str(error) or 'not enough memory'} ({type(error).__name__})"
