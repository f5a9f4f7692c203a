"""Seconds of default fits by rows, columns and components: the tables of docs/howto/how_long.md.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.how_long [--rows 1000 10000]

Figures are CPU seconds on one thread. The rows are drawn from spherical clusters, some of which
overlap, and one fit is made for each size.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from itertools import product

from benchmarks.report import machine, write
from benchmarks.small_fits import blobs
from benchmarks.tables import digits, milliseconds, table
from benchmarks.turns import compute_time, slopes, timed
from mixtura import ConvergenceWarning, GMMFit, fit_gmm

SIZES = [(2, 3), (2, 10), (8, 3), (8, 10), (32, 10)]  # features, components
ROWS = [1_000, 10_000, 100_000, 1_000_000]
SHORT, LONG = 2, 42  # iterations whose slope is the time of one; fewer where there are many rows


def measured(n: int, d: int, k: int) -> dict[str, str]:
    """Fit once; tell the seconds of the fit, its iterations, and the time of one of them."""
    X = blobs(n, d, k)
    fits: list[GMMFit] = []
    seconds = timed(lambda: fits.append(fit_gmm(X, k, rng=0)), clock=compute_time)

    def fixed(n_iter: int) -> float:
        again = partial(fit_gmm, X, k, init=fits[0], tol=0, max_iter=n_iter)
        return timed(again, clock=compute_time)

    long = LONG if n < 100_000 else SHORT + 4
    iteration = slopes({"mixtura": fixed}, (SHORT, long), patience=0.1)["mixtura"]
    return {
        "Seconds of a fit": digits(seconds),
        "Iterations": f"{fits[0].n_iter:,}",
        "Milliseconds of an iteration": milliseconds(iteration),
    }


def main() -> None:
    """Print the machine and the tables, one for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    rows = parser.parse_args().rows
    warnings.simplefilter("ignore", ConvergenceWarning)  # the table shows it
    write(f"> {machine()}")
    cells = {(*size, n): measured(n, *size) for size, n in product(SIZES, rows)}
    header = ["columns", "components", *(f"{n:,} rows" for n in rows)]
    for name in cells[(*SIZES[0], rows[0])]:
        lines = ([str(d), str(k), *(cells[d, k, n][name] for n in rows)] for d, k in SIZES)
        write(f"\n{name}:\n\n{table(header, lines, words=0)}")


if __name__ == "__main__":
    main()
