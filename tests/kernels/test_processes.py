"""Fits in child processes after fits in the parent: none hangs, none oversubscribes, same bits."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mixtura import build_config
from mixtura.kernels import threads

TIMEOUT = 120  # seconds, after which a process is taken to hang
SCRIPT = Path(__file__).parent / "fits_in_processes.py"
FORKING = ("fork", "futures", "joblib-multiprocessing")
JOBLIB = ("loky", "joblib-multiprocessing")


@pytest.mark.parametrize(
    "how", ["fork", "forkserver", "spawn", "futures", "loky", "joblib-multiprocessing"]
)
def test_children_after_a_parallel_fit_make_the_same_one(how: str) -> None:
    if how in FORKING and "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("the platform cannot fork")
    if how in JOBLIB:
        pytest.importorskip("joblib")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", str(SCRIPT), how],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    same, most = done.stdout.split()
    assert same == "same"
    allowed = min(threads._affinity(), threads._cgroup_quota()) if build_config()["openmp"] else 1
    workers = 2 if how == "loky" else 1  # loky shares the CPUs out among its workers
    assert int(most) == (1 if how in FORKING else max(1, allowed // workers))
