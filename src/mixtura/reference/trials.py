"""Iterations from each of several beginnings, one after the other: how a search compares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mixtura.algebra import MStep
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["trials"]


def trials(
    rows: Any,
    em: str,
    step: MStep,
    starts: Any,
    n_iter: Sequence[int],
    n_threads: int | None,
) -> tuple[Floats, Callable[[int], Statistics]]:
    """Make iterations from each of several statistics.

    Parameters
    ----------
    rows : Rows
    em : str
    step : MStep
        One that needs no covariances to begin with.
    starts : Starts
        Statistics about the means.
    n_iter : sequence of int
        Iterations from each of them, one at least.
    n_threads : int or None

    Returns
    -------
    log_likelihood : ndarray of shape (n_starts,), nats
        Under the parameters after the iterations, with the step's ridge; NaN where a component had
        none.
    statistics : callable
        From the place of a start to the statistics under them.
    """
    ends = [
        _end(rows, em, step, starts.statistics(place), n, n_threads)
        for place, n in enumerate(n_iter)
    ]
    found = [np.nan if end is None else end.log_likelihood for end in ends]
    reached: Any = ends.__getitem__
    return np.array(found), reached


def _end(
    rows: Any, em: str, step: MStep, begin: Statistics, n: int, n_threads: int | None
) -> Statistics | None:
    """The statistics after some iterations; None where a component has no parameters."""
    statistics, previous = begin, None
    for _ in range(n):
        found = step.maximise(statistics, previous)
        if found is None:
            return None
        constants = step.log_weights(found.weights, found.precisions_cholesky)
        statistics = rows.accumulate(em, found.seen(constants), n_threads)
        previous = found.covariances
    return statistics
