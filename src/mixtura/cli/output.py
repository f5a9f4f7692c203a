"""Files that the commands write: assignments of rows, and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mixtura.mixture import GaussianMixture

__all__ = ["save_picture", "write_assignments"]

# Responsibilities in memory at a time: all of them could be many times the size of the data.
VALUES_AT_ONCE = 1 << 20


def write_assignments(
    model: GaussianMixture, rows: NDArray[Any], out: Path, values_at_once: int = VALUES_AT_ONCE
) -> list[Path]:
    """Write labels.csv and responsibilities.csv, with one line for each row.

    Parameters
    ----------
    model : GaussianMixture
        Mixture to assign the rows to.
    rows : ndarray of shape (n_samples, n_features)
        Rows.
    out : Path
        Folder to write to.
    values_at_once : int
        Most responsibilities in memory at a time.

    Returns
    -------
    list of Path
        The two files.
    """
    paths = [out / "labels.csv", out / "responsibilities.csv"]
    step = max(1, values_at_once // model.n_components)
    with (
        paths[0].open("w", encoding="ascii") as labels,
        paths[1].open("w", encoding="ascii") as resp,
    ):
        labels.write("label\n")
        resp.write(",".join(f"component_{j}" for j in range(model.n_components)) + "\n")
        for start in range(0, len(rows), step):
            piece = rows[start : start + step]
            np.savetxt(labels, model.predict(piece), fmt="%d")
            np.savetxt(resp, model.responsibilities(piece), fmt="%.12g", delimiter=",")
    return paths


def save_picture(display: Any, path: Path) -> Path:
    """Write the figure of a display to a file, and close it.

    Parameters
    ----------
    display : display of mixtura.plot
        The display, drawn.
    path : Path
        File to write; its suffix chooses the format.

    Returns
    -------
    Path
        The file.
    """
    from matplotlib import pyplot as plt

    display.figure_.savefig(path, dpi=150)
    plt.close(display.figure_)
    return path
