"""GMMPosterior: what is known of a mixture after rows, and the list of what can be asked of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from mixtura import files
from mixtura.cached import cached_property
from mixtura.conjugate import Laws, PriorLaws, WeightPrior
from mixtura.data.frames import Names
from mixtura.data.missing import Missing
from mixtura.mixture import GaussianMixture
from mixtura.parameters import Parameters, Seen
from mixtura.posterior import (
    drawing,
    intervals,
    log_pdf,
    modes,
    predictive,
    rows,
    saving,
    table,
)
from mixtura.posterior.student import StudentMixture
from mixtura.shapes import Floats
from mixtura.text import short

__all__ = ["GMMPosterior"]

ROUNDING = 1e-9  # of a row: responsibilities of a component with one row sum to almost one
SHOWN = ("weight_concentration", "mean_precision", "means", "degrees_of_freedom", "covariances")


class _Questions:
    """What can be asked of a posterior: see `mixtura.mixture.gaussian`, which has it likewise."""

    # Components of rows, and how well the posterior describes rows
    responsibilities: Final = rows.responsibilities
    predict: Final = rows.predict
    elbo: Final = rows.elbo

    # Mixtures that it makes likely
    mode: Final = modes.mode
    log_pdf: Final = log_pdf.log_pdf
    sample_models: Final = drawing.sample_models
    credible_intervals: Final = intervals.credible_intervals

    # The table of its numbers, and files
    summary: Final = table.summary
    _repr_html_ = table.html
    _contents = saving.contents


@files.saved_as("GMMPosterior")
@dataclass(frozen=True, repr=False, eq=False)
class GMMPosterior(files.Saved, _Questions):
    """The posterior of a mixture: laws of its weights, means and precisions.

    `fit_bayesian_gmm` makes it. Precisions, the inverses of covariances, have Wishart laws ("diag"
    and "spherical": gamma laws). Means are normal given the precision [1]_. Weights have a
    Dirichlet law, or are sticks broken in turn [2]_. :doc:`/manual/posterior` says what can be
    asked.

    Attributes
    ----------
    prior : PriorLaws
        What was believed before any row: its `concentration`, `mean_precision`, `mean`,
        `degrees_of_freedom` and `covariance` (the scale of the law of precisions).
    weight_concentration : ndarray of shape (n_components,) or (2, n_components)
        Of the Dirichlet law; or for "stick-breaking", of the Beta law of each stick.
    mean_precision : ndarray of shape (n_components,)
        How many rows of the component the mean is as precise as.
    means : ndarray of shape (n_components, n_features)
        Expected means.
    degrees_of_freedom : ndarray of shape (n_components,), or (1,) for "tied"
        Of the laws of precisions.
    covariances : ndarray, squared units of the features
        ``scale / degrees_of_freedom``, the inverse of the expected precision, in the shape of
        `covariance_type`.
    precisions_cholesky : ndarray
        Precision factors U in the shape of `covariances`: the expected precision is ``U @ U.T``.
    resp_sum : ndarray of shape (n_components,)
        Weight of the rows of each component.
    covariance_type : str
        How covariances are restricted, as the user named it.
    feature_names : tuple of str or None
        Names of the columns.
    missing : {"raise", "em"}
        What methods take NaN for, unless they are told otherwise.
    row_weight : float
        Mean weight of a row; 1 where rows are unweighted.
    has_noise : bool
        Whether the noise of each row was known. Then methods need `noise_covariance` with rows.

    Notes
    -----
    It cannot be changed, and many threads can use it. Two posteriors are equal if their priors and
    all numbers of their laws are.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning",
       2006, section 10.2.
    .. [2] D. M. Blei, M. I. Jordan, "Variational inference for Dirichlet process mixtures",
       Bayesian Analysis 1, 121-144, 2006.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> posterior = mixtura.fit_bayesian_gmm(X, 4, rng=0).posterior
    >>> posterior.n_effective, posterior.resp_sum.round()
    (2, array([175.,  97.,   0.,   0.]))
    """

    prior: PriorLaws
    weight_concentration: Floats
    mean_precision: Floats
    means: Floats
    degrees_of_freedom: Floats
    covariances: Floats
    precisions_cholesky: Floats
    resp_sum: Floats
    covariance_type: str
    feature_names: Names | None = None
    missing: Missing = "raise"
    row_weight: float = 1.0
    has_noise: bool = False

    def __post_init__(self) -> None:
        for name in saving.ARRAYS:
            object.__setattr__(self, name, _kept(getattr(self, name)))
        prior = dataclasses.replace(
            self.prior, mean=_kept(self.prior.mean), covariance=_kept(self.prior.covariance)
        )
        object.__setattr__(self, "prior", prior)

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays that NumPy unpickles or copies are writeable.
        self.__dict__.update(state)
        self.__post_init__()

    @classmethod
    def _of(
        cls,
        prior: PriorLaws,
        laws: Laws,
        covariance_type: str,
        feature_names: Names | None,
        missing: Missing,
        resp_sum: Floats,
        row_weight: float = 1.0,
        has_noise: bool = False,
    ) -> Self:
        """Make one of the laws of a fit, and of the weight of the rows of each component."""
        arrays = (*laws[:-1], resp_sum)
        facts = (covariance_type, feature_names, missing, float(row_weight), has_noise)
        return cls(prior, *arrays, *facts)

    @classmethod
    def _from_contents(cls, contents: files.Contents) -> Self:
        return cls._of(*saving.checked(contents))

    @cached_property
    def model(self) -> GaussianMixture:
        """The mixture of expected weights, expected means and inverse expected precisions.

        The precision is what is averaged, because it always has an expectation. That of the
        covariance, ``scale / (degrees_of_freedom - n_features - 1)`` for "full", does not exist
        for few degrees of freedom, as of a component that has hardly any rows.
        """
        weights = self.prior.weights.means(self.weight_concentration)
        parameters = Parameters(
            weights, self.means, self.covariances, self.precisions_cholesky, self.prior.shape
        )
        return GaussianMixture._of(
            self.covariance_type, parameters, self.feature_names, self.missing
        )

    @cached_property
    def predictive(self) -> StudentMixture:
        """The distribution of a new row, with all that is unknown of the mixture averaged out.

        A mixture of Student-t distributions: see `mixtura.posterior.predictive`.
        """
        return predictive.predictive(self)

    @property
    def scale(self) -> Floats:
        """Scale of each law of precisions: `covariances` times `degrees_of_freedom`."""
        return self._laws.scale

    @property
    def weight_prior(self) -> WeightPrior:
        """The kind of law of the weights: "dirichlet" or "stick-breaking"."""
        return self.prior.weights.name

    @property
    def n_components(self) -> int:
        """Number of components, including those without rows."""
        return len(self.means)

    @property
    def n_features(self) -> int:
        """Number of features: columns of the rows."""
        return len(self.means[0])

    @property
    def n_effective(self) -> int:
        """Number of components that have at least the weight of one average row, to rounding."""
        return int(np.count_nonzero(self._with_rows))

    @property
    def _with_rows(self) -> NDArray[np.bool_]:
        """Components with at least the weight of one average row, shape (n_components,)."""
        with_rows: NDArray[np.bool_] = self.resp_sum >= (1.0 - ROUNDING) * self.row_weight
        return with_rows

    @property
    def _laws(self) -> Laws:
        return Laws(
            self.weight_concentration,
            self.mean_precision,
            self.means,
            self.degrees_of_freedom,
            self.covariances,
            self.precisions_cholesky,
            self.prior.shape,
        )

    @cached_property
    def _seen(self) -> Seen:
        """What a pass needs for the variational E-step: see `mixtura.updates.variational`."""
        constants = self.prior.log_constants(self._laws)
        arrays = (self.means, self.covariances, self.precisions_cholesky)
        return Seen(constants, *arrays, self.prior.shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GMMPosterior):
            return NotImplemented
        return self.prior == other.prior and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in saving.ARRAYS
        )

    def __hash__(self) -> int:
        return hash((self.prior, *self.resp_sum.tolist(), *self.means.ravel().tolist()))

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name}={short(getattr(self, name))}" for name in SHOWN)
        return (
            f"{type(self).__name__}({arrays}, covariance_type={self.covariance_type!r}, "
            f"weight_prior={self.weight_prior!r})"
        )


def _kept(array: Floats) -> Floats:
    """A copy that nobody can write into."""
    kept = np.array(array, dtype=np.float64, order="C")
    kept.flags.writeable = False
    return kept
