"""Scatter of two features with ellipses for the components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.checks import check_flag, check_option
from mixtura.mixture import GaussianMixture
from mixtura.plot.display import ModelDisplay
from mixtura.plot.model import AnyModel, Clusters, Drawn, as_drawn
from mixtura.plot.rows import (
    Feature,
    Points,
    check_pair,
    check_shares,
    data_to_draw,
    density_grid,
    marginal,
)
from mixtura.plot.style import (
    INK,
    MAX_LEGEND,
    blend,
    check_look,
    component_label,
    component_style,
    draw_number,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.contour import QuadContourSet
    from matplotlib.lines import Line2D
    from matplotlib.patches import PathPatch

__all__ = ["ScatterDisplay", "Show", "check_show"]

Show = Literal["classification", "uncertainty", "responsibilities"]
SHOWN: tuple[Show, ...] = get_args(Show)

# Areas of markers in points squared. Few rows get large ones; many rows share the total.
LARGEST_AREA = 30.0
SMALLEST_AREA = 4.0
TOTAL_AREA = 12_000.0
# Area of the most uncertain row, in units of that of a certain one.
UNCERTAIN_AREA = 6.0
MIXED_AREA = 1.5  # of a row whose colour has to be seen well, in the same units
UNCERTAINTY = ("#BDB9AE", "#E39B0B", "#6B1705")  # each darker than the one before, in grey too
# Regions: points of the grid each way, and numbers of all components on all of it, in 64 MiB.
REGION_POINTS = 301
REGION_NUMBERS = 1 << 23
FAR_AHEAD = 1e9  # nats by which a component is ahead of others, in place of infinity
REGION_ALPHA = 0.13
# More markers than this are saved as an image in vector formats.
MOST_VECTORS = 2_000


@dataclass(kw_only=True, eq=False, repr=False)
class ScatterDisplay(ModelDisplay):
    """Two features of the data, with ellipses for the components.

    An ellipse holds the stated share of its component: its points have the squared Mahalanobis
    distance -2 log(1 - share) from the mean.

    Parameters
    ----------
    names : list of str or None
        Names of the components.
    legend : bool
        Whether the picture has a legend.
    weights : ndarray of shape (n_components,)
        Share of each component, shown in the legend.
    means : ndarray of shape (n_components, 2)
        Means of the two features.
    covariances : ndarray of shape (n_components, 2, 2)
        Covariances of the two features; none for clusters.
    points : ndarray of shape (n_points, 2)
        Rows to draw; may be empty.
    labels : ndarray of shape (n_points,), int
        Component of each drawn row.
    uncertainty : ndarray of shape (n_points,)
        One less the largest responsibility of each drawn row.
    sample_weight : ndarray of shape (n_points,) or None
        Weight of each drawn row, to which the area of its marker is proportional; None for
        equal weights.
    n_rows : int
        Rows of which the drawn ones are a sample.
    feature_names : tuple of two str
        Labels of the axes.
    coverage : tuple of float
        Share of a component that each of its ellipses holds, between 0 and 1.
    show : {"classification", "uncertainty", "responsibilities"}
        What colours and sizes of the rows mean.
    row_colours : ndarray of shape (n_points, 3) or None
        Red, green and blue of each drawn row for "responsibilities": the colours of the components
        mixed in proportion to the responsibilities, in Oklab [1]_.
    regions : bool
        Whether the plane has the colour of the most probable component, with lines between these
        regions.
    part : {"component", "cluster"}
        What the legend calls the components.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the picture.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    points_ : list of matplotlib.collections.PathCollection
        Drawn rows, one collection for each component.
    ellipses_ : list of lists of matplotlib.patches.PathPatch
        ``ellipses_[j][c]`` holds the share ``coverage[c]`` of component j.
    boundaries_ : list of matplotlib.contour.QuadContourSet
        Boundary of the region of each component that has one, where regions are drawn.

    References
    ----------
    .. [1] B. Ottosson, "A perceptual color space for image processing", 2020.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, rng=0)
    >>> display = mixtura.plot.ScatterDisplay.from_fit(fit, X)
    >>> len(display.points_), len(display.ellipses_)
    (2, 2)
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    points: NDArray[np.float64]
    labels: NDArray[np.intp]
    uncertainty: NDArray[np.float64]
    sample_weight: NDArray[np.float64] | None = None
    n_rows: int = 0
    feature_names: tuple[str, str] = ("feature 0", "feature 1")
    coverage: tuple[float, ...] = (0.5, 0.95)
    show: Show = "classification"
    row_colours: NDArray[np.float64] | None = None
    regions: bool = False
    part: str = "component"
    points_: list[PathCollection] = field(init=False)
    ellipses_: list[list[PathPatch]] = field(init=False)
    boundaries_: list[QuadContourSet] = field(init=False)

    @classmethod
    def from_model(
        cls,
        model: AnyModel,
        X: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        features: tuple[Feature, Feature] = (0, 1),
        feature_names: Sequence[str] | None = None,
        coverage: tuple[float, ...] = (0.5, 0.95),
        show: Show = "classification",
        regions: bool = False,
        max_points: int = 5_000,
        names: Sequence[str] | None = None,
        legend: bool = True,
        ax: Axes | None = None,
    ) -> Self:
        """Draw two features of a mixture or of clusters and, where given, of data.

        Parameters
        ----------
        model : GaussianMixture, GMMFit or KMeansFit
            With at least two features. Clusters of k-means have no ellipses.
        X : array_like of shape (n_samples, n_features) or None
            Rows to draw, each in the style of its most probable component given all features, or
            of its cluster; None draws the ellipses alone.
        sample_weight : array_like of shape (n_samples,) or None
            Weights of the rows; a row of weight zero is not drawn.
        features : tuple of two int or str
            Columns, by number or by name, on the horizontal and the vertical axis.
        feature_names : sequence of n_features str or None
            Names of all columns; None for the mixture's, a frame's, or "feature 0" and so on.
        coverage : tuple of float
            Share of a component that each of its ellipses holds, between 0 and 1.
        show : {"classification", "uncertainty", "responsibilities"}
            Rows have the colours of their components; or they are darker and larger where it
            is less certain from which component they come; or the colours of all components are
            mixed by the responsibilities, so that doubtful rows look between.
        regions : bool
            Whether to colour the plane by the most probable component, and to draw the boundaries,
            where two responsibilities are equal. They are those of `predict` for two features. Of
            more, they are those of the marginal mixture of the two, which does not know the other
            features: a row may lie in the region of another component than its own. Of k-means,
            regions are those of the nearest center in the two features.
        max_points : int
            Of more rows than this a random sample, the same at each call, is drawn.
        names : sequence of n_components str or None
            Names of the components, in the legend beside their numbers; None for numbers alone.
        legend : bool
            Whether to draw a legend. More than 12 components are not listed in it.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        ScatterDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the mixture has one feature only, or another argument does not fit the mixture and
            the data; for uncertainties of k-means, which knows none.
        TypeError
            If `model` is something else.
        ImportError
            If matplotlib is missing.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> fit = mixtura.fit_gmm(X, 2, rng=0)
        >>> display = mixtura.plot.ScatterDisplay.from_model(fit.model, X, coverage=(0.9,))
        >>> [len(ellipses) for ellipses in display.ellipses_]
        [1, 1]
        """
        drawn = as_drawn(model)
        check_shares("coverage", coverage)
        check_show(show, drawn)
        data = data_to_draw(drawn, X, sample_weight, feature_names)
        pair = check_pair(features, data.names)
        points = Points.of(drawn, data, max_points, coloured=show == "responsibilities")
        look = check_look(names, legend, drawn.n_components)
        look["regions"] = check_flag("regions", regions)
        return cls._of_pair(drawn, points, pair, data.names, coverage, show, **look).plot(ax)

    @classmethod
    def _of_pair(
        cls,
        drawn: Drawn,
        points: Points,
        pair: Sequence[int],
        feature_names: Sequence[str],
        coverage: tuple[float, ...],
        show: Show,
        **look: Any,
    ) -> Self:
        """Make the display of two columns, from checked arguments, without drawing it."""
        part, covariances = "cluster", np.empty((0, 2, 2))
        if isinstance(drawn, Clusters):
            coverage = ()
        else:
            part, covariances = "component", marginal(drawn, pair).covariances
        return cls(
            weights=drawn.weights,
            means=drawn.means[:, list(pair)],
            covariances=covariances,
            points=points.rows[:, list(pair)],
            labels=points.labels,
            uncertainty=points.uncertainty,
            sample_weight=points.sample_weight,
            n_rows=points.n_rows,
            feature_names=(feature_names[pair[0]], feature_names[pair[1]]),
            coverage=coverage,
            show=show,
            row_colours=points.colours,
            part=part,
            **look,
        )

    def _columns(self) -> list[str]:
        return list(self.feature_names)

    def _draw(self, ax: Axes) -> None:
        self.points_ = [self._draw_points(ax, j) for j in range(len(self.means))]
        self.ellipses_ = [self._draw_ellipses(ax, j) for j in range(len(self.means))]
        for j, mean in enumerate(self.means):
            draw_number(ax, j, len(self.means), mean[0], mean[1])
        ax.update_datalim(self.means)
        ax.autoscale_view()
        self.boundaries_ = self._draw_regions(ax) if self.regions else []
        ax.set_xlabel(wrapped(self.feature_names[0]))
        ax.set_ylabel(wrapped(self.feature_names[1]))
        if self.legend:
            self._draw_legend(ax)

    def _draw_legend(self, ax: Axes, **options: Any) -> None:
        """Explain markers and ellipses on `ax`, which may be other axes than the picture's."""
        shares = " and ".join(f"{share:.0%}" for share in self.coverage)
        lines = [f"ellipses hold {shares}"] if shares else []
        if len(self.points) < self.n_rows:
            lines.append(f"{len(self.points):,} of {self.n_rows:,} rows")
        if self.show == "uncertainty":
            lines.append("uncertainty of a row:")
        if self.show == "responsibilities":
            lines.append("colours mixed by responsibility")
        if self.regions:
            most = "most probable component" if len(self.covariances) else "nearest center"
            lines.append(f"regions: {most}")
        handles, title = self._handles(), "\n".join(lines)
        if handles or title:
            legend = ax.legend(handles=handles, title=title, **options)
            legend.get_title().set_multialignment("center")

    def _handles(self) -> list[Line2D]:
        """Return examples of markers, for the legend."""
        from matplotlib.lines import Line2D

        looks: list[Any] = []
        if self.show == "uncertainty":
            shades = np.array([0.0, 0.5, 1.0]) * self._most_uncertain()
            areas, colours = LARGEST_AREA * self._growth(shades), self._colours(shades)
            looks += [
                (f"{shade:.2g}", "o", colour, area)
                for shade, colour, area in zip(shades, colours, areas, strict=True)
            ]
        elif len(self.weights) <= MAX_LEGEND:
            for j, weight in enumerate(self.weights):
                style = component_style(j)
                label = component_label(j, weight, self.part, self.names)
                looks.append((label, style.marker, style.colour, LARGEST_AREA))
        return [
            Line2D([], [], linestyle="", marker=marker, color=colour, markersize=np.sqrt(area),
                   markeredgecolor="white", markeredgewidth=0.4, label=label)
            for label, marker, colour, area in looks
        ]  # fmt: skip

    def _most_uncertain(self) -> float:
        """Return the uncertainty of a row to which all components are equally probable."""
        return 1 - 1 / max(len(self.weights), 2)

    def _growth(self, uncertainty: Any) -> Any:
        """Return the area of a marker, in units of that of a certain row."""
        return 0.8 + (UNCERTAIN_AREA - 0.8) * uncertainty / self._most_uncertain()

    def _colours(self, uncertainty: Any) -> NDArray[np.float64]:
        return blend(UNCERTAINTY, uncertainty / self._most_uncertain())

    def _draw_points(self, ax: Axes, j: int) -> PathCollection:
        mine = np.flatnonzero(self.labels == j)
        style = component_style(j)
        n_points = max(len(self.points), 1)
        area: Any = np.clip(TOTAL_AREA / n_points, SMALLEST_AREA, LARGEST_AREA)
        colour: Any = style.colour
        if self.show != "classification":
            mine = mine[np.argsort(self.uncertainty[mine])]  # the least certain on top
        if self.show == "responsibilities" and self.row_colours is not None:
            area, colour = MIXED_AREA * area, self.row_colours[mine]
        if self.show == "uncertainty":
            area = area * self._growth(self.uncertainty[mine])
            colour = self._colours(self.uncertainty[mine])
        if self.sample_weight is not None:
            area = area * self.sample_weight[mine] / self.sample_weight.mean()
        return ax.scatter(
            self.points[mine, 0],
            self.points[mine, 1],
            s=area,
            marker=style.marker,
            color=colour,
            edgecolors="white",
            linewidths=0.4 if n_points * LARGEST_AREA <= TOTAL_AREA else 0,
            alpha=np.clip(1000 / n_points, 0.4, 0.8),
            rasterized=n_points > MOST_VECTORS,
            zorder=2,
        )

    def _draw_ellipses(self, ax: Axes, j: int) -> list[PathPatch]:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path
        from matplotlib.patheffects import withStroke

        style = component_style(j)
        circle = Path.unit_circle()
        fill = 0.06 if self.show == "classification" and not self.regions else 0
        # Eigenvectors would lose a feature whose units make it much smaller than the other.
        lower = np.linalg.cholesky(self.covariances[j]) if self.coverage else np.eye(2)
        ellipses = []
        for share in self.coverage:
            radius = np.sqrt(-2 * np.log1p(-share))
            outline = self.means[j] + radius * circle.vertices @ lower.T
            ellipse = PathPatch(
                Path(outline, circle.codes),
                facecolor=(style.colour, fill),
                edgecolor=style.colour,
                linestyle=style.line_style,
                linewidth=1.4,
                # With a white rim the line is seen among points of its own colour.
                path_effects=[withStroke(linewidth=2.8, foreground="white")],
                zorder=3,
            )
            ellipses.append(ellipse)
            ax.add_patch(ellipse)
        return ellipses

    def _draw_regions(self, ax: Axes) -> list[QuadContourSet]:
        """Colour the plane within the limits of the axes, and return the boundaries."""
        limits = ax.get_xlim(), ax.get_ylim()
        mixture = self._of_plane(float(np.ptp(limits, axis=1).max()))
        k = mixture.n_components
        n_across = min(REGION_POINTS, int(np.sqrt(REGION_NUMBERS / k)) // 2)
        deviations = np.sqrt(mixture.covariance_matrices()[:, [0, 1], [0, 1]])
        x, y = (
            density_grid(
                min(ends), max(ends), mixture.means[:, a], deviations[:, a], n_across, n_across
            )
            for a, ends in enumerate(limits)
        )
        at = np.stack(np.meshgrid(x, y), axis=-1)
        log_prob = mixture.component_log_prob(at.reshape(-1, 2)).reshape(*at.shape[:2], k)
        boundaries = []
        for j in range(k):
            others = np.delete(log_prob, j, axis=2).max(axis=2, initial=-np.inf)
            with np.errstate(invalid="ignore"):  # so far away that all densities are zero
                ahead = np.nan_to_num(log_prob[..., j] - others, nan=-np.inf)
            ahead = np.clip(ahead, -FAR_AHEAD, FAR_AHEAD)
            if ahead.max() <= 0:
                continue  # nowhere the most probable
            colour = component_style(j).colour
            ax.contourf(
                x, y, ahead, [0, 2 * FAR_AHEAD], colors=[colour], alpha=REGION_ALPHA, zorder=0.5
            )
            if ahead.min() < 0:
                boundaries.append(
                    ax.contour(x, y, ahead, [0], colors=INK, linewidths=1, zorder=1.5)
                )
        ax.set_xlim(limits[0])
        ax.set_ylim(limits[1])
        return boundaries

    def _of_plane(self, width: float) -> GaussianMixture:
        """Return the mixture whose components have the regions: for clusters, equal circles."""
        if len(self.covariances):
            return GaussianMixture(self.weights, self.means, self.covariances)
        k = len(self.means)
        variances = np.full(k, (width / 10) ** 2)  # any that fits the units
        return GaussianMixture(np.full(k, 1 / k), self.means, variances, "spherical")


def check_show(show: Show, drawn: Drawn) -> None:
    """Raise an error for anything else that rows could show."""
    if check_option("show", show, SHOWN) != "classification" and isinstance(drawn, Clusters):
        raise ValueError(
            f'show must be "classification" for a KMeansFit, which knows no uncertainty; got '
            f'"{show}". Draw a mixture for that.'
        )
