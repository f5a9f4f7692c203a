"""How many threads a pass may use: OpenMP's limit, the CPUs, less what other passes use."""

from __future__ import annotations

import importlib
import math
import os
from functools import cache
from pathlib import Path
from threading import RLock, get_ident
from types import ModuleType

from mixtura.limits import thread_limit

__all__ = ["choose_n_threads", "threads_for_a_pass"]

# Multiply-adds, about half a millisecond; smaller passes use one thread. Sharing them would gain
# little, and lose much where threads have to wait for busy CPUs.
SERIAL_WORK = 4_000_000

MANY = 2**16  # threads, where nothing limits them


def _load_runtime() -> ModuleType:
    """Load OpenMP so that its idle threads sleep, unless the environment says how they wait.

    A thread that spins while it waits takes the CPU from the one it waits for when the machine
    has other work: fits on two threads were up to ninety times slower than on one. The policy is
    read once, when the library is loaded.
    """
    if "OMP_WAIT_POLICY" in os.environ:
        return importlib.import_module("mixtura.kernels._runtime")
    os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        return importlib.import_module("mixtura.kernels._runtime")
    finally:
        del os.environ["OMP_WAIT_POLICY"]


runtime: ModuleType = _load_runtime()
_lock = RLock()  # of `_busy`; reentrant, because a signal handler may make passes too
_busy: dict[int, int] = {}  # from each Python thread that is making a pass to its OpenMP threads
_after_fork = False


def _forget_threads() -> None:
    """The parent's OpenMP threads are gone in a forked child; waiting for them would hang."""
    global _lock, _busy, _after_fork
    _lock, _busy, _after_fork = RLock(), {}, True  # a thread that is gone may hold the old lock


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


class threads_for_a_pass:
    """Choose the number of threads, and count them as busy until the pass is done.

    So passes that Python threads make at the same time share the CPUs: a new one gets what the
    others leave. This context manager is a class because a generator takes twice the time. A single
    small pass (`is_brief`) is over before another would miss its thread, and is not counted.
    """

    __slots__ = ("_counts", "_n_threads", "_work")

    def __init__(self, n_threads: int | None, *, work: int, is_brief: bool = False) -> None:
        self._n_threads, self._work = n_threads, work
        self._counts = not (is_brief and work < SERIAL_WORK and n_threads in (None, 1))

    def __enter__(self) -> int:
        if not self._counts:
            return 1
        me = get_ident()
        with _lock:
            _busy.pop(me, None)  # left there by a Ctrl-C
            _busy[me] = chosen = choose_n_threads(self._n_threads, work=self._work)
        return chosen

    def __exit__(self, *_: object) -> None:
        if self._counts:
            with _lock:
                _busy.pop(get_ident(), None)


def choose_n_threads(n_threads: int | None, *, work: int | None = None) -> int:
    """Threads for one pass.

    Parameters
    ----------
    n_threads : int or None
        What the user asked for; None for OpenMP's maximum (``OMP_NUM_THREADS``, threadpoolctl), at
        most the CPUs this process may run on and its cgroup's quota of them, less those that other
        passes of this process are using, and the limit of a task (`mixtura.limits`); one where the
        work is too small to share.
    work : int, multiply-adds, optional
        Size of the pass; None for a large one.

    Returns
    -------
    int
        One in a process forked from another: GNU OpenMP does not survive a fork.
    """
    if not runtime.HAS_OPENMP or _after_fork:
        return 1
    if n_threads is not None:
        return min(n_threads, MANY)
    if work is not None and work < SERIAL_WORK:
        return 1
    allowed = min(int(runtime.max_threads()), _affinity(), _cgroup_quota())
    with _lock:
        left = max(1, allowed - sum(_busy.values()))
    return min(left, thread_limit() or left)


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _cgroup_quota(root: Path = Path("/")) -> int:
    """CPUs that the cgroups of this process allow, rounded up; many where they set no limit."""
    quotas = [_v2_quota(folder) for folder in _cgroup_folders("", root)]
    quotas += [_v1_quota(folder) for folder in _cgroup_folders("cpu", root)]
    return max(1, math.ceil(min([*quotas, MANY])))


def _cgroup_folders(controller: str, root: Path) -> list[Path]:
    """Folders of this process's cgroup and its parents: "" for version 2, else a controller."""
    mount = root / "sys/fs/cgroup" / controller
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            own = mount / path.lstrip("/")
            return [own, *(p for p in own.parents if p.is_relative_to(mount))]
    return []


def _v2_quota(folder: Path) -> float:
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return math.inf
    return math.inf if quota == "max" else int(quota) / int(period)


def _v1_quota(folder: Path) -> float:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period = int((folder / "cpu.cfs_period_us").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return math.inf
    return math.inf if quota <= 0 else quota / period
