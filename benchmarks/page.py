"""Make docs/manual/performance.md, its pictures and the figures in the README from one run.

`performance.md.in` and `readme.md.in` hold the words. A name in double braces stands for a table or
a figure of the run: that of a part is its table, and the others are made in `values`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from benchmarks import tables
from benchmarks.tables import Figures, times

Run = dict[str, Any]

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "manual" / "performance.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- figures of benchmarks.performance -->", "<!-- end of figures -->"
MADE = "<!-- Made by benchmarks/performance.py from benchmarks/performance.md.in: edit that. -->\n"
WIDTH = 120
PLACE = re.compile(r"\{\{(.+?)\}\}")
PEERS = ("scikit-learn", "oneDAL (daal4py)", "faiss", "mclust")

TABLES: dict[str, Callable[[Any], str]] = {
    "iterations": tables.iterations,
    "shapes": tables.iterations,
    "shares": tables.shares,
    "single_precision": tables.single_precision,
    "small_fits": tables.small_fits,
    "columns": tables.columns,
    "selections": tables.selections,
    "kmeans": tables.kmeans,
    "many_components": tables.many_components,
    "growth": tables.growth,
    "margin": tables.margin,
    "hierarchical": tables.hierarchical,
    "families": tables.families,
    "methods": tables.methods,
    "two_threads": tables.two_threads,
}


def shown(part: str, figures: Any) -> str:
    """Figures of a part as they are printed."""
    if figures is None:
        return "What this is compared with was missing when the page was made."
    return TABLES[part](figures) if part in TABLES else str(figures)


# ---- sentences ----


def spread(ratios: Iterable[float], what: str = "times as long", then: str = "") -> str:
    """Mean and range of ratios, such as "2.40 times as long (1.90 to 4.40)"."""
    found = sorted(ratios)
    low, mean, high = (times(each) for each in (found[0], geometric_mean(found), found[-1]))
    return f"{mean} {what}{then}" + (f" ({low} to {high})" if low != high else "")


def ratios_to(rows: Figures, name: str, to: str = "mixtura") -> list[float]:
    """Times of a library as multiples of another's, where it was measured."""
    return [row["seconds"][name] / row["seconds"][to] for row in rows if name in row["seconds"]]


def beside(rows: Figures | None, *names: str) -> str:
    """Say how many times as long as mixtura each library takes."""
    told = []
    for name in names:
        if ratios := ratios_to(rows or [], name):
            told.append(f"{name} takes {spread(ratios)}.")
        else:
            told.append(f"{name} was not measured.")
    return " ".join(told)


def kmeans_said(rows: Figures) -> str:
    """Say the same for each kind of work."""
    kinds = dict.fromkeys(row["kind"] for row in rows)
    told = []
    for kind in kinds:
        these = [row for row in rows if row["kind"] == kind]
        names = ["faiss", "scikit-learn", "oneDAL"]
        ranges = [
            f"{name} takes {spread(ratios)}" for name in names if (ratios := ratios_to(these, name))
        ]
        if ranges:
            told.append(f"- {kind.capitalize()}: {'; '.join(ranges)}.")
    return "\n".join(told)


def values(run: Run) -> dict[str, str]:
    """All that a template can name."""
    found = {name: shown(name, run[name]["figures"]) for name in TABLES}
    part = {name: run[name]["figures"] for name in run}
    facts = part["machine"]
    missing = [name for name in PEERS if name not in facts["versions"]]
    few, of_columns, footprint = part["growth"], part["columns"], part["footprint"]
    most = max(row["k"] for row in few)
    gains = [row["seconds"]["dense"] / row["seconds"]["default"] for row in few if row["k"] == most]
    wide = [row["rate"] / row["dgemm"] for row in part["shares"] if row["d"] >= 32]
    return found | {
        "minutes": f"{sum(each['seconds'] for each in run.values()) / 60:.0f}",
        "machine": sentence(facts),
        "missing": f"Missing were {' and '.join(missing)}." if missing else "No peer was missing.",
        "quick": ""
        if facts["scale"] == 1
        else "**It was a quick run, with fewer rows and on one thread.** ",
        "load": f"{facts['load']:.2f}",
        "cpu": facts["cpu"],
        "cores": str(facts["cores"]),
        "instruction_set": facts["instruction_set"],
        "iterations.said": beside(part["iterations"], "scikit-learn", "oneDAL"),
        "shapes.said": beside(part["shapes"], "scikit-learn", "oneDAL"),
        "shares.said": f"From 32 features on, the pass reaches {100 * min(wide):.0f}% to "
        f"{100 * max(wide):.0f}% of the rate of DGEMM.",
        "single_precision.said": "float64 takes "
        f"{spread(ratios_to(part['single_precision'], 'float64', 'float32'))}.",
        "small_fits.said": beside(
            part["small_fits"], "mixtura, n_init=1", "scikit-learn", "scikit-learn, n_init=10"
        ),
        "columns.said": beside([of_columns], "scikit-learn"),
        "columns.number": f"{of_columns['n_columns']:,}",
        "columns.rows": str(of_columns["n"]),
        "selections.said": beside(part["selections"], "mclust"),
        "kmeans.said": kmeans_said(part["kmeans"]),
        "growth.said": f"With {most} components, all pairs take "
        f"{spread(gains, then=' as the pass that is chosen')}.",
        "margin.rows": f"{part['margin'][0]['n']:,}",
        "growth.rows": f"{few[0]['n']:,}",
        "growth.features": str(few[0]["d"]),
        "hierarchical.said": beside(part["hierarchical"], "mclust"),
        "families.said": "The rule in Python takes "
        f"{spread(row['rule'] / row['compiled'] for row in part['families'])}.",
        "methods.said": beside(part["methods"], "scikit-learn"),
        "two_threads.said": "With two threads, work is "
        f"{spread((row['one'] / row['two'] for row in part['two_threads']), 'times as fast')}.",
        "footprint.rows": f"{footprint['n']:,}",
        "footprint.features": str(footprint["d"]),
        "footprint.components": str(footprint["k"]),
        "footprint.data": f"{footprint['data']:.0f}",
        "footprint.peak": f"{footprint['peak']:.0f}",
        "footprint.import": f"{1e3 * footprint['import']:.0f}",
    }


def sentence(facts: dict[str, Any]) -> str:
    """Tell what figures were taken on, and with what."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return (
        f"{facts['cpu']}, {facts['cores']} cores, instruction set {facts['instruction_set']}, "
        f"{facts['compiler']}; {versions}; {facts['system']}."
    )


# ---- pages ----


def filled(template: str, run: Run) -> str:
    """Put tables and figures into their places.

    Raises
    ------
    KeyError
        If the run has no value of a name.
    """
    known = values(run)
    blocks = PLACE.sub(lambda place: known[place[1]], template).split("\n\n")
    return "\n\n".join(wrapped(block) if is_prose(block) else block for block in blocks)


def is_prose(block: str) -> bool:
    """Whether a block is one paragraph, and so its lines may be broken anywhere."""
    return not block.lstrip("\n").startswith(("|", "#", "-", ">", "!", " ", "```", "<"))


def wrapped(paragraph: str) -> str:
    """Break the lines anew, and keep the end of the file."""
    lines = textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
    return lines + "\n" * paragraph.endswith("\n")


def pages(run: Run) -> dict[Path, str]:
    """The text of each file that holds figures of the run."""
    template = (HERE / "performance.md.in").read_text("utf-8")
    said = filled((HERE / "readme.md.in").read_text("utf-8"), run)
    readme = README.read_text("utf-8")
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert after, f"{README.name} must have the lines {BEGIN} and {END} about its figures"
    return {
        PAGE: MADE + filled(template, run),
        README: f"{before}{BEGIN}\n{said}{END}{after}",
    }


def write_pages(run: Run) -> None:
    """Write the pages, and draw the pictures."""
    from benchmarks import pictures

    for path, text in pages(run).items():
        path.write_text(text, "utf-8")
    pictures.draw_iterations(run["iterations"]["figures"])
    pictures.draw_growth(run["growth"]["figures"])
