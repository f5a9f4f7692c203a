"""Pictures of docs/manual/performance.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
STYLE = {
    "mixtura": ("o", "#0b4f8a"),
    "scikit-learn": ("s", "#c1502e"),
    "oneDAL": ("^", "#6b6b6b"),
}
plt.rcParams["svg.hashsalt"] = "mixtura"  # so that the same run draws the same file


def draw_iterations(rows: list[dict[str, Any]]) -> None:
    """Draw one line of marks for each library, in the order of the table."""
    figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
    places = np.arange(len(rows))
    for name, (marker, color) in STYLE.items():
        times = [1e3 * row["seconds"].get(name, np.nan) for row in rows]
        if not np.isnan(times).all():
            ax.plot(places, times, marker=marker, color=color, lw=1, ls=":", label=name)
    ax.set_yscale("log")
    ax.set_ylabel("ms for one iteration of EM")
    ax.set_xticks(places, [f"{row['n']:,}\n{row['d']}\n{row['k']}" for row in rows], fontsize=8)
    names = "rows\nfeatures\ncomponents"
    ax.text(-0.02, -0.04, names, transform=ax.transAxes, ha="right", va="top", fontsize=8)
    finish(figure, ax, "performance.svg")


def draw_growth(rows: list[dict[str, Any]]) -> None:
    """Draw the time of an iteration over the number of components."""
    figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
    kinds = {"default": ("-", "as chosen"), "dense": (":", "all pairs")}
    colors = dict(zip(sorted({row["apart"] for row in rows}), ("#c1502e", "#0b4f8a"), strict=True))
    for apart, color in colors.items():
        these = [row for row in rows if row["apart"] == apart]
        numbers = [row["k"] for row in these]
        for way, (line, label) in kinds.items():
            times = [1e3 * row["seconds"][way] for row in these]
            label = f"{apart:g} standard deviations apart, {label}"
            ax.plot(numbers, times, marker="o", ls=line, color=color, label=label)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(numbers, [str(k) for k in numbers])
    ax.set_xlabel("components")
    ax.set_ylabel("ms for one iteration of EM")
    finish(figure, ax, "components.svg")


def finish(figure: Any, ax: Any, name: str) -> None:
    """What both pictures have in common; write the file."""
    ax.grid(axis="y", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    figure.savefig(PICTURES / name, metadata={"Date": None})
    plt.close(figure)
