"""Random swaps: a component is taken from where it is and put elsewhere."""

from __future__ import annotations

import numpy as np

from mixtura.data.sampling import draw_rows
from mixtura.schedules.changes import emptied, merged, placed, split
from mixtura.statistics import Statistics


def nearest(statistics: Statistics, j: int, scale) -> int:
    means = statistics.means() / scale
    n = statistics.resp_sum
    ward = n * n[j] / (n + n[j]) * np.square(means - means[j]).sum(axis=1)
    ward[j] = np.inf
    return int(np.argmin(ward))


def freed(statistics, j, scale, rng):
    if len(statistics.resp_sum) > 1 and rng.random() < 0.5:
        return merged(statistics, nearest(statistics, j, scale), j)
    return emptied(statistics, j)


def swapped(outcome, source, weight, scale, by, rng, i, info=None):
    info = {} if info is None else info
    statistics = outcome.statistics.centred()
    k = len(statistics.resp_sum)
    n = statistics.resp_sum.sum()
    j = int(rng.integers(k))
    a = statistics.resp_sum[j] / n
    s = freed(statistics, j, scale, rng)
    info.update(wj=a * k, merged=not np.array_equal(s.centres, statistics.centres))
    if i % 2 == 0:
        h = int(draw_rows(s.resp_sum, 1, rng)[0])
        dev = outcome.parameters.shape.widest(outcome.parameters.covariances, h, scale, by)
        info.update(kind="split", wh=s.resp_sum[h] / n * k)
        return split(s, h, j, 0.8 * dev)
    row = source.take(draw_rows(weight, 1, rng))[0]
    spread = (0.2, 1.0)[int(rng.integers(2))]
    share = (0.3, 1.0)[int(rng.integers(2))]
    info.update(kind="placed", spread=spread, share=share)
    return placed(s, j, row, share / k * n, spread)
