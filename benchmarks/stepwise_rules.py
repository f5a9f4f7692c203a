"""How far stepwise EM ends from the fit: tables of docs/explanation/stepwise_evidence.md.

    python -m benchmarks.stepwise_rules [--seeds 3]

Gaps are in nats per row: the mean log-likelihood of all rows under `fit_gmm`, which begins with the
mixture that the stream had after its start, less that under the stream. Rows are drawn from random
mixtures of 3 components in 2 features, 5 in 4 and 8 in 8, whose means lie 3, 1.5 or 0.8 deviations
from their middle. A gap that is not below 0.01 is that of a start in another basin of attraction.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

import mixtura

N_SAMPLES, EPOCHS = 20_000, 3
SIZES = [(3, 2), (5, 4), (8, 8)]
SPREADS = (3.0, 1.5, 0.8)
POWERS = (0.55, 0.6, 0.7, 0.8, 0.9, 1.0)
STARTS = (50, 200, 400)  # rows for each component, besides those of all powers
HALF_LIVES = (300, 1000, 3000, 10_000, None)


def rows(seed: int, k: int, d: int, spread: float, n: int = N_SAMPLES) -> np.ndarray:
    """Rows of k correlated clusters, in random order."""
    rng = np.random.default_rng(seed)
    label = rng.choice(k, size=n, p=rng.dirichlet(np.full(k, 5.0)))
    roots = rng.normal(size=(k, d, d)) / np.sqrt(d) + 0.5 * np.eye(d)
    noise = np.einsum("iab,ib->ia", roots[label], rng.normal(size=(n, d)))
    return noise + spread * rng.normal(size=(k, d))[label]


def gaps(X: np.ndarray, k: int, size: int, **options: object) -> list[float]:
    """The gap after each reading of all rows, in batches of some size."""
    stream = mixtura.StepwiseGMM(k, rng=0, **options)
    best, found = None, []
    for _ in range(EPOCHS):
        for first in range(0, len(X), size):
            stream.update(X[first : first + size])
            if best is None and stream.is_started:
                best = mixtura.fit_gmm(X, k, init=stream.model).log_likelihood / len(X)
        found.append(best - stream.model.log_likelihood(X) / len(X))
    return found


def line(power: float, start: int, size: int, problems: list[tuple[np.ndarray, int]]) -> None:
    """Print the median gap after one reading and after the last, and how many are small."""
    table = np.array([gaps(X, k, size, step_power=power, n_start=start * k) for X, k in problems])
    small = np.count_nonzero(table[:, -1] < 0.01)
    print(
        f"| {power} | {start} | {size} | {np.median(table[:, 0]):.4f} "
        f"| {np.median(table[:, -1]):.4f} | {small} |",
        flush=True,
    )


def drift(half_life: float | None, seed: int) -> float:
    """Mean distance of the means from the true ones, in deviations, where these move."""
    rng = np.random.default_rng(seed)
    stream = mixtura.StepwiseGMM(2, half_life=half_life, rng=0)
    found = []
    for t in range(200):
        true = np.array([[0.0, 0.01 * t], [8.0, -0.01 * t]])
        stream.update(true[rng.integers(2, size=200)] + rng.normal(size=(200, 2)))
        if t >= 100:
            means = stream.means[np.argsort(stream.means[:, 0])]
            found.append(np.linalg.norm(means - true, axis=1).mean())
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    warnings.simplefilter("ignore", mixtura.ConvergenceWarning)
    problems = [
        (rows(seed, k, d, spread), k) for spread in SPREADS for k, d in SIZES for seed in seeds
    ]
    heads = ("`step_power`", "rows of the start, per component", "batch", "gap, 1 reading")
    print(f"| {' | '.join(heads)} | gap, 3 readings | near, of {len(problems)} |\n{'| ---: ' * 6}|")
    for power in POWERS:
        for start, size in ((25, 100), (100, 100), (100, 1000)):
            line(power, start, size, problems)
    for start in STARTS:
        line(0.7, start, 100, problems)
    print("\n| `half_life`, rows | distance |\n| ---: | ---: |")
    for half_life in HALF_LIVES:
        distance = np.mean([drift(half_life, seed) for seed in seeds])
        print(f"| {half_life} | {distance:.3f} |")


if __name__ == "__main__":
    main()
