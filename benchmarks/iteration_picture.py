"""Draw docs/performance.svg: one EM iteration of mixtura beside its peers, over sizes.

    python -m benchmarks.iteration_picture [--onedal PYTHON]

PYTHON is an interpreter with daal4py, which wants an older scikit-learn than this environment may
have: `pip install "numpy<2.3" scikit-learn==1.5.2 daal4py==2024.7.0 packaging` in one of its own.
Without it oneDAL is left out. Measured as the README's table is: same rows, same start, the slope
between 2 and 8 iterations, log-likelihoods compared. The table behind the picture is printed.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from argparse import RawTextHelpFormatter
from pathlib import Path
from statistics import geometric_mean

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.libraries import PEER
from benchmarks.problems import Shape, make_problem
from benchmarks.readme_table import LONG, ROUNDS, SHORT, digits, machine, measure, write

CASES: list[Shape] = [
    (5_000, 4, 3),
    (1_000_000, 1, 3),
    (1_000_000, 2, 3),
    (500_000, 8, 16),
    (200_000, 16, 32),
    (100_000, 32, 64),
    (50_000, 64, 32),
    (20_000, 128, 16),
]
ONEDAL = "oneDAL"
STYLE = {"mixtura": ("o", "#0b4f8a"), PEER: ("s", "#c1502e"), ONEDAL: ("^", "#6b6b6b")}
PICTURE = Path(__file__).parent.parent / "docs" / "performance.svg"


def main() -> None:
    """Measure every case, print Markdown, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--onedal", help="an interpreter that has daal4py")
    onedal = parser.parse_args().onedal
    names = ["mixtura", PEER, *([ONEDAL] if onedal else [])]
    write(f"| n | d | k | {' | '.join(names)} |")
    write(f"|{' ---: |' * (3 + len(names))}")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for shape in CASES:
        ours = measure(["compiled", PEER], "full", shape, patience=1.0)[0]
        if onedal:
            ours.append(time_onedal(onedal, shape))
        for name, each in zip(names, ours, strict=True):
            seconds[name].append(each)
        cells = [f"{digits(1e3 * s)} ({s / ours[0]:.1f}x)" for s in ours[1:]]
        sizes = " | ".join(f"{size:,}" for size in shape)
        write(f"| {sizes} | {digits(1e3 * ours[0])} | {' | '.join(cells)} |")
    write()
    for name in names[1:]:
        ratios = np.divide(seconds[name], seconds["mixtura"])
        write(f"{name}: geometric mean {geometric_mean(ratios):.1f}x, least {min(ratios):.1f}x.")
    write(f"Milliseconds for one EM iteration, full covariances, float64. {machine()}")
    draw(seconds)


def time_onedal(python: str, shape: Shape) -> float:
    """Seconds for one iteration of oneDAL, after checking where it ends."""
    problem = make_problem(shape, "full")
    start = problem.start
    with tempfile.TemporaryDirectory() as folder:
        case = Path(folder) / "case.npz"
        np.savez(
            case, X=problem.X, weights=start.weights, means=start.means,
            covariances=start.covariances,
        )  # fmt: skip
        script = Path(__file__).with_name("onedal_iteration.py")
        command = [python, str(script), str(case), str(SHORT), str(LONG), str(ROUNDS)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, end = map(float, done.stdout.split())
    if not math.isfinite(end):
        sys.exit(f"oneDAL, (n, d, k) = {shape}: got a log-likelihood of {end}.")
    return seconds


def draw(seconds: dict[str, list[float]]) -> None:
    """Draw one line of marks for each library, smallest case first."""
    figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
    places = np.arange(len(CASES))
    for name, times in seconds.items():
        marker, color = STYLE[name]
        milliseconds = 1e3 * np.array(times)
        ax.plot(places, milliseconds, marker=marker, color=color, lw=1, ls=":", label=name)
    ax.set_yscale("log")
    ax.set_ylabel("ms for one iteration of EM")
    ax.set_xticks(places, [f"{n:,}\n{d}\n{k}" for n, d, k in CASES], fontsize=8)
    names = "rows\nfeatures\ncomponents"
    ax.text(-0.02, -0.04, names, transform=ax.transAxes, ha="right", va="top", fontsize=8)
    ax.grid(axis="y", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
