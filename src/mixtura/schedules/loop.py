"""The loop: pass, update, recover what collapsed, ask the schedule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import MStep
from mixtura.cached import cached_property
from mixtura.data.frames import Names
from mixtura.data.missing import Missing
from mixtura.mixture import GaussianMixture
from mixtura.parameters import Parameters
from mixtura.passes import Pass
from mixtura.schedules.plain import PlainState
from mixtura.schedules.protocol import Look, Point, Rule, Schedule, Steps, Stop, Watch
from mixtura.statistics import Statistics
from mixtura.text import short_html, short_repr
from mixtura.updates import Collapse, Event, Guard, Update, components_left

__all__ = ["EM", "Outcome", "State", "StopReason", "calls_to_stop", "stops"]

StopReason = Literal["converged", "max_iter", "callback", "interrupted"]


def _one_by_one(_: int) -> int:
    return 1


@dataclass(frozen=True, eq=False)
class State:
    """What a callback receives after each iteration.

    Attributes
    ----------
    iteration : int
        Iterations done.
    objective : float, nats per row
        The value for `parameters` that `GMMFit.history` holds.
    predicted_gain : float, nats per row
        What the stopping rule expects to be left to gain; inf where that is unknown.
    parameters : Parameters
        Weights, means, covariances and precision factors, read-only. They do not change later.
    covariance_type : str
        The family, as the user named it.
    feature_names : tuple of str or None
        Names of the columns, where the rows were a frame's.
    missing : {"raise", "em"}
        What the fit takes NaN for.
    gain : float, nats per row
        Of the last iteration; inf for the first.

    Examples
    --------
    >>> import mixtura
    >>> def report(state):
    ...     print(state.iteration, round(state.objective, 6))
    >>> X = mixtura.datasets.load_faithful().data
    >>> start = [[2, 50], [4, 80]]
    >>> fit = mixtura.fit_gmm(X, 2, init=start, max_iter=2, tol=0, callback=report)
    1 -4.155415
    2 -4.155393
    """

    iteration: int
    objective: float
    predicted_gain: float
    parameters: Parameters
    covariance_type: str = ""
    feature_names: Names | None = None
    missing: Missing = "raise"
    gain: float = np.inf

    @cached_property
    def model(self) -> GaussianMixture:
        """The parameters as a mixture, for pictures and predictions: a copy, made when asked for.

        Returns
        -------
        GaussianMixture
            Costs O(k d^2), once.
        """
        name = self.covariance_type or self.parameters.shape.name
        return GaussianMixture._of(name, self.parameters, self.feature_names, self.missing)

    __repr__ = short_repr
    _repr_html_ = short_html


@dataclass(eq=False)
class Outcome:
    """Where the loop ended, or stands.

    Attributes
    ----------
    parameters : Parameters
    objective : float, nats per row
        Of `parameters`: the last of `history`, or a better one from before a recovery that led
        lower.
    history : list of float
        The objective after each iteration.
    stop_reason : {"converged", "max_iter", "callback", "interrupted"}
    events : list of Event
    spurious : list of int
        The spurious components of `parameters`.
    few : list of int
        Those that have few rows.
    statistics : Statistics or None
        Of the rows under `parameters`.
    inverse_temperature : float
        Of the pass that returned them.
    state : object
        Of the schedule; None before the first pass.
    before : Point or None
        The best point at which empty components were found, with as many components as now.
    stop : Stop or None
        What a watch said in the end.
    """

    parameters: Parameters
    objective: float = -np.inf
    history: list[float] = field(default_factory=list)
    stop_reason: StopReason = "max_iter"
    events: list[Event] = field(default_factory=list)
    spurious: list[int] = field(default_factory=list)
    few: list[int] = field(default_factory=list)
    statistics: Statistics | None = None
    inverse_temperature: float = 1.0
    state: Any = None
    before: Point | None = None
    stop: Stop | None = None

    @property
    def suspects(self) -> list[int]:
        """Components that are spurious or have few rows; outcomes with fewer are better."""
        return sorted({*self.spurious, *self.few})


@dataclass(frozen=True, eq=False)
class EM:
    """One EM algorithm on one set of rows: a product of pass, update and schedule.

    Attributes
    ----------
    rows : Pass
        Turns parameters into statistics.
    update : Update
        Turns statistics into parameters.
    schedule : Schedule
        Decides after each iteration.
    collapse : Collapse
        What is done with components that fail.
    guard : Guard or None
        Looks for spurious components in the end.
    """

    rows: Pass
    update: Update
    schedule: Schedule
    collapse: Collapse
    guard: Guard | None = None

    def run(
        self,
        start: Parameters | Outcome,
        max_iter: int,
        *,
        callback: Callable[[State], object] | None = None,
        follow: Callable[[Outcome], object] | None = None,
        ahead: Callable[[int], int] = _one_by_one,
        watch: Watch | None = None,
        judges: bool = True,
    ) -> Outcome:
        """Iterate from `start`.

        Parameters
        ----------
        start : Parameters or Outcome
            The first pass is made under exactly these parameters. An outcome is continued as if the
            loop had never stopped.
        max_iter : int
            Largest number of iterations.
        callback : callable, optional
            Called with a `State` after each iteration, or after those that were made in one call;
            a true result stops the fit.
        follow : callable, optional
            Called with the outcome so far after each iteration that is not the last.
        ahead : callable
            From the iterations done to the most that are made in one call before callback or follow
            are called again.
        watch : Watch, optional
            Stops a run from which nothing is to be had; then stop_reason is "callback", too.
        judges : bool
            Whether the guard looks at the outcome.

        Returns
        -------
        Outcome
            After KeyboardInterrupt, that of the last finished iteration, with stop_reason
            "interrupted".

        Raises
        ------
        FitError
            When a component collapses and may not be replaced or dropped, or none is left.

        Notes
        -----
        n_iter + 1 passes, and one for each extrapolation of the schedule. The start's own objective
        is not part of the history: an update's ridge or prior is not yet in its parameters.
        """
        outcome = start if isinstance(start, Outcome) else Outcome(start)
        outcome.stop_reason = "max_iter"
        left = components_left(outcome.events, len(outcome.parameters.weights))
        update = self.update.select(left)
        try:
            if outcome.statistics is None:
                first = self._start_point(update, outcome.parameters)
                outcome.statistics, outcome.state = first.statistics, self.schedule.begin(first)
            while len(outcome.history) < max_iter:
                done = len(outcome.history)
                most = max_iter - done
                if callback is not None or follow is not None:
                    most = min(most, ahead(done))
                steps = self._several(update, outcome, most, watch)
                if steps is None:
                    update, steps = self._one(update, outcome)
                    steps = steps._replace(stop=_stop(watch, outcome, steps))
                _move(outcome, steps.point)
                outcome.state, outcome.stop = steps.state, steps.stop
                outcome.history += steps.objectives
                calls = callback is not None and calls_to_stop(callback, outcome)
                if calls or steps.stop is not None:
                    outcome.stop_reason = "callback"
                    break
                if steps.finished:
                    outcome.stop_reason = "converged"
                    break
                if follow is not None and len(outcome.history) < max_iter:
                    follow(outcome)
        except KeyboardInterrupt:
            outcome.stop_reason = "interrupted"
        _keep_best(outcome)
        if judges:
            self.judge(outcome)
        return outcome

    def judge(self, outcome: Outcome) -> None:
        """Look for components to avoid."""
        if self.guard is not None:
            outcome.spurious = self.guard.spurious(outcome.parameters)
            outcome.few = self.guard.few(outcome.parameters)

    def objective(self, outcome: Outcome) -> float:
        """Return what EM makes higher, at the parameters of an outcome: one pass."""
        parameters = outcome.parameters
        left = components_left(outcome.events, len(parameters.weights))
        return self._point(self.update.select(left), parameters, 1.0).objective

    def _several(
        self, update: Update, outcome: Outcome, most: int, watch: Watch | None
    ) -> Steps | None:
        """Make several iterations in one call of the engine; None where it cannot."""
        step, state = update.m_step, outcome.state
        if step is None or state.inverse_temperature != 1.0:
            return None
        done, last = len(outcome.history), outcome.objective

        def follow(rule: Rule, inner: Any, n: int) -> Steps | None:
            if watch is not None:
                rule = rule._replace(watch=watch, iteration=done, objective=last)
            return self._follow(step, outcome, rule, inner, n)

        return self.schedule.several(state, most, follow, partial(self._look_from, update))

    def _follow(
        self, step: MStep, at: Outcome | Point, rule: Rule, state: Any, most: int
    ) -> Steps | None:
        assert at.statistics is not None
        course = self.rows.follow(step, rule, state, at.statistics, at.parameters.covariances, most)
        if course is None:
            return None
        state, parameters, statistics, objectives, finished, stopped = course
        stop = None if stopped < -1 else Stop(None if stopped < 0 else stopped)
        point = Point(parameters, statistics, objectives[-1])
        return Steps(state, point, objectives, finished, stop)

    def _one(self, update: Update, outcome: Outcome) -> tuple[Update, Steps]:
        """Make one iteration, and recover what collapses; also return the update after that."""
        state, statistics = outcome.state, outcome.statistics
        assert statistics is not None
        parameters, failed = update.update(statistics, outcome.parameters)
        if np.count_nonzero(failed):  # faster than `any`
            _note_empty(outcome, failed)
            parameters, kept = self.collapse.recover(
                update, statistics, parameters, failed, len(outcome.history) + 1, outcome.events
            )
            update, state = update.select(kept), self.schedule.disturbed(state)
        point = self._point(update, parameters, state.inverse_temperature)
        state, point, finished = self.schedule.step(state, point, self._look_from(update, point))
        return update, Steps(state, point, [point.objective], finished)

    def _look_from(self, update: Update, at: Point) -> Look:
        return partial(self._look, update, at)

    def _look(self, update: Update, at: Point, statistics: Statistics) -> Point | None:
        """Make an update and a pass, at the same temperature, from a schedule's own statistics."""
        temperature = at.inverse_temperature
        if update.m_step is not None and temperature == 1.0:
            begin = at._replace(statistics=statistics)
            made = self._follow(update.m_step, begin, Rule(0.0, 0.0), PlainState(), 1)
            if made is not None:
                return made.point
        parameters, failed = update.update(statistics, at.parameters)
        return None if failed.any() else self._point(update, parameters, temperature)

    def _start_point(self, update: Update, parameters: Parameters) -> Point:
        """Make the first pass, under the parameters alone."""
        statistics = self.rows.accumulate(update.as_plain(parameters))
        return Point(parameters, statistics, statistics.log_likelihood / statistics.weight_sum)

    def _point(self, update: Update, parameters: Parameters, inverse_temperature: float) -> Point:
        """Make a pass under what the update wants to be seen, at some temperature."""
        seen, offset = update.as_seen(parameters)
        if inverse_temperature != 1.0:
            seen, surplus = seen.tempered(inverse_temperature)
            statistics = self.rows.accumulate(seen)
            mean = statistics.log_likelihood / statistics.weight_sum
            mean = (mean + surplus) / inverse_temperature
        else:
            statistics = self.rows.accumulate(seen)
            mean = statistics.log_likelihood / statistics.weight_sum
        penalty = update.penalty(parameters, statistics.weight_sum)
        return Point(parameters, statistics, mean + offset - penalty, inverse_temperature)


def _stop(watch: Watch | None, before: Outcome, steps: Steps) -> Stop | None:
    """What a watch says after one more iteration."""
    if watch is None:
        return None
    objective = steps.point.objective
    gain = objective - before.history[-1] if before.history else math.inf
    return watch.look(len(before.history) + 1, objective, gain, steps.point.parameters)


def calls_to_stop(callback: Callable[[State], object], outcome: Outcome) -> bool:
    """Whether the callback stops the iterations, after it was shown where they stand."""
    history, gain = outcome.history, float(outcome.state.predicted_gain)
    last = history[-1] - history[-2] if len(history) > 1 else np.inf
    state = State(len(history), outcome.objective, gain, outcome.parameters.read_only(), gain=last)
    return stops(callback(state))


def stops(answer: object) -> bool:
    """Whether what a callback has returned stops the iterations."""
    try:
        return bool(answer)
    except ValueError as error:  # an array of several
        raise TypeError(
            f"callback must return True to stop the fit, or False or None; got "
            f"{type(answer).__name__}, which is neither true nor false. Return one of these."
        ) from error


def _move(outcome: Outcome, point: Point) -> None:
    outcome.parameters, outcome.statistics = point.parameters, point.statistics
    outcome.objective, outcome.inverse_temperature = point.objective, point.inverse_temperature


def _note_empty(outcome: Outcome, failed: NDArray[np.bool_]) -> None:
    """Remember where the fit is if all components that failed are without weight.

    Parameters on the way to a singular covariance are not remembered: their objective is high
    because it was about to grow without bound. Nor are those of another temperature than one, whose
    objective cannot be compared with later ones.
    """
    statistics, before = outcome.statistics, outcome.before
    assert statistics is not None
    here = Point(outcome.parameters, statistics, outcome.objective)
    if outcome.inverse_temperature != 1.0 or not (statistics.resp_sum[failed] == 0.0).all():
        return
    if not _is_better(before, here):
        outcome.before = here


def _keep_best(outcome: Outcome) -> None:
    """Return to the parameters of before a recovery where these are better and as many."""
    if outcome.before is not None and outcome.statistics is not None:
        here = Point(outcome.parameters, outcome.statistics, outcome.objective)
        if _is_better(outcome.before, here):
            _move(outcome, outcome.before)


def _is_better(one: Point | None, other: Point) -> bool:
    """Whether a point has as many components as another and a higher objective."""
    if one is None or len(one.parameters.weights) != len(other.parameters.weights):
        return False
    return one.objective > other.objective
