"""Schedules: when iterations stop, extrapolate or cool; and the loop that they steer.

The loop is in loop.py, and the rule that stops most fits in plain.py. `Schedule` (protocol.py) is
all that the loop knows of a schedule. To add one, write its file, name its state in `STATES` below,
and name it where a fit is put together (`EM_KINDS` in `mixtura.fitting.stages`). Rows that come by
once have no loop: stepwise.py has the rule by which their statistics move.
"""

from typing import Any

from mixtura.schedules.annealed import Annealed, AnnealedState
from mixtura.schedules.loop import EM, Outcome, State, StopReason, stops
from mixtura.schedules.lower_bound import Bound, LowerBound
from mixtura.schedules.memoised import Memoised
from mixtura.schedules.moves import Judge, Moves, MovesState
from mixtura.schedules.parting import Parting, PartingState
from mixtura.schedules.plain import Plain, PlainState, predicted_gains
from mixtura.schedules.protocol import Look, Point, Schedule, Step, Stop
from mixtura.schedules.squarem import Squarem, SquaremState

__all__ = [
    "EM",
    "STATES",
    "Annealed",
    "Bound",
    "Judge",
    "Look",
    "LowerBound",
    "Memoised",
    "Moves",
    "Outcome",
    "Parting",
    "Plain",
    "Point",
    "Schedule",
    "Squarem",
    "State",
    "Step",
    "Stop",
    "StopReason",
    "predicted_gains",
    "stops",
]

# The states that a checkpoint can hold.
STATES: dict[str, type[Any]] = {
    state.__name__: state
    for state in (PlainState, SquaremState, PartingState, AnnealedState, MovesState)
}
