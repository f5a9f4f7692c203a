"""Credible intervals of weights, means and variances."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import gammainccinv, gammaincinv, gammaln, stdtrit

from mixtura.data.checks import check_number
from mixtura.shapes import Floats
from mixtura.text import short_repr

if TYPE_CHECKING:
    from mixtura.posterior.posterior import GMMPosterior

__all__ = ["CredibleIntervals", "credible_intervals", "t_quantiles"]

FAR = 1e100  # above, SciPy's quantiles of Student-t laws stop to grow


class CredibleIntervals(NamedTuple):
    """Intervals that hold a parameter with some posterior probability.

    The last axis of each array has the lower end, then the upper one.

    Attributes
    ----------
    level : float
        The probability within; as much lies below each interval as above it.
    weights : ndarray of shape (n_components, 2)
    means : ndarray of shape (n_components, n_features, 2), units of the features
    variances : ndarray of shape (n_components, n_features, 2), squared units of the features
        Of each feature in each component; where components or features share one, it is repeated.
    """

    level: float
    weights: Floats
    means: Floats
    variances: Floats

    def __repr__(self) -> str:
        return short_repr(self)


def credible_intervals(self: GMMPosterior, level: float = 0.95) -> CredibleIntervals:
    """Intervals that hold each parameter with a probability, by its own law.

    Parameters
    ----------
    level : float
        The probability, 0 or more and below 1. With 0, both ends are the median.

    Returns
    -------
    CredibleIntervals
        Of weights, means and variances: the two ends are on the last axis of each array.

    Raises
    ------
    ValueError
        For a number that is no such probability.
    TypeError
        For what is no number.

    Notes
    -----
    Weights have Beta laws, means Student-t laws and variances inverse gamma laws. Weights of sticks
    come from 20,000 draws. Intervals are too narrow where components overlap, numbers are missing
    or rows have noise: see :doc:`/manual/posterior`.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> posterior = mixtura.fit_bayesian_gmm(X, 2, rng=0).posterior
    >>> posterior.credible_intervals(0.9).weights.round(2)
    array([[0.6 , 0.69],
           [0.31, 0.4 ]])
    """
    level = check_number("level", level)
    if level >= 1.0:
        raise ValueError(f"level must be below 1; got {level:g}. Pass one such as 0.95.")
    ends = np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level])
    weights = self.prior.weights.quantiles(self.weight_concentration, ends)
    (k, d), shape = self.means.shape, self.prior.shape
    scale = shape.variances(self.scale, k, d)[:, :, None]
    freedom = np.broadcast_to(self.degrees_of_freedom, k) - self.prior.precisions.least(d)
    t = freedom[:, None, None]
    deviation = np.sqrt(scale / (self.mean_precision[:, None, None] * t))
    # Of a level near one, what lies above the upper end has more digits than what lies below it.
    below = t_quantiles(t, ends[:1])
    means = self.means[:, :, None] + deviation * np.concatenate([below, -below], axis=-1)
    quarter = ends[0] < 0.25
    upper = gammaincinv(0.5 * t, ends[0]) if quarter else gammainccinv(0.5 * t, ends[1])
    chi_squares = np.concatenate([gammainccinv(0.5 * t, ends[0]), upper], axis=-1)
    with np.errstate(divide="ignore", over="ignore"):  # of tiny t the upper end is beyond floats
        variances = 0.5 * scale / chi_squares
    # Of a level near zero, rounding may change the order of the ends.
    return CredibleIntervals(level, *(np.sort(each) for each in (weights, means, variances)))


def t_quantiles(degrees_of_freedom: Floats, levels: Floats) -> Floats:
    """Return quantiles of Student-t laws; infinite where floats end.

    Far out, x has the tail probability ``(nu / x^2)^(nu/2) / (nu B(nu/2, 1/2))``, to rounding.
    """
    quantiles: Floats = np.asarray(stdtrit(degrees_of_freedom, levels))
    nu, p = (np.broadcast_to(each, quantiles.shape) for each in (degrees_of_freedom, levels))
    with np.errstate(divide="ignore", over="ignore"):
        gammas = gammaln(1.0 + 0.5 * nu) + gammaln(0.5) - gammaln(0.5 + 0.5 * nu)
        log_tail = np.log(2.0 * np.minimum(p, 1.0 - p)) + gammas  # of nu B(nu/2, 1/2), log 2 less
        outer = np.exp(0.5 * np.log(nu) - log_tail / nu)
    far = (outer > FAR * np.sqrt(np.maximum(nu, 1.0))) & (p != 0.5)
    quantiles[far] = (np.sign(p - 0.5) * outer)[far]
    return quantiles
