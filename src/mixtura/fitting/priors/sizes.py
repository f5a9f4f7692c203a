"""What sizes a prior is for: those of the model that it is centred at, and enough rows."""

from __future__ import annotations

import warnings
from typing import NamedTuple

from mixtura.covariance import CovarianceFamily, family_named
from mixtura.data.frames import Names
from mixtura.exceptions import SingularScaleWarning, levels_inside
from mixtura.fitting.survey import Survey
from mixtura.mixture.table import counted

__all__ = ["Sizes", "warn_of_few_rows"]


class Sizes(NamedTuple):
    """Of the mixture that a prior is centred at."""

    covariance_type: str
    n_components: int
    n_features: int
    feature_names: Names | None = None

    def refuse_another(self, family: CovarianceFamily, n_components: int, n_features: int) -> None:
        """Refuse a fit whose parameters are of other kinds."""
        own = family_named(self.covariance_type, self.n_features)
        kinds = (own.shape, own.is_one, self.n_components, self.n_features)
        if kinds != (family.shape, family.is_one, n_components, n_features):
            got = Sizes(family.name, n_components, n_features)
            raise ValueError(
                f"prior must be centred at a mixture like that of the fit; it is centred at "
                f"{self._in_words()}, and the fit has {got._in_words()}. Fit with the same, or "
                f"use from_model with another mixture."
            )

    def _in_words(self) -> str:
        components = counted(self.n_components, "component")
        features = counted(self.n_features, "feature")
        return f"{components} of {features} with covariance_type {self.covariance_type!r}"


def warn_of_few_rows(survey: Survey, family: CovarianceFamily) -> None:
    """Warn, once, where the covariance of all rows has directions without variance."""
    n_rows, d = survey.source.n_rows, survey.source.n_features
    if n_rows <= d and not family.shape.is_diagonal and survey.is_new(SingularScaleWarning):
        warnings.warn(
            f"scale must be given where rows are no more than features: the default is their "
            f"covariance, singular but for reg_covar, and other rows get far too small densities; "
            f"got {counted(n_rows, 'row')} of {counted(d, 'feature')}. Give ConjugatePrior a "
            f'scale, or use TracePrior or covariance_type="diag".',
            SingularScaleWarning,
            stacklevel=levels_inside(),
        )
