"""Log-likelihood against iteration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from mixtura.plot.style import INK, component_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

    from mixtura.fit import GMMFit

__all__ = ["HistoryDisplay"]

# EM gains most of what it gains at once; in a longer history only a logarithmic axis shows how.
LINEAR_ITERATIONS = 50


@dataclass(kw_only=True, eq=False, repr=False)
class HistoryDisplay:
    """Log-likelihood against iteration.

    Parameters
    ----------
    history : ndarray of shape (n_iter,), nats per unit of weight
        Objective after each iteration.
    stop_reason : str
        Why the fit stopped.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the picture.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    line_ : matplotlib.lines.Line2D
        The history.
    """

    history: NDArray[np.float64]
    stop_reason: str
    ax_: Axes = field(init=False)
    figure_: Figure | SubFigure = field(init=False)
    line_: Line2D = field(init=False)

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
        return cls(history=np.asarray(fit.history), stop_reason=fit.stop_reason).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on `ax`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        HistoryDisplay
            The display itself.
        """
        self.ax_ = new_axes()[0, 0] if ax is None else ax
        self.figure_ = self.ax_.figure
        n_iter = len(self.history)
        (self.line_,) = self.ax_.plot(
            np.arange(1, n_iter + 1),
            self.history,
            color=component_style(0).colour,
            marker="o",
            markersize=3.5,
            linewidth=1.6,
        )
        self.ax_.axhline(self.history[-1], color=INK, linestyle=":", linewidth=1, zorder=1)
        if n_iter > LINEAR_ITERATIONS:
            self.ax_.set_xscale("log")
            self.ax_.xaxis.set_major_formatter("{x:g}")
            marked = np.unique(np.geomspace(1, n_iter, LINEAR_ITERATIONS).astype(int))
            self.line_.set_markevery((marked - 1).tolist())
        else:
            self.ax_.locator_params(axis="x", integer=True)
        self.ax_.ticklabel_format(axis="y", style="plain", useOffset=False)
        self.ax_.set_xlabel("iteration")
        self.ax_.set_ylabel("log-likelihood per unit of weight (nats)")
        self.ax_.annotate(
            f"{n_iter} iterations: {self.stop_reason}",
            (0.97, 0.06),
            xycoords="axes fraction",
            horizontalalignment="right",
            color=INK,
        )
        return self
