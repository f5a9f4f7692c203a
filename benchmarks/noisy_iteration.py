"""One EM iteration on rows with noise of their own: mixtura beside astroML's XDGMM and NumPy.

Run ``python -m benchmarks.noisy_iteration``, with astroML installed for its column. All start from
the same mixture, and log-likelihoods after an iteration are checked to agree. The column NumPy is
mixtura's reference. The code in C of Bovy, Hogg and Roweis is not in the package index.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mixtura import GaussianMixture, fit_gmm

# rows, features, components
SIZES = [(10_000, 2, 4), (10_000, 4, 8), (5_000, 8, 8), (2_000, 12, 8)]
REPEATS = 3


def problem(n: int, d: int, k: int) -> tuple[Any, Any, GaussianMixture]:
    """Rows, their noise, and a start near the truth."""
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(k, d, d)) / np.sqrt(d)
    covariances = roots @ roots.swapaxes(1, 2) + 0.3 * np.eye(d)
    means = 3.0 * rng.normal(size=(k, d))
    truth = GaussianMixture(np.full(k, 1.0 / k), means, covariances)
    rows = truth.sample(n, rng)[0]
    roots = rng.normal(size=(n, d, d)) / np.sqrt(2.0 * d)
    noise = roots @ roots.swapaxes(1, 2)
    rows += (np.linalg.cholesky(noise + 1e-12 * np.eye(d)) @ rng.normal(size=(n, d, 1)))[..., 0]
    return rows, noise, truth


def of_astroml(X: Any, noise: Any, start: GaussianMixture) -> Callable[[], float] | None:
    """An iteration of astroML, which returns the log-likelihood after it."""
    try:
        from astroML.density_estimation import XDGMM
    except ImportError:
        return None
    model = XDGMM(start.n_components)

    def step() -> None:
        model.mu, model.alpha = start.means.copy(), start.weights.copy()
        model.V = start.covariances.copy()
        model._EMstep(X, noise)

    step.after = lambda: model.logL(X, noise)  # type: ignore[attr-defined]
    return step  # type: ignore[return-value]


def of_mixtura(X: Any, noise: Any, start: GaussianMixture, backend: str, n_threads: int) -> Any:
    """Return seconds an iteration, and the log-likelihood after one."""

    def fit(iterations: int) -> tuple[float, float]:
        began = time.perf_counter()
        done = fit_gmm(
            X, start.n_components, noise_covariance=noise, init=start, reg_covar=0.0, tol=0.0,
            max_iter=iterations, backend=backend, n_threads=n_threads, verbose=False,
        )  # fmt: skip
        return time.perf_counter() - began, done.log_likelihood

    more = 21 if backend == "compiled" else 3
    times = [(fit(more)[0] - fit(1)[0]) / (more - 1) for _ in range(REPEATS)]
    return min(times), fit(1)[1]


def main() -> None:
    """Print a table in Markdown."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    print(f"CPU: {models[0] if models else platform.processor()}, one thread each; milliseconds\n")
    print("| rows | features | components | mixtura | NumPy | astroML | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for n, d, k in SIZES:
        X, noise, start = problem(n, d, k)
        own, reached = of_mixtura(X, noise, start, "compiled", 1)
        plain, other = of_mixtura(X, noise, start, "reference", 1)
        assert abs(reached - other) <= 1e-10 * abs(other)
        step, peer = of_astroml(X, noise, start), np.nan
        if step is not None:
            times = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                step()
                times.append(time.perf_counter() - began)
            peer = min(times)
            after = step.after()  # type: ignore[attr-defined]
            assert abs(reached - after) <= 1e-10 * abs(after)
        best = min(plain, peer) if np.isfinite(peer) else plain
        cells = [n, d, k, f"{1e3 * own:.2f}", f"{1e3 * plain:.0f}", f"{1e3 * peer:.0f}"]
        print("|", " | ".join(map(str, [*cells, f"{best / own:.1f}"])), "|", flush=True)


if __name__ == "__main__":
    main()
