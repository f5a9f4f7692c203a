"""The command ``predict``: a saved model on the rows of another file."""

from __future__ import annotations

import argparse
from pathlib import Path

import mixtura
from mixtura.cli.input import ColumnFile, choose_columns, open_file, read_columns
from mixtura.cli.messages import InputError, note
from mixtura.cli.output import Model, write_assignments
from mixtura.data.frames import Names, listed
from mixtura.data.missing import Missing
from mixtura.mixture.table import counted

__all__ = ["run_predict"]


def run_predict(arguments: argparse.Namespace) -> None:
    """Assign the rows of a file to the components of a saved model.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed command line: model, file, columns, header, out, and missing if it was given.

    Raises
    ------
    InputError
        If a file is wrong, or has not the columns of the model.
    """
    model, feature_names, n_features = _load(arguments.model)
    file = open_file(arguments.file, arguments.header)
    chosen = _columns(file, arguments.columns, feature_names, n_features)
    said: Missing = "raise" if isinstance(model, mixtura.KMeansFit) else model.missing
    missing: Missing = getattr(arguments, "missing", said)
    table = read_columns(file, chosen, missing=missing)
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        written = write_assignments(model, table.rows, arguments.out, missing=missing)
    except (ValueError, TypeError) as error:
        raise InputError(f"{arguments.file}: {error}") from error
    n_samples = len(table.rows)
    print(f"{arguments.file}: {counted(n_samples, 'row')} ({', '.join(table.names)})")
    for path in written:
        print(f"wrote {path}")


def _load(path: Path) -> tuple[Model, Names | None, int]:
    """Return a model, the names of its features and their number."""
    try:
        saved = mixtura.load(path)
    except ValueError as error:
        raise InputError(str(error)) from error
    if isinstance(saved, mixtura.GMMFit | mixtura.BayesianGMMFit):
        saved = saved.model
    if isinstance(saved, mixtura.KMeansFit):
        return saved, saved.feature_names, saved.centers.shape[1]
    if isinstance(saved, mixtura.GaussianMixture):
        return saved, saved.feature_names, saved.n_features
    raise InputError(
        f"{path}: expected a mixture, a fit or clusters of k-means; got {type(saved).__name__}"
    )


def _columns(
    file: ColumnFile, wanted: list[str] | None, feature_names: Names | None, n_features: int
) -> list[int]:
    """Return the positions of the model's features in a file: by name, else by position."""
    by_name = wanted is None and feature_names is not None and file.has_names
    if by_name:
        assert feature_names is not None
        made_up = [name or f"x{c + 1}" for c, name in enumerate(file.names)]
        lacking = [name for name in feature_names if name not in made_up]
        if lacking:
            raise InputError(
                f"{file.path}: the model needs the column{'s' * (len(lacking) > 1)} "
                f"{listed(lacking)}; the columns are {listed(file.names)}; "
                f"compute the missing ones as for the fit: a model does not keep logarithms or "
                f"other changes; if only the names differ, pass --columns"
            )
        return [
            c
            for name in feature_names
            for c in (choose_columns(file, [name]) if name in file.names else [made_up.index(name)])
        ]
    chosen = choose_columns(file, wanted)
    if len(chosen) != n_features:
        needed = f" ({', '.join(feature_names)})" if feature_names else ""
        raise InputError(
            f"{file.path}: the model needs {counted(n_features, 'column')}{needed}; got "
            f"{len(chosen)}: {listed([file.names[c] for c in chosen])}; choose them with --columns"
        )
    names = [file.names[c] for c in chosen]
    if feature_names is None or tuple(names) != feature_names:
        model = feature_names or [f"feature {a}" for a in range(n_features)]
        pairs = ", ".join(f"{one} for {other}" for one, other in zip(names, model, strict=True))
        note(f"{file.path}: columns are taken by position: {pairs}")
    return chosen
