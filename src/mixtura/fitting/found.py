"""What fits by likelihood and by variational Bayes have in common, besides answers of a mixture.

`GMMFit` and `BayesianGMMFit` are dataclasses, each with a list of all its fields. What they do with
the fields that both have is here: read-only arrays, the lines of a summary, and files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple
from html import escape
from typing import Any, get_args

import numpy as np

from mixtura import files
from mixtura.files import Contents, count, fact, numbers
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
from mixtura.search import SearchReport
from mixtura.shapes import Floats
from mixtura.text import short_repr
from mixtura.updates import Event

__all__ = ["Found", "checked"]

FACTS = (
    "converged",
    "stop_reason",
    "n_samples",
    "weight_sum",
    "entropy",
    "n_labelled",
    "has_noise",
    "n_missing",
)


class Found(files.Saved, Answers):
    """A mixture that a fit has found, and how. `GMMFit` tells what the fields are."""

    history: Floats
    n_iter: int
    converged: bool
    stop_reason: StopReason
    events: tuple[Event, ...]
    n_samples: int
    weight_sum: float
    entropy: float
    n_labelled: int
    n_missing: int
    search: SearchReport | None

    __repr__ = short_repr

    def __post_init__(self) -> None:
        history = np.array(self.history)
        history.flags.writeable = False
        object.__setattr__(self, "history", history)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays that NumPy unpickles or copies are writeable.
        self.__dict__.update(state)
        self.__post_init__()

    @property
    def _suspects(self) -> list[int]:
        """Positions of the components that are spurious, or have few rows."""
        kept = (event for event in self.events if event.action == "kept")
        return sorted({event.component for event in kept if event.cause in ("spurious", "few")})

    def summary(self, feature_names: Sequence[str] | None = None) -> str:
        """The fit in a few readable lines, and the table of the mixture `model`.

        Parameters
        ----------
        feature_names : sequence of str, optional
            Names of the columns in the table; None takes the model's, or numbers them.

        Returns
        -------
        str

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_acidity().data
        >>> fit = mixtura.fit_gmm(X, 2, rng=0)
        >>> print(fit.summary(["log capacity"]))
        Gaussian mixture: 2 components, full covariances, 1 feature, 155 rows
        log-likelihood -184.644766 nats, 5 parameters
        converged after 10 iterations
        entropy of the assignments 7.63241 nats, 7.10% of the most that 2 components can have
        search: 5 starts and 3 moves found 1 maximum 7 times (-1.191316 nats per row)
        <BLANKLINE>
                             component 0   component 1
        weight                   0.59643       0.40357
        size                      92.447        62.553
        separation                4.2468        4.2468
        nearest component              1             0
        mean
          log capacity            4.3305        6.2499
        standard deviation
          log capacity           0.37296       0.51906
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

    def _measures(self) -> list[str]:
        """Lines that say how good the fit is."""
        raise NotImplementedError

    def _measure(self) -> str:
        """How good the fit is, for the line that it has among others."""
        raise NotImplementedError

    @property
    def _of_labels(self) -> str:
        """What a measure is of, where labels were given."""
        return f" of rows and labels ({self.n_labelled} known)" if self.n_labelled else ""

    @property
    def _not_computed(self) -> str:
        return f"not computed, because the fit was {self.stop_reason}"

    def _headlines(self) -> list[str]:
        """What a reader learns before the table."""
        k = self.n_components
        end = "converged" if self.converged else f"stopped ({self.stop_reason})"
        lines = [f"{title(self.model)}, {counted_rows(self.n_samples, self.weight_sum)}"]
        if self.has_noise:
            lines.append("noise of each row known: components are those without it")
        if self.n_missing:
            total = self.n_samples * self.n_features
            lines.append(f"of {total} numbers {self.n_missing} are missing")
        lines += [*self._measures(), f"{end} after {counted(self.n_iter, 'iteration')}"]
        if k > 1 and math.isnan(self.entropy):
            lines.append(f"entropy of the assignments {self._not_computed}")
        elif k > 1:
            share = self.entropy / (self.weight_sum * math.log(k))
            lines.append(
                f"entropy of the assignments {self.entropy:.6g} nats, {share:.2%} of the most "
                f"that {k} components can have"
            )
        if k > 1 and self.search is not None:  # one component has one maximum
            few = self.search.n_rows < self.n_samples
            sample = f", in a sample of {counted(self.search.n_rows, 'row')}" * few
            lines.append(f"{self.search}{sample}")
        for event in self.events:
            is_of_model = event.action == "kept"
            lines.append(str(event) if is_of_model else f"{event} (its number at that time)")
        return lines

    def _contents_with(self, held: Contents, *measures: str) -> Contents:
        """Return the contents of what the fit has found, with those of the fit added."""
        facts = {name: getattr(self, name) for name in (*measures, *FACTS)}
        facts["events"] = [astuple(event) for event in self.events]
        facts["search"] = None if self.search is None else self.search.to_facts()
        return Contents(held.facts | facts, {**held.arrays, "history": self.history})


def checked(contents: Contents) -> dict[str, Any]:
    """Return the fields of `Found`, after checks.

    Raises
    ------
    ValueError
        For contents that no fit has.
    """
    facts, arrays = contents
    stop_reason = fact(facts, "stop_reason", str)
    history = numbers(arrays, "history", (-1,), finite=False)
    converged, weight_sum = fact(facts, "converged", bool), fact(facts, "weight_sum", float)
    if stop_reason not in get_args(StopReason) or converged != (stop_reason == "converged"):
        raise ValueError(f"its stop_reason is {stop_reason!r} and its converged {converged}")
    if not 0.0 < weight_sum < math.inf:
        raise ValueError(f"its weight_sum is {weight_sum}")
    return {
        "history": history,
        "n_iter": len(history),
        "converged": converged,
        "stop_reason": stop_reason,
        "events": tuple(Event.checked(event) for event in fact(facts, "events", list)),
        "n_samples": count(facts, "n_samples"),
        "weight_sum": weight_sum,
        "entropy": fact(facts, "entropy", float),
        "n_labelled": count(facts, "n_labelled"),
        "has_noise": fact(facts, "has_noise", bool),
        "n_missing": count(facts, "n_missing"),
        "search": SearchReport.of_file(facts),
    }
