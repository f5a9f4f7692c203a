"""The mixture of some of the features, given numbers of the others.

With o the features that are given, m the others, and the precision P = U U^T of component j::

    weights        proportional to  weights[j] N(x_o | mean_o, cov_oo)
    precision      P_mm = U_m U_m^T
    mean           mean_m - inv(P_mm) P_mo (x_o - mean_o)

where U_m are the rows of U of these features [1]_. Its triangular factor is the R of ``U_m = R Q``
with orthonormal Q: nothing is squared, and nothing is lost in a difference of covariances.

.. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", Springer, 2006, section 2.3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.checks import contiguous
from mixtura.data.frames import listed
from mixtura.data.index import row_index
from mixtura.data.values import refuse_non_finite
from mixtura.mixture.features import Features, feature_positions
from mixtura.mixture.marginal import of_positions

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["conditional"]


def conditional(self: GaussianMixture, features: Features, values: ArrayLike) -> GaussianMixture:
    """Mixture of the other features, given the numbers of some.

    Parameters
    ----------
    features : str, int, sequence of them, or mask of shape (n_features,)
        Names, positions from 0, or True for the features whose numbers are given.
    values : array_like of shape (n_given,), mapping or pandas.Series
        Their numbers, in this order. Those of a mapping or a series are found by the names of the
        features.

    Returns
    -------
    GaussianMixture
        Of the features that are not given, in their order. Its weights are the responsibilities
        for the numbers given. Its covariance type is that of `marginal`.

    Raises
    ------
    ValueError
        For features that the mixture does not have, for all of them, for another number of values
        or other labels, and for values that are not finite.
    TypeError
        For anything but names, integers and masks; for values that are not real numbers.

    See Also
    --------
    marginal : The mixture of some features, whatever the others are.
    impute : Its means for many rows.

    Notes
    -----
    Cost O(k d^3).

    Examples
    --------
    Old Faithful's waiting time after an eruption of two minutes:

    >>> import mixtura
    >>> faithful = mixtura.datasets.load_faithful()
    >>> model = mixtura.fit_gmm(faithful.data, 2, rng=0).model
    >>> waiting = model.conditional(0, 2.0)
    >>> waiting.mean().round(1), waiting.quantile([0.05, 0.95]).round(1)
    (array([54.2]), array([45.1, 63.4]))
    """
    given = feature_positions(self, features)
    rest = np.setdiff1d(np.arange(self.n_features), given)
    if not len(rest):
        raise ValueError(
            f"features must leave out at least one of {self.n_features}; got all. Use log_prob for "
            f"the density of a row."
        )
    x = contiguous(_in_order(self, given, values), "values")
    if x.ndim == 0:
        x = x.reshape(1)
    if x.shape != given.shape:
        remedy = "Give each feature one."
        if x.ndim == 2 and x.shape[1] == len(given):
            remedy = "Call it for one row after the other."
        raise ValueError(
            f"values must have shape ({len(given)},), a number for each of the features; got "
            f"{x.shape}. {remedy}"
        )
    refuse_non_finite(x, "values", ("feature",), "Leave such features out of features.")
    if not len(given):
        return self
    shape, factors, (k, d) = self._family.shape, self.precisions_cholesky, self.means.shape
    rest_factors = shape.conditional_factors(factors, rest)
    covariances = shape.inverses(rest_factors)
    means = self.means[:, rest]
    for j in range(k):
        factor = shape.matrix(factors, j, d)
        slopes = shape.matrix(covariances, j, len(rest)) @ (factor[rest] @ factor[given].T)
        with np.errstate(over="ignore", invalid="ignore"):  # refused below
            means[j] -= slopes @ (x - self.means[j, given])
    refuse_non_finite(
        means, "means given the values", ("component", "feature"), "Give values nearer to the rows."
    )
    names = self.feature_names
    return self._from_fit(
        self._family.name_of_parts(self.covariance_type),
        of_positions(self, given).responsibilities(x[None])[0],
        means,
        covariances,
        rest_factors,
        None if names is None else tuple(names[a] for a in rest),
        self.missing,
    )


def _in_order(mixture: GaussianMixture, given: NDArray[np.intp], values: Any) -> Any:
    """Values in the order of the features that are given, where labels say which is which."""
    if isinstance(values, Mapping):
        labels, numbers = list(values), list(values.values())
    elif getattr(values, "ndim", None) == 1 and row_index(values) is not None:
        labels, numbers = list(values.index), list(values)
        if labels == list(range(len(given))):
            return values
    else:
        return values
    names = mixture.feature_names
    expected = [int(a) if names is None else names[a] for a in given]
    place = dict(zip(labels, numbers, strict=True))
    if len(labels) != len(expected) or set(labels) != set(expected):
        raise ValueError(
            f"values with labels must have those of the features, {listed(expected)}; got "
            f"{listed(labels)}. Select them by these labels, or pass an array of the numbers in "
            f"the order of features."
        )
    return [place[label] for label in expected]
