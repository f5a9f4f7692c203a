"""A refusal of fits whose covariances cannot be in memory, before any of it is asked for."""

from __future__ import annotations

import math
import os

from mixtura.data import RowSource
from mixtura.mixture.table import counted
from mixtura.shapes import Shape

__all__ = ["check_memory"]

# Arrays of the size of the covariances that a fit has at one time. Measured were 14 to 28 (full and
# tied, 1000 features); less is assumed, so that no fit is refused that could be done.
ARRAYS = 12
GIB = 2.0**30


def check_memory(shape: Shape, n_components: int, source: RowSource) -> None:
    """Refuse covariances that need more memory than the machine has.

    Raises
    ------
    MemoryError
        Before anything is allocated. Where the system does not say how much memory it has, nothing
        is refused.
    """
    k, d = n_components, source.n_features
    numbers = math.prod(shape.array_shape(k, d))
    needed, had = 8 * ARRAYS * numbers, _memory()
    if had is None or needed <= had or shape.is_diagonal:
        return
    n = source.n_samples
    rows = f"There are {counted(n, 'row')} and {counted(d, 'column')}"
    raise MemoryError(
        f"covariances of {counted(k, 'component')} and {counted(d, 'feature')} need about "
        f"{needed / GIB:.4g} GiB of memory, {ARRAYS} arrays of {8 * numbers / GIB:.4g} GiB; the "
        f'machine has {had / GIB:.4g} GiB. Use covariance_type="diag", or fewer features.'
        f"{f' {rows}: if these are swapped, pass X.T.' if n < d else ''}"
    )


def _memory() -> int | None:
    """Memory of the machine in bytes; None where the system does not tell."""
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    return pages * size if pages > 0 and size > 0 else None
