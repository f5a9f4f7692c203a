"""Histogram of one feature with the densities of the mixture and of its components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.plot.display import ModelDisplay
from mixtura.plot.rows import Data, check_feature, data_to_draw, density_grid, marginal
from mixtura.plot.style import (
    INK,
    MAX_LEGEND,
    PALE,
    component_label,
    component_style,
    draw_number,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.lines import Line2D

    from mixtura.mixture import GaussianMixture

__all__ = ["HistogramDisplay"]

MAX_BINS = 200
MOST_EDGED = 60  # bars with white edges: more would be too thin to be seen between them
TALLEST = 2.5  # density that is shown, in units of the tallest bar


@dataclass(kw_only=True, eq=False, repr=False)
class HistogramDisplay(ModelDisplay):
    """One feature: a histogram of the data, the density of the mixture and of its components.

    Parameters
    ----------
    grid : ndarray of shape (n_grid,)
        Where the densities are evaluated, ascending.
    component_densities : ndarray of shape (n_components, n_grid)
        Weight times density of each component; their sum is the density of the mixture.
    weights : ndarray of shape (n_components,)
        Share of each component, shown in the legend.
    edges : ndarray of shape (n_bins + 1,)
        Edges of the bins; empty without data.
    heights : ndarray of shape (n_bins,)
        Share of the data in each bin, divided by its width.
    feature_name : str
        Label of the horizontal axis.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the picture.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    bars_ : matplotlib.container.BarContainer
        The histogram.
    component_lines_ : list of matplotlib.lines.Line2D
        Density of each component.
    mixture_line_ : matplotlib.lines.Line2D
        Density of the mixture.
    """

    grid: NDArray[np.float64]
    component_densities: NDArray[np.float64]
    weights: NDArray[np.float64]
    edges: NDArray[np.float64]
    heights: NDArray[np.float64]
    feature_name: str = "feature 0"
    bars_: BarContainer = field(init=False)
    component_lines_: list[Line2D] = field(init=False)
    mixture_line_: Line2D = field(init=False)

    @classmethod
    def from_model(
        cls,
        model: GaussianMixture,
        X: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        feature: int = 0,
        feature_names: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw one feature of a mixture and, where given, of data.

        Parameters
        ----------
        model : GaussianMixture
            Mixture; of more than one feature its marginal density is drawn.
        X : array_like of shape (n_samples, n_features) or None
            Data of the histogram; None draws the densities alone.
        sample_weight : array_like of shape (n_samples,) or None
            Weights of the rows in the histogram.
        feature : int
            Column to draw.
        feature_names : sequence of n_features str or None
            Names of all columns; None for the mixture's, a frame's, or "feature 0" and so on.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        HistogramDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `feature`, `feature_names` or `sample_weight` do not fit the mixture and the data.
        ImportError
            If matplotlib is missing.
        """
        a = check_feature(feature, model.n_features)
        data = data_to_draw(model, X, sample_weight, feature_names)
        return cls._of_feature(model, data, a).plot(ax)

    @classmethod
    def _of_feature(cls, model: GaussianMixture, data: Data, feature: int) -> Self:
        """Make the display of one column, from checked arguments, without drawing it."""
        alone = marginal(model, [feature])
        means, deviations = alone.means[:, 0], np.sqrt(alone.covariances[:, 0, 0])
        edges = heights = np.empty(0)
        if len(data.rows):
            values = data.rows[:, feature].astype(np.float64)
            edges = _bin_edges(values, data.sample_weight)
            heights, _ = np.histogram(values, edges, weights=data.sample_weight, density=True)
        ends = np.concatenate([means - 5 * deviations, means + 5 * deviations, edges])
        grid = density_grid(ends.min(), ends.max(), means, deviations)
        return cls(
            grid=grid,
            component_densities=np.exp(alone.component_log_prob(grid[:, None])).T,
            weights=model.weights,
            edges=edges,
            heights=heights,
            feature_name=data.names[feature],
        )

    def _draw(self, ax: Axes) -> None:
        self.bars_ = ax.bar(
            self.edges[:-1],
            self.heights,
            width=np.diff(self.edges),
            align="edge",
            color=PALE,
            edgecolor="white",
            linewidth=0.6 if len(self.heights) <= MOST_EDGED else 0,
        )
        density = self.component_densities.sum(axis=0)
        highest = density.max()
        if len(self.heights):  # which would be low beside the peak of a narrow component
            highest = max(self.heights.max(), min(highest, TALLEST * self.heights.max()))
        (self.mixture_line_,) = ax.plot(
            self.grid, density, color=INK, linewidth=2.2, label="mixture"
        )
        self.component_lines_ = [
            self._draw_component(ax, j, highest) for j in range(len(self.weights))
        ]
        if len(self.edges):
            # The tails of a wide component would leave little room for the data.
            margin = 0.06 * (self.edges[-1] - self.edges[0])
            ax.set_xlim(self.edges[0] - margin, self.edges[-1] + margin)
        ax.set_ylim(0, 1.08 * highest)
        ax.set_xlabel(wrapped(self.feature_name))
        ax.set_ylabel("density")
        if len(self.weights) <= MAX_LEGEND:
            ax.legend()

    def _draw_component(self, ax: Axes, j: int, highest: float) -> Line2D:
        density = self.component_densities[j]
        style = component_style(j)
        ax.fill_between(self.grid, density, color=style.colour, alpha=0.12, linewidth=0)
        (line,) = ax.plot(
            self.grid,
            density,
            color=style.colour,
            linestyle=style.line_style,
            linewidth=1.8,
            label=component_label(j, self.weights[j]),
        )
        peak = density.argmax()
        draw_number(ax, j, len(self.weights), self.grid[peak], min(density[peak], highest))
        return line


def _bin_edges(
    values: NDArray[np.float64], sample_weight: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return edges of bins, about as wide as Freedman and Diaconis (1981) propose.

    Rounded and grouped values lie on a grid. The width is a multiple of its step and the edges lie
    between its points, so that all bins hold the same number of points.
    """
    distinct, position = np.unique(values, return_inverse=True)
    if len(distinct) == 1:
        half = 0.05 * max(abs(distinct[0]), 1.0)
        return np.array([distinct[0] - half, distinct[0] + half])
    cumulative = np.cumsum(np.bincount(position, weights=sample_weight))
    lower, upper = distinct[np.searchsorted(cumulative, cumulative[-1] * np.array([0.25, 0.75]))]
    # Weights are numbers of rows, unless they are so small that they must be shares.
    size = max(cumulative[-1], len(values))
    span = distinct[-1] - distinct[0]
    width = 2.0 * (upper - lower) / np.cbrt(size) or span / np.log2(2.0 * size)
    width = np.clip(width, span / MAX_BINS, span)
    step = np.diff(distinct).min()
    if width < 50 * step:
        width = max(round(width / step), 1) * step
    start = distinct[0] - 0.5 * step
    edges: NDArray[np.float64] = start + width * np.arange(
        np.ceil((distinct[-1] - start) / width) + 1
    )
    edges[-1] = max(edges[-1], distinct[-1])  # which rounding may have left outside
    return edges
