"""The loop: pass, update, pass, until little is left to gain; it knows no family by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.accelerate import Leaps, Squarem
from mixtura.exceptions import FitError
from mixtura.passes import Pass
from mixtura.spurious import Guard
from mixtura.statistics import Floats, Statistics
from mixtura.stopping import StoppingRule
from mixtura.update import MaximumLikelihood, Parameters

__all__ = [
    "Event",
    "Outcome",
    "State",
    "expectation_maximisation",
    "recover",
]

OnCollapse = Literal["reseed", "drop", "raise"]
StopReason = Literal["converged", "max_iter", "callback", "interrupted"]

MOST_RESEEDS = 10  # of one component in one fit; then it is dropped


@dataclass(frozen=True)
class Event:
    """Something that happened to a component during a fit.

    Attributes
    ----------
    iteration : int
        Counted from 1; 0 is the start.
    component : int
        Its position at that time.
    cause : {"empty", "singular", "spurious"}
        No weight left; a covariance that is not positive definite; or one so narrow that it sits
        on ties or on a handful of rows (see `mixtura.spurious`).
    action : {"reseeded", "dropped", "smoothed", "kept"}
        What was done. "smoothed": the fit was begun again with each row spread over its cell of
        the grid to which the data are rounded. "kept": nothing.
    """

    iteration: int
    component: int
    cause: Literal["empty", "singular", "spurious"]
    action: Literal["reseeded", "dropped", "smoothed", "kept"]

    def __str__(self) -> str:
        return f"iteration {self.iteration}: component {self.component} {self.cause}, {self.action}"


@dataclass(frozen=True, eq=False)
class State:
    """What a callback receives after each iteration.

    Attributes
    ----------
    iteration : int
        Iterations done.
    objective : float, nats per unit of weight
        Of `parameters`.
    predicted_gain : float, nats per unit of weight
        What is left to gain by Aitken's extrapolation; inf while nothing can be said.
    parameters : Parameters
        Weights, means, covariances and precision factors, read-only.
    """

    iteration: int
    objective: float
    predicted_gain: float
    parameters: Parameters


@dataclass
class Outcome:
    """Where the loop ended; `history` is the objective after each iteration.

    `objective` is that of `parameters`: the last of `history`, or a better one from before a
    recovery that led lower. `spurious` lists the components of `parameters` that the guard names,
    and `before` has what there was where empty components were found.
    """

    parameters: Parameters
    objective: float = -np.inf
    history: list[float] = field(default_factory=list)
    stop_reason: StopReason = "max_iter"
    events: list[Event] = field(default_factory=list)
    spurious: list[int] = field(default_factory=list)
    statistics: Statistics | None = None  # of the rows under `parameters`
    leaps: Leaps = field(default_factory=Leaps)
    before: list[tuple[float, Parameters, Statistics]] = field(default_factory=list)


def expectation_maximisation(
    rows: Pass,
    rule: MaximumLikelihood,
    start: Parameters | Outcome,
    *,
    tol: float,
    max_iter: int,
    on_collapse: OnCollapse,
    scale: Floats,
    callback: Callable[[State], object] | None = None,
    follow: Callable[[Outcome], object] | None = None,
    accelerate: bool = False,
    guard: Guard | None = None,
) -> Outcome:
    """Run EM from `start`.

    Parameters
    ----------
    rows : Pass
        Makes the pass over the rows.
    rule : MaximumLikelihood
        Turns statistics into parameters.
    start : Parameters or Outcome
        The first pass is made under exactly these parameters. An outcome is gone on from, as if the
        loop had never been left.
    tol : float, nats per unit of weight
        See `StoppingRule`.
    max_iter : int
        Most iterations.
    on_collapse : {"reseed", "drop", "raise"}
        What to do with a component that has no weight or no regular covariance.
    scale : ndarray of shape (n_features,)
        Standard deviations of the features: the units in which a component's widest
        direction is told when it is split.
    callback : callable, optional
        Called with a `State` after each iteration; a true result stops the fit.
    follow : callable, optional
        Called with the outcome so far after each iteration that is not the last.
    accelerate : bool
        Leap ahead after every second iteration (see `mixtura.accelerate`), unless `tol` is 0.
    guard : Guard, optional
        Looks for spurious components in the end.

    Returns
    -------
    Outcome
        After KeyboardInterrupt, the last finished iteration's, with stop_reason "interrupted".

    Raises
    ------
    FitError
        When a component collapses and `on_collapse` is "raise", or none is left.

    Notes
    -----
    Where a component without weight was replaced and the end is lower than what was before, the
    parameters of before are returned.

    n_iter + 1 passes, and one for each leap. The start's own objective is not part of the history:
    the ridge is not yet in its covariances.
    """
    outcome = start if isinstance(start, Outcome) else Outcome(start)
    schedule = StoppingRule(tol, rows.rounding)
    if accelerate and tol > 0.0:
        schedule = Squarem(tol, rows.rounding, scale, outcome.leaps)
    schedule.replay(outcome.history, {e.iteration for e in outcome.events if e.cause != "spurious"})
    try:
        statistics = outcome.statistics or rows.accumulate(outcome.parameters)
        for iteration in range(len(outcome.history) + 1, max_iter + 1):
            parameters, failed = rule.update(statistics, outcome.parameters)
            if failed.any():
                if (statistics.resp_sum[failed] == 0.0).all():
                    outcome.before.append((outcome.objective, outcome.parameters, statistics))
                parameters = recover(
                    rule, statistics, parameters, failed, iteration, on_collapse, scale,
                    outcome.events,
                )  # fmt: skip
                schedule.forget()
            statistics, objective = _expectation(rows, rule, parameters)
            parameters, statistics, objective = _leap(
                rows, rule, schedule, parameters, statistics, objective
            )
            outcome.parameters, outcome.statistics = parameters, statistics
            outcome.objective = objective
            outcome.history.append(objective)
            reached = schedule.reached(objective)
            if callback is not None:
                views = _read_only(parameters)
                state = State(iteration, objective, schedule.predicted_gain, views)
                if _is_true(callback(state)):
                    outcome.stop_reason = "callback"
                    break
            if reached:
                outcome.stop_reason = "converged"
                break
            if follow is not None and iteration < max_iter:
                follow(outcome)
    except KeyboardInterrupt:
        outcome.stop_reason = "interrupted"
    _keep_best(outcome)
    if guard is not None:
        outcome.spurious = guard.spurious(outcome.parameters)
    return outcome


def _is_true(word: object) -> bool:
    try:
        return bool(word)
    except ValueError as error:  # an array of several
        raise TypeError(
            f"callback must return True to stop the fit, or False or None; got "
            f"{type(word).__name__}, which is neither true nor false. Return one of these."
        ) from error


def _keep_best(outcome: Outcome) -> None:
    """Go back to the parameters of before where these are better and as many.

    Parameters on the way to a singular covariance are not among them: their objective is high
    because it was about to grow without bound.
    """
    for objective, parameters, statistics in outcome.before:
        as_many = len(parameters.weights) == len(outcome.parameters.weights)
        if as_many and objective > outcome.objective:
            outcome.objective, outcome.parameters, outcome.statistics = (
                objective, parameters, statistics,
            )  # fmt: skip


def _read_only(parameters: Parameters) -> Parameters:
    """Views that a callback cannot write through."""
    views = [array.view() for array in parameters]
    for view in views:
        view.flags.writeable = False
    return Parameters(*views)


def _expectation(
    rows: Pass, rule: MaximumLikelihood, parameters: Parameters
) -> tuple[Statistics, float]:
    """Statistics under the objective's own weights, and the objective per unit of weight."""
    log_factors = rule.log_factors(parameters)
    if log_factors is None:
        statistics = rows.accumulate(parameters)
        return statistics, statistics.log_likelihood / statistics.weight_sum
    largest = log_factors.max()
    weights = parameters.weights * np.exp(log_factors - largest)
    statistics = rows.accumulate(parameters._replace(weights=weights))
    return statistics, statistics.log_likelihood / statistics.weight_sum + float(largest)


def _leap(
    rows: Pass,
    rule: MaximumLikelihood,
    schedule: StoppingRule,
    parameters: Parameters,
    statistics: Statistics,
    objective: float,
) -> tuple[Parameters, Statistics, float]:
    """Where the schedule's leap ends if that is no lower; else where the iteration ended."""
    ahead = schedule.leap(statistics, objective)
    if ahead is not None:
        there, failed = rule.update(ahead, parameters)
        if not failed.any():
            found, height = _expectation(rows, rule, there)
            if height >= objective:
                schedule.landed(found)
                return there, found, height
        schedule.refused()
    return parameters, statistics, objective


def recover(
    rule: MaximumLikelihood,
    statistics: Statistics,
    parameters: Parameters,
    failed: NDArray[np.bool_],
    iteration: int,
    on_collapse: OnCollapse,
    scale: Floats,
    events: list[Event],
) -> Parameters:
    """Replace the components that failed, or drop them; record what was done in `events`."""
    sound = np.flatnonzero(~failed)
    if on_collapse == "raise" or len(sound) == 0:
        raise FitError(_explain(rule, statistics, parameters, failed, iteration, scale))
    for j in map(int, np.flatnonzero(failed)):
        cause: Literal["empty", "singular"] = "singular" if statistics.resp_sum[j] else "empty"
        earlier = sum(e.component == j and e.action == "reseeded" for e in events)
        if on_collapse == "reseed" and earlier < MOST_RESEEDS:
            parameters = split_heaviest(rule, parameters, j, sound, scale)
            sound = np.append(sound, j)
            events.append(Event(iteration, j, cause, "reseeded"))
        else:
            events.append(Event(iteration, j, cause, "dropped"))
    return _select(rule, parameters, np.sort(sound))


def _select(
    rule: MaximumLikelihood, parameters: Parameters, components: NDArray[np.intp]
) -> Parameters:
    """Keep some components, with weights that sum to one."""
    weights = parameters.weights[components]
    return Parameters(
        weights / weights.sum(),
        parameters.means[components],
        rule.family.select(parameters.covariances, components),
        rule.family.select(parameters.precisions_cholesky, components),
    )


def split_heaviest(
    rule: MaximumLikelihood,
    parameters: Parameters,
    component: int,
    sound: NDArray[np.intp],
    scale: Floats,
) -> Parameters:
    """Put `component` and the heaviest sound one half a deviation to either side of the latter."""
    donor = int(sound[np.argmax(parameters.weights[sound])])
    source = np.arange(len(parameters.means))
    source[component] = donor
    covariances = rule.family.select(parameters.covariances, source)
    covariance = rule.family.matrix(covariances, donor, len(scale))
    variances, directions = np.linalg.eigh(covariance / np.outer(scale, scale))
    step = 0.5 * np.sqrt(variances[-1]) * directions[:, -1] * scale
    weights, means = parameters.weights.copy(), parameters.means.copy()
    weights[[component, donor]] = 0.5 * weights[donor]
    means[component], means[donor] = means[donor] + step, means[donor] - step
    factors = rule.family.select(parameters.precisions_cholesky, source)
    return Parameters(weights, means, covariances, factors)


def _beyond(statistics: Statistics, scatter: Floats, scale: Floats) -> bool:
    """Whether a share of the rows scatters more than all of them, as only rounding can bring."""
    overflown = not np.isfinite(statistics.resp_xx).all()
    return overflown or bool((scatter > 4.0 * np.square(scale)).any())


def _explain(
    rule: MaximumLikelihood,
    statistics: Statistics,
    parameters: Parameters,
    failed: NDArray[np.bool_],
    iteration: int,
    scale: Floats,
) -> str:
    """Component, iteration, cause and remedy."""
    doing, when = ("go on", f" at iteration {iteration}") if iteration else ("begin", "")
    j, none_left = int(np.argmax(failed)), bool(failed.all())
    alone = ", and no other is left" if none_left else ""
    otherwise = "" if none_left else ', or on_collapse="reseed"'
    covariance = rule.family.matrix(parameters.covariances, j, len(scale))
    scatter = covariance.diagonal() - (0.0 if rule.ridge is None else rule.ridge)
    constant = np.flatnonzero(covariance.diagonal() == 0.0)
    if statistics.resp_sum[j] == 0.0:
        what, remedy = f"has no weight{when}", f"Use fewer components{otherwise}"
    elif _beyond(statistics, parameters.weights[j] * np.abs(scatter), scale):
        what = f"is too far from the rows{when} to tell how far"
        remedy = f"Start nearer to them{otherwise}"
    elif len(constant):
        what = f"has a singular covariance{when}, constant in feature {constant[0]}"
        remedy = f"Use reg_covar > 0, fewer components, or drop the feature{otherwise}"
    else:
        what = f"has a singular covariance{when}"
        remedy = (
            f"Use reg_covar > 0, fewer components, more rows, or drop features that others "
            f"determine{otherwise}"
        )
    return f"the fit cannot {doing}: component {j} {what}{alone}. {remedy}."
