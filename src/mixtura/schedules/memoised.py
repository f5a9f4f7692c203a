"""Memoised iterations: an update after each block of the rows, whose statistics are remembered.

Each block keeps its statistics. When its turn comes, its old ones are replaced by those under the
parameters of now, and the update follows from the sum over all blocks. This is incremental EM [1]_,
and with the update of variational Bayes it is memoised variational inference [2]_. An iteration is
one pass over all blocks, in order.

The objective is exact. With q the responsibilities behind the statistics that are kept, whatever
parameters they were made under, it is the free energy ::

    F(q, parameters) = expected log-likelihood of rows and labels + entropy of q

plus the offset and minus the penalty of the update. The first term is linear in the sum of the
statistics (`expected_log_joint`). The entropy of a block is what its log-likelihood was above its
own expected log-likelihood, both under the parameters that its pass saw. Each block and each update
raise F, so it never falls; where it cannot be raised, it is the objective of ordinary iterations.
Where numbers are missing or noisy, q is a law of the whole ones too, and its entropy is in the
difference as well.

In the first iteration the blocks so far stand for all rows: an update looks at shares, not sums.
So blocks should be alike; `mixtura.data.interleaved` cuts arrays in such a way.

Old statistics are not subtracted: the sum of those of later blocks is kept, and the new ones are
added up beside it. So rounding errors do not pile up, and no weight becomes negative. Memory is
twice the statistics of each block.

.. [1] R. M. Neal, G. E. Hinton, "A view of the EM algorithm that justifies incremental, sparse, and
   other variants", Learning in Graphical Models, 355-368, 1998.
.. [2] M. C. Hughes, E. B. Sudderth, "Memoized online variational inference for Dirichlet process
   mixture models", NIPS 2013.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from mixtura.algebra import Algebra
from mixtura.parameters import NOTHING, Parameters, Seen
from mixtura.schedules.loop import Outcome, State, calls_to_stop
from mixtura.schedules.plain import Plain
from mixtura.schedules.protocol import Point
from mixtura.statistics import Statistics
from mixtura.updates import Collapse, Guard, Update, components_left

__all__ = ["BlockPass", "Memoised", "expected_log_joint"]


class BlockPass(Protocol):
    """What memoised iterations ask of a pass."""

    def each(self, seen: Callable[[], Seen]) -> Iterator[Statistics]:
        """Yield the statistics of each block, under what `seen` returns when its turn comes."""

    def accumulate(self, seen: Seen) -> Statistics:
        """Return the statistics of all rows under a mixture, about its means."""


class Kept(NamedTuple):
    """What is remembered of a block: its statistics, and the entropy of its responsibilities."""

    statistics: Statistics
    entropy: float


def expected_log_joint(statistics: Statistics, seen: Seen, by: Algebra) -> float:
    """Return the expected log-likelihood of rows and labels together, nats.

    Parameters
    ----------
    statistics : Statistics
        Of responsibilities that may have been made under any parameters.
    seen : Seen
        What a pass would evaluate: constants, means and precision factors.
    by : Algebra

    Returns
    -------
    float, nats
        ``sum_ij r_ij (constant_j + log N(x_i | mean_j, covariance_j))``; a component without weight
        counts for nothing.
    """
    d = seen.means.shape[1]
    constants = seen.log_weights + seen.shape.log_dets(seen.precisions_cholesky, d)
    constants = np.where(statistics.resp_sum == 0.0, 0.0, constants)
    normal = 0.5 * d * math.log(2.0 * math.pi) * statistics.resp_sum.sum()
    scatter = statistics.recentred(seen.means).resp_xx
    distances = seen.shape.distances(seen.precisions_cholesky, scatter, by)
    return float(statistics.resp_sum @ constants - normal - 0.5 * distances)


@dataclass(frozen=True, eq=False)
class Memoised:
    """Iterations of an update after each block; takes the place of `EM`.

    Attributes
    ----------
    rows : BlockPass
        Turns parameters into the statistics of one block after the other.
    update : Update
    schedule : Plain
        Decides after each pass over all blocks.
    collapse : Collapse
        What is done with components that fail. What was remembered is forgotten then.
    algebra : Algebra
    guard : Guard or None
        Looks for spurious components in the end.
    """

    rows: BlockPass
    update: Update
    schedule: Plain
    collapse: Collapse
    algebra: Algebra
    guard: Guard | None = None

    def run(
        self,
        start: Parameters | Outcome,
        max_iter: int,
        *,
        callback: Callable[[State], object] | None = None,
        follow: Callable[[Outcome], object] | None = None,  # noqa: ARG002
        ahead: object = None,  # noqa: ARG002
    ) -> Outcome:
        """Iterate from `start`: see `EM.run`, whose arguments and errors it has.

        Returns
        -------
        Outcome
            Its history has the free energy. Its objective is that of ordinary iterations, which a
            last pass finds, and which is no lower.

        Notes
        -----
        n_iter + 1 passes. There is nothing to `follow`: what is remembered is not in the outcome.
        """
        outcome = start if isinstance(start, Outcome) else Outcome(start)
        outcome.stop_reason = "max_iter"
        left = components_left(outcome.events, len(outcome.parameters.weights))
        update = self.update.select(left)
        outcome.state = self.schedule.disturbed(None)
        try:
            kept = self._remembered(update, outcome)
            for iteration in range(len(outcome.history) + 1, max_iter + 1):
                sweep = _Sweep(self, update, outcome.parameters, kept)
                while sweep.failed.any():
                    update = self._recovered(sweep, iteration, outcome)
                    sweep = _Sweep(self, update, outcome.parameters, [])
                kept, point = sweep.kept, sweep.point
                outcome.state, _, finished = self.schedule.step(
                    outcome.state, point, _no_extrapolation
                )
                outcome.parameters, outcome.objective = point.parameters, point.objective
                outcome.history.append(point.objective)
                if callback is not None and calls_to_stop(callback, outcome):
                    outcome.stop_reason = "callback"
                    break
                if finished:
                    outcome.stop_reason = "converged"
                    break
            self._measure(update, outcome)
        except KeyboardInterrupt:
            outcome.stop_reason = "interrupted"
        if self.guard is not None:
            outcome.spurious = self.guard.spurious(outcome.parameters)
            outcome.few = self.guard.few(outcome.parameters)
        return outcome

    def _remembered(self, update: Update, outcome: Outcome) -> list[Kept]:
        """What is known of each block before the first iteration: nothing, unless one was made."""
        if not outcome.history:
            return []
        seen, _ = update.as_seen(outcome.parameters)
        return [_kept(block, seen, self.algebra) for block in self.rows.each(lambda: seen)]

    def _measure(self, update: Update, outcome: Outcome) -> None:
        """Make a pass over all rows under the parameters at the end."""
        seen, offset = update.as_seen(outcome.parameters)
        statistics = outcome.statistics = self.rows.accumulate(seen)
        weight = statistics.weight_sum
        penalty = update.penalty(outcome.parameters, weight)
        outcome.objective = statistics.log_likelihood / weight + offset - penalty

    def _recovered(self, sweep: _Sweep, iteration: int, outcome: Outcome) -> Update:
        """Replace or drop the components that failed; return the update for those that are left."""
        outcome.parameters, left = self.collapse.recover(
            sweep.update, sweep.whole, sweep.parameters, sweep.failed, iteration, outcome.events
        )
        outcome.state = self.schedule.disturbed(outcome.state)
        return sweep.update.select(left)


class _Sweep:
    """One pass over the blocks with an update after each, to the end or to a failure.

    Attributes
    ----------
    update : Update
    parameters : Parameters
        From the last update.
    failed : ndarray of shape (n_components,), bool
        Components that failed in it.
    kept : list of Kept
        What is remembered of each block now.
    whole : Statistics
        Their sum, and that of later blocks from before.
    """

    whole: Statistics

    def __init__(
        self, loop: Memoised, update: Update, parameters: Parameters, old: Sequence[Kept]
    ) -> None:
        self.update, self.parameters, self._by = update, parameters, loop.algebra
        self.failed = np.zeros(len(parameters.weights), dtype=bool)
        self.kept: list[Kept] = []
        # Parameters to begin with need not have come from an update.
        self._seen = update.as_seen(parameters)[0] if old else update.as_plain(parameters)
        later = _sums_of_later([each.statistics for each in old])
        so_far: Statistics | None = None
        for b, block in enumerate(loop.rows.each(lambda: self._seen)):
            self.kept.append(_kept(block, self._seen, self._by))
            part = self.kept[-1].statistics
            so_far = part if so_far is None else part + so_far
            self.whole = so_far + later[b] if b < len(later) else so_far
            self.parameters, self.failed = update.update(self.whole, self.parameters)
            if self.failed.any():
                break
            self._seen, self._offset = update.as_seen(self.parameters)

    @property
    def point(self) -> Point:
        """Where the fit is after the sweep."""
        weight = self.whole.weight_sum
        joint = expected_log_joint(self.whole, self._seen, self._by)
        free_energy = joint + math.fsum(each.entropy for each in self.kept)
        penalty = self.update.penalty(self.parameters, weight)
        objective = free_energy / weight + self._offset - penalty
        return Point(self.parameters, self.whole, objective)


def _kept(block: Statistics, seen: Seen, by: Algebra) -> Kept:
    """What is remembered of a block after a pass."""
    statistics = replace(block, extras=NOTHING)
    return Kept(statistics, block.log_likelihood - expected_log_joint(statistics, seen, by))


def _no_extrapolation(statistics: Statistics) -> None:
    """No pass can be made from statistics of a schedule's own."""


def _sums_of_later(parts: Sequence[Statistics]) -> list[Statistics]:
    """For each part but the last, the sum of those after it."""
    sums: list[Statistics] = []
    for part in reversed(parts[1:]):
        sums.append(part + sums[-1] if sums else part)
    return sums[::-1]
