"""Variational Bayes as an estimate: the prior that a fit has, where the user leaves parts open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.conjugate import WEIGHT_LAWS, PriorLaws, WeightPrior, precision_law
from mixtura.covariance import CovarianceFamily
from mixtura.fitting.survey import Survey
from mixtura.shapes import Floats
from mixtura.updates import Update, Variational

__all__ = ["VariationalBayes"]

MEAN_PRECISION = 0.01  # rows that the prior mean counts for
PARTS = 10.0  # of equal volume, that the prior scatter takes the space of the rows to have
FREEDOM = 3.0  # degrees above the least: the expected covariance is then the prior scatter


@dataclass(frozen=True, eq=False)
class VariationalBayes:
    """The laws of all parameters, by variational Bayes.

    Attributes
    ----------
    weight_prior : {"dirichlet", "stick-breaking"}
    concentration : float or None
        None is ``1 / n_components``.
    mean : ndarray of shape (n_features,) or None
        None is the mean of the numbers near the middle of each feature.
    mean_precision : float or None
        None is 0.01.
    degrees_of_freedom : float or None
        None is 3 more than the limit below which there is no such law.
    covariance : ndarray or None
        In the family's shape, of one component. None is the variance of the numbers near the middle
        of each feature, divided by ``10**(2 / n_features)``; for "spherical" the mean of these. It
        does not depend on the number of components, so that bounds of several numbers can be
        compared.
    """

    weight_prior: WeightPrior = "dirichlet"
    concentration: float | None = None
    mean: Floats | None = None
    mean_precision: float | None = None
    degrees_of_freedom: float | None = None
    covariance: Floats | None = None

    @property
    def is_regular(self) -> bool:
        """Yes: few rows suffice, and components without any."""
        return True

    def tells_apart(self, family: CovarianceFamily) -> bool:  # noqa: ARG002
        """No: all components have the same prior."""
        return False

    @property
    def is_ordered(self) -> bool:
        """Whether the bound depends on the order of the components."""
        return WEIGHT_LAWS[self.weight_prior].is_ordered

    def prior(self, survey: Survey, family: CovarianceFamily, n_components: int) -> PriorLaws:
        """Return the prior, with what was left open taken from the rows.

        Raises
        ------
        ValueError
            For a mean that is too far from the rows.
        """
        shape, d = family.shape, survey.source.n_features
        dof, covariance = self.degrees_of_freedom, self.covariance
        if self.mean is not None:
            survey.refuse_far_mean(self.mean)
        if covariance is None:
            covariance = shape.single_from_variances(PARTS ** (-2.0 / d) * survey.unit)
        return PriorLaws(
            WEIGHT_LAWS[self.weight_prior],
            1.0 / n_components if self.concentration is None else self.concentration,
            MEAN_PRECISION if self.mean_precision is None else self.mean_precision,
            survey.centre if self.mean is None else self.mean,
            precision_law(shape).least(d) + FREEDOM if dof is None else dof,
            np.asarray(covariance),
            shape,
        )

    def update(
        self,
        survey: Survey,
        family: CovarianceFamily,
        n_components: int,
        ridge: Floats,  # noqa: ARG002
    ) -> Update:
        """Return the update of the laws."""
        prior = self.prior(survey, family, n_components)
        return Variational(prior, survey.source.weight_sum, survey.backend.algebra)
