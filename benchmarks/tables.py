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
    """A ratio, such as 2.04x or 137x."""
    return f"{ratio:.{2 if ratio < 9.995 else 1 if ratio < 99.95 else 0}f}x"


def milliseconds(seconds: float | None, ours: float | None = None) -> str:
    """Milliseconds, and in brackets how many times `ours` they are."""
    if seconds is None:
        return MISSING
    ratio = "" if ours is None else f" ({times(seconds / ours)})"
    return f"{digits(1e3 * seconds)}{ratio}"


def beside(seconds: dict[str, float], names: Iterable[str]) -> list[str]:
    """Cells for mixtura and for its peers."""
    ours = seconds["mixtura"]
    return [milliseconds(ours), *(milliseconds(seconds.get(name), ours) for name in names)]


def size(*numbers: int) -> str:
    """Numbers of rows, features and components, as in a sentence."""
    return ", ".join(f"{number:,}" for number in numbers)


def iterations(figures: Figures) -> str:
    names = ("scikit-learn", "oneDAL")
    return table(
        ["covariances", "n", "d", "k", "mixtura", *names, "difference"],
        (
            [
                row["covariance_type"], f"{row['n']:,}", row["d"], row["k"],
                *beside(row["seconds"], names), f"{row['difference']:.0e}",
            ]
            for row in figures
        ),
    )  # fmt: skip


def kmeans(figures: Figures) -> str:
    names = ("faiss", "scikit-learn", "oneDAL", "product")
    return table(
        ["work", "type", "n, d, k", "mixtura", *names, "scatter", "labels"],
        (
            [
                row["kind"], row["dtype"], size(row["n"], row["d"], row["k"]),
                *beside(row["seconds"], names), f"{row['differences']['scatter']:.0e}",
                share(row["differences"].get("labels")),
            ]
            for row in figures
        ),
        words=3,
    )  # fmt: skip


def share(part: float | None) -> str:
    """A part of all, in per cent."""
    return MISSING if part is None else "none" if part == 0.0 else f"{100 * part:.1g}%"


def many_components(figures: Figures) -> str:
    def faster(row: dict[str, Any], way: str) -> str:
        dense, seconds = row["seconds"]["dense"], row["seconds"][way]
        return f"{digits(1e3 * seconds)} ({times(dense / seconds)})"

    return table(
        ["problem", "n, d, k", "all pairs", "bounds per tile", "as chosen", "difference"],
        (
            [
                row["problem"], size(row["n"], row["d"], row["k"]),
                milliseconds(row["seconds"]["dense"]), faster(row, "tiles"),
                faster(row, "default"), f"{row['difference']:.0e}",
            ]
            for row in figures
        ),
        words=2,
    )  # fmt: skip


def growth(figures: Figures) -> str:
    numbers = sorted({row["k"] for row in figures})
    cells = {
        (row["apart"], row["k"]): f"{milliseconds(row['seconds']['default'])} "
        f"({milliseconds(row['seconds']['dense'])})"
        for row in figures
    }
    distances = sorted({row["apart"] for row in figures}, reverse=True)
    return table(
        ["distance", *(f"k = {k}" for k in numbers)],
        ([f"{apart:g}", *(cells[apart, k] for k in numbers)] for apart in distances),
    )


def margin(figures: Figures) -> str:
    return table(
        ["distance", "log-likelihood", "resp_sum"],
        (
            [f"{row['apart']:g}", f"{row['log_likelihood']:.0e}", f"{row['resp_sum']:.0e}"]
            for row in figures
        ),
    )


def hierarchical(figures: Figures) -> str:
    return table(
        ["model", "n", "d", "mixtura", "mclust", "EM from the cuts"],
        (
            [
                row["model"], f"{row['n']:,}", row["d"], *beside(row["seconds"], ("mclust",)),
                "the same cuts" if row["gain"] is None else f"{row['gain']:+.4f}",
            ]
            for row in figures
        ),
    )  # fmt: skip


def families(figures: Figures) -> str:
    sizes = list(dict.fromkeys((row["k"], row["d"]) for row in figures))
    names = list(dict.fromkeys(row["family"] for row in figures))
    cells = {
        (row["family"], row["k"], row["d"]): f"{digits(1e6 * row['compiled'])} "
        f"({digits(1e6 * row['rule'])})"
        for row in figures
    }
    return table(
        ["family", *(f"k = {k}, d = {d}" for k, d in sizes)],
        ([name, *(cells[name, *each] for each in sizes)] for name in names),
    )


def small_fits(figures: Figures) -> str:
    names = ("mixtura, n_init=1", "scikit-learn", "scikit-learn, n_init=10")
    return table(
        ["problem", "n, d, k", "mixtura", *names, "gain"],
        (
            [
                row["problem"], size(row["n"], row["d"], row["k"]),
                *beside(row["seconds"], names), gained(row["gain"]),
            ]
            for row in figures
        ),
        words=2,
    )  # fmt: skip


def gained(nats: float | None) -> str:
    """Nats a row."""
    return MISSING if nats is None else f"{nats:+.4f}"


def columns(figures: dict[str, Any]) -> str:
    each = figures["n_columns"]
    ours = figures["seconds"]["mixtura"]
    return table(
        ["library", "columns a second", "ms a column", "gain"],
        (
            [
                name, f"{each / seconds:,.0f}",
                milliseconds(seconds / each, None if name == "mixtura" else ours / each),
                gained(figures["gain"] if name == "mixtura" else None),
            ]
            for name, seconds in figures["seconds"].items()
        ),
    )  # fmt: skip


def single_precision(figures: Figures) -> str:
    return table(
        ["covariances", "n, d, k", "float64", "float32", "ratio", "difference"],
        (
            [
                row["covariance_type"], size(row["n"], row["d"], row["k"]),
                *(milliseconds(row["seconds"][name]) for name in ("float64", "float32")),
                times(row["seconds"]["float64"] / row["seconds"]["float32"]),
                f"{row['difference']:.0e}",
            ]
            for row in figures
        ),
        words=2,
    )  # fmt: skip


def two_threads(figures: Figures) -> str:
    return table(
        ["work", "one thread", "two threads", "faster"],
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
        ["data", "n, d", "mixtura", "mclust", "models", "as good", "worst", "best", "avoided"],
        (
            [
                row["data"], size(row["n"], row["d"]), *beside(row["seconds"], ("mclust",)),
                row["models"], f"{100 * row['within']:.3g}%", *(
                    f"{max(row[name], 0.0):.3f}" for name in ("worst", "best")
                ), row["avoided"],
            ]
            for row in figures
        ),
        words=2,
    )  # fmt: skip


def methods(figures: Figures) -> str:
    sizes = list(dict.fromkeys((row["n"], row["d"], row["k"]) for row in figures))
    names = list(dict.fromkeys(row["method"] for row in figures))
    cells = {
        (row["method"], row["n"], row["d"], row["k"]): beside(row["seconds"], ("scikit-learn",))
        for row in figures
    }
    return table(
        ["method", *(name for each in sizes for name in (size(*each), "scikit-learn"))],
        ([f"`{name}`", *(cell for each in sizes for cell in cells[name, *each])] for name in names),
    )


def shares(figures: Figures) -> str:
    return table(
        ["d", "pass", "DGEMM", "share"],
        (
            [
                str(row["d"]), *(f"{row[name] / 1e9:.3g}" for name in ("rate", "dgemm")),
                f"{100 * row['rate'] / row['dgemm']:.0f}%",
            ]
            for row in figures
        ),
    )  # fmt: skip
