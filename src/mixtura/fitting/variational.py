"""Variational Bayes as an estimate: the prior that a fit has, where the user leaves parts open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.conjugate import WEIGHT_LAWS, Prior, WeightPrior, precision_law
from mixtura.covariance import CovarianceFamily
from mixtura.fitting.survey import Survey
from mixtura.shapes import Floats
from mixtura.updates import Update, Variational

__all__ = ["VariationalBayes"]

MEAN_PRECISION = 0.01  # rows that the prior mean counts for
SHARE = 0.1  # of the rows' variances, in the prior scatter


@dataclass(frozen=True, eq=False)
class VariationalBayes:
    """The laws of all parameters, by variational Bayes.

    Attributes
    ----------
    weight_prior : {"dirichlet", "stick-breaking"}
    concentration : float or None
        None is ``1 / n_components``.
    mean : ndarray of shape (n_features,) or None
        None is the mean of the rows.
    mean_precision : float or None
        None is 0.01.
    degrees_of_freedom : float or None
        None is the least number that gives covariances an expected value, plus one.
    covariance : ndarray or None
        In the family's shape, of one component. None is a tenth of the rows' variances.
    """

    weight_prior: WeightPrior = "dirichlet"
    concentration: float | None = None
    mean: Floats | None = None
    mean_precision: float | None = None
    degrees_of_freedom: float | None = None
    covariance: Floats | None = None

    @property
    def has_prior(self) -> bool:
        """Yes: few rows suffice, and components without any."""
        return True

    @property
    def is_ordered(self) -> bool:
        """Whether the bound depends on the order of the components."""
        return WEIGHT_LAWS[self.weight_prior].is_ordered

    def prior(self, survey: Survey, family: CovarianceFamily, n_components: int) -> Prior:
        """Return the prior, with what was left open taken from the rows."""
        shape, d = family.shape, survey.source.n_features
        dof, covariance = self.degrees_of_freedom, self.covariance
        if covariance is None:
            whole = shape.from_matrices(np.diag(SHARE * survey.unit)[None])
            covariance = whole if shape.is_shared else whole[0]
        return Prior(
            WEIGHT_LAWS[self.weight_prior],
            1.0 / n_components if self.concentration is None else self.concentration,
            MEAN_PRECISION if self.mean_precision is None else self.mean_precision,
            survey.centre if self.mean is None else self.mean,
            precision_law(shape).least(d) + 3.0 if dof is None else dof,
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
