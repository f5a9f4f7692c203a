"""Fits in the parent, then in children, then in the parent again; run as a script.

    python fits_in_processes.py HOW

makes the children as HOW says and prints "same", and the most threads a child would use.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

import mixtura

X = np.random.default_rng(0).normal(size=(20_000, 4))
N_THREADS = (2, None)  # in the children, one each


def fit(n_threads: int | None) -> tuple[object, ...]:
    """A mixture, a clustering, and how many threads a pass would use by default."""
    signal.alarm(90)  # a child that hangs does not outlive its parent for long
    options = {"rng": 0, "tol": 0.0, "max_iter": 5, "n_threads": n_threads}
    mixture = mixtura.fit_gmm(X, 3, n_init=2, **options).model
    centers = mixtura.fit_kmeans(X, 3, **options).centers
    return mixture, centers.tolist(), mixtura.build_config()["n_threads"]


def with_multiprocessing(method: str, n_threads: Iterable[int | None]) -> list[tuple[object, ...]]:
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(fit, n_threads)


def with_futures(method: str, n_threads: Iterable[int | None]) -> list[tuple[object, ...]]:
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        return list(pool.map(fit, n_threads))


def with_joblib(backend: str, n_threads: Iterable[int | None]) -> list[tuple[object, ...]]:
    from joblib import Parallel, delayed

    return Parallel(n_jobs=2, backend=backend)(delayed(fit)(n) for n in n_threads)


HOW: dict[str, tuple[Callable[..., list[tuple[object, ...]]], str]] = {
    "fork": (with_multiprocessing, "fork"),
    "forkserver": (with_multiprocessing, "forkserver"),
    "spawn": (with_multiprocessing, "spawn"),
    "futures": (with_futures, "fork"),
    "loky": (with_joblib, "loky"),
    "joblib-multiprocessing": (with_joblib, "multiprocessing"),
}


def main() -> None:
    """Compare."""
    run, argument = HOW[sys.argv[1]]
    parent = fit(2)
    children = run(argument, N_THREADS)
    again = fit(2)
    for child in [*children, again]:
        assert child[:2] == parent[:2], "a fit differs"
    print("same", max(child[2] for child in children))  # noqa: T201


if __name__ == "__main__":
    main()
