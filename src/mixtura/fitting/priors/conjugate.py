"""ConjugatePrior: Dirichlet weights, normal means, inverse Wishart or gamma covariances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from mixtura.conjugate import log_normalisers, log_peaks, precision_law
from mixtura.conjugate.gammas import STRONG
from mixtura.covariance import CovarianceFamily, family_named, symmetric
from mixtura.data.checks import check_number, contiguous, refuse_non_finite
from mixtura.data.row_checks import check_column_names
from mixtura.fitting.priors.prior import Prior, checked_model, frozen, refuse_flags
from mixtura.fitting.priors.sizes import Sizes, warn_of_few_rows
from mixtura.fitting.survey import Survey
from mixtura.mixture import GaussianMixture
from mixtura.mixture.table import counted
from mixtura.passes import Backend
from mixtura.shapes import EPS, Floats, Shape
from mixtura.text import short_html, short_repr
from mixtura.updates import PseudoRows
from mixtura.updates.protocol import Mask

__all__ = ["ConjugatePrior"]

ROUNDING = 1e-9  # of a row
ASYMMETRY = 1e-5  # of products of standard deviations: rounding, also of float32
OPEN = (
    "{name} must be given, as None is taken from rows; got None. Use "
    "prior.of_rows(X, n_components, covariance_type) for what a fit to them takes."
)
SHRINKAGE = 0.01  # rows that the prior mean counts for: that of Fraley and Raftery
RELEVANCE = 16.0  # that of Reynolds, Quatieri and Dunn


@dataclass(frozen=True, eq=False, kw_only=True)
class ConjugatePrior(Prior):
    """Prior of a mixture whose density has the form of a likelihood of rows.

    With d features, the prior distribution of the parameters of component j is ::

        weights              ~ Dirichlet(concentration)
        mean_j | covariance  ~ normal(mean, covariance_j / shrinkage)
        covariance_j         ~ inverse Wishart(dof, scale)    full and tied covariances
        each variance        ~ inverse gamma(dof / 2, scale / 2)    diagonal and spherical ones

    ``fit_gmm(..., prior="default")`` is ``ConjugatePrior()``, the weak prior of Fraley and Raftery
    [1]_. :doc:`/manual/priors` says when to use which.

    Parameters
    ----------
    concentration : float or array_like of shape (n_components,), optional
        At least 1. None is no prior on the weights.
    mean : array_like of shape (n_features,) or (n_components, n_features), optional
        Expected mean of each component. None is the mean of the rows.
    shrinkage : float or array_like of shape (n_components,)
        Weight of the rows that `mean` counts for. 0 is no prior on the means.
    dof : float, optional
        Degrees of freedom. None is ``n_features + 2``.
    scale : float or array_like, optional
        Squared units of the features: a number, one array of the family's shape for all components,
        or one for each. None is the covariance of the rows (for diagonal and spherical ones their
        mean variance), divided by ``n_components ** (2 / n_features)``. 0 is none.

    Attributes
    ----------
    concentration, mean, shrinkage, dof, scale : float, ndarray or None
        As given.

    Raises
    ------
    ValueError
        For values that are not finite, negative ones, and a concentration below 1.
    TypeError
        For what is not a number.

    Warns
    -----
    SingularScaleWarning
        In a fit, where `scale` is None and there are no more rows than features.

    References
    ----------
    .. [1] C. Fraley, A. E. Raftery, "Bayesian regularization for normal mixture estimation and
       model-based clustering", Journal of Classification 24, 155-181, 2007.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, prior=mixtura.ConjugatePrior(shrinkage=1.0), rng=0)
    >>> round(fit.log_likelihood, 2), round(fit.log_prior, 2)
    (-1132.44, -31.06)
    """

    _centre: ClassVar[Sizes | None] = None  # of the mixture that `from_model` was given

    concentration: float | Floats | None = None
    mean: Floats | None = None
    shrinkage: float | Floats = SHRINKAGE
    dof: float | None = None
    scale: float | Floats | None = None

    __repr__ = short_repr
    _repr_html_ = short_html

    if TYPE_CHECKING:  # arguments become the arrays above

        def __init__(
            self,
            *,
            concentration: ArrayLike | None = None,
            mean: ArrayLike | None = None,
            shrinkage: ArrayLike = SHRINKAGE,
            dof: float | None = None,
            scale: ArrayLike | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        concentration = _numbers(self.concentration, "concentration", ("component",))
        if concentration is not None and np.min(concentration) < 1.0:
            raise ValueError(
                f"concentration must be 1 or more: below, the density of the weights has no "
                f"maximum; got {np.min(concentration):g}. Use fit_bayesian_gmm, which needs none."
            )
        shrinkage = _numbers(self.shrinkage, "shrinkage", ("component",))
        if shrinkage is None:
            raise TypeError("shrinkage must be a number; got None. Pass 0 for no prior on means.")
        scale = _numbers(self.scale, "scale", ("component", "row", "column"))
        if np.min(shrinkage) < 0.0:
            raise ValueError(
                f"shrinkage must be non-negative; got {np.min(shrinkage):g}. Use 0 for none."
            )
        mean = _numbers(self.mean, "mean", ("component", "feature"))
        if mean is not None and np.ndim(mean) == 0:
            mean = np.reshape(mean, 1)
        dof = _numbers(self.dof, "dof", ())
        values = {
            "concentration": concentration, "mean": mean, "shrinkage": shrinkage, "dof": dof,
            "scale": scale,
        }  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, frozen(value))

    @classmethod
    def from_model(cls, model: GaussianMixture, relevance: float = RELEVANCE) -> Self:
        """Return a prior centred at a mixture, to adapt it to few rows.

        The model counts as `relevance` rows in each component [1]_. The prior of the weights is
        that of [2]_. See :doc:`/manual/priors`.

        Parameters
        ----------
        model : GaussianMixture
            Or a fit, for its model.
        relevance : float
            Rows that the model counts for, in each component; positive.

        Returns
        -------
        ConjugatePrior
            For fits of the model's `covariance_type`, with `init` the model.

        Raises
        ------
        ValueError
            For a relevance that is not positive.
        TypeError
            For anything but a mixture or a fit.

        References
        ----------
        .. [1] D. A. Reynolds, T. F. Quatieri, R. B. Dunn, "Speaker verification using adapted
           Gaussian mixture models", Digital Signal Processing 10, 19-41, 2000, equations (10) to
           (14).
        .. [2] J.-L. Gauvain, C.-H. Lee, "Maximum a posteriori estimation for multivariate Gaussian
           mixture observations of Markov chains", IEEE Transactions on Speech and Audio Processing
           2, 291-298, 1994.

        Examples
        --------
        >>> import mixtura
        >>> data = mixtura.datasets.load_faithful().data
        >>> model = mixtura.fit_gmm(data, 2, rng=0).model
        >>> few = data[:20] + [0.5, 0.0]
        >>> prior = mixtura.ConjugatePrior.from_model(model)
        >>> adapted = mixtura.fit_gmm(few, 2, init=model, prior=prior)
        >>> (adapted.model.means - model.means).round(2)
        array([[ 0.16,  0.9 ],
               [ 0.17, -0.05]])
        """
        model = checked_model(model)
        r = check_number("relevance", relevance, minimum=-math.inf)
        if r <= 0.0:
            raise ValueError(
                f"relevance must be above 0, a number of rows; got {r:g}. Use prior=None for no "
                f"prior."
            )
        k, d = model.means.shape
        family = family_named(model.covariance_type, d)
        shape, laws = family.shape, k if family.is_one else 1
        law = precision_law(shape)
        # Covariances are divided by N_j + counts + 1, which has to be N_j + relevance.
        counts = laws * (r - 1.0)
        rows = laws * r * d / law.size(d)
        scale = rows * model.covariances
        one = shape.single(scale) if family.is_one else scale
        prior = cls(
            concentration=1.0 + r * k * model.weights,
            mean=model.means,
            shrinkage=r,
            dof=law.degrees_of_freedom(counts, d),
            scale=one,
        )
        object.__setattr__(prior, "_centre", Sizes(family.name, k, d, model.feature_names))
        return prior

    @property
    def _is_regular(self) -> bool:
        """Whether no covariance can become singular: for a scale that is not 0."""
        return self.scale is None or bool(np.any(self.scale))

    def _tells_apart(self, family: CovarianceFamily) -> bool:
        """Whether components have priors of their own."""
        own_scales = not family.is_one and _n_axes(self.scale) == len(family.shape.axes)
        vectors = self.concentration, self.shrinkage
        return own_scales or _n_axes(self.mean) == 2 or any(map(_n_axes, vectors))

    def _filled(
        self, survey: Survey, family: CovarianceFamily, n_components: int, ridge: Floats
    ) -> Self:
        """Return the prior with its open parts taken from rows."""
        if self._centre is not None:
            check_column_names(survey.source.feature_names, self._centre.feature_names, "X")
        d, mean, scale = survey.source.n_features, self.mean, self.scale
        if mean is not None and mean.shape[-1] == d and np.any(self.shrinkage):
            survey.refuse_far_mean(mean)
        if mean is None or scale is None:
            of_rows, covariance = survey.gaussian(family.shape.is_diagonal)
            mean = of_rows if mean is None else mean
            if scale is None:
                warn_of_few_rows(survey, family)
                covariance = covariance + (ridge if covariance.ndim == 1 else np.diag(ridge))
                spread = covariance.mean() if covariance.ndim == 1 else covariance
                scale = spread / n_components ** (2.0 / d)
        dof = d + 2.0 if self.dof is None else self.dof
        filled = replace(self, mean=mean, scale=scale, dof=dof)
        object.__setattr__(filled, "_centre", self._centre)
        return filled

    def _pseudo_rows(
        self, family: CovarianceFamily, n_components: int, n_features: int, backend: Backend
    ) -> PseudoRows:
        """Return what the prior adds to statistics."""
        if self._centre is not None:
            self._centre.refuse_another(family, n_components, n_features)
        k, d, shape, law = n_components, n_features, family.shape, precision_law(family.shape)
        share = 1.0 / k if family.is_one else 1.0  # of one law for each component
        shrinkage = _of_each(self.shrinkage, "shrinkage", k)
        dof = d + 2.0 if self.dof is None else self.dof
        counts = np.full(k, law.counts(dof, d) * share)
        self._refuse_fewer_rows(counts, shrinkage > 0.0, family, d)
        scatter = self._scatter(family, k, d, backend)
        factors, singular = shape.factorise(scatter, backend.algebra)
        constants, modes, peaks = np.zeros(len(singular)), None, None
        if dof > law.least(d):  # else it is improper, and so is a law of a singular scale
            size = law.size(d)
            with np.errstate(divide="ignore", invalid="ignore"):
                log_dets = -2.0 * (size / d) * shape.log_dets(factors, d)
                proper = -law.log_pi(d) - log_normalisers(law, np.array([dof]), log_dets, d)
            constants = np.where(singular, 0.0, proper)
            if dof >= STRONG and not singular.any():
                modes = shape.per_feature(scatter, d) / law.counts(dof, d)
                peaks = share * np.broadcast_to(log_peaks(law, dof, log_dets, d), k)
        concentration = self.concentration
        return PseudoRows(
            None if concentration is None else _of_each(concentration, "concentration", k),
            shrinkage,
            self._means(shrinkage, k, d),
            counts,
            scatter if shape.is_shared else share * scatter,
            shape,
            family.is_one,
            share * np.broadcast_to(constants, k),
            modes,
            peaks,
        )

    def _means(self, shrinkage: Floats, k: int, d: int) -> Floats:
        if self.mean is None:
            if shrinkage.any():
                raise ValueError(OPEN.format(name="mean"))
            return np.zeros((k, d))
        if self.mean.shape not in ((d,), (k, d)):
            raise ValueError(
                f"mean must have shape {(d,)}, (n_features,), or {(k, d)}, (n_components, "
                f"n_features); got {self.mean.shape}. Give one for all, or each component one."
            )
        return np.broadcast_to(self.mean, (k, d)).copy()

    def _scatter(self, family: CovarianceFamily, k: int, d: int, backend: Backend) -> Floats:
        """The scale of each law, in the family's shape."""
        if self.scale is None:
            raise ValueError(OPEN.format(name="scale"))
        shape, scale = family.shape, np.asarray(self.scale)
        of_all = shape.array_shape(k, d)
        of_one = shape.single_shape(d)
        allowed = {of_one} if family.is_one else {of_one, of_all}
        if scale.ndim == 0:
            scatter = shape.from_matrices(np.repeat(scale * np.eye(d)[None], k, axis=0))
        elif scale.shape in allowed:
            scatter = np.broadcast_to(scale, of_all)
        else:
            shapes = " or ".join(str(each) for each in sorted(allowed, key=len) if each)
            raise ValueError(
                f"scale must be a number{' or have shape ' if shapes else ''}{shapes} for "
                f"covariance_type {family.name!r} with these sizes; got shape {scale.shape}. "
                f"Give one for all covariances, or each its own where they differ."
            )
        if not shape.is_diagonal:
            scatter = symmetric(scatter, ASYMMETRY, "scale")
        _refuse_indefinite(shape, scatter, k, d, backend)
        return scatter.copy()

    def _refuse_fewer_rows(
        self, counts: Floats, has_mean: Mask, family: CovarianceFamily, d: int
    ) -> None:
        law = precision_law(family.shape)
        added = counts + has_mean
        added = added.sum(keepdims=True) if family.is_one else added
        if added.min() < -ROUNDING:
            of_means = float(has_mean.sum() if family.is_one else has_mean[added.argmin()])
            least = law.degrees_of_freedom(-of_means, d)
            raise ValueError(
                f"dof must be {least:g} or more for covariance_type {family.name!r} with "
                f"{counted(d, 'feature')}, so that rows do not count for less than without it; got "
                f"{self.dof:g}. Pass {least:g}, with scale=0, for no prior on covariances."
            )


def _numbers(value: ArrayLike | None, name: str, axes: Sequence[str]) -> float | Floats | None:
    """Finite numbers, as a float where there is one."""
    if value is None:
        return None
    refuse_flags(value, name)
    array = contiguous(value, name)
    if array.ndim > len(axes) or not array.size:
        raise ValueError(
            f"{name} must be a number{' or an array' if axes else ''} of at most {len(axes)} "
            f"dimensions; got shape {array.shape}. Pass one for all components, or each its own."
        )
    if array.ndim == 0:
        return check_number(name, float(array), minimum=-math.inf)
    refuse_non_finite(array, name, axes[-array.ndim :], "Pass a number.")
    return array


def _n_axes(part: float | Floats | None) -> int:
    """How many axes a part has; 0 for a number, and for what is open."""
    return part.ndim if isinstance(part, np.ndarray) else 0


def _of_each(value: float | Floats, name: str, k: int) -> Floats:
    """A number for each component."""
    if np.shape(value) not in ((), (k,)):
        raise ValueError(
            f"{name} must be a number or have shape {(k,)}, one for each component; got shape "
            f"{np.shape(value)}. Pass one number for all."
        )
    return np.broadcast_to(np.asarray(value, dtype=np.float64), k).copy()


def _refuse_indefinite(shape: Shape, scatter: Floats, k: int, d: int, backend: Backend) -> None:
    """Refuse scales that are no sums of squares; singular ones are."""
    if shape.is_diagonal:
        least, size = scatter.min(), 0.0
    else:
        matrices = shape.matrices(scatter, k, d)
        variances, _ = backend.algebra.eigh(matrices)
        least, size = variances.min(), np.abs(variances).max()
    if least < -d * EPS * size:
        raise ValueError(
            f"scale must not be negative in any direction; got {least:g}. Pass a covariance "
            f"times a positive number, or 0 for none."
        )
