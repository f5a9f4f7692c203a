"""GMMFit: a mixture, and how it came about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from html import escape
from typing import Any, Self

from mixtura.em import Event, StopReason
from mixtura.mixture import GaussianMixture
from mixtura.saving import Contents, Saveable, fact, numbers
from mixtura.statistics import Floats
from mixtura.table import as_html, as_text, counted
from mixtura.tabular import Names

__all__ = ["GMMFit"]


@dataclass(frozen=True, eq=False)
class GMMFit(Saveable, kind="GMMFit"):
    """A mixture and how it came about.

    Attributes
    ----------
    model : GaussianMixture
        The mixture.
    log_likelihood : float, nats
        Weighted total of the training rows under `model`; NaN in an interrupted fit with a ridge,
        where it takes one more pass: ``model.log_likelihood(X)``.
    history : ndarray of shape (n_iter,), nats per unit of weight
        The objective after each iteration: the mean log-likelihood, less the ridge's penalty
        where `reg_covar` is not zero (see `mixtura.update`). It never falls, but for rounding
        and for iterations named in `events`. Where a recovery ends lower than what was before,
        the model is that of before.
    n_iter : int
        Iterations done, those of brief runs from automatic starts not counted.
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
        row is clearly of one component, at most ``weight_sum * log(n_components)``. NaN in an
        interrupted fit.
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

    def _named(self, feature_names: Names | None) -> Self:
        """The same fit, of columns with these names."""
        model = self.model
        arrays = (model.weights, model.means, model.covariances, model.precisions_cholesky)
        named = GaussianMixture._from_fit(model.covariance_type, *arrays, feature_names)
        return replace(self, model=named)

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
        lines = [*self._told(), "", as_text(self.model._lines(feature_names, self.weight_sum))]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        told = "<br>".join(map(escape, self._told()))
        return f"<p>{told}</p>{as_html(self.model._lines(weight_sum=self.weight_sum))}"

    def _contents(self) -> Contents:
        model = self.model._contents()
        names = ("log_likelihood", "converged", "stop_reason", "n_samples", "weight_sum", "entropy")
        facts = {name: getattr(self, name) for name in names}
        facts["events"] = [astuple(event) for event in self.events]
        return Contents(model.facts | facts, {**model.arrays, "history": self.history})

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        facts, arrays = contents
        stop_reason: Any = fact(facts, "stop_reason", str)
        history = numbers(arrays, "history", (-1,), finite=False)
        return cls(
            GaussianMixture._from_contents(contents),
            fact(facts, "log_likelihood", float),
            history.copy(),
            len(history),
            fact(facts, "converged", bool),
            stop_reason,
            tuple(Event(*event) for event in fact(facts, "events", list)),
            fact(facts, "n_samples", int),
            fact(facts, "weight_sum", float),
            fact(facts, "entropy", float),
        )

    def _told(self) -> list[str]:
        """What there is to say besides the table."""
        k = self.model.n_components
        end = "converged" if self.converged else f"stopped ({self.stop_reason})"
        lines = [
            f"{self.model._title()}, {counted(self.n_samples, 'row')}",
            f"log-likelihood {self.log_likelihood:.6f} nats, {self.model.n_parameters} parameters",
            f"{end} after {counted(self.n_iter, 'iteration')}",
        ]
        if k > 1:
            share = self.entropy / (self.weight_sum * math.log(k))
            lines.append(
                f"entropy of the assignments {self.entropy:.6g} nats, {share:.2%} of the most "
                f"that {k} components can have"
            )
        return [*lines, *map(str, self.events)]
