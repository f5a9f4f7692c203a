"""M-steps that are compiled: alone, and alternating with passes in one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.kernels.instruction_set import compiled_kernels
from mixtura.shapes import MOST_INFLATION, Floats, Shape

__all__ = ["m_step"]


def m_step(family: str, shape: Shape, ridge: Floats | None) -> Any:
    """Return the M-step of a covariance family with a ridge: see `mixtura.algebra.MStep`.

    Parameters
    ----------
    family : str
        The name of its rule.
    shape : Shape
        Of its covariances.
    ridge : ndarray of shape (n_features,), squared units of the features, or None
        Added to the diagonal of every covariance.

    Returns
    -------
    MStep or None
        None where none is compiled.

    Examples
    --------
    >>> from mixtura import kernels
    >>> from mixtura.shapes import FULL
    >>> kernels.m_step("no family", FULL, None) is None
    True
    """
    if family not in compiled_kernels.families:
        return None
    ridge = None if ridge is None else np.ascontiguousarray(ridge, dtype=np.float64)
    return compiled_kernels.MStep(family, shape, ridge, MOST_INFLATION)
