"""All rows, where a search looks at a sample: they say which of its leaders is best."""

from __future__ import annotations

from mixtura.schedules import EM, Outcome
from mixtura.search.contest import flaws

__all__ = ["AllRows"]


class AllRows:
    """The leaders of a search, compared by the objective of all rows.

    What is best for a sample need not be best for all rows. And a component that has few rows of
    the sample may have many.

    Parameters
    ----------
    em : EM
        On all rows.

    Attributes
    ----------
    best : Outcome or None
        Of the leaders so far: its parameters and their objective.
    """

    def __init__(self, em: EM) -> None:
        self.em = em
        self.best: Outcome | None = None

    def compare(self, leader: Outcome) -> None:
        """Take a leader if it is better than those before: one pass over all rows."""
        seen = Outcome(leader.parameters, self.em.objective(leader), events=leader.events)
        self.em.judge(seen)
        best = self.best
        if best is None or (flaws(seen), -seen.objective) < (flaws(best), -best.objective):
            self.best = seen
