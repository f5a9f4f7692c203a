"""Files that the commands write: assignments of rows, and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mixtura.mixture import GaussianMixture

__all__ = ["save_picture", "write_assignments"]

# Responsibilities held at a time: all of them could be many times the size of the data.
VALUES_AT_ONCE = 1 << 20


def write_assignments(model: GaussianMixture, rows: NDArray[Any], out: Path) -> list[Path]:
    """Write labels.csv and responsibilities.csv, each with one line for each row.

    Parameters
    ----------
    model : GaussianMixture
        Mixture to assign the rows to.
    rows : ndarray of shape (n_samples, n_features)
        Rows, taken in pieces of at most about 2**20 responsibilities.
    out : Path
        Folder to write to.

    Returns
    -------
    list of Path
        The two files.
    """
    paths = [out / "labels.csv", out / "responsibilities.csv"]
    step = max(1, VALUES_AT_ONCE // model.n_components)
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
    """Write the figure of a display to a file and let go of it.

    Parameters
    ----------
    display : display of mixtura.plot
        What was drawn.
    path : Path
        File to write; its ending chooses the format.

    Returns
    -------
    Path
        The file.
    """
    from matplotlib import pyplot as plt

    display.figure_.savefig(path, dpi=150)
    plt.close(display.figure_)
    return path
