"""The posterior density of the parameters of a mixture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mixtura import kernels
from mixtura.conjugate.precisions import log_normalisers
from mixtura.mixture import GaussianMixture
from mixtura.mixture.answers import Answers
from mixtura.shapes import SHAPE_NAMES

if TYPE_CHECKING:
    from mixtura.posterior.posterior import GMMPosterior

__all__ = ["log_pdf"]


def log_pdf(self: GMMPosterior, model: GaussianMixture | Answers) -> float:
    """Log of the posterior density of weights, means and covariances together.

    Parameters
    ----------
    model : GaussianMixture, or a fit
        With as many components, in the order of the posterior's, and its covariance type.

    Returns
    -------
    float, nats
        With all constants. A weight of zero gives minus or plus infinity, or NaN where both meet.

    Raises
    ------
    ValueError
        For another number of components or features, another covariance type, or weights by sticks.
    TypeError
        For what is neither a mixture nor has one as its `model`.

    Notes
    -----
    `mode` has the largest one. Cost O(k d^3).

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> posterior = mixtura.fit_bayesian_gmm(X, 2, rng=0).posterior
    >>> posterior.log_pdf(posterior.mode()) > posterior.log_pdf(posterior.model)
    True
    """
    model = _checked(self, model)
    shape, law, d = self.prior.shape, self.prior.precisions, self.n_features
    dof, laws, factors = self.degrees_of_freedom, self._laws, model.precisions_cholesky
    total = self.prior.weights.log_density(self.weight_concentration, model.weights)

    log_dets = shape.log_dets(factors, d)
    apart = np.square(shape.whitened_lengths(factors, model.means - self.means))
    unit = 0.5 * d * (np.log(self.mean_precision) - math.log(2.0 * math.pi))
    total += float((unit + log_dets - 0.5 * self.mean_precision * apart).sum())

    # The density of a precision times that of the change to a covariance. Normalisers have no
    # powers of pi, of which a Wishart law has d (d - 1) / 4.
    size, least = law.size(d), law.least(d)
    of_law = log_normalisers(law, dof, self.prior.log_scale_dets(laws), d)
    power = (dof + least + 2.0) * (size / d) * log_dets
    total += float((power - of_law).sum()) - len(dof) * 0.25 * size * least * math.log(math.pi)
    return total - 0.5 * shape.distances(factors, self.scale, kernels)


def _checked(posterior: GMMPosterior, given: object) -> GaussianMixture:
    """The mixture, if it is one of those that the posterior is of."""
    model = getattr(given, "model", given)
    if not isinstance(model, GaussianMixture):
        raise TypeError(
            f"model must be a GaussianMixture or a fit; got {type(given).__name__}. Pass one, such "
            f"as `mode()` of the posterior."
        )
    family = model._family
    same = family.name in SHAPE_NAMES and family.shape is posterior.prior.shape
    if model.means.shape != posterior.means.shape or not same:
        (k, d), (own_k, own_d) = model.means.shape, posterior.means.shape
        raise ValueError(
            f"model must have {own_k} components, {own_d} features and "
            f"{posterior.covariance_type!r} covariances, as the posterior has; got {k}, {d} and "
            f"{model.covariance_type!r}. Convert it, or pass another one."
        )
    return model
