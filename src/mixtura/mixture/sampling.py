"""Random rows of a mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf

from mixtura.data.checks import check_count, check_rng
from mixtura.parameters import Parameters
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["correlated", "sample"]


def sample(
    self: GaussianMixture, n: int, rng: int | np.random.Generator | None = None
) -> tuple[Floats, NDArray[np.int64]]:
    """Draw independent rows, with the components they come from.

    Parameters
    ----------
    n : int
        Number of rows.
    rng : int, Generator or None
        Seed or generator: the same seed gives the same rows; None draws a new seed.

    Returns
    -------
    X : ndarray of shape (n, n_features)
        The rows, in random order.
    labels : ndarray of shape (n,), int64
        The component of each row, drawn by the weights.

    Raises
    ------
    ValueError
        For a negative number.
    TypeError
        For a number that is not an integer, or another kind of `rng`.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.5, 0.5], [[-100], [100]], [1, 1], "spherical")
    >>> X, labels = mixture.sample(1000, rng=0)
    >>> bool(((X[:, 0] > 0) == (labels == 1)).all())
    True
    """
    n = check_count("n", n, minimum=0)
    generator = check_rng(rng)
    k, d = self.means.shape
    labels = generator.choice(k, size=n, p=self.weights / self.weights.sum())
    X = generator.standard_normal((n, d))
    ends = np.cumsum(np.bincount(labels, minlength=k))
    parameters = self._parameters()
    for j, rows in enumerate(np.split(np.argsort(labels, kind="stable"), ends[:-1])):
        if len(rows):
            X[rows] = self.means[j] + correlated(parameters, j, X[rows])
    return X, labels


def correlated(parameters: Parameters, component: int, normal: Floats) -> Floats:
    """Return standard normal rows with the covariance of a component."""
    shape, d = parameters.shape, normal.shape[1]
    if shape.is_diagonal:  # without a matrix
        own = shape.select(parameters.covariances, np.array([component]))
        scaled: Floats = normal * np.sqrt(shape.variances(own, 1, d)[0])
        return scaled
    lower, _ = dpotrf(parameters.covariance(component), lower=1, clean=1)
    rows: Floats = normal @ lower.T
    return rows
