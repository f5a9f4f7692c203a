"""EM as scikit-learn runs it: its M step, how it counts, when it stops, which run it keeps."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from mixtura.covariance import FAMILIES, CovarianceFamily
from mixtura.em import Outcome, State, expectation_maximisation
from mixtura.exceptions import FitError
from mixtura.passes import CompiledPass, Pass, moments, suits_single
from mixtura.sklearn.starts import start
from mixtura.statistics import Floats, Statistics
from mixtura.update import MaximumLikelihood, Parameters

__all__ = ["AbsoluteRidge", "best_run"]

# Of each component's weight, as if a row at the origin had it.
PADDING = 10.0 * float(np.finfo(np.float64).eps)
# People look for these words.
ILL_DEFINED = (
    "Fitting the mixture model failed because some components have ill-defined empirical "
    "covariance (for instance caused by singleton or collapsed samples). Try to decrease the "
    "number of components, increase reg_covar, or scale the input data."
)


def best_run(
    estimator: Any,
    X: NDArray[Any],
    weight: Floats | None,
    given: dict[str, Floats],
    before: float,
    n_runs: int,
) -> tuple[Outcome, list[float]]:
    """Run EM from several starts.

    Parameters
    ----------
    estimator : GaussianMixture
        For its parameters.
    X : ndarray of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,) or None
    given : dict
        Parameters to begin with, by name; all of them to go on from a fit.
    before : float, nats per unit of weight
        The lower bound of the iteration before the first; -inf if there was none.
    n_runs : int

    Returns
    -------
    outcome : Outcome
        Of the run with the largest last lower bound.
    lower_bounds : list of float, nats per unit of weight
        Its mean log-likelihood at the beginning of each iteration.

    Raises
    ------
    ValueError
        For a singular covariance, where `on_collapse` does not help.
    """
    family = FAMILIES[estimator.covariance_type]
    centre, variance = moments(X, weight, estimator.n_threads)
    single = centre if suits_single(X, weight, variance) else None
    rows = CompiledPass(X, weight, family.factor_shape, estimator.n_threads, single)
    scale = np.sqrt(np.where(variance > 0.0, variance, 1.0))
    mends_empty = estimator.on_collapse != "raise"
    rule = AbsoluteRidge(family, estimator.reg_covar, X.shape[1], mends_empty)
    random_state = check_random_state(estimator.random_state)
    best: tuple[Outcome, list[float]] | None = None
    for number in range(n_runs):
        run = _Run(rows, before, estimator, number)
        try:
            begin = start(estimator, X, weight, rows, rule, given, random_state)
            outcome = expectation_maximisation(
                run, rule, begin, tol=0.0, max_iter=estimator.max_iter,
                on_collapse=estimator.on_collapse, scale=scale, callback=run.ends,
            )  # fmt: skip
        except FitError as error:
            raise ValueError(f"{ILL_DEFINED} {error}") from error
        if outcome.stop_reason == "interrupted":
            raise KeyboardInterrupt
        bounds = run.lower_bounds(len(outcome.history))
        run.tell_end(outcome.stop_reason == "callback")
        if best is None or not bounds or bounds[-1] > best[1][-1]:
            best = outcome, bounds
    assert best is not None
    return best


class AbsoluteRidge(MaximumLikelihood):
    """The maximisation step that scikit-learn makes.

    The ridge is added to each covariance and the objective stays the log-likelihood, so that it may
    fall by a little. The padding, which scikit-learn puts against divisions by zero, leaves a
    component without weight at the origin, with the ridge for its covariance.

    Parameters
    ----------
    family : CovarianceFamily
    reg_covar : float, squared units of the features
    n_features : int
    mends_empty : bool
        Whether a component without weight counts as failed.
    """

    def __init__(
        self, family: CovarianceFamily, reg_covar: float, n_features: int, mends_empty: bool
    ) -> None:
        super().__init__(family, np.full(n_features, reg_covar))
        self.mends_empty = mends_empty

    def update(
        self, statistics: Statistics, previous: Parameters | None = None
    ) -> tuple[Parameters, NDArray[np.bool_]]:
        """Return scikit-learn's parameters, and which components have no regular covariance."""
        resp_sum = statistics.resp_sum + PADDING
        shift = (statistics.resp_x - PADDING * statistics.centres) / resp_sum[:, None]
        with np.errstate(invalid="ignore", over="ignore"):
            centred = statistics.recentred(statistics.centres + shift)
            padded = replace(centred, resp_sum=resp_sum)
            if self.ridge is not None:
                padded = padded.blurred(self.ridge)
            covariances = self.family.update(padded)
        factors, singular = self.family.factorise(covariances)
        failed = singular | (self.mends_empty & (statistics.resp_sum == 0.0))
        weights = resp_sum / resp_sum.sum()
        return Parameters(weights, centred.centres, covariances, factors), failed

    def log_factors(self, parameters: Parameters) -> None:
        """None: the objective is the log-likelihood itself."""


class _Run:
    """One run of EM as scikit-learn counts it: the pass, and the callback that ends it.

    The lower bound of an iteration is the mean log-likelihood of the parameters with which it
    *begins*, so the pass notes it; a run ends when it changes by less than `tol`.

    Parameters
    ----------
    rows : Pass
    before : float, nats per unit of weight
        The lower bound of the iteration before the first; -inf if there was none.
    estimator : GaussianMixture
        For its `tol`, `verbose` and `verbose_interval`.
    number : int
        Of the run, for the reader.
    """

    def __init__(self, rows: Pass, before: float, estimator: Any, number: int) -> None:
        self._rows, self.rounding = rows, rows.rounding
        self._means = [before]
        self._tol = estimator.tol
        self._verbose, self._interval = int(estimator.verbose), estimator.verbose_interval
        self._begun = self._told = time.monotonic()
        if self._verbose:
            print(f"Initialization {number}")

    def accumulate(self, parameters: Parameters) -> Statistics:
        """Return the statistics of the rows, and note their mean log-likelihood."""
        statistics = self._rows.accumulate(parameters)
        self._means.append(statistics.log_likelihood / statistics.weight_sum)
        return statistics

    def ends(self, state: State) -> bool:
        """Has the lower bound hardly changed?"""
        change = self._means[-2] - self._means[-3]
        if self._verbose and state.iteration % self._interval == 0:
            now = time.monotonic()
            details = f"\t time lapse {now - self._told:.5f}s\t ll change {change:.5f}"
            print(f"  Iteration {state.iteration}{details if self._verbose > 1 else ''}")
            self._told = now
        return bool(abs(change) < self._tol)

    def lower_bounds(self, n_iter: int) -> list[float]:
        """One for each of the iterations done."""
        return self._means[1 : n_iter + 1]

    def tell_end(self, converged: bool) -> None:
        """Say how the run ended, to whom it may concern."""
        if self._verbose:
            elapsed, last = time.monotonic() - self._begun, self._means[-2]
            details = f" time lapse {elapsed:.5f}s\t lower bound {last:.5f}."
            print(
                f"Initialization {'converged' if converged else 'did not converge'}."
                f"{details if self._verbose > 1 else ''}"
            )
