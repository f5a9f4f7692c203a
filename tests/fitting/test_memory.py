"""Memory: what cannot be had is said at once, with its size; fits leave nothing behind."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")

MEMORY_IN_USE = """
import resource
import numpy as np
from mixtura import FitInterrupted, GaussianMixture, fit_gmm, fit_kmeans, kernels

X = np.random.default_rng(0).normal(size=(300, 2))

def in_use(column):
    with open("/proc/self/statm") as file:
        return int(file.read().split()[column]) * resource.getpagesize()
"""


def printed(script: str) -> list[str]:
    """Lines that a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_IN_USE + script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


IN_LITTLE_MEMORY = """
many = np.broadcast_to(X[:1], (20_000_000, 2))
wide = np.zeros((1024, 2500))
mixture = GaussianMixture([0.5, 0.5], X[:2], [1.0, 1.0], "spherical")
out = np.full((1024, 1), 7.0)
fit_gmm(X, 2, rng=0, n_threads=2)  # OpenMP's threads have their stacks by now
resource.setrlimit(resource.RLIMIT_AS, (in_use(0) + 100 * 2**20, resource.RLIM_INFINITY))
for what in (
    lambda: kernels.log_density(many, X[:2], np.ones(2), covariance_type="spherical"),
    lambda: mixture.responsibilities(many),
    lambda: mixture.log_prob(many),
    lambda: mixture.predict(many),
    lambda: mixture.sample(20_000_000),
    lambda: fit_kmeans(many, 2, rng=0),
    lambda: kernels.accumulate_resp(wide, out, wide[:1], covariance_type="full"),
):
    try:
        what()
    except MemoryError as error:
        print(error)
    else:
        print("was done")
print(fit_gmm(X, 2, rng=0).stop_reason)
"""


def test_memory_that_cannot_be_had_is_named_and_the_process_goes_on() -> None:
    *errors, last = printed(IN_LITTLE_MEMORY)
    assert len(errors) == 7
    for error in errors[:-1]:
        assert error.startswith("Unable to allocate"), error
        assert "MiB" in error or "GiB" in error, error
    assert errors[-1] == (
        "a pass needs 382.0 MiB of working memory, which could not be had. "
        "Use fewer threads, components or features."
    )
    assert last == "converged"


THOUSANDS_OF_FITS = """
import gc
import tracemalloc

def interrupt(state):
    raise KeyboardInterrupt

def fits(count):
    for i in range(count):
        kind = ("full", "tied", "diag", "spherical")[i % 4]
        options = dict(rng=i, init="random", n_init=1, tol=0.0, covariance_type=kind)
        model = fit_gmm(X, 2, max_iter=3, n_threads=1 + i % 2, **options).model
        model.predict(X)
        fit_kmeans(X, 2, rng=i, tol=0.0, max_iter=3)
        try:
            fit_gmm(X, 2, callback=interrupt, **options)
        except FitInterrupted:
            pass

def measure():
    gc.collect()
    return in_use(1), tracemalloc.get_traced_memory()[0]

tracemalloc.start()
fits(300)
before = measure()
fits(300)
print(*(after - b for after, b in zip(measure(), before)))
"""


def test_thousands_of_fits_leave_memory_as_it_was() -> None:
    """Half a small array a fit of Python's; of the kernels', what malloc keeps in hand."""
    resident, traced = map(int, printed(THOUSANDS_OF_FITS)[0].split())
    assert resident < 2**22
    assert traced < 2**14
