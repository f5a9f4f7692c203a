"""Laws of the weights of components: the Dirichlet law, and sticks that are broken in turn [1]_.

Both count: the posterior adds to the prior the weight of the rows of each component.

.. [1] D. M. Blei, M. I. Jordan, "Variational inference for Dirichlet process mixtures", Bayesian
   Analysis 1, 121-144, 2006.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from scipy.special import betaincinv, betaln, digamma, gammaln, xlogy

from mixtura.conjugate.gammas import log_gamma_ratio
from mixtura.shapes import Floats

__all__ = ["WEIGHT_LAWS", "Dirichlet", "StickBreaking", "WeightLaw", "WeightPrior"]

WeightPrior = Literal["dirichlet", "stick-breaking"]

N_DRAWS = 20_000  # of sticks: the level of a quantile is exact to 0.001 at 2.5%, 0.004 at 50%


class WeightLaw(Protocol):
    """A kind of law of weights; its parameters are arrays that it returns.

    Attributes
    ----------
    name : {"dirichlet", "stick-breaking"}
    is_ordered : bool
        Whether components in another order have another density.
    """

    name: WeightPrior
    is_ordered: bool

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

    def log_normaliser(self, parameters: Floats) -> float:
        """Return the logarithm of the integral of the unnormalised density, nats."""

    def normaliser_gain(self, parameters: Floats, concentration: float) -> float:
        """Return by how much the log normaliser exceeds that of the prior, nats."""

    def divergence(self, parameters: Floats, concentration: float) -> float:
        """Return the Kullback-Leibler divergence from the prior, nats."""

    def draw(self, parameters: Floats, rng: np.random.Generator) -> Floats:
        """Return random weights, shape (n_components,), with sum one."""

    def mode(self, parameters: Floats) -> Floats:
        """Return the weights of largest density, shape (n_components,), with sum one.

        Raises
        ------
        ValueError
            Where no component has a largest density at a weight above zero.
        """

    def log_density(self, parameters: Floats, weights: Floats) -> float:
        """Return the log of the density of weights with sum one, nats.

        Raises
        ------
        ValueError
            Where weights with sum one do not say all that the law is about.
        """

    def quantiles(self, parameters: Floats, levels: Floats) -> Floats:
        """Return quantiles of the law of each weight, shape (n_components, n_levels)."""


class _Kind:
    """A kind of law without numbers of its own: all of one kind are equal."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


class Dirichlet(_Kind):
    """Weights are Dirichlet(concentration, ..., concentration): all components are alike."""

    name: WeightPrior = "dirichlet"
    is_ordered = False

    def posterior(self, concentration: float, resp_sum: Floats) -> Floats:
        return concentration + resp_sum

    def expected_logs(self, parameters: Floats) -> Floats:
        logs: Floats = digamma(parameters) - digamma(parameters.sum())
        return logs

    def means(self, parameters: Floats) -> Floats:
        means: Floats = parameters / parameters.sum()
        return means

    def log_normaliser(self, parameters: Floats) -> float:
        return float(gammaln(parameters).sum() - gammaln(parameters.sum()))

    def normaliser_gain(self, parameters: Floats, concentration: float) -> float:
        resp_sum = parameters - concentration
        of_sum = log_gamma_ratio(len(parameters) * concentration, resp_sum.sum())
        return float(log_gamma_ratio(concentration, resp_sum).sum() - of_sum)

    def divergence(self, parameters: Floats, concentration: float) -> float:
        gained = (parameters - concentration) @ self.expected_logs(parameters)
        return float(gained - self.normaliser_gain(parameters, concentration))

    def draw(self, parameters: Floats, rng: np.random.Generator) -> Floats:
        weights: Floats = rng.dirichlet(parameters)
        return weights

    def mode(self, parameters: Floats) -> Floats:
        if len(parameters) == 1:
            return np.ones(1)
        # Where a concentration is below one, the density grows without bound as the weight goes to
        # zero, whatever the others are: it is zero, and the others are largest given that.
        excess = np.maximum(parameters - 1.0, 0.0)
        return _shared(excess, "concentration")

    def log_density(self, parameters: Floats, weights: Floats) -> float:
        normaliser = gammaln(parameters.sum()) - gammaln(parameters).sum()
        with np.errstate(invalid="ignore"):
            return float(normaliser + xlogy(parameters - 1.0, weights).sum())

    def quantiles(self, parameters: Floats, levels: Floats) -> Floats:
        others = parameters.sum() - parameters
        if len(parameters) == 1:
            return np.ones((1, len(levels)))
        quantiles: Floats = betaincinv(parameters[:, None], others[:, None], levels)
        # For some concentrations above 1e15 SciPy has none; there all are the mean, to rounding.
        return np.where(np.isnan(quantiles), self.means(parameters)[:, None], quantiles)


class StickBreaking(_Kind):
    """Component j takes a share v_j ~ Beta(1, concentration) of what those before it leave.

    The last share is free as well, so weights may sum to less than one; the rest is left out.
    """

    name: WeightPrior = "stick-breaking"
    is_ordered = True

    def posterior(self, concentration: float, resp_sum: Floats) -> Floats:
        shares = np.empty((2, len(resp_sum)))
        shares[0] = 1.0 + resp_sum
        shares[1, -1] = 0.0
        shares[1, -2::-1] = resp_sum[:0:-1].cumsum()
        shares[1] += concentration
        return shares

    def expected_logs(self, parameters: Floats) -> Floats:
        logs: Floats
        logs, left = digamma(parameters) - digamma(parameters.sum(axis=0))
        logs[1:] += left[:-1].cumsum()
        return logs

    def means(self, parameters: Floats) -> Floats:
        return _broken(parameters[0] / parameters.sum(axis=0))

    def log_normaliser(self, parameters: Floats) -> float:
        return float(betaln(*parameters).sum())

    def normaliser_gain(self, parameters: Floats, concentration: float) -> float:
        taken, left = parameters[0] - 1.0, parameters[1] - concentration
        of_sums = log_gamma_ratio(1.0 + concentration, taken + left)
        of_left = log_gamma_ratio(concentration, left)
        return float((gammaln(parameters[0]) + of_left - of_sums).sum())

    def divergence(self, parameters: Floats, concentration: float) -> float:
        logs = digamma(parameters) - digamma(parameters.sum(axis=0))
        before = np.array([[1.0], [concentration]])
        gained = ((parameters - before) * logs).sum()
        return float(gained - self.normaliser_gain(parameters, concentration))

    def draw(self, parameters: Floats, rng: np.random.Generator) -> Floats:
        shares: Floats = rng.beta(parameters[0], parameters[1])
        return _broken(shares)

    def mode(self, parameters: Floats) -> Floats:
        # Of the density of the shares. One that is unbounded at an end has its share there.
        taken, left = np.maximum(parameters - 1.0, 0.0)
        total = taken + left
        shares = taken / np.where(total > 0.0, total, 1.0)
        shares[(total == 0.0) & (parameters[1] < 1.0)] = 1.0
        return _shared(_pieces(shares), "weight of rows")

    def log_density(self, parameters: Floats, weights: Floats) -> float:  # noqa: ARG002
        raise ValueError(
            "weight_prior must be 'dirichlet' for weights to have a density; it is "
            "'stick-breaking', and the weights of a mixture leave out what sticks leave over. "
            "Compare mixtures by their log-likelihood."
        )

    def quantiles(self, parameters: Floats, levels: Floats) -> Floats:
        # A weight is a share of a product, over the sum of all: no closed form. Each stick has a
        # random stream of its own, drawn twice, so that memory does not grow with their number.
        k, log_left = parameters.shape[1], np.zeros(N_DRAWS)
        with np.errstate(divide="ignore"):  # of a share of one, nothing is left
            for j in range(k):
                log_left += np.log1p(-_shares_of(parameters, j))
        taken = -np.expm1(log_left)
        quantiles, left = np.empty((k, len(levels))), np.ones(N_DRAWS)
        for j in range(k):
            share = _shares_of(parameters, j)
            quantiles[j] = np.quantile(share * left / taken, levels)
            left *= 1.0 - share
        return quantiles


def _pieces(shares: Floats) -> Floats:
    """What each share takes of the whole stick."""
    pieces: Floats = shares * np.append(1.0, np.cumprod(1.0 - shares[:-1]))
    return pieces


def _broken(shares: Floats) -> Floats:
    """Weights of sticks of these shares, divided by their sum."""
    weights = _pieces(shares)
    whole: Floats = weights / weights.sum()
    return whole


def _shares_of(parameters: Floats, stick: int) -> Floats:
    """Random shares of one stick, the same in every call."""
    rng = np.random.default_rng([0, stick])
    shares: Floats = rng.beta(parameters[0, stick], parameters[1, stick], size=N_DRAWS)
    return shares


def _shared(sizes: Floats, what: str) -> Floats:
    """Sizes divided by their sum, if there is one that is not zero."""
    if not sizes.any():
        least = "above 1" if what == "concentration" else "above 0"
        raise ValueError(
            f"weights need a component with a {what} {least} to have a mode; there is none. Use "
            f"the expected weights, those of `model`."
        )
    shared: Floats = sizes / sizes.sum()
    return shared


LAWS: tuple[WeightLaw, ...] = (Dirichlet(), StickBreaking())
WEIGHT_LAWS: dict[WeightPrior, WeightLaw] = {law.name: law for law in LAWS}
