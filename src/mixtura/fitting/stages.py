"""The stages of a fit: start, iterate, and start again where ties or the family ask for it.

A fit from an automatic start that ends on ties is started again with each row spread over its cell
of the data's grid. From labels or responsibilities, a family may have an alternative update that
leads to a higher maximum.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.covariance import CovarianceFamily, family_named
from mixtura.data import RowSource
from mixtura.data.interleaved import interleaved
from mixtura.data.labels import RowLabels
from mixtura.exceptions import FitError
from mixtura.fitting.checkpoint import Checkpoint
from mixtura.fitting.estimates import MAXIMUM_LIKELIHOOD, Estimate
from mixtura.fitting.memory import check_memory
from mixtura.fitting.progress import FitProgress
from mixtura.fitting.result import GMMFit
from mixtura.fitting.survey import Survey
from mixtura.mixture import GaussianMixture
from mixtura.mixture.reordering import heaviest_first
from mixtura.mixture.separation import assignment_entropy
from mixtura.mixture.table import counted
from mixtura.parameters import Parameters
from mixtura.passes import RowsPass
from mixtura.schedules import (
    EM,
    Annealed,
    Judge,
    Memoised,
    Moves,
    Outcome,
    Plain,
    Schedule,
    Squarem,
    State,
)
from mixtura.schedules.changes import reordered
from mixtura.shapes import Floats
from mixtura.starts import AutomaticStart, FromLabels, Means, Start, given_start
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

__all__ = ["EM_KINDS", "Begin", "EMKind", "Fitting", "Settings"]

Given = GaussianMixture | Parameters | Means | FromLabels | NDArray[Any]
Begin = Start | Given
EMKind = Literal["soft", "hard", "annealed", "memoised"]

ROUNDING = 1e-9  # nats per unit of weight: ends that differ by less are the same
LEAST_ROWS = 0.01  # average rows in a component; one with less has no rows of its own
LEAST_IN_BLOCK = 1000  # rows, of which a pass takes as long as an update
ROWS_PER_MEAN = 20  # in a block, for each component and feature, as in samples for starts
MOST_SORTS = 3  # of the components of one fit: later ones change places of equal weight
BRIEF_TOL = 1e-4  # nats per unit of weight; what a brief run may leave to gain


class Kind(NamedTuple):
    """The pass and the schedule that a value of `em` stands for.

    Attributes
    ----------
    step : str
        The E-step.
    leaps : bool
        Whether iterations may be accelerated.
    around : callable or None
        From the schedule of ordinary iterations to one that begins in another way.
    by_blocks : bool
        Whether each block of the rows is followed by an update.
    """

    step: str
    leaps: bool = True
    around: Callable[[Schedule], Schedule] | None = None
    by_blocks: bool = False


EM_KINDS: dict[EMKind, Kind] = {
    "soft": Kind("soft"),
    "hard": Kind("hard", leaps=False),
    "annealed": Kind("soft", around=Annealed),
    "memoised": Kind("soft", leaps=False, by_blocks=True),
}


@dataclass(frozen=True, eq=False)
class Settings:
    """What decides the result of a fit, checked; many fits may share it."""

    n_init: int = 10
    reg_covar: float | Floats = 1e-6
    tol: float = 1e-6
    max_iter: int = 1000
    accelerate: bool = True
    em: EMKind = "soft"
    on_collapse: OnCollapse = "reseed"
    avoid_spurious: bool = True
    fixed: NDArray[np.bool_] | None = None
    estimate: Estimate = MAXIMUM_LIKELIHOOD
    is_ordered: bool = False  # whether the objective is of an order of components
    moves: bool = False  # whether components are merged and deleted where the update can judge that

    @property
    def kind(self) -> Kind:
        """What `em` stands for."""
        return EM_KINDS[self.em]

    def schedule(self, tol: float, rounding: float, scale: Floats) -> Schedule:
        """Return the schedule of ordinary iterations that may leave `tol` to gain."""
        if self.accelerate and tol > 0.0 and self.kind.leaps:
            return Squarem(tol, rounding, scale)
        return Plain(tol, rounding)


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
        Reports brief runs and iterations.
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
        self._survey, self._settings, self._family = survey, settings, family
        self._covariance_type, self._n_components = covariance_type, n_components
        self._progress, self._checkpoint = progress, checkpoint
        self._missing = survey.source.missing
        self._callback = None if callback is None else self._with_names(callback)
        if progress is not None:
            self._callback = _both(progress, self._callback)
        self._rows = survey.rows(family.shape, settings.kind.step)
        self._ridge = survey.absolute_ridge(settings.reg_covar)
        self._prior = survey.priors.get(n_components)
        self._judge: Judge | None = None
        self._reorders = False  # whether the order of components is for the fit to choose
        self._update = self._update_with(family, self._ridge)
        self._check_enough_rows()
        self._check_blocks()
        self._guard: Guard | None = None
        if settings.avoid_spurious and not settings.estimate.has_prior:
            self._guard = Guard(survey.rounding, survey.unit, survey.backend.algebra)

    def run(self, begin: Begin, rng: np.random.Generator) -> Outcome:
        """Go through the stages; the last events name components as they are in the end."""
        if self._settings.fixed is not None:
            self._fix(begin, self._settings.fixed)
        self._reorders = isinstance(begin, str) and self._prior is None
        outcome = self._automatic(begin, rng) if isinstance(begin, str) else self._given(begin)
        if self._settings.is_ordered and self._reorders:
            self._put_in_order(outcome)
        if self._settings.is_ordered and self._reorders:
            self._put_in_order(outcome)
        outcome.events += _spurious_events(outcome, "kept")
        if self._settings.estimate.has_prior:
            return outcome
        update = self._update_for(outcome)
        outcome.events += _stuck_events(outcome, update, self._survey.source.n_rows)
        final: dict[Cause, list[int]] = {
            "ridge": update.blurred(outcome.parameters),
            "identical": identical(outcome.parameters),
        }
        for cause, components in final.items():
            outcome.events += [Event(len(outcome.history), j, cause, "kept") for j in components]
        return outcome

    def report(self, outcome: Outcome, automatic: bool) -> GMMFit:
        """Return the fit as users get it; its log-likelihood may need one more pass.

        Parameters
        ----------
        outcome : Outcome
        automatic : bool
            Whether the start was: then the order of the components has no meaning, unless labels
            give it one, and the heaviest comes first. Events of components that were kept name them
            by their new positions.
        """
        log_likelihood, entropy = self._measured(outcome)
        source = self._survey.source
        order, events = self.in_order(outcome, automatic)
        model = GaussianMixture._of(
            self._covariance_type, outcome.parameters, source.feature_names, self._missing
        )
        return GMMFit(
            model if order is None else model.reordered(order),
            log_likelihood,
            np.asarray(outcome.history),
            len(outcome.history),
            outcome.stop_reason == "converged",
            outcome.stop_reason,
            tuple(events),
            source.n_rows,
            source.weight_sum,
            entropy,
            self._n_labelled(),
            source.form == "noisy",
            self._survey.n_missing,
            0.0 - self._update_for(outcome).penalty(outcome.parameters, 1.0),
        )

    def in_order(
        self, outcome: Outcome, automatic: bool
    ) -> tuple[NDArray[np.intp] | None, list[Event]]:
        """Return the order in which components are reported, None for theirs; and the events."""
        parameters, events = outcome.parameters, outcome.events
        numbered = self._prior is not None or self._settings.estimate.tells_apart(self._family)
        if not automatic or numbered:
            return None, events
        order = heaviest_first(parameters.weights, parameters.means)
        position = np.argsort(order)
        return order, [
            replace(event, component=int(position[event.component]))
            if event.action == "kept"
            else event
            for event in events
        ]

    # ---- stages ----

    def _automatic(self, method: Start, rng: np.random.Generator) -> Outcome:
        """From an automatic start, and again with a larger ridge where that ends on ties."""
        rng_of_restart = copy.deepcopy(rng)
        begun = self._resumed() or self._best_start(method, self._update, rng)
        smoother = self._smoother()
        if smoother is None:
            return self._iterate(self._update, begun)
        if any(event.action == "smoothed" for event in begun.events):
            return self._iterate(smoother, begun)
        outcome = self._iterate(self._update, begun)
        if not outcome.spurious or outcome.stop_reason not in ("converged", "max_iter"):
            return outcome
        start = self._best_start(method, smoother, rng_of_restart)
        start.events = _spurious_events(outcome, "smoothed") + start.events
        return self._iterate(smoother, start)

    def _put_in_order(self, outcome: Outcome) -> None:
        """Put the heaviest component first and iterate on, where the objective is of an order.

        No other order has a higher objective, for the same responsibilities.
        """
        for _ in range(MOST_SORTS):
            order = _falling(outcome.parameters)
            used_up = len(outcome.history) >= self._settings.max_iter
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
        update = self._update_for(outcome)
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
        self._update = Fixed(self._update, start, fixed, shared=self._family.is_shared)

    def _given(self, begin: Given) -> Outcome:
        """From the user's start, and by the family's alternative update where it has one."""
        outcome = self._iterate(self._update, self._resumed() or self._started(self._update, begin))
        alternative = self._family.alternative
        if alternative is None or isinstance(begin, GaussianMixture | Parameters):
            return outcome
        return self._better(outcome, self._update_with(alternative, self._ridge), begin)

    def _better(self, outcome: Outcome, alternative: Update, begin: Given) -> Outcome:
        """The outcome, or the one that an alternative update leads to where that is higher."""
        if outcome.stop_reason != "converged":
            return outcome
        try:
            other = self._em(alternative).run(
                self._started(alternative, begin), self._settings.max_iter
            )
            if other.stop_reason != "interrupted":
                other = self._em(self._update).run(
                    Outcome(other.parameters, events=other.events), self._settings.max_iter
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
        max_iter = self._settings.max_iter
        return self._checkpoint.resume(self._rows, schedule, self._n_components, max_iter)

    def _best_start(self, method: Start, update: Update, rng: np.random.Generator) -> Outcome:
        """The best automatic start, and which components are lost at all of them."""
        start = AutomaticStart(
            method,
            self._settings.n_init,
            self._n_components,
            partial(self._brief_em, update),
            self._survey.backend,
            None if self._progress is None else self._progress.report_run,
            self._prior,
        )
        best, k = start.best(self._survey.source, rng), self._n_components
        lost = range(len(best.weights), k)
        if lost and self._settings.on_collapse == "raise":
            raise FitError(
                f"the fit cannot start: {len(lost)} of {counted(k, 'component')} had a singular "
                f"covariance or no weight at every start. Use reg_covar > 0, fewer components, or "
                f'on_collapse="drop".'
            )
        return Outcome(best, events=[Event(0, j, "singular", "dropped") for j in lost])

    def _started(self, update: Update, begin: Given) -> Outcome:
        """The parameters that the user's start stands for."""
        return given_start(
            begin,
            self._n_components,
            self._rows,
            self._family,
            update,
            self._collapse(self._settings.on_collapse),
            self._survey.centre,
        )

    def _iterate(self, update: Update, begun: Outcome) -> Outcome:
        """Iterate on all rows, with callback and checkpoint."""
        checkpoint = self._checkpoint
        return self._em(update).run(
            begun,
            self._settings.max_iter,
            callback=self._callback,
            follow=None if checkpoint is None else partial(checkpoint.follow, self._rows),
        )

    def _with_names(self, callback: Callable[[State], object]) -> Callable[[State], object]:
        """The user's callback, with what a state needs to make a mixture."""
        facts: dict[str, Any] = {
            "covariance_type": self._covariance_type,
            "feature_names": self._survey.source.feature_names,
            "missing": self._missing,
        }
        return lambda state: callback(replace(state, **facts))

    # ---- rows x pass x update x schedule ----

    def _em(self, update: Update) -> EM | Memoised:
        """The algorithm on all rows."""
        settings, scale = self._settings, self._survey.scale
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
        settings, shape, source = self._settings, self._family.shape, self._survey.source
        least = max(LEAST_IN_BLOCK, ROWS_PER_MEAN * self._n_components * (source.n_features + 1))
        rows = self._survey.rows(shape, settings.kind.step, interleaved(source, least))
        schedule = Plain(settings.tol, rows.rounding)
        collapse = self._collapse(settings.on_collapse)
        return Memoised(rows, update, schedule, collapse, self._survey.backend.algebra, self._guard)

    def _brief_em(self, update: Update, sample: RowSource) -> EM:
        """The algorithm of brief runs on a sample of the rows."""
        settings, scale = self._settings, self._survey.scale
        rows = self._survey.rows(self._family.shape, settings.kind.step, sample)
        schedule = settings.schedule(BRIEF_TOL, rows.rounding, scale)
        return EM(rows, update, schedule, self._collapse("reseed"), self._guard)

    def _collapse(self, action: OnCollapse) -> Collapse:
        """What is done with components that fail."""
        kind = Collapse if self._settings.fixed is None else CollapseBesideFixed
        return kind(action, self._survey.scale, self._survey.backend.algebra)

    def _update_with(self, family: CovarianceFamily, ridge: Floats) -> Update:
        estimate, k = self._settings.estimate, self._n_components
        update = estimate.update(self._survey, family, k, ridge)
        self._judge = update if isinstance(update, Judge) else None
        return update if self._prior is None else Labelled(update, self._prior)

    def _update_for(self, outcome: Outcome) -> Update:
        """The update for the components that are left."""
        left = components_left(outcome.events, len(outcome.parameters.weights))
        return self._update.select(left)

    def _smoother(self) -> Update | None:
        """The update for rows spread over their cells of the data's grid, if that differs."""
        if self._guard is None or not self._ridge.any():
            return None
        larger = np.maximum(self._ridge, self._guard.rounding)
        return self._update_with(self._family, larger) if (larger > self._ridge).any() else None

    def ridge_of(self, outcome: Outcome) -> Floats:
        """Return the ridge with which an outcome was found, in squared units of the features."""
        smoothed = any(event.action == "smoothed" for event in outcome.events)
        if not smoothed or self._guard is None:
            return self._ridge
        return np.maximum(self._ridge, self._guard.rounding)

    # ---- before and after ----

    def _check_blocks(self) -> None:
        """Refuse iterations by blocks of rows elsewhere, and checkpoints of what blocks keep."""
        if not self._settings.kind.by_blocks:
            return
        if self._checkpoint is not None:
            raise ValueError(
                'checkpoint must be None with em="memoised", whose iterations depend on the '
                'statistics of every block; got a path. Leave it out, or use em="soft".'
            )
        if self._survey.source.is_far:
            raise ValueError(
                'em="memoised" must have its blocks one after the other, in this process; got rows '
                'that other processes work on. Use em="soft".'
            )

    def _check_enough_rows(self) -> None:
        """Refuse what maximum likelihood cannot estimate from so few rows."""
        if self._settings.estimate.has_prior:
            return
        k, d = self._n_components, self._survey.source.n_features
        if self._settings.fixed is not None:  # the others alone surely need so many
            k -= int(np.count_nonzero(self._settings.fixed[1:].any(axis=0)))
        needed, n_rows = self._family.least_rows(k, d), self._survey.source.n_rows
        if k > 0 and not self._ridge.any() and n_rows < needed:
            raise FitError(
                f"covariance_type {self._covariance_type!r} cannot be estimated: "
                f"{counted(k, 'component')} of {counted(d, 'feature')} need at "
                f"least {needed} rows; got {n_rows}. Use reg_covar > 0, "
                f"fewer components or a covariance_type with fewer parameters."
            )

    def _measured(self, outcome: Outcome) -> tuple[float, float]:
        """Log-likelihood and entropy; NaN what an interrupted fit would need one more pass for."""
        parameters, statistics = outcome.parameters, outcome.statistics
        log_likelihood = math.nan
        if statistics is not None and self._has_seen_the_mixture(outcome):
            log_likelihood = statistics.log_likelihood
        elif outcome.stop_reason != "interrupted":
            try:
                rows = self._survey.rows(parameters.shape, "soft")
                seen = self._update_for(outcome).as_plain(parameters)
                statistics = rows.accumulate(seen)
                log_likelihood = statistics.log_likelihood
            except KeyboardInterrupt:
                outcome.stop_reason = "interrupted"
        if statistics is None or outcome.stop_reason == "interrupted":
            return log_likelihood, math.nan
        algebra = self._survey.backend.algebra
        known = self._expected_log_prior(outcome)
        return log_likelihood, assignment_entropy(statistics, parameters, algebra, known)

    def _n_labelled(self) -> int:
        """Rows of positive weight of which something is known."""
        code = None if self._prior is None else self._survey.source.extra("code")
        if self._prior is None or code is None:
            return 0
        return RowLabels(code, self._prior).known_rows(self._survey.source)

    def _expected_log_prior(self, outcome: Outcome) -> float:
        """Weighted sum of ``resp log plausibility``: 0 where components are allowed or forbidden.

        Else it takes a pass, and as much memory as the plausibilities.
        """
        source, parameters = self._survey.source, outcome.parameters
        seen = self._update_for(outcome).as_plain(parameters)
        prior = seen.extras.get("prior")
        code = None if prior is None else source.extra("code")  # which reads all rows
        if prior is None or code is None or not prior[np.isfinite(prior)].any():
            return 0.0
        weights = source.weights()
        alike = source.reweighted(np.ones(source.n_samples))
        resp = np.empty((source.n_samples, len(parameters.weights)))
        RowsPass(alike, parameters.shape, self._survey.backend).evaluate(seen, resp=resp)
        prior = prior[code]
        row_sums = np.multiply(resp, prior, where=resp > 0.0, out=resp).sum(axis=1)
        return float(row_sums.sum() if weights is None else weights @ row_sums)

    def _has_seen_the_mixture(self, outcome: Outcome) -> bool:
        """Whether the last pass was an ordinary E-step under the mixture itself."""
        update, own = self._update_for(outcome), outcome.parameters.seen()
        seen = update.as_seen(outcome.parameters)[0]
        return (
            self._settings.kind.step == "soft"
            and outcome.inverse_temperature == 1.0
            and seen.precisions_cholesky is own.precisions_cholesky
            and np.array_equal(seen.log_weights, own.log_weights)
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
