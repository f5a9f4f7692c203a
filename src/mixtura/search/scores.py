"""What moves may be worth, from one look at the rows under the leader.

A move takes away a component and splits another. What the split gains is found by a few iterations
of EM with two components on the rows of the one. What is lost without a component is the lesser of
two numbers: what its rows lose when the others take them as they are, and what they lose when it is
merged with another one, by Runnalls' bound less the entropy of the rows that both shared.

The sum of both is no more than a rank: where a move leads is seen by iterating.

.. [1] N. Ueda, R. Nakano, Z. Ghahramani, G. E. Hinton, "SMEM algorithm for mixture models", Neural
   Computation 12, 2109-2128, 2000.
.. [2] A. R. Runnalls, "Kullback-Leibler approach to Gaussian mixture reduction", IEEE Transactions
   on Aerospace and Electronic Systems 43, 989-999, 2007, equation (21).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.data import ArrayRows
from mixtura.exceptions import FitError
from mixtura.parameters import Parameters
from mixtura.passes import RowsPass
from mixtura.schedules import EM, Outcome, Plain
from mixtura.schedules.changes import emptied, split
from mixtura.shapes import FULL, Floats, Shape
from mixtura.statistics import Statistics
from mixtura.updates import Collapse, Update

__all__ = ["Move", "best_moves"]

LOOKS = 2  # iterations from each split
LEAST_SHARE = 0.01  # of a row; those of which a component has less say nothing of its inside
APART = 0.8  # deviations from the middle to either half
HALO = 1.7  # scatter of the outer half, the inner one has 0.3: of the average
MOST_SHARES = 1 << 22  # responsibilities that are looked at
PARTNERS = 3  # with which merging is looked at closely
KEPT = 20  # moves


class Move(NamedTuple):
    """Split one component, and take away another.

    Attributes
    ----------
    score : float, nats
        What is gained and lost, before the others adapt.
    halves : Statistics
        Of the two parts of the component that is split.
    component : int
        That is split.
    freed : int
        That is taken away.
    into : int or None
        What `freed` is merged with; None where its rows are left to all others.
    """

    score: float
    halves: Statistics
    component: int
    freed: int
    into: int | None


def best_moves(outcome: Outcome, em: EM, pair: Update, scale: Floats, by: Algebra) -> list[Move]:
    """Return the most promising moves, the best first."""
    p = outcome.parameters
    assert isinstance(em.rows, RowsPass) and outcome.statistics is not None
    k = len(p.weights)
    sample = em.rows.source
    if sample.n_samples * k > MOST_SHARES:
        sample = ArrayRows.sample_of(sample, max(MOST_SHARES // k, 1), np.random.default_rng(0))
    weight = sample.weights()
    weight = np.ones(sample.n_samples) if weight is None else weight
    resp = np.empty((sample.n_samples, k))
    seen, _ = em.update.as_seen(p)
    RowsPass(sample.reweighted(np.ones(len(weight))), p.shape, em.rows.backend).evaluate(
        seen, resp=resp
    )
    statistics = outcome.statistics.centred()
    unit = statistics.resp_sum.sum() / weight.sum()
    splits = [
        _best_split(h, outcome, em, pair, sample, weight, resp[:, h], scale, by) for h in range(k)
    ]
    deleted = unit * _losses_of_deletion(resp, weight, p.weights)
    partner, merged = _losses_of_merging(statistics, resp, weight, unit, by)
    moves: dict[tuple[int, frozenset[int | None]], Move] = {}
    for h, best in enumerate(splits):
        if best is None:
            continue
        gain, halves = best
        for j in range(k):
            if j == h:
                continue
            options = [(deleted[j], None)] + [
                (loss, int(l)) for loss, l in zip(merged[j], partner[j], strict=True) if l != h
            ]
            loss, into = min(options, key=lambda option: option[0])
            moves.setdefault(
                (h, frozenset((j, into))), Move(unit * gain - loss, halves, h, j, into)
            )
    return sorted(moves.values(), key=lambda move: -move.score)[:KEPT]


def _best_split(h, outcome, em, pair, sample, weight, shares, scale, by):
    rows = np.flatnonzero(shares > LEAST_SHARE)
    if len(rows) < 4:
        return None
    X, _, _, extras = sample.gather(rows)
    own = ArrayRows(X, weight[rows] * shares[rows], form=sample.form, extras=extras)
    p, shape = outcome.parameters, outcome.parameters.shape
    inside = RowsPass(own, shape, em.rows.backend)
    one = p.select(np.array([h]))
    before = inside.accumulate(one.seen()).log_likelihood
    run = EM(inside, pair, Plain(0.0), Collapse("drop", scale, by))
    statistics = outcome.statistics.centred()
    both = emptied(_selected(statistics, h), 1)
    best = None
    for step, width in _cuts(p, h, scale, by):
        q, failed = pair.update(split(both, 0, 1, step, width), one.select(np.array([0, 0])))
        if failed.any():
            continue
        try:
            end = run.run(q, LOOKS)
        except FitError:
            continue
        if len(end.parameters.weights) == 2:
            gain = end.statistics.log_likelihood - before
            if best is None or gain > best[0]:
                best = gain, end.statistics
    return best


def _selected(statistics, h):
    index = np.array([h, h])
    shape = statistics.shape
    share = statistics.resp_sum[h] / statistics.resp_sum.sum()
    scatter = statistics.resp_xx * share if shape.is_shared else shape.select(statistics.resp_xx, index)
    return replace(
        statistics, centres=statistics.centres[index], resp_sum=statistics.resp_sum[index],
        resp_x=statistics.resp_x[index], resp_xx=scatter,
    )


def _cuts(p, h, scale, by):
    deviation = p.shape.widest(p.covariances, h, scale, by)
    yield APART * deviation, 1.0
    if not p.shape.is_shared:
        yield 0.0 * deviation, HALO


def _losses_of_deletion(resp, weight, weights):
    rest = np.maximum(1.0 - resp, np.finfo(float).tiny)
    return -(weight @ np.log(rest)) + weight.sum() * np.log1p(-np.minimum(weights, 1.0 - 1e-12))


def _losses_of_merging(statistics, resp, weight, unit, by):
    k = len(statistics.resp_sum)
    one, other = np.triu_indices(k, 1)
    N, d = statistics.resp_sum, statistics.centres.shape[1]
    shape = FULL if statistics.shape.is_shared else statistics.shape
    joint = N[one] + N[other]
    apart = statistics.centres[one] - statistics.centres[other]
    between = shape.product((N[one] * N[other] / joint)[:, None] * apart, apart)
    S = statistics.resp_xx

    def log_dets(scatter, counts):
        column = counts.reshape((-1,) + (1,) * (scatter.ndim - 1))
        cov = shape.per_feature(scatter / column, d)
        factors, failed = shape.factorise(np.ascontiguousarray(cov), by)
        with np.errstate(all="ignore"):
            return np.where(failed, np.nan, -2.0 * shape.log_dets(factors, d))

    if statistics.shape.is_shared:
        total = np.full(len(one) + 1, N.sum())
        all_ = log_dets(np.concatenate([S + between, S[None]]), total)
        loss = 0.5 * N.sum() * (all_[:-1] - all_[-1])
    else:
        each, both = log_dets(S, N), log_dets(S[one] + S[other] + between, joint)
        loss = 0.5 * (joint * both - N[one] * each[one] - N[other] * each[other])
    loss = loss - (_xlogx(joint) - _xlogx(N[one]) - _xlogx(N[other]))
    table = np.full((k, k), np.inf)
    table[one, other] = table[other, one] = np.where(np.isfinite(loss), loss, np.inf)
    partner = np.argsort(table, axis=1, kind="stable")[:, : min(PARTNERS, k - 1)]
    result = np.take_along_axis(table, partner, axis=1)
    unsure = resp.max(axis=1) < 1.0 - LEAST_SHARE
    r, w = resp[unsure], weight[unsure]
    for c in range(partner.shape[1]):
        a, b = r, r[:, partner[:, c]]
        result[:, c] -= unit * (w @ (_xlogx(a + b) - _xlogx(a) - _xlogx(b)))
    return partner, result


def _xlogx(x):
    return x * np.log(np.maximum(x, np.finfo(float).tiny))


def changed(statistics: Statistics, move: Move) -> Statistics:
    """Return the statistics after a move."""
    from mixtura.schedules.changes import merged

    s = statistics.centred()
    s = emptied(s, move.freed) if move.into is None else merged(s, move.into, move.freed).centred()
    halves = move.halves.centred()
    share = s.resp_sum[move.component] / halves.resp_sum.sum()
    both = [move.component, move.freed]
    centres, resp_sum = s.centres.copy(), s.resp_sum.copy()
    centres[both], resp_sum[both] = halves.centres, share * halves.resp_sum
    xx = s.resp_xx
    if not s.shape.is_shared:
        xx = xx.copy()
        xx[both] = share * halves.resp_xx
    return replace(s, centres=centres, resp_sum=resp_sum, resp_x=np.zeros_like(centres), resp_xx=xx)
