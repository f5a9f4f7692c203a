"""Densities of rows, and the components they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data import Block, RowSource, open_rows, with_noise
from mixtura.data.any_rows import (
    AnyRows,
    AskedInBlocks,
    AskedInto,
    AskedWhole,
    FarRows,
    Output,
    Written,
)
from mixtura.data.checks import check_n_threads, check_option
from mixtura.data.frames import Names
from mixtura.data.looks import RowByRow
from mixtura.data.missing import MISSING, Missing
from mixtura.data.noise import accepted
from mixtura.data.outputs import answered, check_output
from mixtura.data.question import Question
from mixtura.parameters import Seen
from mixtura.passes import Backend
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = [
    "Asked",
    "Components",
    "component_log_prob",
    "evaluate",
    "log_prob",
    "of_each_row",
    "of_opened",
    "opened",
    "predict",
    "responsibilities",
]


class Components(Protocol):
    """What a pass has to know: `GaussianMixture` has it, and its posterior with other constants."""

    @property
    def n_components(self) -> int:
        """Number of components."""

    @property
    def n_features(self) -> int:
        """Number of features."""

    @property
    def feature_names(self) -> Names | None:
        """Names of the columns; None where there are none."""

    @property
    def missing(self) -> Missing:
        """What to do with NaN among the rows."""

    @property
    def _seen(self) -> Seen:
        """Constants, means and factors."""


# The outputs of a pass: what columns of files are called, whether each component has one, type, and
# what they are together.
IN_FILES: dict[str, tuple[str, bool, type, str]] = {
    "log_prob": ("log_prob", False, np.float64, "log_prob"),
    "log_density": ("log_prob", True, np.float64, "component_log_prob"),
    "resp": ("resp", True, np.float64, "responsibilities"),
    "labels": ("component", False, np.int64, "component"),
}


@overload
def log_prob(self: GaussianMixture, X: FarRows, **options: Unpack[AskedWhole]) -> Any: ...
@overload
def log_prob(self: GaussianMixture, X: AnyRows, **options: Unpack[AskedWhole]) -> Floats: ...
@overload
def log_prob(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedInto[Written]]
) -> Written: ...
@overload
def log_prob(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedInBlocks]
) -> Iterator[Floats]: ...
def log_prob(
    self: GaussianMixture,
    X: AnyRows,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    out: Output = None,
    blocks: bool = False,
    n_threads: int | None = None,
) -> Any:
    """Log-density of each row: ``log sum_j weights[j] N(x | means[j], covariance_j)``.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the mixture's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. None is no noise.
    out : ndarray, str, path-like or None
        Array or file (.npy or .parquet) for the result, which is returned. See
        :doc:`/manual/outputs`.
    blocks : bool
        True returns an iterator of results, one for each block of rows.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    ndarray of shape (n_samples,), nats
        -inf for a row where every component has zero density.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.5, 0.5], [[0], [4]], [1, 1], "spherical")
    >>> mixture.log_prob([[0.0], [2.0]]).round(3)
    array([-1.612, -2.919])
    """
    asked = Asked(missing, noise_covariance, projection, n_threads)
    return of_each_row(self, X, asked, "log_prob", out, blocks)


@overload
def component_log_prob(self: GaussianMixture, X: FarRows, **options: Unpack[AskedWhole]) -> Any: ...
@overload
def component_log_prob(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedWhole]
) -> Floats: ...
@overload
def component_log_prob(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedInto[Written]]
) -> Written: ...
@overload
def component_log_prob(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedInBlocks]
) -> Iterator[Floats]: ...
def component_log_prob(
    self: GaussianMixture,
    X: AnyRows,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    out: Output = None,
    blocks: bool = False,
    n_threads: int | None = None,
) -> Any:
    """Log of weight times density: ``log weights[j] + log N(x | means[j], covariance_j)``.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the mixture's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. None is no noise.
    out : ndarray, str, path-like or None
        Array or file (.npy or .parquet) for the result, which is returned. See
        :doc:`/manual/outputs`.
    blocks : bool
        True returns an iterator of results, one for each block of rows.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    ndarray of shape (n_samples, n_components), nats
        -inf for a component of weight zero.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.5, 0.5], [[0], [4]], [1, 1], "spherical")
    >>> mixture.component_log_prob([[0.0], [2.0]]).round(3)
    array([[-1.612, -9.612],
           [-3.612, -3.612]])
    """
    asked = Asked(missing, noise_covariance, projection, n_threads)
    return of_each_row(self, X, asked, "log_density", out, blocks)


@overload
def responsibilities(self: GaussianMixture, X: FarRows, **options: Unpack[AskedWhole]) -> Any: ...
@overload
def responsibilities(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedWhole]
) -> Floats: ...
@overload
def responsibilities(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedInto[Written]]
) -> Written: ...
@overload
def responsibilities(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedInBlocks]
) -> Iterator[Floats]: ...
def responsibilities(
    self: GaussianMixture,
    X: AnyRows,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    out: Output = None,
    blocks: bool = False,
    n_threads: int | None = None,
) -> Any:
    """Posterior probability of each component, given the row.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the mixture's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. None is no noise.
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
        Rows sum to one. For a row where every component has zero density, the weights.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.5, 0.5], [[0], [4]], [1, 1], "spherical")
    >>> mixture.responsibilities([[1.0], [2.0]]).round(3)
    array([[0.982, 0.018],
           [0.5  , 0.5  ]])
    """
    asked = Asked(missing, noise_covariance, projection, n_threads)
    return of_each_row(self, X, asked, "resp", out, blocks)


@overload
def predict(self: GaussianMixture, X: FarRows, **options: Unpack[AskedWhole]) -> Any: ...
@overload
def predict(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedWhole]
) -> NDArray[np.int64]: ...
@overload
def predict(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedInto[Written]]
) -> Written: ...
@overload
def predict(
    self: GaussianMixture, X: AnyRows, **options: Unpack[AskedInBlocks]
) -> Iterator[NDArray[np.int64]]: ...
def predict(
    self: GaussianMixture,
    X: AnyRows,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    out: Output = None,
    blocks: bool = False,
    n_threads: int | None = None,
) -> Any:
    """Component of largest responsibility for each row; the first of several.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the mixture's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. None is no noise.
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
        For a row where every component has zero density, the component of largest weight.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.5, 0.5], [[0], [4]], [1, 1], "spherical")
    >>> mixture.predict([[1.0], [3.0]])
    array([0, 1])
    """
    asked = Asked(missing, noise_covariance, projection, n_threads)
    return of_each_row(self, X, asked, "labels", out, blocks)


def opened(
    mixture: Components,
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
    mixture: Components, form: str, block: Block, n_threads: int | None, **outputs: Any
) -> None:
    """Write into the arrays given what a pass over rows of some form computes for each row."""
    rows = Backend().rows(form, block._replace(sample_weight=None))  # else resp would have it
    rows.evaluate("soft", mixture._seen, n_threads, **outputs)


class Asked(NamedTuple):
    """How a question about rows was asked."""

    missing: Missing | None
    noise_covariance: ArrayLike | None
    projection: ArrayLike | None
    n_threads: int | None


def of_each_row(
    mixture: Components, X: AnyRows, asked: Asked, output: str, out: Output, blocks: bool
) -> Any:
    """Return one of the outputs of `evaluate` for all rows, or write it: block after block."""
    check_output(out, blocks)
    n_threads = check_n_threads(asked.n_threads)
    rows = opened(
        mixture, X, missing=asked.missing, noise_covariance=asked.noise_covariance,
        projection=asked.projection,
    )  # fmt: skip
    return of_opened(mixture, rows, n_threads, output, out, blocks)


def of_opened(
    mixture: Components,
    rows: RowSource,
    n_threads: int | None,
    output: str,
    out: Output = None,
    blocks: bool = False,
) -> Any:
    """`of_each_row` of rows that are already checked."""
    name, of_components, dtype, together = IN_FILES[output]
    k = mixture.n_components
    columns = (k,) if of_components else ()
    names = tuple(f"{name}_{j}" for j in range(k)) if of_components else (name,)
    look = _Evaluated(mixture, rows.form, n_threads, output, columns, dtype)
    return answered(rows, Question(look, names, columns, dtype, together), out, blocks)


@dataclass(frozen=True, eq=False)
class _Evaluated(RowByRow):
    """A look at one of the outputs of `evaluate`."""

    mixture: Components
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
