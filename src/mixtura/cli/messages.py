"""What the commands say besides results, notes and errors, and the streams that they write to."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

__all__ = [
    "InputError",
    "discard_output",
    "note",
    "prepare_streams",
    "print_error",
    "with_options",
]

OPTIONS = {
    "n_components": "-k",
    "covariance_type": "--covariance",
    "sample_weight": "--weights",
    "n_init": "--n-init",
    "max_iter": "--max-iter",
    "tol": "--tol",
    "reg_covar": "--reg-covar",
    "n_threads": "--threads",
}
ARGUMENT = re.compile(rf"(?<![\w.'-])({'|'.join(OPTIONS)})(?![\w'])")  # not a column in quotes


class InputError(Exception):
    """Something in the user's file or arguments is wrong; the message is one line."""


def prepare_streams() -> None:
    """Make the standard streams safe: closed ones are discarded, strange characters are escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell, as with >&-
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)
        if hasattr(stream, "reconfigure"):  # a name may have characters that a terminal lacks
            stream.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """Let the interpreter flush its output into nothing at the end: nobody reads it any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def with_options(message: object) -> str:
    """Return a message of the library with the options of the command for its arguments."""
    return ARGUMENT.sub(lambda found: OPTIONS[found[0]], str(message))


def note(message: str) -> None:
    """Say on the error stream how the input was understood."""
    print(f"mixtura: {_one_line(message)}", file=sys.stderr)


def print_error(message: str, status: int) -> int:
    """Print an error as one line, and return the status."""
    print(f"mixtura: error: {_one_line(message)}", file=sys.stderr)
    return status


def _one_line(message: str) -> str:
    return " ".join(message.split())
