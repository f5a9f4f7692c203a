"""What a mixture answers, for results that have one.

``fit.predict(X)`` is ``fit.model.predict(X)``. A question to a mixture that is added to
`GaussianMixture` is added here too. If the rows of the fit had noise, questions about rows must
say what noise these have: answers for rows without noise would be taken for those of the fit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

from mixtura.data.frames import Names
from mixtura.data.missing import Missing
from mixtura.mixture.gaussian import GaussianMixture
from mixtura.shapes import Floats

__all__ = ["Answers", "answered", "refuse_noiseless"]

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def answered(
    method: Callable[Concatenate[GaussianMixture, Arguments], Answer],
) -> Callable[Concatenate[Answers, Arguments], Answer]:
    """Return the method for an object that has the mixture."""

    @wraps(method)
    def answer(self: Answers, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        return method(self.model, *args, **kwargs)

    return answer


def _of_rows(
    method: Callable[Concatenate[GaussianMixture, Arguments], Answer],
) -> Callable[Concatenate[Answers, Arguments], Answer]:
    """Return the method, which asks for the noise of the rows where those of the fit had some."""

    @wraps(method)
    def answer(self: Answers, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        refuse_noiseless(self.has_noise, kwargs.get("noise_covariance"))
        return method(self.model, *args, **kwargs)

    return answer


def refuse_noiseless(has_noise: bool, noise_covariance: object) -> None:
    """Raise a ValueError where the rows of a fit had noise, and those of a question have none."""
    if has_noise and noise_covariance is None:
        raise ValueError(
            "noise_covariance must be given, as the rows of the fit had noise of their own; "
            "got none. Pass that of these rows, or np.zeros(len(X)) for rows without noise."
        )


class Answers:
    """Methods and attributes of `GaussianMixture`, answered by the attribute `model`."""

    model: GaussianMixture
    has_noise: bool = False

    log_prob: Final = _of_rows(GaussianMixture.log_prob)
    component_log_prob: Final = _of_rows(GaussianMixture.component_log_prob)
    responsibilities: Final = _of_rows(GaussianMixture.responsibilities)
    predict: Final = _of_rows(GaussianMixture.predict)
    aic: Final = _of_rows(GaussianMixture.aic)
    bic: Final = _of_rows(GaussianMixture.bic)
    icl: Final = _of_rows(GaussianMixture.icl)
    elbo: Final = _of_rows(GaussianMixture.elbo)
    profile: Final = _of_rows(GaussianMixture.profile)
    kl_divergence: Final = answered(GaussianMixture.kl_divergence)
    mean: Final = answered(GaussianMixture.mean)
    covariance: Final = answered(GaussianMixture.covariance)
    marginal: Final = answered(GaussianMixture.marginal)
    conditional: Final = answered(GaussianMixture.conditional)
    impute: Final = answered(GaussianMixture.impute)
    denoise: Final = answered(GaussianMixture.denoise)
    sample: Final = answered(GaussianMixture.sample)
    cdf: Final = answered(GaussianMixture.cdf)
    quantile: Final = answered(GaussianMixture.quantile)
    boundaries: Final = answered(GaussianMixture.boundaries)
    reordered: Final = answered(GaussianMixture.reordered)
    covariance_matrices: Final = answered(GaussianMixture.covariance_matrices)
    to_pandas: Final = answered(GaussianMixture.to_pandas)
    to_sklearn: Final = answered(GaussianMixture.to_sklearn)

    @property
    def weights(self) -> Floats:
        """Weight of each component."""
        return self.model.weights

    @property
    def means(self) -> Floats:
        """Mean of each component."""
        return self.model.means

    @property
    def covariances(self) -> Floats:
        """Covariances, in the shape of `covariance_type`."""
        return self.model.covariances

    @property
    def precisions_cholesky(self) -> Floats:
        """Precision factors, in the shape of `covariances`."""
        return self.model.precisions_cholesky

    @property
    def covariance_type(self) -> str:
        """How covariances are restricted."""
        return self.model.covariance_type

    @property
    def feature_names(self) -> Names | None:
        """Names of the columns; None where there are none."""
        return self.model.feature_names

    @property
    def missing(self) -> Missing:
        """What methods do with NaN among the rows, unless they are told otherwise."""
        return self.model.missing

    @property
    def n_components(self) -> int:
        """Number of components, including those of weight zero."""
        return self.model.n_components

    @property
    def n_features(self) -> int:
        """Number of features: columns of the rows that the mixture describes."""
        return self.model.n_features

    @property
    def n_parameters(self) -> int:
        """Free parameters of the mixture."""
        return self.model.n_parameters

    @property
    def volume(self) -> Floats:
        """See `GaussianMixture.volume`."""
        return self.model.volume

    @property
    def shape(self) -> Floats:
        """See `GaussianMixture.shape`."""
        return self.model.shape

    @property
    def orientation(self) -> Floats:
        """See `GaussianMixture.orientation`."""
        return self.model.orientation
