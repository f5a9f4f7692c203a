"""Threads change no bit of a result, and nothing hangs or fails for their sake."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    COVARIANCE_TYPES,
    all_results,
    assert_equal_bits,
    assert_same_bits,
    random_mixture,
    random_rows,
)

from mixtura import kernels
from mixtura.kernels import build_config, threads
from mixtura.limits import limited_threads

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


@pytest.mark.parametrize(("d", "k"), [(1, 3), (2, 1), (3, 4), (8, 3), (33, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_type
def test_results_of_any_number_of_threads_are_equal_to_the_bit(
    covariance_type: str, dtype: type, d: int, k: int
) -> None:
    rng = np.random.default_rng(d)
    mixture = random_mixture(rng, covariance_type, k, d)
    X = random_rows(rng, mixture, 5001).astype(dtype)
    resp, sample_weight = rng.random((5001, k)), rng.exponential(size=5001)
    serial = all_results(kernels, X, resp, mixture, sample_weight, n_threads=1)
    for n_threads in (2, 3, 7, None):
        threaded = all_results(kernels, X, resp, mixture, sample_weight, n_threads=n_threads)
        assert_equal_bits(threaded, serial)


def test_concurrent_calls_from_python_threads_give_equal_bits() -> None:
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, "full", 3, 5)
    X = random_rows(rng, mixture, 3000)

    def accumulate(n_threads: int) -> object:
        return kernels.accumulate(X, **mixture.parameters, n_threads=n_threads)

    expected = accumulate(1)
    with ThreadPoolExecutor(4) as pool:
        for statistics in pool.map(accumulate, [1, 2, 3, 4] * 4):
            assert_same_bits(statistics, expected)


FORK_AFTER_A_PARALLEL_PASS = """
import os
import signal
import numpy as np
from mixtura import kernels

X = np.random.default_rng(0).normal(size=(20000, 4))
arguments = dict(means=X[:3], precisions_cholesky=np.ones(3), covariance_type="spherical")
before = kernels.log_density(X, **arguments, n_threads=2)
child = os.fork()
if child == 0:
    signal.alarm(60)  # ends a child that hangs
after = kernels.log_density(X, **arguments, n_threads=2)
same = np.array_equal(before, after)
if child == 0:
    os._exit(0 if same else 3)
_, status = os.waitpid(child, 0)
raise SystemExit(os.waitstatus_to_exitcode(status) if same else 4)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
def test_forked_child_after_a_parallel_pass_makes_its_own() -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK_AFTER_A_PARALLEL_PASS]
    assert subprocess.run(command, check=False).returncode == 0


def test_choose_n_threads_of_small_work_is_one() -> None:
    assert threads.choose_n_threads(None, work=1000) == 1


def test_choose_n_threads_by_default_is_at_most_the_cpus() -> None:
    assert 1 <= threads.choose_n_threads(None) <= (os.cpu_count() or 1)


@pytest.mark.skipif(not build_config()["openmp"], reason="built without OpenMP")
def test_choose_n_threads_within_a_limit_is_no_more_unless_asked_for() -> None:
    with ThreadPoolExecutor(1) as pool, limited_threads(1):
        assert threads.choose_n_threads(None) == 1
        assert threads.choose_n_threads(3) == 3
        with limited_threads(None):
            unlimited = threads.choose_n_threads(None)
        elsewhere = pool.submit(threads.choose_n_threads, None).result()
        assert threads.choose_n_threads(None) == 1
    assert unlimited == elsewhere == threads.choose_n_threads(None)


def test_choose_n_threads_when_asked_is_what_was_asked_for() -> None:
    expected = 7 if build_config()["openmp"] else 1
    assert threads.choose_n_threads(7, work=1000) == expected


CPU_MAX, QUOTA, PERIOD = "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("cgroup", "files", "quota"),
    [
        ("0::/", {CPU_MAX: "150000 100000"}, 2),
        ("0::/", {CPU_MAX: "max 100000"}, threads.MANY),
        ("0::/", {CPU_MAX: "odd"}, threads.MANY),
        ("0::/", {CPU_MAX: "1000 100000"}, 1),
        ("0::/a/b", {"a/" + CPU_MAX: "300000 100000", "a/b/" + CPU_MAX: "max 100000"}, 3),
        ("0::/a/b", {"a/" + CPU_MAX: "300000 100000", "a/b/" + CPU_MAX: "200000 100000"}, 2),
        ("0::/not/mounted/here", {CPU_MAX: "400000 100000"}, 4),
        ("4:cpu:/", {"cpu/" + QUOTA: "50000", "cpu/" + PERIOD: "100000"}, 1),
        ("4:cpu,cpuacct:/a", {"cpu/a/" + QUOTA: "250000", "cpu/a/" + PERIOD: "100000"}, 3),
        ("4:cpu:/docker/1f", {"cpu/" + QUOTA: "500000", "cpu/" + PERIOD: "100000"}, 5),
        ("4:cpu:/\n0::/", {"cpu/" + QUOTA: "-1", "cpu/" + PERIOD: "100000"}, threads.MANY),
        ("3:cpuset:/", {"cpuset/" + QUOTA: "1", "cpuset/" + PERIOD: "1"}, threads.MANY),
        (None, {CPU_MAX: "150000 100000"}, threads.MANY),
    ],
)
def test_quota_is_the_least_of_the_cgroups_above_the_process(
    tmp_path: Path, cgroup: str | None, files: dict[str, str], quota: int
) -> None:
    tree = {f"sys/fs/cgroup/{name}": content for name, content in files.items()}
    if cgroup is not None:
        tree["proc/self/cgroup"] = cgroup
    for name, content in tree.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content + "\n", encoding="ascii")
    assert threads._cgroup_quota(tmp_path) == quota


def test_instruction_set_that_is_unknown_is_refused_on_import() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import mixtura"],
        env=os.environ | {"MIXTURA_INSTRUCTION_SET": "v9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "ValueError: MIXTURA_INSTRUCTION_SET must be one of " in done.stderr
    assert "got 'v9'" in done.stderr


def test_instruction_set_that_is_forced_is_in_use() -> None:
    lowest = build_config()["instruction_sets"][0]
    done = subprocess.run(
        [sys.executable, "-c", "import mixtura; print(mixtura.build_config()['instruction_set'])"],
        env=os.environ | {"MIXTURA_INSTRUCTION_SET": lowest},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [lowest]
