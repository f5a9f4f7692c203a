"""Time one EM iteration of oneDAL: run by `iteration_picture.py` in an environment with daal4py.

    python onedal_iteration.py CASE.npz SHORT LONG ROUNDS

CASE.npz holds X, weights, means and covariances. Prints the seconds of an iteration and the
log-likelihood after LONG of them. It stands alone, because daal4py wants packages of its own.
"""

import sys
from time import perf_counter

import daal4py
import numpy as np


def main() -> None:
    """Measure the slope between a short and a long run."""
    path, *counts = sys.argv[1:]
    short, long, rounds = map(int, counts)
    case = np.load(path)
    start = case["weights"][None], case["means"], list(case["covariances"])
    least = {short: np.inf, long: np.inf}
    for n_iter in [long, *rounds * [short, long]]:
        algorithm = daal4py.em_gmm(
            nComponents=len(case["means"]),
            maxIterations=n_iter,
            accuracyThreshold=1e-300,
            regularizationFactor=0.0,
        )
        begin = perf_counter()
        result = algorithm.compute(case["X"], *start)
        least[n_iter] = min(least[n_iter], perf_counter() - begin)
        assert int(result.nIterations[0, 0]) == n_iter
    seconds = (least[long] - least[short]) / (long - short)
    sys.stdout.write(f"{seconds} {float(result.goalFunction[0, 0])}\n")


if __name__ == "__main__":
    main()
