"""What a search has found: how many maxima, how often, and how good they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mixtura.mixture.table import counted
from mixtura.schedules import Outcome
from mixtura.text import short_html, short_repr

__all__ = ["Maximum", "Record", "SearchReport"]

SAME = 1e-4  # nats per unit of weight between two maxima that count as one
SHOWN = 3  # objectives in a line


class Maximum(NamedTuple):
    """A local maximum that runs of a search have found.

    Attributes
    ----------
    objective : float, nats per unit of weight
        Of the rows that the search looked at.
    times : int
        Runs that ended there.
    """

    objective: float
    times: int


@dataclass(frozen=True, repr=False)
class SearchReport:
    """What the search for a start has found. `str` makes one line of it.

    Attributes
    ----------
    maxima : tuple of Maximum
        The different ones, the best first: each has an `objective`, in nats per unit of weight, and
        the number of `times` that runs have ended there. Those with spurious components, or with
        fewer components than asked for, come last.
    n_starts : int
        Runs from starts.
    n_moves : int
        Runs from moves: changes of the best of a few starts.
    n_given_up : int
        Runs that were given up on their way, because a better one was known or because they came to
        a maximum that was found before; those count among its `times`.
    n_rows : int
        Rows that the search looked at: all, or a sample.
    """

    maxima: tuple[Maximum, ...]
    n_starts: int
    n_moves: int
    n_given_up: int
    n_rows: int

    __repr__ = short_repr
    _repr_html_ = short_html

    def __str__(self) -> str:
        runs = counted(self.n_starts, "start")
        if self.n_moves:
            runs += f" and {counted(self.n_moves, 'move')}"
        if not self.maxima:
            return f"search: {runs} found no maximum"
        best = ", ".join(f"{each.objective:.6f}" for each in self.maxima[:SHOWN])
        if len(self.maxima) > SHOWN:
            best = f"best {SHOWN}: {best}"
        times, count = self.maxima[0].times, len(self.maxima)
        often = "once" if times == 1 else f"{times} times"
        what = "1 maximum" if count == 1 else f"{count} maxima, the best"
        return f"search: {runs} found {what} {often} ({best} nats per row)"

    def to_facts(self) -> dict[str, Any]:
        """Return it as what a file holds.

        Returns
        -------
        dict
            Numbers, and lists of them.
        """
        return {**vars(self), "maxima": [list(each) for each in self.maxima]}

    @classmethod
    def of_file(cls, facts: dict[str, Any]) -> SearchReport | None:
        """Return the report under "search" in a file.

        Parameters
        ----------
        facts : dict
            Of the whole file.

        Returns
        -------
        SearchReport or None
            None in files of earlier versions, and where there was no search.

        Raises
        ------
        ValueError
            For what no search has found.
        """
        search = facts.get("search")
        return None if search is None else cls.from_facts(search)

    @classmethod
    def from_facts(cls, facts: Any) -> SearchReport:
        """Return the report that `to_facts` has written.

        Parameters
        ----------
        facts : object
            From a file, which may hold anything.

        Returns
        -------
        SearchReport

        Raises
        ------
        ValueError
            For what no search has found.
        """
        counts = ("n_starts", "n_moves", "n_given_up", "n_rows")
        known = isinstance(facts, dict) and set(facts) == {"maxima", *counts}
        if known and all(type(facts[name]) is int and facts[name] >= 0 for name in counts):
            pairs = facts["maxima"]
            if isinstance(pairs, list) and all(
                isinstance(pair, list)
                and [type(each) for each in pair] == [float, int]
                and pair[0] == pair[0]  # no NaN
                and pair[1] > 0
                for pair in pairs
            ):
                return cls(tuple(Maximum(*pair) for pair in pairs), *(facts[n] for n in counts))
        raise ValueError(f"its search is {facts!r}")


@dataclass(eq=False)
class Record:
    """Counts what runs find.

    Attributes
    ----------
    n_starts, n_moves, n_given_up : int
        See `SearchReport`.
    """

    n_starts: int = 0
    n_moves: int = 0
    n_given_up: int = 0
    _found: list[tuple[tuple[int, int], float, int]] = field(default_factory=list)

    def note(
        self, outcome: Outcome, verdict: str, leader: Outcome | None, *, given_up: bool
    ) -> None:
        """Count a run."""
        self.n_given_up += given_up
        if verdict == "same":
            assert leader is not None
            self._count(leader)
        elif not given_up:
            self._count(outcome)

    def _count(self, outcome: Outcome) -> None:
        order = -len(outcome.parameters.weights), len(outcome.suspects)
        for i, (other, objective, times) in enumerate(self._found):
            if other == order and abs(objective - outcome.objective) <= SAME:
                self._found[i] = order, max(objective, outcome.objective), times + 1
                return
        self._found.append((order, outcome.objective, 1))

    def report(self, n_rows: int) -> SearchReport:
        """Return what was found among so many rows."""
        found = sorted(self._found, key=lambda each: (each[0], -each[1]))
        maxima = tuple(Maximum(float(objective), times) for _, objective, times in found)
        return SearchReport(maxima, self.n_starts, self.n_moves, self.n_given_up, n_rows)
