"""The one protocol of all updates."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import MStep
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["Mask", "Update"]

Mask = NDArray[np.bool_]


class Update(Protocol):
    """The maximisation step, and the objective that it raises.

    The objective, per row, is ``log_likelihood / weight_sum + offset - penalty``, with
    the log-likelihood of the rows under what `as_seen` returns. An update may contain another one.
    """

    @property
    def m_step(self) -> MStep | None:
        """The engine's function that makes this update, and whose objective has no penalty.

        None where there is no such function. Where it finds no parameters, `update` says why.
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

    def as_plain(self, parameters: Parameters) -> Seen:
        """Return what a pass evaluates of the parameters alone, without a ridge.

        It serves at the start, when parameters need not have come from `update`, and in the end,
        for the log-likelihood of the rows.
        """

    def penalty(self, parameters: Parameters, weight_sum: float) -> float:
        """Return what is subtracted from the mean log-likelihood, such as a mean -log prior.

        It is the same at every temperature.

        Parameters
        ----------
        parameters : Parameters
        weight_sum : float
            Of the rows of the log-likelihood.

        Returns
        -------
        float, nats per row
        """

    def blurred(self, parameters: Parameters) -> list[int]:
        """Positions of components of which a ridge makes more than a tenth in some direction."""

    def given_means(self, means: Floats, fixed: Mask) -> Update:
        """Return the update for components of which some means are known.

        It is called with statistics in which the centre of such a component is that mean, and
        `resp_x` zero.

        Parameters
        ----------
        means : ndarray of shape (n_components, n_features)
        fixed : ndarray of shape (n_components,), bool
            Where they are known.
        """

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
