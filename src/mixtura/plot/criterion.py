"""Curves of a criterion, one for each covariance family, against the number of components."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from mixtura.data.checks import check_count, check_flag
from mixtura.data.frames import described
from mixtura.fitting.selection import criterion_name
from mixtura.plot.display import Display
from mixtura.plot.style import INK, component_style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["CriterionDisplay"]

NEEDED = ("n_components", "covariance_types", "table", "criterion")
TICK_DISTANCE = 0.09  # on the vertical axis, as a share of it
OTHERS = "#B9BCC6"  # of families that are not highlighted
TITLES = {"bic": "BIC", "aic": "AIC", "icl": "ICL", "cv": "cross-validation", "elbo": "-2 ELBO"}


@dataclass(kw_only=True, eq=False, repr=False)
class CriterionDisplay(Display):
    """Curves of a criterion against the number of components, the lowest value marked.

    A curve shows how far the values of a family are above the lowest of all. The scale is that of
    the square root, because good models differ little and bad ones a lot. The legend has the lowest
    value of each highlighted family. A curve has a gap where a model could not be fitted.

    The best families have a colour and a marker each, by their rank, and the vertical axis fits
    their curves. The others are thin and grey, and may leave the picture at the top.

    Parameters
    ----------
    n_components : sequence of int
        Numbers of components, the rows of `table`.
    covariance_types : sequence of str
        Families, the columns of `table`.
    table : array_like of shape (len(n_components), len(covariance_types))
        The criterion, lower is better; NaN or infinite where there is none.
    criterion : str or callable
        Name of the criterion: "bic", "aic", "icl", "cv", "elbo" or any other. Of a callable, its
        own name.
    highlight : int
        Number of families in colour: those with the lowest values.
    legend : bool
        Whether the picture has a legend.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the picture.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    lines_ : list of matplotlib.lines.Line2D
        The curves, in the order of `covariance_types`.

    Raises
    ------
    ValueError
        If the table has another shape or no finite number.

    Examples
    --------
    >>> from mixtura.plot import CriterionDisplay
    >>> display = CriterionDisplay(
    ...     n_components=[1, 2],
    ...     covariance_types=["full", "tied"],
    ...     table=[[2607.6, 2607.6], [2322.2, float("nan")]],
    ... )
    >>> display.best
    (2, 'full')
    """

    n_components: Sequence[int]
    covariance_types: Sequence[str]
    table: Any
    criterion: str | Callable[..., float] = "bic"
    highlight: int = 5
    legend: bool = True
    lines_: list[Line2D] = field(init=False)

    def __post_init__(self) -> None:
        check_flag("legend", self.legend)
        check_count("highlight", self.highlight)
        table = np.asarray(self.table, dtype=np.float64)
        self.table = np.where(np.isfinite(table), table, np.nan)
        expected = (len(self.n_components), len(self.covariance_types))
        if self.table.shape != expected:
            raise ValueError(
                f"table must have shape {expected}, a row for each number of components and a "
                f"column for each family; got {self.table.shape}. Transpose it, or correct "
                f"n_components and covariance_types."
            )
        if np.isnan(self.table).all():
            raise ValueError(
                "table must have a finite number; got none. Fit fewer components, or families "
                "with fewer parameters."
            )

    @classmethod
    def from_selection(
        cls,
        selection: Any,
        *,
        highlight: int = 5,
        legend: bool = True,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the table of a selection among models.

        Parameters
        ----------
        selection : object
            Anything with the attributes `n_components`, `covariance_types`, `table` and
            `criterion`, such as the result of `select_gmm`.
        highlight : int
            Number of families in colour: those with the lowest values. The others are grey.
        legend : bool
            Whether to draw a legend.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        CriterionDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            For anything without these attributes.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_acidity().data
        >>> selection = mixtura.select_gmm(X, range(1, 4), ["E"], rng=0)
        >>> display = mixtura.plot.CriterionDisplay.from_selection(selection)
        >>> display.best, len(display.lines_)
        ((2, 'E'), 1)
        """
        lacking = [name for name in NEEDED if not hasattr(selection, name)]
        if lacking:
            raise TypeError(
                f"selection must have the attributes {', '.join(NEEDED)}; got "
                f"{described(selection)} without {', '.join(lacking)}. Pass the result of "
                f"select_gmm."
            )
        display = cls(
            n_components=selection.n_components,
            covariance_types=selection.covariance_types,
            table=selection.table,
            criterion=selection.criterion,
            highlight=highlight,
            legend=legend,
        )
        return display.plot(ax)

    @property
    def best(self) -> tuple[int, str]:
        """Number of components and family of the lowest value."""
        row, column = divmod(int(np.nanargmin(self.table)), len(self.covariance_types))
        return self.n_components[row], self.covariance_types[column]

    def _size(self) -> tuple[float, float]:
        return (8.2, 4.8)  # with a legend beside the axes

    def _draw(self, ax: Axes) -> None:
        order = np.argsort(self.n_components)
        k = np.asarray(self.n_components)[order]
        values = self.table[order]
        lowest = float(np.nanmin(values))
        ranked = self._ranked(values)
        best, others = ranked[: self.highlight], ranked[self.highlight :]
        lines = {j: self._draw_other(ax, k, values[:, j] - lowest) for j in others}
        for rank, j in enumerate(best):
            lines[j] = self._draw_best(ax, k, values[:, j] - lowest, rank)
            lines[j].set_label(self.covariance_types[j])
        self.lines_ = [lines[j] for j in range(len(self.covariance_types))]
        ring = ax.scatter(
            [self.best[0]], [0], s=140, facecolors="none", edgecolors=INK, linewidths=1.6, zorder=4,
            label="lowest of all",
        )  # fmt: skip
        self._set_scale(ax, float(np.nanmax(values[:, best])) - lowest)
        if self.legend:
            self._draw_legend(ax, ring, k, values)
        ax.set_xlim(k[0] - 0.5, k[-1] + 0.5)
        ax.locator_params(axis="x", integer=True, min_n_ticks=1)
        ax.set_xlabel("number of components")
        ax.set_ylabel(f"{self._title()} above the lowest\n(square-root scale, lower is better)")

    def _ranked(self, values: NDArray[np.float64]) -> list[int]:
        """Return the families, the one with the lowest value first."""
        lows = np.fmin.reduce(values)  # ignores NaN, unless there is nothing else
        ranked: list[int] = np.argsort(lows, kind="stable").tolist()
        return ranked

    def _draw_other(self, ax: Axes, k: NDArray[np.int64], above: NDArray[np.float64]) -> Line2D:
        marker = "." if len(k) == 1 else ""
        (line,) = ax.plot(k, above, color=OTHERS, linewidth=0.8, marker=marker, zorder=1.9)
        return line

    def _draw_best(
        self, ax: Axes, k: NDArray[np.int64], above: NDArray[np.float64], rank: int
    ) -> Line2D:
        style = component_style(rank)
        (line,) = ax.plot(
            k,
            above,
            color=style.colour,
            linestyle=style.line_style,
            linewidth=1.4,
            marker=style.marker,
            markersize=6,
            markeredgecolor="white",
            markeredgewidth=0.5,
            zorder=3 - 0.5 * rank / len(self.covariance_types),  # the best on top
        )
        return line

    def _set_scale(self, ax: Axes, highest: float) -> None:
        """Set the square-root scale of the vertical axis, and ticks at round numbers."""
        ax.set_yscale("function", functions=(_signed_root, _signed_square))
        span = np.sqrt(highest) or 1.0
        decade = int(np.floor(np.log10(span**2)))
        ticks = [0.0]
        for tick in (m * 10.0**e for e in range(decade - 4, decade + 1) for m in (1, 2, 5)):
            if TICK_DISTANCE * span <= np.sqrt(tick) - np.sqrt(ticks[-1]) and tick <= span**2:
                ticks.append(tick)
        ax.set_yticks(ticks, [f"{tick:,.10g}" for tick in ticks])
        ax.set_ylim(_signed_square(-0.06 * span), _signed_square(1.06 * span))

    def _draw_legend(
        self, ax: Axes, ring: Artist, k: NDArray[np.int64], values: NDArray[np.float64]
    ) -> None:
        """List the best families beside the axes, each with its lowest value and where it is."""
        handles, labels = [ring], ["lowest of all"]
        ranked = self._ranked(values)
        for j in ranked[: self.highlight]:
            low = "not fitted"
            if not np.isnan(values[:, j]).all():
                row = np.nanargmin(values[:, j])
                low = f"{values[row, j]:.6g} at {k[row]}"
            handles.append(self.lines_[j])
            labels.append(f"{self.covariance_types[j]}: {low}")
        others = ranked[self.highlight :]
        if others:
            handles.append(self.lines_[others[0]])
            labels.append(f"{len(others)} other{'s'[: len(others) != 1]}")
        ax.legend(
            handles,
            labels,
            title=f"{self._title()}, lower is better",
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            borderaxespad=0,
            handlelength=2.4,
            fontsize="small",
            title_fontsize="small",
            frameon=False,
        )

    def _title(self) -> str:
        name = criterion_name(self.criterion)
        return TITLES.get(name, name)


def _signed_root(value: NDArray[np.float64]) -> NDArray[np.float64]:
    root: NDArray[np.float64] = np.sign(value) * np.sqrt(np.abs(value))
    return root


def _signed_square(value: Any) -> Any:
    return np.sign(value) * np.square(value)
