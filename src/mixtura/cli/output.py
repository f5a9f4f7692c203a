"""Files that the commands write: assignments of rows, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.finite import rows_not_finite
from mixtura.data.missing import Missing
from mixtura.fitting import KMeansFit
from mixtura.mixture import GaussianMixture

__all__ = ["Model", "save_picture", "write_assignments"]

Model = GaussianMixture | KMeansFit

# Responsibilities in memory at a time: all of them could be many times the size of the data.
VALUES_AT_ONCE = 1 << 20


def write_assignments(
    model: Model,
    rows: NDArray[Any],
    out: Path,
    values_at_once: int = VALUES_AT_ONCE,
    missing: Missing = "raise",
) -> list[Path]:
    """Write labels.csv and, of a mixture, responsibilities.csv, with one line for each row.

    A row that is not finite, which a fit allows with weight zero, has the label -1 and
    responsibilities of NaN.

    Parameters
    ----------
    model : GaussianMixture or KMeansFit
        Model to assign the rows to.
    rows : ndarray of shape (n_samples, n_features)
        Rows.
    out : Path
        Folder to write to.
    values_at_once : int
        Most responsibilities in memory at a time.
    missing : {"raise", "em"}
        With "em", rows with missing values are assigned by what is observed of them.

    Returns
    -------
    list of Path
        The files.
    """
    path = out / "labels.csv"
    with path.open("w", encoding="ascii") as file:
        file.write("label\n")
        for piece in _pieces(rows, values_at_once):
            np.savetxt(file, _of_finite_rows(_labels, model, piece, -1, missing), fmt="%d")
    if isinstance(model, KMeansFit):
        return [path]
    paths = [path, out / "responsibilities.csv"]
    k = model.n_components
    with paths[1].open("w", encoding="ascii") as file:
        file.write(",".join(f"component_{j}" for j in range(k)) + "\n")
        for piece in _pieces(rows, values_at_once // k):
            resp = _of_finite_rows(_responsibilities, model, piece, np.nan, missing)
            np.savetxt(file, resp, fmt="%.12g", delimiter=",")
    return paths


def _pieces(rows: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    for start in range(0, len(rows), max(1, size)):
        yield rows[start : start + max(1, size)]


def _of_finite_rows(
    answer: Callable[[Any, NDArray[Any]], NDArray[Any]],
    model: Model,
    rows: NDArray[Any],
    otherwise: float,
    missing: Missing,
) -> NDArray[Any]:
    """Return the answers for all rows, `otherwise` for those that are not finite."""
    bad = rows_not_finite(rows, missing)
    given = answer(model, np.where(bad[:, None], 0.0, rows) if bad.any() else rows)
    given[bad] = otherwise
    return given


def _labels(model: Model, rows: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = model.predict(rows, missing="em")
    return labels


def _responsibilities(model: GaussianMixture, rows: NDArray[Any]) -> NDArray[Any]:
    resp: NDArray[Any] = model.responsibilities(rows, missing="em")
    return resp


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
