"""The one protocol of all updates."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import Parameters, Seen
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["Mask", "Update", "mixture_seen"]

Mask = NDArray[np.bool_]


class Update(Protocol):
    """The maximisation step, and the objective that it raises.

    The objective, per unit of weight, is ``(log_likelihood - penalty) / weight_sum + offset``, with
    the log-likelihood of the rows under what `as_seen` returns. An update may contain another one:
    a prior can change what `Ridge` returns.
    """

    def update(
        self, statistics: Statistics, previous: Parameters | None = None
    ) -> tuple[Parameters, Mask]:
        """Return the parameters of largest expected objective, and which components have none.

        Parameters that only increase the expected objective will do as well.

        Parameters
        ----------
        statistics : Statistics
            Of the rows, about any centres.
        previous : Parameters, optional
            Those under which the statistics were taken; None at a start from labels.

        Returns
        -------
        parameters : Parameters
        failed : ndarray of shape (n_components,), bool
            True for a component without weight or whose covariance is not positive definite.
        """

    def as_seen(self, parameters: Parameters) -> tuple[Seen, float]:
        """Return what the pass evaluates, and what to add to a row's log-likelihood.

        The extras of what is seen are for E-steps that ask for them.
        """

    def penalty(self, parameters: Parameters) -> float:
        """Return what is subtracted from the total log-likelihood, such as -log prior, in nats.

        It is the same at every temperature.
        """

    def blurred(self, parameters: Parameters) -> list[int]:
        """Positions of components of which a ridge makes more than a tenth in some direction."""

    def select(self, components: NDArray[np.intp]) -> Update:
        """Return the update for some of the components, after others were dropped."""

    def explain(
        self,
        statistics: Statistics,
        parameters: Parameters,
        failed: Mask,
        iteration: int,
        scale: Floats,
    ) -> str:
        """Say which component failed, when, why, and what to do.

        Parameters
        ----------
        statistics : Statistics
        parameters : Parameters
            What `update` returned for them.
        failed : ndarray of shape (n_components,), bool
        iteration : int
            0 for the start.
        scale : ndarray of shape (n_features,)
            Standard deviations of the features.
        """


def mixture_seen(update: Update, parameters: Parameters) -> Seen:
    """What a pass sees of the mixture itself, with the extras that the update has for E-steps."""
    return parameters.seen()._replace(extras=update.as_seen(parameters)[0].extras)
