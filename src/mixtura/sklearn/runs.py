"""EM as scikit-learn runs it: how it counts, when it stops, which run it keeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from mixtura.data import ArrayRows
from mixtura.data.labels import RowLabels
from mixtura.exceptions import FitError
from mixtura.fitting.memory import check_memory
from mixtura.fitting.survey import Survey
from mixtura.parameters import Parameters
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import EM, Bound, Look, LowerBound, Outcome, Point, Step
from mixtura.schedules.lower_bound import LowerBoundState
from mixtura.shapes import SHAPES, Floats
from mixtura.updates import Collapse, Update

__all__ = ["ILL_DEFINED", "Runs", "opened"]

# Users search for these words.
ILL_DEFINED = (
    "Fitting the mixture model failed because some components have ill-defined empirical "
    "covariance (for instance caused by singleton or collapsed samples). Try to decrease the "
    "number of components, increase reg_covar, or scale the input data."
)


def opened(
    estimator: Any, X: NDArray[Any], weight: Floats | None, known: RowLabels | None = None
) -> Survey:
    """Return what an estimator needs to know of its rows.

    Parameters
    ----------
    estimator : MixtureEstimator
        For its parameters.
    X : ndarray of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,) or None
    known : RowLabels, optional
        What is known of the components of rows.

    Raises
    ------
    MemoryError
        For covariances that need more memory than there is.
    """
    source = ArrayRows(X, weight)
    source = source if estimator.missing == "raise" else source.checked("em")
    backend = Backend(n_threads=estimator.n_threads)
    survey = Survey(source if known is None else known.marked(source), backend)
    check_memory(SHAPES[estimator.covariance_type], estimator.n_components, survey.source)
    return survey


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs from several starts.

    Attributes
    ----------
    estimator : MixtureEstimator
        For its parameters.
    rows : RowsPass
    update : Update
    collapse : Collapse
    begin : callable
        Returns the parameters with which a run begins, from a RandomState and the run's number.
    bound : Bound or None
        What the lower bound of an iteration is; None for that of EM.
    """

    estimator: Any
    rows: RowsPass
    update: Update
    collapse: Collapse
    begin: Callable[[np.random.RandomState, int], Parameters]
    bound: Bound | None = None

    def best(self, before: float, n_runs: int) -> Outcome:
        """Iterate from each start.

        Parameters
        ----------
        before : float
            The lower bound of the iteration before the first; -inf if there was none.
        n_runs : int

        Returns
        -------
        Outcome
            Of the run with the largest last lower bound. Its state holds the lower bounds.

        Raises
        ------
        ValueError
            For a singular covariance, where `collapse` does not help.
        """
        random_state = check_random_state(self.estimator.random_state)
        best: Outcome | None = None
        for number in range(n_runs):
            schedule = _Printing(self.estimator, before, self.bound, number)
            em = EM(self.rows, self.update, schedule, self.collapse)
            try:
                outcome = em.run(self.begin(random_state, number), self.estimator.max_iter)
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
    bound: float = outcome.state.bounds[-1]
    return bound


class _Printing(LowerBound):
    """Scikit-learn's stopping rule; prints one run as scikit-learn does.

    Parameters
    ----------
    estimator : MixtureEstimator
        For its `tol`, `verbose` and `verbose_interval`.
    before : float
        The lower bound of the iteration before the first; -inf if there was none.
    bound : Bound or None
    number : int
        Of the run.
    """

    def __init__(self, estimator: Any, before: float, bound: Bound | None, number: int) -> None:
        super().__init__(estimator.tol, before, bound)
        self._verbose, self._interval = int(estimator.verbose), estimator.verbose_interval
        self._started = self._reported = time.monotonic()
        if self._verbose:
            print(f"Initialization {number}")

    def step(self, state: LowerBoundState, point: Point, look: Look) -> Step:
        step = super().step(state, point, look)
        iteration = len(step.state.bounds) - 1
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
