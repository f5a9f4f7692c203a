"""Log-likelihood against iteration, and its predicted limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from mixtura.plot.display import Display
from mixtura.plot.style import INK, component_style
from mixtura.schedules import predicted_gains
from mixtura.updates.collapse import Event

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from mixtura.fitting.result import GMMFit

__all__ = ["HistoryDisplay"]

# The first iterations of EM gain most. In a longer history a logarithmic axis shows them.
LINEAR_ITERATIONS = 50


@dataclass(kw_only=True, eq=False, repr=False)
class HistoryDisplay(Display):
    """Log-likelihood against iteration, with its predicted limit.

    The limit is Aitken's extrapolation of the last three iterations, as the stopping rule has it.

    Parameters
    ----------
    history : ndarray of shape (n_iter,), nats per unit of weight
        Objective after each iteration.
    stop_reason : str
        Why the fit stopped.
    events : tuple of Event
        Components that collapsed: the objective may fall there.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the picture.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    line_ : matplotlib.lines.Line2D
        The history.
    limit_line_ : matplotlib.lines.Line2D or None
        The predicted limit; None where the last iterations predict none.
    """

    history: NDArray[np.float64]
    stop_reason: str
    events: tuple[Event, ...] = ()
    line_: Line2D = field(init=False)
    limit_line_: Line2D | None = field(init=False)

    @classmethod
    def from_fit(cls, fit: GMMFit, *, ax: Axes | None = None) -> Self:
        """Draw the history of a fit.

        Parameters
        ----------
        fit : GMMFit
            Fit whose history is drawn.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        HistoryDisplay
            The display, drawn.
        """
        display = cls(history=fit.history, stop_reason=fit.stop_reason, events=fit.events)
        return display.plot(ax)

    @property
    def predicted_gain(self) -> float:
        """Predicted remaining gain in nats per unit of weight; inf if there is no prediction."""
        return [np.inf, *predicted_gains(self.history.tolist(), self._collapses)][-1]

    @property
    def _collapses(self) -> set[int]:
        """Iterations in which components were replaced or dropped."""
        return {e.iteration for e in self.events if e.action in ("reseeded", "dropped")}

    def _draw(self, ax: Axes) -> None:
        n_iter = len(self.history)
        (self.line_,) = ax.plot(
            np.arange(1, n_iter + 1),
            self.history,
            color=component_style(0).colour,
            marker="o",
            markersize=3.5,
            linewidth=1.6,
        )
        notes = [f"{n_iter} iteration{'s'[: n_iter != 1]}: {self.stop_reason}"]
        self.limit_line_ = None
        gain = self.predicted_gain
        if np.isfinite(gain):
            limit = self.history[-1] + gain
            self.limit_line_ = ax.axhline(limit, color=INK, linestyle="--", linewidth=1, zorder=1)
            notes.append(f"dashed: predicted limit, {gain:.1g} above the last")
        for iteration in self._collapses:
            ax.axvline(iteration, color=component_style(3).colour, linestyle=":", zorder=1)
        if self._collapses:
            notes.append("dotted: a component collapsed")
        if n_iter > LINEAR_ITERATIONS:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter("{x:g}")
            marked = np.unique(np.geomspace(1, n_iter, LINEAR_ITERATIONS).astype(int))
            self.line_.set_markevery((marked - 1).tolist())
        else:
            ax.set_xlim(0.5, n_iter + 0.5)
            ax.locator_params(axis="x", integer=True, min_n_ticks=1)
        ax.ticklabel_format(axis="y", style="plain", useOffset=False)
        ax.set_xlabel("iteration")
        ax.set_ylabel("objective per unit of weight (nats)")
        ax.annotate(
            "\n".join(notes),
            (0.97, 0.06),
            xycoords="axes fraction",
            horizontalalignment="right",
            color=INK,
        )
