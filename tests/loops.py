"""The loop put together by hand, for the tests of passes, updates and schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import Event, GaussianMixture, Statistics
from mixtura.covariance import FAMILIES
from mixtura.data import ArrayRows, Block, middle_of
from mixtura.parameters import Parameters, Seen
from mixtura.passes import Backend, Pass, RowsPass
from mixtura.schedules import EM, Plain, Point, Schedule
from mixtura.shapes import Floats
from mixtura.starts.seeding import Metric, standardised
from mixtura.updates import Collapse, OnCollapse, Ridge

ONE_THREAD = Backend(n_threads=1)


def parameters_of(model: GaussianMixture) -> Parameters:
    arrays = model.weights, model.means, model.covariances, model.precisions_cholesky
    return Parameters(*arrays, FAMILIES[model.covariance_type].shape)


def mixture_of(parameters: Parameters, covariance_type: str) -> GaussianMixture:
    return GaussianMixture(*parameters[:3], covariance_type)


def at(objective: float, statistics: Any = None) -> Point:
    """A point for schedules that look at nothing else."""
    no_parameters: Any = None
    return Point(no_parameters, statistics, objective)


def never(_: Statistics) -> None:
    raise AssertionError("this schedule does not look ahead")


def em_on(
    X: NDArray[Any],
    covariance_type: str = "full",
    schedule: Schedule | None = None,
    *,
    sample_weight: Floats | None = None,
    ridge: Floats | float = 0.0,
    em: str = "soft",
    on_collapse: OnCollapse = "reseed",
    backend: Backend = ONE_THREAD,
) -> EM:
    """The loop on all rows; plain iterations without end, unless a schedule is given."""
    family, d = FAMILIES[covariance_type], X.shape[1]
    present = X if sample_weight is None else X[sample_weight > 0.0]
    return EM(
        RowsPass(ArrayRows(X, sample_weight), family.shape, backend, em=em),
        Ridge(family, np.broadcast_to(ridge, d), backend.algebra),
        Plain(0.0) if schedule is None else schedule,
        Collapse(on_collapse, present.std(axis=0), backend.algebra),
    )


def largest_fall(history: Sequence[float], events: Iterable[Event]) -> float:
    """By how much the objective falls at most, but for iterations in which something collapsed."""
    named = {event.iteration for event in events}
    falls = [
        before - after for i, (before, after) in enumerate(pairwise(history)) if i + 2 not in named
    ]
    return max(falls, default=0.0)


def start_of(em: EM, labels: NDArray[np.int64]) -> Parameters:
    """The parameters that follow from labels by the loop's own update."""
    rows: Any = em.rows
    centres = np.zeros((labels.max() + 1, rows.source.n_features))
    statistics = rows.given(labels, rows.given(labels, centres).means())
    return em.update.update(statistics)[0]


@dataclass
class Watched:
    """A pass that keeps what it was shown and what it returned."""

    inner: Pass
    seen: list[Seen] = field(default_factory=list)
    returned: list[Statistics] = field(default_factory=list)

    def follow(self, *_: object) -> None:
        return None

    def accumulate(self, seen: Seen) -> Statistics:
        self.seen.append(seen)
        self.returned.append(self.inner.accumulate(seen))
        return self.returned[-1]


class ReadRows(ArrayRows):
    """Rows that are read anew whenever they are needed; Ctrl-C may come during one reading."""

    in_memory = False

    def __init__(self, X: Floats, interrupt_at: float = math.inf) -> None:
        super().__init__(X)
        self.n_readings, self.interrupt_at = 0, interrupt_at

    def blocks(self) -> Iterator[Block]:
        self.n_readings += 1
        if self.n_readings == self.interrupt_at:
            raise KeyboardInterrupt
        yield from super().blocks()


def in_units(X: Floats, weight: Floats, metric: Metric) -> Floats:
    """Rows as starts see them."""
    return standardised(X, weight, metric, middle_of(X, weight), ONE_THREAD.algebra)
