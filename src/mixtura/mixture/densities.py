"""Densities of rows, and the components they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data import Block, RowSource, open_rows, with_noise
from mixtura.data.checks import check_n_threads, check_option
from mixtura.data.missing import MISSING, Missing
from mixtura.data.noise import accepted
from mixtura.passes import Backend
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = [
    "AnyRows",
    "component_log_prob",
    "evaluate",
    "log_prob",
    "opened",
    "predict",
    "responsibilities",
]

AnyRows = ArrayLike | RowSource
COLUMNS = {  # of outputs, in a frame that a kind of rows returns
    "labels": "component",
    "log_prob": "log_prob",
    "log_density": "component_log_prob",
    "resp": "responsibilities",
}


def log_prob(
    self: GaussianMixture,
    X: AnyRows,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Floats:
    """Log-density of each row: ``log sum_j weights[j] N(x | means[j], covariance_j)``.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What to do with NaN in a row: raise an error, or take the density of its observed features.
        None is what the mixture's `missing` says.
    noise_covariance, projection : array_like, optional
        Of the noise of each row, as for `fit_gmm`: densities are then those of rows with noise.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    ndarray of shape (n_samples,), nats
        -inf for a row where every component has zero density.
    """
    return _of_each_row(
        self,
        opened(self, X, missing=missing, noise_covariance=noise_covariance, projection=projection),
        n_threads,
        "log_prob",
    )


def component_log_prob(
    self: GaussianMixture,
    X: AnyRows,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Floats:
    """Log of weight times density: ``log weights[j] + log N(x | means[j], covariance_j)``.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What to do with NaN in a row: raise an error, or take the density of its observed features.
        None is what the mixture's `missing` says.
    noise_covariance, projection : array_like, optional
        Of the noise of each row, as for `fit_gmm`: densities are then those of rows with noise.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    ndarray of shape (n_samples, n_components), nats
        -inf for a component of weight zero.
    """
    return _of_each_row(
        self,
        opened(self, X, missing=missing, noise_covariance=noise_covariance, projection=projection),
        n_threads,
        "log_density",
        (self.n_components,),
    )


def responsibilities(
    self: GaussianMixture,
    X: AnyRows,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Floats:
    """Posterior probability of each component, given the row.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What to do with NaN in a row: raise an error, or take the density of its observed features.
        None is what the mixture's `missing` says.
    noise_covariance, projection : array_like, optional
        Of the noise of each row, as for `fit_gmm`: densities are then those of rows with noise.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    ndarray of shape (n_samples, n_components)
        Rows sum to one. For a row where every component has zero density, the weights.
    """
    return _of_each_row(
        self,
        opened(self, X, missing=missing, noise_covariance=noise_covariance, projection=projection),
        n_threads,
        "resp",
        (self.n_components,),
    )


def predict(
    self: GaussianMixture,
    X: AnyRows,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> NDArray[np.int64]:
    """Component of largest responsibility for each row; the first of several.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What to do with NaN in a row: raise an error, or take the density of its observed features.
        None is what the mixture's `missing` says.
    noise_covariance, projection : array_like, optional
        Of the noise of each row, as for `fit_gmm`: densities are then those of rows with noise.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    ndarray of shape (n_samples,), int64
        For a row where every component has zero density, the component of largest weight.
    """
    return _of_each_row(
        self,
        opened(self, X, missing=missing, noise_covariance=noise_covariance, projection=projection),
        n_threads,
        "labels",
        dtype=np.int64,
    )


def opened(
    mixture: GaussianMixture,
    X: AnyRows,
    sample_weight: ArrayLike | None = None,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    minimum: int = 0,
) -> RowSource:
    """Rows that a method was given, checked, with the columns of the mixture.

    Columns of a projection are others.
    """
    missing = mixture.missing if missing is None else check_option("missing", missing, MISSING)
    own = projection is None
    rows = open_rows(
        X, sample_weight, minimum=minimum, n_features=mixture.n_features if own else None,
        feature_names=mixture.feature_names if own else None,
        missing="any" if missing == "em" else accepted(missing, noise_covariance),
    )  # fmt: skip
    return with_noise(rows, noise_covariance, projection, n_features=mixture.n_features)


def evaluate(
    mixture: GaussianMixture, form: str, block: Block, n_threads: int | None, **outputs: Any
) -> None:
    """Write into the arrays given what a pass over rows of some form computes for each row."""
    rows = Backend().rows(form, block._replace(sample_weight=None))  # else resp would have it
    rows.evaluate("soft", mixture._seen, n_threads, **outputs)


def _of_each_row(
    mixture: GaussianMixture,
    rows: RowSource,
    n_threads: int | None,
    output: str,
    columns: tuple[int, ...] = (),
    dtype: type = np.float64,
) -> NDArray[Any]:
    """Return one of the outputs of `evaluate` for all rows, block after block."""
    look = _Evaluated(mixture, rows.form, check_n_threads(n_threads), output, columns, dtype)
    values: NDArray[Any] = rows.of_each_row(look, columns, dtype, COLUMNS[output])
    return values


@dataclass(frozen=True, eq=False)
class _Evaluated:
    """A look at one of the outputs of `evaluate`."""

    mixture: GaussianMixture
    form: str
    n_threads: int | None
    output: str
    columns: tuple[int, ...]
    dtype: type

    def __call__(self, block: Block) -> NDArray[Any]:
        values: NDArray[Any] = np.empty((len(block.X), *self.columns), self.dtype)
        evaluate(self.mixture, self.form, block, self.n_threads, **{self.output: values})
        if self.output == "log_density":
            values += self.mixture._seen.log_weights
        return values
