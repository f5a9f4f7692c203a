"""The parameters from which EM goes on: from the user's word, or the best of many brief runs.

An automatic start chooses centres (see `mixtura.seeding`), gives each row to the nearest one, takes
the parameters that follow, and runs a few iterations of EM. Of `n_init` such starts the more
promising half go as many iterations further, and so on to the last one. All of it happens on a
sample of rows that is large beside the number of parameters but not beside a large data set; there
the last one goes on until all rows are worth their time. For
"hierarchical", clusters are cut from trees (see `mixtura.hierarchical`), each in other coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mixtura import seeding
from mixtura.covariance import FAMILIES, CovarianceFamily
from mixtura.em import Event, OnCollapse, Outcome, expectation_maximisation, recover
from mixtura.exceptions import FitError
from mixtura.hierarchical import UNITLESS_TRANSFORMS, hierarchical, most_leaves
from mixtura.kernels import EXPONENTIAL_WORK, Rows
from mixtura.mixture import GaussianMixture
from mixtura.passes import RowsPass
from mixtura.seeding import Metric
from mixtura.spurious import Guard
from mixtura.statistics import Floats, Statistics
from mixtura.update import MaximumLikelihood, Parameters
from mixtura.validation import check_option, check_resp, check_rows_sum_to_one

__all__ = [
    "INIT_METHODS",
    "Start",
    "StartInterrupted",
    "automatic_start",
    "check_init",
    "given_start",
]

Start = Literal["kmeans++", "kmeans", "random", "hierarchical"]
INIT_METHODS: tuple[Start, ...] = ("kmeans++", "kmeans", "random", "hierarchical")
MakePass = Callable[[NDArray[Any], Floats | None], RowsPass]

METRICS: tuple[Metric, ...] = ("scaled", "whitened")
SAMPLE_PER_PARAMETER = 20  # rows for each component and feature, at least
SAMPLE_WORK = 400_000  # multiply-adds of a pass that costs as much as the Python around it
BRIEF_ITERATIONS = 5  # of each start, before the worse half is given up
SAMPLE_ITERATIONS = 100  # at most, of the best start before it sees all rows
BRIEF_TOL = 1e-4  # nats per unit of weight; what a brief run may leave to gain
LEAST_REPEATS = 2  # of clusters that k-means has found before, until no more are sought
SAME = 1e-4  # relative difference between the scatters of clusters that are the same
LLOYD_ITERATIONS = 20  # at most, for init="kmeans"
POOLED_SHARE = 0.5  # of an average component, in pooled scatter, added to each at the start


class StartInterrupted(KeyboardInterrupt):
    """Ctrl-C during the brief runs; `outcome` is the best of them."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("the start was interrupted")
        self.outcome = replace(outcome, stop_reason="interrupted")


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
    *,
    n_threads: int | None,
    accelerate: bool,
    tell: Callable[[Outcome], object] | None = None,
    guard: Guard | None = None,
) -> Parameters:
    """Return the best of `n_init` starts after brief runs.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None
    n_components : int
    method : {"kmeans++", "kmeans", "random", "hierarchical"}
    n_init : int
        Starts; every second one seeks its centres in whitened coordinates. "hierarchical" has one
        tree for each transform that does not depend on units.
    rule : MaximumLikelihood
    make_pass : callable
        From rows and weights to a pass over them.
    scale : ndarray of shape (n_features,)
        Standard deviations of the features.
    rng : Generator
    n_threads : int or None
        For k-means; a pass that is made has its own.
    accelerate : bool
        Whether long brief runs may leap ahead.
    tell : callable, optional
        Called with the outcome of each brief run.
    guard : Guard, optional
        Starts that lead to fewer spurious components are better, whatever their likelihood.

    Returns
    -------
    Parameters

    Raises
    ------
    FitError
        When no start leads anywhere.
    StartInterrupted
        On Ctrl-C after the first brief run.
    """
    size = _sample_size(n_components, X.shape[1])
    if method == "hierarchical":
        size = max(most_leaves("VVV", X.shape[1]), SAMPLE_PER_PARAMETER * n_components)
    sampled = (len(X) if sample_weight is None else np.count_nonzero(sample_weight)) > size
    rows, weight = seeding.thin(X, sample_weight, size, rng)
    sample = make_pass(rows, weight)

    def brief(start: Parameters, max_iter: int) -> Outcome:
        outcome = expectation_maximisation(
            sample, rule, start, tol=BRIEF_TOL, max_iter=max_iter, on_collapse="reseed",
            scale=scale, accelerate=accelerate, guard=guard,
        )  # fmt: skip
        if tell is not None:
            tell(outcome)
        return outcome

    starts = (
        _from_rough_labels(sample, rule, rows, labels, n_components, scale)
        for labels in _clusterings(rows, weight, n_components, method, n_init, n_threads, rng)
    )
    tried: list[Outcome] = []
    try:
        best = _last_standing(starts, brief, tried)
        if sampled:
            best = _run([best], brief, SAMPLE_ITERATIONS, tried)[0].parameters
        return best
    except KeyboardInterrupt:
        if not tried:
            raise
        raise StartInterrupted(min(tried, key=_rank)) from None


def _sample_size(n_components: int, n_features: int) -> int:
    """Rows that brief runs look at: enough for the parameters, and as many as cost no more time."""
    work_per_row = n_components * (n_features * (n_features + 1) + EXPONENTIAL_WORK)
    return max(SAMPLE_PER_PARAMETER * n_components * (n_features + 1), SAMPLE_WORK // work_per_row)


def _clusterings(
    rows: Floats,
    weight: Floats,
    n_components: int,
    method: Start,
    n_init: int,
    n_threads: int | None,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.int64]]:
    """Labels from `n_init` starts, in turn in each metric.

    k-means often ends where it has ended before: then there is nothing to try, and when this
    happens to most starts, no more are made.
    """
    if method == "hierarchical":
        for transform in UNITLESS_TRANSFORMS[:n_init]:
            tree = hierarchical(
                rows, transform=transform, sample_weight=weight, max_leaves=len(rows)
            )
            yield tree.labels(min(n_components, len(tree.leaves)))
        return
    metrics = METRICS[: min(n_init, rows.shape[1])]  # of one feature both are the same
    coordinates = [seeding.standardised(rows, weight, metric) for metric in metrics]
    spaces = [Rows(Z, weight) for Z in coordinates]
    found: list[tuple[int, float]] = []
    for i in range(n_init):
        m = i % len(metrics)
        if method == "random":
            centres = seeding.random_rows(coordinates[m], weight, n_components, rng)
        else:
            centres = seeding.kmeans_plusplus(coordinates[m], weight, n_components, rng)
        if method == "kmeans":
            centres = seeding.lloyd(spaces[m], centres, LLOYD_ITERATIONS, n_threads)
        labels = np.empty(len(rows), dtype=np.int64)
        scatter = -spaces[m].assign(centres, n_threads, labels=labels).log_likelihood
        if method == "kmeans":
            if any(m == n and math.isclose(scatter, s, rel_tol=SAME) for n, s in found):
                if i - len(found) >= max(LEAST_REPEATS, len(found)):
                    return
                continue
            found.append((m, scatter))
        yield labels


def _last_standing(
    starts: Iterable[Parameters],
    brief: Callable[[Parameters, int], Outcome],
    tried: list[Outcome],
) -> Parameters:
    """Run all starts briefly, the better half as long again, and so on until one is left.

    Those that have converged wait for the others; `tried` gets every outcome.
    """
    standing = _run(starts, brief, BRIEF_ITERATIONS, tried)
    n_iter = BRIEF_ITERATIONS
    while len(standing) > 2:
        better = standing[: (len(standing) + 1) // 2]
        waiting = [outcome for outcome in better if outcome.stop_reason == "converged"]
        moving = [outcome.parameters for outcome in better if outcome.stop_reason != "converged"]
        if moving:
            waiting += _run(moving, brief, n_iter, tried)
        standing = sorted(waiting, key=_rank)
        n_iter *= 2
    return standing[0].parameters


def _run(
    starts: Iterable[Parameters],
    brief: Callable[[Parameters, int], Outcome],
    max_iter: int,
    tried: list[Outcome],
) -> list[Outcome]:
    """Where brief runs from each start end, the best first; those that fail are left out."""
    ends: list[Outcome] = []
    failure = FitError("the fit cannot begin: there is no start.")
    for parameters in starts:
        try:
            outcome = brief(parameters, max_iter)
        except FitError as error:
            failure = error
            continue
        if outcome.history:
            ends.append(outcome)
            tried.append(outcome)
        if outcome.stop_reason == "interrupted":
            raise KeyboardInterrupt
    if not ends:
        raise failure
    return sorted(ends, key=_rank)


def _rank(outcome: Outcome) -> tuple[int, float]:
    """Lower is better; ends that differ by rounding alone are equal, and keep their order."""
    return len(outcome.spurious), -round(outcome.objective, 9)


def _from_rough_labels(
    rows: RowsPass,
    rule: MaximumLikelihood,
    X: Floats,
    labels: NDArray[np.int64],
    n_components: int,
    scale: Floats,
) -> Parameters:
    """Parameters of clusters that are only guesses: their scatter leans on the pooled one.

    A cluster without rows, as there must be where fewer rows differ than there are components,
    shares those of the heaviest.
    """
    statistics = _label_statistics(rows, labels, np.tile(X[0], (n_components, 1)))
    if statistics.covariance_type != "tied":
        resp_sum = _column(statistics.resp_sum, statistics.resp_xx)
        pooled = statistics.resp_xx.sum(axis=0) / resp_sum.sum()
        lent = POOLED_SHARE * resp_sum.sum() / n_components
        scatter = (statistics.resp_xx + lent * pooled) * (resp_sum / (resp_sum + lent))
        statistics = replace(statistics, resp_xx=scatter)
    return _maximised(rule, statistics, "reseed", scale, [])


def _column(values: Floats, like: Floats) -> Floats:
    return values.reshape((-1,) + (1,) * (like.ndim - 1))


def _label_statistics(
    rows: RowsPass, labels: NDArray[np.int64], rough_centres: Floats
) -> Statistics:
    """Sums about the clusters' own means: a first pass finds them, a second is centred there."""
    means = rows.accumulate_labels(labels, rough_centres).means()
    return rows.accumulate_labels(labels, means)


def check_init(
    init: object,
    shape: tuple[int, ...],
    sample_weight: Floats | None,
    n_components: int,
    family: CovarianceFamily,
) -> Start | GaussianMixture | NDArray[Any]:
    """What a fit of rows of this shape begins with: a method, a mixture, labels or shares.

    Raises
    ------
    ValueError
        For what does not fit the rows or the number of components.
    TypeError
        For anything else.
    """
    n, d = shape
    if isinstance(init, str):
        return check_option("init", init, INIT_METHODS)
    if isinstance(init, GaussianMixture):
        got = (init.n_components, init.n_features, init.covariance_type)
        if got[:2] != (n_components, d) or FAMILIES[init.covariance_type] is not family:
            raise ValueError(
                f"init must be a mixture of {n_components} components, {d} features and "
                f"covariance_type {family.name!r}; got {got[0]}, {got[1]} and {got[2]!r}. "
                f"Fit with its settings, or start from its responsibilities."
            )
        return init
    try:
        array: NDArray[Any] = np.asarray(init)
    except ValueError:  # a ragged list
        array = np.asarray(init, dtype=object)
    if array.ndim == 1 and array.dtype.kind in "iu":
        return _check_labels(array, n, sample_weight, n_components)
    if array.ndim == 2 and array.dtype.kind in "fiub":
        resp = check_resp(array, (n, n_components), name="init")
        check_rows_sum_to_one(resp, name="init")
        return resp
    raise TypeError(
        f"init must be one of {', '.join(map(repr, INIT_METHODS))}, integer labels of shape "
        f"(n_samples,), responsibilities of shape (n_samples, n_components), a GaussianMixture or "
        f"a callable; got {type(init).__name__} of dtype {array.dtype} and shape {array.shape}. "
        f"Pass one of these."
    )


def _check_labels(
    labels: NDArray[Any], n_samples: int, sample_weight: Floats | None, n_components: int
) -> NDArray[np.int64]:
    if labels.shape != (n_samples,):
        raise ValueError(
            f"labels in init must have shape ({n_samples},), one for each row of X; got "
            f"{labels.shape}. Give each row one label."
        )
    outside = (labels < 0) | (labels >= n_components)
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(
            f"labels in init must lie between 0 and {n_components - 1}; row {row} has "
            f"{labels[row]}. Number the components from 0."
        )
    labels = np.ascontiguousarray(labels, dtype=np.int64)
    totals = np.bincount(labels, sample_weight, n_components)
    if not totals.all():
        raise ValueError(
            f"labels in init must give every component some weight; component "
            f"{int(np.argmin(totals))} has none. Use fewer components or other labels."
        )
    return labels


def given_start(
    init: GaussianMixture | NDArray[Any],
    rows: RowsPass,
    rule: MaximumLikelihood,
    centre: Floats,
    n_components: int,
    on_collapse: OnCollapse,
    scale: Floats,
) -> Outcome:
    """Return the parameters that `init`, checked, stands for, with what was done to get them.

    Parameters
    ----------
    init : GaussianMixture, or ndarray of shape (n_samples,) or (n_samples, n_components)
        A mixture, which is taken as it is; labels; or responsibilities.
    rows : RowsPass
    rule : MaximumLikelihood
    centre : ndarray of shape (n_features,)
        A point near the rows.
    n_components : int
    on_collapse : {"reseed", "drop", "raise"}
        What to do with a component that they leave without weight or a regular covariance.
    scale : ndarray of shape (n_features,)
        Standard deviations of the features.

    Returns
    -------
    Outcome
        Of no iterations.

    Raises
    ------
    FitError
        When a component collapses and `on_collapse` does not help.
    """
    events: list[Event] = []
    if isinstance(init, GaussianMixture):
        given = Parameters(init.weights, init.means, init.covariances, init.precisions_cholesky)
        return Outcome(given)
    centres = np.tile(centre, (n_components, 1))
    if init.ndim == 1:
        statistics = _label_statistics(rows, init, centres)
    else:
        statistics = rows.accumulate_resp(init, rows.accumulate_resp(init, centres).means())
    return Outcome(_maximised(rule, statistics, on_collapse, scale, events), events=events)


def _maximised(
    rule: MaximumLikelihood,
    statistics: Statistics,
    on_collapse: OnCollapse,
    scale: Floats,
    events: list[Event],
) -> Parameters:
    parameters, failed = rule.update(statistics)
    if not failed.any():
        return parameters
    return recover(rule, statistics, parameters, failed, 0, on_collapse, scale, events)
