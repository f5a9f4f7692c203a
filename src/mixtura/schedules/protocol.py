"""The one protocol of all schedules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from mixtura.parameters import Parameters
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = [
    "Follow",
    "Look",
    "LookFrom",
    "Point",
    "Rule",
    "Schedule",
    "Step",
    "Steps",
    "Stop",
    "Watch",
]


class Point(NamedTuple):
    """Where a fit is.

    Attributes
    ----------
    parameters : Parameters
    statistics : Statistics
        Of the rows under them.
    objective : float, nats per row
    inverse_temperature : float
        At which the pass was made.
    """

    parameters: Parameters
    statistics: Statistics
    objective: float
    inverse_temperature: float = 1.0


# Makes an update and a pass from statistics of the schedule's own, at the temperature of the point
# given; None where the update fails.
Look = Callable[[Statistics], Point | None]
LookFrom = Callable[[Point], Look]


class Stop(NamedTuple):
    """Why a run is not continued, though it has not converged.

    Attributes
    ----------
    end : int or None
        The known maximum to which it has come; None where it cannot become the best.
    """

    end: int | None


class Watch(Protocol):
    """Stops a run from which nothing is to be had: see `mixtura.search.watch`."""

    def look(
        self, iteration: int, objective: float, gain: float, parameters: Parameters
    ) -> Stop | None:
        """Return why the run stops after an iteration, of which the gain is given, or None."""


class Rule(NamedTuple):
    """When a pass stops by itself, and whether it extrapolates.

    Attributes
    ----------
    tol : float
        See `mixtura.schedules.squarem`, as for the next three.
    rounding : float
        Relative error of an objective.
    extrapolates : bool
    scale : ndarray of shape (n_features,), or None
        Units of the features, in which steps are measured.
    since : int
        Iterations from which those are counted after which small gains stop the pass: see
        `mixtura.schedules.parting`.
    small : float
        The largest gain that is small.
    watch : Watch or None
    iteration : int
        Iterations of the run before; the watch counts on from there.
    objective : float
        After the last of them; -inf before the first.
    """

    tol: float
    rounding: float
    extrapolates: bool = False
    scale: Floats | None = None
    since: int = 0
    small: float = -math.inf
    watch: Watch | None = None
    iteration: int = 0
    objective: float = -math.inf


class Steps(NamedTuple):
    """What a schedule decides after several iterations.

    Attributes
    ----------
    state : object
        For the next iteration.
    point : Point
        Where the fit continues.
    objectives : list of float
        After each iteration.
    finished : bool
    stop : Stop or None
        What a watch says.
    """

    state: Any
    point: Point
    objectives: list[float]
    finished: bool
    stop: Stop | None = None


# Makes iterations by a rule: at most so many, from a state of `Plain`, or of `Squarem` for a rule
# that extrapolates. None where there are none.
Follow = Callable[[Rule, Any, int], Steps | None]


class Step(NamedTuple):
    """What a schedule decides after an iteration.

    Attributes
    ----------
    state : object
        For the next iteration.
    point : Point
        Where the fit continues: the point given, or a better one that the schedule found.
    finished : bool
    """

    state: Any
    point: Point
    finished: bool


class Schedule(Protocol):
    """Steers the loop.

    A state is a value of the schedule's own. It has two attributes that the loop reads:
    `inverse_temperature`, the power to which weighted densities are raised in the pass of the next
    iteration, and `predicted_gain`, what is left to gain per row (inf where that is
    unknown). The first pass, before any iteration, is made at inverse temperature one. At another
    one the objective is the free energy; a schedule that ends there leaves that in the outcome.

    To be kept in a checkpoint, a state is a NamedTuple whose fields have the types that it states:
    int (not negative), float, str, Statistics, an array, a tuple of one of these, or the state of
    another schedule (Any). Its method `is_possible` tells a state that the schedule can have from
    one in a damaged file. Its class is named in `mixtura.schedules.STATES`.
    """

    def begin(self, start: Point) -> Any:
        """Return the state before the first iteration, after the first pass has led to `start`."""

    def disturbed(self, state: Any) -> Any:
        """Return the state after something other than an iteration changed the parameters."""

    def several(self, state: Any, most: int, follow: Follow, look_from: LookFrom) -> Steps | None:
        """Decide after each of several iterations, which a pass makes in one call.

        None where the schedule has to see every point; then `step` is asked.

        Parameters
        ----------
        state : object
            Whose inverse temperature is one.
        most : int
            Iterations.
        follow : callable
            Makes the iterations of a rule, or says that it cannot.
        look_from : callable
            Returns how to look from a point.
        """

    def step(self, state: Any, point: Point, look: Look) -> Step:
        """Decide after an iteration that has led to `point`."""
