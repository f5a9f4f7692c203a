"""What a fit estimates: the update that turns the statistics of its rows into parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mixtura.covariance import CovarianceFamily
from mixtura.fitting.survey import Survey
from mixtura.shapes import Floats
from mixtura.updates import Ridge, Update

__all__ = ["MAXIMUM_LIKELIHOOD", "Estimate", "MaximumLikelihood"]


class Estimate(Protocol):
    """One way to estimate parameters: a small value, of which a checkpoint keeps a fingerprint."""

    @property
    def has_prior(self) -> bool:
        """Whether something besides the rows decides: few rows suffice, and components without any.

        Then no event tells of a component without rows.
        """

    def update(
        self, survey: Survey, family: CovarianceFamily, n_components: int, ridge: Floats
    ) -> Update:
        """Return the update of a fit to the rows of a survey.

        Parameters
        ----------
        survey : Survey
        family : CovarianceFamily
        n_components : int
        ridge : ndarray of shape (n_features,), squared units of the features
        """


@dataclass(frozen=True)
class MaximumLikelihood:
    """The parameters of largest likelihood, with a ridge."""

    @property
    def has_prior(self) -> bool:
        """No: the rows decide alone."""
        return False

    def update(
        self,
        survey: Survey,
        family: CovarianceFamily,
        n_components: int,  # noqa: ARG002
        ridge: Floats,
    ) -> Update:
        """Return the maximisation step for a family, with a ridge."""
        return Ridge(family, ridge, survey.backend.algebra, survey.least_variance)


MAXIMUM_LIKELIHOOD = MaximumLikelihood()
