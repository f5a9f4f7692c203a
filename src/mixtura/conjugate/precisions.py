"""Laws of inverse covariances: a Wishart law of matrices, gamma laws of single precisions.

With nu degrees of freedom and a scale S, in each shape::

    full, tied   precision ~ Wishart(nu, inv(S))         density ~ |P|^((nu-d-1)/2) exp(-tr(S P)/2)
    diag         each precision ~ Gamma(nu/2, rate S/2)  density ~ p^(nu/2-1) exp(-S p/2)
    spherical    the same, of one precision for all features

All have the same formulas, in which D is the number of diagonal entries of a scale, and M is the
number of features that share one of them: D = d and M = 1, but D = 1 and M = d for "spherical"::

    E log det precision = M (digammas(nu) + D log 2 - log det S)
    log normaliser      = log_gammas(nu) + nu/2 (D log 2 - log det S)

(C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, appendix B; without the powers of
pi, `log_pi`, which are the same before and after rows.)

The density of a covariance, in which that of its precision becomes that of the inverse Wishart or
the inverse gamma law, is proportional to ``|C|^(-counts(nu)/2) exp(-tr(S inv(C))/2)`` with the same
normaliser.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.algebra import Algebra
from mixtura.conjugate.gammas import log_gamma_ratio, stirling_rest
from mixtura.shapes import DIAG, FULL, SPHERICAL, TIED, Floats, Shape

__all__ = ["PrecisionLaw", "Wishart", "log_normalisers", "log_peaks", "precision_law"]


class PrecisionLaw(Protocol):
    """The law of the precisions of one shape.

    Attributes
    ----------
    has_own_scales : bool
        Whether each feature has a precision of its own, independent of the others.
    """

    has_own_scales: bool

    def size(self, n_features: int) -> int:
        """Return D, the numbers on the diagonal of a scale."""

    def worth(self, resp_sum: Floats, n_features: int) -> Floats:
        """Return the degrees of freedom that rows of this weight add to one law."""

    def gained(self, resp_sum: Floats, n_features: int) -> Floats:
        """Return those that rows of each component add, shape (n_components,) or (1,)."""

    def digammas(self, degrees_of_freedom: Floats, n_features: int) -> Floats:
        """Return the sum of digamma functions in E log det precision, one for each law."""

    def log_gammas(self, degrees_of_freedom: Floats, n_features: int) -> Floats:
        """Return the logarithm of the gamma functions in the normaliser, one for each law."""

    def log_gamma_gains(self, degrees_of_freedom: float, gained: Floats, n_features: int) -> Floats:
        """Return what `log_gammas` gains where degrees of freedom grow, one for each law.

        All digits of it, even where it is much smaller than `log_gammas`.
        """

    def log_gamma_rests(self, degrees_of_freedom: float, n_features: int) -> float:
        """Return `log_gammas` of one law less ``D h (log(h) - 1)``, with h = nu/2."""

    def least(self, n_features: int) -> float:
        """Return what degrees of freedom must exceed; those of one feature alone are the excess."""

    def draw(
        self, factors: Floats, degrees_of_freedom: Floats, rng: np.random.Generator, by: Algebra
    ) -> Floats:
        """Return precision factors of random precisions.

        Parameters
        ----------
        factors : ndarray
            Of the expected precisions, in the shape.
        degrees_of_freedom : ndarray of shape (n_laws,)
        rng : Generator
        by : Algebra

        Returns
        -------
        ndarray of the same shape
        """

    def counts(self, degrees_of_freedom: float, n_features: int) -> float:
        """Return the weight of rows that the density of a covariance stands for at its mode."""

    def degrees_of_freedom(self, counts: float, n_features: int) -> float:
        """Return those for which `counts` is a given number."""

    def log_pi(self, n_features: int) -> float:
        """Return the logarithm of the powers of pi in the normaliser."""


class Wishart:
    """A law of each component's precision matrix."""

    has_own_scales = False

    def size(self, n_features: int) -> int:
        return n_features

    def worth(self, resp_sum: Floats, n_features: int) -> Floats:  # noqa: ARG002
        return resp_sum

    def gained(self, resp_sum: Floats, n_features: int) -> Floats:  # noqa: ARG002
        return resp_sum

    def digammas(self, degrees_of_freedom: Floats, n_features: int) -> Floats:
        total: Floats = digamma(_halves(degrees_of_freedom, n_features)).sum(axis=-1)
        return total

    def log_gammas(self, degrees_of_freedom: Floats, n_features: int) -> Floats:
        total: Floats = gammaln(_halves(degrees_of_freedom, n_features)).sum(axis=-1)
        return total

    def log_gamma_gains(self, degrees_of_freedom: float, gained: Floats, n_features: int) -> Floats:
        halves = _halves(degrees_of_freedom, n_features)
        total: Floats = log_gamma_ratio(halves, 0.5 * gained[:, None]).sum(axis=-1)
        return total

    def log_gamma_rests(self, degrees_of_freedom: float, n_features: int) -> float:
        steps = 0.5 * np.arange(n_features, dtype=np.float64)
        return float(stirling_rest(0.5 * degrees_of_freedom, steps).sum())

    def least(self, n_features: int) -> float:
        return n_features - 1.0

    def draw(
        self, factors: Floats, degrees_of_freedom: Floats, rng: np.random.Generator, by: Algebra
    ) -> Floats:
        # Bartlett's decomposition, from the last feature to the first: U A is upper triangular,
        # with A of standard normal numbers above a diagonal of roots of chi-squared ones, and
        # U A A^T U^T is nu times the random precision.
        d = factors.shape[-1]
        dof = np.asarray(degrees_of_freedom)[:, None]
        random = np.triu(rng.standard_normal((len(dof), d, d)), 1)
        squares = rng.chisquare(dof - np.arange(d - 1, -1, -1))
        np.einsum("jaa->ja", random)[...] = np.sqrt(squares)
        drawn = by.multiply(factors.reshape(-1, d, d), random) / np.sqrt(dof[:, :, None])
        return drawn.reshape(factors.shape)

    def counts(self, degrees_of_freedom: float, n_features: int) -> float:
        return degrees_of_freedom + n_features + 1.0

    def degrees_of_freedom(self, counts: float, n_features: int) -> float:
        return counts - n_features - 1.0

    def log_pi(self, n_features: int) -> float:
        return 0.25 * n_features * (n_features - 1) * math.log(math.pi)


class _SharedWishart(Wishart):
    def gained(self, resp_sum: Floats, n_features: int) -> Floats:  # noqa: ARG002
        total: Floats = resp_sum.sum(keepdims=True)
        return total


class _Gammas:
    has_own_scales = True

    def size(self, n_features: int) -> int:
        return n_features

    def worth(self, resp_sum: Floats, n_features: int) -> Floats:
        return resp_sum * (n_features / self.size(n_features))

    def gained(self, resp_sum: Floats, n_features: int) -> Floats:
        return self.worth(resp_sum, n_features)

    def digammas(self, degrees_of_freedom: Floats, n_features: int) -> Floats:
        total: Floats = self.size(n_features) * digamma(0.5 * degrees_of_freedom)
        return total

    def log_gammas(self, degrees_of_freedom: Floats, n_features: int) -> Floats:
        total: Floats = self.size(n_features) * gammaln(0.5 * degrees_of_freedom)
        return total

    def log_gamma_gains(self, degrees_of_freedom: float, gained: Floats, n_features: int) -> Floats:
        ratio = log_gamma_ratio(0.5 * degrees_of_freedom, 0.5 * gained)
        total: Floats = self.size(n_features) * ratio
        return total

    def log_gamma_rests(self, degrees_of_freedom: float, n_features: int) -> float:
        return self.size(n_features) * float(stirling_rest(0.5 * degrees_of_freedom, 0.0))

    def least(self, n_features: int) -> float:  # noqa: ARG002
        return 0.0

    def draw(
        self,
        factors: Floats,
        degrees_of_freedom: Floats,
        rng: np.random.Generator,
        by: Algebra,  # noqa: ARG002
    ) -> Floats:
        dof = np.asarray(degrees_of_freedom).reshape((-1,) + (1,) * (factors.ndim - 1))
        drawn: Floats = factors * np.sqrt(rng.chisquare(dof, size=factors.shape) / dof)
        return drawn

    def counts(self, degrees_of_freedom: float, n_features: int) -> float:
        return (degrees_of_freedom + 2.0) * self.size(n_features) / n_features

    def degrees_of_freedom(self, counts: float, n_features: int) -> float:
        return counts * n_features / self.size(n_features) - 2.0

    def log_pi(self, n_features: int) -> float:  # noqa: ARG002
        return 0.0


class _OneGamma(_Gammas):
    has_own_scales = False

    def size(self, n_features: int) -> int:  # noqa: ARG002
        return 1


def _halves(degrees_of_freedom: Floats | float, n_features: int) -> Floats:
    dof: Floats = np.asarray(degrees_of_freedom, dtype=np.float64)
    return 0.5 * (dof[..., None] - np.arange(n_features))


LAWS: dict[Shape, PrecisionLaw] = {
    FULL: Wishart(),
    TIED: _SharedWishart(),
    DIAG: _Gammas(),
    SPHERICAL: _OneGamma(),
}


def precision_law(shape: Shape) -> PrecisionLaw:
    """Return the law of the precisions of a shape."""
    return LAWS[shape]


def log_normalisers(
    law: PrecisionLaw, degrees_of_freedom: Floats, log_dets: Floats, n_features: int
) -> Floats:
    """Return the logarithm of the integral of the unnormalised density, one for each law, nats.

    Parameters
    ----------
    law : PrecisionLaw
    degrees_of_freedom, log_dets : ndarray of shape (n_laws,)
        Of each law, and log det S of its scale.
    n_features : int
    """
    rest = law.size(n_features) * math.log(2.0) - log_dets
    normalisers: Floats = law.log_gammas(degrees_of_freedom, n_features) + (
        0.5 * degrees_of_freedom * rest
    )
    return normalisers


def log_peaks(
    law: PrecisionLaw, degrees_of_freedom: float, log_dets: Floats, n_features: int
) -> Floats:
    """Return the logarithm of the density of covariances at its mode, one for each law, nats.

    Parameters
    ----------
    law : PrecisionLaw
    degrees_of_freedom : float
        Of all of them.
    log_dets : ndarray of shape (n_laws,)
        log det S of each scale.
    n_features : int

    Notes
    -----
    The mode is S divided by ``nu + extra``, of each number on the diagonal. What grows with nu
    cancels before it is computed.
    """
    size, nu = law.size(n_features), degrees_of_freedom
    extra = law.counts(0.0, n_features) * n_features / size
    grown = nu * math.log1p(extra / nu) + extra * (math.log(nu + extra) - 1.0)
    known = 0.5 * size * grown - law.log_pi(n_features) - law.log_gamma_rests(nu, n_features)
    peaks: Floats = known - 0.5 * extra * log_dets
    return peaks
