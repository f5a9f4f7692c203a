"""Scatter of two features with ellipses for the components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.plot.style import (
    MAX_LEGEND,
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
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.patches import Ellipse

    from mixtura.fit import GMMFit
    from mixtura.mixture import GaussianMixture

__all__ = ["ScatterDisplay"]

# Areas of markers in points squared: few rows get large ones, many share out the total.
LARGEST_AREA = 30.0
SMALLEST_AREA = 4.0
TOTAL_AREA = 12_000.0


@dataclass(kw_only=True, eq=False, repr=False)
class ScatterDisplay:
    """Two features of the data, with ellipses for the components.

    An ellipse holds the stated share of its component: its half-axes are
    sqrt(-2 log(1 - share) * eigenvalue) along the eigenvectors of the covariance.

    Parameters
    ----------
    weights : ndarray of shape (n_components,)
        Share of each component, shown in the legend.
    means : ndarray of shape (n_components, 2)
        Means of the two features.
    covariances : ndarray of shape (n_components, 2, 2)
        Covariances of the two features.
    points : ndarray of shape (n_points, 2)
        Rows to draw; may be empty.
    labels : ndarray of shape (n_points,), int
        Component of each drawn row.
    sample_weight : ndarray of shape (n_points,) or None
        Weight of each drawn row, to which the area of its marker is proportional; None for
        equal weights.
    feature_names : tuple of two str
        Labels of the axes.
    coverage : tuple of float
        Share of a component that each of its ellipses holds, between 0 and 1.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the picture.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    points_ : list of matplotlib.collections.PathCollection
        Drawn rows, one collection for each component.
    ellipses_ : list of lists of matplotlib.patches.Ellipse
        ``ellipses_[j][c]`` holds the share ``coverage[c]`` of component j.
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    points: NDArray[np.float64]
    labels: NDArray[np.intp]
    sample_weight: NDArray[np.float64] | None = None
    feature_names: tuple[str, str] = ("feature 0", "feature 1")
    coverage: tuple[float, ...] = (0.5, 0.95)
    ax_: Axes = field(init=False)
    figure_: Figure | SubFigure = field(init=False)
    points_: list[PathCollection] = field(init=False)
    ellipses_: list[list[Ellipse]] = field(init=False)

    @classmethod
    def from_model(
        cls,
        model: GaussianMixture,
        X: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        features: tuple[int, int] = (0, 1),
        feature_names: Sequence[str] | None = None,
        coverage: tuple[float, ...] = (0.5, 0.95),
        max_points: int = 5_000,
        ax: Axes | None = None,
    ) -> Self:
        """Draw two features of a mixture and, where given, of data.

        Parameters
        ----------
        model : GaussianMixture
            Mixture with at least two features.
        X : array_like of shape (n_samples, n_features) or None
            Rows to draw, each in the style of its most probable component given all features;
            None draws the ellipses alone.
        sample_weight : array_like of shape (n_samples,) or None
            Weights of the rows; a row of weight zero is not drawn.
        features : tuple of two int
            Columns on the horizontal and the vertical axis.
        feature_names : sequence of n_features str or None
            Names of all columns; None for "feature 0", "feature 1" and so on.
        coverage : tuple of float
            Share of a component that each of its ellipses holds, between 0 and 1.
        max_points : int
            Of more rows than this an unordered sample, the same at each call, is drawn.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        ScatterDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `features`, `feature_names`, `coverage` or `sample_weight` do not fit the mixture
            and the data.
        ImportError
            If matplotlib is missing.
        """
        if len(features) != 2 or features[0] == features[1]:
            raise ValueError(
                f"features must be two different columns; got {features}. "
                f"Of one column draw a HistogramDisplay."
            )
        names = check_feature_names(feature_names, model.n_features)
        pair = [check_feature(feature, model.n_features) for feature in features]
        if not all(0 < share < 1 for share in coverage):
            raise ValueError(
                f"coverage must lie between 0 and 1, both excluded; got {coverage}. "
                f"Pass shares of a component, such as (0.5, 0.95)."
            )
        rows, weight = rows_to_draw(X, sample_weight, model.n_features)
        if len(rows) > max_points:
            kept = np.random.default_rng(0).choice(len(rows), max_points, replace=False)
            rows, weight = rows[kept], weight[kept]
        display = cls(
            weights=model.weights,
            means=model.means[:, pair],
            covariances=model.covariance_matrices()[:, pair][:, :, pair],
            points=rows[:, pair],
            labels=model.predict(rows) if len(rows) else np.empty(0, dtype=np.intp),
            sample_weight=None if sample_weight is None else weight,
            feature_names=(names[pair[0]], names[pair[1]]),
            coverage=coverage,
        )
        return display.plot(ax)

    @classmethod
    def from_fit(cls, fit: GMMFit, X: ArrayLike | None = None, **options: Any) -> Self:
        """Draw two features of a fitted mixture; see `from_model`.

        Parameters
        ----------
        fit : GMMFit
            Fit whose model is drawn.
        X : array_like of shape (n_samples, n_features) or None
            Rows to draw.
        **options : dict
            Further arguments of `from_model`.

        Returns
        -------
        ScatterDisplay
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
        ScatterDisplay
            The display itself.
        """
        self.ax_ = new_axes()[0, 0] if ax is None else ax
        self.figure_ = self.ax_.figure
        self.points_ = [self._draw_points(j) for j in range(len(self.means))]
        self.ellipses_ = [self._draw_ellipses(j) for j in range(len(self.means))]
        for j, mean in enumerate(self.means):
            draw_number(self.ax_, j, mean[0], mean[1])
        self.ax_.autoscale_view()
        self.ax_.set_xlabel(self.feature_names[0])
        self.ax_.set_ylabel(self.feature_names[1])
        if len(self.means) <= MAX_LEGEND:
            shares = " and ".join(f"{share:.0%}" for share in self.coverage)
            legend = self.ax_.legend(title=f"ellipses hold {shares}" if shares else None)
            handle: Any
            for handle in legend.legend_handles:
                handle.set_sizes([LARGEST_AREA])
                handle.set_alpha(1)
        return self

    def _draw_points(self, j: int) -> PathCollection:
        mine = self.labels == j
        style = component_style(j)
        n_points = max(len(self.points), 1)
        area: Any = np.clip(TOTAL_AREA / n_points, SMALLEST_AREA, LARGEST_AREA)
        if self.sample_weight is not None:
            area = area * self.sample_weight[mine] / self.sample_weight.mean()
        return self.ax_.scatter(
            self.points[mine, 0],
            self.points[mine, 1],
            s=area,
            marker=style.marker,
            color=style.colour,
            edgecolors="white",
            linewidths=0.4 if n_points * LARGEST_AREA <= TOTAL_AREA else 0,
            alpha=np.clip(1000 / n_points, 0.4, 0.8),
            label=component_label(j, self.weights[j]),
            zorder=2,
        )

    def _draw_ellipses(self, j: int) -> list[Ellipse]:
        from matplotlib.patches import Ellipse
        from matplotlib.patheffects import withStroke

        style = component_style(j)
        eigenvalues, eigenvectors = np.linalg.eigh(self.covariances[j])
        long_axis = eigenvectors[:, 1]
        ellipses = []
        for share in self.coverage:
            height, width = 2 * np.sqrt(-2 * np.log1p(-share) * eigenvalues)
            ellipse = Ellipse(
                (self.means[j, 0], self.means[j, 1]),
                width,
                height,
                angle=np.degrees(np.arctan2(long_axis[1], long_axis[0])),
                facecolor=(style.colour, 0.06),
                edgecolor=style.colour,
                linestyle=style.line_style,
                linewidth=1.4,
                # A white rim, or a line would vanish among points of its own colour.
                path_effects=[withStroke(linewidth=2.8, foreground="white")],
                zorder=3,
            )
            ellipses.append(ellipse)
            self.ax_.add_patch(ellipse)
        return ellipses
