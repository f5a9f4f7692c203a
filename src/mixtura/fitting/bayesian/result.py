"""BayesianGMMFit: the posterior of a mixture, and how it was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

from mixtura import files
from mixtura.files import Contents, fact
from mixtura.fitting.found import Found, checked
from mixtura.mixture import GaussianMixture
from mixtura.mixture.answers import answered
from mixtura.mixture.table import counted
from mixtura.posterior import GMMPosterior, StudentMixture
from mixtura.schedules import StopReason
from mixtura.search import SearchReport
from mixtura.shapes import Floats
from mixtura.updates import Event

__all__ = ["BayesianGMMFit"]


class _Answers(Found):
    """Methods that a fit by likelihood has attributes for."""

    log_likelihood: Final = answered(GaussianMixture.log_likelihood)


@files.saved_as("BayesianGMMFit")
@dataclass(frozen=True, repr=False, eq=False)
class BayesianGMMFit(_Answers):
    """The posterior of a mixture, and how it was found.

    It has the methods and attributes of `GaussianMixture`, too: ``fit.predict(X)`` is
    ``fit.model.predict(X)``. If `has_noise`, methods need `noise_covariance` with rows.

    Attributes
    ----------
    posterior : GMMPosterior
        The laws of all parameters.
    elbo : float, nats
        Evidence lower bound, a total with all constants: the logarithm of the evidence of what was
        observed is at least this.
    history : ndarray of shape (n_iter,), nats per row, read-only
        The bound after each iteration, divided by `weight_sum`. It never falls, except for
        rounding.
    n_iter : int
        Iterations done, without those of the search for a start.
    converged : bool
        Whether the predicted remaining gain was at most `tol`.
    stop_reason : {"converged", "max_iter", "callback", "interrupted"}
        Why the iterations ended.
    events : tuple of Event
        Components that failed, and what was done; mostly none.
    n_samples : int
        Rows of positive weight.
    weight_sum : float
        Total weight of the rows; their number where they are unweighted.
    entropy : float, nats
        Of the assignments, ``-sum_ij sample_weight[i] resp[i, j] log resp[i, j]``, with the
        responsibilities of `posterior`. NaN in an interrupted fit.
    n_labelled : int
        Rows of positive weight whose component was known, at least in part.
    has_noise : bool
        Whether the noise of each row was known.
    n_missing : int
        Numbers that were missing in rows of positive weight.
    search : SearchReport or None
        What the search for the start has found. None where the user gave the start.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_bayesian_gmm(X, 4, rng=0)
    >>> fit.n_effective, round(fit.elbo, 1)
    (2, -1173.9)
    >>> fit.predict([[2.0, 50.0], [4.5, 85.0]])
    array([1, 0])
    """

    posterior: GMMPosterior
    elbo: float = field()  # type: ignore[assignment, misc]
    history: Floats = field()
    n_iter: int = field()
    converged: bool = field()
    stop_reason: StopReason = field()
    events: tuple[Event, ...] = field()
    n_samples: int = field()
    weight_sum: float = field()
    entropy: float = field()
    n_labelled: int = 0
    has_noise: bool = False
    n_missing: int = 0
    search: SearchReport | None = None

    @property
    def model(self) -> GaussianMixture:  # type: ignore[override]
        """The mixture of expected parameters: see `GMMPosterior.model`."""
        return self.posterior.model

    @property
    def predictive(self) -> StudentMixture:
        """The distribution of a new row: see `GMMPosterior.predictive`."""
        return self.posterior.predictive

    @property
    def n_effective(self) -> int:
        """Number of components that have at least the weight of one average row."""
        return self.posterior.n_effective

    def _measure(self) -> str:
        return f"evidence lower bound {self.elbo:.3f}, {self.n_effective} with rows"

    def _measures(self) -> list[str]:
        effective = counted(self.n_effective, "component")
        concentration = self.posterior.prior.concentration
        law = f"{self.posterior.weight_prior} weights, concentration {concentration:g}"
        return [
            f"evidence lower bound{self._of_labels} {self.elbo:.6f} nats",
            f"{effective} with the weight of a row or more; {law}",
        ]

    def _contents(self) -> Contents:
        return self._contents_with(self.posterior._contents(), "elbo")

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        return cls(
            posterior=GMMPosterior._from_contents(contents),
            elbo=fact(contents.facts, "elbo", float),
            **checked(contents),
        )
