"""Contours of the density of two features."""

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
from mixtura.plot.model import AnyModel, as_mixture
from mixtura.plot.rows import (
    Feature,
    Points,
    check_pair,
    check_shares,
    data_to_draw,
    density_grid,
    marginal,
)
from mixtura.plot.style import INK, blend, check_look, draw_number, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection, QuadMesh
    from matplotlib.contour import QuadContourSet

__all__ = ["DensityDisplay"]

GRID_POINTS = 201  # each way: lines between them are smooth, because log-densities are quadratic
DRAWS = 20_000  # from the mixture; a share is then exact to about 0.003
DEPTHS = ("#EEF2F8", "#6D96C8")  # of the outermost and the innermost region
SHADES = ("#FFFFFF", DEPTHS[1])  # of an empty and of the fullest bin


@dataclass(kw_only=True, eq=False, repr=False)
class DensityDisplay(ModelDisplay):
    """Contours of the density of two features, each around a stated share of the mixture.

    The region within a contour is the smallest that holds its share [1]_.

    Parameters
    ----------
    names : list of str or None
        Names of the components.
    legend : bool
        Whether the picture has a legend.
    x : ndarray of shape (n_x,)
        Where the density is evaluated on the horizontal axis, ascending.
    y : ndarray of shape (n_y,)
        Where it is evaluated on the vertical axis, ascending.
    log_density : ndarray of shape (n_y, n_x), nats
        Of the mixture of the two features.
    shares : tuple of float
        Share of the mixture within each contour, descending.
    levels : ndarray of shape (n_shares,), nats
        Log-density on each contour, ascending.
    means : ndarray of shape (n_components, 2)
        Where the numbers of the components are drawn.
    points : ndarray of shape (n_points, 2)
        Rows to draw; may be empty.
    feature_names : tuple of two str
        Labels of the axes.
    edges : tuple of two ndarray, or None
        Edges of bins on both axes, for a fit to counts.
    heights : ndarray of shape (n_bins_x, n_bins_y), or None
        Share of the rows in each bin, divided by its area.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the picture.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    contours_ : matplotlib.contour.QuadContourSet
        Lines of `levels`.
    points_ : matplotlib.collections.PathCollection
        Drawn rows.
    image_ : matplotlib.collections.QuadMesh
        The bins, where there are any.

    References
    ----------
    .. [1] R. J. Hyndman, "Computing and graphing highest density regions", The American
       Statistician 50, 120-126, 1996.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, rng=0)
    >>> display = mixtura.plot.DensityDisplay.from_fit(fit, X)
    >>> display.ax_.get_xlabel(), len(display.levels)
    ('feature 0', 4)
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    log_density: NDArray[np.float64]
    shares: tuple[float, ...]
    levels: NDArray[np.float64]
    means: NDArray[np.float64]
    points: NDArray[np.float64]
    feature_names: tuple[str, str] = ("feature 0", "feature 1")
    edges: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    heights: NDArray[np.float64] | None = None
    image_: QuadMesh = field(init=False)
    contours_: QuadContourSet = field(init=False)
    points_: PathCollection = field(init=False)

    @classmethod
    def from_model(
        cls,
        model: AnyModel,
        X: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        features: tuple[Feature, Feature] = (0, 1),
        feature_names: Sequence[str] | None = None,
        shares: Sequence[float] = (0.95, 0.75, 0.5, 0.25),
        max_points: int = 5_000,
        names: Sequence[str] | None = None,
        legend: bool = True,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the density of two features of a mixture and, where given, data.

        Parameters
        ----------
        model : GaussianMixture or GMMFit
            Mixture with at least two features; of more, the marginal density is drawn.
        X : array_like of shape (n_samples, n_features) or None
            Rows to draw; None draws the contours alone.
        sample_weight : array_like of shape (n_samples,) or None
            Weights of the rows; a row of weight zero is not drawn.
        features : tuple of two int or str
            Columns, by number or by name, on the horizontal and the vertical axis.
        feature_names : sequence of n_features str or None
            Names of all columns; None for the mixture's, a frame's, or "feature 0" and so on.
        shares : sequence of float
            Share of the mixture within each contour, between 0 and 1.
        max_points : int
            Of more rows than this a random sample, the same at each call, is drawn.
        names : sequence of n_components str or None
            Names of the components, written at their means; None for their numbers.
        legend : bool
            Whether to draw a legend.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        DensityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the mixture has one feature only, or another argument does not fit the mixture and
            the data.
        TypeError
            If `model` is something else; for a KMeansFit, which has no density.
        ImportError
            If matplotlib is missing.

        Notes
        -----
        Levels are quantiles of the density at 20,000 rows drawn from the mixture, the same at each
        call.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> fit = mixtura.fit_gmm(X, 2, rng=0)
        >>> display = mixtura.plot.DensityDisplay.from_model(fit.model, X, shares=(0.9, 0.5))
        >>> len(display.levels)
        2
        """
        mixture = as_mixture(model)
        _check_shares(shares)
        data = data_to_draw(mixture, X, sample_weight, feature_names)
        pair = check_pair(features, data.names)
        look = check_look(names, legend, mixture.n_components)
        points = Points.of(mixture, data, max_points).rows[:, pair]
        both = marginal(mixture, pair)
        display = cls._of_pair(
            both, shares, points, (data.names[pair[0]], data.names[pair[1]]), **look
        )
        return display.plot(ax)

    @classmethod
    def from_bins(
        cls,
        fit: BinnedFit,
        *,
        shares: Sequence[float] = (0.95, 0.75, 0.5, 0.25),
        names: Sequence[str] | None = None,
        legend: bool = True,
        ax: Axes | None = None,
    ) -> Self:
        """Draw a fit to counts in bins of two features: the bins, and contours of the density.

        Parameters
        ----------
        fit : BinnedFit
            What `mixtura.fit_binned` returned for two features.
        shares : sequence of float
            Share of the mixture within each contour, between 0 and 1.
        names : sequence of n_components str or None
            Names of the components, written at their means; None for their numbers.
        legend : bool
            Whether to draw a legend.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        DensityDisplay
            The display, drawn. Open bins are drawn to where 1% of what the mixture has there lies
            beyond.

        Raises
        ------
        ValueError
            For a fit of another number of features, or if `shares` or `names` do not fit.
        TypeError
            For a fit without bins.
        ImportError
            If matplotlib is missing.

        Examples
        --------
        >>> import mixtura, numpy as np
        >>> X = mixtura.datasets.load_faithful().data
        >>> counts, *edges = np.histogram2d(*X.T, bins=8)
        >>> fit = mixtura.fit_binned(edges, counts, 2, rng=0)
        >>> display = mixtura.plot.DensityDisplay.from_bins(fit)
        >>> display.image_.get_array().size
        64
        """
        fit = check_binned(fit, "DensityDisplay.from_fit(fit, X)")
        if fit.n_features != 2:
            raise ValueError(
                f"fit must be of two features; got {fit.n_features}. Draw a "
                f"HistogramDisplay.from_bins(fit, feature=...)."
            )
        _check_shares(shares)
        look = check_look(names, legend, fit.n_components)
        feature_names = check_feature_names(fit.feature_names, 2)
        (x, i, _), (y, j, _) = drawn_bins(fit, 0), drawn_bins(fit, 1)
        heights = np.zeros((len(x) - 1, len(y) - 1))
        np.add.at(heights, (i, j), fit.counts)
        heights /= fit.weight_sum * np.outer(np.diff(x), np.diff(y))
        display = cls._of_pair(
            marginal(fit.model, [0, 1]), shares, np.empty((0, 2)),
            (feature_names[0], feature_names[1]), edges=(x, y), heights=heights, **look,
        )  # fmt: skip
        return display.plot(ax)

    @classmethod
    def _of_pair(
        cls,
        both: GaussianMixture,
        shares: Sequence[float],
        points: NDArray[np.float64],
        feature_names: tuple[str, str],
        *,
        edges: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
        **options: Any,
    ) -> Self:
        """Make the display of a mixture of two features, from checked arguments."""
        descending = tuple(sorted(set(shares), reverse=True))
        drawn, _ = both.sample(DRAWS, rng=0)
        log_prob = both.log_prob(drawn)
        levels = np.quantile(log_prob, 1 - np.array(descending))
        shown = np.concatenate([drawn[log_prob >= levels[0]], points])
        if edges is not None:
            corners = [[each[end] for each in edges] for end in (0, -1)]
            shown = np.concatenate([shown, corners])
        x, y = (_grid(both, axis, shown[:, axis]) for axis in (0, 1))
        at = np.stack(np.meshgrid(x, y), axis=-1)
        return cls(
            x=x,
            y=y,
            log_density=both.log_prob(at.reshape(-1, 2)).reshape(at.shape[:2]),
            shares=descending,
            levels=levels,
            means=both.means,
            points=points,
            feature_names=feature_names,
            edges=edges,
            **options,
        )

    def _columns(self) -> list[str]:
        return list(self.feature_names)

    def _draw(self, ax: Axes) -> None:
        from matplotlib.colors import ListedColormap
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        # Far away the log-density is -inf, which cannot be interpolated.
        height = np.maximum(self.log_density, self.levels[0] - 50)
        top = max(height.max(), self.levels[-1]) + 1
        depths = blend(DEPTHS, np.linspace(0, 1, len(self.levels)))
        if self.edges is None or self.heights is None:
            ax.contourf(self.x, self.y, height, [*self.levels, top], colors=depths, zorder=1)
        else:
            shades = ListedColormap(blend(SHADES, np.linspace(0, 1, 256)))
            self.image_ = ax.pcolormesh(*self.edges, self.heights.T, cmap=shades, zorder=1)
        self.points_ = ax.scatter(
            self.points[:, 0],
            self.points[:, 1],
            s=np.clip(6_000 / max(len(self.points), 1), 2, 12),
            color=INK,
            alpha=0.5,
            linewidths=0,
            rasterized=len(self.points) > 2_000,
            zorder=2,
        )
        self.contours_ = ax.contour(
            self.x, self.y, height, self.levels, colors=INK, linestyles="-", linewidths=1, zorder=3
        )
        held = [f"{share:.3g}%" for share in 100 * np.array(self.shares)]
        if self.legend and self.edges is None:
            regions = [Patch(facecolor=depth, edgecolor=INK) for depth in depths]
            ax.legend(regions, [f"holds {share}" for share in held])
        elif self.legend:  # the bins are shaded, the regions are not
            ax.legend([Line2D([], [], color=INK, linewidth=1)], [f"hold {', '.join(held)}"])
        for j, mean in enumerate(self.means):
            name = None if self.names is None else self.names[j]
            draw_number(ax, j, len(self.means), mean[0], mean[1], name)
        ax.set_xlim(self.x[0], self.x[-1])
        ax.set_ylim(self.y[0], self.y[-1])
        ax.set_xlabel(wrapped(self.feature_names[0]))
        ax.set_ylabel(wrapped(self.feature_names[1]))


def _check_shares(shares: Sequence[float]) -> None:
    check_shares("shares", shares)
    if len(shares) == 0:
        raise ValueError("shares must have one number or more; got none. Pass (0.5, 0.95).")


def _grid(both: GaussianMixture, axis: int, shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points along one axis, from end to end of the picture."""
    margin = 0.05 * (shown.max() - shown.min())
    return density_grid(
        shown.min() - margin,
        shown.max() + margin,
        both.means[:, axis],
        np.sqrt(both.covariances[:, axis, axis]),
        GRID_POINTS,
        GRID_POINTS,
    )
