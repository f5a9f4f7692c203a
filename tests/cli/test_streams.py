"""Standard streams that are closed, full, or cannot show a name: no traceback, a clean status."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mixtura import GaussianMixture

PREDICT = "predict model.npz t.csv --out out"


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with PYTHON -m mixtura in place of MIXTURA."""
    return subprocess.run(
        ["bash", "-c", command.replace("MIXTURA", f"{sys.executable} -m mixtura")],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False,
        encoding="utf-8",
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text("größe,b\n1,2\n3,5\n4,4\n9,1\n", encoding="utf-8")
    names = ["größe", "b"]
    GaussianMixture([1.0], [[0.0, 0.0]], np.eye(2), "tied", feature_names=names).save(
        tmp_path / "model.npz"
    )
    return tmp_path


def test_output_that_is_closed_early_does_not_stop_the_writing_of_files(folder: Path) -> None:
    command = "MIXTURA fit t.csv -k 1 --out out --header yes | true; exit ${PIPESTATUS[0]}"
    done = shell(command, folder)
    assert (done.returncode, done.stderr) == (1, "")
    names = {path.name for path in (folder / "out").iterdir()}
    assert names >= {"labels.csv", "log_prob.csv", "model.npz", "responsibilities.csv"}


def test_help_that_nobody_reads_ends_quietly(folder: Path) -> None:
    assert shell("MIXTURA fit --help | true", folder).stderr == ""


def test_output_that_is_closed_from_the_start_is_discarded(folder: Path) -> None:
    done = shell(f"MIXTURA {PREDICT} --header yes >&-", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (folder / "out" / "labels.csv").read_text() == "label\n0\n0\n0\n0\n"


def test_errors_that_are_closed_from_the_start_do_not_reach_the_output(folder: Path) -> None:
    done = shell("MIXTURA fit none.csv -k 2 2>&-", folder)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_is_full_is_an_error_of_one_line(folder: Path) -> None:
    done = shell("MIXTURA config > /dev/full", folder)
    assert done.returncode == 1
    assert done.stderr == (
        "mixtura: error: the output cannot be written: No space left on device\n"
    )


def test_names_outside_ascii_on_an_ascii_terminal_are_escaped(folder: Path) -> None:
    done = shell(f"MIXTURA {PREDICT}", folder, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert r"(gr\xf6\xdfe, b)" in done.stdout
    assert r"(gr\xf6\xdfe, b)" in done.stderr
