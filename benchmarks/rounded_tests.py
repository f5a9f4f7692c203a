"""How often `bootstrap_lrt` rejects a true null hypothesis: a benchmark of soundness.

    python -m benchmarks.rounded_tests [--tests 100]

Rows are drawn from mixtures that the null hypothesis contains, and rounded to a grid whose step is
a share of their deviation (0 for none). A p-value should be uniform: with 19 samples its mean is
0.525, and a twentieth of the tests are at 0.05 or below. Tests of the same number have the same
rows before rounding.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

import mixtura

SAMPLES = 19
CASES = [("V", 1, 60, 1), ("VVV", 1, 60, 2), ("VVI", 2, 80, 2)]  # family, components, rows, columns
STEPS = (0.0, 0.25, 1.0)


def rows(seed: int, n_components: int, n: int, d: int, step: float) -> np.ndarray:
    """Rows of as many normal clusters, rounded."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 4.0 * (np.arange(n) % n_components)[:, None]
    return np.round(X / step) * step if step else X


def p_values(case: tuple[str, int, int, int], step: float, n_tests: int) -> np.ndarray:
    """The p-value of each test."""
    name, k, n, d = case
    found = [
        mixtura.bootstrap_lrt(
            rows(seed, k, n, d, step), k, covariance_type=name, n_bootstrap=SAMPLES,
            n_init=2, tol=1e-5, rng=seed,
        ).p_value
        for seed in range(n_tests)
    ]  # fmt: skip
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=100)
    n_tests = parser.parse_args().tests
    warnings.simplefilter("ignore", mixtura.ConvergenceWarning)
    print(
        "| family | components | rows | columns | step / deviation | mean p-value "
        f"| p ≤ 0.05, of {n_tests} | p ≤ 0.2, of {n_tests} |"
    )
    print("| --- " + "| ---: " * 7 + "|")
    for case in CASES:
        for step in STEPS:
            p = p_values(case, step, n_tests)
            few, more = (np.count_nonzero(p <= level) for level in (0.05, 0.2))
            cells = " | ".join(map(str, case))
            print(f"| {cells} | {step:g} | {p.mean():.3f} | {few} | {more} |", flush=True)


if __name__ == "__main__":
    main()
