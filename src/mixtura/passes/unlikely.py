"""The rows that a mixture explains worst: where a component may be missing.

Rows are put in two orders, and the first of both are taken. The log-density finds a cluster far
away whose density some wide component makes larger than its distance suggests, as where the other
rows have heavy tails. The log-density less what rows of the same component have on average finds a
cluster that is far from a narrow component, while all rows of a wide one have lower densities.

Densities of rows of which not the same is observed cannot be compared: they differ in units, and a
number with much noise has a low one. So each is first moved to that of a whole row. Under component
j, of which S_ij is the covariance of the m_i numbers that are observed of row i with their noise,
rows have on average::

    e_ij = log weight_j - 1/2 (m_i (1 + log 2 pi) + log det S_ij)
    e_j  = log weight_j - 1/2 (d   (1 + log 2 pi) + log det covariance_j)

With j the most probable component of the row, the first order is that of
``log_prob_i + e_j - e_ij``, and the second that of ``log_prob_i - e_ij``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.data.block import Block
from mixtura.parameters import Seen
from mixtura.passes.backend import Backend
from mixtura.passes.work import Part
from mixtura.reference.noisy import as_matrices
from mixtura.shapes import Floats

__all__ = ["ByCount", "ByWeight", "UnlikelyRows", "least_likely"]

Positions = NDArray[np.intp]

LOG_SPREAD = 0.5 * (1.0 + math.log(2.0 * math.pi))  # a unit normal number has less on average
MOST_KINDS = 1 << 61  # of rows, which twice as many would still have numbers of 64 bits
CHUNK = 1 << 13  # rows looked at together: some ten numbers are made for each
MOST_NUMBERS = 1 << 21  # of matrices that are factorised at one time
ROUNDING = 1e-12  # of sums of weights


class ByCount(NamedTuple):
    """Take so many rows by each score.

    Attributes
    ----------
    first, second : int
        Most rows. Of equal scores, the first are taken.
    """

    first: int
    second: int

    def __call__(self, scores: Floats, weight: Floats) -> Positions:  # noqa: ARG002
        """Return places of rows of the lowest scores (2, m), ascending."""
        kept = [_lowest(score, most) for score, most in zip(scores, self, strict=True)]
        return np.unique(np.concatenate(kept))


class ByWeight(NamedTuple):
    """Take the rows of lowest scores that make a part of the weight, by each score.

    Rows of equal score count as one, which weighs as much as all of them. So it does not matter
    whether rows are repeated or have weights, nor in which unit weights are.

    Attributes
    ----------
    weight : float
        Of the rows by each score. By the second score the rows have no more, by the first up to
        half a row more.
    least, most : int
        Different scores that are taken in any case, and at most.
    """

    weight: float
    least: int
    most: int

    def __call__(self, scores: Floats, weight: Floats) -> Positions:
        """Return places of rows of the lowest scores (2, m), ascending."""
        kept = np.zeros(len(weight), dtype=bool)
        for score, over in zip(scores, (0.5, 1.0), strict=True):
            if len(score):
                kept |= score <= self._highest(score, weight, over)
        return np.flatnonzero(kept)

    def _highest(self, score: Floats, weight: Floats, over: float) -> float:
        """The highest of the scores up to one of which more than a share is over the weight."""
        enough = 2 * max(self.least, int(min(self.weight / weight.mean(), float(len(weight))))) + 8
        if enough < len(score) // 8:  # sorting all takes longer than the pass
            lowest = score.argpartition(enough)[:enough]
            highest = self._sorted(score[lowest], weight[lowest], over)
            if highest < score[lowest].max():
                return highest
        return self._sorted(score, weight, over)

    def _sorted(self, score: Floats, weight: Floats, over: float) -> float:
        ascending = score.argsort()
        score, weight = score[ascending], weight[ascending]
        begins = np.flatnonzero(np.concatenate([[True], score[1:] != score[:-1]]))
        if len(begins) < len(score):
            score, weight = score[begins], np.add.reduceat(weight, begins)
        before = weight.cumsum() - weight
        n = int(np.count_nonzero(before + over * weight <= self.weight * (1.0 + ROUNDING)))
        n = min(max(self.least, min(n, self.most)), len(score))
        return float(score[n - 1]) if n else np.nan


class UnlikelyRows(NamedTuple):
    """Rows of low density, their positions ascending.

    Attributes
    ----------
    positions : ndarray of shape (m,), int
        Among all rows.
    log_prob : ndarray of shape (m,), nats
    components : ndarray of shape (m,), int
        The most probable component of each.
    scores : ndarray of shape (2, m), nats
        What the rows are ordered by: the log-density of a row as if it were whole, and what its
        log-density has more than is to be expected under its component.
    weight : ndarray of shape (m,)
    choose : ByCount or ByWeight
        Which rows are taken.
    """

    positions: Positions
    log_prob: Floats
    components: NDArray[np.int64]
    scores: Floats
    weight: Floats
    choose: ByCount | ByWeight

    def __add__(self, other: UnlikelyRows) -> UnlikelyRows:  # type: ignore[override]
        """Return the unlikely rows of two groups, of which the other comes later."""
        return UnlikelyRows(
            np.concatenate([self.positions, other.positions]),
            np.concatenate([self.log_prob, other.log_prob]),
            np.concatenate([self.components, other.components]),
            np.concatenate([self.scores, other.scores], axis=1),
            np.concatenate([self.weight, other.weight]),
            self.choose,
        )._chosen()

    def _chosen(self) -> UnlikelyRows:
        kept = self.choose(self.scores, self.weight)
        return UnlikelyRows(
            self.positions[kept],
            self.log_prob[kept],
            self.components[kept],
            self.scores[:, kept],
            self.weight[kept],
            self.choose,
        )


def least_likely(
    rows_of: Callable[[Block], Any],
    em: str,
    seen: Seen,
    backend: Backend,
    choose: ByCount | ByWeight,
    part: Part,
) -> UnlikelyRows:
    """Return the rows of one block that have the lowest of each score.

    Parameters
    ----------
    rows_of : callable
        From some rows to those of an engine; no array has an entry for each row of a large block.
    em : str
    seen : Seen
        With its covariances, unless rows are whole.
    backend : Backend
    choose : ByCount or ByWeight
    part : Part
    """
    found: UnlikelyRows | None = None
    for begin in range(0, max(1, len(part.block.X)), CHUNK):
        block = part.block.part(slice(begin, begin + CHUNK))
        log_prob, components = np.empty(len(block.X)), np.zeros(len(block.X), dtype=np.int64)
        rows_of(block).evaluate(em, seen, backend.n_threads, log_prob=log_prob, labels=components)
        here, weight = np.arange(len(block.X)), block.sample_weight
        if weight is None:
            weight = np.ones(len(block.X))
        else:  # rows of weight zero may have no density
            here = np.flatnonzero(weight)
            log_prob, components, weight = log_prob[here], components[here], weight[here]
        scores = _scores(block, here, log_prob, components, seen, backend.algebra)
        positions = block.start + here
        these = UnlikelyRows(positions, log_prob, components, scores, weight, choose)._chosen()
        found = these if found is None else found + these
    assert found is not None
    return found


def _lowest(score: Floats, most: int) -> Positions:
    """Return where the lowest numbers are; of equal ones, the first."""
    if not most:
        return np.empty(0, dtype=np.intp)
    places = np.arange(len(score))
    if most < len(score):
        places = np.flatnonzero(score <= np.partition(score, most - 1)[most - 1])
    return places[np.argsort(score[places], kind="stable")[:most]]


def _scores(
    block: Block,
    here: NDArray[np.intp],
    log_prob: Floats,
    components: NDArray[np.int64],
    seen: Seen,
    by: Algebra,
) -> Floats:
    """Return both scores of some rows of a block, shape (2, m)."""
    k, d = seen.means.shape
    log_dets = seen.shape.log_dets(seen.precisions_cholesky, d)
    of_whole = (log_dets - d * LOG_SPREAD + np.zeros(k))[components]  # e_j less log weight_j
    scores = np.empty((2, len(here)))
    if block.extras.get("noise") is None and not np.isnan(block.X.min(initial=0.0)):
        scores[0], of_row = log_prob, of_whole
    else:
        of_row = _expected(block, here, components, seen, by)
        scores[0] = log_prob + (of_whole - of_row)
    scores[1] = log_prob - of_row
    scores[1] -= seen.log_weights[components]  # never of a weight of zero
    return scores


def _expected(
    block: Block,
    here: NDArray[np.intp],
    components: NDArray[np.int64],
    seen: Seen,
    by: Algebra,
) -> Floats:
    """Return e_ij less the log-weight of each row under its component.

    It is computed once for the rows of a component that lack the same numbers.
    """
    noise = block.extras.get("noise")
    holes = np.isnan(block.X[here])
    which, rows = np.arange(len(here)), np.arange(len(here))
    if noise is None:
        _, rows, which = np.unique(
            _kinds(components, holes), return_index=True, return_inverse=True
        )
    matrices = seen.shape.matrices(seen.covariances, *seen.means.shape)
    expected = np.empty(len(rows))
    step = max(1, MOST_NUMBERS // matrices[0].size)
    for begin in range(0, len(rows), step):
        some = rows[begin : begin + step]
        S = matrices[components[some]]
        if noise is None:
            S[holes[some, :, None] | holes[some, None, :]] = 0.0
            np.einsum("iaa->ia", S)[holes[some]] = 1.0  # its logarithm is zero
        else:
            S = _with_noise(S, block, here[some], by)
        n_observed = S.shape[1] - np.count_nonzero(holes[some], axis=1) * (noise is None)
        expected[begin : begin + step] = _log_roots(S, by) - n_observed * LOG_SPREAD
    of_rows: Floats = expected[which]
    return of_rows


def _kinds(components: NDArray[np.int64], holes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return a number for each row: equal ones have the same component and lack the same."""
    kinds = components
    for column in holes.T:
        if kinds.max(initial=0) > MOST_KINDS:
            kinds = np.unique(kinds, return_inverse=True)[1].astype(np.int64)
        kinds = 2 * kinds + column
    return kinds


def _with_noise(S: Floats, block: Block, rows: NDArray[np.intp], by: Algebra) -> Floats:
    """Return covariances of what is observed of rows, from those of the true rows."""
    if "projection" in block.extras:
        R = np.asarray(block.extras["projection"][rows], dtype=np.float64)
        S = by.multiply(by.multiply(R, S), R.swapaxes(1, 2))
    return S + as_matrices(block.extras["noise"][rows], S.shape[1])


def _log_roots(S: Floats, by: Algebra) -> Floats:
    """Return half the log-determinants of precisions; of a singular one, those of its diagonal."""
    variances = np.einsum("iaa->ia", S)
    factors, failed = by.factorise(S)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_factors = np.log(np.einsum("iaa->ia", factors)).sum(axis=1)
        of_diagonal = -0.5 * np.log(variances).sum(axis=1)
    log_roots: Floats = np.where(failed, of_diagonal, of_factors)
    return log_roots
