"""Components that the rows do not need, by kinds of passes: with moves and without.

    python -m benchmarks.spare_components

200,000 rows of 10 round clusters, 6 standard deviations apart, are fitted with 15 components by
`fit_bayesian_gmm`: with `em="soft"`, which has moves; with `em="memoised"`, which has none; and
with `em="soft"` from the memoised fit.
"""

from __future__ import annotations

import time
import warnings

import numpy as np

import mixtura

K = 15


def main() -> None:
    warnings.simplefilter("ignore", mixtura.ConvergenceWarning)
    rng = np.random.default_rng(0)
    centres = 6.0 * np.array([(i % 4, i // 4) for i in range(10)])
    X = centres[rng.integers(10, size=200_000)] + rng.normal(size=(200_000, 2))
    print(f"{'':<16}{'iterations':>12}{'with rows':>12}{'bound':>12}{'seconds':>12}")
    fit = None
    for name in ("soft", "memoised", "continued"):
        options = {"init": fit} if name == "continued" else {"em": name, "rng": 0}
        start = time.process_time()
        fit = mixtura.fit_bayesian_gmm(X, K, n_threads=1, **options)
        seconds = time.process_time() - start
        print(f"{name:<16}{fit.n_iter:>12}{fit.n_effective:>12}{fit.elbo:>12.0f}{seconds:>12.1f}")


if __name__ == "__main__":
    main()
