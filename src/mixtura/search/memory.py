"""What chains of one search have learned of moves, so that nothing is tried twice.

Leaders that follow each other share most components, and a component that has not changed is split
as before. Where a chain comes to the leader of an earlier one, the next of its ranked moves follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixtura.parameters import Parameters
from mixtura.schedules import Outcome
from mixtura.search.splits import Split
from mixtura.shapes import Floats

__all__ = ["Memory"]

TINY = float(np.finfo(np.float64).tiny)
CLOSE = 0.1  # relative, of weights and variances; of means, in deviations of the component
MOST_LEADERS = 5  # whose components are remembered


@dataclass(eq=False)
class Memory:
    """What is known of moves on some leaders.

    Attributes
    ----------
    untried : dict
        Ranked moves that are left, by the leader on which they are tried.
    ends : dict
        Where moves have ended, by the leader with which they began.
    """

    untried: dict[Outcome, Iterator[Any]] = field(default_factory=dict)
    ends: dict[Outcome, Outcome] = field(default_factory=dict)
    _splits: list[tuple[Floats, Floats, list[Split | None]]] = field(default_factory=list)

    def keep(self, leaders: Iterable[Outcome]) -> None:
        """Forget the moves on all other leaders."""
        kept = {*leaders}
        self.untried = {each: left for each, left in self.untried.items() if each in kept}
        self.ends = {each: end for each, end in self.ends.items() if each in kept}

    def splits(
        self, parameters: Parameters, find: Callable[[list[int]], list[Split | None]]
    ) -> list[Split | None]:
        """Return how each component is best split, as before or as it is found now.

        Parameters
        ----------
        parameters : Parameters
        find : callable
            From the components that have changed to how they are best split.
        """
        sizes = np.column_stack([parameters.weights, parameters.variances()])
        logs = np.log(np.maximum(sizes, TINY))
        means = parameters.means
        found: list[Split | None] = [None] * len(means)
        changed: list[int] = []
        for j in range(len(means) if self._splits else 0):
            deviations = np.exp(0.5 * logs[j, 1:])
            for before, centres, splits in self._splits:
                close = np.abs(before - logs[j]).max(axis=1) < CLOSE
                close &= (np.abs(centres - means[j]) / deviations).max(axis=1) < CLOSE
                same = np.flatnonzero(close)
                if len(same):
                    split = splits[same[0]]
                    found[j] = None if split is None else split._replace(component=j)
                    break
            else:
                changed.append(j)
        if not self._splits:
            changed = list(range(len(means)))
        for j, split in zip(changed, find(changed), strict=True):
            found[j] = split
        self._splits.insert(0, (logs, means, found))
        del self._splits[MOST_LEADERS:]
        return found
