"""A climb from starts that are given: runs against each other, then moves on the best.

It is one chain (`mixtura.search.chain`) whose starts come from elsewhere, such as the fits of other
models to the same rows.
"""

from __future__ import annotations

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
        All with as many components; a run that loses one fails.
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
        Whether the first start was found by moves. If nothing is better, it is returned as it is,
        and no moves are tried.

    Raises
    ------
    FitError
        When every start fails.
    SearchInterrupted
        On Ctrl-C after the first run.
    """
    record = Record()
    least = len(starts[0].weights) if starts else 1
    contest = Contest(em, scale, record, least)
    chain = Chain(contest, iter(starts), pair, record, scale, by, rng)
    chain.start()
    first = chain.leader
    for _ in starts[1:]:
        chain.start()
    if chain.leader is None:
        raise contest.failure
    if moved and chain.leader is first:
        return starts[0]
    chain.move()
    return chain.leader.parameters
