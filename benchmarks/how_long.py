"""Seconds of default fits by rows, columns and components: the table of docs/howto/how_long.md.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m benchmarks.how_long [--rows 1000 10000]

Figures are CPU seconds on one thread. The rows are drawn from spherical clusters, some of which
overlap, and one fit is made for each line.
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import product

from benchmarks.report import machine, write
from benchmarks.small_fits import blobs
from benchmarks.tables import digits, table
from benchmarks.turns import compute_time, slopes, timed
from mixtura import GMMFit, fit_gmm

SIZES = [(2, 3), (2, 10), (8, 3), (8, 10), (32, 10)]  # features, components
ROWS = [1_000, 10_000, 100_000, 1_000_000]
SHORT, LONG = 2, 42  # iterations whose slope is the time of one; fewer where there are many rows


def line(n: int, d: int, k: int) -> list[str]:
    """Fit once; tell the iterations and the seconds of the fit, and of one iteration alone."""
    X = blobs(n, d, k)
    fits: list[GMMFit] = []
    seconds = timed(lambda: fits.append(fit_gmm(X, k, rng=0)), clock=compute_time)

    def fixed(n_iter: int) -> float:
        again = partial(fit_gmm, X, k, init=fits[0], tol=0, max_iter=n_iter)
        return timed(again, clock=compute_time)

    long = LONG if n < 100_000 else SHORT + 4
    iteration = slopes({"mixtura": fixed}, (SHORT, long), patience=0.1)["mixtura"]
    return [f"{n:,}", str(d), str(k), str(fits[0].n_iter), digits(seconds), digits(iteration)]


def main() -> None:
    """Print the machine and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    rows = parser.parse_args().rows
    write(f"> {machine()}\n")
    header = ["rows", "features", "components", "iterations", "s a fit", "s an iteration"]
    write(table(header, (line(n, d, k) for (d, k), n in product(SIZES, rows)), words=0))


if __name__ == "__main__":
    main()
