"""Rows made whole: what is expected of their missing numbers, or random draws of them.

A draw is made in two steps: the component by its responsibility, and the missing numbers by its
conditional distribution, as the conditional mean and a random rest [1]_. With x' a random row of
the component::

    draw = E[x_m | x_o] + (x'_m - E[x_m | x'_o])

has the right mean and covariance, because a linear predictor is independent of what it leaves. So
no covariance of a pattern is factored for it.

.. [1] Y. Hoffman, E. Ribak, "Constrained realizations of Gaussian fields: a simple algorithm", The
   Astrophysical Journal 380, L5-L8, 1991.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from mixtura.data import Block
from mixtura.data.any_rows import AnyRows, FarRows, InBlocks, Into, Output, Whole, Written
from mixtura.data.checks import check_n_threads, check_rng
from mixtura.data.looks import RowByRow
from mixtura.data.outputs import answered, check_output
from mixtura.data.question import Question
from mixtura.mixture.checks import check_feature_names
from mixtura.mixture.densities import evaluate, opened
from mixtura.mixture.sampling import correlated
from mixtura.parameters import Seen
from mixtura.passes import Backend
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["impute"]

ELEMENTS_AT_ONCE = 1 << 19  # of completed rows, or of responsibilities, in memory at one time


@overload
def impute(
    self: GaussianMixture,
    X: FarRows,
    rng: int | np.random.Generator | None = None,
    *,
    n_threads: int | None = None,
    **options: Unpack[Whole],
) -> Any: ...
@overload
def impute(
    self: GaussianMixture,
    X: AnyRows,
    rng: int | np.random.Generator | None = None,
    *,
    n_threads: int | None = None,
    **options: Unpack[Whole],
) -> NDArray[Any]: ...
@overload
def impute(
    self: GaussianMixture,
    X: AnyRows,
    rng: int | np.random.Generator | None = None,
    *,
    n_threads: int | None = None,
    **options: Unpack[Into[Written]],
) -> Written: ...
@overload
def impute(
    self: GaussianMixture,
    X: AnyRows,
    rng: int | np.random.Generator | None = None,
    *,
    n_threads: int | None = None,
    **options: Unpack[InBlocks],
) -> Iterator[NDArray[Any]]: ...
def impute(
    self: GaussianMixture,
    X: AnyRows,
    rng: int | np.random.Generator | None = None,
    *,
    out: Output = None,
    blocks: bool = False,
    n_threads: int | None = None,
) -> Any:
    """Rows with their missing numbers filled in.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows; NaN, and the nulls of a frame, are missing.
    rng : int, Generator or None
        None fills in the expected numbers, given the observed ones of the row. A seed or a
        generator draws them at random from their distribution.
    out : ndarray, str, path-like or None
        Array or file (.npy or .parquet) for the result, which is returned. See
        :doc:`/manual/outputs`.
    blocks : bool
        True returns an iterator of results, one for each block of rows.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32 where X is, else float64
        A new array, also for a frame. Observed numbers have the same bits.

    See Also
    --------
    conditional : The distribution of what is missing of one row, with its covariance.

    Notes
    -----
    Expected numbers vary too little. Where variances, correlations or tests are computed
    afterwards, use several draws [1]_. Needs 4 MiB for each of up to ten temporaries besides the
    result.

    References
    ----------
    .. [1] D. B. Rubin, "Multiple Imputation for Nonresponse in Surveys",
       Wiley, 1987.

    Examples
    --------
    >>> import numpy as np, mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> model = mixtura.fit_gmm(X, 2, rng=0).model
    >>> model.impute([[2.0, np.nan], [np.nan, 80.0], [3.6, 77.0]]).round(2)
    array([[ 2.  , 54.25],
           [ 4.29, 80.  ],
           [ 3.6 , 77.  ]])
    """
    check_output(out, blocks)
    n_threads = check_n_threads(n_threads)
    generator = None if rng is None else check_rng(rng)
    rows = opened(self, X, missing="em")
    draws = None
    if generator is not None:
        if rows.is_far:
            raise ValueError(
                "rng must be None for rows that other processes work on, as draws are made one "
                "after the other; got one. Scan the rows without executor."
            )
        draws = _Draws.of(generator, rows.n_samples)
    names = check_feature_names(rows.feature_names or self.feature_names, self.n_features)
    look = _Completed(self, n_threads, draws, rows.not_finite, rows.dtype)
    question = Question(look, tuple(names), (self.n_features,), rows.dtype, "imputed")
    return answered(rows, question, out, blocks)


@dataclass(frozen=True, eq=False)
class _Draws:
    """Random numbers for rows in order: which component, and a row of it."""

    uniform: np.random.Generator
    normal: np.random.Generator

    @classmethod
    def of(cls, rng: np.random.Generator, n_samples: int) -> Self:
        """Return the draws that `n_samples` uniform numbers and then normal ones give."""
        uniform = copy.deepcopy(rng)
        for start in range(0, n_samples, ELEMENTS_AT_ONCE):
            rng.random(min(ELEMENTS_AT_ONCE, n_samples - start))
        return cls(uniform, rng)


@dataclass(frozen=True, eq=False)
class _Completed(RowByRow):
    """A look at rows with their missing numbers filled in.

    Far rows, which are asked row by row, have no mask of those that are not finite.
    """

    mixture: GaussianMixture
    n_threads: int | None
    draws: _Draws | None
    not_finite: NDArray[np.bool_] | None
    dtype: np.dtype[Any]

    def __call__(self, block: Block) -> NDArray[Any]:
        filled = np.array(block.X, self.dtype, order="C")
        step = 1 + ELEMENTS_AT_ONCE // max(self.mixture.means.shape)
        for start in range(0, len(filled), step):
            piece = filled[start : start + step]
            # One for each row, so that a draw does not depend on how rows are cut into blocks.
            uniform = None if self.draws is None else self.draws.uniform.random(len(piece))
            some = np.flatnonzero(np.isnan(piece).any(axis=1))
            if not len(some):
                continue
            holed = np.asarray(block.X[start : start + step])[some]
            if self.draws is None or uniform is None:
                whole = _expected(self.mixture._seen, holed, self.n_threads)
            else:
                rng = self.draws.normal
                whole = _drawn(self.mixture, holed, uniform[some], rng, self.n_threads)
            piece[some] = np.where(np.isnan(holed), whole, holed)
        if self.not_finite is not None:
            filled[self.not_finite[block.start : block.start + len(filled)]] = np.nan
        return filled


def _expected(seen: Seen, X: NDArray[Any], n_threads: int | None) -> Floats:
    """Return incomplete rows with what is expected of their missing numbers."""
    whole = np.empty(X.shape)
    Backend().rows("incomplete", Block(X, None)).complete(seen, n_threads, out=whole)
    return whole


def _drawn(
    mixture: GaussianMixture,
    X: NDArray[Any],
    uniform: Floats,
    rng: np.random.Generator,
    n_threads: int | None,
) -> Floats:
    """Return incomplete rows with random draws of their missing numbers."""
    resp = np.empty((len(X), mixture.n_components))
    evaluate(mixture, "incomplete", Block(X, None), n_threads, resp=resp)
    below = resp.cumsum(axis=1)
    labels = (below <= (uniform * below[:, -1])[:, None]).sum(axis=1)
    normal, parameters = rng.standard_normal(X.shape), mixture._parameters()
    whole = np.empty(X.shape)
    for j in np.unique(labels):
        rows = labels == j
        row = mixture.means[j] + correlated(parameters, j, normal[rows])
        about_zero = parameters.select(np.array([j]))._replace(means=np.zeros((1, X.shape[1])))
        whole[rows] = row + _expected(about_zero.seen(), X[rows] - row, n_threads)
    return whole
