"""The parameters from which EM goes on: from the user's word, or the best of many brief runs.

An automatic start chooses centres (see `mixtura.seeding`), gives each row to the nearest one, takes
the parameters that follow, and runs a few iterations of EM. Of `n_init` such starts the most
promising half go a few iterations further, and so on to the last one. All of it happens on a sample
of rows that is large beside the number of parameters but not beside a large data set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura import seeding
from mixtura.em import Outcome, expectation_maximisation
from mixtura.exceptions import FitError
from mixtura.passes import RowsPass
from mixtura.seeding import Metric
from mixtura.statistics import Floats, Statistics
from mixtura.update import MaximumLikelihood, Parameters

__all__ = ["INIT_METHODS", "Start", "automatic_start", "start_from_labels", "start_from_resp"]

Start = Literal["kmeans++", "kmeans", "random"]
INIT_METHODS: tuple[Start, ...] = ("kmeans++", "kmeans", "random")
MakePass = Callable[[NDArray[Any], Floats | None], RowsPass]

LEAST_SAMPLE = 4000  # rows; below this all are used
SAMPLE_PER_PARAMETER = 10  # rows for each component and feature
BRIEF_ITERATIONS = 10  # of each start in each round
LLOYD_ITERATIONS = 20  # for init="kmeans"
POOLED_SHARE = 0.5  # of an average component, in pooled scatter, added to each at the start


@dataclass(frozen=True)
class _Candidate:
    parameters: Parameters
    objective: float


def automatic_start(
    X: NDArray[Any],
    sample_weight: Floats | None,
    n_components: int,
    method: Start,
    n_init: int,
    rule: MaximumLikelihood,
    make_pass: MakePass,
    scale: Floats,
    rng: np.random.Generator,
) -> Parameters:
    """Return the best of `n_init` starts after brief runs.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None
    n_components : int
    method : {"kmeans++", "kmeans", "random"}
    n_init : int
        Starts; every second one seeks its centres in whitened coordinates.
    rule : MaximumLikelihood
    make_pass : callable
        From rows and weights to a pass over them.
    scale : ndarray of shape (n_features,)
        Standard deviations of the features.
    rng : Generator

    Returns
    -------
    Parameters

    Raises
    ------
    FitError
        When no start leads anywhere.
    """
    size = max(LEAST_SAMPLE, SAMPLE_PER_PARAMETER * n_components * (X.shape[1] + 1))
    rows, weight = seeding.thin(X, sample_weight, size, rng)
    sample = make_pass(rows, weight)
    metrics: tuple[Metric, ...] = ("scaled", "whitened")
    coordinates = {
        metric: seeding.standardised(rows, weight, metric) for metric in metrics[: min(n_init, 2)]
    }

    def start(i: int, stream: np.random.Generator) -> Parameters:
        Z = coordinates[metrics[i % 2]]
        labels = seeding.nearest(Z, _centres(Z, weight, n_components, method, stream))
        return _from_rough_labels(sample, rule, rows, labels, n_components)

    def brief(parameters: Parameters) -> Outcome:
        return expectation_maximisation(
            sample, rule, parameters, tol=0.0, max_iter=BRIEF_ITERATIONS, on_collapse="reseed",
            scale=scale,
        )  # fmt: skip

    starts = (start(i, stream) for i, stream in enumerate(rng.spawn(n_init)))
    return _last_standing(starts, brief)


def _last_standing(
    starts: Iterable[Parameters], brief: Callable[[Parameters], Outcome]
) -> Parameters:
    """Run all starts briefly, then the better half again, until one is left."""
    candidates: list[_Candidate] = []
    failure: FitError | None = None
    for parameters in starts:
        try:
            candidates.append(_run(brief, parameters))
        except FitError as error:
            failure = error
    if not candidates and failure is not None:
        raise failure
    candidates.sort(key=lambda c: -c.objective)
    while len(candidates) > 1:
        better = candidates[: (len(candidates) + 1) // 2]
        candidates = sorted((_run(brief, c.parameters) for c in better), key=lambda c: -c.objective)
        if len(better) == 2:
            break
    return candidates[0].parameters


def _run(brief: Callable[[Parameters], Outcome], parameters: Parameters) -> _Candidate:
    outcome = brief(parameters)
    if outcome.stop_reason == "interrupted":
        raise KeyboardInterrupt
    return _Candidate(outcome.parameters, outcome.history[-1])


def _centres(
    Z: Floats, weight: Floats, n_components: int, method: Start, rng: np.random.Generator
) -> Floats:
    if method == "random":
        return seeding.random_rows(Z, weight, n_components, rng)
    centres = seeding.kmeans_plusplus(Z, weight, n_components, rng)
    return seeding.lloyd(Z, weight, centres, LLOYD_ITERATIONS) if method == "kmeans" else centres


def _from_rough_labels(
    rows: RowsPass, rule: MaximumLikelihood, X: Floats, labels: NDArray[np.int64], n_components: int
) -> Parameters:
    """Parameters of clusters that are only guesses: their scatter leans on the pooled one."""
    statistics = _label_statistics(rows, labels, np.tile(X[0], (n_components, 1)))
    if statistics.covariance_type != "tied":
        resp_sum = _column(statistics.resp_sum, statistics.resp_xx)
        pooled = statistics.resp_xx.sum(axis=0) / resp_sum.sum()
        lent = POOLED_SHARE * resp_sum.sum() / n_components
        scatter = (statistics.resp_xx + lent * pooled) * (resp_sum / (resp_sum + lent))
        statistics = replace(statistics, resp_xx=scatter)
    return _checked(rule, statistics, "the start")


def _column(values: Floats, like: Floats) -> Floats:
    return values.reshape((-1,) + (1,) * (like.ndim - 1))


def _label_statistics(
    rows: RowsPass, labels: NDArray[np.int64], rough_centres: Floats
) -> Statistics:
    """Sums about the clusters' own means: a first pass finds them, a second is centred there."""
    means = rows.accumulate_labels(labels, rough_centres).means()
    return rows.accumulate_labels(labels, means)


def start_from_labels(
    rows: RowsPass, rule: MaximumLikelihood, labels: NDArray[np.int64], centre: Floats, k: int
) -> Parameters:
    """Return the parameters that follow when each row belongs to the component of its label."""
    statistics = _label_statistics(rows, labels, np.tile(centre, (k, 1)))
    return _checked(rule, statistics, "the labels in init")


def start_from_resp(
    rows: RowsPass, rule: MaximumLikelihood, resp: Floats, centre: Floats
) -> Parameters:
    """Return the parameters that follow from responsibilities."""
    means = rows.accumulate_resp(resp, np.tile(centre, (resp.shape[1], 1))).means()
    return _checked(rule, rows.accumulate_resp(resp, means), "the responsibilities in init")


def _checked(rule: MaximumLikelihood, statistics: Statistics, source: str) -> Parameters:
    parameters, failed = rule.update(statistics)
    if failed.any():
        j = int(np.argmax(failed))
        what = "no weight" if statistics.resp_sum[j] == 0.0 else "a singular covariance"
        raise FitError(
            f"the fit cannot begin: {source} leave component {j} with {what}. "
            f"Give it more rows, use reg_covar > 0 or fewer components."
        )
    return parameters
