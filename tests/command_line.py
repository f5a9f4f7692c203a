"""How the tests of the command line call it."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from mixtura.cli import main


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the module as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "mixtura", *arguments], capture_output=True, text=True, check=False
    )


def refusal(capsys: pytest.CaptureFixture[str], arguments: Sequence[str]) -> str:
    """Expect exit status 2 and one line of error, below notes if any, and return the line."""
    try:
        status: object = main(arguments)
    except SystemExit as stop:
        status = stop.code
    printed, complaint = capsys.readouterr()
    assert status == 2
    assert printed == ""
    *notes, error = complaint.splitlines(keepends=True)
    assert not any(line.startswith("mixtura: error: ") for line in notes)
    assert error.startswith("mixtura: error: ")
    assert error.endswith("\n")
    return error
