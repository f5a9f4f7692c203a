"""The posterior predictive density: a mixture of Student-t distributions.

Of a component with `mean_precision` b, degrees of freedom nu and scale S, a new row given the mean
and the precision P is normal; the mean given P is normal with precision b P, so the row given P is
normal about `means` with precision b/(1 + b) P. With the law of P averaged out, it is ::

    full, tied   t of d dimensions, nu - d + 1 degrees of freedom, scale (1 + b)/b S / (nu - d + 1)
    diag         of each feature t of one dimension, nu degrees of freedom, scale (1 + b)/b S / nu
    spherical    t of d dimensions, nu degrees of freedom, scale (1 + b)/b S / nu

(C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, (10.81) and (10.82) for "full";
K. P. Murphy, "Conjugate Bayesian analysis of the Gaussian distribution", 2007, for the others). The
degrees of freedom are the excess of nu over `PrecisionLaw.least` in all shapes. Components are
mixed by the expected weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixtura.posterior.student import StudentMixture
from mixtura.shapes import FULL

if TYPE_CHECKING:
    from mixtura.posterior.posterior import GMMPosterior

__all__ = ["predictive"]


def predictive(posterior: GMMPosterior) -> StudentMixture:
    """Return the distribution of a new row.

    Parameters
    ----------
    posterior : GMMPosterior

    Returns
    -------
    StudentMixture
        With scales of their own for the components of "tied" too: their means are not known
        equally well.
    """
    (k, d), shape, b = posterior.means.shape, posterior.prior.shape, posterior.mean_precision
    scales, factors = posterior.covariances, posterior.precisions_cholesky
    if shape.is_shared:
        scales, factors = (shape.matrices(each, k, d) for each in (scales, factors))
        shape = FULL
    whole = np.broadcast_to(posterior.degrees_of_freedom, k)
    dof = whole - posterior.prior.precisions.least(d)
    stretch = ((1.0 + b) / b * (whole / dof)).reshape((-1,) + (1,) * (scales.ndim - 1))
    return StudentMixture._of(
        shape.name, posterior.feature_names, posterior.missing,
        posterior.model.weights, posterior.means, scales * stretch, factors / np.sqrt(stretch), dof,
    )  # fmt: skip
