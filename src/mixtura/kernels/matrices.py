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
    """Precision factors, and which matrices have none: `mixtura.reference.factorise`, compiled.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import kernels
    >>> kernels.factorise(np.array([[[4.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]]))[1]
    array([False,  True])
    """
    covariances = _squares(covariances, "covariances")
    factors = np.empty(covariances.shape)
    regular = np.zeros(len(covariances), dtype=bool)
    compiled_kernels.factorise(covariances, factors, regular, MOST_INFLATION)
    return factors, ~regular


def eigh(matrices: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues and eigenvectors: `mixtura.reference.eigh`, compiled.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import kernels
    >>> kernels.eigh(np.array([[[2.0, 1.0], [1.0, 2.0]]]))[0]
    array([[1., 3.]])
    """
    matrices = _squares(matrices, "matrices")
    values, axes = np.empty(matrices.shape[:2]), np.empty(matrices.shape)
    found = np.zeros(len(matrices), dtype=bool)
    compiled_kernels.eigh(matrices, values, axes, found)
    values[~found] = axes[~found] = np.nan
    return values, axes


def multiply(left: Floats, right: Floats) -> Floats:
    """Products of matrices: `mixtura.reference.multiply`, compiled.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import kernels
    >>> kernels.multiply(np.array([[[2.0, 0.0]]]), np.array([[[1.0], [5.0]], [[3.0], [5.0]]]))
    array([[[2.]],
           [[6.]]])
    """
    left, right = _stack(left, "left"), _stack(right, "right")
    sizes = {len(left), len(right)} - {1}
    if left.shape[2] != right.shape[1] or len(sizes) > 1:
        raise ValueError(
            f"left and right must have shapes (n_matrices, m, p) and (n_matrices, p, n), one of "
            f"them perhaps for a single matrix; got {left.shape} and {right.shape}. Pass matrices "
            f"that can be multiplied."
        )
    products = np.zeros((*(sizes or {1}), left.shape[1], right.shape[2]))
    compiled_kernels.multiply(left, right, products)
    return products


def _stack(matrices: Floats, name: str) -> Floats:
    """Matrices in the order of memory that the loops take."""
    array = np.ascontiguousarray(matrices, dtype=np.float64)
    if array.ndim != 3:
        raise ValueError(
            f"{name} must have three dimensions, the first one that of the matrices; got shape "
            f"{array.shape}. Pass matrix[None] for a single one."
        )
    return array


def _squares(matrices: Floats, name: str) -> Floats:
    array = _stack(matrices, name)
    if array.shape[1] != array.shape[2] or array.shape[1] == 0:
        raise ValueError(
            f"{name} must have shape (n_matrices, n_features, n_features), n_features at least 1; "
            f"got {array.shape}. Pass square matrices."
        )
    return array
