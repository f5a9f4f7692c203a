"""Components that lose their weight or become singular: split another one, drop them, or raise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.exceptions import FitError
from mixtura.parameters import Parameters
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.text import short_html
from mixtura.updates.protocol import Mask, Update

__all__ = ["Cause", "Collapse", "Event", "OnCollapse", "components_left", "split_heaviest"]

OnCollapse = Literal["reseed", "drop", "raise"]
Cause = Literal["empty", "singular", "spurious", "few", "ridge", "identical"]
Action = Literal["reseeded", "dropped", "smoothed", "kept"]

MOST_RESEEDS = 10  # of one component in one fit; then it is dropped


@dataclass(frozen=True)
class Event:
    """Something that happened to a component during a fit.

    :doc:`/manual/collapse` explains the causes and actions.

    Attributes
    ----------
    iteration : int
        Counted from 1; 0 is the start.
    component : int
        Its position at that time; where nothing was done ("kept"), its position in the model.
    cause : {"empty", "singular", "spurious", "few", "ridge", "identical"}
        It has hardly any weight; its covariance is singular; it sits on equal values; it has few
        rows; `reg_covar` makes more than a tenth of its variance in some direction; or it equals
        another one.
    action : {"reseeded", "dropped", "smoothed", "kept"}
        What was done: the heaviest component was split in its place; it was removed; each row was
        spread over its cell of the grid to which the data are rounded; or nothing.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, reg_covar=0.1, rng=0)
    >>> fit.events[0].cause, str(fit.events[0])
    ('ridge', 'iteration 4: component 0 ridge, kept')
    """

    iteration: int
    component: int
    cause: Cause
    action: Action

    @classmethod
    def checked(cls, values: Any) -> Self:
        """Return an event made of values from a file, which may be anything.

        Examples
        --------
        >>> from mixtura import Event
        >>> str(Event.checked([3, 0, "empty", "dropped"]))
        'iteration 3: component 0 empty, dropped'
        """
        iteration, component, cause, action = values
        counts = all(type(count) is int and count >= 0 for count in (iteration, component))
        if not counts or cause not in get_args(Cause) or action not in get_args(Action):
            raise ValueError(f"an event in it is {values!r}")
        return cls(iteration, component, cause, action)

    _repr_html_ = short_html

    def __str__(self) -> str:
        return f"iteration {self.iteration}: component {self.component} {self.cause}, {self.action}"


@dataclass(frozen=True, eq=False)
class Collapse:
    """What is done with components that fail.

    Attributes
    ----------
    action : {"reseed", "drop", "raise"}
    scale : ndarray of shape (n_features,)
        Units of the features, in which a component's widest direction is found when it is split.
    algebra : Algebra
    """

    action: OnCollapse
    scale: Floats
    algebra: Algebra

    def recover(
        self,
        update: Update,
        statistics: Statistics,
        parameters: Parameters,
        failed: Mask,
        iteration: int,
        events: list[Event],
    ) -> tuple[Parameters, NDArray[np.intp]]:
        """Replace the components that failed, or drop them; append what was done to `events`.

        Parameters
        ----------
        update : Update
            Explains what happened.
        statistics, parameters, failed
            What the update was given, and what it returned.
        iteration : int
        events : list of Event

        Returns
        -------
        parameters : Parameters
        kept : ndarray of int
            Positions of the components that are left, ascending.

        Raises
        ------
        FitError
            If `action` is "raise" or no component is left.
        """
        sound = np.flatnonzero(~failed)
        if self.action == "raise" or len(sound) == 0:
            raise FitError(update.explain(statistics, parameters, failed, iteration, self.scale))
        for j in map(int, np.flatnonzero(failed)):
            cause: Cause = "singular" if statistics.resp_sum[j] else "empty"
            earlier = sum(e.component == j and e.action == "reseeded" for e in events)
            if self.action == "reseed" and earlier < MOST_RESEEDS:
                parameters = split_heaviest(parameters, j, sound, self.scale, self.algebra)
                sound = np.append(sound, j)
                events.append(Event(iteration, j, cause, "reseeded"))
            else:
                events.append(Event(iteration, j, cause, "dropped"))
        kept = np.sort(sound)
        return parameters.select(kept), kept


def components_left(events: Iterable[Event], n_left: int) -> NDArray[np.intp]:
    """Return the positions, before any was dropped, of the components that are left.

    Parameters
    ----------
    events : iterable of Event
        In the order in which they happened.
    n_left : int

    Returns
    -------
    ndarray of int
    """
    dropped = [event for event in events if event.action == "dropped"]
    left = np.arange(n_left + len(dropped))
    for _, together in groupby(dropped, key=lambda event: event.iteration):
        left = np.delete(left, [event.component for event in together])
    return left


def split_heaviest(
    parameters: Parameters,
    component: int,
    sound: NDArray[np.intp],
    scale: Floats,
    by: Algebra,
) -> Parameters:
    """Split the heaviest sound component in two: itself and `component`.

    Their means lie half a deviation to either side of its own, in its widest direction.
    """
    donor = int(sound[np.argmax(parameters.weights[sound])])
    source = np.arange(len(parameters.means))
    source[component] = donor
    shape = parameters.shape
    covariances = shape.select(parameters.covariances, source)
    factors = shape.select(parameters.precisions_cholesky, source)
    step = 0.5 * shape.widest(covariances, donor, scale, by)
    weights, means = parameters.weights.copy(), parameters.means.copy()
    weights[[component, donor]] = 0.5 * weights[donor]
    means[component], means[donor] = means[donor] + step, means[donor] - step
    return Parameters(weights, means, covariances, factors, shape)
