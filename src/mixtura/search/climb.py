"""A climb from starts that are given: runs against each other, then moves on the best.

It is one chain (`mixtura.search.chain`) whose starts come from elsewhere, such as the fits of other
models to the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mixtura.algebra import Algebra
from mixtura.parameters import Parameters
from mixtura.schedules import EM
from mixtura.search.chain import Chain
from mixtura.search.contest import Contest
from mixtura.search.report import Record
from mixtura.shapes import Floats
from mixtura.updates import Update

__all__ = ["climb"]

MOST_STARTS = 3  # that are run: those that begin highest
MOST_RIVALS = 14  # of a start that was found by moves; most are soon given up


def climb(
    starts: Sequence[Parameters],
    em: EM,
    pair: Update | None,
    scale: Floats,
    by: Algebra,
    rng: np.random.Generator,
    *,
    moved: bool = False,
) -> Parameters:
    """Return the best parameters that starts and moves lead to.

    Parameters
    ----------
    starts : sequence of Parameters
        The most promising ones are run: those of highest objective.
    em : EM
        It must replace components that collapse.
    pair : Update or None
        The update for two components, which ranks moves; None for no moves.
    scale : ndarray of shape (n_features,)
        Units of the features.
    by : Algebra
    rng : Generator
        For random moves.
    moved : bool
        Whether the first start has ended a climb. If nothing is better, it is returned as it is.
        No moves are tried: they rarely lead to more than starts that others lend.

    Raises
    ------
    FitError
        When every start fails.
    SearchInterrupted
        On Ctrl-C after the first run.
    """
    record = Record()
    contest = Contest(em, scale, record)
    first = list(starts[:1]) if moved else []
    ordered = sorted(starts[len(first) :], key=lambda start: -_height(em, start))
    run = first + ordered[: MOST_RIVALS if moved else MOST_STARTS]
    chain = Chain(contest, iter(run), pair, record, scale, by, rng)
    chain.start()
    leader = chain.leader
    for _ in run[1:]:
        chain.start()
    if chain.leader is None:
        raise contest.failure
    if not moved:
        chain.move()
    return starts[0] if moved and chain.leader is leader else chain.leader.parameters


def _height(em: EM, start: Parameters) -> float:
    """The objective at a start; minus infinity where it is not a number."""
    seen, offset = em.update.as_seen(start)
    statistics = em.rows.accumulate(seen)
    weight_sum = statistics.weight_sum
    height = statistics.log_likelihood / weight_sum + offset
    height -= em.update.penalty(start, weight_sum)
    return height if math.isfinite(height) else -math.inf
