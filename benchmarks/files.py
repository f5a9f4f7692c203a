"""Passes over a file beside reading it alone and beside arithmetic alone, and the peak memory.

Run ``python -m benchmarks.files --rows 2e7 --format npy parquet --passes 5``. It writes a file of
rows of four float32 features, and measures, each in a process of its own:

- read: all blocks of `mixtura.scan` are read, as a pass reads them, and nothing is done with them;
- arithmetic: iterations of EM on one of these blocks in memory, repeated to as many rows;
- passes: iterations of EM on the file;
- fit: `fit_gmm` of the file with all defaults, and the peak memory of its process.

The share of a format is the slower of read and arithmetic as a part of passes. Measure it on a
machine without other work: two threads compute and one reads.

What was measured stays in ``results.jsonl`` of the folder: when the script is run again, it goes on
with the parts that are missing. ``--again`` measures all of them anew. The files of rows are
deleted at the end, unless ``--keep`` is given. ``--cold`` makes the system forget the file before
each pass, so that a disk is read and not memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import mixtura
from benchmarks.bench_footprint import peak_memory
from mixtura.data import open_rows

N_FEATURES, N_COMPONENTS = 4, 5
WRITTEN = 1 << 20  # rows that are made and written together
FORMATS = ("npy", "parquet")
Result = dict[str, Any]


# ---- the file ----


def blocks(n: int) -> Iterator[Any]:
    """Yield rows of clusters that overlap a little."""
    for first in range(0, n, WRITTEN):
        rng = np.random.default_rng([1, first])
        size = min(WRITTEN, n - first)
        rows = rng.standard_normal((size, N_FEATURES), dtype=np.float32)
        rows += means().astype(np.float32)[rng.integers(0, N_COMPONENTS, size)]
        yield rows


def means() -> Any:
    """The middle of each cluster."""
    return 3.0 * np.random.default_rng(0).normal(size=(N_COMPONENTS, N_FEATURES))


def near_start() -> mixtura.GaussianMixture:
    """A mixture near the clusters."""
    covariances = np.tile(1.2 * np.eye(N_FEATURES), (N_COMPONENTS, 1, 1))
    weights = np.full(N_COMPONENTS, 1 / N_COMPONENTS)
    return mixtura.GaussianMixture(weights, means() + 0.2, covariances)


def write(path: Path, n: int) -> None:
    """Write a file of n rows, under its name only when it is whole."""
    part = path.with_name(f"{path.name}.part")
    if path.suffix == ".npy":
        rows = np.lib.format.open_memmap(part, "w+", np.float32, (n, N_FEATURES))
        for b, block in enumerate(blocks(n)):
            rows[b * WRITTEN : b * WRITTEN + len(block)] = block
        rows.flush()
    else:
        import pyarrow as pa
        from pyarrow import parquet

        names = [f"x{a}" for a in range(N_FEATURES)]
        schema = pa.schema([(name, pa.float32()) for name in names])
        with parquet.ParquetWriter(part, schema) as writer:
            for block in blocks(n):
                columns = [pa.array(np.ascontiguousarray(column)) for column in block.T]
                writer.write_table(pa.table(columns, schema=schema))
    part.rename(path)


def forget(path: Path) -> None:
    """Drop the file from the memory of the system."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


# ---- what is measured ----


class Clock:
    """Seconds, and seconds of CPU, of several passes."""

    def __init__(self, before: Callable[[], None]) -> None:
        self._before = before
        self.seconds: list[float] = []
        self.cpu: list[float] = []
        self._begin()

    def _begin(self) -> None:
        self._before()
        self._begun = time.perf_counter(), time.process_time()

    def __call__(self, _: object = None) -> None:
        """End a pass, and begin the next."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.seconds.append(wall - self._begun[0])
        self.cpu.append(cpu - self._begun[1])
        self._begin()

    def result(self, n: int) -> Result:
        """Seconds of a pass; those of the first one, which does other things too, do not count."""
        seconds, cpu = median(self.seconds[1:]), median(self.cpu[1:])
        return {"seconds": seconds, "cpu": cpu, "least": min(self.seconds[1:]), "rows": n}


def read(path: Path, passes: int, before: Callable[[], None]) -> Result:
    """Read the file, and do nothing."""
    rows = open_rows(mixtura.scan(path))
    n = sum(block.n_rows for block in rows.counted)  # later readings need not check the numbers
    clock = Clock(before)
    for _ in range(passes + 1):
        for _block in rows.blocks():
            pass
        clock()
    return clock.result(n)


def iterations(rows: Any, n: int, passes: int, before: Callable[[], None]) -> Result:
    """Make iterations of EM from one start."""
    clock = Clock(before)
    mixtura.fit_gmm(
        rows, N_COMPONENTS, init=near_start(), tol=0, max_iter=passes + 1, callback=clock
    )
    return clock.result(n)


def arithmetic(path: Path, passes: int, _: Callable[[], None]) -> Result:
    """Make iterations on a block in memory, repeated."""
    rows = open_rows(mixtura.scan(path))
    block = next(rows.blocks()).X
    times = max(1, rows.n_samples // len(block))
    return iterations(mixtura.scan([block] * times), times * len(block), passes, lambda: None)


def passes_over(path: Path, passes: int, before: Callable[[], None]) -> Result:
    """Make iterations on the file."""
    rows = mixtura.scan(path)
    return iterations(rows, rows.n_samples, passes, before)


def whole_fit(path: Path, _: int, before: Callable[[], None]) -> Result:
    """Fit the file with all defaults."""
    before()
    begun, cpu = time.perf_counter(), time.process_time()
    rows = mixtura.scan(path)
    fit = mixtura.fit_gmm(rows, N_COMPONENTS, rng=0)
    return {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - cpu,
        "rows": rows.n_samples,
        "iterations": fit.n_iter,
        "log_likelihood": fit.log_likelihood / rows.n_samples,
        "memory": peak_memory(),
    }


PARTS = {"read": read, "arithmetic": arithmetic, "passes": passes_over, "fit": whole_fit}


# ---- all of it ----


def alone(part: str, path: Path, arguments: argparse.Namespace) -> Result:
    """Do one part in a process of its own, and return its result."""
    print(f"{part} of {path}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.files", "--part", part, "--path", str(path)]
    command += ["--rows", str(arguments.rows), "--passes", str(arguments.passes)]
    command += ["--cold"] * arguments.cold
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: Result = json.loads(done.stdout)
    return result


def measure(arguments: argparse.Namespace, form: str, path: Path) -> dict[str, Result]:
    """Return the result of each part: one that is kept, or that of a new process."""
    kept = arguments.folder / "results.jsonl"
    settings = [form, arguments.rows, arguments.passes, arguments.cold]
    results: dict[str, Result] = {}
    if kept.exists() and not arguments.again:
        for line in kept.read_text().splitlines():
            record = json.loads(line)
            if record["settings"] == settings:
                results[record["part"]] = record["result"]
    for part in PARTS:
        if part in results:
            continue
        if not path.exists():
            alone("write", path, arguments)  # not here: a new process counts our peak as its own
        results[part] = alone(part, path, arguments)
        record = {"settings": settings, "part": part, "result": results[part]}
        with kept.open("a") as file:
            file.write(json.dumps(record) + "\n")
    return results


def machine() -> str:
    """The machine and the versions, in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        import pyarrow as pa

        versions = f"pyarrow {pa.__version__}"
    except ImportError:
        versions = "no pyarrow"
    return (
        f"{models[0] if models else platform.processor()}, {os.cpu_count()} CPUs, "
        f"{memory:.0f} GiB; Python {platform.python_version()}, NumPy {np.__version__}, "
        f"{versions}, mixtura {mixtura.__version__}; load {os.getloadavg()[0]:.1f}"
    )


def report(results: dict[str, dict[str, Result]]) -> None:
    """Print what was measured, in Markdown."""
    print("| format | part | pass, s | row, ns | CPU time of a row, ns | cores | numbers, GB/s |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for form, parts in results.items():
        for part in ("read", "arithmetic", "passes"):
            result = parts[part]
            per_row = [1e9 * result[each] / result["rows"] for each in ("seconds", "cpu")]
            cells = [form, part, f"{result['seconds']:.3f}", *(f"{ns:.2f}" for ns in per_row)]
            cells += [f"{result['cpu'] / result['seconds']:.2f}"]
            print("|", " | ".join([*cells, f"{4 * N_FEATURES / per_row[0]:.2f}"]), "|")
    print("\n| format | share, % | fit, s | iterations | peak memory, MiB | pass of 1e9 rows, s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for form, parts in results.items():
        each = {name: parts[name]["seconds"] / parts[name]["rows"] for name in PARTS}
        share = max(each["read"], each["arithmetic"]) / each["passes"]
        fit = parts["fit"]
        cells = [form, f"{100 * share:.0f}", f"{fit['seconds']:.1f}", str(fit["iterations"])]
        cells += [f"{fit['memory']:.0f}", f"{1e9 * each['passes']:.1f}"]
        print("|", " | ".join(cells), "|")
    print("\nThe last column is the time of a pass here, times the ratio of the rows.")


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=20_000_000)
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "mixtura-files"
    )
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--part", choices=["write", *PARTS], help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part == "write":
        write(arguments.path, arguments.rows)
        print("{}")
        return
    if arguments.part is not None:
        path = arguments.path
        before = (lambda: forget(path)) if arguments.cold else (lambda: None)
        print(json.dumps(PARTS[arguments.part](path, arguments.passes, before)))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    print(f"{machine()}; {arguments.rows:.3g} rows\n", flush=True)
    results = {}
    for form in arguments.format:
        path = arguments.folder / f"rows-{arguments.rows}.{form}"
        try:
            results[form] = measure(arguments, form, path)
        finally:
            if not arguments.keep:
                path.unlink(missing_ok=True)
    report(results)


if __name__ == "__main__":
    main()
