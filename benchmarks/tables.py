"""Markdown tables of what benchmarks have measured: one function for each of their lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Figures = list[dict[str, Any]]
MISSING = "-"


def table(header: Sequence[str], rows: Iterable[Sequence[object]], words: int = 1) -> str:
    """Lay out a table whose first columns hold words, and the others numbers."""
    rules = ["---"] * words + ["---:"] * (len(header) - words)
    lines = [header, rules, *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def digits(number: float) -> str:
    """Three significant digits, never in powers of ten."""
    return np.format_float_positional(number, precision=3, fractional=False, trim="-")


def times(ratio: float) -> str:
    """A ratio, such as 2.04 or 137."""
    return f"{ratio:.{2 if ratio < 9.995 else 1 if ratio < 99.95 else 0}f}"


def milliseconds(seconds: float | None) -> str:
    return MISSING if seconds is None else digits(1e3 * seconds)


def head(names: Iterable[str]) -> list[str]:
    """Headings of the cells of `beside`."""
    return ["mixtura", *(cell for name in names for cell in (name, "ratio"))]


def beside(seconds: dict[str, float], names: Iterable[str]) -> list[str]:
    """Milliseconds of mixtura and of its peers, and how many times ours those of a peer are."""
    cells = [milliseconds(seconds["mixtura"])]
    for name in names:
        theirs = seconds.get(name)
        ratio = MISSING if theirs is None else times(theirs / seconds["mixtura"])
        cells += [milliseconds(theirs), ratio]
    return cells


def size(row: dict[str, Any]) -> list[str]:
    """Numbers of rows, features and, if the row has them, components."""
    return [f"{row[name]:,}" for name in ("n", "d", "k") if name in row]


def iterations(figures: Figures) -> str:
    names = ("scikit-learn", "oneDAL")
    return table(
        ["covariances", "n", "d", "k", *head(names), "difference"],
        (
            [
                row["covariance_type"], *size(row), *beside(row["seconds"], names),
                f"{row['difference']:.0e}",
            ]
            for row in figures
        ),
    )  # fmt: skip


def kmeans(figures: Figures) -> str:
    """Two tables: of times, and of ratios and differences."""
    names = ("faiss", "scikit-learn", "oneDAL", "product")
    work = ["work", "type", "n", "d", "k"]
    cells = [
        ([row["kind"], row["dtype"], *size(row)], beside(row["seconds"], names)) for row in figures
    ]
    of_times = table(
        [*work, "mixtura", *names],
        ([*which, found[0], *found[1::2]] for which, found in cells),
        words=2,
    )
    of_ratios = table(
        [*work, *names, "scatter", "labels, %"],
        (
            [
                *which, *found[2::2], f"{row['differences']['scatter']:.0e}",
                share(row["differences"].get("labels")),
            ]
            for (which, found), row in zip(cells, figures, strict=True)
        ),
        words=2,
    )  # fmt: skip
    return f"{of_times}\n\nThe ratios of these times to those of mixtura:\n\n{of_ratios}"


def share(part: float | None) -> str:
    """A part of all, in per cent."""
    return MISSING if part is None else "0" if part == 0.0 else f"{100 * part:.1g}"


def many_components(figures: Figures) -> str:
    def faster(row: dict[str, Any], way: str) -> list[str]:
        dense, seconds = row["seconds"]["dense"], row["seconds"][way]
        return [milliseconds(seconds), times(dense / seconds)]

    ways = ("bounds per tile", "times as fast", "as chosen", "times as fast")
    return table(
        ["problem", "n", "d", "k", "all pairs", *ways, "difference"],
        (
            [
                row["problem"], *size(row), milliseconds(row["seconds"]["dense"]),
                *faster(row, "tiles"), *faster(row, "default"), f"{row['difference']:.0e}",
            ]
            for row in figures
        ),
    )  # fmt: skip


def growth(figures: Figures) -> str:
    return table(
        ["distance", "k", "as chosen", "all pairs"],
        (
            [
                f"{row['apart']:g}", f"{row['k']:,}",
                *(milliseconds(row["seconds"][way]) for way in ("default", "dense")),
            ]
            for row in sorted(figures, key=lambda row: (-row["apart"], row["k"]))
        ),
        words=0,
    )  # fmt: skip


def margin(figures: Figures) -> str:
    return table(
        ["distance", "log-likelihood", "`resp_sum`"],
        (
            [f"{row['apart']:g}", f"{row['log_likelihood']:.0e}", f"{row['resp_sum']:.0e}"]
            for row in figures
        ),
        words=0,
    )


def hierarchical(figures: Figures) -> str:
    return table(
        ["model", "n", "d", *head(["mclust"]), "gain"],
        (
            [
                row["model"], *size(row), *beside(row["seconds"], ("mclust",)),
                gained(row["gain"]),
            ]
            for row in figures
        ),
    )  # fmt: skip


def families(figures: Figures) -> str:
    return table(
        ["family", "k", "d", "update, µs", "rule in Python, µs", "ratio"],
        (
            [
                row["family"], row["k"], row["d"],
                *(digits(1e6 * row[name]) for name in ("compiled", "rule")),
                times(row["rule"] / row["compiled"]),
            ]
            for row in figures
        ),
    )  # fmt: skip


def small_fits(figures: Figures) -> str:
    """Two tables: of times, and of ratios and gains."""
    names = ("mixtura, n_init=1", "scikit-learn", "scikit-learn, n_init=10")
    cells = [([row["problem"], *size(row)], beside(row["seconds"], names)) for row in figures]
    of_times = table(
        ["problem", "n", "d", "k", "mixtura", *names],
        ([*which, found[0], *found[1::2]] for which, found in cells),
    )
    of_ratios = table(
        ["problem", "n", "d", "k", *names, "gain"],
        (
            [*which, *found[2::2], gained(row["gain"])]
            for (which, found), row in zip(cells, figures, strict=True)
        ),
    )
    return f"{of_times}\n\nThe ratios of these times to those of mixtura:\n\n{of_ratios}"


def gained(nats: float | None) -> str:
    """Nats a row."""
    return MISSING if nats is None else f"{nats:+.4f}"


def columns(figures: dict[str, Any]) -> str:
    each = figures["n_columns"]
    ours = figures["seconds"]["mixtura"]
    return table(
        ["library", "columns per second", "ms per column", "ratio", "gain"],
        (
            [
                name, f"{each / seconds:,.0f}", milliseconds(seconds / each),
                MISSING if name == "mixtura" else times(seconds / ours),
                gained(figures["gain"] if name == "mixtura" else None),
            ]
            for name, seconds in figures["seconds"].items()
        ),
    )  # fmt: skip


def single_precision(figures: Figures) -> str:
    return table(
        ["covariances", "n", "d", "k", "float64", "float32", "ratio", "difference"],
        (
            [
                row["covariance_type"], *size(row),
                *(milliseconds(row["seconds"][name]) for name in ("float64", "float32")),
                times(row["seconds"]["float64"] / row["seconds"]["float32"]),
                f"{row['difference']:.0e}",
            ]
            for row in figures
        ),
    )  # fmt: skip


def two_threads(figures: Figures) -> str:
    return table(
        ["work", "one thread", "two threads", "times as fast"],
        (
            [
                row["work"], milliseconds(row["one"]), milliseconds(row["two"]),
                times(row["one"] / row["two"]),
            ]
            for row in figures
        ),
    )  # fmt: skip


def selections(figures: Figures) -> str:
    return table(
        [
            "data", "n", "d", *head(["mclust"]),
            "models", "as good, %", "worst", "best", "avoided",
        ],
        (
            [
                row["data"], *size(row), *beside(row["seconds"], ("mclust",)),
                row["models"], f"{100 * row['within']:.3g}", *(
                    f"{max(row[name], 0.0):.3f}" for name in ("worst", "best")
                ), row["avoided"],
            ]
            for row in figures
        ),
    )  # fmt: skip


def methods(figures: Figures) -> str:
    return table(
        ["method", "n", "d", "k", *head(["scikit-learn"])],
        (
            [f"`{row['method']}`", *size(row), *beside(row["seconds"], ("scikit-learn",))]
            for row in figures
        ),
    )


def shares(figures: Figures) -> str:
    return table(
        ["d", "pass", "DGEMM", "share, %"],
        (
            [
                str(row["d"]), *(f"{row[name] / 1e9:.3g}" for name in ("rate", "dgemm")),
                f"{100 * row['rate'] / row['dgemm']:.0f}",
            ]
            for row in figures
        ),
        words=0,
    )  # fmt: skip
