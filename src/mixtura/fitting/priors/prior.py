"""What priors of a mixture have in common, for users and for fits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from mixtura.covariance import CovarianceFamily, family_named
from mixtura.data import open_rows
from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import check_count, check_number, check_option
from mixtura.data.frames import described
from mixtura.data.missing import MISSING, Missing
from mixtura.fitting.survey import Survey
from mixtura.mixture import GaussianMixture
from mixtura.passes import Backend
from mixtura.shapes import Floats
from mixtura.updates import PseudoRows

__all__ = ["Prior", "checked_model"]


@dataclass(frozen=True, eq=False)
class Prior(ABC):
    """A prior of all parameters of a mixture, of which parts may be open until rows are known."""

    @property
    @abstractmethod
    def _is_regular(self) -> bool:
        """Whether no covariance can become singular, however few rows a component has."""

    @abstractmethod
    def _tells_apart(self, family: CovarianceFamily) -> bool:
        """Whether components have priors of their own, which gives their order a meaning."""

    @abstractmethod
    def _filled(
        self, survey: Survey, family: CovarianceFamily, n_components: int, ridge: Floats
    ) -> Self:
        """Return the prior with its open parts taken from rows.

        Parameters
        ----------
        survey : Survey
        family : CovarianceFamily
        n_components : int
        ridge : ndarray of shape (n_features,), squared units of the features
        """

    @abstractmethod
    def _pseudo_rows(
        self, family: CovarianceFamily, n_components: int, n_features: int, backend: Backend
    ) -> PseudoRows:
        """Return what the prior adds to statistics.

        Raises
        ------
        ValueError
            For parts that do not fit the family or the sizes, or that are open.
        """

    def of_rows(
        self,
        X: AnyRows,
        n_components: int,
        covariance_type: str = "full",
        *,
        sample_weight: ArrayLike | None = None,
        missing: Missing = "raise",
        reg_covar: float = 0.0,
    ) -> Self:
        """Return the prior with its open parts taken from rows, as a fit to them takes them.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), or RowSource
            The rows, as for `fit_gmm`.
        n_components : int
            Number of Gaussian components.
        covariance_type : str
            As for `fit_gmm`.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None
            is one for each row.
        missing : {"raise", "em"}
            What NaN in `X` is: an error, or a number missing at random.
        reg_covar : float
            That of the fit.

        Returns
        -------
        ConjugatePrior or TracePrior
            One without open parts, which has a `log_pdf`.

        Raises
        ------
        ValueError, TypeError
            For values that cannot be used.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> prior = mixtura.ConjugatePrior().of_rows(X, 2)
        >>> prior.dof, prior.mean.round(1)
        (4.0, array([ 3.5, 70.9]))
        """
        k = check_count("n_components", n_components)
        missing = check_option("missing", missing, MISSING)
        source = open_rows(X, sample_weight, minimum=1, missing=missing)
        family = family_named(covariance_type, source.n_features)
        survey = Survey(source, Backend())
        ridge = survey.absolute_ridge(check_number("reg_covar", reg_covar))
        return self._filled(survey, family, k, ridge)

    def log_pdf(self, model: GaussianMixture) -> float:
        """Return the logarithm of the prior density at the parameters of a mixture.

        Parameters
        ----------
        model : GaussianMixture
            Or a fit, for its model.

        Returns
        -------
        float, nats
            With all constants; parts that are improper have none. For a family that restricts
            covariances, it is the density of matrices without restriction.

        Raises
        ------
        ValueError
            For a prior that does not fit the mixture, or whose parts come from rows: see `of_rows`.
        TypeError
            For anything but a mixture.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> fit = mixtura.fit_gmm(X, 2, prior="default", reg_covar=0, rng=0)
        >>> prior = mixtura.ConjugatePrior().of_rows(X, 2)
        >>> round(prior.log_pdf(fit), 2), round(fit.log_prior, 2)
        (-26.66, -26.66)
        """
        model = checked_model(model)
        family = family_named(model.covariance_type, model.n_features)
        backend = Backend()
        added = self._pseudo_rows(family, model.n_components, model.n_features, backend)
        return added.log_pdf(model._parameters(), backend.algebra)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        pairs = zip(self._values(), other._values(), strict=True)
        return all(np.array_equal(one, each) for one, each in pairs)

    def __hash__(self) -> int:
        given = (np.ravel(each).tolist() for each in self._values() if each is not None)
        return hash((type(self).__name__, *map(tuple, given)))

    def _values(self) -> list[Any]:
        return [getattr(self, field.name) for field in fields(self)]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({name: frozen(value) for name, value in state.items()})


def refuse_flags(value: Any, name: str) -> None:
    """Refuse True and False where numbers are expected."""
    if getattr(value, "dtype", type(value)) in (bool, np.dtype(bool)):
        raise TypeError(f"{name} must be a number; got {described(value)}. Pass a float.")


def frozen(value: Any) -> Any:
    """An array that cannot be written to; any other value as it is."""
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    return value


def checked_model(model: object) -> GaussianMixture:
    """Return the mixture, or that of a fit or a state."""
    found = getattr(model, "model", model)
    if not isinstance(found, GaussianMixture):
        raise TypeError(
            f"model must be a GaussianMixture or a fit; got {described(model)}. Pass fit.model."
        )
    return found
