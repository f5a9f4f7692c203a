"""Principal axes of covariances, to full relative accuracy where features differ in their units.

An eigensolver for symmetric matrices is accurate relative to the largest eigenvalue: with features
in metres and in nanometres, the small variances are lost. The eigenvalues of ``D R D``, D diagonal
and R a correlation matrix, are determined by its numbers to the relative accuracy ``eps cond(R)``,
whatever D [1]_. They follow from the precision factor U, whose rows have the units 1 / D: one-sided
Jacobi rotations of its transpose reach this accuracy, as in LAPACK's ``gejsv`` [2]_.

.. [1] J. Demmel, K. Veselić, "Jacobi's method is more accurate than QR", SIAM Journal on Matrix
   Analysis and Applications 13, 1204-1245, 1992.
.. [2] Z. Drmač, K. Veselić, "New fast and accurate Jacobi SVD algorithm", SIAM Journal on Matrix
   Analysis and Applications 29, 1322-1362, 2008.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dgejsv

from mixtura.shapes import Floats

__all__ = ["principal_axes", "variances_along"]

RIGHT_VECTORS, NO_VECTORS = 0, 3  # of `dgejsv`


def principal_axes(factors: Floats) -> Floats:
    """Return the axes of covariances that all have the same, in the order of falling variance.

    Parameters
    ----------
    factors : ndarray of shape (n_components, n_features, n_features)
        Precision factors.

    Returns
    -------
    ndarray of shape (n_features, n_features)
        Columns are the eigenvectors of a weighted sum of the precisions. The weights are irregular,
        so that two axes with different variances hardly ever have equal variances in the sum.
    """
    weights = 1.0 + np.modf(np.sqrt(2.0) * np.arange(len(factors)))[0]
    scales = np.sqrt(weights / np.square(factors).sum(axis=(1, 2)))
    stacked = (scales[:, None, None] * factors).swapaxes(1, 2).reshape(-1, factors.shape[1])
    axes: Floats = dgejsv(stacked, joba=0, jobu=NO_VECTORS, jobv=RIGHT_VECTORS, jobp=0)[2]
    return axes[:, ::-1]


def variances_along(factors: Floats, axes: Floats) -> Floats:
    """Return the variance of each component along each of its axes, (n_components, n_features)."""
    variances: Floats = 1.0 / np.square(factors.swapaxes(1, 2) @ axes).sum(axis=1)
    return variances
