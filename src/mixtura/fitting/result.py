"""GMMFit: a mixture, and how it was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from html import escape
from typing import Any, Self, get_args

import numpy as np

from mixtura import files
from mixtura.files import Contents, count, fact, numbers
from mixtura.mixture import GaussianMixture
from mixtura.mixture.answers import Answers
from mixtura.mixture.table import (
    MOST_SHOWN,
    as_html,
    as_text,
    counted,
    counted_rows,
    table_lines,
    title,
)
from mixtura.schedules import StopReason
from mixtura.shapes import Floats
from mixtura.text import short_repr
from mixtura.updates import Event

__all__ = ["GMMFit"]


@files.saved_as("GMMFit")
@dataclass(frozen=True, eq=False)
class GMMFit(Answers):
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
    history : ndarray of shape (n_iter,), nats per unit of weight, read-only
        The objective after each iteration: the sum of log-likelihood and `log_prior`, divided by
        the total weight, less the ridge's penalty where `reg_covar` is not zero (see
        `mixtura.updates.ridge`); the classification likelihood in place of the likelihood for
        ``em="hard"``, the free energy at each temperature for ``em="annealed"`` (see
        `mixtura.schedules.annealed`), or of what blocks remember for ``em="memoised"``. At one
        temperature it never falls, except for rounding and in iterations named in `events`. Where a
        recovery ends lower than what was before, the model is that of before.
    n_iter : int
        Iterations done, without those of brief runs from automatic starts.
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

    __repr__ = short_repr
    save = files.save

    def __post_init__(self) -> None:
        history = np.array(self.history)
        history.flags.writeable = False
        object.__setattr__(self, "history", history)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays that NumPy unpickles or copies are writeable.
        self.__dict__.update(state)
        self.__post_init__()

    def summary(self, feature_names: Sequence[str] | None = None) -> str:
        """The fit in a few readable lines, and the mixture's table.

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
        return f"log-likelihood {self.log_likelihood:.3f}, {self.n_parameters} parameters"

    def _headlines(self) -> list[str]:
        """What a reader learns before the table."""
        k = self.model.n_components
        end = "converged" if self.converged else f"stopped ({self.stop_reason})"
        of = f" of rows and labels ({self.n_labelled} known)" if self.n_labelled else ""
        lines = [
            f"{title(self.model)}, {counted_rows(self.n_samples, self.weight_sum)}",
            f"log-likelihood{of} {self.log_likelihood:.6f} nats, {self.n_parameters} parameters",
            f"{end} after {counted(self.n_iter, 'iteration')}",
        ]
        if self.log_prior:
            lines.insert(2, f"log prior {self.log_prior:.6f} nats")
        if self.n_missing:
            total = self.n_samples * self.model.n_features
            lines.insert(1, f"of {total} numbers {self.n_missing} are missing")
        if self.has_noise:
            lines.insert(1, "noise of each row known: components are those without it")
        missing = f"not computed, because the fit was {self.stop_reason}"
        if math.isnan(self.log_likelihood):
            lines[1] = (
                f"log-likelihood {missing}: use fit.model.log_likelihood(X); "
                f"{self.n_parameters} parameters"
            )
        if k > 1 and math.isnan(self.entropy):
            lines.append(f"entropy of the assignments {missing}")
        elif k > 1:
            share = self.entropy / (self.weight_sum * math.log(k))
            lines.append(
                f"entropy of the assignments {self.entropy:.6g} nats, {share:.2%} of the most "
                f"that {k} components can have"
            )
        return [*lines, *map(str, self.events)]

    def _contents(self) -> Contents:
        model = self.model._contents()
        names = (
            "log_likelihood",
            "converged",
            "stop_reason",
            "n_samples",
            "weight_sum",
            "entropy",
            "n_labelled",
            "has_noise",
            "n_missing",
            "log_prior",
        )
        facts = {name: getattr(self, name) for name in names}
        facts["events"] = [astuple(event) for event in self.events]
        return Contents(model.facts | facts, {**model.arrays, "history": self.history})

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
            GaussianMixture._from_contents(contents),
            fact(facts, "log_likelihood", float),
            history,
            len(history),
            converged,
            stop_reason,
            tuple(Event.checked(event) for event in fact(facts, "events", list)),
            count(facts, "n_samples"),
            weight_sum,
            fact(facts, "entropy", float),
            # Earlier versions knew of neither labels nor noise nor missing numbers, nor priors.
            count({"n_labelled": 0} | facts, "n_labelled"),
            fact({"has_noise": False} | facts, "has_noise", bool),
            count({"n_missing": 0} | facts, "n_missing"),
            fact({"log_prior": 0.0} | facts, "log_prior", float),
        )
