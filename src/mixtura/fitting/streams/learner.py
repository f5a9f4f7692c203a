"""What a stream of rows has taught: a value that each batch replaces by another one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.cached import cached_property
from mixtura.data import RowSource
from mixtura.fitting.settings import Settings
from mixtura.fitting.stages import Fitting
from mixtura.fitting.streams.learning import Basis, RidgeBasis
from mixtura.fitting.streams.options import Options
from mixtura.fitting.survey import Survey
from mixtura.mixture.reordering import heaviest_first
from mixtura.parameters import Parameters
from mixtura.schedules.stepwise import (
    StepRule,
    interpolated,
    mixed,
    renewed,
    selected,
)
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates import Collapse, Event, Update

__all__ = ["MOST_KEPT", "Learner", "check_near", "continued", "start_learner"]

MOST_KEPT = 1000  # batches and events that are remembered
START_TOL = 1e-4  # nats per row: what the start may leave to gain on its rows


@dataclass(frozen=True, eq=False)
class Learner:
    """A mixture, and the running statistics from which it follows.

    Attributes
    ----------
    options : Options
    parameters : Parameters
    statistics : Statistics
        Of total weight one.
    basis : Basis
        What the rows of the start have decided: the ridge, or the prior.
    scale : ndarray of shape (n_features,)
        Units of the features in the rows of the start.
    unit : float
        Weight of the rows of the start.
    rows_per_weight : float
        Number of rows divided by their weight, in the memory.
    counted : float
        Weight of the rows for which the statistics stand.
    history : ndarray of shape (n,), nats per row
        Mean log-likelihood of each of the last batches, before it was learned from.
    sizes : ndarray of shape (n,)
        Weight of each of these batches.
    events : tuple of Event
        The last ones.
    """

    options: Options
    parameters: Parameters
    statistics: Statistics
    basis: Basis
    scale: Floats
    unit: float
    rows_per_weight: float
    counted: float
    history: Floats
    sizes: Floats
    events: tuple[Event, ...]

    @property
    def rule(self) -> StepRule:
        """How much a batch counts."""
        return StepRule(self.options.step_power, self.unit, self.options.half_life)

    @cached_property
    def mixture(self) -> Parameters:
        """The mixture that the parameters stand for."""
        return self.basis.mixture(self.parameters, self.counted)

    def learned(self, rows: RowSource, before: float, number: int) -> Learner:
        """Return what it is after one more batch.

        Parameters
        ----------
        rows : RowSource
            One block of rows of positive weight.
        before : float
            Weight of all rows before.
        number : int
            Of the batch.

        Raises
        ------
        ValueError
            For rows so far away that their squares are no floats.
        FitError
            When a component collapses and may not be replaced or dropped.
        """
        engine = self.options.engine
        (block,) = rows.blocks()
        seen, _ = self.basis.update(self.counted).as_seen(self.parameters)
        with np.errstate(over="ignore", invalid="ignore"):
            batch: Statistics = engine.rows(rows.form, block).accumulate(
                "soft", seen, engine.n_threads
            )
            mean = batch.log_likelihood / batch.weight_sum
            share = self.rule.share(before, batch.weight_sum)
            statistics = interpolated(self.statistics, batch, share)
        if not np.isfinite(statistics.resp_xx.sum()):
            _refuse_far(block.X)
        weight = batch.weight_sum
        counted = self.basis.counted(self.rule.counted(before + weight, weight))
        update = self.basis.update(counted)
        parameters, failed = update.update(statistics, self.parameters)
        rows_per_weight = mixed(self.rows_per_weight, rows.n_samples / weight, share)
        row_share = self.rule.row_share(before + weight, weight, rows_per_weight)
        lost = self.basis.lost(statistics, row_share)
        events = self.events
        if failed.any() or lost.any():
            parameters, statistics, events = self._recovered(
                update, parameters, statistics, failed, lost, number
            )
        return replace(
            self, parameters=parameters, statistics=statistics, rows_per_weight=rows_per_weight,
            counted=counted, events=events,
            history=np.append(self.history[1 - MOST_KEPT :], mean),
            sizes=np.append(self.sizes[1 - MOST_KEPT :], weight),
        )  # fmt: skip

    def _recovered(
        self,
        update: Update,
        parameters: Parameters,
        statistics: Statistics,
        failed: NDArray[np.bool_],
        lost: NDArray[np.bool_],
        number: int,
    ) -> tuple[Parameters, Statistics, tuple[Event, ...]]:
        """Replace or drop components that failed, and those that have lost their rows."""
        options, algebra = self.options, self.options.engine.algebra
        without = replace(statistics, resp_sum=np.where(lost, 0.0, statistics.resp_sum))
        recent = [event for event in self.events if event.iteration > number - MOST_KEPT]
        before = len(recent)
        after, kept = Collapse(options.on_collapse, self.scale, algebra).recover(
            update, without, parameters, failed | lost, number, recent
        )
        # A split has moved the means of both halves.
        moved = (after.means != parameters.means[kept]).any(axis=1)
        events = (*self.events, *recent[before:])[-MOST_KEPT:]
        return after, renewed(selected(statistics, kept), after, moved), events


def start_learner(options: Options, source: RowSource, *, number: int = 0) -> Learner:
    """Return what the first rows teach: EM on these alone, until little is left to gain.

    Parameters
    ----------
    options : Options
    source : RowSource
        The first rows, those of positive weight.
    number : int
        What events of the start have as their iteration.

    Raises
    ------
    FitError, ValueError, MemoryError
        As `fit_gmm` does.
    KeyboardInterrupt
        On Ctrl-C.
    """
    survey = Survey(source, options.engine)
    settings = Settings(
        n_init=options.n_init,
        reg_covar=options.reg_covar,
        tol=START_TOL,
        on_collapse=options.on_collapse,
        avoid_spurious=not options.learning.has_posterior,
        moves=True,  # where the estimate has any
        estimate=options.estimate(source.n_features),
    )
    fitting = Fitting(survey, settings, options.covariance_type, options.n_components)
    outcome = fitting.run(options.init, np.random.default_rng(options.seed))
    if outcome.stop_reason == "interrupted":
        raise KeyboardInterrupt
    parameters, statistics = outcome.parameters, outcome.statistics
    assert statistics is not None
    order = np.arange(len(parameters.weights))
    if isinstance(options.init, str):
        order = heaviest_first(parameters.weights, parameters.means)
    place = np.argsort(order)
    events = [
        replace(
            event,
            iteration=number,
            component=int(place[event.component]) if event.action == "kept" else event.component,
        )
        for event in outcome.events
    ]
    basis = options.learning.basis(options, survey, fitting.ridge_of(outcome))
    statistics, weight = selected(statistics, order), source.weight_sum
    counted = basis.counted(weight)
    return Learner(
        options,
        basis.at_start(_in_order(parameters, order), statistics, counted),
        statistics.scaled(1.0 / statistics.weight_sum),
        basis,
        survey.scale,
        weight,
        source.n_samples / weight,
        counted,
        np.empty(0),
        np.empty(0),
        tuple(events[-MOST_KEPT:]),
    )


def continued(
    options: Options, parameters: Parameters, ridge: Floats, n_samples: int, weight_sum: float
) -> Learner:
    """Return what continues a fit to rows that were read as a whole.

    Parameters
    ----------
    options : Options
    parameters : Parameters
        Of the fit.
    ridge : ndarray of shape (n_features,), squared units of the features
    n_samples : int
        Rows of positive weight.
    weight_sum : float
        Weight of its rows.
    """
    shape, (k, d) = parameters.shape, parameters.means.shape
    statistics = Statistics(
        shape.name, parameters.means, parameters.weights, np.zeros((k, d)),
        parameters.covariances, 0.0, 1.0,
    )  # fmt: skip
    statistics = renewed(statistics, parameters, np.ones(k, dtype=bool))
    middle = parameters.weights @ parameters.means
    variances = parameters.variances() + np.square(parameters.means - middle)
    scale = np.sqrt(parameters.weights @ variances)
    return Learner(
        options, parameters, statistics, RidgeBasis.of(options, scale, ridge), scale, weight_sum,
        n_samples / weight_sum, weight_sum, np.empty(0), np.empty(0), (),
    )  # fmt: skip


def _in_order(parameters: Parameters, order: NDArray[np.intp]) -> Parameters:
    """Return the parameters in another order, with the same bits."""
    shape = parameters.shape
    return Parameters(
        parameters.weights[order],
        parameters.means[order],
        shape.select(parameters.covariances, order),
        shape.select(parameters.precisions_cholesky, order),
        shape,
    )


def check_near(X: NDArray[Any]) -> None:
    """Refuse rows so far from zero that their squares are no floats."""
    with np.errstate(over="ignore"):
        if np.isinf(np.square(X, dtype=np.float64)).any():
            _refuse_far(X)


def _refuse_far(X: NDArray[Any]) -> None:
    sizes = np.where(np.isnan(X), 0.0, np.abs(X))
    row, column = map(int, np.unravel_index(np.argmax(sizes), X.shape))
    raise ValueError(
        f"X must have numbers whose squares are below {np.finfo(np.float64).max:.1g}; row {row}, "
        f"column {column} of the batch is {X[row, column]:g}. Drop the row, or divide the column "
        f"by a large number from the first batch on."
    )
