"""EM as scikit-learn runs it: how it counts, when it stops, which run it keeps."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from mixtura.covariance import FAMILIES
from mixtura.data import ArrayRows
from mixtura.data.labels import RowLabels
from mixtura.exceptions import FitError
from mixtura.fitting.memory import check_memory
from mixtura.fitting.survey import Survey
from mixtura.parameters import Parameters
from mixtura.passes import Backend
from mixtura.schedules import EM, Look, LowerBound, Outcome, Point, Step
from mixtura.schedules.lower_bound import LowerBoundState
from mixtura.shapes import Floats
from mixtura.sklearn.starts import start
from mixtura.updates import AbsoluteRidge, Collapse, Labelled, Update

__all__ = ["ILL_DEFINED", "best_run"]

# Users search for these words.
ILL_DEFINED = (
    "Fitting the mixture model failed because some components have ill-defined empirical "
    "covariance (for instance caused by singleton or collapsed samples). Try to decrease the "
    "number of components, increase reg_covar, or scale the input data."
)


def best_run(
    estimator: Any,
    X: NDArray[Any],
    weight: Floats | None,
    given: Parameters | dict[str, Floats],
    before: float,
    n_runs: int,
    known: RowLabels | None = None,
) -> Outcome:
    """Run EM from several starts.

    Parameters
    ----------
    estimator : GaussianMixture
        For its parameters.
    X : ndarray of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,) or None
    given : Parameters or dict
        Parameters to continue from, or some of them to start with, by name.
    before : float, nats per unit of weight
        The lower bound of the iteration before the first; -inf if there was none.
    n_runs : int
    known : RowLabels, optional
        What is known of the components of rows.

    Returns
    -------
    Outcome
        Of the run with the largest last lower bound. Its state holds the lower bounds.

    Raises
    ------
    ValueError
        For a singular covariance, where `on_collapse` does not help.
    """
    family = FAMILIES[estimator.covariance_type]
    backend = Backend(n_threads=estimator.n_threads)
    source = ArrayRows(X, weight)
    source = source if estimator.missing == "raise" else source.checked("em")
    survey = Survey(source if known is None else known.marked(source), backend)
    check_memory(family.shape, estimator.n_components, survey.source)
    rows = survey.rows(family.shape, "soft")
    update: Update = AbsoluteRidge(
        family,
        np.full(X.shape[1], estimator.reg_covar),
        backend.algebra,
        mends_empty=estimator.on_collapse != "raise",
    )
    if known is not None:
        update = Labelled(update, known.prior)
    collapse = Collapse(estimator.on_collapse, survey.scale, backend.algebra)
    random_state = check_random_state(estimator.random_state)
    best: Outcome | None = None
    for number in range(n_runs):
        schedule = _Printing(estimator, before, number)
        try:
            begin = start(estimator, X, weight, rows, update, given, random_state, known, number)
            outcome = EM(rows, update, schedule, collapse).run(begin, estimator.max_iter)
        except FitError as error:
            raise ValueError(f"{ILL_DEFINED} {error}") from error
        if outcome.stop_reason == "interrupted":
            raise KeyboardInterrupt
        schedule.print_end(outcome)
        if best is None or not outcome.history or _last_bound(outcome) > _last_bound(best):
            best = outcome
    assert best is not None
    return best


def _last_bound(outcome: Outcome) -> float:
    """The lower bound of the last iteration."""
    bound: float = outcome.state.bounds[-2]
    return bound


class _Printing(LowerBound):
    """Scikit-learn's stopping rule; prints one run as scikit-learn does.

    Parameters
    ----------
    estimator : GaussianMixture
        For its `tol`, `verbose` and `verbose_interval`.
    before : float, nats per unit of weight
        The lower bound of the iteration before the first; -inf if there was none.
    number : int
        Of the run.
    """

    def __init__(self, estimator: Any, before: float, number: int) -> None:
        super().__init__(estimator.tol, before)
        self._verbose, self._interval = int(estimator.verbose), estimator.verbose_interval
        self._started = self._reported = time.monotonic()
        if self._verbose:
            print(f"Initialization {number}")

    def step(self, state: LowerBoundState, point: Point, look: Look) -> Step:
        step = super().step(state, point, look)
        iteration = len(step.state.bounds) - 2
        if self._verbose and iteration % self._interval == 0:
            now = time.monotonic()
            elapsed, change = now - self._reported, step.state.change
            details = f"\t time lapse {elapsed:.5f}s\t ll change {change:.5f}"
            print(f"  Iteration {iteration}{details if self._verbose > 1 else ''}")
            self._reported = now
        return step

    def print_end(self, outcome: Outcome) -> None:
        """Print how the run ended."""
        if self._verbose:
            elapsed = time.monotonic() - self._started
            details = f" time lapse {elapsed:.5f}s\t lower bound {_last_bound(outcome):.5f}."
            end = "converged" if outcome.stop_reason == "converged" else "did not converge"
            print(f"Initialization {end}.{details if self._verbose > 1 else ''}")
