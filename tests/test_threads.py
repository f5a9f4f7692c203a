"""Threads change no bit of a result, and nothing hangs or fails for their sake."""

import math
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

from mixtura import build_config, kernels, threads

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


def test_choose_n_threads_when_asked_is_what_was_asked_for() -> None:
    expected = 7 if build_config()["openmp"] else 1
    assert threads.choose_n_threads(7, work=1000) == expected


@pytest.mark.parametrize(
    ("content", "quota"),
    [("max 100000\n", math.inf), ("150000 100000\n", 1.5), ("odd\n", math.inf)],
)
def test_quota_of_a_cgroup_of_version_2_is_read(tmp_path: Path, content: str, quota: float) -> None:
    (tmp_path / "cpu.max").write_text(content, encoding="ascii")
    assert threads._v2_quota(tmp_path) == quota
    assert threads._v2_quota(tmp_path / "missing") == math.inf


@pytest.mark.parametrize(("content", "quota"), [("-1\n", math.inf), ("50000\n", 0.5)])
def test_quota_of_a_cgroup_of_version_1_is_read(tmp_path: Path, content: str, quota: float) -> None:
    (tmp_path / "cpu.cfs_quota_us").write_text(content, encoding="ascii")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n", encoding="ascii")
    assert threads._v1_quota(tmp_path) == quota
    assert threads._v1_quota(tmp_path / "missing") == math.inf


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
