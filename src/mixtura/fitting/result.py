"""GMMFit: a mixture, and how it was found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from mixtura import files
from mixtura.files import Contents, fact
from mixtura.fitting.found import Found, checked
from mixtura.mixture import GaussianMixture
from mixtura.schedules import StopReason
from mixtura.search import SearchReport
from mixtura.shapes import Floats
from mixtura.updates import Event

__all__ = ["GMMFit"]

# Earlier versions knew of neither labels nor noise nor missing numbers, nor priors.
EARLIER: dict[str, float] = {"n_labelled": 0, "has_noise": False, "n_missing": 0, "log_prior": 0.0}


@files.saved_as("GMMFit")
@dataclass(frozen=True, repr=False, eq=False)
class GMMFit(Found):
    """A mixture and how it was found.

    It has the methods and attributes of its mixture, too: ``fit.predict(X)`` is
    ``fit.model.predict(X)``. Only if `has_noise`, it refuses rows without `noise_covariance`.

    Attributes
    ----------
    model : GaussianMixture
        The mixture.
    log_likelihood : float, nats
        Weighted total of the training rows under `model`, without any prior, and of their labels
        where the fit was given some; ``model.log_likelihood(X)`` is that of rows alone, and differs
        then. NaN in an interrupted fit with a ridge, where it takes one more pass.
    history : ndarray of shape (n_iter,), nats per row, read-only
        The objective after each iteration: the sum of log-likelihood and `log_prior`, divided by
        the total weight, less the ridge's penalty where `reg_covar` is not zero (see
        `mixtura.updates.ridge`); the classification likelihood in place of the likelihood for
        ``em="hard"``, the free energy at each temperature for ``em="annealed"`` (see
        `mixtura.schedules.annealed`), or of what blocks remember for ``em="memoised"``. At one
        temperature it never falls, except for rounding and in iterations named in `events`. Where a
        recovery ends lower than what was before, the model is that of before.
    n_iter : int
        Iterations done, without those of the search for a start.
    converged : bool
        Whether no more than about `tol` was left to gain.
    stop_reason : {"converged", "max_iter", "callback", "interrupted"}
        Why the iterations ended.
    events : tuple of Event
        Components that collapsed, and what was done.
    n_samples : int
        Rows of positive weight.
    weight_sum : float
        Total weight of the rows; their number where they are unweighted.
    entropy : float, nats
        Of the assignments, ``-sum_ij sample_weight[i] resp[i, j] log resp[i, j]``: 0 where every
        row clearly belongs to one component, at most ``weight_sum * log(n_components)``. NaN in an
        interrupted fit.
    n_labelled : int
        Rows of positive weight of whose component something was known: see `labels` of `fit_gmm`.
    has_noise : bool
        Whether the noise of each row was known: see `noise_covariance` of `fit_gmm`. Then methods
        that take rows and `noise_covariance` need it.
    n_missing : int
        Numbers that were missing in rows of positive weight: see `missing` of `fit_gmm`.
    log_prior : float, nats
        Of the prior at the parameters of `model`, with constants: see `prior` of `fit_gmm`. 0
        without a prior.
    search : SearchReport or None
        What the search for the start has found: how many maxima, how often, and how good. Its
        `str` is a line of `summary`. None where the user gave the start.
    """

    model: GaussianMixture
    log_likelihood: float
    history: Floats
    n_iter: int
    converged: bool
    stop_reason: StopReason
    events: tuple[Event, ...]
    n_samples: int
    weight_sum: float
    entropy: float
    n_labelled: int = 0
    has_noise: bool = False
    n_missing: int = 0
    log_prior: float = 0.0
    search: SearchReport | None = None

    def _measure(self) -> str:
        return f"log-likelihood {self.log_likelihood:.3f}, {self.n_parameters} parameters"

    def _measures(self) -> list[str]:
        parameters = f"{self.n_parameters} parameters"
        line = f"log-likelihood{self._of_labels} {self.log_likelihood:.6f} nats, {parameters}"
        if math.isnan(self.log_likelihood):
            line = f"log-likelihood {self._not_computed}: use fit.model.log_likelihood(X); "
            line += parameters
        return [line, *([f"log prior {self.log_prior:.6f} nats"] if self.log_prior else [])]

    def _contents(self) -> Contents:
        return self._contents_with(self.model._contents(), "log_likelihood", "log_prior")

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        facts = EARLIER | contents.facts
        return cls(
            **checked(Contents(facts, contents.arrays)),
            model=GaussianMixture._from_contents(contents),
            log_likelihood=fact(facts, "log_likelihood", float),
            log_prior=fact(facts, "log_prior", float),
        )
