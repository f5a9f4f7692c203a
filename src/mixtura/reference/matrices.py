"""Algebra of many small matrices at once: precision factors, eigenvectors, products.

A precision factor is U, upper triangular, with ``inv(covariance) = U U^T``. From the Cholesky
factor L, ``covariance = L L^T``, it is ``U = inv(L)^T``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtri

from mixtura.shapes import MOST_INFLATION, Floats, Shape

__all__ = ["eigh", "factorise", "m_step", "multiply"]


def factorise(covariances: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Precision factors of covariance matrices, and which matrices have none.

    Parameters
    ----------
    covariances : ndarray of shape (n_components, n_features, n_features)
        Symmetric.

    Returns
    -------
    precisions_cholesky : ndarray of shape (n_components, n_features, n_features)
        U, upper triangular with a positive diagonal: ``inv(covariance) = U @ U.T``.
    failed : ndarray of shape (n_components,), bool
        True where the covariance is not positive definite to working precision, or not finite;
        the factor there is meaningless.

    Notes
    -----
    A matrix counts as regular if the trace of its inverse correlation matrix is at most
    ``1 / (8 eps)``, whatever the units are.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import reference
    >>> reference.factorise(np.array([[[4.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]]))[1]
    array([False,  True])
    """
    factors = np.zeros(covariances.shape)
    sound = np.zeros(len(covariances), dtype=bool)
    for j, covariance in enumerate(covariances):
        lower, info = dpotrf(covariance, lower=1, clean=1)
        if info == 0:
            factors[j], sound[j] = dtrtri(lower, lower=1)[0].T, True
    with np.errstate(over="ignore", invalid="ignore"):
        deviations = np.sqrt(np.einsum("jaa->ja", covariances))
        inflation = np.square(factors * deviations[:, :, None]).sum(axis=(1, 2))
    return factors, ~(sound & (inflation < MOST_INFLATION))  # NaN is no proof


def eigh(matrices: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues and eigenvectors of symmetric matrices.

    Parameters
    ----------
    matrices : ndarray of shape (n_matrices, n_features, n_features)
        Symmetric.

    Returns
    -------
    values : ndarray of shape (n_matrices, n_features)
        Ascending; NaN for a matrix that is not finite.
    axes : ndarray of shape (n_matrices, n_features, n_features)
        Columns are eigenvectors of length one, in the order of `values`.

    Notes
    -----
    Errors are of the order of rounding in the largest eigenvalue. Cost O(d^3) for each matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import reference
    >>> reference.eigh(np.array([[[2.0, 1.0], [1.0, 2.0]]]))[0]
    array([[1., 3.]])
    """
    values, axes = np.full(matrices.shape[:2], np.nan), np.full(matrices.shape, np.nan)
    finite = np.isfinite(matrices).all(axis=(1, 2))
    values[finite], axes[finite] = np.linalg.eigh(matrices[finite])
    return values, axes


def multiply(left: Floats, right: Floats) -> Floats:
    """Products of matrices.

    Parameters
    ----------
    left : ndarray of shape (n_matrices, m, p)
        Of shape (1, m, p), one that serves for all on the other side.
    right : ndarray of shape (n_matrices, p, n)
        Likewise.

    Returns
    -------
    ndarray of shape (n_matrices, m, n)

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import reference
    >>> reference.multiply(np.array([[[2.0, 0.0]]]), np.array([[[1.0], [5.0]], [[3.0], [5.0]]]))
    array([[[2.]],
           [[6.]]])
    """
    products: Floats = left @ right
    return products


def m_step(family: str, shape: Shape, ridge: Floats | None) -> None:
    """Leave every M-step to `mixtura.updates` and the rules of `mixtura.covariance`.

    Parameters
    ----------
    family : str
        The name of its rule.
    shape : Shape
        Of its covariances.
    ridge : ndarray of shape (n_features,), squared units of the features, or None
        Added to the diagonal of every covariance.

    Examples
    --------
    >>> from mixtura import reference
    >>> from mixtura.shapes import FULL
    >>> reference.m_step("VVV", FULL, None) is None
    True
    """
