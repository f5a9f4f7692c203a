"""Principal axes of covariances, to full relative accuracy where features differ in their units.

An eigensolver for symmetric matrices is accurate relative to the largest eigenvalue: with features
in metres and in nanometres, the small variances are lost. The eigenvalues of ``D R D``, D diagonal
and R a correlation matrix, are determined by its numbers to the relative accuracy ``eps cond(R)``,
whatever D [1]_. One-sided Jacobi rotations of the pivoted Cholesky factor reach it, as in LAPACK's
``gejsv`` [2]_.

.. [1] J. Demmel, K. Veselić, "Jacobi's method is more accurate than QR", SIAM Journal on Matrix
   Analysis and Applications 13, 1204-1245, 1992.
.. [2] Z. Drmač, K. Veselić, "New fast and accurate Jacobi SVD algorithm", SIAM Journal on Matrix
   Analysis and Applications 29, 1322-1362, 2008.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dgejsv

from mixtura.shapes import Floats

__all__ = ["common_principal_axes", "principal_axes", "variances_along"]

LEFT_VECTORS, NO_VECTORS = 0, 3  # of `dgejsv`


def principal_axes(matrix: Floats) -> Floats:
    """Return the eigenvectors of a covariance as columns, in the order of falling variance."""
    order = np.argsort(-np.diagonal(matrix), kind="stable")
    lower = np.linalg.cholesky(matrix[np.ix_(order, order)])
    vectors = dgejsv(lower, joba=0, jobu=LEFT_VECTORS, jobv=NO_VECTORS, jobp=0)[1]
    axes: Floats = np.empty(matrix.shape)
    axes[order] = vectors
    return axes


def common_principal_axes(matrices: Floats) -> Floats:
    """Return the axes of covariances that all have the same, shape (n_features, n_features).

    They are those of a weighted sum. The weights are irregular, so that two axes with different
    variances hardly ever have equal variances in the sum.
    """
    weights = 1.0 + np.modf(np.sqrt(2.0) * np.arange(len(matrices)))[0]
    traces = np.einsum("jaa->j", matrices)
    return principal_axes(np.tensordot(weights / traces, matrices, 1))


def variances_along(matrices: Floats, axes: Floats) -> Floats:
    """Return the variance of each covariance along each of its axes, (n_components, n_features)."""
    lower = np.linalg.cholesky(matrices)
    variances: Floats = np.square(lower.swapaxes(1, 2) @ axes).sum(axis=1)
    return variances
