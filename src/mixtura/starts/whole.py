"""Whole rows that stand for others, where a start needs every number of a row.

Only labels and first parameters are made of them: iterations see the rows as they are. A missing
number is replaced by one drawn from the normal distribution that it has given the observed numbers
of its row, under one Gaussian for all rows. The expected number itself would make clusters too
tight. The Gaussian has the middle of each feature (see `mixtura.data.middle`) and the correlations
of pairs where both are observed; a pair that never is has the one of independence given the others.
Numbers far from the middle count as missing for both.

Rows with noise of their own: see `mixtura.starts.denoised`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.data import ArrayRows, Block, Middle, RowSource
from mixtura.data.source import CHUNK
from mixtura.parameters import Parameters, Seen
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import DIAG, FULL, Floats
from mixtura.starts.denoised import Denoised

__all__ = ["whole_pass", "whole_rows", "whole_versions"]

LOOKED_AT = 4000  # rows for correlations
MOST_FEATURES = 64  # of which correlations count: a row costs the cube of them
SWEEPS = 50  # at most, over pairs of features that are never observed together
SETTLED = 1e-6  # largest change of their correlations in the last of them
LEAST_VARIANCE = 0.01  # of a direction among correlations, which pairs may make negative


def whole_rows(source: RowSource, backend: Backend, middle: Middle | None = None) -> RowSource:
    """Return the rows themselves if they are whole, else whole ones that are like them.

    Parameters
    ----------
    source : RowSource
    backend : Backend
    middle : Middle, optional
        Of the features, where more is known than these rows.

    Notes
    -----
    What is drawn is the same each time.
    """
    return next(whole_versions(source, backend, middle, None))


def whole_versions(
    source: RowSource, backend: Backend, middle: Middle | None, rng: np.random.Generator | None
) -> Iterator[RowSource]:
    """Yield whole rows without end: the same ones again, or with other numbers drawn each time.

    Parameters
    ----------
    source : RowSource
    backend : Backend
    middle : Middle or None
        As for `whole_rows`.
    rng : Generator or None
        Used only where numbers are drawn; None for a fixed seed.
    """
    if source.form not in STAND_INS:
        yield from repeat(source if source.form == "whole" else source.plain())
    fill = STAND_INS[source.form](source, source.middle if middle is None else middle, backend)
    filled: RowSource | None = None
    while True:
        if filled is None or fill.draws:
            seed = 0 if rng is None else int(rng.integers(1 << 62))
            filled = _Filled(source, fill, seed)
            if source.n_samples <= CHUNK:
                X = filled.take(range(source.n_samples))
                filled = ArrayRows(X, source.weights(), source.feature_names)
        yield filled


def whole_pass(rows: RowsPass) -> RowsPass:
    """Return a pass over whole rows that stand for those of a pass."""
    whole = whole_rows(rows.source, rows.backend)
    return rows if whole is rows.source else RowsPass(whole, rows.shape, rows.backend)


class _Likeness(NamedTuple):
    """One Gaussian for all rows, in units of the features about their middle.

    Attributes
    ----------
    middle : Middle
    seen : Seen
        The Gaussian.
    factor : ndarray of shape (n_features, n_features), or None
        The symmetric root of its covariance; None for uncorrelated features.
    """

    middle: Middle
    seen: Seen
    factor: Floats | None


def _likeness(source: RowSource, middle: Middle, by: Algebra) -> _Likeness:
    d = source.n_features
    one, zero = np.ones(1), np.zeros((1, d))
    if d > MOST_FEATURES:
        ones = np.ones((1, d))
        return _Likeness(middle, Parameters(one, zero, ones, ones, DIAG).seen(), None)
    positions, weight = source.thinned(LOOKED_AT, np.random.default_rng(0))
    X = source.take(positions)
    near = middle.near(X)
    Z = np.where(near, (X - middle.centre) / middle.scale, 0.0)
    weighted = np.stack([Z, np.square(Z)]) * weight[:, None]
    # Sums over the rows in which both features of a pair are observed.
    across, squares = by.multiply(
        weighted.transpose(0, 2, 1), np.stack([Z, near.astype(np.float64)])
    )
    size = np.sqrt(squares * squares.T)
    correlations = np.divide(across, size, out=np.zeros((d, d)), where=size > 0.0)
    if not size.all():
        correlations = _independent(correlations, size == 0.0, by)
    (variances,), (axes,) = by.eigh(correlations[None])
    # The symmetric root, which does not depend on the signs of the axes: they are arbitrary.
    root = np.sqrt(np.maximum(variances, LEAST_VARIANCE))
    factor = by.multiply((axes * root)[None], axes.T[None])[0]
    covariances = by.multiply(factor[None], factor[None])
    factors, _ = FULL.factorise(covariances, by)
    return _Likeness(middle, Parameters(one, zero, covariances, factors, FULL).seen(), factor)


def _independent(correlations: Floats, unknown: NDArray[np.bool_], by: Algebra) -> Floats:
    """Return correlations in which features of unknown ones are independent given all others.

    They begin as the largest product of two known ones by way of a third feature. Then each is
    moved to where its entry of the inverse is zero, in turn, until all are [1]_.

    .. [1] A. P. Dempster, "Covariance selection", Biometrics 28, 157-175, 1972.
    """
    correlations = correlations + 0.0
    known = correlations.copy()
    np.fill_diagonal(known, 0.0)
    pairs = np.argwhere(np.triu(unknown, 1)).tolist()
    for a, b in pairs:
        by_way = known[a] * known[b]
        correlations[a, b] = correlations[b, a] = by_way[np.abs(by_way).argmax()]
    (variances,), (axes,) = by.eigh(correlations[None])
    variances = np.maximum(variances, LEAST_VARIANCE)
    correlations, inverse = by.multiply(
        np.stack([axes * variances, axes / variances]), np.stack([axes.T, axes.T])
    )
    for _ in range(SWEEPS):
        largest = 0.0
        for pair in pairs:
            own = inverse[np.ix_(pair, pair)]
            move = own[0, 1] / (own[0, 0] * own[1, 1] - own[0, 1] ** 2)
            change = np.array([[0.0, move], [move, 0.0]])
            correlations[np.ix_(pair, pair)] += change
            inner = np.linalg.solve(np.eye(2) + change @ own, change)
            inverse = inverse - np.einsum(
                "ap,pq,qb->ab", inverse[:, pair], inner, inverse[pair], optimize=False
            )
            largest = max(largest, abs(move))
        if largest < SETTLED:
            break
    return correlations


class _StandIn(Protocol):
    """What makes whole rows of those of a block."""

    draws: bool

    def __call__(self, block: Block, rng: np.random.Generator) -> Floats: ...


class _Filled(RowSource):
    """Rows with other numbers in place of those unknown, made again each time they are read."""

    def __init__(self, source: RowSource, fill: _StandIn, seed: int) -> None:
        self._source, self._fill, self._seed = source, fill, seed
        self.n_samples, self.n_features = source.n_samples, source.n_features
        self.dtype, self.feature_names = np.dtype(np.float64), source.feature_names
        self.is_weighted = source.is_weighted

    def blocks(self) -> Iterator[Block]:
        rng = np.random.default_rng(self._seed)
        for block in self._source.blocks():
            for begin in range(0, len(block.X), CHUNK):
                part = block.part(slice(begin, begin + CHUNK))
                yield Block(self._fill(part, rng), part.sample_weight, part.start)


class _Completed:
    """Rows with numbers in place of the missing ones."""

    draws = True

    def __init__(self, source: RowSource, middle: Middle, backend: Backend) -> None:
        self._like, self._backend = _likeness(source, middle, backend.algebra), backend

    def __call__(self, block: Block, rng: np.random.Generator) -> Floats:
        """Fill rows.

        A drawn row, less what is expected of it given the features observed in the row to fill, has
        the distribution of that row's errors. What is expected is linear, so one step does both.
        """
        (middle, seen, factor), by, X = self._like, self._backend.algebra, block.X
        drawn = rng.standard_normal(X.shape)
        if factor is not None:
            drawn = by.multiply(drawn[None], factor[None])[0]
        Z = np.where(middle.near(X), (X - middle.centre) / middle.scale - drawn, np.nan)
        expected = np.empty(X.shape)
        rows = self._backend.rows("incomplete", Block(Z, None))
        rows.complete(seen, self._backend.n_threads, out=expected)
        return np.where(np.isnan(X), middle.centre + middle.deviation * (expected + drawn), X)


# What makes whole rows of those of each form; other forms have them already.
STAND_INS: dict[str, Callable[[RowSource, Middle, Backend], _StandIn]] = {
    "incomplete": _Completed,
    "noisy": Denoised,
}
