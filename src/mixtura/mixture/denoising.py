"""Expected true values of rows that were observed with noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import check_flag, check_n_threads
from mixtura.mixture.densities import opened
from mixtura.passes import Backend
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["denoise"]

NUMBERS_AT_ONCE = 1 << 20  # of matrices of rows in memory while covariances are computed


@overload
def denoise(
    self: GaussianMixture,
    X: AnyRows,
    noise_covariance: ArrayLike,
    projection: ArrayLike | None = None,
    *,
    return_cov: Literal[False] = False,
    n_threads: int | None = None,
) -> Floats: ...
@overload
def denoise(
    self: GaussianMixture,
    X: AnyRows,
    noise_covariance: ArrayLike,
    projection: ArrayLike | None = None,
    *,
    return_cov: Literal[True],
    n_threads: int | None = None,
) -> tuple[Floats, Floats]: ...
def denoise(
    self: GaussianMixture,
    X: AnyRows,
    noise_covariance: ArrayLike,
    projection: ArrayLike | None = None,
    *,
    return_cov: bool = False,
    n_threads: int | None = None,
) -> Floats | tuple[Floats, Floats]:
    """Expected true values of rows that were observed with noise.

    Parameters
    ----------
    X : array_like of shape (n_samples, m)
        What was observed.
    noise_covariance : array_like of shape (n_samples,), (n_samples, m) or (n_samples, m, m)
        Noise of each row, as for `fit_gmm`.
    projection : array_like of shape (n_samples, m, n_features), optional
        As for `fit_gmm`.
    return_cov : bool
        Whether to return covariances too.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    expected : ndarray of shape (n_samples, n_features)
        Rows without noise stay as they are, up to rounding.
    covariances : ndarray of shape (n_samples, n_features, n_features)
        Of each true row, given what was observed. Only with `return_cov`.

    Raises
    ------
    ValueError
        As `fit_gmm` for X, `noise_covariance` and `projection`.

    Notes
    -----
    The formulas are those of [1]_. Cost O(n k d^3), O(n k d) where all covariances are diagonal.
    Covariances are computed in NumPy, on one thread.

    References
    ----------
    .. [1] J. Bovy, D. W. Hogg, S. T. Roweis, "Extreme deconvolution", Annals of Applied Statistics
       5, 1657-1677, 2011, equations (13) and (14).

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([1], [[0]], [3], "spherical")
    >>> mixture.denoise([[4.0], [4.0]], [0.0, 1.0])
    array([[4.],
           [3.]])
    """
    n_threads, return_cov = check_n_threads(n_threads), check_flag("return_cov", return_cov)
    rows = opened(self, X, noise_covariance=noise_covariance, projection=projection)
    n, d = rows.n_samples, self.n_features
    expected = np.empty((n, d))
    covariances = np.empty((n, d, d) if return_cov else (0, d, d))
    compiled, plain = Backend(), Backend("reference")
    step = 1 + NUMBERS_AT_ONCE // (d * d)
    for block in rows.blocks():
        place = slice(block.start, block.start + len(block.X))
        whole = block._replace(sample_weight=None)
        compiled.rows(rows.form, whole).complete(self._seen, n_threads, out=expected[place])
        for start in range(0, len(block.X) if return_cov else 0, step):
            chunk = whole.part(slice(start, start + step))
            part = covariances[place][start : start + step]
            plain.rows(rows.form, chunk).covariances(self._seen, out=part)
    return (expected, covariances) if return_cov else expected
