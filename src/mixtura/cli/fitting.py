"""The command ``fit``: reads a table; writes model, summary, assignments and pictures."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import mixtura
from mixtura import plot
from mixtura.cli.input import InputError, Table, read_table
from mixtura.cli.messages import with_options
from mixtura.cli.output import save_picture, write_assignments
from mixtura.data import RowSource, open_rows
from mixtura.data.missing import Missing
from mixtura.mixture.table import counted

__all__ = ["draw_components", "run_fit"]

# Arguments that are passed to fit_gmm if they are given.
FIT_OPTIONS = ("covariance_type", "n_init", "max_iter", "tol", "reg_covar", "missing", "n_threads")


def run_fit(arguments: argparse.Namespace) -> None:
    """Fit the file that the arguments name, print the summary and write the results.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed command line: file, columns, weights, header, n_components, seed, out, and those of
        `FIT_OPTIONS` that were given.

    Raises
    ------
    InputError
        If the file or an option is wrong.
    FitError
        If the fit cannot continue.
    """
    missing: Missing = getattr(arguments, "missing", "raise")
    table = read_table(
        arguments.file, arguments.columns, arguments.weights, arguments.header, missing
    )
    options = {name: value for name, value in vars(arguments).items() if name in FIT_OPTIONS}
    # The fit may take long, so an error of the folder should come before it.
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        fit = mixtura.fit_gmm(
            _rows(table, missing),
            arguments.n_components,
            rng=arguments.seed,
            **options,
        )
    except (ValueError, TypeError) as error:
        raise InputError(f"{arguments.file}: {with_options(error)}") from error

    n_samples, n_features = table.rows.shape
    counts = f"{counted(n_samples, 'row')}, {counted(n_features, 'column')}"
    heading = f"{arguments.file}: {counts} ({', '.join(table.names)})"
    summary = f"{heading}\n\n{fit.summary(table.names)}\n"
    done: list[str] = []
    try:
        # All files first: whoever reads the output may close it after a few lines.
        done.extend(_write(fit, table, summary, arguments.out, missing))
    finally:
        print(summary, *done, sep="\n")


def _rows(table: Table, missing: Missing) -> RowSource:
    """Return rows with weights and the names that the file has, which the model keeps."""
    rows = open_rows(table.rows, table.sample_weight, missing=missing)
    rows.feature_names = table.names if table.has_names else None
    return rows


def _write(
    fit: mixtura.GMMFit, table: Table, summary: str, out: Path, missing: Missing
) -> Iterator[str]:
    """Write all files; yield what to say about each."""
    fit.model.save(out / "model.npz")
    yield f"wrote {out / 'model.npz'}"
    (out / "summary.txt").write_text(summary, encoding="utf-8")
    yield f"wrote {out / 'summary.txt'}"
    for path in write_assignments(fit.model, table.rows, out, missing=missing):
        yield f"wrote {path}"
    try:
        pictures = {"log_likelihood": plot.HistoryDisplay.from_fit(fit)}
        drawn = _without_holes(table)
        if len(drawn.rows) < len(table.rows):
            yield f"components.png has the {counted(len(drawn.rows), 'row')} without missing values"
        if len(drawn.rows):
            pictures = {"components": draw_components(fit, drawn), **pictures}
    except ImportError as error:
        yield f"no pictures: {error}"
        return
    for name, display in pictures.items():
        yield f"wrote {save_picture(display, out / f'{name}.png')}"


def _without_holes(table: Table) -> Table:
    """Return the rows that have every number that is drawn."""
    holes = np.isnan(table.rows[:, : plot.MAX_FEATURES]).any(axis=1)
    weight = table.sample_weight
    if weight is not None:
        holes &= weight > 0.0
    if not holes.any():
        return table
    weight = None if weight is None else weight[~holes]
    return replace(table, rows=table.rows[~holes], sample_weight=weight)


def draw_components(fit: mixtura.GMMFit, table: Table) -> Any:
    """Draw data and components, in a picture that suits the number of columns.

    Parameters
    ----------
    fit : GMMFit
        Fit of the table.
    table : Table
        The data; of more than eight columns the first eight are drawn.

    Returns
    -------
    display of mixtura.plot
        The display, drawn.
    """
    n_features = len(table.names)
    data: dict[str, Any] = {
        "sample_weight": table.sample_weight,
        "feature_names": table.names,
    }
    if n_features == 1:
        return plot.HistogramDisplay.from_fit(fit, table.rows, **data)
    if n_features == 2:
        return plot.ScatterDisplay.from_fit(fit, table.rows, **data)
    shown = range(min(n_features, plot.MAX_FEATURES))
    return plot.PairDisplay.from_fit(fit, table.rows, features=shown, **data)
