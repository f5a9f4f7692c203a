"""Parameters that stay as the starting mixture has them, while the others are estimated.

The inner update is called with changed statistics, and its result is corrected:

- The scatter of a component with a fixed mean is taken about that mean, and so is that of a prior.
- A fixed covariance replaces the one that was estimated. The ridge is for covariances that are
  estimated: it does not count against fixed ones.
- The components whose weights are free share what the fixed weights leave, in proportion to their
  rows, and to those that a prior adds.

Each maximises the expected objective over what is free, so the objective never falls.

A component with a fixed mean or covariance is held: nothing replaces or drops it. What cannot be
estimated of it stays as it was, which does not lower the objective either. (Where a family shares
parts, a component without rows gets the covariance of the heaviest.) It may end with weight zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import MStep
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates.collapse import Collapse, Event
from mixtura.updates.protocol import Mask, Update

__all__ = ["CollapseBesideFixed", "Fixed"]


class Fixed:
    """Another update, for those parameters that are free.

    Parameters
    ----------
    inner : Update
    start : Parameters
        Have the values of the fixed parameters.
    fixed : ndarray of shape (3, n_components), bool
        Which weights, means and covariances are fixed.
    shared : bool
        Whether covariances have parts in common. Then all or none are fixed.
    """

    m_step: MStep | None = None

    def __init__(self, inner: Update, start: Parameters, fixed: Mask, *, shared: bool) -> None:
        self._start, self._fixed, self._shared = start, fixed, shared
        self._weights, self._means, self._covariances = fixed
        self._inner = inner.given_means(start.means, self._means) if self._means.any() else inner

    @property
    def fixed_weights(self) -> Mask:
        """The components whose weights are fixed."""
        weights: Mask = self._weights
        return weights

    @property
    def held(self) -> Mask:
        """The components that are neither replaced nor dropped."""
        held: Mask = self._means | self._covariances
        return held

    def update(
        self, statistics: Statistics, previous: Parameters | None = None
    ) -> tuple[Parameters, Mask]:
        previous = self._start if previous is None else previous
        estimated, failed = self._estimated(statistics, previous)
        stuck = self.held & failed
        if stuck.any():
            # In a family that shares parts, one covariance cannot stay without the others.
            same = np.ones_like(stuck) if self._shared else stuck
            estimated = _with(estimated, previous, stuck, same)
            # Where all covariances stayed, only components without weight still fail.
            failed = failed & ~self.held & ((statistics.resp_sum <= 0.0) | ~same)
        return self.imposed(estimated), failed

    def imposed(self, parameters: Parameters) -> Parameters:
        """Return the parameters with the fixed ones as they were."""
        weights = np.where(self._weights, self._start.weights, parameters.weights)
        free = ~self._weights
        if free.any() and not free.all():
            left, total = 1.0 - weights[self._weights].sum(), weights[free].sum()
            weights[free] = left * (weights[free] / total if total > 0.0 else 1.0 / free.sum())
        return _with(
            parameters._replace(weights=weights), self._start, self._means, self._covariances
        )

    def stuck(self, statistics: Statistics, parameters: Parameters) -> Mask:
        """Return the held components that an update cannot estimate."""
        return self.held & self._estimated(statistics, parameters)[1]

    def as_seen(self, parameters: Parameters) -> tuple[Seen, float]:
        seen, offset = self._inner.as_seen(parameters)
        own = parameters.seen().log_weights
        return (
            seen._replace(log_weights=np.where(self._covariances, own, seen.log_weights)),
            offset,
        )

    def as_plain(self, parameters: Parameters) -> Seen:
        return self._inner.as_plain(parameters)

    def penalty(self, parameters: Parameters, weight_sum: float) -> float:
        return self._inner.penalty(parameters, weight_sum)

    def blurred(self, parameters: Parameters) -> list[int]:
        return [j for j in self._inner.blurred(parameters) if not self._covariances[j]]

    def given_means(self, means: Floats, fixed: Mask) -> Update:
        inner = self._inner.given_means(means, fixed)
        return Fixed(inner, self._start, self._fixed, shared=self._shared)

    def select(self, components: NDArray[np.intp]) -> Update:
        if len(components) == len(self.held):
            return self
        fixed, weights = self._fixed[:, components], self._start.weights[components]
        start = self._start.select(components)
        if not fixed[0].all():  # fixed weights alone have to sum to one
            start = start._replace(weights=weights)
        return Fixed(self._inner.select(components), start, fixed, shared=self._shared)

    def explain(
        self,
        statistics: Statistics,
        parameters: Parameters,
        failed: Mask,
        iteration: int,
        scale: Floats,
    ) -> str:
        return self._inner.explain(statistics, parameters, failed, iteration, scale)

    def _estimated(self, statistics: Statistics, previous: Parameters) -> tuple[Parameters, Mask]:
        """Return means, and covariances about them, and which components have none."""
        fixed = self._means[:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            about = statistics.recentred(np.where(fixed, self._start.means, statistics.centres))
        # Where the weighted sum is zero, the inner update takes the centre for the mean.
        about = replace(about, resp_x=np.where(fixed, 0.0, about.resp_x))
        estimated, failed = self._inner.update(about, previous)
        if self._shared:
            estimated, failed = self._with_lost(estimated, failed, statistics.resp_sum)
        return estimated, failed & ~self._covariances  # those are sound, whatever the rows are

    def _with_lost(
        self, estimated: Parameters, failed: Mask, resp_sum: Floats
    ) -> tuple[Parameters, Mask]:
        """Give held components without rows the covariance of the heaviest, as shared parts ask."""
        lost, heaviest = self.held & failed & (resp_sum <= 0.0), int(np.argmax(resp_sum))
        if failed[heaviest] or not lost.any():
            return estimated, failed
        origin = np.where(lost, heaviest, np.arange(len(lost)))
        covariances, factors = (estimated.shape.select(part, origin) for part in estimated[2:4])
        given = estimated._replace(covariances=covariances, precisions_cholesky=factors)
        return given, failed & ~lost


@dataclass(frozen=True, eq=False)
class CollapseBesideFixed(Collapse):
    """What is done with components that fail, while fixed parameters stay."""

    def recover(
        self,
        update: Update,
        statistics: Statistics,
        parameters: Parameters,
        failed: Mask,
        iteration: int,
        events: list[Event],
    ) -> tuple[Parameters, NDArray[np.intp]]:
        recovered, kept = super().recover(update, statistics, parameters, failed, iteration, events)
        left = update.select(kept)
        assert isinstance(left, Fixed)
        return left.imposed(recovered), kept


def _with(one: Parameters, other: Parameters, means: Mask, covariances: Mask) -> Parameters:
    """Return one mixture with some means and covariances of another."""
    if one.shape.is_shared:
        chosen = np.asarray(covariances.all())
    else:
        chosen = covariances.reshape((-1,) + (1,) * (one.covariances.ndim - 1))
    return Parameters(
        one.weights,
        np.where(means[:, None], other.means, one.means),
        np.where(chosen, other.covariances, one.covariances),
        np.where(chosen, other.precisions_cholesky, one.precisions_cholesky),
        one.shape,
    )
