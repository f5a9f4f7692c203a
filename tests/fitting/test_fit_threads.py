"""Fits among threads and processes: how many they use, after a fork, many at once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_ident

import numpy as np
import pytest
from clusters import assert_same_fit_bits, clustered

from mixtura import build_config, fit_gmm, fit_kmeans
from mixtura.kernels import threads

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


PRINT_DEFAULT = "from mixtura.kernels import threads; print(threads.choose_n_threads(None))"


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


@pytest.fixture
def new_cgroup() -> Iterator[Path]:
    """A folder of the cgroup file system, whose processes get half a CPU."""
    for parent, name, quota in (
        ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "50000"),
        ("/sys/fs/cgroup", "cpu.max", "50000 100000"),
    ):
        own = Path(parent) / f"mixtura-test-{os.getpid()}"
        try:
            own.mkdir()
        except OSError:
            continue
        try:
            if (own / name).exists():
                (own / name).write_text(quota, encoding="ascii")
                yield own
                return
        finally:
            own.rmdir()
    pytest.skip("making a cgroup takes root, and a cgroup file system that can be written to")


@with_openmp
def test_process_in_a_cgroup_keeps_to_its_quota(new_cgroup: Path) -> None:
    join = f"open({str(new_cgroup / 'cgroup.procs')!r}, 'w').write('0'); "
    assert run(join + PRINT_DEFAULT, OMP_NUM_THREADS="8") == ["1"]
    shown = "from mixtura.kernels.threads import _cgroup_quota; print(_cgroup_quota())"
    assert run(join + shown) == ["1"]


@pytest.fixture
def four_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process have four CPUs, as far as it can see."""
    if not build_config()["openmp"]:
        pytest.skip("built without OpenMP")
    monkeypatch.setattr(threads.runtime, "max_threads", lambda: 4)
    monkeypatch.setattr(threads, "_affinity", lambda: 4)
    monkeypatch.setattr(threads, "_cgroup_quota", lambda: 64)


LARGE = 10**12  # multiply-adds


@pytest.mark.usefixtures("four_cpus")
@pytest.mark.parametrize(("first", "left"), [(None, 1), (1, 3), (3, 1), (9, 1)])
def test_passes_at_the_same_time_share_the_cpus(first: int | None, left: int) -> None:
    other = threads.threads_for_a_pass(first, work=LARGE)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(other.__enter__).result() == (first or 4)
        with threads.threads_for_a_pass(None, work=LARGE) as mine:
            assert mine == left
        with threads.threads_for_a_pass(7, work=LARGE) as asked_for:
            assert asked_for == 7
        with threads.threads_for_a_pass(None, work=1) as of_little:
            assert of_little == 1
        pool.submit(other.__exit__, None, None, None).result()
    with threads.threads_for_a_pass(None, work=LARGE) as alone:
        assert alone == 4


@pytest.mark.usefixtures("four_cpus")
def test_pass_that_fails_leaves_its_threads_to_others() -> None:
    with pytest.raises(MemoryError), threads.threads_for_a_pass(None, work=LARGE):
        raise MemoryError
    assert threads.choose_n_threads(None) == 4


@pytest.mark.usefixtures("four_cpus")
def test_threads_lost_to_a_ctrl_c_are_found_by_the_next_pass() -> None:
    threads._busy[get_ident()] = 4  # as when it comes just before the pass
    with threads.threads_for_a_pass(None, work=LARGE) as n:
        assert n == 4


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


RUN_ALONE = """
import pathlib, time
import numpy as np, scipy.linalg
import mixtura
from mixtura.covariance import CELEUX_GOVAERT

def turns():
    # how often each of the other threads of this process got a CPU
    tasks = [p for p in pathlib.Path("/proc/self/task").iterdir() if int(p.name) != MAIN]
    return {p.name: int((p / "schedstat").read_text().split()[2]) for p in tasks}

import os
MAIN = os.getpid()
large = np.ones((400, 400))
large @ large  # threads of both libraries exist from here on
scipy.linalg.cholesky(large + 400.0 * np.eye(400))
before = turns()
while True:  # they spin for a while after their work
    time.sleep(0.2)
    before, earlier = turns(), before
    if before == earlier:
        break

def rows(n, d):
    X = np.random.default_rng(d).normal(size=(n, d))
    X[::2] += 1.0
    return X

settings = {"rng": 0, "n_threads": 1}
brief = {**settings, "max_iter": 3, "n_init": 2, "tol": 0.0}
for name in CELEUX_GOVAERT:
    mixtura.fit_gmm(rows(150, 13), 2, covariance_type=name, **brief)
for name in ("VVV", "EEE", "EEV", "VEE", "EVV"):
    mixtura.fit_gmm(rows(500, 130), 2, covariance_type=name, **brief)
for init in ("kmeans", "kmeans++", "random", "hierarchical"):
    mixtura.fit_gmm(rows(700, 20), 3, init=init, **brief)
for name in ("full", "tied", "diag"):
    mixtura.fit_gmm(rows(2000, 20), 70, covariance_type=name, **(brief | {"max_iter": 12}))
mixtura.fit_gmm(rows(60, 250), 2, **settings)
mixtura.fit_kmeans(rows(5000, 70), 5, **settings)
after = turns()
print(len(before), sum(after[name] - before.get(name, 0) for name in after))
"""


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="needs Linux's counters")
def test_fits_on_one_thread_wake_no_other() -> None:
    """Not those of BLAS and LAPACK either, which would be as many as there are processors."""
    others, turns = run(RUN_ALONE, OPENBLAS_NUM_THREADS="3")
    if others == "0":
        pytest.skip("this BLAS has no threads")
    assert int(turns) == 0
