"""Log-likelihood or inertia against iteration, and its predicted limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import described
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.kmeans_fit import KMeansFit
from mixtura.fitting.result import GMMFit
from mixtura.plot.display import Display
from mixtura.plot.style import INK, component_style
from mixtura.schedules import predicted_gains
from mixtura.updates.collapse import Event

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["HistoryDisplay"]

# The first iterations of EM gain most. In a longer history a logarithmic axis shows them.
LINEAR_ITERATIONS = 50

# Values that differ by a smaller share of themselves have ticks of too many digits to be read, or
# differ by rounding only.
FEW_DIGITS = 1e-4
SAME = 1e-14

PLAIN_POWERS = (-3, 5)  # of ten: other ticks have their power above the axis


@dataclass(kw_only=True, eq=False, repr=False)
class HistoryDisplay(Display):
    """Log-likelihood against iteration, with its predicted limit; for k-means the inertia.

    The limit is Aitken's extrapolation of the last three iterations, as the stopping rule has it.
    Where all values agree to four digits or more, the vertical axis shows the change since the
    first iteration, and a note gives the value there.

    Values of ``em="annealed"`` in its first eight iterations are at other temperatures and cannot
    be compared with the later ones.

    Parameters
    ----------
    history : ndarray of shape (n_iter,), nats per row or squared units
        Objective or inertia after each iteration.
    stop_reason : str
        Why the fit stopped.
    events : tuple of Event
        Components that collapsed: the objective may fall there.
    quantity : {"objective", "inertia"}
        What the history is of: the objective of a mixture, which rises, or the inertia of k-means,
        which falls.

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

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, rng=0)
    >>> display = mixtura.plot.HistoryDisplay.from_fit(fit)
    >>> len(display.line_.get_xdata()) == fit.n_iter
    True
    """

    history: NDArray[np.float64]
    stop_reason: str
    events: tuple[Event, ...] = ()
    quantity: Literal["objective", "inertia"] = "objective"
    line_: Line2D = field(init=False)
    limit_line_: Line2D | None = field(init=False)

    @classmethod
    def from_fit(cls, fit: GMMFit | BayesianGMMFit | KMeansFit, *, ax: Axes | None = None) -> Self:
        """Draw the history of a fit.

        Parameters
        ----------
        fit : GMMFit, BayesianGMMFit or KMeansFit
            Fit whose history is drawn.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        HistoryDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `fit` is something else, such as a mixture, which has no history.
        ValueError
            If a k-means fit was saved by a mixtura that kept no history.

        Examples
        --------
        >>> import mixtura
        >>> fit = mixtura.fit_kmeans(mixtura.datasets.load_faithful().data, 2, rng=0)
        >>> display = mixtura.plot.HistoryDisplay.from_fit(fit)
        >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
        ('iteration', 'inertia (squared units)')
        """
        if isinstance(fit, KMeansFit):
            if not len(fit.history):
                raise ValueError(
                    "fit must have a history; got a KMeansFit of a file without one. Fit it again."
                )
            reason = "converged" if fit.converged else "stopped"
            return cls(history=fit.history, stop_reason=reason, quantity="inertia").plot(ax)
        if not isinstance(fit, GMMFit | BayesianGMMFit):
            raise TypeError(
                f"fit must be a GMMFit or a KMeansFit; got {described(fit)}. Pass the result of "
                f"fit_gmm or fit_kmeans."
            )
        display = cls(history=fit.history, stop_reason=fit.stop_reason, events=fit.events)
        return display.plot(ax)

    @property
    def predicted_gain(self) -> float:
        """Predicted remaining gain, of k-means the decrease; inf if there is no prediction."""
        values = (self._sign * self.history).tolist()
        return [np.inf, *predicted_gains(values, self._collapses)][-1]

    @property
    def _sign(self) -> float:
        return 1.0 if self.quantity == "objective" else -1.0

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
        shown = [*self.history]
        notes = [f"{n_iter} iteration{'s'[: n_iter != 1]}: {self.stop_reason}"]
        self.limit_line_ = None
        gain = self.predicted_gain
        if np.isfinite(gain):
            limit = self.history[-1] + self._sign * gain
            shown.append(limit)
            self.limit_line_ = ax.axhline(limit, color=INK, linestyle="--", linewidth=1, zorder=1)
            side = "above" if self.quantity == "objective" else "below"
            notes.append(f"dashed: predicted limit, {gain:.1g} {side} the last")
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
        ax.set_xlabel("iteration")
        if self._set_scale(ax, np.array(shown)):
            notes.append(f"first: {self.history[0]:.10g}")
        ax.annotate(
            "\n".join(notes),
            (0.97, 0.06 if self.quantity == "objective" else 0.94),
            xycoords="axes fraction",
            horizontalalignment="right",
            verticalalignment="baseline" if self.quantity == "objective" else "top",
            color=INK,
        )

    def _set_scale(self, ax: Axes, values: NDArray[np.float64]) -> bool:
        """Label the vertical axis; return whether its ticks are changes since the first value."""
        from matplotlib.ticker import MaxNLocator

        first, low, high = values[0], values.min(), values.max()
        size = np.abs(values).max()
        unit = "nats per row" if self.quantity == "objective" else "squared units"
        ax.ticklabel_format(axis="y", style="sci", scilimits=PLAIN_POWERS, useOffset=False)
        ax.set_ylabel(f"{self.quantity} ({unit})")
        if not np.isfinite(size) or high - low > FEW_DIGITS * size:
            return False
        rounding = high - low <= SAME * size  # and nothing else
        margin = 0.05 * (size or 1.0) if rounding else 0.06 * (high - low)
        ax.set_ylim(low - margin, high + margin)
        if len(values) == 1:
            return False
        ends = low - margin - first, high + margin - first
        ticks = np.zeros(1) if rounding else np.array(MaxNLocator(6).tick_values(*ends))
        ticks[np.abs(ticks) < 1e-9 * np.abs(ticks).max()] = 0.0
        inside = (low - margin <= first + ticks) & (first + ticks <= high + margin)
        ax.set_yticks(first + ticks[inside], [f"{tick:.3g}" for tick in ticks[inside]])
        ax.set_ylabel(f"{self.quantity} less that of the first iteration\n({unit})")
        return True
