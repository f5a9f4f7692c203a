"""Measure what docs/manual/performance.md tells, in one run on one machine, and write the page.

    python -m benchmarks.performance [--peers-python PYTHON]
    python -m benchmarks.performance --only kmeans
    python -m benchmarks.performance --from benchmarks/performance.json

The first takes about twenty minutes, and wants a machine that does nothing else. It writes
benchmarks/performance.json, and from that docs/manual/performance.md, two pictures, and the figures
in the README. The second prints what it measures, and writes nothing. The third makes the pages
again without measuring. `--quick` has a tenth of the rows and one thread, to see whether everything
works. If a part of a run has failed, `--continue` measures the parts that the file lacks.

Each part is measured in a process of its own, most of them on one thread. Peers that are not
installed are left out, and the page says so: scikit-learn; R with mclust; oneDAL and faiss, which
may be in another environment (see `benchmarks/peers.py`). The words of the page are in
performance.md.in.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from argparse import RawTextHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import page, peers
from benchmarks.report import write

ROOT = Path(__file__).parent.parent
RUN = Path(__file__).with_name("performance.json")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Missing(Exception):
    """What a part is compared with is not installed, and nothing is left to say without it."""


Case = tuple[str, tuple[int, int, int]]  # shape of covariances; rows, features, components


class Asked(NamedTuple):
    """What each part is given.

    Attributes
    ----------
    pythons : list of str
        Interpreters that may have peers.
    scale : int
        Rows are divided by this.
    """

    pythons: list[str]
    scale: int


class Part(NamedTuple):
    """A part of the run.

    Attributes
    ----------
    measure : callable
        Returns what JSON can hold, or None without peers.
    one_thread : bool
        Whether everything, peers too, has one thread.
    """

    measure: Callable[[Asked], Any]
    one_thread: bool = True


# ---- parts: each imports what it needs, in its own process ----


def smaller(cases: list[Case], asked: Asked) -> list[Case]:
    """Cases with as many rows as are asked for, but enough for their components."""
    return [
        (kind, (max(n // asked.scale, min(n, max(16 * k * d, 5000))), d, k))
        for kind, (n, d, k) in cases
    ]


def machine(asked: Asked) -> Any:
    from benchmarks.report import machine_facts

    facts = machine_facts()
    facts["versions"] |= peers.versions(asked.pythons) | versions_of_r()
    facts["load"], facts["scale"] = os.getloadavg()[0], asked.scale
    return facts


def versions_of_r() -> dict[str, str]:
    """Versions of R and mclust, if they are here."""
    if not shutil.which("Rscript"):
        return {}
    code = 'cat(paste(getRversion()), paste(packageVersion("mclust")))'
    answer = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    names = answer.stdout.split()
    return {} if answer.returncode else dict(zip(("R", "mclust"), names, strict=True))


def need_mclust() -> None:
    if "mclust" not in versions_of_r():
        raise Missing("mclust")


def iterations(asked: Asked) -> Any:
    from benchmarks.iterations import CASES, figures

    return figures(smaller(CASES["iterations"], asked), asked.pythons, 1.0 / asked.scale)


def shapes(asked: Asked) -> Any:
    from benchmarks.iterations import CASES, figures

    return figures(smaller(CASES["shapes"], asked), asked.pythons, 1.0 / asked.scale)


def shares(_: Asked) -> Any:
    from benchmarks.bench_accumulate import figures

    return figures()


def single_precision(_: Asked) -> Any:
    from benchmarks.single_precision import figures

    return figures()


def small_fits(_: Asked) -> Any:
    from benchmarks.small_fits import figures

    return figures()


def columns(asked: Asked) -> Any:
    from benchmarks.small_fits import N_COLUMNS, figures_of_columns

    return figures_of_columns(N_COLUMNS // asked.scale)


def selections(asked: Asked) -> Any:
    from benchmarks.beside_mclust import NAMES, figures

    need_mclust()
    return figures(NAMES if asked.scale == 1 else NAMES[:2])


def kmeans(asked: Asked) -> Any:
    from benchmarks.kmeans_peers import SHAPES, figures

    return figures(asked.pythons, [(n // asked.scale, d, k) for n, d, k in SHAPES])


def many_components(asked: Asked) -> Any:
    from benchmarks.many_components import figures_of_cases

    return figures_of_cases(asked.scale)


def growth(asked: Asked) -> Any:
    from benchmarks.many_components import figures_of_growth

    return figures_of_growth(asked.scale)


def margin(asked: Asked) -> Any:
    from benchmarks.many_components import figures_of_margin

    return figures_of_margin(asked.scale)


def hierarchical(asked: Asked) -> Any:
    from benchmarks.mclust_hierarchical import figures

    need_mclust()
    # EEE takes R a time that grows with the cube of the rows.
    few = 1 if asked.scale == 1 else 4
    rows = {"EII": 2000, "VII": 2000, "EEE": 1000, "VVV": 2000}
    return figures([(model, n // few, d) for d in (2, 5) for model, n in rows.items()])[0]


def families(_: Asked) -> Any:
    from benchmarks.family_updates import WITH_STEPS, figures

    return figures(WITH_STEPS)


def methods(_: Asked) -> Any:
    from benchmarks.bench_mixture import figures

    return figures()


def two_threads(_: Asked) -> Any:
    from benchmarks.two_threads import figures

    return figures()


def footprint(_: Asked) -> Any:
    from benchmarks.bench_footprint import figures

    return figures()


PARTS: dict[str, Part] = {
    "machine": Part(machine, one_thread=False),
    "iterations": Part(iterations, one_thread=False),
    "shapes": Part(shapes, one_thread=False),
    "shares": Part(shares),
    "single_precision": Part(single_precision),
    "small_fits": Part(small_fits),
    "columns": Part(columns),
    "selections": Part(selections),
    "kmeans": Part(kmeans),
    "many_components": Part(many_components),
    "growth": Part(growth),
    "margin": Part(margin),
    "hierarchical": Part(hierarchical),
    "families": Part(families),
    "methods": Part(methods),
    "two_threads": Part(two_threads, one_thread=False),
    "footprint": Part(footprint),
}


# ---- the run ----


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a part in a process of its own; return its figures and the seconds it took.

    Raises
    ------
    subprocess.CalledProcessError
        If it has failed. The process has said why.
    """
    given = [word for python in options.peers_python for word in ("--peers-python", python)]
    command = [sys.executable, "-m", "benchmarks.performance", "--measure", name, *given]
    command += ["--quick"] * options.quick
    environment = {key: value for key, value in os.environ.items() if key not in ONE_THREAD}
    if PARTS[name].one_thread or (options.quick and name != "machine"):
        environment |= ONE_THREAD
    begun = time.perf_counter()
    answer = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return {"figures": json.loads(answer.stdout), "seconds": time.perf_counter() - begun}


def earlier(options: argparse.Namespace) -> dict[str, Any]:
    """Read the parts that the file has, if this is still the same machine."""
    kept: dict[str, Any] = json.loads(RUN.read_text("utf-8"))
    was, now = kept["machine"]["figures"], measured("machine", options)["figures"]
    for facts in was, now:
        del facts["load"]
    if was != now:
        sys.exit(
            f"A page has the figures of one machine. Expected {was}; got {now}. Run all again, "
            "without --continue."
        )
    return json.loads(RUN.read_text("utf-8"))


def run(options: argparse.Namespace) -> int:
    """Measure parts, and keep each in the file as soon as it is there; return how many failed."""
    kept: dict[str, Any] = earlier(options) if options.more else {}
    names = [name for name in PARTS if name not in kept and name in (options.only or PARTS)]
    failed = []
    for at, name in enumerate(names, start=1):
        write(f"[{at}/{len(names)}] {name}")
        try:
            found = measured(name, options)
        except subprocess.CalledProcessError:
            failed.append(name)
            write(f"{name} has failed\n")
            continue
        write(f"{page.shown(name, found['figures'])}\n{found['seconds']:.0f} s\n")
        kept[name] = found
        if not options.only:
            RUN.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    write(f"{sum(kept[name]['seconds'] for name in names if name in kept):.0f} s in all")
    if failed:
        write(f"Failed: {', '.join(failed)}. Mend them, and run again with --continue.")
    return len(failed)


def main() -> None:
    """Measure, or make the pages of an earlier run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--from", dest="run", type=Path, help="a file of an earlier run")
    parser.add_argument("--continue", dest="more", action="store_true", help="of a failed run")
    parser.add_argument("--quick", action="store_true", help="with fewer rows, on one thread")
    parser.add_argument("--measure", choices=PARTS, help=argparse.SUPPRESS)
    peers.add_option(parser)
    options = parser.parse_args()
    asked = Asked(peers.interpreters(options.peers_python), 10 if options.quick else 1)
    if options.measure:
        try:
            figures = PARTS[options.measure].measure(asked)
        except Missing:
            figures = None
        sys.stdout.write(json.dumps(figures))
    elif options.run:
        page.write_pages(json.loads(options.run.read_text("utf-8")))
    elif run(options):
        sys.exit(1)
    elif not options.only:
        page.write_pages(json.loads(RUN.read_text("utf-8")))


if __name__ == "__main__":
    main()
