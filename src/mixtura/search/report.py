"""What a search has found: how many maxima, how often, and how good they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mixtura.mixture.table import counted
from mixtura.schedules import Outcome
from mixtura.text import short_html, short_repr

__all__ = ["Maximum", "Record", "SearchReport"]

SAME = 1e-4  # nats per row between two maxima that count as one
SHOWN = 3  # objectives in a line


class Maximum(NamedTuple):
    """A local maximum that runs of a search have found.

    Attributes
    ----------
    objective : float, nats per row
        Of the rows that the search looked at.
    times : int
        Runs that ended there.
    n_components : int
        Components that were not lost.
    n_suspects : int
        Those of them that are spurious or have few rows: see `avoid_spurious` of `fit_gmm`.
    """

    objective: float
    times: int
    n_components: int
    n_suspects: int = 0

    @property
    def _rank(self) -> tuple[int, int, float]:
        """The best has the lowest."""
        return -self.n_components, self.n_suspects, -self.objective


@dataclass(frozen=True, repr=False)
class SearchReport:
    """What the search for a start has found. `str` makes one line of it.

    Attributes
    ----------
    maxima : tuple of Maximum
        The different ones, the best first. Each has an `objective`, in nats per row, the
        number of `times` that runs ended there, `n_components` and `n_suspects`.
    n_starts : int
        Runs from starts.
    n_moves : int
        Runs from moves: changes of the best of a few starts.
    n_given_up : int
        Runs that were given up on their way.
    n_rows : int
        Rows that the search looked at: all, or a sample.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> search = mixtura.fit_gmm(X, 3, rng=0).search
    >>> search.n_starts, len(search.maxima), round(search.maxima[0].objective, 3)
    (10, 2, -4.097)
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
        sound = [each for each in self.maxima if each._rank[:2] == self.maxima[0]._rank[:2]]
        count, others = len(sound), len(self.maxima) - len(sound)
        best = ", ".join(f"{each.objective:.6f}" for each in sound[:SHOWN])
        if count > SHOWN:
            best = f"best {SHOWN}: {best}"
        often = "once" if sound[0].times == 1 else f"{sound[0].times} times"
        kind = "suspect " if sound[0].n_suspects else ""
        what = f"1 {kind}maximum" if count == 1 else f"{count} {kind}maxima, the best"
        line = f"search: {runs} found {what} {often} ({best} nats per row)"
        return f"{line}, and ruled out {others}" if others else line

    def to_facts(self) -> dict[str, Any]:
        """Return it as what a file holds.

        Returns
        -------
        dict
            Numbers, and lists of them.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> search = mixtura.fit_gmm(X, 2, rng=0).search
        >>> sorted(search.to_facts())
        ['maxima', 'n_given_up', 'n_moves', 'n_rows', 'n_starts']
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

        Examples
        --------
        >>> from mixtura import SearchReport
        >>> SearchReport.of_file({"search": None}) is None
        True
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

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> search = mixtura.fit_gmm(X, 2, rng=0).search
        >>> mixtura.SearchReport.from_facts(search.to_facts()) == search
        True
        """
        counts = ("n_starts", "n_moves", "n_given_up", "n_rows")
        known = isinstance(facts, dict) and set(facts) == {"maxima", *counts}
        if known and all(type(facts[name]) is int and facts[name] >= 0 for name in counts):
            values = facts["maxima"]
            if isinstance(values, list) and all(
                isinstance(value, list)
                and [type(each) for each in value] == [float, int, int, int]
                and value[0] == value[0]  # no NaN
                and min(value[1], value[2], value[3] + 1) > 0
                for value in values
            ):
                return cls(tuple(Maximum(*value) for value in values), *(facts[n] for n in counts))
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
    _found: list[Maximum] = field(default_factory=list)

    def note(self, end: Outcome | None, *, given_up: bool) -> None:
        """Count a run that ended at a maximum; None where it is not known at which."""
        self.n_given_up += given_up
        if end is not None:
            self._count(end)

    def _count(self, outcome: Outcome) -> None:
        objective = float(outcome.objective)
        found = Maximum(objective, 1, len(outcome.parameters.weights), len(outcome.suspects))
        for i, other in enumerate(self._found):
            if other[2:] == found[2:] and abs(other.objective - objective) <= SAME:
                higher = max(objective, other.objective)
                self._found[i] = other._replace(objective=higher, times=other.times + 1)
                return
        self._found.append(found)

    def report(self, n_rows: int) -> SearchReport:
        """Return what was found among so many rows."""
        maxima = tuple(sorted(self._found, key=lambda each: each._rank))
        return SearchReport(maxima, self.n_starts, self.n_moves, self.n_given_up, n_rows)
