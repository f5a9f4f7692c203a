"""The models of one number of components, and what they lend to each other's fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.data import RowSource
from mixtura.fitting.selection import AnyFit
from mixtura.schedules import Outcome
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["Cell", "Ends", "Size", "freedom", "parents", "rank", "rank_of_fit"]

ALIKE = 0.2  # largest difference of means, in units of the features, and of weights


class Cell(NamedTuple):
    """One model, and what its fit starts from besides the ends of others.

    Attributes
    ----------
    name : str
        The covariance type.
    n_components : int
    parents : list of GMMFit or BayesianGMMFit
        Fits of the largest families that this one contains.
    sample : RowSource or None
        Rows on which starts are compared; None where they are not automatic.
    seed : tuple of int
        Of random moves.
    """

    name: str
    n_components: int
    parents: list[AnyFit]
    sample: RowSource | None
    seed: tuple[int, int]


class Ends:
    """Statistics under the ends of different models, without those that are nearly the same.

    Parameters
    ----------
    scale : ndarray of shape (n_features,)
        Units of the features.
    starts : mapping
        The first ones, by name. Starts that are not statistics all count as different.
    """

    def __init__(self, scale: Floats, starts: Mapping[Any, Any]) -> None:
        self._scale = scale
        self._found: list[tuple[Any, Any]] = []
        for name, start in starts.items():
            self.add(name, start)

    def add(self, name: Any, start: Any) -> None:
        """Remember what a model ended with, or any other start, if it is new."""
        if not any(self._are_alike(start, other) for _, other in self._found):
            self._found.append((name, start))

    def of_others(self, name: str, first: int = 0) -> list[Any]:
        """Those of other models, without the `first` that were found."""
        return [start for other, start in self._found[first:] if other != name]

    def __len__(self) -> int:
        """How many are different."""
        return len(self._found)

    def _are_alike(self, one: Any, other: Any) -> bool:
        """Whether each component has one in the other that is nearly the same."""
        if not (isinstance(one, Statistics) and isinstance(other, Statistics)):
            return False
        apart = np.abs(one.means()[:, None] - other.means()) / self._scale
        shares = [each.resp_sum / each.resp_sum.sum() for each in (one, other)]
        lighter = np.abs(shares[0][:, None] - shares[1])
        differences = np.maximum(apart.max(axis=2), lighter)
        worst = max(differences.min(axis=1).max(), differences.min(axis=0).max())
        return bool(worst < ALIKE)


@dataclass(eq=False)
class Size:
    """The models of one number of components, and the starts that they lend to each other.

    Attributes
    ----------
    n_components : int
    ends : Ends
        Of scouts and models, or the user's start.
    sample : RowSource or None
        Rows on which starts are compared; None where they are not automatic.
    seed : int
        Of random moves.
    fits : dict from str to GMMFit or BayesianGMMFit
        The best so far, by covariance type.
    """

    n_components: int
    ends: Ends
    sample: RowSource | None
    seed: int
    fits: dict[str, AnyFit] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)
    _lent: dict[tuple[int, str], AnyFit] = field(default_factory=dict)

    def cell(self, name: str) -> Cell:
        """Return the model of one covariance type."""
        seed = self.seed, freedom(name)
        return Cell(name, self.n_components, parents(name, self.fits), self.sample, seed)

    def new_ends(self, name: str) -> list[Any]:
        """Return the ends of others that a model has not started from; once."""
        first, self._seen[name] = self._seen.get(name, 0), len(self.ends)
        return self.ends.of_others(name, first)

    def is_new(self, fit: AnyFit, name: str) -> bool:
        """Return whether a fit with other components is lent to a model for the first time."""
        place = fit.n_components, name
        is_new = self._lent.get(place) is not fit
        self._lent[place] = fit
        return is_new


def rank(outcome: Outcome) -> tuple[int, float]:
    """Fewest suspects first, then the highest objective; higher is better."""
    return -len(outcome.suspects), outcome.history[-1]


def rank_of_fit(fit: AnyFit) -> tuple[int, float]:
    """The same, of what users get."""
    return -len(fit._suspects), float(fit.history[-1])


def freedom(name: str) -> int:
    """Position of a family among all, from the fewest parameters to the most."""
    return CELEUX_GOVAERT.index(FAMILIES[name].letters)


def parents(name: str, done: Mapping[str, AnyFit]) -> list[AnyFit]:
    """Fits of the largest of the fitted families that this one contains."""
    family = FAMILIES[name]
    inside = [other for other in done if other != name and family.contains(FAMILIES[other])]
    return [
        done[one]
        for one in inside
        if not any(other != one and FAMILIES[other].contains(FAMILIES[one]) for other in inside)
    ]
