"""What the pictures share: axes, labels and the look of a component."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.checks import check_flag
from mixtura.data.frames import check_ordered, described

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.gridspec import SubplotSpec

__all__ = [
    "INK",
    "MAX_LEGEND",
    "PALE",
    "ComponentStyle",
    "blend",
    "check_axes",
    "check_look",
    "check_place",
    "component_label",
    "component_style",
    "draw_number",
    "mixed",
    "new_axes",
    "number_look",
    "plain",
    "wrapped",
]

# Neighbours differ in hue for the colour-blind (after Okabe and Ito 2008), and in lightness.
COLOURS = ("#0B559F", "#E39B0B", "#00846B", "#C2410C", "#56A8E0", "#8E3A80", "#9A9A2E", "#5B5B66")
MARKERS = "os^DvPX*<"
LINE_STYLES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)))
INK = "#26262B"
PALE = "#D9DBE1"

# Oklab (Ottosson 2020), in which equal steps look equal: linear RGB to responses of cones, and
# their cube roots to lightness, green to red and blue to yellow.
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

# A longer legend would hide the picture. Components have their numbers drawn on them anyway.
MAX_LEGEND = 12


@dataclass(frozen=True)
class ComponentStyle:
    """How one component looks in every picture."""

    colour: str
    marker: str
    line_style: Any  # matplotlib takes names and (offset, dashes) pairs


def component_style(j: int) -> ComponentStyle:
    """Return the look of component j; cycles of different lengths give 360 different looks."""
    return ComponentStyle(
        colour=COLOURS[j % len(COLOURS)],
        marker=MARKERS[j % len(MARKERS)],
        line_style=LINE_STYLES[j % len(LINE_STYLES)],
    )


def check_place(ax: Axes) -> SubplotSpec:
    """Return the place of axes in a grid, which a grid of panels can take."""
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "ax must have a place in a grid, for the panels to take; got axes placed by hand. "
            "Make it with plt.subplots(), or pass None for a new figure."
        )
    return place


def blend(colours: Sequence[str], places: Any) -> NDArray[np.float64]:
    """Colours (n, 3) at places between 0, the first of `colours`, and 1, the last."""
    from matplotlib.colors import to_rgb

    stops = np.array([to_rgb(colour) for colour in colours])
    evenly = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(places, evenly, channel) for channel in stops.T], axis=-1)


def mixed(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the colours (n, 3) of rows of which each component has a share, (n, n_components).

    They are weighted means of the colours of the components in Oklab. A row of one component alone
    has its colour. Components that have one colour, such as 0 and 8, do not show in a mix.
    """
    from matplotlib.colors import to_rgb

    rgb = np.array([to_rgb(component_style(j).colour) for j in range(shares.shape[1])])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lab = shares @ (np.cbrt(linear @ TO_CONES.T) @ TO_OKLAB.T)
    linear = (lab @ np.linalg.inv(TO_OKLAB).T) ** 3 @ np.linalg.inv(TO_CONES).T
    linear = np.clip(linear, 0.0, 1.0)
    power = 1.055 * linear ** (1 / 2.4) - 0.055
    colours: NDArray[np.float64] = np.where(linear <= 0.0031308, 12.92 * linear, power)
    return np.clip(colours, 0.0, 1.0)


def component_label(j: int, weight: float, part: str, names: Sequence[str] | None) -> str:
    """Return the text of component j in a legend, or of a cluster if that is what a part is."""
    name = f"{part} {j}" if names is None else f"{j}: {wrapped(names[j])}"
    return f"{name} ({weight:.0%})"


def check_names(names: Sequence[str] | None, n_components: int) -> list[str] | None:
    """Return the names of the components, if there are any."""
    if names is None:
        return None
    expected = f"names must be {n_components} strings, one for each component"
    if isinstance(names, str):
        raise TypeError(f"{expected}; got {names!r}. Put it in a list.")
    check_ordered(names, expected)
    if len(names) != n_components:
        raise ValueError(f"{expected}; got {len(names)}. Name each component once.")
    for j, name in enumerate(names):
        if not isinstance(name, str):
            raise TypeError(f"{expected}; got {described(name)} for component {j}. Pass strings.")
    return list(map(str, names))


def check_look(names: Sequence[str] | None, legend: bool, n_components: int) -> dict[str, Any]:
    """Return the arguments that all pictures of components take, checked."""
    return {"names": check_names(names, n_components), "legend": check_flag("legend", legend)}


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

    Examples
    --------
    >>> import mixtura
    >>> mixtura.plot.new_axes(1, 2).shape
    (1, 2)
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
        plain(ax)
    return axes


def plain(ax: Axes) -> Axes:
    """Give axes the plain style of these pictures."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["bottom", "left"]].set_color(INK)
    ax.grid(color=PALE, linewidth=0.6, alpha=0.6)
    ax.set_axisbelow(True)
    return ax


def check_axes(ax: Axes, *, flat: bool) -> Axes:
    """Return the axes; raise an error for anything else, such as an array of axes.

    Parameters
    ----------
    ax : object
        What a user passed.
    flat : bool
        Whether those of three dimensions are refused.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(
            f"ax must be one matplotlib Axes, or None for a new figure; got "
            f"{type(ax).__name__}. From an array of axes pass one, such as axes[0, 0]."
        )
    if flat and ax.name == "3d":
        raise ValueError(
            'ax must have two dimensions, as this picture has; got axes of projection="3d". Make '
            "them with plt.subplots(), or pass None for a new figure."
        )
    return ax


def wrapped(name: str, width: int = 48) -> str:
    """Return the name of a column on at most two lines, with dollars that start no formula."""
    lines = textwrap.fill(name, width, max_lines=2, placeholder=" …")
    return lines.replace("$", r"\$")


def draw_number(
    ax: Axes, j: int, n_components: int, x: float, y: float, name: str | None = None
) -> None:
    """Write the number or name of component j at (x, y), small if there are many."""
    text = str(j) if name is None else wrapped(name)
    ax.annotate(text, (x, y), **number_look(j, n_components, name))


def number_look(j: int, n_components: int, name: str | None = None) -> dict[str, Any]:
    """Return how matplotlib writes the number or name of component j."""
    padding = 0.25 if n_components <= MAX_LEGEND else 0.1
    return {
        "horizontalalignment": "center",
        "verticalalignment": "center",
        "fontsize": "small" if n_components <= MAX_LEGEND else "x-small",
        "fontweight": "bold",
        "color": INK,
        "bbox": {
            "boxstyle": f"{'circle' if name is None else 'round'},pad={padding}",
            "facecolor": "white",
            "edgecolor": component_style(j).colour,
            "linewidth": 1.2,
        },
        "zorder": 5,
    }
