"""The stages of a fit: where it begins, iterations, and what ties or the family ask for after them.

From an automatic start a fit that ends on ties is begun again with rows spread over their cells of
the data's grid. From labels or responsibilities, a family may know a detour that ends higher.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura.checkpoint import Checkpoint
from mixtura.covariance import CovarianceFamily, family_named
from mixtura.em import Event, OnCollapse, Outcome, State, expectation_maximisation
from mixtura.exceptions import FitError
from mixtura.mixture import GaussianMixture
from mixtura.passes import CompiledPass, ReferencePass, RowsPass, moments, suits_single
from mixtura.progress import Progress
from mixtura.spurious import Guard, rounding_variance
from mixtura.starts import Start, automatic_start, given_start
from mixtura.statistics import Floats
from mixtura.table import counted
from mixtura.update import MaximumLikelihood, Parameters
from mixtura.validation import Rows

__all__ = ["Begin", "Fitting", "Problem"]

Begin = Start | GaussianMixture | NDArray[Any]
ROUNDING = 1e-9  # nats per unit of weight: ends that differ by less are the same


@dataclass(frozen=True, eq=False)
class Problem:
    """Arguments of `fit_gmm`, checked, that decide what the fit comes to."""

    X: Rows
    sample_weight: Floats | None
    n_components: int
    init: object
    n_init: int
    covariance_type: str
    reg_covar: float | Floats
    tol: float
    on_collapse: OnCollapse
    avoid_spurious: bool
    accelerate: bool
    backend: Literal["compiled", "reference"]
    rng: np.random.Generator | None

    @property
    def family(self) -> CovarianceFamily:
        """The one that `covariance_type` names."""
        return family_named(self.covariance_type, self.X.shape[1])

    @property
    def n_rows(self) -> int:
        """Number of rows that are not absent."""
        weight = self.sample_weight
        return len(self.X) if weight is None else int(np.count_nonzero(weight))

    @property
    def weight_sum(self) -> float:
        """Weight of all rows together."""
        weight = self.sample_weight
        return float(len(self.X)) if weight is None else float(weight.sum())


class Fitting:
    """A fit under way: the pass, rule and guard that its stages share.

    Parameters
    ----------
    problem : Problem
    begin : str, GaussianMixture or ndarray
        What `init` is, or has returned.
    rng : Generator
        For an automatic start.
    max_iter : int
        Most iterations.
    n_threads : int or None
        Threads for each pass.
    progress : Progress or None
        Told of brief runs and iterations.
    callback : callable or None
        Called with a `State` after each iteration; a true result stops the fit.
    checkpoint : Checkpoint or None
        Follows the iterations, and may know where they go on.

    Raises
    ------
    ValueError
        For variances or a ridge that are too large, or variances that are too small.
    FitError
        For too few rows without a ridge.
    """

    def __init__(
        self,
        problem: Problem,
        begin: Begin,
        rng: np.random.Generator,
        *,
        max_iter: int,
        n_threads: int | None,
        progress: Progress | None,
        callback: Callable[[State], object] | None,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.problem, self._begin, self._rng = problem, begin, rng
        self._max_iter, self._n_threads = max_iter, n_threads
        self._progress, self._callback, self._checkpoint = progress, callback, checkpoint
        X, weight, family = problem.X, problem.sample_weight, problem.family
        self._centre, variance = moments(X, weight, n_threads)
        self._single = self._centre if suits_single(X, weight, variance) else None
        self.rows = self._make_pass(X, weight)
        unit = np.where(variance > 0.0, variance, 1.0)  # of a feature without spread: one
        self._scale = np.sqrt(unit)
        self._ridge = _absolute(problem.reg_covar, unit, problem.weight_sum)
        self.rule = MaximumLikelihood(family, self._ridge)
        _check_enough_rows(self.rule, problem)
        self._guard: Guard | None = None
        if problem.avoid_spurious:
            rounding = rounding_variance(X, weight, self._scale)
            self._guard = Guard(rounding, family.factor_shape)

    def _make_pass(self, X: NDArray[Any], weight: Floats | None) -> RowsPass:
        shape = self.problem.family.factor_shape
        if self.problem.backend == "reference":
            return ReferencePass(X, weight, shape)
        return CompiledPass(X, weight, shape, self._n_threads, self._single)

    def run(self) -> Outcome:
        """Go through the stages; the events name the components that are spurious in the end."""
        begin = self._begin
        outcome = self._automatic(begin) if isinstance(begin, str) else self._given(begin)
        outcome.events += _spurious_events(outcome, "kept")
        return outcome

    def _automatic(self, method: Start) -> Outcome:
        """From an automatic start, and once more with a smoother rule where that ends on ties."""
        same_again = copy.deepcopy(self._rng)
        begun = self._resumed() or Outcome(self._seek(method, self.rule, self._rng))
        smoother = self._smoother()
        if smoother is None:
            return self._followed(self.rule, begun)
        if any(event.action == "smoothed" for event in begun.events):
            return self._followed(smoother, begun)
        outcome = self._followed(self.rule, begun)
        if not outcome.spurious or outcome.stop_reason not in ("converged", "max_iter"):
            return outcome
        start = self._seek(method, smoother, same_again)
        return self._followed(
            smoother, Outcome(start, events=_spurious_events(outcome, "smoothed"))
        )

    def _given(self, begin: GaussianMixture | NDArray[Any]) -> Outcome:
        """From the user's word, and by the family's detour where it has one from there."""
        outcome = self._followed(self.rule, self._resumed() or self._start_from(begin))
        detour = self.rule.family.detour
        if detour is None or isinstance(begin, GaussianMixture):
            return outcome
        return self._better(outcome, MaximumLikelihood(detour, self._ridge), begin)

    def _resumed(self) -> Outcome | None:
        """Where the checkpoint goes on, if it was begun before."""
        if self._checkpoint is None or self._checkpoint.outcome is None:
            return None
        return self._checkpoint.restore(self.rows, self.rule.family)

    def _seek(self, method: Start, rule: MaximumLikelihood, rng: np.random.Generator) -> Parameters:
        """The best of the brief runs."""
        problem = self.problem
        return automatic_start(
            problem.X, problem.sample_weight, problem.n_components, method, problem.n_init, rule,
            self._make_pass, self._scale, rng, n_threads=self._n_threads,
            accelerate=problem.accelerate, guard=self._guard,
            tell=None if self._progress is None else self._progress.start_run,
        )  # fmt: skip

    def _start_from(self, begin: GaussianMixture | NDArray[Any]) -> Outcome:
        """The parameters that the user's word stands for."""
        n_components, on_collapse = self.problem.n_components, self.problem.on_collapse
        return given_start(
            begin, self.rows, self.rule, self._centre, n_components, on_collapse, self._scale
        )

    def _smoother(self) -> MaximumLikelihood | None:
        """The rule for rows spread over their cells of the data's grid, if that differs."""
        ridge = self.rule.ridge
        if self._guard is None or ridge is None:
            return None
        larger = np.maximum(ridge, self._guard.rounding)
        return MaximumLikelihood(self.rule.family, larger) if (larger > ridge).any() else None

    def _better(self, outcome: Outcome, detour: MaximumLikelihood, begin: NDArray[Any]) -> Outcome:
        """The outcome, or that of the family's detour where it ends higher."""
        if outcome.stop_reason != "converged":
            return outcome
        try:
            other = self._iterate(detour, self._start_from(begin))
            if other.stop_reason != "interrupted":
                other = self._iterate(self.rule, Outcome(other.parameters, events=other.events))
        except FitError:
            return outcome
        if other.stop_reason == "interrupted":
            return replace(outcome, stop_reason="interrupted")
        return other if other.objective > outcome.objective + ROUNDING else outcome

    def _followed(self, rule: MaximumLikelihood, begun: Outcome) -> Outcome:
        """Iterate where all who want to may look on."""
        checkpoint = self._checkpoint
        return self._iterate(
            rule,
            begun,
            callback=_both(self._progress, self._callback),
            follow=None if checkpoint is None else partial(checkpoint.follow, self.rows),
        )

    def _iterate(
        self,
        rule: MaximumLikelihood,
        begun: Outcome,
        callback: Callable[[State], object] | None = None,
        follow: Callable[[Outcome], object] | None = None,
    ) -> Outcome:
        return expectation_maximisation(
            self.rows, rule, begun, tol=self.problem.tol, max_iter=self._max_iter,
            on_collapse=self.problem.on_collapse, scale=self._scale, callback=callback,
            follow=follow, accelerate=self.problem.accelerate, guard=self._guard,
        )  # fmt: skip


def _absolute(ridge: float | Floats, unit: Floats, weight_sum: float) -> Floats:
    """The ridge in squared units of the features; refuse one that leaves no room for scatter."""
    with np.errstate(over="ignore"):
        absolute = ridge * unit if isinstance(ridge, float) else ridge
        room = np.isfinite(4.0 * absolute * max(1.0, weight_sum))
    if not room.all():
        a = int(np.argmin(room))
        raise ValueError(
            f"reg_covar must leave covariances that are far below {np.finfo(np.float64).max:.1g}; "
            f"that of feature {a} would be {absolute[a]:g}. Pass a smaller number."
        )
    return absolute


def _check_enough_rows(rule: MaximumLikelihood, problem: Problem) -> None:
    """Refuse what maximum likelihood cannot estimate from so few rows."""
    k, d = problem.n_components, problem.X.shape[1]
    needed = rule.family.least_rows(k, d)
    if rule.ridge is None and problem.n_rows < needed:
        raise FitError(
            f"covariance_type {problem.covariance_type!r} cannot be estimated: "
            f"{counted(k, 'component')} of {counted(d, 'feature')} need at "
            f"least {needed} rows; got {problem.n_rows}. Use reg_covar > 0, "
            f"fewer components or a covariance_type with fewer parameters."
        )


def _spurious_events(outcome: Outcome, action: Literal["smoothed", "kept"]) -> list[Event]:
    return [Event(len(outcome.history), j, "spurious", action) for j in outcome.spurious]


def _both(
    progress: Progress | None, callback: Callable[[State], object] | None
) -> Callable[[State], object] | None:
    """Progress first, then the user's callback, whose word counts."""
    if progress is None:
        return callback

    def tell(state: State) -> object:
        progress(state)
        return callback is not None and callback(state)

    return tell
