"""What a fit estimates: the update that turns the statistics of its rows into parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from mixtura.covariance import CovarianceFamily
from mixtura.data.checks import check_option
from mixtura.data.frames import described
from mixtura.fitting.priors.conjugate import ConjugatePrior
from mixtura.fitting.priors.prior import Prior
from mixtura.fitting.survey import Survey
from mixtura.shapes import Floats
from mixtura.updates import Ridge, Update

__all__ = [
    "MAXIMUM_LIKELIHOOD",
    "Estimate",
    "MaximumAPosteriori",
    "MaximumLikelihood",
    "PriorOption",
    "estimate_under",
]

PriorOption = Prior | Literal["default"] | None


class Estimate(Protocol):
    """One way to estimate parameters. A checkpoint keeps a fingerprint of it."""

    @property
    def is_regular(self) -> bool:
        """Whether no covariance can become singular, whatever the rows are.

        Then few rows suffice, a component may have none, and no event tells of that.
        """

    @property
    def is_ordered(self) -> bool:
        """Whether the objective depends on the order of the components."""

    def tells_apart(self, family: CovarianceFamily) -> bool:
        """Whether components have numbers of their own, so that their order stays."""

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
    def is_regular(self) -> bool:
        """No: the rows decide alone."""
        return False

    @property
    def is_ordered(self) -> bool:
        """No: the order of components means nothing."""
        return False

    def tells_apart(self, family: CovarianceFamily) -> bool:  # noqa: ARG002
        """No: components differ only in their numbers from the rows."""
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


@dataclass(frozen=True)
class MaximumAPosteriori:
    """The parameters of largest posterior density under a prior, with a ridge.

    Attributes
    ----------
    prior : Prior
    """

    prior: Prior

    @property
    def is_regular(self) -> bool:
        """Whether covariances have a prior that keeps them regular."""
        return self.prior._is_regular

    @property
    def is_ordered(self) -> bool:
        """No: the order of components means nothing."""
        return False

    def tells_apart(self, family: CovarianceFamily) -> bool:
        """Whether components have priors of their own."""
        return self.prior._tells_apart(family)

    def update(
        self, survey: Survey, family: CovarianceFamily, n_components: int, ridge: Floats
    ) -> Update:
        """Return the maximisation step for a family, with prior and ridge."""
        d, backend = survey.source.n_features, survey.backend
        prior = self.prior._filled(survey, family, n_components, ridge)
        added = prior._pseudo_rows(family, n_components, d, backend)
        return Ridge(family, ridge, backend.algebra, survey.least_variance, added)


MAXIMUM_LIKELIHOOD = MaximumLikelihood()


def estimate_under(prior: PriorOption) -> Estimate:
    """Return what a fit estimates under the prior that a user names.

    Raises
    ------
    TypeError
        For anything but a prior, "default" or None.
    ValueError
        For another string.
    """
    if prior is None:
        return MAXIMUM_LIKELIHOOD
    if isinstance(prior, str):
        check_option("prior", prior, ("default",))
        return MaximumAPosteriori(ConjugatePrior())
    if not isinstance(prior, Prior):
        raise TypeError(
            f'prior must be a ConjugatePrior, a TracePrior, "default" or None; got '
            f"{described(prior)}. Pass one of these."
        )
    return MaximumAPosteriori(prior)
