"""Fits among threads and processes: how many they use, after a fork, many at once."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from clusters import assert_same_fit_bits, clustered

from mixtura import build_config, fit_gmm, fit_kmeans, threads

TIMEOUT = 120  # seconds, after which a process is taken to hang
with_openmp = pytest.mark.skipif(not build_config()["openmp"], reason="built without OpenMP")


def run(script: str, **environment: str) -> list[str]:
    """Words that a script prints in a process of its own."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", script],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


PRINT_DEFAULT = "from mixtura import threads; print(threads.choose_n_threads(None))"


@with_openmp
@pytest.mark.parametrize("asked", [1, 2, 64])
def test_default_honours_omp_num_threads_up_to_the_cpus(asked: int) -> None:
    allowed = min(threads._affinity(), threads._cgroup_quota())
    assert run(PRINT_DEFAULT, OMP_NUM_THREADS=str(asked)) == [str(min(asked, allowed))]


@with_openmp
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this platform")
@pytest.mark.parametrize("when", ["before", "after"])
def test_default_honours_the_affinity(when: str) -> None:
    limit = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    script = (
        limit + PRINT_DEFAULT if when == "before" else f"import mixtura; {limit}{PRINT_DEFAULT}"
    )
    assert run(script, OMP_NUM_THREADS="8") == ["1"]


@with_openmp
def test_default_honours_threadpoolctl() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    before = threads.choose_n_threads(None)
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert threads.choose_n_threads(None) == 1
    assert threads.choose_n_threads(None) == before


def test_default_is_at_most_the_quota_of_the_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_affinity", lambda: 64)
    monkeypatch.setattr(threads.runtime, "max_threads", lambda: 64)
    for quota in (1, 3):
        monkeypatch.setattr(threads, "_cgroup_quota", lambda quota=quota: quota)
        assert threads.choose_n_threads(None) == (quota if build_config()["openmp"] else 1)


@pytest.mark.parametrize("policy", [None, "active"])
def test_import_leaves_the_environment_as_it_is(policy: str | None) -> None:
    script = "import os, mixtura; print(os.environ.get('OMP_WAIT_POLICY'))"
    environment = {} if policy is None else {"OMP_WAIT_POLICY": policy}
    assert run(script, **environment) == [str(policy)]


@with_openmp
@pytest.mark.parametrize(("policy", "told"), [(None, "PASSIVE"), ("active", "ACTIVE")])
def test_idle_threads_sleep_unless_the_environment_says_how_they_wait(
    policy: str | None, told: str
) -> None:
    environment = dict(os.environ) | {"OMP_DISPLAY_ENV": "true"}
    environment.pop("OMP_WAIT_POLICY", None)
    if policy is not None:
        environment["OMP_WAIT_POLICY"] = policy
    done = subprocess.run(
        [sys.executable, "-c", "import mixtura"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    settings = [line for line in done.stderr.splitlines() if "OMP_WAIT_POLICY" in line]
    if not settings:
        pytest.skip("this OpenMP does not display its wait policy")
    assert f"'{told}'" in settings[0]


def test_many_fits_at_once_give_the_bits_of_one() -> None:
    X = clustered(3000, 4, 3)[0]

    def fit(n_threads: int | None) -> object:
        return fit_gmm(X, 3, rng=0, n_init=2, tol=0.0, max_iter=5, n_threads=n_threads)

    expected = fit(1)
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(fit, [1, 2, 3, None] * 2):
            assert_same_fit_bits(other, expected)


def test_many_clusterings_at_once_give_the_bits_of_one() -> None:
    X = clustered(3000, 4, 3)[0]
    expected = fit_kmeans(X, 3, rng=0, n_threads=1)
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(lambda n: fit_kmeans(X, 3, rng=0, n_threads=n), [1, 2, 3, None] * 2):
            np.testing.assert_array_equal(other.centers, expected.centers)
            np.testing.assert_array_equal(other.labels, expected.labels)


FORK_AFTER_A_PARALLEL_FIT = """
import multiprocessing
import signal
import numpy as np
from mixtura import fit_gmm, fit_kmeans, threads

X = np.random.default_rng(0).normal(size=(20_000, 4))

def fit(n_threads):
    mixture = fit_gmm(X, 3, rng=0, n_init=2, tol=0.0, max_iter=5, n_threads=n_threads).model
    centers = fit_kmeans(X, 3, rng=0, max_iter=5, tol=0.0, n_threads=n_threads).centers
    return mixture, centers.tolist(), threads.choose_n_threads(2)

if __name__ == "__main__":
    parent = fit(2)
    # A child that hangs ends by the alarm, when the parent is gone.
    with multiprocessing.get_context("fork").Pool(2, signal.alarm, (60,)) as pool:
        children = pool.map(fit, [2, None, 7])
    again = fit(2)
    for child in children:
        assert child[:2] == parent[:2] == again[:2]
        assert child[2] == 1
    print("same")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
def test_forked_children_after_a_parallel_fit_make_the_same_one() -> None:
    assert run(FORK_AFTER_A_PARALLEL_FIT) == ["same"]


FORK_BESIDE_A_RUNNING_FIT = """
import os
import signal
import threading
import numpy as np
from mixtura import fit_gmm

X = np.random.default_rng(0).normal(size=(50_000, 4))
running, done = threading.Event(), threading.Event()

def tell(state):
    running.set()
    return done.is_set()

thread = threading.Thread(
    target=lambda: fit_gmm(X, 3, init="random", n_init=1, tol=0.0, max_iter=10_000, n_threads=2,
                           rng=0, callback=tell))
thread.start()
running.wait()
child = os.fork()
if child == 0:
    signal.alarm(60)  # ends a child that hangs
    fit_gmm(X, 3, init="random", n_init=1, tol=0.0, max_iter=2, n_threads=2, rng=0)
    os._exit(0)
_, status = os.waitpid(child, 0)
done.set()
thread.join()
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
def test_child_forked_while_a_fit_runs_in_a_thread_can_fit() -> None:
    assert run(FORK_BESIDE_A_RUNNING_FIT) == ["0"]


CTRL_C = """
import signal
import numpy as np
import mixtura

X = np.random.default_rng(0).normal(size=(20_000, 4))

def press(state):
    if state.iteration == 2:
        signal.raise_signal(signal.SIGINT)

try:
    mixtura.fit_gmm(X, 3, rng=0, n_threads=2, tol=0.0, callback=press)
except mixtura.FitInterrupted as interrupted:
    print(interrupted.fit.n_iter)
print(mixtura.fit_gmm(X, 3, rng=0, n_threads=2, tol=0.0, max_iter=4).n_iter)
"""


def test_process_after_ctrl_c_can_fit_again() -> None:
    assert run(CTRL_C) == ["2", "4"]
