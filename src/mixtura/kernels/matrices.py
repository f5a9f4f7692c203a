"""Algebra of many small matrices at once, on the calling thread alone.

BLAS and LAPACK would wake threads of their own, as many as the machine has processors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.kernels.instruction_set import compiled_kernels
from mixtura.shapes import MOST_INFLATION, Floats

__all__ = ["eigh", "factorise", "multiply"]


def factorise(covariances: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Precision factors, and which matrices have none: `mixtura.reference.factorise`, compiled."""
    factors = np.empty(covariances.shape)
    regular = np.zeros(len(covariances), dtype=bool)
    compiled_kernels.factorise(_in_order(covariances), factors, regular, MOST_INFLATION)
    return factors, ~regular


def eigh(matrices: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues and eigenvectors: `mixtura.reference.eigh`, compiled."""
    values, axes = np.empty(matrices.shape[:2]), np.empty(matrices.shape)
    found = np.zeros(len(matrices), dtype=bool)
    compiled_kernels.eigh(_in_order(matrices), values, axes, found)
    values[~found] = axes[~found] = np.nan
    return values, axes


def multiply(left: Floats, right: Floats) -> Floats:
    """Products of matrices: `mixtura.reference.multiply`, compiled."""
    k = len(right) if len(left) == 1 else len(left)
    products = np.zeros((k, left.shape[1], right.shape[2]))
    compiled_kernels.multiply(_in_order(left), _in_order(right), products)
    return products


def _in_order(matrices: Floats) -> Floats:
    return np.ascontiguousarray(matrices, dtype=np.float64)
