"""BayesianGMMFit: the posterior of a mixture, and how it was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from html import escape
from typing import Any, Self, get_args

import numpy as np

from mixtura import files
from mixtura.files import Contents, count, fact, numbers
from mixtura.mixture import GaussianMixture
from mixtura.mixture.answers import Answers, answered
from mixtura.mixture.table import (
    MOST_SHOWN,
    as_html,
    as_text,
    counted,
    counted_rows,
    table_lines,
    title,
)
from mixtura.posterior import GMMPosterior, StudentMixture
from mixtura.schedules import StopReason
from mixtura.shapes import Floats
from mixtura.text import short_repr
from mixtura.updates import Event

__all__ = ["BayesianGMMFit"]


@files.saved_as("BayesianGMMFit")
@dataclass(frozen=True, eq=False)
class BayesianGMMFit(Answers):
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
    history : ndarray of shape (n_iter,), nats per unit of weight, read-only
        The bound after each iteration, divided by `weight_sum`. It never falls, except for
        rounding.
    n_iter : int
        Iterations done, without those of brief runs from automatic starts.
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
    """

    posterior: GMMPosterior
    elbo: float = field()  # type: ignore[assignment]
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

    __repr__ = short_repr
    save = files.save
    log_likelihood = answered(GaussianMixture.log_likelihood)

    def __post_init__(self) -> None:
        history = np.array(self.history)
        history.flags.writeable = False
        object.__setattr__(self, "history", history)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays that NumPy unpickles or copies are writeable.
        self.__dict__.update(state)
        self.__post_init__()

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

    def summary(self, feature_names: Sequence[str] | None = None) -> str:
        """The fit in a few readable lines, and the table of the mixture `model`.

        Parameters
        ----------
        feature_names : sequence of str, optional
            Names of the columns in the table; None takes the model's, or numbers them.

        Returns
        -------
        str
        """
        table = as_text(table_lines(self.model, feature_names, self.weight_sum))
        return "\n".join([*self._headlines(), "", table])

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        lines = self._headlines()
        if len(lines) > MOST_SHOWN:
            lines[MOST_SHOWN:] = [f"{len(lines) - MOST_SHOWN} more: see events"]
        headlines = "<br>".join(map(escape, lines))
        table = as_html(table_lines(self.model, weight_sum=self.weight_sum))
        return f"<p>{headlines}</p>{table}"

    def _measure(self) -> str:
        """How good the fit is, for the line that it has among others."""
        return f"evidence lower bound {self.elbo:.3f}, {self.n_effective} with rows"

    def _headlines(self) -> list[str]:
        """What a reader learns before the table."""
        k, prior = self.n_components, self.posterior.prior
        end = "converged" if self.converged else f"stopped ({self.stop_reason})"
        of = f" of rows and labels ({self.n_labelled} known)" if self.n_labelled else ""
        effective = counted(self.n_effective, "component")
        law = f"{self.posterior.weight_prior} weights, concentration {prior.concentration:g}"
        lines = [
            f"{title(self.model)}, {counted_rows(self.n_samples, self.weight_sum)}",
            f"evidence lower bound{of} {self.elbo:.6f} nats",
            f"{effective} with the weight of a row or more; {law}",
            f"{end} after {counted(self.n_iter, 'iteration')}",
        ]
        if self.n_missing:
            total = self.n_samples * self.n_features
            lines.insert(1, f"of {total} numbers {self.n_missing} are missing")
        if self.has_noise:
            lines.insert(1, "noise of each row known: components are those without it")
        if k > 1 and not math.isnan(self.entropy):
            lines.append(f"entropy of the assignments {self.entropy:.6g} nats")
        return [*lines, *map(str, self.events)]

    def _contents(self) -> Contents:
        posterior = self.posterior._contents()
        names = (
            "elbo",
            "converged",
            "stop_reason",
            "n_samples",
            "weight_sum",
            "entropy",
            "n_labelled",
            "has_noise",
            "n_missing",
        )
        facts = {name: getattr(self, name) for name in names}
        facts["events"] = [astuple(event) for event in self.events]
        return Contents(posterior.facts | facts, {**posterior.arrays, "history": self.history})

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        facts, arrays = contents
        stop_reason: Any = fact(facts, "stop_reason", str)
        history = numbers(arrays, "history", (-1,), finite=False)
        converged, weight_sum = fact(facts, "converged", bool), fact(facts, "weight_sum", float)
        if stop_reason not in get_args(StopReason) or converged != (stop_reason == "converged"):
            raise ValueError(f"its stop_reason is {stop_reason!r} and its converged {converged}")
        if not 0.0 < weight_sum < math.inf:
            raise ValueError(f"its weight_sum is {weight_sum}")
        return cls(
            GMMPosterior._from_contents(contents),
            fact(facts, "elbo", float),
            history,
            len(history),
            converged,
            stop_reason,
            tuple(Event.checked(event) for event in fact(facts, "events", list)),
            count(facts, "n_samples"),
            weight_sum,
            fact(facts, "entropy", float),
            count(facts, "n_labelled"),
            fact(facts, "has_noise", bool),
            count(facts, "n_missing"),
        )
