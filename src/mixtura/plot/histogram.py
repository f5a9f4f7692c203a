"""Histogram of one feature with the densities of the mixture and of its components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.fitting import BinnedFit
from mixtura.mixture import GaussianMixture
from mixtura.mixture.checks import check_feature_names
from mixtura.plot.bins import check_binned, drawn_bins
from mixtura.plot.display import ModelDisplay
from mixtura.plot.model import AnyModel, Clusters, Drawn, as_drawn, assign
from mixtura.plot.rows import Data, Feature, check_feature, data_to_draw, density_grid, marginal
from mixtura.plot.style import (
    INK,
    MAX_LEGEND,
    PALE,
    check_look,
    component_label,
    component_style,
    draw_number,
    wrapped,
)
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.lines import Line2D

__all__ = ["HistogramDisplay", "labels_of"]

MAX_BINS = 200
HATCH = "#9A9CA5"  # of bars without an end
MOST_EDGED = 60  # bars with white edges: more would be too thin to be seen between them
TALLEST = 2.5  # density that is shown, in units of the tallest bar


@dataclass(kw_only=True, eq=False, repr=False)
class HistogramDisplay(ModelDisplay):
    """One feature: a histogram of the data, the density of the mixture and of its components.

    Parameters
    ----------
    names : list of str or None
        Names of the components.
    legend : bool
        Whether the picture has a legend.
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
    part : {"component", "cluster"}
        What the legend calls the components. Of clusters the densities are histograms of their own
        rows.
    open_bars : tuple of int
        Bars of bins without an end, which are hatched.

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

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_acidity().data
    >>> fit = mixtura.fit_gmm(X, 2, rng=0)
    >>> display = mixtura.plot.HistogramDisplay.from_fit(fit, X)
    >>> len(display.component_lines_)
    2
    """

    grid: NDArray[np.float64]
    component_densities: NDArray[np.float64]
    weights: NDArray[np.float64]
    edges: NDArray[np.float64]
    heights: NDArray[np.float64]
    feature_name: str = "feature 0"
    part: str = "component"
    open_bars: tuple[int, ...] = ()
    bars_: BarContainer = field(init=False)
    component_lines_: list[Line2D] = field(init=False)
    mixture_line_: Line2D = field(init=False)

    @classmethod
    def from_model(
        cls,
        model: AnyModel,
        X: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        feature: Feature = 0,
        feature_names: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        legend: bool = True,
        ax: Axes | None = None,
    ) -> Self:
        """Draw one feature of a mixture or of clusters and, where given, of data.

        Parameters
        ----------
        model : GaussianMixture, GMMFit or KMeansFit
            Of a mixture of more than one feature the marginal density is drawn, of clusters the
            histogram of each.
        X : array_like of shape (n_samples, n_features) or None
            Data of the histogram; None draws the densities of a mixture alone.
        sample_weight : array_like of shape (n_samples,) or None
            Weights of the rows in the histogram.
        feature : int or str
            Column to draw, by number or by name.
        feature_names : sequence of n_features str or None
            Names of all columns; None for the mixture's, a frame's, or "feature 0" and so on.
        names : sequence of n_components str or None
            Names of the components, in the legend beside their numbers; None for numbers alone.
        legend : bool
            Whether to draw a legend. More than 12 components are not listed in it.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        HistogramDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `feature`, `feature_names` or `sample_weight` do not fit the mixture and the data;
            for k-means without rows.
        TypeError
            If `model` is something else.
        ImportError
            If matplotlib is missing.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_acidity().data
        >>> fit = mixtura.fit_gmm(X, 2, rng=0)
        >>> names = ["low", "high"]
        >>> display = mixtura.plot.HistogramDisplay.from_model(fit.model, X, names=names)
        >>> len(display.component_lines_)
        2
        """
        drawn = as_drawn(model)
        data = data_to_draw(drawn, X, sample_weight, feature_names)
        a = check_feature(feature, data.names)
        look = check_look(names, legend, drawn.n_components)
        return cls._of_feature(drawn, data, a, labels_of(drawn, data), **look).plot(ax)

    @classmethod
    def from_bins(
        cls,
        fit: BinnedFit,
        *,
        feature: Feature = 0,
        names: Sequence[str] | None = None,
        legend: bool = True,
        ax: Axes | None = None,
    ) -> Self:
        """Draw one feature of a fit to counts in bins, with its own bins.

        The height of a bar is the share of the rows in the bin, divided by its width. An open bin
        is drawn to where 1% of what the mixture has in it lies beyond, and hatched.

        Parameters
        ----------
        fit : BinnedFit
            What `mixtura.fit_binned` returned; of two features, the counts of the other are summed.
        feature : int or str
            Feature to draw, by number or by name.
        names : sequence of n_components str or None
            Names of the components, in the legend beside their numbers; None for numbers alone.
        legend : bool
            Whether to draw a legend. More than 12 components are not listed in it.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        HistogramDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `feature` or `names` do not fit the mixture.
        TypeError
            For a fit without bins.
        ImportError
            If matplotlib is missing.

        Examples
        --------
        >>> import mixtura
        >>> crabs = mixtura.datasets.load_naples_crabs()
        >>> fit = mixtura.fit_binned(crabs.edges, crabs.sample_weight, 2, rng=0)
        >>> display = mixtura.plot.HistogramDisplay.from_bins(fit)
        >>> len(display.bars_)
        29
        """
        fit = check_binned(fit, "HistogramDisplay.from_fit(fit, X)")
        feature_names = check_feature_names(fit.feature_names, fit.n_features)
        a = check_feature(feature, feature_names)
        look = check_look(names, legend, fit.n_components)
        edges, bar, open_bars = drawn_bins(fit, a)
        counts = np.bincount(bar, fit.counts, len(edges) - 1)
        grid, densities = _curves(marginal(fit.model, [a]), edges)
        return cls(
            grid=grid,
            component_densities=densities,
            weights=fit.weights,
            edges=edges,
            heights=counts / (fit.weight_sum * np.diff(edges)),
            feature_name=feature_names[a],
            open_bars=open_bars,
            **look,
        ).plot(ax)

    @classmethod
    def _of_feature(
        cls,
        drawn: Drawn,
        data: Data,
        feature: int,
        labels: NDArray[np.int64] | None,
        **look: Any,
    ) -> Self:
        """Make the display of one column, from checked arguments, without drawing it."""
        edges = heights = values = np.empty(0)
        if len(data.rows):
            values = data.rows[:, feature].astype(np.float64)
            edges = _bin_edges(values, data.sample_weight)
            heights, _ = np.histogram(values, edges, weights=data.sample_weight, density=True)
        if isinstance(drawn, Clusters):
            assert labels is not None
            grid, densities = _steps(values, data.sample_weight, labels, edges, drawn.n_components)
        else:
            grid, densities = _curves(marginal(drawn, [feature]), edges)
        return cls(
            grid=grid,
            component_densities=densities,
            weights=drawn.weights,
            edges=edges,
            heights=heights,
            feature_name=data.names[feature],
            part="component" if labels is None else "cluster",
            **look,
        )

    def _columns(self) -> list[str]:
        return [self.feature_name]

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
        for b in self.open_bars:
            label = "open bin" if b == self.open_bars[0] else ""
            self.bars_[b].set(hatch="///", edgecolor=HATCH, label=label)
        density = self.component_densities.sum(axis=0)
        highest = density.max()
        if len(self.heights):  # which would be low beside the peak of a narrow component
            highest = max(self.heights.max(), min(highest, TALLEST * self.heights.max()))
        (self.mixture_line_,) = ax.plot(
            self.grid,
            density,
            color=INK,
            linewidth=2.2,
            label="mixture" if self.part == "component" else "all rows",
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
        if self.legend and len(self.weights) <= MAX_LEGEND:
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
            label=component_label(j, self.weights[j], self.part, self.names),
        )
        top = np.flatnonzero(density == density.max())[:2]  # the two ends of a step
        draw_number(ax, j, len(self.weights), self.grid[top].mean(), min(density[top[0]], highest))
        return line


def labels_of(drawn: Drawn, data: Data) -> NDArray[np.int64] | None:
    """Return the cluster of each row, where there are clusters; None for a mixture."""
    if not isinstance(drawn, Clusters):
        return None
    if not len(data.rows):
        raise ValueError(
            "X must hold the rows to draw for a KMeansFit, which has no density; got none. Pass X."
        )
    return assign(drawn, data.rows)[0]


def _curves(alone: GaussianMixture, edges: Floats) -> tuple[Floats, Floats]:
    """Points across the picture, and weight times density of each component there."""
    means, deviations = alone.means[:, 0], np.sqrt(alone.covariances[:, 0, 0])
    ends = np.concatenate([means - 5 * deviations, means + 5 * deviations, edges])
    grid = density_grid(ends.min(), ends.max(), means, deviations)
    return grid, np.exp(alone.component_log_prob(grid[:, None])).T


def _steps(
    values: Floats,
    sample_weight: Floats | None,
    labels: NDArray[np.int64],
    edges: Floats,
    n_clusters: int,
) -> tuple[Floats, Floats]:
    """Both ends of each bin, and there the share of each cluster's rows by the bin's width."""
    weight = np.ones(len(values)) if sample_weight is None else sample_weight
    counts = np.stack(
        [
            np.histogram(values[labels == c], edges, weights=weight[labels == c])[0]
            for c in range(n_clusters)
        ]
    )
    heights = counts / (weight.sum() * np.diff(edges))
    return np.repeat(edges, 2)[1:-1], np.repeat(heights, 2, axis=1)


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
