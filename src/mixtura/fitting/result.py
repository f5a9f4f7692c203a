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

    It has the methods and attributes of `GaussianMixture`, too: ``fit.predict(X)`` is
    ``fit.model.predict(X)``. If `has_noise`, methods need `noise_covariance` with rows.

    Attributes
    ----------
    model : GaussianMixture
        The mixture.
    log_likelihood : float, nats
        Weighted total of the training rows, and of their labels where there are any; without the
        prior. NaN in an interrupted fit with a ridge.
    history : ndarray of shape (n_iter,), nats per row, read-only
        The objective after each iteration: log-likelihood and `log_prior`, less the ridge's
        penalty. :doc:`/manual/em_kinds` says what it is for other values of `em`.
    n_iter : int
        Iterations done, without those of the search for a start.
    converged : bool
        Whether the predicted remaining gain was at most `tol`.
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
        row clearly belongs to one component. NaN in an interrupted fit.
    n_labelled : int
        Rows of positive weight whose component was known, at least in part.
    has_noise : bool
        Whether the noise of each row was known.
    n_missing : int
        Numbers that were missing in rows of positive weight.
    log_prior : float, nats
        Log-density of the prior at the parameters of `model`; 0 without a prior.
    search : SearchReport or None
        What the search for the start has found. None where the user gave the start.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, rng=0)
    >>> fit.converged, fit.n_samples, round(fit.log_likelihood, 2)
    (True, 272, -1130.26)
    >>> fit.predict([[2.0, 50.0], [4.5, 85.0]])
    array([1, 0])
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
