"""Libraries that run in processes of their own, where an interpreter is given or this one has them.

`peer_worker.py` runs there. oneDAL's package daal4py wants an older scikit-learn than this
environment may have. So make an environment for it, and give its interpreter by --peers-python:

    python -m pip install "numpy<2.3" scikit-learn==1.5.2 daal4py==2024.7.0 packaging faiss-cpu
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

WORKER = Path(__file__).with_name("peer_worker.py")


class Missing(Exception):
    """No interpreter has the library."""


class Peer:
    """A library that has the rows and the start of a case.

    Parameters
    ----------
    work : str
        One of `peer_worker.WORKS`.
    pythons : iterable of str
        Interpreters; the first that has the library is used.
    clock : {"wall", "cpu"}
        Which seconds `run` returns.
    threads : int
        0 for as many as the library takes.
    **case : ndarray
        Rows and start.
    """

    def __init__(
        self, work: str, pythons: Iterable[str], *, clock: str, threads: int = 0, **case: Any
    ) -> None:
        self.clock = clock
        self._folder = tempfile.TemporaryDirectory()
        np.savez(Path(self._folder.name, "case.npz"), **case)
        for python in pythons:
            command = [python, WORKER, work, self._folder.name, str(threads)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            if line:
                self.version = json.loads(line)["version"]
                return
            self._process.communicate()
        self._folder.cleanup()
        raise Missing(work)

    def run(self, n_iter: int) -> float:
        """Make so many iterations from the start; return the seconds that they took."""
        seconds: float = self._asked(str(n_iter))[self.clock]
        return seconds

    def end(self) -> dict[str, Any]:
        """Parameters after the last run."""
        self._asked("end")
        with np.load(Path(self._folder.name, "end.npz")) as arrays:
            return dict(arrays)

    def _asked(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(self._process.communicate()[1])
        found: dict[str, Any] = json.loads(answer)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._process.communicate()
        self._folder.cleanup()


def versions(pythons: Iterable[str]) -> dict[str, str]:
    """Versions of the libraries that are there."""
    found = {}
    rows = np.zeros((1, 1), dtype=np.float32)
    for name, work in {"oneDAL (daal4py)": "onedal-kmeans", "faiss": "faiss-kmeans"}.items():
        try:
            with Peer(work, pythons, clock="cpu", X=rows, start=rows) as peer:
                found[name] = peer.version
        except Missing:
            continue
    return found


def add_option(parser: argparse.ArgumentParser) -> None:
    """Ask for interpreters that have peers."""
    parser.add_argument(
        "--peers-python", action="append", default=[], metavar="PYTHON",
        help="an interpreter that has oneDAL (daal4py) or faiss; may be given again",
    )  # fmt: skip


def interpreters(given: list[str]) -> list[str]:
    """Those that are given, and this one."""
    return [*given, sys.executable]
