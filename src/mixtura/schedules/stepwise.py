"""Stepwise EM: running statistics that follow the rows of a stream, one batch after the other.

Rows come by once, so their statistics cannot be summed again under new parameters. Instead, running
statistics of total weight one move towards those of each batch [1]_ [2]_::

    running = (1 - share) running + share batch / weight of the batch

The share is measured in weight of rows, not in batches. With u the weight of all rows so far, and
U that of the rows of the start, rows of weight du get ``du / memory(u)``, where ::

    memory(u) = U (u / U)^power,     0.5 < power <= 1

A batch of weight w then gets ``1 - exp(-integral from u to u + w of du / memory(u))``. Two halves
of a batch take as much from the past as the whole batch does. When batches are as large as the
start, and t have passed, the share is about ``t^-power``, the rule of both papers. With power 1 all
rows count alike. A smaller power forgets sooner what rows said under the parameters of long ago.
Where rows drift, the memory is bounded: then the past loses half its weight in each `half_life`.

.. [1] O. Cappe, E. Moulines, "On-line expectation-maximization algorithm for latent data models",
   Journal of the Royal Statistical Society B 71, 593-613, 2009, equation (13).
.. [2] P. Liang, D. Klein, "Online EM for unsupervised models", NAACL 2009, section 2.3.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import NOTHING, Parameters
from mixtura.schedules.changes import reordered
from mixtura.statistics import Statistics

__all__ = ["StepRule", "interpolated", "lost_components", "mixed", "renewed", "selected"]

LEAST_ROWS = 0.01  # average rows in a component; one with less has no rows of its own


class StepRule(NamedTuple):
    """How much of the running statistics a batch replaces.

    Attributes
    ----------
    power : float
        Of the weight so far, to which the memory grows; above 0.5, at most 1.
    unit : float
        Weight of the rows of the start.
    half_life : float
        Weight of rows in which the past loses half its weight, at least; inf for no bound.
    """

    power: float
    unit: float
    half_life: float = math.inf

    @property
    def longest(self) -> float:
        """The bound on the memory."""
        return self.half_life / math.log(2.0)

    def memory(self, weight: float) -> float:
        """Return the weight of the rows that count, after rows of some weight."""
        grown: float = self.unit * (weight / self.unit) ** self.power
        return min(grown, self.longest)

    def share(self, before: float, weight: float) -> float:
        """Return the share of a batch in the running statistics, between 0 and 1.

        Parameters
        ----------
        before : float
            Weight of all rows before the batch.
        weight : float
            That of the batch.
        """
        # From this weight of rows on, the memory is bounded.
        try:
            bound = self.unit * (self.longest / self.unit) ** (1.0 / self.power)
        except OverflowError:
            bound = math.inf
        growing = min(max(bound - before, 0.0), weight)
        length = (weight - growing) / self.longest
        grown = math.log1p(growing / before)
        if self.power == 1.0:
            length += grown
        else:
            rest = 1.0 - self.power
            length += (before / self.unit) ** rest * math.expm1(rest * grown) / rest
        return -math.expm1(-length)

    def counted(self, weight: float, batch: float) -> float:
        """Return the weight of the rows for which the running statistics stand.

        It is that of all rows so far. Where the memory is bounded, it is no more than the bound, or
        than the last batch.

        Parameters
        ----------
        weight : float
            Weight of all rows, those of the last batch among them.
        batch : float
            That of the last batch.
        """
        return min(weight, max(self.longest, batch))

    def row_share(self, weight: float, batch: float, rows_per_weight: float) -> float:
        """Return the share of an average row in the running statistics.

        Parameters
        ----------
        weight : float
            Weight of all rows, those of the last batch among them.
        batch : float
            That of the last batch.
        rows_per_weight : float
            Number of rows divided by their weight, in the memory: mixed like the statistics.
        """
        return 1.0 / (rows_per_weight * max(self.memory(weight), batch))


def mixed(running: float, batch: float, share: float) -> float:
    """Return a running mean per row that has moved towards that of a batch."""
    return share * batch + (1.0 - share) * running


def lost_components(running: Statistics, row_share: float) -> NDArray[np.bool_]:
    """Return which components have no rows of their own any more, shape (n_components,).

    Parameters
    ----------
    running : Statistics
        Of total weight one.
    row_share : float
        The share of an average row.
    """
    share = running.resp_sum
    # Somebody has to be left.
    lost: NDArray[np.bool_] = (share < LEAST_ROWS * row_share) & (share < share.max())
    return lost


def interpolated(running: Statistics, batch: Statistics, share: float) -> Statistics:
    """Return running statistics of total weight one that have moved towards those of a batch.

    Parameters
    ----------
    running : Statistics
    batch : Statistics
        Of any weight.
    share : float
        Of the batch, between 0 and 1.

    Returns
    -------
    Statistics
        About the centres of the batch, without extras, which depend on the form of its rows.
    """
    part = replace(batch, log_likelihood=0.0, extras=NOTHING)
    return part.scaled(share / batch.weight_sum) + running.scaled(1.0 - share)


def selected(statistics: Statistics, components: NDArray[np.intp]) -> Statistics:
    """Return the statistics of some components, in this order; of no log-likelihood."""
    return replace(reordered(statistics, components), log_likelihood=0.0, extras=NOTHING)


def renewed(statistics: Statistics, parameters: Parameters, mask: NDArray[np.bool_]) -> Statistics:
    """Return statistics from which, for some components, these parameters follow.

    Parameters
    ----------
    statistics : Statistics
    parameters : Parameters
    mask : ndarray of shape (n_components,), bool
        The components whose statistics are replaced. A scatter that all components share stays.

    Returns
    -------
    Statistics
        Of total weight one.
    """
    shape, (k, d) = statistics.shape, parameters.means.shape
    statistics = statistics.recentred(np.where(mask[:, None], parameters.means, statistics.centres))
    resp_xx = statistics.resp_xx
    if not shape.is_shared:
        # A spherical scatter is summed over features, a variance is their mean.
        each = shape.per_feature(np.ones(shape.array_shape(k, d)), d)
        column = (-1, *(1,) * (resp_xx.ndim - 1))
        own = parameters.weights.reshape(column) * parameters.covariances / each
        resp_xx = np.where(mask.reshape(column), own, resp_xx)
    resp_sum = np.where(mask, parameters.weights, statistics.resp_sum)
    total = resp_sum.sum()
    return replace(
        statistics,
        resp_sum=resp_sum / total,
        resp_x=np.where(mask[:, None], 0.0, statistics.resp_x) / total,
        resp_xx=resp_xx / total,
        weight_sum=1.0,
    )
