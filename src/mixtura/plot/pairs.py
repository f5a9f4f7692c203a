"""Scatters of every two features below histograms of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.plot.display import ModelDisplay
from mixtura.plot.histogram import HistogramDisplay, labels_of
from mixtura.plot.model import AnyModel, as_drawn
from mixtura.plot.rows import (
    Feature,
    Points,
    check_feature,
    check_listed,
    check_shares,
    data_to_draw,
)
from mixtura.plot.scatter import ScatterDisplay, Show, check_show
from mixtura.plot.style import check_look, check_place, plain, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MAX_FEATURES", "PairDisplay"]

MAX_FEATURES = 8  # more make panels too small to read
LABEL_WIDTH = 20  # characters below one panel
MARKER_SCALE = 0.4  # area of a marker in a panel against that in a picture of its own


@dataclass(kw_only=True, eq=False, repr=False)
class PairDisplay(ModelDisplay):
    """Scatters of every two features, histograms of each on the diagonal.

    Parameters
    ----------
    names : list of str or None
        Names of the components.
    legend : bool
        Whether the picture has a legend.
    histograms : list of n_features HistogramDisplay
        Panels of the diagonal.
    scatters : list of lists of ScatterDisplay
        ``scatters[a][b]``, with b below a, has feature a on its vertical and feature b on its
        horizontal axis.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes whose place the panels take; only the legend is drawn on them.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    axes_ : ndarray of shape (n_features, n_features), object
        Axes of the panels; None above the diagonal.

    Examples
    --------
    >>> import mixtura
    >>> iris = mixtura.datasets.load_iris()
    >>> fit = mixtura.fit_gmm(iris.data, 2, rng=0)
    >>> display = mixtura.plot.PairDisplay.from_fit(fit, iris.data, features=[0, 2, 3])
    >>> display.axes_.shape
    (3, 3)
    """

    histograms: list[HistogramDisplay]
    scatters: list[list[ScatterDisplay]]
    axes_: NDArray[Any] = field(init=False)

    @classmethod
    def from_model(
        cls,
        model: AnyModel,
        X: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        features: Sequence[Feature] | None = None,
        feature_names: Sequence[str] | None = None,
        coverage: tuple[float, ...] = (0.5, 0.95),
        show: Show = "classification",
        max_points: int = 2_000,
        names: Sequence[str] | None = None,
        legend: bool = True,
        ax: Axes | None = None,
    ) -> Self:
        """Draw several features of a mixture or of clusters and, where given, of data.

        Parameters
        ----------
        model : GaussianMixture, GMMFit or KMeansFit
            With at least two features. Clusters of k-means have no ellipses.
        X : array_like of shape (n_samples, n_features) or None
            Rows to draw, each in the style of its most probable component given all features, or
            of its cluster; None draws a mixture alone.
        sample_weight : array_like of shape (n_samples,) or None
            Weights of the rows; a row of weight zero is not drawn.
        features : sequence of int or str, or None
            Columns to draw, by number or by name, at most 8; None for all.
        feature_names : sequence of n_features str or None
            Names of all columns; None for the mixture's, a frame's, or "feature 0" and so on.
        coverage : tuple of float
            Share of a component that each of its ellipses holds, between 0 and 1.
        show : {"classification", "uncertainty", "responsibilities"}
            What colours and sizes of the rows mean; see `ScatterDisplay.from_model`.
        max_points : int
            Of more rows than this the scatters show a random sample, the same at each call. The
            histograms count all rows.
        names : sequence of n_components str or None
            Names of the components, in the legend beside their numbers; None for numbers alone.
        legend : bool
            Whether to draw a legend. More than 12 components are not listed in it.
        ax : matplotlib.axes.Axes or None
            Axes, made by ``subplots``, whose place the panels take; None makes a new figure.

        Returns
        -------
        PairDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the features are fewer than two or more than 8, or another argument does not fit
            the mixture and the data; for k-means without rows.
        TypeError
            If `model` is something else.
        ImportError
            If matplotlib is missing.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> fit = mixtura.fit_gmm(X, 2, rng=0)
        >>> display = mixtura.plot.PairDisplay.from_model(fit.model, X, coverage=(0.9,))
        >>> display.axes_.shape
        (2, 2)
        """
        drawn = as_drawn(model)
        check_shares("coverage", coverage)
        check_show(show, drawn)
        data = data_to_draw(drawn, X, sample_weight, feature_names)
        columns = _check_features(features, data.names)
        points = Points.of(drawn, data, max_points, coloured=show == "responsibilities")
        look = check_look(names, legend, drawn.n_components)
        make = ScatterDisplay._of_pair
        labels = labels_of(drawn, data)
        display = cls(
            histograms=[
                HistogramDisplay._of_feature(drawn, data, a, labels, **look) for a in columns
            ],
            scatters=[
                [
                    make(drawn, points, (b, a), data.names, coverage, show, **look)
                    for b in columns[:position]
                ]
                for position, a in enumerate(columns)
            ],
            **look,
        )
        return display.plot(ax)

    def _size(self) -> tuple[float, float]:
        side = min(2.1 * len(self.histograms) + 0.6, 13.0)
        return (side, side)

    def _draw(self, ax: Axes) -> None:
        from matplotlib import pyplot as plt

        ax.set_axis_off()
        n = len(self.histograms)
        self.axes_ = np.full((n, n), None)
        grid = check_place(ax).subgridspec(n, n)
        # Other sizes of text are relative to this one.
        with plt.rc_context({"font.size": 8.0}):
            for a, b in np.argwhere(np.tri(n)).tolist():
                panel = self.axes_[a, b] = plain(self.figure_.add_subplot(grid[a, b]))
                (self.histograms[a] if a == b else self.scatters[a][b]).plot(panel)
                self._label(panel, a, b)
        self._align()
        if self.legend:
            self.scatters[1][0]._draw_legend(ax, loc="upper right", borderaxespad=0)

    def _columns(self) -> list[str]:
        return [each.feature_name for each in self.histograms]

    def _panels(self) -> list[Axes]:
        return [panel for panel in self.axes_.flat if panel is not None]

    def _label(self, panel: Axes, a: int, b: int) -> None:
        """Keep names and numbers only in the first column and in the last row of panels."""
        legend = panel.get_legend()
        if legend is not None:
            legend.remove()
        for points in self.scatters[a][b].points_ if a != b else []:
            points.set_sizes(MARKER_SCALE * points.get_sizes())
        bottom, left = a == len(self.histograms) - 1, b == 0 and a > 0
        panel.locator_params(nbins=4)
        panel.ticklabel_format(style="sci", scilimits=(-2, 4))
        panel.tick_params(labelbottom=bottom, labelleft=left, left=a != b)
        panel.set_xlabel(wrapped(self.histograms[b].feature_name, LABEL_WIDTH) if bottom else "")
        panel.set_ylabel(wrapped(self.histograms[a].feature_name, LABEL_WIDTH) if left else "")

    def _align(self) -> None:
        """Give a feature the same limits in all panels."""
        for a in range(len(self.histograms)):
            across, up = self.axes_[a:, a], self.axes_[a, :a]
            limits = [panel.get_xlim() for panel in across] + [panel.get_ylim() for panel in up]
            lowest, highest = np.min(limits), np.max(limits)
            for panel in across:
                panel.set_xlim(lowest, highest)
            for panel in up:
                panel.set_ylim(lowest, highest)


def _check_features(features: Sequence[Feature] | None, names: Sequence[str]) -> list[int]:
    """Columns of the picture: two or more, all different, and not too many."""
    if features is not None:
        check_listed(features)
    given = list(range(len(names)) if features is None else features)
    columns = [check_feature(feature, names) for feature in given]
    if len(columns) < 2:
        raise ValueError(
            f"a pair plot needs two features or more; got {len(columns)}. "
            f"For one column draw a HistogramDisplay."
        )
    if len(columns) > MAX_FEATURES:
        raise ValueError(
            f"a pair plot shows {MAX_FEATURES} features at most; got {len(columns)}. "
            f"Choose some, such as features={tuple(given[:3])}."
        )
    if len(set(columns)) < len(columns):
        raise ValueError(
            f"features must be different columns; got {tuple(given)}. Name each one once."
        )
    return columns
