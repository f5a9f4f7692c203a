"""Blocks of rows that are alike: each is a sample of all rows."""

from __future__ import annotations

import numpy as np

from mixtura.data.block import Block
from mixtura.data.blocks import BlockedRows
from mixtura.data.source import RowSource

__all__ = ["interleaved"]

# With more, an iteration gains little, and each block has an update to pay for
# (python -m benchmarks.stochastic_bayes --blocks).
MOST_BLOCKS = 32


def interleaved(source: RowSource, least: int) -> RowSource:
    """Return the rows in blocks of which each is a sample of all, where they lie in one array.

    Block b has the rows b, b + n_blocks, b + 2 n_blocks, ..., so that sorted rows do no harm. They
    are used where they are; weights are copied. There are at most 32 blocks.

    Parameters
    ----------
    source : RowSource
        Rows in one array are cut; others come as they are, block after block.
    least : int
        Rows that a block has, unless there are fewer.
    """
    blocks = list(source.blocks()) if source.in_memory else []
    n_blocks = min(MOST_BLOCKS, source.n_samples // least) if blocks else 0
    if len(blocks) != 1 or n_blocks < 2:
        return source
    X, weight, _, extras = blocks[0]
    places = [slice(b, None, n_blocks) for b in range(n_blocks)]
    parts = [
        Block(
            X[rows],
            None if weight is None else np.ascontiguousarray(weight[rows]),
            0,
            {name: np.ascontiguousarray(array[rows]) for name, array in extras.items()},
        )
        for rows in places
    ]
    return BlockedRows(parts, source.feature_names, form=source.form)
