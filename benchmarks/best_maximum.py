"""How often fits reach the best known maximum, and at what cost.

    python -m benchmarks.best_maximum [--seeds 20] [--only NAMES] [--real] [--methods NAMES]
        [--jobs 1] [--most-seconds 60] [--out FILE] [--update]
    python -m benchmarks.best_maximum --tables A.json
    python -m benchmarks.best_maximum --compare A.json B.json

A fit is a hit if it has no spurious component and ends no more than 1e-4 nats per row below the
best known model (see `benchmarks.best_known`). All times are CPU times on one thread. Fits of other
libraries are continued to convergence before they are compared (see `benchmarks.maxima_runs`).
`--most-seconds` bounds the CPU time of a method on a problem: slow methods get fewer seeds.
`--out` writes every run as JSON, over what the file has of other problems and methods. `--tables`
prints such a file, by what is the best known now, `--compare` prints two of them side by side, and
`--update` puts better models into ``best_known.json``. A problem with a star is held back: it is
never used to choose a setting. One that is "small" has a best known model with a component of fewer
than 2 (d + 1) rows. A cell of the first table is the share of hits, then, in brackets, the median
and the largest gap to the best known in nats per row, and the share of fits that are spurious.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.best_known import WITHIN, Known, best_known, gap, is_hit
from benchmarks.maxima_problems import PROBLEMS
from benchmarks.maxima_runs import Run, mclust, ours, several, sklearn

METHODS: dict[str, Callable[..., Run | None]] = {
    "n_init=1": partial(ours, n_init=1),
    "default": ours,
    "n_init=100": partial(ours, n_init=100),
    "sklearn 1": partial(sklearn, n_init=1),
    "sklearn 10": partial(sklearn, n_init=10),
    "sklearn 100": partial(sklearn, n_init=100),
}
NAMES = (*METHODS, "mclust")
OURS = ("n_init=1", "default", "n_init=100")
STANDARD = "sklearn 10"  # to whose time others are compared
NARROW = 1e-3  # relative variance of a component below which a model is sound only just
Runs = dict[str, dict[str, list[Run]]]  # by problem and method


class Evaluation(NamedTuple):
    """How a method does on one problem, over some seeds.

    Attributes
    ----------
    share : float
        Of the fits that are hits.
    gaps : ndarray of shape (n_seeds,), nats per row
        By which each is below the best known; negative if above, inf for fits that failed.
    spurious : float
        Share of fits with a spurious component.
    passes : float
        Mean over the fits of E-steps, in units of all rows.
    cpu : float, seconds
        Median over the fits.
    """

    share: float
    gaps: np.ndarray
    spurious: float
    passes: float
    cpu: float


def evaluate(
    problem_name: str,
    seeds: int | Iterable[int] = 20,
    *,
    most_seconds: float = np.inf,
    update: str = "",
    **fit_options: Any,
) -> Evaluation:
    """Fit a problem from several seeds with options of `mixtura.fit_gmm`.

    Parameters
    ----------
    problem_name : str
        One of `benchmarks.maxima_problems.PROBLEMS`.
    seeds : int or iterable of int
    most_seconds : float
        CPU time after which no more fits are begun.
    update : str
        If not empty, better models go into ``best_known.json`` as found by this.
    **fit_options
        Handed to `fit_gmm`.
    """
    seeds = range(seeds) if isinstance(seeds, int) else seeds
    fit = partial(ours, update=update, **fit_options)
    runs = several(fit, problem_name, seeds, most_seconds)
    return judged(problem_name, runs, best_known()[problem_name])


def judged(name: str, runs: list[Run], known: Known) -> Evaluation:
    """Compare runs with the best known model."""
    gaps = np.array([gap(name, run.log_likelihood, known) for run in runs])
    gaps = np.where(np.isfinite(gaps), gaps, np.inf)
    hits = [is_hit(each, run.spurious) for each, run in zip(gaps, runs, strict=True)]
    return Evaluation(
        float(np.mean(hits)),
        gaps,
        float(np.mean([run.spurious for run in runs])),
        float(np.mean([run.passes for run in runs])),
        float(np.median([run.cpu for run in runs])),
    )


def on_problem(
    name: str, methods: list[str], n_seeds: int, most_seconds: float, update: bool
) -> dict[str, list[Run]]:
    """Runs of each method that has the family."""
    done: dict[str, list[Run]] = {}
    for method in methods:
        if method == "mclust":
            runs = mclust(name)
        else:
            fit = METHODS[method]
            if update and method in OURS:
                fit = partial(fit, update=method)
            runs = several(fit, name, range(n_seeds), most_seconds)
        if runs:
            done[method] = runs
    return done


def _cell(number: float) -> str:
    if not np.isfinite(number):
        return "-"
    return np.format_float_positional(number, precision=3, fractional=False, trim="-")


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _head(first: Iterable[str], others: Iterable[str]) -> str:
    first, others = list(first), list(others)
    return _row([*first, *others]) + "\n" + "| --- " * len(first) + "| ---: " * len(others) + "|"


def tables(runs: Runs) -> str:
    """Markdown: shares and gaps, CPU times and passes, and the summary."""
    known = best_known()
    methods = [each for each in NAMES if any(each in done for done in runs.values())]
    judgements = {
        name: {method: judged(name, each, known[name]) for method, each in done.items()}
        for name, done in runs.items()
        if name in known
    }
    first = ["problem", "data", "held back", "small component"]
    shares = [_head(first, ["n", "d", "best known", *(f"hits, {each}" for each in methods)])]
    gaps = [_head(["problem"], [f"gap, {each}" for each in methods])]
    costs = [
        _head(
            ["problem"],
            [*(f"ms, {m}" for m in methods), *(f"passes, {m}" for m in methods if m in OURS)],
        )
    ]
    for name, done in judgements.items():
        problem = PROBLEMS[name]
        yes = ["yes" * problem.held_back, "yes" * (not known[name].is_large)]
        first = [name, "real" if problem.is_real else "drawn", *yes, *map(str, problem.X.shape)]
        first.append(f"{known[name].log_likelihood:.2f}")
        here = [done.get(method) for method in methods]
        shares.append(_row([*first, *(f"{one.share:.2f}" if one else "-" for one in here)]))
        gaps.append(_row([name, *(f"{np.median(one.gaps):.4f}" if one else "-" for one in here)]))
        cpu = [_cell(1e3 * done[m].cpu) if m in done else "-" for m in methods]
        passes = [_cell(done[m].passes) if m in done else "-" for m in methods if m in OURS]
        costs.append(_row([name, *cpu, *passes]))
    means = _summary(judgements, methods, known)
    return "\n\n".join([*("\n".join(lines) for lines in (shares, gaps, costs)), means])


def _summary(
    judgements: dict[str, dict[str, Evaluation]], methods: list[str], known: dict[str, Known]
) -> str:
    """Means over the problems whose family a method has."""
    groups: dict[str, Callable[[str], bool]] = {
        "all": lambda _: True,
        "real": lambda name: PROBLEMS[name].is_real,
        "held back": lambda name: PROBLEMS[name].held_back,
        "no small component": lambda name: known[name].is_large,
        "no small component, held back": lambda name: (
            known[name].is_large and PROBLEMS[name].held_back
        ),
        "no small or narrow component": lambda name: (
            known[name].is_large and known[name].narrowest >= NARROW
        ),
    }
    lines = [_head(["mean over problems"], methods)]
    for title, belongs in groups.items():
        here = [done for name, done in judgements.items() if belongs(name)]
        shares = [[done[method].share for done in here if method in done] for method in methods]
        cells = [f"{np.mean(each):.3f}" if each else "-" for each in shares]
        lines.append(_row([f"share of hits: {title} ({len(here)})", *cells]))
    problems, near, spurious, passes, times, worst = [], [], [], [], [], []
    for method in methods:
        each = [done[method] for done in judgements.values() if method in done]
        n_near = sum(np.median(one.gaps) < WITHIN for one in each)
        problems.append(str(len(each)))
        near.append(str(n_near))
        spurious.append(_cell(np.mean([one.spurious for one in each])))
        passes.append(_cell(np.mean([one.passes for one in each])))
        both = [done for done in judgements.values() if {method, STANDARD} <= {*done}]
        ratios = [done[method].cpu / done[STANDARD].cpu for done in both] or [np.nan]
        times.append(_cell(np.exp(np.mean(np.log(ratios)))))
        worst.append(_cell(max(ratios)))
    return "\n".join(
        [
            *lines,
            _row(["problems", *problems]),
            _row([f"problems with median gap below {WITHIN:g}", *near]),
            _row(["share of spurious fits", *spurious]),
            _row(["passes", *passes]),
            _row([f"time / {STANDARD}, geometric mean", *times]),
            _row([f"time / {STANDARD}, worst", *worst]),
        ]
    )


def comparison(one: Runs, other: Runs) -> str:
    """Markdown: shares, median gaps, times and passes of our methods in two files."""
    known = best_known()
    lines = [_head(["problem", "method"], ["share", "median gap", "ms", "passes"])]
    means: dict[str, list[tuple[float, float]]] = {}
    for name in one:
        for method in one[name]:
            if method not in other.get(name, {}) or name not in known:
                continue
            a, b = (judged(name, runs[name][method], known[name]) for runs in (one, other))
            means.setdefault(method, []).append((a.share, b.share))
            pairs = [
                f"{a.share:.2f} > {b.share:.2f}",
                f"{np.median(a.gaps):.4f} > {np.median(b.gaps):.4f}",
                f"{_cell(1e3 * a.cpu)} > {_cell(1e3 * b.cpu)}",
                f"{_cell(a.passes)} > {_cell(b.passes)}",
            ]
            lines.append(_row([name, method, *pairs]))
    for method, pairs_of_shares in means.items():
        a_mean, b_mean = np.mean(pairs_of_shares, axis=0)
        lines.append(_row(["mean", method, f"{a_mean:.3f} > {b_mean:.3f}", "", "", ""]))
    return "\n".join(lines)


def read(file: Path) -> Runs:
    """Read what `write` has written."""
    raw = json.loads(file.read_text("utf-8"))
    return {
        name: {method: [Run(**each) for each in runs] for method, runs in done.items()}
        for name, done in raw.items()
    }


def write(file: Path, runs: Runs) -> None:
    """Write all runs as JSON, over what the file has of other problems and methods."""
    everything = read(file) if file.exists() else {}
    for name, done in runs.items():
        everything.setdefault(name, {}).update(done)
    raw = {
        name: {method: [asdict(run) for run in each] for method, each in everything[name].items()}
        for name in PROBLEMS
        if name in everything
    }
    file.write_text(json.dumps(raw), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=PROBLEMS, metavar="NAME")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--methods", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--most-seconds", type=float, default=60.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--tables", type=Path, metavar="FILE")
    parser.add_argument("--compare", nargs=2, type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.compare:
        print(comparison(*map(read, arguments.compare)))
        return
    if arguments.tables:
        print(tables(read(arguments.tables)))
        return
    names = [
        name
        for name, problem in PROBLEMS.items()
        if name in (arguments.only or PROBLEMS) and (problem.is_real or not arguments.real)
    ]
    one = partial(
        on_problem,
        methods=arguments.methods,
        n_seeds=arguments.seeds,
        most_seconds=arguments.most_seconds,
        update=arguments.update,
    )
    runs: Runs = {}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for name, done in zip(names, pool.map(one, names), strict=True):
            runs[name] = done
            if arguments.out:
                write(arguments.out, {name: done})
    print("<!-- best maximum -->", tables(runs), "<!-- end -->", sep="\n\n")


if __name__ == "__main__":
    main()
