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
Answer = Callable[[Any, NDArray[Any]], NDArray[Any]]

# Responsibilities in memory at a time: all of them could be many times the size of the data.
VALUES_AT_ONCE = 1 << 20


def write_assignments(
    model: Model,
    rows: NDArray[Any],
    out: Path,
    values_at_once: int = VALUES_AT_ONCE,
    missing: Missing = "raise",
) -> list[Path]:
    """Write labels.csv and, of a mixture, responsibilities.csv and log_prob.csv: a line for a row.

    A row that is not finite, which a fit allows with weight zero, has the label -1, and NaN in the
    other files.

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

    def write(name: str, columns: list[str], answer: Answer, otherwise: float, fmt: str) -> Path:
        path = out / f"{name}.csv"
        with path.open("w", encoding="ascii") as file:
            file.write(",".join(columns) + "\n")
            for piece in _pieces(rows, values_at_once // len(columns)):
                given = _of_finite_rows(answer, model, piece, otherwise, missing)
                np.savetxt(file, given, fmt=fmt, delimiter=",")
        return path

    labels = write("labels", ["label"], _labels, -1, "%d")
    if isinstance(model, KMeansFit):
        return [labels]
    components = [f"component_{j}" for j in range(model.n_components)]
    return [
        labels,
        write("responsibilities", components, _responsibilities, np.nan, "%.12g"),
        write("log_prob", ["log_prob"], _log_prob, np.nan, "%.12g"),
    ]


def _pieces(rows: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    for start in range(0, len(rows), max(1, size)):
        yield rows[start : start + max(1, size)]


def _of_finite_rows(
    answer: Answer,
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


def _log_prob(model: GaussianMixture, rows: NDArray[Any]) -> NDArray[Any]:
    log_prob: NDArray[Any] = model.log_prob(rows, missing="em")
    return log_prob


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
