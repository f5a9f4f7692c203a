"""The parameters of a mixture, and what a pass sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.shapes import Floats, Shape
from mixtura.text import short_repr

__all__ = ["NOTHING", "Parameters", "Seen"]

NOTHING: Mapping[str, Any] = {}  # no extras; nobody writes into it


class Parameters(NamedTuple):
    """A mixture as plain arrays, in the shape of its covariance family.

    Attributes
    ----------
    weights : ndarray of shape (n_components,)
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray of `shape`
    precisions_cholesky : ndarray of `shape`
    shape : Shape
    """

    weights: Floats
    means: Floats
    covariances: Floats
    precisions_cholesky: Floats
    shape: Shape

    def __repr__(self) -> str:
        return short_repr(self)

    def arrays(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Weights, means, covariances and precision factors."""
        return self[:4]

    def select(self, components: NDArray[np.intp]) -> Parameters:
        """Keep some components, with weights that sum to one."""
        weights = self.weights[components]
        return Parameters(
            weights / weights.sum(),
            self.means[components],
            self.shape.select(self.covariances, components),
            self.shape.select(self.precisions_cholesky, components),
            self.shape,
        )

    def covariance(self, component: int) -> Floats:
        """Covariance of one component as a matrix, shape (n_features, n_features)."""
        return self.shape.matrix(self.covariances, component, self.means.shape[1])

    def variances(self) -> Floats:
        """Variance of each feature in each component, shape (n_components, n_features)."""
        return self.shape.variances(self.covariances, *self.means.shape)

    def read_only(self) -> Parameters:
        """Return the same parameters as views that nobody can write through."""
        views = [array.view() for array in self.arrays()]
        for view in views:
            view.setflags(write=False)
        return Parameters._make((*views, self.shape))

    def seen(self, log_weights: Floats | None = None) -> Seen:
        """Return what a pass sees of the mixture itself, or of it with other log-weights."""
        if log_weights is None:
            if np.count_nonzero(self.weights) == len(self.weights):  # faster than `all`
                log_weights = np.log(self.weights)
            else:
                with np.errstate(divide="ignore"):
                    log_weights = np.log(self.weights)
        return Seen(log_weights, self.means, self.covariances, self.precisions_cholesky, self.shape)


class Seen(NamedTuple):
    """What an E-step evaluates: a constant, a mean and a precision factor of each component.

    Attributes
    ----------
    log_weights : ndarray of shape (n_components,), nats
        Added to the log-densities; the weights may have any sum.
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray of `shape`
        Inverse of the precisions, for passes that carry bounds.
    precisions_cholesky : ndarray of `shape`
    shape : Shape
        Of the factors, and of the statistics that the pass returns.
    extras : mapping from str
        Whatever else some E-step needs, by name.
    """

    log_weights: Floats
    means: Floats
    covariances: Floats
    precisions_cholesky: Floats
    shape: Shape
    extras: Mapping[str, Any] = NOTHING

    @classmethod
    def of_factors(cls, weights: Floats, means: Floats, factors: Floats, shape: Shape) -> Seen:
        """Return what a pass sees of weights, means and factors alone.

        The covariances are NaN: no bounds can be carried with them.
        """
        with np.errstate(divide="ignore"):
            return cls(np.log(weights), means, np.full(factors.shape, np.nan), factors, shape)

    @classmethod
    def of_centers(cls, centers: Floats, shape: Shape) -> Seen:
        """Return unit Gaussians about some points, for passes that look at distances only."""
        ones = np.ones(len(centers))
        return cls(np.zeros(len(centers)), centers, ones, ones, shape)

    def tempered(self, inverse_temperature: float) -> tuple[Seen, float]:
        """Return the components with each weighted density raised to a power.

        Parameters
        ----------
        inverse_temperature : float
            The power b, positive.

        Returns
        -------
        seen : Seen
            Its factors are ``sqrt(b) U`` and its log-weights ``b log w + (b - 1) log det U``.
        offset : float, nats per row
            To be added to a pass's log-likelihood to get ``log sum_j (w_j N_j)^b``: the powers of
            2 pi and b that the normalised densities have too much.

        Notes
        -----
        Ueda and Nakano, "Deterministic annealing EM algorithm", Neural Networks 11, 271-282, 1998.
        """
        b = inverse_temperature
        d = self.means.shape[1]
        log_dets = self.shape.log_dets(self.precisions_cholesky, d)
        seen = self._replace(
            log_weights=b * self.log_weights + (b - 1.0) * log_dets,
            covariances=self.covariances / b,
            precisions_cholesky=np.sqrt(b) * self.precisions_cholesky,
            extras={**self.extras, "inverse_temperature": b},
        )
        return seen, _tempered_offset(b, d)

    def untempered(self) -> tuple[Seen, float]:
        """Return the components before `tempered`, and the power: for E-steps that raise to it.

        Returns
        -------
        seen : Seen
            Its log-weights ``b log w - offset``, with the offset of `tempered`, are to be added to
            b times the log-densities.
        inverse_temperature : float
            The power b: 1, and everything as it is, for what was not tempered.
        """
        if "inverse_temperature" not in self.extras:
            return self, 1.0
        b, d = float(self.extras["inverse_temperature"]), self.means.shape[1]
        factors = self.precisions_cholesky / np.sqrt(b)
        log_dets = self.shape.log_dets(factors, d)
        seen = self._replace(
            log_weights=self.log_weights - (b - 1.0) * log_dets - _tempered_offset(b, d),
            covariances=b * self.covariances,
            precisions_cholesky=factors,
            extras={key: each for key, each in self.extras.items() if key != "inverse_temperature"},
        )
        return seen, b


def _tempered_offset(b: float, n_features: int) -> float:
    """Return what `Seen.tempered` adds to the log-likelihood of a row."""
    return -0.5 * n_features * (float(np.log(b)) + (b - 1.0) * float(np.log(2.0 * np.pi)))
