"""The order of the components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["heaviest_first", "reordered"]


def reordered(self: GaussianMixture, order: ArrayLike) -> GaussianMixture:
    """Return the same mixture with its components in another order.

    Parameters
    ----------
    order : array_like of shape (n_components,), int
        Component ``order[j]`` becomes component j.

    Returns
    -------
    GaussianMixture
        Every number has the same bits. Covariances that all components share stay as they are.

    Raises
    ------
    ValueError
        For anything but each component once.
    TypeError
        For numbers that are not integers.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.25, 0.75], [[4], [0]], [1, 4], "spherical")
    >>> mixture.reordered(mixture.means[:, 0].argsort()).means.ravel()
    array([0., 4.])
    """
    places: NDArray[np.intp] = np.asarray(order)
    k = self.n_components
    expected = f"order must hold each of the numbers 0 to {k - 1} once"
    if places.dtype.kind not in "iu" and places.size:
        raise TypeError(
            f"{expected}, as integers; got an array of dtype {places.dtype}. Use argsort of what "
            f"you sort by."
        )
    if places.shape != (k,) or not np.array_equal(np.sort(places), np.arange(k)):
        raise ValueError(f"{expected}; got {places.tolist()}. Use argsort of what you sort by.")
    shape = self._family.shape
    return self._from_fit(
        self.covariance_type,
        self.weights[places],
        self.means[places],
        shape.select(self.covariances, places),
        shape.select(self.precisions_cholesky, places),
        self.feature_names,
        self.missing,
    )


def heaviest_first(weights: Floats, means: Floats) -> NDArray[np.intp]:
    """Return the order of falling weight, and of rising means where weights are equal."""
    return np.lexsort((*means.T[::-1], -weights))
