"""Whole rows that stand for rows with noise of their own, where a start needs every number.

Each is what is expected of the true row under one Gaussian for all rows, found by EM: a noisy
number counts for little. A number whose noise is larger than the spread of its feature says hardly
more than a missing one, and is drawn as those are (see `mixtura.starts.whole`). Rows with a number
that is far from the middle, even for its noise, do not count for the Gaussian.
"""

from __future__ import annotations

import numpy as np

from mixtura.algebra import Algebra
from mixtura.data import ArrayRows, Block, Middle, RowSource
from mixtura.data.middle import FAR
from mixtura.data.noise import variances_of
from mixtura.parameters import Parameters, Seen
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import DIAG, FULL, Floats

__all__ = ["Denoised"]

LOOKED_AT = 4000  # rows for the Gaussian
MOST_FEATURES = 64  # of which correlations count: a row costs the cube of them
ITERATIONS = 20
LEAST_VARIANCE = 1e-6  # of a direction, in units of the features


class Denoised:
    """What is expected, or drawn, of the true rows of a source.

    Attributes
    ----------
    draws : bool
        Whether numbers are drawn.
    """

    def __init__(self, source: RowSource, middle: Middle, backend: Backend) -> None:
        self._middle, self._backend = middle, backend
        noise = source.extra("noise")
        assert noise is not None
        self.draws = source.extra("projection") is None and bool(
            (variances_of(noise) > np.square(middle.scale)).any()
        )
        self._seen, self._root = self._gaussian(source)

    def __call__(self, block: Block, rng: np.random.Generator) -> Floats:
        """Return the rows that stand for those of a block."""
        own = self._in_units(block)
        expected = self._expected(own)
        middle = self._middle
        if "projection" in own.extras:
            return middle.centre + middle.scale * expected
        noise = np.broadcast_to(variances_of(own.extras["noise"]), expected.shape)
        drawn = noise > 1.0
        if drawn.any():
            # A drawn row, less what is expected of it, has the distribution of a row's errors.
            true = self._seen.means + self._spread(rng.standard_normal(expected.shape))
            error = self._noise_like(own.extras["noise"], rng.standard_normal(expected.shape))
            expected += np.where(drawn, true - self._expected(own._replace(X=true + error)), 0.0)
        return np.where(noise == 0.0, block.X, middle.centre + middle.scale * expected)

    def _in_units(self, block: Block) -> Block:
        """The rows in units of the features, about their middle."""
        centre, scale = self._middle.centre, self._middle.scale
        Z, noise = (block.X - centre) / scale, block.extras["noise"]
        projection = block.extras.get("projection")
        if projection is not None:
            observed = block.extras["observed"] - projection @ centre
            extras = {"noise": noise, "observed": observed, "projection": projection * scale}
        elif noise.ndim == 3:
            extras = {"noise": noise / np.outer(scale, scale)}
        else:
            extras = {"noise": (noise if noise.ndim == 2 else noise[:, None]) / np.square(scale)}
        return Block(Z, block.sample_weight, block.start, extras)

    def _gaussian(self, source: RowSource) -> tuple[Seen, Floats]:
        """The Gaussian in units of the features, and a root of its covariance."""
        positions, weight = source.thinned(LOOKED_AT, np.random.default_rng(0))
        block = self._in_units(source.gather(positions))
        projection, observed = (block.extras.get(name) for name in ("projection", "observed"))
        spread = 1.0 if projection is None else np.square(projection).sum(axis=2)
        reach = FAR * np.sqrt(spread + variances_of(block.extras["noise"]))
        near = (np.abs(block.X if observed is None else observed) <= reach).all(axis=1)
        d, by = source.n_features, self._backend.algebra
        shape = FULL if d <= MOST_FEATURES else DIAG
        covariances = shape.blurred(np.zeros(shape.array_shape(1, d)), np.ones(1), np.ones(d))
        one, means, ridge = np.ones(1), np.zeros((1, d)), np.full(d, LEAST_VARIANCE)
        factors, _ = shape.factorise(covariances, by)
        if near.any():
            alike = ArrayRows(block.X, weight * near, form="noisy", extras=block.extras)
            rows = RowsPass(alike, shape, self._backend)
            for _ in range(ITERATIONS):
                seen = Parameters(one, means, covariances, factors, shape).seen()
                statistics = rows.accumulate(seen).centred()
                total = statistics.resp_sum
                means = statistics.means()
                covariances = shape.blurred(statistics.resp_xx / total[0], one, ridge)
                factors, _ = shape.factorise(covariances, by)
        seen = Parameters(one, means, covariances, factors, shape).seen()
        if shape is DIAG:
            return seen, np.sqrt(covariances[0])
        return seen, _root(covariances, by)[0]

    def _expected(self, block: Block) -> Floats:
        expected = np.empty(block.X.shape)
        rows = self._backend.rows("noisy", block)
        rows.complete(self._seen, self._backend.n_threads, out=expected)
        return expected

    def _spread(self, normal: Floats) -> Floats:
        """Standard normal numbers, with the covariance of the Gaussian."""
        if self._root.ndim == 1:
            return normal * self._root
        spread: Floats = self._backend.algebra.multiply(normal[None], self._root[None])[0]
        return spread

    def _noise_like(self, noise: Floats, normal: Floats) -> Floats:
        """Standard normal numbers, with the covariances of the noise."""
        if noise.ndim == 2:
            return normal * np.sqrt(noise)
        roots = _root(noise, self._backend.algebra)
        return np.asarray(np.einsum("iab,ib->ia", roots, normal))


def _root(matrices: Floats, by: Algebra) -> Floats:
    """Symmetric square roots, which do not depend on the signs of eigenvectors."""
    variances, axes = by.eigh(matrices)
    scaled = axes * np.sqrt(np.maximum(variances, 0.0))[:, None, :]
    return by.multiply(scaled, axes.transpose(0, 2, 1))
