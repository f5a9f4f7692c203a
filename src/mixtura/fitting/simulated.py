"""Rows drawn from a mixture, as they would be seen: with the gaps and the noise of other rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mixtura.data import ArrayRows, RowSource, with_noise
from mixtura.shapes import Floats

__all__ = ["seen_like"]


def seen_like(
    source: RowSource, rows: Floats, to_grid: Callable[[Floats], Floats], rng: np.random.Generator
) -> RowSource:
    """Return rows of a mixture as the rows of a source were seen.

    Parameters
    ----------
    source : RowSource
        As many rows.
    rows : ndarray of shape (n_samples, n_features)
        Whole, without noise.
    to_grid : callable
        Rounds numbers as those of the source are rounded.
    rng : Generator
        Draws the noise.
    """
    if source.form == "incomplete":
        holes = np.concatenate([np.isnan(X) for X, *_ in source.blocks()])
        return ArrayRows(np.where(holes, np.nan, to_grid(rows)), form="incomplete")
    noise = source.extra("noise")
    if noise is None:
        return ArrayRows(to_grid(rows))
    projection = source.extra("projection")
    if projection is not None:
        observed = np.einsum("iab,ib->ia", projection, rows)
        return with_noise(ArrayRows(observed + _drawn(noise, observed, rng)), noise, projection)
    return with_noise(ArrayRows(to_grid(rows + _drawn(noise, rows, rng))), noise)


def _drawn(noise: Floats, like: Floats, rng: np.random.Generator) -> Floats:
    """Return random noise of each row, of these covariances."""
    standard = rng.standard_normal(like.shape)
    if noise.ndim < 3:
        return np.sqrt(noise.reshape(len(noise), -1)) * standard
    variances, axes = np.linalg.eigh(noise)
    drawn: Floats = np.einsum("iab,ib->ia", axes, np.sqrt(np.maximum(variances, 0.0)) * standard)
    return drawn
