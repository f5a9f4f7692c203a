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

    It has the methods and attributes of its mixture, too: ``fit.predict(X)`` is
    ``fit.model.predict(X)``. Only if `has_noise`, it refuses rows without `noise_covariance`.

    Attributes
    ----------
    posterior : GMMPosterior
        The laws of all parameters.
    elbo : float, nats
        Evidence lower bound: the logarithm of the evidence of the training rows is at least this.
        A total with all constants. What was observed is what the evidence is of: with `labels`
        of rows and labels, with missing numbers of the others, with noise of the noisy rows. In a
        fit that was interrupted during its starts, it is estimated from their sample.
    history : ndarray of shape (n_iter,), nats per row, read-only
        The bound after each iteration, divided by `weight_sum`. It never falls, except for
        rounding. For ``em="memoised"`` it is that of the responsibilities that blocks remember,
        which the last pass may still raise: then `elbo` is a little higher.
    n_iter : int
        Iterations done, without those of the search for a start.
    converged : bool
        Whether no more than about `tol` was left to gain.
    stop_reason : {"converged", "max_iter", "callback", "interrupted"}
        Why the iterations ended.
    events : tuple of Event
        Components that failed, and what was done: none but for numbers at the ends of a float's
        range.
    n_samples : int
        Rows of positive weight.
    weight_sum : float
        Total weight of the rows; their number where they are unweighted.
    entropy : float, nats
        Of the assignments, ``-sum_ij sample_weight[i] resp[i, j] log resp[i, j]``, with the
        responsibilities of `posterior`. NaN in an interrupted fit.
    n_labelled : int
        Rows of positive weight of whose component something was known.
    has_noise : bool
        Whether the noise of each row was known. Then methods that take rows and `noise_covariance`
        need it.
    n_missing : int
        Numbers that were missing in rows of positive weight.
    search : SearchReport or None
        What the search for the start has found: how many maxima, how often, and how good. Its
        `str` is a line of `summary`. None where the user gave the start, and where Ctrl-C ended the
        search.
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
