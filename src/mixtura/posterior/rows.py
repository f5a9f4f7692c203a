"""Components of rows by the posterior, and the evidence lower bound of rows.

Both are of the variational E-step [1]_: the constants of `PriorLaws.log_constants` take the
place of log-weights in the passes of a mixture.

.. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 10.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura import kernels
from mixtura.data.any_rows import (
    AnyRows,
    AskedInBlocks,
    AskedInto,
    AskedWhole,
    FarRows,
    Output,
    Written,
)
from mixtura.data.checks import check_n_threads
from mixtura.data.missing import Missing
from mixtura.mixture.answers import refuse_noiseless
from mixtura.mixture.bound import bound_of
from mixtura.mixture.densities import Asked, of_each_row, opened
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.posterior.posterior import GMMPosterior

__all__ = ["elbo", "predict", "responsibilities"]


@overload
def responsibilities(self: GMMPosterior, X: FarRows, **options: Unpack[AskedWhole]) -> Any: ...
@overload
def responsibilities(self: GMMPosterior, X: AnyRows, **options: Unpack[AskedWhole]) -> Floats: ...
@overload
def responsibilities(
    self: GMMPosterior, X: AnyRows, **options: Unpack[AskedInto[Written]]
) -> Written: ...
@overload
def responsibilities(
    self: GMMPosterior, X: AnyRows, **options: Unpack[AskedInBlocks]
) -> Iterator[Floats]: ...
def responsibilities(
    self: GMMPosterior,
    X: AnyRows,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    out: Output = None,
    blocks: bool = False,
    n_threads: int | None = None,
) -> Any:
    """Share of each component in each row, by the variational E-step.

    They differ from those of `model`: components with few rows get less.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the posterior's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. It is needed where the rows of the fit had noise.
    out : ndarray, str, path-like or None
        Array or file (.npy or .parquet) for the result, which is returned. See
        :doc:`/manual/outputs`.
    blocks : bool
        True returns an iterator of results, one for each block of rows.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    ndarray of shape (n_samples, n_components)
        Rows sum to one.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> posterior = mixtura.fit_bayesian_gmm(X, 2, rng=0).posterior
    >>> posterior.responsibilities([[2.0, 50.0], [3.0, 65.0]]).round(2)
    array([[0.  , 1.  ],
           [0.79, 0.21]])
    """
    refuse_noiseless(self.has_noise, noise_covariance)
    asked = Asked(missing, noise_covariance, projection, n_threads)
    return of_each_row(self, X, asked, "resp", out, blocks)


@overload
def predict(self: GMMPosterior, X: FarRows, **options: Unpack[AskedWhole]) -> Any: ...
@overload
def predict(self: GMMPosterior, X: AnyRows, **options: Unpack[AskedWhole]) -> NDArray[np.int64]: ...
@overload
def predict(self: GMMPosterior, X: AnyRows, **options: Unpack[AskedInto[Written]]) -> Written: ...
@overload
def predict(
    self: GMMPosterior, X: AnyRows, **options: Unpack[AskedInBlocks]
) -> Iterator[NDArray[np.int64]]: ...
def predict(
    self: GMMPosterior,
    X: AnyRows,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    out: Output = None,
    blocks: bool = False,
    n_threads: int | None = None,
) -> Any:
    """Component of largest share for each row; the first of several.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the posterior's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. It is needed where the rows of the fit had noise.
    out : ndarray, str, path-like or None
        Array or file (.npy or .parquet) for the result, which is returned. See
        :doc:`/manual/outputs`.
    blocks : bool
        True returns an iterator of results, one for each block of rows.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    ndarray of shape (n_samples,), int64

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> posterior = mixtura.fit_bayesian_gmm(X, 2, rng=0).posterior
    >>> posterior.predict([[2.0, 50.0], [4.5, 85.0]])
    array([1, 0])
    """
    refuse_noiseless(self.has_noise, noise_covariance)
    asked = Asked(missing, noise_covariance, projection, n_threads)
    return of_each_row(self, X, asked, "labels", out, blocks)


def elbo(
    self: GMMPosterior,
    X: AnyRows,
    resp: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> float:
    """Evidence lower bound: the log evidence of the rows is at least this, whatever `resp` is.

    ``sum_ij resp[i, j] (E log weight_j N(x_i | mean_j, covariance_j) - log resp[i, j])`` minus the
    divergence of the laws from the prior, with all constants [1]_.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows: those of the fit, or others.
    resp : array_like of shape (n_samples, n_components), optional
        Share of each component in each row. None is the best, that of `responsibilities`.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the posterior's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. It is needed where the rows of the fit had noise.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    float, nats
        A total, of rows alone. :doc:`/manual/posterior` says how to add labels.

    Raises
    ------
    ValueError
        For rows as in other methods, and for `resp` of another shape, with negative numbers, or
        with rows that do not sum to one.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    One pass over the rows. Where `resp` is given, 24 MiB of memory besides the rows.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, equations (10.70) to
       (10.77).

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_bayesian_gmm(X, 2, rng=0)
    >>> round(fit.posterior.elbo(X), 1), round(fit.elbo, 1)
    (-1170.0, -1170.0)
    """
    refuse_noiseless(self.has_noise, noise_covariance)
    n_threads = check_n_threads(n_threads)
    source = opened(
        self,
        X,
        sample_weight,
        missing=missing,
        noise_covariance=noise_covariance,
        projection=projection,
    )
    divergence = self.prior.divergence(self._laws, kernels)
    return bound_of(self, source, resp, n_threads) - divergence
