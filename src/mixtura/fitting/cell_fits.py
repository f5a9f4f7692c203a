"""The fit of one model of a selection, from where others have ended.

The most promising starts are run against each other, and moves are tried on the best: see
`mixtura.search`. A family that contains others starts at their ends where these are higher, so that
it never ends lower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.covariance import FAMILIES
from mixtura.data import RowSource
from mixtura.exceptions import FitError
from mixtura.fitting.cells import Cell, rank, rank_of_fit
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
from mixtura.statistics import Statistics

__all__ = ["FAILURES", "CellFits"]

# What may end the fit of one model, and leaves the others as they are.
FAILURES = (FitError, np.linalg.LinAlgError, MemoryError)


@dataclass(frozen=True)
class CellFits:
    """Fits one model at a time.

    Attributes
    ----------
    survey : Survey
        Of the rows.
    settings : Settings
        Of all fits, with an absolute ridge.
    report : callable
        From a fitting, its outcome and whether the start was automatic to the fit.
    """

    survey: Survey
    settings: Settings
    report: Callable[[Fitting, Outcome, bool], AnyFit] = report

    def searched(
        self, name: str, n_components: int, init: Any, rng: np.random.Generator, times: int = 1
    ) -> AnyFit:
        """Search for a model by itself, as `fit_gmm` does, with `times` as many starts."""
        n_init = times * self.settings.n_init
        return self.report(*self._run(name, n_components, init, rng, n_init=n_init), True)

    def first(self, cell: Cell, ends: Sequence[Any]) -> AnyFit:
        """Return the best fit; started again with a larger ridge where it is spurious."""
        ridge = self.survey.absolute_ridge(self.settings.reg_covar)
        fit = self._best(cell, ends, ridge)
        kept = [e for e in fit.events if (e.cause, e.action) == ("spurious", "kept")]
        if not kept or cell.sample is None or not ridge.any():
            return fit
        try:
            larger = np.maximum(ridge, self.survey.rounding)
            again = self._best(cell, ends, larger)
        except FAILURES:
            return fit
        smoothed = (replace(event, action="smoothed") for event in kept)
        others = (event for event in again.events if event.cause != "ridge")  # it is said already
        return replace(again, events=(*smoothed, *others))

    def improved(
        self, cell: Cell, fit: AnyFit, starts: Sequence[Any], *, insists: bool = False
    ) -> AnyFit:
        """Return the fit, or a better one from other starts or parents, or by moves."""
        higher = any(one.history[-1] > fit.history[-1] for one in cell.parents)
        if not starts and not higher and not insists:
            return fit
        ridge = self.survey.absolute_ridge(self.settings.reg_covar)
        try:
            other = self._best(cell, starts, ridge, fit, insists=insists)
        except FAILURES:
            return fit
        return max(fit, other, key=rank_of_fit)

    def resized(self, fit: AnyFit, cell: Cell) -> list[Statistics]:
        """Return starts for a cell from a fit of its family with one component more or fewer."""
        assert cell.sample is not None
        fitting = Fitting(self.survey, self.settings, cell.name, fit.n_components)
        mixture = fit.model._parameters()
        return fitting.resized(mixture, cell.n_components - fit.n_components, cell.sample)

    def under(
        self, mixture: Parameters, shape: Shape = FULL, source: RowSource | None = None
    ) -> Statistics:
        """Return statistics of rows under a mixture of any family that a shape can hold."""
        written = self._with_shape(mixture, shape)
        seen, prior = written.seen(), self.survey.priors.get(len(written.weights))
        if prior is not None:
            seen = seen._replace(extras={"prior": prior})
        rows = self.survey.source if source is None else source
        return RowsPass(rows, shape, self.survey.backend).accumulate(seen)

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

    def _best(
        self,
        cell: Cell,
        ends: Sequence[Any],
        ridge: Floats,
        fit: AnyFit | None = None,
        *,
        insists: bool = False,
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
        begin = fitting.climb(
            begins or of_parents, cell.sample, rng, moved=fit is not None, insists=insists
        )
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

    def _with_shape(self, mixture: Parameters, shape: Shape) -> Parameters:
        """Return the mixture with its covariances in a shape that can hold them."""
        weights, means, covariances, _, own = mixture
        if shape is DIAG:
            covariances = own.variances(covariances, *means.shape)
        elif shape is not own:
            covariances = shape.from_matrices(own.matrices(covariances, *means.shape))
        factors, _ = shape.factorise(covariances, self.survey.backend.algebra)
        return Parameters(weights, means, covariances, factors, shape)
