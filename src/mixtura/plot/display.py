"""The base classes of all displays."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from dataclasses import dataclass, field
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike

from mixtura.data.frames import described
from mixtura.plot.model import AnyModel
from mixtura.plot.style import check_axes, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Display", "ModelDisplay", "common_limits"]


class _Named(ABCMeta):
    """Classes whose constructors are named in the error for another one."""

    def __getattr__(cls, name: str) -> Any:
        text = f"type object {cls.__name__!r} has no attribute {name!r}"
        if name.startswith("from_"):
            known = [f"{cls.__name__}.{each}" for each in dir(cls) if each.startswith("from_")]
            text += f"; use {' or '.join(known)}"
        raise AttributeError(text)


@dataclass(kw_only=True, eq=False, repr=False)
class Display(metaclass=_Named):
    """Numbers of a picture, drawn by `plot`.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the picture.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    """

    _is_flat: ClassVar[bool] = True

    ax_: Axes = field(init=False)
    figure_: Figure = field(init=False)  # for type checkers, so that they know `savefig`

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
        ValueError
            If `ax` has three dimensions and the picture has two.
        ImportError
            If matplotlib is missing.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> fit = mixtura.fit_gmm(X, 2, rng=0)
        >>> display = mixtura.plot.ScatterDisplay.from_fit(fit, X)
        >>> [[left, right]] = mixtura.plot.new_axes(1, 2)
        >>> display.plot(ax=right).ax_ is right
        True
        """
        self.ax_ = (
            new_axes(panel_size=self._size())[0, 0]
            if ax is None
            else check_axes(ax, flat=self._is_flat)
        )
        self.figure_ = cast("Figure", self.ax_.figure)
        self._draw(self.ax_)
        return self

    def _panels(self) -> list[Axes]:
        """Axes that the data are drawn on."""
        return [self.ax_]

    def _columns(self) -> list[str]:
        """Names of the columns of the data that are drawn, in the order of the axes."""
        return []

    def _size(self) -> tuple[float, float]:
        """Width and height of a new figure in inches."""
        return (6.4, 4.8)

    @abstractmethod
    def _draw(self, ax: Axes) -> None:
        """Draw the picture on `ax`."""


@dataclass(kw_only=True, eq=False, repr=False)
class ModelDisplay(Display):
    """Picture of a mixture or of clusters and, where given, of data.

    Attributes
    ----------
    names : list of str or None
        Names of the components; None where they have numbers only.
    legend : bool
        Whether the picture has a legend.
    """

    names: list[str] | None = None
    legend: bool = True

    @classmethod
    @abstractmethod
    def from_model(cls, model: AnyModel, *args: Any, **options: Any) -> Self:
        """Draw a mixture or clusters and, where given, data."""

    @classmethod
    def from_fit(cls, fit: AnyModel, X: ArrayLike | None = None, **options: Any) -> Self:
        """Draw a fitted mixture, or the clusters of k-means; see `from_model`.

        Parameters
        ----------
        fit : GMMFit or KMeansFit
            What is drawn.
        X : array_like of shape (n_samples, n_features) or None
            Rows to draw with it.
        **options : dict
            Further arguments of `from_model`.

        Returns
        -------
        ModelDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            For an argument that `from_model` does not take.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> fit = mixtura.fit_gmm(X, 2, rng=0)
        >>> names = ["long", "short"]
        >>> mixtura.plot.ScatterDisplay.from_fit(fit, X, names=names).names
        ['long', 'short']
        """
        known = list(signature(cls.from_model).parameters)[2:]
        for name in options:
            if name not in known:
                raise TypeError(
                    f"{cls.__name__}.from_fit has no argument {name!r}. It takes "
                    f"{', '.join(('fit', 'X', *known))}."
                )
        return cls.from_model(fit, X, **options)


def common_limits(*displays: Display) -> None:
    """Give the axes of several pictures the same limits: the widest of each.

    Parameters
    ----------
    *displays : Display
        Pictures that have been drawn, of one kind: a panel of each has the limits of the same
        panel of the others.

    Raises
    ------
    TypeError
        For anything but displays, such as a list of them or their axes.
    ValueError
        For pictures with different numbers of panels or of different columns, and for one that has
        not been drawn.

    Notes
    -----
    A density is drawn for its own limits only; beyond them its picture is empty. Limits of one
    picture are set with ``display.ax_.set_xlim``.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, rng=0)
    >>> both = [mixtura.plot.ScatterDisplay.from_fit(fit, rows) for rows in (X[:50], X)]
    >>> mixtura.plot.common_limits(*both)
    >>> both[0].ax_.get_xlim() == both[1].ax_.get_xlim()
    True
    """
    for display in displays:
        _check_drawn(display)
    panels = [display._panels() for display in displays]
    if len({len(each) for each in panels}) > 1:
        raise ValueError(
            f"displays must have the same number of panels; got {[len(each) for each in panels]}. "
            f"Draw the same features in each of them."
        )
    columns = [display._columns() for display in displays]
    if any(each != columns[0] for each in columns):
        other = next(each for each in columns if each != columns[0])
        raise ValueError(
            f"displays must show the same columns; got {columns[0]} and {other}. Draw the same "
            f"features, and give the same feature_names."
        )
    for alike in zip(*panels, strict=True):
        for axis in ("x", "y"):
            limits = [getattr(ax, f"get_{axis}lim")() for ax in alike]
            for ax in alike:
                getattr(ax, f"set_{axis}lim")(
                    min(low for low, _ in limits), max(high for _, high in limits)
                )


def _check_drawn(display: object) -> None:
    """Raise an error for anything but a display that has been drawn."""
    if not isinstance(display, Display):
        many = isinstance(display, list | tuple | np.ndarray)
        raise TypeError(
            f"common_limits needs displays of mixtura.plot; got {described(display)}. Pass "
            f"{'them one by one: common_limits(first, second)' * many}"
            f"{'the displays themselves, not their axes' * (not many)}."
        )
    if not hasattr(display, "ax_"):
        raise ValueError(
            f"displays must have been drawn; got a {type(display).__name__} without axes. "
            f"Call its plot() first."
        )
