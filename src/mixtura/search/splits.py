"""What splitting a component gains: a few iterations with two on the rows of the one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mixtura.algebra import Algebra
from mixtura.data import ArrayRows
from mixtura.exceptions import FitError
from mixtura.passes import RowsPass
from mixtura.schedules import EM, Outcome, Plain
from mixtura.schedules.changes import alone, split
from mixtura.search.shares import Shares
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates import Collapse, Update

__all__ = ["Split", "best_split", "cut"]

LOOKS = 1  # iterations from each cut: more rank moves no better
LEAST_ROWS = 4
APART = 0.8  # deviations from the middle to the mean of either half
HALO = 1.7  # times the average scatter, for the outer of two parts with one mean


class Split(NamedTuple):
    """Two parts of a component.

    Attributes
    ----------
    gain : float, nats
        Of the log-likelihood of the component's rows.
    component : int
    halves : Statistics
        Of the parts.
    """

    gain: float
    component: int
    halves: Statistics


def best_split(
    outcome: Outcome,
    component: int,
    shares: Shares,
    pair: Update,
    scale: Floats,
    by: Algebra,
) -> Split | None:
    """Return how a component is best split; None where it cannot be.

    Parameters
    ----------
    outcome : Outcome
    component : int
    shares : Shares
        Of the rows in the components.
    pair : Update
        For two components.
    scale : ndarray of shape (n_features,)
        Units of the features.
    by : Algebra

    Notes
    -----
    It costs a few passes over the rows in which the component has a share. Where covariances are
    shared, each part has the shared one at first.
    """
    own = shares.rows_of(component)
    assert outcome.statistics is not None
    if own.n_samples < LEAST_ROWS or outcome.statistics.resp_sum[component] <= 0.0:
        return None
    parameters = outcome.parameters
    one = parameters.select(np.array([component]))
    twice = one.select(np.zeros(2, dtype=np.intp))
    rows = RowsPass(own, parameters.shape, shares.backend)
    em = EM(rows, pair, Plain(0.0), Collapse("drop", scale, by))
    both = alone(outcome.statistics, component)
    deviations = _deviations(both, 0, scale, by)
    # Two halves that are equal: what the component reaches alone, if its volume, shape or
    # orientation need not be those of others.
    whole, failed = pair.update(split(both, 0, 1, 0.0 * deviations[0]), twice)
    if failed.any():
        return None
    before = rows.accumulate(whole.seen()).log_likelihood
    best: Split | None = None
    for cut_in_two in _cuts(both, own, deviations, parameters.means[component], by):
        start, failed = pair.update(cut_in_two, twice)
        if failed.any():
            continue
        try:
            end = em.run(start, LOOKS)
        except FitError:
            continue
        if end.stop_reason == "interrupted":
            raise KeyboardInterrupt
        if len(end.parameters.weights) == 2 and end.statistics is not None:
            gain = end.statistics.log_likelihood - before
            if best is None or gain > best.gain:
                best = Split(gain, component, end.statistics)
    return best


def cut(
    statistics: Statistics, component: int, other: int, scale: Floats, by: Algebra
) -> Statistics:
    """Return the statistics with a component cut across its widest direction."""
    deviations = _deviations(statistics.centred(), component, scale, by)
    return split(statistics, component, other, APART * deviations[0])


def _deviations(statistics: Statistics, component: int, scale: Floats, by: Algebra) -> Floats:
    """Deviations of the rows of a component along their axes; of all rows where scatter is shared.

    They are not those of its covariance, which may be wider where families restrict it.
    """
    shape, d = statistics.shape, statistics.centres.shape[1]
    if shape.is_shared:
        own = statistics.resp_xx / statistics.resp_sum.sum()
    else:
        own = statistics.resp_xx[component : component + 1] / statistics.resp_sum[component]
    return shape.deviations(shape.per_feature(own, d), 0, scale, by)


def _cuts(
    both: Statistics, own: ArrayRows, deviations: Floats, mean: Floats, by: Algebra
) -> Iterator[Statistics]:
    """Yield statistics of two halves side by side, across two axes, and of a core and its halo."""
    yield split(both, 0, 1, APART * deviations[0])
    if own.form == "whole" and (axis := _most_bimodal(own, deviations, mean, by)):
        yield split(both, 0, 1, APART * deviations[axis])
    if not both.shape.is_shared:
        yield split(both, 0, 1, 0.0 * deviations[0], HALO)


def _most_bimodal(own: ArrayRows, deviations: Floats, mean: Floats, by: Algebra) -> int:
    """The axis along which rows have the least kurtosis: two clusters side by side have little."""
    lengths = np.square(deviations).sum(axis=1, keepdims=True)
    along = deviations / np.maximum(lengths, np.finfo(np.float64).tiny)
    squares = np.square(by.multiply((own.X - mean)[None], along.T[None])[0])
    weight = own.sample_weight
    assert weight is not None
    second, fourth = (np.einsum("i,ia->a", weight, each) for each in (squares, squares * squares))
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = weight.sum() * fourth / np.square(second)
    return int(np.argmin(np.where(np.isfinite(kurtosis), kurtosis, np.inf)))
