"""Random mixtures of the posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixtura import kernels
from mixtura.data.checks import check_count, check_rng
from mixtura.mixture import GaussianMixture
from mixtura.mixture.sampling import correlated
from mixtura.parameters import Parameters

if TYPE_CHECKING:
    from mixtura.posterior.posterior import GMMPosterior

__all__ = ["sample_models"]


def sample_models(
    self: GMMPosterior, n: int, rng: int | np.random.Generator | None = None
) -> list[GaussianMixture]:
    """Draw whole mixtures from the posterior.

    Parameters
    ----------
    n : int
        Number of mixtures.
    rng : int, Generator or None
        Seed or generator: the same seed gives the same mixtures; None draws a new seed.

    Returns
    -------
    list of n GaussianMixture
        Weights, means and covariances are drawn together.

    Raises
    ------
    ValueError
        For a negative number, and where a covariance that was drawn is singular to working
        precision.
    TypeError
        For a number that is not an integer, or another kind of `rng`.

    Notes
    -----
    Precisions of "full" and "tied" come from Bartlett's decomposition of a Wishart matrix. Cost
    O(k d^3) for each mixture.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> posterior = mixtura.fit_bayesian_gmm(X, 2, rng=0).posterior
    >>> [mixture.weights.round(2).tolist() for mixture in posterior.sample_models(3, rng=0)]
    [[0.63, 0.37], [0.68, 0.32], [0.67, 0.33]]
    """
    n, generator = check_count("n", n, minimum=0), check_rng(rng)
    return [_drawn(self, generator) for _ in range(n)]


def _drawn(posterior: GMMPosterior, rng: np.random.Generator) -> GaussianMixture:
    prior, (k, d) = posterior.prior, posterior.means.shape
    shape, factors = prior.shape, posterior.precisions_cholesky
    weights = prior.weights.draw(posterior.weight_concentration, rng)
    drawn = prior.precisions.draw(factors, posterior.degrees_of_freedom, rng, kernels)
    if not (shape.diagonal(drawn) > 0.0).all():
        raise _singular(posterior)
    covariances = shape.inverses(drawn)
    if shape.factorise(covariances, kernels)[1].any():
        raise _singular(posterior)
    parameters = Parameters(weights, posterior.means, covariances, drawn, shape)
    normal = rng.standard_normal((k, d)) / np.sqrt(posterior.mean_precision)[:, None]
    steps = np.array([correlated(parameters, j, normal[j : j + 1])[0] for j in range(k)])
    parameters = parameters._replace(means=posterior.means + steps)
    return GaussianMixture._of(
        posterior.covariance_type, parameters, posterior.feature_names, posterior.missing
    )


def _singular(posterior: GMMPosterior) -> ValueError:
    least = posterior.prior.precisions.least(posterior.n_features)
    fewest = posterior.degrees_of_freedom.min()
    return ValueError(
        f"degrees_of_freedom must be well above {least:g} for covariances to be drawn; the least "
        f"are {fewest:.6g}, and one that was drawn is singular to working precision. Raise those "
        f"of the prior, or use `predictive`, which averages over all of them."
    )
