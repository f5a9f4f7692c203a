"""GaussianMixture: a frozen, validated distribution, and the list of what can be asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from mixtura import files, kernels
from mixtura.cached import cached_property, property_of
from mixtura.covariance import FAMILIES, CovarianceFamily, family_named
from mixtura.data.checks import check_option, without_rounding
from mixtura.data.frames import Names
from mixtura.data.missing import MISSING, Missing
from mixtura.mixture import (
    bound,
    conditional,
    convert,
    criteria,
    denoising,
    densities,
    divergence,
    geometry,
    imputing,
    marginal,
    moments,
    one_feature,
    profiles,
    reordering,
    sampling,
    saving,
    table,
)
from mixtura.mixture.checks import (
    check_feature_names,
    check_means,
    check_mixture_weights,
    naming_what_fits,
)
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import Floats
from mixtura.text import short

__all__ = ["GaussianMixture"]


class _Questions:
    """What can be asked of a mixture: each question is a function, in a file for its subject.

    `Final` makes type checkers agree on what a method is. In the body of the dataclass, it would
    make fields of the methods.
    """

    # Densities, and the components of rows
    log_prob: Final = densities.log_prob
    component_log_prob: Final = densities.component_log_prob
    responsibilities: Final = densities.responsibilities
    predict: Final = densities.predict

    # True values of noisy rows
    denoise: Final = denoising.denoise

    # How well it describes rows
    log_likelihood: Final = criteria.log_likelihood
    aic: Final = criteria.aic
    bic: Final = criteria.bic
    icl: Final = criteria.icl
    elbo: Final = bound.elbo

    # How far it is from another one
    kl_divergence: Final = divergence.kl_divergence

    # The whole, parts of it, and what is missing of a row
    mean: Final = moments.mean
    covariance: Final = moments.covariance
    marginal: Final = marginal.marginal
    conditional: Final = conditional.conditional
    impute: Final = imputing.impute

    # Mixtures of one feature
    cdf: Final = one_feature.cdf
    quantile: Final = one_feature.quantile
    boundaries: Final = one_feature.boundaries

    # The same mixture in another order
    reordered: Final = reordering.reordered

    # Random rows
    sample: Final = sampling.sample

    # What the covariances look like
    covariance_matrices: Final = geometry.covariance_matrices
    volume: Final = property_of(geometry.volume)
    shape: Final = property_of(geometry.shape)
    orientation: Final = property_of(geometry.orientation)

    # The table of its numbers
    summary: Final = table.summary
    to_pandas: Final = table.to_pandas
    _repr_html_ = table.html

    # What its components look like in other columns
    profile: Final = profiles.profile

    # Files, and scikit-learn
    _contents = saving.contents
    to_sklearn: Final = convert.to_sklearn
    from_sklearn: Final = classmethod(convert.from_sklearn)


@files.saved_as("GaussianMixture")
@dataclass(frozen=True, init=False, repr=False, eq=False)
class GaussianMixture(files.Saved, _Questions):
    """Mixture of Gaussian distributions, ``sum_j weights[j] N(x | means[j], covariance_j)``.

    Parameters
    ----------
    weights : array_like of shape (n_components,)
        Non-negative, summing to one. A component of weight zero is allowed.
    means : array_like of shape (n_components, n_features)
        Component means.
    covariances : array_like, squared units of the features
        Positive definite: (n_components, n_features, n_features) for "full", one
        (n_features, n_features) for "tied", (n_components, n_features) for "diag" and
        (n_components,) for "spherical".
    covariance_type : str
        How covariances are restricted: "full", "tied", "diag" or "spherical"; or one of the
        fourteen families [1]_, such as "EEV". "EII" has the shape of "spherical", other names that
        end in I have that of "diag", the others that of "full". See :doc:`/manual/families`.
    feature_names : sequence of n_features str, optional
        Names of the columns. Methods then refuse a frame with other columns. None is no names.
    missing : {"raise", "em"}
        What methods take NaN for, unless they are told otherwise: an error, or a number that was
        not observed, so that densities are those of the others.

    Attributes
    ----------
    weights, means, covariances, covariance_type, feature_names, missing
        As given. A matrix that is symmetric only to rounding is replaced by its symmetric part.
    precisions_cholesky : ndarray
        Precision factors U in the shape of `covariances`: upper triangular with
        ``inv(covariance) = U @ U.T``, or reciprocal standard deviations.

    Raises
    ------
    ValueError
        For shapes that do not fit together, values that are not finite, weights that are negative
        or do not sum to one, covariances that are not symmetric and positive definite.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    A mixture cannot be changed, and many threads can use it. ``dataclasses.replace`` makes another
    one. Two mixtures are equal if their covariance types and all numbers are.

    Methods accept the same rows as `fit_gmm`, and raise ValueError or TypeError for others. Each
    makes one threaded pass over the rows, of n k d (d + 1) / 2 multiply-adds for "full" and "tied"
    and n k d otherwise. A row so far away that every component has zero density there has a
    log-probability of -inf.

    References
    ----------
    .. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
       781-793, 1995.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.25, 0.75], [[0], [4]], [1, 4], "spherical")
    >>> mixture.predict([[0.5], [3.0]])
    array([0, 1])
    >>> mixture.log_prob([[0.5], [3.0]])
    array([-2.11718224, -2.01641071])
    """

    weights: Floats
    means: Floats
    covariances: Floats
    covariance_type: str
    feature_names: Names | None
    missing: Missing
    precisions_cholesky: Floats = field(init=False)

    @naming_what_fits
    def __init__(
        self,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        covariance_type: str = "full",
        *,
        feature_names: Sequence[str] | None = None,
        missing: Missing = "raise",
    ) -> None:
        means = check_means(means)
        k, d = means.shape
        family = family_named(covariance_type, d)
        weights = check_mixture_weights(without_rounding(weights, k), k)
        covariances, factors = family.check(covariances, k, d, kernels)
        names = None if feature_names is None else tuple(check_feature_names(feature_names, d))
        missing = check_option("missing", missing, MISSING)
        self._set(covariance_type, names, missing, weights, means, covariances, factors)

    @classmethod
    def _from_fit(
        cls,
        covariance_type: str,
        weights: Floats,
        means: Floats,
        covariances: Floats,
        precisions_cholesky: Floats,
        feature_names: Names | None = None,
        missing: Missing = "raise",
    ) -> Self:
        """Make a mixture of parameters that are already checked and factored."""
        mixture = cls.__new__(cls)
        arrays = (weights, means, covariances, precisions_cholesky)
        mixture._set(covariance_type, feature_names, missing, *arrays)
        return mixture

    @classmethod
    def _from_contents(cls, contents: files.Contents) -> Self:
        return cls._from_fit(*saving.checked(contents))

    @classmethod
    def _of(
        cls,
        covariance_type: str,
        parameters: Parameters,
        feature_names: Names | None = None,
        missing: Missing = "raise",
    ) -> Self:
        """Make a mixture of the parameters of a fit."""
        return cls._from_fit(covariance_type, *parameters.arrays(), feature_names, missing)

    def _parameters(self) -> Parameters:
        """Return the same mixture as plain arrays."""
        return Parameters(
            self.weights,
            self.means,
            self.covariances,
            self.precisions_cholesky,
            self._family.shape,
        )

    @cached_property
    def _seen(self) -> Seen:
        """What a pass needs of the mixture."""
        return self._parameters().seen()

    def _set(
        self, covariance_type: str, feature_names: Names | None, missing: Missing, *arrays: Floats
    ) -> None:
        names = ("weights", "means", "covariances", "precisions_cholesky")
        for name, array in zip(names, arrays, strict=True):
            kept = np.array(array, dtype=np.float64, order="C")
            kept.flags.writeable = False
            object.__setattr__(self, name, kept)
        object.__setattr__(self, "covariance_type", covariance_type)
        object.__setattr__(self, "feature_names", feature_names)
        object.__setattr__(self, "missing", missing)

    @property
    def n_components(self) -> int:
        """Number of components, including those of weight zero."""
        return len(self.means)

    @property
    def n_features(self) -> int:
        """Number of features: columns of the rows that the mixture describes."""
        return len(self.means[0])

    @property
    def n_parameters(self) -> int:
        """Free parameters: n_components - 1 weights, the means, and those of the covariances."""
        k, d = self.n_components, self.n_features
        return k - 1 + k * d + self._family.n_parameters(k, d)

    @property
    def _family(self) -> CovarianceFamily:
        return FAMILIES[self.covariance_type]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GaussianMixture):
            return NotImplemented
        return (
            self._family is other._family
            and np.array_equal(self.weights, other.weights)
            and np.array_equal(self.means, other.means)
            and np.array_equal(self.covariances, other.covariances)
        )

    def __hash__(self) -> int:
        return hash((self._family.name, *self.weights.tolist(), *self.means.ravel().tolist()))

    def __repr__(self) -> str:
        arrays = (short(getattr(self, name)) for name in ("weights", "means", "covariances"))
        options = ""
        if self.feature_names is not None:
            options = f", feature_names={short(list(self.feature_names))}"
        if self.missing != "raise":
            options += f", missing={self.missing!r}"
        return "{}(weights={}, means={}, covariances={}, covariance_type={!r}{})".format(
            type(self).__name__, *arrays, self.covariance_type, options
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the class method, because arrays that NumPy unpickles or copies are writeable.
        return type(self)._from_fit, (
            self.covariance_type,
            self.weights,
            self.means,
            self.covariances,
            self.precisions_cholesky,
            self.feature_names,
            self.missing,
        )
