"""What rows that are shared out among components say for a prior: evidence, from statistics alone.

With responsibilities held fixed and the laws at their best, the evidence lower bound is

    log evidence(statistics) + entropy of the responsibilities - n_features log(2 pi) / 2 per row,

where the log evidence is a sum of log normalisers of the laws after rows, minus those of the prior.
So a change of the statistics is worth the change of the log evidence, as far as the entropy stays.
When two components become one, the entropy falls, and what their evidence gains is the most that
the bound can gain before rows are shared out anew [1]_.

.. [1] M. C. Hughes, E. B. Sudderth, "Memoized online variational inference for Dirichlet process
   mixture models", Advances in Neural Information Processing Systems 26, 2013.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.conjugate.laws import PriorLaws
from mixtura.shapes import FULL, Floats, Shape
from mixtura.statistics import Statistics

__all__ = ["gain_of_order", "gains_of_merging"]

Indices = NDArray[np.intp]


def gains_of_merging(
    prior: PriorLaws, statistics: Statistics, one: Indices, other: Indices, by: Algebra
) -> Floats:
    """Return what the log evidence gains where two components become one and leave one empty.

    Parameters
    ----------
    prior : PriorLaws
    statistics : Statistics
        Of all rows, about any centres.
    one, other : ndarray of shape (n_pairs,), int
        Two components in each pair, both with rows; `one` is where the rows go.
    by : Algebra

    Returns
    -------
    ndarray of shape (n_pairs,), nats

    Notes
    -----
    O(n_pairs (d^3 + k)).
    """
    with np.errstate(all="ignore"):  # of sums that leave a float's range, nothing can be said
        of_precisions = _gains_of_precisions(prior, statistics.centred(), one, other, by)
    resp_sum, d = statistics.resp_sum, len(prior.mean)
    logs = np.log1p(resp_sum / prior.mean_precision)
    joint = np.log1p((resp_sum[one] + resp_sum[other]) / prior.mean_precision)
    of_means = 0.5 * d * (logs[one] + logs[other] - joint)
    gains: Floats = of_precisions + of_means + _gains_of_weights(prior, resp_sum, one, other)
    return gains


def gain_of_order(prior: PriorLaws, statistics: Statistics, order: Indices) -> float:
    """Return what the log evidence gains where components change places, nats.

    Parameters
    ----------
    prior : PriorLaws
    statistics : Statistics
    order : ndarray of shape (n_components,), int
        Where the rows of each place come from.
    """
    N = statistics.resp_sum
    return _of_weights(prior, N[order]) - _of_weights(prior, N)


def _gains_of_precisions(
    prior: PriorLaws, centred: Statistics, one: Indices, other: Indices, by: Algebra
) -> Floats:
    """The part of the laws of precisions, shape (n_pairs,)."""
    shape: Shape = FULL if prior.shape.is_shared else prior.shape  # of a component's own scatter
    resp_sum, scatter = centred.resp_sum, centred.resp_xx
    joint = resp_sum[one] + resp_sum[other]
    apart = centred.centres[one] - centred.centres[other]
    from_prior = centred.centres - prior.mean
    of_joint = from_prior[other] + (resp_sum[one] / joint)[:, None] * apart
    pulls = _pulls(prior, shape, resp_sum, from_prior)
    between = shape.product((resp_sum[one] * resp_sum[other] / joint)[:, None] * apart, apart)
    added = between + _pulls(prior, shape, joint, of_joint)
    if prior.shape.is_shared:
        before = prior.covariance + scatter + pulls.sum(axis=0)
        after = before + added - pulls[one] - pulls[other]
        scales = np.concatenate([after, before[None]])
        each = _normaliser_gains(prior, shape, np.full(len(scales), resp_sum.sum()), scales, by)
        of_shared: Floats = each[:-1] - each[-1]
        return of_shared
    empty = np.broadcast_to(prior.covariance, shape.array_shape(1, len(prior.mean)))
    merged = _normaliser_gains(
        prior, shape, joint, empty + scatter[one] + scatter[other] + added, by
    )
    each = _normaliser_gains(prior, shape, resp_sum, empty + scatter + pulls, by)
    gains: Floats = merged - each[one] - each[other]
    return gains


def _pulls(prior: PriorLaws, shape: Shape, resp_sum: Floats, from_prior: Floats) -> Floats:
    """What the prior mean adds to the scatter of each component."""
    share = prior.mean_precision * resp_sum / (prior.mean_precision + resp_sum)
    return shape.product(share[:, None] * from_prior, from_prior)


def _normaliser_gains(
    prior: PriorLaws, shape: Shape, resp_sum: Floats, scales: Floats, by: Algebra
) -> Floats:
    """Those of laws of precisions with these scales, each after rows of this weight."""
    factors, _ = shape.factorise(np.ascontiguousarray(scales), by)
    gained = prior.precisions.worth(resp_sum, len(prior.mean))
    return prior.normaliser_gains(gained, prior.log_dets(factors, shape))


def _of_weights(prior: PriorLaws, resp_sum: Floats) -> float:
    law = prior.weights
    return law.normaliser_gain(law.posterior(prior.concentration, resp_sum), prior.concentration)


def _gains_of_weights(prior: PriorLaws, resp_sum: Floats, one: Indices, other: Indices) -> Floats:
    """The part of the laws of weights, shape (n_pairs,)."""
    before, gains = _of_weights(prior, resp_sum), np.empty(len(one))
    for pair, (into, left) in enumerate(zip(one, other, strict=True)):
        merged = resp_sum.copy()
        merged[into], merged[left] = resp_sum[into] + resp_sum[left], 0.0
        gains[pair] = _of_weights(prior, merged) - before
    return gains
