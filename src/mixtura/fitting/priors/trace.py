"""TracePrior: a penalty on the trace of precisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from mixtura.covariance import CovarianceFamily
from mixtura.data.checks import check_flag, check_number, contiguous, refuse_non_finite
from mixtura.fitting.priors.prior import Prior, frozen, refuse_flags
from mixtura.fitting.survey import Survey
from mixtura.passes import Backend
from mixtura.shapes import Floats
from mixtura.text import short_html, short_repr
from mixtura.updates import PseudoRows

__all__ = ["TracePrior"]


@dataclass(frozen=True, eq=False)
class TracePrior(Prior):
    """Prior of covariances alone, ``-log p = strength * trace(inv(covariance))`` for each of them.

    An M-step adds ``2 * strength`` to the diagonal of each scatter [1]_. So no variance of a
    component that has N_j rows gets below ``2 * strength / N_j``. See :doc:`/manual/priors`.

    Parameters
    ----------
    strength : float or array_like of shape (n_features,)
        Non-negative; an array has one for each feature. 0 is no prior.
    relative : bool
        Whether `strength` is in units of the variance of each feature, as `reg_covar` is. False
        takes squared units of the features.

    Attributes
    ----------
    strength : float or ndarray
        As given.
    relative : bool
        As given.

    Raises
    ------
    ValueError
        For values that are not finite, and negative ones.
    TypeError
        For what is not a number, or not a truth value.

    Notes
    -----
    The law is improper: its density has no constant.

    References
    ----------
    .. [1] H. Snoussi, A. Mohammad-Djafari, "Penalized maximum likelihood for multivariate Gaussian
       mixture", AIP Conference Proceedings 617, 36-46, 2002, for the idea.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, prior=mixtura.TracePrior(0.1), rng=0)
    >>> round(fit.log_likelihood, 2), round(fit.log_prior, 2)
    (-1130.32, -4.01)
    """

    strength: float | Floats
    relative: bool = True

    __repr__ = short_repr
    _repr_html_ = short_html

    def __init__(self, strength: float | ArrayLike, *, relative: bool = True) -> None:
        refuse_flags(strength, "strength")
        array = contiguous(strength, "strength")
        if array.ndim > 1 or not array.size:
            raise ValueError(
                f"strength must be a number or have shape (n_features,); got shape {array.shape}. "
                f"Pass one number for all features."
            )
        refuse_non_finite(array.reshape(-1), "strength", ("feature",), "Use 0 for none.")
        if array.min() < 0.0:
            raise ValueError(f"strength must be non-negative; got {array.min():g}. Use 0 for none.")
        value = frozen(array) if array.ndim else check_number("strength", float(array))
        object.__setattr__(self, "strength", value)
        object.__setattr__(self, "relative", check_flag("relative", relative))

    @property
    def _is_regular(self) -> bool:
        """Whether no covariance can become singular."""
        return bool(np.min(self.strength) > 0.0)

    def _tells_apart(self, family: CovarianceFamily) -> bool:  # noqa: ARG002
        """Whether components have priors of their own: no."""
        return False

    def _filled(
        self,
        survey: Survey,
        family: CovarianceFamily,  # noqa: ARG002
        n_components: int,  # noqa: ARG002
        ridge: Floats,  # noqa: ARG002
    ) -> Self:
        """Return the prior in squared units of the features."""
        if not self.relative:
            return self
        self._in_features(survey.source.n_features)
        return type(self)(self.strength * survey.unit, relative=False)

    def _pseudo_rows(
        self,
        family: CovarianceFamily,
        n_components: int,
        n_features: int,
        backend: Backend,  # noqa: ARG002
    ) -> PseudoRows:
        """Return what the prior adds to statistics."""
        if self.relative:
            raise ValueError(
                "strength must be absolute, as its units are those of rows; got relative=True. Use "
                "prior.of_rows(X, n_components, covariance_type) for what a fit to them takes."
            )
        k, d, shape = n_components, n_features, family.shape
        share = np.full(k, 2.0 / k if family.is_one else 2.0)
        none, nothing = np.zeros(k), np.zeros(shape.array_shape(k, d))
        return PseudoRows(
            None,
            none,
            np.zeros((k, d)),
            none,
            shape.blurred(nothing, share, self._in_features(d)),
            shape,
            family.is_one,
            none,
        )

    def _in_features(self, d: int) -> Floats:
        """The strength in each feature."""
        if np.shape(self.strength) not in ((), (d,)):
            raise ValueError(
                f"strength must be a number or have shape {(d,)}, one for each feature; got shape "
                f"{np.shape(self.strength)}. Pass one number for all features."
            )
        return np.broadcast_to(np.asarray(self.strength, dtype=np.float64), d).copy()
