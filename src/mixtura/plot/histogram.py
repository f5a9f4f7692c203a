"""Histogram of one feature with the densities of the mixture and of its components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.plot.style import (
    INK,
    MAX_LEGEND,
    PALE,
    check_feature,
    component_label,
    component_style,
    draw_number,
    new_axes,
    rows_to_draw,
)
from mixtura.table import check_feature_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

    from mixtura.fit import GMMFit
    from mixtura.mixture import GaussianMixture

__all__ = ["HistogramDisplay"]

MAX_BINS = 200
GRID_POINTS = 401  # across the picture: finer than a pixel of it


@dataclass(kw_only=True, eq=False, repr=False)
class HistogramDisplay:
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
    ax_: Axes = field(init=False)
    figure_: Figure | SubFigure = field(init=False)
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
            Names of all columns; None for "feature 0", "feature 1" and so on.
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
        names = check_feature_names(feature_names, model.n_features)
        a = check_feature(feature, model.n_features)
        means = model.means[:, a]
        standard_deviations = np.sqrt(model.covariance_matrices()[:, a, a])
        rows, weight = rows_to_draw(X, sample_weight, model.n_features)
        edges = heights = np.empty(0)
        if len(rows):
            values = rows[:, a].astype(np.float64)
            edges = _bin_edges(values, weight)
            heights, _ = np.histogram(values, edges, weights=weight, density=True)
        grid = _density_grid(means, standard_deviations, edges)
        distance = (grid - means[:, None]) / standard_deviations[:, None]
        factor = model.weights / (np.sqrt(2 * np.pi) * standard_deviations)
        display = cls(
            grid=grid,
            component_densities=factor[:, None] * np.exp(-0.5 * distance**2),
            weights=model.weights,
            edges=edges,
            heights=heights,
            feature_name=names[a],
        )
        return display.plot(ax)

    @classmethod
    def from_fit(cls, fit: GMMFit, X: ArrayLike | None = None, **options: Any) -> Self:
        """Draw one feature of a fitted mixture; see `from_model`.

        Parameters
        ----------
        fit : GMMFit
            Fit whose model is drawn.
        X : array_like of shape (n_samples, n_features) or None
            Data of the histogram.
        **options : dict
            Further arguments of `from_model`.

        Returns
        -------
        HistogramDisplay
            The display, drawn.
        """
        return cls.from_model(fit.model, X, **options)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on `ax`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        HistogramDisplay
            The display itself.
        """
        self.ax_ = new_axes()[0, 0] if ax is None else ax
        self.figure_ = self.ax_.figure
        self.bars_ = self.ax_.bar(
            self.edges[:-1],
            self.heights,
            width=np.diff(self.edges),
            align="edge",
            color=PALE,
            edgecolor="white",
            linewidth=0.6,
        )
        density = self.component_densities.sum(axis=0)
        (self.mixture_line_,) = self.ax_.plot(
            self.grid, density, color=INK, linewidth=2.2, label="mixture"
        )
        self.component_lines_ = [self._draw_component(j) for j in range(len(self.weights))]
        if len(self.edges):
            # Tails of a wide component would squeeze the data into a corner.
            margin = 0.06 * (self.edges[-1] - self.edges[0])
            self.ax_.set_xlim(self.edges[0] - margin, self.edges[-1] + margin)
        self.ax_.set_ylim(0, 1.08 * max(density.max(), self.heights.max(initial=0)))
        self.ax_.set_xlabel(self.feature_name)
        self.ax_.set_ylabel("density")
        if len(self.weights) <= MAX_LEGEND:
            self.ax_.legend()
        return self

    def _draw_component(self, j: int) -> Line2D:
        density = self.component_densities[j]
        style = component_style(j)
        self.ax_.fill_between(self.grid, density, color=style.colour, alpha=0.12, linewidth=0)
        (line,) = self.ax_.plot(
            self.grid,
            density,
            color=style.colour,
            linestyle=style.line_style,
            linewidth=1.8,
            label=component_label(j, self.weights[j]),
        )
        peak = density.argmax()
        draw_number(self.ax_, j, self.grid[peak], density[peak])
        return line


def _bin_edges(
    values: NDArray[np.float64], sample_weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Edges of bins about as wide as Freedman and Diaconis (1981) have them.

    Rounded and grouped values lie on a grid of their own. The width is a multiple of its step and
    the edges lie between its points, or bins would hold now one point of it and now two.
    """
    distinct, position = np.unique(values, return_inverse=True)
    if len(distinct) == 1:
        half = 0.05 * max(abs(distinct[0]), 1.0)
        return np.array([distinct[0] - half, distinct[0] + half])
    cumulative = np.cumsum(np.bincount(position, weights=sample_weight))
    lower, upper = distinct[np.searchsorted(cumulative, cumulative[-1] * np.array([0.25, 0.75]))]
    # Weights count rows, unless they are so small that they can only be shares.
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


def _density_grid(
    means: NDArray[np.float64],
    standard_deviations: NDArray[np.float64],
    edges: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Points across the picture, and closer ones where a component is narrow."""
    ends = np.concatenate([means - 5 * standard_deviations, means + 5 * standard_deviations, edges])
    across = np.linspace(ends.min(), ends.max(), GRID_POINTS)
    # To eight standard deviations, where the density is nothing beside its peak: from there a
    # straight line to the next point across the picture has no area.
    around = means[:, None] + standard_deviations[:, None] * np.linspace(-8.0, 8.0, 129)
    return np.unique(np.concatenate([across, np.clip(around.ravel(), across[0], across[-1])]))
