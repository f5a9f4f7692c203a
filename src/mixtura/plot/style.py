"""What the pictures share: axes, the look of a component, and the checks of what is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.validation import check_rows, check_sample_weight

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "INK",
    "MAX_LEGEND",
    "PALE",
    "ComponentStyle",
    "check_feature",
    "component_label",
    "component_style",
    "draw_number",
    "new_axes",
    "rows_to_draw",
]

# Neighbours differ in hue for the colour-blind (after Okabe and Ito 2008), in lightness for grey.
COLOURS = ("#0B559F", "#E39B0B", "#00846B", "#C2410C", "#56A8E0", "#8E3A80", "#9A9A2E", "#5B5B66")
MARKERS = "os^DvPX*"
LINE_STYLES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)))
INK = "#26262B"
PALE = "#D9DBE1"

# A longer legend hides the picture; the numbers drawn at the components still tell them apart.
MAX_LEGEND = 12


@dataclass(frozen=True)
class ComponentStyle:
    """How one component looks in every picture."""

    colour: str
    marker: str
    line_style: Any  # matplotlib takes names and (offset, dashes) pairs


def component_style(j: int) -> ComponentStyle:
    """Return the look of component j; the three cycles differ in length."""
    return ComponentStyle(
        colour=COLOURS[j % len(COLOURS)],
        marker=MARKERS[j % len(MARKERS)],
        line_style=LINE_STYLES[j % len(LINE_STYLES)],
    )


def component_label(j: int, weight: float) -> str:
    """Return what a legend says of component j."""
    return f"component {j} ({weight:.0%})"


def new_axes(
    n_rows: int = 1, n_columns: int = 1, *, panel_size: tuple[float, float] = (6.4, 4.8)
) -> NDArray[Any]:
    """Make a figure of panels in the plain style of these pictures.

    Parameters
    ----------
    n_rows, n_columns : int
        Number of panels below and beside each other.
    panel_size : tuple of two float
        Width and height of one panel in inches.

    Returns
    -------
    ndarray of shape (n_rows, n_columns), object
        The matplotlib axes.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            "mixtura.plot needs matplotlib, which is not installed. "
            "Install it with: pip install 'mixtura[plot]'."
        ) from error

    width, height = panel_size
    _, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(n_columns * width, n_rows * height),
        layout="constrained",
        squeeze=False,
    )
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["bottom", "left"]].set_color(INK)
        ax.grid(color=PALE, linewidth=0.6, alpha=0.6)
        ax.set_axisbelow(True)
    return axes


def draw_number(ax: Axes, j: int, x: float, y: float) -> None:
    """Write the number of component j into a disc at (x, y)."""
    ax.annotate(
        str(j),
        (x, y),
        horizontalalignment="center",
        verticalalignment="center",
        fontsize="small",
        fontweight="bold",
        color=INK,
        bbox={
            "boxstyle": "circle,pad=0.25",
            "facecolor": "white",
            "edgecolor": component_style(j).colour,
            "linewidth": 1.2,
        },
        zorder=5,
    )


def check_feature(feature: int, n_features: int) -> int:
    """Refuse a column that the mixture does not have."""
    if not 0 <= feature < n_features:
        raise ValueError(
            f"a feature to draw must be from 0 to {n_features - 1}; got {feature}. "
            f"Pass the number of a column of the mixture."
        )
    return feature


def rows_to_draw(
    X: ArrayLike | None, sample_weight: ArrayLike | None, n_features: int
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Rows that have weight, and their weights; no rows where there are no data."""
    rows = check_rows(np.empty((0, n_features)) if X is None else X, n_features=n_features)
    weight = check_sample_weight(sample_weight, len(rows))
    if weight.all():
        return rows, weight
    present = weight > 0
    return rows[present], weight[present]
