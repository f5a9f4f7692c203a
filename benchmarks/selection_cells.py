"""Each cell of `select_gmm` against a fit of that model alone with many starts.

    python -m benchmarks.selection_cells [--data iris ...] [--most 6] [--seeds 1]
        [--families EII ...] [--reference cells.json]

A cell is a data set, a number of components from 1 to `--most`, and a family. Its BIC is compared
with that of ``fit_gmm(n_init=20)``, both with default settings. A line for each data set has the
number of cells, the share within 1e-3, how many are worse and better by more, the worst one, by how
much the best cell is worse, the passes of the selection, and the CPU time of both. A pass is an
E-step over all rows; one over some of them counts by their share. Cells are compared where both or
none of the two have components that are spurious or on few rows, as the criterion of these is too
low; the line counts the others. Set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS to 1. `--reference`
keeps the fits of single models in a file, and reads those that are there.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import mixtura
from benchmarks.maxima_runs import counted
from mixtura import datasets
from mixtura.covariance import CELEUX_GOVAERT, ONE_COLUMN

NAMES = ("iris", "thyroid", "diabetes", "faithful", "banknote", "wine", "acidity", "galaxies")
SAME = 1e-3  # of BIC
N_INIT = 20  # of the fits of single models

Array = np.ndarray


def rows(name: str) -> Array:
    """The rows of a data set."""
    if name == "wine":
        from sklearn.datasets import load_wine

        return np.asarray(load_wine().data)
    name = {"diabetes": "diabetes_reaven_miller"}.get(name, name)
    X: Array = getattr(datasets, f"load_{name}")().data
    return X


class Cell(NamedTuple):
    """What is known of one model."""

    bic: float
    suspects: int


def cell(fit: Any) -> Cell:
    """BIC of a fit, and how many of its components are spurious or on few rows."""
    suspects = {
        event.component
        for event in fit.events
        if event.action == "kept" and event.cause in ("spurious", "few")
    }
    penalty = fit.model.n_parameters * math.log(fit.n_samples)
    return Cell(-2.0 * fit.log_likelihood + penalty, len(suspects))


class Reference:
    """Fits of single models, kept in a file."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        kept = json.loads(path.read_text()) if path is not None and path.exists() else {}
        self.kept: dict[str, list[float]] = kept

    def fit(self, name: str, X: Array, k: int, family: str, seed: int) -> tuple[Cell, float]:
        """The cell, nan where the fit fails, and the seconds that it took."""
        key = f"{name} {k} {family} {seed}"
        if key not in self.kept:
            begun = time.process_time()
            try:
                fit = mixtura.fit_gmm(
                    X, k, covariance_type=family, n_init=N_INIT, rng=seed, n_threads=1
                )
                bic, suspects = cell(fit)
            except mixtura.FitError:
                bic, suspects = math.nan, 0
            self.kept[key] = [bic, suspects, time.process_time() - begun]
            if self.path is not None:
                self.path.write_text(json.dumps(self.kept))
        bic, suspects, seconds = self.kept[key]
        return Cell(bic, int(suspects)), seconds


class Compared(NamedTuple):
    """The cells of one data set and seed."""

    gaps: dict[tuple[int, str], float]  # BIC of the selection minus BIC of the fit
    apart: int  # cells in which only one has suspects
    best: float  # gap of the lowest BIC among cells without suspects
    passes: float  # of the selection
    seconds: float
    seconds_of_fits: float

    def line(self, name: str) -> str:
        """The figures in a line."""
        gaps = np.array(list(self.gaps.values()))
        worst = max(self.gaps, key=lambda model: self.gaps[model])
        return (
            f"{name:10} {len(gaps):6d} {np.mean(gaps <= SAME):7.3f} {np.sum(gaps > SAME):6d} "
            f"{np.sum(gaps < -SAME):7d} {self.apart:6d} {self.gaps[worst]:9.3f} "
            f"{worst[1]:>4}, {worst[0]} {max(self.best, 0.0):9.3f} {self.passes:8.0f} "
            f"{self.seconds:8.1f} "
            f"{self.seconds_of_fits:8.1f}"
        )


def compared(
    name: str, most: int, families: tuple[str, ...], seed: int, reference: Reference
) -> Compared:
    """Select, and fit each model alone."""
    X = rows(name)
    known = CELEUX_GOVAERT if X.shape[1] > 1 else ONE_COLUMN
    chosen = [family for family in known if not families or family in families] or list(known)
    with counted(len(X)) as counts:
        begun = time.process_time()
        selection = mixtura.select_gmm(X, range(1, most + 1), chosen, rng=seed, n_threads=1)
        seconds = time.process_time() - begun
    gaps, apart, of_fits = {}, 0, 0.0
    lowest, lowest_of_fits = math.inf, math.inf
    for k in range(1, most + 1):
        for family in chosen:
            other, took = reference.fit(name, X, k, family, seed)
            of_fits += took
            if other.suspects == 0 and not math.isnan(other.bic):
                lowest_of_fits = min(lowest_of_fits, other.bic)
            if (k, family) not in selection.fits:
                continue
            own = cell(selection.fits[k, family])
            if own.suspects == 0:
                lowest = min(lowest, own.bic)
            if math.isnan(other.bic) or (own.suspects > 0) != (other.suspects > 0):
                apart += 1
            else:
                gaps[k, family] = own.bic - other.bic
    best = lowest - lowest_of_fits
    return Compared(gaps, apart, best, counts.passes, seconds, of_fits)


def main() -> None:
    """Print a line for each data set and seed, the worst cells, and the shares of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument("--families", nargs="*", default=())
    parser.add_argument("--most", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--worst", type=int, default=10, help="cells to print")
    parser.add_argument("--reference", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore", mixtura.ConvergenceWarning)
    reference = Reference(options.reference)
    print(
        f"{'':10} {'cells':>6} {'within':>7} {'worse':>6} {'better':>7} {'apart':>6} {'worst':>9} "
        f"{'':>7} {'best':>9} {'passes':>8} {'select s':>8} {'fits s':>8}"
    )
    done = {}
    for seed in range(options.seeds):
        for name in options.data:
            one = compared(name, options.most, tuple(options.families), seed, reference)
            done[name, seed] = one
            print(one.line(name), flush=True)
    gaps = {
        (name, *model): gap for (name, _), one in done.items() for model, gap in one.gaps.items()
    }
    values = np.array([gap for one in done.values() for gap in one.gaps.values()])
    apart = sum(one.apart for one in done.values())
    passes = sum(one.passes for one in done.values())
    seconds = sum(one.seconds for one in done.values())
    of_fits = sum(one.seconds_of_fits for one in done.values())
    print(
        f"all: {len(values)} cells, within {np.mean(values <= SAME):.3f}, worse "
        f"{np.sum(values > SAME)}, better {np.sum(values < -SAME)}, apart {apart}; "
        f"{passes:.0f} passes, {seconds:.1f} s and {of_fits:.1f} s"
    )
    for place in sorted(gaps, key=lambda place: -gaps[place])[: options.worst]:
        if gaps[place] > SAME:
            print(f"  {place[0]}, {place[2]}, {place[1]}: {gaps[place]:.3f}")


if __name__ == "__main__":
    main()
