"""The stages of a fit: start, iterate, and start again where ties or the family ask for it.

A fit from an automatic start that ends on ties is started again with each row spread over its cell
of the data's grid. From labels or responsibilities, a family may have an alternative update that
leads to a higher maximum.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.covariance import FAMILIES, CovarianceFamily, family_named
from mixtura.data import RowSource
from mixtura.data.interleaved import interleaved
from mixtura.exceptions import FitError
from mixtura.fitting.checkpoint import Checkpoint
from mixtura.fitting.memory import check_memory
from mixtura.fitting.progress import FitProgress
from mixtura.fitting.settings import Settings
from mixtura.fitting.survey import Survey
from mixtura.mixture import GaussianMixture
from mixtura.mixture.reordering import heaviest_first
from mixtura.mixture.table import counted
from mixtura.parameters import Parameters
from mixtura.schedules import (
    EM,
    Judge,
    Memoised,
    Moves,
    Outcome,
    Plain,
    State,
)
from mixtura.schedules.changes import reordered
from mixtura.search import MaximumSearch, SearchReport, climb, with_one_fewer, with_one_more
from mixtura.shapes import Floats
from mixtura.starts import Beginnings, FromLabels, Means, Start, given_start
from mixtura.statistics import Statistics
from mixtura.updates import (
    Cause,
    Collapse,
    CollapseBesideFixed,
    Event,
    Fixed,
    Guard,
    Labelled,
    OnCollapse,
    Update,
    components_left,
    identical,
)

__all__ = ["Begin", "Fitting"]

Given = GaussianMixture | Parameters | Means | FromLabels | NDArray[Any]
Begin = Start | Given

ROUNDING = 1e-9  # nats per row: ends that differ by less are the same
LEAST_ROWS = 0.01  # average rows in a component; one with less has no rows of its own
LEAST_IN_BLOCK = 1000  # rows, of which a pass takes as long as an update
ROWS_PER_MEAN = 20  # in a block, for each component and feature, as in samples for starts
MOST_SORTS = 3  # of the components of one fit: later ones change places of equal weight
REPORTED = 16  # iterations of small data from one report to the next, if nobody asked for each
SEARCH_TOL = 1e-4  # nats per row; what a run of the search may leave to gain


class Fitting:
    """One fit: its passes, updates and schedule, and the stages that use them.

    Parameters
    ----------
    survey : Survey
        Of the rows.
    settings : Settings
    covariance_type : str
        The family, as the user named it.
    n_components : int
    progress : FitProgress, optional
        Reports runs of the search for a start, and iterations.
    callback : callable, optional
        Called with a `State` after each iteration; a true result stops the fit.
    checkpoint : Checkpoint, optional
        Saves the state of the iterations, and may hold one to continue from.

    Raises
    ------
    ValueError
        For a ridge that is too large.
    FitError
        For too few rows without a ridge.
    MemoryError
        For covariances that need more memory than the machine has.
    """

    def __init__(
        self,
        survey: Survey,
        settings: Settings,
        covariance_type: str,
        n_components: int,
        *,
        progress: FitProgress | None = None,
        callback: Callable[[State], object] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        family = family_named(covariance_type, survey.source.n_features)
        check_memory(family.shape, n_components, survey.source)
        self.survey: Survey = survey
        self.settings: Settings = settings
        self.family: CovarianceFamily = family
        self.covariance_type: str = covariance_type
        self.n_components: int = n_components
        self._progress, self._checkpoint = progress, checkpoint
        self._callback = None if callback is None else self._with_names(callback)
        is_told_each = callback is not None or (progress is not None and progress.verbose)
        self._every = 1 if is_told_each else REPORTED
        if progress is not None:
            self._callback = _both(progress, self._callback)
        self._rows = survey.rows(family.shape, settings.kind.step)
        self._ridge = survey.absolute_ridge(settings.reg_covar)
        self.prior: Floats | None = survey.priors.get(n_components)
        self._judge: Judge | None = None
        self._reorders = False  # whether the order of components is for the fit to choose
        self._update = self._update_with(family, self._ridge)
        self._check_enough_rows()
        self._check_blocks()
        self.search: SearchReport | None = None  # what the search for the start has found
        self._guard: Guard | None = None
        if settings.avoid_spurious and not settings.estimate.is_regular:
            least = family.least_rows_of_one(survey.source.n_features)
            guard = Guard(survey.rounding, survey.unit, survey.backend.algebra, least_rows=least)
            self._guard = guard.among(survey.source)

    def run(self, begin: Begin, rng: np.random.Generator) -> Outcome:
        """Go through the stages; the last events name components as they are in the end."""
        if self.settings.fixed is not None:
            self._fix(begin, self.settings.fixed)
        self._reorders = isinstance(begin, str) and self.prior is None
        outcome = self._automatic(begin, rng) if isinstance(begin, str) else self._given(begin)
        if self.settings.estimate.is_ordered and self._reorders:
            self._put_in_order(outcome)
        outcome.events += _spurious_events(outcome, "kept")
        if self.settings.estimate.is_regular:
            return outcome
        update = self.update_for(outcome)
        stuck = _stuck_events(outcome, update, self.survey.source.n_rows)
        told = {*outcome.spurious, *(event.component for event in stuck), *self._held(outcome)}
        few = (j for j in outcome.few if j not in told)
        outcome.events += [Event(len(outcome.history), j, "few", "kept") for j in few]
        outcome.events += stuck
        final: dict[Cause, list[int]] = {
            "ridge": update.blurred(outcome.parameters),
            "identical": identical(outcome.parameters),
        }
        for cause, components in final.items():
            outcome.events += [Event(len(outcome.history), j, cause, "kept") for j in components]
        return outcome

    # ---- stages ----

    def _automatic(self, method: Start, rng: np.random.Generator) -> Outcome:
        """From an automatic start, and again with a larger ridge where that ends on ties."""
        state = rng.bit_generator.state
        start = self._resumed() or self._best_start(method, self._update, self._ridge, rng)
        smoother = self._smoother()
        if smoother is None:
            return self._from_found(self._update, start)
        if any(event.action == "smoothed" for event in start.events):
            return self._from_found(smoother, start)
        outcome = self._from_found(self._update, start)
        if not outcome.spurious or outcome.stop_reason not in ("converged", "max_iter"):
            return outcome
        again = copy.deepcopy(rng)
        again.bit_generator.state = state
        try:
            start = self._best_start(method, smoother, self._larger_ridge(), again)
        except KeyboardInterrupt:  # the first fit is there
            return replace(outcome, stop_reason="interrupted")
        start.events = _spurious_events(outcome, "smoothed") + start.events
        return self._from_found(smoother, start)

    def _from_found(self, update: Update, start: Outcome) -> Outcome:
        """Iterate from what the search has found, which is not lost on Ctrl-C.

        Before the first iteration is done, the history is one of the rows that the search looked
        at, as after Ctrl-C during the search.
        """
        outcome = self._iterate(update, start)
        if outcome.stop_reason != "interrupted" or outcome.history:
            return outcome
        assert self.search is not None
        best = self.search.maxima[0].objective
        return replace(outcome, objective=best, history=[best], statistics=None)

    def _put_in_order(self, outcome: Outcome) -> None:
        """Put the heaviest component first and iterate on, where the objective is of an order.

        No other order has a higher objective, for the same responsibilities.
        """
        for _ in range(MOST_SORTS):
            order = _falling(outcome.parameters)
            used_up = len(outcome.history) >= self.settings.max_iter
            if order is None or outcome.stop_reason != "converged" or used_up:
                break
            assert outcome.statistics is not None
            outcome.parameters = outcome.parameters.select(order)
            outcome.statistics = reordered(outcome.statistics, order)
            outcome.state = self._em(self._update).schedule.disturbed(outcome.state)
            self._iterate(self._update, outcome)
        order = _falling(outcome.parameters)
        if order is None or outcome.stop_reason == "interrupted":
            return
        try:
            self._measure(outcome, outcome.parameters.select(order))
        except KeyboardInterrupt:
            outcome.stop_reason = "interrupted"

    def _measure(self, outcome: Outcome, parameters: Parameters) -> None:
        """Move to other parameters after the last iteration, unless their objective is lower."""
        update = self.update_for(outcome)
        seen, offset = update.as_seen(parameters)
        statistics = self._rows.accumulate(seen)
        mean, weight_sum = statistics.log_likelihood / statistics.weight_sum, statistics.weight_sum
        objective = mean + offset - update.penalty(parameters, weight_sum)
        if objective >= outcome.objective - ROUNDING:
            outcome.parameters, outcome.statistics = parameters, statistics
            outcome.objective = outcome.history[-1] = objective

    def _fix(self, begin: Begin, fixed: NDArray[np.bool_]) -> None:
        """Hold parameters at their values in the mixture that the fit starts from."""
        assert isinstance(begin, GaussianMixture | Parameters)
        start = begin._parameters() if isinstance(begin, GaussianMixture) else begin
        weights = np.where(fixed[0], start.weights, 1.0)
        if self._update.penalty(start._replace(weights=weights), 1.0) == math.inf:
            raise ValueError(
                f"fixed weights must be positive under a prior of the weights; component "
                f"{int(np.argmin(weights))} has 0. Free the weights, or use concentration=None."
            )
        self._update = Fixed(self._update, start, fixed, shared=self.family.is_shared)

    def _given(self, begin: Given) -> Outcome:
        """From the user's start, and by the family's alternative update where it has one."""
        outcome = self._iterate(self._update, self._resumed() or self._started(self._update, begin))
        alternative = self.family.alternative
        if alternative is None or isinstance(begin, GaussianMixture | Parameters):
            return outcome
        return self._better(outcome, self._update_with(alternative, self._ridge), begin)

    def _better(self, outcome: Outcome, alternative: Update, begin: Given) -> Outcome:
        """The outcome, or the one that an alternative update leads to where that is higher."""
        if outcome.stop_reason != "converged":
            return outcome
        try:
            other = self._em(alternative).run(
                self._started(alternative, begin), self.settings.max_iter
            )
            if other.stop_reason != "interrupted":
                other = self._em(self._update).run(
                    Outcome(other.parameters, events=other.events), self.settings.max_iter
                )
        except FitError:
            return outcome
        if other.stop_reason == "interrupted":
            return replace(outcome, stop_reason="interrupted")
        return other if other.objective > outcome.objective + ROUNDING else outcome

    def _resumed(self) -> Outcome | None:
        """Where the checkpoint continues, if it holds the state of a fit."""
        if self._checkpoint is None:
            return None
        schedule = self._em(self._update).schedule
        max_iter = self.settings.max_iter
        outcome = self._checkpoint.resume(self._rows, schedule, self.n_components, max_iter)
        self.search = self._checkpoint.search
        return outcome

    def _best_start(
        self, method: Start, update: Update, ridge: Floats, rng: np.random.Generator
    ) -> Outcome:
        """The best automatic start, and which components are lost at all of them."""
        k = self.n_components
        beginnings = Beginnings(method, k, self.survey.backend, self.prior)
        search = MaximumSearch(
            beginnings,
            1 if k == 1 else self.settings.n_init,
            partial(self._search_em, update),
            self._pair(ridge),
            self.survey.scale,
            None if self._progress is None else self._progress.report_run,
        )
        best, self.search = search.best(self.survey.source, rng)
        if self._checkpoint is not None:
            self._checkpoint.search = self.search
        lost = range(len(best.weights), k)
        if lost and self.settings.on_collapse == "raise":
            raise FitError(
                f"the fit cannot start: {len(lost)} of {counted(k, 'component')} had a singular "
                f"covariance or no weight at every start. Use reg_covar > 0, fewer components, or "
                f'on_collapse="drop".'
            )
        return Outcome(best, events=[Event(0, j, "singular", "dropped") for j in lost])

    def climb(
        self,
        begins: Sequence[Begin],
        sample: RowSource | None,
        rng: np.random.Generator,
        *,
        moved: bool,
        insists: bool = False,
    ) -> Parameters:
        """Return the best parameters that given starts and moves lead to.

        Parameters
        ----------
        begins : sequence of parameters, mixtures, means, labels or responsibilities
        sample : RowSource or None
            Rows on which starts are compared and moved; None compares them on all rows, and makes
            no moves.
        rng : Generator
        moved : bool
            Whether the first start has ended a climb. If nothing is better, it is returned as it
            is, and no moves are tried.
        insists : bool
            Whether more moves are tried in any case.

        Raises
        ------
        FitError
            When every start fails.
        """
        starts: list[Parameters] = []
        failure = FitError("a component was lost at every start")
        for begin in begins:
            assert not isinstance(begin, str)
            try:
                if isinstance(begin, Parameters):
                    start = begin
                else:
                    start = self._started(self._update, begin).parameters
            except FitError as error:
                failure = error
                continue
            if len(start.weights) == self.n_components:
                starts.append(start)
        if not starts:
            raise failure
        rows = self.survey.source if sample is None else sample
        best = climb(
            starts,
            self._search_em(self._update, rows),
            None if sample is None else self._pair(self._ridge),
            self.survey.scale,
            self.survey.backend.algebra,
            rng,
            moved=moved,
            insists=insists,
            is_end=moved and rows.n_rows == self.survey.source.n_rows,
        )
        if len(best.weights) < self.n_components:
            raise failure
        return best

    def resized(self, mixture: Parameters, step: int, sample: RowSource) -> list[Statistics]:
        """Return starts with one component more or fewer.

        Parameters
        ----------
        mixture : Parameters
            An end of this fit.
        step : int
            1 or -1.
        sample : RowSource
            Rows of which the statistics are.

        Returns
        -------
        list of Statistics
            None where the update does not take parts of rows, as where it tells components apart.
        """
        if self._pair(self._ridge) is None:
            return []
        em = self._search_em(self._update, sample)
        statistics = em.rows.accumulate(em.update.as_seen(mixture)[0])
        scale, by = self.survey.scale, self.survey.backend.algebra
        if step > 0:
            return with_one_more(statistics, scale, by)
        return with_one_fewer(Outcome(mixture, statistics=statistics), em, scale, by)

    def _pair(self, ridge: Floats) -> Update | None:
        """The update for two components, which ranks moves; None where there are no moves."""
        family, estimate = self.family, self.settings.estimate
        if self._judge is not None or estimate.tells_apart(family):
            return None
        # Ranks are as good by an update without iterations, which takes a fraction of the time.
        family = family if family.is_closed else FAMILIES[family.shape.name]
        return estimate.update(self.survey, family, 2, ridge)

    def _started(self, update: Update, begin: Given) -> Outcome:
        """The parameters that the user's start stands for."""
        return given_start(
            begin,
            self.n_components,
            self._rows,
            self.family,
            update,
            self._collapse(self.settings.on_collapse),
            self.survey.centre,
        )

    def _iterate(self, update: Update, start: Outcome) -> Outcome:
        """Iterate on all rows, with callback and checkpoint."""
        checkpoint = self._checkpoint
        every = 1 if checkpoint is not None else self._every
        return self._em(update).run(
            start,
            self.settings.max_iter,
            callback=self._callback,
            ahead=lambda done: every - done % every,
            follow=None if checkpoint is None else partial(checkpoint.follow, self._rows),
        )

    def _with_names(self, callback: Callable[[State], object]) -> Callable[[State], object]:
        """The user's callback, with what a state needs to make a mixture."""
        facts: dict[str, Any] = {
            "covariance_type": self.covariance_type,
            "feature_names": self.survey.source.feature_names,
            "missing": self.survey.source.missing,
        }
        return lambda state: callback(replace(state, **facts))

    # ---- rows x pass x update x schedule ----

    def _em(self, update: Update) -> EM | Memoised:
        """The algorithm on all rows."""
        settings, scale = self.settings, self.survey.scale
        if settings.kind.by_blocks:
            return self._by_blocks(update)
        rounding = self._rows.rounding
        schedule = settings.schedule(settings.tol, rounding, scale)
        if settings.moves and settings.tol > 0.0 and self._judge is not None:
            schedule = Moves(
                schedule, self._judge, settings.tol, rounding, scale, reorders=self._reorders
            )
        if settings.kind.around is not None:
            schedule = settings.kind.around(schedule)
        collapse = self._collapse(settings.on_collapse)
        return EM(self._rows, update, schedule, collapse, self._guard)

    def _by_blocks(self, update: Update) -> Memoised:
        """The algorithm that makes an update after each block."""
        settings, shape, source = self.settings, self.family.shape, self.survey.source
        least = max(LEAST_IN_BLOCK, ROWS_PER_MEAN * self.n_components * (source.n_features + 1))
        rows = self.survey.rows(shape, settings.kind.step, interleaved(source, least))
        schedule = Plain(settings.tol, rows.rounding)
        collapse = self._collapse(settings.on_collapse)
        return Memoised(rows, update, schedule, collapse, self.survey.backend.algebra, self._guard)

    def _search_em(self, update: Update, sample: RowSource) -> EM:
        """The algorithm of the runs of a search, on a sample of the rows."""
        settings, scale = self.settings, self.survey.scale
        rows = self.survey.rows(self.family.shape, settings.kind.step, sample)
        schedule = settings.schedule(SEARCH_TOL, rows.rounding, scale)
        guard = None if self._guard is None else self._guard.among(sample)
        return EM(rows, update, schedule, self._collapse("reseed"), guard)

    def _collapse(self, action: OnCollapse) -> Collapse:
        """What is done with components that fail."""
        kind = Collapse if self.settings.fixed is None else CollapseBesideFixed
        return kind(action, self.survey.scale, self.survey.backend.algebra)

    def _update_with(self, family: CovarianceFamily, ridge: Floats) -> Update:
        estimate, k = self.settings.estimate, self.n_components
        update = estimate.update(self.survey, family, k, ridge)
        self._judge = update if isinstance(update, Judge) else None
        return update if self.prior is None else Labelled(update, self.prior)

    def _held(self, outcome: Outcome) -> list[int]:
        """Components whose covariances are not estimated."""
        if self.settings.fixed is None:
            return []
        left = components_left(outcome.events, len(outcome.parameters.weights))
        return np.flatnonzero(self.settings.fixed[2][left]).tolist()

    def update_for(self, outcome: Outcome) -> Update:
        """The update for the components that are left."""
        left = components_left(outcome.events, len(outcome.parameters.weights))
        return self._update.select(left)

    def _smoother(self) -> Update | None:
        """The update for rows spread over their cells of the data's grid, if that differs."""
        if self._guard is None or not self._ridge.any():
            return None
        larger = self._larger_ridge()
        return self._update_with(self.family, larger) if (larger > self._ridge).any() else None

    def _larger_ridge(self) -> Floats:
        """The ridge of rows spread over their cells of the data's grid."""
        assert self._guard is not None
        return np.maximum(self._ridge, self._guard.rounding)

    def ridge_of(self, outcome: Outcome) -> Floats:
        """Return the ridge with which an outcome was found, in squared units of the features."""
        smoothed = any(event.action == "smoothed" for event in outcome.events)
        if not smoothed or self._guard is None:
            return self._ridge
        return self._larger_ridge()

    # ---- before and after ----

    def _check_blocks(self) -> None:
        """Refuse iterations by blocks of rows elsewhere, and checkpoints of what blocks keep."""
        if not self.settings.kind.by_blocks:
            return
        if self._checkpoint is not None:
            raise ValueError(
                'checkpoint must be None with em="memoised", whose iterations depend on the '
                'statistics of every block; got a path. Leave it out, or use em="soft".'
            )
        if self.survey.source.is_far:
            raise ValueError(
                'em="memoised" must have its blocks one after the other, in this process; got rows '
                'that other processes work on. Use em="soft".'
            )

    def _check_enough_rows(self) -> None:
        """Refuse what maximum likelihood cannot estimate from so few rows."""
        if self.settings.estimate.is_regular:
            return
        k, d = self.n_components, self.survey.source.n_features
        if self.settings.fixed is not None:  # the others alone surely need so many
            k -= int(np.count_nonzero(self.settings.fixed[1:].any(axis=0)))
        needed, n_rows = self.family.least_rows(k, d), self.survey.source.n_rows
        if k > 0 and not self._ridge.any() and n_rows < needed:
            raise FitError(
                f"covariance_type {self.covariance_type!r} cannot be estimated: "
                f"{counted(k, 'component')} of {counted(d, 'feature')} need at "
                f"least {needed} rows; got {n_rows}. Use reg_covar > 0, "
                f"fewer components or a covariance_type with fewer parameters."
            )


def _falling(parameters: Parameters) -> NDArray[np.intp] | None:
    """The order of falling weight; None where components are in it."""
    order = heaviest_first(parameters.weights, parameters.means)
    return None if (np.diff(parameters.weights) <= 0.0).all() else order


def _spurious_events(outcome: Outcome, action: Literal["smoothed", "kept"]) -> list[Event]:
    return [Event(len(outcome.history), j, "spurious", action) for j in outcome.spurious]


def _stuck_events(outcome: Outcome, update: Update, n_rows: int) -> list[Event]:
    """Components that are almost without rows in the end, or of which nothing could be estimated.

    Only fixed parameters keep what cannot be estimated, and a fixed weight may be small.
    """
    statistics, parameters = outcome.statistics, outcome.parameters
    empty = parameters.weights < LEAST_ROWS / n_rows
    singular = np.zeros_like(empty)
    if isinstance(update, Fixed) and statistics is not None:
        gone = update.held & (statistics.resp_sum <= 0.0)
        singular = update.stuck(statistics, parameters) & ~gone
        empty = (empty & ~update.fixed_weights) | gone
    return [
        Event(len(outcome.history), j, "singular" if singular[j] else "empty", "kept")
        for j in map(int, np.flatnonzero(empty | singular))
    ]


def _both(
    progress: FitProgress, callback: Callable[[State], object] | None
) -> Callable[[State], object]:
    """Progress first, then the user's callback, whose answer counts."""

    def report(state: State) -> object:
        progress(state)
        return callback is not None and callback(state)

    return report
