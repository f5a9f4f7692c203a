"""Random swaps: a component is taken from where it is, and put anywhere else.

Nothing is estimated before. So moves are found that no estimate would rank high [1]_ [2]_.

.. [1] P. Fränti, "Efficiency of random swap clustering", Journal of Big Data 5, 13, 2018.
.. [2] Q. Zhao, V. Hautamäki, I. Kärkkäinen, P. Fränti, "Random swap EM algorithm for Gaussian
   mixture models", Pattern Recognition Letters 33, 2120-2126, 2012.
"""

from __future__ import annotations

import numpy as np

from mixtura.algebra import Algebra
from mixtura.data import RowSource, draw_rows
from mixtura.schedules import Outcome
from mixtura.schedules.changes import placed
from mixtura.search.losses import ward
from mixtura.search.moves import spared, without
from mixtura.search.splits import cut
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["swapped"]

SPREADS = (0.2, 1.0)  # scatter of a component about a row, in pooled ones
WEIGHTS = (0.3, 1.0)  # of such a component, in average ones


def swapped(
    outcome: Outcome,
    source: RowSource,
    scale: Floats,
    by: Algebra,
    rng: np.random.Generator,
    *,
    splits: bool,
) -> Statistics:
    """Return the statistics after a random swap.

    Parameters
    ----------
    outcome : Outcome
        With two components or more.
    source : RowSource
        The rows of which it is an outcome.
    scale : ndarray of shape (n_features,)
        Units of the features.
    by : Algebra
    rng : Generator
    splits : bool
        Whether the component is put beside another, by halving one drawn by weight; else about a
        row drawn by weight.
    """
    assert outcome.statistics is not None
    statistics = outcome.statistics.centred()
    k, total = len(statistics.resp_sum), float(statistics.resp_sum.sum())
    able = np.flatnonzero(spared(statistics))
    freed, merges = int(able[rng.integers(len(able))]), bool(rng.integers(2))
    into = int(np.argmin(ward(statistics, scale)[freed])) if merges else None
    left = without(statistics, freed, into)
    if splits:
        donor = int(draw_rows(left.resp_sum, 1, rng)[0])
        return cut(left, donor, freed, scale, by)
    weight = source.weights()
    row = draw_rows(np.ones(source.n_samples) if weight is None else weight, 1, rng)
    spread, share = SPREADS[rng.integers(2)], WEIGHTS[rng.integers(2)]
    return placed(left, freed, source.take(row)[0], share * total / k, spread)
