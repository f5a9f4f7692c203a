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
from mixtura.schedules import EM, Outcome
from mixtura.search.alike import are_alike
from mixtura.search.chain import Chain
from mixtura.search.contest import Contest
from mixtura.search.report import Record
from mixtura.shapes import Floats
from mixtura.updates import Update

__all__ = ["climb"]

MOST_FAILURES = 6  # of ranked moves in a row, where moves are insisted on
MOST_STARTS = 3  # that are run: those that begin highest
MOST_RIVALS = 24  # of a start that has ended a climb; most are soon given up
FAR = 0.5  # nats per row and feature; rivals that begin lower do not lead


def climb(
    starts: Sequence[Parameters],
    em: EM,
    pair: Update | None,
    scale: Floats,
    by: Algebra,
    rng: np.random.Generator,
    *,
    moved: bool = False,
    insists: bool = False,
    is_end: bool = False,
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
        Whether the first start has ended a climb. If nothing is better, it is returned as it is,
        and no moves are tried.
    insists : bool
        Whether more moves than elsewhere are tried in any case.
    is_end : bool
        Whether that climb was on the rows of `em`. Else it goes on there first.

    Raises
    ------
    FitError
        When every start fails.
    SearchInterrupted
        On Ctrl-C after the first run.
    """
    record = Record()
    contest = Contest(em, scale, record)
    leader: Outcome | None = None
    if moved:
        leader = _end(em, starts[0]) if is_end else _run(contest, starts[0])
    if leader is None:
        heights = [_height(em, start) for start in starts]
        order = np.argsort(-np.array(heights), kind="stable")
        run = [starts[i] for i in order[:MOST_STARTS]]
    else:
        contest.leader = leader
        run = _rivals(leader, em, starts[1:], scale)
    chain = Chain(contest, iter(run), pair, record, scale, by, rng)
    for _ in run:
        chain.start()
    if chain.leader is None:
        raise contest.failure
    if insists:
        chain.move(failures=MOST_FAILURES)
    elif not moved:
        chain.move()
    return starts[0] if chain.leader is leader else chain.leader.parameters


def _end(em: EM, parameters: Parameters) -> Outcome:
    """The outcome of a run that ends where it begins."""
    end = _looked_at(em, parameters)
    em.judge(end)
    return end


def _run(contest: Contest, start: Parameters) -> Outcome | None:
    """The outcome of a run; None where it fails."""
    contest.run(start)
    return contest.leader


def _rivals(
    leader: Outcome, em: EM, starts: Sequence[Parameters], scale: Floats
) -> list[Parameters]:
    """The starts that may lead to more, the highest first."""
    least = leader.objective - FAR * len(scale)
    heights = [_height(em, start) for start in starts]
    rivals: list[Parameters] = []
    for i in np.argsort(-np.array(heights), kind="stable").tolist():
        if heights[i] < least or len(rivals) == MOST_RIVALS:
            break
        if not are_alike(leader.parameters, starts[i], scale):
            rivals.append(starts[i])
    return rivals


def _looked_at(em: EM, start: Parameters) -> Outcome:
    """A start, its statistics and its objective."""
    seen, offset = em.update.as_seen(start)
    statistics = em.rows.accumulate(seen)
    height = statistics.log_likelihood / statistics.weight_sum + offset
    height -= em.update.penalty(start, statistics.weight_sum)
    return Outcome(start, height, statistics=statistics)


def _height(em: EM, start: Parameters) -> float:
    """The objective at a start; minus infinity where it is not a number."""
    height = _looked_at(em, start).objective
    return height if math.isfinite(height) else -math.inf
