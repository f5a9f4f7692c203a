"""Print the README's table: one EM iteration of mixtura beside its reference and scikit-learn.

    python -m benchmarks.readme_table

All start from the same mixture on the same data and do the same number of iterations, and the
log-likelihoods after them must agree. The time of an iteration is the slope between a short fit
and a long one, so that checks of the input and what is set up once cancel. The three take turns,
so that a change in the machine's mood meets all of them.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
from argparse import RawTextHelpFormatter
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np

import mixtura
from benchmarks.libraries import BACKENDS, PEER, fit
from benchmarks.problems import Shape, make_problem

CASES: list[tuple[str, Shape]] = [
    ("full", (5_000, 4, 3)),
    ("full", (1_000_000, 2, 3)),
    ("full", (100_000, 8, 16)),
    ("full", (20_000, 32, 32)),
    ("tied", (50_000, 8, 16)),
    ("diag", (50_000, 8, 16)),
    ("spherical", (50_000, 8, 16)),
]
SHORT, LONG = 2, 8  # iterations
ROUNDS = 3  # at least; the fastest fit of each length counts
AGREEMENT = 1e-9  # relative, of log-likelihoods


def main() -> None:
    """Measure every case, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=10, help="least time for a case (default: %(default)s)"
    )
    patience = parser.parse_args().seconds
    backends = [b for b in BACKENDS if b != PEER or find_spec("sklearn")]
    write(f"| covariance | n | d | k | mixtura | {' | '.join(backends[1:])} |")
    write(f"| --- |{' ---: |' * (3 + len(backends))}")
    worst = 0.0
    for covariance_type, shape in CASES:
        seconds, disagreement = measure(backends, covariance_type, shape, patience)
        worst = max(worst, disagreement)
        sizes = " | ".join(f"{size:,}" for size in shape)
        write(f"| {covariance_type} | {sizes} | {' | '.join(cells(seconds))} |")
    write()
    write(
        f"Milliseconds for one EM iteration, float64. The figure in brackets is the time as a "
        f"multiple of mixtura's. After the same {LONG} iterations the log-likelihoods differ by at "
        f"most {worst:.0e}, relative. {machine()}"
    )


def measure(
    backends: list[str], covariance_type: str, shape: Shape, patience: float
) -> tuple[list[float], float]:
    """Return each backend's seconds for an iteration, and how far log-likelihoods differ."""
    case = f"{covariance_type}, (n, d, k) = {shape}"
    problem = make_problem(shape, covariance_type)
    ends = [fit(backend, problem, LONG) for backend in backends]
    disagreement = (max(ends) - min(ends)) / abs(ends[0])
    if disagreement > AGREEMENT:
        sys.exit(
            f"{case}: {', '.join(backends)} must reach the same log-likelihood in {LONG} "
            f"iterations; got {ends}. Find out which is wrong before quoting times."
        )
    least = dict.fromkeys(product(backends, (SHORT, LONG)), math.inf)
    begin, rounds = perf_counter(), 0
    while rounds < ROUNDS or perf_counter() - begin < patience:
        for backend, n_iter in least:
            at = perf_counter()
            fit(backend, problem, n_iter)
            least[backend, n_iter] = min(least[backend, n_iter], perf_counter() - at)
        rounds += 1
    seconds = [(least[b, LONG] - least[b, SHORT]) / (LONG - SHORT) for b in backends]
    if min(seconds) <= 0:
        sys.exit(
            f"{case}: {LONG} iterations must take longer than {SHORT}; got {seconds} seconds for "
            f"one. Use more --seconds, or a quieter machine."
        )
    return seconds, disagreement


def cells(seconds: list[float]) -> list[str]:
    """Milliseconds to three digits, and for all but the first their ratio to it."""
    ours = seconds[0]
    return [f"{digits(1e3 * ours)}", *(f"{digits(1e3 * s)} ({s / ours:.1f}x)" for s in seconds[1:])]


def digits(number: float) -> str:
    """Three significant digits, never in powers of ten."""
    return np.format_float_positional(number, precision=3, fractional=False, trim="-")


def machine() -> str:
    """Tell what the figures were taken on, and with what."""
    config = mixtura.build_config()
    versions = [
        f"mixtura {mixtura.__version__} ({config['compiler']} {config['compiler_version']})"
    ]
    versions += [f"NumPy {np.__version__}"]
    if find_spec("sklearn"):
        import sklearn

        versions += [f"scikit-learn {sklearn.__version__}"]
    versions += [f"Python {platform.python_version()}"]
    return (
        f"{cpu_model()}, {os.cpu_count()} cores, instruction set {config['instruction_set']}, "
        f"{config['n_threads']} threads; {', '.join(versions)} on {platform.system()}."
    )


def cpu_model() -> str:
    """What the CPU calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def write(line: str = "") -> None:
    """Print at once: the next line takes a while."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
