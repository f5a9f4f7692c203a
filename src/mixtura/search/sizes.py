"""Starts with one component more or fewer than a mixture has.

One more: a component is cut in two. One fewer: the component that is missed least is left out, or
merged with another. What that loses is estimated as for moves (`mixtura.search.moves`). What a cut
gains is not: ranks of cuts say no more of where they lead than the objective at the start.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixtura.algebra import Algebra
from mixtura.schedules import EM, Outcome
from mixtura.schedules.changes import reordered
from mixtura.search.losses import losses_of_deletion, losses_of_merging
from mixtura.search.moves import spared, without
from mixtura.search.shares import Shares
from mixtura.search.splits import cut
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["with_one_fewer", "with_one_more"]

MOST_LOSSES = 7


def with_one_more(statistics: Statistics, scale: Floats, by: Algebra) -> list[Statistics]:
    """Return statistics after a cut of each component across its widest direction.

    Parameters
    ----------
    statistics : Statistics
    scale : ndarray of shape (n_features,)
        Units of the features.
    by : Algebra

    Returns
    -------
    list of Statistics
        The last component is new.
    """
    about, k = statistics.centred(), len(statistics.resp_sum)
    return [
        cut(_with_an_empty_one(about, j), j, k, scale, by)
        for j in range(k)
        if about.resp_sum[j] > 0.0
    ]


def with_one_fewer(outcome: Outcome, em: EM, scale: Floats, by: Algebra) -> list[Statistics]:
    """Return statistics without a component, those that lose least first.

    Parameters
    ----------
    outcome : Outcome
        With its statistics, and with two components or more.
    em : EM
        Of which it is the outcome.
    scale : ndarray of shape (n_features,)
        Units of the features.
    by : Algebra

    Returns
    -------
    list of Statistics
        The others keep their order.
    """
    assert outcome.statistics is not None
    statistics = outcome.statistics.centred()
    shares, k = Shares(outcome, em), len(statistics.resp_sum)
    deleted = losses_of_deletion(shares, outcome.parameters.weights)
    deleted[~spared(statistics)] = np.inf
    merging = losses_of_merging(statistics, shares, scale, by)
    losses: dict[tuple[int, int | None], float] = {(j, None): deleted[j] for j in range(k)}
    for j, (partners, lost) in enumerate(zip(merging.partner, merging.loss, strict=True)):
        for into, loss in zip(partners.tolist(), lost, strict=True):
            losses[min(j, into), max(j, into)] = loss  # the same from either side
    ways = sorted((way for way in losses if np.isfinite(losses[way])), key=losses.__getitem__)
    return [
        reordered(without(statistics, freed, into), np.delete(np.arange(k), freed))
        for freed, into in ways[:MOST_LOSSES]
    ]


def _with_an_empty_one(statistics: Statistics, component: int) -> Statistics:
    """The statistics with another component without rows, at the centre of one that is there."""
    more = reordered(statistics, np.append(np.arange(len(statistics.resp_sum)), component))
    resp_sum, resp_x, resp_xx = more.resp_sum.copy(), more.resp_x.copy(), more.resp_xx.copy()
    resp_sum[-1], resp_x[-1] = 0.0, 0.0
    if not more.shape.is_shared:
        resp_xx[-1] = 0.0
    return replace(more, resp_sum=resp_sum, resp_x=resp_x, resp_xx=resp_xx)
