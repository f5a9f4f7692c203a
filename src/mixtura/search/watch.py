"""When a run of EM is given up: because it cannot become the leader, or comes to a known maximum.

EM gains less and less with each iteration. A run is hopeless where it lacks more than some steps of
the size of its last one, and where it is not ahead after many iterations. It ends at a maximum that
is known where its components have come near to those of it.

Predictions of what is left to gain are poor during the first iterations: over 2600 runs this rule
found half as many better maxima again in the same number of iterations as Aitken's extrapolation.
Engines make the same decisions between iterations (``_ext/rivals.h``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mixtura.parameters import Parameters
from mixtura.schedules import Outcome, Stop
from mixtura.search.alike import are_alike
from mixtura.shapes import Floats

__all__ = ["Watch"]

PATIENCE = 10.0  # steps of the size of the last one
FIRST = 2  # iterations to the first look
EVERY = 4  # iterations from look to look
LATEST = 32  # iterations, after which a run must be ahead: nine of ten better ends are by then
SETTLED = 4  # iterations, after which parameters are compared
NEAR = 0.02  # nats per row; further apart, parameters are not compared


class Watch:
    """Looks at a run, and stops it where nothing is to be had from it.

    Parameters
    ----------
    leader : Outcome or None
        What the run must outdo; None where it need not.
    known : sequence of Outcome
        Maxima at which a run may end, the leader among them; of equally many components.
    scale : ndarray of shape (n_features,)
        Units of the features.
    slower : int
        How many times as many iterations EM takes as elsewhere.

    Attributes
    ----------
    leader : float
        Its objective; -inf for None.
    known : sequence of Outcome
    scale : ndarray of shape (n_features,)
    slower : int
    objectives : ndarray of shape (n_known,)
    weights : ndarray of shape (n_known, n_components)
    means : ndarray of shape (n_known, n_components, n_features)
        In units of the features.
    """

    def __init__(
        self, leader: Outcome | None, known: Sequence[Outcome], scale: Floats, slower: int = 1
    ) -> None:
        self.leader = -math.inf if leader is None else leader.objective
        self.known, self.scale, self.slower = known, np.ascontiguousarray(scale), slower
        self.objectives = np.array([each.objective for each in known])
        self.weights = np.array([each.parameters.weights for each in known])
        self.means = np.array([each.parameters.means / scale for each in known])

    def look(
        self, iteration: int, objective: float, gain: float, parameters: Parameters
    ) -> Stop | None:
        """Return why the run stops after an iteration, or None.

        Parameters
        ----------
        iteration : int
        objective, gain : float, nats per row
            After the iteration, and what it has gained.
        parameters : Parameters
        """
        iteration, between = divmod(iteration, self.slower)
        if between or (iteration % EVERY and iteration != FIRST):
            return None
        if iteration >= SETTLED:
            near = np.abs(self.objectives - objective) < NEAR
            for end in np.flatnonzero(near).tolist():
                if are_alike(self.known[end].parameters, parameters, self.scale):
                    return Stop(end)
        behind = self.leader - objective
        if behind > PATIENCE * max(gain, 0.0) or (behind > 0.0 and iteration >= LATEST):
            return Stop(None)
        return None
