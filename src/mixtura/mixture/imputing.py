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

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data import Block
from mixtura.data.checks import check_n_threads, check_rng
from mixtura.mixture.densities import AnyRows, evaluate, opened
from mixtura.mixture.sampling import correlated
from mixtura.parameters import Seen
from mixtura.passes import Backend
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["impute"]

ELEMENTS_AT_ONCE = 1 << 19  # of completed rows, or of responsibilities, in memory at one time


def impute(
    self: GaussianMixture,
    X: AnyRows,
    rng: int | np.random.Generator | None = None,
    *,
    n_threads: int | None = None,
) -> NDArray[Any]:
    """Rows with their missing numbers filled in.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows; NaN, and the nulls of a frame, are missing.
    rng : int, Generator or None
        None fills in what is expected of the missing numbers, given the observed ones of the row.
        Else they are drawn at random: the component by its responsibility, then the numbers by its
        conditional distribution. The same seed gives the same draws, for rows in blocks up to
        rounding.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32 where X is, else float64
        A new array, also for a frame. The observed numbers have the same bits. A row without any
        becomes the mean of the mixture, or a row like those of `sample`. Of rows of `mixtura.scan`,
        one of weight zero that is not finite becomes NaN.

    See Also
    --------
    conditional : The distribution of what is missing of one row, with its covariance.

    Notes
    -----
    The expectation is the best guess of each number in mean square, and varies too little: where
    variances, correlations or tests are computed afterwards, use several draws [1]_. Needs 4 MiB
    for each of up to ten temporaries besides the result, and 8 bytes a row for draws.

    References
    ----------
    .. [1] D. B. Rubin, "Multiple Imputation for Nonresponse in Surveys", Wiley, 1987.

    Examples
    --------
    >>> import numpy as np, mixtura
    >>> model = mixtura.fit_gmm(mixtura.datasets.load_faithful().data, 2, rng=0).model
    >>> model.impute([[2.0, np.nan], [np.nan, 80.0], [3.6, 77.0]]).round(2)
    array([[ 2.  , 54.25],
           [ 4.29, 80.  ],
           [ 3.6 , 77.  ]])
    """
    n_threads = check_n_threads(n_threads)
    generator = None if rng is None else check_rng(rng)
    rows = opened(self, X, missing="em")
    # One for each row, so that a draw does not depend on how rows are cut into blocks.
    uniform = None if generator is None else generator.random(rows.n_samples)
    filled = np.empty((rows.n_samples, rows.n_features), rows.dtype)
    for block in rows.blocks():
        step = 1 + ELEMENTS_AT_ONCE // max(self.means.shape)
        for start in range(0, len(block.X), step):
            piece = block.X[start : start + step]
            part = slice(block.start + start, block.start + start + len(piece))
            filled[part] = piece
            some = np.flatnonzero(np.isnan(piece).any(axis=1))
            if not len(some):
                continue
            holed = piece[some]
            if generator is None or uniform is None:
                whole = _expected(self._seen, holed, n_threads)
            else:
                whole = _drawn(self, holed, uniform[part][some], generator, n_threads)
            filled[part][some] = np.where(np.isnan(holed), whole, holed)
    if rows.not_finite is not None:
        filled[rows.not_finite] = np.nan
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
