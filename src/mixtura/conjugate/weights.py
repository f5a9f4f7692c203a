"""Laws of the weights of components: the Dirichlet law, and sticks that are broken in turn [1]_.

Both count: the posterior adds to the prior the weight of the rows of each component.

.. [1] D. M. Blei, M. I. Jordan, "Variational inference for Dirichlet process mixtures", Bayesian
   Analysis 1, 121-144, 2006.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from scipy.special import betaln, digamma, gammaln

from mixtura.shapes import Floats

__all__ = ["WEIGHT_LAWS", "Dirichlet", "StickBreaking", "WeightLaw", "WeightPrior"]

WeightPrior = Literal["dirichlet", "stick-breaking"]


class WeightLaw(Protocol):
    """A kind of law of weights; its parameters are arrays that it returns."""

    name: WeightPrior

    def posterior(self, concentration: float, resp_sum: Floats) -> Floats:
        """Return the parameters after rows.

        Parameters
        ----------
        concentration : float
            Of the prior, positive.
        resp_sum : ndarray of shape (n_components,)
            Weight of the rows of each component.

        Returns
        -------
        ndarray of shape (n_components,) or (2, n_components)
            Of the Dirichlet law; or of the Beta law of each stick.
        """

    def expected_logs(self, parameters: Floats) -> Floats:
        """Return the expected logarithm of each weight, shape (n_components,), nats."""

    def means(self, parameters: Floats) -> Floats:
        """Return the expected weights, shape (n_components,), with sum one."""

    def divergence(self, parameters: Floats, concentration: float) -> float:
        """Return the Kullback-Leibler divergence from the prior, nats."""

    def log_normaliser(self, parameters: Floats) -> float:
        """Return the logarithm of the integral of the unnormalised density, nats."""

    def draw(self, parameters: Floats, rng: np.random.Generator) -> Floats:
        """Return random weights, shape (n_components,), with sum one."""


class Dirichlet:
    """Weights are Dirichlet(concentration, ..., concentration): all components are alike."""

    name: WeightPrior = "dirichlet"

    def posterior(self, concentration: float, resp_sum: Floats) -> Floats:
        return concentration + resp_sum

    def expected_logs(self, parameters: Floats) -> Floats:
        logs: Floats = digamma(parameters) - digamma(parameters.sum())
        return logs

    def means(self, parameters: Floats) -> Floats:
        means: Floats = parameters / parameters.sum()
        return means

    def divergence(self, parameters: Floats, concentration: float) -> float:
        k, normaliser = len(parameters), -self.log_normaliser(parameters)
        before = gammaln(k * concentration) - k * gammaln(concentration)
        gained = (parameters - concentration) @ self.expected_logs(parameters)
        return float(normaliser - before + gained)

    def log_normaliser(self, parameters: Floats) -> float:
        return float(gammaln(parameters).sum() - gammaln(parameters.sum()))

    def draw(self, parameters: Floats, rng: np.random.Generator) -> Floats:
        weights: Floats = rng.dirichlet(parameters)
        return weights


class StickBreaking:
    """Component j takes a share v_j ~ Beta(1, concentration) of what those before it leave.

    The last share is free as well, so weights may sum to less than one; the rest is left out.
    """

    name: WeightPrior = "stick-breaking"

    def posterior(self, concentration: float, resp_sum: Floats) -> Floats:
        later = np.append(np.cumsum(resp_sum[:0:-1])[::-1], 0.0)
        return np.array([1.0 + resp_sum, concentration + later])

    def expected_logs(self, parameters: Floats) -> Floats:
        taken, left = digamma(parameters) - digamma(parameters.sum(axis=0))
        logs: Floats = taken + np.append(0.0, np.cumsum(left[:-1]))
        return logs

    def means(self, parameters: Floats) -> Floats:
        return _broken(parameters[0] / parameters.sum(axis=0))

    def divergence(self, parameters: Floats, concentration: float) -> float:
        logs = digamma(parameters) - digamma(parameters.sum(axis=0))
        before = np.array([[1.0], [concentration]])
        gained = ((parameters - before) * logs).sum(axis=0)
        return float((betaln(1.0, concentration) - betaln(*parameters) + gained).sum())

    def log_normaliser(self, parameters: Floats) -> float:
        return float(betaln(*parameters).sum())

    def draw(self, parameters: Floats, rng: np.random.Generator) -> Floats:
        shares: Floats = rng.beta(parameters[0], parameters[1])
        return _broken(shares)


def _broken(shares: Floats) -> Floats:
    """Weights of sticks of these shares, divided by their sum."""
    weights: Floats = shares * np.append(1.0, np.cumprod(1.0 - shares[:-1]))
    whole: Floats = weights / weights.sum()
    return whole


LAWS: tuple[WeightLaw, ...] = (Dirichlet(), StickBreaking())
WEIGHT_LAWS: dict[WeightPrior, WeightLaw] = {law.name: law for law in LAWS}
