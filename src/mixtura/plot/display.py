"""The base classes of all displays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike

from mixtura.plot.style import check_axes, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from mixtura.fitting.result import GMMFit
    from mixtura.mixture import GaussianMixture

__all__ = ["Display", "ModelDisplay"]


@dataclass(kw_only=True, eq=False, repr=False)
class Display(ABC):
    """Numbers of a picture, drawn by `plot`.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the picture.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    """

    ax_: Axes = field(init=False)
    figure_: Figure | SubFigure = field(init=False)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on `ax`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        Display
            The display itself.

        Raises
        ------
        TypeError
            If `ax` is something else, such as an array of axes.
        ImportError
            If matplotlib is missing.
        """
        self.ax_ = new_axes(panel_size=self._size())[0, 0] if ax is None else check_axes(ax)
        self.figure_ = self.ax_.figure
        self._draw(self.ax_)
        return self

    def _size(self) -> tuple[float, float]:
        """Width and height of a new figure in inches."""
        return (6.4, 4.8)

    @abstractmethod
    def _draw(self, ax: Axes) -> None:
        """Draw the picture on `ax`."""


@dataclass(kw_only=True, eq=False, repr=False)
class ModelDisplay(Display):
    """Picture of a mixture and, where given, of data."""

    @classmethod
    @abstractmethod
    def from_model(cls, model: GaussianMixture, *args: Any, **options: Any) -> Self:
        """Draw a mixture and, where given, data."""

    @classmethod
    def from_fit(cls, fit: GMMFit, X: ArrayLike | None = None, **options: Any) -> Self:
        """Draw a fitted mixture; see `from_model`.

        Parameters
        ----------
        fit : GMMFit
            Fit whose model is drawn.
        X : array_like of shape (n_samples, n_features) or None
            Rows to draw with it.
        **options : dict
            Further arguments of `from_model`.

        Returns
        -------
        ModelDisplay
            The display, drawn.
        """
        return cls.from_model(fit.model, X, **options)
