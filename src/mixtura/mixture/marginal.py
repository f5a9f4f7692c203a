"""The mixture of some of the features, whatever the others are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mixtura import kernels
from mixtura.mixture.features import Features, feature_positions

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["marginal", "of_positions"]


def marginal(self: GaussianMixture, features: Features) -> GaussianMixture:
    """Mixture that some of the features have, whatever the others are.

    Parameters
    ----------
    features : str, int, sequence of them, or mask of shape (n_features,)
        Names, positions from 0, or True for the features to keep, in the order of the result.

    Returns
    -------
    GaussianMixture
        Of the same weights. Its covariance type may be a more general one: see
        :doc:`/manual/incomplete_rows`.

    Raises
    ------
    ValueError
        For no feature, one that the mixture does not have, or one that is given twice.
    TypeError
        For anything but names, integers and masks.

    See Also
    --------
    conditional : The mixture of some features, given numbers of the others.

    Examples
    --------
    >>> import mixtura
    >>> iris = mixtura.datasets.load_iris()
    >>> model = mixtura.fit_gmm(iris.data, 2, rng=0).model
    >>> model.marginal([2]).means.round(2)
    array([[4.91],
           [1.46]])
    """
    positions = feature_positions(self, features)
    if not len(positions):
        raise ValueError("features must be at least one; got none. Name the features to keep.")
    return of_positions(self, positions)


def of_positions(mixture: GaussianMixture, positions: NDArray[np.intp]) -> GaussianMixture:
    """Return the mixture of the features at these positions, of which there is at least one."""
    family, names = mixture._family, mixture.feature_names
    covariances = family.shape.of_features(mixture.covariances, positions)
    is_part = len(positions) < mixture.n_features
    if is_part:  # better conditioned than all together
        factors, _ = family.shape.factorise(covariances, kernels)
    else:
        factors = family.shape.conditional_factors(mixture.precisions_cholesky, positions)
    return mixture._from_fit(
        family.name_of_parts(mixture.covariance_type) if is_part else mixture.covariance_type,
        mixture.weights,
        mixture.means[:, positions],
        covariances,
        factors,
        None if names is None else tuple(names[a] for a in positions),
        mixture.missing,
    )
