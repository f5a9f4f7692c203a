"""Memory: what cannot be had is said at once, with its size; fits leave nothing behind."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from mixtura import bootstrap_lrt, fit_gmm, scan, select_gmm
from mixtura.fitting import memory

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")

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


@on_linux
def test_memory_that_cannot_be_had_is_named_and_the_process_goes_on() -> None:
    *errors, last = printed(IN_LITTLE_MEMORY)
    assert len(errors) == 7
    for error in errors[:-1]:
        assert error.startswith("Unable to allocate"), error
        assert "MiB" in error or "GiB" in error, error
    assert re.fullmatch(
        r"a pass needs 38\d\.\d MiB of working memory, which could not be had\. "
        r"Use fewer threads, components or features\.",
        errors[-1],
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
fits(600)  # until the caches of NumPy are full
before = measure()
fits(300)
print(*(after - b for after, b in zip(measure(), before)))
"""


@on_linux
def test_thousands_of_fits_leave_memory_as_it_was() -> None:
    """Half a small array a fit of Python's; of the kernels', what malloc keeps in hand."""
    resident, traced = map(int, printed(THOUSANDS_OF_FITS)[0].split())
    assert resident < 2**22
    assert traced < 2**14


WIDE = np.random.default_rng(0).normal(size=(12, 100))


def with_little_memory(monkeypatch: pytest.MonkeyPatch, n_bytes: int | None = 2**20) -> None:
    monkeypatch.setattr(memory, "_memory", lambda: n_bytes)


@pytest.mark.parametrize(
    ("covariance_type", "numbers"),
    [
        ("full", "about 0.001788 GiB of memory, 12 arrays of 0.000149 GiB"),
        ("EVE", "about 0.001788 GiB of memory, 12 arrays of 0.000149 GiB"),
        ("tied", "about 0.0008941 GiB of memory, 12 arrays of 7.451e-05 GiB"),
    ],
)
def test_fit_of_wide_rows_says_before_any_work_what_it_needs_and_what_to_do(
    covariance_type: str, numbers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_little_memory(monkeypatch, 2**19)
    expected = (
        f"covariances of 2 components and 100 features need {numbers}; the machine has 0.0004883 "
        'GiB. Use covariance_type="diag", or fewer features.'
    )
    swapped = "There are 12 rows and 100 columns: if these are swapped, pass X.T."
    labels = np.arange(12) % 2
    for rows in (WIDE, WIDE.astype(np.float32), scan([WIDE[:5], WIDE[5:]])):
        for init in ("kmeans", "hierarchical", labels):
            with pytest.raises(MemoryError) as caught:
                fit_gmm(rows, 2, covariance_type=covariance_type, init=init, rng=0)
            assert str(caught.value) == f"{expected} {swapped}"
    with pytest.raises(MemoryError) as caught:
        fit_gmm(np.tile(WIDE, (9, 1)), 2, covariance_type=covariance_type)
    assert str(caught.value) == expected


def test_other_functions_with_wide_rows_refuse_what_needs_too_much_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_little_memory(monkeypatch)
    with pytest.raises(MemoryError, match="covariances of 2 components and 100 features need"):
        bootstrap_lrt(np.tile(WIDE, (2, 1)), 1, n_bootstrap=2, rng=0)
    options = {"criterion": "cv", "n_folds": 2, "rng": 0, "n_init": 1}
    found = select_gmm(WIDE, 2, ["VVV", "EEI", "VII", "EEE"], **options)
    assert set(found.fits) == {(2, "EEI"), (2, "VII"), (2, "EEE")}
    assert found.reasons[2, "VVV"].startswith("covariances of 2 components and 100 features need")
    assert found.reasons[2, "VVV"].endswith("pass X.T. (MemoryError)")


def test_scikit_learns_estimator_with_wide_rows_refuses_what_needs_too_much_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sklearn = pytest.importorskip("mixtura.sklearn")
    with_little_memory(monkeypatch)
    with pytest.raises(MemoryError, match="covariances of 2 components and 100 features need"):
        sklearn.GaussianMixture(2).fit(WIDE)


def test_fit_where_the_system_does_not_tell_its_memory_is_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_little_memory(monkeypatch, None)
    assert fit_gmm(WIDE, 2, rng=0, n_init=1).n_features == 100


@pytest.mark.parametrize("error", [AttributeError, OSError, ValueError])
def test_memory_is_unknown_where_the_system_does_not_tell(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> int:
        raise error

    monkeypatch.setattr(os, "sysconf", refuse, raising=False)
    assert memory._memory() is None
    monkeypatch.setattr(os, "sysconf", lambda _: -1, raising=False)
    assert memory._memory() is None
    monkeypatch.setattr(os, "sysconf", lambda _: 2**12, raising=False)
    assert memory._memory() == 2**24


DIAGONAL_IN_LITTLE_MEMORY = """
from mixtura import datasets, select_gmm
wide = np.random.default_rng(0).normal(size=(24, 5000))  # a matrix takes 191 MiB
wide[:12] += 1.0
fit_gmm(X, 2, rng=0)
resource.setrlimit(resource.RLIMIT_AS, (in_use(0) + 150 * 2**20, resource.RLIM_INFINITY))
for name in ("diag", "spherical", "EEI"):
    fit = fit_gmm(wide, 2, covariance_type=name, rng=0, n_init=2)
    other = fit_gmm(wide, 2, covariance_type="EVI", init=fit.model, max_iter=2, tol=0.0)
    fit.summary(), fit.bic(wide), fit.predict(wide), fit.sample(3, rng=0), fit.volume
print(select_gmm(wide, [1, 2], ["EII", "VEI", "VVI"], rng=0, n_init=1).best.n_components)
"""


@on_linux
def test_diagonal_fits_of_wide_rows_need_no_matrices() -> None:
    assert printed(DIAGONAL_IN_LITTLE_MEMORY) == ["2"]
