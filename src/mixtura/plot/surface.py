"""The density of two features as a surface in three dimensions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.mixture import GaussianMixture
from mixtura.plot.display import ModelDisplay
from mixtura.plot.model import AnyModel, as_mixture
from mixtura.plot.rows import Feature, check_pair, data_to_draw, density_grid, marginal
from mixtura.plot.style import (
    INK,
    blend,
    check_look,
    check_place,
    number_look,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

__all__ = ["SurfaceDisplay"]

GRID_POINTS = 101  # each way: the surface has 10,000 faces or, with narrow components, 40,000
REACH = 3.0  # standard deviations of each component that are in the picture
HEIGHTS = ("#E4EAF4", "#56A8E0", "#0B559F", "#06254A")  # each darker than the one before
ZOOM = 0.84  # leaves room for labels in small figures, too
SIDES = (5.0, 4.0, 3.4)  # lengths of the axes, relative to each other
ELEVATION = 32.0  # degrees above the plane of the features, from which the surface is seen
LABEL_WIDTH = 30
LINES = 34  # each way, that show the form of the surface


@dataclass(kw_only=True, eq=False, repr=False)
class SurfaceDisplay(ModelDisplay):
    """The density of two features as a surface, darker where it is higher.

    Parameters
    ----------
    names : list of str or None
        Names of the components.
    legend : bool
        Has no effect: a surface has no legend.
    x : ndarray of shape (n_x,)
        Where the density is evaluated on the first axis, ascending.
    y : ndarray of shape (n_y,)
        Where it is evaluated on the second axis, ascending.
    density : ndarray of shape (n_y, n_x)
        Of the mixture of the two features, per unit of the one times unit of the other.
    means : ndarray of shape (n_components, 2)
        Above them stand the numbers of the components.
    heights : ndarray of shape (n_components,)
        Density at the means.
    feature_names : tuple of two str
        Labels of the axes.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes that were given, or those of a new figure.
    axes_3d_ : mpl_toolkits.mplot3d.axes3d.Axes3D
        Axes of the surface: `ax_` itself, or other ones in its place where it is flat.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    surface_ : matplotlib.collections.PolyCollection
        The surface.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, rng=0)
    >>> display = mixtura.plot.SurfaceDisplay.from_fit(fit, X)
    >>> display.axes_3d_.get_zlabel()
    'density'
    """

    _is_flat: ClassVar[bool] = False

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    density: NDArray[np.float64]
    means: NDArray[np.float64]
    heights: NDArray[np.float64]
    feature_names: tuple[str, str] = ("feature 0", "feature 1")
    axes_3d_: Any = field(init=False)
    surface_: PolyCollection = field(init=False)

    @classmethod
    def from_model(
        cls,
        model: AnyModel,
        X: ArrayLike | None = None,
        *,
        features: tuple[Feature, Feature] = (0, 1),
        feature_names: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the density of two features of a mixture.

        Parameters
        ----------
        model : GaussianMixture or GMMFit
            Mixture with at least two features; of more, the marginal density is drawn.
        X : array_like of shape (n_samples, n_features) or None
            Rows that the picture reaches to, which are not drawn; a frame gives names to the axes.
            None for the mixture alone.
        features : tuple of two int or str
            Columns, by number or by name, on the first and the second axis.
        feature_names : sequence of n_features str or None
            Names of all columns; None for the mixture's, a frame's, or "feature 0" and so on.
        names : sequence of n_components str or None
            Names of the components, written above their means; None for their numbers.
        ax : matplotlib.axes.Axes or None
            Axes to draw on, those of ``projection="3d"``, or flat ones made by ``subplots``, whose
            place the surface takes; None makes a new figure.

        Returns
        -------
        SurfaceDisplay
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

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> fit = mixtura.fit_gmm(X, 2, rng=0)
        >>> display = mixtura.plot.SurfaceDisplay.from_model(fit.model)
        >>> display.axes_3d_.get_zlabel()
        'density'
        """
        mixture = as_mixture(model)
        data = data_to_draw(mixture, X, None, feature_names)
        pair = check_pair(features, data.names)
        look = check_look(names, True, mixture.n_components)
        both = marginal(mixture, pair)
        x, y = (_grid(both, axis, data.rows[:, pair[axis]]) for axis in (0, 1))
        at = np.stack(np.meshgrid(x, y), axis=-1)
        display = cls(
            x=x,
            y=y,
            density=np.exp(both.log_prob(at.reshape(-1, 2))).reshape(at.shape[:2]),
            means=both.means,
            heights=np.exp(both.log_prob(both.means)),
            feature_names=(data.names[pair[0]], data.names[pair[1]]),
            **look,
        )
        return display.plot(ax)

    def _columns(self) -> list[str]:
        return list(self.feature_names)

    def _panels(self) -> list[Axes]:
        return [self.axes_3d_]

    def _draw(self, ax: Axes) -> None:
        from matplotlib.colors import ListedColormap

        space: Any = ax
        if ax.name != "3d":
            ax.set_axis_off()
            space = self.figure_.add_subplot(check_place(ax), projection="3d")
        self.axes_3d_ = space
        # Sorted by distance, numbers would be drawn inside the surface.
        space.computed_zorder = False
        space.view_init(elev=ELEVATION)
        space.set_box_aspect(SIDES, zoom=ZOOM)
        at = np.meshgrid(self.x, self.y)
        shades = ListedColormap(blend(HEIGHTS, np.linspace(0, 1, 256)))
        self.surface_ = space.plot_surface(
            *at, self.density, rstride=1, cstride=1, cmap=shades, linewidth=0, antialiased=False,
            rasterized=True, zorder=1,
        )  # fmt: skip
        space.plot_wireframe(
            *at, self.density, rcount=LINES, ccount=LINES, color=INK, linewidth=0.3, alpha=0.4,
            zorder=2,
        )  # fmt: skip
        for j, (mean, height) in enumerate(zip(self.means, self.heights, strict=True)):
            name = None if self.names is None else self.names[j]
            space.text(
                *mean,
                height,
                str(j) if name is None else wrapped(name),
                **number_look(j, len(self.means), name),
            )
        space.set_xlabel(wrapped(self.feature_names[0], LABEL_WIDTH))
        space.set_ylabel(wrapped(self.feature_names[1], LABEL_WIDTH))
        space.set_zlabel(_density_label(self.feature_names), labelpad=7)
        space.locator_params(nbins=5)
        space.set_zlim(bottom=0)


def _density_label(names: Sequence[str]) -> str:
    """Return the label of the vertical axis, with units where both names end in "(unit)"."""
    units = [re.search(r"\(([^()]+)\)$", name) for name in names]
    found = [unit[1] for unit in units if unit is not None]
    return wrapped(f"density (per {'·'.join(found)})" if len(found) == 2 else "density")


def _grid(both: GaussianMixture, axis: int, shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points along one axis, from end to end of the picture."""
    means, deviations = both.means[:, axis], np.sqrt(both.covariances[:, axis, axis])
    ends = np.concatenate([means - REACH * deviations, means + REACH * deviations, shown])
    return density_grid(ends.min(), ends.max(), means, deviations, GRID_POINTS, GRID_POINTS)
