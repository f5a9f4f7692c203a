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

    They differ from those of `model`: the logarithms of weights and precisions are averaged, not
    these themselves, so components with few rows get less.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What to do with NaN in a row: raise an error, or use its observed features. None is what
        the posterior's `missing` says.
    noise_covariance, projection : array_like, optional
        Of the noise of each row, as for `fit_gmm`. Where the rows of the fit had noise, rows
        without are refused: pass zeros for them.
    out : ndarray, str, path-like or None
        Where to write the result, which is not made in memory then: an array of its shape and
        type, or a file that ends in .npy or .parquet. This is what is returned.
    blocks : bool
        True returns an iterator of the results of one block of rows after the other.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    ndarray of shape (n_samples, n_components)
        Rows sum to one.
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
        What to do with NaN in a row: raise an error, or use its observed features. None is what
        the posterior's `missing` says.
    noise_covariance, projection : array_like, optional
        Of the noise of each row, as for `fit_gmm`. Where the rows of the fit had noise, rows
        without are refused: pass zeros for them.
    out : ndarray, str, path-like or None
        Where to write the result, which is not made in memory then: an array of its shape and
        type, or a file that ends in .npy or .parquet. This is what is returned.
    blocks : bool
        True returns an iterator of the results of one block of rows after the other.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    ndarray of shape (n_samples,), int64
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
    """Evidence lower bound of rows under these laws, a lower bound of the log evidence of `X`.

    ``sum_ij resp[i, j] (E log weight_j N(x_i | mean_j, covariance_j) - log resp[i, j])`` minus the
    divergence of the laws from the prior, with all constants: Bishop (2006), (10.70) to (10.77).

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows: those of the fit, or others.
    resp : array_like of shape (n_samples, n_components), optional
        Share of each component in each row. None is the best, that of `responsibilities`.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each.
    missing : {"raise", "em"}, optional
        What to do with NaN in a row: raise an error, or use its observed features. None is what
        the posterior's `missing` says.
    noise_covariance, projection : array_like, optional
        Of the noise of each row, as for `fit_gmm`. Where the rows of the fit had noise, rows
        without are refused: pass zeros for them.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    float, nats
        A total. At most the log evidence of the rows under the prior, whatever the laws and `resp`.

    Raises
    ------
    ValueError
        For rows as in other methods, and for `resp` of another shape, with negative numbers, or
        with rows that do not sum to one.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    It is of rows alone. After a fit with `labels`, where each row's component is known, shares of 0
    and 1 as `resp` give the bound of rows and labels: the `elbo` of the fit.

    One pass over the rows. Where `resp` is given, 24 MiB of memory besides the rows.
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
